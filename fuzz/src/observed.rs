//! Requests of the fuzzer's choice, by way of the watcher: what it makes of a target is part of each test.

use shadowtap::base::Address;
use shadowtap::exchange::{Observer, Outcome, Partial, Sides, Turns};
use shadowtap::inventory::Inventory;
use shadowtap::observe::{Badge, Batch, Blindness, Cover, Glimpse, Handshake, Key, Observation, Sink, Watch};
use shadowtap::proto::{Fields, RequestHead, ResponseHead, Version};
use shadowtap::stream::Connection;

use crate::{Choices, ends, flow, time};

/// At most 200 observations, each in a batch of its own.
pub fn observations(choices: &mut Choices<'_>) -> Vec<Batch> {
    let mut batches = Vec::new();
    while !choices.is_empty() && batches.len() < 200 {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        observe(choices, &mut watch, batches.len() as u64 + 1);
        if choices.u8() & 3 == 0 {
            watch.sink.push_glimpse(glimpse(choices));
        }
        batches.push(watch.sink);
    }
    batches
}

/// What both kinds of news in a batch make of an inventory.
pub fn learn(inventory: &mut Inventory, batch: &Batch) {
    batch.for_each(|o: &Observation<'_>| inventory.observe(o));
    batch.clone().take_glimpses().for_each(|g| inventory.glimpse(g));
}

/// News of a server that is not read. Fewer different facts than the limits: what goes over them is counted by the order.
fn glimpse(choices: &mut Choices<'_>) -> Glimpse {
    let text = |choices: &mut Choices<'_>| format!("{}.example", choices.below(20)).into_boxed_str();
    let may = |choices: &mut Choices<'_>| (choices.u8() & 1 == 0).then(|| text(choices));
    let cover = [Cover::Tls, Cover::H3, Cover::Quic, Cover::Blind][choices.below(4)];
    let (name, server) = (text(choices), Address::v4(choices.below(100) as u32, choices.u16() & 3));
    let mut turns = Turns::default();
    for _ in 0..choices.below(4) {
        turns.add(choices.u8() & 1 == 0, u64::from(choices.u16()) << choices.below(12));
    }
    let handshake = (choices.u8() & 1 == 0).then(|| {
        let badge = (choices.u8() & 3 == 0).then(|| Badge {
            fingerprint: choices.below(4) as u64,
            subject: text(choices),
            names: vec![text(choices); choices.below(3)],
            ..Badge::default()
        });
        Box::new(Handshake {
            version: may(choices),
            suite: may(choices),
            alpn: may(choices),
            offered: (0..choices.below(3)).map(|_| text(choices)).collect(),
            ja4: may(choices),
            ja3s: may(choices),
            certificate: badge,
            client_certificate: may(choices).map(|issuer| (choices.below(99) as u64, issuer)),
            resumed: choices.u8() & 1 == 0,
            ..Handshake::default()
        })
    });
    let opened = u64::from(choices.u32()) << 20;
    Glimpse {
        cover,
        name,
        server,
        caller: choices.below(200) as u64,
        begins: choices.u8() & 1 == 0,
        messages: choices.below(3) as u64,
        opened: time(opened),
        last: time(opened + u64::from(choices.u32())),
        bytes: [choices.u32(), choices.u32()].map(u64::from),
        decrypted: choices.u8() & 1 == 0,
        answered: choices.u8() & 1 == 0,
        turns,
        handshake,
        why: (cover == Cover::Blind).then(|| Blindness::ALL[choices.below(5)]),
    }
}

/// Words that may be literals, and some that are not what they look like.
pub const WORDS: [&str; 24] = [
    "users",
    "orders",
    "me",
    "v1",
    "v2",
    "api",
    "settings",
    "search",
    "items",
    "oauth2",
    "sha256sum",
    "alice",
    "bob",
    "carol",
    "rust-in-action",
    "tk-48213",
    "%2F",
    "a%20b",
    "1e5",
    "report.csv",
    "..",
    "",
    "x;y=1",
    "café",
];

/// A segment: a word, or a value of some form.
fn segment(choices: &mut Choices<'_>, out: &mut String) {
    let n = choices.u8();
    match choices.u8() % 10 {
        0 => out.push_str(&(u32::from(n) * 7919).to_string()),
        1 => out
            .push_str(&format!("0f0e0d0c-0b0a-4908-8706-{:012x}", u64::from(n) * 0x1234_5678_9abc & 0xffff_ffff_ffff)),
        2 => out.push_str(&format!("5f{n:02x}c0ffee{:014x}", u64::from(n) * 0x9e37_79b9)),
        3 => out.push_str(&format!("user{n}@example.com")),
        4 => out.push_str(&format!("2026-11-{:02}", n % 30 + 1)),
        5 => out.push_str(&String::from_utf8_lossy(choices.take(usize::from(n % 12)))),
        _ => out.push_str(WORDS[usize::from(n) % WORDS.len()]),
    }
}

fn target(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    for _ in 0..choices.below(6) {
        out.push('/');
        segment(choices, &mut out);
    }
    if out.is_empty() || choices.u8() & 7 == 0 {
        out.push('/');
    }
    for n in 0..choices.below(6).saturating_sub(3) {
        out.push(if n == 0 { '?' } else { '&' });
        segment(choices, &mut out);
        out.push('=');
        segment(choices, &mut out);
    }
    out
}

/// One request and its answer.
fn observe(choices: &mut Choices<'_>, watch: &mut Watch<Batch>, n: u64) {
    let target = target(choices);
    let (client, server) = ends();
    let (key, side) = flow();
    let connection = Connection { key, id: n, opener: Some(side), opened: time(n) };
    let host: &[u8] = if choices.u8() & 3 == 0 { b"b.test" } else { b"a.test:80" };
    let method = ["GET", "POST", "DELETE", "HEAD"][choices.below(4)];
    let head = RequestHead {
        method,
        target: target.as_str().into(),
        host: Some(host),
        version: Version::Http11,
        fields: Fields(&[]),
        content_type: None,
        size: 40,
    };
    let mut request = watch.request(&connection, Sides { client, server, secure: false }, &head);
    let status = [200, 200, 200, 201, 204, 301, 401, 404, 404, 500][choices.below(10)];
    let answered = choices.u8() & 15 != 0;
    let mut partial = Partial::default();
    if answered {
        let (version, fields) = (Version::Http11, Fields(&[]));
        watch.response(&mut request, &ResponseHead { status, version, fields, content_type: None, size: 30 });
    } else {
        partial.add(Partial::NO_RESPONSE);
    }
    let outcome = Outcome {
        started: time(n * 1_000_000_000 * u64::from(choices.u8())),
        latency: answered.then_some(1000 * n),
        request_body: 0,
        response_body: u64::from(choices.u16()),
        partial,
        interim: 0,
    };
    watch.finish(&connection, request, &outcome);
}
