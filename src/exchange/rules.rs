//! Which response answers which request.
//!
//! Takes message heads in causal order, gives exchanges to the [`Observer`]. While nothing is lost, responses answer
//! requests in order (RFC 9112, 9.3.2). After a loss only what the acknowledgements prove is paired:
//!
//! * A server answers a request only after it has received some of it: the request starts before the response's
//!   `acked`.
//! * A client that does not pipeline asks only after it has received the whole response before: the response to its
//!   request begins at the request's `acked`, exactly, and all requests before it have been answered by then.
//! * A client that has been seen pipelining gives no such proof of what was answered before: then a response behind a
//!   hole is paired only when a single request can have been its cause, and none behind a hole among the requests.
//!
//! The rest is kept as what it is: a request without response, a response without request. Never guesses.

use super::observer::{BodyWish, Grpc, Observer, Outcome, Partial};
use super::pairing::Pairing;
use super::reader::{After, Place};
use super::table::{Exchange, NOBODY, UNCOUNTED, UNKNOWN};
use super::talk::{Phase, Talk};
use super::tls::UNTOLD;
use super::websocket::agrees_on_deflate;
use crate::base::{Missing, Oddities, Oddity, Side, Timestamp};
use crate::proto::body::Decoder;
use crate::proto::grpc::{self, Call, Messages};
use crate::proto::http1::{Facts, Framing, Notes, request_framing, response_framing};
use crate::proto::{Fields, RequestHead, ResponseHead, Version};
use crate::stream::Connection;

/// Where a head was read.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub connection: &'a Connection,
    pub side: Side,
    /// Its beginning was found again, not reached.
    pub found: bool,
    pub at: Place,
}

/// Whom a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The oldest request that waits.
    Oldest,
    /// A request that is not in the capture.
    Orphan,
    /// Nobody: no response begins here.
    No,
}

/// Does the Upgrade field name this protocol (RFC 9110, 7.8)?
fn names_protocol(fields: Fields<'_>, name: &[u8]) -> bool {
    fields
        .all("upgrade")
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|p| p.trim_ascii().eq_ignore_ascii_case(name))
}

/// How an exchange ended, as far as it has come.
#[inline]
fn outcome<R>(exchange: &Exchange<R>) -> Outcome {
    let latency = match (exchange.asked, exchange.answered_at) {
        (Some(asked), Some(answered)) => answered.0.checked_sub(asked.0),
        _ => None,
    };
    Outcome {
        started: exchange.started,
        latency,
        request_body: exchange.request_body,
        response_body: exchange.response_body,
        partial: exchange.partial,
        interim: exchange.interim,
    }
}

/// What was found in a call that is over.
#[cold]
fn grpc_call(call: &Call, partial: Partial, oddities: &mut Oddities) -> Grpc {
    let of = |count: fn(&Messages) -> u64| call.messages.each_ref().map(|m| m.as_ref().map_or(0, count));
    let unsure = call.messages.iter().flatten().any(|m| m.unsure);
    let coded = call.messages.iter().flatten().any(|m| m.coded);
    if unsure && !coded && !partial.has(Partial::REQUEST_GAP) && !partial.has(Partial::RESPONSE_GAP) {
        oddities.bump(Oddity::GrpcBroken);
    }
    call.messages.iter().flatten().filter_map(|m| m.odd).for_each(|odd| oddities.bump(odd));
    Grpc {
        status: call.status.or(call.messages[1].as_ref().and_then(|m| m.status)),
        messages: of(|m| m.count),
        bytes: of(|m| m.bytes),
        compressed: of(|m| m.compressed),
        undecoded: of(|m| m.undecoded),
        unsure: unsure || !partial.is_whole(),
    }
}

impl<O: Observer> Pairing<O> {
    // --- requests

    /// May a request begin here, at the beginning of a chunk behind a hole? A client that does not pipeline begins the
    /// next one when it has received all that the server has sent, and the server had then received all before it.
    pub(super) fn request_may_begin(t: &Talk, side: Side, at: Place) -> bool {
        let server = &t.halves[side.peer().index()];
        match at.acked {
            None => true,
            // The server's direction is not in the capture: nothing speaks against it.
            Some(acked) if server.untouched() && (acked > server.pos || server.acked == UNKNOWN) => true,
            Some(acked) => acked == server.pos && server.acked == at.offset,
        }
    }

