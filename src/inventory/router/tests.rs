//! Routers against the learner: what one says of a request, the other says too.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::base::{InventoryLimits, Timestamp};
use crate::inventory::{Inventory, Rule, RuleKind, learn, render};
use crate::observe::{Batch, Key, Logged, Watch};

/// Observations of lines `METHOD target status`.
fn batch(lines: &[(String, String, u16)]) -> Batch {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    for (at, (method, target, status)) in lines.iter().enumerate() {
        watch.logged(&Logged {
            ts: Timestamp(at as u64 + 1),
            host: "api.example",
            method,
            target,
            status: Some(*status),
            response_type: "application/json",
            ..Logged::default()
        });
    }
    watch.sink
}

fn learnt(batch: &Batch) -> Inventory {
    let mut inventory = Inventory::new(InventoryLimits::default());
    batch.for_each(|o| inventory.observe(o));
    inventory
}

/// By the tree itself: which template holds the raw endpoint of a request.
struct Held<'a> {
    inventory: &'a Inventory,
    templates: Vec<HashMap<u32, String>>,
}

impl<'a> Held<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let of = |service: &crate::inventory::Service| {
            let learnt = learn::learn(&service.tree, &inventory.told_of(service), false);
            let text = |t: &learn::Template| render::text(service, t);
            learnt.templates.iter().flat_map(|t| t.endpoints.iter().map(|id| (*id, text(t)))).collect()
        };
        Self { inventory, templates: inventory.services.iter().map(of).collect() }
    }

    fn template(&self, o: &Observation<'_>) -> Option<&str> {
        let service = self.inventory.find(&o.service)? as usize;
        let id = self.inventory.reach(&self.inventory.services[service], o)?;
        self.templates[service].get(&id).map(String::as_str)
    }
}

/// Does the router say of each request what the learner says in the end? Gives how many requests had a template.
fn agree(inventory: &Inventory, batch: &Batch) -> Result<usize, String> {
    let (held, routers) = (Held::new(inventory), inventory.compile());
    let (mut found, mut wrong) = (0, None);
    batch.for_each(|o| {
        let (held, routed) = (held.template(o), routers.route(o));
        found += usize::from(held.is_some());
        if held != routed.map(|r| &*r.known.template) && wrong.is_none() {
            wrong = Some(format!("{} {:?}: {held:?}, but {routed:?}", o.method, o.path));
        }
    });
    wrong.map_or(Ok(found), Err)
}

fn gets(targets: &[&str]) -> Vec<(String, String, u16)> {
    targets.iter().map(|t| ("GET".to_owned(), (*t).to_owned(), 200)).collect()
}

fn route(inventory: &Inventory, target: &str) -> Option<(String, u64, bool)> {
    let routers = inventory.compile();
    let mut found = None;
    batch(&gets(&[target])).for_each(|o| {
        found = routers.route(o).map(|r| (r.known.template.to_string(), r.parameters, r.detour));
    });
    found
}

fn some(template: &str, parameters: u64, detour: bool) -> Option<(String, u64, bool)> {
    Some((template.to_owned(), parameters, detour))
}

