//! The watcher of exchanges.
//!
//! Takes heads and outcomes from floor 4, gives one [`Observation`] for each request once its exchange is over. What is
//! known of a request waits in a buffer that is used again, so that the steady state allocates nothing. Never keeps a
//! value: a request's identifiers are hashed before anything is stored.
//!
//! `CONNECT` gives no observation: it asks a proxy for a tunnel, not a service for a resource (RFC 9110, 9.3.6).
//! `OPTIONS *` is about the server as a whole and is observed with an empty path. A response whose request is not in
//! the capture gives no observation either, since nobody knows what was asked; floor 4 counts it as `request_missing`.
//! Such a response, a request with a hidden head, TLS and QUIC, and what could not be read give [`Glimpse`]s.

use std::collections::BTreeMap;

use super::caller::TrustedProxies;
use super::key::Key;
use super::record::{ParameterSpan, SegmentSpan, Span, append, lend};
use super::skeleton::Skeleton;
use super::target::{self, Parts};
use super::{Blindness, Field, Glimpse, Kind, Observation, Said, Scheme, ServiceKey, Sink, host};
use crate::base::{Address, Timestamp};
use crate::exchange::{Grpc, Messages, Observer, Outcome, QuicFlow, Sides, TlsSession, Unread};
use crate::proto::websocket::{Piece, Tally};
use crate::proto::{RequestHead, ResponseHead, grpc};
use crate::stream::Connection;

/// Addresses whose hash is kept at hand: connections take turns.
const CALLERS: usize = 128;

/// Longest method and longest media type that are kept, in bytes.
const METHOD_MAX: usize = 32;
const MEDIA_TYPE_MAX: usize = 96;
/// Longest service or method name of gRPC, in bytes.
const NAME_MAX: usize = 256;
/// A text buffer that one long target made larger than this is given back, so that no burst of hostile heads stays in memory.
const TEXT_KEPT: usize = 4096;

/// An observer of exchanges that gives observations to a [`Sink`].
#[derive(Debug)]
pub struct Watch<S> {
    /// The taker of the observations.
    pub sink: S,
    key: Key,
    trusted: TrustedProxies,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Messages that do not say what was asked, until they are over.
    blind: Vec<(Sides, Blindness)>,
    free_blind: Vec<u32>,
    scratch: Vec<u8>,
    /// Addresses that asked lately, and their hashes.
    callers: Box<[(u128, u64); CALLERS]>,
    hosts: host::Recent,
}

/// What is kept of a request until its exchange is over: the number of a buffer.
#[derive(Debug)]
pub struct Ticket(u32);

/// Nothing is kept.
const NOTHING: u32 = u32::MAX;
/// The number is that of a message that does not say what was asked.
const BLIND: u32 = 1 << 31;

/// Messages of one side whose fields are looked at one by one; of those behind, one in [`SAMPLE`] is.
const ALL_OF: u64 = 256;
const SAMPLE: u64 = 16;
/// Fields of a connection that wait to be told.
const FIELDS: usize = 128;

/// What is said behind a WebSocket handshake. Of pairs the first is the client's.
#[derive(Clone, Debug)]
struct Words {
    skeletons: [Skeleton; 2],
    /// Text messages that are over.
    count: [u64; 2],
    /// Messages by side, place and form of a field, since they were last told.
    fields: BTreeMap<(bool, String, Kind), u64>,
}

impl Words {
    fn new() -> Self {
        Self { skeletons: [Skeleton::new(), Skeleton::new()], count: [0; 2], fields: BTreeMap::new() }
    }

    fn hear(&mut self, server: bool, piece: Piece<'_>) {
        let side = usize::from(server);
        let number = self.count[side];
        let looks = number < ALL_OF || number.is_multiple_of(SAMPLE);
        match piece {
            Piece::Text(bytes) if looks => self.skeletons[side].push(bytes),
            Piece::Text(_) => {}
            Piece::End => {
                self.count[side] += 1;
                let fields = &mut self.fields;
                self.skeletons[side].end(|path, kind| {
                    let key = (server, path.to_owned(), kind);
                    let room = fields.len() < FIELDS;
                    if let Some(count) = fields.get_mut(&key) {
                        *count += 1;
                    } else if room {
                        fields.insert(key, 1);
                    }
                });
            }
        }
    }
}

/// What is known of a request.
#[derive(Clone, Debug)]
struct Slot {
    text: String,
    segments: Vec<SegmentSpan>,
    parameters: Vec<ParameterSpan>,
    host: Span,
    method: Span,
    request_type: Span,
    response_type: Span,
    server: Address,
    caller: u64,
    scheme: Scheme,
    status: Option<u16>,
    grpc_status: Option<u16>,
    /// Messages and bytes of both sides.
    said: Option<[[u64; 2]; 2]>,
    /// Its handshake was observed; it stands for what is said since.
    words: Option<Box<Words>>,
    trailing_slash: bool,
}

