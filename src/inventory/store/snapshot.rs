//! The logical snapshot: all records in one file that does not need the database to be read.
//!
//! Takes records, gives a file that appears whole or not at all (written aside, synced, renamed), and reads it back
//! record by record. Never trusts a length: a damaged or hostile file gives the records before the damage and an
//! error, never a panic or more memory than the file has bytes.
//!
//! ```text
//! header   "STSNAP\r\n" │ format u8 │ schema u8 │ 0 u16 │ commit u64 │ written u64 │ crc32 u32
//! record   key_len u16 │ value_len u32 │ commit u64 │ key │ value │ crc32 u32
//! …
//! footer   0xffff u16 │ count u64 │ crc32 u32 of all records' checksums
//! ```
//! Little-endian; `written` is in nanoseconds since 1970 by the wall clock of the writer; each checksum covers what
//! stands before it in its part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::db::sync_dir;
use super::envelope::SCHEMA;

/// `\r\n` shows a file that went through a text conversion.
const MAGIC: &[u8; 8] = b"STSNAP\r\n";
const FORMAT: u8 = 1;
const HEADER: usize = 8 + 1 + 1 + 2 + 8 + 8 + 4;
const RECORD: usize = 2 + 4 + 8;
const FOOTER_MARK: u16 = 0xffff;
/// No record comes near it; a length over it is damage.
const MAX_VALUE: u32 = 256 << 20;

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the last commit in it.
    pub commit: u64,
    /// When it was written, by the wall clock.
    pub written: SystemTime,
}

/// A record as a snapshot holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) commit: u64,
}

/// Why a snapshot could not be read on.
#[derive(Debug)]
pub(super) enum SnapshotError {
    Io(io::Error),
    Damaged(&'static str),
    Newer(u8),
}

impl From<io::Error> for SnapshotError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(e),
        }
    }
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(e) => e.fmt(f),
            Self::Damaged(why) => f.write_str(why),
            Self::Newer(schema) => write!(f, "it has schema {schema}, this version reads up to {SCHEMA}"),
        }
    }
}

/// Writes a snapshot of `records` to `path`. Returns once it is on disk under its name.
pub(super) fn write(path: &Path, commit: u64, records: impl Iterator<Item = io::Result<Record>>) -> io::Result<Stamp> {
    let aside = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    let written = SystemTime::now();
    write_to(&mut out, commit, written, records)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(Stamp { commit, written })
}

pub(super) fn write_to(
    out: &mut impl Write,
    commit: u64,
    written: SystemTime,
    records: impl Iterator<Item = io::Result<Record>>,
) -> io::Result<()> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&[FORMAT, SCHEMA, 0, 0]);
    header.extend_from_slice(&commit.to_le_bytes());
    let nanos = written.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    header.extend_from_slice(&nanos.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    out.write_all(&header)?;
    let mut count = 0_u64;
    let mut all = crc32fast::Hasher::new();
    for record in records {
        let record = record?;
        let (Ok(key_len), Ok(value_len)) = (u16::try_from(record.key.len()), u32::try_from(record.value.len())) else {
            return Err(io::Error::other("a record is too large for a snapshot"));
        };
        if key_len == FOOTER_MARK || value_len > MAX_VALUE {
            return Err(io::Error::other("a record is too large for a snapshot"));
        }
        let mut head = [0; RECORD];
        head[..2].copy_from_slice(&key_len.to_le_bytes());
        head[2..6].copy_from_slice(&value_len.to_le_bytes());
        head[6..].copy_from_slice(&record.commit.to_le_bytes());
        let crc = record_crc(&head, &record.key, &record.value).to_le_bytes();
        for part in [&head[..], &record.key, &record.value, &crc] {
            out.write_all(part)?;
        }
        all.update(&crc);
        count += 1;
    }
    out.write_all(&FOOTER_MARK.to_le_bytes())?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&all.finalize().to_le_bytes())?;
    out.flush()
}

