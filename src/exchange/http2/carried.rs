//! What a stream carries that was asked for by CONNECT: WebSocket (RFC 8441), or a tunnel (RFC 9113, 8.5).
//!
//! Takes the data of such a stream, reads WebSocket as it is read over HTTP/1, and looks into a tunnel as into one that HTTP/1's
//! CONNECT opened: a connection of its own, one level deep. Its bytes are counted by what they are. Data has no
//! acknowledgements of its own, so that behind a hole in a tunnel less can be proven than in a connection.

use super::super::observer::Observer;
use super::super::pairing::Pairing;
use super::super::talk::Talk;
use super::super::tls::UNTOLD;
use super::super::websocket::{WebSocket, agrees_on_deflate};
use super::Links;
use crate::base::{Bucket, Ledger, Missing, Side, Timestamp};
use crate::proto::Fields;
use crate::proto::http2::Parts;
use crate::stream::{Chunk, Connection, Consumer, End, Gap};

/// What a CONNECT asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exchange) enum Wanted {
    /// It is no CONNECT, or one for something that is not read.
    #[default]
    Nothing,
    /// A tunnel.
    Tunnel,
    /// WebSocket.
    WebSocket,
}

impl Wanted {
    /// What a request wants.
    pub(super) fn of(parts: &Parts<'_>) -> Self {
        match (parts.method, parts.protocol) {
            (Some("CONNECT"), None) if parts.path.is_none() && !parts.hidden => Self::Tunnel,
            (Some("CONNECT"), Some(protocol)) if protocol.eq_ignore_ascii_case(b"websocket") => Self::WebSocket,
            _ => Self::Nothing,
        }
    }
}

/// What a stream carries.
pub(in crate::exchange) enum Carried {
    WebSocket(Box<WebSocket>),
    Tunnel { inner: Box<Talk>, client: Side },
}

fn side_of(client: Side, server: bool) -> Side {
    if server { client.peer() } else { client }
}

impl<O: Observer> Pairing<O> {
    /// The server grants what the stream asked for.
    #[cold]
    pub(super) fn grants(
        &mut self,
        c: &Connection,
        t: &Talk,
        links: &mut Links,
        at: usize,
        fields: Fields<'_>,
        ts: Timestamp,
    ) {
        let Some(stream) = links.streams.get_mut(at) else { return };
        let (wanted, exchange) = (std::mem::take(&mut stream.wanted), stream.exchange);
        let carried = match wanted {
            Wanted::WebSocket => {
                let exchange = Some(exchange);
                Some(Carried::WebSocket(self.new_websocket(c, agrees_on_deflate(fields), exchange, ts)))
            }
            Wanted::Tunnel if !t.nested => {
                let caller = t.caller.clone();
                let inside = Talk::inside(t.client, t.depth);
                let client = t.client.unwrap_or(Side::Lo);
                let inner = Box::new(Talk { nested: true, secure: t.secure, caller, ..inside });
                Some(Carried::Tunnel { inner, client })
            }
            Wanted::Tunnel | Wanted::Nothing => None,
        };
        if let Some(stream) = links.streams.get_mut(at) {
            stream.carried = carried;
        }
    }

    /// Data of a stream that carries something.
    #[cold]
    pub(super) fn carried_data(
        &mut self,
        c: &Connection,
        carried: &mut Carried,
        server: bool,
        bytes: &[u8],
        ts: Timestamp,
    ) {
        match carried {
            Carried::WebSocket(websocket) => {
                let read = self.websocket_read(websocket, server, bytes, ts);
                // All of it was counted when its frame was read.
                self.ledger.shift(Bucket::Http, websocket.rest(server), (bytes.len() - read) as u64);
            }
            Carried::Tunnel { inner, client } => {
                let side = side_of(*client, server);
                self.inside_tunnel(c, *client, inner, |pairing, c, inner| {
                    let offset = inner.halves[side.index()].pos;
                    Consumer::data(pairing, c, inner, side, Chunk { ts, offset, acked: None, bytes });
                });
            }
        }
    }

    /// Data that is not in the capture; `None` where nobody knows how much.
    #[cold]
    pub(super) fn carried_gap(
        &mut self,
        c: &Connection,
        carried: &mut Carried,
        server: bool,
        len: Option<u64>,
        why: Missing,
    ) {
        match carried {
            Carried::WebSocket(websocket) => websocket.gap(server),
            Carried::Tunnel { inner, client } => {
                let side = side_of(*client, server);
                self.inside_tunnel(c, *client, inner, |pairing, c, inner| {
                    let offset = inner.halves[side.index()].pos;
                    pairing.gap(c, inner, side, Gap { offset, len: len.unwrap_or(UNTOLD), why });
                });
            }
        }
    }

    /// An end says that it is done.
    #[cold]
    pub(super) fn carried_end(&mut self, c: &Connection, carried: &mut Carried, server: bool, ts: Timestamp) {
        if let Carried::Tunnel { inner, client } = carried {
            let side = side_of(*client, server);
            self.inside_tunnel(c, *client, inner, |pairing, c, inner| pairing.end(c, inner, side, End::Fin, ts));
        }
    }

    /// The stream is over.
    #[cold]
    pub(super) fn carried_close(&mut self, c: &Connection, carried: Carried, ts: Timestamp) {
        match carried {
            // The exchange is the stream's, and is finished with it.
            Carried::WebSocket(mut websocket) => {
                self.websocket_ends(&mut websocket);
            }
            Carried::Tunnel { mut inner, client } => self.inside_tunnel(c, client, &mut inner, |pairing, c, inner| {
                pairing.release(c, inner, None);
                pairing.process_close(c, inner, ts);
            }),
        }
    }

    /// Something happens in the connection inside. Its bytes were counted as HTTP when their frames were read; they are
    /// moved to where they belong.
    fn inside_tunnel(
        &mut self,
        c: &Connection,
        client: Side,
        inner: &mut Talk,
        what: impl FnOnce(&mut Self, &Connection, &mut Talk),
    ) {
        let inside = Connection { opener: Some(client), ..*c };
        let ledger = std::mem::take(&mut self.ledger);
        what(self, &inside, inner);
        let counted = std::mem::replace(&mut self.ledger, ledger);
        for bucket in Ledger::buckets().filter(|bucket| *bucket != Bucket::Http) {
            self.ledger.shift(Bucket::Http, bucket, counted.get(bucket));
        }
    }
}
