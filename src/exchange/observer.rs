//! What a reader of exchanges sees.

use super::quic::QuicFlow;
use super::turns::Turns;
use crate::base::{Address, Timestamp};
use crate::proto::grpc::Seen;
use crate::proto::tls::fingerprint::Carrier;
use crate::proto::tls::session::Facts;
use crate::proto::websocket::{Piece, Tally};
use crate::proto::{Fields, RequestHead, ResponseHead};
use crate::stream::Connection;

/// Who asked and who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The client's address.
    pub client: Address,
    /// The server's address.
    pub server: Address,
    /// Read out of TLS: the service's scheme is `https`.
    pub secure: bool,
}

/// Why an exchange is not whole. Several reasons may hold at once; empty means whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Partial(u16);

impl Partial {
    /// A gap fell into the request's body: its size is known only where its length was declared.
    pub const REQUEST_GAP: Self = Self(1);
    /// A gap fell into the response's body.
    pub const RESPONSE_GAP: Self = Self(1 << 1);
    /// The snapshot length cut bytes out of a body: the reason for a gap, given beside it.
    pub const CUT: Self = Self(1 << 2);
    /// No response is in the capture.
    pub const NO_RESPONSE: Self = Self(1 << 3);
    /// The request is not in the capture (orphan response).
    pub const NO_REQUEST: Self = Self(1 << 4);
    /// The connection ended before the request's declared end.
    pub const REQUEST_ENDED_EARLY: Self = Self(1 << 5);
    /// The connection ended before the response's declared end.
    pub const RESPONSE_ENDED_EARLY: Self = Self(1 << 6);
    /// A limit cut it short.
    pub const LIMIT: Self = Self(1 << 7);

    /// The stream was reset (HTTP/2 RST_STREAM) before it was over.
    pub const RESET: Self = Self(1 << 8);
    /// Parts of a head are hidden: they are in header table entries (HTTP/2) that are not in the capture.
    pub const HIDDEN: Self = Self(1 << 9);

    const NAMES: [(Self, &'static str); 10] = [
        (Self::REQUEST_GAP, "request_gap"),
        (Self::RESPONSE_GAP, "response_gap"),
        (Self::CUT, "cut_by_snaplen"),
        (Self::NO_RESPONSE, "no_response"),
        (Self::NO_REQUEST, "no_request"),
        (Self::REQUEST_ENDED_EARLY, "request_ended_early"),
        (Self::RESPONSE_ENDED_EARLY, "response_ended_early"),
        (Self::LIMIT, "limit"),
        (Self::RESET, "reset"),
        (Self::HIDDEN, "hidden"),
    ];

    /// No reason: the exchange is whole.
    pub fn is_whole(self) -> bool {
        self.0 == 0
    }

    /// Adds reasons.
    pub fn add(&mut self, reasons: Self) {
        self.0 |= reasons.0;
    }

    /// Is one of these reasons among them?
    pub fn has(self, reasons: Self) -> bool {
        self.0 & reasons.0 != 0
    }

    /// The reasons' stable names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |&(r, _)| self.has(r)).map(|(_, n)| n)
    }
}

/// How far a TLS session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStage {
    /// Its ClientHello was read. One of which no hello was seen begins when it has lasted for a minute, or at its end.
    Begun,
    /// It goes on: told now and then while it lasts.
    Goes,
    /// It is over.
    Over,
}

/// A TLS session, over TCP or QUIC. Each is told of as [`TlsStage::Begun`] and [`TlsStage::Over`], and now and then in
/// between.
#[derive(Clone, Copy, Debug)]
pub struct TlsSession<'a> {
    /// Unique within one run, in order of first appearance.
    pub number: u64,
    /// How far it is.
    pub stage: TlsStage,
    /// Who said ClientHello and who answered.
    pub sides: Sides,
    /// TCP or QUIC.
    pub carrier: Carrier,
    /// When its first byte came.
    pub opened: Timestamp,
    /// When its last byte (so far) came.
    pub last: Timestamp,
    /// What its handshake told.
    pub facts: &'a Facts,
    /// Something of it was decrypted.
    pub decrypted: bool,
    /// The first word since its handshake is over, or will not come: what the facts say counts now, once.
    pub settled: bool,
    /// Bytes from the client since it was told of before, records and all. 0 where it begins: whether a key opens them
    /// is told with the next word.
    pub client_bytes: u64,
    /// Bytes from the server, likewise.
    pub server_bytes: u64,
    /// The turns that were over since then, those of the handshake left out.
    pub turns: Turns,
}

/// Why nothing of a connection could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// One of its directions was never captured.
    OneSided,
    /// None of its bytes were captured, though some were sent.
    Gap,
    /// Both directions are there, in no protocol that is known, or too little of it to tell.
    Unknown,
}

/// A TCP connection of which nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Who opened it and who took it; where no SYN told, the end with the lower port is taken for the server.
    pub sides: Sides,
    /// Why.
    pub why: Unreadable,
    /// Bytes of it, of both directions.
    pub bytes: u64,
    /// When its last segment came.
    pub last: Timestamp,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Capture time of the request's first byte; of the response's first byte when the request is missing.
    pub started: Timestamp,
    /// Nanoseconds from the last byte of the request seen before the response to the first byte of the response
    /// (time to first byte); `None` without both, or where the clock stepped back.
    pub latency: Option<u64>,
    /// Body bytes of the request on the wire (content coding kept, transfer coding undone). Declared length where
    /// bytes are missing from a body of known length.
    pub request_body: u64,
    /// Body bytes of the response, likewise.
    pub response_body: u64,
    /// Whole, or why not.
    pub partial: Partial,
    /// Responses to the request before the final one (100, 102, 103), in number.
    pub interim: u32,
}