fn record_crc(head: &[u8; RECORD], key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

/// Reads a snapshot record by record.
pub(super) struct Reader<R> {
    input: R,
    stamp: Stamp,
    count: u64,
    all: crc32fast::Hasher,
}

impl Reader<BufReader<File>> {
    pub(super) fn open(path: &Path) -> Result<Self, SnapshotError> {
        Self::new(BufReader::with_capacity(256 << 10, File::open(path)?))
    }
}

impl<R: Read> Reader<R> {
    pub(super) fn new(mut input: R) -> Result<Self, SnapshotError> {
        let mut header = [0; HEADER];
        input.read_exact(&mut header)?;
        let (body, crc) = header.split_at(HEADER - 4);
        if !body.starts_with(MAGIC) {
            return Err(SnapshotError::Damaged("it is not a shadowtap snapshot"));
        }
        if body[8] > FORMAT {
            return Err(SnapshotError::Newer(body[8]));
        }
        if crc32fast::hash(body).to_le_bytes() != crc {
            return Err(SnapshotError::Damaged("the checksum of its header is wrong"));
        }
        if body[9] > SCHEMA {
            return Err(SnapshotError::Newer(body[9]));
        }
        let commit = le_u64(&body[12..]);
        let written = UNIX_EPOCH + std::time::Duration::from_nanos(le_u64(&body[20..]));
        Ok(Self { input, stamp: Stamp { commit, written }, count: 0, all: crc32fast::Hasher::new() })
    }

    /// What the header says.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The next record; `None` after the last one, once the footer has proved that none is missing.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, SnapshotError> {
        let mut key_len = [0; 2];
        self.input.read_exact(&mut key_len)?;
        if u16::from_le_bytes(key_len) == FOOTER_MARK {
            return self.footer().map(|()| None);
        }
        let mut head = [0; RECORD];
        head[..2].copy_from_slice(&key_len);
        self.input.read_exact(&mut head[2..])?;
        let value_len = u32::from_le_bytes([head[2], head[3], head[4], head[5]]);
        if value_len > MAX_VALUE {
            return Err(SnapshotError::Damaged("a record has an impossible length"));
        }
        let key = self.bytes(u16::from_le_bytes(key_len).into())?;
        let value = self.bytes(value_len.into())?;
        let mut crc = [0; 4];
        self.input.read_exact(&mut crc)?;
        if record_crc(&head, &key, &value).to_le_bytes() != crc {
            return Err(SnapshotError::Damaged("the checksum of a record is wrong"));
        }
        self.all.update(&crc);
        self.count += 1;
        Ok(Some(Record { key, value, commit: le_u64(&head[6..]) }))
    }

    fn footer(&mut self) -> Result<(), SnapshotError> {
        let mut footer = [0; 12];
        self.input.read_exact(&mut footer)?;
        let (count, crc) = footer.split_at(8);
        if le_u64(count) != self.count || self.all.clone().finalize().to_le_bytes() != crc {
            return Err(SnapshotError::Damaged("records are missing"));
        }
        match self.input.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(SnapshotError::Damaged("something follows its end")),
        }
    }

    /// Grows with what is really there, whatever the length claims.
    fn bytes(&mut self, len: u64) -> Result<Vec<u8>, SnapshotError> {
        let mut bytes = Vec::with_capacity(len.min(64 << 10) as usize);
        let got = self.input.by_ref().take(len).read_to_end(&mut bytes)?;
        if got as u64 == len { Ok(bytes) } else { Err(SnapshotError::Damaged("it ends too early")) }
    }
}

/// Of the first eight bytes; 0 where there are fewer.
fn le_u64(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(commit: u64, records: &[Record]) -> Vec<u8> {
        let mut out = Vec::new();
        write_to(&mut out, commit, UNIX_EPOCH, records.iter().cloned().map(Ok)).unwrap();
        out
    }

    fn decode(bytes: &[u8]) -> (Vec<Record>, Option<SnapshotError>) {
        let mut records = Vec::new();
        let mut reader = match Reader::new(bytes) {
            Ok(reader) => reader,
            Err(e) => return (records, Some(e)),
        };
        loop {
            match reader.next_record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return (records, None),
                Err(e) => return (records, Some(e)),
            }
        }
    }

    fn samples() -> Vec<Record> {
        (0..5_u8).map(|n| Record { key: vec![n; n as usize + 1], value: vec![n; 7], commit: n.into() }).collect()
    }

    #[test]
    fn gives_back_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshot");
        let stamp = write(&path, 9, samples().into_iter().map(Ok)).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.stamp(), stamp);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            records.push(record);
        }
        assert_eq!(records, samples());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_failing_source_leaves_the_old_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshot");
        write(&path, 9, samples().into_iter().map(Ok)).unwrap();
        let failing = samples().into_iter().map(Ok).chain([Err(io::Error::other("no"))]);
        write(&path, 10, failing).unwrap_err();
        assert_eq!(Reader::open(&path).unwrap().stamp().commit, 9);
    }

    #[test]
    fn damage_anywhere_is_seen_and_what_stands_before_it_is_kept() {
        let whole = encode(3, &samples());
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            let (records, error) = decode(&bad);
            assert!(error.is_some(), "byte {at}");
            assert!(samples().starts_with(&records), "byte {at}");
            let (records, error) = decode(&whole[..at]);
            assert!(error.is_some(), "cut at {at}");
            assert!(samples().starts_with(&records), "cut at {at}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(decode(&longer).1.is_some());
    }

    #[test]
    fn a_newer_schema_is_named() {
        let mut bytes = encode(3, &samples());
        bytes[9] = SCHEMA + 1;
        let crc = crc32fast::hash(&bytes[..HEADER - 4]).to_le_bytes();
        bytes[HEADER - 4..HEADER].copy_from_slice(&crc);
        assert!(matches!(decode(&bytes).1, Some(SnapshotError::Newer(n)) if n == SCHEMA + 1));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn arbitrary_bytes_behind_a_good_header_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..2048),
        ) {
            let mut snapshot = encode(1, &[]);
            snapshot.truncate(HEADER);
            snapshot.extend_from_slice(&bytes);
            let _ = decode(&snapshot);
        }

        #[test]
        fn any_records_survive(
            records in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..40), proptest::collection::vec(any::<u8>(), 0..200), any::<u64>()),
                0..20,
            ),
        ) {
            let records: Vec<_> =
                records.into_iter().map(|(key, value, commit)| Record { key, value, commit }).collect();
            let (got, error) = decode(&encode(5, &records));
            prop_assert!(error.is_none());
            prop_assert_eq!(got, records);
        }
    }
}
