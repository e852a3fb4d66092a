//! Where plaintext lies.
//!
//! Takes records, gives room to open them in: a copy where a record lies in a segment, the buffer itself where it was joined
//! in one. That buffer serves again for the next record to be joined, whichever connection it is of. Never grows beyond
//! one record.

use super::record::{HEADER, Record};

/// A buffer with what was opened last.
#[derive(Debug, Default)]
pub struct Plain {
    bytes: Vec<u8>,
    /// What was opened begins here.
    from: usize,
}

impl Plain {
    /// The first `n` bytes of what was opened last, or all of it.
    pub fn text(&self, n: usize) -> &[u8] {
        let text = self.all();
        text.get(..n).unwrap_or(text)
    }

    /// All there is: behind the text, padding and the like.
    pub fn all(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    /// Forgets what was opened.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.from = 0;
    }

    /// A record's payload, to be opened here.
    pub(super) fn copy(&mut self, record: Record<'_>) -> &mut [u8] {
        self.clear();
        self.bytes.extend_from_slice(record.body);
        &mut self.bytes
    }

    /// The payload of the record that lies here with its header.
    pub(super) fn joined(&mut self) -> &mut [u8] {
        self.bytes.get_mut(HEADER..).unwrap_or_default()
    }

    /// What was opened begins `from` bytes behind the beginning of the payload given.
    pub(super) fn begins(&mut self, from: usize, joined: bool) {
        self.from = if joined { HEADER + from } else { from };
    }

    /// The buffer, to take over.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.from = 0;
        std::mem::take(&mut self.bytes)
    }

    /// The buffer, to join a record in.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.clear();
        &mut self.bytes
    }
}
