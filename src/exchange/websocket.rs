//! What follows a handshake that grants WebSocket: over HTTP/1 (101), or in a stream of HTTP/2 (RFC 8441).
//!
//! Takes the bytes of both directions, gives to the [`Observer`] the text of messages, and how many there were of each side
//! and how large. The observer says whether it wants them together with the handshake, when all is over, or apart: then the
//! handshake is told at once, and the messages now and then. Never looks for a frame behind a hole: what comes there is counted
//! as unreadable.

use super::observer::{Messages, Observer};
use super::pairing::Pairing;
use super::talk::{Kind, Talk};
use crate::base::{Bucket, Oddity, Side, Timestamp};
use crate::proto::Fields;
use crate::proto::websocket::{Reader, Tally};
use crate::stream::Connection;

/// Nanoseconds of packet time between two words to the observer about a connection that lasts.
const WORD: u64 = 10_000_000_000;

/// One connection. Of pairs the first is the client's.
pub(super) struct WebSocket {
    readers: [Reader; 2],
    gaps: [bool; 2],
    /// The exchange of which messages are told.
    exchange: Option<u32>,
    /// They are told apart from the handshake.
    apart: bool,
    told: [Tally; 2],
    told_at: Timestamp,
    last: Timestamp,
    /// Decoders it has of those that all connections share.
    decoders: usize,
}

impl WebSocket {
    /// Is the handshake's exchange that of the messages, too?
    pub(super) fn keeps_exchange(&self) -> bool {
        self.exchange.is_some()
    }

    /// A hole in what one end sent.
    pub(super) fn gap(&mut self, server: bool) {
        self.gaps[usize::from(server)] |= !self.readers[usize::from(server)].is_over();
        self.readers[usize::from(server)].gap();
    }

    /// Where bytes of an end go that are not read.
    pub(super) fn rest(&self, server: bool) -> Bucket {
        if self.gaps[usize::from(server)] { Bucket::AfterGap } else { Bucket::OtherTcp }
    }
}

/// Does the response agree on permessage-deflate (RFC 7692, 5)?
pub(super) fn agrees_on_deflate(fields: Fields<'_>) -> bool {
    fields
        .all("sec-websocket-extensions")
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|extension| extension.trim_ascii().to_ascii_lowercase().starts_with(b"permessage-deflate"))
}

impl<O: Observer> Pairing<O> {
    /// WebSocket was granted. `exchange` is the handshake's, where its request is over.
    #[cold]
    pub(super) fn new_websocket(
        &mut self,
        c: &Connection,
        deflate: bool,
        exchange: Option<u32>,
        ts: Timestamp,
    ) -> Box<WebSocket> {
        let decode = deflate && self.decoders + 2 <= self.limits.body_decoders;
        let decoders = if decode { 2 } else { 0 };
        self.decoders += decoders;
        let readers = [Reader::new(deflate, decode), Reader::new(deflate, decode)];
        let mut websocket = WebSocket {
            readers,
            gaps: [false; 2],
            exchange: None,
            apart: false,
            told: Default::default(),
            told_at: ts,
            last: ts,
            decoders,
        };
        if let Some(number) = exchange
            && let Some(request) = &mut self.table.get_mut(number).request
        {
            match self.observer.messages(request) {
                Messages::Untold => {}
                Messages::Together => websocket.exchange = Some(number),
                Messages::Apart(request) => {
                    (websocket.exchange, websocket.apart) = (Some(number), true);
                    self.part(c, number, request);
                }
            }
        }
        Box::new(websocket)
    }

    /// Both directions of a connection speak WebSocket from here on.
    #[cold]
    pub(super) fn begins_websocket(&mut self, t: &mut Talk, websocket: Box<WebSocket>) {
        t.kind = Kind::WebSocket;
        t.websocket = Some(websocket);
    }

    /// Bytes of one end. Gives how many of them were read.
    pub(super) fn websocket_read(&mut self, w: &mut WebSocket, server: bool, bytes: &[u8], ts: Timestamp) -> usize {
        let Self { observer, table, .. } = self;
        let reader = &mut w.readers[usize::from(server)];
        let was_over = reader.is_over();
        w.last = w.last.max(ts);
        let read = match w.exchange.and_then(|number| table.get_mut(number).request.as_mut()) {
            Some(request) => reader.push(bytes, &mut |piece| observer.message(request, server, piece)),
            None => reader.push(bytes, &mut |_| {}),
        };
        if reader.is_over() && !was_over {
            self.oddities.bump(Oddity::WebSocketBroken);
        }
        if w.apart && ts.since(w.told_at) > WORD {
            self.websocket_tell(w);
        }
        read
    }

    /// Tells what came since the last time.
    #[cold]
    fn websocket_tell(&mut self, w: &mut WebSocket) {
        w.told_at = w.last;
        let tally = [w.readers[0].tally, w.readers[1].tally];
        let since = [tally[0].since(&w.told[0]), tally[1].since(&w.told[1])];
        w.told = tally;
        if let Some(request) = w.exchange.and_then(|number| self.table.get_mut(number).request.as_mut()) {
            self.observer.websocket(request, &since, w.last);
        }
    }

    /// All is said; the exchange that messages were told of, if any, is the caller's to finish.
    pub(super) fn websocket_ends(&mut self, w: &mut WebSocket) -> Option<u32> {
        self.decoders -= std::mem::take(&mut w.decoders);
        self.websocket_tell(w);
        w.exchange.take()
    }

    /// Bytes of one side of a connection.
    pub(super) fn websocket(&mut self, t: &mut Talk, side: Side, bytes: &[u8], ts: Timestamp) {
        let server = t.client != Some(side);
        let Some(mut websocket) = t.websocket.take() else {
            self.ledger.add(Bucket::OtherTcp, bytes.len() as u64);
            return;
        };
        let read = self.websocket_read(&mut websocket, server, bytes, ts);
        self.ledger.add(Bucket::Http, read as u64);
        self.ledger.add(websocket.rest(server), (bytes.len() - read) as u64);
        t.websocket = Some(websocket);
    }

    pub(super) fn websocket_gap(&mut self, t: &mut Talk, side: Side) {
        let server = t.client != Some(side);
        if let Some(websocket) = &mut t.websocket {
            websocket.gap(server);
        }
    }

    /// The connection is gone.
    pub(super) fn websocket_close(&mut self, c: &Connection, t: &mut Talk) {
        let Some(mut websocket) = t.websocket.take() else { return };
        if let Some(number) = self.websocket_ends(&mut websocket) {
            self.finish(c, number);
        }
    }
}
