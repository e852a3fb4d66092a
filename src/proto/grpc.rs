//! gRPC and gRPC-Web: messages within a body, and how a call ended.
//!
//! Takes body bytes of one direction as they come, gives how many length-prefixed messages there were and how large (gRPC
//! over HTTP/2, "Length-Prefixed-Message"; gRPC-Web, "Message framing", whose trailers are a message of their own, and whose
//! text form is base64). Never keeps a message: all but the trailers of gRPC-Web, of which some bytes are kept, are counted
//! down.

use super::Fields;

/// Bytes of gRPC-Web trailers that are looked at for the status.
const TRAILERS: usize = 512;

/// Bit of a message's first byte: it is compressed.
const COMPRESSED: u8 = 1;

/// Bit of a message's first byte: gRPC-Web trailers.
const WEB_TRAILERS: u8 = 0x80;

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

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Binary,
    /// In base64, each piece padded by itself (gRPC-Web, `application/grpc-web-text`).
    Text,
}

/// The form that a media type of gRPC or gRPC-Web stands for; `None` for all others.
#[inline]
pub fn form(content_type: &[u8]) -> Option<Form> {
    const NAME: &[u8] = b"application/grpc";
    match content_type.split_at_checked(NAME.len()) {
        Some((name, rest)) if name.eq_ignore_ascii_case(NAME) => form_of(rest),
        _ => None,
    }
}

fn form_of(rest: &[u8]) -> Option<Form> {
    let rest = rest.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    let behind = |name: &[u8]| match rest.split_at_checked(name.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(name) => matches!(rest, [] | [b'+', ..]),
        _ => false,
    };
    match () {
        () if behind(b"-web-text") => Some(Form::Text),
        () if behind(b"") || behind(b"-web") => Some(Form::Binary),
        () => None,
    }
}

/// `grpc-status` of trailers, or of a response that is nothing but trailers: a decimal number.
pub fn status(fields: Fields<'_>) -> Option<u16> {
    number(fields.get("grpc-status")?)
}

fn number(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

/// A call: what of it was found so far.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Messages of the client and of the server; `None` where the body is not made of messages.
    pub messages: [Option<Messages>; 2],
    /// The status in a head or in trailers.
    pub status: Option<u16>,
}

impl Call {
    /// A request of this form.
    pub fn new(form: Form, fields: Fields<'_>) -> Self {
        Self { messages: [messages(form, fields), None], status: None }
    }

