//! What can go wrong with a store, in words that say what to do.
//!
//! Takes causes from the files beneath, gives one enum. Never hides which folder is meant.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a store could not be opened, written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "the daemon has the store {} open{}; stop it first, or read the store while it runs with `shadowtap inventory`",
        dir.display(), pid.map_or(String::new(), |p| format!(" (pid {p})"))
    )]
    Locked {
        /// The store's folder.
        dir: PathBuf,
        /// The process that holds it, where it could be read.
        pid: Option<u32>,
    },
    /// Written by a newer version; nothing was touched.
    #[error(
        "the store {} was written by a newer shadowtap (schema {found}, this one reads up to {ours}); \
         upgrade, or give another folder",
        dir.display()
    )]
    Newer {
        /// The store's folder.
        dir: PathBuf,
        /// Schema found.
        found: u8,
        /// Newest schema that this version reads.
        ours: u8,
    },
    /// There is nothing to read.
    #[error("{} holds no store; `shadowtap run` or `shadowtap scan --out` makes one", dir.display())]
    Absent {
        /// The folder.
        dir: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The database gave up while it was in use. [`Store::open`](super::Store::open) mends it.
    #[error("the database in {} failed: {why}", dir.display())]
    Database {
        /// The store's folder.
        dir: PathBuf,
        /// What it said.
        why: String,
    },
    /// The logical snapshot cannot be read.
    #[error("the snapshot {} is damaged: {why}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The daemon answered a request with an error, or not at all.
    #[error("the daemon on {} did not give a fresh snapshot: {why}", path.display())]
    Control {
        /// The control socket.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
