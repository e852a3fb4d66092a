//! What systemd is told (sd_notify(3)).
//!
//! Takes the daemon's turns, gives notifications where systemd has asked for them. Never fails: without systemd nothing
//! is said.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How often the status text is renewed.
const STATUS: Duration = Duration::from_secs(5);

/// The service manager.
pub(super) struct Service {
    /// How often the watchdog wants to be fed: half of what it allows, as sd_watchdog_enabled(3) advises.
    feed: Option<Duration>,
    fed: Instant,
    told: Option<Instant>,
}

impl Service {
    pub(super) fn new() -> Self {
        // For another process (a wrapper) the variable is not meant.
        let ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let allowed = std::env::var("WATCHDOG_USEC").ok().and_then(|usec| usec.parse().ok()).filter(|_| ours);
        let feed = allowed.map(|usec: u64| Duration::from_micros(usec / 2));
        Self { feed, fed: Instant::now(), told: None }
    }

    /// Up, or up again after a reload.
    pub(super) fn ready(&self) {
        say(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        // `Type=notify-reload` demands the time.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => say(&[NotifyState::Reloading, now]),
            Err(_) => say(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        say(&[NotifyState::Stopping]);
    }

    /// All threads move: feeds the watchdog and renews the status text when it is time.
    pub(super) fn alive(&mut self, status: impl FnOnce() -> String) {
        if self.feed.is_some_and(|feed| self.fed.elapsed() >= feed) {
            self.fed = Instant::now();
            say(&[NotifyState::Watchdog]);
        }
        if self.told.is_none_or(|told| told.elapsed() >= STATUS) {
            self.told = Some(Instant::now());
            say(&[NotifyState::Status(&status())]);
        }
    }
}

fn say(state: &[NotifyState<'_>]) {
    // systemd that does not listen is not our trouble; the watchdog is its way to notice.
    let _ = sd_notify::notify(state);
}
