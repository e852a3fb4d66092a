//! Link layers: what a frame begins with.
//!
//! Takes a frame and its link type, gives the first [`Layer`]. Never looks further than that.

use super::LinkType;
use super::layer::{Layer, Refused, cut};
use crate::base::Oddity;

/// Captures whose records name the link type of what they wrap: such wrappings in one frame that are followed.
const WRAPPINGS: usize = 2;

/// The first layer of a frame.
pub(super) fn first(link: LinkType, data: &[u8]) -> Result<Layer<'_>, Refused> {
    let (mut link, mut data) = (link, data);
    for _ in 0..WRAPPINGS {
        match wrapped(link, data)? {
            Some(inner) => (link, data) = inner,
            None => break,
        }
    }
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
        // A byte for the direction stands in front.
        LinkType::PPP_PPPD | LinkType::PPP_WITH_DIR | LinkType::C_HDLC_WITH_DIR => Ok(Layer::Ppp(cut::<1>(data)?.1)),
        LinkType::IEEE802_11 => Ok(Layer::Wifi(data)),
        LinkType::IEEE802_11_RADIOTAP => {
            // Version, padding, then the length of the whole header, always little-endian.
            let (header, _) = cut::<4>(data)?;
            behind(data, usize::from(u16::from_le_bytes([header[2], header[3]]))).map(Layer::Wifi)
        }
        // A header of fixed length (linux-wlan-ng), or one that names its length.
        LinkType::IEEE802_11_PRISM => behind(data, 144).map(Layer::Wifi),
        LinkType::IEEE802_11_AVS => {
            let (header, _) = cut::<8>(data)?;
            let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            behind(data, length as usize).map(Layer::Wifi)
        }
        LinkType::ATM_RFC1483 => Ok(Layer::Llc(data)),
        // Frame control and two addresses.
        LinkType::FDDI => behind(data, 13).map(Layer::Llc),
        LinkType::PFLOG => {
            // OpenBSD's packet filter: the first byte is the header's length without its padding.
            let (length, _) = cut::<1>(data)?;
            behind(data, usize::from(length[0]).next_multiple_of(4)).map(Layer::Ip)
        }
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

/// What lies behind a header of so many bytes.
fn behind(data: &[u8], length: usize) -> Result<&[u8], Refused> {
    data.get(length..).filter(|_| length > 0).ok_or(Refused::undecodable(Oddity::HeaderCut))
}

/// A record that says itself of which link type the frame in it is.
fn wrapped(link: LinkType, data: &[u8]) -> Result<Option<(LinkType, &[u8])>, Refused> {
    match link {
        // Per-packet information: version, flags, length of all headers, link type; little-endian.
        LinkType::PPI => {
            let (header, _) = cut::<8>(data)?;
            let kind = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            let inner = behind(data, usize::from(u16::from_le_bytes([header[2], header[3]])))?;
            Ok(Some((LinkType(u16::try_from(kind).unwrap_or(u16::MAX)), inner)))
        }
        // macOS: length of the header, type of the record, link type; in the byte order of the host.
        LinkType::PKTAP => {
            let (header, _) = cut::<12>(data)?;
            let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let inner = behind(data, word(0) as usize)?;
            Ok(Some((LinkType(u16::try_from(word(8)).unwrap_or(u16::MAX)), inner)))
        }
        _ => Ok(None),
    }
}
