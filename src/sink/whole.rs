//! Writing a file whole.
//!
//! Takes bytes and a path, gives the file at once: a temporary file beside it is written, synced and renamed over it,
//! and the folder is synced. Readable by its owner alone (mode 0600), since reports tell what a network does. Never
//! leaves a temporary file behind, except where the machine stops in between.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Names tried for the temporary file before giving up.
const ATTEMPTS: u32 = 64;

/// Writes a file whole, mode 0600. An existing file is replaced; its mode is not kept. A symbolic link is replaced, not
/// followed.
///
/// # Errors
/// As the file system says; the old file is untouched then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (temporary, mut file) = create(folder, name)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path))
        // The new name is safe only when the folder is (fsync(2)).
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // The first error is the one to tell; where the rename went through there is nothing left to remove.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file beside the one to come, so that the rename stays within one file system.
fn create(folder: &Path, name: &std::ffi::OsStr) -> io::Result<(PathBuf, File)> {
    for attempt in 0..ATTEMPTS {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.{attempt}.new", std::process::id()));
        let path = folder.join(hidden);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "too many temporary files lie beside it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replaces_a_file_and_closes_it_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_failure_leaves_the_old_one_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        assert!(write_whole(&path, b"new").is_err(), "a folder cannot be replaced by a file");
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_whole(Path::new("/"), b"x").is_err());
        assert!(write_whole(&folder.path().join("no/such/folder"), b"x").is_err());
    }

    #[test]
    fn a_file_left_by_a_crash_does_not_stand_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!(".a.{}.0.new", std::process::id()));
        fs::write(&left, "half").unwrap();
        write_whole(&folder.path().join("a"), b"whole").unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"whole");
        assert_eq!(fs::read(&left).unwrap(), b"half");
    }
}
