//! How far reading of a followed folder has come.
//!
//! Takes notes on each file, gives them back after a restart. Plain values; the caller keeps them.

use std::collections::{BTreeMap, HashSet};
use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// How far each file of a folder was read. Small: a few dozen bytes for each file that still lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    files: BTreeMap<String, Position>,
}

/// How far one file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The time of its first frame: tells whether a ring of files has overwritten it.
    pub first: Timestamp,
    /// Behind the last frame given out, in bytes of what a compressed file holds.
    pub offset: u64,
    pub stamp: Stamp,
    /// Nothing more is expected of it.
    pub done: bool,
}

/// What tells without opening a file whether it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub len: u64,
    /// Nanoseconds since the epoch.
    pub modified: u64,
    /// Known only once it was opened.
    pub compressed: bool,
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let modified = modified.and_then(|d| u64::try_from(d.as_nanos()).ok()).unwrap_or_default();
        Self { len: meta.len(), modified, compressed: false }
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        (self.len, self.modified) == (other.len, other.modified)
    }
}

impl Cursor {
    /// Has nothing been read yet?
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files it knows.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Position> {
        self.files.get(name)
    }

    pub(super) fn set(&mut self, name: String, position: Position) {
        self.files.insert(name, position);
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// How far the file was read before it was compressed to `name`.
    pub(super) fn uncompressed(&self, name: &str) -> Option<&Position> {
        Some(stem(name)).filter(|s| *s != name).and_then(|s| self.files.get(s))
    }

    /// Forgets files that are gone, unless they are being read or have only been compressed.
    pub(super) fn retain(&mut self, names: &[String], reading: Option<&str>) {
        let there: HashSet<&str> = names.iter().flat_map(|n| [n.as_str(), stem(n)]).chain(reading).collect();
        self.files.retain(|name, _| there.contains(name.as_str()));
    }
}

/// A file's name before it was compressed.
pub(super) fn stem(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}
