//! The store: what is known, kept on disk. The only module below floor 8 that touches files.
//!
//! Takes records that changed, gives them back after a restart. What [`Store::commit`] has acknowledged survives
//! `kill -9` and a power cut; what damage costs all the same is said, never hidden. Never looks into a record.
//!
//! # In the folder (0700, files 0600)
//!
//! | name | what |
//! |---|---|
//! | `db/` | sled 0.34: one tree, one atomic batch a commit, synced before it is acknowledged |
//! | `head` | number of the last acknowledged commit: shows a database that came back too old |
//! | `snapshot` | all records in a form of its own, whole or not at all: what a damaged database is rebuilt from, and what readers read |
//! | `lock` | one writer; holds its process id |
//! | `control.sock` | the daemon's: asks it to write a fresh snapshot |
//! | `db.damaged-<n>/` | databases set aside, the last three |
//!
//! # How damage is seen
//!
//! Each value carries a checksum over itself and its key, and the number of the commit that wrote it. Each commit also
//! rewrites a head record with the number of records and a sum over (key, commit), so that a missing or stale record
//! shows even where all checksums are right, and `head` beside the database shows one that lost its end.

mod control;
mod db;
mod envelope;
mod error;
pub mod forms;
mod head;
mod lock;
mod reader;
mod recovery;
mod restored;
mod sensor;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use control::{CONTROL_SOCKET, Reply, Request};
pub use envelope::SCHEMA;
pub use error::StoreError;
pub use reader::{Freshness, ReadOnly, status};
pub use recovery::{Damage, Recovery};
pub use restored::{Restored, RestoredError, restore};
pub use sensor::{Cursor, Interval, Routed, Sensor};
pub use snapshot::Stamp;

use self::db::Db;
use self::envelope::Kind;
use self::head::HeadFile;
use self::lock::Lock;
use self::snapshot::Record;
use super::Change;

/// Key of the observe floor's hashes.
pub type ObserveKey = [u8; 16];

/// First byte of an inventory record's key in the database; the store's own records have other ones.
const RECORD_PREFIX: u8 = b'r';
const HEAD_KEY: &[u8] = b"h";
const KEY_KEY: &[u8] = b"mkey";
const SENSOR_KEY: &[u8] = b"msensor";

/// Bytes of values in one batch while a database is rebuilt.
const REBUILD_BATCH: usize = 8 << 20;

/// Where things are in a store's folder.
#[derive(Clone, Debug)]
struct Layout {
    dir: PathBuf,
    db: PathBuf,
    head: PathBuf,
    snapshot: PathBuf,
}

impl Layout {
    fn of(dir: &Path) -> Self {
        let at = |name: &str| dir.join(name);
        Self { dir: dir.to_owned(), db: at("db"), head: at("head"), snapshot: at("snapshot") }
    }
}

/// The database's word on itself, in its head record: how many records and a sum over which commit wrote each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    commit: u64,
    count: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, key: &[u8], commit: u64) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(weight(key, commit));
    }

    fn take(&mut self, key: &[u8], commit: u64) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(weight(key, commit));
    }

    fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.count.to_le_bytes());
        out[8..].copy_from_slice(&self.sum.to_le_bytes());
        out
    }

    fn decode(commit: u64, bytes: &[u8]) -> Option<Self> {
        let (count, sum) = bytes.split_first_chunk::<8>()?;
        let sum = sum.first_chunk::<8>()?;
        Some(Self { commit, count: u64::from_le_bytes(*count), sum: u64::from_le_bytes(*sum) })
    }
}

