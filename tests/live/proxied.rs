//! PROXY protocol on the mirror: nginx that takes headers of version 1 and 2 (`listen … proxy_protocol`), curl that sends the
//! first, and a balancer of a few lines for callers that are not here. Calls and callers must be those of nginx' log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::say;
use super::span::{SERVER, Span};

const PORT: u16 = 8082;

/// Calls and callers by method and path.
type Answers = BTreeMap<String, (u64, BTreeSet<String>)>;

fn span() -> Option<Span> {
    let made = Span::with(&["socat"], |dir| {
        let d = dir.display();
        Ok(format!(
            "log_format proxied '$request_method $uri $status $proxy_protocol_addr';
             server {{
               listen {SERVER}:{PORT} proxy_protocol; access_log {d}/proxied.log proxied;
               location = /one {{ return 200 '{{}}'; }}
               location = /two {{ return 200 '{{}}'; }}
             }}"
        ))
    });
    made.map_err(|why| say(&format!("\nSKIPPED: live test of PROXY protocol in network namespaces: {why}\n"))).ok()
}

/// One connection from a balancer: the header, then requests, one after the other's answer is not waited for.
fn balanced(span: &Span, header: &[u8], paths: &[&str]) {
    let mut socat = span.client("socat");
    // Its end goes on listening for the answers when all is written.
    socat.args(["-t", "5", "-", &format!("TCP:{SERVER}:{PORT}")]);
    let mut socat = socat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("socat starts");
    let mut stdin = socat.stdin.take().expect("a pipe");
    stdin.write_all(header).expect("the header");
    for (n, path) in paths.iter().enumerate() {
        let close = if n + 1 == paths.len() { "Connection: close\r\n" } else { "" };
        write!(stdin, "GET {path} HTTP/1.1\r\nHost: proxied.test\r\n{close}\r\n").expect("a request");
    }
    drop(stdin);
    let output = socat.wait_with_output().expect("socat ends");
    let answers = String::from_utf8_lossy(&output.stdout).matches("HTTP/1.1 200").count();
    assert_eq!(answers, paths.len(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn v1(source: &str) -> Vec<u8> {
    format!("PROXY TCP4 {source} {SERVER} 40001 {PORT}\r\n").into_bytes()
}

/// Version 2 for IPv4, with a TLV that nobody knows.
fn v2(source: [u8; 4]) -> Vec<u8> {
    let mut out = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10".to_vec();
    out.extend(source);
    out.extend([198, 51, 100, 1]);
    out.extend([0x9c, 0x41]);
    out.extend(PORT.to_be_bytes());
    out.extend([0xe5, 0, 1, 7]);
    out
}

/// What nginx says that it was asked, and by whom.
fn truth(span: &Span) -> Answers {
    let log = fs::read_to_string(span.dir().join("proxied.log")).unwrap_or_default();
    let mut answers = Answers::new();
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [method, path, "200", caller] = words[..] else { panic!("in the log: {line}") };
        let (calls, callers) = answers.entry(format!("{method} {path}")).or_default();
        *calls += 1;
        callers.insert(caller.to_owned());
    }
    answers
}

/// Calls and the number of callers, as the inventory has them.
fn found(view: &Value) -> BTreeMap<String, (u64, u64)> {
    let services = view["services"].as_array().into_iter().flatten();
    let endpoints = services.flat_map(|s| s["endpoints"].as_array().into_iter().flatten());
    let name = |e: &Value| format!("{} {}", e["method"].as_str().unwrap_or("?"), e["template"].as_str().unwrap_or("?"));
    let count = |e: &Value, key: &str| e[key].as_u64().unwrap_or(0);
    endpoints.map(|e| (name(e), (count(e, "calls"), count(e, "callers")))).collect()
}

#[test]
fn callers_behind_a_balancer_are_those_that_nginx_is_told() {
    let Some(span) = span() else { return };
    let daemon = span.daemon();
    // curl says of itself whose connection it is.
    for path in ["one", "two"] {
        let mut curl = span.client("curl");
        curl.args([
            "--header",
            "Host: proxied.test",
            "--haproxy-protocol",
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--output",
            "/dev/null",
        ]);
        let status = curl.arg(format!("http://{SERVER}:{PORT}/{path}")).status().expect("curl starts");
        assert!(status.success(), "curl {path}: {status}");
    }
    for n in 1..=5 {
        balanced(&span, &v1(&format!("192.0.2.{n}")), &["/one", "/one", "/two"]);
        // Two of them are the same.
        balanced(&span, &v2([192, 0, 2, 3 + n]), &["/one", "/one"]);
    }
    let truth = truth(&span);
    assert_eq!(truth["GET /one"].0, 21);
    let expected: BTreeMap<String, (u64, u64)> =
        truth.iter().map(|(name, (calls, callers))| (name.clone(), (*calls, callers.len() as u64))).collect();
    assert_eq!((expected["GET /one"].1, expected["GET /two"].1), (9, 6));
    let view = span.wait_for("calls and callers of nginx' log", |view| found(view) == expected);
    let headers = view["visibility"]["buckets"]["proxy_header"].as_u64();
    assert!(headers.is_some_and(|n| n > 12 * 28), "{}", view["visibility"]);
    drop(daemon);
}
