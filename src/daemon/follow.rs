//! A thread that follows a folder of capture files.
//!
//! Takes a folder that another program writes into, gives parcels: files in the order of their names, the last one as it
//! grows. A file is known by its inode and its first bytes, under whatever name, so that rotation by renaming does not
//! show it twice and one that is written anew is read anew. After an interruption (a kill, a power cut) it goes back to
//! where the oldest exchange began that was open at the last commit, and reads from there to where that commit was
//! without counting ([`REREAD`] says how far). Never changes a file.

use std::collections::{BTreeMap, VecDeque};
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
use crate::base::{Limits, Timestamp};
use crate::capture::files::Files;
use crate::config;
use crate::inventory::store::Cursor;
use crate::wire::Frame;
use crate::wire::file::{Reader, Secrets};

/// A pcap file header and the first record's: enough to tell two captures apart.
const FACE: usize = 40;
/// Files remembered beyond those that are there, so that a folder that is away for a while is not read again.
const REMEMBERED: usize = 10_000;
/// Frames between two looks at the clock and the channel.
const STRETCH: usize = 1024;

/// Marks kept of where reading could begin again: one for each [`STRETCH`]. An exchange that has been open for longer
/// than this many frames, a million, is lost by a kill.
const REREAD: usize = 1024;
/// What is not an exchange yet (a head in several segments, segments behind a hole) is this much younger than the last
/// frame at most, in times of how long a hole is waited for.
const MARGIN: u32 = 2;
/// How often it is looked what an interruption would need: that asks all open exchanges.
const NOTED: Duration = Duration::from_millis(200);
/// A compressed file that has not grown for so long is whole: it is written in one go.
const WRITTEN: Duration = Duration::from_secs(2);
/// Files whose growth is watched.
const WATCHED: usize = 10_000;

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
    /// The lengths of files that may be growing, and since when they have them.
    still: BTreeMap<String, (u64, Instant)>,
    stop: Arc<AtomicBool>,
    /// With nothing new for this long the flows of the files are let go.
    flow_idle: Duration,
    margin: Duration,
    marks: VecDeque<Mark>,
    /// Files that have to be read again in part, as far as was noted.
    needed: Vec<Arc<str>>,
    noted: Instant,
    /// The latest packet time.
    newest: Timestamp,
}

