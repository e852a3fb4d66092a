//! Floor 1: from a captured frame to a TCP segment or a UDP datagram.
//!
//! Takes frames with their link type and packet time, opens tags and tunnels, gives TCP segments and UDP datagrams whose payload still
//! lies in the frame (or, for one that came in fragments, in the decoder). Also reads the file formats
//! that frames come in. Never follows a connection, verifies no TCP checksum (offload leaves them wrong) and
//! does no I/O of its own: readers take any [`std::io::Read`].

mod decoder;
mod ether;
mod fast;
pub mod file;
mod fragment;
mod ip;
mod layer;
mod link;
mod mirrored;
mod plausible;
mod segment;
mod tcp;
mod tunnel;
mod wifi;

pub use decoder::Decoder;
pub use mirrored::Copies;
pub use segment::{Datagram, Frame, LinkType, Segment, TcpFlags};
pub use tunnel::{Kind, Tunnels};

#[cfg(test)]
#[path = "../../tests/common/wrap.rs"]
#[allow(dead_code, reason = "the file serves integration tests and fuzz targets, too")]
mod wrap;
