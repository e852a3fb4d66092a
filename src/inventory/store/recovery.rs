//! What a start found, and the rebuilding of a damaged store.
//!
//! Takes a folder whose database cannot be trusted, gives a new database made of the last logical snapshot and all
//! that is readable and provably newer (by commit number and checksum), and a report. The damaged database is set
//! aside, never deleted while it is one of the last few. Never starts empty without saying so.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::db::{Db, Failure, sync_dir};
use super::envelope::{self, Kind, Refused};
use super::snapshot::{Reader, Record, SnapshotError};
use super::{HEAD_KEY, Layout, StoreError, Tally, write_batches};

/// Damaged databases kept for a person to look at; older ones are removed, so that a bad disk cannot fill itself.
const KEPT: usize = 3;

/// What [`Store::open`](super::Store::open) found. The caller logs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The store was made just now.
    pub created: bool,
    /// Records read.
    pub records: u64,
    /// What was wrong and what was done about it; `None` when all that was acknowledged is there.
    pub damage: Option<Damage>,
}

/// See [`Recovery::damage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong.
    pub why: String,
    /// Where the damaged database is now.
    pub set_aside: Option<PathBuf>,
    /// When the snapshot that it was rebuilt from was written; `None` where there was none.
    pub snapshot: Option<SystemTime>,
    /// What was wrong with the snapshot itself, if anything.
    pub snapshot_damage: Option<String>,
    /// Records taken from the snapshot.
    pub from_snapshot: u64,
    /// Records that were newer than the snapshot and readable in the damaged database.
    pub newer: u64,
    /// Records of the damaged database that could not be read.
    pub unreadable: u64,
    /// Acknowledged commits of which nothing newer was found: what they changed is lost. 0 when nothing is.
    pub lost_commits: u64,
    /// Was the key of the hashes lost? Callers seen before count anew.
    pub key_lost: bool,
}

impl Recovery {
    /// Was everything as it should be?
    pub fn is_clean(&self) -> bool {
        self.damage.is_none()
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.damage {
            Some(damage) => damage.fmt(f),
            None if self.created => f.write_str("made a new store"),
            None => write!(f, "the store is whole: {} records", self.records),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store was damaged ({})", self.why)?;
        if let Some(aside) = &self.set_aside {
            write!(f, "; the database was set aside as {}", aside.display())?;
        }
        match self.snapshot {
            Some(at) => {
                let age = SystemTime::now().duration_since(at).unwrap_or_default();
                write!(f, "; rebuilt {} records from the snapshot of {} s ago", self.from_snapshot, age.as_secs())?;
            }
            None => f.write_str("; there was no snapshot to rebuild from")?,
        }
        write!(f, " and {} newer ones from the database itself", self.newer)?;
        if let Some(why) = &self.snapshot_damage {
            write!(f, "; the snapshot is damaged as well ({why})")?;
        }
        if self.unreadable > 0 {
            write!(f, "; {} records could not be read", self.unreadable)?;
        }
        if self.lost_commits > 0 {
            write!(f, "; the last {} commits are lost", self.lost_commits)?;
        }
        if self.key_lost {
            f.write_str("; the key of the hashes is lost: callers seen before will count anew")?;
        }
        Ok(())
    }
}

/// What could be read of a database.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) tally: Tally,
    /// Values read, marks of removed records not counted.
    pub(super) values: u64,
    /// Keys of records that were removed since the last snapshot.
    pub(super) removed: Vec<Vec<u8>>,
    /// Keys whose values are damaged.
    unreadable: u64,
    /// Highest commit number of a readable record.
    newest: u64,
    /// The database's own word on itself.
    head: Option<Tally>,
    /// Why reading ended early, if it did.
    failure: Option<Failure>,
    newer_schema: Option<u8>,
}

