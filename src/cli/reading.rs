//! Captures into the pipeline.
//!
//! Takes what was typed after `-r` and at the end of the line, gives frames to a pipeline until they end or somebody has
//! enough. A file that breaks off does not stop the others; what went wrong is kept in sentences.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::Failure;
use super::interrupt::Interrupt;
use crate::base::Oddities;
use crate::capture::files::Files;
use crate::capture::{CaptureError, Filter};
use crate::console::Progress;
use crate::exchange::Observer;
use crate::pipeline::Pipeline;
use crate::report::visible;

/// Frames between two looks at the clock of the progress bar and at the signals.
const STRIDE: u32 = 1024;
/// Warnings that are printed; the report has the rest.
const WARNINGS: usize = 10;

/// How reading went.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What went wrong, in sentences.
    pub(crate) notes: Vec<String>,
    /// Could a file not be read to its end?
    pub(crate) failed: bool,
    /// Was it Ctrl-C that ended it?
    pub(crate) interrupted: bool,
    /// What was odd about the files.
    pub(crate) oddities: Oddities,
}

/// Files and filter: words at the end that are files (`-r *.pcap` after the shell has had it) are files.
pub(crate) fn split(read: &[PathBuf], trailing: &[String]) -> (Vec<PathBuf>, Option<String>) {
    let files = trailing.iter().take_while(|word| is_capture(word)).count();
    let paths = read.iter().cloned().chain(trailing[..files].iter().map(PathBuf::from)).collect();
    (paths, filter_text(&trailing[files..]))
}

/// The filter's words as one expression.
pub(crate) fn filter_text(words: &[String]) -> Option<String> {
    Some(words.join(" ")).filter(|text| !text.trim().is_empty())
}

/// A file whose name is also a filter (`ip`, `tcp`) is taken for a filter.
fn is_capture(word: &str) -> bool {
    let path = std::path::Path::new(word);
    let looks_like_a_name = word.contains(['.', '/']) && !word.contains(' ');
    looks_like_a_name && path.exists()
}

/// Opens files behind a filter.
pub(crate) fn open(paths: &[PathBuf], filter: Option<&str>) -> Result<Files, Failure> {
    // The filter first: a mistake in it should show before a folder of captures is looked through.
    let filter = filter.map(Filter::new).transpose().map_err(Failure::of_capture)?;
    let mut files = Files::open(paths).map_err(Failure::of_capture)?;
    if let Some(filter) = filter {
        files.set_filter(filter);
    }
    Ok(files)
}

/// Reads files to their end, or until `enough` or a signal says stop.
pub(crate) fn feed<O: Observer>(
    files: &mut Files,
    pipeline: &mut Pipeline<O>,
    progress: &Progress,
    interrupt: &Interrupt,
    enough: impl Fn(&O) -> bool,
) -> Result<Read, Failure> {
    let keys = pipeline.keys().clone();
    files.set_secrets(Arc::new(move |text| keys.text(text)));
    let mut read = Read::default();
    let mut until_look = 0;
    loop {
        match files.next() {
            Ok(Some(frame)) => pipeline.frame(&frame),
            Ok(None) => break,
            Err(error @ CaptureError::Filter { .. }) => return Err(Failure::of_capture(error)),
            Err(error) => {
                read.failed = true;
                read.notes.push(error.to_string());
            }
        }
        if until_look == 0 {
            until_look = STRIDE;
            progress.at(files.bytes_read());
            progress.names(files.current().unwrap_or_default());
            if interrupt.came() || enough(pipeline.observer()) {
                read.interrupted = interrupt.came();
                break;
            }
        }
        until_look -= 1;
    }
    pipeline.finish();
    progress.done();
    read.oddities = files.oddities().clone();
    read.notes.extend(files.warnings().iter().cloned());
    for note in read.notes.iter().take(WARNINGS) {
        eprintln!("shadowtap: {}", visible(note));
    }
    if read.notes.len() > WARNINGS {
        eprintln!("shadowtap: … and {} more warnings", read.notes.len() - WARNINGS);
    }
    if read.interrupted {
        read.notes.push("Interrupted: the rest of the capture was not read.".to_owned());
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_files_are_files_and_the_rest_is_the_filter() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b.pcap");
        std::fs::write(&file, "").unwrap();
        let words: Vec<String> =
            [file.to_str().unwrap(), "tcp", "port", "80"].iter().map(|s| (*s).to_owned()).collect();
        let (paths, filter) = split(&["a.pcap".into()], &words);
        assert_eq!(paths, [PathBuf::from("a.pcap"), file]);
        assert_eq!(filter.as_deref(), Some("tcp port 80"));
        assert_eq!(split(&["-".into()], &["host".into(), "10.0.0.1".into()]).1.as_deref(), Some("host 10.0.0.1"));
        assert_eq!(split(&["-".into()], &[]).1, None);
    }
}