#[test]
fn words_go_before_values_and_back_where_they_end_nowhere() {
    let mut all = vec!["/users/me".to_owned(), "/users/me/settings".to_owned(), "/".to_owned()];
    all.extend((0..40).flat_map(|n| [format!("/users/{}", 1000 + n), format!("/users/{}/orders/{n}77", 1000 + n)]));
    let asks = gets(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let inventory = learnt(&batch(&asks));
    assert_eq!(agree(&inventory, &batch(&asks)), Ok(asks.len()));
    assert_eq!(route(&inventory, "/users/me"), some("/users/me", 0, false));
    assert_eq!(route(&inventory, "/Users/ME"), some("/users/me", 0, false));
    assert_eq!(route(&inventory, "/%75sers/17?x=1"), some("/users/{userId}", 0b10, false));
    assert_eq!(route(&inventory, "/users/me/orders/5"), some("/users/{userId}/orders/{orderId}", 0b1010, true));
    assert_eq!(route(&inventory, "/users/7/orders/5"), some("/users/{userId}/orders/{orderId}", 0b1010, false));
    assert_eq!(route(&inventory, "/users/7/invoices"), None);
    assert_eq!(route(&inventory, "/groups"), None);
    assert_eq!(route(&inventory, "/"), some("/", 0, false));
    // Of another service, or with another method, nothing is known.
    let routers = inventory.compile();
    let key = ServiceKey { scheme: Scheme::Http, host: "api.example", port: 80 };
    assert!(routers.route_path(&key, "GET", &[]).is_some() && routers.route_path(&key, "PUT", &[]).is_none());
    assert!(routers.route_path(&ServiceKey { port: 81, ..key }, "GET", &[]).is_none());
}

#[test]
fn hard_case_08_glued_segments_endings_and_rests_are_routed() {
    let mut all = Vec::new();
    for n in 0..30 {
        all.push(format!("/reports/{}.json", 5000 + n));
        all.push(format!("/jobs/{}:cancel", 5000 + n));
        all.push(format!("/Customers('{}')/Orders", 5000 + n));
        all.push(format!("/repos/a{n}/compare/main{n}...fix{n}"));
    }
    let asks = gets(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let inventory = learnt(&batch(&asks));
    assert_eq!(agree(&inventory, &batch(&asks)), Ok(asks.len()));
    let template = |target: &str| route(&inventory, target).map(|r| r.0);
    assert_eq!(template("/reports/9.json").as_deref(), Some("/reports/{reportId}.json"));
    assert_eq!(template("/jobs/12345:cancel").as_deref(), Some("/jobs/{jobId}:cancel"));
    assert_eq!(template("/jobs/12345:destroy"), None);
    assert_eq!(template("/Customers('77777')/Orders").as_deref(), Some("/Customers('{customerId}')/Orders"));
    assert!(template("/repos/zebra/compare/dev...next").is_some());
}

#[test]
fn rules_of_people_hold_in_the_router() {
    let mut all: Vec<String> = (0..40).map(|n| format!("/internal/a{n}/b")).collect();
    all.extend((0..40).flat_map(|n| [format!("/store/x{n}/y{n}/z"), format!("/store/x{n}"), format!("/v1/{n}000/b")]));
    let asks = gets(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let mut inventory = learnt(&batch(&asks));
    let rule = |path: &str, kind| Rule::new("", path, kind).expect("a rule");
    inventory.set_rules(vec![rule("/internal", RuleKind::Ignore), rule("/store", RuleKind::One)]);
    assert_eq!(agree(&inventory, &batch(&asks)), Ok(asks.len() - 40));
    assert_eq!(route(&inventory, "/internal/new/b"), None);
    assert_eq!(route(&inventory, "/store/never/seen/before/x"), some("/store/{path*}", 0b11110, false));
}

#[test]
fn a_path_made_to_hurt_costs_no_more_than_its_depth_and_a_few_ways_back() {
    // A tree in which each level has a word and a value, the bottom being reached by values alone.
    let mut all: Vec<String> = Vec::new();
    for n in 0..20 {
        all.push(format!("/{}", vec![format!("{}", 1000 + n); 20].join("/")));
        all.push(format!("/{}", vec!["me"; n + 1].join("/")));
    }
    let inventory = learnt(&batch(&gets(&all.iter().map(String::as_str).collect::<Vec<_>>())));
    let nowhere = format!("/{}", vec!["me"; 60].join("/"));
    assert_eq!(route(&inventory, &nowhere), None);
}

fn any_line() -> impl Strategy<Value = (String, String, u16)> {
    let word = prop::sample::select(vec![
        "users",
        "orders",
        "me",
        "search",
        "api",
        "v1",
        "Acme",
        "acme",
        "hooli",
        "TK-1",
        "TK-2",
        "7",
        "items",
        "favicon.ico",
        ".env",
        "a.json",
        "b.json",
        "b.xml",
        "c.png",
        "d.pdf",
        "x:cancel",
        "12:cancel",
        "N('a')",
        "N('b')",
        "m...f",
        "lang=de",
        "wp-admin",
        "%41cme",
        "2024-01-31",
    ]);
    let segment = prop_oneof![3 => word.prop_map(str::to_owned), 1 => (100u64..100_000).prop_map(|n| n.to_string())];
    let status = prop::sample::select(vec![200u16, 200, 200, 201, 302, 401, 403, 404, 404, 405, 500]);
    let method = prop::sample::select(vec!["GET", "GET", "POST", "DELETE", "PURGE", "OPTIONS"]);
    let path = prop::collection::vec(segment, 0..6).prop_map(|path| format!("/{}", path.join("/")));
    (method.prop_map(str::to_owned), path, status)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn routers_say_what_the_learner_says(lines in prop::collection::vec(any_line(), 0..150)) {
        let batch = batch(&lines);
        prop_assert!(agree(&learnt(&batch), &batch).is_ok(), "{:?}", agree(&learnt(&batch), &batch));
    }

    #[test]
    fn routers_say_so_of_long_paths_and_folded_places(lines in prop::collection::vec(any_line(), 0..150)) {
        let batch = batch(&lines);
        let limits = InventoryLimits { path_segments: 3, ..InventoryLimits::default() };
        let mut inventory = Inventory::new(limits);
        batch.for_each(|o| inventory.observe(o));
        prop_assert!(agree(&inventory, &batch).is_ok(), "{:?}", agree(&inventory, &batch));
    }
}

/// On the labelled traffic of real APIs, which lies outside of the project.
#[cfg(test)]
mod benchmark {
    use std::io::BufRead;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn routers_say_what_the_learner_says_on_the_benchmark() {
        let shared = std::env::var_os("SHADOWTAP_SHARED")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
        let folder = shared.join("templates/traffic");
        let Ok(files) = std::fs::read_dir(&folder) else {
            eprintln!("SKIPPED: {} is not there", folder.display());
            return;
        };
        let mut apis = 0;
        for file in files.map(|f| f.expect("a file").path()) {
            let name = file.to_string_lossy().into_owned();
            if !name.ends_with(".small.jsonl.gz") {
                continue;
            }
            let text =
                std::io::BufReader::new(flate2::read::MultiGzDecoder::new(std::fs::File::open(&file).expect("a file")));
            let line = |line: std::io::Result<String>| {
                let v: serde_json::Value = serde_json::from_str(&line.expect("text")).expect("JSON");
                let text = |name: &str| v[name].as_str().unwrap_or_default().to_owned();
                (text("method"), text("path"), v["status"].as_u64().unwrap_or_default() as u16)
            };
            let batch = batch(&text.lines().map(line).collect::<Vec<_>>());
            let found = agree(&learnt(&batch), &batch).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(found > 50, "{name}: {found}");
            apis += 1;
        }
        assert!(apis > 40, "{apis} files");
    }
}
