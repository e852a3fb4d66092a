//! A set of small counters, and the buckets of a quantile sketch in it.
//!
//! Takes keys, gives how often each was counted. One sorted list of 64-bit entries, key above count: an endpoint that was
//! seen once takes a cache line, and merging is merging two sorted lists. Never loses a key; counts stop at 2^40 - 1.

use serde::{Deserialize, Serialize};

use crate::inventory::Quantiles;

const COUNT_BITS: u32 = 40;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Counters by a key of up to 24 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u32, u64)>", into = "Vec<(u32, u64)>")]
pub struct Counters(Vec<u64>);

impl Counters {
    /// Counts one.
    #[inline]
    pub fn bump(&mut self, key: u32) {
        self.add(key, 1);
    }

    /// Counts `n`.
    #[inline]
    pub fn add(&mut self, key: u32, n: u64) {
        let floor = u64::from(key) << COUNT_BITS;
        let at = self.0.partition_point(|e| *e < floor);
        match self.0.get_mut(at) {
            Some(entry) if *entry >> COUNT_BITS == u64::from(key) => {
                *entry = floor | (*entry & COUNT_MAX).saturating_add(n).min(COUNT_MAX)
            }
            _ if n > 0 => self.insert(at, floor | n.min(COUNT_MAX)),
            _ => {}
        }
    }

    #[cold]
    fn insert(&mut self, at: usize, entry: u64) {
        if self.0.len() == self.0.capacity() {
            // Grown by a half, not doubled: there are many of these lists, and most stay short.
            self.0.reserve_exact((self.0.len() / 2).max(4));
        }
        self.0.insert(at, entry);
    }