    /// A request's head.
    pub(super) fn on_request(
        &mut self,
        site: Site<'_>,
        t: &mut Talk,
        head: &RequestHead<'_>,
        facts: &Facts,
    ) -> Framing {
        let Site { connection: c, side, found, at } = site;
        t.spoke = true;
        if facts.notes != (Notes { hosts: 1, ..Notes::default() }) {
            self.note(&facts.notes);
            if facts.notes.hosts == 0 && head.version == Version::Http11 {
                self.oddities.bump(Oddity::HostMissing);
            }
        }
        let server = &t.halves[side.peer().index()];
        let server_lost = server.is_lost() || at.acked.is_some_and(|acked| acked > server.pos);
        let server_pos = server.pos;
        let mid_response = matches!(server.phase, Phase::Length(_) | Phase::Chunked(_)) && !server.doubt;
        if !t.pipelines {
            if let (Some(front), Some(last)) = (t.queue.front(), t.queue.last()) {
                let (front, last) = (self.table.get(front), self.table.get(last));
                let nothing_new = !last.is_hole() && at.acked.is_some_and(|acked| acked <= last.acked);
                if !nothing_new && (server_lost || front.is_hole() && (front.answered || found && at.acked.is_some())) {
                    // All before has been answered, or the client would not ask again; the answers were lost.
                    self.give_up_all(c, t);
                } else if !front.is_hole() && at.acked.is_some() {
                    t.pipelines = true;
                }
            } else if mid_response && at.acked.is_some() && !server_lost {
                t.pipelines = true;
            }
        }
        let mut exchange = Exchange::new(at.ts);
        exchange.head = head.method == "HEAD";
        exchange.connect = head.method == "CONNECT";
        exchange.behind_hole = server_lost;
        exchange.alone = t.queue.is_empty() && !(t.pipelines && (server_lost || mid_response));
        exchange.start = at.offset;
        exchange.acked = at.acked.map_or(UNKNOWN, |acked| acked.min(server_pos));
        exchange.asked = Some(at.ts);
        exchange.grpc =
            head.content_type.and_then(grpc::form).map(|form| Box::new(Call::new(form, head.fields, &self.grpc)));
        let framing = request_framing(facts);
        if let Framing::Length(n) = framing {
            exchange.end = at.offset.saturating_add(u64::from(head.size)).saturating_add(n);
        }
        let sides = t.sides(c, side);
        let request = self.observer.request(c, sides, head);
        let wish = self.observer.wants(&request, false);
        exchange.request = Some(request);
        let number = self.table.insert(exchange);
        let over = if t.queue.len as usize >= self.limits.pipelined {
            Some(Oddity::PipelineLimit)
        } else if self.table.len() > self.limits.exchanges {
            Some(Oddity::ExchangeLimit)
        } else {
            None
        };
        if let Some(limit) = over {
            self.skip(t, number, limit);
        } else {
            t.queue.push(&mut self.table, number);
        }
        let half = t.half(side);
        half.current = number;
        half.unsure = false;
        half.recognised(at.latest);
        if wish == BodyWish::Decoded && framing != Framing::Length(0) {
            self.decode(t, side, head.fields);
        }
        framing
    }

    /// A request that is not waited for because a limit is reached: its response will be stepped over by count.
    #[cold]
    fn skip(&mut self, t: &mut Talk, number: u32, limit: Oddity) {
        self.oddities.bump(limit);
        let exchange = self.table.get_mut(number);
        exchange.partial.add(Partial::LIMIT);
        exchange.partial.add(Partial::NO_RESPONSE);
        exchange.response_done = true;
        // The framing of a response to HEAD is another: such a one cannot be stepped over by count.
        let (start, countable) = (exchange.start, !exchange.head && !exchange.connect);
        match t.queue.last() {
            Some(last) if self.table.get(last).is_hole() => {
                let hole = self.table.get_mut(last);
                hole.lost = if countable { hole.lost.saturating_add(1) } else { UNCOUNTED };
            }
            _ => self.push_hole(t, start, if countable { 1 } else { UNCOUNTED }),
        }
    }

