//! Frames from a folder that another program captures into.
//!
//! Takes a folder (or one file) that `dumpcap -b`, `tcpdump -G` or the like writes, gives frames as they arrive: finished files to their
//! end, the newest one as it grows, in the order of their first frames. Remembers how far it came as a [`Cursor`] that survives a
//! restart. Never waits: when there is nothing new it says so, and the caller comes back later.

mod cursor;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

pub use cursor::Cursor;
use cursor::{Position, Stamp};

use super::files::expand;
use super::source::{self, Bytes, Count, Opened, Origin};
use super::{CaptureError, Filter};
use crate::base::{Oddities, Oddity, Timestamp};
use crate::wire::Frame;
use crate::wire::file::{FileError, Reader};

/// The most warnings kept until they are taken.
const WARNINGS_MAX: usize = 1000;

/// The file that is being read.
struct Current {
    name: String,
    path: PathBuf,
    reader: Reader<Bytes>,
    count: Count,
    first: Timestamp,
    stamp: Stamp,
    /// A later file is there, so this one is complete; what could still be read of it has been asked for once more.
    closing: bool,
}

/// A folder that is followed.
pub struct Follow {
    root: PathBuf,
    cursor: Cursor,
    current: Option<Box<Current>>,
    /// Files with frames to read, by the time of the first one and by name.
    queue: BTreeMap<(Timestamp, String), PathBuf>,
    /// Files that have no readable frame, as they were when that was found out.
    barren: HashMap<PathBuf, Stamp>,
    /// Compressed files, as they were at the last look: while they are written they cannot be read.
    settling: HashMap<PathBuf, Stamp>,
    filter: Option<Filter>,
    oddities: Oddities,
    warnings: Vec<String>,
}

