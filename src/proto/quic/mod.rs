//! QUIC's long headers and Initial packets (RFC 9000, RFC 9369), as far as they can be read from outside.
//!
//! Takes UDP payloads, gives the packets with long headers in them, and out of a client's Initial packets the pieces of its ClientHello.
//! Never follows a connection, keeps nothing, and never trusts a length.

mod hello;

pub use hello::Joined;

use super::tls::crypt_initial::Protection;

/// Longest connection id (RFC 9000, 17.2).
pub const ID: usize = 20;

/// Packets in one datagram that are looked at. Handshakes put up to four into one.
const COALESCED: usize = 8;

/// What a packet with a long header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Carries the hellos.
    Initial,
    /// Early data.
    ZeroRtt,
    /// The rest of the handshake.
    Handshake,
    /// A server asks the client to come again with a token.
    Retry,
    /// A server names the versions that it speaks.
    VersionNegotiation,
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long<'a> {
    /// What it is.
    pub kind: Kind,
    /// Version, as sent.
    pub version: u32,
    /// The receiver's connection id.
    pub destination: &'a [u8],
    /// The sender's.
    pub source: &'a [u8],
    /// All of the packet, as far as its length says.
    pub packet: &'a [u8],
    /// Where its packet number begins.
    pub number: usize,
}

/// The protection that a version's Initial packets have; `None` for versions nobody has published.
pub fn protection(version: u32) -> Option<Protection> {
    match version {
        1 => Some(Protection::V1),
        0x6b33_43cf => Some(Protection::V2),
        0xff00_0017..=0xff00_001c => Some(Protection::Draft23),
        0xff00_001d..=0xff00_0020 => Some(Protection::Draft29),
        0xff00_0021 | 0xff00_0022 => Some(Protection::V1),
        _ => None,
    }
}

/// A version's name for people.
pub fn name(version: u32) -> String {
    match version {
        1 => "v1".to_owned(),
        0x6b33_43cf => "v2".to_owned(),
        0xff00_0000..=0xff00_00ff => format!("draft-{}", version & 0xff),
        other => format!("{other:#010x}"),
    }
}

/// May this be a QUIC packet with a long header? A look at the first bytes, for each datagram there is.
#[inline]
pub fn may_begin(bytes: &[u8]) -> bool {
    match bytes {
        [first, a, b, c, d, length, ..] => {
            let version = u32::from_be_bytes([*a, *b, *c, *d]);
            first & 0x80 != 0 && usize::from(*length) <= ID && (version == 0 || protection(version).is_some())
        }
        _ => false,
    }
}

/// A variable-length integer (RFC 9000, 16), and what follows.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = 1_usize << (first >> 6);
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number.iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
    // The two bits of the length are no part of it.
    Some((value & (u64::MAX >> (66 - 8 * length)), rest))
}

/// The same, as a length.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (n, rest) = integer(bytes)?;
    Some((usize::try_from(n).ok()?, rest))
}

/// The packets with long headers at the beginning of a datagram.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = Long<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (long, behind) = long(rest)?;
        rest = behind;
        Some(long)
    })
    .take(COALESCED)
}

fn long(bytes: &[u8]) -> Option<(Long<'_>, &[u8])> {
    let ([first, version @ ..], rest) = bytes.split_first_chunk::<5>()?;
    let version = u32::from_be_bytes(*version);
    if first & 0x80 == 0 {
        return None;
    }
    let id = |bytes: &[u8]| -> Option<usize> { Some(usize::from(*bytes.first()?)).filter(|n| *n <= ID) };
    let n = id(rest)?;
    let (destination, rest) = rest.get(1..)?.split_at_checked(n)?;
    let n = id(rest)?;
    let (source, mut rest) = rest.get(1..)?.split_at_checked(n)?;
    let whole = |kind| Some((Long { kind, version, destination, source, packet: bytes, number: 0 }, &[][..]));
    if version == 0 {
        return whole(Kind::VersionNegotiation);
    }
    // Version 2 turns the numbers by one (RFC 9369, 3.2), lest boxes on the way take them for granted.
    let turned = u8::from(protection(version)? == Protection::V2);
    let kind = match ((first >> 4 & 3) + 4 - turned) % 4 {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        // A Retry is all of its datagram.
        _ => return whole(Kind::Retry),
    };
    if kind == Kind::Initial {
        let (token, behind) = length(rest)?;
        rest = behind.get(token..)?;
    }
    let (size, rest) = length(rest)?;
    let number = bytes.len() - rest.len();
    let end = number.checked_add(size)?;
    let packet = bytes.get(..end)?;
    Some((Long { kind, version, destination, source, packet, number }, bytes.get(end..)?))
}

