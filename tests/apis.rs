//! One API behind many hosts, several behind one, versions side by side and verbs in queries, from the outside: on exchanges
//! that went through the real watcher.

mod common;

use common::{Ask, ask, observe};
use shadowtap::base::{InventoryLimits, Ledger, Oddities};
use shadowtap::diff::{FindingKind, diff};
use shadowtap::inventory::{Inventory, Rule, RuleKind, ServiceView, View};
use shadowtap::spec::{Loader, Options, load};

fn inventory(asks: &[Ask]) -> Inventory {
    observe(Inventory::new(InventoryLimits::default()), asks)
}

fn view(inventory: &Inventory) -> View {
    inventory.view(&Ledger::default(), &Oddities::default())
}

fn at(host: &str, target: String, ts: u64) -> Ask {
    Ask { host: host.to_owned(), ts, ..ask(target, 200) }
}

/// A shop's traffic at a host; `many` customers by name.
fn shop(host: &str, many: usize, ts: u64) -> Vec<Ask> {
    const NAMES: [&str; 12] =
        ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "olivia"];
    let mut asks = Vec::new();
    for (n, name) in NAMES.iter().enumerate().take(many) {
        let n = n as u64;
        asks.push(at(host, format!("/api/customers/{name}/orders/{}", 100_000 + n * 7919), ts + n));
        asks.push(at(host, format!("/api/customers/{name}/orders"), ts + n));
        asks.push(at(host, format!("/api/customers/{name}"), ts + n));
        asks.push(at(host, "/api/products".to_owned(), ts + n));
        asks.push(at(host, format!("/api/products/{}", 4000 + n * 31), ts + n));
    }
    asks
}

fn rows(service: &ServiceView) -> Vec<String> {
    service.endpoints.iter().map(|e| format!("{} {} {}", e.method, e.place(), e.calls)).collect()
}

fn tenants() -> Vec<Ask> {
    let mut asks = Vec::new();
    for tenant in [1, 4, 17] {
        asks.extend(shop(&format!("tenant-{tenant}.example.com"), 12, 1_000 * tenant));
    }
    // One that asks little: by itself nobody could tell what `zoe` is.
    asks.push(at("tenant-23.example.com", "/api/customers/zoe/orders".to_owned(), 50_000));
    asks.push(at("tenant-23.example.com", "/api/products".to_owned(), 50_000));
    asks
}

#[test]
fn tenants_are_one_api_and_the_rare_ones_borrow_its_templates() {
    let inventory = inventory(&tenants());
    let view = view(&inventory);
    assert_eq!((view.services.len(), view.apis.len()), (4, 1));
    let api = &view.apis[0];
    assert_eq!((api.host.as_str(), api.members.len(), api.calls), ("{tenant}.example.com", 4, 182));
    assert!(api.because.contains("differ by a number"), "{}", api.because);
    assert_eq!(
        rows(api),
        [
            "GET /api/customers/{customerId} 36",
            "GET /api/customers/{customerId}/orders 37",
            "GET /api/customers/{customerId}/orders/{orderId} 36",
            "GET /api/products 37",
            "GET /api/products/{productId} 36",
        ]
    );
    let rare = view.services.iter().find(|s| s.host == "tenant-23.example.com").unwrap();
    assert_eq!(rows(rare), ["GET /api/customers/{customerId}/orders 1", "GET /api/products 1"]);
    assert!(view.services.iter().all(|s| s.api.as_ref() == Some(&api.id)));
    let folded = view.folded();
    assert_eq!((folded.services.len(), folded.calls(), folded.apis.len()), (1, view.calls(), 0));
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<View>(&text).unwrap(), view);
}

#[test]
fn ids_survive_when_hosts_become_one() {
    let alone = view(&inventory(&shop("tenant-1.example.com", 12, 1_000)));
    assert!(alone.apis.is_empty());
    let together = view(&inventory(&tenants()));
    let ids = |s: &ServiceView| s.endpoints.iter().map(|e| (e.template.clone(), e.id.clone())).collect::<Vec<_>>();
    assert_eq!(ids(&alone.services[0]), ids(&together.apis[0]), "those of the host that was seen first");
    let one = together.services.iter().find(|s| s.host == "tenant-1.example.com").unwrap();
    assert_eq!(ids(&alone.services[0]), ids(one));
    assert_eq!(one.id, alone.services[0].id);
}

