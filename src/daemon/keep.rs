//! The thread that writes to the store.
//!
//! Takes changes, gives acknowledgements; so that a slow disk never holds up the inventory. What could not be written is
//! kept and tried again with the next job, after the store was opened anew. Never reports a change as kept before it is
//! on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tracing::{debug, error, info, warn};

use super::beat::Beat;
use crate::inventory::Change;
use crate::inventory::store::{Recovery, Sensor, Stamp, Store, StoreError};

/// What the keeper is asked to do.
pub(super) struct Job {
    pub(super) changes: Vec<Change>,
    /// The sensor's record as it holds with these changes.
    pub(super) sensor: Sensor,
    /// Write the logical snapshot too.
    pub(super) snapshot: bool,
    /// Who wants to know of the snapshot.
    pub(super) replies: Vec<Sender<Result<u64, String>>>,
}

/// What came of a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// Exchanges whose observations are on disk; `None` where the job failed.
    pub(super) exchanges: Option<u64>,
    /// The store was rebuilt from what was left: everything should be written anew.
    pub(super) rewrite: bool,
    /// Commits so far.
    pub(super) commits: u64,
    /// Bytes of the database.
    pub(super) bytes: u64,
}

/// The store's thread.
pub(super) struct Keeper {
    dir: PathBuf,
    store: Option<Store>,
    /// Changes that are not on disk yet.
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    sensor: Sensor,
    /// Did the last job fail?
    failing: bool,
    /// The store was rebuilt from what was left, and the inventory does not know yet.
    rewrite: bool,
}

impl Keeper {
    pub(super) fn new(store: Store) -> Self {
        let sensor = store.sensor().clone();
        Self {
            dir: store.dir().to_owned(),
            store: Some(store),
            pending: BTreeMap::new(),
            sensor,
            failing: false,
            rewrite: false,
        }
    }

    /// Works until nobody sends jobs any more; then tells whether all is on disk.
    pub(super) fn work(mut self, jobs: &Receiver<Job>, done: &Sender<Done>, beat: &Beat) -> Result<(), StoreError> {
        loop {
            match jobs.recv_timeout(Duration::from_millis(250)) {
                Ok(job) => {
                    beat.beat();
                    // Where nobody listens any more, the daemon is ending and looks at the result instead.
                    let _ = done.send(self.job(job));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            beat.beat();
        }
        if self.pending.is_empty() { Ok(()) } else { self.commit().map(drop) }
    }

    fn job(&mut self, job: Job) -> Done {
        let started = Instant::now();
        let records = job.changes.len();
        self.pending.extend(job.changes.into_iter().map(|c| (c.key, c.value)));
        self.sensor = job.sensor;
        let mut done = Done::default();
        let mut result = self.commit();
        let mut failed = self.failing;
        if let (Err(e), true) = (&result, self.store.is_some()) {
            failed = true;
            error!(error = %e, waiting = self.pending.len(), "the store could not be written; opening it anew");
            result = self.reopen().and_then(|()| self.commit());
        }
        match &result {
            Ok(()) if failed => info!("the store is written again"),
            Ok(()) => {}
            Err(e) => error!(
                error = %e,
                waiting = self.pending.len(),
                "the store still cannot be written; what is not written yet is kept in memory and tried again"
            ),
        }
        self.failing = result.is_err();
        if result.is_ok() {
            done.rewrite = std::mem::take(&mut self.rewrite);
        }
        let stamp = result.and_then(|()| {
            done.exchanges = Some(self.sensor.exchanges);
            if job.snapshot { self.snapshot().map(Some) } else { Ok(None) }
        });
        if let Some(store) = &self.store {
            done.commits = store.commits();
            done.bytes = store.size();
        }
        let millis = started.elapsed().as_millis() as u64;
        match &stamp {
            Ok(stamp) => debug!(records, millis, snapshot = stamp.is_some(), "committed"),
            Err(e) if self.failing => debug!(error = %e, "not committed"),
            Err(e) => warn!(error = %e, "committed, but the snapshot could not be written"),
        }
        for reply in job.replies {
            let answer = match &stamp {
                Ok(Some(stamp)) => Ok(stamp.commit),
                Ok(None) => Err("no snapshot was asked for".to_owned()),
                Err(e) => Err(e.to_string()),
            };
            let _ = reply.send(answer);
        }
        done
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.store.is_none() {
            self.reopen()?;
        }
        let Some(store) = &mut self.store else {
            return Err(StoreError::Absent { dir: self.dir.clone() });
        };
        *store.sensor_mut() = self.sensor.clone();
        let pending = std::mem::take(&mut self.pending);
        let changes: Vec<_> = pending.into_iter().map(|(key, value)| Change { key, value }).collect();
        let committed = store.commit(&changes);
        if committed.is_err() {
            self.pending = changes.into_iter().map(|c| (c.key, c.value)).collect();
        }
        committed
    }

    fn snapshot(&mut self) -> Result<Stamp, StoreError> {
        match &mut self.store {
            Some(store) => store.snapshot(),
            None => Err(StoreError::Absent { dir: self.dir.clone() }),
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let (store, recovery) = match self.store.take() {
            Some(store) => store.reopen()?,
            None => Store::open(&self.dir)?,
        };
        report(&recovery);
        self.rewrite |= !recovery.is_clean();
        self.store = Some(store);
        Ok(())
    }
}

/// Says what opening the store found.
pub(super) fn report(recovery: &Recovery) {
    match &recovery.damage {
        Some(damage) => error!(lost_commits = damage.lost_commits, unreadable = damage.unreadable, "{damage}"),
        None => info!("{recovery}"),
    }
}
