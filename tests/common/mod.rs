//! Exchanges for tests, made through the real watcher.
#![allow(dead_code)] // each test file takes what it needs

use shadowtap::base::{Address, FlowKey, Timestamp};
use shadowtap::exchange::{Observer, Outcome, Partial, Sides};
use shadowtap::observe::{Key, Sink, Watch};
use shadowtap::proto::{Fields, RequestHead, ResponseHead, Version};
use shadowtap::stream::Connection;

/// One exchange to be.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub host: String,
    pub target: String,
    pub status: u16,
    pub ts: u64,
    pub client: u32,
}

/// `GET` of a target on `api.example`.
pub fn ask(target: impl Into<String>, status: u16) -> Ask {
    Ask {
        method: "GET",
        host: "api.example".into(),
        target: target.into(),
        status,
        ts: 1_800_000_000_000_000_000,
        client: 1,
    }
}

/// Runs an exchange through the watcher into a sink.
pub fn play<S: Sink>(watch: &mut Watch<S>, ask: &Ask, response_type: &str) {
    let (client, server) = (Address::v4(0x0a00_0000 | ask.client, 50_000), Address::v4(0x0a01_0001, 80));
    let (key, _) = FlowKey::new(client, server, 0);
    let connection = Connection { key, id: 1, opener: None, opened: Timestamp(0) };
    let head = RequestHead {
        method: ask.method,
        target: ask.target.as_str().into(),
        host: Some(ask.host.as_bytes()),
        version: Version::Http11,
        fields: Fields(&[]),
        content_type: None,
        size: 100,
    };
    let mut ticket = watch.request(&connection, Sides { client, server, secure: false }, &head);
    let content_type = Some(response_type.as_bytes()).filter(|t| !t.is_empty());
    if ask.status > 0 {
        watch.response(
            &mut ticket,
            &ResponseHead {
                status: ask.status,
                version: Version::Http11,
                fields: Fields(&[]),
                content_type,
                size: 100,
            },
        );
    }
    let outcome = Outcome {
        started: Timestamp(ask.ts),
        latency: Some(1_000_000),
        request_body: 0,
        response_body: 100,
        partial: Partial::default(),
        interim: 0,
    };
    watch.finish(&connection, ticket, &outcome);
}

/// Observes exchanges.
pub fn observe<S: Sink>(sink: S, asks: &[Ask]) -> S {
    let mut watch = Watch::new(sink, Key::FIXED);
    for ask in asks {
        play(&mut watch, ask, "application/json");
    }
    watch.sink
}
