//! What a reader and the daemon say to each other over the control socket.
//!
//! Takes one line, gives one line: `snapshot` asks for a fresh logical snapshot and is answered `ok <commit>` once it
//! is on disk under its name; `status` is answered `ok <JSON object>`; anything that fails, `error <words>`. The
//! records themselves go through the snapshot file, so that a slow reader never holds up the daemon. Never carries
//! anything of an exchange.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::StoreError;

/// Name of the socket in the store's folder.
pub const CONTROL_SOCKET: &str = "control.sock";

/// A snapshot of 100,000 endpoints takes a second or two; a busy disk may take far longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a line. A request is a word, a reply a status line.
const LINE: u64 = 64 << 10;

/// What a reader may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Commit what is pending and write a snapshot.
    Snapshot,
    /// Say how things are.
    Status,
}

impl Request {
    /// As one line, without its end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Status => "status",
        }
    }

    /// Reads a request from a connection; `None` where there is none that is known.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn read(from: impl Read) -> io::Result<Option<Self>> {
        let mut line = String::new();
        BufReader::new(from.take(LINE)).read_line(&mut line)?;
        Ok([Self::Snapshot, Self::Status].into_iter().find(|r| r.as_str() == line.trim_end()))
    }
}

/// The daemon's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; what it says about it.
    Ok(String),
    /// Not done, and why.
    Error(String),
}

impl Reply {
    /// Writes the answer as one line.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let (word, text) = match self {
            Self::Ok(text) => ("ok", text),
            Self::Error(text) => ("error", text),
        };
        to.write_all(format!("{word} {}\n", text.replace('\n', " ")).as_bytes())
    }
}

/// Asks the daemon that has the store in `dir` open. `None`: there is no daemon.
pub(super) fn ask(dir: &Path, request: Request) -> Result<Option<String>, StoreError> {
    let path = dir.join(CONTROL_SOCKET);
    let failed = |e: io::Error| StoreError::Control { path: path.clone(), why: e.to_string() };
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // Not there, or left behind by a daemon that was killed.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.write_all(format!("{}\n", request.as_str()).as_bytes()).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE)).read_line(&mut line).map_err(failed)?;
    match line.trim_end().split_once(' ') {
        Some(("ok", text)) => Ok(Some(text.to_owned())),
        Some(("error", why)) => Err(StoreError::Control { path, why: why.to_owned() }),
        _ => Err(StoreError::Control { path, why: "it did not answer".to_owned() }),
    }
}