#[test]
fn the_view_of_apis_knows_no_order_and_comes_back_from_records() {
    let mut asks = tenants();
    let mut first = inventory(&asks);
    let expected = view(&first);
    let records: Vec<_> = first.take_changes().into_iter().filter_map(|c| Some((c.key, c.value?))).collect();
    let restored = Inventory::restore(InventoryLimits::default(), records.into_iter()).unwrap();
    assert_eq!(view(&restored), expected);
    asks.reverse();
    assert_eq!(view(&inventory(&asks)), expected);
    let (a, b) = asks.split_at(asks.len() / 3);
    let mut merged = inventory(a);
    merged.merge(inventory(b));
    assert_eq!(view(&merged), expected);
}

#[test]
fn siblings_with_other_apis_stay_apart_and_people_decide() {
    let mut asks = shop("shop.example.com", 12, 1_000);
    for n in 0..20 {
        asks.push(at("users.example.com", format!("/api/users/{}", 5_000 + n * 17), 2_000));
        asks.push(at("users.example.com", "/api/groups".to_owned(), 2_000));
        asks.push(at("users.example.com", "/login".to_owned(), 2_000));
        asks.push(at("shop.example.com", "/login".to_owned(), 2_000));
    }
    let mut both = inventory(&asks);
    assert!(view(&both).apis.is_empty());
    both.set_rules(vec![Rule::new("*.example.com", "/", RuleKind::OneApi).unwrap()]);
    assert_eq!(view(&both).apis[0].members.len(), 2);
    let mut all = inventory(&tenants());
    all.set_rules(vec![Rule::new("tenant-*", "/", RuleKind::Apart).unwrap()]);
    assert!(view(&all).apis.is_empty(), "without a trace");
}

struct Text(&'static str);

impl Loader for Text {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }
}

#[test]
fn a_document_with_server_variables_is_held_against_the_api_once() {
    const DOCUMENT: &str = "openapi: 3.1.0
info: {title: Shop, version: '1'}
servers:
  - url: 'http://{tenant}.example.com/api'
    variables: {tenant: {default: demo}}
paths:
  /customers/{name}: {get: {}}
  /customers/{name}/orders: {get: {}}
  /customers/{name}/orders/{number}: {get: {}}
  /products: {get: {}}
";
    let (contract, _) = load(&Text(DOCUMENT), "shop.yaml", &Options::default()).unwrap();
    let found = diff(&view(&inventory(&tenants())), &[contract]);
    let shadows: Vec<_> = found.findings.iter().map(|f| (f.kind, f.service.as_str(), f.template.as_deref())).collect();
    let expected = (FindingKind::Shadow, "http://{tenant}.example.com", Some("/api/products/{productId}"));
    assert_eq!(shadows, [expected]);
    assert_eq!(found.findings[0].calls, 36);
}

#[test]
fn versions_side_by_side_are_successors() {
    let mut asks = Vec::new();
    for n in 0..30 {
        for version in ["v1", "v2"] {
            asks.push(ask(format!("/{version}/users/{}", 100_000 + n * 31), 200));
            asks.push(ask(format!("/{version}/users"), 200));
        }
        asks.push(ask(format!("/v2/groups/{}", 100_000 + n * 31), 200));
        for day in ["2023-11-01", "2024-05-01-preview"] {
            asks.push(ask(format!("/subscriptions?api-version={day}"), 200));
        }
    }
    let view = view(&inventory(&asks));
    let versions: Vec<_> = view.services[0]
        .endpoints
        .iter()
        .map(|e| {
            let place = |id: &Option<String>| {
                let e = view.services[0].endpoints.iter().find(|e| Some(&e.id) == id.as_ref());
                e.map(|e| e.place().into_owned()).unwrap_or_default()
            };
            let of = e.versions.as_ref().map(|v| (v.version.clone(), place(&v.predecessor), place(&v.successor)));
            (e.place().into_owned(), of)
        })
        .collect();
    let all = |place: &str, version: &str, before: &str, after: &str| {
        (place.to_owned(), Some((version.to_owned(), before.to_owned(), after.to_owned())))
    };
    let (old, new) = ("/subscriptions ?api-version=2023-11-01", "/subscriptions ?api-version=2024-05-01-preview");
    assert_eq!(
        versions,
        [
            all(old, "2023-11-01", "", new),
            all(new, "2024-05-01-preview", old, ""),
            all("/v1/users", "v1", "", "/v2/users"),
            all("/v1/users/{userId}", "v1", "", "/v2/users/{userId}"),
            ("/v2/groups/{groupId}".to_owned(), None),
            all("/v2/users", "v2", "/v1/users", ""),
            all("/v2/users/{userId}", "v2", "/v1/users/{userId}", ""),
        ]
    );
}

