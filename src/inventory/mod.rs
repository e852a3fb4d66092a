//! Floor 6: what is known.
//!
//! Takes observations, gives path templates and mergeable endpoint state, and a [`View`] of both for people and
//! machines. Bounded in services, endpoints and words; what is let go is counted. Never holds a value: words that may
//! be literals, kinds, counts and sketches only.

pub mod documented;
pub mod store;
mod view;

pub use view::{EndpointView, ParameterView, PathParameter, Quantiles, ServiceView, View};

/// A record that changed, for the store: opaque bytes under an opaque key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Key of the record.
    pub key: Vec<u8>,
    /// New content; `None`: the record is gone.
    pub value: Option<Vec<u8>>,
}
