//! Is it really that?
//!
//! Takes bytes that some outer layer claims to be a packet, tells whether they can be one. A port number only hints at a tunnel; the
//! packet inside proves it. Strict enough that a chance datagram does not pass, and lenient about what a snapshot length cut off. Never
//! follows more headers than it needs.

use super::layer::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MIN, ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST, ETHERTYPE_NSH,
    ETHERTYPE_PPPOE_SESSION, LABELS, Layer, is_vlan,
};

/// How sure one has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A port or a protocol number has already said what it is.
    Hinted,
    /// Nothing but the bytes speaks for it: lengths must meet exactly, and the checksum of an IPv4 header must be right.
    Alone,
}

/// Mirrors that cut packets leave at least so much of them.
const MIRROR_CUT: usize = 64;

/// Headers looked through in an inner frame: tags, labels and the like.
const HEADERS: u32 = 6;

/// Can `layer` be what it is said to be? `beyond` bytes behind it were not captured.
pub(super) fn layer(layer: Layer<'_>, beyond: usize, proof: Proof) -> bool {
    match layer {
        Layer::Ip(bytes) => ip(bytes, beyond, proof),
        Layer::Ethernet(bytes) => ethernet(bytes, beyond, proof),
        Layer::Ether(kind, bytes) => ether(kind, bytes, beyond, proof, HEADERS),
        _ => proof == Proof::Hinted,
    }
}

