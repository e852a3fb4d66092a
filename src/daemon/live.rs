//! A thread that listens on one interface.
//!
//! Takes an open interface, gives parcels until it is told to stop or the interface goes away; what is in the ring by
//! then is still read. Never waits for anyone.

use std::time::{Duration, Instant};

use super::parcel::Way;
use crate::capture::CaptureError;
use crate::capture::live::{Live, Polled};

/// How long an idle link is waited for before timers run.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the drop counters are read.
const STATS: Duration = Duration::from_millis(500);

pub(super) fn listen(mut live: Live, mut way: Way) -> Result<(), CaptureError> {
    let ended = until_stopped(&mut live, &mut way);
    // Whatever ended it, what was captured is worth keeping.
    let drained = live.drain(|frame| way.frame(frame)).map(drop);
    if let Ok(stats) = live.stats() {
        way.lost = stats.lost();
    }
    way.finish();
    ended.and(drained)
}

fn until_stopped(live: &mut Live, way: &mut Way) -> Result<(), CaptureError> {
    let mut asked = Instant::now();
    loop {
        match live.poll(PATIENCE, |frame| way.frame(frame))? {
            Polled::Frames(_) => way.in_step(),
            Polled::Idle => way.idle(Duration::ZERO),
            Polled::Stopped => return Ok(()),
        }
        if asked.elapsed() >= STATS {
            asked = Instant::now();
            way.lost = live.stats()?.lost();
        }
        if !way.come_around() {
            return Ok(());
        }
    }
}
