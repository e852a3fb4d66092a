//! Capture files: pcap and pcapng.
//!
//! Takes any [`Read`], gives its frames one after the other, borrowed from the one buffer that large reads fill. Keeps what can be read of
//! a damaged file: skips to the next believable record where one is broken, and says where and how much. Never opens a file itself and
//! never decompresses: `capture::files` does.

mod error;
mod pcap;
mod pcapng;
mod window;

use std::io::Read;
use std::sync::Arc;

pub use error::{FileError, Warning};

use self::window::Window;
use super::{Frame, LinkType};
use crate::base::{Oddities, Oddity, Timestamp};

/// The most bytes of one frame. Eight times what libpcap takes by default (256 KiB), four times Linux' largest offloaded packet.
pub const FRAME_MAX: usize = 2 << 20;

/// The most warnings kept for one file; later ones are only counted.
pub const WARNINGS_MAX: usize = 64;

/// Where the next frame lies in the window.
#[derive(Clone, Copy, Debug)]
struct Located {
    ts: Timestamp,
    link: LinkType,
    /// From the start of the window.
    from: usize,
    len: usize,
    wire_len: u32,
    /// The whole record or block.
    record: usize,
}

/// What a format's parser found at the start of the window.
enum Step {
    /// A frame, whole in the window.
    Frame(Located),
    /// The end of what has been written so far, on a boundary.
    End,
    /// The end, inside of a record.
    Short,
    /// Something that cannot be read.
    Bad(&'static str),
}

enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Section),
}

/// Takes the text of TLS key logs that stand in a pcapng file (Decryption Secrets Blocks), before the frames behind them.
pub type Secrets = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// How far reading has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    /// Looking for a believable record behind a broken one: where that was, and what was wrong with it.
    Lost(u64, &'static str),
    Ended,
}

/// The place of a frame that lies whole in the window.
#[derive(Clone, Copy)]
pub(crate) struct Ready(Located);

/// Reads one capture.
///
/// ```no_run
/// # use shadowtap::wire::file::{FileError, Reader};
/// # fn main() -> Result<(), FileError> {
/// let mut reader = Reader::open("stdin", std::io::stdin())?;
/// while let Some(frame) = reader.next()? {
///     println!("{} {} bytes", frame.ts, frame.data.len());
/// }
/// # Ok(()) }
/// ```
pub struct Reader<R> {
    /// Cut and broken records.
    pub oddities: Oddities,
    name: Box<str>,
    window: Window<R>,
    format: Format,
    located: Option<Located>,
    last: Timestamp,
    progress: Progress,
    growing: bool,
    warnings: Vec<Warning>,
}

impl<R: Read> Reader<R> {
    /// Reads the file header. `name` is what errors and warnings call the file.
    ///
    /// # Errors
    /// When `source` is empty, is no capture (the error says what it is), or cannot be read.
    pub fn open(name: &str, source: R) -> Result<Self, FileError> {
        let mut window = Window::new(source);
        let read = |w: &mut Window<R>, n| {
            w.ensure(n).map_err(|source| FileError::Read { file: name.to_owned(), offset: w.offset(), source })
        };
        read(&mut window, 24)?;
        let bytes = window.bytes();
        if bytes.is_empty() {
            return Err(FileError::Empty { file: name.to_owned() });
        }
        let format = if let Some(header) = pcap::Header::read(bytes) {
            window.consume(pcap::FILE_HEADER);
            Format::Pcap(header)
        } else if pcapng::starts(bytes) {
            Format::Pcapng(pcapng::Section::default())
        } else {
            return Err(error::not_capture(name, bytes));
        };
        Ok(Self {
            oddities: Oddities::default(),
            name: name.into(),
            window,
            format,
            located: None,
            last: Timestamp::default(),
            progress: Progress::Reading,
            growing: false,
            warnings: Vec::new(),
        })
    }

    /// The file is still being written: an end inside of a record is not the end. [`Reader::next`] gives `None` there, and may give more
    /// frames when called again later. Set back to `false` when the writer has gone on to another file.
    pub fn set_growing(&mut self, growing: bool) {
        self.growing = growing;
    }

    /// Hands over secrets that stand in the file, as they are read; those read before are handed over at once.
    pub fn set_secrets(&mut self, to: Secrets) {
        if let Format::Pcapng(section) = &mut self.format {
            section.set_secrets(to);
        }
    }

    /// What errors and warnings call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file behind the last frame given out: where to go on reading.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// What was wrong with the file so far: at most [`WARNINGS_MAX`].
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Hands over the warnings.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read, or when nothing believable follows a broken record. All frames before have been given out then, and
    /// the next call gives `None`.
    #[inline]
    #[allow(clippy::should_implement_trait)] // it lends: an iterator cannot
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FileError> {
        if let Some(ready) = self.ready(Timestamp(u64::MAX)) {
            return Ok(Some(self.give(ready)));
        }
        if self.at_hand() || self.find()? { Ok(self.take()) } else { Ok(None) }
    }

    /// The time of the next frame, which stays where it is; `None` at the end.
    ///
    /// # Errors
    /// As [`Reader::next`].
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Timestamp>, FileError> {
        let found = self.at_hand() || self.find()?;
        Ok(found.then(|| self.located.map(|l| l.ts)).flatten())
    }

