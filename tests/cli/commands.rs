//! The other commands.

use crate::sandbox::Sandbox;
use crate::traffic::{SHOP, Traffic, get, json, shop};

/// A kept inventory of the shop in `kept/`, made with its document or without.
fn kept() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    sandbox.run(&["scan", "-r", "shop.pcap", "--out", "kept"]).exits(0);
    sandbox
}

#[test]
fn version_and_help() {
    let sandbox = Sandbox::new();
    let version = sandbox.run(&["--version"]).exits(0);
    assert_eq!(version.out.trim(), concat!("shadowtap ", env!("CARGO_PKG_VERSION")));
    let help = sandbox.run(&["--help"]).exits(0);
    for words in ["Exit codes:", "Examples:", "scan", "transactions", "inventory", "check-config"] {
        assert!(help.out.contains(words), "no `{words}` in\n{}", help.out);
    }
    for command in ["scan", "run", "transactions", "inventory", "diff", "check-config", "interfaces"] {
        sandbox.run(&[command, "--help"]).exits(0);
    }
    sandbox.run(&[]).exits(2);
}

#[test]
fn lists_what_was_kept() {
    let sandbox = kept();
    let ran = sandbox.run(&["inventory", "list", "--store", "kept"]).exits(0);
    assert!(ran.out.contains("http://shop.example:8080") && ran.out.contains("/internal/debug"), "{}", ran.out);
    let none = sandbox.run(&["inventory", "list", "--store", "kept", "--service", "nowhere"]).exits(0);
    assert!(!none.out.contains("shop.example"), "{}", none.out);
    let json = sandbox.run(&["inventory", "list", "--store", "kept", "--json"]).exits(0).json();
    assert_eq!(json["services"][0]["calls"], 15);
}

#[test]
fn a_second_scan_adds_to_what_was_kept() {
    let sandbox = kept();
    sandbox.run(&["scan", "-r", "shop.pcap", "--out", "kept"]).exits(0);
    let json = sandbox.run(&["inventory", "export", "--store", "kept"]).exits(0).json();
    assert_eq!(json["services"][0]["calls"], 30);
}

#[test]
fn shows_one_endpoint_by_id_and_by_path() {
    let sandbox = kept();
    let json = sandbox.run(&["inventory", "export", "--store", "kept"]).exits(0).json();
    let endpoint = &json["services"][0]["endpoints"][0];
    let (id, template) = (endpoint["id"].as_str().unwrap(), endpoint["template"].as_str().unwrap());
    let by_id = sandbox.run(&["inventory", "show", "--store", "kept", id]).exits(0);
    assert!(by_id.out.contains(template) && by_id.out.contains("Statuses"), "{}", by_id.out);
    let by_path = sandbox.run(&["inventory", "show", "--store", "kept", "GET", template]).exits(0);
    assert_eq!(by_path.out, by_id.out);
    let as_json = sandbox.run(&["inventory", "show", "--store", "kept", "--json", id]).exits(0).json();
    assert_eq!(&as_json, endpoint);
    let service = json["services"][0]["id"].as_str().unwrap();
    assert!(sandbox.run(&["inventory", "show", "--store", "kept", service]).exits(0).out.contains("/v0/basket"));
    let missing = sandbox.run(&["inventory", "show", "--store", "kept", "ep-0"]).exits(1);
    assert!(missing.err.contains("ep-0"), "{}", missing.err);
}

