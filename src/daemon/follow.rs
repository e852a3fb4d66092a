//! A thread that follows a folder of capture files.
//!
//! Takes a folder that another program writes into, gives parcels: files in the order of their names, the last one as it
//! grows. A file is known by its inode and its first bytes, under whatever name, so that rotation by renaming does not
//! show it twice and one that is written anew is read anew. Never changes a file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use globset::{Glob, GlobMatcher};
use tracing::{info, warn};

use super::parcel::Way;
use crate::capture::files::Files;
use crate::config;
use crate::inventory::store::Cursor;
use crate::wire::Frame;
use crate::wire::file::Reader;

/// A pcap file header and the first record's: enough to tell two captures apart.
const FACE: usize = 40;
/// Files remembered beyond those that are there, so that a folder that is away for a while is not read again.
const REMEMBERED: usize = 10_000;
/// Frames between two looks at the clock and the channel.
const STRETCH: usize = 1024;

/// What ends a follower.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder {}: {source}", path.display())]
pub(super) struct FolderError {
    path: PathBuf,
    source: io::Error,
}

/// The follower.
pub(super) struct Follower {
    folder: config::Folder,
    names: GlobMatcher,
    known: BTreeMap<String, Cursor>,
    open: Option<Open>,
    /// The last file's length and since when it has it.
    still: (String, u64, Instant),
    stop: Arc<AtomicBool>,
    /// With nothing new for this long the flows of the files are let go.
    flow_idle: Duration,
}

/// A file in the folder.
struct Entry {
    path: PathBuf,
    id: String,
    len: u64,
    modified: SystemTime,
    packed: bool,
}

/// The file that is being read.
struct Open {
    id: String,
    frames: Frames,
}

enum Frames {
    Plain(Box<Reader<File>>),
    Packed(Box<Files>),
}

/// How reading a file ended for now.
enum Came {
    /// To the end of what is there.
    ToTheEnd,
    /// The daemon stops.
    Stopped,
    /// The rest cannot be read, and why.
    Broke(String),
}

impl Follower {
    pub(super) fn new(
        folder: config::Folder,
        known: BTreeMap<String, Cursor>,
        stop: Arc<AtomicBool>,
        flow_idle: Duration,
    ) -> Result<Self, globset::Error> {
        let names = Glob::new(&folder.pattern)?.compile_matcher();
        let still = (String::new(), 0, Instant::now());
        Ok(Self { folder, names, known, open: None, still, stop, flow_idle })
    }

    pub(super) fn follow(mut self, mut way: Way) -> Result<(), FolderError> {
        let mut failing = false;
        let ended = loop {
            match self.pass(&mut way) {
                Ok(true) => failing = false,
                Ok(false) => break Ok(()),
                // A folder may be away for a moment (a network mount); one that never was there is an error.
                Err(source) if !failing && self.known.is_empty() && !self.folder.path.exists() => {
                    break Err(FolderError { path: self.folder.path.clone(), source });
                }
                Err(e) => {
                    if !failing {
                        warn!(folder = %self.folder.path.display(), error = %e, "the folder cannot be read; trying on");
                    }
                    failing = true;
                }
            }
            way.idle(self.flow_idle);
            if !way.come_around() || self.rest() {
                break Ok(());
            }
        };
        way.finish();
        ended
    }

