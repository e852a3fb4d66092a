//! gRPC, gRPC-Web and Connect: messages within a body, and how a call ended.
//!
//! Takes body bytes of one direction as they come, gives how many length-prefixed messages there were and how large (gRPC
//! over HTTP/2, "Length-Prefixed-Message"; gRPC-Web, "Message framing", whose trailers are a message of their own, and whose
//! text form is base64; Connect, "Streaming RPCs"), and the fields of protobuf messages by their numbers; compressed ones are
//! decoded within limits. Never keeps a message: all but the trailers of gRPC-Web and the last frame of Connect, of which
//! some bytes are kept, are counted down.

mod decode;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::decode::Decoding;
use self::decode::{Coding, Work};
use super::Fields;
use super::protobuf::{Outline, Wire};
use crate::base::Oddity;

/// Bytes of gRPC-Web trailers that are looked at for the status.
const TRAILERS: usize = 512;

/// Bit of a message's first byte: it is compressed.
const COMPRESSED: u8 = 1;

/// Bit of a message's first byte: gRPC-Web trailers.
const WEB_TRAILERS: u8 = 0x80;

/// Bit of a message's first byte: the last frame of a stream of Connect.
const END_STREAM: u8 = 2;

/// Different fields of one side of a call that are told.
const FIELDS: usize = 64;

/// Names of the status codes, from 0 (gRPC, "Status codes and their use").
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The status of a method that the server does not have.
pub const UNIMPLEMENTED: u16 = 12;

/// The name of a status code.
pub fn status_name(status: u16) -> Option<&'static str> {
    STATUSES.get(usize::from(status)).copied()
}

/// The status code of a name.
pub fn status_named(name: &str) -> Option<u16> {
    STATUSES.iter().position(|status| *status == name).map(|at| at as u16)
}

/// How messages are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// As they are, each behind a prefix of five bytes (gRPC, gRPC-Web).
    Binary,
    /// In base64, each piece padded by itself (gRPC-Web, `application/grpc-web-text`).
    Text,
    /// As in gRPC, with a last frame in JSON (a stream of Connect).
    Connect,
}

/// What a media type says of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How they are carried.
    pub carrier: Carrier,
    /// They are protobuf.
    pub proto: bool,
}

/// The form that a media type of gRPC, gRPC-Web or of Connect's streams stands for; `None` for all others.
#[inline]
pub fn form(content_type: &[u8]) -> Option<Form> {
    const GRPC: &[u8] = b"application/grpc";
    const CONNECT: &[u8] = b"application/connect";
    let (name, carrier) = match content_type.get(12) {
        Some(b'g' | b'G') => (GRPC, None),
        Some(b'c' | b'C') => (CONNECT, Some(Carrier::Connect)),
        _ => return None,
    };
    match content_type.split_at_checked(name.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(name) => form_of(rest, carrier),
        _ => None,
    }
}

fn form_of(rest: &[u8], carrier: Option<Carrier>) -> Option<Form> {
    let rest = rest.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    // What stands behind a name: nothing, or `+` and how messages are written.
    let behind = |name: &[u8]| match rest.split_at_checked(name.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(name) && matches!(rest, [] | [b'+', ..]) => Some(rest),
        _ => None,
    };
    let (written, carrier) = match carrier {
        Some(carrier) => (behind(b"").filter(|written| !written.is_empty())?, carrier),
        None => match (behind(b"-web-text"), behind(b"").or_else(|| behind(b"-web"))) {
            (Some(written), _) => (written, Carrier::Text),
            (None, Some(written)) => (written, Carrier::Binary),
            (None, None) => return None,
        },
    };
    Some(Form { carrier, proto: written.is_empty() || written.eq_ignore_ascii_case(b"+proto") })
}

/// Does a request with this media type call a method that its path names? A call of Connect that is not a stream looks like any
/// other request, but for a field of its own (Connect, "Unary-Request").
pub fn names_method(content_type: &[u8], fields: Fields<'_>) -> bool {
    form(content_type).is_some()
        || [&b"application/proto"[..], b"application/json"].iter().any(|name| {
            content_type.split_at_checked(name.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(name))
        }) && fields.get("connect-protocol-version").is_some()
}

/// `grpc-status` of trailers, or of a response that is nothing but trailers: a decimal number.
pub fn status(fields: Fields<'_>) -> Option<u16> {
    number(fields.get("grpc-status")?)
}

fn number(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

/// A field of protobuf messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub number: u32,
    /// How it is written.
    pub wire: Wire,
    /// Messages that had it.
    pub messages: u64,
}

