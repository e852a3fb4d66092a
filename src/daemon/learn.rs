//! The thread that owns the inventory.
//!
//! Takes parcels from the capture threads, gives changes to the keeper every few seconds, and figures for the status.
//! Learns templates anew in between, a bounded share of its time, and publishes them to the capture threads. When nobody sends
//! parcels any more it hands over the rest and ends. Never touches a file and never waits for one.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tracing::{debug, info};

use super::beat::Beat;
use super::keep::{Done, Job};
use super::parcel::{Figures, Parcel};
use super::sorting::Published;
use super::status::Status;
use crate::base::{Bucket, InventoryLimits, Timestamp};
use crate::inventory::store::Sensor;
use crate::inventory::{ChangeKind, Inventory, TemplateChange};
use crate::observe::{Batch, Sink};

/// How long a parcel is waited for before the clock is looked at.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often templates are learnt anew, where something has changed.
const LEARN: Duration = Duration::from_secs(2);
/// How long it may go on before parcels are looked at again; one service is learnt whole, however long it takes.
const LEARN_SLICE: Duration = Duration::from_millis(50);
/// Learning takes one in so many parts of this thread's time at most.
const LEARN_SHARE: u32 = 20;
/// How long it may take when the daemon ends. What is not learnt then is at the next start.
const LEARN_AT_END: Duration = Duration::from_secs(5);
/// Lines about new endpoints that one learning may write.
const LINES: usize = 8;

/// What the inventory thread is told by others.
pub(super) enum Order {
    /// Commit and snapshot this often.
    Pace(Pace),
    /// Commit what there is, write a snapshot, answer with the number of its commit.
    Snapshot(Sender<Result<u64, String>>),
}

/// How often something is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) commit: Duration,
    pub(super) snapshot: Duration,
}

/// The channels that it is connected to.
pub(super) struct Lines {
    pub(super) parcels: Receiver<Parcel>,
    /// Emptied batches, back to the source that they came from.
    pub(super) spares: Vec<Sender<Batch>>,
    /// The sources' names.
    pub(super) names: Vec<String>,
    pub(super) orders: Receiver<Order>,
    pub(super) jobs: Sender<Job>,
    pub(super) done: Receiver<Done>,
    pub(super) status: Arc<Mutex<Status>>,
    /// Where the capture threads look endpoints up.
    pub(super) published: Published,
}

/// The inventory thread.
pub(super) struct Learner {
    inventory: Inventory,
    limits: InventoryLimits,
    /// What earlier runs knew, this run begun.
    before: Sensor,
    /// As it goes to the store with the next job.
    sensor: Sensor,
    sources: Vec<Figures>,
    lines: Lines,
    pace: Pace,
    committed: Instant,
    snapshot: Instant,
    /// Jobs that the keeper has not done yet.
    under_way: usize,
    waiting: Vec<Sender<Result<u64, String>>>,
    told: Instant,
    /// When templates are learnt next.
    learn_at: Instant,
}

impl Learner {
    pub(super) fn new(
        inventory: Inventory,
        limits: InventoryLimits,
        mut sensor: Sensor,
        lines: Lines,
        pace: Pace,
    ) -> Self {
        sensor.begin(now());
        let sources = vec![Figures::default(); lines.spares.len()];
        let at = Instant::now();
        Self {
            inventory,
            limits,
            before: sensor.clone(),
            sensor,
            sources,
            lines,
            pace,
            committed: at,
            snapshot: at,
            under_way: 0,
            waiting: Vec::new(),
            told: at,
            learn_at: at,
        }
    }

