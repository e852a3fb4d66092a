//! `shadowtap scan` on recordings of real servers, held against what their clients asked for.
//!
//! Each folder of `capture-samples` has a capture, documents, and an `expected.json` that was folded from the clients' own
//! record of their requests. Services, templates (as structures), methods, calls, statuses, probes and findings
//! must be equal; nothing may be missing and nothing may be there in addition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// `/users/{userId}/` as `/users/{}`: neither names of parameters nor slashes at the end are compared.
fn shape(template: &str) -> String {
    let template = template.strip_suffix('/').filter(|t| !t.is_empty() && !t.ends_with(' ')).unwrap_or(template);
    let mut out = String::new();
    let mut inside = false;
    for c in template.chars() {
        match c {
            '{' => {
                inside = true;
                out.push_str("{}");
            }
            '}' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An inventory as lines: a service with its probes, then its endpoints.
fn lines(services: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for s in services.as_array().expect("services") {
        let name = format!("{}://{}:{}", text(&s["scheme"]), text(&s["host"]), s["port"]);
        out.insert(format!("{name} calls {} probes {}", s["calls"], s["probes"]));
        for e in s["endpoints"].as_array().expect("endpoints") {
            let operation = e["operation"].as_str().map_or(String::new(), |o| format!(" {o}"));
            let template = shape(text(&e["template"])) + &operation;
            let mut figures = format!("calls {} unanswered {} statuses {}", e["calls"], e["unanswered"], e["statuses"]);
            if let Some(statuses) = e["grpc_statuses"].as_object().filter(|statuses| !statuses.is_empty()) {
                // The inventory has names, servers count by number.
                let name = |key: &String| {
                    let named = key.parse().ok().and_then(shadowtap::proto::grpc::status_name);
                    named.map_or_else(|| key.clone(), str::to_owned)
                };
                let statuses: BTreeMap<String, &Value> = statuses.iter().map(|(k, n)| (name(k), n)).collect();
                figures.push_str(&format!(" grpc {statuses:?}"));
            }
            assert!(out.insert(format!("{name} {} {template} {figures}", text(&e["method"]))), "{template} twice");
        }
    }
    out
}

/// Findings of one kind as the words that `expected.json` has for them.
fn findings(diff: &Value, kind: &str) -> BTreeSet<String> {
    let all = diff["findings"].as_array().expect("findings");
    let of_kind = all.iter().filter(|f| f["kind"] == kind);
    of_kind
        .map(|f| {
            if kind == "undocumented-service" {
                let host = text(&f["service"]).split("://").nth(1).unwrap_or_default();
                return if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
            }
            let mut words = format!("{} {}", text(&f["method"]), shape(text(&f["template"])));
            if let Some(subject) = f["subject"].as_str().filter(|_| kind != "ambiguous") {
                words.push(' ');
                words.push_str(subject);
            }
            words
        })
        .collect()
}

/// Fails with what is missing and what is too much.
fn equal(what: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let missing: Vec<_> = expected.difference(found).collect();
    let additional: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && additional.is_empty(),
        "{what}\n  expected and not found:\n    {}\n  found and not expected:\n    {}",
        missing.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n    "),
        additional.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n    "),
    );
}

fn scan(folder: &Path, expected: &Value) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
    command.current_dir(folder).args(["scan", "--json"]);
    for capture in expected["captures"].as_array().expect("captures") {
        command.args(["-r", text(capture)]);
    }
    for keys in expected["keylogs"].as_array().into_iter().flatten() {
        command.args(["--keylog", text(keys)]);
    }
    for spec in expected["specs"].as_array().expect("specs") {
        command.args(["--spec", text(spec)]);
    }
    let output = command.output().expect("shadowtap starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{words}", folder.display(), output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What is learnt of a recording without its documents, against what its servers have, as structures. `kept`: what stays as it came,
/// and what the server has there. `other`: templates that are not found, and what is instead. Nothing else may differ.
fn learnt(name: &str, kept: &[(&str, &str)], other: &[(&[&str], &str)]) {
    let mut expected = expected(name);
    expected["specs"] = Value::Array(Vec::new());
    let found = scan(&folder(name), &expected);
    let templates = |services: &Value| -> BTreeSet<String> {
        let services = services.as_array().expect("services").iter();
        let endpoints = services.flat_map(|s| s["endpoints"].as_array().expect("endpoints"));
        endpoints.map(|e| format!("{} {}", text(&e["method"]), shape(text(&e["template"])))).collect()
    };
    let mut published = templates(&expected["services"]);
    for (missing, instead) in other {
        assert!(missing.iter().all(|m| published.remove(*m)), "{name}: its server has no {missing:?}");
        published.extend((!instead.is_empty()).then(|| (*instead).to_owned()));
    }
    let mut used = vec![false; kept.len()];
    let found = templates(&found["inventory"]["services"]).into_iter().map(|template| {
        kept.iter().zip(&mut used).fold(template, |t, ((from, to), used)| {
            *used |= t.contains(from);
            t.replace(from, to)
        })
    });
    equal(&format!("{name}: learnt without documents"), &found.collect(), &published);
    assert!(used.iter().all(|used| *used), "{name}: of {kept:?} only {used:?} is still so");
}

/// Each difference has its reason beside it.
#[test]
fn without_documents_templates_are_those_that_servers_publish() {
    for name in ["shop", "registry", "nginx", "nginx-tls"] {
        learnt(name, &[], &[]);
    }
    // One value each: it can't be told from a literal. `localhost` is the only server that PowerDNS ever has.
    learnt("powerdns", &[("/servers/localhost", "/servers/{}"), ("/metadata/ALLOW-AXFR-FROM", "/metadata/{}")], &[]);
    let one_value = [
        ("/basic-auth/ada/test-password", "/basic-auth/{}/{}"),
        ("/digest-auth/auth/ada/test-password", "/digest-auth/{}/{}/{}"),
        ("/etag/abc", "/etag/{}"),
    ];
    let images: &[&str] = &["GET /image/jpeg", "GET /image/png", "GET /image/svg", "GET /image/webp"];
    // Four pictures that are alike in all that can be seen; and a file that browsers ask of any host.
    learnt("httpbin", &one_value, &[(images, "GET /image/{}"), (&["GET /robots.txt"], "")]);
    // Labels that were asked for once each, and four pages of the status, once each: too little to tell one from the other.
    let labels = [("/label/__name__/", "/label/{}/"), ("/label/instance/", "/label/{}/")];
    let status = ["buildinfo", "flags", "runtimeinfo", "tsdb"].map(|s| format!("GET /api/v1/status/{s}"));
    let status: Vec<&str> = status.iter().map(String::as_str).collect();
    learnt("prometheus", &labels, &[(&status, "GET /api/v1/status/{}")]);
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name)
}

fn expected(name: &str) -> Value {
    let expected = std::fs::read(folder(name).join("expected.json")).expect("expected.json");
    serde_json::from_slice(&expected).expect("JSON")
}

fn sample(name: &str) {
    let (folder, expected) = (folder(name), expected(name));
    let found = scan(&folder, &expected);

    equal(name, &lines(&found["inventory"]["services"]), &lines(&expected["services"]));
    for (kind, words) in expected["findings"].as_object().expect("findings") {
        let words = words.as_array().expect("a list").iter().map(|w| shape(text(w))).collect();
        equal(&format!("{name}: {kind}"), &findings(&found["diff"], kind), &words);
    }

    // Each captured byte is in one bucket.
    let ledger = &found["inventory"]["visibility"];
    let buckets = ledger["buckets"].as_object().expect("buckets");
    let sum: u64 = buckets.values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(sum), ledger["captured"].as_u64(), "{name}: bytes captured");

    assert_eq!(found, scan(&folder, &expected), "{name}: another time, another result");
}

#[test]
fn shop() {
    sample("shop");
}

#[test]
fn httpbin() {
    sample("httpbin");
}

#[test]
fn powerdns() {
    sample("powerdns");
}

#[test]
fn registry() {
    sample("registry");
}

#[test]
fn prometheus() {
    sample("prometheus");
}

#[test]
fn nginx() {
    sample("nginx");
}

#[test]
fn aria2() {
    sample("aria2");
}

#[test]
fn nginx_tls() {
    sample("nginx-tls");
}

#[test]
fn etcd() {
    sample("etcd");
}

#[test]
fn grpc() {
    sample("grpc");
}

#[test]
fn websocket() {
    sample("websocket");
}

#[test]
fn hard_case_10_one_path_many_operations_of_aws() {
    sample("aws");
    let found = scan(&folder("aws"), &expected("aws")).to_string();
    for secret in ["alice", "people", "example.com", "123456789012", "vpc-", "10.0.1"] {
        assert!(!found.contains(secret), "{secret} is in the inventory");
    }
}

#[test]
fn tunnels() {
    sample("tunnels");
}

#[test]
fn forge() {
    sample("forge");
}

#[test]
fn forge_without_bodies_is_not_understood() {
    let command = |more: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
        let output =
            program.current_dir(folder("forge")).args(["scan", "--json", "-r", "traffic.pcap.gz"]).args(more).output();
        serde_json::from_slice::<Value>(&output.expect("shadowtap starts").stdout).expect("JSON")
    };
    let expected = lines(&expected("forge")["services"]);
    assert_ne!(lines(&command(&["--no-bodies"])["inventory"]["services"]), expected);
    assert_eq!(lines(&command(&[])["inventory"]["services"]), expected);
}

