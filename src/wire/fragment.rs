//! IP fragments waiting for each other.
//!
//! Takes fragments in any order, gives the datagram once it is whole. Where fragments overlap, the bytes that came first stay. Bounded in
//! datagrams and in bytes; what waits too long (by packet time) or is pushed out is counted into the ledger. Never gives a
//! datagram with a hole in it, and knows nothing of what a datagram carries.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::ip::{Packet, Part};
use crate::base::{Bucket, Ledger, Limits, Oddities, Oddity, Timestamp};

/// How long a whole datagram is remembered, so that its fragments' second copy (a mirror of both of a switch's ports) is not taken
/// for the start of another one. Far below the time in which the 16 bits of an IPv4 identification come round.
const MIRROR_LAG: u64 = 250_000_000;

/// The longest datagram: its length field has 16 bits.
const DATAGRAM_MAX: usize = 65_535;

/// Spare buffers kept for the next datagrams.
const SPARE_BUFFERS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: u128,
    destination: u128,
    id: u32,
    /// IPv4 tells datagrams apart by protocol, too (RFC 791, 3.2); 0 in IPv6 (RFC 8200, 4.5).
    protocol: u8,
}

/// A datagram on its way.
struct Waiting {
    serial: u64,
    since: Timestamp,
    /// From the first fragment (RFC 8200, 4.5); of any until that has come.
    protocol: u8,
    bytes: Vec<u8>,
    /// What of `bytes` is there: sorted, disjoint, not touching.
    ranges: Vec<(u32, u32)>,
    /// Its length, once the last fragment has come.
    total: Option<usize>,
    /// The first byte that the snapshot length cut off; nothing behind it can be used.
    hole: usize,
    /// Frame bytes that are in no bucket yet.
    held: u64,
    /// Those of them that are in `bytes`.
    stored: u64,
}

enum State {
    Waiting(Waiting),
    /// Became whole at that time.
    Whole(u64, Timestamp),
}

/// A datagram that became whole.
pub(super) struct Whole {
    pub protocol: u8,
    /// Its length on the wire.
    pub declared: usize,
    /// How much of it can be used: up to where the snapshot length cut a fragment.
    pub usable: usize,
    /// Bytes of its fragments' frames that are still to be put into a bucket, the usable ones among them.
    pub held: u64,
}

/// The table of datagrams on their way.
pub(super) struct Fragments {
    table: HashMap<Key, State, RandomState>,
    /// Those waiting, and those that are whole, each from the oldest on.
    waiting: BTreeMap<u64, Key>,
    whole: BTreeMap<u64, Key>,
    serial: u64,
    /// Sum of the waiting datagrams' buffers.
    bytes: usize,
    spare: Vec<Vec<u8>>,
    max: usize,
    max_bytes: usize,
    max_wait: u64,
    /// No datagram has waited too long before this time.
    deadline: u64,
}

