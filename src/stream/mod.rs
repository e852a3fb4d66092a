//! Floor 2: from segments to ordered chunks **and gaps**, per direction.
//!
//! Takes [`Segment`](crate::wire::Segment)s in capture order, gives each connection's bytes in stream order to a
//! [`Consumer`], in place where they came in order. A hole that cannot be filled any more is given as a gap,
//! beside the bytes; bytes are never glued over a hole. Timers run on packet time. Never looks into the bytes.
//!
//! # When a hole becomes a gap
//!
//! A tap reorders, and a network loses and sends again; only what provably will not come is given up:
//!
//! * the peer acknowledged all of the hole, so it will not be sent again, and did so 10 ms of packet time ago, longer
//!   than a tap reorders; or
//! * `gap_seconds` passed; or
//! * what is held behind it went over `flow_buffer_bytes`, `flow_buffer_segments` or `total_buffer_bytes`: then the
//!   hole is given up early, and nothing that was captured is let go; or
//! * the connection is over.
//!
//! A hole with nothing behind it (the tail of a message) is given up when something behind it arrives or, where the
//! peer acknowledged it, at the close. Bytes cut off by the snapshot length are a gap at once: the decoder counted
//! them as truncated, so they are not counted again.
//!
//! # Cause and effect
//!
//! The two directions do not wait for each other. Where the tap shows a reply before its request, the consumer sees
//! the reply first; to hold it back would need a second buffer for what is in order, and a lost request would hold up
//! its reply until a timer. [`Chunk::acked`] tells the true order: the reply's sender had received the request, so its
//! `acked` is past the request's offset. One courtesy: a segment that comes when the *other* direction has a hole past
//! hope has that hole given up first.
//!
//! # Where a stream begins
//!
//! With the SYN, or with the acknowledgement in the SYN-ACK: offset 0. Without either, with the first segment seen,
//! or with the acknowledgement in the peer's, whichever is first; a segment up to 64 KB before that is still taken as
//! long as nothing was delivered. Within 16 MB of what is expected any segment is taken as it is. One farther away is
//! not believed until the peer acknowledges its place or a second one continues it: then it is a loss of that size,
//! or, where it cannot be, a new connection of the same ends.

mod consumer;
mod flow;
mod hole;
mod reassembly;
mod slab;
mod table;
#[cfg(test)]
mod tests;

pub use consumer::{Chunk, Close, Connection, Consumer, End, Gap};
pub use flow::HEADROOM;
pub use table::Table;
