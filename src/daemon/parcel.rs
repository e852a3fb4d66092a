//! What goes from a capture thread to the inventory thread, and how it is sent.
//!
//! Takes a pipeline with observations in it, gives parcels on a bounded channel: after 64 KiB or 200 ms. Live capture is
//! never made to wait: while the channel is full, observations gather and the valve sheds more and more flows. A reader
//! of files waits. Never drops an observation that was let through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::beat::Beat;
use super::sorting::{Published, Sorting};
use super::valve::Valve;
use crate::base::{Ledger, Limits, Oddities, Oddity, Timestamp};
use crate::inventory::store::{Cursor, Routed};
use crate::observe::{Batch, Key, TrustedProxies, Watch};
use crate::pipeline::Pipeline;
use crate::proto::tls::Keys;
use crate::wire::Frame;
use crate::wire::file::Secrets;

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
    /// Exchanges by what was known when they came.
    pub(super) routed: Routed,
    pub(super) flows: usize,
    pub(super) buffered: usize,
    /// Why nothing can be heard at the moment; `None`: it can.
    pub(super) blind: Option<String>,
    /// Bytes that an interrupted run had captured and not put into a bucket, and that this one will.
    pub(super) reopened: u64,
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
    pipeline: Pipeline<Valve<Watch<Sorting>>>,
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
    /// While records are read again: nothing is sent.
    again: bool,
    /// The figures when the last of these had been read; they were counted before.
    before: Figures,
    /// For how long that was so before.
    was_blind: Duration,
}

/// The channel's two ends for one source.
pub(super) struct Ends {
    pub(super) to: Sender<Parcel>,
    pub(super) spare: Receiver<Batch>,
    /// The secrets of TLS sessions, one store for all sources.
    pub(super) keys: Keys,
    /// Whose word is taken for who asked.
    pub(super) trusted: TrustedProxies,
    /// Look into bodies for values that stand in paths.
    pub(super) bodies: bool,
    /// What is known of endpoints.
    pub(super) published: Published,
}

impl Way {
    /// Where secrets go that stand in capture files.
    pub(super) fn secrets(&self) -> Secrets {
        let keys = self.pipeline.keys().clone();
        Arc::new(move |text| keys.text(text))
    }

    pub(super) fn new(source: usize, ends: Ends, limits: &Limits, key: Key, pressure: Pressure, beat: Beat) -> Self {
        let sorting = Sorting::new(&ends.published);
        let watch = Watch::new(sorting, key).trusting(ends.trusted).looking_into_bodies(ends.bodies);
        let mut pipeline = Pipeline::new(Valve::new(watch), limits);
        pipeline.set_keys(ends.keys);
        Self {
            source,
            pipeline,
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
            again: false,
            before: Figures::default(),
        }
    }

    /// What comes from now on was counted before and is only to be known again: exchanges that are over are not sent.
    pub(super) fn read_again(&mut self) {
        self.again = true;
        self.pipeline.observer_mut().inner.sink.again = true;
    }

    /// What comes from now on is new.
    pub(super) fn read_on(&mut self) {
        self.again = false;
        let sorting = &mut self.pipeline.observer_mut().inner.sink;
        sorting.again = false;
        sorting.batch.clear();
        self.before = Figures::default();
        self.before = self.figures();
        self.before.reopened = self.before.ledger.captured.saturating_sub(self.before.ledger.accounted());
    }

    /// The packet time from which on all is needed should reading be interrupted now: the begin of the oldest exchange
    /// that is not over, and `margin` for what has not become an exchange yet. `None`: nothing is.
    pub(super) fn needed(&self, margin: Duration) -> Option<Timestamp> {
        let young = Timestamp(self.newest.0.saturating_sub(margin.as_nanos() as u64));
        let open = self.pipeline.oldest_open();
        (self.pipeline.flows() > 0 || open.is_some()).then(|| open.map_or(young, |ts| ts.min(young)))
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
        if self.is_due() { self.send() } else { true }
    }

    /// Will [`Way::come_around`] send?
    pub(super) fn is_due(&mut self) -> bool {
        if self.again {
            self.pipeline.observer_mut().inner.sink.batch.clear();
            return false;
        }
        self.pipeline.observer().inner.sink.batch.bytes() >= PARCEL_BYTES || self.sent.elapsed() >= PARCEL_AGE
    }

    /// The capture is over: closes all flows.
    pub(super) fn close(&mut self) {
        self.pipeline.finish();
    }

    /// Closes all flows and sends all there is, waiting for room.
    pub(super) fn finish(&mut self) {
        self.close();
        self.pressure = Pressure::Wait;
        self.send();
    }

