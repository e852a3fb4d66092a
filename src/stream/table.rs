//! The connection table.
//!
//! Takes segments in capture order, finds (or opens) the flow of each, gives in-order payload to the consumer at once
//! and all else to [`reassembly`](super::reassembly). Closes flows that are over, silent for too long or too many, on
//! packet time. Never does more than a bounded piece of work for one segment.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::consumer::{Chunk, Close, Connection, Consumer};
use super::flow::{Flow, List, position};
use super::hole::Holes;
use super::reassembly::{Bounds, Desk, Verdict};
use super::slab::Flows;
use crate::base::{Bucket, Ledger, Limits, Oddities, Oddity, Side, Timestamp};
use crate::wire::{Segment, TcpFlags};

const SECOND: u64 = 1_000_000_000;
/// How often timers are looked at, in nanoseconds of packet time.
const TICK: u64 = SECOND / 100;
/// A flow moves to the end of its list when it last did so longer ago than this: the order is good to some seconds,
/// and a busy flow does not pay for it with each segment.
const TOUCH: u64 = 4 * SECOND;
/// Flows closed and holes given up at one look at the timers: a single wrong time stamp does little harm.
const BUDGET: usize = 64;
/// Remembered flows forgotten at one look at the timers.
const FORGET: usize = 4096;

/// Whether two points in time are further apart than `span`, either way.
#[inline(always)]
fn apart(a: Timestamp, b: Timestamp, span: u64) -> bool {
    a.0.wrapping_sub(b.0).wrapping_add(span) > 2 * span
}

/// All connections of one thread.
pub struct Table<C: Consumer> {
    /// Payload bytes that were not delivered, and holes.
    pub ledger: Ledger,
    /// What was strange.
    pub oddities: Oddities,
    index: HashTable<u32>,
    hasher: RandomState,
    flows: Flows<C::State>,
    holes: Holes,
    bounds: Bounds,
    /// Flows followed at a time.
    limit: usize,
    /// Nanoseconds.
    idle: u64,
    /// Nanoseconds.
    linger: u64,
    next_id: u64,
    /// When timers were looked at.
    ticked: Timestamp,
}

impl<C: Consumer> Table<C> {
    /// An empty table.
    pub fn new(limits: &Limits) -> Self {
        Self {
            ledger: Ledger::default(),
            oddities: Oddities::default(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            flows: Flows::new(),
            holes: Holes::new(limits.total_buffer_bytes),
            bounds: Bounds {
                segments: limits.flow_buffer_segments,
                bytes: limits.flow_buffer_bytes,
                gap: limits.gap_seconds.saturating_mul(SECOND),
            },
            limit: limits.flows.clamp(1, u32::MAX as usize - 1),
            idle: limits.flow_idle_seconds.saturating_mul(SECOND),
            linger: limits.flow_linger_seconds.saturating_mul(SECOND),
            next_id: 0,
            ticked: Timestamp(0),
        }
    }

    /// Connections that are not closed.
    pub fn flows(&self) -> usize {
        self.flows.count(List::Fresh) + self.flows.count(List::Live)
    }

    /// Bytes of memory that out-of-order payload and what is known of holes occupy.
    pub fn buffered(&self) -> usize {
        self.holes.memory()
    }

    /// Takes one segment.
    #[inline]
    pub fn segment(&mut self, consumer: &mut C, segment: &Segment<'_>) {
        let ts = segment.ts;
        if apart(ts, self.ticked, TICK) {
            self.clock(consumer, ts);
        }
        let hash = self.hasher.hash_one(segment.key);
        let found = self.index.find(hash, |&slot| self.flows[slot].connection.key == segment.key);
        let Some(&slot) = found else { return self.open(consumer, hash, segment) };
        let flow = &mut self.flows[slot];
        if apart(ts, flow.touched, TOUCH) && !self.touch(consumer, slot, ts) {
            return self.open(consumer, hash, segment);
        }
        let flow = &mut self.flows[slot];
        let flags = segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK);
        if flow.calm && flags == TcpFlags::ACK && segment.cut == 0 {
            let [lo, hi] = &mut flow.halves;
            let (half, peer) = if segment.side == Side::Lo { (lo, hi) } else { (hi, lo) };
            let acked = position(peer.next, segment.ack);
            if segment.seq == half.next as u32 && acked <= peer.next {
                flow.last = ts;
                if segment.payload.is_empty() {
                    return;
                }
                let offset = half.offset(half.next);
                half.next += segment.payload.len() as u64;
                let chunk = Chunk { ts, offset, acked: Some(peer.offset(acked)), bytes: segment.payload };
                if let Some(state) = &mut flow.state {
                    consumer.data(&flow.connection, state, segment.side, chunk);
                }
                return;
            }
        }
        self.long_way(consumer, hash, slot, segment);
    }

