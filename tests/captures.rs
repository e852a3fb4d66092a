//! Real captures of many projects through the file readers and the decoder: as many frames and TCP streams as tshark counts, and every
//! byte accounted for.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;
use shadowtap::base::{Bucket, Limits};
use shadowtap::capture::files::Files;
use shadowtap::exchange::{Observer, Outcome, QuicFlow, Sides};
use shadowtap::pipeline::Pipeline;
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::Connection;
use shadowtap::wire::Decoder;

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SHADOWTAP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("captures");
    if folder.join("index.jsonl").exists() {
        return Some(folder);
    }
    println!("SKIPPED: no captures in {}", folder.display());
    None
}

#[test]
fn frames_and_streams_are_those_that_tshark_counts() {
    let Some(folder) = shared() else { return };
    let index = std::fs::read_to_string(folder.join("index.jsonl")).unwrap();
    let (mut files_read, mut wrong) = (0, Vec::new());
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let name = entry["file"].as_str().unwrap();
        let features: Vec<_> = entry["features"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let mut files = Files::open(&[folder.join(name)]).unwrap_or_else(|e| panic!("{e}"));
        let mut decoder = Decoder::new(&Limits::default());
        let (mut frames, mut payload, mut flows) = (0_u64, 0_u64, HashSet::new());
        loop {
            match files.next() {
                Ok(Some(frame)) => {
                    frames += 1;
                    if let Some(s) = decoder.decode(&frame) {
                        payload += s.payload.len() as u64;
                        flows.insert(s.key);
                    }
                }
                Ok(None) => break,
                Err(e) => println!("{e} ({frames} frames so far)"),
            }
        }
        decoder.finish();
        assert_eq!(decoder.ledger.accounted() + payload, decoder.ledger.captured, "{name}");
        files_read += 1;
        // tshark takes a hole of zeros for five empty frames and stops at the sixth; here reading goes on behind the hole, where 27 more are.
        if name.ends_with("pcap_file_ex_corrupted.pcap") {
            assert_eq!((frames, flows.len()), (21 + 27, 4));
            continue;
        }
        if entry["frames"] != frames {
            wrong.push(format!("{name}: {frames} frames, not {} {:?}", entry["frames"], files.warnings()));
        }
        // Addresses and ports that are used again are one flow here and several streams there.
        let streams = entry["tcp_streams"].as_u64().unwrap();
        let reused = name.ends_with("arkime_tcp-reassembly-synthetic.pcap");
        // tshark counts a connection that only ICMP quotes; and it does not look for Teredo on the ports of its clients.
        let streams = match name {
            "files/nDPI_6in4tunnel.pcap" => streams - 1,
            "files/zeek_teredo_bubble_with_payload.pcap" => streams + 1,
            _ => streams,
        };
        if !reused && flows.len() as u64 != streams {
            wrong.push(format!("{name}: {} flows, not {streams} {features:?} {:?}", flows.len(), decoder.oddities));
        }
    }
    assert!(files_read > 50);
    assert!(wrong.is_empty(), "{} of {files_read}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Keeps the hellos of QUIC.
#[derive(Default)]
struct Hellos(Vec<(Option<String>, Vec<String>)>);

impl Observer for Hellos {
    type Request = ();
    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}
    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {}
    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}

    fn quic_hello(&mut self, flow: &QuicFlow) {
        let hello = flow.hello.as_ref().expect("a hello");
        self.0.push((hello.sni.clone(), hello.alpn.clone()));
    }
}

#[test]
fn quic_hellos_are_those_that_other_readers_see_and_every_byte_is_in_a_bucket() {
    let Some(folder) = shared() else { return };
    let index = std::fs::read_to_string(folder.join("index.jsonl")).unwrap();
    let (mut hellos, mut wrong) = (0, Vec::new());
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let name = entry["file"].as_str().unwrap();
        let mut files = Files::open(&[folder.join(name)]).unwrap_or_else(|e| panic!("{e}"));
        let mut pipeline = Pipeline::new(Hellos::default(), &Limits::default());
        loop {
            match files.next() {
                Ok(Some(frame)) => pipeline.frame(&frame),
                Ok(None) => break,
                Err(e) => println!("{e}"),
            }
        }
        pipeline.finish();
        let ledger = pipeline.ledger();
        assert_eq!(ledger.accounted(), ledger.captured, "{name}");
        let expected: Vec<(Option<String>, Vec<String>)> = entry["expect_quic"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|e| (e[0].as_str().map(str::to_owned), serde_json::from_value(e[1].clone()).unwrap()))
            .collect();
        let mut found = pipeline.into_observer().0;
        found.sort();
        let mut sorted = expected.clone();
        sorted.sort();
        hellos += expected.len();
        if found != sorted {
            wrong.push(format!("{name}: {found:?}, not {sorted:?}"));
        }
        if !expected.is_empty() {
            assert!(ledger.get(Bucket::Quic) > 0, "{name}");
        }
    }
    assert!(hellos >= 7);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
