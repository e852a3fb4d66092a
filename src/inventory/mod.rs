//! Floor 6: what is known.
//!
//! Takes observations, gives path templates and mergeable endpoint state, and a [`View`] of both for people and
//! machines. Bounded in services, endpoints and words; what is let go is counted. Never holds a value: words that may
//! be literals, kinds, counts and sketches only.

mod view;

pub use view::{EndpointView, ParameterView, PathParameter, Quantiles, ServiceView, View};