/// Reads all of a database; hands each good record on.
pub(super) fn survey(db: &Db, mut each: impl FnMut(&[u8], envelope::Opened<'_>)) -> Survey {
    let mut s = Survey::default();
    for entry in db.iter() {
        let (key, sealed) = match entry {
            Ok(entry) => entry,
            Err(e) => {
                s.failure = Some(e);
                break;
            }
        };
        let opened = match envelope::open(&key, &sealed) {
            Ok(opened) => opened,
            Err(Refused::Newer(schema)) => {
                s.newer_schema = s.newer_schema.max(Some(schema));
                continue;
            }
            Err(Refused::Damaged) => {
                s.unreadable += 1;
                continue;
            }
        };
        s.newest = s.newest.max(opened.commit);
        if &*key == HEAD_KEY {
            s.head = Tally::decode(opened.commit, opened.payload);
            continue;
        }
        s.tally.add(&key, opened.commit);
        match opened.kind {
            Kind::Value => s.values += 1,
            Kind::Removed => s.removed.push(key.to_vec()),
        }
        each(&key, opened);
    }
    s
}

impl Survey {
    /// Is the database whole, as far as it can tell and as the mark beside it says? `Err` says why not.
    pub(super) fn verdict(&mut self, mark: Option<u64>, snapshot: Option<u64>) -> Result<(), String> {
        if let Some(e) = &self.failure {
            return Err(e.clone());
        }
        if self.unreadable > 0 {
            return Err(format!("{} records have a wrong checksum", self.unreadable));
        }
        let Some(head) = self.head else {
            // Made, but killed before its first commit.
            let fresh = self.tally.count == 0 && mark.is_none_or(|m| m == 0) && snapshot.is_none();
            return if fresh { Ok(()) } else { Err("its head record is missing".into()) };
        };
        self.tally.commit = head.commit;
        if self.tally != head {
            return Err("records are missing or older than they should be".into());
        }
        let acknowledged = mark.max(snapshot).unwrap_or(0);
        if head.commit < acknowledged {
            return Err(format!("it ends at commit {}, {acknowledged} were acknowledged", head.commit));
        }
        Ok(())
    }

    pub(super) fn newer_schema(&self) -> Option<u8> {
        self.newer_schema
    }
}

/// Sets the database aside and builds a new one. `mark` is the last acknowledged commit, as far as known.
pub(super) fn rebuild(layout: &Layout, why: String, mark: Option<u64>) -> Result<Damage, StoreError> {
    let mut damage = Damage {
        why,
        set_aside: set_aside(layout)?,
        snapshot: None,
        snapshot_damage: None,
        from_snapshot: 0,
        newer: 0,
        unreadable: 0,
        lost_commits: 0,
        key_lost: false,
    };
    let mut records = BTreeMap::new();
    let whole_up_to = read_snapshot(layout, &mut damage, &mut records)?;
    let mut newest = records.values().map(|(commit, _)| *commit).fold(whole_up_to, u64::max);
    damage.from_snapshot = records.len() as u64;
    if let Some(aside) = damage.set_aside.clone() {
        newest = newest.max(salvage(&aside, layout, &mut damage, whole_up_to, &mut records));
    }
    damage.lost_commits = mark.unwrap_or(0).saturating_sub(newest);
    let commit = newest.max(mark.unwrap_or(0)) + 1;

    // Built under another name and renamed: a crash in the middle starts the rebuilding again.
    let building = layout.dir.join("db.building");
    remove(&building)?;
    let failed = |why| StoreError::Database { dir: building.clone(), why };
    let mut db = Db::open(&building).map_err(failed)?;
    let values = records.into_iter().map(|(key, (_, value))| (key, value));
    write_batches(&mut db, commit, values).map_err(failed)?;
    drop(db);
    fs::rename(&building, &layout.db).map_err(StoreError::io("rename", &building))?;
    sync_dir(&layout.dir).map_err(StoreError::io("sync", &layout.dir))?;
    Ok(damage)
}

/// Key, kind, commit and payload of a record in a damaged database.
type Found = (Vec<u8>, Kind, u64, Vec<u8>);

/// Commit and value by key.
type Records = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// Gives the commit up to which the snapshot proves to have everything: 0 where it is damaged itself or not there.
fn read_snapshot(layout: &Layout, damage: &mut Damage, records: &mut Records) -> Result<u64, StoreError> {
    let mut reader = match Reader::open(&layout.snapshot) {
        Ok(reader) => reader,
        Err(SnapshotError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(SnapshotError::Io(e)) => return Err(StoreError::io("read", &layout.snapshot)(e)),
        Err(SnapshotError::Newer(found)) => {
            return Err(StoreError::Newer { dir: layout.dir.clone(), found, ours: envelope::SCHEMA });
        }
        Err(e) => {
            damage.snapshot_damage = Some(e.to_string());
            return Ok(0);
        }
    };
    damage.snapshot = Some(reader.stamp().written);
    loop {
        match reader.next_record() {
            Ok(Some(Record { key, value, commit })) => {
                records.insert(key, (commit, value));
            }
            Ok(None) => return Ok(reader.stamp().commit),
            Err(e) => {
                damage.snapshot_damage = Some(e.to_string());
                return Ok(0);
            }
        }
    }
}

/// Adds what is newer in the database set aside. A second try leaves out sled's own page-table snapshot, the part
/// that is known to break on an abrupt stop; sled then makes it anew from its log. Gives the newest commit found.
fn salvage(aside: &Path, layout: &Layout, damage: &mut Damage, whole_up_to: u64, records: &mut Records) -> u64 {
    let copy = layout.dir.join("db.salvage");
    let mut best: Option<(Survey, Vec<Found>)> = None;
    for with_page_table in [true, false] {
        if remove(&copy).is_err() || copy_db(aside, &copy, with_page_table).is_err() {
            break;
        }
        let Ok(db) = Db::open(&copy) else { continue };
        let mut found = Vec::new();
        let survey = survey(&db, |key, o| found.push((key.to_vec(), o.kind, o.commit, o.payload.to_vec())));
        let whole = survey.failure.is_none() && survey.unreadable == 0;
        if best.as_ref().is_none_or(|(b, _)| survey.newest > b.newest || survey.tally.count > b.tally.count) {
            best = Some((survey, found));
        }
        if whole {
            break;
        }
    }
    // What is left is removed by the next start at the latest.
    let _ = remove(&copy);
    let Some((survey, found)) = best else { return 0 };
    damage.unreadable = survey.unreadable;
    let all_readable = survey.failure.is_none() && survey.unreadable == 0;
    for (key, kind, commit, value) in found {
        // What the snapshot covers and does not have was removed before it was written.
        if commit <= whole_up_to || records.get(&key).is_some_and(|(known, _)| *known >= commit) {
            continue;
        }
        match kind {
            Kind::Value => {
                damage.newer += 1;
                records.insert(key, (commit, value));
            }
            // A removal goes with records that took over what was removed. Where some of them may be among the
            // unreadable ones, keeping too much is better than losing it.
            Kind::Removed if all_readable => {
                records.remove(&key);
            }
            Kind::Removed => {}
        }
    }
    survey.newest
}

fn copy_db(from: &Path, to: &Path, with_page_table: bool) -> std::io::Result<()> {
    super::db::make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            copy_db(&entry.path(), &to.join(name), with_page_table)?;
        } else if with_page_table || !name.to_string_lossy().starts_with("snap.") {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Renames the database to the next free `db.damaged-<n>`; `None` where there is no database.
fn set_aside(layout: &Layout) -> Result<Option<PathBuf>, StoreError> {
    let mut numbers: Vec<u64> = fs::read_dir(&layout.dir)
        .map_err(StoreError::io("read", &layout.dir))?
        .filter_map(|e| e.ok()?.file_name().to_str()?.strip_prefix("db.damaged-")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let named = |n: u64| layout.dir.join(format!("db.damaged-{n}"));
    let aside = layout.db.exists().then(|| named(numbers.last().map_or(1, |n| n.saturating_add(1))));
    if let Some(aside) = &aside {
        fs::rename(&layout.db, aside).map_err(StoreError::io("set aside", &layout.db))?;
        sync_dir(&layout.dir).map_err(StoreError::io("sync", &layout.dir))?;
        let spare = (numbers.len() + 1).saturating_sub(KEPT);
        for &n in &numbers[..spare] {
            remove(&named(n))?;
        }
        return Ok(Some(aside.clone()));
    }
    // A start that was killed while it rebuilt has set the database aside already.
    Ok(numbers.last().map(|&n| named(n)))
}

fn remove(dir: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", dir)(e)),
        _ => Ok(()),
    }
}
