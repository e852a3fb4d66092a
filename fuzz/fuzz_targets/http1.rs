//! HTTP/1 from segments to exchanges. Laws: each request is finished once; every byte is in one bucket; a conversation that is
//! well formed gives its exchanges, exactly and however it is cut into segments and reordered by a place; loss never
//! makes an exchange up and never pairs a request with another one's response.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{Limits, Side};
use shadowtap::exchange::{Observer, Outcome, Pairing, Sides};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::{Connection, Table};
use shadowtap::wire::{Segment, TcpFlags};
use shadowtap_fuzz::{Choices, flow, time};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    if choices.u8() & 1 == 0 { any_bytes(&mut choices) } else { conversation(&mut choices) }
});

/// Notes (target, status); `begun` counts what is not finished yet.
#[derive(Default)]
struct Recorder {
    begun: usize,
    seen: Vec<(String, Option<u16>)>,
}

impl Observer for Recorder {
    type Request = (String, Option<u16>);

    fn request(&mut self, _: &Connection, _: Sides, head: &RequestHead<'_>) -> Self::Request {
        self.begun += 1;
        (String::from_utf8_lossy(head.target.bytes()).into_owned(), None)
    }

    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        self.request(connection, sides, head)
    }

    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>) {
        assert!(request.1.is_none(), "two final responses");
        request.1 = Some(head.status);
    }

    fn orphan(&mut self, _: &Connection, _: Sides, head: &ResponseHead<'_>) -> Self::Request {
        self.begun += 1;
        (String::new(), Some(head.status))
    }

    fn finish(&mut self, _: &Connection, request: Self::Request, _: &Outcome) {
        self.begun -= 1;
        self.seen.push(request);
    }
}

/// A piece of a side's stream with what its sender had received of the other.
struct Piece {
    side: Side,
    offset: usize,
    bytes: Vec<u8>,
    acked: usize,
}

/// Runs pieces through reassembly and pairing, and checks the books.
fn run(pieces: &[Piece], lost: impl Fn(usize) -> bool) -> Vec<(String, Option<u16>)> {
    let limits = Limits::default();
    let mut table = Table::new(&limits);
    let mut pairing = Pairing::new(Recorder::default(), &limits);
    let (key, client) = flow();
    let mut send = |n: usize, side, seq: usize, ack: Option<usize>, flags: u8, payload: &[u8]| {
        let flags = TcpFlags(flags | if ack.is_some() { TcpFlags::ACK } else { 0 });
        let ack = ack.unwrap_or(0) as u32;
        table.segment(&mut pairing, &Segment { ts: time(n as u64 * 1000), key, side, seq: seq as u32, ack, flags, payload, cut: 0 });
    };
    send(0, client, 0, None, TcpFlags::SYN, &[]);
    send(1, client.peer(), 0, Some(1), TcpFlags::SYN, &[]);
    let mut payload = 0;
    for (n, piece) in pieces.iter().enumerate().filter(|&(n, _)| !lost(n)) {
        payload += piece.bytes.len() as u64;
        send(n + 2, piece.side, piece.offset + 1, Some(piece.acked + 1), 0, &piece.bytes);
    }
    table.finish(&mut pairing);
    assert_eq!(table.ledger.accounted() + pairing.ledger.accounted(), payload, "a byte in no bucket or in two");
    assert_eq!(pairing.observer.begun, 0, "begun and never finished");
    assert_eq!(pairing.open_exchanges(), 0);
    assert_eq!(pairing.buffered(), 0);
    pairing.observer.seen
}

/// Whatever the fuzzer likes, both ways and in turns.
fn any_bytes(choices: &mut Choices<'_>) {
    let (_, client) = flow();
    let mut sent = [0; 2];
    let mut pieces = Vec::new();
    while !choices.is_empty() {
        let what = choices.u8();
        let side = if what & 1 == 0 { client } else { client.peer() };
        let size = if what & 2 == 0 { choices.below(256) } else { choices.below(2000) };
        // A piece that is lost.
        let hole = if what >> 3 == 31 { choices.below(100) } else { 0 };
        sent[side.index()] += hole;
        let bytes = choices.take(size.max(1)).to_vec();
        let piece = Piece { side, offset: sent[side.index()], acked: sent[side.peer().index()], bytes };
        sent[side.index()] += piece.bytes.len();
        if !piece.bytes.is_empty() {
            pieces.push(piece);
        }
    }
    run(&pieces, |_| false);
}

