//! From what was typed to the files that it means.
//!
//! Takes paths, gives the files behind them in a fixed order. Opens none of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::capture::CaptureError;
use crate::capture::source::Origin;

/// The most files read in one go.
pub const FILES_MAX: usize = 100_000;

/// One file.
pub(in crate::capture) struct Found {
    pub origin: Origin,
    /// Its size on disk.
    pub raw_bytes: u64,
    /// It was named itself, not found in a folder.
    pub named: bool,
    /// It can be opened only once: standard input, a pipe.
    pub once: bool,
}

/// Follows folders to their files, in the order of names. Links to folders are not followed: they may lead back.
pub(in crate::capture) fn expand(paths: &[PathBuf]) -> Result<Vec<Found>, CaptureError> {
    let mut out = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            if !out.iter().any(|f: &Found| f.origin == Origin::Stdin) {
                out.push(Found { origin: Origin::Stdin, raw_bytes: 0, named: true, once: true });
            }
            continue;
        }
        let meta = fs::metadata(path).map_err(|e| CaptureError::path(path, e))?;
        if meta.is_dir() {
            folder(path, &mut out)?;
        } else {
            let once = !meta.is_file();
            out.push(Found { origin: Origin::File(path.clone()), raw_bytes: meta.len(), named: true, once });
        }
    }
    Ok(out)
}

fn folder(root: &Path, out: &mut Vec<Found>) -> Result<(), CaptureError> {
    // Last in, first out, so each folder's entries are put on in reverse.
    let mut stack = vec![root.to_owned()];
    while let Some(path) = stack.pop() {
        let error = |e| CaptureError::path(&path, e);
        let link = fs::symlink_metadata(&path).map_err(error)?;
        if link.is_dir() || path == root {
            let entries = fs::read_dir(&path).map_err(error)?;
            let mut entries = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(error)?;
            entries.sort_unstable_by(|a, b| b.cmp(a));
            stack.append(&mut entries);
            continue;
        }
        // A link that leads nowhere, a socket or a device in a folder is no capture.
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_file() {
            if out.len() >= FILES_MAX {
                return Err(CaptureError::TooMany { path: root.to_owned(), limit: FILES_MAX });
            }
            out.push(Found { origin: Origin::File(path), raw_bytes: meta.len(), named: false, once: false });
        }
    }
    Ok(())
}
