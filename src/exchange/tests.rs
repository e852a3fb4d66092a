//! The hard cases, as chunks and gaps: a double of the stream floor feeds the pairing, a recorder shows what came out.

use super::pairing::TAP_REORDERS;
use super::{BodyWish, Grpc, Messages, Observer, Outcome, Pairing, Sides};
use crate::base::{Address, Bucket, FlowKey, Limits, Missing, Oddity, Side, Timestamp};
use crate::proto::websocket::{Piece, Tally};
use crate::proto::{Fields, RequestHead, ResponseHead};
use crate::stream::{Chunk, Close, Connection, Consumer, End, Gap, HEADROOM};

mod grpc;
mod proxied;
pub(super) mod websocket;

/// An exchange as it came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub request: String,
    pub host: String,
    pub status: Option<u16>,
    pub reasons: Vec<&'static str>,
    pub bodies: (u64, u64),
    pub interim: u32,
    pub latency: Option<u64>,
    pub started: u64,
    /// What the observer was shown of the bodies.
    pub shown: [Vec<u8>; 2],
    /// What the response's `X-Tag` says.
    pub tag: String,
    pub trailers: Vec<String>,
    pub grpc: Option<Grpc>,
    pub websocket: Option<[Tally; 2]>,
}

#[derive(Default)]
pub(super) struct Recorder {
    pub seen: Vec<Seen>,
    /// Who asked, request by request.
    pub callers: Vec<String>,
    pub look: bool,
    /// Messages of WebSocket apart from their handshakes.
    pub apart: bool,
}

fn add(a: &Tally, b: &Tally) -> Tally {
    Tally {
        messages: a.messages + b.messages,
        bytes: a.bytes + b.bytes,
        text: a.text + b.text,
        json: a.json + b.json,
        compressed: a.compressed + b.compressed,
        close: b.close.or(a.close),
    }
}

impl Observer for Recorder {
    type Request = Seen;

    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Seen {
        self.callers.push(sides.client.to_string());
        Seen {
            request: format!("{} {}", head.method, String::from_utf8_lossy(head.target.bytes())),
            host: head.host.map(|h| String::from_utf8_lossy(h).into_owned()).unwrap_or_default(),
            ..Seen::default()
        }
    }

    fn grpc(&mut self, request: &mut Seen, call: &Grpc) {
        request.grpc = Some(*call);
    }

    fn messages(&mut self, request: &mut Seen) -> Messages<Seen> {
        match (self.look, self.apart) {
            (false, _) => Messages::Untold,
            (true, false) => Messages::Together,
            (true, true) => {
                Messages::Apart(Seen { request: format!("said on {}", request.request), ..Seen::default() })
            }
        }
    }

    fn message(&mut self, request: &mut Seen, server: bool, piece: Piece<'_>) {
        let text = &mut request.shown[usize::from(server)];
        match piece {
            Piece::Text(bytes) => text.extend_from_slice(bytes),
            Piece::End => text.push(b'|'),
        }
    }

    fn websocket(&mut self, request: &mut Seen, tally: &[Tally; 2], _: Timestamp) {
        request.websocket = Some(match request.websocket {
            None => *tally,
            Some(before) => [add(&before[0], &tally[0]), add(&before[1], &tally[1])],
        });
    }

    fn parted(&mut self, request: Seen) {
        self.seen.push(request);
    }

    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Seen {
        self.request(connection, sides, head)
    }

    fn trailers(&mut self, request: &mut Seen, response: bool, fields: Fields<'_>) {
        for (name, value) in fields.iter() {
            request.trailers.push(format!("{} {name}={}", u8::from(response), String::from_utf8_lossy(value)));
        }
    }

    fn response(&mut self, request: &mut Seen, head: &ResponseHead<'_>) {
        assert_eq!(request.status, None, "one final response");
        request.status = Some(head.status);
        request.tag = tag(head);
    }

    fn wants(&self, _: &Seen, _: bool) -> BodyWish {
        if self.look { BodyWish::Decoded } else { BodyWish::None }
    }

    fn body(&mut self, request: &mut Seen, response: bool, bytes: &[u8]) {
        request.shown[usize::from(response)].extend_from_slice(bytes);
    }

    fn finish(&mut self, _: &Connection, mut request: Seen, outcome: &Outcome) {
        request.reasons = outcome.partial.names().collect();
        request.bodies = (outcome.request_body, outcome.response_body);
        request.interim = outcome.interim;
        request.latency = outcome.latency;
        request.started = outcome.started.0;
        self.seen.push(request);
    }

    fn orphan(&mut self, _: &Connection, _: Sides, head: &ResponseHead<'_>) -> Seen {
        Seen { status: Some(head.status), tag: tag(head), ..Seen::default() }
    }
}

fn tag(head: &ResponseHead<'_>) -> String {
    head.fields.get("x-tag").map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default()
}

