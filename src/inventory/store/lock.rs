//! One writer at a time.
//!
//! Takes a store's folder, gives a lock that lives as long as the value and dies with the process. Never waits for
//! long, and says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StoreError;

/// A reader that brings the snapshot of an unattended store up to date holds the lock for a moment.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// The lock; let go when dropped.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "held, not read: the lock lives as long as the file is open")] File,
);

impl Lock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        for _ in 1..TRIES {
            match Self::try_take(dir) {
                Err(StoreError::Locked { .. }) => thread::sleep(PAUSE),
                other => return other,
            }
        }
        Self::try_take(dir)
    }

    pub(super) fn try_take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(StoreError::Locked { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", &path)(e)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(StoreError::io("write", &path))?;
        Ok(Self(file))
    }
}
