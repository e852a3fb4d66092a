//! `shadowtap scan` on recordings of real servers, held against what their clients asked for.
//!
//! Each folder of `capture-samples` has a capture, documents, and an `expected.json` that was folded from the clients' own
//! record of their requests. Services, templates (as structures), methods, calls, statuses, probes and findings
//! must be equal; nothing may be missing and nothing may be there in addition.

use std::collections::BTreeSet;
use std::path::Path;
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
            let template = shape(text(&e["template"]));
            let figures = format!("calls {} unanswered {} statuses {}", e["calls"], e["unanswered"], e["statuses"]);
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
    for spec in expected["specs"].as_array().expect("specs") {
        command.args(["--spec", text(spec)]);
    }
    let output = command.output().expect("shadowtap starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{words}", folder.display(), output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn sample(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name);
    let expected = std::fs::read(folder.join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
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
fn mixture_under_loss_reordering_and_doubled_frames() {
    sample("mixture");
}
