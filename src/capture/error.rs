//! Why there are no frames, with the remedy in the same sentence.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::wire::file::FileError;

/// What stops a capture, or a part of it.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// A file is no capture, or the rest of it cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A path cannot be opened or listed.
    #[error("{}: {source}{}", path.display(), remedy(source))]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The paths that were given lead to no capture at all.
    #[error(
        "no capture to read in {given}: give pcap or pcapng files (also .gz or .zst), folders of them, or - for standard input"
    )]
    Nothing {
        /// What was given.
        given: String,
    },
    /// More files than are read at a time.
    #[error("more than {limit} files in {}: give a part of them at a time", path.display())]
    TooMany {
        /// Where it became too many.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A filter expression that libpcap does not understand.
    #[error("filter `{filter}`: {message}{place}; see `man pcap-filter`")]
    Filter {
        /// As typed.
        filter: String,
        /// What libpcap says.
        message: String,
        /// Where, as far as that can be told.
        place: String,
    },
    /// No such interface.
    #[error("{interface}: no such interface; there are: {known}")]
    NoInterface {
        /// As typed.
        interface: String,
        /// The names there are.
        known: String,
    },
    /// Not allowed to capture.
    #[error(
        "{interface}: no permission to capture; run as root, or give the program the right to: \
         `sudo setcap cap_net_raw=ep {program}` (in a systemd unit: AmbientCapabilities=CAP_NET_RAW)"
    )]
    NotPermitted {
        /// As typed.
        interface: String,
        /// The running program.
        program: String,
    },
    /// The interface cannot be opened, or failed while it was captured from.
    #[error("{interface}: {message}{remedy}")]
    Interface {
        /// As typed.
        interface: String,
        /// What libpcap says.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl CaptureError {
    /// The interface is not there any more.
    pub(crate) fn gone(interface: &str) -> Self {
        Self::Interface { interface: interface.to_owned(), message: "the interface has gone".to_owned(), remedy: "" }
    }

    pub(super) fn path(path: &Path, source: io::Error) -> Self {
        Self::Path { path: path.to_owned(), source }
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; is the name right, and relative to the current folder?",
        io::ErrorKind::PermissionDenied => "; the user that shadowtap runs as must be able to read it",
        _ => "",
    }
}
