//! HTTP/2 frames (RFC 9113), as a bystander reads them.
//!
//! Takes the bytes and holes of one direction, gives what its frames say: header blocks put together, body bytes as they
//! pass by, settings, resets. Bodies are counted down, not gathered; what has to be gathered is bounded. A hole inside a
//! frame of known length is stepped over exactly; behind any other hole a [`Search`] follows all chains of frames until one is
//! left. Never decodes a header block (see [`hpack`](super::hpack)), never relates two streams.

mod block;
mod frame;
mod head;
mod preface;
mod reader;
mod search;
mod settings;

#[cfg(test)]
mod tests;

pub use frame::{Header, Kind};
pub use head::{Parts, parts};
pub use preface::{bears_requests, begins_turn, ends_with_frame, is_server_preface, starts_like_frames};
pub use reader::{Event, Reader, Skipped};
pub use search::{Found, Search};
pub use settings::{Setting, settings};

/// SETTINGS_MAX_FRAME_SIZE until the receiver says otherwise (RFC 9113, 6.5.2).
pub const FRAME_SIZE: u32 = 1 << 14;
