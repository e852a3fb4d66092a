//! What goes from a capture thread to the inventory thread, and how it is sent.
//!
//! Takes a pipeline with observations in it, gives parcels on a bounded channel: after 64 KiB or 200 ms. Live capture is
//! never made to wait: while the channel is full, observations gather and the valve sheds more and more flows. A reader
//! of files waits. Never drops an observation that was let through.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::beat::Beat;
use super::valve::Valve;
use crate::base::{Ledger, Limits, Oddities, Oddity, Timestamp};
use crate::inventory::store::Cursor;
use crate::observe::{Batch, Key, Watch};
use crate::pipeline::Pipeline;
use crate::wire::Frame;

/// Bytes of observations after which a parcel goes off.
const PARCEL_BYTES: usize = 64 << 10;
/// Time after which it goes off with what there is.
const PARCEL_AGE: Duration = Duration::from_millis(200);
/// Bytes of observations after which live capture sheds everything.
const GATHERED_MAX: usize = 4 << 20;

/// One source's figures, cumulative over this run.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) ledger: Ledger,
    pub(super) oddities: Oddities,
    pub(super) exchanges: u64,
    pub(super) flows: usize,
    pub(super) buffered: usize,
    /// Why nothing can be heard at the moment; `None`: it can.
    pub(super) blind: Option<String>,
}

/// What changed in how far files have been read; `None`: the file is forgotten.
pub(super) type CursorChange = (String, Option<Cursor>);

/// What is sent.
pub(super) struct Parcel {
    /// Number of the source.
    pub(super) source: usize,
    pub(super) batch: Batch,
    pub(super) figures: Figures,
    /// Holds for the observations of this parcel and those before.
    pub(super) cursors: Vec<CursorChange>,
}

/// What happens while the channel is full?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressure {
    /// Flows are shed.
    Shed,
    /// The source waits.
    Wait,
}

/// A source's whole way from frame to parcel.
pub(super) struct Way {
    source: usize,
    pipeline: Pipeline<Valve<Watch<Batch>>>,
    to: Sender<Parcel>,
    spare: Receiver<Batch>,
    pressure: Pressure,
    beat: Beat,
    sent: Instant,
    /// Packet time and wall time of the last frame.
    last: Option<(Timestamp, Instant)>,
    newest: Timestamp,
    /// Packets that were dropped before they could be read.
    pub(super) lost: u64,
    /// Oddities of the files themselves.
    pub(super) file_oddities: Oddities,
    pub(super) cursors: Vec<CursorChange>,
    /// Why nothing can be heard, and since when.
    blind: Option<(String, Instant)>,
    /// For how long that was so before.
    was_blind: Duration,
}

/// The channel's two ends for one source.
pub(super) struct Ends {
    pub(super) to: Sender<Parcel>,
    pub(super) spare: Receiver<Batch>,
}

impl Way {
    pub(super) fn new(source: usize, ends: Ends, limits: &Limits, key: Key, pressure: Pressure, beat: Beat) -> Self {
        Self {
            source,
            pipeline: Pipeline::new(Valve::new(Watch::new(Batch::new(), key)), limits),
            to: ends.to,
            spare: ends.spare,
            pressure,
            beat,
            sent: Instant::now(),
            last: None,
            newest: Timestamp::default(),
            lost: 0,
            file_oddities: Oddities::default(),
            cursors: Vec::new(),
            blind: None,
            was_blind: Duration::ZERO,
        }
    }

    /// Nothing can be heard, and why; or (`None`) it can again. Gives for how long it could not.
    pub(super) fn blind(&mut self, why: Option<String>) -> Duration {
        let since = self.blind.as_ref().map(|(_, since)| *since);
        match why {
            Some(why) => self.blind = Some((why, since.unwrap_or_else(Instant::now))),
            None => self.blind = None,
        }
        let passed = since.map_or(Duration::ZERO, |since| since.elapsed());
        if self.blind.is_none() {
            self.was_blind += passed;
        }
        passed
    }

