//! What is kept of one connection.
//!
//! Plain state, moved by [`Pairing`](super::Pairing). An idle connection takes less than 200 bytes; what only odd
//! moments need (a head in two segments, a chunk that came before its cause, a decoder) is boxed.

use std::collections::VecDeque;

use super::http2::Http2;
use super::observer::{Sides, Unreadable};
use super::table::{NOBODY, Queue, UNKNOWN};
use super::tls::Layer;
use super::websocket::WebSocket;
use crate::base::{Address, Bucket, Side, Timestamp};
use crate::proto::body::Decoder;
use crate::proto::chunked::Chunked;
use crate::stream::{Connection, End, Gap, HEADROOM};

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not known yet.
    Probing,
    /// HTTP/1.
    Http,
    /// TLS.
    Tls,
    /// HTTP/2.
    Http2,
    /// WebSocket, behind its handshake.
    WebSocket,
    /// Something else.
    Other,
}

/// Where one direction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// At its true beginning, nothing read.
    Start,
    /// Looking for a message at the beginning of each chunk, in a connection that may carry anything. So many bytes
    /// are still looked at.
    Seek(u64),
    /// At, or in, a message's head. `found` when its beginning was found again rather than reached.
    Head { found: bool },
    /// In a body of known length: bytes left.
    Length(u64),
    /// In a chunked body.
    Chunked(Chunked),
    /// In a body that the connection's end ends.
    UntilClose,
    /// Lost: looking for the next provable message. `gap` when a hole was the reason, else nonsense.
    Resync { gap: bool },
    /// Ended.
    Ended,
}

/// A head that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Straddle {
    pub bytes: Vec<u8>,
    /// Bytes already searched for the head's end.
    pub scanned: usize,
    /// Its start line has yet to prove itself.
    pub unproven: bool,
    /// Of its first byte.
    pub ts: Timestamp,
    /// Of its first byte.
    pub offset: u64,
    /// Of the chunk with its first byte.
    pub acked: Option<u64>,
}

/// One direction.
pub(super) struct Half {
    /// All before this offset has been processed. A stream picked up midway begins at [`HEADROOM`] or, with what the tap
    /// brings late, before.
    pub pos: u64,
    /// How far its sender had received the other direction when it sent the last bytes that were recognised as part of
    /// a message (of a final response, on the server's side), or [`UNKNOWN`].
    pub acked: u64,
    /// [`Half::acked`] holds at [`Half::pos`] only: the bytes before it are not recognised, but do not end an interim
    /// response either.
    pub passing: bool,
    pub phase: Phase,
    /// The exchange whose message is being received.
    pub current: u32,
    /// The message being received may end before its framing says so: an orphan response (whose request may have been
    /// HEAD), or one that lasts until close.
    pub doubt: bool,
    /// A message that was in [`Half::doubt`] ended by its framing, perhaps not where it did; none has proven itself since.
    pub shaky: bool,
    /// Behind a hole, nothing recognised yet: what comes may be the rest of an interim response.
    pub unsure: bool,
    pub straddle: Option<Box<Straddle>>,
    pub decoder: Option<Box<Decoder>>,
}

impl Half {
    fn new(pos: u64, acked: u64) -> Self {
        Self {
            pos,
            acked,
            passing: false,
            phase: Phase::Start,
            current: NOBODY,
            doubt: false,
            shaky: false,
            unsure: false,
            straddle: None,
            decoder: None,
        }
    }

    /// Bytes that are recognised as part of a message: their sender had received so much.
    #[inline(always)]
    pub(super) fn recognised(&mut self, acked: u64) {
        (self.acked, self.passing) = (acked, false);
    }

    /// Bytes that are not recognised. Behind an interim response the client goes on with its request, and only behind
    /// a final one it asks the next: a chunk that ends a line may be the end of an interim response and proves nothing
    /// (the reader calls [`Half::pass`] then).
    #[cold]
    pub(super) fn unrecognised(&mut self, acked: u64) {
        if self.acked != acked {
            (self.acked, self.passing) = (acked, true);
        }
    }

    /// What held at one place only is over.
    pub(super) fn pass(&mut self) {
        if std::mem::take(&mut self.passing) {
            self.acked = UNKNOWN;
        }
    }

    /// [`Half::acked`] where it is of bytes that were recognised.
    #[inline(always)]
    pub(super) fn surely_acked(&self) -> u64 {
        if self.passing { UNKNOWN } else { self.acked }
    }

    /// Has nothing been seen of it?
    pub(super) fn untouched(&self) -> bool {
        matches!(self.acked, 0 | UNKNOWN) && (self.pos == 0 || self.pos == u64::from(HEADROOM))
    }

    /// Is the next message's place unknown?
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Resync { .. } | Phase::Head { found: true })
    }
}