/// Lines of JSON that a command prints about a sample's capture.
fn printed(command: &str, name: &str, more: &[&str]) -> Vec<Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
    let output = program.current_dir(folder(name)).arg(command).args(more).arg("traffic.pcap.gz").output();
    let output = output.expect("shadowtap starts");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

/// What the truth has of each request.
fn truth(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder(name).join("requests.jsonl")).expect("requests.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// How often each line is there.
fn counted(lines: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut counts = BTreeMap::<String, u32>::new();
    lines.for_each(|line| *counts.entry(line).or_default() += 1);
    counts.into_iter().map(|(line, n)| format!("{n} times {line}")).collect()
}

#[test]
fn grpc_messages_and_statuses_call_by_call() {
    let found = printed("transactions", "grpc", &["--raw"]);
    let found = found.iter().map(|t| {
        assert_eq!((&t["whole"], &t["grpc"]["exact"]), (&true.into(), &true.into()), "{t}");
        format!("{} {} {}", text(&t["uri"]), t["grpc"]["status"], t["grpc"]["messages"])
    });
    let truth = truth("grpc");
    let truth = truth.iter().map(|t| format!("{} {} {}", text(&t["target"]), t["grpc_status"], t["messages"]));
    equal("grpc, call by call", &counted(found), &counted(truth));
    let compressed = printed("transactions", "grpc", &[]);
    let compressed = compressed.iter().filter_map(|t| t["grpc"]["compressed_messages"][0].as_u64());
    assert_eq!(compressed.sum::<u64>(), 6, "one placed and five imported with gzip");
}

/// Fields by number and type: of each side of a method, and how many messages it had.
fn fields_of(endpoint: &Value, side: &str) -> (u64, BTreeMap<String, String>) {
    let said = &endpoint["messages"][side];
    let types =
        |field: &Value| field["types"].as_object().expect("types").keys().cloned().collect::<Vec<_>>().join(", ");
    let fields = said["fields"].as_object().map(|fields| fields.iter().map(|(n, f)| (n.clone(), types(f))).collect());
    (said["messages"].as_u64().expect("a count"), fields.unwrap_or_default())
}

#[test]
fn grpc_messages_compressed_or_not_have_the_fields_of_their_document() {
    let undecoded = printed("transactions", "grpc", &[]);
    let undecoded = undecoded.iter().filter_map(|t| t["grpc"]["undecoded_messages"].as_array());
    assert_eq!(undecoded.flatten().filter_map(Value::as_u64).sum::<u64>(), 0);
    let found = scan(&folder("grpc"), &expected("grpc"));
    let endpoints = found["inventory"]["services"][0]["endpoints"].as_array().expect("endpoints");
    let fields = |method: &str, side: &str| {
        let endpoint = endpoints.iter().find(|e| text(&e["template"]).ends_with(method)).expect("a method");
        fields_of(endpoint, side).1
    };
    let map = |fields: &[(&str, &str)]| fields.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let wanted: BTreeMap<_, _> = map(&[("1", "integer")]);
    let order: BTreeMap<_, _> = map(&[("1", "integer"), ("2", "string"), ("3", "number"), ("4", "string")]);
    for (method, side, most) in [
        ("/Get", "client", &wanted),
        ("/Get", "server", &order),
        ("/Place", "client", &order),
        ("/Import", "client", &order),
        ("/Import", "server", &wanted),
        ("/List", "server", &order),
        ("/Track", "client", &wanted),
    ] {
        // What is 0 or empty is not on the wire.
        let found = fields(method, side);
        assert!(!found.is_empty() && found.iter().all(|(n, t)| most.get(n) == Some(t)), "{method} {side}: {found:?}");
    }
    // Every order that is imported is compressed.
    assert!(fields("/Import", "client").contains_key("2"));
}

#[test]
fn etcds_messages_are_those_that_it_counts_itself() {
    let mut found = BTreeMap::<String, [u64; 2]>::new();
    for t in printed("transactions", "etcd", &["--raw"]) {
        let sums = found.entry(text(&t["uri"]).to_owned()).or_default();
        for (side, sum) in sums.iter_mut().enumerate() {
            *sum += t["grpc"]["messages"][side].as_u64().expect("a count");
        }
    }
    let truth = std::fs::read(folder("etcd").join("messages.json")).expect("messages.json");
    let truth: BTreeMap<String, [u64; 2]> = serde_json::from_slice(&truth).expect("JSON");
    assert_eq!(found, truth);
}

#[test]
fn websocket_messages_connection_by_connection() {
    let found = printed("transactions", "websocket", &["--raw"]);
    let found = found.iter().map(|t| {
        let messages = |side: usize| t["websocket"][side]["messages"].as_u64().unwrap_or(0);
        format!("{} {} {:?}", text(&t["uri"]), t["status"], [messages(0), messages(1)])
    });
    let truth = truth("websocket");
    let truth = truth.iter().map(|t| {
        let messages = |side: usize| t["messages"][side].as_u64().expect("a count");
        format!("{} {} {:?}", text(&t["target"]), t["status"], [messages(0), messages(1)])
    });
    equal("websocket", &counted(found), &counted(truth));
}

#[test]
fn quic() {
    // What the Initial packets tell. One connection is behind a Retry.
    let found = printed("tls", "quic", &[]);
    let found: BTreeSet<String> =
        counted(found.iter().map(|t| format!("{} {} {}", text(&t["sni"]), t["alpn"], text(&t["server"]))));
    let server = |n: u32, port: u16| format!("{n} times h3.test [\"h3\"] 192.0.2.1:{port}");
    equal("quic", &found, &BTreeSet::from([server(4, 4433), server(1, 4434)]));
}

/// `expected.json` with the services of some ports only, and with other key logs.
fn part(name: &str, ports: &[u64], keylogs: &[&str]) -> Value {
    let mut expected = expected(name);
    let services = expected["services"].as_array_mut().expect("services");
    services.retain(|s| s["port"].as_u64().is_some_and(|port| ports.contains(&port)));
    expected["keylogs"] = keylogs.iter().map(|k| Value::from(*k)).collect();
    expected
}

#[test]
fn key_logs_that_are_rotated_partial_or_missing() {
    let name = "nginx-tls";
    let read = |ports: &[u64], keylogs: &[&str]| {
        let expected = part(name, ports, keylogs);
        let found = scan(&folder(name), &expected);
        equal(&format!("{keylogs:?}"), &lines(&found["inventory"]["services"]), &lines(&expected["services"]));
        let buckets = &found["inventory"]["visibility"]["buckets"];
        (buckets["decrypted_http"].as_u64().unwrap_or(0), buckets["tls_no_keys"].as_u64().unwrap_or(0))
    };
    // Rotated in the midst of a handshake's lines; in either order.
    let (whole, missing) = read(&[443, 8443], &["keys/whole.log"]);
    assert!(whole > 50_000 && missing == 0);
    assert_eq!(read(&[443, 8443], &["keys/rotated.1.log", "keys/rotated.2.log"]), (whole, 0));
    assert_eq!(read(&[443, 8443], &["keys/rotated.2.log", "keys/rotated.1.log"]), (whole, 0));
    // Only those of TLS 1.2: the other port's sessions are said to lack theirs.
    let (some, missing) = read(&[8443], &["keys/partial.log"]);
    assert!(some > 20_000 && some < whole && missing > 20_000, "{some} {missing}");
    // None at all.
    assert_eq!(read(&[], &[]), (0, 0));
}

/// A recording as pcapng, `stretch` times as long, with the secrets behind the packet whose number is `at`.
fn with_late_keys(name: &str, log: &str, stretch: u64, at: usize) -> (Vec<u8>, usize) {
    let file = std::fs::File::open(folder(name).join("traffic.pcap.gz")).expect("a recording");
    let mut pcap = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(file), &mut pcap).expect("gzip");
    let keys = std::fs::read(folder(name).join(log)).expect("a key log");
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(word(0), 0xa1b2_c3d4, "microseconds, little-endian");
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = (body.len().next_multiple_of(4) + 12) as u32;
        out.extend([kind.to_le_bytes(), length.to_le_bytes()].concat());
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(length.to_le_bytes());
    };
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    block(1, &words(&[word(20), 262_144]));
    let secrets = [words(&[0x544c_534b, keys.len() as u32]), keys].concat();
    let (mut place, mut number, mut first) = (24, 0, None);
    while place + 16 <= pcap.len() {
        if number == at {
            block(10, &secrets);
        }
        let (micros, size) = (u64::from(word(place)) * 1_000_000 + u64::from(word(place + 4)), word(place + 8));
        let first = *first.get_or_insert(micros);
        let ts = first + (micros - first) * stretch;
        let head = words(&[0, (ts >> 32) as u32, ts as u32, size, word(place + 12)]);
        let end = place + 16 + size as usize;
        block(6, &[&head, &pcap[place + 16..end]].concat());
        (place, number) = (end, number + 1);
    }
    if at >= number {
        block(10, &secrets);
    }
    (out, number)
}

