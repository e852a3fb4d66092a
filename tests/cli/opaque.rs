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
