//! Frames from capture files.
//!
//! Takes paths of files and folders, and `-` for standard input; gives the frames of all of them in the order of their times. Files that
//! follow each other are read one after the other, those that overlap in time are merged frame by frame. Never reorders the
//! frames of one file.

pub(super) mod expand;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::PathBuf;

pub use expand::FILES_MAX;
use expand::Found;

use super::source::{self, Bytes, Count, Opened, Origin};
use super::{CaptureError, Filter};
use crate::base::{Oddities, Timestamp};
use crate::wire::Frame;
use crate::wire::file::{FileError, Reader, Secrets};

/// The most files open at a time. Each has a read buffer of half a MiB. Where more overlap in time, the later ones wait until one ends.
pub const OPEN_MAX: usize = 64;

/// The most warnings kept.
pub const WARNINGS_MAX: usize = 1000;

/// Files of a folder that are no captures: so many are named.
const LEFT_OUT_NAMED: usize = 3;

/// A file that is to be read.
struct Planned {
    /// Of its first frame.
    first: Timestamp,
    /// As given, so that equal times keep the order of the command line.
    order: usize,
    origin: Origin,
    raw_bytes: u64,
    /// Open already: standard input and pipes cannot be opened twice.
    open: Option<Box<Active>>,
}

/// A file that is being read.
struct Active {
    reader: Reader<Bytes>,
    count: Count,
    order: usize,
}

/// A file that waits for its turn, by the time of its next frame.
struct Waiting {
    next: (Timestamp, usize),
    active: Box<Active>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.next == other.next
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.next.cmp(&other.next)
    }
}

/// Captures, read as one.
///
/// ```no_run
/// # use shadowtap::capture::{CaptureError, files::Files};
/// # fn main() -> Result<(), CaptureError> {
/// let mut files = Files::open(&["captures/".into(), "extra.pcap.gz".into()])?;
/// while let Some(frame) = files.next()? {
///     println!("{}", frame.ts);
/// }
/// for warning in files.warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok(()) }
/// ```
pub struct Files {
    planned: VecDeque<Planned>,
    current: Option<Box<Active>>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The first frame that is not the current file's.
    horizon: (Timestamp, usize),
    filter: Option<Filter>,
    secrets: Option<Secrets>,
    files: usize,
    total_bytes: u64,
    done_bytes: u64,
    oddities: Oddities,
    warnings: Vec<String>,
}

/// Behind all frames.
const NEVER: (Timestamp, usize) = (Timestamp(u64::MAX), usize::MAX);

impl Files {
    /// Finds the files, and looks at the first frame of each.
    ///
    /// What lies in a folder and is no capture is left out, and one warning names it; what was named itself must be one.
    ///
    /// # Errors
    /// When a path cannot be opened, a file that was named is no capture, or there is nothing to read.
    pub fn open(paths: &[PathBuf]) -> Result<Self, CaptureError> {
        let found = expand::expand(paths)?;
        let mut files = Self {
            planned: VecDeque::new(),
            current: None,
            waiting: BinaryHeap::new(),
            horizon: NEVER,
            filter: None,
            secrets: None,
            files: 0,
            total_bytes: 0,
            done_bytes: 0,
            oddities: Oddities::default(),
            warnings: Vec::new(),
        };
        let single = found.len() == 1;
        let mut planned = Vec::new();
        let mut left_out = Vec::new();
        for (order, entry) in found.into_iter().enumerate() {
            let named = entry.named;
            match plan(order, entry, single) {
                Ok(plan) => {
                    files.total_bytes += plan.raw_bytes;
                    planned.push(plan);
                }
                Err(CaptureError::File(FileError::NotCapture { file, found, .. })) if !named => {
                    left_out.push(format!("{file}: {found}"));
                }
                Err(CaptureError::File(FileError::Empty { file })) if !named => left_out.push(format!("{file}: empty")),
                Err(e) if !named => files.warn(format!("{e}; left out")),
                Err(e) => return Err(e),
            }
        }
        if planned.is_empty() {
            let given: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            return Err(CaptureError::Nothing { given: given.join(", ") });
        }
        files.tell_left_out(&left_out);
        planned.sort_by_key(|p| (p.first, p.order));
        files.files = planned.len();
        files.planned = planned.into();
        Ok(files)
    }

    /// Lets only those frames through that pass a filter. The others are not counted as captured, as they would not be on an interface.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// Hands over TLS secrets that stand in the files, before the frames behind them.
    pub fn set_secrets(&mut self, to: Secrets) {
        for active in self.planned.iter_mut().filter_map(|planned| planned.open.as_mut()) {
            active.reader.set_secrets(to.clone());
        }
        self.secrets = Some(to);
    }

