//! Between the frame and IP: Ethernet, tags, labels, LLC, PPP.
//!
//! Takes one [`Layer`], gives the layer inside it, so that they nest in any order up to a limit. Tunnels over IP lead back here with the
//! layer they hold. Never looks into IP.

use super::layer::{
    ETHERTYPE_BRIDGED, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MIN, ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_NSH, ETHERTYPE_PPP, ETHERTYPE_PPPOE_SESSION, LABELS, Layer, Refused, Track, cut, is_vlan,
};
use super::plausible::{self, Proof};
use super::tunnel::Kind;
use super::wifi;
use crate::base::Oddity;

const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;

/// One step: the layer inside a layer that is not IP, or why there is none to read.
pub(super) fn inside<'a>(layer: Layer<'a>, track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    match layer {
        Layer::Ethernet(bytes) => {
            let (header, rest) = cut::<14>(bytes)?;
            Ok(Layer::Ether(u16::from_be_bytes([header[12], header[13]]), rest))
        }
        Layer::Ether(kind, rest) => announced(kind, rest, track),
        Layer::Llc(bytes) => llc(bytes, track),
        Layer::Wifi(bytes) => wifi::inside(bytes, track),
        Layer::Pppoe(bytes) => {
            track.open(Kind::Pppoe)?;
            let (header, rest) = cut::<6>(bytes)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            match header {
                // Version 1, type 1, code 0: a session's data. The length excludes Ethernet's padding.
                [0x11, 0, ..] => Ok(Layer::Ppp(rest.get(..length).unwrap_or(rest))),
                _ => Err(Refused::NOT_TCP),
            }
        }
        Layer::Ppp(bytes) => ppp(bytes, track),
        Layer::Ip(_) => Ok(layer),
    }
}

/// What stands behind an EtherType.
fn announced<'a>(kind: u16, rest: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    // A tag of so many bytes, the last two of which are the next EtherType.
    let mut tag = |kind: Kind, length: usize| {
        track.open(kind)?;
        let (head, behind) = rest.split_at_checked(length).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
        let next = head.last_chunk::<2>().map_or(0, |n| u16::from_be_bytes(*n));
        Ok(Layer::Ether(next, behind))
    };
    match kind {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(Layer::Ip(rest)),
        ETHERTYPE_PPPOE_SESSION => Ok(Layer::Pppoe(rest)),
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_MULTICAST => mpls(rest, track),
        ETHERTYPE_BRIDGED => Ok(Layer::Ethernet(rest)),
        ETHERTYPE_NSH => nsh(rest, track),
        ETHERTYPE_PPP => Ok(Layer::Ppp(rest)),
        // 802.1BR E-tag (as 802.1BR, 7.5, figures it), Cisco's VN-tag and Cisco MetaData (security group tags).
        0x893f => tag(Kind::Tag, 8),
        0x8926 => tag(Kind::Tag, 6),
        0x8909 => tag(Kind::Tag, 8),
        // 802.1ah: four bytes of service tag, then the customer's frame.
        0x88e7 => {
            track.open(Kind::Tag)?;
            Ok(Layer::Ethernet(cut::<4>(rest)?.1))
        }
        // 802.1AE. Whether it is encrypted or only signed, what follows the security tag is not Ethernet as we know it.
        0x88e5 => Err(track.closed(Kind::Macsec)),
        _ if is_vlan(kind) => {
            track.open(Kind::Vlan)?;
            let (tag, rest) = cut::<4>(rest)?;
            track.vlan(u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff);
            Ok(Layer::Ether(u16::from_be_bytes([tag[2], tag[3]]), rest))
        }
        _ if kind < ETHERTYPE_MIN => Ok(Layer::Llc(rest)),
        _ => Err(Refused::NOT_TCP),
    }
}

/// IEEE 802.2, with SNAP (RFC 1042) or with IP's own access point.
fn llc<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    match bytes {
        // The organisations are "EtherType" and 802.1H's bridge tunnel.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, rest @ ..] => {
            track.open(Kind::Snap)?;
            Ok(Layer::Ether(u16::from_be_bytes([*high, *low]), rest))
        }
        // Bridged Ethernet behind two bytes of padding (RFC 2684, 5.2).
        [0xaa, 0xaa, 0x03, 0, 0x80, 0xc2, 0, 1 | 7, _, _, rest @ ..] => {
            track.open(Kind::Snap)?;
            Ok(Layer::Ethernet(rest))
        }
        [0x06, 0x06, 0x03, rest @ ..] => Ok(Layer::Ip(rest)),
        _ => Err(Refused::NOT_TCP),
    }
}

