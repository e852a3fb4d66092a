//! Servers behind TLS: read with keys and opaque without, and kept over a kill.

use rustls::crypto::ring::cipher_suite::{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256};

use super::*;
use crate::base::{Limits, Oddities};
use crate::inventory::{Likeness, OpaqueView, Sight};
use crate::observe::{Blindness, Cover, Watch};
use crate::pipeline::Pipeline;
use crate::proto::tls::session::Party;
use crate::proto::tls::testing::{Pair, Wire};
use crate::wire::file::Reader;

/// A session in which an API is called, and its keys.
fn session(tls13: bool) -> (Wire, String) {
    let suite = if tls13 { TLS13_AES_128_GCM_SHA256 } else { TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 };
    let pair = Pair::new(suite, "http/1.1");
    let answer =
        [&b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"[..], &[b' '; 900]]
            .concat();
    let mut said: Vec<(Party, &[u8])> = Vec::new();
    for _ in 0..3 {
        said.push((Party::Client, b"GET /users/7 HTTP/1.1\r\nHost: tls.example\r\n\r\n"));
        said.push((Party::Server, &answer));
    }
    (pair.talk(b"", &said, false), pair.keys())
}

impl Recorder {
    /// A connection to port 443 with this in it.
    fn tls(&mut self, wire: &Wire) {
        let (n, mut out, mut at) = (self.next, Vec::new(), [0_u32; 2]);
        self.next += 1;
        self.port = 443;
        self.packet(&mut out, n, true, 0, 0, "s", b"");
        self.packet(&mut out, n, false, 0, 1, "sa", b"");
        for (from, bytes) in wire {
            for piece in bytes.chunks(1400) {
                let (this, peer) = (*from as usize, 1 - *from as usize);
                self.packet(&mut out, n, *from == Party::Client, 1 + at[this], 1 + at[peer], "a", piece);
                at[this] += piece.len() as u32;
            }
        }
        self.packet(&mut out, n, true, 1 + at[0], 1 + at[1], "fa", b"");
        self.packet(&mut out, n, false, 1 + at[1], 2 + at[0], "fa", b"");
        self.packet(&mut out, n, true, 2 + at[0], 2 + at[1], "a", b"");
        self.port = 80;
        self.file.write_all(&out).unwrap();
    }
}

/// What a scan makes of sessions, with the keys of some.
fn scan(sessions: &[&Wire], keys: &[&str]) -> View {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pcap");
    let mut recorder = Recorder::create(&path);
    sessions.iter().for_each(|wire| recorder.tls(wire));
    read(&path, keys)
}

/// What is known after a capture was read.
fn read(path: &Path, keys: &[&str]) -> View {
    let inventory = Inventory::new(InventoryLimits::default());
    let mut pipeline = Pipeline::new(Watch::new(inventory, Key::FIXED), &Limits::default());
    keys.iter().for_each(|keys| pipeline.keys().text(keys.as_bytes()));
    let mut file = Reader::open("a.pcap", File::open(path).unwrap()).unwrap();
    while let Some(frame) = file.next().unwrap() {
        pipeline.frame(&frame);
    }
    pipeline.finish();
    let ledger = pipeline.ledger();
    assert_eq!(ledger.captured, ledger.accounted());
    pipeline.into_observer().sink.view(&ledger, &Oddities::default())
}

fn one(view: &View) -> &OpaqueView {
    assert_eq!(view.opaque.len(), 1);
    let one = &view.opaque[0];
    assert_eq!((one.kind, one.origin().as_str(), one.addresses.len()), (Cover::Tls, "tls://tls.example", 1));
    one
}

#[test]
fn the_same_capture_is_inventoried_with_keys_and_opaque_without() {
    for tls13 in [true, false] {
        let (wire, keys) = session(tls13);
        let bytes = |party| wire.iter().filter(|(from, _)| *from == party).map(|(_, b)| b.len() as u64).sum::<u64>();
        let bytes = [bytes(Party::Client), bytes(Party::Server)];

        let closed = scan(&[&wire], &[]);
        let server = one(&closed);
        assert!(closed.services.is_empty());
        assert_eq!((server.sight, server.connections, server.with_keys, server.without_keys), (Sight::Opaque, 1, 0, 1));
        assert_eq!((server.bytes, server.bytes_without_keys), (bytes, bytes));
        assert_eq!(server.versions.keys().collect::<Vec<_>>(), [if tls13 { "TLS1.3" } else { "TLS1.2" }]);
        assert_eq!(server.suites.len(), 1);
        assert_eq!(server.alpn_offered.get("http/1.1"), Some(&1));
        assert_eq!((server.ja4.len(), server.ja3s.len(), server.callers, server.days_seen), (1, 1, 1, 1));
        // The certificate is in the clear up to TLS 1.2, the protocol chosen too.
        assert_eq!(server.certificates.len(), usize::from(!tls13));
        assert_eq!(server.alpn.len(), usize::from(!tls13));
        // Three requests and their answers; a Finished, tickets and the close may stand alone.
        let turns = |sizes: &[u64]| sizes.iter().sum::<u64>();
        assert!((3..=5).contains(&turns(&server.turns.clients)), "{:?}", server.turns);
        assert!((3..=4).contains(&turns(&server.turns.server)), "{:?}", server.turns);
        assert_eq!(server.hint.likeness, Likeness::Likely, "{:?}", server.hint);

        let open = scan(&[&wire], &[&keys]);
        let server = one(&open);
        assert_eq!(open.services[0].origin(), "https://tls.example");
        assert_eq!(server.services, [open.services[0].id.clone()]);
        assert_eq!((server.sight, server.with_keys, server.without_keys), (Sight::Inventoried, 1, 0));
        assert_eq!((server.bytes, server.bytes_without_keys), (bytes, [0, 0]));
        assert_eq!(server.certificates.len(), 1, "keys show the certificate");
        assert_eq!((open.sight.inventoried, open.sight.opaque), (1, 0));

        let (other, _) = session(tls13);
        let half = scan(&[&wire, &other], &[&keys]);
        let server = one(&half);
        assert_eq!((server.sight, server.with_keys, server.without_keys), (Sight::Partly, 1, 1));
        assert_eq!((half.services[0].calls, half.sight.partly), (3, 1));
    }
}

#[test]
fn what_can_be_neither_read_nor_named_is_blind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pcap");
    let mut recorder = Recorder::create(&path);
    let mut out = Vec::new();
    // One direction of something, whose other one says by its acknowledgements that it was there.
    recorder.port = 9000;
    recorder.packet(&mut out, 1, true, 0, 0, "s", b"");
    for n in 0..4 {
        recorder.packet(&mut out, 1, true, 1 + 10 * n, 1 + 500 * n, "a", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09");
    }
    // Both directions in no protocol that is known.
    recorder.port = 9001;
    recorder.packet(&mut out, 2, true, 0, 0, "s", b"");
    recorder.packet(&mut out, 2, false, 0, 1, "sa", b"");
    recorder.packet(&mut out, 2, true, 1, 1, "a", b"\x00\x01\x02\x03");
    recorder.packet(&mut out, 2, false, 1, 5, "a", b"\x09\x09\x09\x09\x09");
    // A response whose request was not captured.
    recorder.port = 9002;
    recorder.packet(&mut out, 3, false, 1, 1, "a", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    recorder.file.write_all(&out).unwrap();
    let view = read(&path, &[]);
    let told: Vec<_> = view
        .blind
        .services
        .iter()
        .map(|b| (b.place(), b.connections, b.messages, b.bytes, b.reasons.clone()))
        .collect();
    let one = |why| BTreeMap::from([(why, 1)]);
    assert_eq!(
        told,
        [
            ("10.0.0.9:9000".to_owned(), 1, 0, 40, one(Blindness::OneSided)),
            ("10.0.0.9:9001".to_owned(), 1, 0, 9, one(Blindness::Unknown)),
            ("10.0.0.9:9002".to_owned(), 0, 1, 0, one(Blindness::ResponsesOnly)),
        ]
    );
    assert_eq!((view.sight.blind, view.services.len(), view.opaque.len()), (3, 0, 0));
    assert_eq!(view.blind.unattributed_bytes, 0, "the rows have what the ledger has");
}

#[test]
fn opaque_servers_are_kept_over_a_kill_and_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let mut recorder = Recorder::create(&dir.path().join("in/a.pcap"));
    let (wire, _) = session(true);
    let bytes: u64 = wire.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    for round in 1..=3_u64 {
        let mut daemon = Daemon::start(dir.path(), None);
        recorder.tls(&wire);
        recorder.write(1);
        recorder.tls(&wire);
        // Read in order: the session before an exchange is known when that is.
        daemon.wait_for_exchanges("committed_exchanges", round);
        daemon.kill();
        let (seen, _) = view(dir.path());
        let server = one(&seen);
        assert!((2 * round - 1..=2 * round).contains(&server.connections), "{} in round {round}", server.connections);
    }
    let mut daemon = Daemon::start(dir.path(), None);
    recorder.write(1);
    daemon.wait_for_exchanges("exchanges", 4);
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    let server = one(&seen);
    assert_eq!((server.connections, server.without_keys, server.sight), (6, 6, Sight::Opaque));
    assert_eq!(server.bytes[0] + server.bytes[1], 6 * bytes);
    assert_eq!(server.callers, 6);
    drop(store);
    // What is kept is the same after it was read and written again.
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("committed_exchanges", 4);
    assert!(daemon.end().success());
    assert_eq!(view(dir.path()).0.opaque, seen.opaque);
}