/// An event that came before its cause.
#[derive(Debug)]
pub(super) enum Event {
    Data { ts: Timestamp, offset: u64, acked: Option<u64>, bytes: Vec<u8> },
    Gap(Gap),
    End { how: End, ts: Timestamp },
}

/// Events held back until the other direction has caught up with what their sender had received.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub queues: [VecDeque<Event>; 2],
    /// Bytes in both.
    pub bytes: usize,
    /// How far each direction is taken to have come although it has not: waiting for it was given up.
    pub assumed: [u64; 2],
}

/// One connection.
pub struct Talk {
    pub(super) halves: [Half; 2],
    pub(super) queue: Queue,
    pub(super) held: Option<Box<Held>>,
    pub(super) http2: Option<Box<Http2>>,
    pub(super) websocket: Option<Box<WebSocket>>,
    /// What is known of its TLS.
    pub(super) tls: Option<Box<Layer>>,
    pub(super) kind: Kind,
    /// Who sends requests.
    pub(super) client: Option<Side>,
    /// Bytes that went into [`Bucket::OtherTcp`].
    pub(super) opaque: u64,
    /// Where the bytes of [`Kind::Other`] go.
    pub(super) other: Bucket,
    /// Which directions brought bytes, by side.
    pub(super) heard: [bool; 2],
    /// Inside of a CONNECT tunnel.
    pub(super) nested: bool,
    /// Inside of TLS.
    pub(super) secure: bool,
    /// Layers of TLS around it.
    pub(super) depth: u8,
    /// A message head has been read.
    pub(super) spoke: bool,
    /// The client has been seen sending a request before the response to the one before.
    pub(super) pipelines: bool,
    /// Whom a PROXY protocol header names as the client.
    pub(super) caller: Option<Box<Address>>,
    /// The side that sent such a header: behind it, it is at its true beginning.
    pub(super) proxied: Option<Side>,
}

impl Talk {
    /// A connection whose `opener` is known was seen from its beginning.
    pub(super) fn new(opener: Option<Side>) -> Self {
        let (pos, acked) = (0, if opener.is_some() { 0 } else { UNKNOWN });
        Self {
            halves: [Half::new(pos, acked), Half::new(pos, acked)],
            queue: Queue::new(),
            held: None,
            http2: None,
            websocket: None,
            tls: None,
            kind: Kind::Probing,
            client: opener,
            opaque: 0,
            other: Bucket::OtherTcp,
            heard: [false; 2],
            nested: false,
            secure: false,
            depth: 0,
            spoke: false,
            pipelines: false,
            caller: None,
            proxied: None,
        }
    }

    /// Did one direction bring all the bytes, although the other is known to have sent some?
    pub(super) fn one_sided(&self) -> bool {
        let start = |half: &Half| half.pos == 0 || half.pos == u64::from(HEADROOM);
        match self.heard {
            [true, false] => !start(&self.halves[1]),
            [false, true] => !start(&self.halves[0]),
            _ => false,
        }
    }

    /// Why nothing of it could be read, if its protocol has no name; `None` also where nothing was said.
    pub(super) fn why_unread(&self) -> Option<Unreadable> {
        let start = |half: &Half| half.pos == 0 || half.pos == u64::from(HEADROOM);
        match self.heard {
            _ if self.other != Bucket::OtherTcp => None,
            [false, false] => (!self.halves.iter().all(start)).then_some(Unreadable::Gap),
            _ if self.opaque == 0 => None,
            _ if self.one_sided() => Some(Unreadable::OneSided),
            _ => Some(Unreadable::Unknown),
        }
    }

    /// What is said inside of so many layers of TLS, seen from its beginning.
    pub(super) fn inside(client: Option<Side>, depth: u8) -> Self {
        Self { secure: true, depth, client, ..Self::new(Some(client.unwrap_or(Side::Lo))) }
    }

    /// Is the first byte to come of a side a beginning, although others came before it in the connection?
    pub(super) fn begins_inside(&self, side: Side) -> bool {
        self.nested || self.proxied == Some(side)
    }

    /// Who asks and who answers, where `client` is the end that sends requests.
    #[inline]
    pub(super) fn sides(&self, c: &Connection, client: Side) -> Sides {
        let caller = self.caller.as_ref().map_or_else(|| c.end(client), |caller| **caller);
        Sides { client: caller, server: c.end(client.peer()), secure: self.secure }
    }

    #[inline]
    pub(super) fn half(&mut self, side: Side) -> &mut Half {
        &mut self.halves[side.index()]
    }

    /// Has everything that the sender of a chunk had received been processed? Then the chunk's turn has come.
    #[inline]
    pub(super) fn caught_up(&self, side: Side, acked: Option<u64>) -> bool {
        let peer = side.peer().index();
        acked.is_none_or(|acked| {
            acked <= self.halves[peer].pos || self.held.as_ref().is_some_and(|held| acked <= held.assumed[peer])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Talk>() <= 200, "{} bytes", size_of::<Talk>());
    }
}
