//! Floor 1: from a captured frame to a TCP segment.
//!
//! Takes frames with their link type and packet time, gives TCP segments whose payload still lies in the
//! frame (or, for a datagram that came in fragments, in the fragment pool). Also reads the file formats
//! that frames come in. Never follows a connection, verifies no TCP checksum (offload leaves them wrong) and
//! does no I/O of its own: readers take any [`std::io::Read`].

mod decoder;
mod fast;
pub mod file;
mod fragment;
mod ip;
mod link;
mod segment;
mod tcp;

pub use decoder::Decoder;
pub use segment::{Frame, LinkType, Segment, TcpFlags};
