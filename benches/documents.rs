//! Reading a document of 1,000 operations, and holding 100,000 endpoints against it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use shadowtap::base::Timestamp;
use shadowtap::diff::diff;
use shadowtap::inventory::{EndpointView, PathParameter, Quantiles, ServiceView, View};
use shadowtap::observe::{Kind, Scheme};
use shadowtap::spec::{Loader, Options, load};

struct Text(String);

impl Loader for Text {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// 500 paths with two operations each. `servers` is a line of YAML.
fn document(servers: &str) -> String {
    let mut text = format!("openapi: 3.0.3\ninfo: {{title: Bench, version: '1'}}\n{servers}\npaths:\n");
    for n in 0..500 {
        let _ = write!(
            text,
            "  /group{}/things{n}/{{id}}:\n    get:\n      parameters: [{{name: page, in: query}}]\n      responses:\n        \
             '200': {{description: ok, content: {{application/json: {{}}}}}}\n    delete:\n      responses: {{'204': \
             {{description: gone}}}}\n",
            n % 20
        );
    }
    text
}

fn endpoint(n: usize) -> EndpointView {
    EndpointView {
        operation: None,
        prefix: None,
        versions: None,
        id: format!("ep-{n}"),
        method: if n.is_multiple_of(3) { "DELETE" } else { "GET" }.to_owned(),
        template: format!("/group{}/things{n}/{{id}}", n % 20),
        path_parameters: vec![PathParameter { name: "id".to_owned(), kinds: BTreeMap::from([(Kind::Integer, 10)]) }],
        documented: false,
        calls: 10,
        unanswered: 0,
        first_seen: Timestamp::default(),
        last_seen: Timestamp::default(),
        days_seen: 1,
        statuses: BTreeMap::from([(200, 10)]),
        grpc_statuses: BTreeMap::new(),
        messages: None,
        callers: 1,
        latency: Quantiles::default(),
        request_size: Quantiles::default(),
        response_size: Quantiles::default(),
        request_types: BTreeMap::new(),
        response_types: BTreeMap::new(),
        query: BTreeMap::new(),
    }
}

/// So many services with 100,000 endpoints in all.
fn inventory(services: usize) -> View {
    let each = 100_000 / services;
    let service = |n: usize| ServiceView {
        api: None,
        members: Vec::new(),
        because: String::new(),
        prefixes: Vec::new(),
        id: format!("svc-{n}"),
        scheme: Scheme::Http,
        host: format!("s{n}.example"),
        port: 80,
        addresses: Vec::new(),
        calls: 10 * each as u64,
        first_seen: Timestamp::default(),
        last_seen: Timestamp::default(),
        endpoints: (0..each).map(endpoint).collect(),
        probes: BTreeMap::new(),
        probed_paths: 0,
    };
    View { services: (0..services).map(service).collect(), ..View::default() }
}

fn documents(c: &mut Criterion) {
    let text = Text(document("servers: [{url: 'https://s0.example'}]"));
    c.bench_function("read 1,000 operations", |b| b.iter(|| load(black_box(&text), "a.yaml", &Options::default())));
    let (contract, _) = load(&text, "a.yaml", &Options::default()).expect("a sound document");
    let one = inventory(1);
    c.bench_function("hold 100,000 endpoints of one service", |b| {
        b.iter(|| diff(black_box(&one), std::slice::from_ref(&contract)));
    });
    let (relative, _) = load(&Text(document("")), "a.yaml", &Options::default()).expect("a sound document");
    let many = inventory(1000);
    c.bench_function("hold 100,000 endpoints of 1,000 services, document without server", |b| {
        b.iter(|| diff(black_box(&many), std::slice::from_ref(&relative)));
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = documents }
criterion_main!(benches);
