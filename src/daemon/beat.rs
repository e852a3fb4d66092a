//! Who still moves.
//!
//! Takes a beat of each thread whenever it has come around, gives the threads that have not for too long. The watchdog
//! is fed only while there are none. Never asks a thread anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The beats of all threads.
#[derive(Clone)]
pub(super) struct Beats {
    start: Instant,
    threads: Arc<Mutex<Vec<Known>>>,
}

/// A thread's name and its last beat.
type Known = (String, Arc<AtomicU64>);

/// One thread's.
#[derive(Clone)]
pub(super) struct Beat {
    start: Instant,
    /// Milliseconds from `start` to the last beat; [`DONE`] once the thread has ended.
    at: Arc<AtomicU64>,
}

const DONE: u64 = u64::MAX;

impl Beats {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), threads: Arc::default() }
    }

    /// A thread joins; its first beat is now.
    pub(super) fn join(&self, name: &str) -> Beat {
        let beat = Beat { start: self.start, at: Arc::default() };
        beat.beat();
        self.locked().push((name.to_owned(), beat.at.clone()));
        beat
    }

    /// The threads that have not moved for longer than `patience`.
    pub(super) fn stuck(&self, patience: Duration) -> Vec<String> {
        let now = self.start.elapsed().as_millis() as u64;
        let most = patience.as_millis() as u64;
        let late = |at: &AtomicU64| {
            let at = at.load(Ordering::Relaxed);
            at != DONE && now.saturating_sub(at) > most
        };
        self.locked().iter().filter(|(_, at)| late(at)).map(|(name, _)| name.clone()).collect()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Known>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// Still here.
    pub(super) fn beat(&self) {
        self.at.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}

impl Drop for Beat {
    /// A thread that has ended is no longer waited for; its end is told elsewhere.
    fn drop(&mut self) {
        if Arc::strong_count(&self.at) <= 2 {
            self.at.store(DONE, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_thread_is_named() {
        let beats = Beats::new();
        let a = beats.join("a");
        let b = beats.join("b");
        std::thread::sleep(Duration::from_millis(30));
        a.beat();
        assert_eq!(beats.stuck(Duration::from_millis(20)), ["b"]);
        assert!(beats.stuck(Duration::from_secs(5)).is_empty());
        drop(b);
        assert!(beats.stuck(Duration::from_millis(20)).is_empty());
    }
}
