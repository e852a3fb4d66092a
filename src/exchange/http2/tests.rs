//! HTTP/2 connections as chunks and gaps: two honest ends, and some that are not.

mod carried;

use super::super::tests::{CLIENT, SERVER, Seen, Wire, short};
use crate::base::{Limits, Oddity, Side};
use crate::stream::End;

/// Encodes header blocks as a real peer does: what was sent before is an index.
#[derive(Default)]
pub(super) struct Encoder {
    table: Vec<(String, String)>,
}

impl Encoder {
    pub(super) fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        const KNOWN: [(&str, &str, u8); 8] = [
            (":method", "GET", 2),
            (":method", "POST", 3),
            (":path", "/", 4),
            (":scheme", "http", 6),
            (":status", "200", 8),
            (":status", "204", 9),
            (":status", "404", 13),
            (":status", "500", 14),
        ];
        let mut out = Vec::new();
        for (name, value) in fields {
            if let Some((.., index)) = KNOWN.iter().find(|k| (k.0, k.1) == (*name, *value)) {
                out.push(0x80 | index);
            } else if let Some(at) = self.table.iter().position(|f| (f.0.as_str(), f.1.as_str()) == (*name, *value)) {
                // The table is kept short enough for one byte.
                out.push(0x80 | (62 + at) as u8);
            } else {
                out.push(0x40);
                for text in [name, value] {
                    assert!(text.len() < 127);
                    out.push(text.len() as u8);
                    out.extend_from_slice(text.as_bytes());
                }
                self.table.insert(0, ((*name).to_owned(), (*value).to_owned()));
                let size = |t: &[(String, String)]| t.iter().map(|f| 32 + f.0.len() + f.1.len()).sum::<usize>();
                while size(&self.table) > 4096 {
                    self.table.pop();
                }
                self.table.truncate(65);
            }
        }
        out
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Both ends.
#[derive(Default)]
pub(super) struct Peers {
    pub client: Encoder,
    pub server: Encoder,
}

impl Peers {
    pub(super) fn hello(&self) -> Vec<u8> {
        [PREFACE, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]), &frame(8, 0, 0, &[0, 1, 0, 0])].concat()
    }

    pub(super) fn request(&mut self, stream: u32, method: &str, path: &str, end: bool) -> Vec<u8> {
        let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "h.example")];
        let block = self.client.block(&fields);
        frame(1, 4 | u8::from(end), stream, &block)
    }

    pub(super) fn response(&mut self, stream: u32, status: &str, tag: &str, end: bool) -> Vec<u8> {
        let block = self.server.block(&[(":status", status), ("x-tag", tag)]);
        frame(1, 4 | u8::from(end), stream, &block)
    }
}

pub(super) fn data(stream: u32, text: impl AsRef<[u8]>, end: bool) -> Vec<u8> {
    frame(0, u8::from(end), stream, text.as_ref())
}

fn settings() -> Vec<u8> {
    [frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]), frame(4, 1, 0, &[])].concat()
}

fn begun() -> (Wire, Peers) {
    let (mut w, p) = (Wire::new(), Peers::default());
    w.c(p.hello()).s(settings());
    (w, p)
}

fn shorts(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(short).collect()
}

