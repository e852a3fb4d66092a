//! gRPC and gRPC-Web: messages within a body, and how a call ended.
//!
//! Takes body bytes of one direction as they come, gives how many length-prefixed messages there were and how large (gRPC
//! over HTTP/2, "Length-Prefixed-Message"; gRPC-Web, "Message framing", whose trailers are a message of their own). Never
//! keeps a message: all but the trailers of gRPC-Web, of which some bytes are kept, are counted down.

use super::Fields;

/// Bytes of gRPC-Web trailers that are looked at for the status.
const TRAILERS: usize = 512;

/// Bit of a message's first byte: it is compressed.
const COMPRESSED: u8 = 1;

/// Bit of a message's first byte: gRPC-Web trailers.
const WEB_TRAILERS: u8 = 0x80;

/// Is this the media type of gRPC or gRPC-Web with binary framing? The text form of gRPC-Web is base64, and not read.
pub fn is_grpc(content_type: &[u8]) -> bool {
    let name = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let rest = name.strip_prefix(b"application/grpc").map(|rest| rest.strip_prefix(b"-web").unwrap_or(rest));
    matches!(rest, Some([] | [b'+', ..]))
}

/// `grpc-status` of trailers, or of a response that is nothing but trailers: a decimal number.
pub fn status(fields: Fields<'_>) -> Option<u16> {
    number(fields.get("grpc-status")?)
}

fn number(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
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
    /// The status in gRPC-Web trailers.
    pub status: Option<u16>,
    prefix: [u8; 5],
    have: u8,
    left: u32,
    trailers: Option<Vec<u8>>,
}

impl Messages {
    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
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
        if self.have == 0 && len <= u64::from(self.left) && self.trailers.is_none() {
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
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in [
            "application/grpc-web-text",
            "application/grpcx",
            "application/json",
            "",
            "application/grpc-web-text+proto",
        ] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
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
