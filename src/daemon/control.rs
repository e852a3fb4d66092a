//! The thread behind the control socket.
//!
//! Takes requests of readers, gives one line each: a fresh snapshot's number, or how the daemon is. One at a time, each
//! with a deadline. Never lets a reader hold up the inventory: the records go through the snapshot file.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::{debug, warn};

use super::beat::Beat;
use super::learn::{Order, locked};
use super::status::Status;
use crate::inventory::store::{CONTROL_SOCKET, Reply, Request};

/// How long a reader may take to send its word or to take the answer.
const READER: Duration = Duration::from_secs(2);
/// How long a snapshot may take.
const SNAPSHOT: Duration = Duration::from_secs(55);
/// Milliseconds between two looks whether the daemon ends.
const LOOK: u16 = 250;

/// The socket; removed when dropped.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    orders: Sender<Order>,
    status: Arc<Mutex<Status>>,
    stop: Arc<AtomicBool>,
}

impl Control {
    /// Listens in the store's folder. Whoever holds the store's lock may remove a socket that was left behind.
    pub(super) fn bind(
        store: &Path,
        orders: Sender<Order>,
        status: Arc<Mutex<Status>>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let path = store.join(CONTROL_SOCKET);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path, orders, status, stop })
    }

    /// Answers until the daemon ends.
    pub(super) fn serve(self, beat: &Beat) {
        while !self.stop.load(Ordering::Relaxed) {
            beat.beat();
            let mut fds = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
            // Interrupted or timed out: look again.
            if !matches!(poll(&mut fds, PollTimeout::from(LOOK)), Ok(n) if n > 0) {
                continue;
            }
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Err(e) = self.answer(&stream, beat) {
                        debug!(error = %e, "a reader went away");
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    warn!(error = %e, "the control socket does not accept");
                    std::thread::sleep(Duration::from_millis(LOOK.into()));
                }
            }
        }
    }

    fn answer(&self, stream: &UnixStream, beat: &Beat) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(READER))?;
        stream.set_write_timeout(Some(READER))?;
        let reply = match Request::read(stream)? {
            Some(Request::Status) => Reply::Ok(locked(&self.status).json()),
            Some(Request::Snapshot) => self.snapshot(beat),
            None => Reply::Error("not a request; there are: snapshot, status".to_owned()),
        };
        reply.write(stream)
    }

    fn snapshot(&self, beat: &Beat) -> Reply {
        let (reply, answer) = crossbeam_channel::bounded(1);
        if self.orders.send(Order::Snapshot(reply)).is_err() {
            return Reply::Error("the daemon is ending".to_owned());
        }
        let mut waited = Duration::ZERO;
        let step = Duration::from_millis(LOOK.into());
        loop {
            match answer.recv_timeout(step) {
                Ok(Ok(commit)) => return Reply::Ok(commit.to_string()),
                Ok(Err(why)) => return Reply::Error(why),
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                    return Reply::Error("the daemon is ending".to_owned());
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                    beat.beat();
                    waited += step;
                    if waited >= SNAPSHOT {
                        return Reply::Error("the disk is too slow at the moment".to_owned());
                    }
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Left behind it is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}
