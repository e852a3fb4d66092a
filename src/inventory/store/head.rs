//! The number of the last acknowledged commit, kept beside the database.
//!
//! Takes a number after the database has synced it, gives it back on the next start. sled recovers from a damaged
//! file by silently cutting its log at the damage: what comes back is consistent and too old. This mark shows it.
//! Never the truth about the records, only about how many commits there were.
//!
//! Two slots are written in turn, so that a torn write costs the newer mark, not both:
//! `magic u32 │ commit u64 │ crc32 u32`, little-endian, at 0 and at 4096 (separate sectors).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: u32 = u32::from_le_bytes(*b"STH1");
const SLOT: usize = 16;
const STRIDE: u64 = 4096;

/// The open file.
pub(super) struct HeadFile(File);

impl HeadFile {
    /// Opens or makes the file; gives the newest mark in it, `None` where there is none that can be read.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mark = (0..2).filter_map(|slot| read(&file, slot)).max();
        Ok((Self(file), mark))
    }

    /// Writes the mark and returns once it is on disk.
    pub(super) fn write(&self, commit: u64) -> io::Result<()> {
        let mut slot = [0; SLOT];
        slot[..4].copy_from_slice(&MAGIC.to_le_bytes());
        slot[4..12].copy_from_slice(&commit.to_le_bytes());
        let crc = crc32fast::hash(&slot[..12]);
        slot[12..].copy_from_slice(&crc.to_le_bytes());
        self.0.write_all_at(&slot, commit % 2 * STRIDE)?;
        self.0.sync_data()
    }
}

fn read(file: &File, slot: u64) -> Option<u64> {
    let mut bytes = [0; SLOT];
    file.read_exact_at(&mut bytes, slot * STRIDE).ok()?;
    let (body, crc) = bytes.split_first_chunk::<12>()?;
    let (magic, commit) = body.split_first_chunk::<4>()?;
    let whole = *magic == MAGIC.to_le_bytes() && crc32fast::hash(body).to_le_bytes() == crc;
    whole.then(|| commit.first_chunk::<8>().map(|c| u64::from_le_bytes(*c))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        let (head, mark) = HeadFile::open(&path).unwrap();
        assert_eq!(mark, None);
        for commit in 1..=9 {
            head.write(commit).unwrap();
        }
        assert_eq!(HeadFile::open(&path).unwrap().1, Some(9));
        head.0.write_all_at(b"?", STRIDE + 5).unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().1, Some(8));
        head.0.set_len(0).unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().1, None);
    }
}
