//! IEEE 802.11 frames, as monitor mode and wireless controllers mirror them.
//!
//! Takes a frame from its frame control field on, gives the LLC header of a data frame. Never decrypts: a protected frame is a tunnel that
//! can't be opened. Frames of several packets (A-MSDU) are not taken apart.

use super::layer::{Layer, Refused, Track, cut};
use super::tunnel::Kind;
use crate::base::Oddity;

/// The LLC header in a data frame (IEEE 802.11-2020, 9.3.2.1).
pub(super) fn inside<'a>(bytes: &'a [u8], track: &mut Track<'_>) -> Result<Layer<'a>, Refused> {
    track.open(Kind::Wifi)?;
    let (header, _) = cut::<24>(bytes)?;
    let (kind, subtype, flags) = (header[0] >> 2 & 3, header[0] >> 4, header[1]);
    // Type 2 is data; its subtypes with bit 2 carry none.
    if header[0] & 3 != 0 || kind != 2 || subtype & 4 != 0 {
        return Err(Refused::NOT_TCP);
    }
    if flags & 0x40 != 0 {
        return Err(track.closed(Kind::EncryptedWifi));
    }
    // A frame between two access points has a fourth address.
    let mut length = if flags & 3 == 3 { 30 } else { 24 };
    if subtype & 8 != 0 {
        let control = bytes.get(length).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
        if control & 0x80 != 0 {
            return Err(track.closed(Kind::Wifi));
        }
        // Quality of service, and with the order flag high throughput control.
        length += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    let rest = bytes.get(length..).ok_or(Refused::undecodable(Oddity::HeaderCut))?;
    // Some hardware pads the header to a multiple of four.
    match bytes.get(length.next_multiple_of(4)..) {
        Some(padded @ [0xaa, 0xaa, 3, ..]) => Ok(Layer::Llc(padded)),
        _ => Ok(Layer::Llc(rest)),
    }
}