/// What was found in a gRPC call: of the client and of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grpc {
    /// `grpc-status`, where it was seen; 0 is OK.
    pub status: Option<u16>,
    /// Messages.
    pub messages: [u64; 2],
    /// Bytes of the messages, compressed ones as they are.
    pub bytes: [u64; 2],
    /// Compressed messages.
    pub compressed: [u64; 2],
    /// Compressed messages that were not decoded whole.
    pub undecoded: [u64; 2],
    /// There may be more: bytes are missing, or were no messages.
    pub unsure: bool,
}

/// How the messages behind a WebSocket handshake are told.
#[derive(Debug)]
pub enum Messages<R> {
    /// Not at all. The handshake's exchange ends with its response.
    Untold,
    /// Before the end of the handshake's exchange, which is then that of the connection.
    Together,
    /// Of this request of their own, while the connection lasts. The handshake's exchange ends with its response.
    Apart(R),
}

/// Which of a message's body bytes the observer wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyWish {
    /// None: bodies of known length are counted, not touched.
    None,
    /// Transfer coding undone, content coding (gzip, deflate, br, zstd) undone, up to the limits' `body_bytes`.
    Decoded,
}

/// A reader of exchanges. For each request seen there is one [`Observer::request`] (or [`Observer::hidden`]) and later exactly one
/// [`Observer::finish`]; in between at most one [`Observer::response`]. A response without a request begins with
/// [`Observer::orphan`] instead.
pub trait Observer {
    /// What the observer keeps of a request until its exchange ends. Kept small.
    type Request;

    /// A request's head was read.
    fn request(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request;

    /// A request's head of which unknown header table entries (HTTP/2) hide the method, the target or the host. What is
    /// hidden is empty or absent. Such a request says what was asked only in part: whoever counts endpoints leaves it
    /// out.
    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request;

    /// The final response's head was read.
    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>);

    /// Trailer fields of the request (`response` false) or of its response were read (HTTP/2).
    fn trailers(&mut self, request: &mut Self::Request, response: bool, fields: Fields<'_>) {
        let _ = (request, response, fields);
    }

    /// Fields of the protobuf messages of the client or of the server of a gRPC call; given before [`Observer::grpc`].
    fn grpc_fields(&mut self, request: &mut Self::Request, server: bool, fields: &[Seen]) {
        let _ = (request, server, fields);
    }

    /// What was found in a gRPC call; given right before the end of its exchange.
    fn grpc(&mut self, request: &mut Self::Request, call: &Grpc) {
        let _ = (request, call);
    }

    /// WebSocket was granted: what becomes of the messages behind this handshake?
    fn messages(&mut self, request: &mut Self::Request) -> Messages<Self::Request> {
        let _ = request;
        Messages::Untold
    }

    /// A piece of a text message of the client or of the server.
    fn message(&mut self, request: &mut Self::Request, server: bool, piece: Piece<'_>) {
        let _ = (request, server, piece);
    }

    /// What the client and the server said since this was last told: at the end, and where messages are told apart now
    /// and then before. `ts` is when the last of it came.
    fn websocket(&mut self, request: &mut Self::Request, tally: &[Tally; 2], ts: Timestamp) {
        let _ = (request, tally, ts);
    }

    /// The connection of messages that were told apart is over. Takes the place of [`Observer::finish`].
    fn parted(&mut self, request: Self::Request) {
        let _ = request;
    }

    /// Does the observer want the body of this request (`response` false) or of its response (`response` true)?
    fn wants(&self, request: &Self::Request, response: bool) -> BodyWish {
        let _ = (request, response);
        BodyWish::None
    }

    /// Decoded body bytes, as wished. `response` tells whose.
    fn body(&mut self, request: &mut Self::Request, response: bool, bytes: &[u8]) {
        let _ = (request, response, bytes);
    }

    /// A TLS session was seen.
    fn tls(&mut self, connection: &Connection, session: &TlsSession<'_>) {
        let _ = (connection, session);
    }

    /// The exchange is over.
    fn finish(&mut self, connection: &Connection, request: Self::Request, outcome: &Outcome);

    /// A QUIC client's hello was read, whole or (at the end of its connection) as far as it was captured.
    fn quic_hello(&mut self, flow: &QuicFlow) {
        let _ = flow;
    }

    /// A QUIC connection goes on: told now and then while it lasts, once its hello was.
    fn quic_goes(&mut self, flow: &QuicFlow) {
        let _ = flow;
    }

    /// A QUIC connection is over, or the capture is.
    fn quic_closed(&mut self, flow: &QuicFlow) {
        let _ = flow;
    }

    /// A TCP connection is over of which nothing could be read, and whose protocol has no name.
    fn unread(&mut self, connection: &Connection, unread: &Unread) {
        let _ = (connection, unread);
    }

    /// A response whose request is not in the capture: its head was read. [`Observer::finish`] follows when it is over.
    fn orphan(&mut self, connection: &Connection, sides: Sides, head: &ResponseHead<'_>) -> Self::Request;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_names() {
        let mut p = Partial::default();
        assert!(p.is_whole());
        p.add(Partial::NO_RESPONSE);
        p.add(Partial::REQUEST_GAP);
        assert_eq!(p.names().collect::<Vec<_>>(), ["request_gap", "no_response"]);
        assert!(!p.is_whole());
    }
}