/// FNV-1a of 64 bits: fixed for good, unlike the hashers of libraries.
fn weight(key: &[u8], commit: u64) -> u64 {
    key.iter()
        .chain(&commit.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// An open store. One at a time for each folder.
pub struct Store {
    layout: Layout,
    db: Db,
    head: HeadFile,
    tally: Tally,
    /// Records removed since the last snapshot, whose marks are still in the database.
    removed: HashSet<Vec<u8>>,
    sensor: Sensor,
    committed_sensor: Sensor,
    key: ObserveKey,
    /// The last snapshot, and whether a commit has changed anything since.
    snapshot: Option<Stamp>,
    snapshot_current: bool,
    broken: bool,
    _lock: Lock,
}

impl Store {
    /// Opens the store in `dir`, makes one where there is none, and rebuilds a damaged one from its last snapshot.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process has it open, [`StoreError::Newer`] where a newer version wrote it
    /// (nothing is changed then), [`StoreError::Io`] where the folder cannot be used.
    pub fn open(dir: &Path) -> Result<(Self, Recovery), StoreError> {
        db::make_private(dir).map_err(StoreError::io("make", dir))?;
        let lock = Lock::take(dir)?;
        Self::open_locked(dir, lock)
    }

    fn open_locked(dir: &Path, lock: Lock) -> Result<(Self, Recovery), StoreError> {
        let layout = Layout::of(dir);
        let (head, mark) = HeadFile::open(&layout.head).map_err(StoreError::io("open", &layout.head))?;
        let stamp = match snapshot::Reader::open(&layout.snapshot) {
            Ok(reader) => Some(reader.stamp()),
            Err(snapshot::SnapshotError::Newer(found)) => {
                return Err(StoreError::Newer { dir: dir.to_owned(), found, ours: SCHEMA });
            }
            Err(_) => None,
        };
        let mut recovery = Recovery::default();
        let there = layout.db.is_dir();
        let fresh = !there && mark.unwrap_or(0) == 0 && !layout.snapshot.exists() && !has_damaged(dir);
        let first = if there || fresh {
            open_db(&layout, mark, stamp.map(|s| s.commit))?
        } else {
            Err("the database is missing".to_owned())
        };
        let (db, survey) = match first {
            Ok(whole) => whole,
            Err(why) => {
                recovery.damage = Some(recovery::rebuild(&layout, why, mark)?);
                open_db(&layout, None, None)?.map_err(|why| StoreError::Database { dir: layout.db.clone(), why })?
            }
        };
        let mut store = Self {
            layout,
            db,
            head,
            tally: survey.tally,
            removed: survey.removed.into_iter().collect(),
            sensor: Sensor::default(),
            committed_sensor: Sensor::default(),
            key: ObserveKey::default(),
            snapshot: stamp,
            snapshot_current: false,
            broken: false,
            _lock: lock,
        };
        recovery.created = store.tally.commit == 0 && recovery.damage.is_none();
        recovery.records = survey.values;
        store.take_own_records(&mut recovery)?;
        store.snapshot_current = store.snapshot.is_some_and(|s| s.commit == store.tally.commit);
        if recovery.damage.is_some() {
            // The mark may be missing or older, and the rebuilt database is worth a snapshot at once.
            store.head.write(store.tally.commit).map_err(StoreError::io("write", &store.layout.head))?;
            store.snapshot()?;
        }
        Ok((store, recovery))
    }

    /// Reads key and sensor; makes the key where there is none.
    fn take_own_records(&mut self, recovery: &mut Recovery) -> Result<(), StoreError> {
        if let Some(json) = self.own(SENSOR_KEY)? {
            self.sensor = serde_json::from_slice(&json).map_err(|e| self.failed(format!("sensor record: {e}")))?;
            self.committed_sensor = self.sensor.clone();
            recovery.records = recovery.records.saturating_sub(1);
        }
        let mut own = Vec::new();
        match self.own(KEY_KEY)?.and_then(|k| ObserveKey::try_from(k.as_slice()).ok()) {
            Some(key) => {
                self.key = key;
                recovery.records = recovery.records.saturating_sub(1);
            }
            None => {
                let random = Path::new("/dev/urandom");
                File::open(random)
                    .and_then(|mut f| f.read_exact(&mut self.key))
                    .map_err(StoreError::io("read", random))?;
                own.push((KEY_KEY.to_vec(), Some(self.key.to_vec())));
                if let Some(damage) = &mut recovery.damage {
                    damage.key_lost = true;
                }
            }
        }
        if own.is_empty() { Ok(()) } else { self.write(own) }
    }

    fn own(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = self.db.get(key).map_err(|why| self.failed(why))?;
        Ok(sealed
            .as_deref()
            .and_then(|s| envelope::open(key, s).ok())
            .filter(|o| o.kind == Kind::Value)
            .map(|o| o.payload.to_vec()))
    }

    fn failed(&self, why: String) -> StoreError {
        StoreError::Database { dir: self.layout.db.clone(), why }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// The key for this installation's hashes, made at random with the store.
    pub fn observe_key(&self) -> ObserveKey {
        self.key
    }

    /// The sensor's own record.
    pub fn sensor(&self) -> &Sensor {
        &self.sensor
    }

    /// The sensor's own record, to be changed; written with the next commit.
    pub fn sensor_mut(&mut self) -> &mut Sensor {
        &mut self.sensor
    }

    /// Number of the last acknowledged commit.
    pub fn commits(&self) -> u64 {
        self.tally.commit
    }

    /// Bytes of the database's file.
    pub fn size(&self) -> u64 {
        self.db.size()
    }

    /// Each record as (key, value), in the order of the keys.
    pub fn records(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + '_ {
        self.all().filter_map(move |record| match record {
            Ok(record) => inventory_record(record.key, record.value).map(Ok),
            Err(why) => Some(Err(self.failed(why))),
        })
    }

    /// All values, the store's own ones included, the head and the marks of removed records not.
    fn all(&self) -> impl Iterator<Item = Result<Record, db::Failure>> + '_ {
        self.db.iter().filter_map(|entry| {
            let (key, sealed) = match entry {
                Ok(entry) => entry,
                Err(why) => return Some(Err(why)),
            };
            match envelope::open(&key, &sealed) {
                Ok(o) if o.kind == Kind::Value && &*key != HEAD_KEY => {
                    Some(Ok(Record { key: key.to_vec(), value: o.payload.to_vec(), commit: o.commit }))
                }
                Ok(_) => None,
                Err(_) => Some(Err("a record has a wrong checksum".to_owned())),
            }
        })
    }

    /// Writes all changes, and the sensor's record where it changed, or nothing. When it returns `Ok`, they are on
    /// disk: neither `kill -9` nor a power cut loses them.
    ///
    /// # Errors
    /// [`StoreError::Database`] or [`StoreError::Io`] (a full disk, say). What was written before is safe; this store
    /// must then be opened again before it takes anything more.
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut all: Vec<_> = changes
            .iter()
            .map(|change| {
                let mut key = Vec::with_capacity(change.key.len() + 1);
                key.push(RECORD_PREFIX);
                key.extend_from_slice(&change.key);
                (key, change.value.clone())
            })
            .collect();
        if self.sensor != self.committed_sensor {
            let json = serde_json::to_vec(&self.sensor).map_err(|e| self.failed(e.to_string()))?;
            all.push((SENSOR_KEY.to_vec(), Some(json)));
        }
        if all.is_empty() {
            return Ok(());
        }
        let sensor = self.sensor.clone();
        self.write(all)?;
        self.committed_sensor = sensor;
        Ok(())
    }

    /// One commit. Of several changes to one key the last one holds.
    fn write(&mut self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreError> {
        if self.broken {
            return Err(self.failed("an earlier write failed".into()));
        }
        let changes: BTreeMap<_, _> = changes.into_iter().collect();
        let written = self.try_write(&changes);
        self.broken = written.is_err();
        written?;
        self.snapshot_current &= changes.is_empty();
        for (key, value) in changes {
            match value {
                Some(_) => self.removed.remove(&key),
                None => self.removed.insert(key),
            };
        }
        Ok(())
    }

    fn try_write(&mut self, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<(), StoreError> {
        let mut tally = Tally { commit: self.tally.commit + 1, ..self.tally };
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            self.forget(&mut tally, key)?;
            let sealed = match value {
                Some(value) => envelope::seal(key, Kind::Value, tally.commit, value),
                None => envelope::seal(key, Kind::Removed, tally.commit, &[]),
            };
            tally.add(key, tally.commit);
            batch.insert(key.as_slice(), sealed);
        }
        self.finish(batch, tally)
    }

    /// Takes a key's present value out of the tally.
    fn forget(&self, tally: &mut Tally, key: &[u8]) -> Result<(), StoreError> {
        if let Some(old) = self.db.get(key).map_err(|why| self.failed(why))? {
            let commit =
                envelope::stated_commit(&old).ok_or_else(|| self.failed("a record is too short".to_owned()))?;
            tally.take(key, commit);
        }
        Ok(())
    }

    fn finish(&mut self, mut batch: sled::Batch, tally: Tally) -> Result<(), StoreError> {
        batch.insert(HEAD_KEY, envelope::seal(HEAD_KEY, Kind::Value, tally.commit, &tally.encode()));
        self.db.apply(batch).map_err(|why| StoreError::Database { dir: self.layout.db.clone(), why })?;
        self.head.write(tally.commit).map_err(StoreError::io("write", &self.layout.head))?;
        self.tally = tally;
        Ok(())
    }

    /// Writes the logical snapshot, unless the last one still says all there is.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the snapshot before it is still there then.
    pub fn snapshot(&mut self) -> Result<Stamp, StoreError> {
        if let (true, Some(stamp)) = (self.snapshot_current, self.snapshot) {
            return Ok(stamp);
        }
        let records = self.all().map(|r| r.map_err(io::Error::other));
        let stamp = snapshot::write(&self.layout.snapshot, self.tally.commit, records)
            .map_err(StoreError::io("write", &self.layout.snapshot))?;
        self.snapshot = Some(stamp);
        self.sweep()?;
        self.snapshot_current = true;
        Ok(stamp)
    }

    /// Drops the marks of removed records that the snapshot has made needless.
    fn sweep(&mut self) -> Result<(), StoreError> {
        if self.removed.is_empty() || self.broken {
            return Ok(());
        }
        let mut tally = Tally { commit: self.tally.commit + 1, ..self.tally };
        let mut batch = sled::Batch::default();
        for key in &self.removed {
            self.forget(&mut tally, key)?;
            batch.remove(key.as_slice());
        }
        let swept = self.finish(batch, tally);
        self.broken = swept.is_err();
        self.removed.clear();
        swept
    }

    /// Opens a store for reading, also while a daemon has it open. See [`ReadOnly`].
    ///
    /// # Errors
    /// [`StoreError::Absent`] where there is none, [`StoreError::Snapshot`] where its snapshot is damaged.
    pub fn read_only(dir: &Path) -> Result<ReadOnly, StoreError> {
        ReadOnly::open(dir)
    }

    /// Closes the store and opens it again: the way on after a failed [`Store::commit`]. The sensor's record keeps
    /// what was not yet committed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn reopen(self) -> Result<(Self, Recovery), StoreError> {
        let Self { layout, db, head, sensor, _lock, .. } = self;
        drop((db, head));
        let (mut store, recovery) = Self::open_locked(&layout.dir, _lock)?;
        store.sensor = sensor;
        Ok((store, recovery))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.layout.dir)
            .field("commit", &self.tally.commit)
            .finish_non_exhaustive()
    }
}