/// One connection, fed by hand. Offsets and acknowledgements are kept as two endpoints would.
pub(super) struct Wire {
    pub pairing: Pairing<Recorder>,
    connection: Connection,
    talk: Option<super::Talk>,
    /// Bytes sent so far, each side.
    pub sent: [u64; 2],
    pub delivered: u64,
    pub now: u64,
    /// Without acknowledgements, as a stream floor that has not seen both sides.
    pub blind: bool,
}

pub(super) const CLIENT: Side = Side::Hi;
pub(super) const SERVER: Side = Side::Lo;

impl Wire {
    pub(super) fn new() -> Self {
        Self::with(Limits::default(), Some(CLIENT))
    }

    pub(super) fn mid_stream() -> Self {
        Self::with(Limits::default(), None)
    }

    pub(super) fn with(limits: Limits, opener: Option<Side>) -> Self {
        let (key, side) = FlowKey::new(Address::v4(2, 50_000), Address::v4(1, 80), 0);
        assert_eq!(side, CLIENT);
        let connection = Connection { key, id: 1, opener, opened: Timestamp(0) };
        let mut pairing = Pairing::new(Recorder::default(), &limits);
        let talk = Some(pairing.open(&connection));
        let begin = if opener.is_some() { 0 } else { u64::from(HEADROOM) };
        Self { pairing, connection, talk, sent: [begin, begin], delivered: 0, now: 1000, blind: false }
    }

    pub(super) fn chunk(&mut self, side: Side, offset: u64, acked: Option<u64>, bytes: &[u8]) {
        self.delivered += bytes.len() as u64;
        self.now += 1000;
        let chunk = Chunk { ts: Timestamp(self.now), offset, acked, bytes };
        let talk = self.talk.as_mut().expect("open");
        self.pairing.data(&self.connection, talk, side, chunk);
    }

    fn send(&mut self, side: Side, bytes: &[u8]) -> &mut Self {
        let (at, acked) = (self.sent[side.index()], self.sent[side.peer().index()]);
        self.sent[side.index()] += bytes.len() as u64;
        let acked = (!self.blind).then_some(acked);
        self.chunk(side, at, acked, bytes);
        self
    }

    /// The client sends, having received all that the server has sent.
    pub(super) fn c(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(CLIENT, bytes.as_ref())
    }

    /// The server sends.
    pub(super) fn s(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(SERVER, bytes.as_ref())
    }

    /// Bytes that were sent but not captured.
    pub(super) fn lost(&mut self, side: Side, bytes: impl AsRef<[u8]>) -> &mut Self {
        let len = bytes.as_ref().len() as u64;
        let at = self.sent[side.index()];
        self.sent[side.index()] += len;
        self.gap(side, at, len);
        self
    }

    pub(super) fn gap(&mut self, side: Side, at: u64, len: u64) {
        let talk = self.talk.as_mut().expect("open");
        self.pairing.gap(&self.connection, talk, side, Gap { offset: at, len, why: Missing::Gap });
    }

    /// Bytes that were captured, but cut off.
    fn cut(&mut self, side: Side, bytes: impl AsRef<[u8]>) -> &mut Self {
        let (offset, len) = (self.sent[side.index()], bytes.as_ref().len() as u64);
        self.sent[side.index()] += len;
        let talk = self.talk.as_mut().expect("open");
        self.pairing.gap(&self.connection, talk, side, Gap { offset, len, why: Missing::Truncated });
        self
    }

    pub(super) fn end(&mut self, side: Side, how: End) -> &mut Self {
        let talk = self.talk.as_mut().expect("open");
        self.pairing.end(&self.connection, talk, side, how, Timestamp(self.now));
        self
    }

    /// Closes; checks the books; gives what was seen.
    pub(super) fn close(&mut self) -> Vec<Seen> {
        let talk = self.talk.take().expect("open");
        self.pairing.close(&self.connection, talk, Close::CaptureEnd, Timestamp(self.now));
        assert_eq!(self.pairing.ledger.accounted(), self.delivered, "each delivered byte is in one bucket");
        assert_eq!(self.pairing.open_exchanges(), 0);
        assert_eq!(self.pairing.buffered(), 0);
        assert_eq!(self.pairing.decoders, 0);
        assert_eq!(self.pairing.http2_held, 0);
        std::mem::take(&mut self.pairing.observer.seen)
    }

    /// As [`Wire::close`], in short: `GET /1 200 reason,reason`.
    pub(super) fn short(&mut self) -> Vec<String> {
        self.close().iter().map(short).collect()
    }

    fn oddity(&self, oddity: Oddity) -> u64 {
        self.pairing.oddities.get(oddity)
    }
}

