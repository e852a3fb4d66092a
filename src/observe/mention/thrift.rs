//! Which bodies are looked into.
//!
//! Takes the beginning of each request, says whether its bodies are walked: the first few of each raw endpoint, then one in many, and none
//! while more bytes were walked than a small share of those that passed. Rests on counts alone, never on a clock: the same capture
//! has the same bodies walked.

/// Counters; endpoints whose hashes fall together share one.
const COUNTERS: usize = 4096;
/// Exchanges of an endpoint whose bodies are all walked, and one in how many of those behind.
const FIRST: u16 = 8;
const ONE_IN: u16 = 256;
/// Bytes that may be walked before the share is asked for, and that share: one in so many bytes of bodies that passed.
const FREE: u64 = 1 << 20;
const SHARE: u64 = 128;

/// What decides.
#[derive(Debug)]
pub(in crate::observe) struct Thrift {
    counters: Box<[u16; COUNTERS]>,
    walked: u64,
    passed: u64,
}

impl Thrift {
    pub(in crate::observe) fn new() -> Self {
        Self { counters: Box::new([0; COUNTERS]), walked: 0, passed: 0 }
    }

    /// Are the bodies of this exchange walked? `endpoint`: method, host and words of its path.
    #[inline]
    pub(in crate::observe) fn walks(&mut self, endpoint: &[u8]) -> bool {
        let Some(counter) = self.counters.get_mut(hash(endpoint) as usize % COUNTERS) else { return false };
        *counter = counter.checked_add(1).unwrap_or(FIRST + 1);
        (*counter <= FIRST || counter.is_multiple_of(ONE_IN)) && self.walked <= FREE + self.passed / SHARE
    }

    /// Bytes of bodies that passed, walked or not.
    #[inline]
    pub(in crate::observe) fn passed(&mut self, bytes: u64) {
        self.passed = self.passed.saturating_add(bytes);
    }

    /// Bytes that were walked.
    pub(in crate::observe) fn walked(&mut self, bytes: u64) {
        self.walked = self.walked.saturating_add(bytes);
    }
}

/// A quick hash; who makes texts fall together gains that fewer bodies are walked.
#[inline]
fn hash(text: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, tail) = text.as_chunks::<8>();
    let mut h = text.len() as u64;
    for word in words {
        h = (h.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    let last = tail.iter().fold(0, |w, b| w << 8 | u64::from(*b));
    h = (h.rotate_left(5) ^ last).wrapping_mul(K);
    h >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bodies_of_each_endpoint_and_few_of_the_rest() {
        let mut thrift = Thrift::new();
        let walked = (0..6400).filter(|_| thrift.walks(b"api.exampleGETusers")).count();
        assert_eq!(walked, usize::from(FIRST) + 6400 / usize::from(ONE_IN));
        assert!(thrift.walks(b"api.exampleGETorders"));
    }

    #[test]
    fn no_more_is_walked_than_a_share_of_what_passed() {
        let mut thrift = Thrift::new();
        thrift.walked(FREE + 1);
        assert!(!thrift.walks(b"a"));
        thrift.passed(SHARE);
        assert!(thrift.walks(b"a"));
    }
}
