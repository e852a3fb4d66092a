//! How the daemon is.
//!
//! Takes figures from the threads, gives the status line, systemd's status text and the JSON object of the control
//! socket. Never holds anything of an exchange.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::base::{Ledger, Oddities, Oddity, Timestamp};
use crate::inventory::store::{Routed, Sensor};

/// Figures of all runs of this store; queue, flows and memory are of the moment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Status {
    /// Version of the program.
    pub(super) version: &'static str,
    pub(super) pid: u32,
    /// Start of this run.
    pub(super) since: Timestamp,
    pub(super) exchanges: u64,
    /// Exchanges by what was known of their endpoint when they came.
    pub(super) routed: Routed,
    /// Of these, on disk.
    pub(super) committed_exchanges: u64,
    pub(super) commits: u64,
    pub(super) store_bytes: u64,
    pub(super) store_failing: bool,
    pub(super) flows: usize,
    /// Out-of-order bytes held.
    pub(super) buffered: usize,
    /// Batches that wait for the inventory.
    pub(super) queue: usize,
    pub(super) queue_limit: usize,
    /// Resident memory, bytes.
    pub(super) memory: u64,
    pub(super) documents: usize,
    /// Log lines left out because there were too many of their kind.
    pub(super) log_lines_left_out: u64,
    pub(super) ledger: Ledger,
    pub(super) oddities: Oddities,
    /// The mirror brings packets twice.
    pub(super) mirrored_twice: bool,
    /// Interfaces on which nothing can be heard at the moment, and why.
    pub(super) blind: BTreeMap<String, String>,
    #[serde(skip)]
    last: (Instant, u64, u64),
}

impl Status {
    pub(super) fn new(since: Timestamp, queue_limit: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            since,
            exchanges: 0,
            routed: Routed::default(),
            committed_exchanges: 0,
            commits: 0,
            store_bytes: 0,
            store_failing: false,
            flows: 0,
            buffered: 0,
            queue: 0,
            queue_limit,
            memory: 0,
            documents: 0,
            log_lines_left_out: 0,
            ledger: Ledger::default(),
            oddities: Oddities::default(),
            mirrored_twice: false,
            blind: BTreeMap::new(),
            last: (Instant::now(), 0, 0),
        }
    }

    /// Begins where earlier runs ended.
    pub(super) fn go_on(&mut self, sensor: &Sensor) {
        self.ledger = sensor.ledger.clone();
        self.oddities = sensor.oddities.clone();
        self.exchanges = sensor.exchanges;
        self.routed = sensor.routed;
        self.committed_exchanges = sensor.exchanges;
        self.last = (Instant::now(), self.ledger.packets, self.exchanges);
    }

    /// Looks at what is not told by the threads.
    pub(super) fn refresh(&mut self) {
        self.memory = resident();
        self.mirrored_twice = self.oddities.mirrored_twice(self.ledger.packets);
        self.log_lines_left_out = super::log::left_out();
    }

    /// Writes the status line.
    pub(super) fn line(&mut self) {
        self.refresh();
        let now = Instant::now();
        let rate = |total: u64, before: u64, at: Instant| {
            (total.saturating_sub(before) as f64 / now.duration_since(at).as_secs_f64().max(0.001)).round() as u64
        };
        let (at, packets, exchanges) = self.last;
        let (packets, exchanges) = (rate(self.ledger.packets, packets, at), rate(self.exchanges, exchanges, at));
        self.last = (now, self.ledger.packets, self.exchanges);
        tracing::info!(
            target: super::log::STATUS,
            packets = self.ledger.packets,
            packets_per_second = packets,
            dropped = self.ledger.dropped_packets,
            flows = self.flows,
            exchanges = self.exchanges,
            exchanges_per_second = exchanges,
            known = self.routed.known,
            new = self.routed.new,
            probes = self.routed.probes,
            committed = self.committed_exchanges,
            shed = self.oddities.get(Oddity::Shed),
            queue = format_args!("{}/{}", self.queue, self.queue_limit),
            memory_mb = self.memory / 1_000_000,
            store_mb = self.store_bytes / 1_000_000,
            left_out = self.log_lines_left_out,
            mirrored_twice = self.mirrored_twice.then_some(true),
            blind_seconds = self.ledger.blind_nanos / 1_000_000_000,
            not_heard = (!self.blind.is_empty()).then(|| tracing::field::display(self.not_heard())),
            bytes = %self.shares(),
            "status"
        );
    }

    /// One short line for `systemctl status`.
    pub(super) fn short(&self) -> String {
        format!(
            "{} packets, {} dropped, {} flows, {} exchanges, queue {}/{}, {} MB{}{}",
            self.ledger.packets,
            self.ledger.dropped_packets,
            self.flows,
            self.exchanges,
            self.queue,
            self.queue_limit,
            self.memory / 1_000_000,
            if self.store_failing { "; the store cannot be written" } else { "" },
            if self.blind.is_empty() { String::new() } else { format!("; not heard: {}", self.not_heard()) }
        )
    }

    fn not_heard(&self) -> String {
        let each = self.blind.iter().map(|(name, why)| match why.starts_with(name.as_str()) {
            true => why.clone(),
            false => format!("{name}: {why}"),
        });
        each.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn json(&mut self) -> String {
        self.refresh();
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Each bucket's share of the captured bytes, and what is known to be missing.
    fn shares(&self) -> String {
        let all = self.ledger.captured.max(1) as f64;
        let of = |bytes: u64| bytes as f64 * 100.0 / all;
        let mut parts: Vec<String> = self
            .ledger
            .rows()
            .filter(|(_, _, bytes)| *bytes > 0)
            .map(|(name, _, bytes)| format!("{name} {:.1}%", of(bytes)))
            .collect();
        parts.extend(
            self.ledger
                .missing_rows()
                .filter(|(_, _, bytes)| *bytes > 0)
                .map(|(name, _, bytes)| format!("missing:{name} {:.1}%", of(bytes))),
        );
        parts.join(" ")
    }
}

/// Bytes of memory that are in RAM (proc(5)); 0 where it cannot be told.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Bucket, Missing};

    #[test]
    fn says_where_the_bytes_went() {
        let mut status = Status::new(Timestamp(0), 512);
        status.ledger.captured = 1000;
        status.ledger.add(Bucket::Http, 750);
        status.ledger.add(Bucket::Framing, 250);
        status.ledger.miss(Missing::Gap, 10);
        assert_eq!(status.shares(), "framing 25.0% http 75.0% missing:gap 1.0%");
        assert!(status.short().starts_with("0 packets, 0 dropped"));
        status.blind = [("eth1".to_owned(), "it is down".to_owned())].into();
        assert!(status.short().ends_with("; not heard: eth1: it is down"));
        let json: serde_json::Value = serde_json::from_str(&status.json()).unwrap();
        assert!(json["memory"].as_u64().unwrap() > 1 << 20);
        assert_eq!(json["queue_limit"], 512);
    }
}
