//! `scan`: what is shown, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::sandbox::Sandbox;
use crate::traffic::{SHOP, Traffic, get, json, shop};

#[test]
fn shows_services_endpoints_and_the_ledger() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    let ran = sandbox.run(&["scan", "-r", "shop.pcap"]).exits(0);
    for words in [
        "http://shop.example:8080",
        "15 calls",
        "/v1/orders/{",
        "200 ×12",
        "/internal/debug",
        "What was seen",
        "read as HTTP",
        "packet headers",
    ] {
        assert!(ran.out.contains(words), "no `{words}` in\n{}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'), "no colours into a pipe");
    assert_eq!(ran.err, "");
    for secret in ["jane", "1037"] {
        assert!(!ran.out.contains(secret), "a value was shown: {secret}");
    }
}

#[test]
fn json_is_one_document_with_everything() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    let json = sandbox.run(&["scan", "-r", "shop.pcap", "--spec", "shop.yaml", "--json"]).exits(0).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["shadowtap"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["sources"][0], "shop.pcap");
    assert!(json["filter"].is_null());
    let service = &json["inventory"]["services"][0];
    assert_eq!(
        (&service["host"], &service["port"], &service["calls"]),
        (&"shop.example".into(), &8080.into(), &15.into())
    );
    let endpoints = service["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 4, "{endpoints:#?}");
    let visibility = &json["inventory"]["visibility"];
    let sum: u64 = visibility["buckets"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(visibility["captured"], sum, "each byte is accounted for");
    let kinds: Vec<_> =
        json["diff"]["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["shadow", "zombie", "unseen"], "{:#}", json["diff"]["findings"]);
}

#[test]
fn the_same_capture_gives_the_same_inventory() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    let first = sandbox.run(&["scan", "-r", "shop.pcap", "--json"]).exits(0);
    let second = sandbox.run(&["scan", "-r", "shop.pcap", "--json"]).exits(0);
    assert_eq!(first.out, second.out);
}

#[test]
fn findings_are_shown_worst_first() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    let out = sandbox.run(&["scan", "-r", "shop.pcap", "--spec", "shop.yaml"]).exits(0).out;
    let at = |words: &str| out.find(words).unwrap_or_else(|| panic!("no `{words}` in\n{out}"));
    assert!(at("Shadow endpoints 1") < at("Zombie endpoints 1"));
    assert!(at("Zombie endpoints 1") < at("Documented, not seen 1"));
    assert!(out.contains("3 of 4 operations seen"), "{out}");
}

/// The whole output, as a person sees it without colours. `SHADOWTAP_GOLDEN=write` writes it anew.
#[test]
fn the_whole_output() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    let out = sandbox.run(&["scan", "-r", "shop.pcap", "--spec", "shop.yaml"]).exits(0).out;
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden/shop.txt");
    if std::env::var_os("SHADOWTAP_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&golden, &out).unwrap();
    }
    assert_eq!(out, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn fail_on_has_an_exit_code_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    let scan = |kinds| sandbox.run(&["scan", "-r", "shop.pcap", "--spec", "shop.yaml", "--fail-on", kinds]);
    let found = scan("shadow").exits(3);
    assert!(found.err.contains("1 shadow"), "{}", found.err);
    assert!(found.out.contains("Shadow endpoints"));
    scan("undocumented-method,zombie").exits(3);
    scan("any").exits(3);
    scan("undocumented-method,ambiguous").exits(0);
}

#[test]
fn fail_on_without_a_document_is_a_mistake() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    let ran = sandbox.run(&["scan", "-r", "shop.pcap", "--fail-on", "shadow"]).exits(2);
    assert!(ran.err.contains("--spec"), "{}", ran.err);
}

#[test]
fn what_is_typed_wrong_exits_with_2_and_says_why() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("broken.yaml", "openapi: [3.0");
    sandbox.file("other.json", "{\"swaggered\": true}");
    for (args, words) in [
        (&["scan"][..], "--read"),
        (&["scan", "-r", "shop.pcap", "prot", "tcp"], "filter"),
        (&["scan", "-r", "shop.pcap", "--spec", "broken.yaml"], "broken.yaml"),
        (&["scan", "-r", "shop.pcap", "--spec", "other.json"], "other.json"),
        (&["scan", "-r", "shop.pcap", "--spec", "missing.yaml"], "missing.yaml"),
        (&["scan", "-r", "shop.pcap", "--spec", "broken.yaml", "--fail-on", "shadows"], "zombie"),
        (&["scam"], "scam"),
    ] {
        let ran = sandbox.run(args).exits(2);
        assert!(ran.err.contains(words), "{args:?}: no `{words}` in {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
}

#[test]
fn what_cannot_be_read_exits_with_1_and_says_which() {
    let sandbox = Sandbox::new();
    sandbox.file("empty.pcap", "");
    sandbox.file("text.pcap", "this is no capture at all, it is a text\n");
    std::fs::create_dir(sandbox.file("folder/x", "").parent().unwrap().join("none")).unwrap();
    for file in ["missing.pcap", "empty.pcap", "text.pcap", "folder/none"] {
        let ran = sandbox.run(&["scan", "-r", file]).exits(1);
        assert!(ran.err.contains(file), "{}", ran.err);
    }
    sandbox.run(&["scan", "-i", "no-such-interface", "--for", "1s"]).exits(1);
}

#[test]
fn a_file_that_breaks_off_does_not_hide_the_others() {
    let sandbox = Sandbox::new();
    let mut broken = Traffic::new().pcap();
    broken.extend([0xee; 200]);
    sandbox.file("broken.pcap", broken);
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    let args = ["scan", "-r", "broken.pcap", "-r", "shop.pcap", "--json", "--spec", "shop.yaml", "--fail-on", "any"];
    let ran = sandbox.run(&args).exits(1);
    assert!(ran.err.contains("broken.pcap"));
    let json = ran.json();
    assert_eq!(json["inventory"]["services"][0]["calls"], 15);
    assert!(json["warnings"][0].as_str().unwrap().contains("broken.pcap"));
}

#[test]
fn a_file_cut_short_is_read_as_far_as_it_goes() {
    let sandbox = Sandbox::new();
    let bytes = shop().pcap();
    sandbox.file("cut.pcap", &bytes[..bytes.len() - 7]);
    let ran = sandbox.run(&["scan", "-r", "cut.pcap"]).exits(0);
    assert!(ran.err.contains("cut.pcap"), "{}", ran.err);
    assert!(ran.out.contains("15 calls"), "{}", ran.out);
}

#[test]
fn an_empty_capture_is_no_failure_and_no_silence() {
    let sandbox = Sandbox::new();
    sandbox.file("none.pcap", Traffic::new().pcap());
    let ran = sandbox.run(&["scan", "-r", "none.pcap"]).exits(0);
    assert!(ran.out.contains("No HTTP service was seen.") && ran.out.contains("Nothing was captured"), "{}", ran.out);
    let json = sandbox.run(&["scan", "-r", "none.pcap", "--json"]).exits(0).json();
    assert_eq!(json["inventory"]["services"].as_array().unwrap().len(), 0);
}

#[test]
fn filters_as_tcpdump_does() {
    let sandbox = Sandbox::new();
    let mut traffic = shop();
    traffic.exchange(9, 9090, &get("/other"), &json(200, "{}"));
    sandbox.file("shop.pcap", traffic.pcap());
    let calls = |filter: &[&str]| {
        let args = [&["scan", "-r", "shop.pcap", "--json"], filter].concat();
        let json = sandbox.run(&args).exits(0).json();
        json["inventory"]["services"].as_array().unwrap().iter().map(|s| s["calls"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(calls(&[]), 16);
    assert_eq!(calls(&["port", "9090"]), 1);
    assert_eq!(calls(&["tcp port 8080 and host 10.0.0.2"]), 6);
    assert_eq!(calls(&["not", "tcp"]), 0);
}

#[test]
fn several_files_folders_and_compressed_ones_in_order_of_time() {
    let sandbox = Sandbox::new();
    // One connection, its request in one file and its response in the next: only the order of time joins them.
    let mut whole = Traffic::new();
    whole.exchange(1, 8080, &get("/one"), &json(200, "{}"));
    let bytes = whole.pcap();
    let (head, mut at, mut cut) = (24, 24, 0);
    for n in 0.. {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        at += 16 + len;
        if n == 3 {
            cut = at;
            break;
        }
    }
    let later = [&bytes[..head], &bytes[cut..]].concat();
    sandbox.file("day/a-later.pcap.zst", zstd::encode_all(later.as_slice(), 3).unwrap());
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, &bytes[..cut]).unwrap();
    sandbox.file("day/b-earlier.pcap.gz", gz.finish().unwrap());
    for args in [
        &["scan", "--json", "-r", "day"][..],
        &["scan", "--json", "-r", "day/a-later.pcap.zst", "-r", "day/b-earlier.pcap.gz"],
        &["scan", "--json", "-r", "day/a-later.pcap.zst", "day/b-earlier.pcap.gz"],
    ] {
        let json = sandbox.run(args).exits(0).json();
        let endpoint = &json["inventory"]["services"][0]["endpoints"][0];
        assert_eq!(endpoint["statuses"]["200"], 1, "{args:?}: {json:#}");
    }
}

#[test]
fn reads_standard_input() {
    let sandbox = Sandbox::new();
    let ran = sandbox.pipe(&["scan", "-r", "-", "--json"], &shop().pcap()).exits(0);
    assert_eq!(ran.json()["inventory"]["services"][0]["calls"], 15);
}

#[test]
fn a_report_is_one_page() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    sandbox.file("shop.yaml", SHOP);
    sandbox.run(&["scan", "-r", "shop.pcap", "--spec", "shop.yaml", "--html", "report.html"]).exits(0);
    let page = sandbox.read("report.html");
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(page.contains("/internal/debug") && page.contains("Shadow endpoints"));
    let ran = sandbox.run(&["scan", "-r", "shop.pcap", "--html", "no/such/folder/report.html"]).exits(1);
    assert!(ran.err.contains("no/such/folder"), "{}", ran.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    for n in 0..4000 {
        traffic.exchange(1, 8080, &get(&format!("/page{n}/x")), &json(200, "{}"));
    }
    sandbox.file("long.pcap", traffic.pcap());
    for args in [&["scan", "-r", "long.pcap", "--json"][..], &["transactions", "long.pcap"]] {
        let mut child = sandbox.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), err.as_ref()), (Some(0), ""), "{args:?}");
    }
}
