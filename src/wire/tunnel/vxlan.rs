//! The overlays of data centres and clouds: VXLAN, Geneve, LISP; and TZSP, a mirror's own.
//!
//! Takes a datagram's payload, gives the frame or packet in it, or nothing where it is not one. Options are skipped, whatever they mean:
//! those of AWS' Gateway Load Balancer and of its mirroring are among them.

use super::super::ether::next_protocol;
use super::super::layer::{
    ETHERTYPE_BRIDGED, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, ETHERTYPE_NSH, Layer, Refused, Track,
};
use super::super::plausible::Proof;
use super::{Kind, proven};

/// 24 bits of network number.
fn network(bytes: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

/// The frame in a VXLAN packet (RFC 7348, 5; group policy and generic protocol extensions as their drafts have them).
pub(super) fn vxlan<'a>(bytes: &'a [u8], proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    const INSTANCE: u8 = 0x08;
    const PROTOCOL: u8 = 0x04;
    const POLICY: u8 = 0x80;
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    let flags = header[0];
    if flags & INSTANCE == 0 {
        return None;
    }
    let bare = flags == INSTANCE && header[1..4] == [0; 3] && header[7] == 0;
    if proof == Proof::Alone && !bare {
        return None;
    }
    let inner = if flags & PROTOCOL != 0 && flags & POLICY == 0 {
        match next_protocol(header[3], rest) {
            Some(layer) => layer.ok()?,
            // With a version of 0 and reserved bits of zero it says of itself what it is: something this program does not know.
            None if flags & 0xf0 == 0 && header[1..3] == [0; 2] && header[7] == 0 => {
                return Some(Err(track.closed(Kind::Vxlan)));
            }
            None => return None,
        }
    } else {
        Layer::Ethernet(rest)
    };
    let opened = proven(inner, Kind::Vxlan, proof, track);
    if opened.is_some() {
        track.network(network([header[4], header[5], header[6]]));
    }
    opened
}

/// The frame in a Geneve packet (RFC 8926, 3.4).
pub(super) fn geneve<'a>(bytes: &'a [u8], proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    // Version 0; control packets hold no frame; reserved bits are zero.
    if header[0] >> 6 != 0 || header[1] & 0x80 != 0 || (header[1] & 0x3f != 0 || header[7] != 0) {
        return None;
    }
    let rest = rest.get(usize::from(header[0] & 0x3f) * 4..)?;
    let kind = u16::from_be_bytes([header[2], header[3]]);
    let inner = match kind {
        ETHERTYPE_BRIDGED => Layer::Ethernet(rest),
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 | ETHERTYPE_MPLS | ETHERTYPE_NSH => Layer::Ether(kind, rest),
        _ if proof == Proof::Hinted && kind >= 0x0600 => return Some(Err(track.closed(Kind::Geneve))),
        _ => return None,
    };
    let opened = proven(inner, Kind::Geneve, proof, track);
    if opened.is_some() {
        track.network(network([header[4], header[5], header[6]]));
    }
    opened
}

/// The packet in a LISP data packet (RFC 9300, 5.1).
pub(super) fn lisp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let (_, rest) = bytes.split_first_chunk::<8>()?;
    proven(Layer::Ip(rest), Kind::Lisp, Proof::Hinted, track)
}

/// The frame in a TZSP packet, as MikroTik's and others' sniffers send it: four bytes, then tagged fields up to an end.
pub(super) fn tzsp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let (header, mut rest) = bytes.split_first_chunk::<4>()?;
    // Version 1, a received packet or one for transmission, of Ethernet or 802.11.
    let [1, 0 | 1, 0, encapsulated @ (1 | 18)] = *header else { return None };
    loop {
        match *rest {
            [END, ref frame @ ..] => {
                let inner = if encapsulated == 1 { Layer::Ethernet(frame) } else { Layer::Wifi(frame) };
                return proven(inner, Kind::Tzsp, Proof::Hinted, track);
            }
            [PADDING, ref behind @ ..] => rest = behind,
            [_, length, ref behind @ ..] => rest = behind.get(usize::from(length)..)?,
            _ => return None,
        }
    }
}
