//! A sliding view of a byte source.
//!
//! Takes a [`Read`], gives the next bytes as one slice, filled by large reads. Copies only what a read left over. Never grows
//! beyond twice what was asked for at once.

use std::io::{self, ErrorKind, Read};

/// Bytes read at once. Large enough that system calls do not show, small enough to stay in the second-level cache.
const CAPACITY: usize = 512 << 10;

pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes at the start that were lent and are done with at the next call.
    lent: usize,
    /// Of the buffer's first byte.
    base: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CAPACITY], start: 0, end: 0, lent: 0, base: 0 }
    }

    /// What is there.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        // `start <= end <= buffer.len()` always holds; `get` spares the panic path.
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// File offset of the next byte that was not lent.
    pub(super) fn offset(&self) -> u64 {
        self.base + (self.start + self.lent) as u64
    }

    /// Done with what was lent.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        self.start += std::mem::take(&mut self.lent);
    }

    /// Lends `len` bytes from `from` on, of a record of `record` bytes. The record is gone at the next [`Window::settle`].
    #[inline(always)]
    pub(super) fn lend(&mut self, from: usize, len: usize, record: usize) -> &[u8] {
        self.lent = record;
        self.bytes().get(from..).and_then(|b| b.get(..len)).unwrap_or_default()
    }

    /// Drops `n` bytes that are there.
    #[inline(always)]
    pub(super) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.end - self.start);
        self.start += n;
    }

    /// Are there `n` bytes? Reads until there are, or the source has no more.
    #[inline(always)]
    pub(super) fn ensure(&mut self, n: usize) -> io::Result<bool> {
        if self.end - self.start >= n { Ok(true) } else { self.fill(n) }
    }

    #[cold]
    fn fill(&mut self, n: usize) -> io::Result<bool> {
        // Moved only for want of room: a caller that steps forward byte by byte at the end of a file asks in vain each time.
        if self.buffer.len() - self.start < n {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() < n {
                // Twice, so that such a caller does not move all of it at each step.
                self.buffer.resize(n * 2, 0);
            }
        }
        while self.end - self.start < n {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Drops `n` bytes, read already or not. Gives how many of them the source does not have.
    pub(super) fn skip(&mut self, n: usize) -> io::Result<usize> {
        let mut left = n;
        loop {
            let here = left.min(self.end - self.start);
            self.start += here;
            left -= here;
            if left == 0 || !self.ensure(1)? {
                return Ok(left);
            }
        }
    }
}