    /// Works until nobody sends parcels any more. Gives whether the keeper was there to the end.
    pub(super) fn work(mut self, beat: &Beat) -> bool {
        // The run is on record from its first moment.
        let mut alive = self.commit(false);
        loop {
            match self.lines.parcels.recv_timeout(PATIENCE) {
                Ok(parcel) => self.take(parcel),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            beat.beat();
            self.obey();
            self.hear();
            self.learn_if_due();
            alive &= self.write_if_due();
            self.tell(false);
        }
        self.learn(LEARN_AT_END);
        self.sensor.touch(now(), true);
        alive &= self.commit(true);
        self.tell(true);
        alive
    }

    fn take(&mut self, mut parcel: Parcel) {
        let inventory = &mut self.inventory;
        parcel.batch.for_each(|observation| inventory.observe(observation));
        parcel.batch.for_each_mentioned(|mentioned| inventory.mentioned(mentioned));
        parcel.batch.take_glimpses().for_each(|glimpse| inventory.glimpse(glimpse));
        if let Some(figures) = self.sources.get_mut(parcel.source) {
            *figures = parcel.figures;
        }
        for (id, cursor) in parcel.cursors {
            match cursor {
                Some(cursor) => self.sensor.cursors.insert(id, cursor),
                None => self.sensor.cursors.remove(&id),
            };
        }
        if let Some(spare) = self.lines.spares.get(parcel.source) {
            parcel.batch.clear();
            // Full or gone: the batch is simply let go.
            let _ = spare.try_send(parcel.batch);
        }
    }

    fn obey(&mut self) {
        while let Ok(order) = self.lines.orders.try_recv() {
            match order {
                Order::Pace(pace) => self.pace = pace,
                Order::Snapshot(reply) => self.waiting.push(reply),
            }
        }
    }

    fn hear(&mut self) {
        while let Ok(done) = self.lines.done.try_recv() {
            self.under_way = self.under_way.saturating_sub(1);
            if done.rewrite {
                self.rewrite();
            }
            let mut status = locked(&self.lines.status);
            if let Some(exchanges) = done.exchanges {
                status.committed_exchanges = exchanges;
            }
            status.commits = done.commits;
            status.store_bytes = done.bytes;
            status.store_failing = done.exchanges.is_none();
        }
    }

    /// The store has lost records that are known here: folded into an empty inventory, all of them count as changed.
    fn rewrite(&mut self) {
        let mut empty = Inventory::new(self.limits.clone());
        empty.set_key(self.inventory.key());
        empty.set_rules(self.inventory.rules().to_vec());
        let all = std::mem::replace(&mut self.inventory, empty);
        self.inventory.merge(all);
    }

    fn learn_if_due(&mut self) {
        if Instant::now() < self.learn_at {
            return;
        }
        let begun = Instant::now();
        let left = self.learn(LEARN_SLICE);
        let rest = begun.elapsed() * LEARN_SHARE;
        self.learn_at = Instant::now() + if left { rest } else { rest.max(LEARN) };
    }

    /// Learns templates of services that have changed and publishes them. Gives whether some are left.
    fn learn(&mut self, most: Duration) -> bool {
        let begun = Instant::now();
        let learnt = self.inventory.relearn(|| begun.elapsed() >= most);
        if learnt.services > 0 {
            let routers = self.inventory.routers();
            debug!(
                services = learnt.services,
                left = learnt.left,
                templates = routers.templates(),
                generation = routers.generation(),
                millis = begun.elapsed().as_millis() as u64,
                "templates learnt"
            );
            self.lines.published.publish(routers);
            report(&learnt.changes);
        }
        learnt.left > 0
    }

    fn write_if_due(&mut self) -> bool {
        if !self.waiting.is_empty() && self.under_way < 2 {
            return self.commit(true);
        }
        // While the disk is slower than the pace, changes gather in the inventory, each record once.
        if self.under_way > 0 || self.committed.elapsed() < self.pace.commit {
            return true;
        }
        self.commit(self.snapshot.elapsed() >= self.pace.snapshot)
    }

    fn commit(&mut self, snapshot: bool) -> bool {
        self.committed = Instant::now();
        if snapshot {
            self.snapshot = self.committed;
        }
        let ended = self.sensor.up.last().is_some_and(|i| i.clean);
        self.sensor.touch(now(), ended);
        self.sum();
        let job = Job {
            changes: self.inventory.take_changes(),
            sensor: self.sensor.clone(),
            snapshot,
            replies: std::mem::take(&mut self.waiting),
        };
        self.under_way += 1;
        self.lines.jobs.send(job).is_ok()
    }

    /// Earlier runs and all sources of this one.
    fn sum(&mut self) {
        self.sensor.ledger = self.before.ledger.clone();
        // What was open when an interrupted run ended was captured and never put into a bucket, but for what is read again.
        let ledger = &mut self.sensor.ledger;
        let open = ledger.captured.saturating_sub(ledger.accounted());
        let reopened: u64 = self.sources.iter().map(|f| f.reopened).sum();
        ledger.add(Bucket::OtherTcp, open.saturating_sub(reopened));
        // Read again without their beginnings, connections may hold a little more open than before.
        ledger.captured += reopened.saturating_sub(open);
        self.sensor.oddities = self.before.oddities.clone();
        self.sensor.exchanges = self.before.exchanges;
        self.sensor.routed = self.before.routed;
        for figures in &self.sources {
            self.sensor.ledger.merge(&figures.ledger);
            self.sensor.oddities.merge(&figures.oddities);
            self.sensor.exchanges += figures.exchanges;
            self.sensor.routed += figures.routed;
        }
        self.sensor.oddities.merge(&self.inventory.oddities);
    }

    fn tell(&mut self, last: bool) {
        if !last && self.told.elapsed() < PATIENCE {
            return;
        }
        self.told = Instant::now();
        self.sum();
        let mut status = locked(&self.lines.status);
        status.ledger = self.sensor.ledger.clone();
        status.oddities = self.sensor.oddities.clone();
        status.exchanges = self.sensor.exchanges;
        status.routed = self.sensor.routed;
        status.flows = self.sources.iter().map(|f| f.flows).sum();
        status.buffered = self.sources.iter().map(|f| f.buffered).sum();
        status.queue = self.lines.parcels.len();
        let named = self.lines.names.iter().zip(&self.sources);
        status.blind = named.filter_map(|(name, f)| Some((name.clone(), f.blind.clone()?))).collect();
    }
}

/// Says what is new, a few lines at a time; all of it is in the change log.
fn report(changes: &[TemplateChange]) {
    let (new, others): (Vec<_>, Vec<_>) = changes.iter().partition(|c| c.kind == ChangeKind::Appeared);
    for change in new.iter().take(LINES) {
        let template = change.after.first().map_or("", |named| &named.template);
        info!(service = change.service, method = change.method, template, id = change.subject, "new endpoint");
    }
    let more = new.len().saturating_sub(LINES) as u64 + new.iter().map(|c| c.left_out).sum::<u64>();
    if more > 0 {
        info!(more, "new endpoints");
    }
    for change in others.iter().take(LINES) {
        debug!(service = change.service, method = change.method, kind = ?change.kind, id = change.subject, "template changed");
    }
}

/// A status that a panic left locked is still a status.
pub(super) fn locked(status: &Mutex<Status>) -> std::sync::MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(Timestamp(0), |d| Timestamp(d.as_nanos() as u64))
}
