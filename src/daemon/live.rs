//! A thread that listens on one interface.
//!
//! Takes an open interface, gives parcels until it is told to stop; what is in the ring by then is still read. An
//! interface that is down, has no carrier or is gone is named in log and status, the time is counted, and one that comes
//! back is opened again, with growing pauses where that fails. Never waits for anyone but the interface.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::opener::Opener;
use super::parcel::Way;
use crate::capture::CaptureError;
use crate::capture::interfaces::{self, LinkState};
use crate::capture::live::{Live, Options, Polled, Waker};

/// How long an idle link is waited for before timers run.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the drop counters and the interface's state are read.
const LOOK: Duration = Duration::from_millis(500);
/// Pauses between attempts to open an interface that is there and cannot be opened: the first, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// An interface and how to get it back.
pub(super) struct Ear {
    pub(super) live: Live,
    pub(super) options: Options,
    pub(super) opener: Opener,
}

/// Listens until told to stop.
pub(super) fn listen(ear: Ear, mut way: Way) {
    let Ear { mut live, options, opener } = ear;
    let name = live.interface().to_owned();
    let mut lost = 0;
    loop {
        let ended = until_stopped(&mut live, &mut way, lost);
        // Whatever ended it, what was captured is worth keeping. A dead interface may have nothing more to give.
        let drained = live.drain(|frame| way.frame(frame));
        if let Ok(stats) = live.stats() {
            way.lost = lost + stats.lost();
        }
        lost = way.lost;
        let Err(why) = ended.and(drained.map(drop)) else { break };
        // Told to stop, there is nothing to go back to.
        let waker = live.close();
        if waker.is_stopped() {
            break;
        }
        warn!(interface = name, error = %why, "the interface is not heard any more; waiting for it");
        way.blind(Some(why.to_string()));
        match come_back(&name, &options, &opener, waker, &mut way) {
            Some(again) => live = again,
            None => break,
        }
        let seconds = way.blind(None).as_secs_f64();
        info!(interface = name, blind_seconds = format_args!("{seconds:.1}"), "the interface is heard again");
    }
    way.finish();
}

/// Listens until told to stop, or until nobody wants parcels.
fn until_stopped(live: &mut Live, way: &mut Way, lost: u64) -> Result<(), CaptureError> {
    let name = live.interface().to_owned();
    let index = interfaces::index(&name);
    let mut looked = Instant::now();
    let mut heard = true;
    loop {
        match live.poll(PATIENCE, |frame| way.frame(frame))? {
            Polled::Frames(_) => way.in_step(),
            Polled::Idle => way.idle(Duration::ZERO),
            Polled::Stopped => return Ok(()),
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            way.lost = lost + live.stats()?.lost();
            let why = match index.map(interfaces::state) {
                None | Some(LinkState::Up) => None,
                Some(LinkState::Down) => Some("it is down"),
                Some(LinkState::NoCarrier) => Some("it has no carrier"),
                // libpcap says so, too, but only once its ring is empty.
                Some(LinkState::Gone) => return Err(CaptureError::gone(&name)),
            };
            if heard != why.is_none() {
                heard = why.is_none();
                let seconds = way.blind(why.map(str::to_owned)).as_secs_f64();
                match why {
                    Some(why) => warn!(interface = name, "nothing can be heard on the interface: {why}"),
                    None => {
                        info!(
                            interface = name,
                            blind_seconds = format_args!("{seconds:.1}"),
                            "the interface is heard again"
                        );
                    }
                }
            }
        }
        if !way.come_around() {
            return Ok(());
        }
    }
}

/// Waits until the interface is there again and can be opened; `None` when told to stop or nobody wants parcels.
fn come_back(name: &str, options: &Options, opener: &Opener, waker: Waker, way: &mut Way) -> Option<Live> {
    let mut pause = PAUSES.0;
    let mut tried: Option<Instant> = None;
    let mut said = String::new();
    loop {
        way.idle(Duration::ZERO);
        if waker.wait(PAUSES.0) || !way.come_around() {
            return None;
        }
        // `any` is no interface of the system.
        let there = name == "any"
            || interfaces::index(name)
                .is_some_and(|i| !matches!(interfaces::state(i), LinkState::Down | LinkState::Gone));
        if !there {
            (pause, tried) = (PAUSES.0, None);
            continue;
        }
        if tried.is_some_and(|at| at.elapsed() < pause) {
            continue;
        }
        match opener.open(name, options, || way.beat()) {
            Ok(live) => return Some(live.woken_by(waker)),
            Err(why) => {
                let why = why.to_string();
                if why != said {
                    warn!(interface = name, error = why, "the interface cannot be opened again; trying on");
                    way.blind(Some(why.clone()));
                    said = why;
                }
                pause = tried.map_or(PAUSES.0, |_| (pause * 2).min(PAUSES.1));
                tried = Some(Instant::now());
            }
        }
    }
}
