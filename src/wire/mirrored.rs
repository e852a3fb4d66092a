//! Is the same packet mirrored twice?
//!
//! Takes TCP segments with payload, tells how many are copies of one that has just been seen: a switch that mirrors both the port that a
//! packet enters by and the one that it leaves by, or a tunnel and what it carries. A retransmission is no copy: its sender gave it another
//! IP identification or another timestamp, or it came later than any mirror is slow. Looks at each segment at first and then at a sample
//! that both copies fall into together, so that it costs nothing where nothing is wrong. Never removes a packet: the stream floor
//! counts bytes once, however often they come.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use super::{Frame, Segment};

/// Between a packet and its copy. Mirrors are slow by microseconds to a few milliseconds; a retransmission takes a round trip or more, and
/// without an acknowledgement at least 200 ms.
const LAG: u64 = 50_000_000;

/// Segments that are all looked at, before one of [`SAMPLE`] is.
const EACH: u64 = 4096;

/// Then one of so many is looked at.
const SAMPLE: u64 = 16;

/// Places of the table. At a million segments a second, of which one in 16 is looked at, 50 ms are 3,100.
const PLACES: usize = 4096;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Segments with payload that were looked at, or stand for.
    pub looked: u64,
    /// Those of them that were copies.
    pub copies: u64,
    /// Copies that came in another framing than the first: a tag or a tunnel more or less.
    pub reframed: u64,
}

impl Copies {
    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Self) {
        self.looked += other.looked;
        self.copies += other.copies;
        self.reframed += other.reframed;
    }

    /// Are so many copies more than chance? A twentieth of what was looked at, and at least eight.
    pub fn condition(&self) -> bool {
        self.copies >= 8 && self.copies * 20 >= self.looked
    }
}

#[derive(Clone, Copy, Default)]
struct Place {
    print: u64,
    at: u64,
    framing: u32,
}

/// The segments seen last.
pub(super) struct Mirrored {
    pub copies: Copies,
    seen: u64,
    hasher: FixedState,
    places: Box<[Place]>,
}

impl Mirrored {
    pub(super) fn new() -> Self {
        Self {
            copies: Copies::default(),
            seen: 0,
            hasher: FixedState::with_seed(0),
            places: vec![Place::default(); PLACES].into_boxed_slice(),
        }
    }

    /// The next segment.
    #[inline(always)]
    pub(super) fn segment(&mut self, frame: &Frame<'_>, segment: &Segment<'_>) {
        if segment.payload.is_empty() {
            return;
        }
        // Both copies have the same numbers, so both are in the sample or neither.
        let drawn = (segment.seq ^ segment.ack).wrapping_mul(0x9e37_79b1) >> 28 == 0;
        if drawn || self.seen < EACH {
            self.look(frame, segment, drawn);
        }
    }

    #[inline(never)]
    fn look(&mut self, frame: &Frame<'_>, segment: &Segment<'_>, drawn: bool) {
        let each = self.seen < EACH;
        self.seen += 1;
        let weight = match (each, drawn) {
            (true, _) => 1,
            (false, true) => SAMPLE,
            (false, false) => return,
        };
        // Where the payload lies in its frame; one that was put together from fragments lies elsewhere.
        let start = (segment.payload.as_ptr() as usize).wrapping_sub(frame.data.as_ptr() as usize);
        let Some(headers) = frame.data.get(..start) else { return };
        let Some(header) = tcp_header(headers, segment) else { return };
        self.copies.looked += weight;
        let mut hash = self.hasher.build_hasher();
        hash.write_u128(segment.key.end(segment.side).bits());
        hash.write_u128(segment.key.end(segment.side.peer()).bits());
        hash.write(header);
        hash.write_u32(identification(&headers[..headers.len() - header.len()]));
        hash.write_u64(segment.payload.len() as u64 + u64::from(segment.cut));
        let print = hash.finish();
        let framing = (frame.data.len() - segment.payload.len()) as u32;
        let place = print as usize % PLACES;
        let Some(place) = self.places.get_mut(place) else { return };
        let copy = place.print == print && frame.ts.0.abs_diff(place.at) <= LAG;
        if copy {
            self.copies.copies += weight;
            if place.framing != framing {
                self.copies.reframed += weight;
            }
        } else {
            *place = Place { print, at: frame.ts.0, framing };
        }
    }
}

/// The TCP header at the end of `headers`, options included.
fn tcp_header<'a>(headers: &'a [u8], segment: &Segment<'_>) -> Option<&'a [u8]> {
    let ports = [segment.key.end(segment.side).port, segment.key.end(segment.side.peer()).port];
    (5..=15).find_map(|words| {
        let header = headers.get(headers.len().checked_sub(words * 4)?..)?;
        let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        (usize::from(header[12] >> 4) == words && [port(0), port(2)] == ports && seq == segment.seq).then_some(header)
    })
}

/// The identification of an IPv4 header without options at the end of `headers`; 0 where there is none.
fn identification(headers: &[u8]) -> u32 {
    match headers.last_chunk::<20>() {
        Some(ip) if ip[0] == 0x45 && ip[9] == super::ip::TCP => u32::from(u16::from_be_bytes([ip[4], ip[5]])),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
