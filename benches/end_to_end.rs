//! From the bytes of a capture to an inventory: the whole of `scan` but its output, on one thread.
//!
//! Clean and adverse traffic of the project's own generator; and the same traffic spread over ever more endpoints, to
//! see that an exchange costs the same whatever is known already. Each is given as exchanges in a second.

#[path = "../tests/common/traffic.rs"]
mod traffic;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::base::{InventoryLimits, Limits};
use shadowtap::inventory::Inventory;
use shadowtap::observe::{Key, Watch};
use shadowtap::pipeline::Pipeline;
use shadowtap::wire::file::Reader;
use traffic::{Plan, Recording};

fn pipeline() -> Pipeline<Watch<Inventory>> {
    Pipeline::new(Watch::new(Inventory::new(InventoryLimits::default()), Key::FIXED), &Limits::default())
}

fn read(recording: &Recording, pipeline: &mut Pipeline<Watch<Inventory>>) {
    let mut reader = Reader::open("generated", &recording.pcap[..]).expect("a pcap file");
    while let Some(frame) = reader.next().expect("whole records") {
        pipeline.frame(&frame);
    }
    pipeline.finish();
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    let clean = Plan { connections: 400, exchanges: 25, ..Plan::default() };
    let large = Plan { connections: 40, exchanges: 10, body_min: 64 << 10, body_max: 1 << 20, ..Plan::default() };
    let plans = [
        ("clean", clean.clone()),
        ("vlan", Plan { vlan: true, ..clean.clone() }),
        ("adverse", clean.adverse()),
        ("large bodies", large),
    ];
    for (name, plan) in plans {
        let recording = traffic::make(&plan);
        group.throughput(Throughput::Elements(recording.sent.len() as u64));
        group.bench_function(name, |b| {
            b.iter_batched_ref(pipeline, |p| read(black_box(&recording), p), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// An exchange with endpoints that are known: so many resources, five endpoints each, on so many hosts.
fn known(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchanges by endpoints known");
    for (hosts, resources) in [(1, 20), (10, 20), (100, 20), (500, 40)] {
        let plan = Plan { connections: 2000, exchanges: 10, hosts, resources, ..Plan::default() };
        let recording = traffic::make(&plan);
        let mut warm = pipeline();
        read(&recording, &mut warm);
        group.throughput(Throughput::Elements(recording.sent.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(hosts * resources * 5), &recording, |b, recording| {
            b.iter(|| read(black_box(recording), &mut warm));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = scan, known
}
criterion_main!(benches);
