//! The bytes of one capture file.
//!
//! Takes an opened file or standard input, gives its bytes, decompressed where they are gzip or zstd (told by their first bytes, whatever
//! the name), and counts the raw ones as they are read. Holds no more than a few buffers, however far a file expands.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::CaptureError;

/// Raw bytes read at once below a decompressor.
const RAW_BUFFER: usize = 256 << 10;
/// The largest zstd window, as a power of two: 128 MiB, zstd's own bound for decoding. `--long=31` asks for more.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A regular file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Origin {
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }
}

/// A reader of bytes that can be handed to another thread.
pub(super) type Bytes = Box<dyn Read + Send>;

/// How many raw bytes a source has read.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicU64>);

impl Count {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    inner: R,
    count: Count,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// An open source.
pub(super) struct Opened {
    /// Its bytes, decompressed.
    pub bytes: Bytes,
    /// The raw ones read so far.
    pub count: Count,
}

/// Opens a source.
pub(super) fn open(origin: &Origin) -> Result<Opened, CaptureError> {
    let count = Count::default();
    let (raw, path): (Bytes, &Path) = match origin {
        Origin::File(path) => {
            let file = File::open(path).map_err(|e| CaptureError::path(path, e))?;
            (Box::new(file), path)
        }
        Origin::Stdin => (Box::new(io::stdin()), Path::new("-")),
    };
    let counted = Counted { inner: raw, count: count.clone() };
    let bytes = decompressed(counted).map_err(|e| CaptureError::path(path, e))?;
    Ok(Opened { bytes, count })
}

fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// A frame, or one of the skippable frames that `pzstd` writes before it (RFC 8878, 3.1).
fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn decompressed(mut raw: impl Read + Send + 'static) -> io::Result<Bytes> {
    let mut start = Vec::new();
    (&mut raw).take(4).read_to_end(&mut start)?;
    let (gzip, zstd) = (is_gzip(&start), is_zstd(&start));
    let whole = Cursor::new(start).chain(raw);
    let bytes: Bytes = if gzip {
        // Several members, as `gzip -c a b` and bgzip write them.
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(RAW_BUFFER, whole)))
    } else if zstd {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(RAW_BUFFER, whole))?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Box::new(decoder)
    } else {
        Box::new(whole)
    };
    Ok(bytes)
}
