//! What looking a request up costs: `shadowtap::inventory::Routers`, among 100, 10,000 and 100,000 templates.
//!
//! The templates are learnt from generated traffic, over one service (or several, where one may not have so many endpoints), and asked
//! for in an order that no cache foresees; half of the requests carry values that were never seen. Requests are observations as the
//! watcher makes them, so that what is measured is what a capture thread does.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::base::{InventoryLimits, Timestamp};
use shadowtap::inventory::{Inventory, Routers, Rule, RuleKind};
use shadowtap::observe::{Batch, Key, Logged, Observation, Sink, Watch};

/// Templates of one service; more are spread over several.
const OF_A_SERVICE: usize = 10_000;
/// Requests that are routed in one round.
const REQUESTS: usize = 20_000;

/// Letters in pairs, so that all of it looks like words.
fn word(n: usize) -> String {
    const PARTS: [&str; 16] =
        ["ka", "lo", "mi", "nu", "re", "so", "ti", "va", "we", "zo", "ba", "du", "fe", "gi", "ho", "pa"];
    [n >> 8, n >> 4, n].map(|d| PARTS[d & 15]).concat() + "s"
}

/// A request of a template: three in four have a parameter or two.
fn target(template: usize, value: usize) -> String {
    let (resource, action) = (word(template / 8), template % 8);
    let id = 100_000 + value;
    match action {
        0 => format!("/api/v1/{resource}"),
        1 => format!("/api/v1/{resource}/{id}"),
        2 => format!("/api/v1/{resource}/search"),
        n => format!("/api/v1/{resource}/{id}/{}/{}", word(3000 + n), id * 7),
    }
}

fn ask<S: Sink>(watch: &mut Watch<S>, template: usize, value: usize) {
    watch.logged(&Logged {
        ts: Timestamp(1),
        host: &format!("api-{}.example", template / OF_A_SERVICE),
        target: &target(template % OF_A_SERVICE, value),
        status: Some(200),
        response_type: "application/json",
        ..Logged::default()
    });
}

fn routers(templates: usize) -> Routers {
    let mut watch =
        Watch::new(Inventory::new(InventoryLimits { words_per_place: 4096, ..Default::default() }), Key::FIXED);
    // Made-up words, all alike: that they are literals has to be told.
    let literal = |path| Rule::new("", path, RuleKind::Literal).expect("a rule");
    watch.sink.set_rules(["/api/v1/*", "/api/v1/*/*/*"].map(literal).to_vec());
    for template in 0..templates {
        for value in 0..3 {
            ask(&mut watch, template, value * 31 + template % 7);
        }
    }
    watch.sink.compile()
}

fn requests(templates: usize) -> Batch {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    for n in 0..REQUESTS {
        ask(&mut watch, n.wrapping_mul(7_919) % templates, n % 2 * 5_000 + n % 3);
    }
    watch.sink
}

fn routes(c: &mut Criterion) {
    let mut group = c.benchmark_group("routes");
    group.throughput(Throughput::Elements(REQUESTS as u64));
    for templates in [100, 10_000, 100_000] {
        let (routers, batch) = (routers(templates), requests(templates));
        let (mut found, mut all) = (0, 0);
        batch.for_each(|o| {
            found += usize::from(routers.route(o).is_some());
            all += 1;
        });
        eprintln!("{} of {templates} templates learnt; {found} of {all} requests are known", routers.templates());
        // Handing the observations out is no part of it, and is taken off.
        group.bench_function(format!("{templates}/handing out alone"), |b| {
            b.iter(|| batch.for_each(|o: &Observation<'_>| _ = black_box(o.path.len())));
        });
        group.bench_function(format!("{templates}"), |b| {
            b.iter(|| batch.for_each(|o| _ = black_box(routers.route(o))));
        });
    }
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
