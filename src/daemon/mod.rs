//! Floor 9: the daemon.
//!
//! Takes a configuration, gives an inventory that is kept as traffic comes, until it is told to end. One thread for each
//! interface (and one for a folder of captures) runs each frame to completion and sends observations in parcels; one
//! thread owns the inventory; one writes to the store; one answers readers. Never makes live capture wait, never takes
//! more memory than the limits allow, and never ends without having written what it knows, unless it is killed.
//!
//! ```text
//! live ──┐                                                        ┌─▶ keeper ─▶ store
//! live ──┼─ parcels (bounded; live sheds, folder waits) ─▶ learner ┤      ▲ snapshot
//! folder ┘                                                        └─▶ status ─▶ log, systemd, control ◀─ readers
//! ```

mod beat;
mod control;
mod documents;
mod follow;
mod keep;
mod keys;
mod learn;
mod live;
mod log;
mod opener;
mod parcel;
mod privileges;
mod restore;
mod service;
mod sorting;
mod status;
#[cfg(test)]
mod tests;
mod valve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use nix::sys::stat::{Mode, umask};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use thiserror::Error;
use tracing::{error, info, warn};

pub use privileges::PrivilegeError;

use self::beat::{Beat, Beats};
use self::control::Control;
use self::follow::Follower;
use self::keep::Keeper;
use self::keys::KeyReader;
use self::learn::{Learner, Lines, Order, Pace, locked};
use self::live::Ear;
use self::opener::Opener;
use self::parcel::{Ends, Pressure, Way};
use self::service::Service;
use self::sorting::Published;
use self::status::Status;
use crate::capture::CaptureError;
use crate::capture::live::{self as capture, Live};
use crate::config::{self, Config};
use crate::inventory::store::{Sensor, Store, StoreError};
use crate::observe::Key;
use crate::proto::tls::Keys;

/// How often the main thread looks at what needs no event.
const LOOK: Duration = Duration::from_millis(250);
/// How long a thread may be silent before the watchdog is not fed any more. A commit of everything on a slow disk takes seconds.
const STUCK: Duration = Duration::from_secs(45);
/// Emptied batches on their way back to a source.
const SPARES: usize = 8;

/// Why the daemon did not start, or ended otherwise than asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// An interface could not be opened or went away.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kept inventory could not be read.
    #[error("the inventory in {} cannot be read: {why}", dir.display())]
    Restore {
        /// The store's folder.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A source of keys for TLS.
    #[error("{}: {why}", path.display())]
    Keys {
        /// The file or socket.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Privileges.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// The system refused something.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A source of packets failed; all that was seen before is kept.
    #[error("{source_name}: {why}")]
    Source {
        /// The interface or folder.
        source_name: String,
        /// What happened.
        why: String,
    },
    /// A defect of the program; all that was seen before is kept as far as possible.
    #[error("internal error in the thread {thread}; please report it with the log's lines before this one")]
    Panic {
        /// The thread's name.
        thread: String,
    },
}

/// How a thread ended.
enum Ending {
    Well,
    Failed(String),
    Panicked,
}

/// What happens to the main thread.
enum Event {
    Signal(i32),
    Ended { thread: String, kind: Role, how: Ending },
}

/// What a thread is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Source,
    Learner,
    Keeper,
    Control,
    Keys,
}

/// A source of packets, open and ready.
enum Source {
    Live(Box<Ear>),
    Folder(config::Folder),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Live(ear) => ear.live.interface().to_owned(),
            Self::Folder(folder) => folder.path.display().to_string(),
        }
    }
}

/// Runs the daemon until it is told to end. `path` is where a reload reads the configuration from.
///
/// # Errors
/// [`RunError`] when it could not start, or ended because something failed. What was acknowledged is kept in any case.
pub fn run(config: Config, path: &Path) -> Result<(), RunError> {
    let log = log::start(&config.log);
    log::hook_panics();
    let ended = Daemon::start(config, path, log).and_then(Daemon::supervise);
    match &ended {
        Ok(()) => info!("ended"),
        Err(e) => error!("{e}"),
    }
    ended
}

