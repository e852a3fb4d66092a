//! What a service's bodies named, for telling values from literals.
//!
//! Takes mentions (keyed hashes of values, with the sorts of field they stood in), keeps those of the smallest hashes, so that merging is commutative
//! and associative at the bound as well, and so that it is known of each word whether it would have been kept. Never holds a text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::observe::{Mention, Origin};

/// Sorts of field kept for one value: those that say most. A value that stood in more is called by everybody.
const ORIGINS: usize = 4;
/// The value stood in such a field while it was in the path of the request as well; while it was not.
const OWN: u32 = 1;
const ELSEWHERE: u32 = 2;
const HOW: u32 = 2;

/// The sorts of field in which one value stood: origin and how, ascending; zeros behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stood([u32; ORIGINS]);

impl Stood {
    /// Adds an origin; what does not fit goes, the one that says least first.
    fn add(&mut self, origin: u32, how: u32) {
        let mut new = origin << HOW | how;
        for place in &mut self.0 {
            if *place == 0 {
                *place = new;
                return;
            }
            match (*place >> HOW).cmp(&(new >> HOW)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => {
                    *place |= new;
                    return;
                }
                std::cmp::Ordering::Greater => std::mem::swap(place, &mut new),
            }
        }
    }

    fn each(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().filter(|o| **o != 0).map(|o| (o >> HOW, o & (OWN | ELSEWHERE)))
    }
}

/// The sketch of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Provenance {
    values: BTreeMap<u64, Stood>,
    /// The smallest hash that was let go: of what lies below it, all is known.
    bar: Option<u64>,
}

/// What is known of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) origin: Origin,
    /// Only ever in answers to requests that had it in their path.
    pub(super) only_own: bool,
}

impl Provenance {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Notes what was mentioned; gives whether anything is new.
    pub(super) fn note(&mut self, mentions: &[Mention], limit: usize) -> bool {
        let mut new = false;
        for m in mentions {
            new |= self.add(m.value, m.origin.bits(), if m.own { OWN } else { ELSEWHERE });
        }
        self.keep(limit);
        new
    }

    fn add(&mut self, value: u64, origin: u32, how: u32) -> bool {
        if self.bar.is_some_and(|bar| value >= bar) {
            return false;
        }
        let stood = self.values.entry(value).or_default();
        let before = *stood;
        stood.add(origin, how);
        *stood != before
    }

    pub(super) fn merge(&mut self, other: &Self, limit: usize) {
        self.bar = match (self.bar, other.bar) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for (value, stood) in &other.values {
            for (origin, how) in stood.each() {
                self.add(*value, origin, how);
            }
        }
        self.keep(limit);
    }

    /// Lets go what is beyond the bar or the limit; gives how many values there are then.
    pub(super) fn keep(&mut self, limit: usize) -> usize {
        if let Some(bar) = self.bar {
            self.values.split_off(&bar);
        }
        while self.values.len() > limit
            && let Some((value, _)) = self.values.pop_last()
        {
            self.bar = Some(value);
        }
        self.values.len()
    }

    /// Was nothing let go?
    pub(super) fn is_whole(&self) -> bool {
        self.bar.is_none()
    }

    /// Would a word be known, if it had been mentioned?
    pub(super) fn would_know(&self, value: u64) -> bool {
        self.bar.is_none_or(|bar| value < bar)
    }

    /// In what a word stood.
    pub(super) fn of(&self, value: u64) -> impl Iterator<Item = Known> + '_ {
        self.values
            .get(&value)
            .into_iter()
            .flat_map(Stood::each)
            .map(|(origin, how)| Known { origin: Origin::from_bits(origin), only_own: how & ELSEWHERE == 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mention() -> impl Strategy<Value = Mention> {
        (0u64..40, 1u32..9, any::<bool>()).prop_map(|(value, origin, own)| Mention {
            value,
            origin: Origin::from_bits(origin),
            own,
        })
    }

    fn of(mentions: &[Mention], limit: usize) -> Provenance {
        let mut p = Provenance::default();
        for m in mentions {
            p.note(&[*m], limit);
        }
        p
    }

    proptest! {
        #[test]
        fn merging_commutes_and_associates_at_the_bound(
            a in proptest::collection::vec(mention(), 0..60),
            b in proptest::collection::vec(mention(), 0..60),
            c in proptest::collection::vec(mention(), 0..60),
            limit in 1usize..30,
        ) {
            let [a_, b_, c_] = [&a, &b, &c].map(|m| of(m, limit));
            let merged = |x: &Provenance, y: &Provenance| { let mut x = x.clone(); x.merge(y, limit); x };
            prop_assert_eq!(merged(&a_, &b_), merged(&b_, &a_));
            prop_assert_eq!(merged(&merged(&a_, &b_), &c_), merged(&a_, &merged(&b_, &c_)));
            prop_assert_eq!(merged(&a_, &a_), a_.clone());
            let all: Vec<_> = a.iter().chain(&b).copied().collect();
            let mut reversed = all.clone();
            reversed.reverse();
            prop_assert_eq!(merged(&a_, &b_), of(&all, limit));
            prop_assert_eq!(of(&reversed, limit), of(&all, limit));
            prop_assert!(of(&all, limit).values.len() <= limit);
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_known_to_be_unknown() {
        let all: Vec<_> =
            (0..10).map(|value| Mention { value, origin: Origin::from_bits(5), own: value % 2 == 0 }).collect();
        let p = of(&all, 4);
        assert!((0..4).all(|v| p.would_know(v) && p.of(v).count() == 1));
        assert!((4..10).all(|v| !p.would_know(v) && p.of(v).count() == 0));
        assert!(p.of(0).all(|k| k.only_own) && p.of(1).all(|k| !k.only_own));
    }
}
