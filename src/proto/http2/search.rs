//! Looks for the place where frames go on, behind a hole that hid it.
//!
//! Takes the bytes behind the hole, gives the header of a frame at which reading can go on. A body may hold anything, also
//! frames; but what lies in a body ends with its DATA frame. So a place is taken only when a chain of plausible frames
//! has led to it that is longer than any one frame may be: wherever the chain began, it has left the frame in which it
//! began and has met the next one's header exactly. Bounded in what it looks at and in what it remembers; never holds
//! bytes.

use super::frame::{Header, Kind, SIZE};

/// Frames in a row, however long they are.
const CHAIN: u32 = 3;

/// Chains that are followed at a time. In random bytes one header in 2^20 or so is plausible.
const CHAINS: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Chain {
    /// Where its first frame began.
    start: u64,
    /// Where its next header must be.
    next: u64,
    frames: u32,
}

/// What became of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A frame's header ends with the byte before this one: reading goes on with the frame's payload.
    At(usize, Header),
    /// Not yet.
    More,
    /// Not within the bound: it is given up.
    GiveUp,
}

/// A search.
#[derive(Debug)]
pub struct Search {
    chains: Vec<Chain>,
    /// The last bytes seen, in which a header may have begun.
    tail: [u8; SIZE],
    /// Bytes looked at.
    seen: u64,
    /// The longest payload that the receiver takes.
    most: u32,
    limit: u64,
}

impl Search {
    /// A search of at most `limit` bytes. `most` is the longest payload that the receiver takes.
    pub fn new(most: u32, limit: u64) -> Self {
        Self { chains: Vec::new(), tail: [0; SIZE], seen: 0, most, limit }
    }

    /// Looks at the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Found {
        for (n, &byte) in bytes.iter().enumerate() {
            self.tail.copy_within(1.., 0);
            self.tail[SIZE - 1] = byte;
            self.seen += 1;
            // The first byte of a length is 0 below 65,536, and no kind is above 9.
            if self.seen < SIZE as u64 || self.tail[3] > 9 || u32::from(self.tail[0]) > self.most >> 16 {
                if self.chains.is_empty() {
                    continue;
                }
                self.chains.retain(|chain| chain.next != self.seen - (SIZE as u64).min(self.seen));
                continue;
            }
            let begin = self.seen - SIZE as u64;
            let header = Header::read(&self.tail);
            if !header.is_plausible(self.most) {
                self.chains.retain(|chain| chain.next != begin);
                continue;
            }
            if let Some(header) = self.link(begin, header) {
                return Found::At(n + 1, header);
            }
        }
        if self.seen > self.limit { Found::GiveUp } else { Found::More }
    }

    /// A plausible header: the next of a chain, or the first of one.
    fn link(&mut self, begin: u64, header: Header) -> Option<Header> {
        let next = begin + SIZE as u64 + u64::from(header.length);
        let mut linked = false;
        let mut found = false;
        for chain in self.chains.iter_mut().filter(|chain| chain.next == begin) {
            linked = true;
            let proven = chain.frames >= CHAIN && begin - chain.start > u64::from(self.most);
            // Nowhere within a header block: its beginning would be missing.
            found |= proven && header.kind != Kind::Continuation;
            (chain.next, chain.frames) = (next, chain.frames + 1);
        }
        if !linked && self.chains.len() < CHAINS {
            self.chains.push(Chain { start: begin, next, frames: 1 });
        }
        found.then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        out.extend_from_slice(&[kind, flags]);
        out.extend_from_slice(&stream.to_be_bytes());
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn takes_a_place_only_behind_a_chain_longer_than_a_frame() {
        // The rest of a body that is full of frames, up to the frame's end, then true ones.
        let evil: Vec<u8> = (0..50).flat_map(|n| frame(1, 5, 2 * n + 1, b"\x82\x86\x84")).collect();
        let mut text = evil.clone();
        let truth = text.len();
        for n in 0..30 {
            text.extend(frame(0, 0, 1, &[b'x'; 1000]));
            text.extend(frame(1, 5, 2 * n + 1001, b"\x82\x86\x84"));
        }
        let mut search = Search::new(16_384, 1 << 20);
        let Found::At(at, header) = search.push(&text) else { panic!("found") };
        assert!(at > truth + 10_000, "{at}: outside of the body");
        assert_eq!(header, Header::read(text[at - SIZE..at].first_chunk().unwrap()));
        // The same in pieces.
        for piece in [1, 7, 100] {
            let mut search = Search::new(16_384, 1 << 20);
            let mut begin = 0;
            let found = text.chunks(piece).find_map(|bytes| {
                let found = search.push(bytes);
                begin += bytes.len();
                match found {
                    Found::At(n, header) => Some((begin - bytes.len() + n, header)),
                    _ => None,
                }
            });
            assert_eq!(found, Some((at, header)));
        }
    }

    #[test]
    fn gives_up() {
        let mut search = Search::new(16_384, 10_000);
        assert_eq!(search.push(&[b'x'; 6000]), Found::More);
        assert_eq!(search.push(&[0; 6000]), Found::GiveUp);
    }

    #[test]
    fn decoys_cost_nothing() {
        let mut search = Search::new(16_384, 1 << 20);
        let decoys = frame(0, 0, 1, b"").into_iter().chain(frame(0, 0, 1, &[0; 100])).cycle().take(500_000);
        let decoys: Vec<u8> = decoys.collect();
        search.push(&decoys);
        assert!(search.chains.len() <= CHAINS);
    }
}