/// Gives the pieces of the handshake in an Initial packet's frames: offset and bytes. Stops at a frame that may not be in one.
pub fn crypto(frames: &[u8], mut each: impl FnMut(u64, &[u8])) {
    let mut rest = frames;
    // Without a frame that can't be read there is an end: each takes at least a byte.
    while let Some(next) = frame(rest, &mut each) {
        rest = next;
    }
}

fn frame<'a>(bytes: &'a [u8], each: &mut impl FnMut(u64, &[u8])) -> Option<&'a [u8]> {
    let (kind, mut rest) = integer(bytes)?;
    match kind {
        0 | 1 => {}
        2 | 3 => {
            // Acknowledgement: largest, delay, count of ranges, first range, the ranges, and with 3 three counters.
            let (_, behind) = integer(rest)?;
            let (_, behind) = integer(behind)?;
            let (ranges, behind) = integer(behind)?;
            rest = behind;
            let numbers = 1_u64.checked_add(ranges.checked_mul(2)?)?.checked_add(if kind == 3 { 3 } else { 0 })?;
            for _ in 0..numbers {
                rest = integer(rest)?.1;
            }
        }
        6 => {
            let (offset, behind) = integer(rest)?;
            let (size, behind) = length(behind)?;
            let (data, behind) = behind.split_at_checked(size)?;
            each(offset, data);
            rest = behind;
        }
        _ => return None,
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_the_rfc() {
        // RFC 9000, A.1.
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            assert_eq!(integer(bytes), Some((value, &[][..])));
            assert!((0..bytes.len()).all(|n| integer(&bytes[..n]).is_none()));
        }
    }

    #[test]
    fn coalesced_packets_come_one_by_one() {
        let packet = |first: u8, version: u32, more: &[u8]| {
            [&[first][..], &version.to_be_bytes(), &[2, 1, 2, 1, 3], more].concat()
        };
        let initial = packet(0xc0, 1, &[1, 9, 3, 7, 7, 7]);
        let handshake = packet(0xe0, 1, &[2, 8, 8]);
        let all = [&initial[..], &handshake, &[0x40, 1, 2]].concat();
        let found: Vec<_> =
            packets(&all).map(|p| (p.kind, p.destination, p.source, p.packet.len(), p.number)).collect();
        let (ids, source) = (&[1, 2][..], &[3][..]);
        assert_eq!(
            found,
            [
                (Kind::Initial, ids, source, initial.len(), initial.len() - 3),
                (Kind::Handshake, ids, source, handshake.len(), handshake.len() - 2),
            ]
        );
        for (first, kind) in
            [(0xd0, Kind::Initial), (0xe0, Kind::ZeroRtt), (0xf0, Kind::Handshake), (0xc0, Kind::Retry)]
        {
            let bytes = packet(first, 0x6b33_43cf, &[0, 1, 5]);
            let bytes = if kind == Kind::Initial { bytes } else { packet(first, 0x6b33_43cf, &[1, 5]) };
            assert_eq!(packets(&bytes).next().map(|p| p.kind), Some(kind));
        }
        assert_eq!(packets(&packet(0x80, 0, &[0, 0, 0, 1])).next().map(|p| p.kind), Some(Kind::VersionNegotiation));
        for n in 0..all.len() {
            assert!(packets(&all[..n]).count() <= 2);
        }
        assert_eq!(packets(&packet(0xc0, 77, &[0, 1, 5])).count(), 0, "no version");
    }

    #[test]
    fn frames_give_pieces_of_the_handshake() {
        let mut got = Vec::new();
        let frames =
            [&[0, 1, 0][..], &[2, 9, 0, 1, 1, 1, 1], &[6, 3, 2, b'a', b'b'], &[0; 9], &[6, 0, 1, b'c'], &[0x1c, 6, 0]];
        crypto(&frames.concat(), |offset, bytes| got.push((offset, bytes.to_vec())));
        assert_eq!(got, [(3, b"ab".to_vec()), (0, b"c".to_vec())]);
        crypto(&[6, 0, 0x7f, 0xff, 1], |_, _| panic!("longer than the packet"));
    }
}
