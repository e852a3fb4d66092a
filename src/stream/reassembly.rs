//! The long way of a segment: all that is not the next bytes of a quiet connection.
//!
//! Takes a flow and a segment of it (or the news that its time is up), gives the consumer chunks, gaps and ends in
//! stream order. Every payload byte is either delivered, or counted as `duplicate` (its place in the stream was
//! taken), or as `other_tcp` (it has no place: behind an end, or far outside of any window). Never delivers a byte
//! twice, never moves one to another offset.

use super::consumer::{Chunk, Close, Consumer, End, Gap};
use super::flow::{Flow, HEADROOM, Half, NONE, mark, position};
use super::hole::{Holes, Kind, Piece};
use crate::base::{Bucket, Ledger, Missing, Oddities, Oddity, Side, Timestamp};
use crate::wire::{Segment, TcpFlags};

/// The largest window TCP can offer: 1 GiB (RFC 7323, 2.3).
const LARGEST_WINDOW: i64 = 1 << 30;
/// A segment this far from what is expected is taken as it is; no receive window in use is larger.
const NEAR: i64 = 16 << 20;
/// How far from the expected place a RST is believed.
const RESET_NEAR: i64 = 1 << 20;

/// What is to become of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Goes,
    /// It is over.
    Over(Close),
    /// The segment belongs to a new connection of the same ends.
    Reused,
}

/// What one flow may hold.
pub(super) struct Bounds {
    pub segments: usize,
    pub bytes: usize,
    /// Nanoseconds a hole is waited for.
    pub gap: u64,
}

/// The table's parts that a segment needs besides its flow.
pub(super) struct Desk<'a, C> {
    pub consumer: &'a mut C,
    pub holes: &'a mut Holes,
    pub ledger: &'a mut Ledger,
    pub oddities: &'a mut Oddities,
    pub bounds: &'a Bounds,
}

/// Captured and cut payload at a position.
struct Payload<'a> {
    at: u64,
    bytes: &'a [u8],
    cut: u32,
    ts: Timestamp,
    acked: Option<u64>,
}

impl Payload<'_> {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.cut == 0
    }

    /// Takes off all before `position`. Gives how many captured bytes that was.
    fn trim(&mut self, position: u64) -> u64 {
        let over = position.saturating_sub(self.at);
        let n = over.min(self.bytes.len() as u64);
        self.bytes = &self.bytes[n as usize..];
        let cut = (over - n).min(u64::from(self.cut));
        self.cut -= cut as u32;
        self.at += n + cut;
        n
    }
}

