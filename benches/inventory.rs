//! What an exchange costs on the upper floors: from heads to an observation, and from there into the inventory.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use httparse::Header;
use shadowtap::base::{Address, FlowKey, InventoryLimits, Ledger, Oddities, Timestamp};
use shadowtap::exchange::{Observer, Outcome, Partial, Sides};
use shadowtap::inventory::Inventory;
use shadowtap::observe::{Batch, Glimpse, Key, Mentioned, Observation, Sink, Watch};
use shadowtap::proto::{Fields, RequestHead, ResponseHead, Version};
use shadowtap::stream::Connection;

/// Forgets what it is given.
struct Nowhere;

impl Sink for Nowhere {
    fn observation(&mut self, o: &Observation<'_>) {
        std::hint::black_box(o);
    }

    fn glimpse(&mut self, glimpse: Glimpse) {
        std::hint::black_box(glimpse);
    }

    fn mentioned(&mut self, _: &Mentioned<'_>) {}
}

fn exchange<S: Sink>(watch: &mut Watch<S>, target: &[u8], ts: u64) {
    let (client, server) = (Address::v4(0x0a00_0001 + (ts % 40) as u32, 50_000), Address::v4(0x0a01_0001, 80));
    let (key, _) = FlowKey::new(client, server, 0);
    let connection = Connection { key, id: 1, opener: None, opened: Timestamp(0) };
    let head = RequestHead {
        method: "GET",
        target: target.into(),
        host: Some(b"api.shop.example"),
        version: Version::Http11,
        fields: Fields(&[
            Header { name: "Host", value: b"api.shop.example" },
            Header { name: "User-Agent", value: b"bench" },
            Header { name: "Accept", value: b"application/json" },
        ]),
        content_type: None,
        size: 200,
    };
    let mut ticket = watch.request(&connection, Sides { client, server, secure: false }, &head);
    let fields = [
        Header { name: "Date", value: b"Tue, 24 Nov 2026 07:30:00 GMT" },
        Header { name: "Content-Type", value: b"application/json; charset=utf-8" },
        Header { name: "Content-Length", value: b"512" },
    ];
    watch.response(
        &mut ticket,
        &ResponseHead {
            status: 200,
            version: Version::Http11,
            fields: Fields(&fields),
            content_type: Some(fields[1].value),
            size: 150,
        },
    );
    let outcome = Outcome {
        started: Timestamp(1_800_000_000_000_000_000 + ts * 1_000_000),
        latency: Some(1_000_000 + ts % 64 * 100_000),
        request_body: 0,
        response_body: 200 + ts % 16 * 50,
        partial: Partial::default(),
        interim: 0,
    };
    watch.finish(&connection, ticket, &outcome);
}

/// A path of one of `n` endpoints, spread over 100 words at each of three places.
fn target(i: u64, n: u64) -> Vec<u8> {
    let e = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % n;
    let word = |k: u64| {
        format!("{}{}", (b'a' + (k % 26) as u8) as char, ["sets", "lists", "maps", "queues"][(k / 26) as usize % 4])
    };
    format!("/api/{}/{}/{}/{}", word(e % 100), word(e / 100 % 100), word(e / 10_000), 100_000 + i).into_bytes()
}

fn observe(c: &mut Criterion) {
    let mut group = c.benchmark_group("observe");
    group.throughput(Throughput::Elements(1));
    for (name, target) in [
        ("words", b"/api/v1/users/settings".as_slice()),
        ("identifier", b"/api/v1/users/f47ac10b-58cc-4372-a567-0e02b2c3d479/orders"),
        ("query", b"/api/v1/users?page=2&limit=50&sort=-created"),
    ] {
        let mut watch = Watch::new(Nowhere, Key::FIXED);
        let mut ts = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                ts += 1;
                exchange(&mut watch, target, ts);
            });
        });
    }
    group.finish();
}

fn inventory(c: &mut Criterion) {
    let mut group = c.benchmark_group("inventory");
    group.throughput(Throughput::Elements(1));
    for n in [100, 10_000, 100_000u64] {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        (0..n * 2).for_each(|i| exchange(&mut watch, &target(i, n), i));
        let limits = InventoryLimits { endpoints_per_service: 200_000, ..InventoryLimits::default() };
        let mut inventory = Inventory::new(limits);
        watch.sink.for_each(|o| inventory.observe(o));
        let mut batch = Watch::new(Batch::new(), Key::FIXED);
        (0..10_000).for_each(|i| exchange(&mut batch, &target(i * 31, n), i));
        group.throughput(Throughput::Elements(10_000));
        group
            .bench_function(format!("observe among {n}"), |b| b.iter(|| batch.sink.for_each(|o| inventory.observe(o))));
        group.throughput(Throughput::Elements(1));
        if n == 10_000 {
            group.bench_function(format!("view of {n}"), |b| {
                b.iter(|| inventory.view(&Ledger::default(), &Oddities::default()))
            });
            group.bench_function(format!("changes of 10000 exchanges among {n}"), |b| {
                inventory.take_changes();
                b.iter_batched(
                    || (),
                    |()| {
                        batch.sink.for_each(|o| inventory.observe(o));
                        inventory.take_changes()
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, observe, inventory);
criterion_main!(benches);