/// An IP packet of either version.
pub(super) fn ip(bytes: &[u8], beyond: usize, proof: Proof) -> bool {
    let there = bytes.len() + beyond;
    // An Ethernet frame may have padding, so more may be there than a length says.
    let fits = |length: usize| length == there || (proof == Proof::Hinted && length < there);
    match bytes.first().map(|b| b >> 4) {
        Some(4) => {
            let Some(header) = bytes.first_chunk::<20>() else { return beyond > 0 && proof == Proof::Hinted };
            let length = usize::from(header[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
            // Segmentation offload leaves no length.
            let sound = length >= 20 && (total >= length || (total == 0 && proof == Proof::Hinted));
            let checked = || bytes.get(..length).is_some_and(summed);
            // Offload leaves checksums undone; mirrors cut packets short and leave the length. Not both.
            sound && if proof == Proof::Hinted { fits(total) || checked() } else { fits(total) && checked() }
        }
        Some(6) => {
            let Some(header) = bytes.first_chunk::<40>() else { return beyond > 0 && proof == Proof::Hinted };
            let length = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
            // Without a checksum, a packet that a mirror cut short is believed for its next header: TCP, UDP or ICMP.
            fits(length) || (proof == Proof::Hinted && there >= MIRROR_CUT && matches!(header[6], 6 | 17 | 58))
        }
        _ => false,
    }
}

/// The Internet checksum over a header that includes it (RFC 1071).
fn summed(header: &[u8]) -> bool {
    let mut sum: u32 = header.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

/// An Ethernet frame.
pub(super) fn ethernet(bytes: &[u8], beyond: usize, proof: Proof) -> bool {
    framed(bytes, beyond, proof, HEADERS)
}

fn framed(bytes: &[u8], beyond: usize, proof: Proof, left: u32) -> bool {
    match bytes.split_first_chunk::<14>() {
        Some((header, rest)) => ether(u16::from_be_bytes([header[12], header[13]]), rest, beyond, proof, left),
        None => beyond > 0 && proof == Proof::Hinted,
    }
}

/// What an EtherType announced. `left` headers more are gone through.
fn ether(kind: u16, bytes: &[u8], beyond: usize, proof: Proof, left: u32) -> bool {
    let version = bytes.first().map(|b| b >> 4);
    let Some(left) = left.checked_sub(1) else { return false };
    match kind {
        ETHERTYPE_IPV4 => version == Some(4) && ip_padded(bytes, beyond, proof),
        ETHERTYPE_IPV6 => version == Some(6) && ip_padded(bytes, beyond, proof),
        // ARP for IPv4 on Ethernet.
        0x0806 => bytes.starts_with(&[0, 1, 8, 0, 6, 4]),
        _ if is_vlan(kind) => match bytes.split_first_chunk::<4>() {
            Some((tag, rest)) => ether(u16::from_be_bytes([tag[2], tag[3]]), rest, beyond, proof, left),
            None => beyond > 0 && proof == Proof::Hinted,
        },
        // Bridges' own: LLDP, slow protocols, 802.1X, MACsec, CFM.
        0x88cc | 0x8809 | 0x888e | 0x88e5 | 0x8902 => proof == Proof::Hinted,
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_MULTICAST => {
            proof == Proof::Hinted
                || labelled(bytes).is_some_and(|rest| {
                    ip_padded(rest, beyond, proof)
                        || framed(rest, beyond, proof, left)
                        || rest.get(4..).is_some_and(|rest| framed(rest, beyond, proof, left))
                })
        }
        ETHERTYPE_NSH => match *bytes {
            // Version 0; the length of the header in words; what comes next.
            [version, length, _, next, ..] if version >> 6 == 0 => {
                let rest = bytes.get(usize::from(length & 0x3f) * 4..).unwrap_or_default();
                proof == Proof::Hinted
                    || (matches!(next, 1 | 2) && ip_padded(rest, beyond, proof))
                    || (next == 3 && framed(rest, beyond, proof, left))
            }
            _ => false,
        },
        ETHERTYPE_PPPOE_SESSION | 0x8863 => match *bytes {
            [0x11, 0, _, _, _, _, 0, 0x21 | 0x57, ref rest @ ..] => {
                proof == Proof::Hinted || ip_padded(rest, beyond, proof)
            }
            [0x11, ..] => proof == Proof::Hinted,
            _ => false,
        },
        // IEEE 802.2: spanning tree, SNAP, NetWare's and IS-IS.
        length if length < ETHERTYPE_MIN && usize::from(length) <= bytes.len() + beyond => match *bytes {
            [0xaa, 0xaa, 3, 0, 0, 0, high, low, ref rest @ ..] if proof == Proof::Alone => {
                ether(u16::from_be_bytes([high, low]), rest, beyond, proof, left)
            }
            [0x42, 0x42, 3, ..] | [0xaa, 0xaa, 3, ..] | [0xfe, 0xfe, 3, ..] | [6, 6, 3, ..] => proof == Proof::Hinted,
            _ => false,
        },
        _ => false,
    }
}

/// What lies under a stack of MPLS labels.
fn labelled(bytes: &[u8]) -> Option<&[u8]> {
    let bottom = bytes.chunks_exact(4).take(LABELS).position(|entry| entry[2] & 1 == 1)?;
    bytes.get((bottom + 1) * 4..)
}

/// A packet in a frame, which may have padding up to the 60 bytes that Ethernet asks for (46 behind its header).
fn ip_padded(bytes: &[u8], beyond: usize, proof: Proof) -> bool {
    ip(bytes, beyond, proof)
        || (proof == Proof::Alone && bytes.len() + beyond <= 46 && ip(bytes, beyond, Proof::Hinted))
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn packet() -> Vec<u8> {
        let mut out = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 9).tcp(1, 2, 3, 4).write(&mut out, &[b'x'; 60]).unwrap();
        out
    }

    #[test]
    fn a_packet_alone_must_be_exact() {
        let good = packet();
        assert!(ip(&good, 0, Proof::Alone) && ip(&good, 0, Proof::Hinted));
        let padded = [&good[..], &[0; 6]].concat();
        assert!(!ip(&padded, 0, Proof::Alone) && ip(&padded, 0, Proof::Hinted));
        let mut other = good.clone();
        other[15] ^= 1;
        assert!(!ip(&other, 0, Proof::Alone), "checksum");
        assert!(ip(&other, 0, Proof::Hinted), "offload leaves it wrong");
        assert!(ip(&good[..90], 0, Proof::Hinted) && !ip(&good[..90], 0, Proof::Alone), "cut short by a mirror");
        assert!(ip(&good[..30], 70, Proof::Alone), "cut by the snapshot length");
        assert!(ip(&good[..10], 90, Proof::Hinted) && !ip(&good[..10], 0, Proof::Hinted));
        for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0x45; 19], &[0; 100]] {
            assert!(!ip(bytes, 0, Proof::Hinted));
        }
    }

    #[test]
    fn a_frame_must_hold_something_known() {
        let frame = |kind: u16, rest: &[u8]| [&[2; 12][..], &kind.to_be_bytes(), rest].concat();
        assert!(ethernet(&frame(0x0800, &packet()), 0, Proof::Alone));
        assert!(ethernet(&frame(0x8100, &[&[0, 1, 8, 0], &packet()[..]].concat()), 0, Proof::Alone));
        assert!(!ethernet(&frame(0x86dd, &packet()), 0, Proof::Hinted), "the versions disagree");
        assert!(!ethernet(&frame(0x1234, &packet()), 0, Proof::Hinted));
        let labels = [&[0, 2, 0, 64, 0, 1, 1, 64][..], &packet()].concat();
        assert!(ethernet(&frame(0x8847, &labels), 0, Proof::Alone));
        assert!(!ethernet(&frame(0x8847, &[0; 64]), 0, Proof::Alone));
        let tags = [[0, 1, 0x81, 0].repeat(9), vec![0, 1, 8, 0], packet()].concat();
        assert!(!ethernet(&frame(0x8100, &tags), 0, Proof::Alone), "bounded");
        assert!(ethernet(&frame(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]), 0, Proof::Alone));
        let mut short = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 9).tcp(1, 2, 3, 4).write(&mut short, &[]).unwrap();
        short.resize(46, 0);
        assert!(ethernet(&frame(0x0800, &short), 0, Proof::Alone), "Ethernet's own padding");
    }
}