    /// The place of the next frame, where none is located yet and it lies whole in the window and before a time, as
    /// nearly all do. Goes to [`Reader::give`] at once: a caller that merges files spares what [`Reader::peek`] and
    /// [`Reader::take`] keep in between.
    #[inline(always)]
    pub(crate) fn ready(&mut self, before: Timestamp) -> Option<Ready> {
        if self.located.is_some() || self.progress != Progress::Reading {
            return None;
        }
        self.window.settle();
        let located = match &self.format {
            Format::Pcap(header) => pcap::at_hand(header, self.window.bytes()),
            Format::Pcapng(section) => pcapng::at_hand(section, self.window.bytes()),
        };
        located.filter(|l| l.ts < before).map(Ready)
    }

    /// The frame that [`Reader::ready`] found just now.
    #[inline(always)]
    pub(crate) fn give(&mut self, Ready(located): Ready) -> Frame<'_> {
        self.last = located.ts;
        let data = self.window.lend(located.from, located.len, located.record);
        Frame { ts: located.ts, link: located.link, data, wire_len: located.wire_len }
    }

    /// Is there a frame, located before or lying whole in the window as most do?
    #[inline]
    fn at_hand(&mut self) -> bool {
        if self.located.is_none() {
            self.located = self.ready(Timestamp(u64::MAX)).map(|Ready(located)| located);
        }
        self.located.is_some()
    }

    /// What [`Reader::at_hand`] leaves: reads on, goes behind other blocks, deals with trouble.
    #[cold]
    fn find(&mut self) -> Result<bool, FileError> {
        let step = if self.progress == Progress::Reading { self.step() } else { Ok(Step::End) };
        match step {
            Ok(Step::Frame(located)) => {
                self.located = Some(located);
                Ok(true)
            }
            other => self.trouble(other),
        }
    }

    /// The frame that [`Reader::peek`] found.
    #[inline]
    pub fn take(&mut self) -> Option<Frame<'_>> {
        let located = self.located.take()?;
        Some(self.give(Ready(located)))
    }

    /// The frame that [`Reader::peek`] found, which stays where it is.
    pub fn peeked(&self) -> Option<Frame<'_>> {
        let located = self.located.as_ref()?;
        let data = self.window.bytes().get(located.from..)?.get(..located.len)?;
        Some(Frame { ts: located.ts, link: located.link, data, wire_len: located.wire_len })
    }

    fn step(&mut self) -> std::io::Result<Step> {
        match &mut self.format {
            Format::Pcap(header) => pcap::step(header, &mut self.window),
            Format::Pcapng(section) => pcapng::step(section, &mut self.window, self.last),
        }
    }

    /// All that is not a frame in its place.
    #[cold]
    fn trouble(&mut self, mut step: std::io::Result<Step>) -> Result<bool, FileError> {
        loop {
            match self.progress {
                Progress::Ended => return Ok(false),
                Progress::Reading => match step {
                    Ok(Step::Frame(located)) => {
                        self.located = Some(located);
                        return Ok(true);
                    }
                    Ok(Step::End | Step::Short) if self.growing => return Ok(false),
                    Ok(Step::End) => self.progress = Progress::Ended,
                    Ok(Step::Short) => self.cut_short(),
                    Ok(Step::Bad(what)) => {
                        self.oddities.bump(Oddity::FileBadBlock);
                        self.progress = Progress::Lost(self.window.offset(), what);
                    }
                    // A compressed file that was cut ends with an error of its decoder, which is the same to us.
                    Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof && !self.growing => self.cut_short(),
                    Err(source) => {
                        self.progress = Progress::Ended;
                        return Err(FileError::Read {
                            file: self.name.to_string(),
                            offset: self.window.offset(),
                            source,
                        });
                    }
                },
                Progress::Lost(since, what) => {
                    let found = match &mut self.format {
                        Format::Pcap(header) => pcap::find(header, &mut self.window, self.last),
                        Format::Pcapng(section) => pcapng::find(section, &mut self.window),
                    };
                    match found {
                        Ok(true) => {
                            self.progress = Progress::Reading;
                            let skipped = self.window.offset() - since;
                            self.warn(since, format!("{what}: {skipped} bytes skipped, reading goes on behind them"));
                        }
                        Ok(false) if self.growing => return Ok(false),
                        Ok(false) | Err(_) => {
                            self.progress = Progress::Ended;
                            return Err(FileError::Corrupt { file: self.name.to_string(), offset: since, what });
                        }
                    }
                }
            }
            step = if self.progress == Progress::Reading { self.step() } else { Ok(Step::End) };
        }
    }

    fn cut_short(&mut self) {
        self.progress = Progress::Ended;
        self.oddities.bump(Oddity::FileCutShort);
        let at = self.window.offset();
        self.warn(at, "the file ends inside a record; all before it was read".to_owned());
    }

    fn warn(&mut self, offset: u64, what: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(Warning { file: self.name.to_string(), offset, what });
        }
    }
}

#[cfg(test)]
mod tests;
