//! Link layers: what stands before the IP header.
//!
//! Takes a frame and its link type, gives the bytes from the IP header on. Never looks into IP.
//!
//! Each header leads to a next [`Layer`], so that tags nest in any order, up to a limit.

use super::LinkType;
use crate::base::{Bucket, Oddity};

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// Smaller numbers in this place are lengths: an IEEE 802.2 header follows.
const ETHERTYPE_MIN: u16 = 0x0600;

const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;

/// Is it the EtherType of a VLAN tag: 802.1Q, 802.1ad, or what switches used before 802.1ad?
#[inline(always)]
pub(super) fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

/// What the next byte is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'a> {
    /// An Ethernet header.
    Ethernet(&'a [u8]),
    /// What an EtherType announced.
    Ether(u16, &'a [u8]),
    /// A PPP frame, with or without address and control bytes.
    Ppp(&'a [u8]),
    /// A PPPoE header (RFC 2516).
    Pppoe(&'a [u8]),
    /// An IP header; the version is in its first nibble.
    Ip(&'a [u8]),
}

/// Why a frame has no segment: where its bytes go, and what was odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub bucket: Bucket,
    pub oddity: Option<Oddity>,
}

impl Refused {
    /// Readable, and not TCP.
    pub(super) const NOT_TCP: Self = Self { bucket: Bucket::NotTcp, oddity: None };

    /// Not readable, because of `oddity`.
    pub(super) const fn undecodable(oddity: Oddity) -> Self {
        Self { bucket: Bucket::Undecodable, oddity: Some(oddity) }
    }
}

fn cut<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Refused> {
    bytes.split_first_chunk::<N>().ok_or(Refused::undecodable(Oddity::HeaderCut))
}

/// The first layer of a frame.
pub(super) fn first(link: LinkType, data: &[u8]) -> Result<Layer<'_>, Refused> {
    match link {
        LinkType::ETHERNET => Ok(Layer::Ethernet(data)),
        LinkType::LINUX_SLL => {
            let (header, rest) = cut::<16>(data)?;
            Ok(cooked(u16::from_be_bytes([header[14], header[15]]), rest))
        }
        LinkType::LINUX_SLL2 => {
            let (header, rest) = cut::<20>(data)?;
            Ok(cooked(u16::from_be_bytes([header[0], header[1]]), rest))
        }
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 | LinkType::IPV4 | LinkType::IPV6 => Ok(Layer::Ip(data)),
        LinkType::NULL | LinkType::LOOP => {
            let (family, rest) = cut::<4>(data)?;
            // In the byte order of the host that captured, which is not always the one that wrote the file. All values fit a byte.
            let (le, be) = (u32::from_le_bytes(*family), u32::from_be_bytes(*family));
            match le.min(be) {
                // AF_INET everywhere; AF_INET6 on Linux, NetBSD and OpenBSD, FreeBSD, and macOS.
                2 | 10 | 24 | 28 | 30 => Ok(Layer::Ip(rest)),
                _ => Err(Refused::NOT_TCP),
            }
        }
        LinkType::PPP | LinkType::PPP_HDLC | LinkType::C_HDLC => Ok(Layer::Ppp(data)),
        LinkType::NFLOG => nflog(data),
        LinkType::PPP_ETHER => Ok(Layer::Pppoe(data)),
        _ => Err(Refused::undecodable(Oddity::LinkUnknown)),
    }
}

/// The protocol field of a "cooked" header is an EtherType or one of a few small numbers of Linux's own.
fn cooked(protocol: u16, rest: &[u8]) -> Layer<'_> {
    // LINUX_SLL_P_802_3 (1, Novell raw) and _802_2 (4) have no EtherType; 4 is an LLC header, as behind an Ethernet length.
    Layer::Ether(protocol, rest)
}

/// A netfilter log message (<https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>): four bytes of header, then attributes of two bytes
/// length and two bytes type in the byte order of the host that captured, padded to a multiple of four.
fn nflog(data: &[u8]) -> Result<Layer<'_>, Refused> {
    /// NFULA_PAYLOAD
    const PAYLOAD: u16 = 9;
    let (_, mut rest) = cut::<4>(data)?;
    loop {
        let (head, _) = cut::<4>(rest)?;
        let native = [u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]])];
        // Types are small numbers, so their larger byte tells the byte order.
        let [length, kind] = if native[1] & 0xff != 0 || native[1] == 0 { native } else { native.map(u16::swap_bytes) };
        let length = usize::from(length);
        if length < 4 {
            return Err(Refused::undecodable(Oddity::HeaderBad));
        }
        if kind == PAYLOAD {
            // A payload that was cut is taken as far as it goes.
            return Ok(Layer::Ip(rest.get(4..length).unwrap_or(&rest[4..])));
        }
        rest = rest.get(length.next_multiple_of(4)..).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    }
}