/// 34 connections in 4.4 seconds, each over in some milliseconds: their keys come when most are over, or all.
#[test]
fn keys_that_come_late_open_what_waits_and_those_that_come_too_late_are_missed() {
    let name = "nginx-tls";
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("empty.log"), "").expect("a file");
    let read = |stretch, at| {
        let (capture, packets) = with_late_keys(name, "keys/whole.log", stretch, at);
        std::fs::write(dir.path().join("late.pcapng"), capture).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
        // That a key log is named says that keys may come.
        command.current_dir(dir.path()).args(["scan", "--json", "-r", "late.pcapng", "--keylog", "empty.log"]);
        let output = command.output().expect("shadowtap starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let inventory = found["inventory"].clone();
        let bucket = |name: &str| inventory["visibility"]["buckets"][name].as_u64().unwrap_or(0);
        let (decrypted, missing) = (bucket("decrypted_http"), bucket("tls_no_keys"));
        let odd = inventory["oddities"]["tls_key_missing"].as_u64().unwrap_or(0);
        (inventory, decrypted, missing, odd, packets)
    };
    let (inventory, whole, missing, odd, packets) = read(1, 0);
    assert!(whole > 50_000 && missing == 0 && odd == 0);
    let all = lines(&inventory["services"]);
    for at in [packets / 3, packets - 1, packets] {
        let (inventory, decrypted, missing, odd, _) = read(1, at);
        equal(&format!("keys behind packet {at} of {packets}"), &lines(&inventory["services"]), &all);
        assert_eq!((decrypted, missing, odd), (whole, 0, 0), "keys behind packet {at} of {packets}");
    }
    // 44 seconds, and nobody waits for more than ten.
    let (inventory, decrypted, missing, odd, _) = read(10, packets);
    assert!(decrypted > 0 && decrypted < whole && missing > 10_000, "{decrypted} of {whole}, {missing} without keys");
    assert!(odd > 5, "{odd} connections are told");
    assert!(lines(&inventory["services"]).len() <= all.len());
}

#[test]
fn mixture_under_loss_reordering_and_doubled_frames() {
    sample("mixture");
}