/// MPLS (RFC 3032). The labels do not say what they lead to, so what follows is tried: IP, then Ethernet behind a pseudowire control
/// word (RFC 4448, 4.6), then Ethernet alone.
pub(super) fn mpls<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    track.open(Kind::Mpls)?;
    let mut rest = bytes;
    for _ in 0..LABELS {
        let (entry, behind) = cut::<4>(rest)?;
        rest = behind;
        if entry[2] & 1 == 1 {
            return stacked(rest, track);
        }
    }
    Err(track.closed(Kind::Mpls))
}

/// What lies under the last label.
fn stacked<'a>(rest: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    let first = *rest.first().ok_or(Refused::undecodable(Oddity::HeaderCut))? >> 4;
    let beyond = track.beyond;
    // An Ethernet address may begin with a 4 or a 6, too: what follows decides.
    if matches!(first, 4 | 6) && plausible::ip(rest, beyond, Proof::Hinted) {
        return Ok(Layer::Ip(rest));
    }
    if first == 0
        && let Some((_, behind)) = rest.split_first_chunk::<4>()
        && plausible::ethernet(behind, beyond, Proof::Hinted)
    {
        return Ok(Layer::Ethernet(behind));
    }
    if plausible::ethernet(rest, beyond, Proof::Hinted) {
        return Ok(Layer::Ethernet(rest));
    }
    match first {
        // The associated channel (RFC 4385, 5): the network's own upkeep.
        1 => Err(Refused::NOT_TCP),
        _ => Err(track.closed(Kind::Mpls)),
    }
}

/// Network Service Header (RFC 8300, 2.2).
pub(super) fn nsh<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    track.open(Kind::Nsh)?;
    let (header, _) = cut::<8>(bytes)?;
    let length = usize::from(header[1] & 0x3f) * 4;
    if header[0] >> 6 != 0 || length < 8 {
        return Err(Refused::undecodable(Oddity::HeaderBad));
    }
    let rest = bytes.get(length..).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    next_protocol(header[3], rest).unwrap_or_else(|| Err(track.closed(Kind::Nsh)))
}

/// The "next protocol" numbers that NSH and VXLAN-GPE share; `None` for those they don't or that lead nowhere.
pub(super) fn next_protocol(number: u8, rest: &[u8]) -> Option<Result<Layer<'_>, Refused>> {
    match number {
        1 | 2 => Some(Ok(Layer::Ip(rest))),
        3 => Some(Ok(Layer::Ethernet(rest))),
        4 => Some(Ok(Layer::Ether(ETHERTYPE_NSH, rest))),
        5 => Some(Ok(Layer::Ether(ETHERTYPE_MPLS, rest))),
        _ => None,
    }
}

/// PPP (RFC 1661) in HDLC-like framing (RFC 1662), without it (RFC 2516), or Cisco's HDLC with EtherTypes.
fn ppp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    let (kind, rest) = match bytes {
        [0x0f | 0x8f, 0, high, low, rest @ ..] => {
            return Ok(Layer::Ether(u16::from_be_bytes([*high, *low]), rest));
        }
        [0xff, 0x03, rest @ ..] => protocol(rest)?,
        _ => protocol(bytes)?,
    };
    match kind {
        PPP_IPV4 | PPP_IPV6 => Ok(Layer::Ip(rest)),
        0x0031 => {
            // Bridging (RFC 3518, 4.2): flags, MAC type (1 is Ethernet), a pad that the flags count.
            match cut::<2>(rest)? {
                ([flags, 1], rest) if flags & 0x80 == 0 => Ok(Layer::Ethernet(rest)),
                _ => Err(track.closed(Kind::Ppp)),
            }
        }
        0x0281 | 0x0283 => mpls(rest, track),
        // Multilink (RFC 1990): a packet in one piece, with a sequence number of 24 bits; in several it cannot be read.
        0x003d => match rest {
            [0xc0, _, _, _, rest @ ..] => {
                track.open(Kind::Ppp)?;
                Ok(Layer::Ppp(rest))
            }
            _ => Err(track.closed(Kind::Ppp)),
        },
        // Encryption control protocol's data (RFC 1968), and MPPE in place of compression (RFC 3078).
        0x0053 | 0x0055 | 0x00fb | 0x00fd => Err(track.closed(Kind::EncryptedPpp)),
        // Headers compressed (RFC 1144, RFC 2509).
        0x002d | 0x002f | 0x0061 | 0x0063 | 0x0065 | 0x0069 => Err(track.closed(Kind::Ppp)),
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