    /// For links that fall silent: closes what is over by now. `now` is the time that a packet captured now would have.
    pub fn tick(&mut self, consumer: &mut C, now: Timestamp) {
        self.clock(consumer, now);
    }

    /// The capture ended: delivers what is held and closes all connections, in order of their appearance.
    pub fn finish(&mut self, consumer: &mut C) {
        for slot in self.flows.all() {
            self.close(consumer, slot, Close::CaptureEnd);
            self.forget(slot);
        }
    }

    /// The first segment of a connection.
    #[inline(never)]
    fn open(&mut self, consumer: &mut C, hash: u64, segment: &Segment<'_>) {
        let syn = segment.flags.has(TcpFlags::SYN);
        let data = !segment.payload.is_empty() || segment.cut > 0;
        if segment.flags.has(TcpFlags::RST) || !(syn || data) {
            // The rest of something that is over: worth no flow.
            self.ledger.add(Bucket::OtherTcp, segment.payload.len() as u64);
            return;
        }
        if self.index.len() >= self.limit {
            self.evict(consumer);
        }
        if !syn {
            self.oddities.bump(Oddity::MidStream);
        }
        let answer = segment.flags.has(TcpFlags::ACK);
        let connection = Connection {
            key: segment.key,
            id: self.next_id,
            opener: syn.then(|| if answer { segment.side.peer() } else { segment.side }),
            opened: segment.ts,
        };
        self.next_id += 1;
        let state = consumer.open(&connection);
        let slot = self.flows.insert(Flow::new(connection, state));
        let Self { index, flows, hasher, .. } = self;
        index.insert_unique(hash, slot, |&slot| hasher.hash_one(flows[slot].connection.key));
        self.long_way(consumer, hash, slot, segment);
    }

    /// A segment that is not simply the next one.
    #[inline(never)]
    fn long_way(&mut self, consumer: &mut C, hash: u64, slot: u32, segment: &Segment<'_>) {
        let (flow, mut desk) = self.desk(consumer, slot);
        let verdict = if flow.state.is_some() {
            flow.last = segment.ts;
            desk.segment(flow, slot, segment)
        } else {
            desk.stray(flow, segment)
        };
        match verdict {
            Verdict::Goes => self.settle(slot),
            Verdict::Over(why) => {
                self.close(consumer, slot, why);
                self.flows.renew(slot, List::Linger, segment.ts);
            }
            Verdict::Reused => {
                self.oddities.bump(Oddity::PortReuse);
                self.close(consumer, slot, Close::Reused);
                self.forget(slot);
                self.open(consumer, hash, segment);
            }
        }
    }

