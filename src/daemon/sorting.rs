//! Known or new, told where traffic is read.
//!
//! Takes observations on a capture thread, counts each as one of a known endpoint, of a new one or as a probe, and passes it on.
//! The table it asks is swapped by the inventory's thread; it is read without a lock, the same one for the whole of a request.
//! Never changes what is observed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use crate::inventory::Routers;
use crate::inventory::store::Routed;
use crate::observe::{Batch, Glimpse, Mentioned, Observation, Sink};

/// The table of the moment, shared by all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Published(Arc<ArcSwap<Routers>>);

impl Published {
    /// What is asked from now on. Whoever is asking finishes with the one before.
    pub(super) fn publish(&self, routers: Routers) {
        self.0.store(Arc::new(routers));
    }
}

/// A batch that counts what goes into it.
#[derive(Debug)]
pub(super) struct Sorting {
    pub(super) batch: Batch,
    routers: Cache<Arc<ArcSwap<Routers>>, Arc<Routers>>,
    /// What was counted so far.
    pub(super) counts: Routed,
    /// While records are read again that were counted before.
    pub(super) again: bool,
}

impl Sorting {
    pub(super) fn new(published: &Published) -> Self {
        Self { batch: Batch::new(), routers: Cache::new(published.0.clone()), counts: Routed::default(), again: false }
    }

    #[inline]
    fn count(&mut self, o: &Observation<'_>) {
        let routed = self.routers.load().route(o).filter(|routed| !routed.detour);
        let count = match routed {
            Some(_) => &mut self.counts.known,
            None if o.succeeded() => &mut self.counts.new,
            None => &mut self.counts.probes,
        };
        *count += 1;
    }
}

impl Sink for Sorting {
    #[inline]
    fn observation(&mut self, o: &Observation<'_>) {
        // What was said since belongs to an exchange that was counted.
        if !self.again && !o.said.is_some_and(|said| said.since) {
            self.count(o);
        }
        self.batch.push(o);
    }

    fn glimpse(&mut self, glimpse: Glimpse) {
        self.batch.push_glimpse(glimpse);
    }

    fn mentioned(&mut self, mentioned: &Mentioned<'_>) {
        self.batch.mentioned(mentioned);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::{InventoryLimits, Timestamp};
    use crate::inventory::Inventory;
    use crate::observe::{Key, Logged, Watch};

    fn ask<S: Sink>(watch: &mut Watch<S>, target: &str, status: u16) {
        watch.logged(&Logged {
            ts: Timestamp(1),
            host: "api.example",
            target,
            status: Some(status),
            response_type: "application/json",
            ..Logged::default()
        });
    }

    fn learnt(targets: &[String]) -> Inventory {
        let mut watch = Watch::new(Inventory::new(InventoryLimits::default()), Key::FIXED);
        targets.iter().for_each(|target| ask(&mut watch, target, 200));
        let mut inventory = watch.sink;
        inventory.relearn(|| false);
        inventory
    }

    fn users() -> Vec<String> {
        (0..30).map(|n| format!("/users/{}", 1000 + n)).collect()
    }

    #[test]
    fn known_new_and_probes_are_told_apart() {
        let published = Published::default();
        let mut watch = Watch::new(Sorting::new(&published), Key::FIXED);
        ask(&mut watch, "/users/1", 200);
        published.publish(learnt(&users()).routers());
        ask(&mut watch, "/users/2", 200);
        ask(&mut watch, "/users/3", 404);
        ask(&mut watch, "/groups/3", 200);
        ask(&mut watch, "/wp-admin", 404);
        assert_eq!(watch.sink.counts, Routed { known: 2, new: 2, probes: 1 });
        assert_eq!(watch.sink.batch.len(), 5);
    }

    /// The capture threads route while the inventory's thread swaps, thousands of times: each request is counted once, by one
    /// table or the other, and each is what one of the two says.
    #[test]
    fn nothing_is_lost_or_doubled_while_tables_are_swapped() {
        const SWAPS: u64 = 3_000;
        let few = learnt(&users());
        let many = learnt(&[users(), (0..30).map(|n| format!("/groups/{}", 1000 + n)).collect()].concat());
        let published = Published::default();
        published.publish(few.routers());
        let swaps = AtomicU64::new(0);
        let read = || {
            let mut watch = Watch::new(Sorting::new(&published), Key::FIXED);
            let mut rounds = 0;
            loop {
                // The round after the last swap is asked of the last table.
                let last = rounds >= 1_000 && swaps.load(Ordering::Acquire) >= SWAPS;
                // Known to both, to one of them, to none.
                for target in ["/users/1077", "/groups/1077", "/never"] {
                    ask(&mut watch, target, 200);
                }
                watch.sink.batch.clear();
                rounds += 1;
                if last {
                    break;
                }
            }
            (rounds, watch.sink.counts)
        };
        let counts: Vec<(u64, Routed)> = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
            for swap in 1..=SWAPS {
                published.publish(if swap.is_multiple_of(2) { many.routers() } else { few.routers() });
                swaps.store(swap, Ordering::Release);
                if swap.is_multiple_of(16) {
                    std::thread::yield_now();
                }
            }
            readers.into_iter().map(|r| r.join().expect("a reader")).collect()
        });
        for (rounds, count) in counts {
            assert_eq!((count.known + count.new, count.probes), (3 * rounds, 0), "each request is counted once");
            assert!(count.known >= rounds && count.new >= rounds, "{rounds} rounds: {count:?}");
            assert!(count.known > rounds, "the last table knows both: {rounds} rounds: {count:?}");
        }
    }
}
