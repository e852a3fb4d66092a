//! Who asked: PROXY protocol headers, and the word of trusted proxies.

use crate::sandbox::Sandbox;
use crate::traffic::{Traffic, json};

fn get(fields: &str) -> String {
    format!("GET /v1/orders HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n")
}

/// Callers of the one endpoint there is.
fn callers(sandbox: &Sandbox, more: &[&str]) -> u64 {
    let json = sandbox.run(&[&["scan", "-r", "a.pcap", "--json"], more].concat()).exits(0).json();
    let endpoints = json["inventory"]["services"][0]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1);
    endpoints[0]["callers"].as_u64().unwrap()
}

#[test]
fn a_proxy_header_names_the_caller() {
    let mut traffic = Traffic::new();
    for client in 1..=5 {
        // All five over the balancer at 10.0.0.9; the last two say the same address.
        let mut talk = traffic.connect(9, 8080);
        if client % 2 == 0 {
            talk.ask(&format!("PROXY TCP4 203.0.113.{client} 10.0.1.1 4711 8080\r\n"));
        } else {
            let header = [203, 0, 113, client.min(4), 10, 0, 1, 1, 0x12, 0x67, 0x1f, 0x90, 4, 0, 1, 0];
            talk.ask_bytes(&[b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10", &header[..]].concat());
        }
        talk.ask(&get(""));
        talk.answer(&json(200, "[]"));
        talk.close();
    }
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    assert_eq!(callers(&sandbox, &[]), 4);
    let scanned = sandbox.run(&["scan", "-r", "a.pcap", "--json"]).exits(0).json();
    let buckets = &scanned["inventory"]["visibility"]["buckets"];
    assert_eq!(buckets["proxy_header"].as_u64(), Some(2 * 43 + 3 * 32), "{buckets:#}");
    let lines = sandbox.run(&["transactions", "a.pcap"]).exits(0).out;
    assert_eq!(lines.matches("203.0.113.4:4711").count(), 2, "{lines}");
}

#[test]
fn only_trusted_proxies_are_believed() {
    let mut traffic = Traffic::new();
    for client in 1..=6 {
        traffic.exchange(9, 8080, &get(&format!("X-Forwarded-For: 6.6.6.6, 203.0.113.{client}\r\n")), &json(200, "[]"));
        traffic.exchange(9, 8080, &get(&format!("Forwarded: for=203.0.113.{client}\r\n")), &json(200, "[]"));
    }
    traffic.exchange(7, 8080, &get("X-Forwarded-For: 203.0.113.77\r\n"), &json(200, "[]"));
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    assert_eq!(callers(&sandbox, &[]), 2, "by default nobody's word is taken");
    assert_eq!(callers(&sandbox, &["--trusted-proxy", "10.0.0.9"]), 7);
    assert_eq!(callers(&sandbox, &["--trusted-proxy", "10.0.0.9", "--trusted-proxy", "10.0.0.7/32"]), 7);
    sandbox.file("a.toml", "trusted_proxies = [\"10.0.0.0/24\"]\n[[interface]]\nname = \"any\"\n");
    assert_eq!(callers(&sandbox, &["--config", "a.toml"]), 7);
    let refused = sandbox.run(&["scan", "-r", "a.pcap", "--trusted-proxy", "balancer"]).exits(2);
    assert!(refused.err.contains("10.0.0.0/8"), "{}", refused.err);
}
