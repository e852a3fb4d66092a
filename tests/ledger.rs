//! The law of the ledger: once a capture has ended, each captured byte is in exactly one bucket.

use std::path::{Path, PathBuf};

use shadowtap::base::{Bucket, Limits, Missing};
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
    check_with(path, limits, &[]);
}

/// The same with key logs.
fn check_with(path: &Path, limits: &Limits, keys: &[PathBuf]) {
    let name = path.display().to_string();
    // What is no capture is nobody's bytes.
    let Ok(mut files) = Files::open(&[path.to_owned()]) else { return };
    let mut pipeline = Pipeline::new(Counter::default(), limits);
    for log in keys {
        pipeline.keys().text(&std::fs::read(log).expect("a key log"));
    }
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
    let read = ledger.get(Bucket::Http) + ledger.get(Bucket::Decrypted);
    assert!(seen.requests + seen.orphans == 0 || read > 0, "{name}: HTTP that took no bytes");
    assert_eq!((pipeline.flows(), pipeline.buffered()), (0, 0), "{name}: nothing stays behind");
}

/// The key log of a capture: beside our own recordings, or in the folder of keys beside that of the captures.
fn key_logs(capture: &Path) -> Vec<PathBuf> {
    let folder = capture.parent().expect("a folder");
    let name = capture.file_name().expect("a name").to_string_lossy();
    let places = ["keys.log".to_owned(), "keys/whole.log".to_owned(), format!("../keys/{name}.keylog")];
    places.iter().map(|place| folder.join(place)).filter(|path| path.is_file()).collect()
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
    let mut with_keys = 0;
    for path in &all {
        check(path, &Limits::default());
        check(path, &tight);
        let keys = key_logs(path);
        if !keys.is_empty() {
            with_keys += 1;
            check_with(path, &Limits::default(), &keys);
            check_with(path, &Limits { tls_bytes: 3000, tls_hold_bytes: 500, tls_sessions: 2, ..tight.clone() }, &keys);
        }
    }
    assert!(with_keys > 1, "{}: key logs of {with_keys} captures", folder.display());
    eprintln!("{} captures of {}, {with_keys} with keys: each byte accounted for", all.len(), folder.display());
}

#[test]
fn our_own_recordings() {
    check_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples"));
}

#[test]
fn captures_of_other_projects() {
    check_all(&shared().join("captures/files"));
}

#[path = "common/wrap.rs"]
#[allow(dead_code, reason = "the file serves other tests, too")]
mod wrap;

use proptest::prelude::*;
use shadowtap::base::Timestamp;
use shadowtap::wire::{Frame, LinkType};
use wrap::{Made, WRAPS};

/// What a packet may carry.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<Vec<u8>> = vec![
        b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        vec![22, 3, 1, 0, 4, 1, 2, 3, 4],
        vec![0xc1, 0, 0, 0, 1, 8, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0x40, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\0\0\x01\0\x01".to_vec(),
        Vec::new(),
    ];
    prop_oneof![prop::sample::select(words), proptest::collection::vec(any::<u8>(), 0..80)]
}

proptest! {
    /// TCP and UDP of any content in any tunnels, lost, repeated, cut, damaged, in one direction or both: the buckets add up exactly.
    #[test]
    fn any_mixture_adds_up(
        packets in proptest::collection::vec(
            (
                (0_u8..4, any::<bool>(), payloads(), 0_u32..200, prop::sample::select(vec![2_u8, 16, 18, 24, 17, 4])),
                (proptest::collection::vec(prop::sample::select(WRAPS.to_vec()), 0..3), 0_usize..3, 0_usize..60, any::<u8>()),
            ),
            0..60,
        ),
        one_sided in any::<bool>(),
    ) {
        let mut pipeline = Pipeline::new(Counter::default(), &Limits::default());
        let (mut now, mut captured) = (1_000_000_000_u64, 0);
        for ((flow, by_server, payload, seq, flags), (wraps, times, cut, damage)) in packets {
            now += 5_000_000;
            if one_sided && by_server {
                continue;
            }
            let ends = [([10, 0, 0, flow], 40_000), ([10, 0, 1, 1], if flow == 3 { 53 } else { 80 })];
            let ends = if by_server { [ends[1], ends[0]] } else { ends };
            let ip = if flow >= 2 {
                wrap::ipv4(17, ends[0].0, ends[1].0, 1, &wrap::udp(ends[0].1, ends[1].1, &payload))
            } else {
                wrap::tcp(ends, 1, (seq, 300), flags, &payload)
            };
            let mut bytes = wraps.iter().fold(Made::Ip(ip), |made, wrap| wrap.around(made)).frame();
            let wire_len = bytes.len() as u32;
            if damage < 30 {
                let at = usize::from(damage) * 3 % bytes.len();
                bytes[at] ^= 0x41;
            }
            bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(40)));
            for _ in 0..times {
                captured += bytes.len() as u64;
                pipeline.frame(&Frame { ts: Timestamp(now), link: LinkType::ETHERNET, data: &bytes, wire_len });
            }
        }
        pipeline.finish();
        let ledger = pipeline.ledger();
        prop_assert_eq!(ledger.captured, captured);
        prop_assert_eq!(ledger.accounted(), captured, "{:?}", ledger);
        prop_assert!(ledger.missing(Missing::Unseen) <= ledger.missing(Missing::Gap));
    }
}
