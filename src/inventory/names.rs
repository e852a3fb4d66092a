//! Names that many endpoints have, each in memory once.
//!
//! Takes media types and names of query parameters, gives shared texts: ten thousand endpoints that answer with JSON hold
//! the same sixteen bytes, which are then always in the processor's cache. Never keeps a name that no endpoint has.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names from which on those that nobody has any more are looked for.
const FIRST_SWEEP: usize = 1024;

/// A text that is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(Arc<str>);

/// All names in use.
pub(super) struct Names {
    table: HashTable<Name>,
    sweep_at: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { table: HashTable::new(), sweep_at: FIRST_SWEEP }
    }

    /// The shared form of a name.
    pub(super) fn share(&mut self, name: &str) -> Name {
        if let Some(known) = self.table.find(hash(name), |n| *n.0 == *name) {
            return known.clone();
        }
        if self.table.len() >= self.sweep_at {
            self.table.retain(|n| Arc::strong_count(&n.0) > 1);
            self.sweep_at = (self.table.len() * 2).max(FIRST_SWEEP);
        }
        let name = Name(name.into());
        self.table.insert_unique(hash(&name), name.clone(), |n| hash(n));
        name
    }
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Names({})", self.table.len())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer).map(|name| Self(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_kept_once_and_not_longer_than_it_is_used() {
        let mut names = Names::new();
        let json = names.share("application/json");
        assert!(Arc::ptr_eq(&json.0, &names.share("application/json").0));
        for i in 0..10 * FIRST_SWEEP {
            names.share(&format!("made-up-{i}"));
        }
        assert!(names.table.len() <= FIRST_SWEEP);
        assert!(Arc::ptr_eq(&json.0, &names.share("application/json").0));
    }
}
