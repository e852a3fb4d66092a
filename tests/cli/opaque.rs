//! Servers behind TLS and QUIC, in captures of real peers: inventoried with keys, opaque without, kept and shown.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// The folder of shared captures; `None`, and loudly so, where it is not there.
fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("SHADOWTAP_SHARED").map(|shared| PathBuf::from(shared).join("captures"));
    let there = folder.filter(|folder| folder.join("index.jsonl").is_file());
    if there.is_none() {
        eprintln!(
            "SKIPPED: SHADOWTAP_SHARED names no folder with captures; opaque services of real peers were not tested"
        );
    }
    there
}

const LOCALHOST: &str = "hotplace_http1.pcapng";

/// The arguments that read this capture, with its keys or without.
fn read(folder: &std::path::Path, keys: bool) -> Vec<String> {
    let mut args = vec!["-r".to_owned(), folder.join("files").join(LOCALHOST).display().to_string()];
    if keys {
        args.push("--keylog".to_owned());
        args.push(folder.join("keys").join(format!("{LOCALHOST}.keylog")).display().to_string());
    }
    args
}

fn scan(sandbox: &Sandbox, read: &[String], more: &[&str]) -> crate::sandbox::Ran {
    let args: Vec<&str> =
        ["scan"].into_iter().chain(read.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    sandbox.run(&args).exits(0)
}

#[test]
fn the_same_capture_is_inventoried_with_keys_and_opaque_without() {
    let Some(folder) = captures() else { return };
    let sandbox = Sandbox::new();
    let closed = scan(&sandbox, &read(&folder, false), &[]).out;
    assert!(closed.contains("Seen but opaque") && closed.contains("tls://localhost:9000"), "{closed}");
    assert!(closed.contains("0 services inventoried; 1 seen but opaque; 0 blind"), "{closed}");
    let open = scan(&sandbox, &read(&folder, true), &[]).out;
    assert!(open.contains("https://localhost:9000") && !open.contains("Seen but opaque"), "{open}");

    let json = scan(&sandbox, &read(&folder, true), &["--json"]).json();
    let server = &json["inventory"]["opaque"][0];
    assert_eq!((&server["sight"], &server["with_keys"]), (&"inventoried".into(), &2.into()), "{server:#}");
    assert_eq!(server["services"][0], json["inventory"]["services"][0]["id"]);
    let json = scan(&sandbox, &read(&folder, false), &["--json"]).json();
    let server = &json["inventory"]["opaque"][0];
    assert_eq!((&server["sight"], &server["without_keys"]), (&"opaque".into(), &2.into()), "{server:#}");
    assert_eq!(json["inventory"]["sight"]["opaque"], 1);
}

#[test]
fn what_is_kept_adds_up_and_is_listed_shown_and_put_on_the_page() {
    let Some(folder) = captures() else { return };
    let sandbox = Sandbox::new();
    scan(&sandbox, &read(&folder, false), &["--out", "kept"]);
    scan(&sandbox, &read(&folder, true), &["--out", "kept", "--html", "page.html"]);
    let list = sandbox.run(&["inventory", "list", "--store", "kept"]).exits(0).out;
    assert!(list.contains("read in part: 2 of 4 connections had no keys"), "{list}");
    assert!(list.contains("2 of 4") && list.contains("tls://localhost:9000"), "{list}");
    assert!(list.contains("1 service inventoried, 1 of them in part; 0 seen but opaque; 0 blind"), "{list}");
    let export = sandbox.run(&["inventory", "export", "--store", "kept"]).exits(0).json();
    let server = &export["opaque"][0];
    assert_eq!(
        (&server["sight"], &server["connections"], &server["callers"]),
        (&"partly".into(), &4.into(), &1.into())
    );
    let by_name = sandbox.run(&["inventory", "show", "--store", "kept", "tls://localhost:9000"]).exits(0).out;
    for words in ["inventoried in part", "2 with keys, 2 without", "A hint", "TLS1.3", "JA4", "Certificates"] {
        assert!(by_name.contains(words), "no `{words}` in\n{by_name}");
    }
    let id = server["id"].as_str().unwrap();
    assert_eq!(sandbox.run(&["inventory", "show", "--store", "kept", id]).exits(0).out, by_name);
    let as_json = sandbox.run(&["inventory", "show", "--store", "kept", "--json", id]).exits(0).json();
    assert_eq!(&as_json, server);
    let none = sandbox.run(&["inventory", "list", "--store", "kept", "--service", "nowhere"]).exits(0).out;
    assert!(!none.contains("localhost"), "{none}");
    let page = sandbox.read("page.html");
    assert!(page.contains("Behind TLS and QUIC") && page.contains("tls://localhost:9000"));
}

/// A scan of a recording of the project's own, as JSON.
fn recording(args: &[&str]) -> Value {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples");
    let args: Vec<String> = args
        .iter()
        .map(|arg| if arg.contains('/') { samples.join(arg).display().to_string() } else { (*arg).to_owned() })
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Sandbox::new().run(&[&["scan", "--json"], &args[..]].concat()).exits(0).json()["inventory"].clone()
}

fn row<'a>(inventory: &'a Value, kind: &str, port: u64) -> &'a Value {
    let rows = inventory["opaque"].as_array().unwrap();
    rows.iter()
        .find(|row| row["kind"] == kind && row["port"] == port)
        .unwrap_or_else(|| panic!("no {port} in {rows:#?}"))
}

