//! The cost of a segment on the stream floor, for a consumer that only counts.
//!
//! Takes conversations made here, gives time for each segment: in order, mirrored twice, out of order, one direction
//! alone, and connections that come and go.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::base::{Address, FlowKey, Limits, Side, Timestamp};
use shadowtap::stream::{Chunk, Close, Connection, Consumer, End, Gap, Table};
use shadowtap::wire::{Segment, TcpFlags};

#[derive(Default)]
struct Count(u64);

impl Consumer for Count {
    type State = u64;

    fn open(&mut self, _: &Connection) -> u64 {
        0
    }

    fn data(&mut self, _: &Connection, state: &mut u64, _: Side, chunk: Chunk<'_>) {
        *state += chunk.bytes.len() as u64;
    }

    fn gap(&mut self, _: &Connection, _: &mut u64, _: Side, _: Gap) {}

    fn end(&mut self, _: &Connection, _: &mut u64, _: Side, _: End, _: Timestamp) {}

    fn close(&mut self, _: &Connection, state: u64, _: Close, _: Timestamp) {
        self.0 += state;
    }
}

const FLOWS: u32 = 1_000;
const ROUNDS: u32 = 20;
const PAYLOAD: &[u8] = &[b'x'; 1_000];

fn segment(flow: u32, from_client: bool, flags: u8, seq: u32, ack: u32, payload: &[u8], ts: u64) -> Segment<'_> {
    let client = Address::v4(0x0a00_0000 + flow, 40_000);
    let server = Address::v4(0x0b00_0001, 80);
    let (key, side) = if from_client { FlowKey::new(client, server, 0) } else { FlowKey::new(server, client, 0) };
    let ts = Timestamp(1_700_000_000_000_000_000 + ts * 1_000);
    Segment { ts, key, side, seq, ack, flags: TcpFlags(flags), payload, cut: 0 }
}

/// Handshakes, then request, acknowledgement, reply of two segments, acknowledgement, again and again; all flows
/// interleaved.
fn conversation() -> Vec<Segment<'static>> {
    let mut out = Vec::new();
    let mut push = |flow, client, flags, seq, ack, payload| {
        let ts = out.len() as u64;
        out.push(segment(flow, client, flags, seq, ack, payload, ts));
    };
    let ack = TcpFlags::ACK;
    for flow in 0..FLOWS {
        push(flow, true, TcpFlags::SYN, 0, 0, b"");
        push(flow, false, TcpFlags::SYN | ack, 0, 1, b"");
        push(flow, true, ack, 1, 1, b"");
    }
    for round in 0..ROUNDS {
        let (c, s) = (1 + round * 1_000, 1 + round * 2_000);
        for flow in 0..FLOWS {
            push(flow, true, ack, c, s, PAYLOAD);
            push(flow, false, ack, s, c + 1_000, b"");
            push(flow, false, ack, s, c + 1_000, PAYLOAD);
            push(flow, false, ack, s + 1_000, c + 1_000, PAYLOAD);
            push(flow, true, ack, c + 1_000, s + 2_000, b"");
        }
    }
    out
}

fn play(segments: &[Segment<'static>]) -> u64 {
    let mut table = Table::<Count>::new(&Limits::default());
    let mut count = Count::default();
    for segment in segments {
        table.segment(&mut count, segment);
    }
    table.finish(&mut count);
    count.0
}

fn segments(c: &mut Criterion) {
    let plain = conversation();
    let twice: Vec<_> = plain.iter().flat_map(|s| [*s, *s]).collect();
    // The second segment of each reply before the first.
    let mut swapped = plain.clone();
    let first = (FLOWS * 3) as usize;
    for five in swapped[first..].chunks_exact_mut(5) {
        five.swap(2, 3);
    }
    let one_way: Vec<_> = plain.iter().filter(|s| s.key.end(s.side).port == 80).copied().collect();
    let short: Vec<_> = (0..20_000u32)
        .flat_map(|flow| {
            let ts = u64::from(flow) * 100;
            [
                segment(flow, true, TcpFlags::SYN, 0, 0, b"", ts),
                segment(flow, false, TcpFlags::SYN | TcpFlags::ACK, 0, 1, b"", ts + 1),
                segment(flow, true, TcpFlags::FIN | TcpFlags::ACK, 1, 1, PAYLOAD, ts + 2),
                segment(flow, false, TcpFlags::FIN | TcpFlags::ACK, 1, 1_002, PAYLOAD, ts + 3),
            ]
        })
        .collect();

    let mut group = c.benchmark_group("stream");
    for (name, segments) in [
        ("in order", &plain),
        ("mirrored twice", &twice),
        ("one in five late", &swapped),
        ("one direction", &one_way),
        ("short connections", &short),
    ] {
        group.throughput(Throughput::Elements(segments.len() as u64));
        group.bench_function(name, |b| b.iter(|| black_box(play(segments))));
    }
    group.finish();
}

/// The worst that a sender can do: islands of one byte, then a segment over all of them.
fn hostile(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream, hostile");
    let cover = vec![b'y'; 2_100];
    let islands = 1_000u32;
    let rounds = 20u32;
    group.throughput(Throughput::Elements(u64::from((islands + 1) * rounds)));
    group.bench_function("islands", |b| {
        b.iter(|| {
            let mut table = Table::<Count>::new(&Limits::default());
            let mut count = Count::default();
            for round in 0..rounds {
                let base = 1 + round * 2_100;
                for i in (0..islands).rev() {
                    let island = segment(1, true, TcpFlags::ACK, base + 1 + i * 2, 1, b"x", u64::from(round));
                    table.segment(&mut count, &island);
                }
                let all = segment(1, true, TcpFlags::ACK, base, 1, &cover, u64::from(round));
                table.segment(&mut count, &all);
            }
            table.finish(&mut count);
            black_box(count.0)
        });
    });
    group.finish();
}

criterion_group!(benches, segments, hostile);
criterion_main!(benches);
