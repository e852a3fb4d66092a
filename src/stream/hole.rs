//! What lies behind a hole in one direction, and what is known of the hole.
//!
//! Takes payload that came out of order and copies it into one buffer for each direction, kept as pieces in stream
//! order that never overlap: the bytes that came first stay. Takes the peer's acknowledgements, and says which holes
//! are past hope. Never decides by a clock other than packet time, and counts its memory, not just its payload.

use std::collections::VecDeque;

use super::flow::{Half, NONE};
use crate::base::{Side, Timestamp};

/// How long after the peer's acknowledgement a tap may still bring the acknowledged bytes, in nanoseconds: 10 ms. What
/// the peer has acknowledged is never sent again, so only the tap's own reordering (several queues, two mirror ports)
/// can still bring it, and that is far below.
pub(super) const REORDER: u64 = 10_000_000;

/// Recycled holes keep buffers up to this size.
const KEEP_BYTES: usize = 64 << 10;
/// Recycled holes keep room for this many pieces.
const KEEP_PIECES: usize = 256;
/// As many free holes keep their buffers.
const KEEP_HOLES: usize = 64;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes, from here on in the buffer.
    Bytes(u32),
    /// Bytes that the snapshot length cut off.
    Cut,
    /// The end of the stream.
    Fin,
}

/// A stretch of the stream behind a hole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Position of its first byte.
    pub at: u64,
    /// When it was captured.
    pub ts: Timestamp,
    /// Offset of the other stream acknowledged with it; [`Piece::NOT_ACKED`] where unknown.
    pub acked: u64,
    pub len: u32,
    pub kind: Kind,
}

impl Piece {
    pub(super) const NOT_ACKED: u64 = u64::MAX;

    /// Position behind its last byte.
    pub(super) fn end(&self) -> u64 {
        self.at + u64::from(self.len)
    }
}

/// One direction's trouble.
pub(super) struct Hole {
    /// Slot of the flow.
    pub flow: u32,
    pub side: Side,
    /// Has an entry in [`Holes::waits`].
    queued: bool,
    in_use: bool,
    /// Highest position that the peer acknowledged; 0 before it acknowledged more than was seen.
    pub acked: u64,
    /// An earlier value of `acked`, and since when it is known.
    mark: u64,
    marked: Timestamp,
    /// All before this position was acknowledged at least [`REORDER`] ago.
    proven: u64,
    /// Sequence number that would continue a segment from far outside of the window.
    pub far: Option<u32>,
    /// In stream order, without overlap.
    pub pieces: Vec<Piece>,
    bytes: Vec<u8>,
    /// Bytes of `bytes` that some piece still names.
    held: usize,
}

