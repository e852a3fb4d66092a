//! Lines on their way out, by the time of their requests.
//!
//! Takes finished lines nearly in order, gives them in order of request time as far as a bounded buffer reaches: where
//! packets were reordered or a hole was waited for, a request becomes readable after ones that were sent later. A writer
//! that fails stops it: the error is kept for whoever asks, and nothing more is written.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::base::Timestamp;

/// How many lines wait, and how many bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    lines: usize,
    bytes: usize,
}

impl Waiting {
    /// For files. A request behind a hole is read up to ten seconds late (twice as long as a hole is waited for): these
    /// are 13,000 requests a second, with lines of 500 bytes.
    pub(super) const SORTED: Self = Self { lines: 131_072, bytes: 64 << 20 };
    /// For a pipe that somebody watches: each line at once.
    pub(super) const AT_ONCE: Self = Self { lines: 0, bytes: 0 };
}

/// The way out.
pub(super) struct Lines<W> {
    to: W,
    most: Waiting,
    waiting: BinaryHeap<Reverse<(Timestamp, u64, String)>>,
    bytes: usize,
    taken: u64,
    /// The latest time written, and how many lines with an earlier one were written after it.
    latest: Timestamp,
    behind: u64,
    error: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(to: W, most: Waiting) -> Self {
        Self { to, most, waiting: BinaryHeap::new(), bytes: 0, taken: 0, latest: Timestamp(0), behind: 0, error: None }
    }

    /// Has writing failed?
    pub(super) fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Takes a line without its newline.
    pub(super) fn take(&mut self, ts: Timestamp, line: serde_json::Result<String>) {
        match line {
            Ok(mut line) => {
                line.push('\n');
                self.bytes += line.len();
                self.waiting.push(Reverse((ts, self.taken, line)));
                self.taken += 1;
                while self.waiting.len() > self.most.lines || self.bytes > self.most.bytes {
                    self.write();
                }
                if self.most.lines == 0 && self.error.is_none() {
                    self.error = self.to.flush().err();
                }
            }
            Err(error) => self.error = self.error.take().or(Some(error.into())),
        }
    }

    fn write(&mut self) {
        if let Some(Reverse((ts, _, line))) = self.waiting.pop() {
            self.behind += u64::from(ts < self.latest);
            self.latest = self.latest.max(ts);
            self.bytes -= line.len();
            if self.error.is_none() {
                self.error = self.to.write_all(line.as_bytes()).err();
            }
        }
    }

    /// Writes what waits; gives how many lines stand behind later ones, or the first error there was.
    pub(super) fn end(mut self) -> io::Result<u64> {
        while !self.waiting.is_empty() {
            self.write();
        }
        match self.error {
            Some(error) => Err(error),
            None => self.to.flush().map(|()| self.behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(most: Waiting, times: &[u64]) -> (String, u64) {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out, most);
        for t in times {
            lines.take(Timestamp(*t), Ok(t.to_string()));
        }
        let behind = lines.end().unwrap();
        (String::from_utf8(out).unwrap().replace('\n', " "), behind)
    }

    #[test]
    fn sorts_as_far_as_the_buffer_reaches() {
        assert_eq!(written(Waiting::SORTED, &[3, 1, 2]), ("1 2 3 ".to_owned(), 0));
        assert_eq!(written(Waiting { lines: 1, bytes: 100 }, &[3, 1, 4, 2]), ("1 3 2 4 ".to_owned(), 1));
        assert_eq!(written(Waiting { lines: 9, bytes: 4 }, &[3, 1, 2]), ("1 2 3 ".to_owned(), 0));
        assert_eq!(written(Waiting::AT_ONCE, &[3, 1, 2]), ("3 1 2 ".to_owned(), 2));
    }

    #[test]
    fn a_failing_writer_is_told_once() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut lines = Lines::new(Full, Waiting::AT_ONCE);
        lines.take(Timestamp(1), Ok("x".to_owned()));
        assert!(lines.failed());
        lines.take(Timestamp(2), Ok("y".to_owned()));
        assert_eq!(lines.end().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
