//! How often each of a few texts was seen.
//!
//! Takes texts, gives counts by text. Bounded: of more texts than the limit those stay whose hashes are the smallest. Which
//! those are depends on the set of texts alone, and one that stays was counted from its first time on, so the merge is
//! commutative and associative at the limit as well. Never loses the sum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::observe::Key;

/// Counts by text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(super) struct Tally {
    /// By hash, then text.
    entries: Vec<(u64, Box<str>, u64)>,
    /// All that was counted, also of texts that were let go.
    sum: u64,
}

impl Tally {
    /// Counts a text; gives how many texts had to go for it.
    pub(super) fn add(&mut self, text: &str, n: u64, limit: usize) -> u64 {
        self.sum = self.sum.saturating_add(n);
        self.put(Key::FIXED.hash(text.as_bytes()), text, n);
        self.bound(limit)
    }

    fn put(&mut self, hash: u64, text: &str, n: u64) {
        match self.entries.binary_search_by(|(h, t, _)| (*h, &**t).cmp(&(hash, text))) {
            Ok(at) => self.entries[at].2 = self.entries[at].2.saturating_add(n),
            Err(at) => self.entries.insert(at, (hash, text.into(), n)),
        }
    }

    /// Lets go what is over the limit.
    pub(super) fn bound(&mut self, limit: usize) -> u64 {
        let over = self.entries.len().saturating_sub(limit);
        self.entries.truncate(limit);
        over as u64
    }

    /// Adds another's counts to these.
    pub(super) fn merge(&mut self, other: &Self, limit: usize) {
        self.sum = self.sum.saturating_add(other.sum);
        for (hash, text, n) in &other.entries {
            self.put(*hash, text, *n);
        }
        self.bound(limit);
    }

    /// Is there none?
    pub(super) fn is_empty(&self) -> bool {
        self.sum == 0
    }

    /// By text.
    pub(super) fn by_text(&self) -> BTreeMap<String, u64> {
        self.entries.iter().map(|(_, text, n)| (text.to_string(), *n)).collect()
    }

    /// How often texts were seen that were let go.
    pub(super) fn others(&self) -> u64 {
        self.entries.iter().fold(self.sum, |left, (_, _, n)| left.saturating_sub(*n))
    }

    /// The most frequent, the first by text among equals.
    pub(super) fn most(&self) -> Option<(&str, u64)> {
        self.entries.iter().map(|(_, text, n)| (&**text, *n)).max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)))
    }

    /// How often one of the texts was seen that are wanted.
    pub(super) fn of(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.entries.iter().filter(|(_, text, _)| wanted(text)).fold(0, |sum: u64, (_, _, n)| sum.saturating_add(*n))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored(u64, Vec<(Box<str>, u64)>);

impl From<Tally> for Stored {
    fn from(tally: Tally) -> Self {
        Self(tally.sum, tally.entries.into_iter().map(|(_, text, n)| (text, n)).collect())
    }
}

impl TryFrom<Stored> for Tally {
    type Error = &'static str;

    fn try_from(Stored(sum, texts): Stored) -> Result<Self, Self::Error> {
        let entries: Vec<_> = texts.into_iter().map(|(text, n)| (Key::FIXED.hash(text.as_bytes()), text, n)).collect();
        let ascending = entries.windows(2).all(|w| (w[0].0, &w[0].1) < (w[1].0, &w[1].1));
        let counted = entries.iter().try_fold(0_u64, |all, (_, _, n)| all.checked_add(*n));
        match counted {
            Some(counted) if ascending && counted <= sum => Ok(Self { entries, sum }),
            _ => Err("texts out of order, or more than there were"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 5;

    fn of(texts: &[u8]) -> Tally {
        let mut tally = Tally::default();
        for text in texts {
            tally.add(&format!("text {text}"), 1, LIMIT);
        }
        tally
    }

    fn merged(a: &Tally, b: &Tally) -> Tally {
        let mut all = a.clone();
        all.merge(b, LIMIT);
        all
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0_u8..20, 0..40)
    }

    proptest! {
        #[test]
        fn merge_is_commutative_and_associative_at_the_limit_too(a in texts(), b in texts(), c in texts()) {
            let all = of(&[&a[..], &b, &c].concat());
            let (a, b, c) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&merged(&a, &b), &c), all);
        }

        #[test]
        fn nothing_is_lost_from_the_sum(a in texts()) {
            let tally = of(&a);
            let kept: u64 = tally.by_text().values().sum();
            prop_assert!(tally.by_text().len() <= LIMIT);
            prop_assert_eq!(kept + tally.others(), a.len() as u64);
        }

        #[test]
        fn survives_serialisation(a in texts()) {
            let tally = of(&a);
            let bytes = postcard::to_stdvec(&tally).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Tally>(&bytes).unwrap(), tally);
        }
    }

    #[test]
    fn damaged_ones_are_refused() {
        for stored in [Stored(1, vec![("a".into(), 2)]), Stored(9, vec![("a".into(), 1), ("a".into(), 1)])] {
            assert!(Tally::try_from(stored).is_err());
        }
    }
}