struct Daemon {
    config: Config,
    path: PathBuf,
    log: log::Handle,
    service: Service,
    beats: Beats,
    events: Receiver<Event>,
    tell: Sender<Event>,
    orders: Sender<Order>,
    status: Arc<Mutex<Status>>,
    /// Ends the capture threads.
    stops: Vec<capture::Stop>,
    stop: Arc<AtomicBool>,
    /// Ends the thread of the control socket, once the store is closed.
    closed: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Threads that have to end before the daemon may.
    running: usize,
    /// A thread that has not moved for this long is stuck.
    patience: Duration,
}

impl Daemon {
    fn start(config: Config, path: &Path, log: log::Handle) -> Result<Self, RunError> {
        // Whatever is written, the database's own files too, is for its owner alone.
        umask(Mode::from_bits_truncate(0o077));
        info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "starting");
        // Before privileges are dropped: some remarks are about them.
        for remark in config::check(&config) {
            warn!("{remark}");
        }
        let opener = Opener::start().map_err(|source| RunError::System { action: "start a thread", source })?;
        let mut sources = open_interfaces(&config, &opener)?;
        privileges::drop_to(&config.user, &config.store.folder)?;
        opener.settle()?;
        drop(opener);
        sources.extend(config.folder.clone().map(Source::Folder));

        let (store, recovery) = Store::open(&config.store.folder)?;
        keep::report(&recovery);
        let mut inventory = restore::inventory(&store, &config.inventory)?;
        inventory.set_rules(config.rules());
        let documents = documents::check(&config.specs);
        let sensor = store.sensor().clone();
        interrupted(&sensor);

        let (tell, events) = unbounded();
        let (orders, orders_out) = unbounded();
        let (parcels_in, parcels) = bounded(config.queue_batches);
        let (jobs_in, jobs) = bounded(1);
        let (done_in, done) = unbounded();
        let status = Arc::new(Mutex::new(Status::new(learn::now(), config.queue_batches)));
        {
            let mut status = locked(&status);
            status.documents = documents;
            status.go_on(&sensor);
        }
        let mut daemon = Self {
            path: path.to_owned(),
            log,
            service: Service::new(),
            beats: Beats::new(),
            events,
            tell,
            orders: orders.clone(),
            status: status.clone(),
            stops: Vec::new(),
            stop: Arc::default(),
            closed: Arc::default(),
            threads: Vec::new(),
            running: 0,
            patience: STUCK,
            config,
        };
        signals(&daemon.tell)?;

