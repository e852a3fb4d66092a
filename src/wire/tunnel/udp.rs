//! Tunnels over UDP.
//!
//! Takes the bytes from a UDP header on, gives the layer inside, or the datagram itself where there is none. Ports only say what to try
//! first, with less proof asked for; the same encapsulations are found on any port, where the packet inside proves itself by its
//! lengths and checksum. Never takes a datagram for a tunnel because of its port alone.

use super::super::ether;
use super::super::layer::{Layer, Refused, Track, cut};
use super::super::plausible::{self, Proof};
use super::{Carried, Kind, gre, l2tp, proven, teredo, vxlan};

/// A UDP header, and what it heads.
pub(in crate::wire) struct Header<'a> {
    pub source: u16,
    pub destination: u16,
    pub payload: &'a [u8],
    /// Bytes of payload that were not captured.
    pub cut: usize,
}

/// UDP ports (IANA's, and those in wide use).
mod port {
    pub const L2TP: u16 = 1701;
    pub const GTP: u16 = 2152;
    pub const TEREDO: u16 = 3544;
    pub const LISP: u16 = 4341;
    /// IPsec behind address translation (RFC 3948).
    pub const IPSEC: u16 = 4500;
    /// GRE in UDP (RFC 8086).
    pub const GRE: u16 = 4754;
    pub const VXLAN: u16 = 4789;
    pub const VXLAN_GPE: u16 = 4790;
    /// Linux' VXLAN before there was a number for it, and flannel's today.
    pub const VXLAN_LINUX: u16 = 8472;
    pub const AYIYA: u16 = 5072;
    pub const GENEVE: u16 = 6081;
    /// MPLS in UDP (RFC 7510).
    pub const MPLS: u16 = 6635;
    pub const TZSP: u16 = 37008;
    pub const WIREGUARD: u16 = 51820;
}

/// Opens a datagram.
pub(super) fn open<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Carried<'a>, Refused> {
    let (header, rest) = cut::<8>(bytes)?;
    let pair = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (source, destination, length) = (pair(0), pair(2), usize::from(pair(4)));
    // A length that cannot be is segmentation offload's; then IP's counts.
    let named = length.checked_sub(8).unwrap_or(rest.len() + track.beyond);
    let payload = rest.get(..named).unwrap_or(rest);
    if named <= rest.len() + track.beyond {
        track.beyond = named - payload.len();
    }
    // The destination is the tunnel's own port; the source mostly a hash of the inner flow, but Teredo's and GTP's peers answer from theirs.
    if let Some(opened) = hinted(destination, payload, track)
        .or_else(|| hinted(source, payload, track))
        .or_else(|| unhinted(payload, track))
    {
        return opened.map(Carried::Layer);
    }
    Ok(Carried::Udp(Header { source, destination, payload, cut: track.beyond }))
}

/// What a port suggests, if that is what it is.
fn hinted<'a>(port: u16, bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    match port {
        port::VXLAN | port::VXLAN_GPE | port::VXLAN_LINUX => vxlan::vxlan(bytes, Proof::Hinted, track),
        port::GENEVE => vxlan::geneve(bytes, Proof::Hinted, track),
        port::GTP => gtp(bytes, Proof::Hinted, track),
        port::TEREDO => teredo::teredo(bytes, Proof::Hinted, track),
        port::AYIYA => teredo::ayiya(bytes, Proof::Hinted, track),
        port::GRE => gre_in_udp(bytes, track),
        port::MPLS => mpls_in_udp(bytes, track),
        port::L2TP => l2tp::over_udp(bytes, track),
        port::LISP => vxlan::lisp(bytes, track),
        port::TZSP => vxlan::tzsp(bytes, track),
        port::IPSEC => match bytes {
            // A marker of zeros means key exchange, a byte alone keeps the translation open (RFC 3948, 2).
            [0, 0, 0, 0, ..] | [0xff] => None,
            // A security parameters index, a sequence number, and at least a block and a check value.
            _ if bytes.len() >= 20 => Some(Err(track.closed(Kind::Ipsec))),
            _ => None,
        },
        // Transport data: type 4, three bytes of zeros, receiver, counter, and a block of a multiple of 16 with its tag.
        port::WIREGUARD => match bytes {
            [4, 0, 0, 0, ..] if bytes.len() >= 32 => Some(Err(track.closed(Kind::Wireguard))),
            _ => None,
        },
        _ if track.settings.vxlan_ports.contains(&port) => vxlan::vxlan(bytes, Proof::Hinted, track),
        _ if track.settings.geneve_ports.contains(&port) => vxlan::geneve(bytes, Proof::Hinted, track),
        _ => None,
    }
}