#[test]
fn hard_case_26_prior_knowledge_with_streams_in_any_order() {
    let (mut w, mut p) = begun();
    w.c([p.request(1, "GET", "/a", true), p.request(3, "POST", "/b", false), data(3, "body", true)].concat());
    w.c(p.request(5, "GET", "/c", true));
    w.s([p.response(5, "404", "c", true), p.response(3, "200", "b", false)].concat());
    w.s([p.response(1, "200", "a", false), data(3, "12", false), data(1, "1", true), data(3, "3", true)].concat());
    let seen = w.close();
    assert_eq!(shorts(&seen), ["GET /c 404", "GET /a 200", "POST /b 200"]);
    assert_eq!(seen.iter().map(|s| s.tag.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
    assert_eq!(seen.iter().map(|s| s.bodies).collect::<Vec<_>>(), [(0, 0), (0, 1), (4, 3)]);
    assert!(seen.iter().all(|s| s.host == "h.example" && s.latency.is_some()));
}

#[test]
fn the_servers_preface_may_come_first() {
    let (mut w, mut p) = (Wire::new(), Peers::default());
    w.s(settings()).c(p.hello()).c(p.request(1, "GET", "/a", true)).s(p.response(1, "200", "a", true));
    assert_eq!(w.short(), ["GET /a 200"]);
}

#[test]
fn trailers_interim_responses_and_pushes() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "POST", "/a", false)).s(frame(1, 4, 1, &p.server.block(&[(":status", "100")])));
    w.c([data(1, "x", false), frame(1, 5, 1, &p.client.block(&[("x-sum", "7")]))].concat());
    let promise = p.server.block(&[(":method", "GET"), (":scheme", "http"), (":path", "/style"), (":authority", "h")]);
    w.s([frame(5, 4, 1, &[&[0, 0, 0, 2], &promise[..]].concat()), p.response(1, "200", "a", false)].concat());
    w.s([data(1, "y", false), frame(1, 5, 1, &p.server.block(&[("grpc-status", "5")]))].concat());
    w.s([p.response(2, "200", "s", false), data(2, "css", true)].concat());
    let seen = w.close();
    assert_eq!(shorts(&seen), ["POST /a 200", "GET /style 200"]);
    assert_eq!((seen[0].interim, seen[0].bodies, seen[1].bodies), (1, (1, 1), (0, 3)));
    assert_eq!(seen[0].trailers, ["0 x-sum=7", "1 grpc-status=5"]);
}

#[test]
fn resets_and_goaway() {
    let (mut w, mut p) = begun();
    for (n, path) in ["/reset-by-client", "/reset-by-server", "/not-processed", "/cut", "/early"].iter().enumerate() {
        w.c(p.request(2 * n as u32 + 1, "POST", path, n != 4));
    }
    w.c(frame(3, 0, 1, &[0, 0, 0, 8]));
    w.s([p.response(3, "200", "x", false), data(3, "half", false), frame(3, 0, 3, &[0, 0, 0, 2])].concat());
    // The server has its answer without the whole request.
    w.s([p.response(9, "413", "x", true), frame(3, 0, 9, &[0, 0, 0, 0])].concat());
    w.s(p.response(7, "200", "x", false)).s(frame(7, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 0]));
    w.end(SERVER, End::Fin);
    let mut seen = w.short();
    seen.sort();
    assert_eq!(
        seen,
        [
            "POST /cut 200 response_ended_early",
            "POST /early 413 request_ended_early",
            "POST /not-processed - no_response",
            "POST /reset-by-client - no_response,reset",
            "POST /reset-by-server 200 response_ended_early,reset",
        ]
    );
}

#[test]
fn hard_case_22_an_upgrade_to_h2c_is_one_exchange() {
    let (mut w, mut p) = (Wire::new(), Peers::default());
    w.c("GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec();
    w.s([switch.clone(), frame(4, 0, 0, &[])].concat());
    w.c(p.hello()).s([p.response(1, "200", "a", false), data(1, "body", true)].concat());
    w.c(p.request(3, "GET", "/b", true)).s(p.response(3, "404", "b", true));
    let seen = w.close();
    assert_eq!(shorts(&seen), ["GET /a 200", "GET /b 404"]);
    assert_eq!((seen[0].interim, seen[0].bodies), (1, (0, 4)));
    // Without a word on stream 1 the 101 is the answer.
    let mut w = Wire::new();
    w.c("GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n").s(switch);
    assert_eq!(w.short(), ["GET /a 101 response_ended_early"]);
}

#[test]
fn hard_case_26_picked_up_midway_the_path_is_unknown_and_never_guessed() {
    let mut p = Peers::default();
    p.request(1, "GET", "/before", true);
    p.response(1, "200", "before", true);
    let mut w = Wire::mid_stream();
    // Method and scheme are of the static table, path and host of before.
    w.c([p.request(3, "GET", "/before", true), frame(8, 0, 0, &[0, 0, 0, 1])].concat());
    w.s([p.response(3, "404", "before", true), frame(8, 0, 0, &[0, 0, 0, 1])].concat());
    w.c([p.request(5, "GET", "/new", true), p.request(7, "GET", "/new", true)].concat());
    w.s([p.response(5, "200", "x", false), data(5, "x", true), p.response(7, "200", "x", true)].concat());
    let seen = w.close();
    assert_eq!(w.pairing.oddities.get(Oddity::HeadHidden), 3);
    // The new path is known, also by its index; the host stays unknown.
    assert_eq!(shorts(&seen), ["GET  404 hidden", "GET /new 200 hidden", "GET /new 200 hidden"]);
    assert!(seen.iter().all(|s| s.host.is_empty()));
}

#[test]
fn hard_case_26_a_gap_in_a_body_of_known_length_is_exact() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/a", true)).s(p.response(1, "200", "a", false));
    let body = data(1, [b'x'; 1000], true);
    w.s(&body[..100]).lost(SERVER, &body[100..900]).s(&body[900..]);
    w.c(p.request(3, "GET", "/a", true)).s(p.response(3, "200", "a", true));
    let seen = w.close();
    assert_eq!(shorts(&seen), ["GET /a 200 response_gap", "GET /a 200"]);
    assert_eq!(seen[0].bodies, (0, 1000));
}