    /// The client's direction has a hole, from `start` on, in which requests may have been lost.
    pub(super) fn hole(&mut self, t: &mut Talk, start: u64) {
        match t.queue.last() {
            Some(last) if self.table.get(last).is_hole() => {
                let hole = self.table.get_mut(last);
                hole.lost = UNCOUNTED;
                hole.answered = false;
            }
            _ => self.push_hole(t, start, UNCOUNTED),
        }
    }

    fn push_hole(&mut self, t: &mut Talk, start: u64, lost: u32) {
        let mut hole = Exchange::new(Timestamp::default());
        (hole.lost, hole.start) = (lost, start);
        let number = self.table.insert(hole);
        t.queue.push(&mut self.table, number);
    }

    // --- responses

    /// Whom would a response answer that begins here, behind a hole?
    pub(super) fn fit(&self, t: &Talk, at: Place) -> Fit {
        let Some(acked) = at.acked else {
            // Without acknowledgements only a request that came behind the hole can be meant, and only if it is alone.
            return match t.queue.front().map(|front| self.table.get(front)) {
                Some(front) if t.queue.len == 1 && !front.is_hole() && front.behind_hole => Fit::Oldest,
                _ => Fit::Orphan,
            };
        };
        let client = t.client.map(|side| &t.halves[side.index()]);
        let candidates = self.candidates(t, acked);
        let Some(front) = t.queue.front().filter(|_| candidates > 0).map(|front| self.table.get(front)) else {
            // Nobody has asked anything that is not answered: no response can begin here, if all requests are known.
            let all_known = t.spoke && client.is_some_and(|client| acked <= client.pos);
            let asked_nothing_new = t.queue.is_empty() && !client.is_some_and(|client| client.is_lost());
            return if all_known && asked_nothing_new { Fit::No } else { Fit::Orphan };
        };
        if front.is_hole() {
            // It has received nothing since the chunk before: this is still the same response.
            return if at.previous == acked { Fit::No } else { Fit::Orphan };
        }
        if front.acked == UNKNOWN {
            if candidates == 1 { Fit::Oldest } else { Fit::Orphan }
        } else if front.alone && at.offset == front.acked {
            Fit::Oldest
        } else if candidates == 1 && acked <= front.end || at.previous == acked {
            // The response to the one request it could answer began earlier, in the hole: this is its body. Or the
            // server has received nothing since the chunk before.
            Fit::No
        } else {
            Fit::Orphan
        }
    }

    /// Requests (and holes among them) of which the server had received some when it had received `acked` bytes.
    fn candidates(&self, t: &Talk, acked: u64) -> u32 {
        let (mut count, mut next) = (0, t.queue.front());
        while let Some(number) = next.filter(|number| *number != NOBODY) {
            let exchange = self.table.get(number);
            if exchange.start >= acked {
                break;
            }
            count += 1;
            next = Some(exchange.next);
        }
        count
    }

    /// Whom does a response answer whose beginning was reached, not found?
    #[inline]
    pub(super) fn in_order(&self, t: &Talk, at: Place) -> Fit {
        let Some(front) = t.queue.front() else { return Fit::Orphan };
        let front = self.table.get(front);
        // A response that the server sent before it had any of the request is not to it (408 on an idle connection).
        if front.is_hole() || at.acked.is_some_and(|acked| acked <= front.start) { Fit::Orphan } else { Fit::Oldest }
    }