impl<S: Sink> Watch<S> {
    /// A watcher that hashes under `key`.
    pub fn new(sink: S, key: Key) -> Self {
        Self {
            sink,
            key,
            trusted: TrustedProxies::default(),
            slots: Vec::new(),
            free: Vec::new(),
            blind: Vec::new(),
            free_blind: Vec::new(),
            scratch: Vec::new(),
            callers: Box::new([(0, key.hash_bits(0)); CALLERS]),
            hosts: host::Recent::new(),
        }
    }

    /// The same, which takes these proxies' word for who asked.
    #[must_use]
    pub fn trusting(self, trusted: TrustedProxies) -> Self {
        Self { trusted, ..self }
    }

    /// Requests that wait for the end of their exchange.
    pub fn waiting(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[inline]
    fn caller(&mut self, client: Address) -> u64 {
        let bits = client.bits();
        let place = &mut self.callers[(bits ^ bits >> 8) as usize % CALLERS];
        if place.0 != bits {
            *place = (bits, self.key.hash_bits(bits));
        }
        place.1
    }

    /// Observes an exchange all of which is known at once.
    pub(super) fn whole(
        &mut self,
        head: &RequestHead<'_>,
        client: Address,
        server: Address,
        status: Option<u16>,
        response_type: Option<&[u8]>,
        outcome: &Outcome,
    ) {
        if head.method == "CONNECT" {
            return;
        }
        let index = self.take_slot();
        let caller = self.caller(client);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.caller = caller;
            slot.read(&self.key, head, server, &mut self.hosts, &mut self.scratch);
            slot.status = status;
            slot.response_type = media_type(response_type, &mut slot.text);
            slot.observe(outcome, &mut self.sink);
            self.free.push(index);
        }
    }

    /// A message that does not say what was asked.
    #[cold]
    fn blind(&mut self, sides: Sides, why: Blindness) -> Ticket {
        let index = self.free_blind.pop().unwrap_or_else(|| {
            self.blind.push((sides, why));
            (self.blind.len() - 1) as u32
        });
        if let Some(place) = self.blind.get_mut(index as usize) {
            *place = (sides, why);
        }
        Ticket(BLIND | index)
    }

    #[cold]
    fn finish_blind(&mut self, ticket: u32, outcome: &Outcome) {
        let index = ticket & !BLIND;
        if let Some(&(sides, why)) = self.blind.get(index as usize).filter(|_| ticket != NOTHING) {
            self.free_blind.push(index);
            let caller = self.caller(sides.client);
            let blind = Glimpse::blind(sides, why, (outcome.started, outcome.started), caller);
            self.sink.glimpse(Glimpse { begins: false, messages: 1, ..blind });
        }
    }