impl<C: Consumer> Desk<'_, C> {
    /// A segment of a flow that is not closed. `slot` is the flow's.
    pub(super) fn segment(&mut self, flow: &mut Flow<C::State>, slot: u32, segment: &Segment<'_>) -> Verdict {
        let (side, peer, ts) = (segment.side, segment.side.peer(), segment.ts);
        let flags = segment.flags;
        if flags.has(TcpFlags::RST) {
            // A RST may carry words for people; they are no part of the stream.
            self.ledger.add(Bucket::OtherTcp, segment.payload.len() as u64);
            if believable_reset(flow, segment) {
                return Verdict::Over(Close::Reset);
            }
            self.oddities.bump(Oddity::OutOfWindow);
            return Verdict::Goes;
        }
        let mut seq = segment.seq;
        if flags.has(TcpFlags::SYN) {
            if !synchronise(flow, segment) {
                return Verdict::Reused;
            }
            seq = seq.wrapping_add(1);
        }
        let picked_up = !flow.is(side, mark::SEEN);
        if picked_up {
            flow.begin(side, seq, false);
        }
        if flags.has(TcpFlags::ACK) && !flow.is(peer, mark::SEEN) {
            flow.begin(peer, segment.ack, flags.has(TcpFlags::SYN));
        }

        let next = flow.halves[side.index()].next;
        let at = position(next, seq);
        let away = at.wrapping_sub(next) as i64;
        if away.abs() > NEAR {
            if let Some(verdict) = self.far(flow, slot, segment, seq, away) {
                return verdict;
            }
        } else if let Some(hole) = self.holes.get_mut(&flow.halves[side.index()]) {
            hole.far = None;
        }
        let at = position(flow.halves[side.index()].next, seq);

        let acked = if flags.has(TcpFlags::ACK) { self.acknowledged(flow, slot, segment) } else { None };
        // What the peer acknowledged came before this segment was sent: first the holes that are past hope by
        // now, so that cause is seen before effect where the tap allows.
        self.give_up(flow, peer, ts);

        let carries = !segment.payload.is_empty() || segment.cut > 0;
        for of in [peer, side] {
            let next = flow.halves[of.index()].next;
            if self.waits(&flow.halves[of.index()]) && !(of == side && carries && looks_back(at, next)) {
                self.drain(flow, of);
            }
        }
        if carries {
            let payload = Payload { at, bytes: segment.payload, cut: segment.cut, ts, acked };
            if picked_up && self.over_limit(flow, slot, side, &payload).is_none() {
                // The tap may bring an earlier segment behind this one: it waits for the flow's next packet.
                self.hold(&flow.halves[side.index()], &payload);
            } else {
                self.accept(flow, slot, side, payload);
            }
        }
        if flags.has(TcpFlags::FIN) {
            let at = at + segment.payload.len() as u64 + u64::from(segment.cut);
            self.fin(flow, slot, side, at, ts);
        }
        self.give_up(flow, side, ts);
        self.settle(flow)
    }

    /// Frees holes that are closed, and says whether the connection is.
    fn settle(&mut self, flow: &mut Flow<C::State>) -> Verdict {
        for half in &mut flow.halves {
            if self.holes.get(half).is_some_and(|h| h.pieces.is_empty() && h.acked <= half.next && h.far.is_none()) {
                self.holes.free(half);
            }
        }
        if flow.both(mark::ENDED) { Verdict::Over(Close::Fin) } else { Verdict::Goes }
    }

    /// A segment far outside of the window: `None` when it is to be taken all the same.
    ///
    /// A tap that lost much, or a new connection of the same ends whose SYN was lost, look like a stray at first.
    /// They are believed when the peer acknowledged that place or when a second segment continues the first.
    fn far(
        &mut self,
        flow: &mut Flow<C::State>,
        slot: u32,
        segment: &Segment<'_>,
        seq: u32,
        away: i64,
    ) -> Option<Verdict> {
        let side = segment.side;
        let half = flow.halves[side.index()];
        let (len, cut) = (segment.payload.len() as u64, segment.cut);
        let hole = self.holes.get(&half);
        let clean = hole.is_none_or(|h| h.pieces.is_empty());
        if clean && !flow.started(side) && !flow.is(side, mark::EXACT) {
            // What was acknowledged was so from another beginning.
            self.holes.free(&mut flow.halves[side.index()]);
            flow.begin(side, seq, false);
            return None;
        }
        let target = position(half.next, seq);
        let ahead = away > 0 && away <= LARGEST_WINDOW;
        let acknowledged = ahead && hole.is_some_and(|h| h.acked >= target);
        let continues = hole.is_some_and(|h| h.far == Some(seq));
        if (len == 0 && cut == 0) || !(acknowledged || continues) {
            self.oddities.bump(Oddity::OutOfWindow);
            self.ledger.add(Bucket::OtherTcp, len);
            if len > 0 || cut > 0 {
                let end = seq.wrapping_add(len as u32).wrapping_add(cut);
                if let Some(hole) = self.holes.ensure(&mut flow.halves[side.index()], slot, side) {
                    hole.far = Some(end);
                }
            }
            return Some(Verdict::Goes);
        }
        // Behind the end nothing can come but a new connection.
        if !ahead || flow.is(side, mark::ENDED) {
            return Some(Verdict::Reused);
        }
        self.flush(flow, side);
        self.skip(flow, side, target);
        if let Some(hole) = self.holes.get_mut(&flow.halves[side.index()]) {
            hole.far = None;
        }
        None
    }

    /// Takes note of an acknowledgement. Gives it as an offset of the peer's stream, where it is plausible.
    fn acknowledged(&mut self, flow: &mut Flow<C::State>, slot: u32, segment: &Segment<'_>) -> Option<u64> {
        let peer = segment.side.peer();
        let ended = flow.is(peer, mark::ENDED);
        let half = &mut flow.halves[peer.index()];
        let near = self.holes.get(half).map_or(half.next, |h| h.acked.max(half.next));
        let at = position(near, segment.ack);
        if (at.wrapping_sub(near) as i64).abs() > LARGEST_WINDOW {
            return None;
        }
        if ended {
            // A FIN takes a place in the sequence, but none in the stream.
            return Some(half.offset(at.min(half.next - 1)));
        }
        if at > half.next
            && let Some(hole) = self.holes.ensure(half, slot, peer)
        {
            hole.acknowledge(at, segment.ts);
        }
        Some(half.offset(at))
    }

    /// Delivers or holds a segment's payload.
    fn accept(&mut self, flow: &mut Flow<C::State>, slot: u32, side: Side, mut payload: Payload<'_>) {
        let s = side.index();
        let hole = self.holes.get(&flow.halves[s]);
        let held = hole.is_some_and(|h| !h.pieces.is_empty());
        if held && hole.is_some_and(|h| h.disagrees(payload.at, payload.bytes)) {
            self.oddities.bump(Oddity::OverlapDisagrees);
        }
        let held = held && !self.waits(&flow.halves[s]);
        if looks_back(payload.at, flow.halves[s].next) && !held && !flow.started(side) && !flow.is(side, mark::EXACT) {
            flow.halves[s].next = payload.at;
            flow.marks[s] |= mark::STARTED;
        }
        loop {
            let next = flow.halves[s].next;
            if flow.is(side, mark::ENDED) {
                let before = payload.trim(next);
                self.ledger.add(Bucket::Duplicate, before);
                self.ledger.add(Bucket::OtherTcp, payload.bytes.len() as u64);
                return;
            }
            let before = payload.trim(next);
            self.ledger.add(Bucket::Duplicate, before);
            if payload.is_empty() {
                return;
            }
            let first = self.holes.get(&flow.halves[s]).and_then(|h| h.pieces.first()).map_or(u64::MAX, |p| p.at);
            if payload.at == next {
                self.take(flow, side, &mut payload, first);
                self.drain(flow, side);
                continue;
            }
            if let Some(why) = self.over_limit(flow, slot, side, &payload) {
                self.oddities.bump(why);
                self.skip(flow, side, first.min(payload.at));
                self.drain(flow, side);
                continue;
            }
            self.hold(&flow.halves[s], &payload);
            return;
        }
    }

    /// Is the segment with which a half was picked up still held? Nothing else that is in order ever is.
    fn waits(&self, half: &Half) -> bool {
        self.holes.get(half).and_then(|h| h.pieces.first()).is_some_and(|p| p.at == half.next)
    }

    /// Delivers the front of a payload that is in order, in place, up to `limit`.
    fn take(&mut self, flow: &mut Flow<C::State>, side: Side, payload: &mut Payload<'_>, limit: u64) {
        let room = limit - payload.at;
        let n = room.min(payload.bytes.len() as u64);
        if n > 0 {
            let (bytes, rest) = payload.bytes.split_at(n as usize);
            let half = &mut flow.halves[side.index()];
            let chunk = Chunk { ts: payload.ts, offset: half.offset(half.next), acked: payload.acked, bytes };
            half.next += n;
            payload.bytes = rest;
            payload.at += n;
            if let Some(state) = &mut flow.state {
                self.consumer.data(&flow.connection, state, side, chunk);
            }
        }
        if payload.bytes.is_empty() && payload.cut > 0 {
            let cut = u64::from(payload.cut).min(room - n);
            payload.cut -= cut as u32;
            payload.at += cut;
            self.gap(flow, side, cut, Missing::Truncated);
        }
    }

    /// The limit that forbids to hold a payload.
    fn over_limit(
        &mut self,
        flow: &mut Flow<C::State>,
        slot: u32,
        side: Side,
        payload: &Payload<'_>,
    ) -> Option<Oddity> {
        let len = payload.bytes.len();
        let Some(hole) = self.holes.ensure(&mut flow.halves[side.index()], slot, side) else {
            return Some(Oddity::TotalBufferLimit);
        };
        let more = hole.would_add(payload.at, len as u64 + u64::from(payload.cut)) + usize::from(payload.cut > 0);
        if hole.held() + len > self.bounds.bytes || hole.pieces.len() + more > self.bounds.segments {
            return Some(Oddity::FlowBufferLimit);
        }
        let growth = hole.growth(len, more);
        (!self.holes.fits(growth)).then_some(Oddity::TotalBufferLimit)
    }

    /// Holds what is out of order.
    fn hold(&mut self, half: &Half, payload: &Payload<'_>) {
        let Payload { at, bytes, cut, ts, acked } = *payload;
        let acked = acked.unwrap_or(Piece::NOT_ACKED);
        if !bytes.is_empty() {
            let piece = Piece { at, ts, acked, len: bytes.len() as u32, kind: Kind::Bytes(0) };
            let kept = self.holes.hold(half, piece, bytes, self.bounds.gap);
            self.ledger.add(Bucket::Duplicate, (bytes.len() - kept) as u64);
        }
        if cut > 0 {
            let piece = Piece { at: at + bytes.len() as u64, ts, acked, len: cut, kind: Kind::Cut };
            self.holes.hold(half, piece, &[], self.bounds.gap);
        }
    }

    /// The direction ends at a position.
    fn fin(&mut self, flow: &mut Flow<C::State>, slot: u32, side: Side, at: u64, ts: Timestamp) {
        let half = &mut flow.halves[side.index()];
        if at < half.next || flow.marks[side.index()] & mark::ENDED != 0 {
            return;
        }
        // What is held behind it, data or another FIN, was first: then this one is none.
        if self.holes.get(half).is_some_and(|h| h.pieces.last().is_some_and(|p| p.end() > at || p.kind == Kind::Fin)) {
            return;
        }
        if at > half.next {
            let growth = self.holes.ensure(half, slot, side).map(|h| h.growth(0, 1));
            if growth.is_some_and(|growth| self.holes.fits(growth)) {
                let piece = Piece { at, ts, acked: Piece::NOT_ACKED, len: 0, kind: Kind::Fin };
                self.holes.hold(half, piece, &[], self.bounds.gap);
                return;
            }
            self.oddities.bump(Oddity::TotalBufferLimit);
            self.flush(flow, side);
            self.skip(flow, side, at);
        }
        self.end(flow, side, End::Fin, ts);
    }

    /// Delivers what is held as far as it is in order now. Gives whether that was anything.
    fn drain(&mut self, flow: &mut Flow<C::State>, side: Side) -> bool {
        let s = side.index();
        let mut pieces = 0;
        let mut fin = None;
        if let Some(hole) = self.holes.get(&flow.halves[s])
            && let Some(state) = &mut flow.state
        {
            let half = &mut flow.halves[s];
            while let Some(piece) = hole.pieces.get(pieces).filter(|p| p.at == half.next) {
                pieces += 1;
                let offset = half.offset(half.next);
                half.next += u64::from(piece.len);
                match piece.kind {
                    Kind::Bytes(_) => {
                        let acked = (piece.acked != Piece::NOT_ACKED).then_some(piece.acked);
                        let chunk = Chunk { ts: piece.ts, offset, acked, bytes: hole.bytes(piece) };
                        self.consumer.data(&flow.connection, state, side, chunk);
                    }
                    Kind::Cut => {
                        let gap = Gap { offset, len: u64::from(piece.len), why: Missing::Truncated };
                        self.consumer.gap(&flow.connection, state, side, gap);
                    }
                    Kind::Fin => {
                        fin = Some(piece.ts);
                        break;
                    }
                }
            }
        }
        if pieces == 0 {
            return false;
        }
        self.holes.release(&flow.halves[s], pieces);
        if let Some(ts) = fin {
            // Bytes behind the end have no place.
            let (rest, bytes) = self.holes.get(&flow.halves[s]).map_or((0, 0), |h| (h.pieces.len(), h.held()));
            self.ledger.add(Bucket::OtherTcp, bytes as u64);
            self.holes.release(&flow.halves[s], rest);
            self.end(flow, side, End::Fin, ts);
        }
        true
    }

    /// Gives up the hole before the first piece held, and delivers that piece and what is directly behind it. Gives
    /// `false` when nothing is held.
    fn give_up_first(&mut self, flow: &mut Flow<C::State>, side: Side) -> bool {
        let half = flow.halves[side.index()];
        let Some(first) = self.holes.get(&half).and_then(|h| h.pieces.first()).map(|p| p.at) else { return false };
        debug_assert!(first >= half.next, "what is delivered is not held");
        self.skip(flow, side, first);
        self.drain(flow, side)
    }

    /// Gives up the bytes before a position; none where the direction has ended.
    fn skip(&mut self, flow: &mut Flow<C::State>, side: Side, to: u64) {
        let len = to.saturating_sub(flow.halves[side.index()].next);
        if len > 0 && !flow.is(side, mark::ENDED) {
            self.oddities.bump(Oddity::StreamGap);
            self.ledger.miss(Missing::Gap, len);
            // Where its receiver has acknowledged it, it was not lost between the two, but on its way here.
            let half = &flow.halves[side.index()];
            let acked = self.holes.get(half).map_or(0, |h| h.acked).min(to);
            self.ledger.miss(Missing::Unseen, acked.saturating_sub(half.next));
            self.gap(flow, side, len, Missing::Gap);
        }
    }

    /// Delivers a gap.
    fn gap(&mut self, flow: &mut Flow<C::State>, side: Side, len: u64, why: Missing) {
        if len == 0 {
            return;
        }
        let half = &mut flow.halves[side.index()];
        let offset = half.offset(half.next);
        half.next += len;
        if let Some(state) = &mut flow.state {
            self.consumer.gap(&flow.connection, state, side, Gap { offset, len, why });
        }
    }

    /// Ends a direction.
    fn end(&mut self, flow: &mut Flow<C::State>, side: Side, how: End, ts: Timestamp) {
        let marks = &mut flow.marks[side.index()];
        if *marks & mark::ENDED != 0 {
            return;
        }
        *marks |= mark::ENDED;
        if how == End::Fin {
            flow.halves[side.index()].next += 1;
        }
        if let Some(state) = &mut flow.state {
            self.consumer.end(&flow.connection, state, side, how, ts);
        }
    }

    /// Gives up the holes of a half that are past hope.
    fn give_up(&mut self, flow: &mut Flow<C::State>, side: Side, now: Timestamp) {
        let s = side.index();
        while let Some(hole) = self.holes.get_mut(&flow.halves[s])
            && let Some(at) = hole.pieces.first().map(|p| p.at)
            && hole.past_hope(at, now)
            && self.give_up_first(flow, side)
        {}
    }

    /// Gives up the holes of a half that were waited for long enough. Gives when to look again.
    pub(super) fn expire(
        &mut self,
        flow: &mut Flow<C::State>,
        side: Side,
        now: Timestamp,
    ) -> (Verdict, Option<Timestamp>) {
        let s = side.index();
        let gap = self.bounds.gap;
        let mut again = None;
        while let Some(first) = self.holes.get(&flow.halves[s]).and_then(|h| h.pieces.first()).copied() {
            let due = Timestamp(first.ts.0.saturating_add(gap));
            // A piece of a time to come is from before the clock stepped back: it has waited.
            if first.ts <= now && due > now {
                again = Some(due);
                break;
            }
            if !self.give_up_first(flow, side) {
                break;
            }
        }
        (self.settle(flow), again)
    }

    /// Delivers all that is held, with the gaps between.
    fn flush(&mut self, flow: &mut Flow<C::State>, side: Side) {
        while self.give_up_first(flow, side) {}
    }

    /// Delivers what can still be delivered, then closes.
    pub(super) fn close(&mut self, flow: &mut Flow<C::State>, why: Close, ts: Timestamp) {
        for side in [Side::Lo, Side::Hi] {
            self.flush(flow, side);
            let half = flow.halves[side.index()];
            // One more than was seen is, most likely, the FIN.
            if let Some(acked) = self.holes.get(&half).map(|h| h.acked)
                && acked > half.next + 1
            {
                self.skip(flow, side, acked);
            }
            self.holes.free(&mut flow.halves[side.index()]);
        }
        if why == Close::Reset {
            self.end(flow, Side::Lo, End::Reset, ts);
            self.end(flow, Side::Hi, End::Reset, ts);
        }
        flow.calm = false;
        if let Some(state) = flow.state.take() {
            self.consumer.close(&flow.connection, state, why, flow.last);
        }
    }

    /// A segment of a flow that is closed but remembered.
    pub(super) fn stray(&mut self, flow: &Flow<C::State>, segment: &Segment<'_>) -> Verdict {
        let side = segment.side;
        let syn = segment.flags.has(TcpFlags::SYN);
        let seq = segment.seq.wrapping_add(u32::from(syn));
        if syn && !(flow.both(mark::SEEN) && flow.first(side) == seq) {
            return Verdict::Reused;
        }
        let len = segment.payload.len() as u64;
        if len == 0 || segment.flags.has(TcpFlags::RST) || !flow.is(side, mark::SEEN) {
            self.ledger.add(Bucket::OtherTcp, len);
            return Verdict::Goes;
        }
        let next = flow.halves[side.index()].next;
        let away = position(next, seq).wrapping_sub(next) as i64;
        if away.abs() > NEAR {
            return Verdict::Reused;
        }
        let seen = len.min(away.min(0).unsigned_abs());
        self.ledger.add(Bucket::Duplicate, seen);
        self.ledger.add(Bucket::OtherTcp, len - seen);
        Verdict::Goes
    }
}