    /// Waits for the next look; `true` when the daemon stops.
    fn rest(&self) -> bool {
        let until = Instant::now() + Duration::from_millis(self.folder.poll_milliseconds);
        loop {
            if self.stopped() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reads all that is there; `false` when the daemon stops.
    fn pass(&mut self, way: &mut Way) -> io::Result<bool> {
        let entries = self.look()?;
        let last = entries.len().saturating_sub(1);
        for (n, entry) in entries.iter().enumerate() {
            let cursor = self.known.get(&entry.id).copied().unwrap_or_default();
            if cursor.read_to >= entry.len && cursor.read_to > 0 {
                continue;
            }
            let finished = n < last || self.has_come_to_rest(entry);
            if entry.packed && !finished {
                continue;
            }
            if cursor.read_to > 0 {
                info!(file = %entry.path.display(), "the file has grown since it was finished; reading on");
            }
            match self.read(entry, cursor, finished, way) {
                Came::Stopped => return Ok(false),
                Came::ToTheEnd if !finished => {}
                came => {
                    if let Came::Broke(why) = came {
                        warn!(file = %entry.path.display(), error = why, "the rest of the file was not read");
                    }
                    self.open = None;
                    let records = self.known.get(&entry.id).map_or(0, |c| c.records);
                    self.put(way, &entry.id, Cursor { records, read_to: entry.len, seen: now() });
                }
            }
        }
        self.forget(&entries, way);
        Ok(true)
    }

    fn look(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder.path)? {
            let path = entry?.path();
            let fits = path.file_name().is_some_and(|name| self.names.is_match(Path::new(name)));
            // A file may be gone by now, and one without a header is not yet a capture.
            if let (true, Ok(Some(entry))) = (fits, Entry::of(path)) {
                entries.push(entry);
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn has_come_to_rest(&mut self, entry: &Entry) -> bool {
        if (self.still.0.as_str(), self.still.1) != (entry.id.as_str(), entry.len) {
            self.still = (entry.id.clone(), entry.len, Instant::now());
        }
        // The file's own time says it after a restart, ours where its clock is ahead.
        let unchanged = entry.modified.elapsed().unwrap_or_default().max(self.still.2.elapsed());
        unchanged >= Duration::from_secs(self.folder.finished_seconds)
    }

    fn read(&mut self, entry: &Entry, cursor: Cursor, finished: bool, way: &mut Way) -> Came {
        let mut records = cursor.records;
        let mut open = match self.open.take().filter(|o| o.id == entry.id) {
            Some(open) => open,
            None => match Open::new(entry) {
                Ok(mut open) => {
                    // What was read and committed before: passed over, not read again.
                    for _ in 0..records {
                        match open.frames.next() {
                            Ok(Some(_)) => {}
                            Ok(None) => break,
                            Err(why) => return Came::Broke(why),
                        }
                    }
                    open
                }
                Err(why) => return Came::Broke(why),
            },
        };
        if let (Frames::Plain(reader), true) = (&mut open.frames, finished) {
            reader.set_growing(false);
        }
        let came = loop {
            let mut more = true;
            for _ in 0..STRETCH {
                match open.frames.next() {
                    Ok(Some(frame)) => {
                        way.frame(&frame);
                        records += 1;
                    }
                    Ok(None) => {
                        more = false;
                        break;
                    }
                    Err(why) => {
                        self.put(way, &entry.id, Cursor { records, ..cursor });
                        open.settle(way);
                        return Came::Broke(why);
                    }
                }
            }
            way.in_step();
            self.put(way, &entry.id, Cursor { records, read_to: 0, seen: now() });
            if !way.come_around() || self.stopped() {
                break Came::Stopped;
            }
            if !more {
                break Came::ToTheEnd;
            }
        };
        if finished {
            open.settle(way);
        }
        self.open = Some(open);
        came
    }

    /// Notes how far a file was read, for the next parcel.
    fn put(&mut self, way: &mut Way, id: &str, cursor: Cursor) {
        self.known.insert(id.to_owned(), cursor);
        match way.cursors.last_mut().filter(|(last, _)| last == id) {
            Some(last) => last.1 = Some(cursor),
            None => way.cursors.push((id.to_owned(), Some(cursor))),
        }
    }

    /// Forgets the files that have been gone for longest.
    fn forget(&mut self, there: &[Entry], way: &mut Way) {
        let spare = self.known.len().saturating_sub(there.len() + REMEMBERED);
        if spare == 0 {
            return;
        }
        let mut gone: Vec<_> = self.known.iter().map(|(id, cursor)| (cursor.seen, id.clone())).collect();
        gone.retain(|(_, id)| there.iter().all(|e| e.id != *id));
        gone.sort_unstable();
        for (_, id) in gone.into_iter().take(spare) {
            self.known.remove(&id);
            way.cursors.push((id, None));
        }
    }
}

impl Entry {
    /// `None`: not a regular file, or too short to be told apart from others.
    fn of(path: PathBuf) -> io::Result<Option<Self>> {
        let mut file = File::open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() < FACE as u64 {
            return Ok(None);
        }
        let mut face = [0; FACE];
        file.read_exact(&mut face)?;
        let packed = face.starts_with(&[0x1f, 0x8b]) || face.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let id = format!("{:x}-{:x}-{:08x}", metadata.dev(), metadata.ino(), crc32fast::hash(&face));
        Ok(Some(Self { path, id, len: metadata.len(), modified: metadata.modified()?, packed }))
    }
}

impl Open {
    fn new(entry: &Entry) -> Result<Self, String> {
        let frames = if entry.packed {
            Frames::Packed(Box::new(Files::open(std::slice::from_ref(&entry.path)).map_err(|e| e.to_string())?))
        } else {
            let file = File::open(&entry.path).map_err(|e| e.to_string())?;
            let mut reader = Reader::open(&entry.path.display().to_string(), file).map_err(|e| e.to_string())?;
            reader.set_growing(true);
            Frames::Plain(Box::new(reader))
        };
        Ok(Self { id: entry.id.clone(), frames })
    }

    /// The file is read to its end: its oddities and remarks are handed on.
    fn settle(&mut self, way: &mut Way) {
        match &mut self.frames {
            Frames::Plain(reader) => {
                way.file_oddities.merge(&std::mem::take(&mut reader.oddities));
                for remark in reader.take_warnings() {
                    warn!("{remark}");
                }
            }
            Frames::Packed(files) => {
                way.file_oddities.merge(files.oddities());
                for remark in files.warnings() {
                    warn!("{remark}");
                }
            }
        }
    }
}

impl Frames {
    fn next(&mut self) -> Result<Option<Frame<'_>>, String> {
        match self {
            Self::Plain(reader) => reader.next().map_err(|e| e.to_string()),
            Self::Packed(files) => files.next().map_err(|e| e.to_string()),
        }
    }
}

/// Seconds since 1970 by the wall clock.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