impl Follow {
    /// Follows `root` from where `cursor` stands; from its oldest file on with an empty one.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn open(root: &Path, cursor: Cursor) -> Result<Self, CaptureError> {
        let mut follow = Self {
            root: root.to_owned(),
            cursor,
            current: None,
            queue: BTreeMap::new(),
            barren: HashMap::new(),
            settling: HashMap::new(),
            filter: None,
            oddities: Oddities::default(),
            warnings: Vec::new(),
        };
        follow.look()?;
        Ok(follow)
    }

    /// Lets only those frames through that pass a filter.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// The next frame; `None` when there is none yet: to be asked again later, every second or so.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a file cannot be read to its end. The next call goes on with the other files.
    #[inline]
    #[allow(clippy::should_implement_trait)] // it lends: an iterator cannot
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.advance()? { Ok(self.current.as_mut().and_then(|c| c.reader.take())) } else { Ok(None) }
    }

    /// How far reading has come: all frames given out so far, and none of those to come. To be kept together with what was made of them.
    pub fn cursor(&self) -> Cursor {
        let mut cursor = self.cursor.clone();
        if let Some(c) = &self.current {
            cursor.set(c.name.clone(), c.position(false));
        }
        cursor
    }

    /// The file that is being read.
    pub fn current(&self) -> Option<&Path> {
        self.current.as_ref().map(|c| c.path.as_path())
    }

    /// Files that wait to be read: more than one or two mean that reading falls behind.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What was odd about the files that were read to their end.
    pub fn oddities(&self) -> &Oddities {
        &self.oddities
    }

    /// Hands over what was wrong since the last call but did not stop reading.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }

    /// Goes on until the current file's next frame can be given out. `false` when there is none yet.
    #[inline]
    fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            let Some(current) = &mut self.current else {
                if !self.begin()? {
                    return Ok(false);
                }
                continue;
            };
            match current.reader.peek() {
                Ok(Some(_)) => {}
                Ok(None) => {
                    if !self.at_end()? {
                        return Ok(false);
                    }
                    continue;
                }
                Err(e) => {
                    self.finish();
                    return Err(e.into());
                }
            }
            let Some(filter) = &mut self.filter else { return Ok(true) };
            let Some(frame) = current.reader.peeked() else { return Ok(true) };
            if filter.passes(frame.link, frame.data)? {
                return Ok(true);
            }
            current.reader.take();
        }
    }

    /// The current file has no more for now. `true` when it is worth asking on.
    #[cold]
    fn at_end(&mut self) -> Result<bool, CaptureError> {
        self.look()?;
        let Some(current) = &mut self.current else { return Ok(false) };
        let shrunk = fs::metadata(&current.path).is_ok_and(|m| m.len() < current.count.get());
        if shrunk {
            let warning = format!("{}: overwritten while it was read; reading starts again", current.path.display());
            self.warn(warning);
            self.finish();
            return Ok(true);
        }
        if self.queue.is_empty() && !current.stamp.compressed {
            return Ok(false);
        }
        if current.closing || current.stamp.compressed {
            self.finish();
        } else {
            // What was written between the last read and the start of the next file.
            current.closing = true;
        }
        Ok(true)
    }

    /// Opens the next file. `false` when there is none.
    #[cold]
    fn begin(&mut self) -> Result<bool, CaptureError> {
        if self.queue.is_empty() {
            self.look()?;
        }
        let Some(((first, name), path)) = self.queue.pop_first() else { return Ok(false) };
        let (mut reader, count, stamp) = match open(&path) {
            Ok(opened) => opened,
            // Deleted between the look and now: a ring that goes faster than we do.
            Err(CaptureError::Path { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                self.warn(format!("{}: deleted before it was read", path.display()));
                return Ok(true);
            }
            Err(e) => return Err(e),
        };
        reader.set_growing(!stamp.compressed);
        if let Some(known) = self.cursor.get(&name).filter(|p| p.first == first) {
            reader.skip_to(known.offset)?;
        }
        self.current = Some(Box::new(Current { name, path, reader, count, first, stamp, closing: false }));
        Ok(true)
    }

    /// Done with the current file.
    fn finish(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        let rest = current.reader.buffered();
        self.oddities.merge(&current.reader.oddities);
        for warning in current.reader.take_warnings() {
            self.warn(warning.to_string());
        }
        if rest > 0 {
            self.oddities.bump(Oddity::FileCutShort);
            self.warn(format!(
                "{}: at byte {}: the file ends inside a record; all before it was read",
                current.path.display(),
                current.reader.offset()
            ));
        }
        // As it was read to its end, so that it is taken up again should it grow after all.
        let read = current.count.get();
        current.stamp = match fs::metadata(&current.path).map(|m| Stamp::of(&m)) {
            Ok(now) if now.len == read => Stamp { compressed: current.stamp.compressed, ..now },
            _ => Stamp { len: read, ..current.stamp },
        };
        let position = current.position(true);
        self.cursor.set(current.name, position);
    }

    /// Looks for files that have something to read.
    fn look(&mut self) -> Result<(), CaptureError> {
        let found = expand::expand(std::slice::from_ref(&self.root))?;
        let mut names = Vec::with_capacity(found.len());
        for entry in found {
            let Origin::File(path) = entry.origin else { continue };
            let name = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
            names.push(name.clone());
            let Ok(meta) = fs::metadata(&path) else { continue };
            let stamp = Stamp::of(&meta);
            let reading = self.current.as_ref().is_some_and(|c| c.name == name);
            if reading || self.barren.get(&path) == Some(&stamp) || self.queue.values().any(|p| *p == path) {
                continue;
            }
            if self.cursor.get(&name).is_some_and(|p| p.done && p.stamp.same(&stamp)) {
                continue;
            }
            self.consider(name, path, stamp);
        }
        self.cursor.retain(&names, self.current.as_ref().map(|c| c.name.as_str()));
        self.barren.retain(|path, _| path.exists());
        self.settling.retain(|path, _| path.exists());
        Ok(())
    }

    /// Puts a file into the queue if it has something that was not read before.
    fn consider(&mut self, name: String, path: PathBuf, stamp: Stamp) {
        let (first, compressed) = match open(&path).and_then(|(mut r, _, s)| Ok((r.peek()?, s.compressed))) {
            Ok((Some(first), compressed)) => (first, compressed),
            // Nothing in it yet, perhaps: looked at again when it has changed.
            Ok((None, _)) | Err(CaptureError::File(FileError::Empty { .. } | FileError::Read { .. })) => {
                self.barren.insert(path, stamp);
                return;
            }
            Err(e) => {
                // A header that is half written is not worth a word.
                if stamp.len >= 24 {
                    self.warn(format!("{e}; left out"));
                }
                self.barren.insert(path, stamp);
                return;
            }
        };
        if compressed {
            // Half a compressed file cannot be told from a damaged one, so it must have stayed the same between two looks.
            if self.settling.insert(path.clone(), stamp) != Some(stamp) {
                return;
            }
            self.settling.remove(&path);
            // `tcpdump -z gzip`: what was read before it was compressed counts. Offsets are of what was compressed.
            if let Some(plain) = self.cursor.uncompressed(&name).filter(|p| p.first == first).copied() {
                if !plain.done && self.root.join(cursor::stem(&name)).exists() {
                    return;
                }
                self.cursor.set(name.clone(), Position { stamp: Stamp { compressed, ..stamp }, ..plain });
                if plain.done {
                    return;
                }
            }
        }
        let known = self.cursor.get(&name).copied();
        if let Some(position) = known.filter(|p| p.first == first) {
            if compressed && position.done {
                return;
            }
            self.cursor.set(name.clone(), Position { done: false, ..position });
        } else {
            self.cursor.forget(&name);
        }
        self.queue.insert((first, name), path);
    }
}

impl Current {
    fn position(&self, done: bool) -> Position {
        Position { first: self.first, offset: self.reader.offset(), stamp: self.stamp, done }
    }
}

fn open(path: &Path) -> Result<(Reader<Bytes>, Count, Stamp), CaptureError> {
    let mut stamp = Stamp::of(&fs::metadata(path).map_err(|e| CaptureError::path(path, e))?);
    let origin = Origin::File(path.to_owned());
    let Opened { bytes, count, compressed } = source::open(&origin)?;
    stamp.compressed = compressed;
    Ok((Reader::open(&origin.name(), bytes)?, count, stamp))
}

#[cfg(test)]
mod tests;
