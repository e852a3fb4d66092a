//! Heads in, observations out: what is kept of them, and what never is.

use super::*;
use crate::base::FlowKey;
use crate::exchange::Partial;
use crate::observe::Batch;
use crate::proto::{Fields, Version};
use httparse::Header;

const CLIENT: (u32, u16) = (0x0a00_0001, 50_000);
const SERVER: (u32, u16) = (0x0a00_0002, 8080);

fn connection() -> Connection {
    let (key, _) = FlowKey::new(Address::v4(CLIENT.0, CLIENT.1), Address::v4(SERVER.0, SERVER.1), 0);
    Connection { key, id: 1, opener: None, opened: Timestamp(0) }
}

fn sides() -> Sides {
    Sides { client: Address::v4(CLIENT.0, CLIENT.1), server: Address::v4(SERVER.0, SERVER.1), secure: false }
}

fn outcome() -> Outcome {
    Outcome {
        started: Timestamp(7),
        latency: Some(1000),
        request_body: 3,
        response_body: 10,
        partial: Partial::default(),
        interim: 0,
    }
}

fn request<'a>(method: &'a str, target: &'a [u8], host: Option<&'a [u8]>, fields: &'a [Header<'a>]) -> RequestHead<'a> {
    let (fields, version) = (Fields(fields), Version::Http11);
    let content_type = fields.get("content-type");
    RequestHead { method, target: target.into(), host, version, fields, content_type, size: 0 }
}

fn watch_one(head: &RequestHead<'_>, then: impl FnOnce(&Observation<'_>)) {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    let mut ticket = watch.request(&connection(), sides(), head);
    let content_type = Some(&b"Application/JSON; charset=utf-8"[..]);
    let (version, fields) = (Version::Http11, Fields(&[]));
    watch.response(&mut ticket, &ResponseHead { status: 201, version, fields, content_type, size: 0 });
    watch.finish(&connection(), ticket, &outcome());
    assert_eq!(watch.waiting(), 0);
    let mut then = Some(then);
    watch.sink.for_each(|o| then.take().expect("one observation")(o));
    assert!(then.is_none(), "an observation was given");
}

#[test]
fn an_exchange_becomes_an_observation_without_values() {
    let fields = [Header { name: "content-type", value: b" text/plain " }];
    watch_one(
        &request("POST", b"/users/123456/orders/?page=2&q=secret%20thing", Some(b"API.example:8080"), &fields),
        |o| {
            assert_eq!(o.service, ServiceKey { scheme: Scheme::Http, host: "api.example", port: 8080 });
            assert_eq!(o.method, "POST");
            let path: Vec<_> = o.path.iter().map(|s| (s.kind, s.text)).collect();
            assert_eq!(path, [(Kind::Word, "users"), (Kind::Integer, ""), (Kind::Word, "orders")]);
            assert!(o.trailing_slash);
            let query: Vec<_> = o.query.iter().map(|p| (p.name, p.kind)).collect();
            assert_eq!(query, [("page", Kind::Integer), ("q", Kind::Text)]);
            assert_eq!((o.request_type, o.response_type), ("text/plain", "application/json"));
            assert_eq!((o.status, o.request_size, o.response_size, o.partial), (Some(201), 3, 10, false));
            assert_eq!(o.caller, Key::FIXED.hash_bits(sides().client.bits()));
            assert!(!format!("{o:?}").contains("secret") && !format!("{o:?}").contains("123456"));
        },
    );
}

#[test]
fn the_authority_of_an_absolute_form_target_wins_and_bad_hosts_fall_back() {
    let host = |target: &'static [u8], host: Option<&'static [u8]>, expected: &str| {
        watch_one(&request("GET", target, host, &[]), |o| assert_eq!(o.service.host, expected));
    };
    host(b"http://Other.example:81/x", Some(b"api.example"), "other.example");
    host(b"/x", None, "10.0.0.2");
    host(b"/x", Some(b"not a host"), "10.0.0.2");
    host(b"/x", Some(b"\xff"), "10.0.0.2");
    host(b"/x", Some(b"[2001:DB8::1]:8080"), "2001:db8::1");
}

#[test]
fn names_of_grpc_are_kept_as_they_are() {
    let kinds = |target: &'static [u8], media_type: &'static [u8], expected: &[(Kind, &str)]| {
        let fields = [Header { name: "content-type", value: media_type }];
        watch_one(&request("POST", target, Some(b"a"), &fields), |o| {
            assert_eq!(o.path.iter().map(|s| (s.kind, s.text)).collect::<Vec<_>>(), expected);
        });
    };
    let names = [(Kind::Name, "pkg.v1.Store4711"), (Kind::Name, "Get0815")];
    kinds(b"/pkg.v1.Store4711/Get0815", b"application/grpc-web-text+proto", &names);
    kinds(b"/pkg.v1.Store4711/Get0815", b"application/grpc", &names);
    kinds(b"/pkg.v1.Store4711/Get0815", b"application/connect+json", &names);
    kinds(b"/users/4711", b"application/json", &[(Kind::Word, "users"), (Kind::Integer, "")]);
    kinds(b"/users/4711/x", b"application/grpc", &[(Kind::Word, "users"), (Kind::Integer, ""), (Kind::Word, "x")]);
}

