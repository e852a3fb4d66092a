//! Reading a store that someone else may have open.
//!
//! Takes a store's folder, gives the records of its logical snapshot and how fresh they are. A running daemon is asked
//! for a fresh one; a store that nobody has open is brought up to date where this user owns it; otherwise the last
//! snapshot is read as it is, with its age. Never writes as another user into the daemon's folder.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::control::{Request, ask};
use super::envelope::SCHEMA;
use super::lock::Lock;
use super::snapshot::{Reader, SnapshotError};
use super::{
    CONTROL_SOCKET, KEY_KEY, Layout, ObserveKey, Recovery, SENSOR_KEY, Sensor, Stamp, Store, StoreError,
    inventory_record,
};

/// How current what is read is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The running daemon has just written it.
    Live,
    /// Nobody has the store open, and it has everything that was committed.
    Complete,
    /// The last snapshot; what came after it is not in it. Why no better one could be had.
    Last(String),
}

/// A store opened for reading: one consistent state of it.
#[derive(Debug)]
pub struct ReadOnly {
    path: PathBuf,
    /// The very file that was checked: a newer snapshot under the same name does not get in between.
    file: File,
    stamp: Stamp,
    freshness: Freshness,
    sensor: Sensor,
    key: Option<ObserveKey>,
    recovery: Option<Recovery>,
}

impl ReadOnly {
    /// See [`Store::read_only`].
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        if !dir.is_dir() {
            return Err(StoreError::Absent { dir: dir.to_owned() });
        }
        let layout = Layout::of(dir);
        let (freshness, recovery) = match ask(dir, Request::Snapshot) {
            Ok(Some(_)) => (Freshness::Live, None),
            Ok(None) => bring_up_to_date(&layout)?,
            Err(e) => (Freshness::Last(e.to_string()), None),
        };
        let file = match File::open(&layout.snapshot) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Absent { dir: dir.to_owned() });
            }
            Err(e) => return Err(StoreError::io("open", &layout.snapshot)(e)),
        };
        let path = layout.snapshot;
        let mut reader = rewound(&file, &path)?;
        let stamp = reader.stamp();
        let (mut sensor, mut key) = (Sensor::default(), None);
        // The first pass proves the file whole, so that the second one cannot end in the middle.
        while let Some(record) = reader.next_record().map_err(|e| refused(&path, e))? {
            match record.key.as_slice() {
                SENSOR_KEY => {
                    sensor = serde_json::from_slice(&record.value)
                        .map_err(|e| StoreError::Snapshot { path: path.clone(), why: e.to_string() })?;
                }
                KEY_KEY => key = ObserveKey::try_from(record.value.as_slice()).ok(),
                _ => {}
            }
        }
        Ok(Self { path, file, stamp, freshness, sensor, key, recovery })
    }

    /// Each record as (key, value), in the order of the keys.
    pub fn records(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + '_ {
        let mut reader = Some(rewound(&self.file, &self.path));
        std::iter::from_fn(move || {
            loop {
                let next = match reader.as_mut()? {
                    Ok(good) => good.next_record().map_err(|e| refused(&self.path, e)),
                    Err(_) => {
                        let Some(Err(e)) = reader.take() else { return None };
                        return Some(Err(e));
                    }
                };
                match next {
                    Ok(Some(record)) => {
                        if let Some(record) = inventory_record(record.key, record.value) {
                            return Some(Ok(record));
                        }
                    }
                    Ok(None) => return None,
                    Err(e) => {
                        reader = None;
                        return Some(Err(e));
                    }
                }
            }
        })
    }

    /// How current it is.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Which commit, and when it was written.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The sensor's own record.
    pub fn sensor(&self) -> &Sensor {
        &self.sensor
    }

    /// The key of this installation's hashes.
    pub fn observe_key(&self) -> Option<ObserveKey> {
        self.key
    }

    /// What was found where the store had to be brought up to date first.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }
}

/// How a running daemon is, as its JSON object says; `None` where there is no daemon.
///
/// # Errors
/// [`StoreError::Control`] where it does not answer.
pub fn status(dir: &Path) -> Result<Option<String>, StoreError> {
    ask(dir, Request::Status)
}

/// No daemon answers: the snapshot may be older than the database.
fn bring_up_to_date(layout: &Layout) -> Result<(Freshness, Option<Recovery>), StoreError> {
    let dir = &layout.dir;
    if !layout.db.exists() && !layout.snapshot.exists() {
        return Err(StoreError::Absent { dir: dir.clone() });
    }
    let owner = fs::metadata(dir).map_err(StoreError::io("read", dir))?.uid();
    if owner != nix::unistd::geteuid().as_raw() {
        return Ok((Freshness::Last("the daemon is not running, and the store belongs to another user".into()), None));
    }
    match Lock::try_take(dir) {
        Ok(lock) => {
            let (mut store, recovery) = Store::open_locked(dir, lock)?;
            store.snapshot()?;
            Ok((Freshness::Complete, Some(recovery)))
        }
        Err(StoreError::Locked { pid, .. }) => {
            let pid = pid.map_or(String::new(), |p| format!(" by process {p}"));
            Ok((Freshness::Last(format!("it is open{pid}, and nothing answers on {CONTROL_SOCKET}")), None))
        }
        Err(StoreError::Io { source, .. }) => Ok((Freshness::Last(source.to_string()), None)),
        Err(e) => Err(e),
    }
}

fn rewound(file: &File, path: &Path) -> Result<Reader<BufReader<FileFromStart>>, StoreError> {
    let file = file.try_clone().map_err(StoreError::io("read", path))?;
    Reader::new(BufReader::with_capacity(256 << 10, FileFromStart { file, at: 0 })).map_err(|e| refused(path, e))
}

/// Reads a file from its start whatever other readers of the same description do.
struct FileFromStart {
    file: File,
    at: u64,
}

impl std::io::Read for FileFromStart {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let got = std::os::unix::fs::FileExt::read_at(&self.file, into, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

fn refused(path: &Path, e: SnapshotError) -> StoreError {
    match e {
        SnapshotError::Io(e) => StoreError::io("read", path)(e),
        SnapshotError::Newer(found) => {
            StoreError::Newer { dir: path.parent().unwrap_or(path).to_owned(), found, ours: SCHEMA }
        }
        SnapshotError::Damaged(why) => StoreError::Snapshot { path: path.to_owned(), why: why.to_owned() },
    }
}
