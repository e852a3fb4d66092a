//! On which days.
//!
//! Takes days since the epoch, gives how many different ones there were. Kept as runs of days: who is seen daily takes one
//! run whatever the years, and the latest run lies in the value itself. Only the latest 4,096 days (eleven years) count, so that wild clocks cannot make it grow.

use serde::{Deserialize, Serialize};

/// Days before the latest one that are remembered.
const WINDOW: u32 = 4096;

/// A set of days, as ascending runs `(first, last)` with at least one day between two of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub struct Days {
    /// The last run; [`EMPTY`] where there is none.
    latest: (u32, u32),
    older: Box<[(u32, u32)]>,
}

/// A run that holds no day.
const EMPTY: (u32, u32) = (1, 0);

impl Default for Days {
    fn default() -> Self {
        Self { latest: EMPTY, older: Box::default() }
    }
}

impl Days {
    /// Adds a day.
    #[inline]
    pub fn insert(&mut self, day: u32) {
        let (first, last) = self.latest;
        if day < first || last < day {
            self.union([(day, day)].into_iter());
        }
    }

    /// Adds another's days to these.
    pub fn merge(&mut self, other: &Self) {
        if self != other {
            self.union(other.runs());
        }
    }

    /// How many days.
    pub fn count(&self) -> u32 {
        self.runs().map(|(first, last)| last - first + 1).sum()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.older)
    }

    fn runs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let latest = (self.latest != EMPTY).then_some(self.latest);
        self.older.iter().copied().chain(latest)
    }

    #[cold]
    fn union(&mut self, other: impl Iterator<Item = (u32, u32)>) {
        let mut all: Vec<_> = self.runs().chain(other).collect();
        all.sort_unstable();
        let newest = all.iter().map(|r| r.1).max().unwrap_or(0);
        let oldest = newest.saturating_sub(WINDOW - 1);
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            if last < oldest {
                continue;
            }
            let first = first.max(oldest);
            match joined.last_mut() {
                Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        *self = Self::of(joined);
    }

    fn of(mut runs: Vec<(u32, u32)>) -> Self {
        let latest = runs.pop().unwrap_or(EMPTY);
        Self { latest, older: runs.into() }
    }
}

impl From<Days> for Vec<(u32, u32)> {
    fn from(days: Days) -> Self {
        days.runs().collect()
    }
}

impl TryFrom<Vec<(u32, u32)>> for Days {
    type Error = &'static str;

    fn try_from(runs: Vec<(u32, u32)>) -> Result<Self, Self::Error> {
        let apart = runs.windows(2).all(|w| w[0].1.checked_add(1).is_some_and(|next| next < w[1].0));
        let narrow = match (runs.first(), runs.last()) {
            (Some(first), Some(last)) => last.1.checked_sub(first.0).is_some_and(|span| span < WINDOW),
            _ => true,
        };
        if !apart || !narrow || runs.iter().any(|(first, last)| first > last) {
            return Err("runs of days out of order");
        }
        Ok(Self::of(runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(days: impl IntoIterator<Item = u32>) -> Days {
        let mut d = Days::default();
        days.into_iter().for_each(|day| d.insert(day));
        d
    }

    fn merged(a: &Days, b: &Days) -> Days {
        let mut m = a.clone();
        m.merge(b);
        m
    }

    fn days() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(prop_oneof![20_000u32..20_030, 15_000u32..25_000, any::<u32>()], 0..12)
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_and_idempotent(a in days(), b in days(), c in days()) {
            let (a, b, c) = (of(a), of(b), of(c));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&a, &a), &a);
        }

        #[test]
        fn counts_the_days_of_the_window(days in days()) {
            let newest = days.iter().max().copied().unwrap_or(0);
            let within: BTreeSet<_> = days.iter().filter(|d| newest - **d < WINDOW).collect();
            prop_assert_eq!(of(days.clone()).count() as usize, within.len());
        }

        #[test]
        fn survives_serialisation(a in days()) {
            let a = of(a);
            let bytes = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Days>(&bytes).unwrap(), a);
        }
    }

    #[test]
    fn a_year_is_one_run() {
        let year = of(20_000..20_365);
        assert_eq!((year.count(), year.heap_bytes()), (365, 0));
        assert!(Days::try_from(vec![(5, 4)]).is_err());
        assert!(Days::try_from(vec![(1, 4), (5, 6)]).is_err());
    }
}