    /// A response's head. `None`: an interim one, another head follows.
    pub(super) fn on_response(
        &mut self,
        site: Site<'_>,
        t: &mut Talk,
        head: &ResponseHead<'_>,
        facts: &Facts,
    ) -> Option<After> {
        let Site { connection: c, side, found, at } = site;
        t.spoke = true;
        if facts.notes != Notes::default() {
            self.note(&facts.notes);
        }
        let fit = if found { self.fit(t, at) } else { self.in_order(t, at) };
        let interim = matches!(head.status, 100..=199) && head.status != 101;
        if interim {
            // What the client sends next is the rest of its request, not the next one.
            t.half(side).pass();
            if fit == Fit::Oldest
                && let Some(front) = t.queue.front()
            {
                self.table.get_mut(front).interim += 1;
                t.half(side).unsure = false;
                t.half(side).phase = Phase::Head { found: false };
            }
            return None;
        }
        t.half(side).unsure = false;
        if at.latest != UNKNOWN {
            t.half(side).recognised(at.latest);
        }
        let number = if fit == Fit::Oldest { t.queue.pop(&mut self.table) } else { None };
        let Some(number) = number else {
            if found {
                self.answers_lost(c, t, at);
            }
            let after = self.orphan(site, t, head, facts);
            return Some(if found { After::Lost } else { after });
        };
        t.half(side).shaky = false;
        if head.status == 101 && names_protocol(head.fields, b"h2c") {
            t.half(side).current = number;
            return Some(After::Http2);
        }
        let exchange = self.table.get_mut(number);
        exchange.answered_at = Some(at.ts);
        let (is_head, is_connect) = (exchange.head, exchange.connect);
        if let Some(call) = &mut exchange.grpc {
            call.answered(head.content_type, head.fields);
        }
        let mut wish = BodyWish::None;
        if let Some(request) = &mut exchange.request {
            self.observer.response(request, head);
            wish = self.observer.wants(request, true);
        }
        t.half(side).current = number;
        if head.status == 101 {
            let websocket = names_protocol(head.fields, b"websocket");
            return Some(match websocket {
                true => After::WebSocket { deflate: agrees_on_deflate(head.fields) },
                false => After::Switched,
            });
        }
        if is_connect && matches!(head.status, 200..=299) {
            return Some(After::Tunnel);
        }
        let framing = if is_head { Framing::Length(0) } else { response_framing(head.status, facts) };
        if wish == BodyWish::Decoded && framing != Framing::Length(0) {
            self.decode(t, side, head.fields);
        }
        Some(After::Body(framing))
    }

    #[cold]
    fn orphan(&mut self, site: Site<'_>, t: &mut Talk, head: &ResponseHead<'_>, facts: &Facts) -> After {
        let Site { connection: c, side, at, .. } = site;
        // A hole among the requests is what it answers, if there is one in front.
        if let Some(front) = t.queue.front() {
            let hole = self.table.get_mut(front);
            if hole.is_hole() && at.acked.is_none_or(|acked| acked > hole.start) {
                hole.answered = true;
                if hole.lost != UNCOUNTED {
                    hole.lost -= 1;
                    if hole.lost == 0 {
                        t.queue.pop(&mut self.table);
                        self.table.remove(front);
                    }
                }
            }
        }
        t.half(side).current = self.open_orphan(c, t, side, at.ts, head);
        t.half(side).doubt = true;
        if head.status == 101 {
            return After::Switched;
        }
        After::Body(response_framing(head.status, facts))
    }

    /// Begins the exchange of a response, by the end `server`, whose request is not in the capture. Gives its number.
    pub(super) fn open_orphan(
        &mut self,
        c: &Connection,
        t: &Talk,
        server: Side,
        ts: Timestamp,
        head: &ResponseHead<'_>,
    ) -> u32 {
        self.oddities.bump(Oddity::RequestMissing);
        let mut exchange = Exchange::new(ts);
        exchange.request_done = true;
        exchange.answered_at = Some(ts);
        exchange.partial.add(Partial::NO_REQUEST);
        let sides = t.sides(c, server.peer());
        exchange.request = Some(self.observer.orphan(c, sides, head));
        self.table.insert(exchange)
    }

    /// A response behind a hole answers none of the requests that could be meant: their responses were in the hole, or
    /// nobody can tell any more which is whose. In a pipelining connection that doubt stays.
    #[cold]
    fn answers_lost(&mut self, c: &Connection, t: &mut Talk, at: Place) {
        let mut given_up = 0;
        while let Some(front) = t.queue.front() {
            let exchange = self.table.get(front);
            if at.acked.is_some_and(|acked| exchange.start >= acked) || exchange.is_hole() && !t.pipelines {
                break;
            }
            t.queue.pop(&mut self.table);
            if self.table.get(front).is_hole() {
                self.table.remove(front);
            } else {
                self.no_response(c, t, front);
            }
            given_up += 1;
        }
        if given_up > 0 && t.pipelines {
            // Those still waiting cannot be told from those given up: their responses are not counted either.
            self.give_up_all(c, t);
            self.push_hole(t, at.offset, UNCOUNTED);
        }
    }