    /// The keys from `first` up to before `end` with their counts, in order.
    pub fn range(&self, first: u32, end: u32) -> impl Iterator<Item = (u32, u64)> + Clone + '_ {
        let at = |key: u32| self.0.partition_point(|e| *e < u64::from(key) << COUNT_BITS);
        self.0[at(first)..at(end)].iter().map(|e| ((e >> COUNT_BITS) as u32, e & COUNT_MAX))
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mine = std::mem::take(&mut self.0);
        let (mut a, mut b) = (mine.iter().copied().peekable(), other.0.iter().copied().peekable());
        let mut merged = Vec::with_capacity(mine.len().max(other.0.len()));
        while let (Some(&x), Some(&y)) = (a.peek(), b.peek()) {
            let (kx, ky) = (x >> COUNT_BITS, y >> COUNT_BITS);
            if kx == ky {
                let sum = ((x & COUNT_MAX) + (y & COUNT_MAX)).min(COUNT_MAX);
                merged.push(kx << COUNT_BITS | sum);
            } else {
                merged.push(if kx < ky { x } else { y });
            }
            if kx <= ky {
                a.next();
            }
            if ky <= kx {
                b.next();
            }
        }
        merged.extend(a);
        merged.extend(b);
        self.0 = merged;
    }

    /// Reads one entry of each line of memory; see [`EndpointState::warm`](crate::inventory::EndpointState).
    #[inline]
    pub(in crate::inventory) fn warm(&self) -> u64 {
        self.0.chunks(8).filter_map(|line| line.last()).fold(0, |all, entry| all ^ entry)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

impl From<Counters> for Vec<(u32, u64)> {
    fn from(c: Counters) -> Self {
        c.0.into_iter().map(|e| ((e >> COUNT_BITS) as u32, e & COUNT_MAX)).collect()
    }
}

impl TryFrom<Vec<(u32, u64)>> for Counters {
    type Error = &'static str;

    fn try_from(pairs: Vec<(u32, u64)>) -> Result<Self, Self::Error> {
        let ascending = pairs.windows(2).all(|w| w[0].0 < w[1].0);
        if !ascending || pairs.iter().any(|&(k, n)| k >> 24 != 0 || n == 0 || n > COUNT_MAX) {
            return Err("counters out of order or out of range");
        }
        Ok(Self(pairs.into_iter().map(|(k, n)| u64::from(k) << COUNT_BITS | n).collect()))
    }
}

/// Buckets in an octave. A bucket's ends are as 17 to 16 at most, so a figure from its middle is off by at most 1/33.
const SUB: u32 = 4;

/// The bucket of the largest value.
const BUCKET_MAX: u32 = 975;

/// The bucket of a value, 0 to 975: the values up to 31 have one each, those above share one of 16 in their octave.
#[inline]
pub fn bucket(value: u64) -> u32 {
    let octave = 63 - (value | 1).leading_zeros();
    if octave < SUB {
        return value as u32;
    }
    let within = (value >> (octave - SUB)) as u32 & ((1 << SUB) - 1);
    ((octave - SUB + 1) << SUB) + within
}

/// The value that stands for a bucket: the harmonic mean of its ends, which is off by the same share of either. A damaged
/// record may name a bucket that no value has; it counts as the last.
fn middle(bucket: u32) -> u64 {
    let bucket = bucket.min(BUCKET_MAX);
    if bucket < 2 << SUB {
        return u64::from(bucket);
    }
    let shift = (bucket >> SUB) - 1;
    let low = (u128::from(bucket & ((1 << SUB) - 1)) + (1 << SUB)) << shift;
    let high = low + (1 << shift) - 1;
    (low * high / (low + high).div_ceil(2)) as u64
}

/// The distribution of the values whose buckets were counted, ascending.
pub fn quantiles(buckets: impl Iterator<Item = (u32, u64)> + Clone) -> Quantiles {
    let count: u64 = buckets.clone().map(|(_, n)| n).sum();
    let at = |percent: u64| {
        // The smallest value that at least this share of the values does not exceed.
        let rank = u64::try_from((u128::from(count) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX).max(1);
        let mut below = 0;
        let mut last = 0;
        for (bucket, n) in buckets.clone() {
            below += n;
            last = middle(bucket);
            if below >= rank {
                break;
            }
        }
        last
    };
    if count == 0 {
        return Quantiles::default();
    }
    Quantiles { count, p50: at(50), p95: at(95), p99: at(99), max: at(100) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters() -> impl Strategy<Value = Counters> {
        let pairs =
            prop::collection::btree_map(0u32..1 << 24, prop_oneof![1u64..100, COUNT_MAX - 50..=COUNT_MAX], 0..20);
        pairs.prop_map(|m| Counters::try_from(m.into_iter().collect::<Vec<_>>()).unwrap())
    }

    fn merged(a: &Counters, b: &Counters) -> Counters {
        let mut m = a.clone();
        m.merge(b);
        m
    }

    proptest! {
        #[test]
        fn merge_is_commutative_and_associative(a in counters(), b in counters(), c in counters()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&a, &Counters::default()), &a);
            prop_assert_eq!(&merged(&Counters::default(), &a), &a);
        }

        #[test]
        fn survives_serialisation(a in counters()) {
            let bytes = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Counters>(&bytes).unwrap(), a);
        }

        #[test]
        fn counting_apart_and_together_is_the_same(keys in prop::collection::vec(0u32..50, 0..100), cut in 0usize..100) {
            let count = |keys: &[u32]| {
                let mut c = Counters::default();
                keys.iter().for_each(|k| c.bump(*k));
                c
            };
            let cut = cut.min(keys.len());
            prop_assert_eq!(merged(&count(&keys[..cut]), &count(&keys[cut..])), count(&keys));
        }

        #[test]
        fn quantiles_are_within_a_thirty_third(mut values in prop::collection::vec(any::<u64>().prop_map(|v| v >> (v % 64)), 1..200)) {
            let mut c = Counters::default();
            values.iter().for_each(|v| c.bump(bucket(*v)));
            values.sort_unstable();
            let q = quantiles(c.range(0, 1 << 20));
            prop_assert_eq!(q.count, values.len() as u64);
            for (got, percent) in [(q.p50, 50), (q.p95, 95), (q.p99, 99), (q.max, 100)] {
                let exact = values[(values.len() * percent).div_ceil(100) - 1];
                prop_assert!(u128::from(got.abs_diff(exact)) * 33 <= u128::from(exact) + 33, "{} for {}", got, exact);
            }
        }
    }

    #[test]
    fn buckets_ascend_without_a_hole() {
        let mut last = 0;
        for value in 0..100_000 {
            let b = bucket(value);
            assert!(b == last || b == last + 1, "{value}");
            last = b;
        }
        assert_eq!(bucket(u64::MAX), 975);
        assert!((0..=975).all(|b| bucket(middle(b)) == b));
    }

    #[test]
    fn damaged_lists_are_refused() {
        for pairs in
            [vec![(2, 1), (1, 1)], vec![(1, 1), (1, 1)], vec![(1 << 24, 1)], vec![(1, 0)], vec![(1, COUNT_MAX + 1)]]
        {
            assert!(Counters::try_from(pairs).is_err());
        }
    }

    #[test]
    fn a_bucket_that_no_value_has_counts_as_the_last() {
        assert_eq!(bucket(u64::MAX), BUCKET_MAX);
        let mut c = Counters::default();
        c.bump((1 << 20) - 1);
        assert_eq!(quantiles(c.range(0, 1 << 20)).max, middle(BUCKET_MAX));
    }
}
