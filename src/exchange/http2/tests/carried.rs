//! What streams carry that were asked for by CONNECT.

use proptest::prelude::*;

use super::super::super::properties::config;
use super::super::super::tests::websocket::{Words, frames, no_more_than, play, told, words};
use super::*;
use crate::base::Bucket;
use crate::exchange::tests::websocket::frame as message;

fn connect(p: &mut Peers, stream: u32, protocol: Option<&str>) -> Vec<u8> {
    let mut fields = vec![(":method", "CONNECT"), (":authority", "h.example:80")];
    if let Some(protocol) = protocol {
        fields.extend([(":protocol", protocol), (":scheme", "http"), (":path", "/chat")]);
    }
    frame(1, 4, stream, &p.client.block(&fields))
}

fn grant(p: &mut Peers, stream: u32) -> Vec<u8> {
    let fields = [(":status", "200"), ("sec-websocket-extensions", "permessage-deflate")];
    frame(1, 4, stream, &p.server.block(&fields))
}

#[test]
fn websocket_in_a_stream() {
    for apart in [false, true] {
        let (mut w, mut p) = begun();
        (w.pairing.observer.look, w.pairing.observer.apart) = (true, apart);
        w.c(connect(&mut p, 1, Some("websocket"))).s(grant(&mut p, 1));
        if apart {
            assert_eq!(shorts(&w.pairing.observer.seen), ["CONNECT /chat 200"], "told at once");
        }
        let words = message(0x81, Some([1, 2, 3, 4]), b"{\"a\":1}");
        // A message over two DATA frames, another stream between.
        w.c([frame(0, 0, 1, &words[..5]), p.request(3, "GET", "/x", true), frame(0, 0, 1, &words[5..])].concat());
        w.s([p.response(3, "200", "x", true), frame(0, 0, 1, &message(0x82, None, &[9; 300]))].concat());
        w.c(frame(0, 1, 1, &message(0x88, Some([0; 4]), b"\x03\xe8"))).s(frame(0, 1, 1, b""));
        let seen = w.close();
        let (tally, texts) = told(&seen).expect("told");
        assert_eq!((tally[0].messages, tally[0].json, tally[0].close, tally[1].messages), (1, 1, Some(1000), 1));
        assert_eq!(texts[0], b"{\"a\":1}|");
        assert_eq!(w.pairing.ledger.get(Bucket::Http), w.delivered);
    }
}

#[test]
fn a_websocket_stream_is_not_read_behind_a_hole() {
    let (mut w, mut p) = begun();
    w.pairing.observer.look = true;
    w.c(connect(&mut p, 1, Some("websocket"))).s(grant(&mut p, 1));
    let words = message(0x81, Some([0; 4]), b"abcdef");
    let two = frame(0, 0, 1, &[words.clone(), words.clone()].concat());
    w.c(&two).c(&two[..20]).lost(CLIENT, &two[20..25]).c(&two[25..]).c(&two);
    let (tally, texts) = told(&w.close()).expect("told");
    // The third one breaks off at the hole.
    assert_eq!((tally[0].messages, &texts[0][..]), (2, &b"abcdef|abcdef|abcde"[..]));
    assert!(w.pairing.ledger.get(Bucket::AfterGap) > 0);
}

#[test]
fn a_tunnel_is_looked_into() {
    let (mut w, mut p) = begun();
    w.c(connect(&mut p, 1, None)).s(p.response(1, "200", "t", false));
    w.c(frame(0, 0, 1, b"GET /inside HTTP/1.1\r\nHo")).c(frame(0, 0, 1, b"st: i\r\n\r\n"));
    w.s(frame(0, 0, 1, b"HTTP/1.1 204 No\r\nX-Tag: in\r\n\r\n"));
    // And one that carries something else, refused ones, and one that ends without a word.
    w.c(connect(&mut p, 3, None)).s(p.response(3, "200", "t", false)).c(frame(0, 0, 3, b"SSH-2.0-OpenSSH_9\r\n"));
    w.c(connect(&mut p, 5, None)).s(p.response(5, "403", "t", true));
    w.c(connect(&mut p, 7, None)).s(p.response(7, "200", "t", false));
    let before = w.pairing.ledger.get(Bucket::Ssh);
    let mut seen = shorts(&w.close());
    seen.sort();
    assert_eq!(before, 19);
    assert_eq!(seen[0], "CONNECT h.example:80 200 request_ended_early,response_ended_early");
    assert!(seen.contains(&"GET /inside 204".to_owned()), "{seen:?}");
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_hole_in_a_tunnel_makes_nothing_up() {
    let (mut w, mut p) = begun();
    w.c(connect(&mut p, 1, None)).s(p.response(1, "200", "t", false));
    let ask = frame(0, 0, 1, b"GET /1 HTTP/1.1\r\nHost: i\r\n\r\nGET /2 HTTP/1.1\r\nHost: i\r\n\r\n");
    w.c(&ask[..20]).lost(CLIENT, &ask[20..30]).c(&ask[30..]);
    w.s(frame(0, 0, 1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"));
    let seen = w.close();
    assert!(
        seen.iter().all(|s| s.request.starts_with("CONNECT") || s.status.is_none() || s.request.is_empty()),
        "{seen:?}"
    );
}

fn over_http2(words: &[Words]) -> Vec<(Side, Vec<u8>)> {
    let mut p = Peers::default();
    let mut out = vec![(CLIENT, p.hello()), (SERVER, frame(4, 0, 0, &[])), (CLIENT, frame(4, 1, 0, &[]))];
    out.push((CLIENT, connect(&mut p, 1, Some("websocket"))));
    out.push((SERVER, grant(&mut p, 1)));
    for (server, bytes) in frames(words) {
        // Frames of the one do not end where those of the other do.
        for piece in bytes.chunks(37) {
            out.push((if server { SERVER } else { CLIENT }, frame(0, 0, 1, piece)));
        }
    }
    out
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn segmentation_invariance(words in words(), cuts in prop::collection::vec(1usize..200, 1..20), apart: bool) {
        let messages = over_http2(&words);
        let whole = play(&messages, &[usize::MAX], |_| true, apart);
        prop_assert_eq!(told(&play(&messages, &cuts, |_| true, apart)), told(&whole));
        let (tally, _) = told(&whole).expect("told");
        prop_assert_eq!(tally[0].messages + tally[1].messages, words.len() as u64);
    }

    #[test]
    fn loss_monotonicity(words in words(), cuts in prop::collection::vec(1usize..200, 1..20), lost in prop::collection::vec(0usize..60, 1..6), apart: bool) {
        let messages = over_http2(&words);
        let whole = play(&messages, &cuts, |_| true, apart);
        no_more_than(&play(&messages, &cuts, |n| !lost.contains(&n), apart), &whole)?;
    }
}