    // --- bodies and ends

    /// Body bytes of the message that is being received.
    #[inline]
    pub(super) fn body(&mut self, t: &mut Talk, side: Side, bytes: &[u8], at: Place) {
        let half = &mut t.halves[side.index()];
        if half.unsure {
            half.unrecognised(at.latest);
        } else {
            half.recognised(at.latest);
        }
        let Some(exchange) = (half.current != NOBODY).then(|| self.table.get_mut(half.current)) else { return };
        let response = t.client != Some(side);
        if response {
            exchange.response_body += bytes.len() as u64;
        } else {
            exchange.request_body += bytes.len() as u64;
            if exchange.answered_at.is_none() {
                exchange.asked = Some(at.ts);
                // The client may have received an interim response since.
                exchange.acked = at.latest;
            }
        }
        if let Some(call) = &mut exchange.grpc {
            call.push(response, bytes);
        }
        if half.decoder.is_some() {
            self.show(t, side, response, bytes);
        }
    }

    #[cold]
    fn show(&mut self, t: &mut Talk, side: Side, response: bool, bytes: &[u8]) {
        let half = &mut t.halves[side.index()];
        let (Some(decoder), Some(request)) = (&mut half.decoder, &mut self.table.get_mut(half.current).request) else {
            return;
        };
        if let Err(oddity) = decoder.push(bytes, &mut |piece| self.observer.body(request, response, piece)) {
            self.oddities.bump(oddity);
        }
        if decoder.is_over() {
            self.stop_decoding(t, side);
        }
    }

    #[cold]
    fn decode(&mut self, t: &mut Talk, side: Side, fields: Fields<'_>) {
        if let Some(decoder) = self.decoder(fields) {
            t.half(side).decoder = Some(decoder);
        }
    }

    /// A decoder for a body under these fields, counted, unless that is not to be had. Whoever drops it counts it back.
    pub(super) fn decoder(&mut self, fields: Fields<'_>) -> Option<Box<Decoder>> {
        if self.decoders >= self.limits.body_decoders {
            self.oddities.bump(Oddity::BodyLimit);
            return None;
        }
        match Decoder::new(fields.all("content-encoding"), &self.limits) {
            Ok(decoder) => {
                self.decoders += 1;
                Some(Box::new(decoder))
            }
            Err(oddity) => {
                self.oddities.bump(oddity);
                None
            }
        }
    }

    fn stop_decoding(&mut self, t: &mut Talk, side: Side) {
        if t.half(side).decoder.take().is_some() {
            self.decoders -= 1;
        }
    }

    /// The message that is being received is over; the next head follows.
    #[inline]
    pub(super) fn message_ends(&mut self, c: &Connection, t: &mut Talk, side: Side) {
        let is_client = t.client == Some(side);
        let half = &mut t.halves[side.index()];
        half.phase = Phase::Head { found: false };
        half.doubt = false;
        let number = std::mem::replace(&mut half.current, NOBODY);
        if half.decoder.is_some() {
            self.stop_decoding(t, side);
        }
        if number == NOBODY {
            return;
        }
        let exchange = self.table.get_mut(number);
        if is_client {
            exchange.request_done = true;
        } else {
            exchange.response_done = true;
        }
        if exchange.request_done && exchange.response_done {
            self.finish(c, number);
        }
    }

    /// The end of the request that is being received turned out to be at `offset`.
    pub(super) fn request_reached(&mut self, t: &Talk, side: Side, offset: u64) {
        let number = t.halves[side.index()].current;
        if t.client == Some(side) && number != NOBODY {
            self.table.get_mut(number).end = offset;
        }
    }

    /// Adds a reason to the message that is being received.
    pub(super) fn mark(&mut self, t: &Talk, side: Side, why: Partial) {
        let number = t.halves[side.index()].current;
        if number != NOBODY {
            self.table.get_mut(number).partial.add(why);
        }
    }

