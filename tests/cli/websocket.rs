//! WebSocket: the handshake is the endpoint, and its messages are counted there.

use crate::sandbox::Sandbox;
use crate::traffic::Traffic;

fn text(mask: bool, text: &str) -> Vec<u8> {
    let flag = if mask { 0x80 } else { 0 };
    let mut out = vec![0x81, flag | text.len() as u8];
    if mask {
        out.extend([5, 6, 7, 8]);
    }
    out.extend(text.bytes().enumerate().map(|(n, b)| if mask { b ^ [5, 6, 7, 8][n % 4] } else { b }));
    out
}

#[test]
fn messages_and_their_fields_are_kept_with_the_endpoint() {
    let mut traffic = Traffic::new();
    for client in 1..=3 {
        let mut talk = traffic.connect(client, 8080);
        talk.ask("GET /v1/feed HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        talk.answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        talk.ask_bytes(&text(true, "{\"subscribe\": \"ACME-secret\", \"depth\": 5}"));
        for n in 0..4 {
            talk.answer_bytes(&text(false, &format!("{{\"book\": [{{\"price\": {n}.25, \"own\": null}}]}}")));
        }
        talk.answer_bytes(&text(false, "heartbeat"));
        talk.close();
    }
    let sandbox = Sandbox::new();
    sandbox.file("a.pcap", traffic.pcap());
    let json = sandbox.run(&["scan", "-r", "a.pcap", "--json"]).exits(0).json();
    let endpoints = json["inventory"]["services"][0]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1, "{endpoints:#?}");
    let feed = &endpoints[0];
    assert_eq!((feed["template"].as_str(), feed["calls"].as_u64()), (Some("/v1/feed"), Some(3)));
    assert_eq!(feed["statuses"].to_string(), r#"{"101":3}"#);
    let messages = &feed["messages"];
    assert_eq!((messages["client"]["messages"].as_u64(), messages["server"]["messages"].as_u64()), (Some(3), Some(15)));
    assert_eq!(messages["client"]["fields"]["subscribe"].to_string(), r#"{"messages":3,"types":{"string":3}}"#);
    let fields = &messages["server"]["fields"];
    assert_eq!(fields["book[].price"].to_string(), r#"{"messages":12,"types":{"number":12}}"#);
    assert_eq!(fields["book[].own"]["types"].to_string(), r#"{"null":12}"#);
    assert!(!json.to_string().contains("secret"), "no value");
    sandbox.run(&["scan", "-r", "a.pcap", "--out", "kept"]).exits(0);
    let shown = sandbox.run(&["inventory", "show", "--store", "kept", "/v1/feed"]).exits(0).out;
    for words in ["Messages", "15 messages", "Fields of messages", "book[].price"] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}
