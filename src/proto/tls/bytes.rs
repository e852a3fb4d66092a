//! Length-prefixed structures (RFC 8446, 3).
//!
//! Takes bytes, gives numbers and vectors from their front. A vector that runs over the end of what holds it is given
//! as far as it is there, and [`Cursor::short`] tells: a hello that was cut off still says most of what it says. Never
//! reads behind the end, never fails loudly.

/// A place in some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// Something was shorter than it said.
    pub(super) short: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, short: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Exactly `n` bytes; without them nothing is taken.
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Some(taken)
            }
            None => {
                self.short = true;
                None
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).and_then(|bytes| bytes.try_into().ok())
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        self.array().map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    /// 32 bytes: a random.
    pub(super) fn random(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    /// `n` bytes, or what is there of them.
    fn up_to(&mut self, n: usize) -> Self {
        let short = n > self.rest.len();
        self.short |= short;
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        Self { rest: taken, short }
    }

    /// A vector with one byte of length.
    pub(super) fn vec8(&mut self) -> Option<Self> {
        self.u8().map(|n| self.up_to(usize::from(n)))
    }

    /// A vector with two bytes of length.
    pub(super) fn vec16(&mut self) -> Option<Self> {
        self.u16().map(|n| self.up_to(usize::from(n)))
    }

    /// A vector with three bytes of length.
    pub(super) fn vec24(&mut self) -> Option<Self> {
        self.u24().map(|n| self.up_to(n))
    }

    /// All that is left, in numbers of two bytes, `most` at most.
    pub(super) fn numbers(mut self, most: usize) -> Vec<u16> {
        std::iter::from_fn(|| self.u16()).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_is_cut_off_gives_what_is_there() {
        let mut cursor = Cursor::new(&[0, 6, 0, 1, 0, 2, 9]);
        let vector = cursor.vec16().unwrap();
        assert!(vector.short && cursor.short && cursor.is_empty());
        assert_eq!(vector.numbers(10), [1, 2]);
        let mut cursor = Cursor::new(&[2, 7, 8, 0, 0, 1, 5]);
        assert_eq!(cursor.vec8().unwrap().rest(), [7, 8]);
        assert_eq!(cursor.vec24().unwrap().rest(), [5]);
        assert!(!cursor.short);
        assert_eq!(cursor.u8(), None);
        assert!(cursor.short);
    }
}
