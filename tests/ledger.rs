//! The law of the ledger: once a capture has ended, each captured byte is in exactly one bucket.

use std::path::{Path, PathBuf};

use shadowtap::base::{Bucket, Limits};
use shadowtap::capture::files::Files;
use shadowtap::exchange::{BodyWish, Observer, Outcome, Sides};
use shadowtap::pipeline::Pipeline;
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::Connection;

/// Counts exchanges and looks at bodies, so that their decoders run too.
#[derive(Default)]
struct Counter {
    requests: u64,
    finished: u64,
    orphans: u64,
}

impl Observer for Counter {
    type Request = ();

    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {
        self.requests += 1;
    }

    fn hidden(&mut self, c: &Connection, sides: Sides, head: &RequestHead<'_>) {
        self.request(c, sides, head);
    }

    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}

    fn wants(&self, (): &(), _: bool) -> BodyWish {
        BodyWish::Decoded
    }

    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {
        self.finished += 1;
    }

    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {
        self.orphans += 1;
    }
}

/// `SHADOWTAP_SHARED`, or the folder beside this project.
fn shared() -> PathBuf {
    std::env::var_os("SHADOWTAP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), Into::into)
}

/// Every capture below a folder.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut out: Vec<PathBuf> = Vec::new();
    for path in entries.map(|e| e.expect("an entry").path()) {
        if path.is_dir() {
            out.extend(captures(&path));
        } else if path.extension().is_some_and(|e| ["pcap", "pcapng", "gz", "zst"].iter().any(|x| e == *x)) {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn check(path: &Path, limits: &Limits) {
    let name = path.display().to_string();
    // What is no capture is nobody's bytes.
    let Ok(mut files) = Files::open(&[path.to_owned()]) else { return };
    let mut pipeline = Pipeline::new(Counter::default(), limits);
    let (mut frames, mut bytes) = (0, 0);
    while let Ok(Some(frame)) = files.next() {
        frames += 1;
        bytes += frame.data.len() as u64;
        pipeline.frame(&frame);
    }
    pipeline.finish();
    let ledger = pipeline.ledger();
    assert_eq!((ledger.packets, ledger.captured), (frames, bytes), "{name}: frames and bytes captured");
    assert_eq!(ledger.accounted(), ledger.captured, "{name}: {ledger:?}");
    let seen = pipeline.observer();
    assert_eq!(seen.finished, seen.requests + seen.orphans, "{name}: each exchange ends once");
    assert!(seen.requests + seen.orphans == 0 || ledger.get(Bucket::Http) > 0, "{name}: HTTP that took no bytes");
    assert_eq!((pipeline.flows(), pipeline.buffered()), (0, 0), "{name}: nothing stays behind");
}

fn check_all(folder: &Path) {
    let all = captures(folder);
    if all.is_empty() {
        eprintln!("SKIPPED: no captures in {}", folder.display());
        return;
    }
    // Limits so small that everything overflows must not lose count either.
    let tight = Limits {
        flows: 2,
        flow_buffer_bytes: 300,
        flow_buffer_segments: 2,
        total_buffer_bytes: 500,
        fragments: 1,
        fragment_bytes: 200,
        head_bytes: 100,
        header_lines: 3,
        pipelined: 1,
        body_bytes: 50,
        ..Limits::default()
    };
    for path in &all {
        check(path, &Limits::default());
        check(path, &tight);
    }
    eprintln!("{} captures of {}: each byte accounted for", all.len(), folder.display());
}

#[test]
fn our_own_recordings() {
    check_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples"));
}

#[test]
fn captures_of_other_projects() {
    check_all(&shared().join("captures/files"));
}