    /// The response's head.
    pub fn answered(&mut self, content_type: Option<&[u8]>, fields: Fields<'_>) {
        self.status = self.status.or(status(fields));
        if let Some(form) = content_type.and_then(form) {
            self.messages[1] = messages(form, fields);
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
fn messages(form: Form, fields: Fields<'_>) -> Option<Messages> {
    let coded = fields.all("content-encoding").any(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"));
    Some(Messages { unsure: coded, coded, base64: (form == Form::Text).then(Base64::default), ..Messages::default() })
}

/// The messages of one direction.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// Messages that have begun.
    pub count: u64,
    /// Bytes of them, compressed ones as they are.
    pub bytes: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// Of how many that were in a hole nothing is known; also when what came was no message.
    pub unsure: bool,
    /// The body as a whole is compressed, so that nothing of it is known.
    pub coded: bool,
    /// The status in gRPC-Web trailers.
    pub status: Option<u16>,
    prefix: [u8; 5],
    have: u8,
    left: u32,
    trailers: Option<Vec<u8>>,
    base64: Option<Base64>,
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
            let mut len = 0;
            for byte in piece {
                match base64.push(*byte) {
                    Some((three, n)) => {
                        for (to, from) in plain.iter_mut().skip(len).zip(three.iter().take(n)) {
                            *to = *from;
                        }
                        len += n;
                    }
                    None => self.unsure = true,
                }
            }
            self.push_binary(&plain[..len.min(plain.len())]);
        }
        self.base64 = Some(base64);
    }

    fn push_binary(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.unsure {
            if self.left > 0 {
                let n = rest.len().min(self.left as usize);
                if let Some(trailers) = &mut self.trailers {
                    let room = TRAILERS.saturating_sub(trailers.len());
                    trailers.extend_from_slice(&rest[..n.min(room)]);
                }
                self.left -= n as u32;
                rest = &rest[n..];
            } else {
                let n = rest.len().min(self.prefix.len() - self.have as usize);
                let have = self.have as usize;
                self.prefix[have..have + n].copy_from_slice(&rest[..n]);
                self.have += n as u8;
                rest = &rest[n..];
                if self.have as usize == self.prefix.len() {
                    self.begins();
                }
            }
            if self.left == 0
                && let Some(trailers) = self.trailers.take()
            {
                self.status = trailer_status(&trailers);
            }
        }
    }

    fn begins(&mut self) {
        let [flags, length @ ..] = self.prefix;
        (self.have, self.left) = (0, u32::from_be_bytes(length));
        if flags & !(COMPRESSED | WEB_TRAILERS) != 0 {
            self.unsure = true;
        } else if flags & WEB_TRAILERS != 0 {
            self.trailers = Some(Vec::new());
        } else {
            self.count += 1;
            self.bytes += u64::from(self.left);
            self.compressed += u64::from(flags & COMPRESSED);
        }
    }

    /// A hole of so many bytes: within one message it is stepped over.
    pub fn skip(&mut self, len: u64) {
        let within = self.have == 0 && len <= u64::from(self.left) && self.trailers.is_none();
        if within && self.base64.is_none() {
            self.left -= len as u32;
        } else {
            self.unsure = true;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u8, text: &[u8]) -> Vec<u8> {
        [&[flags][..], &(text.len() as u32).to_be_bytes(), text].concat()
    }

    #[test]
    fn media_types() {
        for yes in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web+json; charset=x",
            "Application/GRPC-Web",
        ] {
            assert_eq!(form(yes.as_bytes()), Some(Form::Binary), "{yes}");
        }
        for text in ["application/grpc-web-text", "application/grpc-Web-Text+proto ; a=b"] {
            assert_eq!(form(text.as_bytes()), Some(Form::Text), "{text}");
        }
        for no in ["application/grpcx", "application/grpc-webx", "application/grpc-we", "application/json", ""] {
            assert_eq!(form(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let body = [
            message(0, b"hello"),
            message(0, b""),
            message(1, &[7; 300]),
            message(0x80, b"Grpc-Status: 5\r\ngrpc-message:x\r\n"),
        ]
        .concat();
        for step in [1, 3, 7, 1000] {
            let mut messages = Messages::default();
            body.chunks(step).for_each(|bytes| messages.push(bytes));
            assert_eq!((messages.count, messages.bytes, messages.compressed), (3, 305, 1));
            assert_eq!((messages.status, messages.unsure), (Some(5), false));
        }
    }

    #[test]
    fn the_text_form_is_base64_in_padded_pieces() {
        let pieces = [message(0, b"hello"), message(1, &[7; 100]), message(0x80, b"grpc-status:7\r\n")];
        // The last two in one piece.
        let text = [base64(&pieces[0]), base64(&pieces[1..].concat())].concat();
        for step in [1, 2, 3, 5, 1000] {
            let mut call = Call::new(Form::Text, Fields(&[]));
            text.as_bytes().chunks(step).for_each(|bytes| call.push(false, bytes));
            let messages = call.messages[0].as_ref().unwrap();
            assert_eq!((messages.count, messages.bytes, messages.compressed), (2, 105, 1), "steps of {step}");
            assert_eq!((messages.status, messages.unsure), (Some(7), false));
        }
        let mut call = Call::new(Form::Text, Fields(&[]));
        call.push(false, b"AAAAA=A");
        assert!(call.messages[0].as_ref().unwrap().unsure);
        call.skip(false, Some(1));
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            for n in 0..4 {
                out.push(if n <= three.len() { DIGITS[(bits >> (18 - 6 * n) & 63) as usize] as char } else { '=' });
            }
        }
        out
    }

    #[test]
    fn names_of_statuses() {
        assert_eq!((status_name(0), status_name(5), status_name(99)), (Some("OK"), Some("NOT_FOUND"), None));
        assert_eq!(status_named("UNIMPLEMENTED"), Some(UNIMPLEMENTED));
        assert_eq!(STATUSES.len(), 17);
    }

    #[test]
    fn a_body_that_is_compressed_as_a_whole_shows_no_messages() {
        let fields = [httparse::Header { name: "content-encoding", value: b"gzip" }];
        let mut call = Call::new(Form::Binary, Fields(&fields));
        call.push(false, &[0x1f, 0x8b, 8, 0, 0, 0, 0]);
        let messages = call.messages[0].as_ref().unwrap();
        assert!(messages.unsure && messages.coded && messages.count == 0);
    }

    #[test]
    fn holes_within_a_message_are_stepped_over() {
        let mut messages = Messages::default();
        let body = message(0, &[1; 100]);
        messages.push(&body[..50]);
        messages.skip(55);
        messages.push(&message(0, b"x"));
        assert_eq!((messages.count, messages.bytes, messages.unsure), (2, 101, false));
        messages.skip(1);
        assert!(messages.unsure);
        let mut nonsense = Messages::default();
        nonsense.push(b"{\"a\": 1}");
        assert_eq!((nonsense.count, nonsense.unsure), (0, true));
    }
}