#[test]
fn hard_case_26_a_quiet_connection_goes_on_behind_a_hole() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/a", true)).s(p.response(1, "200", "a", true));
    w.lost(CLIENT, p.request(3, "GET", "/lost", true)).s(p.response(3, "200", "lost", true));
    // The client had its answer to all it had sent: a frame begins here.
    w.c(p.request(5, "POST", "/b", false)).c(data(5, "text", true)).s(p.response(5, "404", "b", true));
    w.lost(SERVER, data(5, "what", true));
    w.c(p.request(7, "GET", "/c", true));
    w.s([p.response(7, "500", "c", false), data(7, "text", true)].concat());
    let seen = w.close();
    assert_eq!(shorts(&seen), ["GET /a 200", "- 200 no_request", "POST /b 404 hidden", "GET /c 500 hidden"]);
}

#[test]
fn a_body_behind_a_hole_is_no_turn() {
    let (mut w, mut p) = begun();
    let fake = Peers::default().request(9, "GET", "/evil", true);
    w.c(p.request(1, "POST", "/a", false));
    // The header of the frame is lost, and the client does not wait.
    let body = data(1, [&[b'x'; 1000][..], &fake, &fake, &fake].concat(), true);
    w.lost(CLIENT, &body[..1009]);
    w.c(&body[1009..]);
    w.s(p.response(1, "200", "a", true));
    assert_eq!(w.short(), ["POST /a 200 request_gap,request_ended_early"]);
}

#[test]
fn hard_case_26_behind_a_lost_header_block_the_table_is_unknown() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/a", true)).s(p.response(1, "200", "a", true));
    let second = p.request(3, "GET", "/b", true);
    // Its frame's header is there, so its stream is known; of the block nothing.
    w.c(&second[..9]).lost(CLIENT, &second[9..]).s(p.response(3, "204", "b", true));
    w.c(p.request(5, "GET", "/a", true)).s(p.response(5, "200", "a", true));
    let post = frame(
        1,
        5,
        7,
        &p.client.block(&[(":method", "POST"), (":scheme", "http"), (":path", "/c"), (":authority", "i")]),
    );
    w.c(post).s(p.response(7, "200", "c", true));
    let seen = w.close();
    assert_eq!(shorts(&seen), ["GET /a 200", "  204 hidden", "GET  200 hidden", "POST /c 200"]);
    assert_eq!(seen[3].host, "i");
}

#[test]
fn hard_case_26_behind_a_gap_between_frames_a_chain_has_to_prove_the_place() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/a", true)).s(p.response(1, "200", "a", true));
    w.lost(CLIENT, p.request(3, "GET", "/b", true));
    // A body may hold frames: a few that fit prove nothing.
    for n in 0..400u32 {
        let block = [&[0x82, 0x86, 0x04, 4, b'/', b'a', b'b', b'c'][..], &[0x01, 1, b'h']].concat();
        w.c([frame(1, 4, 5 + 2 * n, &block), data(5 + 2 * n, [b'x'; 100], true)].concat());
    }
    let seen = w.close();
    assert_eq!(short(&seen[0]), "GET /a 200");
    assert_eq!(short(&seen[1]), "GET /abc - no_response");
    assert!((200..300).contains(&seen.len()), "{}: 16 KB of frames were the proof", seen.len());
}

