//! One exchange as a line of JSON.
//!
//! Takes heads and outcome from floor 4, keeps what the line shows until the exchange ends, gives the line. Bytes that
//! are not ASCII stand as the character of the same number (ISO 8859-1), so that nothing is lost and nothing guessed.

use serde::Serialize;

use super::mask;
use crate::base::Address;
use crate::exchange::{Grpc, Outcome, Partial, Sides};
use crate::proto::websocket::Tally;
use crate::proto::{Fields, RequestHead, ResponseHead};

/// What is kept of an exchange until it ends.
#[derive(Clone, Debug)]
pub(super) struct Record {
    client: Address,
    server: Address,
    /// The request is in the capture.
    asked: bool,
    method: Option<String>,
    host: Option<String>,
    uri: Option<String>,
    version: &'static str,
    status: Option<u16>,
    head_bytes: [u32; 2],
    /// Is the body of the request (of the response) compressed?
    pub(super) coded: [bool; 2],
    /// Decoded body bytes seen of the request and of the response.
    pub(super) decoded: [u64; 2],
    /// What was found of a gRPC call.
    pub(super) grpc: Option<Grpc>,
    /// What was said behind a WebSocket handshake, by the client and by the server.
    pub(super) websocket: Option<Box<[Tally; 2]>>,
    /// How it ended; `None` while it is open.
    pub(super) outcome: Option<Outcome>,
}

/// The line. Sizes are in bytes, times in nanoseconds.
#[derive(Serialize)]
struct Line<'a> {
    ts: Option<String>,
    client: String,
    server: String,
    method: Option<&'a str>,
    host: Option<&'a str>,
    uri: Option<&'a str>,
    status: Option<u16>,
    http_version: &'a str,
    request_head_bytes: Option<u32>,
    request_body_bytes: Option<u64>,
    request_body_decoded_bytes: Option<u64>,
    response_head_bytes: Option<u32>,
    response_body_bytes: Option<u64>,
    response_body_decoded_bytes: Option<u64>,
    latency_ns: Option<u64>,
    interim_responses: u32,
    whole: bool,
    reasons: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<GrpcLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    websocket: Option<[WebSocketLine; 2]>,
}

/// Of pairs the first is the client's, the second the server's. `exact` is false where bytes are missing.
#[derive(Serialize)]
struct GrpcLine {
    status: Option<u16>,
    messages: [u64; 2],
    message_bytes: [u64; 2],
    compressed_messages: [u64; 2],
    undecoded_messages: [u64; 2],
    exact: bool,
}

#[derive(Serialize)]
struct WebSocketLine {
    messages: u64,
    message_bytes: u64,
    text: u64,
    json: u64,
    compressed: u64,
    close_code: Option<u16>,
}

impl Record {
    pub(super) fn request(sides: Sides, head: &RequestHead<'_>, raw: bool) -> Self {
        let (method, host, uri) = (latin1(head.method.as_bytes()), head.host.map(latin1), latin1(head.target.bytes()));
        let (method, host, uri) = match raw {
            true => (method, host, uri),
            false => (mask::method(&method), host.map(|h| mask::authority(&h)), mask::target(&uri)),
        };
        Self {
            // Empty is hidden: neither can be.
            method: Some(method).filter(|m| !m.is_empty()),
            host,
            uri: Some(uri).filter(|u| !u.is_empty()),
            asked: true,
            head_bytes: [head.size, 0],
            coded: [is_coded(head.fields), false],
            ..Self::empty(sides, head.version.as_str())
        }
    }

    pub(super) fn orphan(sides: Sides, head: &ResponseHead<'_>) -> Self {
        let mut record = Self::empty(sides, head.version.as_str());
        record.response(head);
        record
    }

    fn empty(sides: Sides, version: &'static str) -> Self {
        Self {
            client: sides.client,
            server: sides.server,
            asked: false,
            method: None,
            host: None,
            uri: None,
            version,
            status: None,
            head_bytes: [0; 2],
            coded: [false; 2],
            decoded: [0; 2],
            grpc: None,
            websocket: None,
            outcome: None,
        }
    }

    pub(super) fn response(&mut self, head: &ResponseHead<'_>) {
        self.status = Some(head.status);
        self.head_bytes[1] = head.size;
        self.coded[1] = is_coded(head.fields);
    }

    /// Bytes it holds in memory, about.
    pub(super) fn weight(&self) -> usize {
        let text = |t: &Option<String>| t.as_ref().map_or(0, String::capacity);
        size_of::<Self>() + text(&self.method) + text(&self.host) + text(&self.uri)
    }

    /// The line, without a newline. `most` is the number of decoded bytes that are looked at. What only the end of an
    /// exchange tells is null while it is open.
    pub(super) fn line(&self, most: u64) -> serde_json::Result<String> {
        let asked = self.asked;
        let answered = self.status.is_some();
        let Some(outcome) = &self.outcome else { return serde_json::to_string(&self.open(asked, answered)) };
        let wire = [outcome.request_body, outcome.response_body];
        let decoded = |n: usize| match self.coded[n] {
            false => Some(wire[n]),
            // Cut at the limit, or with bytes missing, nobody knows how much it would have become.
            true => {
                Some(self.decoded[n]).filter(|d| *d < most && outcome.partial.is_whole() && (*d > 0 || wire[n] == 0))
            }
        };
        serde_json::to_string(&Line {
            ts: Some(outcome.started.to_string()),
            request_body_bytes: asked.then_some(wire[0]),
            request_body_decoded_bytes: decoded(0).filter(|_| asked),
            response_body_bytes: answered.then_some(wire[1]),
            response_body_decoded_bytes: decoded(1).filter(|_| answered),
            latency_ns: outcome.latency,
            interim_responses: outcome.interim,
            whole: outcome.partial.is_whole(),
            reasons: outcome.partial.names().collect(),
            ..self.open(asked, answered)
        })
    }

    fn open(&self, asked: bool, answered: bool) -> Line<'_> {
        let mut partial = Partial::LIMIT;
        if !answered {
            partial.add(Partial::NO_RESPONSE);
        }
        Line {
            ts: None,
            client: self.client.to_string(),
            server: self.server.to_string(),
            method: self.method.as_deref(),
            host: self.host.as_deref(),
            uri: self.uri.as_deref(),
            status: self.status,
            http_version: self.version,
            request_head_bytes: asked.then_some(self.head_bytes[0]),
            request_body_bytes: None,
            request_body_decoded_bytes: None,
            response_head_bytes: answered.then_some(self.head_bytes[1]),
            response_body_bytes: None,
            response_body_decoded_bytes: None,
            latency_ns: None,
            interim_responses: 0,
            whole: false,
            reasons: partial.names().collect(),
            grpc: self.grpc.map(|call| GrpcLine {
                status: call.status,
                messages: call.messages,
                message_bytes: call.bytes,
                compressed_messages: call.compressed,
                undecoded_messages: call.undecoded,
                exact: !call.unsure,
            }),
            websocket: self.websocket.as_deref().map(|sides| {
                sides.map(|tally| WebSocketLine {
                    messages: tally.messages,
                    message_bytes: tally.bytes,
                    text: tally.text,
                    json: tally.json,
                    compressed: tally.compressed,
                    close_code: tally.close,
                })
            }),
        }
    }
}

fn is_coded(fields: Fields<'_>) -> bool {
    fields.all("content-encoding").any(|v| !v.is_empty() && !v.eq_ignore_ascii_case(b"identity"))
}

/// Each byte as the character of its number.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}
