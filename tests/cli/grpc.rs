//! gRPC services: methods are operations, whatever they are called.

use crate::sandbox::Sandbox;
use crate::traffic::Traffic;

fn call(traffic: &mut Traffic, path: &str, status: u16, times: usize) {
    let trailers = format!("grpc-status:{status}\r\n");
    let mut talk = traffic.connect(1, 8080);
    for _ in 0..times {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: rpc.example\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 8\r\n\r\n"
        );
        talk.ask_bytes(&[head.as_bytes(), b"\0\0\0\0\x03\x0a\x01x"].concat());
        let body = [b"\0\0\0\0\x02xy\x80\0\0\0", &[trailers.len() as u8][..], trailers.as_bytes()].concat();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        talk.answer_bytes(&[head.as_bytes(), &body].concat());
    }
    talk.close();
}

#[test]
fn statuses_and_messages_of_each_method() {
    let mut traffic = Traffic::new();
    call(&mut traffic, "/shop.v1.Orders/Get", 0, 5);
    call(&mut traffic, "/shop.v1.Orders/Get", 5, 2);
    call(&mut traffic, "/shop.v1.Orders/Nonsense", 12, 3);
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    let out = sandbox.run(&["scan", "-r", "a.pcap"]).exits(0).out;
    assert!(out.contains("/shop.v1.Orders/Get") && out.contains("OK ×5 NOT_FOUND ×2"), "{out}");
    let json = sandbox.run(&["scan", "-r", "a.pcap", "--json"]).exits(0).json();
    let service = &json["inventory"]["services"][0];
    let endpoints = service["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1, "a method that the server does not have is a probe: {endpoints:#?}");
    assert_eq!(service["probes"]["200"], 3);
    let get = &endpoints[0];
    assert_eq!(get["grpc_statuses"].to_string(), r#"{"OK":5,"NOT_FOUND":2}"#);
    assert_eq!(
        get["messages"]["client"].to_string(),
        r#"{"messages":7,"bytes":21,"fields":{"1":{"messages":7,"types":{"string":7}}}}"#
    );
    assert_eq!(
        get["messages"]["server"].to_string(),
        r#"{"messages":7,"bytes":14,"fields":{"15":{"messages":7,"types":{"integer":7}}}}"#
    );
    // And from the store, where they are kept, merged with another look, and in words.
    for _ in 0..2 {
        sandbox.run(&["scan", "-r", "a.pcap", "--out", "kept"]).exits(0);
    }
    let id = get["id"].as_str().unwrap();
    let shown = sandbox.run(&["inventory", "show", "--store", "kept", id]).exits(0).out;
    for words in ["gRPC statuses", "NOT_FOUND", "Messages", "14 messages"] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
    sandbox.run(&["scan", "-r", "a.pcap", "--html", "a.html"]).exits(0);
    let page = sandbox.read("a.html");
    assert!(page.contains("NOT_FOUND") && page.contains("Servers said"), "the page tells both");
}

#[test]
fn methods_are_never_folded_however_many_there_are() {
    let mut traffic = Traffic::new();
    for service in ["shop.v1.Orders", "shop.v1.Users2024", "a.b.c.d.Long_Name"] {
        for n in 0..700 {
            call(&mut traffic, &format!("/{service}/Get{n:04}Thing"), 0, 1);
        }
    }
    for n in 0..600 {
        call(&mut traffic, &format!("/acme.s{n}.Store{n}/List"), 0, 1);
    }
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    let json = sandbox.run(&["scan", "-r", "a.pcap", "--json"]).exits(0).json();
    let endpoints = json["inventory"]["services"][0]["endpoints"].as_array().unwrap();
    let folded: Vec<_> = endpoints.iter().filter(|e| e["template"].as_str().unwrap().contains('{')).collect();
    assert!(folded.is_empty(), "{folded:#?}");
    assert_eq!(endpoints.len(), 3 * 700 + 600);
}

const PROTO: &str = r#"syntax = "proto3";
package shop.v1;
service Orders {
  rpc Get (GetRequest) returns (Order);
  rpc Never (GetRequest) returns (stream Order);
  rpc Old (GetRequest) returns (Order) { option deprecated = true; }
}
message GetRequest { string id = 1; }
message Order { string id = 1; repeated int64 prices = 2; }
"#;

#[test]
fn a_proto_file_is_a_document() {
    let mut traffic = Traffic::new();
    call(&mut traffic, "/shop.v1.Orders/Get", 0, 5);
    call(&mut traffic, "/shop.v1.Orders/Old", 0, 2);
    call(&mut traffic, "/shop.v1.Orders/Hidden", 0, 1);
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    sandbox.file("orders.proto", PROTO);
    let json = sandbox.run(&["scan", "-r", "a.pcap", "--spec", "orders.proto", "--json"]).exits(0).json();
    let findings: Vec<_> = json["diff"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {}", f["kind"].as_str().unwrap(), f["template"].as_str().unwrap()))
        .collect();
    assert_eq!(
        findings,
        ["shadow /shop.v1.Orders/Hidden", "zombie /shop.v1.Orders/Old", "unseen /shop.v1.Orders/Never"]
    );
    sandbox.run(&["scan", "-r", "a.pcap", "--out", "kept"]).exits(0);
    sandbox.file(
        "a.toml",
        "[[interface]]\nname = \"any\"\n[store]\nfolder = \"kept\"\n[[spec]]\nfile = \"orders.proto\"\n",
    );
    let shown = sandbox.run(&["inventory", "show", "--config", "a.toml", "/shop.v1.Orders/Get"]).exits(0).out;
    for words in ["Takes shop.v1.GetRequest", "Gives shop.v1.Order", "repeated int64", "prices"] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
    // The field's number on the wire, its name in the document.
    let id = shown.lines().find(|line| line.trim_start().starts_with("1 ") && line.contains("string"));
    assert!(id.is_some_and(|line| line.contains("id") && line.contains("5 messages")), "{shown}");
    let broken = sandbox.file("broken.proto", PROTO.replace("returns (Order);", "return (Order);"));
    let ran = sandbox.run(&["scan", "-r", "a.pcap", "--spec", broken.to_str().unwrap()]).exits(2);
    assert!(ran.err.contains("broken.proto:4") && ran.err.contains("protoc --include_imports"), "{}", ran.err);
}
