//! What follows a 101 that grants WebSocket.
//!
//! Takes the bytes of both directions, gives to the [`Observer`] how many messages each sent and how large, once the
//! connection is over. The handshake is an exchange of its own and is told at once, unless the observer prefers to have
//! both together. Never looks for a frame behind a hole: what comes there is counted as unreadable.

use super::observer::Observer;
use super::pairing::Pairing;
use super::talk::{Kind, Talk};
use crate::base::{Bucket, Oddity, Side};
use crate::proto::Fields;
use crate::proto::websocket::Reader;
use crate::stream::Connection;

/// One connection.
pub(super) struct WebSocket {
    readers: [Reader; 2],
    gaps: [bool; 2],
    /// The handshake's exchange, where the observer waits for the messages.
    exchange: Option<u32>,
    /// Decoders it has of those that all connections share.
    decoders: usize,
}

/// Does the response agree on permessage-deflate (RFC 7692, 5)?
pub(super) fn agrees_on_deflate(fields: Fields<'_>) -> bool {
    fields
        .all("sec-websocket-extensions")
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|extension| extension.trim_ascii().to_ascii_lowercase().starts_with(b"permessage-deflate"))
}

impl<O: Observer> Pairing<O> {
    /// Both directions speak WebSocket from here on. `exchange` is the handshake's, where it is still open.
    #[cold]
    pub(super) fn begins_websocket(&mut self, t: &mut Talk, deflate: bool, exchange: Option<u32>) {
        let decode = deflate && self.decoders + 2 <= self.limits.body_decoders;
        let decoders = if decode { 2 } else { 0 };
        self.decoders += decoders;
        let readers = [Reader::new(deflate, decode), Reader::new(deflate, decode)];
        t.kind = Kind::WebSocket;
        t.websocket = Some(Box::new(WebSocket { readers, gaps: [false; 2], exchange, decoders }));
    }

    /// Bytes of one side.
    pub(super) fn websocket(&mut self, t: &mut Talk, side: Side, bytes: &[u8]) {
        let Some(websocket) = &mut t.websocket else {
            self.ledger.add(Bucket::OtherTcp, bytes.len() as u64);
            return;
        };
        let reader = &mut websocket.readers[side.index()];
        let was_over = reader.is_over();
        let read = reader.push(bytes);
        if reader.is_over() && !was_over {
            self.oddities.bump(Oddity::WebSocketBroken);
        }
        self.ledger.add(Bucket::Http, read as u64);
        let rest = if websocket.gaps[side.index()] { Bucket::AfterGap } else { Bucket::OtherTcp };
        self.ledger.add(rest, (bytes.len() - read) as u64);
    }

    pub(super) fn websocket_gap(&mut self, t: &mut Talk, side: Side) {
        if let Some(websocket) = &mut t.websocket {
            websocket.gaps[side.index()] |= !websocket.readers[side.index()].is_over();
            websocket.readers[side.index()].gap();
        }
    }

    /// The connection is gone.
    pub(super) fn websocket_close(&mut self, c: &Connection, t: &mut Talk) {
        let Some(websocket) = t.websocket.take() else { return };
        self.decoders -= websocket.decoders;
        let Some(number) = websocket.exchange else { return };
        let client = t.client.unwrap_or(Side::Lo);
        let tally = [client, client.peer()].map(|side| websocket.readers[side.index()].tally);
        if let Some(request) = &mut self.table.get_mut(number).request {
            self.observer.websocket(request, &tally);
        }
        self.finish(c, number);
    }
}
