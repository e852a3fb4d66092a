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

use super::caller::TrustedProxies;
use super::key::Key;
use super::mention::{self, Harvest, Mention, Mentioned, Thrift};
use super::operation;
use super::record::{ParameterSpan, SegmentSpan, Span, append, lend};
use super::target::{self, Parts};
use super::words::Words;
use super::{Blindness, Glimpse, Kind, Observation, Said, Scheme, ServiceKey, Sink, host};
use crate::base::{Address, Timestamp};
use crate::exchange::{BodyWish, Grpc, Messages, Observer, Outcome, QuicFlow, Sides, TlsSession, Unread};
use crate::proto::grpc::Seen;
use crate::proto::protobuf::Wire;
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
    /// Which bodies are walked; `None`: none of them.
    thrift: Option<Thrift>,
    /// Walkers that are free, and what one of them found.
    #[expect(clippy::vec_box, reason = "they move between here and the slots, which must stay small")]
    harvests: Vec<Box<Harvest>>,
    mentions: Vec<Mention>,
}

/// What is kept of a request until its exchange is over: the number of a buffer.
#[derive(Debug)]
pub struct Ticket(u32);

/// Nothing is kept.
const NOTHING: u32 = u32::MAX;
/// The number is that of a message that does not say what was asked.
const BLIND: u32 = 1 << 31;

/// Walkers of bodies that are kept for the next exchange.
const HARVESTS: usize = 64;

/// What a log has of an exchange's bodies and fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) bodies: [&'a [u8]; 2],
    pub(super) location: Option<&'a [u8]>,
    pub(super) authorization: Option<&'a [u8]>,
}

