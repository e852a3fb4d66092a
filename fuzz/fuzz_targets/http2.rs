//! HTTP/2 connections, by way of the pairing. Laws: each request begun is finished; each byte is in one bucket; memory stays
//! below the limits; what is told does not depend on how the bytes arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{Limits, Missing, Side, Timestamp};
use shadowtap::exchange::{Observer, Outcome, Pairing, Sides};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::{Chunk, Close, Connection, Consumer, Gap};
use shadowtap_fuzz::{Choices, flow, time};

#[derive(Default)]
struct Recorder {
    open: usize,
    seen: Vec<String>,
}

impl Observer for Recorder {
    type Request = String;

    fn request(&mut self, _: &Connection, _: Sides, head: &RequestHead<'_>) -> String {
        self.open += 1;
        format!("{} {:?} {:?}", head.method, head.target, head.host)
    }

    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> String {
        self.request(connection, sides, head)
    }

    fn response(&mut self, request: &mut String, head: &ResponseHead<'_>) {
        request.push_str(&format!(" {}", head.status));
    }

    fn orphan(&mut self, _: &Connection, _: Sides, head: &ResponseHead<'_>) -> String {
        self.open += 1;
        format!("- {}", head.status)
    }

    fn finish(&mut self, _: &Connection, mut request: String, outcome: &Outcome) {
        self.open -= 1;
        let reasons: Vec<_> = outcome.partial.names().collect();
        request.push_str(&format!(" {} {} {reasons:?}", outcome.request_body, outcome.response_body));
        self.seen.push(request);
    }
}

/// A piece of a side's stream; without bytes a hole.
type Piece<'a> = (Side, Result<&'a [u8], u64>);

fn play(pieces: &[Piece<'_>], step: usize) -> Vec<String> {
    let limits =
        Limits { head_bytes: 2000, http2_streams: 8, hpack_table_bytes: 600, http2_bytes: 8000, ..Limits::default() };
    let (key, client) = flow();
    let connection = Connection { key, id: 1, opener: Some(client), opened: Timestamp(0) };
    let mut pairing = Pairing::new(Recorder::default(), &limits);
    let mut talk = pairing.open(&connection);
    let (mut offsets, mut delivered) = ([0u64; 2], 0);
    for (n, (side, piece)) in pieces.iter().enumerate() {
        let offset = &mut offsets[side.index()];
        match piece {
            Err(len) => {
                let gap = Gap { offset: *offset, len: *len, why: Missing::Gap };
                pairing.gap(&connection, &mut talk, *side, gap);
                *offset += len;
            }
            Ok(bytes) => {
                for bytes in bytes.chunks(step) {
                    let chunk = Chunk { ts: time(n as u64), offset: *offset, acked: None, bytes };
                    pairing.data(&connection, &mut talk, *side, chunk);
                    *offset += bytes.len() as u64;
                    delivered += bytes.len() as u64;
                    assert!(pairing.open_exchanges() <= limits.http2_streams + 2);
                }
            }
        }
    }
    pairing.close(&connection, talk, Close::CaptureEnd, time(u64::MAX >> 32));
    assert_eq!(pairing.ledger.accounted(), delivered, "each byte in one bucket");
    assert_eq!((pairing.open_exchanges(), pairing.buffered(), pairing.observer.open), (0, 0, 0));
    pairing.observer.seen
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let step = 1 + choices.below(40);
    let mut pieces: Vec<Piece<'_>> = vec![(flow().1, Ok(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))];
    let mut holes = false;
    while !choices.is_empty() {
        let what = choices.below(256);
        let side = if what & 1 == 0 { flow().1 } else { flow().1.peer() };
        if what >= 248 {
            holes = true;
            pieces.push((side, Err(1 + choices.below(64) as u64)));
            continue;
        }
        let length = choices.below(128).min(choices.0.len());
        let (bytes, rest) = choices.0.split_at(length);
        choices.0 = rest;
        if !bytes.is_empty() {
            pieces.push((side, Ok(bytes)));
        }
    }
    let whole = play(&pieces, 1 << 20);
    let cut = play(&pieces, step);
    // What is let go for a limit depends on what is held when, and so on the cuts; nothing else does.
    if !holes && !whole.iter().chain(&cut).any(|line| line.contains("limit") || line.contains("hidden")) {
        assert_eq!(whole, cut, "another story when cut into pieces");
    }
});