/// What the bytes alone prove. The first byte leaves one or two questions for each datagram.
fn unhinted<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let first = *bytes.first()?;
    let own = match first {
        0x00 | 0x60..=0x6f => teredo::teredo(bytes, Proof::Alone, track),
        0x08 => vxlan::vxlan(bytes, Proof::Alone, track),
        0x30..=0x37 => gtp(bytes, Proof::Alone, track),
        0x40..=0x4f => teredo::ayiya(bytes, Proof::Alone, track),
        _ => None,
    };
    // Geneve begins with its version, 0, and the length of its options.
    own.or_else(|| (first < 0x40).then(|| vxlan::geneve(bytes, Proof::Alone, track)).flatten())
}

/// The packet in a GTP-U message (3GPP TS 29.281, 5.1 and 5.2).
fn gtp<'a>(bytes: &'a [u8], proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    /// "G-PDU": a user's packet.
    const USER_DATA: u8 = 255;
    /// Extension headers in one message that are gone through.
    const EXTENSIONS: usize = 8;
    let (header, mut rest) = bytes.split_first_chunk::<8>()?;
    // Version 1, protocol type 1, the spare bit zero.
    if header[0] & 0xf8 != 0x30 || header[1] != USER_DATA {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length != rest.len() + track.beyond && !(proof == Proof::Hinted && length < rest.len()) {
        return None;
    }
    rest = rest.get(..length).unwrap_or(rest);
    if header[0] & 7 != 0 {
        let (optional, behind) = rest.split_first_chunk::<4>()?;
        rest = behind;
        let mut next = if header[0] & 4 != 0 { optional[3] } else { 0 };
        for _ in 0..EXTENSIONS {
            if next == 0 {
                break;
            }
            // In units of four bytes; the last byte names the next one.
            let size = usize::from(*rest.first()?) * 4;
            next = *rest.get(size.checked_sub(1)?)?;
            rest = rest.get(size..)?;
        }
        if next != 0 {
            return None;
        }
    }
    let first = rest.first()? >> 4;
    let opened = match first {
        4 | 6 => proven(Layer::Ip(rest), Kind::Gtp, proof, track),
        _ => None,
    };
    // 5G carries Ethernet and older networks PPP in the same place.
    opened.or_else(|| proven(Layer::Ethernet(rest), Kind::Gtp, proof, track)).or_else(|| {
        (proof == Proof::Hinted && rest.starts_with(&[0xff, 3]))
            .then(|| track.open(Kind::Gtp).map(|()| Layer::Ppp(rest)))
    })
}

/// GRE in UDP, which its own header and a known content prove.
fn gre_in_udp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let (header, _) = bytes.split_first_chunk::<4>()?;
    // Reserved bits and version 0 (RFC 8086, 3.1).
    if header[0] & 0x4f != 0 || header[1] != 0 {
        return None;
    }
    tried(track, |track| {
        let beyond = track.beyond;
        gre::open(bytes, track).map(|layer| plausible::layer(layer, beyond, Proof::Hinted).then_some(layer))
    })
}

/// MPLS in UDP, which an IP packet or a frame under the labels proves.
fn mpls_in_udp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    tried(track, |track| ether::mpls(bytes, track).map(Some))
}

/// Opens something on trial: where nothing comes of it, nothing was counted.
fn tried<'a>(
    track: &mut Track<'_>,
    open: impl FnOnce(&mut Track<'_>) -> Result<Option<Layer<'a>>, Refused>,
) -> Option<Result<Layer<'a>, Refused>> {
    let (seen, tag, left, beyond) = (track.seen.clone(), track.tag, track.left, track.beyond);
    match open(track) {
        Ok(Some(layer)) => Some(Ok(layer)),
        Err(Refused::TOO_DEEP) => Some(Err(Refused::TOO_DEEP)),
        Ok(None) | Err(_) => {
            *track.seen = seen;
            (track.tag, track.left, track.beyond) = (tag, left, beyond);
            None
        }
    }
}