#[test]
fn a_call_of_connect_is_told_by_its_field() {
    let names = [(Kind::Name, "pkg.v1.Store4711"), (Kind::Name, "Get0815")];
    for media_type in [&b"application/json"[..], b"application/proto"] {
        let content_type = Header { name: "content-type", value: media_type };
        let fields = [content_type, Header { name: "Connect-Protocol-Version", value: b"1" }];
        watch_one(&request("POST", b"/pkg.v1.Store4711/Get0815", Some(b"a"), &fields), |o| {
            assert_eq!(o.path.iter().map(|s| (s.kind, s.text)).collect::<Vec<_>>(), names);
        });
        watch_one(&request("POST", b"/pkg.v1.Store4711/Get0815", Some(b"a"), &[content_type]), |o| {
            assert!(o.path.iter().all(|s| s.kind != Kind::Name));
        });
    }
}

/// RFC 8441, 5: what a GET asks for in HTTP/1, and 101 grants.
#[test]
fn websocket_over_http2_is_the_endpoint_that_it_is_over_http1() {
    for (status, expected) in [(200, 101), (204, 101), (403, 403), (101, 101)] {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        let head = RequestHead { version: Version::Http2, ..request("CONNECT", b"/chat/rooms", Some(b"a"), &[]) };
        let mut ticket = watch.request(&connection(), sides(), &head);
        let (version, fields) = (Version::Http2, Fields(&[]));
        let answer = ResponseHead { status, version, fields, content_type: None, size: 0 };
        watch.response(&mut ticket, &answer);
        watch.finish(&connection(), ticket, &outcome());
        let mut seen = Vec::new();
        watch.sink.for_each(|o| seen.push((o.method.to_owned(), o.status)));
        assert_eq!(seen, [("GET".to_owned(), Some(expected))]);
    }
    // The slot is used again for what is none.
    watch_one(&request("GET", b"/x", Some(b"a"), &[]), |o| assert_eq!((o.method, o.status), ("GET", Some(201))));
}

#[test]
fn fields_of_a_calls_messages_go_with_it_and_not_with_the_next() {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    let content_type = [Header { name: "content-type", value: b"application/grpc" }];
    for round in 0..2 {
        let mut ticket = watch.request(&connection(), sides(), &request("POST", b"/p.S/M", Some(b"a"), &content_type));
        if round == 0 {
            let seen = |number, wire| Seen { number, wire, messages: 2 };
            watch.grpc_fields(&mut ticket, true, &[seen(1, Wire::Varint), seen(2, Wire::Delimited)]);
            watch.grpc(&mut ticket, &Grpc { messages: [1, 2], ..Grpc::default() });
        }
        watch.finish(&connection(), ticket, &outcome());
    }
    let mut said = Vec::new();
    watch.sink.for_each(|o| {
        let fields = |s: Said<'_>| s.fields.iter().map(|f| (f.server, f.path.to_owned(), f.kind)).collect::<Vec<_>>();
        said.push(o.said.map(fields));
    });
    let fields = vec![(true, "1".to_owned(), Kind::Integer), (true, "2".to_owned(), Kind::Text)];
    assert_eq!(said, [Some(fields), None]);
}

#[test]
fn connect_and_orphans_give_nothing_and_options_asterisk_an_empty_path() {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    let ticket = watch.request(&connection(), sides(), &request("CONNECT", b"a.example:443", Some(b"a.example"), &[]));
    watch.finish(&connection(), ticket, &outcome());
    let head = ResponseHead { status: 200, version: Version::Http11, fields: Fields(&[]), content_type: None, size: 0 };
    let ticket = watch.orphan(&connection(), sides(), &head);
    watch.finish(&connection(), ticket, &outcome());
    assert_eq!(watch.sink.len(), 0);
    watch_one(&request("OPTIONS", b"*", Some(b"a.example"), &[]), |o| assert!(o.path.is_empty()));
}

#[test]
fn buffers_are_used_again() {
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    for _ in 0..100 {
        let a = watch.request(&connection(), sides(), &request("GET", b"/a", Some(b"x"), &[]));
        let b = watch.request(&connection(), sides(), &request("GET", b"/b", Some(b"x"), &[]));
        assert_eq!(watch.waiting(), 2);
        watch.finish(&connection(), b, &outcome());
        watch.finish(&connection(), a, &outcome());
    }
    assert_eq!(watch.slots.len(), 2);
    let mut paths = Vec::new();
    watch.sink.for_each(|o| paths.push(o.path[0].text.to_owned()));
    assert_eq!(paths[..2], ["b", "a"]);
    assert_eq!(paths.len(), 200);
}

#[test]
fn media_types_of_absent_bodies_are_not_observed() {
    let fields = [Header { name: "Content-Type", value: b"application/json" }];
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    let ticket = watch.request(&connection(), sides(), &request("GET", b"/a", Some(b"x"), &fields));
    watch.finish(&connection(), ticket, &Outcome { request_body: 0, ..outcome() });
    watch.sink.for_each(|o| assert_eq!((o.request_type, o.response_type, o.status), ("", "", None)));
}