    /// One flow, and what its segments need beside it.
    fn desk<'a>(&'a mut self, consumer: &'a mut C, slot: u32) -> (&'a mut Flow<C::State>, Desk<'a, C>) {
        let Self { flows, holes, ledger, oddities, bounds, .. } = self;
        (&mut flows[slot], Desk { consumer, holes, ledger, oddities, bounds })
    }

    /// After the long way: is the short way open again?
    fn settle(&mut self, slot: u32) {
        let flow = &self.flows[slot];
        if flow.list == List::Fresh && (flow.started(Side::Lo) || flow.started(Side::Hi)) {
            let last = flow.last;
            self.flows.renew(slot, List::Live, last);
        }
        let flow = &mut self.flows[slot];
        flow.calm = flow.is_calm();
    }

    /// A flow's place on its list is old. `false` when the flow itself is too old and was closed and forgotten.
    #[cold]
    #[inline(never)]
    fn touch(&mut self, consumer: &mut C, slot: u32, now: Timestamp) -> bool {
        let Flow { list, touched, last, .. } = self.flows[slot];
        if list == List::Linger {
            if now.since(touched) < self.linger {
                return true;
            }
        } else if now.since(last) < self.idle {
            self.flows.renew(slot, list, now);
            return true;
        } else {
            self.oddities.bump(Oddity::FlowIdle);
            self.close(consumer, slot, Close::Idle);
        }
        self.forget(slot);
        false
    }

    /// Delivers what a flow still holds and closes it.
    fn close(&mut self, consumer: &mut C, slot: u32, why: Close) {
        let (flow, mut desk) = self.desk(consumer, slot);
        let last = flow.last;
        desk.close(flow, why, last);
    }

    /// Removes a closed flow.
    fn forget(&mut self, slot: u32) {
        let hash = self.hasher.hash_one(self.flows[slot].connection.key);
        if let Ok(entry) = self.index.find_entry(hash, |&s| s == slot) {
            entry.remove();
        }
        self.flows.remove(slot);
    }

    /// Makes room for one flow: one that is closed, or else one that never brought anything, or else the one silent
    /// for longest.
    #[cold]
    fn evict(&mut self, consumer: &mut C) {
        if let Some(slot) = self.flows.first(List::Linger) {
            return self.forget(slot);
        }
        if let Some(slot) = self.flows.first(List::Fresh).or_else(|| self.flows.first(List::Live)) {
            self.oddities.bump(Oddity::FlowLimit);
            self.close(consumer, slot, Close::Evicted);
            self.forget(slot);
        }
    }

    /// Time went on.
    #[cold]
    fn clock(&mut self, consumer: &mut C, now: Timestamp) {
        if now < self.ticked {
            // Packets of several queues or interfaces lie a little apart; a step (which the decoder counts) is more.
            if self.ticked.since(now) < SECOND {
                return;
            }
        }
        self.ticked = now;
        for _ in 0..FORGET {
            let Some(slot) = self.flows.first(List::Linger) else { break };
            if !self.is_due(slot, now, self.linger) {
                break;
            }
            self.forget(slot);
        }
        for list in [List::Fresh, List::Live] {
            for _ in 0..BUDGET {
                let Some(slot) = self.flows.first(list) else { break };
                if !self.is_due(slot, now, self.idle.saturating_add(TOUCH)) {
                    break;
                }
                self.oddities.bump(Oddity::FlowIdle);
                self.close(consumer, slot, Close::Idle);
                self.forget(slot);
            }
        }
        for _ in 0..BUDGET {
            let Some(hole) = self.holes.due(now, self.bounds.gap) else { break };
            self.expire(consumer, hole, now);
        }
    }

    /// Whether a flow has been where it is on its list for `term`. One of a time to come is from before the clock
    /// stepped back: its term begins anew.
    fn is_due(&mut self, slot: u32, now: Timestamp, term: u64) -> bool {
        let Flow { touched, list, .. } = self.flows[slot];
        if touched.since(now) > TOUCH {
            self.flows.renew(slot, list, now);
            return false;
        }
        now.since(touched) >= term
    }

    /// A hole's time is up.
    fn expire(&mut self, consumer: &mut C, number: u32, now: Timestamp) {
        let Some((slot, side)) = self.holes.at(number).map(|h| (h.flow, h.side)) else { return };
        let (flow, mut desk) = self.desk(consumer, slot);
        match desk.expire(flow, side, now) {
            (Verdict::Goes, again) => {
                if let Some(due) = again {
                    self.holes.wait(number, due);
                }
                self.settle(slot);
            }
            (Verdict::Over(why), _) => {
                self.close(consumer, slot, why);
                self.flows.renew(slot, List::Linger, now);
            }
            (Verdict::Reused, _) => {}
        }
    }
}
