//! Looks for the place where frames go on, behind a hole that hid it.
//!
//! Takes the bytes behind the hole, gives the header of a frame at which reading can go on. A body may hold anything, also
//! frames, and a chain of such frames may by chance or malice leap from body to body. So nothing is taken for being
//! frame-like: the true chain is found by elimination. The frame that the hole cut ends within the length of the longest
//! frame, and there the true chain begins; all chains that begin up to there are followed, and when one alone is left, it
//! is the true one. Bounded in what it looks at and in what it remembers; never holds bytes.

use super::frame::{Header, Kind, SIZE};

/// Frames that the last chain must have had: not just the one that nothing has contradicted yet.
const FRAMES: u32 = 3;

/// Chains that are followed at a time. In random bytes one header in 2^20 or so is plausible.
const CHAINS: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Chain {
    /// Where its next header must be.
    next: u64,
    frames: u32,
    /// The stream of a header block that its last frame leaves open.
    block: Option<u32>,
}

impl Chain {
    /// The chain with one more frame, where that may follow.
    fn then(self, begin: u64, header: &Header) -> Option<Self> {
        // Where the first one stands in a header block, nobody saw its beginning.
        (self.frames == 0 || header.keeps_order(self.block)).then(|| Self {
            next: begin + SIZE as u64 + u64::from(header.length),
            frames: self.frames + 1,
            block: header.leaves_block_open().then_some(header.stream),
        })
    }
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
    /// The true chain has begun before this place.
    begun: u64,
    /// The longest payload that the receiver takes.
    most: u32,
    limit: u64,
}

impl Search {
    /// A search of at most `limit` bytes. `most` is the longest payload that the receiver takes.
    pub fn new(most: u32, limit: u64) -> Self {
        Self { chains: Vec::new(), tail: [0; SIZE], seen: 0, begun: u64::from(most) + 1, most, limit }
    }

    /// Looks at the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Found {
        for (n, &byte) in bytes.iter().enumerate() {
            self.tail.copy_within(1.., 0);
            self.tail[SIZE - 1] = byte;
            self.seen += 1;
            let Some(begin) = self.seen.checked_sub(SIZE as u64) else { continue };
            if begin >= self.begun && self.chains.is_empty() {
                // What was thought to be the longest frame was not.
                self.restart(begin);
            }
            let awaited = self.chains.iter().any(|chain| chain.next == begin);
            // The first byte of a length is 0 below 65,536, and no kind that a chain begins with is above 9.
            let may_begin = begin < self.begun && self.tail[3] <= 9 && u32::from(self.tail[0]) <= self.most >> 16;
            if !awaited && !may_begin {
                continue;
            }
            let header = Header::read(&self.tail);
            let awaited = awaited && self.link(begin, &header);
            if !awaited && may_begin && header.is_plausible(self.most) {
                self.start(begin, &header);
            } else if awaited
                && begin >= self.begun
                && let [chain] = self.chains[..]
                && chain.frames > FRAMES
                // Nowhere within a header block: its beginning would be missing.
                && header.kind != Kind::Continuation
            {
                return Found::At(n + 1, header);
            }
        }
        if self.seen > self.limit { Found::GiveUp } else { Found::More }
    }

    /// A place where chains wait for a header. Those that this one does not continue are none; those that it does are one
    /// from here on.
    fn link(&mut self, begin: u64, header: &Header) -> bool {
        let mut linked: Option<Chain> = None;
        let goes_on = header.may_follow(self.most);
        self.chains.retain(|chain| {
            if chain.next != begin {
                return true;
            }
            if let Some(then) = chain.then(begin, header).filter(|_| goes_on) {
                let longest = linked.map_or(0, |chain| chain.frames).max(then.frames);
                linked = Some(Chain { frames: longest, ..then });
            }
            false
        });
        self.chains.extend(linked);
        linked.is_some()
    }

    fn start(&mut self, begin: u64, header: &Header) {
        if self.chains.len() == CHAINS {
            // Any of them may be the true one, and this one too.
            self.restart(begin);
        }
        let none = Chain { next: begin, frames: 0, block: None };
        self.chains.extend(none.then(begin, header));
    }

    /// As if the hole ended here.
    fn restart(&mut self, place: u64) {
        self.chains.clear();
        self.begun = place + u64::from(self.most) + 1;
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
    fn takes_a_place_only_when_the_frame_that_was_cut_must_be_over() {
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
    fn frames_that_leap_from_body_to_body_are_not_taken() {
        // Each body ends with the header of a frame that covers just the next true header.
        let fakes = [frame(8, 0, 0, &[0, 0, 0, 1]).repeat(40), frame(0, 0, 1, &[0; 9])[..SIZE].to_vec()].concat();
        let leaping = frame(0, 0, 3, &fakes).repeat(200);
        let mut search = Search::new(16_384, 1 << 20);
        assert_eq!(search.push(&leaping[SIZE..]), Found::More, "{} bytes", leaping.len());
        // The last one leaps into a text.
        let honest = [frame(0, 0, 3, b"a text that nobody takes for frames"), frame(1, 5, 5, b"\x82\x86\x84")].concat();
        let Found::At(at, header) = search.push(&honest.repeat(10)) else { panic!("found") };
        assert_eq!(header, Header::read(honest.repeat(10)[at - SIZE..at].first_chunk().unwrap()));
        assert!(at % honest.len() == SIZE || at % honest.len() == 2 * SIZE + 35, "{at}: a true frame");
    }

    #[test]
    fn frames_of_extensions_are_part_of_the_chain() {
        let frames = [frame(0x10, 0, 0, b"u=1"), frame(0, 0, 3, &[b'x'; 2000])].concat().repeat(10);
        let mut search = Search::new(16_384, 1 << 20);
        let Found::At(at, _) = search.push(&frames) else { panic!("found") };
        assert!(at > 16_384 && at % 2021 == SIZE || at % 2021 == 12 + SIZE, "{at}");
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