    /// The next frame; `None` when all files are read.
    ///
    /// # Errors
    /// When a file cannot be read to its end. What came before stands, and the next call goes on with the other files.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // it lends: an iterator cannot
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        // Nearly all frames are the next one of the file at hand.
        let ready = match &mut self.current {
            Some(current) if self.filter.is_none() => current.reader.ready(self.horizon.0),
            _ => None,
        };
        if let Some(ready) = ready {
            return Ok(self.current.as_mut().map(|c| c.reader.give(ready)));
        }
        if self.advance()? { Ok(self.current.as_mut().and_then(|c| c.reader.take())) } else { Ok(None) }
    }

    /// How many files are read in all.
    pub fn files(&self) -> usize {
        self.files
    }

    /// The file that the last frame came from.
    pub fn current(&self) -> Option<&str> {
        self.current.as_ref().map(|c| c.reader.name())
    }

    /// Bytes of all files as they lie on disk (compressed); standard input counts nothing.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Those of them that were read so far.
    pub fn bytes_read(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().map(|w| w.0.active.count.get()).sum();
        self.done_bytes + waiting + self.current.as_ref().map_or(0, |c| c.count.get())
    }

    /// What was wrong so far but did not stop reading: at most [`WARNINGS_MAX`].
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What was odd about the files that were read to their end.
    pub fn oddities(&self) -> &Oddities {
        &self.oddities
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }

    /// Folders of captures hold notes and tables, too: one line for all of them.
    fn tell_left_out(&mut self, left_out: &[String]) {
        if left_out.is_empty() {
            return;
        }
        let named = left_out.iter().take(LEFT_OUT_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        let more = match left_out.len().saturating_sub(LEFT_OUT_NAMED) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        let files =
            if left_out.len() == 1 { "1 file that is no capture was" } else { "files that are no captures were" };
        let count = if left_out.len() == 1 { String::new() } else { format!("{} ", left_out.len()) };
        self.warn(format!("{count}{files} left out ({named}{more})"));
    }

    /// Goes on until the current file's next frame is the one to give out. `false` at the end of all.
    #[inline(never)]
    fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            let Some(current) = &mut self.current else {
                if self.choose()? {
                    continue;
                }
                return Ok(false);
            };
            match current.reader.peek() {
                Ok(Some(ts)) if (ts, current.order) < self.horizon => {}
                Ok(Some(ts)) => {
                    self.switch(ts)?;
                    continue;
                }
                Ok(None) => {
                    self.close();
                    continue;
                }
                Err(e) => {
                    self.close();
                    return Err(e.into());
                }
            }
            let Some(filter) = &mut self.filter else { return Ok(true) };
            let Some(frame) = current.reader.peeked() else { return Ok(true) };
            match filter.passes(frame.link, frame.data) {
                Ok(true) => return Ok(true),
                Ok(false) => _ = current.reader.take(),
                Err(e) => {
                    self.close();
                    return Err(e);
                }
            }
        }
    }

    /// The current file has a frame at `ts`, and another file may have one before.
    #[cold]
    fn switch(&mut self, ts: Timestamp) -> Result<(), CaptureError> {
        if let Some(active) = self.current.take() {
            self.waiting.push(Reverse(Waiting { next: (ts, active.order), active }));
        }
        self.choose().map(|_| ())
    }

    /// Makes the file with the earliest frame the current one. `false` when there is none.
    #[cold]
    fn choose(&mut self) -> Result<bool, CaptureError> {
        loop {
            let earliest = self.waiting.peek().map_or(NEVER, |w| w.0.next);
            match self.planned.front() {
                Some(p) if (p.first, p.order) < earliest && self.waiting.len() < OPEN_MAX => {}
                _ => break,
            }
            let Some(mut planned) = self.planned.pop_front() else { break };
            let mut active = match planned.open.take() {
                Some(active) => active,
                None => open(planned.order, &planned.origin)?,
            };
            if let Some(secrets) = &self.secrets {
                active.reader.set_secrets(secrets.clone());
            }
            match active.reader.peek() {
                Ok(Some(ts)) => self.waiting.push(Reverse(Waiting { next: (ts, active.order), active })),
                Ok(None) => self.account(*active),
                Err(e) => {
                    self.account(*active);
                    return Err(e.into());
                }
            }
        }
        self.current = self.waiting.pop().map(|w| w.0.active);
        let waiting = self.waiting.peek().map_or(NEVER, |w| w.0.next);
        // With as many open as may be, the others wait for an end and not for their time.
        let planned = match self.planned.front() {
            Some(p) if self.waiting.len() + 1 < OPEN_MAX => (p.first, p.order),
            _ => NEVER,
        };
        self.horizon = waiting.min(planned);
        Ok(self.current.is_some())
    }

    #[cold]
    fn close(&mut self) {
        if let Some(active) = self.current.take() {
            self.account(*active);
        }
    }

    fn account(&mut self, mut active: Active) {
        self.done_bytes += active.count.get();
        self.oddities.merge(&active.reader.oddities);
        for warning in active.reader.take_warnings() {
            self.warn(warning.to_string());
        }
    }
}

fn open(order: usize, origin: &Origin) -> Result<Box<Active>, CaptureError> {
    let Opened { bytes, count, .. } = source::open(origin)?;
    let reader = Reader::open(&origin.name(), bytes)?;
    Ok(Box::new(Active { reader, count, order }))
}

/// Looks at a file. It is kept open only where it must be, or where it is the only one.
fn plan(order: usize, found: Found, single: bool) -> Result<Planned, CaptureError> {
    let mut active = open(order, &found.origin)?;
    let Found { origin, raw_bytes, .. } = found;
    if single || found.once {
        let first = active.reader.peek()?.unwrap_or_default();
        return Ok(Planned { first, order, origin, raw_bytes, open: Some(active) });
    }
    // A file that is broken from its first record on says so when its turn comes.
    let first = active.reader.peek().ok().flatten().unwrap_or_default();
    Ok(Planned { first, order, origin, raw_bytes, open: None })
}

#[cfg(test)]
mod tests;
