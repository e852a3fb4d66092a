//! What header blocks and body bytes of a stream mean.
//!
//! Takes blocks in the order in which they came, decodes each (also those of streams that nobody knows: the table has
//! to stay in step), and opens, answers and closes exchanges. A request of which the method, the target or the host is
//! hidden is told as such; a response whose status is hidden has none.

use super::super::observer::{BodyWish, Observer, Partial};
use super::super::pairing::Pairing;
use super::super::table::Exchange;
use super::super::talk::Talk;
use super::Links;
use super::carried::Wanted;
use super::streams::Stream;
use crate::base::{Missing, Oddity, Side, Timestamp};
use crate::proto::grpc::{self, Call};
use crate::proto::hpack::Bounds;
use crate::proto::http2::{Parts, parts};
use crate::proto::{Fields, RequestHead, ResponseHead, Version};
use crate::stream::Connection;

/// A header block's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub stream: u32,
    /// The promised stream, where it is a promise.
    pub promised: Option<u32>,
    pub end_stream: bool,
    /// Bytes of the block.
    pub size: u32,
    pub ts: Timestamp,
}

impl<O: Observer> Pairing<O> {
    /// A header block, whole or lost.
    pub(super) fn block(
        &mut self,
        c: &Connection,
        t: &mut Talk,
        links: &mut Links,
        side: Side,
        mut message: Message,
        block: Option<&[u8]>,
    ) {
        let mut list = std::mem::take(&mut self.list);
        let hpack = &mut links.hpack[side.index()];
        match block {
            Some(block) => {
                message.size = block.len() as u32;
                let bounds = Bounds { fields: self.limits.header_lines, bytes: self.limits.head_bytes };
                if hpack.decode(block, &bounds, &mut list).is_err() {
                    self.oddities.bump(Oddity::HpackBad);
                    list.lose();
                }
            }
            None => {
                hpack.forget();
                list.lose();
            }
        }
        if list.omitted > 0 {
            self.oddities.bump(Oddity::HeaderCountLimit);
        }
        if list.oversized {
            self.oddities.bump(Oddity::HpackOversized);
        }
        parts(&list, |parts, fields| {
            self.oddities.add(Oddity::HeadLineDropped, u64::from(parts.odd));
            self.message(c, t, links, side, &message, parts, fields);
        });
        self.list = list;
    }

