//! The TCP header.
//!
//! Takes what an IP packet carries, gives a [`Segment`]. Verifies no checksum: offload leaves them wrong.

use super::{Segment, TcpFlags};
use crate::base::{Address, FlowKey, Timestamp};

/// Bytes of a TCP header without options (RFC 9293, 3.1).
pub(super) const HEADER: usize = 20;

/// Why there is no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TcpError {
    /// Fewer than [`HEADER`] bytes were captured.
    Cut,
    /// The data offset points into the header or behind the packet.
    Offset,
}

/// Reads the header at the start of `bytes`. `source` and `destination` get their ports from it; `tag` becomes the
/// flow key's. `declared` is the length that IP
/// claims for TCP header and payload; what it has more than `bytes` was cut off by the snapshot length.
#[inline(always)]
pub(super) fn segment<'a>(
    ts: Timestamp,
    source: u128,
    destination: u128,
    bytes: &'a [u8],
    declared: usize,
    tag: u32,
) -> Result<Segment<'a>, TcpError> {
    let (header, _) = bytes.split_first_chunk::<HEADER>().ok_or(TcpError::Cut)?;
    let offset = usize::from(header[12] >> 4) * 4;
    if offset < HEADER || offset > declared {
        return Err(TcpError::Offset);
    }
    // Options that the snapshot length cut off take the payload with them, but the sequence number still says where it lay.
    let payload = bytes.get(offset..).unwrap_or_default();
    let (key, side) = FlowKey::new(
        Address::v6(source, u16::from_be_bytes([header[0], header[1]])),
        Address::v6(destination, u16::from_be_bytes([header[2], header[3]])),
        tag,
    );
    Ok(Segment {
        ts,
        key,
        side,
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        payload,
        // Both lengths come from 32-bit fields or shorter ones.
        cut: (declared - offset - payload.len()) as u32,
    })
}

/// VLAN numbers do not tell flows apart unless that is asked for: a mirror often tags one direction only, and one flow would become two
/// halves.
pub(super) const NO_TAG: u32 = 0;
