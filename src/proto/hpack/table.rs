//! The tables of RFC 7541: the static one (appendix A) and the dynamic one (2.3.2), of which parts may be unknown.
//!
//! Takes fields in the order in which an encoder inserted them, gives the field at an index. Indices count from the
//! newest entry, so what was inserted before the capture began, or in a hole of it, does not change the numbers of what
//! came since: the older entries are unknown, the newer ones are right. Never holds more bytes than its bound: entries
//! beyond it become unknown, too.

use std::collections::VecDeque;

/// What an entry takes beyond its text (RFC 7541, 4.1).
const OVERHEAD: usize = 32;

/// Default size (RFC 9113, 6.5.2).
pub(super) const DEFAULT_SIZE: usize = 4096;

/// A length that is not known.
const UNKNOWN: u32 = u32::MAX;

/// The static table.
#[rustfmt::skip]
pub(super) const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// A part of a field: `None` where it is not known.
pub(super) type Part<'a> = Option<&'a [u8]>;

/// What is at an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    /// Name and value, as far as they are known.
    Field(Part<'a>, Part<'a>),
    /// There is no such entry.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its text begins, counted from the first byte that was ever put into the arena.
    start: u64,
    name: u32,
    value: u32,
}

impl Entry {
    /// Bytes of text that are held for it.
    fn held(&self) -> usize {
        [self.name, self.value].iter().filter(|n| **n != UNKNOWN).map(|n| *n as usize).sum()
    }
}

/// The dynamic table.
#[derive(Debug)]
pub(super) struct Table {
    /// Newest first.
    entries: VecDeque<Entry>,
    /// Texts, oldest first; those of entries that are gone are cut off now and then.
    arena: Vec<u8>,
    /// Number of the arena's first byte.
    base: u64,
    /// Bytes that the known entries count for; at least that much the encoder's table holds of them.
    size: usize,
    /// The size that the encoder has set, as far as that is known.
    max: Option<usize>,
    /// Never more than this is held.
    bound: usize,
    /// Below the known entries there may be others.
    more: bool,
}

