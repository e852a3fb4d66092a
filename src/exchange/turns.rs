//! The turns of a talk that nobody can read.
//!
//! Takes the sizes of what one side said before the other one spoke, gives how many there were of which size. A request
//! and its answer are a turn each, also where both are encrypted. Never says what was in one.

use serde::{Deserialize, Serialize};

/// Sizes that are told apart: less than 128 bytes, then four times as much for each one more.
pub const CLASSES: usize = 8;

/// The first bound.
const SMALL: u64 = 128;

/// Turns by their size, of the client and of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns(pub [[u64; CLASSES]; 2]);

impl Turns {
    /// Counts a turn of the client (`server` false) or of the server.
    pub fn add(&mut self, server: bool, bytes: u64) {
        let class = (0..CLASSES - 1).find(|class| bytes < Self::bound(*class)).unwrap_or(CLASSES - 1);
        let count = &mut self.0[usize::from(server)][class];
        *count = count.saturating_add(1);
    }

    /// Below how many bytes the turns of a class are; those of the last one have no bound.
    pub fn bound(class: usize) -> u64 {
        SMALL << (2 * class.min(CLASSES))
    }

    /// Turns of one side.
    pub fn count(&self, server: bool) -> u64 {
        self.0[usize::from(server)].iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The class that half of one side's turns do not exceed; `None` where there are none.
    pub fn median(&self, server: bool) -> Option<usize> {
        let half = self.count(server).div_ceil(2);
        let mut seen = 0_u64;
        self.0[usize::from(server)].iter().position(|n| {
            seen = seen.saturating_add(*n);
            half > 0 && seen >= half
        })
    }

    /// Adds another's turns to these.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_classes() {
        let mut turns = Turns::default();
        for (bytes, class) in
            [(0, 0), (127, 0), (128, 1), (511, 1), (512, 2), (524_287, 6), (524_288, 7), (u64::MAX, 7)]
        {
            turns.add(true, bytes);
            assert!(turns.0[1][class] > 0, "{bytes}");
        }
        assert_eq!((turns.count(true), turns.count(false)), (8, 0));
        assert_eq!((turns.median(true), turns.median(false)), (Some(1), None));
        turns.merge(&turns.clone());
        assert_eq!(turns.count(true), 16);
    }
}