/// A call: what of it was found so far.
#[derive(Debug)]
pub struct Call {
    /// Messages of the client and of the server; `None` where the body is not made of messages.
    pub messages: [Option<Messages>; 2],
    /// The status in a head or in trailers.
    pub status: Option<u16>,
    decoding: Arc<Decoding>,
}

impl Call {
    /// A request of this form.
    pub fn new(form: Form, fields: Fields<'_>, decoding: &Arc<Decoding>) -> Self {
        let messages = [Some(messages(form, fields, decoding)), None];
        Self { messages, status: None, decoding: decoding.clone() }
    }

    /// The response's head.
    pub fn answered(&mut self, content_type: Option<&[u8]>, fields: Fields<'_>) {
        self.status = self.status.or(status(fields));
        if let Some(form) = content_type.and_then(form) {
            self.messages[1] = Some(messages(form, fields, &self.decoding));
        }
    }

    /// Body bytes of the request or of the response.
    pub fn push(&mut self, response: bool, bytes: &[u8]) {
        if let Some(messages) = &mut self.messages[usize::from(response)] {
            messages.push(bytes);
        }
    }

    /// A hole of so many bytes in a body; `None` where nobody knows how many.
    pub fn skip(&mut self, response: bool, len: Option<u64>) {
        if let Some(messages) = &mut self.messages[usize::from(response)] {
            match len {
                Some(len) => messages.skip(len),
                None => messages.unsure = true,
            }
        }
    }
}

/// A body whose whole is compressed by the HTTP layer shows no messages; gRPC compresses each by itself.
fn messages(form: Form, fields: Fields<'_>, decoding: &Arc<Decoding>) -> Messages {
    let coded = fields.all("content-encoding").any(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"));
    let connect = form.carrier == Carrier::Connect;
    let coding = fields.get(if connect { "connect-content-encoding" } else { "grpc-encoding" });
    Messages {
        unsure: coded,
        coded,
        connect,
        base64: (form.carrier == Carrier::Text).then(Base64::default),
        outline: form.proto.then(Box::default),
        coding: Coding::new(coding, decoding),
        ..Messages::default()
    }
}

/// The messages of one direction.
#[derive(Debug, Default)]
pub struct Messages {
    /// Messages that have begun.
    pub count: u64,
    /// Bytes of them, compressed ones as they are.
    pub bytes: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// Compressed ones that were not decoded whole: a coding that is not known here, a limit, a hole.
    pub undecoded: u64,
    /// Of how many that were in a hole nothing is known; also when what came was no message.
    pub unsure: bool,
    /// The body as a whole is compressed, so that nothing of it is known.
    pub coded: bool,
    /// The status in gRPC-Web trailers, or in the last frame of a stream of Connect.
    pub status: Option<u16>,
    /// Fields of messages that were protobuf.
    pub fields: Vec<Seen>,
    /// Why one could not be decoded, where that is odd.
    pub odd: Option<Oddity>,
    connect: bool,
    prefix: [u8; 5],
    have: u8,
    left: u32,
    trailers: Option<Vec<u8>>,
    base64: Option<Base64>,
    outline: Option<Box<Outline>>,
    coding: Option<Coding>,
    work: Option<Work>,
    /// The message that is under way is a compressed one.
    zipped: bool,
}

/// Base64 (RFC 4648, 4) on its way: up to three of four characters.
#[derive(Clone, Debug, Default)]
struct Base64 {
    bits: u32,
    have: u8,
    /// A second padding character is due.
    padding: bool,
}

impl Base64 {
    /// The bytes that a character completes; `None`: it is none.
    fn push(&mut self, byte: u8) -> Option<([u8; 3], usize)> {
        let none = Some(([0; 3], 0));
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => return none,
            b'=' if std::mem::take(&mut self.padding) => return none,
            b'=' if self.have >= 2 => {
                let (bits, bytes) = (self.bits << (6 * (4 - u32::from(self.have))), usize::from(self.have) - 1);
                self.padding = self.have == 2;
                (self.bits, self.have) = (0, 0);
                let [_, a, b, c] = bits.to_be_bytes();
                return Some(([a, b, c], bytes));
            }
            _ => return None,
        };
        if self.padding {
            return None;
        }
        self.bits = self.bits << 6 | u32::from(six);
        self.have += 1;
        if self.have < 4 {
            return none;
        }
        let [_, a, b, c] = self.bits.to_be_bytes();
        (self.bits, self.have) = (0, 0);
        Some(([a, b, c], 3))
    }
}