pub(super) fn short(seen: &Seen) -> String {
    let request = if seen.request.is_empty() { "-" } else { &seen.request };
    let status = seen.status.map_or("-".to_owned(), |s| s.to_string());
    format!("{request} {status} {}", seen.reasons.join(",")).trim_end().to_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn status(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn chunked(pieces: &[&str]) -> String {
    let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for piece in pieces {
        text += &format!("{:x}\r\n{piece}\r\n", piece.len());
    }
    text + "0\r\n\r\n"
}

#[test]
fn an_exchange_has_its_sizes_and_its_latency() {
    let mut w = Wire::new();
    w.c(post("/1", "hello")).s(ok("hello world"));
    let seen = w.close();
    assert_eq!(short(&seen[0]), "POST /1 200");
    assert_eq!(seen[0].bodies, (5, 11));
    assert_eq!(seen[0].latency, Some(1000));
    assert_eq!(seen[0].started, 2000);
    assert_eq!(seen[0].host, "h");
    assert_eq!(w.pairing.ledger.get(Bucket::Http), w.delivered);
}

#[test]
fn a_request_of_http_0_9_has_no_head_and_its_response_no_status() {
    let mut w = Wire::new();
    w.c("GET /index\r\n").s("<title>Text, and nothing before it</title>").end(SERVER, End::Fin);
    assert_eq!(w.short(), ["GET /index - no_response"]);
    // Whatever is more than the line is something else.
    let mut w = Wire::new();
    w.c("GET /index\r\nQUIT\r\n").s("what?");
    assert!(w.close().is_empty());
}

#[test]
fn hard_case_16_head_204_304_and_until_close() {
    let mut w = Wire::new();
    w.c("HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n").s("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    w.c(get("/2")).s("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n");
    w.c(get("/3")).s("HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\nTransfer-Encoding: chunked\r\n\r\n");
    w.c(get("/4")).s("HTTP/1.0 200 OK\r\n\r\nuntil").s(" close").end(SERVER, End::Fin);
    let seen = w.close();
    let shorts: Vec<_> = seen.iter().map(short).collect();
    assert_eq!(shorts, ["HEAD /1 200", "GET /2 204", "GET /3 304", "GET /4 200"]);
    assert_eq!(seen.iter().map(|s| s.bodies.1).collect::<Vec<_>>(), [0, 0, 0, 11]);
}

#[test]
fn hard_case_16_until_close_without_a_close_is_partial() {
    let mut w = Wire::new();
    w.c(get("/1")).s("HTTP/1.0 200 OK\r\n\r\nbody").end(SERVER, End::Reset);
    assert_eq!(w.short(), ["GET /1 200 response_ended_early"]);
}

#[test]
fn hard_case_17_pipelining() {
    let mut w = Wire::new();
    w.c(get("/1") + &post("/2", "xyz") + "HEAD /3 HTTP/1.1\r\nHost: h\r\n\r\n" + &get("/4"));
    w.s(ok("1") + &chunked(&["a", "bc"]) + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + &status(404, "4"));
    let seen = w.close();
    let shorts: Vec<_> = seen.iter().map(short).collect();
    assert_eq!(shorts, ["GET /1 200", "POST /2 200", "HEAD /3 200", "GET /4 404"]);
    assert_eq!(seen[1].bodies, (3, 3));
}

#[test]
fn hard_case_17_interim_responses() {
    let mut w = Wire::new();
    w.c("POST /1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    w.s("HTTP/1.1 100 Continue\r\n\r\n").c("body");
    w.s("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n").s(status(201, "x"));
    w.c(get("/2")).s(ok(""));
    let seen = w.close();
    assert_eq!(short(&seen[0]), "POST /1 201");
    assert_eq!((seen[0].interim, seen[0].bodies), (3, (4, 1)));
    assert_eq!(short(&seen[1]), "GET /2 200");
}

#[test]
fn hard_case_17_early_response() {
    let mut w = Wire::new();
    w.c("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234").s(status(413, "no")).c("56789");
    w.c(get("/2")).s(ok("2"));
    let seen = w.close();
    assert_eq!(short(&seen[0]), "POST /1 413");
    assert_eq!(seen[0].bodies, (10, 2));
    assert_eq!(short(&seen[1]), "GET /2 200");
}

#[test]
fn hard_case_18_loss_of_response_1_and_request_2_pairs_nothing() {
    let mut w = Wire::new();
    w.c(get("/1")).lost(SERVER, ok("1")).lost(CLIENT, get("/2")).s(status(201, "2"));
    w.c(get("/3")).s(status(202, "3"));
    assert_eq!(w.short(), ["GET /1 - no_response", "- 201 response_gap,no_request", "GET /3 202"]);
}

#[test]
fn hard_case_18_also_when_the_gaps_are_known_late() {
    // The stream floor reports a hole when it is sure: here only with the bytes behind it.
    let mut w = Wire::new();
    w.c(get("/1"));
    let (one, two) = (ok("1"), get("/2"));
    w.lost(SERVER, &one);
    w.sent[CLIENT.index()] += two.len() as u64;
    w.s(status(201, "2"));
    let at = w.sent[CLIENT.index()] - two.len() as u64;
    w.gap(CLIENT, at, two.len() as u64);
    w.c(get("/3")).s(status(202, "3"));
    assert_eq!(w.short(), ["GET /1 - no_response", "- 201 response_gap,no_request", "GET /3 202"]);
}

#[test]
fn hard_case_18_loss_of_one_response_alone() {
    let mut w = Wire::new();
    w.c(get("/1")).lost(SERVER, ok("1")).c(get("/2")).s(status(201, "2")).c(get("/3")).s(status(202, "3"));
    assert_eq!(w.short(), ["GET /1 - no_response", "GET /2 201", "GET /3 202"]);
}

#[test]
fn hard_case_18_loss_of_one_request_alone() {
    let mut w = Wire::new();
    w.c(get("/1")).s(ok("1")).lost(CLIENT, get("/2")).s(status(201, "2")).c(get("/3")).s(status(202, "3"));
    assert_eq!(w.short(), ["GET /1 200", "- 201 no_request", "GET /3 202"]);
}

#[test]
fn hard_case_18_pipelined_responses_behind_a_hole_stay_alone() {
    let mut w = Wire::new();
    w.c(get("/1") + &get("/2") + &get("/3")).lost(SERVER, ok("1")).s(status(202, "2")).s(status(203, "3"));
    let seen = w.short();
    assert_eq!(seen.iter().filter(|s| s.ends_with("no_response")).count(), 3, "{seen:?}");
    assert_eq!(seen.iter().filter(|s| s.ends_with("no_request")).count(), 1, "{seen:?}");
}

#[test]
fn hard_case_19_a_gap_in_a_body_of_known_length_keeps_the_exchange() {
    let mut w = Wire::new();
    w.c(post("/1", ""))
        .s("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789")
        .lost(SERVER, "0123456789")
        .s("0123456789");
    w.c("PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n01234")
        .lost(CLIENT, "0123456789")
        .c("01234")
        .s(ok(""));
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
    w.c(get("/3")).s(body).lost(SERVER, "56789").c(get("/4")).s(ok("4"));
    let seen = w.close();
    let shorts: Vec<_> = seen.iter().map(short).collect();
    assert_eq!(shorts, ["POST /1 200 response_gap", "PUT /2 200 request_gap", "GET /3 200 response_gap", "GET /4 200"]);
    assert_eq!(seen[0].bodies.1, 30);
    assert_eq!(seen[1].bodies.0, 20);
    assert_eq!(seen[2].bodies.1, 10);
    assert_eq!(w.pairing.ledger.get(Bucket::AfterGap), 0);
}

#[test]
fn hard_case_19_a_gap_in_a_chunked_body() {
    let mut w = Wire::new();
    let text = chunked(&["0123456789", "0123456789", "0123456789"]);
    // Inside of one chunk's data the place behind the gap is known.
    let (a, b) = (text.len() - 46, text.len() - 41);
    w.c(get("/1")).s(&text[..a]).lost(SERVER, &text[a..b]).s(&text[b..]);
    // Over a size line it is not.
    let (a, b) = (text.len() - 40, text.len() - 22);
    w.c(get("/2")).s(&text[..a]).lost(SERVER, &text[a..b]).s(&text[b..]);
    w.c(get("/3")).s(ok("3"));
    let seen = w.close();
    let shorts: Vec<_> = seen.iter().map(short).collect();
    assert_eq!(shorts, ["GET /1 200 response_gap", "GET /2 200 response_gap", "GET /3 200"]);
    assert_eq!(seen[0].bodies.1, 30);
    assert_eq!(w.pairing.ledger.get(Bucket::AfterGap), 22);
}

#[test]
fn hard_case_19_a_gap_in_a_head() {
    let mut w = Wire::new();
    let (one, two) = (get("/1"), ok("1"));
    w.c(&one[..10]).lost(CLIENT, &one[10..20]).c(&one[20..]).s(&two);
    w.c(get("/2")).s(&two[..10]).lost(SERVER, &two[10..20]).s(&two[20..]);
    w.c(get("/3")).s(ok("3"));
    assert_eq!(w.short(), ["- 200 no_request", "GET /2 - no_response", "GET /3 200"]);
}

#[test]
fn hard_case_29_bodies_cut_by_the_snapshot_length_say_so() {
    let mut w = Wire::new();
    let request = post("/1", "0123456789");
    let (seen, rest) = request.split_at(request.len() - 4);
    w.c(seen).cut(CLIENT, rest).s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n01").cut(SERVER, "2345678");
    w.c(get("/2")).s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n01").lost(SERVER, "2345678");
    w.c(get("/3"))
        .s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n01")
        .cut(SERVER, "2345")
        .s("678\r\n0\r\n\r\n");
    w.c(get("/4")).s(ok("4"));
    let seen = w.close();
    assert_eq!(
        seen.iter().map(short).collect::<Vec<_>>(),
        [
            "POST /1 200 request_gap,response_gap,cut_by_snaplen",
            "GET /2 200 response_gap",
            "GET /3 200 response_gap,cut_by_snaplen",
            "GET /4 200"
        ]
    );
    assert_eq!(seen[0].bodies, (10, 9));
    assert_eq!(seen[2].bodies, (0, 9));
}

#[test]
fn hard_case_20_a_reply_before_its_request() {
    let mut w = Wire::new();
    let (one, two) = (get("/1"), get("/2"));
    let (a, b) = (ok("1"), status(201, "2"));
    // The tap shows both responses before both requests.
    w.chunk(SERVER, 0, Some(one.len() as u64), a.as_bytes());
    w.chunk(SERVER, a.len() as u64, Some((one.len() + two.len()) as u64), b.as_bytes());
    w.chunk(CLIENT, 0, Some(0), one.as_bytes());
    w.chunk(CLIENT, one.len() as u64, Some(a.len() as u64), two.as_bytes());
    let seen = w.close();
    assert_eq!(seen.iter().map(short).collect::<Vec<_>>(), ["GET /1 200", "GET /2 201"]);
    assert_eq!(seen[0].latency, None, "the clock says the response came first");
}

#[test]
fn hard_case_20_mid_stream() {
    let mut w = Wire::mid_stream();
    w.s("the rest of some body").c(get("/1")).s(ok("1")).c(get("/2")).s(ok("2"));
    assert_eq!(w.short(), ["GET /1 200", "GET /2 200"]);
    let mut w = Wire::mid_stream();
    w.s(status(201, "0")).c(get("/1")).s(ok("1"));
    assert_eq!(w.short(), ["- 201 no_request", "GET /1 200"]);
    let mut w = Wire::mid_stream();
    w.c("the rest of an upload").s(status(201, "0")).c(get("/1")).s(ok("1"));
    assert_eq!(w.short(), ["- 201 no_request", "GET /1 200"]);
}

#[test]
fn hard_case_20_midway_a_reply_before_its_request() {
    // The stream floor brings what lies before the acknowledged place below where the direction was picked up.
    let begin = u64::from(HEADROOM);
    let (first, second) = (get("/1"), get("/2"));
    let len = first.len() as u64;
    let mut w = Wire::mid_stream();
    w.chunk(SERVER, begin, Some(begin), &ok("1").as_bytes()[..20]);
    w.chunk(SERVER, begin + 20, Some(begin), &ok("1").as_bytes()[20..]);
    w.chunk(CLIENT, begin - len, Some(begin), first.as_bytes());
    w.chunk(CLIENT, begin, Some(begin + ok("1").len() as u64), second.as_bytes());
    assert_eq!(w.short(), ["GET /1 200", "GET /2 - no_response"]);
    // Its request is not in the capture: the next one is not taken for it.
    let mut w = Wire::mid_stream();
    w.s(ok("1")).c(second).s(ok("2"));
    assert_eq!(w.short(), ["- 200 no_request", "GET /2 200"]);
    // Only the response is in the capture: it is not held for long.
    let mut w = Wire::mid_stream();
    w.chunk(SERVER, begin, Some(begin), &ok("1").as_bytes()[..20]);
    assert_eq!(w.pairing.buffered(), 20);
    w.now += TAP_REORDERS;
    w.chunk(SERVER, begin + 20, Some(begin), &ok("1").as_bytes()[20..]);
    assert_eq!(w.pairing.buffered(), 0);
    assert_eq!(w.short(), ["- 200 no_request"]);
}

#[test]
fn hard_case_20_mutual_waiting_is_broken() {
    // The request's first copy was not captured; the retransmission acknowledges the response.
    let mut w = Wire::new();
    let (one, a) = (get("/1"), ok("1"));
    w.chunk(SERVER, 0, Some(one.len() as u64), a.as_bytes());
    w.chunk(CLIENT, 0, Some(a.len() as u64), one.as_bytes());
    assert_eq!(w.short(), ["GET /1 200"]);
}

#[test]
fn hard_case_21_request_text_in_a_body_is_no_request() {
    let evil = get("/evil");
    let mut w = Wire::new();
    // In order: counted down.
    w.c("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n")
        .c(&evil)
        .c("x".repeat(200 - evil.len()))
        .s(ok("1"));
    // Behind a gap that took the head: the server has not answered in between, so no request can begin.
    w.lost(CLIENT, "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n")
        .c(&evil)
        .c("x".repeat(200 - evil.len()));
    w.s(status(201, "2"));
    // The same for a response.
    w.c(get("/3"))
        .s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
        .lost(SERVER, "01234\r\n99\r\n")
        .s(ok("evil"));
    w.c(get("/4")).lost(SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n").s(ok("evil"));
    w.c(get("/5")).s(status(202, "5"));
    assert_eq!(
        w.short(),
        ["POST /1 200", "- 201 no_request", "GET /3 200 response_gap", "GET /4 - no_response", "GET /5 202"]
    );
}

/// The client goes on with its request when it has received an interim response: behind a lost head, what it sends then
/// stands where the next request would, however little of the interim response was recognised.
#[test]
fn hard_case_21_a_body_behind_an_unrecognised_interim_response_is_no_request() {
    let evil = get("/evil");
    let head = format!("POST /1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", evil.len());
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    for before in 0..4 {
        for (cut, lost) in (0..=interim.len()).flat_map(|cut| [(cut, 0), (cut, 1), (cut, 2)]) {
            let mut w = Wire::new();
            match before {
                0 => &mut w,
                1 => w.c(get("/0")).s(ok("0")),
                // An orphan whose framing may be wrong: interim responses are taken for its body.
                2 => w.lost(CLIENT, "HEAD /0 HTTP/1.1\r\n\r\n").s("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"),
                // A body's text that is taken for the beginning of a response.
                _ => w
                    .lost(CLIENT, get("/0"))
                    .lost(SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n")
                    .s("HTTP/1.1 200 "),
            };
            w.lost(CLIENT, &head);
            for (n, piece) in [&interim[..cut], &interim[cut..]].into_iter().enumerate().filter(|(_, p)| !p.is_empty())
            {
                if lost == n + 1 {
                    w.lost(SERVER, piece)
                } else {
                    w.s(piece)
                };
            }
            w.c(&evil).s(status(201, "1")).c(get("/2")).s(status(202, "2"));
            let seen = w.short();
            assert!(seen.iter().all(|s| !s.contains("evil")), "{before} {cut} {lost}: {seen:?}");
            assert!(seen.contains(&"GET /2 202".to_owned()), "{before} {cut} {lost}: {seen:?}");
        }
    }
}

#[test]
fn hard_case_22_upgrade_to_websocket_and_to_something_unknown() {
    let mut w = Wire::new();
    w.c("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    w.s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02frames");
    w.c(get("/inside")).s(ok("inside"));
    assert_eq!(w.short(), ["GET /ws 101"]);
    assert!(w.pairing.ledger.get(Bucket::OtherTcp) > 0);
}

/// What HTTP/1 makes of HTTP/2: nothing. A path behind a header table that nobody saw is never guessed.
#[test]
fn hard_case_26_http2_from_its_beginning_and_from_its_middle() {
    // SETTINGS, and HEADERS whose fields are references to a dynamic table; DATA with text that looks like a request.
    let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers: &[u8] = &[0, 0, 5, 1, 4, 0, 0, 0, 1, 0x82, 0x86, 0xbe, 0xbf, 0xc0];
    let mut data = vec![0, 0, 33, 0, 1, 0, 0, 0, 1];
    data.extend_from_slice(b"GET /inside HTTP/1.1\r\nHost: h\r\n\r\n");
    for picked_up in [false, true] {
        let mut w = if picked_up { Wire::mid_stream() } else { Wire::new() };
        if !picked_up {
            w.c("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        }
        w.c(settings).s(settings).c(headers).s(headers).c(&data[..]).s(&data[..]);
        // From its beginning the references are nonsense, from its middle they hide what they refer to.
        let seen = w.short();
        assert_eq!(seen, [if picked_up { "GET  - hidden" } else { "  - hidden" }]);
        assert_eq!(w.pairing.ledger.get(Bucket::OtherTcp), 0);
    }
}

#[test]
fn hard_case_22_connect_and_what_is_inside() {
    let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    let mut w = Wire::new();
    w.c(connect).s("HTTP/1.1 200 Connection established\r\n\r\n");
    w.c(get("/inside")).s(ok("inside")).c(get("/more")).s(ok("more"));
    assert_eq!(w.short(), ["CONNECT h:443 200", "GET /inside 200", "GET /more 200"]);

    let mut w = Wire::new();
    w.c(connect).s("HTTP/1.1 200 Connection established\r\n\r\n");
    w.c([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]).s([0x16, 3, 3, 0, 2, 1, 2]).c(get("/not"));
    assert_eq!(w.short(), ["CONNECT h:443 200"]);
    assert!(w.pairing.ledger.get(Bucket::Tls) > 17);

    let mut w = Wire::new();
    w.c(connect)
        .s(status(407, "no"))
        .c(connect)
        .s("HTTP/1.1 200 OK\r\n\r\n")
        .c(connect)
        .s("HTTP/1.1 200 OK\r\n\r\n")
        .c(get("/x"));
    assert_eq!(w.short(), ["CONNECT h:443 407", "CONNECT h:443 200", "CONNECT h:443 200"], "one level");
}

#[test]
fn hard_case_23_odd_heads_are_counted() {
    let mut w = Wire::new();
    w.c("GET /1 HTTP/1.1\r\nHost : h\r\nnonsense\r\nX: a\r\n b\r\n\r\n").s("HTTP/1.1 200 OK\nContent-Length: 1\n\nx");
    w.c("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").s(ok(""));
    w.c("GET /3 HTTP/1.1\r\n\r\n").s(ok("")).c("GET /4 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").s(ok(""));
    assert_eq!(w.short(), ["GET /1 200", "POST /2 200", "GET /3 200", "GET /4 200"]);
    for oddity in [
        Oddity::HeadLenient,
        Oddity::HeadLineDropped,
        Oddity::ObsFold,
        Oddity::BothLengths,
        Oddity::HostMissing,
        Oddity::HostTwice,
    ] {
        assert_eq!(w.oddity(oddity), 1, "{}", oddity.name());
    }
}

#[test]
fn hard_case_24_heads_split_at_every_byte() {
    let mut w = Wire::new();
    let mut big = "QUERY /1 HTTP/1.1\r\nHost: h\r\n".to_owned();
    for n in 0..200 {
        big += &format!("X-{n}: {}\r\n", "v".repeat(300));
    }
    big += "Content-Length: 3\r\n\r\nabc";
    assert!(big.len() > 60 << 10);
    for byte in big.as_bytes() {
        w.c([*byte]);
    }
    for byte in chunked(&["hello", "world"]).as_bytes() {
        w.s([*byte]);
    }
    w.c(get("/2")).s(ok("2"));
    let seen = w.close();
    assert_eq!(seen.iter().map(short).collect::<Vec<_>>(), ["QUERY /1 200", "GET /2 200"]);
    assert_eq!(seen[0].bodies, (3, 10));
}

#[test]
fn hard_case_25_a_body_far_over_any_buffer() {
    let mut w = Wire::new();
    let piece = vec![b'x'; 64 << 10];
    let n = 4096;
    w.c(get("/1")).s(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", n * piece.len()));
    for _ in 0..n {
        w.s(&piece);
        assert_eq!(w.pairing.buffered(), 0);
    }
    let seen = w.close();
    assert_eq!(short(&seen[0]), "GET /1 200");
    assert_eq!(seen[0].bodies.1, 256 << 20);
}

#[test]
fn bodies_are_shown_decoded_when_wished() {
    use std::io::Write;
    let plain = b"{\"a\": [1, 2, 3]}".repeat(100);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let coded = gz.finish().unwrap();
    let mut w = Wire::new();
    w.pairing.observer.look = true;
    w.c(post("/1", "plain")).s("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in coded.chunks(7) {
        w.s(format!("{:x}\r\n", piece.len())).s(piece).s("\r\n");
    }
    w.s("0\r\n\r\n");
    let seen = w.close();
    assert_eq!(seen[0].shown, [b"plain".to_vec(), plain]);
    assert_eq!(seen[0].bodies.1, coded.len() as u64);
}

#[test]
fn one_direction_alone() {
    let mut w = Wire::new();
    w.blind = true;
    w.c(get("/1")).c(post("/2", "x")).c(get("/3"));
    assert_eq!(w.short(), ["GET /1 - no_response", "POST /2 - no_response", "GET /3 - no_response"]);
    let mut w = Wire::new();
    w.blind = true;
    w.s(ok("1")).s(status(404, "2"));
    assert_eq!(w.short(), ["- 200 no_request", "- 404 no_request"]);
    // With acknowledgements of a direction that is not captured.
    let mut w = Wire::new();
    w.chunk(CLIENT, 0, Some(0), get("/1").as_bytes());
    w.chunk(CLIENT, get("/1").len() as u64, Some(500), get("/2").as_bytes());
    assert_eq!(w.short(), ["GET /1 - no_response", "GET /2 - no_response"]);
}

#[test]
fn a_response_that_nobody_asked_for_does_not_shift_the_others() {
    let mut w = Wire::new();
    w.c(get("/1")).s(ok("1"));
    // 408 on the idle connection, while the next request is on its way.
    let (at, acked) = (w.sent[SERVER.index()], w.sent[CLIENT.index()]);
    w.c(get("/2"));
    let late = status(408, "late");
    w.chunk(SERVER, at, Some(acked), late.as_bytes());
    w.end(SERVER, End::Fin);
    assert_eq!(w.short(), ["GET /1 200", "- 408 no_request", "GET /2 - no_response"]);
}

#[test]
fn an_orphan_answer_to_head_does_not_swallow_the_next_response() {
    let mut w = Wire::new();
    w.lost(CLIENT, "HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n").s("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    w.c(get("/2")).s(status(201, "2"));
    assert_eq!(w.short(), ["- 200 no_request", "GET /2 201"]);
}

#[test]
fn too_many_pipelined_requests_do_not_shift_the_pairing() {
    let mut w = Wire::with(Limits { pipelined: 4, ..Limits::default() }, Some(CLIENT));
    for n in 0..10 {
        let (at, text) = (w.sent[CLIENT.index()], get(&format!("/{n}")));
        w.sent[CLIENT.index()] += text.len() as u64;
        w.chunk(CLIENT, at, Some(0), text.as_bytes());
    }
    for n in 0..10 {
        w.s(status(210 + n, "x"));
    }
    w.c(get("/last")).s(status(299, ""));
    let seen = w.short();
    for n in 0..4 {
        assert!(seen.contains(&format!("GET /{n} 21{n}")), "{seen:?}");
    }
    for n in 4..10 {
        assert!(seen.contains(&format!("GET /{n} - no_response,limit")), "{seen:?}");
    }
    assert!(seen.contains(&"GET /last 299".to_owned()), "{seen:?}");
    assert_eq!(w.oddity(Oddity::PipelineLimit), 6);
}

#[test]
fn ends_before_the_declared_end() {
    let mut w = Wire::new();
    w.c("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123")
        .end(CLIENT, End::Fin)
        .s(status(400, ""))
        .end(SERVER, End::Fin);
    assert_eq!(w.short(), ["POST /1 400 request_ended_early"]);
    let mut w = Wire::new();
    w.c(get("/1")).s("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123").end(SERVER, End::Fin);
    let seen = w.close();
    assert_eq!(short(&seen[0]), "GET /1 200 response_ended_early");
    assert_eq!(seen[0].bodies.1, 4);
}

#[test]
fn other_protocols_are_left_alone() {
    let mut w = Wire::new();
    w.s("220 mail ESMTP\r\n").c("EHLO x\r\n").s("250 ok\r\n").c(get("/not"));
    assert_eq!(w.short(), [""; 0]);
    assert_eq!(w.pairing.ledger.get(Bucket::Mail), w.delivered, "by name");
    let mut w = Wire::new();
    w.c([0x16, 3, 1]).c([0, 5, 1]).c([0, 0, 1, 3]).s([0x16, 3, 3, 0, 1, 2]);
    assert_eq!(w.short(), [""; 0]);
    assert_eq!(w.pairing.ledger.get(Bucket::Tls), w.delivered);
    let mut w = Wire::new();
    w.c("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").c([0; 20]).s([0; 9]);
    assert_eq!(w.short(), [""; 0]);
    assert_eq!(w.pairing.ledger.get(Bucket::OtherTcp), w.delivered - 24, "nonsense behind a preface");
}

#[test]
fn hard_case_28_what_only_one_direction_shows_is_named_so() {
    let mut w = Wire::new();
    w.c("some words").lost(SERVER, "an answer").c("more words");
    assert_eq!(w.short(), [""; 0]);
    assert_eq!(w.pairing.ledger.get(Bucket::OneSided), w.delivered);
    // Nothing was answered: nothing is missing.
    let mut w = Wire::new();
    w.c("some words").c("more words");
    assert_eq!(w.short(), [""; 0]);
    assert_eq!(w.pairing.ledger.get(Bucket::OtherTcp), w.delivered);
}

#[test]
fn http_behind_a_socks_greeting() {
    let mut w = Wire::new();
    w.c([5, 1, 0]).s([5, 0]).c([5, 1, 0, 1, 10, 0, 0, 1, 0, 80]).s([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    w.c(get("/1")).s(ok("1"));
    assert_eq!(w.short(), ["GET /1 200"]);
}

#[test]
fn hard_case_22_messages_behind_a_websocket_handshake() {
    let asks = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let grants = "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n\x01\x03";
    for look in [false, true] {
        let mut w = Wire::new();
        w.pairing.observer.look = look;
        // The server's first message begins in the segment of its head.
        w.c(asks)
            .s(grants.replace("\x01\x03", "\u{1}\u{2}"))
            .s(b"ab\x80\x01c")
            .c(b"\x81\x83\0\0\0\0[1]")
            .c(b"\x88\x82\0\0\0\0\x03\xe8");
        let seen = w.close();
        assert_eq!(seen.iter().map(short).collect::<Vec<_>>(), ["GET /ws 101"]);
        if look {
            let [client, server] = seen[0].websocket.expect("a tally");
            assert_eq!((client.messages, client.json, client.close), (1, 1, Some(1000)));
            assert_eq!((server.messages, server.bytes, server.json), (1, 3, 0));
        }
        assert_eq!(w.pairing.ledger.get(Bucket::Http), w.delivered);
    }
    // Nothing is read behind a hole.
    let mut w = Wire::new();
    w.pairing.observer.look = true;
    w.c(asks).s(grants.replace("\x01\x03", "")).c(b"\x81\x80\0\0\0\0").lost(CLIENT, [0; 7]).c(b"\x81\x80\0\0\0\0");
    assert_eq!(w.close()[0].websocket.map(|t| t[0].messages), Some(1));
    assert_eq!(w.pairing.ledger.get(Bucket::AfterGap), 6);
}
