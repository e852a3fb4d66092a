//! The HTTP/1 floors alone: chunks of one connection in, paired exchanges out.

mod common;

use common::Count;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::base::{Address, FlowKey, Limits, Timestamp};
use shadowtap::exchange::Pairing;
use shadowtap::stream::{Chunk, Close, Connection, Consumer};

/// Eight fields, as API clients send them.
fn request(n: usize) -> Vec<u8> {
    format!(
        "GET /api/v1/orders/{n}?page=2&limit=50 HTTP/1.1\r\nHost: api.shop.example\r\nUser-Agent: okhttp/4.12.0\r\n\
         Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\nAuthorization: Bearer {}\r\nCookie: sid={}\r\n\
         Connection: keep-alive\r\nX-Request-Id: {n:032}\r\n\r\n",
        "t".repeat(170),
        "s".repeat(26)
    )
    .into_bytes()
}

fn response(body: usize, chunked: bool) -> Vec<u8> {
    let mut text =
        "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nServer: nginx\r\nCache-Control: no-store\r\n\
                    Content-Type: application/json\r\n"
            .to_owned();
    let body = "x".repeat(body);
    if chunked {
        text += "Transfer-Encoding: chunked\r\n\r\n";
        for piece in body.as_bytes().chunks(4096) {
            text += &format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
        }
        text += "0\r\n\r\n";
    } else {
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    }
    text.into_bytes()
}

/// Plays `count` exchanges over one connection, in segments of at most `segment` bytes.
fn play(count: usize, response: &[u8], segment: usize) -> u64 {
    let mut pairing = Pairing::new(Count::default(), &Limits::default());
    let (key, client) = FlowKey::new(Address::v4(2, 50_000), Address::v4(1, 80), 0);
    let connection = Connection { key, id: 0, opener: Some(client), opened: Timestamp(0) };
    let mut state = pairing.open(&connection);
    let mut sent = [0u64; 2];
    let mut now = 0;
    for n in 0..count {
        let request = request(n);
        for (side, text) in [(client, &request[..]), (client.peer(), response)] {
            for bytes in text.chunks(segment) {
                now += 1000;
                let (offset, acked) = (sent[side.index()], Some(sent[side.peer().index()]));
                pairing.data(&connection, &mut state, side, Chunk { ts: Timestamp(now), offset, acked, bytes });
                sent[side.index()] += bytes.len() as u64;
            }
        }
    }
    pairing.close(&connection, state, Close::CaptureEnd, Timestamp(now));
    assert_eq!(pairing.observer.0, count as u64, "all exchanges are whole");
    pairing.observer.0
}

fn exchanges(c: &mut Criterion) {
    let mut group = c.benchmark_group("http");
    for (name, response, segment) in [
        ("small bodies", response(1000, false), 1460),
        ("chunked bodies", response(1000, true), 1460),
        ("heads in small segments", response(1000, false), 100),
        ("large bodies", response(1 << 20, false), 1460),
    ] {
        let count = if response.len() > 100_000 { 10 } else { 1000 };
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |b| b.iter(|| play(count, &response, segment)));
    }
    group.finish();
}

criterion_group!(benches, exchanges);
criterion_main!(benches);
