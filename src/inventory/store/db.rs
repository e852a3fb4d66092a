//! The wall around sled.
//!
//! Takes keys and sealed values, gives durable batches. All of sled 0.34 that the store uses is here: each call is
//! guarded against panics, and a batch counts only when `fdatasync` has returned, because sled's own `flush` stops
//! at `sync_file_range`, which a power cut does not respect. Never interprets a value.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Bytes of sled's page cache. Its default is 1 GiB.
const CACHE: u64 = 64 << 20;

const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// What sled or the files beneath it said.
pub(super) type Failure = String;

/// An open database.
pub(super) struct Db {
    sled: Option<sled::Db>,
    dir: PathBuf,
    /// The data file, for `fdatasync`.
    data: File,
    /// Files in `blobs/` that are known to be on disk. sled puts nodes over 128 KiB there and never syncs them.
    blobs: HashSet<OsString>,
}

impl Db {
    /// Opens the database in `dir`, or makes one. Whatever sled has written by then is on disk afterwards.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        make_private(dir).map_err(|e| e.to_string())?;
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .print_profile_on_drop(false);
        let sled = open_patiently(&config)?;
        let data = File::open(dir.join("db")).map_err(|e| e.to_string())?;
        let mut db = Self { sled: Some(sled), dir: dir.to_owned(), data, blobs: HashSet::new() };
        for name in ["db", "conf", "blobs"] {
            let path = dir.join(name);
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(|e| e.to_string())?;
            File::open(&path).and_then(|f| f.sync_all()).map_err(|e| e.to_string())?;
        }
        db.flush()?;
        Ok(db)
    }

    fn sled(&self) -> Result<&sled::Db, Failure> {
        self.sled.as_ref().ok_or_else(|| "the database is closed".to_owned())
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, Failure> {
        let sled = self.sled()?;
        guarded(|| sled.get(key))
    }

    /// Writes all of a batch or nothing, and returns once it is on disk.
    pub(super) fn apply(&mut self, batch: sled::Batch) -> Result<(), Failure> {
        let sled = self.sled()?;
        guarded(|| sled.apply_batch(batch))?;
        self.flush()
    }

    /// Puts all that was written on disk: sled's buffers into the file, then the file, new blobs and the folder's
    /// entries to the medium.
    fn flush(&mut self) -> Result<(), Failure> {
        let sled = self.sled()?;
        guarded(|| sled.flush())?;
        self.data.sync_data().map_err(|e| e.to_string())?;
        self.sync_blobs().map_err(|e| format!("blobs: {e}"))?;
        sync_dir(&self.dir).map_err(|e| e.to_string())
    }

    fn sync_blobs(&mut self) -> io::Result<()> {
        let dir = self.dir.join("blobs");
        let mut present = HashSet::new();
        let mut fresh = false;
        for entry in fs::read_dir(&dir)? {
            let name = entry?.file_name();
            if !self.blobs.contains(&name) {
                match File::open(dir.join(&name)) {
                    Ok(file) => file.sync_all()?,
                    // Collected by sled between the listing and now.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    Err(e) => return Err(e),
                }
                fresh = true;
            }
            present.insert(name);
        }
        self.blobs = present;
        if fresh { sync_dir(&dir) } else { Ok(()) }
    }

    /// Each key with its value, in the order of the keys. Ends after the first failure.
    pub(super) fn iter(&self) -> Entries {
        match &self.sled {
            Some(sled) => Entries { inner: catch_unwind(AssertUnwindSafe(|| sled.iter())).ok() },
            None => Entries { inner: None },
        }
    }

    /// Bytes of the data file.
    pub(super) fn size(&self) -> u64 {
        self.data.metadata().map_or(0, |m| m.len())
    }
}

impl Drop for Db {
    /// sled flushes when it is dropped, and may panic in that.
    fn drop(&mut self) {
        let sled = self.sled.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(sled)));
    }
}

/// See [`Db::iter`].
pub(super) struct Entries {
    inner: Option<sled::Iter>,
}

impl Iterator for Entries {
    type Item = Result<(sled::IVec, sled::IVec), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner.as_mut()?;
        let next = guarded(|| inner.next().transpose()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.inner = None;
        }
        next
    }
}

/// sled lets go of its own file lock some time after it was dropped, from threads of its own. No other process can
/// hold it: the store's lock is taken before.
fn open_patiently(config: &sled::Config) -> Result<sled::Db, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        match guarded(|| config.open()) {
            Err(why) if why.contains("could not acquire lock") && waited < LOCK_PATIENCE => {
                thread::sleep(LOCK_PAUSE);
                waited += LOCK_PAUSE;
            }
            other => return other,
        }
    }
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(e.to_string()),
        Err(panic) => Err(panic_words(panic.as_ref())),
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("internal error: {}", words.unwrap_or("unknown"))
}

/// Makes a folder that only its owner may enter, and its entry in the folder above durable.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        fs::create_dir_all(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        if let Some(parent) = dir.parent() {
            sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
    }
    Ok(())
}

/// Makes a folder's entries (files made, renamed, removed) durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
