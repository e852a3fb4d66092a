//! PROXY protocol headers in front of what a connection carries.

use super::*;

const V1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n";
const ASK: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

fn v2_named() -> Vec<u8> {
    // With a TLV (ALPN).
    v2(1, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 0, 80, 1, 0, 2, b'h', b'2'])
}

/// Plays what the client and then the server send, in pieces of `step` bytes; gives requests, callers and header bytes.
fn played(client: &[u8], server: &[u8], step: usize) -> (Vec<String>, Vec<String>, u64) {
    let mut w = Wire::new();
    client.chunks(step).for_each(|piece| {
        w.c(piece);
    });
    server.chunks(step).for_each(|piece| {
        w.s(piece);
    });
    let seen = w.close();
    let requests = seen.iter().map(|s| format!("{} {:?} {:?}", s.request, s.status, s.reasons)).collect();
    (requests, std::mem::take(&mut w.pairing.observer.callers), w.pairing.ledger.get(Bucket::ProxyHeader))
}

#[test]
fn the_source_of_a_header_is_the_caller() {
    for (header, caller) in [
        (V1.as_bytes().to_vec(), "192.0.2.7:56324"),
        (v2_named(), "192.0.2.7:56324"),
        (v2(0, 0, b""), "0.0.0.2:50000"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "0.0.0.2:50000"),
        // Two balancers in a row: the second header is nearer to the client.
        ([&v2(1, 0x11, &[10, 0, 0, 9, 10, 0, 0, 1, 0, 1, 0, 80]), V1.as_bytes()].concat(), "192.0.2.7:56324"),
    ] {
        for step in [1, 2, 5, 16, 17, 44, 1000] {
            let client = [&header[..], ASK.as_bytes(), ASK.as_bytes()].concat();
            let (requests, callers, bytes) = played(&client, [ANSWER, ANSWER].concat().as_bytes(), step);
            assert_eq!(requests, ["GET /x Some(200) []", "GET /x Some(200) []"], "steps of {step}");
            assert_eq!(callers, [caller, caller]);
            assert_eq!(bytes, header.len() as u64);
        }
    }
}

#[test]
fn http2_behind_a_header() {
    let get = [0x82, 0x86, 0x84, 0x41, 1, b'h'];
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let client = [&v2_named(), &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b""), &frame(1, 5, 1, &get)];
    let server = [frame(4, 0, 0, b""), frame(1, 5, 1, &[0x88])].concat();
    for step in [1, 7, 1000] {
        let (requests, callers, _) = played(&client.concat(), &server, step);
        assert_eq!(requests, ["GET / Some(200) []"]);
        assert_eq!(callers, ["192.0.2.7:56324"]);
    }
}

#[test]
fn what_is_no_header_or_a_bad_one_is_no_http() {
    for (bytes, bad) in [
        (&b"PROXY TCP4 192.0.2.7 198.51.100.1 99999 80\r\n"[..], 1),
        (&v2(1, 0x11, &[1, 2, 3])[..], 1),
        (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", 1),
        (b"PROXY TCP4 192.0.2.7", 0),
        (b"\r\n\r\n\0\r\nQUI", 0),
    ] {
        let mut w = Wire::new();
        w.c(bytes);
        assert!(w.close().is_empty());
        assert_eq!(w.pairing.oddities.get(Oddity::ProxyHeaderBad), bad, "{}", bytes.escape_ascii());
        assert_eq!(w.pairing.ledger.get(Bucket::ProxyHeader), 0);
    }
    // In the middle of a connection, and from the server, it is none.
    let mut w = Wire::new();
    w.c(ASK).s(V1).s(ANSWER);
    w.close();
    assert_eq!(w.pairing.ledger.get(Bucket::ProxyHeader), 0);
    let mut w = Wire::mid_stream();
    w.c([V1, ASK].concat()).s(ANSWER);
    w.close();
    assert_eq!(w.pairing.ledger.get(Bucket::ProxyHeader), 0, "nobody saw where the connection begins");
}

#[test]
fn a_hole_behind_a_header_is_a_hole() {
    let mut w = Wire::new();
    w.c(V1).lost(CLIENT, ASK).s(ANSWER).c(ASK).s(ANSWER);
    let seen = w.close();
    assert_eq!(seen.iter().filter(|s| s.request == "GET /x" && s.status == Some(200)).count(), 1);
    assert_eq!(w.pairing.observer.callers, ["192.0.2.7:56324"]);
}