impl Fragments {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            table: HashMap::default(),
            waiting: BTreeMap::new(),
            whole: BTreeMap::new(),
            serial: 0,
            bytes: 0,
            spare: Vec::new(),
            max: limits.fragments.max(1),
            max_bytes: limits.fragment_bytes,
            max_wait: limits.fragment_seconds.saturating_mul(1_000_000_000),
            deadline: u64::MAX,
        }
    }

    /// Is it time to call [`Fragments::expire`]?
    #[inline(always)]
    pub(super) fn due(&self, now: Timestamp) -> bool {
        now.0 >= self.deadline
    }

    /// Lets go what has waited too long.
    #[cold]
    pub(super) fn expire(&mut self, now: Timestamp, ledger: &mut Ledger, oddities: &mut Oddities) {
        while let Some((&serial, &key)) = self.waiting.first_key_value() {
            match self.table.get(&key) {
                Some(State::Waiting(w)) if now.since(w.since) < self.max_wait => break,
                _ => self.give_up(serial, Bucket::Undecodable, Oddity::FragmentIncomplete, ledger, oddities),
            }
        }
        self.set_deadline();
    }

    /// Lets go all that still waits.
    pub(super) fn flush(&mut self, ledger: &mut Ledger, oddities: &mut Oddities) {
        while let Some((&serial, _)) = self.waiting.first_key_value() {
            self.give_up(serial, Bucket::Undecodable, Oddity::FragmentIncomplete, ledger, oddities);
        }
        self.table.clear();
        self.whole.clear();
        self.set_deadline();
    }

    fn set_deadline(&mut self) {
        let oldest = self.waiting.first_key_value().and_then(|(_, key)| match self.table.get(key) {
            Some(State::Waiting(w)) => Some(w.since.0),
            _ => None,
        });
        self.deadline = oldest.map_or(u64::MAX, |since| since.saturating_add(self.max_wait));
    }

    fn give_up(&mut self, serial: u64, bucket: Bucket, oddity: Oddity, ledger: &mut Ledger, oddities: &mut Oddities) {
        let Some(key) = self.waiting.remove(&serial) else { return };
        if let Some(State::Waiting(w)) = self.table.remove(&key) {
            ledger.add(bucket, w.held);
            oddities.bump(oddity);
            self.recycle(w.bytes);
        }
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        self.bytes -= buffer.len();
        if self.spare.len() < SPARE_BUFFERS {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Takes one fragment out of `frame` bytes of frames. Gives the datagram, its bytes in `into`, when this was the last one missing. Each
    /// byte of `frame` is in the ledger afterwards, or will be when its datagram becomes whole or is let go.
    #[expect(clippy::too_many_arguments, reason = "ledger and oddities are the decoder's, which lends them one by one")]
    pub(super) fn add(
        &mut self,
        packet: &Packet<'_>,
        part: Part,
        frame: u64,
        now: Timestamp,
        into: &mut Vec<u8>,
        ledger: &mut Ledger,
        oddities: &mut Oddities,
    ) -> Option<Whole> {
        let end = part.offset + packet.declared;
        // A fragment before the last one ends on a multiple of 8, or nothing could follow it (RFC 791, 3.2).
        if end > DATAGRAM_MAX || (part.more && !packet.declared.is_multiple_of(8)) {
            oddities.bump(Oddity::HeaderBad);
            ledger.add(Bucket::Undecodable, frame);
            return None;
        }
        let v4 = packet.source >> 32 == super::ip::mapped(0) >> 32;
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            id: part.id,
            protocol: if v4 { packet.protocol } else { 0 },
        };
        if let Some(&State::Whole(serial, at)) = self.table.get(&key) {
            // A clock that stepped back makes `since` 0: taken for a copy, as nearly always it is.
            if now.since(at) < MIRROR_LAG {
                ledger.add(Bucket::Duplicate, packet.payload.len() as u64);
                ledger.add(Bucket::Framing, frame - packet.payload.len() as u64);
                return None;
            }
            self.table.remove(&key);
            self.whole.remove(&serial);
        }
        if !self.table.contains_key(&key) {
            self.open(key, packet.protocol, now, ledger, oddities);
        }
        let Some(State::Waiting(waiting)) = self.table.get_mut(&key) else { return None };
        let before = waiting.bytes.len();
        waiting.insert(packet, part, frame, ledger, oddities);
        self.bytes += waiting.bytes.len() - before;
        if waiting.is_whole() {
            return self.close(key, now, into, ledger);
        }
        // The newest stays: it alone is within the limit, or the limit is below one datagram.
        while self.bytes > self.max_bytes && self.waiting.len() > 1 {
            self.evict(ledger, oddities);
        }
        None
    }

    fn open(&mut self, key: Key, protocol: u8, now: Timestamp, ledger: &mut Ledger, oddities: &mut Oddities) {
        while self.table.len() >= self.max {
            match self.whole.pop_first() {
                Some((_, key)) => _ = self.table.remove(&key),
                None => self.evict(ledger, oddities),
            }
        }
        self.serial += 1;
        let waiting = Waiting {
            serial: self.serial,
            since: now,
            protocol,
            bytes: self.spare.pop().unwrap_or_default(),
            ranges: Vec::new(),
            total: None,
            hole: usize::MAX,
            held: 0,
            stored: 0,
        };
        self.table.insert(key, State::Waiting(waiting));
        self.waiting.insert(self.serial, key);
        self.set_deadline();
    }

    fn evict(&mut self, ledger: &mut Ledger, oddities: &mut Oddities) {
        if let Some((&oldest, _)) = self.waiting.first_key_value() {
            self.give_up(oldest, Bucket::OverLimit, Oddity::FragmentLimit, ledger, oddities);
        }
    }

    /// Takes a whole datagram out of the table.
    fn close(&mut self, key: Key, now: Timestamp, into: &mut Vec<u8>, ledger: &mut Ledger) -> Option<Whole> {
        let Entry::Occupied(mut entry) = self.table.entry(key) else { return None };
        let serial = match entry.get() {
            State::Waiting(w) => w.serial,
            State::Whole(..) => return None,
        };
        let State::Waiting(mut waiting) = entry.insert(State::Whole(serial, now)) else { return None };
        self.waiting.remove(&serial);
        self.whole.insert(serial, key);
        let declared = waiting.total?;
        // What lies behind a cut cannot be placed in a segment.
        let usable = declared.min(waiting.hole).min(waiting.bytes.len());
        let lost = waiting.stored.saturating_sub(usable as u64);
        ledger.add(Bucket::Undecodable, lost);
        self.bytes -= waiting.bytes.len();
        std::mem::swap(into, &mut waiting.bytes);
        if self.spare.len() < SPARE_BUFFERS {
            waiting.bytes.clear();
            self.spare.push(waiting.bytes);
        }
        self.set_deadline();
        Some(Whole { protocol: waiting.protocol, declared, usable, held: waiting.held - lost })
    }
}

