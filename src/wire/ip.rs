//! IP, the careful way.
//!
//! Takes the bytes from an IP header on, gives the addresses, the upper protocol, its bytes, and whether they are a fragment.
//! Chains of extension headers are read with `etherparse`. Never opens what the packet carries, and verifies no checksum.

use etherparse::{IpNumber, Ipv6ExtensionSlice, Ipv6ExtensionsSlice, ip_number};

use super::layer::Refused;
use crate::base::{Address, Oddities, Oddity};

/// TCP's protocol number.
pub(super) const TCP: u8 = ip_number::TCP.0;

/// The most that a packet without a length of its own may have had on the wire. Linux' largest offloaded packet is 512 KiB (BIG TCP:
/// `GSO_MAX_SIZE` is 8 × 65,535); a frame that claims more has a broken length field.
const OFFLOAD_MAX: usize = 1 << 20;

/// An IPv4 address as an IPv6 one.
#[inline(always)]
pub(super) fn mapped(address: u32) -> u128 {
    Address::v4(address, 0).bits()
}

/// Source and destination in an IPv6 header.
#[inline(always)]
pub(super) fn ipv6_ends(header: &[u8; 40]) -> (u128, u128) {
    let mut ends = header[8..].chunks_exact(16).map(|a| a.iter().fold(0, |sum, b| sum << 8 | u128::from(*b)));
    (ends.next().unwrap_or_default(), ends.next().unwrap_or_default())
}

/// What one IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub source: u128,
    pub destination: u128,
    /// Protocol number of `payload`. Of a fragment: of the datagram it belongs to.
    pub protocol: u8,
    /// What was captured of it; never more than `declared`.
    pub payload: &'a [u8],
    /// How long it was on the wire.
    pub declared: usize,
    /// Where it belongs, when it is only a part.
    pub part: Option<Part>,
}

/// A fragment's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which datagram (16 bits in IPv4, 32 in IPv6).
    pub id: u32,
    /// Of its first byte, in bytes.
    pub offset: usize,
    /// It is not the last one.
    pub more: bool,
}

/// Reads one packet. `beyond` are the bytes of the frame that were on the wire but were not captured.
pub(super) fn read<'a>(bytes: &'a [u8], beyond: usize, oddities: &mut Oddities) -> Result<Packet<'a>, Refused> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => ipv4(bytes, beyond, oddities),
        Some(6) => ipv6(bytes, beyond, oddities),
        Some(_) => Err(Refused::undecodable(Oddity::HeaderBad)),
        None => Err(Refused::undecodable(Oddity::HeaderCut)),
    }
}

/// Cuts what lies behind a header to the length the header names: the rest is padding, or missing.
fn limit<'a>(rest: &'a [u8], named: usize, beyond: usize, oddities: &mut Oddities) -> (&'a [u8], usize) {
    if let Some(payload) = rest.get(..named) {
        return (payload, named);
    }
    if beyond == 0 {
        oddities.bump(Oddity::HeaderBad); // longer than its frame, and nothing was cut off
    }
    (rest, named)
}

/// The length of what segmentation offload left without one: all of the frame.
fn unnamed(rest: &[u8], beyond: usize, oddities: &mut Oddities) -> usize {
    oddities.bump(Oddity::IpLengthZero);
    rest.len() + if beyond > OFFLOAD_MAX { 0 } else { beyond }
}

