//! One connection's record and its two halves.
//!
//! Takes sequence and acknowledgement numbers of 32 bits, gives positions of 64 bits that never wrap. Holds no
//! payload: what came out of order lies with the [`Hole`](super::hole::Hole) of that half. Never larger than it
//! has to be: there may be hundreds of thousands.

use super::consumer::Connection;
use crate::base::{Side, Timestamp};

/// No slot: the end of a list, or a half without a hole.
pub(super) const NONE: u32 = u32::MAX;

/// What is known of a half.
pub(super) mod mark {
    /// Its position is known.
    pub(in crate::stream) const SEEN: u8 = 1;
    /// Its first byte is known, by its SYN or by the acknowledgement in the peer's SYN-ACK.
    pub(in crate::stream) const EXACT: u8 = 2;
    /// The consumer was given bytes or a gap of it: what lies before can no longer be given.
    pub(in crate::stream) const STARTED: u8 = 4;
    /// The consumer was told its end.
    pub(in crate::stream) const ENDED: u8 = 8;
}

/// Where the sequence space starts in the space of positions: high enough that nothing before it underflows.
const ORIGIN: u64 = 1 << 32;

/// Stream offset at which a half begins that was picked up without its SYN: room for a segment that the tap
/// brings after the first one seen, or after the acknowledgement that told of it.
pub const HEADROOM: u32 = 1 << 16;

/// One direction. A *position* is a sequence number continued to 64 bits: its low half is the number on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half {
    /// Position of the next byte to deliver.
    pub next: u64,
    /// Sequence number of stream offset 0.
    base: u32,
    /// Slot of what is held or known to be missing, or [`NONE`].
    pub hole: u32,
}

impl Half {
    const UNSEEN: Self = Self { next: ORIGIN, base: 0, hole: NONE };

    /// The stream offset of a position.
    #[inline(always)]
    pub(super) fn offset(&self, position: u64) -> u64 {
        position.saturating_sub(ORIGIN + u64::from(self.base))
    }
}

/// The position of a sequence number, given one within 2 GiB of it.
#[inline(always)]
pub(super) fn position(near: u64, seq: u32) -> u64 {
    near.wrapping_add_signed(i64::from(seq.wrapping_sub(near as u32) as i32))
}

/// Which list a flow is on; each is in order of last activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum List {
    /// Closed, remembered for stray packets.
    Linger,
    /// Nothing delivered yet: handshakes, scans, SYN floods.
    Fresh,
    /// The rest.
    Live,
}

/// One connection.
pub(super) struct Flow<S> {
    pub connection: Connection,
    /// By [`Side`].
    pub halves: [Half; 2],
    /// By [`Side`], of [`mark`].
    pub marks: [u8; 2],
    pub list: List,
    /// Nothing out of the ordinary is under way: in-order segments take the short way.
    pub calm: bool,
    pub before: u32,
    pub behind: u32,
    /// When it last took its place on its list.
    pub touched: Timestamp,
    /// Time of its last segment.
    pub last: Timestamp,
    /// What the consumer keeps; `None` once closed.
    pub state: Option<S>,
}

impl<S> Flow<S> {
    pub(super) fn new(connection: Connection, state: S) -> Self {
        Self {
            halves: [Half::UNSEEN; 2],
            marks: [0; 2],
            list: List::Fresh,
            calm: false,
            before: NONE,
            behind: NONE,
            touched: connection.opened,
            last: connection.opened,
            connection,
            state: Some(state),
        }
    }

    /// Has that half this mark?
    #[inline(always)]
    pub(super) fn is(&self, side: Side, mark: u8) -> bool {
        self.marks[side.index()] & mark != 0
    }

    /// Both halves at once.
    pub(super) fn both(&self, mark: u8) -> bool {
        self.marks[0] & self.marks[1] & mark != 0
    }

    /// Either half.
    pub(super) fn either(&self, mark: u8) -> bool {
        (self.marks[0] | self.marks[1]) & mark != 0
    }

    /// Fixes where a half begins: `seq` is the next byte expected. `exact` when it is the first of the stream.
    pub(super) fn begin(&mut self, side: Side, seq: u32, exact: bool) {
        let half = &mut self.halves[side.index()];
        let room = if exact { 0 } else { HEADROOM };
        half.base = seq.wrapping_sub(room);
        half.next = ORIGIN + u64::from(half.base) + u64::from(room);
        self.marks[side.index()] |= if exact { mark::SEEN | mark::EXACT } else { mark::SEEN };
    }

    /// The sequence number with which a half began.
    pub(super) fn first(&self, side: Side) -> u32 {
        let room = if self.is(side, mark::EXACT) { 0 } else { HEADROOM };
        self.halves[side.index()].base.wrapping_add(room)
    }

    /// Whether the consumer was given anything of a half.
    pub(super) fn started(&self, side: Side) -> bool {
        let half = &self.halves[side.index()];
        let room = if self.is(side, mark::EXACT) { 0 } else { HEADROOM };
        self.is(side, mark::STARTED) || (self.is(side, mark::SEEN) && half.offset(half.next) != u64::from(room))
    }

    /// Whether the short way may be taken from now on.
    pub(super) fn is_calm(&self) -> bool {
        self.list == List::Live
            && self.both(mark::SEEN)
            && !self.either(mark::ENDED)
            && self.halves[0].hole == NONE
            && self.halves[1].hole == NONE
            && self.state.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_small() {
        assert_eq!(size_of::<Half>(), 16);
        assert!(size_of::<Flow<[u64; 0]>>() <= 160, "{}", size_of::<Flow<[u64; 0]>>());
    }

    #[test]
    fn positions_never_wrap() {
        let mut at = ORIGIN + 0xffff_ff00;
        for _ in 0..10 {
            let next = position(at, (at as u32).wrapping_add(0x7000_0000));
            assert_eq!(next - at, 0x7000_0000);
            assert_eq!(position(next, at as u32), at);
            at = next;
        }
    }
}
