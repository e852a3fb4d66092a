//! GRE and what Cisco mirrors in it.
//!
//! Takes the bytes from a GRE header on, gives the layer inside: IP, Ethernet, PPP, a mirrored frame. Never verifies GRE's checksum, which
//! offload leaves wrong.

use super::super::layer::{ETHERTYPE_PPP, Layer, Refused, Track, cut};
use super::{BAD, Kind};
use crate::base::Oddity;

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Cisco's ERSPAN types I and II, and III.
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;
/// Web cache redirection: IP, perhaps behind four bytes of its own.
const WCCP: u16 = 0x883e;

/// The layer in a GRE packet (RFC 2784, RFC 2890; version 1: RFC 2637).
pub(super) fn open<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    let (header, rest) = cut::<4>(bytes)?;
    let flags = u16::from_be_bytes([header[0], header[1]]);
    let kind = u16::from_be_bytes([header[2], header[3]]);
    match flags & VERSION {
        0 if flags & ROUTING == 0 => {}
        1 if kind == ETHERTYPE_PPP => return pptp(flags, rest, track),
        // Source routes (RFC 1701) and versions nobody has defined.
        _ => return Err(track.closed(Kind::Gre)),
    }
    let optional = |flag: u16| if flags & flag != 0 { 4 } else { 0 };
    let rest = rest
        .get(optional(CHECKSUM) + optional(KEY) + optional(SEQUENCE)..)
        .ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    match kind {
        ERSPAN if flags & SEQUENCE == 0 => {
            track.open(Kind::Erspan)?;
            Ok(Layer::Ethernet(rest))
        }
        ERSPAN => erspan(rest, track),
        ERSPAN_III => erspan(rest, track),
        _ => {
            track.open(Kind::Gre)?;
            if flags & KEY != 0 && kind == super::super::layer::ETHERTYPE_BRIDGED {
                // NVGRE (RFC 7637, 3.2): 24 bits of network in the key.
                let at = 4 + optional(CHECKSUM);
                let network = bytes.get(at..).and_then(|b| b.first_chunk::<4>()).map_or(0, |k| u32::from_be_bytes(*k));
                track.network(network >> 8);
            }
            inner(kind, rest, track)
        }
    }
}

/// What a protocol type of GRE announces.
fn inner<'a>(kind: u16, rest: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    match kind {
        WCCP => match rest.first().map(|b| b >> 4) {
            Some(4 | 6) => Ok(Layer::Ip(rest)),
            _ => Ok(Layer::Ip(cut::<4>(rest)?.1)),
        },
        // Keep-alives; ISO's protocols, ARP, Cisco's discovery.
        0 | 0x00fe | 0x0806 | 0x2000 => Err(Refused::NOT_TCP),
        0x0800 | 0x86dd | 0x6558 | 0x8847 | 0x8848 | 0x894f | 0x8100 | 0x88a8 | 0x9100 | ETHERTYPE_PPP => {
            Ok(Layer::Ether(kind, rest))
        }
        _ => Err(track.closed(Kind::Gre)),
    }
}

/// PPTP's GRE: the key holds a length and a call, and acknowledgements may come alone.
fn pptp<'a>(flags: u16, rest: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    track.open(Kind::Pptp)?;
    if flags & KEY == 0 {
        return Err(BAD);
    }
    let (key, rest) = cut::<4>(rest)?;
    let length = usize::from(u16::from_be_bytes([key[0], key[1]]));
    if flags & SEQUENCE == 0 || length == 0 {
        return Err(Refused::NOT_TCP);
    }
    let skipped = if flags & ACKNOWLEDGEMENT == 0 { 4 } else { 8 };
    let rest = rest.get(skipped..).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    Ok(Layer::Ppp(rest.get(..length).unwrap_or(rest)))
}

/// ERSPAN types II and III (draft-foschiano-erspan-03, 4.2 and 4.3).
fn erspan<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    track.open(Kind::Erspan)?;
    let (header, rest) = cut::<8>(bytes)?;
    track.network(u32::from(u16::from_be_bytes([header[2], header[3]]) & 0x03ff));
    if header[2] & 0x04 != 0 {
        // The switch has truncated the frame: a length that runs over the end is no contradiction.
        track.beyond = track.beyond.max(1);
    }
    match header[0] >> 4 {
        1 => Ok(Layer::Ethernet(rest)),
        2 => {
            let (more, rest) = cut::<4>(rest)?;
            // The last bit says that eight bytes follow which depend on the platform.
            let rest = if more[3] & 1 == 0 { rest } else { cut::<8>(rest)?.1 };
            // Frame type 2 is IP without a link layer, 0 Ethernet.
            match more[2] >> 2 & 0x1f {
                0 => Ok(Layer::Ethernet(rest)),
                2 => Ok(Layer::Ip(rest)),
                _ => Err(track.closed(Kind::Erspan)),
            }
        }
        _ => Err(track.closed(Kind::Erspan)),
    }
}