    /// The thread waits for something that takes its time.
    pub(super) fn beat(&self) {
        self.beat.beat();
    }

    /// The next frame.
    #[inline]
    pub(super) fn frame(&mut self, frame: &Frame<'_>) {
        self.newest = frame.ts;
        self.pipeline.frame(frame);
    }

    /// Frames have come: the packet clock is in step with the wall clock.
    pub(super) fn in_step(&mut self) {
        self.last = Some((self.newest, Instant::now()));
    }

    /// No frame has come: flows expire by packet time and what has passed since.
    pub(super) fn idle(&mut self, at_least: Duration) {
        if let Some((ts, at)) = self.last {
            let passed = at.elapsed();
            if passed >= at_least {
                self.pipeline.tick(Timestamp(ts.0.saturating_add(passed.as_nanos() as u64)));
            }
        }
    }

    /// The thread has come around: sends what is due. Gives `false` when nobody takes parcels any more.
    pub(super) fn come_around(&mut self) -> bool {
        self.beat.beat();
        let gathered = self.pipeline.observer().inner.sink.bytes();
        let old = self.sent.elapsed() >= PARCEL_AGE;
        if gathered >= PARCEL_BYTES || old { self.send() } else { true }
    }

    /// The capture is over: closes all flows and sends all there is, waiting for room.
    pub(super) fn finish(&mut self) {
        self.pipeline.finish();
        self.pressure = Pressure::Wait;
        self.send();
    }

    fn send(&mut self) -> bool {
        self.sent = Instant::now();
        let parcel = Parcel {
            source: self.source,
            figures: self.figures(),
            cursors: std::mem::take(&mut self.cursors),
            batch: {
                let spare = self.spare.try_recv().unwrap_or_default();
                std::mem::replace(&mut self.pipeline.observer_mut().inner.sink, spare)
            },
        };
        match self.pressure {
            Pressure::Shed => self.send_or_shed(parcel),
            Pressure::Wait => self.send_and_wait(parcel),
        }
    }

    fn send_or_shed(&mut self, parcel: Parcel) -> bool {
        match self.to.try_send(parcel) {
            Ok(()) => {
                if self.pipeline.observer().sheds() && self.to.capacity().is_none_or(|c| self.to.len() < c / 2) {
                    self.pipeline.observer_mut().loosen();
                }
                true
            }
            Err(TrySendError::Full(parcel)) => {
                let valve = self.pipeline.observer_mut();
                // The spare one is empty: the observations stay in the one that was to be sent.
                valve.inner.sink = parcel.batch;
                self.cursors = parcel.cursors;
                if valve.inner.sink.bytes() > GATHERED_MAX {
                    valve.shut()
                } else {
                    valve.tighten()
                }
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    fn send_and_wait(&mut self, mut parcel: Parcel) -> bool {
        loop {
            match self.to.send_timeout(parcel, PARCEL_AGE) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) => {
                    // Waiting for the inventory is no lack of progress of this thread.
                    self.beat.beat();
                    parcel = back;
                }
                Err(SendTimeoutError::Disconnected(_)) => return false,
            }
        }
    }

    fn figures(&self) -> Figures {
        let valve = self.pipeline.observer();
        let mut ledger = self.pipeline.ledger();
        ledger.dropped_packets += self.lost;
        let blind = self.blind.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        ledger.blind_nanos += (self.was_blind + blind).as_nanos() as u64;
        let mut oddities = self.pipeline.oddities();
        oddities.merge(&self.file_oddities);
        oddities.add(Oddity::Shed, valve.shed);
        Figures {
            ledger,
            oddities,
            exchanges: valve.passed,
            flows: self.pipeline.flows(),
            buffered: self.pipeline.buffered(),
            blind: self.blind.as_ref().map(|(why, _)| why.clone()),
        }
    }
}