impl Table {
    /// A table as it is at the beginning of a connection.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            arena: Vec::new(),
            base: 0,
            size: 0,
            max: Some(DEFAULT_SIZE),
            bound,
            more: false,
        }
    }

    /// Nothing is known of it any more but what will be inserted from now on.
    pub(super) fn forget(&mut self) {
        self.clear();
        self.more = true;
        self.max = None;
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.base += self.arena.len() as u64;
        self.arena = Vec::new();
        self.size = 0;
    }

    /// Bytes of memory it takes for texts and entries.
    pub(super) fn held(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// A dynamic table size update (RFC 7541, 6.3).
    pub(super) fn resize(&mut self, max: usize) {
        self.max = Some(max);
        self.evict(max.min(self.bound));
        if self.size + OVERHEAD > max {
            // No other entry fits beside the known ones.
            self.more = false;
        } else if max > self.bound {
            self.more = true;
        }
    }

    fn evict(&mut self, to: usize) {
        while self.size > to
            && let Some(last) = self.entries.pop_back()
        {
            self.size -= OVERHEAD + last.held();
        }
        self.trim();
    }

    /// Cuts off the texts of entries that are gone, when they are more than the rest: each byte is moved once at most
    /// for each byte that goes.
    fn trim(&mut self) {
        let dead = match self.entries.back() {
            Some(oldest) => (oldest.start - self.base) as usize,
            None => self.arena.len(),
        };
        if dead > DEFAULT_SIZE && dead >= self.arena.len() - dead {
            self.arena.drain(..dead);
            self.base += dead as u64;
        }
    }

    /// Inserts a field, of which parts may be unknown.
    pub(super) fn insert(&mut self, name: Part<'_>, value: Part<'_>) {
        let text = name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        let size = OVERHEAD + text;
        let room = self.max.unwrap_or(self.bound).min(self.bound);
        if size > room {
            // It empties the table and is not inserted (RFC 7541, 4.4); where only our own bound is too small, it is one
            // of the unknown ones from now on.
            self.clear();
            self.more = self.max.is_none_or(|max| size <= max);
            return;
        }
        let before = self.entries.len();
        self.evict(room - size);
        if self.entries.len() < before && self.max.is_none_or(|max| max > self.bound) {
            self.more = true;
        }
        let length = |part: Part<'_>| part.map_or(UNKNOWN, |part| part.len() as u32);
        let start = self.base + self.arena.len() as u64;
        self.entries.push_front(Entry { start, name: length(name), value: length(value) });
        self.arena.extend_from_slice(name.unwrap_or_default());
        self.arena.extend_from_slice(value.unwrap_or_default());
        self.size += size;
    }

    /// The field at an index: 1 to 61 are the static table's (RFC 7541, 2.3.3).
    #[inline]
    pub(super) fn get(&self, index: usize) -> Lookup<'_> {
        if let Some((name, value)) = STATIC.get(index.wrapping_sub(1)) {
            return Lookup::Field(Some(name.as_bytes()), Some(value.as_bytes()));
        }
        let Some(at) = index.checked_sub(STATIC.len() + 1) else { return Lookup::Nothing };
        let Some(entry) = self.entries.get(at) else {
            return if self.more { Lookup::Field(None, None) } else { Lookup::Nothing };
        };
        let start = (entry.start - self.base) as usize;
        let name_end = start + if entry.name == UNKNOWN { 0 } else { entry.name as usize };
        let name = if entry.name == UNKNOWN { None } else { self.arena.get(start..name_end) };
        let value = match entry.value {
            UNKNOWN => None,
            value => self.arena.get(name_end..name_end + value as usize),
        };
        Lookup::Field(name, value)
    }

    /// The entries as (name, value), newest first.
    #[cfg(test)]
    pub(super) fn all(&self) -> (Vec<(String, String)>, usize) {
        let text = |part: Part<'_>| part.map_or("?".to_owned(), |p| String::from_utf8_lossy(p).into_owned());
        let all = (0..self.entries.len()).map(|n| match self.get(n + STATIC.len() + 1) {
            Lookup::Field(name, value) => (text(name), text(value)),
            Lookup::Nothing => panic!("an entry"),
        });
        (all.collect(), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(n: usize) -> (Vec<u8>, Vec<u8>) {
        (format!("name{n}").into_bytes(), "v".repeat(n % 50).into_bytes())
    }

    #[test]
    fn text_of_gone_entries_goes() {
        let mut table = Table::new(1 << 16);
        for n in 0..10_000 {
            let (name, value) = field(n);
            table.insert(Some(&name), Some(&value));
            assert_eq!(table.get(62), Lookup::Field(Some(&name), Some(&value)));
            assert!(table.held() <= 8 * DEFAULT_SIZE, "{}", table.held());
        }
        let (all, size) = table.all();
        assert!(size <= DEFAULT_SIZE && size > DEFAULT_SIZE - 100);
        for (n, (name, _)) in all.iter().enumerate() {
            assert_eq!(name, &format!("name{}", 9_999 - n));
        }
        assert_eq!(table.get(62 + all.len()), Lookup::Nothing);
    }

    #[test]
    fn what_lies_beyond_the_bound_is_unknown_not_wrong() {
        let mut table = Table::new(1000);
        table.resize(1 << 20);
        for n in 0..100 {
            let (name, value) = field(n);
            table.insert(Some(&name), Some(&value));
        }
        let (name, value) = field(99);
        assert_eq!(table.get(62), Lookup::Field(Some(&name), Some(&value)));
        assert_eq!(table.get(62 + 60), Lookup::Field(None, None));
        // One that is larger than the bound takes its place all the same.
        table.insert(Some(b"big"), Some(&[b'x'; 2000]));
        assert_eq!(table.get(62), Lookup::Field(None, None));
        table.insert(Some(b"small"), Some(b""));
        assert_eq!(table.get(62), Lookup::Field(Some(b"small"), Some(b"")));
        assert_eq!(table.get(63), Lookup::Field(None, None));
        table.resize(0);
        assert_eq!(table.get(62), Lookup::Nothing);
    }

    #[test]
    fn too_large_an_entry_empties_the_table() {
        let mut table = Table::new(1 << 16);
        table.insert(Some(b"a"), Some(b"b"));
        table.insert(Some(b"big"), Some(&[b'x'; 5000]));
        assert_eq!(table.get(62), Lookup::Nothing);
        assert_eq!(table.all(), (Vec::new(), 0));
    }
}