impl Messages {
    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let Some(mut base64) = self.base64.take() else { return self.push_binary(bytes) };
        let mut plain = [0; 768];
        for piece in bytes.chunks(1024) {
            let (mut len, mut broken) = (0, false);
            for byte in piece {
                let Some((three, n)) = base64.push(*byte) else {
                    broken = true;
                    break;
                };
                for (to, from) in plain.iter_mut().skip(len).zip(three.iter().take(n)) {
                    *to = *from;
                }
                len += n;
            }
            // What stands before counts, however the bytes are cut.
            self.push_binary(&plain[..len.min(plain.len())]);
            self.unsure |= broken;
        }
        self.base64 = Some(base64);
    }

    fn push_binary(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.unsure {
            if self.left > 0 {
                let n = rest.len().min(self.left as usize);
                let (piece, more) = rest.split_at(n);
                self.payload(piece);
                self.left -= n as u32;
                rest = more;
            } else {
                let n = rest.len().min(self.prefix.len() - self.have as usize);
                let have = self.have as usize;
                self.prefix[have..have + n].copy_from_slice(&rest[..n]);
                self.have += n as u8;
                rest = &rest[n..];
                if (self.have as usize) < self.prefix.len() {
                    continue;
                }
                self.begins();
            }
            if self.left == 0 && !self.unsure {
                self.ends();
            }
        }
    }

    fn begins(&mut self) {
        let [flags, length @ ..] = self.prefix;
        (self.have, self.left) = (0, u32::from_be_bytes(length));
        let last = if self.connect { END_STREAM } else { WEB_TRAILERS };
        if flags & !(COMPRESSED | last) != 0 {
            self.unsure = true;
        } else if flags & last != 0 {
            self.trailers = Some(Vec::new());
        } else {
            self.count += 1;
            self.bytes += u64::from(self.left);
            self.zipped = flags & COMPRESSED != 0;
            if self.zipped {
                self.compressed += 1;
                self.work = self.coding.as_ref().filter(|_| self.outline.is_some()).and_then(Coding::begin);
                if self.work.is_none() {
                    self.give_up();
                }
            }
        }
    }

    /// The message that is under way is not looked at any further.
    fn give_up(&mut self) {
        self.undecoded += u64::from(self.zipped);
        (self.work, self.zipped) = (None, false);
        if let Some(outline) = &mut self.outline {
            outline.spoil();
        }
    }

    /// Bytes of a message.
    fn payload(&mut self, bytes: &[u8]) {
        if let Some(trailers) = &mut self.trailers {
            let room = TRAILERS.saturating_sub(trailers.len());
            trailers.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        let Some(outline) = &mut self.outline else { return };
        match (&mut self.work, &mut self.coding) {
            (Some(work), Some(coding)) => match coding.push(work, bytes, &mut |plain| outline.push(plain)) {
                Ok(true) => {}
                Ok(false) => self.give_up(),
                Err(oddity) => {
                    self.odd = Some(oddity);
                    self.give_up();
                }
            },
            _ => outline.push(bytes),
        }
    }

    /// The message that is under way is over.
    fn ends(&mut self) {
        (self.work, self.zipped) = (None, false);
        if let Some(trailers) = self.trailers.take() {
            self.status = if self.connect { end_of_stream(&trailers) } else { trailer_status(&trailers) };
            return;
        }
        let fields = &mut self.fields;
        if let Some(outline) = &mut self.outline {
            outline.end(|number, wire| {
                if let Some(field) = fields.iter_mut().find(|f| f.number == number && f.wire == wire) {
                    field.messages += 1;
                } else if fields.len() < FIELDS {
                    fields.push(Seen { number, wire, messages: 1 });
                }
            });
        }
    }

    /// A hole of so many bytes: within one message it is stepped over.
    pub fn skip(&mut self, len: u64) {
        let within = self.have == 0 && len <= u64::from(self.left) && self.trailers.is_none();
        if within && self.base64.is_none() {
            self.give_up();
            self.left -= len as u32;
            if self.left == 0 {
                self.ends();
            }
        } else {
            self.work = None;
            self.unsure = true;
        }
    }
}

/// The status in the last frame of a stream of Connect ("EndStreamResponse"): its codes have gRPC's names.
fn end_of_stream(frame: &[u8]) -> Option<u16> {
    let frame: serde_json::Value = serde_json::from_slice(frame).ok()?;
    match frame.get("error") {
        None => frame.is_object().then_some(0),
        Some(error) => match error.get("code")?.as_str()? {
            "canceled" => Some(1),
            code => status_named(&code.to_ascii_uppercase()),
        },
    }
}

/// The status in a block of HTTP/1 field lines.
fn trailer_status(block: &[u8]) -> Option<u16> {
    block.split(|b| *b == b'\n').find_map(|line| {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"grpc-status") { number(&line[colon + 1..]) } else { None }
    })
}
