//! Floor 5: from exchanges to observations. **Raw values stop here.**
//!
//! Takes exchanges from floor 4, gives [`Observation`]s: who, which service, which method, the path as segments
//! of words and kinds, parameter names with the kinds of their values, media types, status, sizes, latency. An
//! identifier that can be told by its form (number, UUID, token, e-mail…) leaves as its kind and a keyed hash;
//! only what could be a literal of the API's own leaves as text. Of what could not be read it gives [`Glimpse`]s: which
//! server, what the handshake told, how much passed. Of what bodies named it gives [`Mention`]s, keyed hashes. Never gives a body, a
//! token or a query value.

mod batch;
mod caller;
mod glimpse;
pub mod glue;
mod host;
mod key;
mod logged;
pub mod mention;
mod observation;
mod operation;
mod record;
pub mod shape;
mod skeleton;
mod target;
mod watch;
mod words;

pub use batch::Batch;
pub use caller::{Network, NotANetwork, TrustedProxies};
pub use glimpse::{Badge, Blindness, Cover, Glimpse, Handshake};
pub use key::Key;
pub use logged::Logged;
pub use mention::{Mention, Mentioned, Origin};
pub use observation::{Field, Kind, Observation, Parameter, Said, Scheme, Segment, ServiceKey};
pub use watch::{Ticket, Watch};

/// A taker of observations.
pub trait Sink {
    /// One exchange was seen. The observation borrows; what is to outlive the call is copied.
    fn observation(&mut self, observation: &Observation<'_>);

    /// Something was seen of a connection that is not, or not wholly, read.
    fn glimpse(&mut self, glimpse: Glimpse);

    /// Values were named in the bodies or fields of an exchange that was observed right before. Only of some exchanges.
    fn mentioned(&mut self, mentioned: &Mentioned<'_>);
}

impl<S: Sink> Sink for &mut S {
    #[inline]
    fn observation(&mut self, observation: &Observation<'_>) {
        (**self).observation(observation);
    }

    fn glimpse(&mut self, glimpse: Glimpse) {
        (**self).glimpse(glimpse);
    }

    fn mentioned(&mut self, mentioned: &Mentioned<'_>) {
        (**self).mentioned(mentioned);
    }
}
