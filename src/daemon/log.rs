//! The log.
//!
//! Takes the configuration's wish and where the daemon runs, gives a subscriber on standard error: JSON under systemd,
//! lines for people otherwise. No kind of message is written more than ten times a minute; what is left out is counted
//! and stands in the status line. Never writes what a panic says, since that can be a piece of traffic.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::config::{Format, Level, Log};

/// Target of the status line, which no limit holds back.
pub(super) const STATUS: &str = "shadowtap::status";

/// Lines of one kind in one [`WINDOW`].
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Lines left out so far.
pub(super) fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// Changes the level of the running log.
pub(super) struct Handle(Option<reload::Handle<LevelFilter, Registry>>);

impl Handle {
    pub(super) fn set(&self, level: Level) {
        if let Some(handle) = &self.0 {
            // Fails only when the subscriber is gone, and then there is no log to change.
            let _ = handle.reload(filter(level));
        }
    }
}

/// Starts the log. Where the program has set one up already, that one stays and its level cannot be changed.
pub(super) fn start(log: &Log) -> Handle {
    let json = match log.format {
        Format::Json => true,
        Format::Human => false,
        Format::Auto => under_systemd(),
    };
    let (level, handle) = reload::Layer::new(filter(log.level));
    let ours = filter_fn(|metadata| metadata.target().starts_with("shadowtap"));
    let lines: Box<dyn Layer<_> + Send + Sync> = if json {
        Box::new(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).with_filter(Limit::default()))
    } else {
        let colours = std::io::stderr().is_terminal();
        let lines = fmt::layer().with_ansi(colours).with_target(false).with_writer(std::io::stderr);
        Box::new(lines.with_filter(Limit::default()))
    };
    let started = tracing_subscriber::registry().with(level).with(lines.with_filter(ours)).try_init();
    Handle(started.is_ok().then_some(handle))
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// systemd says which file its journal stream is (systemd.exec(5), `JOURNAL_STREAM`).
fn under_systemd() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(ours) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", ours.dev(), ours.ino())
}

/// Panics go to the log without their words.
pub(super) fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(thread, place, "internal error");
    }));
}

/// Lets only so many lines of each kind through.
#[derive(Default)]
struct Limit(Mutex<HashMap<Identifier, (Instant, u32)>>);

impl Limit {
    fn lets_through(&self, metadata: &Metadata<'_>, now: Instant) -> bool {
        if metadata.target() == STATUS {
            return true;
        }
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Bounded by the number of log statements in the program.
        let (since, count) = seen.entry(metadata.callsite()).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        let through = *count <= MOST;
        if !through {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        through
    }
}

impl<S: Subscriber> Filter<S> for Limit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.lets_through(event.metadata(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_kind_has_its_own_limit_and_the_status_has_none() {
        let sink = Sink::default();
        let to = sink.clone();
        let lines = fmt::layer().with_writer(move || to.clone()).with_filter(Limit::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            for n in 0..50 {
                tracing::warn!(n, "first kind");
                tracing::info!(target: STATUS, "status");
            }
            tracing::warn!("second kind");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("first kind").count(), MOST as usize);
        assert_eq!(text.matches("second kind").count(), 1);
        assert_eq!(text.matches("status").count() / 2, 50, "target and message");
        assert!(left_out() >= 40);
    }
}