/// Does a payload lie before where its half was picked up, and near enough to be taken?
fn looks_back(at: u64, next: u64) -> bool {
    (1..=u64::from(HEADROOM)).contains(&next.saturating_sub(at))
}

/// Takes a SYN into account; `false` when it is that of a new connection.
fn synchronise<S>(flow: &mut Flow<S>, segment: &Segment<'_>) -> bool {
    let (side, peer) = (segment.side, segment.side.peer());
    let first = segment.seq.wrapping_add(1);
    let answer = segment.flags.has(TcpFlags::ACK);
    if answer && flow.is(peer, mark::SEEN) {
        // More than the SYN may be acknowledged: data came with it (RFC 7413).
        let away = i64::from(segment.ack.wrapping_sub(flow.first(peer)) as i32);
        if away.abs() > NEAR {
            return false;
        }
    }
    let marks = flow.marks[side.index()];
    if marks & mark::SEEN != 0 {
        let late = flow.first(side).wrapping_sub(first);
        if late > HEADROOM || (late > 0 && flow.started(side) && flow.is(side, mark::EXACT)) {
            return false;
        }
        if late > 0 && !flow.started(side) {
            let half = &mut flow.halves[side.index()];
            if marks & mark::EXACT == 0 {
                half.next = position(half.next, first);
            } else if half.hole == NONE {
                // What is held already has its place from the beginning that was known before.
                flow.begin(side, first, true);
            }
        }
    } else {
        flow.begin(side, first, true);
    }
    let opener = if answer { peer } else { side };
    flow.connection.opener.get_or_insert(opener);
    true
}

/// Whether a RST can come from an end of this connection (after RFC 9293, 3.10.7.4, with what a tap can know).
fn believable_reset<S>(flow: &Flow<S>, segment: &Segment<'_>) -> bool {
    let near = |side: Side, seq: u32| {
        let next = flow.halves[side.index()].next as u32;
        i64::from(seq.wrapping_sub(next) as i32).abs() <= RESET_NEAR
    };
    let (side, peer) = (segment.side, segment.side.peer());
    let refusal = segment.flags.has(TcpFlags::ACK) && (segment.seq == 0 || !flow.is(side, mark::SEEN));
    match (flow.is(side, mark::SEEN), flow.is(peer, mark::SEEN)) {
        (true, _) if near(side, segment.seq) => true,
        (_, true) => refusal && near(peer, segment.ack),
        (seen, false) => !seen,
    }
}