    /// The reason for a message that breaks off.
    pub(super) fn ended_early(&self, t: &Talk, side: Side) -> Partial {
        if t.client == Some(side) { Partial::REQUEST_ENDED_EARLY } else { Partial::RESPONSE_ENDED_EARLY }
    }

    /// `len` bytes are missing from the body that is being received.
    pub(super) fn mark_gap(&mut self, t: &mut Talk, side: Side, len: u64, why: Missing) {
        // Of some holes in what TLS carried nobody can tell the size.
        let len = if len >= UNTOLD { 0 } else { len };
        // What lies behind the hole cannot be decoded.
        self.stop_decoding(t, side);
        let number = t.half(side).current;
        if number == NOBODY {
            return;
        }
        let exchange = self.table.get_mut(number);
        if let Some(call) = &mut exchange.grpc {
            call.skip(t.client != Some(side), Some(len).filter(|len| *len > 0));
        }
        if why == Missing::Truncated {
            exchange.partial.add(Partial::CUT);
        }
        if t.client == Some(side) {
            exchange.partial.add(Partial::REQUEST_GAP);
            exchange.request_body = exchange.request_body.saturating_add(len);
        } else {
            exchange.partial.add(Partial::RESPONSE_GAP);
            exchange.response_body = exchange.response_body.saturating_add(len);
        }
    }

    /// No request of the connection will be answered any more.
    pub(super) fn give_up_all(&mut self, c: &Connection, t: &mut Talk) {
        while let Some(number) = t.queue.pop(&mut self.table) {
            if self.table.get(number).is_hole() {
                self.table.remove(number);
            } else {
                self.no_response(c, t, number);
            }
        }
    }

    /// A request that will not be answered any more; taken out of its queue before.
    fn no_response(&mut self, c: &Connection, t: &mut Talk, number: u32) {
        self.oddities.bump(Oddity::ResponseMissing);
        let exchange = self.table.get_mut(number);
        exchange.partial.add(Partial::NO_RESPONSE);
        exchange.response_done = true;
        debug_assert!(exchange.request_done || t.client.is_some_and(|side| t.half(side).current == number));
        if self.table.get(number).request_done {
            self.finish(c, number);
        }
    }

    #[inline]
    pub(super) fn finish(&mut self, c: &Connection, number: u32) {
        let exchange = self.table.get_mut(number);
        if let (Some(call), Some(request)) = (exchange.grpc.take(), &mut exchange.request) {
            for (server, messages) in [false, true].into_iter().zip(&call.messages) {
                if let Some(messages) = messages.as_ref().filter(|m| !m.fields.is_empty()) {
                    self.observer.grpc_fields(request, server, &messages.fields);
                }
            }
            let call = grpc_call(&call, exchange.partial, &mut self.oddities);
            self.observer.grpc(request, &call);
        }
        let outcome = outcome(exchange);
        if let Some(request) = exchange.request.take() {
            if exchange.apart {
                self.observer.parted(request);
            } else {
                self.observer.finish(c, request, &outcome);
            }
        }
        self.table.remove(number);
    }

    /// The handshake's exchange is over; its messages are told of a request of their own from here on.
    pub(super) fn part(&mut self, c: &Connection, number: u32, request: O::Request) {
        let exchange = self.table.get_mut(number);
        let outcome = outcome(exchange);
        exchange.apart = true;
        if let Some(handshake) = exchange.request.replace(request) {
            self.observer.finish(c, handshake, &outcome);
        }
    }

    #[cold]
    fn note(&mut self, notes: &Notes) {
        let mut count = |yes: bool, oddity| {
            if yes {
                self.oddities.bump(oddity);
            }
        };
        count(notes.lenient, Oddity::HeadLenient);
        count(notes.folded, Oddity::ObsFold);
        count(notes.too_many, Oddity::HeaderCountLimit);
        count(notes.both_lengths, Oddity::BothLengths);
        count(notes.lengths_disagree, Oddity::LengthsDisagree);
        count(notes.length_bad, Oddity::LengthBad);
        count(notes.hosts > 1, Oddity::HostTwice);
        self.oddities.add(Oddity::HeadLineDropped, u64::from(notes.dropped));
    }
}