        let key = Key::new(store.observe_key());
        inventory.set_key(key);
        let control = Control::bind(&daemon.config.store.folder, orders, status.clone(), daemon.closed.clone())
            .map_err(|source| RunError::System { action: "listen on the control socket", source })?;
        let keeper = Keeper::new(store);
        daemon
            .spawn("store", Role::Keeper, move |beat| keeper.work(&jobs, &done_in, beat).map_err(|e| e.to_string()))?;
        let keys = Keys::new(daemon.config.limits.tls_keys);
        if let Some(keeper) = KeyReader::start(&daemon.config.tls, &keys, daemon.stop.clone())? {
            daemon.spawn("keys", Role::Keys, move |beat| {
                keeper.serve(beat);
                Ok(())
            })?;
        }
        let published = Published::default();
        let mut spares = Vec::new();
        let names = sources.iter().map(Source::name).collect();
        for (n, source) in sources.into_iter().enumerate() {
            let (spare_in, spare) = bounded(SPARES);
            spares.push(spare_in);
            let (trusted, bodies) = (daemon.config.trusted(), daemon.config.learn.bodies);
            let (to, keys, published) = (parcels_in.clone(), keys.clone(), published.clone());
            let ends = Ends { to, spare, keys, trusted, bodies, published };
            daemon.capture(n, source, ends, key, &sensor.cursors)?;
        }
        drop(parcels_in);
        let lines = Lines { parcels, spares, names, orders: orders_out, jobs: jobs_in, done, status, published };
        let learner = Learner::new(inventory, daemon.config.inventory.clone(), sensor, lines, daemon.pace());
        daemon.spawn("inventory", Role::Learner, move |beat| {
            if learner.work(beat) { Ok(()) } else { Err("the store's thread ended first".to_owned()) }
        })?;
        daemon.spawn("control", Role::Control, move |beat| {
            control.serve(beat);
            Ok(())
        })?;
        Ok(daemon)
    }

    fn pace(&self) -> Pace {
        Pace {
            commit: Duration::from_secs(self.config.store.commit_seconds),
            snapshot: Duration::from_secs(self.config.store.snapshot_seconds),
        }
    }

    fn capture(
        &mut self,
        number: usize,
        source: Source,
        ends: Ends,
        key: Key,
        cursors: &BTreeMap<String, crate::inventory::store::Cursor>,
    ) -> Result<(), RunError> {
        let name = source.name();
        let limits = self.config.limits.clone();
        let stop = self.stop.clone();
        match source {
            Source::Live(ear) => {
                self.stops.push(ear.live.stop_handle());
                self.spawn(&name, Role::Source, move |beat| {
                    let way = Way::new(number, ends, &limits, key, Pressure::Shed, beat.clone());
                    live::listen(*ear, way);
                    Ok(())
                })
            }
            Source::Folder(folder) => {
                let follower = Follower::new(folder, cursors.clone(), stop, &limits)
                    .map_err(|e| RunError::Source { source_name: name.clone(), why: e.to_string() })?;
                self.spawn(&name, Role::Source, move |beat| {
                    let way = Way::new(number, ends, &limits, key, Pressure::Wait, beat.clone());
                    follower.follow(way).map_err(|e| e.to_string())
                })
            }
        }
    }

    /// Starts a thread whose end, however it comes, is told to the main thread.
    fn spawn(
        &mut self,
        name: &str,
        kind: Role,
        work: impl FnOnce(&Beat) -> Result<(), String> + Send + 'static,
    ) -> Result<(), RunError> {
        let (events, beat, thread) = (self.tell.clone(), self.beats.join(name), name.to_owned());
        let body = move || {
            let how = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&beat))) {
                Ok(Ok(())) => Ending::Well,
                Ok(Err(why)) => Ending::Failed(why),
                Err(_) => Ending::Panicked,
            };
            drop(beat);
            // The main thread listens until all have ended.
            let _ = events.send(Event::Ended { thread, kind, how });
        };
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|source| RunError::System { action: "start a thread", source })?;
        self.threads.push(handle);
        if !matches!(kind, Role::Control | Role::Keys) {
            self.running += 1;
        }
        Ok(())
    }

    fn supervise(mut self) -> Result<(), RunError> {
        let mut result = Ok(());
        let mut lined = Instant::now();
        self.service.ready();
        info!(store = %self.config.store.folder.display(), "running");
        while self.running > 0 {
            match self.events.recv_timeout(LOOK) {
                Ok(Event::Signal(SIGHUP)) => self.reload(),
                Ok(Event::Signal(_)) => self.end("told to end"),
                Ok(Event::Ended { thread, kind, how }) => {
                    self.running -= usize::from(!matches!(kind, Role::Control | Role::Keys));
                    if let (Err(e), true) = (self.ended(thread, kind, how), result.is_ok()) {
                        error!("{e}");
                        result = Err(e);
                        self.end("something failed");
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Not as long as the daemon itself holds one of the other ends.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_around(&mut lined);
        }
        self.closed.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Panics are caught inside and were told as an event.
            let _ = thread.join();
        }
        locked(&self.status).line();
        result
    }

    /// A thread has ended. Sources of packets end on their own only when they fail.
    fn ended(&self, thread: String, kind: Role, how: Ending) -> Result<(), RunError> {
        match how {
            Ending::Panicked => Err(RunError::Panic { thread }),
            Ending::Failed(why) => Err(RunError::Source { source_name: thread, why }),
            Ending::Well if self.stop.load(Ordering::Relaxed) || kind != Role::Source => Ok(()),
            Ending::Well => Err(RunError::Source { source_name: thread, why: "it ended by itself".to_owned() }),
        }
    }

    /// Capture stops; the rest follows from the channels that close behind it.
    fn end(&mut self, why: &str) {
        if self.stop.swap(true, Ordering::Relaxed) {
            return;
        }
        info!("{why}: stopping capture, closing flows, writing what is known");
        self.service.stopping();
        for stop in &self.stops {
            stop.stop();
        }
    }

    fn look_around(&mut self, lined: &mut Instant) {
        let every = Duration::from_secs(self.config.status_seconds);
        if !every.is_zero() && lined.elapsed() >= every {
            *lined = Instant::now();
            locked(&self.status).line();
        }
        let stuck = self.beats.stuck(self.patience);
        if stuck.is_empty() {
            self.service.alive(|| {
                let mut status = locked(&self.status);
                status.refresh();
                status.short()
            });
        } else {
            warn!(threads = stuck.join(", "), "no progress; the watchdog is not fed");
        }
    }

    fn reload(&mut self) {
        self.service.reloading();
        match Config::load(&self.path) {
            Ok(new) => self.take_up(new),
            Err(e) => error!("the configuration is not taken up: {e}"),
        }
        let documents = documents::check(&self.config.specs);
        locked(&self.status).documents = documents;
        // The inventory's thread listens as long as the daemon runs.
        let _ = self.orders.send(Order::Pace(self.pace()));
        self.log.set(self.config.log.level);
        self.service.ready();
        info!(documents, "reloaded");
    }

    /// Takes over what can change as the daemon runs, and says what cannot.
    fn take_up(&mut self, new: Config) {
        for change in config::changes(&self.config, &new) {
            let config::Changed { key, from, to, live } = change;
            if live {
                info!(key, from, to, "changed");
            } else {
                warn!(key, from, to, "changed, but needs a restart to take effect");
            }
        }
        for remark in config::check(&new) {
            warn!("{remark}");
        }
        self.config.specs = new.specs;
        self.config.rules = new.rules;
        self.config.status_seconds = new.status_seconds;
        self.config.log.level = new.log.level;
        self.config.store.commit_seconds = new.store.commit_seconds;
        self.config.store.snapshot_seconds = new.store.snapshot_seconds;
    }
}

fn open_interfaces(config: &Config, opener: &Opener) -> Result<Vec<Source>, RunError> {
    let mut sources = Vec::new();
    for interface in &config.interfaces {
        let options = capture::Options {
            snaplen: interface.snaplen,
            buffer_bytes: interface.buffer_bytes,
            promiscuous: interface.promiscuous,
            filter: interface.filter.clone(),
        };
        let live = Live::open(&interface.name, &options)?;
        info!(interface = interface.name, filter = interface.filter, "listening");
        sources.push(Source::Live(Box::new(Ear { live, options, opener: opener.clone() })));
    }
    Ok(sources)
}

/// Says where the run before this one was cut off.
fn interrupted(sensor: &Sensor) {
    if let Some(last) = sensor.up.last() {
        if last.clean {
            info!(until = %last.to, exchanges = sensor.exchanges, "going on where the last run ended");
        } else {
            warn!(
                last_commit = %last.to,
                exchanges = sensor.exchanges,
                "the last run was interrupted; what it saw after its last commit is lost"
            );
        }
    }
}

/// Signals become events. A second SIGTERM or SIGINT ends the process at once.
fn signals(events: &Sender<Event>) -> Result<(), RunError> {
    let failed = |source| RunError::System { action: "listen for signals", source };
    let ending = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, ending.clone()).map_err(failed)?;
        signal_hook::flag::register(signal, ending.clone()).map_err(failed)?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGTERM, SIGINT]).map_err(failed)?;
    let events = events.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if events.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        })
        .map(drop)
        .map_err(failed)
}