    #[inline]
    fn take_slot(&mut self) -> u32 {
        match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot::new());
                (self.slots.len() - 1) as u32
            }
        }
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            text: String::with_capacity(256),
            segments: Vec::with_capacity(16),
            parameters: Vec::with_capacity(8),
            host: Span::default(),
            method: Span::default(),
            request_type: Span::default(),
            response_type: Span::default(),
            server: Address::v6(0, 0),
            caller: 0,
            scheme: Scheme::Http,
            status: None,
            grpc_status: None,
            said: None,
            words: None,
            trailing_slash: false,
        }
    }

    #[inline]
    fn read(
        &mut self,
        key: &Key,
        head: &RequestHead<'_>,
        server: Address,
        hosts: &mut host::Recent,
        scratch: &mut Vec<u8>,
    ) {
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT);
        self.segments.clear();
        self.parameters.clear();
        self.server = server;
        (self.status, self.grpc_status, self.said) = (None, None, None);
        self.response_type = Span::default();
        let target = target::split(head.target.bytes());
        self.host = match target.authority.or(head.host).and_then(|h| hosts.append(h, &mut self.text)) {
            Some(span) => span,
            None => append(&mut self.text, &server.ip().to_string()),
        };
        let method = &head.method[..head.method.floor_char_boundary(METHOD_MAX)];
        self.method = append(&mut self.text, method);
        self.request_type = media_type(head.content_type, &mut self.text);
        let mut parts =
            Parts { text: &mut self.text, segments: &mut self.segments, parameters: &mut self.parameters, scratch };
        self.trailing_slash = parts.read(key, head.target, target.rest.len());
        if head.content_type.is_some_and(|value| grpc::form(value).is_some()) {
            self.name_rpc(head.target.bytes());
        }
    }

    /// `/package.Service/Method` is a name of the API's own, whatever its parts look like: no value is in it.
    #[cold]
    fn name_rpc(&mut self, target: &[u8]) {
        let name = |part: &[u8]| {
            part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && part.len() <= NAME_MAX
                && part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        };
        let mut parts = target.strip_prefix(b"/").unwrap_or_default().split(|b| *b == b'/');
        if let (Some(service), Some(method), None) = (parts.next(), parts.next(), parts.next())
            && name(service)
            && name(method)
        {
            self.segments.clear();
            for part in [service, method] {
                let text = append(&mut self.text, std::str::from_utf8(part).unwrap_or_default());
                self.segments.push(SegmentSpan { hash: 0, kind: Kind::Name, text });
            }
        }
    }

    /// Tells what was said since.
    #[cold]
    fn tell(&mut self, tally: &[Tally; 2], ts: Timestamp, sink: &mut impl Sink) {
        let Some(words) = &mut self.words else { return };
        let told = std::mem::take(&mut words.fields);
        let fields: Vec<_> = told
            .iter()
            .map(|((server, path, kind), messages)| Field { server: *server, path, kind: *kind, messages: *messages })
            .collect();
        let said = Said {
            messages: [tally[0].messages, tally[1].messages],
            bytes: [tally[0].bytes, tally[1].bytes],
            fields: &fields,
            since: true,
        };
        if said.messages == [0; 2] && fields.is_empty() {
            return;
        }
        lend(&self.text, &self.segments, &self.parameters, |path, _| {
            sink.observation(&Observation {
                ts,
                service: ServiceKey { scheme: self.scheme, host: self.host.of(&self.text), port: self.server.port },
                server: self.server.ip(),
                caller: self.caller,
                method: self.method.of(&self.text),
                path,
                trailing_slash: self.trailing_slash,
                query: &[],
                status: self.status,
                grpc_status: None,
                request_type: "",
                response_type: "",
                request_size: 0,
                response_size: 0,
                latency: None,
                partial: true,
                said: Some(said),
            });
        });
    }

    #[inline]
    fn observe(&self, outcome: &Outcome, sink: &mut impl Sink) {
        lend(&self.text, &self.segments, &self.parameters, |path, query| {
            let whole = outcome.partial.is_whole();
            let bodied = |span: Span, size: u64| if size == 0 && whole { "" } else { span.of(&self.text) };
            sink.observation(&Observation {
                ts: outcome.started,
                service: ServiceKey { scheme: self.scheme, host: self.host.of(&self.text), port: self.server.port },
                server: self.server.ip(),
                caller: self.caller,
                method: self.method.of(&self.text),
                path,
                trailing_slash: self.trailing_slash,
                query,
                status: self.status,
                grpc_status: self.grpc_status,
                request_type: bodied(self.request_type, outcome.request_body),
                response_type: bodied(self.response_type, outcome.response_body),
                request_size: outcome.request_body,
                response_size: outcome.response_body,
                latency: outcome.latency,
                partial: !whole,
                said: self.said.map(|[messages, bytes]| Said { messages, bytes, fields: &[], since: false }),
            });
        });
    }
}

impl<S: Sink> Observer for Watch<S> {
    type Request = Ticket;

