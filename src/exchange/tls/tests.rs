//! What was said in TLS gives the exchanges that it would give in the clear.

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as suites;

use super::*;
use crate::base::{Address, FlowKey, Limits};
use crate::exchange::{Outcome, Partial};
use crate::proto::tls::testing::{Pair, Wire};
use crate::proto::{RequestHead, ResponseHead};

pub(super) const SUITES: [SupportedCipherSuite; 3] = [
    suites::TLS13_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Target, status, reasons, size of the response's body.
pub(super) type Exchange = (String, Option<u16>, Partial, u64);

#[derive(Default)]
pub(super) struct Seen {
    pub(super) exchanges: Vec<Exchange>,
    orphans: usize,
    told: Vec<(TlsStage, Option<String>, bool, u64)>,
}

impl Observer for Seen {
    type Request = (Option<String>, Option<u16>);

    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        assert!(sides.secure && sides.server.port == 443);
        (Some(String::from_utf8_lossy(head.target.bytes()).into_owned()), None)
    }

    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>) {
        request.1 = Some(head.status);
    }

    fn finish(&mut self, _: &Connection, request: Self::Request, outcome: &Outcome) {
        match request.0 {
            Some(target) => self.exchanges.push((target, request.1, outcome.partial, outcome.response_body)),
            None => self.orphans += 1,
        }
    }

    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) -> Self::Request {
        (None, None)
    }

    fn orphan(&mut self, _: &Connection, sides: Sides, head: &ResponseHead<'_>) -> Self::Request {
        assert!(sides.secure);
        (None, Some(head.status))
    }

    fn tls(&mut self, _: &Connection, session: &TlsSession<'_>) {
        let sni = session.facts.client.as_ref().and_then(|hello| hello.sni.clone());
        self.told.push((session.stage, sni, session.decrypted, session.client_bytes + session.server_bytes));
    }
}

/// When connections close.
const CLOSED: Timestamp = Timestamp(1 << 40);

