//! Logs, whatever their format.
//!
//! Takes a file or standard input, gives its requests one by one, with the number of each line (of each entry of a HAR file),
//! from 0. The format is told from the first line that says something. Never holds more than one line, but for HAR, which is one document.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use super::entry::Entry;

/// Longest line that is read, in bytes; the rest of a longer one is passed over.
const LINE_MAX: u64 = 1 << 20;
/// Largest HAR document that is read, in bytes.
const HAR_MAX: u64 = 1 << 30;

/// A file, or standard input, without its compression.
fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let name = || path.display().to_string();
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).with_context(name)?)
    };
    let mut source = BufReader::with_capacity(1 << 16, source);
    let zipped = source.fill_buf().with_context(name)?.starts_with(&[0x1f, 0x8b]);
    Ok(if zipped { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(source))) } else { Box::new(source) })
}

/// Gives each line of a file.
pub(super) fn read_lines(path: &Path, mut then: impl FnMut(&str)) -> anyhow::Result<()> {
    for line in open(path)?.lines() {
        then(&line.with_context(|| path.display().to_string())?);
    }
    Ok(())
}

/// Reads a log. Gives how many of its lines are no requests though they should be.
pub(super) fn read(path: &Path, then: impl FnMut(u64, &Entry)) -> anyhow::Result<u64> {
    let name = || path.display().to_string();
    let mut source = open(path)?;
    if is_har(source.fill_buf().with_context(name)?) {
        return har(source, then).with_context(name);
    }
    lines(source, then).with_context(name)
}

/// Does a document begin as a HAR file does: an object whose first member is `log`?
fn is_har(start: &[u8]) -> bool {
    let dense: Vec<u8> = start.iter().copied().filter(|b| !b.is_ascii_whitespace()).take(16).collect();
    dense.starts_with(b"{\"log\":{") || dense.starts_with(b"\xef\xbb\xbf{\"log\":{")
}

fn har(source: impl Read, mut then: impl FnMut(u64, &Entry)) -> anyhow::Result<u64> {
    let mut text = String::new();
    source.take(HAR_MAX).read_to_string(&mut text)?;
    let document: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let Some(entries) = document["log"]["entries"].as_array() else { bail!("a HAR file without entries") };
    let mut skipped = 0;
    for (number, entry) in entries.iter().enumerate() {
        match Entry::of_har(entry) {
            Some(entry) => then(number as u64, &entry),
            None => skipped += 1,
        }
    }
    Ok(skipped)
}

fn lines(mut source: impl BufRead, mut then: impl FnMut(u64, &Entry)) -> anyhow::Result<u64> {
    let (mut line, mut columns, mut skipped) = (Vec::new(), Vec::new(), 0);
    for number in 0.. {
        line.clear();
        if source.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 >= LINE_MAX {
            source.skip_until(b'\n')?;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if let Some(comment) = text.strip_prefix('#') {
            if let Some(fields) = comment.strip_prefix("fields\t") {
                columns = fields.split('\t').map(str::to_owned).collect();
            }
            continue;
        }
        if text.trim().is_empty() {
            continue;
        }
        let entry = if text.trim_start().starts_with('{') {
            let value: Option<Value> = serde_json::from_str(text).ok();
            // Suricata writes all sorts of events into one file.
            if value.as_ref().is_some_and(|v| v["event_type"].is_string() && v["event_type"] != "http") {
                continue;
            }
            value.and_then(|v| Entry::of_json(&v))
        } else if columns.is_empty() {
            Entry::of_access_log(text)
        } else {
            Entry::of_columns(&columns, text)
        };
        match entry {
            Some(entry) => then(number, &entry),
            None => skipped += 1,
        }
    }
    Ok(skipped)
}