impl Hole {
    fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    /// By how much its memory may grow to take so many bytes and pieces more.
    pub(super) fn growth(&self, bytes: usize, pieces: usize) -> usize {
        // As `Vec` grows: at least twice as large, at least a few.
        let more = |len: usize, capacity: usize, need: usize| {
            if len + need <= capacity { 0 } else { (2 * capacity).max(len + need).max(8) - capacity }
        };
        more(self.bytes.len(), self.bytes.capacity(), bytes)
            + more(self.pieces.len(), self.pieces.capacity(), pieces) * size_of::<Piece>()
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The bytes of a piece; empty for the other kinds.
    pub(super) fn bytes(&self, piece: &Piece) -> &[u8] {
        match piece.kind {
            Kind::Bytes(start) => self.bytes.get(start as usize..).and_then(|b| b.get(..piece.len as usize)),
            Kind::Cut | Kind::Fin => None,
        }
        .unwrap_or_default()
    }

    /// The peer acknowledged up to `position`.
    pub(super) fn acknowledge(&mut self, position: u64, now: Timestamp) {
        if self.acked == 0 {
            (self.mark, self.marked) = (position, now);
        }
        self.acked = self.acked.max(position);
    }

    /// Whether the peer acknowledged all before `position` so long ago that the tap will not bring it any more.
    pub(super) fn past_hope(&mut self, position: u64, now: Timestamp) -> bool {
        if self.acked == 0 {
            return false;
        }
        self.marked = self.marked.min(now);
        if now.since(self.marked) >= REORDER {
            self.proven = self.mark;
            (self.mark, self.marked) = (self.acked, now);
        }
        self.proven >= position
    }

    /// Does any byte held disagree with these?
    pub(super) fn disagrees(&self, at: u64, bytes: &[u8]) -> bool {
        let end = at + bytes.len() as u64;
        let first = self.pieces.partition_point(|p| p.end() <= at);
        self.pieces[first..].iter().take_while(|p| p.at < end).any(|p| {
            let held = self.bytes(p);
            let (from, to) = (p.at.max(at), p.end().min(end));
            !held.is_empty()
                && from < to
                && held[(from - p.at) as usize..(to - p.at) as usize] != bytes[(from - at) as usize..(to - at) as usize]
        })
    }

    /// Which pieces a stretch would touch, and how many pieces it may add.
    pub(super) fn would_add(&self, at: u64, len: u64) -> usize {
        let (first, last) = self.touched(at, at + len);
        last - first + 1
    }

    fn touched(&self, at: u64, end: u64) -> (usize, usize) {
        // Nearly always it goes to the end.
        if self.pieces.last().is_none_or(|p| p.end() <= at) {
            return (self.pieces.len(), self.pieces.len());
        }
        let first = self.pieces.partition_point(|p| p.end() <= at);
        let last = self.pieces.partition_point(|p| p.at < end);
        (first, last.max(first))
    }

    /// Holds those bytes of a stretch that no piece has yet. Gives how many bytes it kept.
    fn hold(&mut self, what: Piece, bytes: &[u8], scratch: &mut Vec<Piece>) -> usize {
        let (first, last) = self.touched(what.at, what.end());
        if first == last {
            let piece = self.store(what, bytes, what.at, what.end());
            self.pieces.insert(first, piece);
            return bytes.len();
        }
        scratch.clear();
        let (mut at, before) = (what.at, self.held);
        for i in first..last {
            let old = self.pieces[i];
            if at < old.at {
                scratch.push(self.store(what, bytes, at, old.at));
            }
            scratch.push(old);
            at = at.max(old.end());
        }
        if at < what.end() {
            scratch.push(self.store(what, bytes, at, what.end()));
        }
        self.pieces.splice(first..last, scratch.drain(..));
        self.held - before
    }

    /// Copies `from..to` of a stretch.
    fn store(&mut self, what: Piece, bytes: &[u8], from: u64, to: u64) -> Piece {
        let mut piece = Piece { at: from, len: (to - from) as u32, ..what };
        if let Kind::Bytes(_) = what.kind {
            piece.kind = Kind::Bytes(self.bytes.len() as u32);
            self.bytes.extend_from_slice(&bytes[(from - what.at) as usize..(to - what.at) as usize]);
            self.held += piece.len as usize;
        }
        piece
    }

    /// Lets the first pieces go.
    fn release(&mut self, pieces: usize) {
        let gone: usize =
            self.pieces[..pieces].iter().filter(|p| matches!(p.kind, Kind::Bytes(_))).map(|p| p.len as usize).sum();
        self.pieces.drain(..pieces);
        self.held -= gone;
        if self.held == 0 {
            self.bytes.clear();
        } else if self.bytes.len() > 4096 && self.held * 2 < self.bytes.len() {
            self.compact();
        }
    }

    /// Moves what is still named together, so that the buffer stays within twice of what is held.
    fn compact(&mut self) {
        let mut packed = Vec::with_capacity(self.held);
        for piece in &mut self.pieces {
            if let Kind::Bytes(start) = &mut piece.kind {
                let from = *start as usize;
                *start = packed.len() as u32;
                packed.extend_from_slice(&self.bytes[from..from + piece.len as usize]);
            }
        }
        self.bytes = packed;
    }
}

/// All holes of all flows, recycled, with their memory counted.
pub(super) struct Holes {
    slots: Vec<Hole>,
    free: Vec<u32>,
    /// Holes with pieces, in the order in which they are to be looked at, and when.
    waits: VecDeque<(u32, Timestamp)>,
    /// What the holes in use occupy.
    memory: usize,
    limit: usize,
    scratch: Vec<Piece>,
}

impl Holes {
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), waits: VecDeque::new(), memory: 0, limit, scratch: Vec::new() }
    }

    /// Bytes that the holes in use occupy.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether `more` bytes of memory fit.
    pub(super) fn fits(&self, more: usize) -> bool {
        self.memory + more <= self.limit
    }

    /// The hole of a half, if it has one.
    pub(super) fn get(&self, half: &Half) -> Option<&Hole> {
        self.slots.get(half.hole as usize)
    }

    /// The hole of a half, if it has one.
    pub(super) fn get_mut(&mut self, half: &Half) -> Option<&mut Hole> {
        self.slots.get_mut(half.hole as usize)
    }

    /// The hole in a slot, if it is in use.
    pub(super) fn at(&self, slot: u32) -> Option<&Hole> {
        self.slots.get(slot as usize).filter(|h| h.in_use)
    }

    /// The hole of a half, a new one if need be; `None` when the limit of all holes together forbids.
    pub(super) fn ensure(&mut self, half: &mut Half, flow: u32, side: Side) -> Option<&mut Hole> {
        if half.hole == NONE {
            if !self.fits(size_of::<Hole>()) {
                return None;
            }
            half.hole = match self.free.pop() {
                Some(slot) => slot,
                None => {
                    self.slots.push(Hole {
                        flow,
                        side,
                        queued: false,
                        in_use: true,
                        acked: 0,
                        mark: 0,
                        marked: Timestamp(0),
                        proven: 0,
                        far: None,
                        pieces: Vec::new(),
                        bytes: Vec::new(),
                        held: 0,
                    });
                    self.slots.len() as u32 - 1
                }
            };
            let (used, limit) = (self.memory, self.limit);
            let hole = &mut self.slots[half.hole as usize];
            if used + hole.memory() > limit {
                // A recycled hole brings buffers along.
                (hole.bytes, hole.pieces) = (Vec::new(), Vec::new());
            }
            hole.in_use = true;
            (hole.flow, hole.side) = (flow, side);
            (hole.acked, hole.proven, hole.far) = (0, 0, None);
            self.memory += hole.memory();
        }
        self.slots.get_mut(half.hole as usize)
    }

    /// Holds what no piece of a half has yet. Gives how many bytes were kept; the half must have a hole.
    pub(super) fn hold(&mut self, half: &Half, what: Piece, bytes: &[u8], wait: u64) -> usize {
        let Some(hole) = self.slots.get_mut(half.hole as usize) else { return 0 };
        let before = hole.memory();
        let kept = hole.hold(what, bytes, &mut self.scratch);
        self.memory += hole.memory() - before;
        if !hole.queued {
            hole.queued = true;
            self.waits.push_back((half.hole, Timestamp(what.ts.0.saturating_add(wait))));
        }
        kept
    }

    /// Lets the first pieces of a half go.
    pub(super) fn release(&mut self, half: &Half, pieces: usize) {
        let Some(hole) = self.slots.get_mut(half.hole as usize) else { return };
        let before = hole.memory();
        hole.release(pieces);
        self.memory = self.memory + hole.memory() - before;
    }

    /// Frees the hole of a half.
    pub(super) fn free(&mut self, half: &mut Half) {
        let Some(hole) = self.slots.get_mut(half.hole as usize) else { return };
        self.memory -= hole.memory();
        hole.in_use = false;
        hole.pieces.clear();
        hole.bytes.clear();
        hole.held = 0;
        let large = hole.bytes.capacity() > KEEP_BYTES || hole.pieces.capacity() > KEEP_PIECES;
        if large || self.free.len() >= KEEP_HOLES {
            hole.bytes = Vec::new();
            hole.pieces = Vec::new();
        }
        self.free.push(half.hole);
        half.hole = NONE;
    }

    /// The next hole to look at, if its time has come. It must be put back by [`Holes::wait`] if it is to be looked
    /// at again. `term` is the longest any hole waits: what is due later comes from a clock that stepped back.
    pub(super) fn due(&mut self, now: Timestamp, term: u64) -> Option<u32> {
        let &(slot, due) = self.waits.front()?;
        if due.since(now) > term {
            self.waits.pop_front();
            self.waits.push_back((slot, Timestamp(now.0.saturating_add(term))));
            return None;
        }
        if due > now {
            return None;
        }
        self.waits.pop_front();
        if let Some(hole) = self.slots.get_mut(slot as usize) {
            hole.queued = false;
        }
        Some(slot)
    }

    /// Has a hole looked at again at `due`.
    pub(super) fn wait(&mut self, slot: u32, due: Timestamp) {
        if let Some(hole) = self.slots.get_mut(slot as usize)
            && !hole.queued
        {
            hole.queued = true;
            self.waits.push_back((slot, due));
        }
    }
}