fn ipv4<'a>(bytes: &'a [u8], beyond: usize, oddities: &mut Oddities) -> Result<Packet<'a>, Refused> {
    let header = bytes.first_chunk::<20>().ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    let length = usize::from(header[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length < header.len() || (total < length && total != 0) {
        return Err(Refused::undecodable(Oddity::HeaderBad));
    }
    let rest = bytes.get(length..).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    let (payload, declared) = match total {
        0 => (rest, unnamed(rest, beyond, oddities)),
        _ => limit(rest, total - length, beyond, oddities),
    };
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let (offset, more) = (usize::from(fragment & 0x1fff) * 8, fragment & 0x2000 != 0);
    let packet = Packet {
        source: mapped(u32::from_be_bytes([header[12], header[13], header[14], header[15]])),
        destination: mapped(u32::from_be_bytes([header[16], header[17], header[18], header[19]])),
        protocol: header[9],
        payload,
        declared,
        part: (offset != 0 || more).then_some(Part {
            id: u32::from(u16::from_be_bytes([header[4], header[5]])),
            offset,
            more,
        }),
    };
    match packet.part {
        None => skip_extensions(packet),
        Some(_) => Ok(packet),
    }
}

fn ipv6<'a>(bytes: &'a [u8], beyond: usize, oddities: &mut Oddities) -> Result<Packet<'a>, Refused> {
    let (header, rest) = bytes.split_first_chunk::<40>().ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    let (payload, declared) = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
        0 => (rest, unnamed(rest, beyond, oddities)),
        named => limit(rest, named, beyond, oddities),
    };
    let (source, destination) = ipv6_ends(header);
    skip_extensions(Packet { source, destination, protocol: header[6], payload, declared, part: None })
}

/// Goes behind the extension headers of IPv6, and the authentication header of both versions, up to the fragment header if there is one.
pub(super) fn skip_extensions(packet: Packet<'_>) -> Result<Packet<'_>, Refused> {
    use ip_number::{GRE, IPV4, IPV6};
    // Nearly always there is none.
    if matches!(IpNumber(packet.protocol), ip_number::TCP | ip_number::UDP | IPV4 | IPV6 | GRE) {
        return Ok(packet);
    }
    let behind = |skipped: usize, protocol: IpNumber, part: Option<Part>| {
        Some(Packet {
            protocol: protocol.0,
            payload: packet.payload.get(skipped..)?,
            declared: packet.declared.checked_sub(skipped)?,
            part,
            ..packet
        })
    };
    let cut = Refused::undecodable(Oddity::HeaderCut);
    let (extensions, next, rest, error) =
        Ipv6ExtensionsSlice::from_slice_lax(IpNumber(packet.protocol), packet.payload);
    // First of all the fragment header: what follows it belongs to a datagram that is not whole yet, whatever it looks like.
    if extensions.is_fragmenting_payload() {
        let mut skipped = 0;
        for extension in extensions.clone() {
            skipped += match &extension {
                Ipv6ExtensionSlice::Fragment(f) if f.is_fragmenting_payload() => {
                    let part = Part {
                        id: f.identification(),
                        offset: usize::from(f.fragment_offset().byte_offset()),
                        more: f.more_fragments(),
                    };
                    return behind(skipped + f.slice().len(), f.next_header(), Some(part)).ok_or(cut);
                }
                Ipv6ExtensionSlice::Fragment(f) => f.slice().len(),
                Ipv6ExtensionSlice::HopByHop(h)
                | Ipv6ExtensionSlice::Routing(h)
                | Ipv6ExtensionSlice::DestinationOptions(h) => h.slice().len(),
                Ipv6ExtensionSlice::Authentication(h) => h.slice().len(),
            };
        }
    }
    match error {
        None => behind(packet.payload.len() - rest.len(), next, None).ok_or(cut),
        Some((etherparse::err::ipv6_exts::HeaderSliceError::Len(_), _)) => Err(cut),
        Some((etherparse::err::ipv6_exts::HeaderSliceError::Content(_), _)) => {
            Err(Refused::undecodable(Oddity::HeaderBad))
        }
    }
}

/// Is it an extension header, behind which the upper protocol stands?
pub(super) fn is_extension(protocol: u8) -> bool {
    use ip_number::{AUTH, IPV6_DEST_OPTIONS, IPV6_HOP_BY_HOP, IPV6_ROUTE};
    matches!(IpNumber(protocol), AUTH | IPV6_DEST_OPTIONS | IPV6_HOP_BY_HOP | IPV6_ROUTE)
}
