//! The thread that opens interfaces again.
//!
//! Takes an interface's name and options, gives it opened. An interface that comes back must be opened anew, and that
//! needs CAP_NET_RAW; so this thread, which reads no packet and no file, keeps that one capability when all others let
//! go of everything ([`super::privileges`]), and has it in effect only while it opens one. Never does anything else.

use std::thread;
use std::time::Duration;

use caps::{CapSet, Capability, CapsHashSet};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::privileges::{PrivilegeError, refused};
use crate::capture::CaptureError;
use crate::capture::live::{Live, Options};

/// How often one who waits says that it is still there.
const TURN: Duration = Duration::from_millis(200);

enum Wish {
    /// All threads have let go; what is left beside CAP_NET_RAW goes now.
    Settle(Sender<Result<(), String>>),
    Open {
        interface: String,
        options: Options,
        reply: Sender<Result<Live, CaptureError>>,
    },
}

/// The way to the thread, which ends with the last of these.
#[derive(Clone)]
pub(super) struct Opener(Sender<Wish>);

impl Opener {
    /// Starts the thread; to be called before privileges are dropped. Then [`Opener::settle`].
    pub(super) fn start() -> std::io::Result<Self> {
        let (to, wishes) = unbounded();
        let (ready_in, ready) = bounded(1);
        thread::Builder::new().name("opener".to_owned()).spawn(move || {
            // Capabilities and this flag belong to the thread: becoming another user leaves it what is permitted.
            let _ = caps::securebits::set_keepcaps(true);
            let _ = ready_in.send(());
            work(&wishes);
        })?;
        // An error means that the thread is gone, which the first wish shows.
        let _ = ready.recv();
        Ok(Self(to))
    }

    /// The process has become who it is to be: the thread keeps CAP_NET_RAW, not in effect, and nothing else.
    pub(super) fn settle(&self) -> Result<(), PrivilegeError> {
        let (reply, answer) = bounded(1);
        let asked = self.0.send(Wish::Settle(reply)).is_ok();
        let answer = answer.recv().ok().filter(|_| asked);
        answer.unwrap_or_else(|| Err("its thread is gone".to_owned())).map_err(refused("drop capabilities"))
    }

    /// Opens an interface; `waiting` is called while it takes its time.
    pub(super) fn open(&self, interface: &str, options: &Options, waiting: impl Fn()) -> Result<Live, CaptureError> {
        let gone = || CaptureError::Interface {
            interface: interface.to_owned(),
            message: "the thread that opens interfaces has ended".to_owned(),
            remedy: "",
        };
        let (reply, answer) = bounded(1);
        let wish = Wish::Open { interface: interface.to_owned(), options: options.clone(), reply };
        self.0.send(wish).map_err(|_| gone())?;
        loop {
            match answer.recv_timeout(TURN) {
                Ok(opened) => return opened,
                Err(RecvTimeoutError::Timeout) => waiting(),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }
}

fn work(wishes: &Receiver<Wish>) {
    let mut settled = false;
    for wish in wishes {
        match wish {
            Wish::Settle(reply) => {
                settled = !nix::unistd::geteuid().is_root();
                let done = if settled { keep_one() } else { Ok(()) };
                let _ = reply.send(done.map_err(|e| e.to_string()));
            }
            Wish::Open { interface, options, reply } => {
                let one = CapsHashSet::from([Capability::CAP_NET_RAW]);
                // Without it the error of opening says what is missing.
                let _ = settled.then(|| caps::set(None, CapSet::Effective, &one));
                let opened = Live::open(&interface, &options);
                let _ = settled.then(|| caps::clear(None, CapSet::Effective));
                let _ = reply.send(opened);
            }
        }
    }
}

/// Everything but CAP_NET_RAW goes, and that is not in effect. Where it was not there, it is not there now.
fn keep_one() -> Result<(), caps::errors::CapsError> {
    // A kernel without ambient capabilities has none to drop.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::clear(None, CapSet::Effective)?;
    caps::clear(None, CapSet::Inheritable)?;
    let mut permitted = caps::read(None, CapSet::Permitted)?;
    permitted.retain(|c| *c == Capability::CAP_NET_RAW);
    caps::set(None, CapSet::Permitted, &permitted)
}
