//! What can be wrong with a capture file, in words that name the file, the place, what was found and what to do.

use std::fmt;

use thiserror::Error;

/// Why a file, or the rest of it, cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// Nothing in it.
    #[error(
        "{file}: the file is empty; was the capture stopped before the first packet, or is it still being written?"
    )]
    Empty {
        /// The file.
        file: String,
    },
    /// Something else than pcap or pcapng.
    #[error("{file}: this is {found}, not a pcap or pcapng capture; {remedy}")]
    NotCapture {
        /// The file.
        file: String,
        /// What it is.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Nothing believable behind a broken record.
    #[error(
        "{file}: {what} at byte {offset}, and nothing readable behind it; all before it was read. \
         `pcapfix`, or copying the capture again, may bring back the rest"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// Of the broken record.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The operating system (or a decompressor) refused.
    #[error("{file}: cannot read on at byte {offset}: {source}")]
    Read {
        /// The file.
        file: String,
        /// How far reading came.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
}

/// Something that did not stop reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub file: String,
    /// Where.
    pub offset: u64,
    /// What.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: at byte {}: {}", self.file, self.offset, self.what)
    }
}

const DECOMPRESS: &str = "decompress it first";
const CONVERT: &str = "convert it with `editcap -F pcapng IN OUT`";

/// Formats that people give by mistake: how they start, what they are, what to do.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip file inside another one", DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "a zstd file inside another one", DECOMPRESS),
    (b"BZh", "a bzip2 file", DECOMPRESS),
    (b"\xfd7zXZ\0", "an xz file", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "an lz4 file", DECOMPRESS),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it first"),
    (b"snoop\0\0\0", "a snoop file", CONVERT),
    (b"GMBU", "a Network Monitor capture", CONVERT),
    (b"RTSS", "a Network Monitor capture", CONVERT),
    (b"TRSNIFF data", "a Sniffer capture", CONVERT),
    (b"XCP\0", "a NetXRay capture", CONVERT),
    (b"\x7fELF", "a program", "give a capture file"),
    (b"\x34\xcd\xb2\xa1", "a pcap file with a timestamp format that is not supported", CONVERT),
];

/// Names what `bytes`, a file's start, are.
pub(super) fn not_capture(file: &str, bytes: &[u8]) -> FileError {
    let known = KNOWN.iter().find(|(magic, ..)| bytes.starts_with(magic));
    let text = !bytes.is_empty() && bytes.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    let (found, remedy) = match known {
        Some(&(_, found, remedy)) => (found.to_owned(), remedy),
        None if text && bytes.trim_ascii_start().starts_with(b"{") => {
            ("JSON (a HAR file?)".to_owned(), "give the packets it was made from")
        }
        None if text => ("text".to_owned(), "give a capture written with `tcpdump -w FILE` or Wireshark"),
        None if bytes.len() < 24 => {
            (format!("a file of {} bytes, too short for any header", bytes.len()), "is it still being written?")
        }
        None => {
            let start: Vec<_> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
            (format!("a file that starts with {}", start.concat()), "see whether `capinfos` knows it")
        }
    };
    FileError::NotCapture { file: file.to_owned(), found, remedy }
}