#[test]
fn extended_connect_is_a_request() {
    let (mut w, mut p) = begun();
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "h"),
    ];
    w.c(frame(1, 4, 1, &p.client.block(&fields))).s(p.response(1, "200", "a", false));
    w.c(data(1, "x", true)).s(data(1, "yz", true));
    let seen = w.close();
    assert_eq!((shorts(&seen), seen[0].bodies), (vec!["CONNECT /chat 200".to_owned()], (1, 2)));
}

#[test]
fn malformed_heads_are_none() {
    let (mut w, mut p) = begun();
    w.c(frame(1, 5, 1, &p.client.block(&[(":method", "GET"), (":scheme", "http"), (":authority", "h")])));
    w.c(frame(1, 5, 3, &p.client.block(&[("a", "b")]))).c(frame(1, 5, 3, &p.client.block(&[(":method", "GET")])));
    w.c(p.request(2, "GET", "/even", true));
    w.s(p.response(9, "200", "nobody asked", true));
    assert_eq!(w.short(), Vec::<String>::new());
    assert_eq!((w.pairing.oddities.get(Oddity::HeadBad), w.pairing.oddities.get(Oddity::Http2Stray)), (2, 3));
    // A block that cannot be decoded: the table is unknown from then on, and the request hidden.
    let (mut w, mut p) = begun();
    w.c(frame(1, 5, 1, &[0xff, 0xff, 0xff])).c(p.request(3, "GET", "/x", true));
    assert_eq!(w.short(), ["  - no_response,hidden", "GET /x - no_response"]);
    assert_eq!(w.pairing.oddities.get(Oddity::HpackBad), 1);
    // Nonsense ends a direction, not the other.
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/x", true)).c([0xff; 40]).s(p.response(1, "200", "x", true));
    assert_eq!(w.short(), ["GET /x 200"]);
    assert_eq!(w.pairing.oddities.get(Oddity::Http2Broken), 1);
}

fn limited(limits: Limits) -> (Wire, Peers) {
    let (mut w, p) = (Wire::with(limits, Some(CLIENT)), Peers::default());
    w.c(p.hello()).s(settings());
    (w, p)
}

#[test]
fn ten_thousand_streams_stay_below_the_limit() {
    let (mut w, mut p) = limited(Limits { http2_streams: 100, ..Limits::default() });
    for n in 0..10_000 {
        w.c(p.request(2 * n + 1, "GET", "/a", true));
        assert!(w.pairing.open_exchanges() <= 100);
    }
    // Those that are followed get their responses; those let go are no orphans.
    for n in 0..10_000 {
        w.s(p.response(2 * n + 1, "200", "a", true));
    }
    let seen = w.close();
    assert_eq!(seen.len(), 10_000);
    assert_eq!(seen.iter().filter(|s| s.status.is_some()).count(), 100);
    assert_eq!(w.pairing.oddities.get(Oddity::Http2StreamLimit), 9_900);
}

