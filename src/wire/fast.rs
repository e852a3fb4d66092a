//! The straight way for what nearly all frames are.
//!
//! Takes an Ethernet frame, with up to two VLAN tags, that holds a whole IPv4 packet without options or an IPv6 packet without extension
//! headers, and TCP in it; gives the segment. Gives nothing for any other frame, which is then for the careful way ([`super::ip`])
//! to read; decides nothing about it, and counts nothing.

use super::{Frame, LinkType, Segment, layer, tcp};

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// The segment in `frame`, when it can be had without thinking.
#[inline(always)]
pub(super) fn decode<'a>(frame: &Frame<'a>) -> Option<Segment<'a>> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (header, mut rest) = frame.data.split_first_chunk::<ETHERNET>()?;
    let mut kind = u16::from_be_bytes([header[12], header[13]]);
    // Two tags: 802.1ad. More are left to the careful way.
    let mut tags = 0;
    loop {
        if kind == layer::ETHERTYPE_IPV4 {
            return ipv4(frame, rest);
        }
        if kind == layer::ETHERTYPE_IPV6 {
            return ipv6(frame, rest);
        }
        if tags == 2 || !layer::is_vlan(kind) {
            return None;
        }
        let (tag, behind) = rest.split_first_chunk::<4>()?;
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        rest = behind;
        tags += 1;
    }
}

#[inline(always)]
fn ipv4<'a>(frame: &Frame<'a>, bytes: &'a [u8]) -> Option<Segment<'a>> {
    let (ip, rest) = bytes.split_first_chunk::<20>()?;
    let fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff; // more-fragments bit and offset
    if ip[0] != 0x45 || ip[9] != super::ip::TCP || fragment != 0 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let payload = rest.get(..total.checked_sub(20)?)?;
    let source = u32::from_be_bytes([ip[12], ip[13], ip[14], ip[15]]);
    let destination = u32::from_be_bytes([ip[16], ip[17], ip[18], ip[19]]);
    tcp::segment(
        frame.ts,
        super::ip::mapped(source),
        super::ip::mapped(destination),
        payload,
        payload.len(),
        tcp::NO_TAG,
    )
    .ok()
}

#[inline(always)]
fn ipv6<'a>(frame: &Frame<'a>, bytes: &'a [u8]) -> Option<Segment<'a>> {
    let (ip, rest) = bytes.split_first_chunk::<40>()?;
    let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
    if ip[0] >> 4 != 6 || ip[6] != super::ip::TCP || length == 0 {
        return None;
    }
    let payload = rest.get(..length)?;
    let (source, destination) = super::ip::ipv6_ends(ip);
    tcp::segment(frame.ts, source, destination, payload, payload.len(), tcp::NO_TAG).ok()
}
