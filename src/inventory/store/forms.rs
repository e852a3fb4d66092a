//! The forms that the store has on disk, by themselves.
//!
//! Takes records, gives the bytes of a snapshot or of a sealed value, and the other way round: for tools that look at a
//! store's files, and for tests that damage them. The same code as the store's own. Never touches a file.

use std::time::SystemTime;

use super::envelope::{self, Kind};
use super::snapshot::{self, Reader, Record, Stamp};

/// A record of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its key.
    pub key: Vec<u8>,
    /// What it holds.
    pub value: Vec<u8>,
    /// Number of the commit that wrote it.
    pub commit: u64,
}

/// The bytes of a snapshot; `None` where a record is too large for one.
pub fn write_snapshot(commit: u64, written: SystemTime, records: &[Kept]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let records = records.iter().map(|r| Ok(Record { key: r.key.clone(), value: r.value.clone(), commit: r.commit }));
    snapshot::write_to(&mut out, commit, written, records).ok()?;
    Some(out)
}

/// The records of a snapshot up to its end or to the first damage, and what the snapshot says of itself.
///
/// # Errors
/// Beside the records: why there are no more of them, where the end was not reached.
pub fn read_snapshot(bytes: &[u8]) -> (Vec<Kept>, Result<Stamp, String>) {
    let mut records = Vec::new();
    let mut read = || {
        let mut reader = Reader::new(bytes)?;
        while let Some(Record { key, value, commit }) = reader.next_record()? {
            records.push(Kept { key, value, commit });
        }
        Ok(reader.stamp())
    };
    let end = read().map_err(|e: snapshot::SnapshotError| e.to_string());
    (records, end)
}

/// A value in its envelope; `None` is the mark of one that was removed.
pub fn seal(key: &[u8], commit: u64, value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(value) => envelope::seal(key, Kind::Value, commit, value),
        None => envelope::seal(key, Kind::Removed, commit, &[]),
    }
}

/// The number of the commit and the value out of an envelope; `None` where it is damaged or of a newer version.
pub fn open<'a>(key: &[u8], sealed: &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let opened = envelope::open(key, sealed).ok()?;
    Some((opened.commit, (opened.kind == Kind::Value).then_some(opened.payload)))
}