/// An inventory record without the store's prefix; `None` for the store's own records.
fn inventory_record(mut key: Vec<u8>, value: Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
    (key.first() == Some(&RECORD_PREFIX)).then(|| {
        key.remove(0);
        (key, value)
    })
}

fn has_damaged(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|e| e.file_name().to_string_lossy().starts_with("db.damaged-"))
    })
}

/// Opens the database and reads all of it. The outer error ends the matter, the inner one is damage.
fn open_db(
    layout: &Layout,
    mark: Option<u64>,
    snapshot: Option<u64>,
) -> Result<Result<(Db, recovery::Survey), String>, StoreError> {
    let db = match Db::open(&layout.db) {
        Ok(db) => db,
        Err(why) => return Ok(Err(why)),
    };
    let mut survey = recovery::survey(&db, |_, _| {});
    if let Some(found) = survey.newer_schema() {
        return Err(StoreError::Newer { dir: layout.dir.clone(), found, ours: SCHEMA });
    }
    Ok(survey.verdict(mark, snapshot).map(|()| (db, survey)))
}

/// Fills an empty database; the head record comes last.
fn write_batches(
    db: &mut Db,
    commit: u64,
    records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<(), db::Failure> {
    let mut tally = Tally { commit, ..Tally::default() };
    let (mut batch, mut bytes) = (sled::Batch::default(), 0);
    for (key, value) in records {
        tally.add(&key, commit);
        bytes += key.len() + value.len();
        batch.insert(key.as_slice(), envelope::seal(&key, Kind::Value, commit, &value));
        if bytes > REBUILD_BATCH {
            db.apply(std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    batch.insert(HEAD_KEY, envelope::seal(HEAD_KEY, Kind::Value, commit, &tally.encode()));
    db.apply(batch)
}