/// One step: the layer inside a layer that is not IP, or why there is none to read.
///
/// Tunnels over IP lead back here: whoever opens one continues with the layer it holds.
pub(super) fn inside<'a>(layer: Layer<'a>) -> Result<Layer<'a>, Refused> {
    match layer {
        Layer::Ethernet(bytes) => {
            let (header, rest) = cut::<14>(bytes)?;
            Ok(Layer::Ether(u16::from_be_bytes([header[12], header[13]]), rest))
        }
        Layer::Ether(ETHERTYPE_IPV4 | ETHERTYPE_IPV6, rest) => Ok(Layer::Ip(rest)),
        Layer::Ether(ETHERTYPE_PPPOE_SESSION, rest) => Ok(Layer::Pppoe(rest)),
        Layer::Ether(kind, rest) if is_vlan(kind) => {
            let (tag, rest) = cut::<4>(rest)?;
            Ok(Layer::Ether(u16::from_be_bytes([tag[2], tag[3]]), rest))
        }
        Layer::Ether(kind, rest) if kind < ETHERTYPE_MIN => match rest {
            // LLC with a SNAP header whose organisation is "EtherType" (RFC 1042).
            [0xaa, 0xaa, 0x03, 0, 0, 0, high, low, rest @ ..] => {
                Ok(Layer::Ether(u16::from_be_bytes([*high, *low]), rest))
            }
            _ => Err(Refused::NOT_TCP),
        },
        Layer::Ether(..) => Err(Refused::NOT_TCP),
        Layer::Pppoe(bytes) => {
            let (header, rest) = cut::<6>(bytes)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            match header {
                // Version 1, type 1, code 0: a session's data. The length excludes Ethernet's padding.
                [0x11, 0, ..] => Ok(Layer::Ppp(rest.get(..length).unwrap_or(rest))),
                _ => Err(Refused::NOT_TCP),
            }
        }
        Layer::Ppp(bytes) => ppp(bytes),
        Layer::Ip(_) => Ok(layer),
    }
}

/// PPP (RFC 1661) in HDLC-like framing (RFC 1662), without it (RFC 2516), or Cisco's HDLC with EtherTypes.
fn ppp(bytes: &[u8]) -> Result<Layer<'_>, Refused> {
    let (kind, rest) = match bytes {
        [0x0f | 0x8f, 0, high, low, rest @ ..] => {
            return Ok(Layer::Ether(u16::from_be_bytes([*high, *low]), rest));
        }
        [0xff, 0x03, rest @ ..] => protocol(rest)?,
        _ => protocol(bytes)?,
    };
    match kind {
        PPP_IPV4 | PPP_IPV6 => Ok(Layer::Ip(rest)),
        _ => Err(Refused::NOT_TCP),
    }
}

/// PPP's protocol field: two bytes, or one where compressed, which an odd first byte shows (RFC 1661, 6.5).
fn protocol(bytes: &[u8]) -> Result<(u16, &[u8]), Refused> {
    match bytes {
        [one, rest @ ..] if one & 1 == 1 => Ok((u16::from(*one), rest)),
        [high, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(Refused::undecodable(Oddity::HeaderCut)),
    }
}
