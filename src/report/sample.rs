//! A made-up inventory for tests of pages and tables: two services, each kind of finding, some loss, a hostile name.

use std::collections::BTreeMap;

use super::Meta;
use crate::base::{Bucket, Ledger, Missing, Oddities, Oddity, Timestamp};
use crate::diff::{Diff, DocumentSummary, Finding, FindingKind};
use crate::inventory::{
    BlindService, BlindView, CertificateView, ClientCertificates, EndpointView, Hint, Likeness, NamedBy, OpaqueView,
    ParameterView, PathParameter, Quantiles, ServiceView, Sight, SightCounts, TurnsView, View,
};
use crate::observe::{Blindness, Cover, Kind, Scheme};

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
        operation: None,
        prefix: None,
        versions: None,
        path_parameters,
        documented: id.is_multiple_of(2),
        calls,
        unanswered: calls - statuses.iter().map(|s| s.1).sum::<u64>(),
        first_seen: at(u64::from(id)),
        last_seen: at(800 + u64::from(id)),
        days_seen: 1,
        statuses: statuses.iter().copied().collect(),
        grpc_statuses: BTreeMap::new(),
        messages: None,
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

/// A server behind TLS or QUIC; keys opened so many of its connections.
pub fn server(name: &str, kind: Cover, connections: u64, with_keys: u64) -> OpaqueView {
    let handshakes = |text: &str| BTreeMap::from([(text.to_owned(), connections)]);
    let tls = kind == Cover::Tls;
    let certificate = CertificateView {
        fingerprint: "00c0ffee00c0ffee".to_owned(),
        subject: format!("CN={name}, O=Example"),
        issuer: "CN=Example CA".to_owned(),
        names: vec![name.to_owned(), format!("*.{name}")],
        more_names: 3,
        not_before: Some(1_780_000_000),
        not_after: Some(1_827_014_400),
        seen: with_keys,
    };
    OpaqueView {
        id: format!("opq-{connections:016x}"),
        kind,
        sight: if with_keys > 0 { Sight::Partly } else { Sight::Opaque },
        name: name.to_owned(),
        named_by: NamedBy::Sni,
        port: 443,
        addresses: vec!["10.0.0.44".parse().unwrap()],
        services: if with_keys > 0 { vec!["svc-0000000000000001".to_owned()] } else { Vec::new() },
        connections,
        with_keys,
        without_keys: connections - with_keys,
        bytes: [120_000, 4_300_000],
        bytes_without_keys: [30_000, 1_100_000],
        first_seen: at(2),
        last_seen: at(840),
        days_seen: 1,
        callers: 4,
        versions: handshakes(if tls { "TLS1.3" } else { "QUIC v1" }),
        suites: if tls { handshakes("TLS_AES_128_GCM_SHA256") } else { BTreeMap::new() },
        alpn: if tls { handshakes("h2") } else { BTreeMap::new() },
        alpn_offered: handshakes(if tls { "h2" } else { "h3" }),
        ja4: handshakes("t13d1516h2_8daaf6152771_e5627efa2ab1"),
        ja3s: BTreeMap::new(),
        others: BTreeMap::from([("ja4".to_owned(), 2)]),
        certificates: if with_keys > 0 { vec![certificate] } else { Vec::new() },
        certificate_requested: with_keys,
        client_certificates: ClientCertificates {
            seen: with_keys,
            distinct: with_keys.min(2),
            issuers: if with_keys > 0 { BTreeMap::from([("CN=Staff CA".to_owned(), 9)]) } else { BTreeMap::new() },
        },
        resumed: 1,
        retried: 0,
        early_data: 0,
        ech: 2,
        turns: TurnsView { clients: [0, 90, 4, 0, 0, 0, 0, 0], server: [0, 10, 80, 4, 0, 0, 0, 0] },
        hint: Hint {
            likeness: Likeness::Likely,
            reasons: vec!["the server chose the application protocol h2".to_owned()],
        },
    }
}

fn hostile_server() -> OpaqueView {
    let hint =
        Hint { likeness: Likeness::Unknown, reasons: vec!["no application protocol (ALPN) was named".to_owned()] };
    OpaqueView { named_by: NamedBy::Certificate, port: 8443, hint, ..server(HOSTILE, Cover::Tls, 1, 0) }
}

fn blind() -> BlindView {
    let service = BlindService {
        id: "bld-0000000000000001".to_owned(),
        address: "10.0.0.77".to_owned(),
        port: 9000,
        connections: 4,
        messages: 0,
        bytes: 81_000,
        reasons: BTreeMap::from([(Blindness::OneSided, 4)]),
        first_seen: at(1),
        last_seen: at(800),
        days_seen: 1,
        callers: 2,
    };
    BlindView {
        services: vec![service],
        known_connections: 3,
        known_messages: 7,
        known_bytes: 900,
        unattributed_bytes: 40_000,
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
        api: None,
        members: Vec::new(),
        because: String::new(),
        prefixes: Vec::new(),
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
        api: None,
        members: Vec::new(),
        because: String::new(),
        prefixes: Vec::new(),
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
        apis: Vec::new(),
        schema: View::SCHEMA,
        first_seen: at(0),
        last_seen: at(855),
        services: vec![odd, shop],
        opaque: vec![
            server("cdn.example", Cover::H3, 40, 0),
            server("pay.example", Cover::Tls, 12, 9),
            hostile_server(),
        ],
        blind: blind(),
        sight: SightCounts { inventoried: 2, partly: 1, opaque: 2, blind: 1 },
        visibility,
        oddities,
    }
}

fn finding(kind: FindingKind, method: &str, template: &str, subject: Option<&str>, calls: u64) -> Finding {
    Finding {
        operation: None,
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