    fn send(&mut self) -> bool {
        self.sent = Instant::now();
        self.pipeline.tick_quic(self.newest);
        let parcel = Parcel {
            source: self.source,
            figures: self.figures(),
            cursors: std::mem::take(&mut self.cursors),
            batch: {
                let spare = self.spare.try_recv().unwrap_or_default();
                std::mem::replace(&mut self.pipeline.observer_mut().inner.sink.batch, spare)
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
                valve.inner.sink.batch = parcel.batch;
                self.cursors = parcel.cursors;
                if valve.inner.sink.batch.bytes() > GATHERED_MAX {
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
        oddities.add(Oddity::GlimpseShed, valve.unseen);
        Figures {
            ledger: ledger.since(&self.before.ledger),
            oddities: oddities.since(&self.before.oddities),
            exchanges: valve.passed - self.before.exchanges,
            routed: valve.inner.sink.counts,
            reopened: self.before.reopened,
            flows: self.pipeline.flows(),
            buffered: self.pipeline.buffered(),
            blind: self.blind.as_ref().map(|(why, _)| why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crossbeam_channel::bounded;
    use etherparse::PacketBuilder;

    use super::super::beat::Beats;
    use super::*;
    use crate::wire::LinkType;

    /// One exchange on a connection of its own client, who asks again and again.
    fn exchange(way: &mut Way, client: u16, round: u32, clock: &mut u64) {
        let ask = format!("GET /clients/{client} HTTP/1.1\r\nHost: a.example\r\n\r\n");
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let (up, down) = (1 + round * ask.len() as u32, 1 + round * answer.len() as u32);
        let ends = [([10, 1, (client >> 8) as u8, client as u8], 40_000), ([10, 0, 0, 9], 80)];
        let segments: [(usize, u32, u32, &[u8], bool); 2] =
            [(0, up, down, ask.as_bytes(), false), (1, down, up + ask.len() as u32, answer.as_bytes(), false)];
        let handshake: [(usize, u32, u32, &[u8], bool); 2] = [(0, 0, 0, b"", true), (1, 0, 1, b"", true)];
        let all = handshake.iter().filter(|_| round == 0).chain(&segments);
        for &(side, seq, ack, payload, syn) in all {
            let (from, to) = (ends[side], ends[1 - side]);
            let mut builder =
                PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from.0, to.0, 64).tcp(from.1, to.1, seq, 64_000);
            if syn {
                builder = builder.syn();
            }
            if !(syn && side == 0) {
                builder = builder.ack(ack);
            }
            let mut data = Vec::new();
            builder.write(&mut data, payload).unwrap();
            *clock += 1000;
            way.frame(&Frame {
                ts: Timestamp(*clock),
                link: LinkType::ETHERNET,
                wire_len: data.len() as u32,
                data: &data,
            });
        }
    }

    fn calls(parcel: &Parcel, per_client: &mut BTreeMap<u64, u32>) -> u64 {
        let mut n = 0;
        parcel.batch.for_each(|o| {
            n += 1;
            *per_client.entry(o.caller).or_default() += 1;
        });
        n
    }

    #[test]
    fn under_pressure_whole_flows_are_shed_and_counted_and_capture_never_waits() {
        let (to, parcels) = bounded(4);
        let (_spares, spare) = bounded(1);
        let beat = Beats::new().join("test");
        let ends = Ends {
            to,
            spare,
            keys: Keys::new(1),
            trusted: TrustedProxies::default(),
            bodies: true,
            published: Published::default(),
        };
        let mut way = Way::new(0, ends, &Limits::default(), Key::FIXED, Pressure::Shed, beat);
        let (mut clock, mut asked, mut passed) = (1_700_000_000_000_000_000, 0, 0);
        let mut longest = Duration::ZERO;
        let mut round_of = |way: &mut Way, round: u32, asked: &mut u64| {
            for client in 0..1000 {
                exchange(way, client, round, &mut clock);
                *asked += 1;
            }
            let begun = Instant::now();
            assert!(way.come_around());
            longest = longest.max(begun.elapsed());
        };
        // Nobody takes parcels: the queue fills, more and more flows are shed, and what waits stays bounded.
        for round in 0..60 {
            round_of(&mut way, round, &mut asked);
        }
        let shed = way.figures().oddities.get(Oddity::Shed);
        assert!(shed > 0 && way.pipeline.observer().sheds());
        assert!(way.pipeline.observer().inner.sink.batch.bytes() < 2 * GATHERED_MAX);
        // The inventory has come to itself: each round it takes all there is.
        let mut shedding = Vec::new();
        for round in 60..1000 {
            if !shedding.is_empty() && !way.pipeline.observer().sheds() {
                break;
            }
            let mut per_client = BTreeMap::new();
            for parcel in parcels.try_iter() {
                passed += calls(&parcel, &mut per_client);
            }
            let before = way.pipeline.observer().shed;
            round_of(&mut way, round, &mut asked);
            shedding.push(way.pipeline.observer().shed - before);
        }
        assert!(shedding[0] > 0, "{shedding:?}");
        assert!(shedding.is_sorted_by(|a, b| a >= b), "less and less is shed: {shedding:?}");
        assert!(!way.pipeline.observer().sheds(), "{shedding:?}");
        assert!(longest < Duration::from_secs(1), "capture waited {longest:?}");
        let figures = way.figures();
        let reader = std::thread::spawn(move || parcels.iter().map(|p| calls(&p, &mut BTreeMap::new())).sum::<u64>());
        way.finish();
        drop(way);
        passed += reader.join().unwrap();
        let shed = figures.oddities.get(Oddity::Shed);
        assert_eq!(passed + shed, asked, "each exchange is in the inventory or counted as shed");
        assert_eq!(figures.exchanges, passed);
        assert_eq!(figures.ledger.captured, figures.ledger.accounted(), "shed exchanges' bytes have their bucket");
    }
}
