//! Values that bodies and headers name.
//!
//! Takes the JSON of a sampled exchange, where its `Location` leads and what its token claims, gives [`Mention`]s: the keyed hash of a
//! value that could as well be a word of a path, and the sort of field that it stood in. That is how `acme` is known for somebody's
//! login and not for a resource. Only names that are listed here are told apart by name; all others are keyed hashes too, since keys
//! of an object may be values. Never gives a text of a body.

mod claims;
mod harvest;
mod name;
mod thrift;

pub use harvest::Harvest;
pub use name::{LEAVES, Strength};
pub(super) use thrift::Thrift;

use super::key::Key;
use super::{ServiceKey, shape};

/// Longest value that may be a word of a path.
const VALUE: usize = 64;
/// Mentions of one exchange.
const MENTIONS: usize = 256;

/// In what sort of field a value stood. Ascending: those that say most come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(u32);

/// Marks the origin whose name is a hash.
const HASHED: u32 = 1 << 29;

impl Origin {
    /// Bits that an origin takes.
    pub const BITS: u32 = 30;

    /// A field of a known name, in an object of a known name (0: of none).
    fn known(leaf: u8, noun: u8) -> Self {
        Self(u32::from(leaf) << 8 | u32::from(noun))
    }

    /// A field, or an object, named like what a path calls `noun`: any name, as a keyed hash.
    fn hashed(key: &Key, noun: &[u8]) -> Self {
        Self(HASHED | (key.hash(noun) >> 35) as u32)
    }

    /// The origin of fields named like a word of a path, in whatever number: `categories` for `"category": …`.
    pub fn named(key: &Key, word: &str) -> Self {
        let mut stem = name::Stem::default();
        stem.of(word.as_bytes());
        Self::hashed(key, stem.bytes())
    }

    /// From its number.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// Its number, of [`Origin::BITS`] bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The field's name; `None` where it is a hash.
    pub fn leaf(self) -> Option<&'static str> {
        if self.0 & HASHED != 0 { None } else { name::LEAVES.get((self.0 >> 8) as usize).map(|leaf| leaf.shown) }
    }

    /// What its object is, where that is known by name: `owner` of `"owner": {"login": …}`.
    pub fn noun(self) -> Option<&'static str> {
        if self.0 & HASHED != 0 { None } else { name::NOUNS.get((self.0 & 0xff).checked_sub(1)? as usize).copied() }
    }

    /// How much it says that a word occurs in such a field.
    pub fn strength(self) -> Strength {
        if self.0 & HASHED != 0 {
            return Strength::Named;
        }
        name::LEAVES.get((self.0 >> 8) as usize).map_or(Strength::Named, |leaf| leaf.strength)
    }

    /// The same field in an object of no known name.
    pub fn of_none(self) -> Self {
        if self.0 & HASHED != 0 { self } else { Self(self.0 & !0xff) }
    }
}

/// A value, as it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Keyed hash of the value in lower case.
    pub value: u64,
    /// In what sort of field it stood.
    pub origin: Origin,
    /// Stood the value in the path of the very request, too? Then it may be an echo.
    pub own: bool,
}

/// What one exchange named.
#[derive(Clone, Copy, Debug)]
pub struct Mentioned<'a> {
    /// The service that said so, or was told so.
    pub service: ServiceKey<'a>,
    /// Each value and origin once.
    pub mentions: &'a [Mention],
}

/// The hash by which a word of a path is looked up among values.
pub fn value_hash(key: &Key, word: &str) -> u64 {
    hash(key, word.as_bytes())
}

fn hash(key: &Key, word: &[u8]) -> u64 {
    let mut lower = [0; VALUE];
    match lower.get_mut(..word.len()) {
        Some(lower) => {
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            key.hash(lower)
        }
        None => key.hash(word),
    }
}

/// Could a value be a word of a path? All else, numbers above all, is told for a value by its form.
fn may_be_word(value: &[u8]) -> bool {
    const NO_VALUES: [&[u8]; 6] = [b"true", b"false", b"null", b"none", b"undefined", b"unknown"];
    (1..=VALUE).contains(&value.len())
        && value.iter().all(u8::is_ascii_graphic)
        && shape::segment(value).keeps_text()
        && !NO_VALUES.iter().any(|no| no.eq_ignore_ascii_case(value))
}
