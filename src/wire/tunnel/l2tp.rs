//! L2TP, versions 2 (over UDP) and 3 (over IP).
//!
//! Takes the bytes from its header on, gives PPP or Ethernet. Never follows the control connection, so the cookie's length in version 3 is
//! found by what lies behind it.

use super::super::layer::{Layer, Refused, Track, cut};
use super::super::plausible::{self, Proof};
use super::Kind;

/// The PPP frame in an L2TP data message (RFC 2661, 3.1); `None` where it is not one.
pub(super) fn over_udp<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    let (flags, _) = bytes.split_first_chunk::<2>()?;
    let [high, low] = *flags;
    // Version 2, reserved bits zero; control messages carry no packet.
    if low & 0x0f != 2 || high & 0x34 != 0 || low & 0xf0 != 0 || high & 0x80 != 0 {
        return None;
    }
    let mut at = 2;
    if high & 0x40 != 0 {
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        if length > bytes.len() + track.beyond {
            return None;
        }
        at += 2;
    }
    at += 4; // tunnel and session
    if high & 0x08 != 0 {
        at += 4; // sequence numbers
    }
    if high & 0x02 != 0 {
        at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    let rest = bytes.get(at..)?;
    // PPP's protocols for data and its own: the first byte of those in use is 0x00, 0x21, 0x57, 0x80, 0xc0 or 0xc2.
    let ppp = rest.strip_prefix(&[0xff, 3]).unwrap_or(rest);
    matches!(ppp.first()?, 0x00 | 0x02 | 0x21 | 0x57 | 0x80 | 0xc0 | 0xc2)
        .then(|| track.open(Kind::L2tp).map(|()| Layer::Ppp(rest)))
}

/// The frame in an L2TPv3 packet over IP (RFC 3931, 4.1.1): a session, a cookie of 0, 4 or 8 bytes, perhaps 4 bytes of sublayer.
pub(super) fn over_ip<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    let (session, rest) = cut::<4>(bytes)?;
    if *session == [0; 4] {
        return Err(Refused::NOT_TCP); // the control connection
    }
    track.open(Kind::L2tp)?;
    for skipped in [0, 4, 8, 12] {
        if let Some(inner) = rest.get(skipped..)
            && plausible::ethernet(inner, track.beyond, Proof::Hinted)
        {
            return Ok(Layer::Ethernet(inner));
        }
    }
    Err(track.closed(Kind::L2tp))
}