#[test]
fn export_is_what_scan_saw() {
    let sandbox = kept();
    let scanned = sandbox.run(&["scan", "-r", "shop.pcap", "--json"]).exits(0).json();
    let exported = sandbox.run(&["inventory", "export", "--store", "kept", "--compact"]).exits(0).json();
    // Ids and callers hang on the store's key; calls, templates and the ledger do not.
    assert_eq!(scanned["inventory"]["visibility"], exported["visibility"]);
    let templates = |view: &serde_json::Value| {
        let endpoints = view["services"][0]["endpoints"].as_array().unwrap().clone();
        endpoints.iter().map(|e| (e["template"].clone(), e["calls"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(templates(&scanned["inventory"]), templates(&exported));
}

#[test]
fn diff_over_what_was_kept() {
    let sandbox = kept();
    let ran = sandbox.run(&["diff", "--store", "kept", "--spec", "shop.yaml"]).exits(0);
    assert!(ran.out.contains("Shadow endpoints 1"), "{}", ran.out);
    let ran =
        sandbox.run(&["diff", "--store", "kept", "--spec", "shop.yaml", "--fail-on", "zombie", "--json"]).exits(3);
    let kinds: Vec<_> = ran.json()["diff"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["shadow", "zombie", "unseen"]);
    let ran = sandbox.run(&["diff", "--store", "kept"]).exits(2);
    assert!(ran.err.contains("--spec"), "{}", ran.err);
}

#[test]
fn a_folder_without_a_store_is_said() {
    let sandbox = Sandbox::new();
    for args in [&["inventory", "list", "--store", "nowhere"][..], &["diff", "--store", "nowhere", "--spec", "x.yaml"]]
    {
        let ran = sandbox.run(args);
        assert!(ran.code == 1 || ran.code == 2, "{}", ran.code);
        assert!(ran.err.contains("nowhere") || ran.err.contains("x.yaml"), "{}", ran.err);
    }
}

#[test]
fn checks_a_configuration() {
    let sandbox = Sandbox::new();
    sandbox.file("bad.toml", "intrface = 'eth0'\n");
    let ran = sandbox.run(&["check-config", "bad.toml"]).exits(2);
    assert!(ran.err.contains("intrface"), "{}", ran.err);
    let ran = sandbox.run(&["check-config", "missing.toml"]).exits(2);
    assert!(ran.err.contains("missing.toml"), "{}", ran.err);
    sandbox.file("good.toml", "[store]\nfolder = 'kept'\n[folder]\npath = '.'\n");
    let ran = sandbox.run(&["check-config", "good.toml"]).exits(0);
    assert!(ran.out.contains("commit_seconds") && ran.err.contains("can be used"), "{}{}", ran.out, ran.err);
    let quiet = sandbox.run(&["check-config", "--quiet", "good.toml"]).exits(0);
    assert!(quiet.out.is_empty() && !quiet.err.contains("can be used"), "{}{}", quiet.out, quiet.err);
}

#[test]
fn interfaces_lists_the_loopback_or_says_why_not() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["interfaces"]);
    assert!((ran.code == 0 && ran.out.contains("lo")) || (ran.code == 1 && !ran.err.is_empty()));
}

#[test]
fn documents_of_the_configuration_name_the_paths_of_the_services_they_are_about() {
    let sandbox = Sandbox::new();
    // No server: which service it is about is told by the paths alone.
    let document = "openapi: 3.0.3\ninfo: {title: Orders, version: '1'}\npaths:\n  /v1/orders:\n    get: {responses: {'200': {description: ok}}}\n  /v1/orders/{theOrder}:\n    get: {responses: {'200': {description: ok}}}\n  /internal/debug:\n    get: {responses: {'200': {description: ok}}}\n  /v0/basket:\n    get: {responses: {'200': {description: ok}}}\n";
    sandbox.file("orders.yaml", document);
    sandbox.file("c.toml", "[folder]\npath = \".\"\n[store]\nfolder = \"kept\"\n[[spec]]\nfile = \"orders.yaml\"\n");
    sandbox.file("plain.toml", "[folder]\npath = \".\"\n[store]\nfolder = \"kept\"\n");
    // Another service has one path of the same form, and is not what the document is about.
    let mut other = Traffic::new();
    for n in 0..12 {
        other.exchange(1, 81, &get(&format!("/v1/orders/{n}77")), &json(200, "{}"));
        for path in ["/v1/stock", "/v1/shelves", "/v1/aisles", "/v1/robots", "/v1/pickers", "/v1/lifts"] {
            other.exchange(1, 81, &get(path), &json(200, "{}"));
        }
    }
    let templates = |config: &str, port: u64| {
        let view = sandbox.run(&["inventory", "list", "--config", config, "--json"]).exits(0).json();
        let services = view["services"].as_array().unwrap().clone();
        let service = services.into_iter().find(|s| s["port"] == port).unwrap();
        let endpoints = service["endpoints"].as_array().unwrap().clone();
        endpoints.into_iter().map(|e| e["template"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("other.pcap", other.pcap());
    sandbox.run(&["scan", "-r", "other.pcap", "--out", "kept"]).exits(0);
    sandbox.run(&["scan", "-r", "shop.pcap", "--out", "kept"]).exits(0);
    let named = |templates: Vec<String>| templates.iter().any(|t| t == "/v1/orders/{theOrder}");
    assert!(!named(templates("plain.toml", 8080)), "nothing says so");
    assert!(named(templates("c.toml", 8080)), "{:?}", templates("c.toml", 8080));
    assert!(!named(templates("c.toml", 81)), "{:?}", templates("c.toml", 81));
    // A document that cannot be read does not hide the inventory.
    sandbox.file("orders.yaml", "nothing of the kind");
    let ran = sandbox.run(&["inventory", "list", "--config", "c.toml"]).exits(0);
    assert!(ran.out.contains("/v1/orders/") && ran.err.contains("the document is left out"), "{}", ran.err);
}