#[test]
fn hard_case_10_a_verb_in_the_query_separates_and_a_filter_does_not() {
    let mut asks = Vec::new();
    for n in 0..20 {
        asks.push(ask(format!("/w/rpc?action=query&list=all&limit={n}"), 200));
        asks.push(ask("/w/rpc?action=parse&page=Main", 200));
        asks.push(ask(format!("/w/rpc?action=edit&title=T{n}&text=x"), 200));
        for filter in
            ["format=json", "format=xml", "lang=en", "status=open", "sort=asc", "page=2", "mode=dark", "method=card"]
        {
            asks.push(ask(format!("/things?{filter}"), 200));
        }
        // What people did, filtered by what it was: nothing else depends on it.
        for what in ["login", "logout", "update"] {
            asks.push(ask(format!("/audit?action={what}&limit=10"), 200));
        }
    }
    asks.push(ask("/w/rpc?action=nonsense", 400));
    asks.push(ask("/w/rpc?action=alice@example.com", 200));
    let view = view(&inventory(&asks));
    let rows = rows(&view.services[0]);
    assert_eq!(
        rows,
        [
            "GET /audit 60",
            "GET /things 160",
            "GET /w/rpc 2",
            "GET /w/rpc ?action=edit 20",
            "GET /w/rpc ?action=parse 20",
            "GET /w/rpc ?action=query 20",
        ]
    );
    let ids: std::collections::BTreeSet<_> = view.services[0].endpoints.iter().map(|e| &e.id).collect();
    assert_eq!(ids.len(), rows.len());
    assert!(!serde_json::to_string(&view).unwrap().contains("alice"));
}

#[test]
fn operations_made_up_by_the_thousand_are_bounded() {
    let limits = InventoryLimits { operations: 50, ..InventoryLimits::default() };
    let letters =
        |n: u32| format!("get{}{}", ('a'..='z').nth(n as usize % 26).unwrap(), "x".repeat(n as usize / 26 % 40));
    let asks: Vec<_> = (0..1040).map(|n| ask(format!("/rpc?action={}", letters(n)), 200)).collect();
    let inventory = observe(Inventory::new(limits), &asks);
    let view = view(&inventory);
    assert_eq!(view.calls(), 1040);
    assert!(inventory.size().1 <= 51, "{:?}", inventory.size());
    assert!(view.endpoints() <= 51);
}

#[test]
fn hard_case_11_command_style_paths_stay_commands() {
    let commands = [
        "core/get-preference",
        "core/set-preference",
        "core/get-rows",
        "core/create-project",
        "database/connect",
        "database/execute-query",
    ];
    let mut asks = Vec::new();
    for (n, command) in commands.iter().enumerate() {
        for i in 0..(5 + n * 3) {
            asks.push(ask(format!("/command/{command}?name=p{i}"), 200));
        }
    }
    let view = view(&inventory(&asks));
    let mut expected: Vec<_> = commands.iter().map(|c| format!("/command/{c}")).collect();
    expected.sort();
    assert_eq!(view.services[0].endpoints.iter().map(|e| e.template.clone()).collect::<Vec<_>>(), expected);
}
