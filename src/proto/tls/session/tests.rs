//! Whole sessions, cut, lost, late and wrong.

use proptest::prelude::*;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as suites;

use super::*;
use crate::proto::tls::testing::{Pair, Wire};

const SUITES: [SupportedCipherSuite; 6] = [
    suites::TLS13_AES_128_GCM_SHA256,
    suites::TLS13_AES_256_GCM_SHA384,
    suites::TLS13_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

fn said() -> Vec<(Party, Vec<u8>)> {
    let body: Vec<u8> = (0..40_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    vec![
        (Party::Client, b"GET / HTTP/1.1\r\nHost: tls.example\r\n\r\n".to_vec()),
        (Party::Server, [&b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n"[..], &body].concat()),
        (Party::Client, b"GET /2 HTTP/1.1\r\nHost: tls.example\r\n\r\n".to_vec()),
        (Party::Server, b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
    ]
}

fn borrowed(said: &[(Party, Vec<u8>)]) -> Vec<(Party, &[u8])> {
    said.iter().map(|(party, text)| (*party, &text[..])).collect()
}

/// What a reader of both directions learnt.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    text: [Vec<u8>; 2],
    hidden: Vec<Hidden>,
    /// Bytes of records, of broken ones and of what was not read.
    bytes: usize,
    waited: bool,
}

struct Reader<'a> {
    session: Session,
    keys: &'a Keys,
    heard: Heard,
    early: Vec<Vec<u8>>,
    plain: Plain,
}

impl<'a> Reader<'a> {
    fn new(keys: &'a Keys) -> Self {
        Self { session: Session::default(), keys, heard: Heard::default(), early: Vec::new(), plain: Plain::default() }
    }

    fn read(&mut self, from: Party, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            match self.session.step(from, rest, self.keys, &mut self.plain) {
                Step::More(skipped) => {
                    self.heard.bytes += skipped;
                    break;
                }
                Step::Wait(_) => {
                    self.heard.waited = true;
                    break;
                }
                Step::Blind(held) => {
                    self.heard.bytes += held + rest.len();
                    break;
                }
                Step::Record(piece) => {
                    rest = &rest[piece.used..];
                    self.heard.bytes += piece.skipped + piece.size;
                    self.heard.hidden.extend(piece.hidden);
                    match piece.what {
                        What::Data(n) => self.heard.text[from as usize].extend_from_slice(self.plain.text(n)),
                        What::Early => self.early.push(self.plain.all().to_vec()),
                        What::Control | What::Opaque => {}
                    }
                }
            }
            if self.session.early() == Some(true) {
                for body in std::mem::take(&mut self.early) {
                    if let What::Data(n) = self.session.open_early(&body, self.keys, &mut self.plain) {
                        self.heard.text[0].extend_from_slice(self.plain.text(n));
                    }
                }
            }
        }
    }

    fn end(mut self) -> (Heard, Facts) {
        self.heard.bytes += self.session.unread(Party::Client) + self.session.unread(Party::Server);
        (self.heard, self.session.into_facts())
    }
}

fn read(wire: &Wire, keys: &Keys, piece: usize) -> (Heard, Facts) {
    let mut reader = Reader::new(keys);
    for (from, bytes) in wire {
        for part in bytes.chunks(piece) {
            reader.read(*from, part);
        }
    }
    reader.end()
}

fn keys_of(pair: &Pair) -> Keys {
    let keys = Keys::new(100);
    keys.text(pair.keys().as_bytes());
    keys
}

fn text_of(said: &[(Party, Vec<u8>)], party: Party) -> Vec<u8> {
    said.iter().filter(|s| s.0 == party).flat_map(|s| s.1.clone()).collect()
}

fn total(wire: &Wire) -> usize {
    wire.iter().map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn each_suite_however_it_is_cut() {
    let said = said();
    for suite in SUITES {
        let pair = Pair::new(suite, "http/1.1");
        let wire = pair.talk(b"", &borrowed(&said), false);
        let keys = keys_of(&pair);
        for piece in [usize::MAX, 1448, 7, 1] {
            let (heard, facts) = read(&wire, &keys, piece);
            for party in [Party::Client, Party::Server] {
                assert!(heard.text[party as usize] == text_of(&said, party), "{suite:?}, {party:?}, pieces of {piece}");
            }
            assert_eq!((heard.bytes, heard.waited), (total(&wire), false));
            assert_eq!(facts.alpn.as_deref(), Some("http/1.1"));
            assert_eq!(facts.client.as_ref().and_then(|c| c.sni.clone()).as_deref(), Some("tls.example"));
            assert_eq!(facts.certificate.as_ref().map(|c| c.subject.as_str()), Some("CN=tls.example, O=Tests"));
        }
    }
}

#[test]
fn key_updates_and_a_second_hello() {
    let said = said();
    for suite in &SUITES[..3] {
        let pair = Pair::with(*suite, "h2", true);
        let wire = pair.talk(b"", &borrowed(&said), true);
        let (heard, facts) = read(&wire, &keys_of(&pair), 1448);
        for party in [Party::Client, Party::Server] {
            assert_eq!(heard.text[party as usize].len(), text_of(&said, party).len(), "{suite:?} {party:?}");
            assert!(heard.text[party as usize] == text_of(&said, party));
        }
        assert!(facts.retried && !facts.resumed);
        assert_eq!(facts.alpn.as_deref(), Some("h2"));
    }
}

#[test]
fn resumption_and_early_data() {
    let said = said();
    for suite in SUITES {
        let pair = Pair::new(suite, "http/1.1");
        pair.talk(b"", &borrowed(&said), false);
        let wire = pair.talk(b"GET /early HTTP/1.1\r\n\r\n", &borrowed(&said), false);
        let (heard, facts) = read(&wire, &keys_of(&pair), 700);
        let tls13 = suite.tls13().is_some();
        let early = if tls13 { b"GET /early HTTP/1.1\r\n\r\n".to_vec() } else { Vec::new() };
        assert!(heard.text[0] == [early, text_of(&said, Party::Client)].concat(), "{suite:?}");
        assert!(facts.resumed);
        assert_eq!(facts.early_data, tls13.then_some(true));
        assert_eq!(heard.bytes, total(&wire));
    }
}

#[test]
fn a_key_that_comes_late_opens_what_waits() {
    let said = said();
    for suite in SUITES {
        let pair = Pair::new(suite, "http/1.1");
        let wire = pair.talk(b"", &borrowed(&said), false);
        let keys = Keys::new(10);
        keys.expect();
        let mut reader = Reader::new(&keys);
        let mut waiting = Wire::new();
        for (from, bytes) in &wire {
            if reader.heard.waited {
                waiting.push((*from, bytes.clone()));
                continue;
            }
            let mut rest = &bytes[..];
            loop {
                match reader.session.step(*from, rest, &keys, &mut reader.plain) {
                    Step::Record(piece) => rest = &rest[piece.used..],
                    Step::More(_) => break,
                    Step::Wait(used) => {
                        reader.heard.waited = true;
                        waiting.push((*from, rest[used..].to_vec()));
                        break;
                    }
                    Step::Blind(_) => panic!("{suite:?}: keys are expected"),
                }
            }
        }
        assert!(reader.heard.waited);
        assert!(!reader.session.may_go_on(&keys));
        keys.text(pair.keys().as_bytes());
        assert!(reader.session.may_go_on(&keys));
        reader.heard.waited = false;
        for (from, bytes) in &waiting {
            reader.read(*from, bytes);
        }
        assert!(reader.heard.text[1] == text_of(&said, Party::Server), "{suite:?}");
    }
}

#[test]
fn without_keys_only_the_handshake_is_read() {
    for (expected, suite) in [(true, SUITES[0]), (false, SUITES[0]), (true, SUITES[4]), (false, SUITES[4])] {
        let pair = Pair::new(suite, "http/1.1");
        let wire = pair.talk(b"", &borrowed(&said()), false);
        let keys = Keys::new(10);
        if expected {
            keys.expect();
        }
        let mut reader = Reader::new(&keys);
        reader.session.give_up();
        for (from, bytes) in &wire {
            reader.read(*from, bytes);
        }
        assert_eq!(reader.session.why(), Why::NoKeys);
        let (heard, facts) = reader.end();
        assert_eq!((heard.text, heard.bytes), ([vec![], vec![]], total(&wire)));
        assert!(facts.server.is_some());
        assert_eq!(facts.certificate.is_some(), suite.tls13().is_none());
    }
}

#[test]
fn a_partial_log_opens_one_direction() {
    let said = said();
    let pair = Pair::new(SUITES[0], "http/1.1");
    let wire = pair.talk(b"", &borrowed(&said), false);
    let log: String =
        pair.keys().lines().filter(|l| l.starts_with("CLIENT_TRAFFIC_SECRET_0")).map(|l| format!("{l}\n")).collect();
    let keys = Keys::new(10);
    keys.text(log.as_bytes());
    let mut reader = Reader::new(&keys);
    reader.session.give_up();
    for (from, bytes) in &wire {
        reader.read(*from, bytes);
    }
    let (heard, _) = reader.end();
    assert!(heard.text[0] == text_of(&said, Party::Client));
    assert!(heard.text[1].is_empty());
    assert_eq!(heard.bytes, total(&wire));
}

/// Reads with a hole of `missing` bytes at `at` in the server's direction, in segments of `size`.
fn with_hole(wire: &Wire, keys: &Keys, at: usize, missing: usize, size: usize) -> (Heard, usize) {
    let mut reader = Reader::new(keys);
    let (mut pos, mut lost) = (0, 0);
    for (from, bytes) in wire {
        if *from == Party::Client {
            reader.read(*from, bytes);
            continue;
        }
        for part in bytes.chunks(size) {
            if pos >= at && pos < at + missing {
                reader.heard.bytes += reader.session.gap(Party::Server, part.len() as u64);
                lost += part.len();
            } else {
                reader.read(*from, part);
            }
            pos += part.len();
        }
    }
    (reader.end().0, lost)
}

#[test]
fn behind_a_hole_reading_goes_on_at_the_next_record() {
    let said = said();
    for suite in SUITES {
        let pair = Pair::new(suite, "http/1.1");
        let wire = pair.talk(b"", &borrowed(&said), false);
        let keys = keys_of(&pair);
        let whole = text_of(&said, Party::Server);
        let (heard, lost) = with_hole(&wire, &keys, 5000, 1448, 1448);
        assert!(lost > 0);
        let text = &heard.text[1];
        assert!(
            text.len() < whole.len() && text.len() > whole.len() / 3,
            "{suite:?}: {} of {}",
            text.len(),
            whole.len()
        );
        let [Hidden::Bytes(hidden)] = heard.hidden[..] else { panic!("{suite:?}: {:?}", heard.hidden) };
        assert_eq!(text.len() + hidden as usize, whole.len(), "what was hidden is known exactly");
        let common = text.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        assert!(whole.ends_with(&text[common..]));
        assert_eq!(heard.bytes + lost, total(&wire));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is lost: nothing is read that was not said, in its order, and every byte is told.
    #[test]
    fn a_hole_anywhere_invents_nothing(suite in 0usize..6, at in 0usize..45_000, missing in 1usize..30_000, size in 500usize..3000) {
        let said = said();
        let pair = Pair::new(SUITES[suite], "http/1.1");
        let wire = pair.talk(b"", &borrowed(&said), false);
        let (heard, lost) = with_hole(&wire, &keys_of(&pair), at, missing, size);
        prop_assert_eq!(heard.bytes + lost, total(&wire));
        let whole = text_of(&said, Party::Server);
        let text = &heard.text[1];
        // A beginning and an end of what was said.
        let common = text.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        prop_assert!(whole.ends_with(&text[common..]), "{} read", text.len());
    }
}
