//! How many different things.
//!
//! Takes 64-bit hashes, gives how many different ones there were: exactly up to 64, and by HyperLogLog (Flajolet and
//! others, 2007) beyond, with a standard error of 2.3 %. Which of the two forms it has depends on the set of hashes
//! alone. Never keeps what was hashed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hashes kept as they are.
const EXACT: usize = 64;
/// Registers are chosen by the first 11 bits: 2 kB, 1.04 / sqrt(2048) = 2.3 %.
const PRECISION: u32 = 11;
const REGISTERS: usize = 1 << PRECISION;

/// A set of hashes, or as much of it as is needed to count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// The hashes, ascending.
    Exact(Vec<u64>),
    /// The registers.
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Adds a hash.
    #[inline]
    pub fn insert(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                let at = place(hashes, hash);
                if hashes.get(at) != Some(&hash) {
                    self.insert_new(at, hash);
                }
            }
            Self::Registers(registers) => note(registers, hash),
        }
    }

    #[cold]
    fn insert_new(&mut self, at: usize, hash: u64) {
        if let Self::Exact(hashes) = self {
            if hashes.len() == hashes.capacity() {
                hashes.reserve_exact((hashes.len() / 2).max(2));
            }
            hashes.insert(at, hash);
            if hashes.len() > EXACT {
                self.loosen();
            }
        }
    }

    /// Goes over to registers.
    fn loosen(&mut self) {
        if let Self::Exact(hashes) = self {
            let mut registers = Box::new([0; REGISTERS]);
            hashes.iter().for_each(|h| note(&mut registers, *h));
            *self = Self::Registers(registers);
        }
    }

    /// Adds another's hashes to these.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|h| self.insert(*h)),
            Self::Registers(theirs) => {
                self.loosen();
                if let Self::Registers(mine) = self {
                    mine.iter_mut().zip(theirs.iter()).for_each(|(a, b)| *a = (*a).max(*b));
                }
            }
        }
    }

    /// How many different hashes there were.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers),
        }
    }

    /// Reads what [`Self::insert`] would look at first; see [`EndpointState::warm`](crate::inventory::EndpointState).
    #[inline]
    pub(in crate::inventory) fn warm(&self, hash: u64) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.get(guess(hashes.len(), hash)).copied().unwrap_or_default(),
            Self::Registers(registers) => u64::from(registers[(hash >> (64 - PRECISION)) as usize]),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Exact(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Registers(_) => REGISTERS,
        }
    }
}

/// Where a hash would lie among `n` others, did they lie evenly.
#[inline]
fn guess(n: usize, hash: u64) -> usize {
    ((u128::from(hash) * n as u128) >> 64) as usize
}

/// The place of a hash among ascending ones. They do lie evenly, so that the place is near the guess: a search by halves
/// would touch several lines of memory, this touches one or two.
#[inline]
fn place(hashes: &[u64], hash: u64) -> usize {
    let mut at = guess(hashes.len(), hash);
    while hashes.get(at).is_some_and(|h| *h < hash) {
        at += 1;
    }
    while at > 0 && hashes.get(at - 1).is_some_and(|h| *h >= hash) {
        at -= 1;
    }
    at
}

#[inline]
fn note(registers: &mut [u8; REGISTERS], hash: u64) {
    let register = &mut registers[(hash >> (64 - PRECISION)) as usize];
    // Position of the first one behind the register's bits; the sentinel bounds it.
    let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    *register = (*register).max(rank);
}

/// The estimate in whole numbers: registers are added as multiples of 2^-54, the smallest there is.
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    const M: u128 = REGISTERS as u128;
    /// 0.7213 / (1 + 1.079 / 2048), in millionths.
    const ALPHA: u128 = 720_920;
    let sum: u128 = registers.iter().map(|r| 1u128 << (54 - u32::from((*r).min(54)))).sum();
    let raw = ALPHA * M * M * (1 << 54) / (1_000_000 * sum);
    let empty = registers.iter().filter(|r| **r == 0).count();
    let small = empty > 0 && raw <= M * 5 / 2;
    // Draws until only so many registers are empty, in the mean: m/m + m/(m-1) + … (coupon collector), which is
    // linear counting's m ln(m / empty) without the logarithm.
    let collected = |empty: usize| (empty + 1..=REGISTERS).map(|i| (M << 20) / i as u128).sum::<u128>() >> 20;
    let n = if small { collected(empty) } else { raw };
    u64::try_from(n).unwrap_or(u64::MAX).max(EXACT as u64 + 1)
}

#[derive(Serialize, Deserialize)]
enum Stored {
    Exact(Vec<u64>),
    Registers(Vec<u8>),
}

impl Serialize for Distinct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(hashes) => Stored::Exact(hashes.clone()),
            Self::Registers(registers) => Stored::Registers(registers.to_vec()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Stored::deserialize(deserializer)? {
            Stored::Exact(hashes) if hashes.len() <= EXACT && hashes.is_sorted_by(|a, b| a < b) => {
                Ok(Self::Exact(hashes))
            }
            Stored::Exact(_) => Err(D::Error::custom("hashes out of order or too many")),
            Stored::Registers(registers) => {
                let registers: Box<[u8; REGISTERS]> =
                    registers.try_into().map_err(|_| D::Error::custom("wrong number of registers"))?;
                if registers.iter().any(|r| u32::from(*r) > 64 - PRECISION + 1) {
                    return Err(D::Error::custom("register out of range"));
                }
                Ok(Self::Registers(registers))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Key;
    use proptest::prelude::*;

    fn of(numbers: impl IntoIterator<Item = u64>) -> Distinct {
        let mut d = Distinct::default();
        numbers.into_iter().for_each(|n| d.insert(Key::FIXED.hash(&n.to_le_bytes())));
        d
    }

    fn merged(a: &Distinct, b: &Distinct) -> Distinct {
        let mut m = a.clone();
        m.merge(b);
        m
    }

    fn set() -> impl Strategy<Value = Distinct> {
        (0u64..200, 0usize..120).prop_map(|(from, n)| of(from..from + n as u64))
    }

    proptest! {
        #[test]
        fn a_hash_is_found_where_it_belongs(mut hashes in prop::collection::vec(prop_oneof![0u64..50, any::<u64>()], 0..64), hash in prop_oneof![0u64..50, any::<u64>()]) {
            hashes.sort_unstable();
            prop_assert_eq!(place(&hashes, hash), hashes.partition_point(|h| *h < hash));
        }

        #[test]
        fn merge_is_commutative_associative_and_idempotent(a in set(), b in set(), c in set()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&a, &a), &a);
            prop_assert_eq!(&merged(&a, &Distinct::default()), &a);
        }

        #[test]
        fn the_form_depends_on_the_set_alone(from in 0u64..100, n in 0u64..150, cut in 0u64..150) {
            let cut = cut.min(n);
            prop_assert_eq!(merged(&of(from..from + cut), &of(from + cut / 2..from + n)), of(from..from + n));
        }

        #[test]
        fn survives_serialisation(a in set()) {
            let bytes = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Distinct>(&bytes).unwrap(), a);
        }
    }

    #[test]
    fn exact_up_to_64_and_close_beyond() {
        for n in 0..=64 {
            assert_eq!(of(0..n).count(), n);
        }
        for n in [65u64, 100, 500, 2_000, 4_000, 5_000, 6_000, 10_000, 100_000, 1_000_000] {
            let got = of(0..n).count();
            assert!(got.abs_diff(n) * 100 <= n * 8, "{got} for {n}"); // 3.5 standard errors
        }
    }
}