const METHODS: [&str; 6] = ["GET", "POST", "HEAD", "DELETE", "PURGE", "PROPFIND"];
const STATUSES: [u16; 8] = [200, 201, 204, 301, 304, 404, 500, 503];

/// A conversation of a client that waits for each response, as bytes by turns: (side, bytes).
fn talk(choices: &mut Choices<'_>, evil: bool) -> (Vec<(Side, Vec<u8>)>, Vec<(String, Option<u16>)>) {
    let (_, client) = flow();
    let mut turns = Vec::new();
    let mut truth = Vec::new();
    for n in 0..1 + choices.below(10) {
        let (method, status) = (METHODS[choices.below(METHODS.len())], STATUSES[choices.below(STATUSES.len())]);
        let target = format!("/{n}?{}", choices.u16());
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: a.test\r\n").into_bytes();
        body(&mut request, choices, method == "POST" || method == "PROPFIND", evil);
        let mut response = Vec::new();
        if choices.u8() & 7 == 0 {
            response.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        response.extend_from_slice(format!("HTTP/1.1 {status} Some Words\r\nServer: t\r\n").as_bytes());
        if method == "HEAD" || status == 304 {
            // A length that says what a body would have had.
            response.extend_from_slice(b"Content-Length: 512\r\n\r\n");
        } else if status == 204 {
            response.extend_from_slice(b"\r\n");
        } else {
            body(&mut response, choices, true, evil);
        }
        turns.push((client, request));
        turns.push((client.peer(), response));
        truth.push((target, Some(status)));
    }
    (turns, truth)
}

/// The end of a head, and a body.
fn body(out: &mut Vec<u8>, choices: &mut Choices<'_>, any: bool, evil: bool) {
    if !any {
        out.extend_from_slice(b"\r\n");
        return;
    }
    let text: &[u8] = if evil { b"GET /evil HTTP/1.1\r\nHost: e\r\n\r\nHTTP/1.1 299 Evil\r\n\r\n" } else { b"{\"a\": [1, 2]}, " };
    let len = choices.below(900);
    let bytes: Vec<u8> = text.iter().copied().cycle().take(len).collect();
    if choices.u8() & 1 == 0 {
        out.extend_from_slice(format!("Content-Length: {len}\r\n\r\n").as_bytes());
        out.extend_from_slice(&bytes);
        return;
    }
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in bytes.chunks(1 + choices.below(300)) {
        out.extend_from_slice(format!("{:x};ext=\"v\"\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
}

/// A well-formed conversation, cut into segments: first whole and reordered a little, then with loss.
fn conversation(choices: &mut Choices<'_>) {
    let lossy = choices.u8() & 1 == 1;
    let (turns, truth) = talk(choices, !lossy);
    let mut sent = [0; 2];
    let mut pieces = Vec::new();
    for (side, bytes) in turns {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let n = (1 + choices.below(700)).min(rest.len());
            pieces.push(Piece { side, offset: sent[side.index()], bytes: rest[..n].to_vec(), acked: sent[side.peer().index()] });
            sent[side.index()] += n;
            rest = &rest[n..];
        }
    }
    if !lossy {
        for i in 1..pieces.len() {
            if choices.u8() & 7 == 1 {
                pieces.swap(i - 1, i);
            }
        }
        assert_eq!(run(&pieces, |_| false), truth);
        return;
    }
    let lost: Vec<bool> = pieces.iter().map(|_| choices.u8() & 3 == 1).collect();
    let mut seen: Vec<_> = run(&pieces, |n| lost[n]).into_iter().filter(|(target, _)| !target.is_empty()).collect();
    let count = seen.len();
    for (target, status) in &seen {
        let Some((_, right)) = truth.iter().find(|(t, _)| t == target) else { panic!("{target} was never asked for") };
        assert!(status.is_none() || status == right, "{target} answered {status:?}, not {right:?}");
    }
    seen.sort();
    seen.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(seen.len(), count, "one request seen twice");
}
