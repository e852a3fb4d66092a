//! Floor 2: from segments to ordered chunks **and gaps**, per direction.
//!
//! Takes [`Segment`](crate::wire::Segment)s in capture order, gives each connection's bytes in stream order to a
//! [`Consumer`], in place where they came in order. A hole that cannot be filled any more is given as a gap,
//! beside the bytes; bytes are never glued over a hole. Timers run on packet time. Never looks into the bytes.

mod consumer;

pub use consumer::{Chunk, Close, Connection, Consumer, End};
