//! Where plaintext lies in ciphertext, in one direction.
//!
//! Takes the ends of records as they are read, gives the plaintext offset that belongs to a ciphertext offset. A peer
//! that has received part of a record has received nothing of it: nobody can open half a record. Keeps the last records
//! only; an acknowledgement never reaches back further than a window.

use std::collections::VecDeque;

/// Records kept. At 1.4 KB each they are 1.4 MB, more than most windows.
const RECORDS: usize = 1024;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// (end of a record in the stream, end of its plaintext), in order.
    records: VecDeque<(u64, u64)>,
    /// Plaintext before the first of them.
    base: u64,
    /// All plaintext so far, holes included.
    plain: u64,
    /// Where a hole begins behind which no record has been found yet.
    lost: Option<u64>,
    /// Nothing more can be read.
    pub(super) blind: bool,
}

impl Lane {
    /// A record of so much plaintext ends at `end`. Gives the offset of its plaintext.
    pub(super) fn read(&mut self, end: u64, length: u64) -> u64 {
        let offset = self.plain;
        self.plain = offset.saturating_add(length);
        self.mark(end);
        offset
    }

    fn mark(&mut self, at: u64) {
        self.records.push_back((at, self.plain));
        if self.records.len() > RECORDS
            && let Some((_, plain)) = self.records.pop_front()
        {
            self.base = plain;
        }
    }

    /// A hole begins.
    pub(super) fn lost(&mut self, at: u64) {
        self.lost.get_or_insert(at);
    }

    /// A record begins at `at`, behind a hole that hid so much plaintext. Gives the offset of what was hidden.
    pub(super) fn found(&mut self, at: u64, hidden: u64) -> u64 {
        let offset = self.plain;
        self.plain = offset.saturating_add(hidden);
        self.lost = None;
        self.mark(at);
        offset
    }

    /// Is it unknown yet what plaintext belongs to this place, because a hole lies before it?
    pub(super) fn is_lost_at(&self, at: u64) -> bool {
        !self.blind && self.lost.is_some_and(|lost| at > lost)
    }

    /// How much plaintext somebody has who has received the stream up to `at`.
    pub(super) fn plain_at(&self, at: u64) -> u64 {
        let behind = self.records.partition_point(|(end, _)| *end <= at);
        match behind.checked_sub(1).and_then(|last| self.records.get(last)) {
            Some((_, plain)) => *plain,
            None => self.base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_record_is_nothing() {
        let mut lane = Lane::default();
        assert_eq!(lane.read(100, 70), 0);
        assert_eq!(lane.read(200, 70), 70);
        for (at, plain) in [(0, 0), (99, 0), (100, 70), (199, 70), (200, 140), (5000, 140)] {
            assert_eq!(lane.plain_at(at), plain, "at {at}");
        }
    }

    #[test]
    fn a_hole_is_placed_when_it_is_over() {
        let mut lane = Lane::default();
        lane.read(100, 70);
        lane.lost(150);
        assert!(lane.is_lost_at(151) && !lane.is_lost_at(150));
        assert_eq!(lane.found(400, 200), 70);
        assert!(!lane.is_lost_at(400));
        assert_eq!((lane.plain_at(399), lane.plain_at(400)), (70, 270));
        assert_eq!(lane.read(500, 10), 270);
    }

    #[test]
    fn only_the_last_records_are_kept() {
        let mut lane = Lane::default();
        for n in 1..=3000 {
            lane.read(n * 10, 1);
        }
        assert_eq!(lane.records.len(), RECORDS);
        assert_eq!(lane.plain_at(0), 3000 - RECORDS as u64);
        assert_eq!(lane.plain_at(30_000), 3000);
    }
}
