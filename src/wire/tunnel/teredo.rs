//! IPv6 that is carried in UDP to get through address translation: Teredo and AYIYA.
//!
//! Takes a datagram's payload, gives the IPv6 packet in it, or nothing where there is none. Never follows Teredo's address negotiation.

use super::super::layer::{Layer, Refused, Track};
use super::super::plausible::{self, Proof};
use super::Kind;

/// The packet in a Teredo datagram (RFC 4380, 5.1.1), behind authentication and origin where these are.
pub(super) fn teredo<'a>(bytes: &'a [u8], proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let mut rest = bytes;
    if let [0, 1, client, value, ..] = *rest {
        // Identifier, authentication value, nonce, confirmation.
        rest = rest.get(4 + usize::from(client) + usize::from(value) + 9..)?;
    }
    if let [0, 0, ..] = rest {
        rest = rest.get(8..)?;
    }
    // A bubble is an IPv6 header alone: next header 59.
    let header = rest.first_chunk::<40>()?;
    let length = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let there = rest.len() + track.beyond;
    // Trailers may follow (RFC 6081, 4).
    let fits = length == there || (proof == Proof::Hinted && length <= there);
    let own = |address: &[u8]| address.starts_with(&[0x20, 1, 0, 0]) || address.starts_with(&[0xfe, 0x80]);
    let known = proof == Proof::Hinted || own(&header[8..24]) || own(&header[24..40]);
    (header[0] >> 4 == 6 && fits && known).then(|| track.open(Kind::Teredo).map(|()| Layer::Ip(rest)))
}

/// The packet in an AYIYA datagram (draft-massar-v6ops-ayiya-02, 4): identity, signature, then what the next header says.
pub(super) fn ayiya<'a>(bytes: &'a [u8], proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    /// Forward what follows.
    const FORWARD: u8 = 1;
    const NEXT_IPV6: u8 = 41;
    const NEXT_IPV4: u8 = 4;
    let (header, _) = bytes.split_first_chunk::<8>()?;
    if header[2] & 0x0f != FORWARD || !matches!(header[3], NEXT_IPV6 | NEXT_IPV4) {
        return None;
    }
    let identity = 1_usize << (header[0] >> 4);
    let signature = usize::from(header[1] >> 4) * 4;
    let rest = bytes.get(8 + identity + signature..)?;
    let version = if header[3] == NEXT_IPV6 { 6 } else { 4 };
    let sound = rest.first().is_some_and(|b| b >> 4 == version) && plausible::ip(rest, track.beyond, proof);
    sound.then(|| track.open(Kind::Ayiya).map(|()| Layer::Ip(rest)))
}
