//! `transactions`: the lines, their order, and what is masked.

use crate::sandbox::Sandbox;
use crate::traffic::{Traffic, get, json, shop};

#[test]
fn a_line_has_each_field() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    traffic.exchange(7, 8080, &get("/v1/orders?page=2"), &json(200, "{\"id\":1}"));
    sandbox.file("one.pcap", traffic.pcap());
    let ran = sandbox.run(&["transactions", "one.pcap", "--raw"]).exits(0);
    assert_eq!(
        ran.out,
        "{\"ts\":\"2026-11-24T07:30:57.002000000Z\",\"client\":\"10.0.0.7:40001\",\"server\":\"10.0.1.1:8080\",\
         \"method\":\"GET\",\"host\":\"shop.example\",\"uri\":\"/v1/orders?page=2\",\"status\":200,\"http_version\":\"1.1\",\
         \"request_head_bytes\":54,\"request_body_bytes\":0,\"request_body_decoded_bytes\":0,\
         \"response_head_bytes\":69,\"response_body_bytes\":8,\"response_body_decoded_bytes\":8,\
         \"latency_ns\":500000,\"interim_responses\":0,\"whole\":true,\"reasons\":[]}\n"
    );
}

#[test]
fn masks_unless_asked() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    traffic.exchange(1, 80, &get("/reset/anna@example.org?token=s3cr3t"), &json(200, "{}"));
    traffic.exchange(
        1,
        80,
        "GET http://anna:hunter2@shop.example/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln HTTP/1.1\r\nHost: x\r\n\r\n",
        &json(200, "{}"),
    );
    sandbox.file("secrets.pcap", traffic.pcap());
    let masked = sandbox.run(&["transactions", "secrets.pcap"]).exits(0);
    for secret in ["anna", "s3cr3t", "hunter2", "eyJ"] {
        assert!(!masked.out.contains(secret), "{}", masked.out);
    }
    assert_eq!(masked.lines()[0]["uri"], "/reset/***?token=***");
    let raw = sandbox.run(&["transactions", "--raw", "secrets.pcap"]).exits(0);
    assert_eq!(raw.lines()[0]["uri"], "/reset/anna@example.org?token=s3cr3t");
}

#[test]
fn lines_come_in_order_of_request() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    {
        let mut slow = traffic.connect(1, 80);
        slow.ask(&get("/slow"));
    }
    for n in 0..5 {
        traffic.exchange(2, 80, &get(&format!("/fast/{n}")), &json(200, "{}"));
    }
    sandbox.file("order.pcap", traffic.pcap());
    let lines = sandbox.run(&["transactions", "order.pcap"]).exits(0).lines();
    let uris: Vec<_> = lines.iter().map(|l| l["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["/slow", "/fast/0", "/fast/1", "/fast/2", "/fast/3", "/fast/4"]);
    assert!(lines[0]["status"].is_null());
    assert_eq!((&lines[0]["whole"], &lines[0]["reasons"][0]), (&false.into(), &"no_response".into()));
}

#[test]
fn a_response_alone_is_a_line_without_a_method() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    let mut talk = traffic.connect(1, 80);
    talk.answer(&json(503, "{}"));
    talk.close();
    sandbox.file("orphan.pcap", traffic.pcap());
    let lines = sandbox.run(&["transactions", "orphan.pcap"]).exits(0).lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0]["method"].is_null() && lines[0]["uri"].is_null());
    assert_eq!(lines[0]["status"], 503);
}

#[test]
fn a_body_that_is_compressed_has_two_sizes() {
    let sandbox = Sandbox::new();
    let body = "x".repeat(5000);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, body.as_bytes()).unwrap();
    let packed = gz.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    let mut traffic = Traffic::new();
    let mut talk = traffic.connect(1, 80);
    talk.ask(&get("/packed"));
    talk.answer_bytes(&[head.as_bytes(), &packed].concat());
    talk.close();
    sandbox.file("packed.pcap", traffic.pcap());
    let lines = sandbox.run(&["transactions", "packed.pcap"]).exits(0).lines();
    assert_eq!(lines[0]["response_body_bytes"], packed.len());
    assert_eq!(lines[0]["response_body_decoded_bytes"], 5000);
}

#[test]
fn a_gap_in_a_body_is_a_reason() {
    let sandbox = Sandbox::new();
    let mut traffic = Traffic::new();
    let mut talk = traffic.connect(1, 80);
    talk.ask(&get("/gap"));
    talk.answer("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
    talk.answer(&"x".repeat(1000));
    talk.lose_answer(1000);
    talk.answer(&"x".repeat(1000));
    talk.ask(&get("/next"));
    talk.answer(&json(404, "{}"));
    talk.close();
    sandbox.file("gap.pcap", traffic.pcap());
    let lines = sandbox.run(&["transactions", "gap.pcap"]).exits(0).lines();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["status"], &lines[0]["response_body_bytes"]), (&200.into(), &3000.into()));
    assert_eq!(lines[0]["reasons"], serde_json::json!(["response_gap"]));
    assert_eq!(
        (&lines[1]["uri"], &lines[1]["status"], &lines[1]["whole"]),
        (&"/next".into(), &404.into(), &true.into())
    );
}

#[test]
fn takes_standard_input_filters_and_a_key_log() {
    let sandbox = Sandbox::new();
    let asked = ["transactions", "-", "--keylog", "keys.log", "host", "10.0.0.3"];
    let ran = sandbox.pipe(&asked, &shop().pcap()).exits(2);
    assert!(ran.err.contains("keys.log"), "{}", ran.err);
    sandbox.file("keys.log", "# no secret yet\n");
    let ran = sandbox.pipe(&asked, &shop().pcap()).exits(0);
    assert_eq!(ran.lines().len(), 4);
}

#[test]
fn what_is_wrong_is_said() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", shop().pcap());
    assert!(sandbox.run(&["transactions", "missing.pcap"]).exits(1).err.contains("missing.pcap"));
    assert!(sandbox.run(&["transactions", "shop.pcap", "prot", "80"]).exits(2).err.contains("filter"));
    sandbox.run(&["transactions"]).exits(2);
}