impl Told<'_> {
    fn is_any(&self) -> bool {
        self.location.is_some() || self.authorization.is_some() || self.bodies.iter().any(|b| !b.is_empty())
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
    operation: Span,
    /// The beginning of a form that may name the operation.
    form: Vec<u8>,
    wants_form: bool,
    request_type: Span,
    response_type: Span,
    server: Address,
    caller: u64,
    scheme: Scheme,
    status: Option<u16>,
    grpc_status: Option<u16>,
    /// Messages and bytes of both sides.
    said: Option<[[u64; 2]; 2]>,
    /// Its handshake was observed, and it stands for what is said since; or it is a call whose messages have fields.
    words: Option<Box<Words>>,
    trailing_slash: bool,
    /// A handshake of WebSocket over HTTP/2.
    extended: bool,
    /// Its bodies are walked; the second says whether the body that comes is.
    harvest: Option<Box<Harvest>>,
    walks: bool,
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
            thrift: Some(Thrift::new()),
            harvests: Vec::new(),
            mentions: Vec::new(),
        }
    }

    /// The same, which looks into bodies and tokens for values that stand in paths, or does not.
    #[must_use]
    pub fn looking_into_bodies(self, bodies: bool) -> Self {
        Self { thrift: bodies.then(Thrift::new), ..self }
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
        (client, server): (Address, Address),
        status: Option<u16>,
        response_type: Option<&[u8]>,
        outcome: &Outcome,
        told: &Told<'_>,
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
        if told.is_any() && self.thrift.is_some() {
            self.hear(index, head, told);
        }
    }

    /// Walks the bodies of a slot's exchange, which was observed.
    fn hear(&mut self, index: u32, head: &RequestHead<'_>, told: &Told<'_>) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let mut harvest = self.harvests.pop().unwrap_or_else(|| Box::new(Harvest::new()));
        harvest.asks(&self.key, target::split(head.target.bytes()).rest);
        if let Some(authorization) = told.authorization {
            harvest.claims(&self.key, authorization, &mut self.scratch);
        }
        let [request, answer] = told.bodies;
        harvest.push(&self.key, request);
        harvest.answer();
        harvest.push(&self.key, answer);
        if let (Some(location), Some(201)) = (told.location, slot.status) {
            harvest.location(&self.key, location);
        }
        slot.harvest = Some(harvest);
        self.tell_mentioned(index);
    }

    /// Walks the bodies of a request that begins, if they are to be walked.
    #[inline]
    fn begin_harvest(&mut self, index: u32, head: &RequestHead<'_>) {
        let (Some(thrift), Some(slot)) = (&mut self.thrift, self.slots.get_mut(index as usize)) else { return };
        if thrift.walks(slot.text.as_bytes()) {
            let harvest = self.harvests.pop().unwrap_or_else(|| Box::new(Harvest::new()));
            slot.begin_harvest(harvest, &self.key, head, &mut self.scratch);
        }
    }

    /// Passes on what was found in the bodies of an exchange that succeeded.
    #[cold]
    fn tell_mentioned(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let Some(mut harvest) = slot.harvest.take() else { return };
        if let Some(thrift) = &mut self.thrift {
            thrift.walked(harvest.walked());
        }
        if matches!(slot.status, Some(200..=299)) && slot.grpc_status.is_none() {
            let words = slot.segments.iter().filter(|s| s.kind.keeps_text()).map(|s| s.text.of(&slot.text));
            let own: Vec<u64> = words.map(|word| mention::value_hash(&self.key, word)).collect();
            harvest.take(&own, &mut self.mentions);
            if !self.mentions.is_empty() {
                let service =
                    ServiceKey { scheme: slot.scheme, host: slot.host.of(&slot.text), port: slot.server.port };
                self.sink.mentioned(&Mentioned { service, mentions: &self.mentions });
            }
        }
        if self.harvests.len() < HARVESTS {
            self.harvests.push(harvest);
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
            operation: Span::default(),
            form: Vec::new(),
            wants_form: false,
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
            extended: false,
            harvest: None,
            walks: false,
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
        self.form.clear();
        self.server = server;
        (self.status, self.grpc_status, self.said) = (None, None, None);
        self.walks = false;
        self.response_type = Span::default();
        // What WebSocket (or another upgrade) begins with in HTTP/1 is a GET of the same resource (RFC 8441, 5).
        self.extended = head.method == "CONNECT";
        let target = target::split(head.target.bytes());
        self.host = match target.authority.or(head.host).and_then(|h| hosts.append(h, &mut self.text)) {
            Some(span) => span,
            None => append(&mut self.text, &server.ip().to_string()),
        };
        let method = if self.extended { "GET" } else { head.method };
        let method = &method[..method.floor_char_boundary(METHOD_MAX)];
        self.method = append(&mut self.text, method);
        self.request_type = media_type(head.content_type, &mut self.text);
        let mut parts = Parts {
            text: &mut self.text,
            segments: &mut self.segments,
            parameters: &mut self.parameters,
            scratch,
            operation: Span::default(),
        };
        self.trailing_slash = parts.read(key, head.target, target.rest.len());
        self.operation = parts.operation;
        if let Some(target) = operation::of_head(head) {
            let start = self.text.len() as u32;
            self.text.push_str("X-Amz-Target: ");
            self.text.push_str(target);
            self.operation = Span { start, end: self.text.len() as u32 };
        }
        self.wants_form = self.operation == Span::default() && operation::in_form(head);
        // A method has two parts and no parameters.
        let rpc = self.segments.len() == 2 && self.parameters.is_empty();
        if rpc && head.content_type.is_some_and(|value| grpc::names_method(value, head.fields)) {
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

    /// Reads the beginning of a form, and forgets it.
    #[cold]
    fn read_form(&mut self, whole: bool) {
        let form = std::mem::take(&mut self.form);
        let whole = whole && form.len() < operation::FORM_MAX;
        self.operation = target::append_operation(&mut self.text, "", operation::of_form(&form, whole));
        self.form = form;
        self.form.fill(0);
        self.form.clear();
    }

    /// Its bodies are walked from here on.
    #[cold]
    fn begin_harvest(&mut self, mut harvest: Box<Harvest>, key: &Key, head: &RequestHead<'_>, scratch: &mut Vec<u8>) {
        harvest.asks(key, target::split(head.target.bytes()).rest);
        if let Some(authorization) = head.fields.get("authorization") {
            harvest.claims(key, authorization, scratch);
        }
        self.walks = is_json(self.request_type.of(&self.text));
        self.harvest = Some(harvest);
    }

    /// The body that comes is that of the response.
    #[cold]
    fn harvest_response(&mut self, key: &Key, head: &ResponseHead<'_>) {
        let Some(harvest) = &mut self.harvest else { return };
        harvest.answer();
        self.walks = matches!(head.status, 200..=299) && is_json(self.response_type.of(&self.text));
        if head.status == 201
            && let Some(location) = head.fields.get("location")
        {
            harvest.location(key, location);
        }
    }

    /// Tells what was said since.
    #[cold]
    fn tell(&mut self, tally: &[Tally; 2], ts: Timestamp, sink: &mut impl Sink) {
        let Some(words) = &self.words else { return };
        let fields = words.told();
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
                operation: self.operation.of(&self.text),
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
        if let Some(words) = &mut self.words {
            words.fields.clear();
        }
    }

    #[inline]
    fn observe(&mut self, outcome: &Outcome, sink: &mut impl Sink) {
        if !self.form.is_empty() {
            self.read_form(outcome.partial.is_whole());
        }
        // Of a call whose messages have fields.
        let fields = self.words.as_ref().map_or_else(Vec::new, |words| words.told());
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
                operation: self.operation.of(&self.text),
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
                said: self.said.map(|[messages, bytes]| Said { messages, bytes, fields: &fields, since: false }),
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
        self.begin_harvest(index, head);
        Ticket(index)
    }

    #[inline]
    fn response(&mut self, request: &mut Ticket, head: &ResponseHead<'_>) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            // Over HTTP/2 any 2xx grants what 101 does over HTTP/1 (RFC 8441, 4): one endpoint, one answer.
            let granted = slot.extended && matches!(head.status, 200..=299);
            slot.status = Some(if granted { 101 } else { head.status });
            slot.response_type = media_type(head.content_type, &mut slot.text);
            if slot.harvest.is_some() {
                slot.harvest_response(&self.key, head);
            }
        }
    }

    #[inline]
    fn wants(&self, request: &Ticket, response: bool) -> BodyWish {
        match self.slots.get(request.0 as usize) {
            Some(slot) if slot.walks || (slot.wants_form && !response) => BodyWish::Decoded,
            _ => BodyWish::None,
        }
    }

    fn body(&mut self, request: &mut Ticket, response: bool, bytes: &[u8]) {
        let Some(slot) = self.slots.get_mut(request.0 as usize) else { return };
        if slot.wants_form && !response {
            let room = operation::FORM_MAX.saturating_sub(slot.form.len());
            slot.form.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            return;
        }
        // What a client still sends once it is answered is let be: one body at a time.
        if let Some(harvest) = slot.harvest.as_mut().filter(|_| slot.walks && response == slot.status.is_some()) {
            harvest.push(&self.key, bytes);
        }
    }

    #[inline]
    fn finish(&mut self, _: &Connection, request: Ticket, outcome: &Outcome) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            slot.observe(outcome, &mut self.sink);
            if slot.words.is_some() {
                slot.words = None;
            }
            let harvested = slot.harvest.is_some();
            if let Some(thrift) = &mut self.thrift {
                thrift.passed(outcome.request_body.saturating_add(outcome.response_body));
            }
            if harvested {
                self.tell_mentioned(request.0);
            }
            self.free.push(request.0);
        } else {
            self.finish_blind(request.0, outcome);
        }
    }

    fn messages(&mut self, request: &mut Ticket) -> Messages<Ticket> {
        let Some(slot) = self.slots.get(request.0 as usize) else { return Messages::Untold };
        let apart = Slot { words: Some(Box::new(Words::new())), harvest: None, walks: false, ..slot.clone() };
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

    fn grpc_fields(&mut self, request: &mut Ticket, server: bool, fields: &[Seen]) {
        if let Some(slot) = self.slots.get_mut(request.0 as usize) {
            let words = slot.words.get_or_insert_with(|| Box::new(Words::new()));
            for Seen { number, wire, messages } in fields {
                let kind = match wire {
                    Wire::Varint => Kind::Integer,
                    Wire::Fixed => Kind::Decimal,
                    Wire::Delimited | Wire::Group => Kind::Text,
                };
                words.fields.insert((server, number.to_string(), kind), *messages);
            }
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

/// `application/json`, `application/vnd.api+json`; none of those that are streams of several, and no errors.
fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.ends_with("+json") && media_type != "application/problem+json")
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
mod tests;