#[test]
fn a_recorded_server_is_opaque_inventoried_or_both_by_the_keys_that_are_given() {
    let capture = "nginx-tls/traffic.pcap.gz";
    let closed = recording(&["-r", capture]);
    let whole = recording(&["-r", capture, "--keylog", "nginx-tls/keys/whole.log"]);
    let partial = recording(&["-r", capture, "--keylog", "nginx-tls/keys/partial.log"]);
    let sight =
        |inventory: &Value| [443, 8443].map(|port| row(inventory, "tls", port)["sight"].as_str().unwrap().to_owned());
    assert_eq!(sight(&closed), ["opaque", "opaque"]);
    assert_eq!(sight(&whole), ["inventoried", "inventoried"]);
    assert_eq!(sight(&partial), ["opaque", "inventoried"], "the keys of TLS 1.2 alone");
    for inventory in [&closed, &whole, &partial] {
        for port in [443, 8443] {
            let server = row(inventory, "tls", port);
            assert_eq!((&server["name"], &server["named_by"]), (&"api.test".into(), &"sni".into()));
            let n = |key: &str| server[key].as_u64().unwrap();
            assert_eq!(n("connections"), n("with_keys") + n("without_keys"), "{server:#}");
            assert_eq!(n("connections"), row(&closed, "tls", port)["connections"].as_u64().unwrap());
            assert_eq!(server["bytes"], row(&closed, "tls", port)["bytes"]);
            let version = if port == 443 { "TLS1.3" } else { "TLS1.2" };
            assert_eq!(server["versions"][version], n("connections"), "{server:#}");
            assert_eq!(server["hint"]["likeness"], "likely", "{server:#}");
        }
        assert_eq!(row(inventory, "tls", 443)["retried"], 1, "one HelloRetryRequest");
    }
    assert!(row(&whole, "tls", 443)["certificates"][0]["subject"].as_str().unwrap().contains("api.test"));
    assert_eq!(row(&closed, "tls", 443)["certificates"].as_array().unwrap().len(), 0, "TLS 1.3 hides it");
    let ids = |inventory: &Value, port| row(inventory, "tls", port)["services"].as_array().unwrap().len();
    assert_eq!((ids(&whole, 443), ids(&whole, 8443), ids(&partial, 443)), (1, 1, 0));
}

#[test]
fn recorded_http3_servers_have_rows_of_their_own() {
    let inventory = recording(&["-r", "quic/traffic.pcap.gz"]);
    let rows: Vec<_> = inventory["opaque"].as_array().unwrap().iter().filter(|row| row["kind"] == "h3").collect();
    let connections: u64 = rows.iter().map(|row| row["connections"].as_u64().unwrap()).sum();
    assert_eq!((rows.len(), connections), (2, 5), "{rows:#?}");
    assert_eq!(rows.iter().map(|row| row["retried"].as_u64().unwrap()).sum::<u64>(), 1, "one Retry");
    let bytes: u64 = rows.iter().flat_map(|row| row["bytes"].as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(inventory["visibility"]["buckets"]["quic"], bytes, "the rows have what the ledger has");
    for row in rows {
        assert_eq!((&row["sight"], &row["hint"]["likeness"]), (&"opaque".into(), &"possible".into()));
        assert!(
            row["versions"]["QUIC v1"].as_u64() == row["connections"].as_u64() && row["alpn_offered"]["h3"].is_u64()
        );
    }
}

/// Each server name that other readers see in a hello has its row, QUIC's as well; and all that is told adds up.
#[test]
fn each_server_name_that_other_readers_see_has_its_row() {
    let Some(folder) = captures() else { return };
    let index = std::fs::read_to_string(folder.join("index.jsonl")).unwrap();
    let sandbox = Sandbox::new();
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in index.lines() {
        let capture: Value = serde_json::from_str(line).unwrap();
        let file = capture["file"].as_str().unwrap();
        let path = folder.join(file).display().to_string();
        let ran = sandbox.run(&["scan", "-r", &path, "--json"]);
        let Ok(json) = serde_json::from_str::<Value>(&ran.out) else {
            wrong.push(format!("{file}: no JSON"));
            continue;
        };
        let inventory = &json["inventory"];
        let rows = inventory["opaque"].as_array().unwrap();
        let named = |kinds: &[&str]| -> BTreeSet<String> {
            let of_kind = rows.iter().filter(|row| kinds.contains(&row["kind"].as_str().unwrap()));
            of_kind.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        for (expected, kinds) in [("expect_tls", &["tls"][..]), ("expect_quic", &["h3", "quic"][..])] {
            let names = named(kinds);
            for hello in capture[expected].as_array().into_iter().flatten() {
                checked += 1;
                let Some(name) = hello[0].as_str() else { continue };
                let host = name.split(':').next().unwrap().to_lowercase();
                if !names.contains(&host) {
                    wrong.push(format!("{file}: no row for {name}, only {names:?}"));
                }
            }
        }
        for row in rows {
            let n = |key: &str| row[key].as_u64().unwrap();
            let settled = n("with_keys") + n("without_keys");
            let versions: u64 = row["versions"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
            let ok = n("connections") >= settled && settled >= versions && n("callers") > 0 && n("connections") > 0;
            if !ok || row["hint"]["reasons"].as_array().unwrap().is_empty() {
                wrong.push(format!("{file}: {row:#}"));
            }
        }
        // What is blind is not more than the ledger has.
        let bucket = |name: &str| inventory["visibility"]["buckets"][name].as_u64().unwrap();
        let blind = &inventory["blind"];
        let told: u64 = blind["services"].as_array().unwrap().iter().map(|b| b["bytes"].as_u64().unwrap()).sum::<u64>()
            + blind["known_bytes"].as_u64().unwrap();
        if told > bucket("one_sided") + bucket("other_tcp") {
            wrong.push(format!("{file}: {told} blind bytes are more than the ledger has"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 30, "{checked} hellos");
}