    #[expect(clippy::too_many_arguments, reason = "one call site, and a struct would only rename them")]
    fn message(
        &mut self,
        c: &Connection,
        t: &mut Talk,
        links: &mut Links,
        side: Side,
        message: &Message,
        parts: &Parts<'_>,
        fields: Fields<'_>,
    ) {
        if t.client.is_none() {
            // A connection picked up midway: who asks is who names a method, a scheme or a path.
            t.client = match (parts.is_request() && message.promised.is_none(), parts.status) {
                (true, None) => Some(side),
                (false, Some(_)) => Some(side.peer()),
                _ => return,
            };
        }
        let from_client = t.client == Some(side);
        match (from_client, message.promised) {
            (true, None) => match links.streams.find(message.stream) {
                Some(at) => {
                    self.trailers(links, at, false, fields);
                    if message.end_stream {
                        self.half_closes(c, links, at, false);
                    }
                }
                None => self.request(c, t, links, side, message, parts, fields),
            },
            (false, None) => self.response(c, t, links, side, message, parts, fields),
            // A promise is a request that the server makes for the client (RFC 9113, 8.4).
            (false, Some(promised)) => {
                let promise = Message { stream: promised, end_stream: true, ..*message };
                if promised != 0 && promised.is_multiple_of(2) {
                    self.request(c, t, links, side.peer(), &promise, parts, fields);
                }
            }
            (true, Some(_)) => self.oddities.bump(Oddity::Http2Stray),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site each, and a struct would only rename them")]
    fn request(
        &mut self,
        c: &Connection,
        t: &Talk,
        links: &mut Links,
        client: Side,
        message: &Message,
        parts: &Parts<'_>,
        fields: Fields<'_>,
    ) {
        let of_client = message.promised.is_none();
        if !links.streams.is_new(message.stream) || message.stream.is_multiple_of(2) == of_client {
            // Trailers or the like of a stream that is over, that was let go, or that began before the capture.
            if !links.streams.may_be_unseen(message.stream) {
                self.oddities.bump(Oddity::Http2Stray);
            }
            return;
        }
        if !parts.is_request() {
            if !parts.hidden {
                self.oddities.bump(Oddity::HeadBad);
                links.streams.used(message.stream);
                return;
            }
            if !links.streams.is_whole() {
                // It may as well be the trailers of a stream that began in a hole.
                self.oddities.bump(Oddity::HeadHidden);
                return;
            }
        }
        let connect = parts.method == Some("CONNECT");
        let host = parts.authority.or(parts.host);
        let target = if connect { parts.path.or(parts.authority) } else { parts.path };
        let complete = parts.method.is_some() && target.is_some();
        if !complete && !parts.hidden {
            self.oddities.bump(Oddity::HeadBad);
            links.streams.used(message.stream);
            return;
        }
        let head = RequestHead {
            method: parts.method.unwrap_or_default(),
            target: target.unwrap_or_default().into(),
            host,
            version: Version::Http2,
            fields,
            content_type: parts.content_type,
            size: message.size,
        };
        let mut exchange = Exchange::new(message.ts);
        exchange.request_done = message.end_stream;
        exchange.asked = Some(message.ts);
        exchange.grpc =
            parts.content_type.and_then(grpc::form).map(|form| Box::new(Call::new(form, fields, &self.grpc)));
        let sides = t.sides(c, client);
        let hides = parts.hidden && (!complete || host.is_none());
        let request = if hides {
            self.oddities.bump(Oddity::HeadHidden);
            exchange.partial.add(Partial::HIDDEN);
            self.observer.hidden(c, sides, &head)
        } else {
            if host.is_none() {
                self.oddities.bump(Oddity::HostMissing);
            }
            self.observer.request(c, sides, &head)
        };
        let wish = self.observer.wants(&request, false);
        exchange.request = Some(request);
        let number = self.table.insert(exchange);
        let mut stream = Stream::new(message.stream, number);
        stream.wanted = Wanted::of(parts);
        // What a CONNECT opens is no body.
        if wish == BodyWish::Decoded && !message.end_stream && stream.wanted == Wanted::Nothing {
            stream.decoders[0] = self.decoder(fields);
        }
        self.make_room(c, links);
        let over = if links.streams.len() >= self.limits.http2_streams {
            Some(Oddity::Http2StreamLimit)
        } else if self.table.len() > self.limits.exchanges {
            Some(Oddity::ExchangeLimit)
        } else {
            None
        };
        links.streams.open(stream);
        if let Some(over) = over {
            self.oddities.bump(over);
            if let Some(at) = links.streams.find(message.stream) {
                self.abandon(c, links, at, Partial::LIMIT);
            }
        }
    }

    /// Where the table of streams is full, one that may be over already makes room.
    fn make_room(&mut self, c: &Connection, links: &mut Links) {
        if links.streams.len() >= self.limits.http2_streams
            && let Some(at) = links.streams.oldest_unsure()
        {
            self.oddities.bump(Oddity::Http2StreamLimit);
            self.abandon(c, links, at, Partial::LIMIT);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site, and a struct would only rename them")]
    fn response(
        &mut self,
        c: &Connection,
        t: &Talk,
        links: &mut Links,
        side: Side,
        message: &Message,
        parts: &Parts<'_>,
        fields: Fields<'_>,
    ) {
        let interim = parts.status.is_some_and(|status| status < 200) && !message.end_stream;
        let at = match links.streams.find(message.stream) {
            Some(at) => at,
            None => {
                if parts.status.is_some() && !interim && links.streams.may_be_unseen(message.stream) {
                    self.unasked(c, t, links, side, message, parts, fields);
                } else if !links.streams.may_be_unseen(message.stream) {
                    self.oddities.bump(Oddity::Http2Stray);
                }
                return;
            }
        };
        let Some(stream) = links.streams.get_mut(at) else { return };
        let exchange = self.table.get_mut(stream.exchange);
        match parts.status {
            Some(_) if interim => exchange.interim += 1,
            Some(status) if !stream.status => {
                (stream.headed, stream.status) = (true, true);
                exchange.answered_at = exchange.answered_at.or(Some(message.ts));
                if let Some(call) = &mut exchange.grpc {
                    call.answered(parts.content_type, fields);
                }
                let mut wish = BodyWish::None;
                if let Some(request) = &mut exchange.request {
                    self.observer.response(request, &head(status, message, parts, fields));
                    wish = self.observer.wants(request, true);
                }
                if wish == BodyWish::Decoded && !message.end_stream && stream.wanted == Wanted::Nothing {
                    let decoder = self.decoder(fields);
                    if let Some(stream) = links.streams.get_mut(at) {
                        stream.decoders[1] = decoder;
                    }
                }
                if matches!(status, 200..=299) && !message.end_stream {
                    self.grants(c, t, links, at, fields, message.ts);
                }
            }
            None if parts.hidden && !stream.headed => {
                // An interim one or the final one; a status that comes later will tell.
                stream.headed = true;
                exchange.answered_at = Some(message.ts);
                exchange.partial.add(Partial::HIDDEN);
                self.oddities.bump(Oddity::HeadHidden);
            }
            _ if stream.headed || stream.unsure => self.trailers(links, at, true, fields),
            _ => self.oddities.bump(Oddity::HeadBad),
        }
        if message.end_stream {
            self.half_closes(c, links, at, true);
        }
    }

    /// A response whose request is not in the capture.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "one call site, and a struct would only rename them")]
    fn unasked(
        &mut self,
        c: &Connection,
        t: &Talk,
        links: &mut Links,
        side: Side,
        message: &Message,
        parts: &Parts<'_>,
        fields: Fields<'_>,
    ) {
        let head = head(parts.status.unwrap_or_default(), message, parts, fields);
        let number = self.open_orphan(c, t, side, message.ts, &head);
        self.make_room(c, links);
        let full = links.streams.len() >= self.limits.http2_streams;
        links.streams.found(Stream { headed: true, status: true, ..Stream::new(message.stream, number) });
        if let Some(at) = links.streams.find(message.stream) {
            if full {
                self.oddities.bump(Oddity::Http2StreamLimit);
                self.abandon(c, links, at, Partial::LIMIT);
            } else if message.end_stream {
                self.half_closes(c, links, at, true);
            }
        }
    }

    fn trailers(&mut self, links: &mut Links, at: usize, response: bool, fields: Fields<'_>) {
        if let Some(stream) = links.streams.get(at)
            && let exchange = self.table.get_mut(stream.exchange)
            && let Some(request) = &mut exchange.request
        {
            if let (true, Some(call)) = (response, &mut exchange.grpc) {
                call.status = call.status.or(grpc::status(fields));
            }
            self.observer.trailers(request, response, fields);
        }
    }

    /// Body bytes of a stream.
    pub(super) fn data(
        &mut self,
        c: &Connection,
        links: &mut Links,
        at: usize,
        response: bool,
        bytes: &[u8],
        ts: Timestamp,
    ) {
        let Some(stream) = links.streams.get_mut(at) else { return };
        if let Some(carried) = &mut stream.carried {
            self.carried_data(c, carried, response, bytes, ts);
        }
        let exchange = self.table.get_mut(stream.exchange);
        if response {
            exchange.response_body += bytes.len() as u64;
        } else {
            exchange.request_body += bytes.len() as u64;
            if exchange.answered_at.is_none() && !bytes.is_empty() {
                exchange.asked = Some(ts);
            }
        }
        if let Some(call) = &mut exchange.grpc {
            call.push(response, bytes);
        }
        let place = &mut stream.decoders[usize::from(response)];
        if let (Some(decoder), Some(request)) = (place.as_mut(), &mut exchange.request) {
            if let Err(oddity) = decoder.push(bytes, &mut |piece| self.observer.body(request, response, piece)) {
                self.oddities.bump(oddity);
            }
            if decoder.is_over() {
                *place = None;
                self.decoders -= 1;
            }
        }
    }

    /// Body bytes of a stream that are not in the capture.
    pub(super) fn data_missing(
        &mut self,
        c: &Connection,
        links: &mut Links,
        at: usize,
        response: bool,
        missing: u64,
        why: Missing,
    ) {
        let Some(stream) = links.streams.get_mut(at) else { return };
        if let Some(carried) = &mut stream.carried {
            self.carried_gap(c, carried, response, Some(missing), why);
        }
        let exchange = self.table.get_mut(stream.exchange);
        if response {
            exchange.response_body = exchange.response_body.saturating_add(missing);
            exchange.partial.add(reasons(Partial::RESPONSE_GAP, why));
        } else {
            exchange.request_body = exchange.request_body.saturating_add(missing);
            exchange.partial.add(reasons(Partial::REQUEST_GAP, why));
        }
        if let Some(call) = &mut exchange.grpc {
            call.skip(response, Some(missing));
        }
        if stream.decoders[usize::from(response)].take().is_some() {
            self.decoders -= 1;
        }
    }

    /// A side is done with a stream. Gives whether that was the end of it.
    pub(super) fn half_closes(&mut self, c: &Connection, links: &mut Links, at: usize, response: bool) -> bool {
        let Some(stream) = links.streams.get_mut(at) else { return false };
        if stream.decoders[usize::from(response)].take().is_some() {
            self.decoders -= 1;
        }
        if let Some(carried) = &mut stream.carried {
            self.carried_end(c, carried, response, links.now);
        }
        let exchange = self.table.get_mut(stream.exchange);
        if response {
            exchange.response_done = true;
            if !stream.headed && !stream.upgraded {
                exchange.partial.add(Partial::NO_RESPONSE);
            }
        } else {
            exchange.request_done = true;
        }
        if exchange.request_done && exchange.response_done {
            self.ends(c, links, at);
            return true;
        }
        false
    }

    /// A stream that will not go on.
    pub(super) fn abandon(&mut self, c: &Connection, links: &mut Links, at: usize, why: Partial) {
        let Some(stream) = links.streams.get(at) else { return };
        let exchange = self.table.get_mut(stream.exchange);
        exchange.partial.add(why);
        if !exchange.request_done {
            exchange.partial.add(Partial::REQUEST_ENDED_EARLY);
        }
        if !stream.headed {
            if stream.upgraded
                && let Some(request) = &mut exchange.request
            {
                // Then the 101 is all the answer there is.
                let (version, fields) = (Version::Http11, Fields(&[]));
                let head = ResponseHead { status: 101, version, fields, content_type: None, size: 0 };
                self.observer.response(request, &head);
                exchange.interim -= 1;
                exchange.partial.add(Partial::RESPONSE_ENDED_EARLY);
            } else {
                exchange.partial.add(Partial::NO_RESPONSE);
                self.oddities.bump(Oddity::ResponseMissing);
            }
        } else if !exchange.response_done {
            exchange.partial.add(Partial::RESPONSE_ENDED_EARLY);
        }
        self.ends(c, links, at);
    }

    fn ends(&mut self, c: &Connection, links: &mut Links, at: usize) {
        if let Some(mut stream) = links.streams.remove(at) {
            for decoder in &mut stream.decoders {
                self.decoders -= usize::from(decoder.take().is_some());
            }
            if let Some(carried) = stream.carried.take() {
                self.carried_close(c, carried, links.now);
            }
            self.finish(c, stream.exchange);
        }
    }
}

/// A gap, with its reason where it is the snapshot length.
pub(super) fn reasons(gap: Partial, why: Missing) -> Partial {
    let mut reasons = gap;
    if why == Missing::Truncated {
        reasons.add(Partial::CUT);
    }
    reasons
}

fn head<'a>(status: u16, message: &Message, parts: &Parts<'a>, fields: Fields<'a>) -> ResponseHead<'a> {
    let (version, content_type) = (Version::Http2, parts.content_type);
    ResponseHead { status, version, fields, content_type, size: message.size }
}