    #[inline]
    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Ticket {
        // With a path it is a request for a resource that speaks another protocol (RFC 8441, 4).
        if head.method == "CONNECT" && head.target.bytes().first() != Some(&b'/') {
            return Ticket(NOTHING);
        }
        let index = self.take_slot();
        let client =
            if self.trusted.is_empty() { sides.client } else { self.trusted.caller(sides.client, head.fields) };
        let caller = self.caller(client);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.caller = caller;
            slot.scheme = if sides.secure { Scheme::Https } else { Scheme::Http };
            slot.read(&self.key, head, sides.server, &mut self.hosts, &mut self.scratch);
        }
        Ticket(index)
    }

    #[inline]
    fn response(&mut self, request: &mut Ticket, head: &ResponseHead<'_>) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            slot.status = Some(head.status);
            slot.response_type = media_type(head.content_type, &mut slot.text);
        }
    }

    #[inline]
    fn finish(&mut self, _: &Connection, request: Ticket, outcome: &Outcome) {
        if let Some(slot) = self.slots.get(request.0 as usize) {
            slot.observe(outcome, &mut self.sink);
            self.free.push(request.0);
        } else {
            self.finish_blind(request.0, outcome);
        }
    }

    fn messages(&mut self, request: &mut Ticket) -> Messages<Ticket> {
        let Some(slot) = self.slots.get(request.0 as usize) else { return Messages::Untold };
        let apart = Slot { words: Some(Box::new(Words::new())), ..slot.clone() };
        let index = self.take_slot();
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = apart;
        }
        Messages::Apart(Ticket(index))
    }

    fn message(&mut self, request: &mut Ticket, server: bool, piece: Piece<'_>) {
        if let Some(words) = self.slots.get_mut(request.0 as usize).and_then(|slot| slot.words.as_mut()) {
            words.hear(server, piece);
        }
    }

    fn websocket(&mut self, request: &mut Ticket, tally: &[Tally; 2], ts: Timestamp) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            slot.tell(tally, ts, &mut self.sink);
        }
    }

    fn parted(&mut self, request: Ticket) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            slot.words = None;
            self.free.push(request.0);
        }
    }

    fn grpc(&mut self, request: &mut Ticket, call: &Grpc) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            slot.grpc_status = call.status;
            slot.said = Some([call.messages, call.bytes]);
        }
    }

    /// Who does not know what was asked cannot say which endpoint it was: counted by floor 4 as `head_hidden`.
    fn hidden(&mut self, _: &Connection, sides: Sides, _: &RequestHead<'_>) -> Ticket {
        self.blind(sides, Blindness::HeadsHidden)
    }

    fn orphan(&mut self, _: &Connection, sides: Sides, _: &ResponseHead<'_>) -> Ticket {
        self.blind(sides, Blindness::ResponsesOnly)
    }

    fn tls(&mut self, _: &Connection, session: &TlsSession<'_>) {
        let caller = self.caller(session.sides.client);
        self.sink.glimpse(Glimpse::tls(session, caller, &self.key));
    }

    fn quic_hello(&mut self, flow: &QuicFlow) {
        let caller = self.caller(flow.client);
        // Its bytes come with the next word.
        self.sink.glimpse(Glimpse { bytes: [0; 2], ..Glimpse::quic(flow, true, false, caller) });
    }

    fn quic_goes(&mut self, flow: &QuicFlow) {
        let caller = self.caller(flow.client);
        self.sink.glimpse(Glimpse::quic(flow, false, flow.words == 0, caller));
    }

    fn quic_closed(&mut self, flow: &QuicFlow) {
        let caller = self.caller(flow.client);
        self.sink.glimpse(Glimpse::quic(flow, flow.hello.is_none(), flow.words == 0, caller));
    }

    fn unread(&mut self, connection: &Connection, unread: &Unread) {
        let caller = self.caller(unread.sides.client);
        self.sink.glimpse(Glimpse::unread(connection.opened, unread, caller));
    }
}

/// Values of Content-Type that most messages have, and their media types: recognised whole, so that they need not be
/// looked at byte by byte.
const USUAL_TYPES: [(&[u8], &str); 8] = [
    (b"application/json", "application/json"),
    (b"application/json; charset=utf-8", "application/json"),
    (b"application/json;charset=utf-8", "application/json"),
    (b"application/json;charset=UTF-8", "application/json"),
    (b"text/html; charset=utf-8", "text/html"),
    (b"text/html", "text/html"),
    (b"text/plain", "text/plain"),
    (b"application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
];

/// Appends the media type of a Content-Type field in lower case, without parameters (RFC 9110, 8.3.1); empty where
/// there is none or where it is not one.
#[inline]
fn media_type(content_type: Option<&[u8]>, text: &mut String) -> Span {
    let Some(value) = content_type else { return Span::default() };
    match USUAL_TYPES.iter().find(|(usual, _)| *usual == value) {
        Some((_, name)) => append(text, name),
        None => unusual_type(value, text),
    }
}

fn unusual_type(value: &[u8], text: &mut String) -> Span {
    let end = value.iter().position(|b| matches!(b, b';' | b',')).unwrap_or(value.len());
    let name = value[..end].trim_ascii();
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"/!#$&-^_.+".contains(b);
    if name.len() > MEDIA_TYPE_MAX || !name.iter().all(token) || !name.contains(&b'/') {
        return Span::default();
    }
    let Ok(name) = std::str::from_utf8(name) else { return Span::default() };
    let span = append(text, name);
    if let Some(kept) = text.get_mut(span.start as usize..) {
        kept.make_ascii_lowercase();
    }
    span
}

#[cfg(test)]
mod tests {
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

    fn request<'a>(
        method: &'a str,
        target: &'a [u8],
        host: Option<&'a [u8]>,
        fields: &'a [Header<'a>],
    ) -> RequestHead<'a> {
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
        kinds(b"/users/4711", b"application/json", &[(Kind::Word, "users"), (Kind::Integer, "")]);
        kinds(b"/users/4711/x", b"application/grpc", &[(Kind::Word, "users"), (Kind::Integer, ""), (Kind::Word, "x")]);
    }

    #[test]
    fn connect_and_orphans_give_nothing_and_options_asterisk_an_empty_path() {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        let ticket =
            watch.request(&connection(), sides(), &request("CONNECT", b"a.example:443", Some(b"a.example"), &[]));
        watch.finish(&connection(), ticket, &outcome());
        let head =
            ResponseHead { status: 200, version: Version::Http11, fields: Fields(&[]), content_type: None, size: 0 };
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
}
