//! The classic pcap format (draft-ietf-opsawg-pcap).
//!
//! Takes a window on the file, gives the place of the next frame in it. Both byte orders, microseconds and nanoseconds, and the longer record
//! header of Kuznetzov's patched libpcap. Files that were appended to each other are read on through their headers.

use std::io::{self, Read};

use super::window::Window;
use super::{FRAME_MAX, Located, Step};
use crate::base::Timestamp;
use crate::wire::LinkType;

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// Bytes of a record header; the patched format has eight more.
const RECORD_HEADER: usize = 16;
const RECORD_HEADER_PATCHED: usize = 24;

const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
const MAGIC_PATCHED: u32 = 0xa1b2_cd34;

/// Two records belong to one capture when they lie no further apart than this. Only asked when looking for a record behind a broken one.
const BELIEVABLE_SECONDS: u64 = 7 * 86_400;

/// What the file header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    big_endian: bool,
    /// Nanoseconds in a unit of the fraction field.
    unit: u64,
    record: usize,
    link: LinkType,
}

impl Header {
    /// Reads a file header, if it is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<FILE_HEADER>()?;
        let magic = [header[0], header[1], header[2], header[3]];
        let known = |m| matches!(m, MAGIC_MICROS | MAGIC_NANOS | MAGIC_PATCHED);
        let big_endian = match magic {
            m if known(u32::from_be_bytes(m)) => true,
            m if known(u32::from_le_bytes(m)) => false,
            _ => return None,
        };
        let magic = word(header, 0, big_endian);
        Some(Self {
            big_endian,
            unit: if magic == MAGIC_NANOS { 1 } else { 1000 },
            record: if magic == MAGIC_PATCHED { RECORD_HEADER_PATCHED } else { RECORD_HEADER },
            // The upper half holds the length of a frame check sequence. IP's own length keeps it out of the payload.
            link: LinkType(word(header, 20, big_endian) as u16),
        })
    }
}

#[inline(always)]
fn word<const N: usize>(bytes: &[u8; N], at: usize, big_endian: bool) -> u32 {
    let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// The next frame where it is whole at the start of `bytes`, little-endian as nearly all files are, and not strange in any way.
#[inline(always)]
pub(super) fn at_hand(header: &Header, bytes: &[u8]) -> Option<Located> {
    let record = bytes.first_chunk::<RECORD_HEADER>()?;
    let (seconds, fraction) = (word(record, 0, false), word(record, 4, false));
    let (len, wire_len) = (word(record, 8, false), word(record, 12, false));
    let whole = header.record + len as usize;
    // One comparison for "not zero and not too long".
    let usual = len.wrapping_sub(1) < FRAME_MAX as u32 && wire_len <= FRAME_MAX as u32;
    if header.big_endian || !usual || bytes.len() < whole {
        return None;
    }
    Some(Located {
        ts: Timestamp(u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * header.unit),
        link: header.link,
        from: header.record,
        len: len as usize,
        wire_len: wire_len.max(len),
        record: whole,
    })
}

/// The next frame, wherever it is.
pub(super) fn step<R: Read>(header: &mut Header, window: &mut Window<R>) -> io::Result<Step> {
    loop {
        if !window.ensure(header.record)? {
            return Ok(if window.bytes().is_empty() { Step::End } else { Step::Short });
        }
        let Some(record) = window.bytes().first_chunk::<RECORD_HEADER>() else { return Ok(Step::Short) };
        let seconds = word(record, 0, header.big_endian);
        let fraction = word(record, 4, header.big_endian);
        let len = word(record, 8, header.big_endian) as usize;
        let wire_len = word(record, 12, header.big_endian);
        // An empty record is rare, and at this place of a file header is a zero.
        if len == 0 || len > FRAME_MAX || wire_len as usize > FRAME_MAX {
            if another_file(header, window)? {
                continue;
            }
            if len > FRAME_MAX {
                return Ok(Step::Bad("a record with an impossible length"));
            }
            if !followed(header, window, header.record + len)? {
                return Ok(Step::Bad("a record that is none"));
            }
        }
        let whole = header.record + len;
        if !window.ensure(whole)? {
            return Ok(Step::Short);
        }
        return Ok(Step::Frame(Located {
            ts: Timestamp(u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * header.unit),
            link: header.link,
            from: header.record,
            len,
            wire_len: wire_len.max(len as u32),
            record: whole,
        }));
    }
}

/// Where a record should be, is there the header of a file that was appended? Goes behind it.
#[cold]
fn another_file<R: Read>(header: &mut Header, window: &mut Window<R>) -> io::Result<bool> {
    window.ensure(FILE_HEADER)?;
    let Some(next) = Header::read(window.bytes()) else { return Ok(false) };
    *header = next;
    window.consume(FILE_HEADER);
    Ok(true)
}

/// Is a doubtful record of `whole` bytes followed by another one, or by the end of what there is? If not, it is damage that happens to look
/// like one: a hole full of zeros, for instance.
#[cold]
fn followed<R: Read>(header: &Header, window: &mut Window<R>, whole: usize) -> io::Result<bool> {
    const ZEROS: &[u8] = &[0; RECORD_HEADER];
    let more = window.ensure(whole + RECORD_HEADER)?;
    let bytes = window.bytes();
    if bytes.starts_with(ZEROS) {
        return Ok(false);
    }
    let Some(next) = bytes.get(whole..).and_then(|b| b.first_chunk::<RECORD_HEADER>()) else { return Ok(!more) };
    let len = word(next, 8, header.big_endian) as usize;
    let fraction = u64::from(word(next, 4, header.big_endian));
    Ok(next != ZEROS && len <= FRAME_MAX && fraction * header.unit < 1_000_000_000)
}

/// Goes forward to a believable record that is followed by another one or by the end of the file. `false` when there is none.
pub(super) fn find<R: Read>(header: &mut Header, window: &mut Window<R>, last: Timestamp) -> io::Result<bool> {
    while window.ensure(header.record + 1)? {
        window.consume(1);
        // What is found must not depend on how much a read happened to give.
        window.ensure(FILE_HEADER)?;
        if Header::read(window.bytes()).is_some() {
            return Ok(true);
        }
        let Some(len) = believable(header, window.bytes(), last) else { continue };
        let next = header.record + len;
        let more = window.ensure(next + header.record)?;
        window.ensure(next + FILE_HEADER)?;
        let behind = window.bytes().get(next..).unwrap_or_default();
        if believable(header, behind, last).is_some()
            || Header::read(behind).is_some()
            || (!more && window.bytes().len() == next)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The length of the record at the start of `bytes`, if it looks like one.
fn believable(header: &Header, bytes: &[u8], last: Timestamp) -> Option<usize> {
    let record = bytes.first_chunk::<RECORD_HEADER>()?;
    let seconds = u64::from(word(record, 0, header.big_endian));
    let fraction = u64::from(word(record, 4, header.big_endian));
    let len = word(record, 8, header.big_endian) as usize;
    let wire_len = word(record, 12, header.big_endian) as usize;
    let near = last == Timestamp::default() || (last.0 / 1_000_000_000).abs_diff(seconds) < BELIEVABLE_SECONDS;
    let sound = (1..=FRAME_MAX).contains(&len) && (len..=FRAME_MAX).contains(&wire_len);
    (sound && near && fraction * header.unit < 1_000_000_000).then_some(len)
}