/// Three requests, one with a body, and their responses.
fn said() -> Vec<(Party, Vec<u8>)> {
    let body = vec![b'x'; 50_000];
    vec![
        (Party::Client, b"GET /1 HTTP/1.1\r\nHost: tls.example\r\n\r\n".to_vec()),
        (Party::Server, [&b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"[..], &body].concat()),
        (
            Party::Client,
            [&b"POST /2 HTTP/1.1\r\nHost: tls.example\r\nContent-Length: 50000\r\n\r\n"[..], &body].concat(),
        ),
        (Party::Server, b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        (Party::Client, b"GET /3 HTTP/1.1\r\nHost: tls.example\r\n\r\n".to_vec()),
        (Party::Server, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ]
}

fn whole() -> Vec<Exchange> {
    let one = |target: &str, status, size| (target.to_owned(), Some(status), Partial::default(), size);
    vec![one("/1", 200, 50_000), one("/2", 201, 2), one("/3", 404, 0)]
}

/// Plays a session in segments of `size`; those whose number `lost` names are lost. Gives the reader and the bytes that came.
fn play(wire: &Wire, keys: Option<&str>, size: usize, lost: &[usize], late: bool) -> (Pairing<Seen>, u64) {
    play_until(Close::CaptureEnd, wire, keys, &[size], lost, late.then_some(67))
}

/// The same with segments of several sizes in turn; keys come when so many percent of them have; the connection ends like
/// this.
pub(super) fn play_until(
    end: Close,
    wire: &Wire,
    keys: Option<&str>,
    sizes: &[usize],
    lost: &[usize],
    late: Option<usize>,
) -> (Pairing<Seen>, u64) {
    let limits = Limits::default();
    let mut pairing = Pairing::new(Seen::default(), &limits);
    if let (Some(keys), None) = (keys, late) {
        pairing.keys().text(keys.as_bytes());
    }
    if late.is_some() {
        pairing.keys().expect();
    }
    let (client, server) = (Address::v4(0x0a00_0001, 50_000), Address::v4(0x0a00_0002, 443));
    let (key, side) = FlowKey::new(client, server, 0);
    let c = Connection { key, id: 1, opener: Some(side), opened: Timestamp(0) };
    let mut talk = pairing.open(&c);
    let (mut at, mut number, mut came) = ([0_u64; 2], 0, 0);
    let mut pieces: Vec<(Party, &[u8])> = Vec::new();
    for (from, bytes) in wire {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(sizes[pieces.len() % sizes.len()].min(rest.len()));
            pieces.push((*from, piece));
            rest = more;
        }
    }
    for (n, (from, piece)) in pieces.iter().enumerate() {
        if late.is_some_and(|percent| n == pieces.len() * percent / 100) {
            pairing.keys().text(keys.unwrap_or_default().as_bytes());
        }
        let (this, peer) = (*from as usize, 1 - *from as usize);
        let sender = if *from == Party::Client { side } else { side.peer() };
        let offset = at[this];
        at[this] += piece.len() as u64;
        if lost.contains(&number) {
            let gap = Gap { offset, len: piece.len() as u64, why: Missing::Gap };
            pairing.gap(&c, &mut talk, sender, gap);
        } else {
            came += piece.len() as u64;
            let ts = Timestamp(n as u64 * 1000);
            pairing.data(&c, &mut talk, sender, Chunk { ts, offset, acked: Some(at[peer]), bytes: piece });
        }
        number += 1;
    }
    pairing.close(&c, talk, end, CLOSED);
    (pairing, came)
}

fn session(suite: SupportedCipherSuite) -> (Wire, String) {
    session_of(suite, "http/1.1", &said())
}

pub(super) fn session_of(suite: SupportedCipherSuite, alpn: &str, said: &[(Party, Vec<u8>)]) -> (Wire, String) {
    let pair = Pair::new(suite, alpn);
    let borrowed: Vec<_> = said.iter().map(|(party, text)| (*party, &text[..])).collect();
    let wire = pair.talk(b"", &borrowed, false);
    (wire, pair.keys())
}

#[test]
fn decrypted_exchanges_are_those_of_the_clear_text() {
    for suite in SUITES {
        let (wire, keys) = session(suite);
        for late in [false, true] {
            let (pairing, came) = play(&wire, Some(&keys), 1448, &[], late);
            assert_eq!(pairing.observer.exchanges, whole(), "{suite:?}, late: {late}");
            assert_eq!(pairing.ledger.accounted(), came);
            assert!(pairing.ledger.get(Bucket::Decrypted) > 100_000);
            assert_eq!(pairing.ledger.get(Bucket::Tls), 0, "the handshake of what was decrypted is read");
            let told = &pairing.observer.told;
            assert_eq!(told.first().map(|t| (t.0, t.1.as_deref())), Some((TlsStage::Begun, Some("tls.example"))));
            assert_eq!(told.last().map(|t| (t.0, t.2)), Some((TlsStage::Over, true)));
            assert_eq!(told.iter().map(|t| t.3).sum::<u64>(), came);
            assert_eq!((pairing.tls_held, pairing.tls_sessions, pairing.buffered()), (0, 0, 0));
            assert_eq!(pairing.tls_bytes, 0);
        }
    }
}

#[test]
fn without_keys_nothing_is_read_and_all_is_counted() {
    for (expect, bucket) in [(false, Bucket::Tls), (true, Bucket::TlsNoKeys)] {
        let (wire, _) = session(SUITES[0]);
        let (pairing, came) = play(&wire, None, 1448, &[], expect);
        assert!(pairing.observer.exchanges.is_empty());
        assert_eq!(pairing.ledger.accounted(), came);
        assert!(pairing.ledger.get(bucket) > 100_000);
        assert_eq!(pairing.oddities.get(Oddity::TlsKeyMissing), u64::from(expect));
        assert_eq!(pairing.tls_held, 0);
    }
}

#[test]
fn a_key_that_comes_when_the_connection_is_over_still_opens_it() {
    for suite in SUITES {
        let (wire, keys) = session(suite);
        let ended = || {
            let (pairing, came) = play_until(Close::Fin, &wire, None, &[1448], &[], Some(100));
            assert!(pairing.observer.exchanges.is_empty() && pairing.tls_held as u64 > 100_000);
            assert_eq!((pairing.parted.len(), pairing.oldest_open()), (1, Some(Timestamp(0))));
            (pairing, came)
        };
        let after = |millis: u64| Timestamp(CLOSED.0 + millis * 1_000_000);
        let settled = |pairing: &Pairing<Seen>, came: u64| {
            assert_eq!(pairing.ledger.accounted(), came);
            assert_eq!((pairing.tls_held, pairing.tls_sessions, pairing.parted.len()), (0, 0, 0));
            assert_eq!(pairing.oldest_open(), None);
        };
        // Keys of others change nothing; its own opens it.
        let (mut pairing, came) = ended();
        pairing.keys().text(format!("CLIENT_RANDOM {} {}\n", "07".repeat(32), "5a".repeat(48)).as_bytes());
        pairing.tick(after(100));
        assert!(pairing.observer.exchanges.is_empty() && pairing.parted.len() == 1);
        pairing.keys().text(keys.as_bytes());
        pairing.tick(after(200));
        assert_eq!(pairing.observer.exchanges, whole(), "{suite:?}");
        settled(&pairing, came);
        // It comes just before the end.
        let (mut pairing, came) = ended();
        pairing.keys().text(keys.as_bytes());
        pairing.finish_waiting();
        assert_eq!(pairing.observer.exchanges, whole(), "{suite:?}");
        settled(&pairing, came);
        // It never comes: patience has an end, and so has the capture.
        for millis in [11_000, 0] {
            let (mut pairing, came) = ended();
            pairing.tick(after(9_000));
            assert_eq!(pairing.parted.len(), 1);
            if millis > 0 {
                pairing.tick(after(millis))
            } else {
                pairing.finish_waiting()
            }
            assert!(pairing.observer.exchanges.is_empty() && pairing.ledger.get(Bucket::TlsNoKeys) > 100_000);
            settled(&pairing, came);
        }
    }
}

#[test]
fn what_waits_for_keys_stays_within_the_limit_for_all() {
    let (wire, _) = session(SUITES[0]);
    let limits = Limits { tls_total_hold_bytes: 300_000, ..Limits::default() };
    let mut pairing = Pairing::new(Seen::default(), &limits);
    pairing.keys().expect();
    let mut came = 0;
    for n in 0..20 {
        let (client, server) = (Address::v4(0x0a00_0001, 50_000 + n), Address::v4(0x0a00_0002, 443));
        let (key, side) = FlowKey::new(client, server, 0);
        let c = Connection { key, id: u64::from(n), opener: Some(side), opened: Timestamp(0) };
        let (mut talk, mut at) = (pairing.open(&c), [0_u64; 2]);
        for (from, bytes) in &wire {
            let sender = if *from == Party::Client { side } else { side.peer() };
            for piece in bytes.chunks(1448) {
                let offset = at[*from as usize];
                at[*from as usize] += piece.len() as u64;
                came += piece.len() as u64;
                let chunk = Chunk { ts: Timestamp(1), offset, acked: None, bytes: piece };
                pairing.data(&c, &mut talk, sender, chunk);
                assert!(pairing.tls_held <= 300_000 + 1448 + EVENT, "{}", pairing.tls_held);
            }
        }
        pairing.close(&c, talk, Close::Fin, Timestamp(2));
    }
    pairing.finish_waiting();
    assert_eq!((pairing.ledger.accounted(), pairing.tls_held, pairing.tls_sessions), (came, 0, 0));
    assert!(pairing.oddities.get(Oddity::TlsKeyMissing) == 20);
}

#[test]
fn a_hole_in_a_body_costs_that_body_and_no_more() {
    for suite in SUITES {
        let (wire, keys) = session(suite);
        // The first body lies behind the handshake, the second one far behind it.
        let first: usize =
            wire.iter().take_while(|(_, bytes)| bytes.len() < 50_000).map(|(_, b)| b.len().div_ceil(1448)).sum();
        for lost in first + 1..first + 34 {
            let (pairing, came) = play(&wire, Some(&keys), 1448, &[lost], false);
            assert_eq!(pairing.ledger.accounted(), came);
            let seen = &pairing.observer.exchanges;
            assert_eq!(seen.len(), 3, "{suite:?}, {lost}: {seen:?}");
            assert!(seen[0].0 == "/1" && !seen[0].2.is_whole(), "{suite:?}, {lost}: {seen:?}");
            // The head is in the first record, of 16 KiB: with a part of it, it is lost.
            assert!(lost < first + 13 || seen[0].1 == Some(200), "{suite:?}, {lost}: {seen:?}");
            assert_eq!(seen[1..], whole()[1..], "{suite:?}, {lost}");
        }
    }
}
