//! What many endpoints cost: CPU time of an exchange, memory, and the store's size on disk.
//!
//! `cargo bench --bench endpoints`. Takes traffic of the project's own generator over 100, 10,000 and 100,000 endpoints,
//! gives the CPU time (not the wall clock's) of the whole way from frame to inventory, once while the endpoints are
//! still learnt and in rounds after that, each round with all three in turn; the median counts. Then how large the store
//! of 100,000 endpoints is after each of several rounds of updates, and what they take in memory, in a process of their
//! own.

#[path = "../tests/common/traffic.rs"]
mod traffic;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use shadowtap::base::{InventoryLimits, Limits};
use shadowtap::inventory::Inventory;
use shadowtap::inventory::store::Store;
use shadowtap::observe::{Key, Watch};
use shadowtap::pipeline::Pipeline;
use shadowtap::wire::file::Reader;
use traffic::{Plan, Recording};

/// Hosts, and resources of each, which have five endpoints each. Some are asked for far more often than others, so that
/// of the last about 100,000 are.
const SIZES: [(u32, u32); 3] = [(1, 20), (50, 40), (1000, 40)];
const CONNECTIONS: u32 = 10_000;
const ROUNDS: usize = 9;
const COMMITS: usize = 12;
/// Names the capture whose inventory is measured.
const MEASURE: &str = "SHADOWTAP_BENCH_MEMORY_OF";

type Scan = Pipeline<Watch<Inventory>>;

/// Nanoseconds that this process was on a processor.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Bytes of memory that this process has.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Bytes of all files below a folder.
fn on_disk(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => on_disk(&entry.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

fn new_scan() -> Scan {
    Pipeline::new(Watch::new(Inventory::new(InventoryLimits::default()), Key::FIXED), &Limits::default())
}

fn read_from(input: impl std::io::Read, scan: &mut Scan) {
    let mut reader = Reader::open("generated", input).expect("a pcap file");
    while let Some(frame) = reader.next().expect("whole records") {
        scan.frame(&frame);
    }
    scan.finish();
}

/// Reads a recording; gives the CPU time of an exchange in nanoseconds.
fn read(recording: &Recording, scan: &mut Scan) -> u64 {
    let before = cpu();
    read_from(&recording.pcap[..], scan);
    (cpu() - before) / recording.sent.len() as u64
}

/// What an inventory takes in a process that holds nothing else.
fn measure_memory(capture: &str) {
    let mut scan = new_scan();
    let before = resident();
    read_from(File::open(capture).expect("the capture"), &mut scan);
    let (services, endpoints) = scan.observer().sink.size();
    let taken = resident() - before;
    println!(
        "memory: {} MB for {endpoints} endpoints of {services} services, {} bytes each; with all else {} MB",
        taken >> 20,
        taken / endpoints as u64,
        resident() >> 20
    );
}

/// The store's size over rounds of updates.
fn measure_store(recording: &Recording, scan: &mut Scan) {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut store, _) = Store::open(folder.path()).expect("a store");
    for round in 1..=COMMITS {
        read(recording, scan);
        let before = cpu();
        let changes = scan.observer_mut().sink.take_changes();
        let bytes: usize = changes.iter().map(|c| c.key.len() + c.value.as_ref().map_or(0, Vec::len)).sum();
        store.commit(&changes).expect("a commit");
        store.snapshot().expect("a snapshot");
        println!(
            "commit {round}: {} records of {} MB in {} ms of CPU; the store has {} MB",
            changes.len(),
            bytes >> 20,
            (cpu() - before) / 1_000_000,
            on_disk(folder.path()) >> 20
        );
    }
}

fn main() {
    if let Ok(capture) = std::env::var(MEASURE) {
        return measure_memory(&capture);
    }
    let recordings = SIZES.map(|(hosts, resources)| {
        let plan = Plan { connections: CONNECTIONS, exchanges: 25, hosts, resources, ..Plan::default() };
        traffic::make(&Plan { body_max: 400, ..plan })
    });
    let mut scans = Vec::new();
    for recording in &recordings {
        let mut scan = new_scan();
        let learning = read(recording, &mut scan);
        println!("{} endpoints learnt: {learning} ns an exchange", scan.observer().sink.size().1);
        scans.push(scan);
    }
    let mut times = [const { Vec::new() }; SIZES.len()];
    for _ in 0..ROUNDS {
        for ((recording, scan), times) in recordings.iter().zip(&mut scans).zip(&mut times) {
            times.push(read(recording, scan));
        }
    }
    let medians = times.map(|mut t| {
        t.sort_unstable();
        t[ROUNDS / 2]
    });
    for (scan, ns) in scans.iter().zip(medians) {
        let ratio = ns as f64 / medians[0].max(1) as f64;
        println!("{} endpoints known: {ns} ns an exchange, {ratio:.2} of the first", scan.observer().sink.size().1);
    }
    let (Some(scan), [.., recording]) = (scans.last_mut(), &recordings) else { return };
    measure_store(recording, scan);
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("capture.pcap");
    fs::write(&capture, &recording.pcap).expect("room for the capture");
    let me = std::env::current_exe().expect("a name");
    let child = Command::new(me).env(MEASURE, &capture).status().expect("a process");
    assert!(child.success(), "the measurement failed");
}
