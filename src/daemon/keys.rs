//! The thread that takes in keys for TLS.
//!
//! Takes key logs that grow and are rotated, and lines that come over a socket; gives the secrets to the one store that
//! all readers of packets share. The socket is for its owner alone (mode 0600). Bounded: so many writers, a line of each,
//! so many bytes at a look. Never writes a secret anywhere, never answers a writer.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::RunError;
use super::beat::Beat;
use crate::config::Tls;
use crate::proto::tls::keylog::Lines;
use crate::proto::tls::{Keys, RsaKey};

/// Milliseconds between two looks at the files, and at whether the daemon ends.
const LOOK: u16 = 25;
/// Bytes read at once.
const BUFFER: usize = 64 << 10;
/// Bytes read of one file or writer before the others have their turn.
const TURN: usize = 4 << 20;
/// Writers at a time; more wait in the socket's queue.
const WRITERS: usize = 256;
/// Largest file that is taken for a private key.
const KEY_FILE: u64 = 64 << 10;

/// A key log that is followed.
struct Followed {
    path: PathBuf,
    open: Option<(File, (u64, u64))>,
    /// Bytes read of the file that is open.
    at: u64,
    lines: Lines,
    /// What was said of it last.
    said: String,
}

impl Followed {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None, at: 0, lines: Lines::default(), said: String::new() }
    }

    /// Reads what is new. Tells whether there may be more at once.
    fn look(&mut self, keys: &Keys, buffer: &mut [u8]) -> bool {
        match self.try_look(keys, buffer) {
            Ok(more) => {
                self.said.clear();
                more
            }
            Err(e) => {
                let why = e.to_string();
                if self.said != why {
                    warn!(file = %self.path.display(), error = why, "the key log cannot be read; trying on");
                    self.said = why;
                }
                false
            }
        }
    }

    fn try_look(&mut self, keys: &Keys, buffer: &mut [u8]) -> io::Result<bool> {
        // First the rest of the file that is open: it may have been rotated away since.
        let mut more = self.read(keys, buffer)?;
        let there = match fs::metadata(&self.path) {
            Ok(metadata) => Some(((metadata.dev(), metadata.ino()), metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let same = match (&self.open, there) {
            (Some((_, open)), Some((id, length))) => *open == id && length >= self.at,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !same && !more {
            // Another file, or the same one cut off: what was half a line is none.
            let file = File::open(&self.path)?;
            let metadata = file.metadata()?;
            self.lines.finish(|line| keys.line(line));
            (self.open, self.at) = (Some((file, (metadata.dev(), metadata.ino()))), 0);
            more = self.read(keys, buffer)?;
        }
        Ok(more)
    }

    fn read(&mut self, keys: &Keys, buffer: &mut [u8]) -> io::Result<bool> {
        let Some((file, _)) = &mut self.open else { return Ok(false) };
        let mut taken = 0;
        while taken < TURN {
            match file.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    taken += n;
                    self.at += n as u64;
                    self.lines.push(buffer.get(..n).unwrap_or_default(), |line| keys.line(line));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

/// The socket; removed when dropped.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    fn bind(path: &Path) -> io::Result<Self> {
        // One that a daemon left behind nobody listens on; anything else is not ours to remove.
        match fs::symlink_metadata(path) {
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens on it"));
            }
            Ok(metadata) if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and is no socket")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned() })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Left behind it is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Reads keys until the daemon ends.
pub(super) struct KeyReader {
    keys: Keys,
    files: Vec<Followed>,
    socket: Option<Socket>,
    writers: Vec<(UnixStream, Lines)>,
    stop: Arc<AtomicBool>,
    buffer: Zeroizing<Vec<u8>>,
    dropped: u64,
}

impl KeyReader {
    /// Opens what the configuration names, and reads what is in the files already. `None` where it names nothing.
    pub(super) fn start(tls: &Tls, keys: &Keys, stop: Arc<AtomicBool>) -> Result<Option<Self>, RunError> {
        if !tls.has_keys() {
            return Ok(None);
        }
        let wrong = |path: &Path, why: String| RunError::Keys { path: path.to_owned(), why };
        for path in &tls.rsa_key {
            let mut pem = Zeroizing::new(String::new());
            let read = File::open(path).and_then(|file| file.take(KEY_FILE).read_to_string(&mut pem));
            read.map_err(|e| wrong(path, e.to_string()))?;
            let key = RsaKey::from_pem(&pem).ok_or_else(|| wrong(path, "no RSA private key in PEM".to_owned()))?;
            if !keys.rsa(key) {
                return Err(wrong(path, "too many private keys".to_owned()));
            }
        }
        let socket = match tls.socket.as_os_str().is_empty() {
            true => None,
            false => Some(Socket::bind(&tls.socket).map_err(|e| wrong(&tls.socket, e.to_string()))?),
        };
        keys.expect();
        keys.use_once();
        let files = tls.keylog.iter().map(|path| Followed::new(path)).collect();
        let buffer = Zeroizing::new(vec![0; BUFFER]);
        let mut reader = Self { keys: keys.clone(), files, socket, writers: Vec::new(), stop, buffer, dropped: 0 };
        while reader.look_at_files() {}
        info!(sessions = keys.figures().sessions, "keys for TLS are taken in");
        Ok(Some(reader))
    }

    /// Takes in keys until the daemon ends.
    pub(super) fn serve(mut self, beat: &Beat) {
        while !self.stop.load(Ordering::Relaxed) {
            beat.beat();
            let more = self.look_at_files();
            self.wait(if more { 0 } else { LOOK });
            self.accept();
            self.listen();
            let dropped = self.keys.figures().dropped;
            if dropped > self.dropped {
                warn!(sessions = dropped - self.dropped, "keys were let go unused: more than `limits.tls_keys` came");
                self.dropped = dropped;
            }
        }
    }

    fn look_at_files(&mut self) -> bool {
        let (keys, buffer) = (&self.keys, &mut self.buffer);
        self.files.iter_mut().fold(false, |more, file| file.look(keys, buffer) | more)
    }

    /// Until a writer writes, or the time is over.
    fn wait(&self, milliseconds: u16) {
        let listener = self.socket.as_ref().filter(|_| self.writers.len() < WRITERS);
        let ends = listener.map(|socket| socket.listener.as_fd());
        let ends = ends.into_iter().chain(self.writers.iter().map(|(stream, _)| stream.as_fd()));
        let mut fds: Vec<_> = ends.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Interrupted or timed out: look again.
        let _ = poll(&mut fds, PollTimeout::from(milliseconds));
    }

    fn accept(&mut self) {
        let Some(socket) = &self.socket else { return };
        while self.writers.len() < WRITERS {
            match socket.listener.accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                    self.writers.push((stream, Lines::default()));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    fn listen(&mut self) {
        let (keys, buffer) = (&self.keys, &mut self.buffer);
        self.writers.retain_mut(|(stream, lines)| {
            let mut taken = 0;
            while taken < TURN {
                match stream.read(buffer) {
                    Ok(0) => {
                        lines.finish(|line| keys.line(line));
                        return false;
                    }
                    Ok(n) => {
                        taken += n;
                        lines.push(buffer.get(..n).unwrap_or_default(), |line| keys.line(line));
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
                }
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn line(n: u8) -> String {
        format!("CLIENT_RANDOM {} {}\n", format!("{n:02x}").repeat(32), "5a".repeat(48))
    }

    fn has(keys: &Keys, n: u8) -> bool {
        keys.find(&[n; 32]).is_some()
    }

    #[test]
    fn a_log_is_followed_over_growth_rotation_and_truncation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.log");
        let tls = Tls { keylog: vec![path.clone()], ..Tls::default() };
        let keys = Keys::new(100);
        let mut reader = KeyReader::start(&tls, &keys, Arc::default()).unwrap().unwrap();
        assert!(keys.expected() && keys.figures().sessions == 0, "not there yet");
        let mut file = File::create(&path).unwrap();
        file.write_all(line(1).as_bytes()).unwrap();
        let (half, rest) = (line(2), line(2));
        file.write_all(&half.as_bytes()[..50]).unwrap();
        reader.look_at_files();
        assert!(has(&keys, 1) && !has(&keys, 2));
        file.write_all(&rest.as_bytes()[50..]).unwrap();
        reader.look_at_files();
        assert!(has(&keys, 2), "a line in two pieces");
        file.write_all(line(3).as_bytes()).unwrap();
        fs::rename(&path, dir.path().join("keys.log.1")).unwrap();
        fs::write(&path, line(4)).unwrap();
        reader.look_at_files();
        assert!(has(&keys, 3) && has(&keys, 4), "the rest of the old one and the new one");
        fs::write(&path, "").unwrap();
        reader.look_at_files();
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(line(5).as_bytes()).unwrap();
        reader.look_at_files();
        assert!(has(&keys, 5), "cut off and written anew");
    }

    #[test]
    fn the_socket_is_for_its_owner_and_takes_lines_of_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.sock");
        let tls = Tls { socket: path.clone(), ..Tls::default() };
        let keys = Keys::new(1000);
        let mut reader = KeyReader::start(&tls, &keys, Arc::default()).unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(KeyReader::start(&tls, &keys, Arc::default()).is_err(), "somebody listens already");
        let mut writers: Vec<_> = (0..10).map(|_| UnixStream::connect(&path).unwrap()).collect();
        reader.accept();
        for (n, writer) in writers.iter_mut().enumerate() {
            writer.write_all(line(n as u8).as_bytes()).unwrap();
        }
        writers[3].write_all(b"rubbish without end").unwrap();
        reader.listen();
        assert_eq!(keys.figures().sessions, 10);
        drop(writers);
        reader.listen();
        assert!(reader.writers.is_empty());
        assert_eq!(keys.figures().bad_lines, 1);
        drop(reader);
        assert!(!path.exists());
    }
}
