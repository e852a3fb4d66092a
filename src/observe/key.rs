//! The key under which values are hashed.
//!
//! Takes bytes that must not be kept, gives 64 bits that tell them apart and cannot be turned back without the key.
//! SipHash-1-3 (Aumasson and Bernstein, 2012): short inputs cost about a hundred instructions, and without the key a
//! dictionary is of no use. Never stores what it hashes.

/// A 128-bit hash key. An installation draws its own; a scan of files uses [`Key::FIXED`], so that the same capture
/// gives the same inventory anywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    k0: u64,
    k1: u64,
}

impl std::fmt::Debug for Key {
    /// Without the key itself: it must not end in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::FIXED
    }
}

impl Key {
    /// The public key of reproducible scans and of ids. The bytes are "shadowtap: fixed".
    pub const FIXED: Self = Self::new(*b"shadowtap: fixed");

    /// A key from 16 random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        let all = u128::from_le_bytes(bytes);
        Self { k0: all as u64, k1: (all >> 64) as u64 }
    }

    /// The keyed hash of some bytes.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut sip = Sip::new(self);
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            sip.word(u64::from_le_bytes(*word));
        }
        let mut last = (bytes.len() as u64) << 56;
        for (i, b) in tail.iter().enumerate() {
            last |= u64::from(*b) << (8 * i);
        }
        sip.end(last)
    }

    /// The keyed hash of 128 bits, such as an address.
    #[inline]
    pub fn hash_bits(&self, bits: u128) -> u64 {
        let mut sip = Sip::new(self);
        sip.word(bits as u64);
        sip.word((bits >> 64) as u64);
        sip.end(16 << 56)
    }
}

/// The four words of SipHash's state.
struct Sip(u64, u64, u64, u64);

impl Sip {
    #[inline(always)]
    fn new(key: &Key) -> Self {
        Self(
            key.k0 ^ 0x736f_6d65_7073_6575,
            key.k1 ^ 0x646f_7261_6e64_6f6d,
            key.k0 ^ 0x6c79_6765_6e65_7261,
            key.k1 ^ 0x7465_6462_7974_6573,
        )
    }

    #[inline(always)]
    fn round(&mut self) {
        let Self(a, b, c, d) = self;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.3 ^= word;
        self.round();
        self.0 ^= word;
    }

    #[inline(always)]
    fn end(mut self, last: u64) -> u64 {
        self.word(last);
        self.2 ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        self.0 ^ self.1 ^ self.2 ^ self.3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        use std::hash::Hasher;
        let zero = Key::new([0; 16]);
        for len in 0..40u32 {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + 1) as u8).collect();
            let mut std = std::collections::hash_map::DefaultHasher::new();
            std.write(&bytes);
            assert_eq!(zero.hash(&bytes), std.finish(), "{len} bytes");
        }
        assert_eq!(Key::FIXED.hash_bits(77), Key::FIXED.hash(&77u128.to_le_bytes()));
    }

    #[test]
    fn other_keys_give_other_hashes_and_stay_secret() {
        let other = Key::new([1; 16]);
        assert_ne!(other.hash(b"alice@example.com"), Key::FIXED.hash(b"alice@example.com"));
        assert_eq!(format!("{other:?}"), "Key");
    }
}
