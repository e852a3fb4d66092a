//! What HTTP/2 header blocks cost.
//!
//! Takes the header blocks of RFC 7541, appendix C.4 and C.6 (Huffman-coded, as browsers send them) and their like when the
//! table is warm, gives time for each: the decoder alone, and the whole reader with frames, streams and pairing, beside the
//! same exchanges over HTTP/1.

mod common;

use std::hint::black_box;

use common::Count;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::base::{Address, FlowKey, Limits, Side, Timestamp};
use shadowtap::exchange::Pairing;
use shadowtap::proto::hpack::{Bounds, Decoder, List};
use shadowtap::stream::{Chunk, Close, Connection, Consumer};

const EXCHANGES: usize = 1000;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// RFC 7541, C.4.1 to C.4.3.
fn requests() -> [Vec<u8>; 3] {
    [
        hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
        hex("8286 84be 5886 a8eb 1064 9cbf"),
        hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
    ]
}

/// RFC 7541, C.6.1 to C.6.3.
fn responses() -> [Vec<u8>; 3] {
    [
        hex("4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b
             97c8 e9ae 82ae 43d3"),
        hex("4883 640e ffc1 c0bf"),
        hex("88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
             cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07"),
    ]
}

fn blocks(c: &mut Criterion) {
    let bounds = Bounds { fields: 512, bytes: 128 << 10 };
    let mut group = c.benchmark_group("hpack");
    // What follows on a connection: a path of its own (literal, Huffman-coded), all else out of the table.
    let warm = hex("82 87 bf 04 88 60 75 99 a8 9c 5d 1e 9f be");
    for (name, blocks) in [
        ("requests of RFC 7541, C.4", requests().to_vec()),
        ("responses of RFC 7541, C.6", responses().to_vec()),
        ("a request out of a warm table", [requests().to_vec(), vec![warm; 97]].concat()),
    ] {
        group.throughput(Throughput::Elements(blocks.len() as u64));
        group.bench_function(name, |b| {
            let mut list = List::new();
            b.iter(|| {
                let mut decoder = Decoder::new(64 << 10);
                for block in &blocks {
                    decoder.decode(black_box(block), &bounds, &mut list).expect("a sound block");
                    black_box(list.len());
                }
            });
        });
    }
    group.finish();
}

/// (from the client?, bytes) of each message.
type Said = Vec<(bool, Vec<u8>)>;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// One connection of HTTP/2: the first exchange as in C.4 and C.6, then out of a warm table.
fn http2() -> Said {
    let body = vec![b'x'; 1000];
    let mut said = vec![(true, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat())];
    said.push((false, frame(4, 0, 0, &[])));
    for n in 0..EXCHANGES {
        let stream = 2 * n as u32 + 1;
        let request = if n == 0 { requests()[0].clone() } else { hex("82 86 84 be") };
        // Out of the table: location, date, cache-control and status.
        let response = if n == 0 { responses()[0].clone() } else { hex("c1 c0 bf be") };
        said.push((true, frame(1, 5, stream, &request)));
        said.push((false, [frame(1, 4, stream, &response), frame(0, 1, stream, &body)].concat()));
    }
    said
}

/// The same in HTTP/1.
fn http1() -> Said {
    let mut said = Said::new();
    for _ in 0..EXCHANGES {
        said.push((true, b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n".to_vec()));
        let head = "HTTP/1.1 302 Found\r\nCache-Control: private\r\nDate: Mon, 21 Oct 2013 20:13:21 GMT\r\n\
                    Location: https://www.example.com\r\nContent-Length: 1000\r\n\r\n";
        said.push((false, [head.as_bytes(), &[b'x'; 1000]].concat()));
    }
    said
}

fn play(said: &Said) -> u64 {
    let mut pairing = Pairing::new(Count::default(), &Limits::default());
    let (key, client): (FlowKey, Side) = FlowKey::new(Address::v4(2, 50_000), Address::v4(1, 80), 0);
    let connection = Connection { key, id: 0, opener: Some(client), opened: Timestamp(0) };
    let (mut state, mut sent, mut now) = (pairing.open(&connection), [0u64; 2], 0);
    for (by_client, text) in said {
        let side = if *by_client { client } else { client.peer() };
        for bytes in text.chunks(1448) {
            now += 1000;
            let (offset, acked) = (sent[side.index()], Some(sent[side.peer().index()]));
            pairing.data(&connection, &mut state, side, Chunk { ts: Timestamp(now), offset, acked, bytes });
            sent[side.index()] += bytes.len() as u64;
        }
    }
    pairing.close(&connection, state, Close::CaptureEnd, Timestamp(now));
    assert_eq!(pairing.observer.0, EXCHANGES as u64, "all exchanges are whole");
    pairing.observer.0
}

fn exchanges(c: &mut Criterion) {
    let mut group = c.benchmark_group("http2");
    group.throughput(Throughput::Elements(EXCHANGES as u64));
    for (name, said) in [("exchanges", http2()), ("the same in HTTP/1", http1())] {
        group.bench_function(name, |b| b.iter(|| play(&said)));
    }
    group.finish();
}

criterion_group!(benches, blocks, exchanges);
criterion_main!(benches);