/// A place where reading could begin again.
struct Mark {
    file: Arc<str>,
    records: u64,
    /// All frames before it are this old or older.
    before: Timestamp,
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
        limits: &Limits,
    ) -> Result<Self, globset::Error> {
        let names = Glob::new(&folder.pattern)?.compile_matcher();
        Ok(Self {
            folder,
            names,
            known,
            open: None,
            still: BTreeMap::new(),
            stop,
            flow_idle: Duration::from_secs(limits.flow_idle_seconds),
            margin: Duration::from_secs(limits.gap_seconds) * MARGIN,
            marks: VecDeque::new(),
            needed: Vec::new(),
            noted: Instant::now(),
            newest: Timestamp::default(),
        })
    }

    pub(super) fn follow(mut self, mut way: Way) -> Result<(), FolderError> {
        let mut failing = false;
        if let Err(e) = self.read_again(&mut way) {
            warn!(folder = %self.folder.path.display(), error = %e, "what was open at the last commit cannot be read again");
        }
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
            if !self.come_around(&mut way) || self.rest() {
                break Ok(());
            }
        };
        way.close();
        self.note_needed(&mut way);
        way.finish();
        ended
    }

    /// Reads again what an interrupted run needs of the files that it had read, without counting it.
    fn read_again(&mut self, way: &mut Way) -> io::Result<()> {
        if self.known.values().all(|c| c.back == 0) {
            return Ok(());
        }
        let mut entries: Vec<_> = self.look()?.into_iter().filter(|e| self.back(&e.id) > 0).collect();
        // In the order in which they were read.
        entries.sort_by_key(|e| self.known.get(&e.id).map(|c| c.seen));
        way.read_again();
        for entry in &entries {
            let Some(cursor) = self.known.get(&entry.id).copied() else { continue };
            let skipped = cursor.records.saturating_sub(cursor.back);
            let opened = Open::new(entry, way.secrets()).and_then(|mut open| open.skip(skipped).map(|()| open));
            match opened {
                Ok(mut open) => {
                    let mut records = skipped;
                    while records < cursor.records && !self.stopped() {
                        let most = (cursor.records - records).min(STRETCH as u64);
                        self.mark(&entry.id, records);
                        let (read, _) = self.stretch(&mut open, most, way);
                        records += read;
                        // Nothing is sent yet.
                        way.come_around();
                        if read < most {
                            break;
                        }
                    }
                    info!(file = %entry.path.display(), records = cursor.back, "read again what was open at the last commit");
                    self.open = (cursor.read_to == 0).then_some(open);
                }
                Err(why) => warn!(file = %entry.path.display(), error = why, "what was open cannot be read again"),
            }
        }
        way.in_step();
        way.read_on();
        Ok(())
    }

    fn back(&self, id: &str) -> u64 {
        self.known.get(id).map_or(0, |c| c.back)
    }

    /// Notes that reading could begin again here.
    fn mark(&mut self, id: &str, records: u64) {
        let last = self.marks.back();
        if last.is_some_and(|m| *m.file == *id && m.records == records) {
            return;
        }
        let file = last.filter(|m| *m.file == *id).map_or_else(|| Arc::from(id), |m| m.file.clone());
        if !self.needed.iter().any(|n| **n == *id) {
            self.needed.push(file.clone());
        }
        self.marks.push_back(Mark { file, records, before: self.newest });
        if self.marks.len() > REREAD {
            self.marks.pop_front();
        }
    }

    /// Hands on up to so many frames; gives how many there were, and what was wrong with the next one.
    fn stretch(&mut self, open: &mut Open, most: u64, way: &mut Way) -> (u64, Option<String>) {
        let mut read = 0;
        while read < most {
            match open.frames.next() {
                Ok(Some(frame)) => {
                    self.newest = self.newest.max(frame.ts);
                    way.frame(&frame);
                    read += 1;
                }
                Ok(None) => break,
                Err(why) => return (read, Some(why)),
            }
        }
        (read, None)
    }

    fn come_around(&mut self, way: &mut Way) -> bool {
        // In between the cursors say to go back further than needed, never less far.
        if way.is_due() && self.noted.elapsed() >= NOTED {
            self.noted = Instant::now();
            self.note_needed(way);
        }
        way.come_around()
    }

    /// Notes with the cursors how far a run after this one has to go back.
    fn note_needed(&mut self, way: &mut Way) {
        match way.needed(self.margin) {
            Some(from) => {
                while self.marks.get(1).is_some_and(|next| next.before < from) {
                    self.marks.pop_front();
                }
            }
            None => self.marks.clear(),
        }
        let first = self.marks.front().map(|m| (m.file.clone(), m.records));
        let at = first.as_ref().and_then(|(file, _)| self.needed.iter().position(|n| n == file));
        for (n, id) in std::mem::take(&mut self.needed).into_iter().enumerate() {
            let Some(mut cursor) = self.known.get(&*id).copied() else { continue };
            let back = match (&first, at) {
                (Some((_, records)), Some(at)) if n == at => cursor.records.saturating_sub(*records),
                (Some(_), Some(at)) if n > at => cursor.records,
                _ => 0,
            };
            if cursor.back != back {
                cursor.back = back;
                self.put(way, &id, cursor);
            }
            if self.marks.iter().any(|m| m.file == id) {
                self.needed.push(id);
            }
        }
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
            let rest = Duration::from_secs(self.folder.finished_seconds);
            let finished = match entry.packed {
                true => self.has_come_to_rest(entry, rest.min(WRITTEN)),
                false => n < last || self.has_come_to_rest(entry, rest),
            };
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
                    let cursor = self.known.get(&entry.id).copied().unwrap_or_default();
                    self.put(way, &entry.id, Cursor { read_to: entry.len, seen: now(), ..cursor });
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

    fn has_come_to_rest(&mut self, entry: &Entry, rest: Duration) -> bool {
        if self.still.get(&entry.id).is_none_or(|(len, _)| *len != entry.len) {
            if self.still.len() >= WATCHED {
                self.still.pop_first();
            }
            self.still.insert(entry.id.clone(), (entry.len, Instant::now()));
        }
        let watched = self.still.get(&entry.id).map_or(Duration::ZERO, |(_, since)| since.elapsed());
        // The file's own time says it after a restart, ours where its clock is ahead.
        let at_rest = entry.modified.elapsed().unwrap_or_default().max(watched) >= rest;
        if at_rest {
            self.still.remove(&entry.id);
        }
        at_rest
    }

    fn read(&mut self, entry: &Entry, cursor: Cursor, finished: bool, way: &mut Way) -> Came {
        let mut records = cursor.records;
        let mut open = match self.open.take().filter(|o| o.id == entry.id) {
            Some(open) => open,
            // What was read and committed before: passed over, not read again.
            None => match Open::new(entry, way.secrets()).and_then(|mut open| open.skip(records).map(|()| open)) {
                Ok(open) => open,
                Err(why) => return Came::Broke(why),
            },
        };
        if let (Frames::Plain(reader), true) = (&mut open.frames, finished) {
            reader.set_growing(false);
        }
        let came = loop {
            self.mark(&entry.id, records);
            let (read, wrong) = self.stretch(&mut open, STRETCH as u64, way);
            records += read;
            if read > 0 {
                way.in_step();
            }
            let back = self.back(&entry.id) + read;
            self.put(way, &entry.id, Cursor { records, read_to: 0, back, seen: now() });
            if !self.come_around(way) || self.stopped() {
                break Came::Stopped;
            }
            if let Some(why) = wrong {
                open.settle(way);
                return Came::Broke(why);
            }
            if read < STRETCH as u64 {
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
    fn new(entry: &Entry, secrets: Secrets) -> Result<Self, String> {
        let frames = if entry.packed {
            let mut files = Files::open(std::slice::from_ref(&entry.path)).map_err(|e| e.to_string())?;
            files.set_secrets(secrets);
            Frames::Packed(Box::new(files))
        } else {
            let file = File::open(&entry.path).map_err(|e| e.to_string())?;
            let mut reader = Reader::open(&entry.path.display().to_string(), file).map_err(|e| e.to_string())?;
            reader.set_growing(true);
            reader.set_secrets(secrets);
            Frames::Plain(Box::new(reader))
        };
        Ok(Self { id: entry.id.clone(), frames })
    }

    /// Passes over so many records.
    fn skip(&mut self, records: u64) -> Result<(), String> {
        for _ in 0..records {
            if self.frames.next()?.is_none() {
                break;
            }
        }
        Ok(())
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