impl Waiting {
    /// Puts a fragment's bytes where nothing is yet.
    fn insert(&mut self, packet: &Packet<'_>, part: Part, frame: u64, ledger: &mut Ledger, oddities: &mut Oddities) {
        let (start, end) = (part.offset, part.offset + packet.declared);
        if part.offset == 0 {
            self.protocol = packet.protocol;
        }
        if !part.more {
            match self.total {
                None => self.total = Some(end),
                Some(total) if total != end => oddities.bump(Oddity::FragmentOverlap),
                Some(_) => {}
            }
        }
        let captured = start + packet.payload.len();
        if self.bytes.len() < captured {
            self.bytes.resize(captured, 0);
        }
        let mut disagree = false;
        let mut known = 0;
        let mut at = start;
        // Ranges that overlap or touch the new one are merged with it.
        let first = self.ranges.partition_point(|r| (r.1 as usize) < start);
        let behind = self.ranges.partition_point(|r| r.0 as usize <= end);
        let copy = |bytes: &mut [u8], from: usize, to: usize| {
            let to = to.min(captured);
            if from < to {
                bytes[from..to].copy_from_slice(&packet.payload[from - start..to - start]);
            }
        };
        for &(from, to) in &self.ranges[first..behind] {
            let (from, to) = ((from as usize).clamp(start, end), (to as usize).clamp(start, end));
            copy(&mut self.bytes, at, from);
            let (from, to) = (from.min(captured), to.min(captured));
            known += to - from;
            // Behind a cut there are no bytes to compare with.
            let comparable = to.min(self.hole);
            disagree |=
                from < comparable && self.bytes[from..comparable] != packet.payload[from - start..comparable - start];
            at = at.max(to);
        }
        copy(&mut self.bytes, at, end);
        if disagree {
            oddities.bump(Oddity::FragmentOverlap);
        }
        if captured < end {
            self.hole = self.hole.min(captured);
        }
        let merged = match self.ranges.get(first..behind) {
            Some([one, .., last]) => (one.0.min(start as u32), last.1.max(end as u32)),
            Some([one]) => (one.0.min(start as u32), one.1.max(end as u32)),
            _ => (start as u32, end as u32),
        };
        self.ranges.splice(first..behind, [merged]);
        ledger.add(Bucket::Duplicate, known as u64);
        self.held += frame - known as u64;
        self.stored += (packet.payload.len() - known) as u64;
    }

    fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.ranges.first().is_some_and(|r| r.0 == 0 && r.1 as usize >= total))
    }
}