#[test]
fn a_rapid_reset_leaves_nothing_behind() {
    let (mut w, mut p) = begun();
    for n in 0..10_000 {
        w.c([p.request(2 * n + 1, "GET", "/a", true), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat());
        assert_eq!(w.pairing.open_exchanges(), 0);
    }
    assert_eq!(w.close().len(), 10_000);
}

#[test]
fn a_continuation_flood_and_a_bomb_stay_below_the_limits() {
    let limits = Limits { http2_bytes: 1 << 20, ..Limits::default() };
    let (mut w, _) = limited(limits.clone());
    w.c(frame(1, 1, 1, &[0x82; 16_000]));
    for _ in 0..1000 {
        w.c(frame(9, 0, 1, &[0x82; 16_000]));
        assert!(w.pairing.http2_held <= limits.http2_bytes);
    }
    w.c(frame(9, 4, 1, &[0x82]));
    assert_eq!(w.pairing.oddities.get(Oddity::Http2BlockLimit), 1);
    assert_eq!(w.short(), ["  - no_response,hidden"]);
    // 16 KB that would be 48 MB.
    let (mut w, _) = limited(limits);
    let mut bomb = vec![0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    bomb.extend_from_slice(&[b'y'; 4000]);
    bomb.resize(16_000, 0xbe);
    for n in 0..100 {
        w.c(frame(1, 5, 2 * n + 1, &[&[0x82, 0x86, 0x84][..], &bomb].concat()));
        assert!(w.pairing.list.held() < 1 << 20, "{}", w.pairing.list.held());
    }
    assert_eq!(w.close().len(), 100);
    assert_eq!(w.pairing.oddities.get(Oddity::HeaderCountLimit), 100);
}

#[test]
fn all_header_tables_together_stay_below_the_limit() {
    let limits = Limits { http2_bytes: 50_000, ..Limits::default() };
    let (mut w, mut p) = limited(limits);
    // The client makes its table large and fills it.
    w.s(frame(4, 0, 0, &[0, 1, 0, 1, 0, 0])).c([frame(4, 1, 0, &[]), frame(4, 1, 0, &[])].concat());
    for n in 0..2000u32 {
        let mut block = if n == 0 { vec![0x3f, 0xe1, 0xff, 0x03] } else { Vec::new() };
        block.extend(p.client.block(&[(":method", "GET"), (":scheme", "http"), (":path", &format!("/{n:0>90}"))]));
        w.c([frame(1, 5, 2 * n + 1, &block), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat());
        assert!(w.pairing.http2_held <= 150_000, "{}", w.pairing.http2_held);
    }
    assert!(w.pairing.oddities.get(Oddity::Http2BytesLimit) > 0);
    assert_eq!(w.pairing.oddities.get(Oddity::HpackOversized), 0);
    w.close();
}

#[test]
fn both_directions_may_be_lost_at_once() {
    let (mut w, mut p) = begun();
    w.c(p.request(1, "GET", "/a", true)).lost(CLIENT, [0; 50]).lost(SERVER, [0; 50]);
    for side in [CLIENT, SERVER] {
        let bytes = vec![0; 100];
        if side == Side::Lo {
            w.s(&bytes)
        } else {
            w.c(&bytes)
        };
    }
    assert_eq!(w.short(), ["GET /a - no_response"]);
}

#[test]
fn grpc_calls_have_messages_and_a_status_of_their_own() {
    let (mut w, mut p) = begun();
    let call = |p: &mut Peers, path| {
        p.client.block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "h"),
            ("content-type", "application/grpc+proto"),
        ])
    };
    w.c([frame(1, 4, 1, &call(&mut p, "/pkg.Greeter/SayHello")), data(1, b"\0\0\0\0\x03abc", true)].concat());
    w.s(frame(1, 4, 1, &p.server.block(&[(":status", "200"), ("content-type", "application/grpc+proto")])));
    w.s([data(1, b"\0\0\0\0\x02x", false), data(1, b"y\x01\0\0\0\x01z", false)].concat());
    w.s(frame(1, 5, 1, &p.server.block(&[("grpc-status", "0")])));
    // Nothing but trailers.
    w.c([frame(1, 4, 3, &call(&mut p, "/pkg.Greeter/None")), data(3, b"\0\0\0\0\0", true)].concat());
    w.s(frame(
        1,
        5,
        3,
        &p.server.block(&[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")]),
    ));
    let seen = w.close();
    assert_eq!(shorts(&seen), ["POST /pkg.Greeter/SayHello 200", "POST /pkg.Greeter/None 200"]);
    let (first, second) = (seen[0].grpc.expect("a call"), seen[1].grpc.expect("a call"));
    assert_eq!((first.status, first.messages, first.bytes), (Some(0), [1, 2], [3, 3]));
    assert_eq!((first.compressed, first.unsure), ([0, 1], false));
    assert_eq!((second.status, second.messages), (Some(12), [1, 0]));
}
