//! A made-up inventory for tests of pages and tables: two services, each kind of finding, some loss, a hostile name.

use std::collections::BTreeMap;

use super::Meta;
use crate::base::{Bucket, Ledger, Missing, Oddities, Oddity, Timestamp};
use crate::diff::{Diff, DocumentSummary, Finding, FindingKind};
use crate::inventory::{EndpointView, ParameterView, PathParameter, Quantiles, ServiceView, View};
use crate::observe::{Kind, Scheme};

/// 2026-11-24 07:30:57 UTC and so many seconds.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_parts(1_795_505_457 + seconds, 0)
}

/// A name as an attacker would send it.
pub const HOSTILE: &str = "/<script>alert(1)</script>\"'&\u{1b}[2J";

pub fn endpoint(id: u32, method: &str, template: &str, calls: u64, statuses: &[(u16, u64)]) -> EndpointView {
    let quantiles = |p50: u64| Quantiles { count: calls, p50, p95: p50 * 4, p99: p50 * 9, max: p50 * 20 };
    let path_parameters = template
        .split('/')
        .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| PathParameter { name: name.to_owned(), kinds: BTreeMap::from([(Kind::Integer, calls)]) })
        .collect();
    EndpointView {
        id: format!("ep-{id:016x}"),
        method: method.to_owned(),
        template: template.to_owned(),
        path_parameters,
        documented: id.is_multiple_of(2),
        calls,
        unanswered: calls - statuses.iter().map(|s| s.1).sum::<u64>(),
        first_seen: at(u64::from(id)),
        last_seen: at(800 + u64::from(id)),
        days_seen: 1,
        statuses: statuses.iter().copied().collect(),
        grpc_statuses: BTreeMap::new(),
        callers: 1 + calls / 100,
        latency: quantiles(2_400_000),
        request_size: quantiles(120),
        response_size: quantiles(4_096),
        request_types: BTreeMap::new(),
        response_types: BTreeMap::from([("application/json".to_owned(), calls)]),
        query: BTreeMap::from([(
            "page".to_owned(),
            ParameterView { calls: calls / 3, kinds: BTreeMap::from([(Kind::Integer, calls / 3)]) },
        )]),
    }
}

pub fn view() -> View {
    let shop = ServiceView {
        id: "svc-0000000000000001".to_owned(),
        scheme: Scheme::Http,
        host: "shop.example".to_owned(),
        port: 8080,
        addresses: vec!["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()],
        calls: 14_250,
        first_seen: at(0),
        last_seen: at(855),
        endpoints: vec![
            endpoint(2, "GET", "/v1/orders", 8_200, &[(200, 8_100), (401, 80), (500, 15)]),
            endpoint(4, "POST", "/v1/orders", 1_020, &[(201, 1_000), (422, 20)]),
            endpoint(6, "GET", "/v1/orders/{orderId}", 4_900, &[(200, 4_700), (404, 200)]),
            endpoint(7, "DELETE", "/v1/orders/{orderId}", 3, &[(204, 3)]),
            endpoint(9, "GET", "/internal/debug/{id}", 101, &[(200, 101)]),
            endpoint(8, "GET", "/v0/basket", 26, &[(200, 26)]),
        ],
        probes: BTreeMap::from([(404, 4_100)]),
        probed_paths: 3_900,
    };
    let odd = ServiceView {
        id: "svc-0000000000000002".to_owned(),
        scheme: Scheme::Http,
        host: "10.0.0.9".to_owned(),
        port: 80,
        addresses: vec!["10.0.0.9".parse().unwrap()],
        calls: 2,
        first_seen: at(3),
        last_seen: at(4),
        endpoints: vec![endpoint(11, "GET", HOSTILE, 2, &[(200, 1)])],
        probes: BTreeMap::new(),
        probed_paths: 0,
    };
    let mut visibility = Ledger::default();
    (visibility.packets, visibility.dropped_packets) = (98_000, 12);
    for (bucket, bytes) in [
        (Bucket::Http, 61_000_000),
        (Bucket::Framing, 6_600_000),
        (Bucket::Tls, 22_000_000),
        (Bucket::OtherTcp, 4_000_000),
        (Bucket::Duplicate, 900_000),
        (Bucket::NotTcp, 2_000_000),
        (Bucket::AfterGap, 40_000),
    ] {
        visibility.add(bucket, bytes);
    }
    visibility.captured = visibility.accounted();
    visibility.miss(Missing::Gap, 61_000);
    let mut oddities = Oddities::default();
    oddities.add(Oddity::StreamGap, 17);
    oddities.add(Oddity::HostMissing, 2);
    View {
        schema: View::SCHEMA,
        first_seen: at(0),
        last_seen: at(855),
        services: vec![odd, shop],
        visibility,
        oddities,
    }
}

fn finding(kind: FindingKind, method: &str, template: &str, subject: Option<&str>, calls: u64) -> Finding {
    Finding {
        id: format!("f-{:016x}", calls * 31 + kind as u64),
        kind,
        service: "http://shop.example:8080".to_owned(),
        service_id: Some("svc-0000000000000001".to_owned()),
        method: Some(method.to_owned()),
        template: Some(template.to_owned()),
        endpoint_id: (calls > 0).then(|| "ep-0000000000000009".to_owned()),
        subject: subject.map(str::to_owned),
        message: format!("{method} {template} was called {calls} times."),
        calls,
        first_seen: if calls > 0 { at(9) } else { Timestamp(0) },
        last_seen: if calls > 0 { at(809) } else { Timestamp(0) },
        service_calls: 14_250,
        statuses: if calls > 0 { BTreeMap::from([(200, calls)]) } else { BTreeMap::new() },
        example: (calls > 0).then(|| format!("{method} /internal/debug/{{integer}}")),
        document: (kind != FindingKind::Shadow).then(|| "shop.yaml#/paths/~1v1~1orders".to_owned()),
    }
}

pub fn diff() -> Diff {
    Diff {
        documents: vec![DocumentSummary {
            title: "Shop".to_owned(),
            version: "1.4.0".to_owned(),
            source: "shop.yaml".to_owned(),
            services: vec!["http://shop.example:8080".to_owned()],
            operations: 20,
            seen: 4,
            notes: vec!["held against it because 3 of its 9 telling paths were seen there".to_owned()],
        }],
        findings: vec![
            finding(FindingKind::Shadow, "GET", "/internal/debug/{id}", None, 101),
            finding(FindingKind::Zombie, "GET", "/v0/basket", None, 26),
            finding(FindingKind::UndocumentedMethod, "DELETE", "/v1/orders/{orderId}", None, 3),
            finding(FindingKind::UndocumentedStatus, "GET", "/v1/orders", Some("500"), 15),
            finding(FindingKind::UndocumentedQueryParameter, "GET", "/v1/orders", Some("page"), 2_733),
            finding(FindingKind::Unseen, "PUT", "/v1/orders/{orderId}", None, 0),
            finding(FindingKind::Unseen, "GET", "/v1/customers", None, 0),
        ],
        probes: BTreeMap::from([("http://shop.example:8080".to_owned(), 4_100)]),
    }
}

pub fn meta() -> Meta {
    Meta { sources: vec!["monday.pcapng".to_owned()], filter: Some("tcp port 8080".to_owned()), notes: Vec::new() }
}
