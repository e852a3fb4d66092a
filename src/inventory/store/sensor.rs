//! What the sensor itself knows and must not forget: how much it saw, when it was up, how far it has read.
//!
//! Takes figures from the daemon, gives them back after a restart. JSON, so that another version can read it. Never
//! holds anything of an exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Ledger, Oddities, Timestamp};

/// Intervals kept; older ones are joined, so that the first start is never forgotten.
const INTERVALS: usize = 256;

/// The sensor's own record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sensor {
    /// Bytes by what became of them, of all runs.
    pub ledger: Ledger,
    /// What was strange, of all runs.
    pub oddities: Oddities,
    /// Exchanges observed, of all runs.
    pub exchanges: u64,
    /// Of them, by what was known when they came.
    pub routed: Routed,
    /// When the sensor was up, oldest first.
    pub up: Vec<Interval>,
    /// How far each followed capture file has been read, by what makes it the same file under any name.
    pub cursors: BTreeMap<String, Cursor>,
}

/// Exchanges by what was known of their endpoint when they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routed {
    /// The endpoint was known.
    pub known: u64,
    /// It was not, and the exchange succeeded.
    pub new: u64,
    /// It was not, and the exchange failed.
    pub probes: u64,
}

impl std::ops::AddAssign for Routed {
    fn add_assign(&mut self, other: Self) {
        self.known += other.known;
        self.new += other.new;
        self.probes += other.probes;
    }
}

/// One run of the sensor, by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Start of the run.
    pub from: Timestamp,
    /// Last commit of the run.
    pub to: Timestamp,
    /// Did it end as asked, or was it interrupted (crash, kill, power cut)?
    pub clean: bool,
    /// Runs that this interval stands for; more than 1 where old ones were joined.
    #[serde(default = "one")]
    pub runs: u32,
}

fn one() -> u32 {
    1
}

/// How far a capture file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// Records read and committed.
    pub records: u64,
    /// Length of the file when it was read to its end; 0 before that. A file that has grown since is read on.
    pub read_to: u64,
    /// So many of these records have to be read again after an interruption, without counting what they show: an exchange
    /// that was open at the commit began there.
    pub back: u64,
    /// When it was last there, in seconds since 1970 by the wall clock.
    pub seen: u64,
}

impl Sensor {
    /// A run begins. An unfinished run before it stays marked as interrupted.
    pub fn begin(&mut self, now: Timestamp) {
        self.up.push(Interval { from: now, to: now, clean: false, runs: 1 });
        while self.up.len() > INTERVALS {
            let first = self.up.remove(0);
            let second = &mut self.up[0];
            second.from = first.from;
            second.runs += first.runs;
            second.clean &= first.clean;
        }
    }

    /// The run goes on, or ends as asked.
    pub fn touch(&mut self, now: Timestamp, ends: bool) {
        if let Some(last) = self.up.last_mut() {
            last.to = now;
            last.clean = ends;
        }
    }

    /// The last run that was not ended as asked, before the present one.
    pub fn interrupted(&self) -> Option<&Interval> {
        self.up.iter().rev().nth(1).filter(|i| !i.clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_shows() {
        let mut s = Sensor::default();
        s.begin(Timestamp(1));
        s.touch(Timestamp(5), false);
        s.begin(Timestamp(9));
        assert_eq!(s.interrupted().map(|i| i.to), Some(Timestamp(5)));
        s.touch(Timestamp(11), true);
        s.begin(Timestamp(12));
        assert_eq!(s.interrupted(), None);
    }

    #[test]
    fn intervals_are_bounded() {
        let mut s = Sensor::default();
        for t in 0..1000 {
            s.begin(Timestamp(t));
            s.touch(Timestamp(t), true);
        }
        assert_eq!(s.up.len(), INTERVALS);
        assert_eq!(s.up[0].from, Timestamp(0));
        assert_eq!(s.up.iter().map(|i| i.runs).sum::<u32>(), 1000);
    }
}
