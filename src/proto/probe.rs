//! Tells by content what a direction carries, on any port.
//!
//! Takes the first bytes of a direction, or of a chunk where a message might begin, and gives a verdict: HTTP/1
//! request or response, HTTP/2, TLS, SOCKS, something else, or "more bytes needed". Two strictnesses: [`first`] is
//! for the true beginning of a stream, [`request_start`] and [`response_start`] are for places where a message only
//! might begin (behind a gap, in a connection picked up midway) and take nothing that is not a full start line.
//! Never keeps bytes; never looks further than the first line.

use super::http2::is_server_preface;

/// What a direction carries, from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// An HTTP/1 request.
    Request,
    /// An HTTP/1 response.
    Response,
    /// The HTTP/2 connection preface (RFC 9113, 3.4): the client's, or the server's, which may come before it.
    Http2,
    /// A TLS record.
    Tls,
    /// A SOCKS 4 or 5 greeting: after a short prelude anything may follow.
    Socks,
    /// None of these.
    Other,
    /// Too few bytes to tell.
    More,
}

/// Does a message begin here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A whole start line is here.
    Yes,
    /// Nothing here speaks against it, but the line is not whole yet.
    More,
    /// No.
    No,
}

/// Longest method that is believed. The longest registered one (`BASELINE-CONTROL`, `UPDATEREDIRECTREF`) has 17 bytes.
const METHOD: usize = 32;

/// Longest request target that is believed at a place that has to be proven.
const TARGET: usize = 64 << 10;

/// Largest TLS record payload: 2^14 and the expansion that TLS 1.2 allows (RFC 5246, 6.2.3).
const TLS_RECORD: usize = (1 << 14) + 2048;

/// `tchar` of RFC 9110, 5.6.2.
#[inline]
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Methods that are taken at a stream's beginning before their line is whole.
const METHODS: [&[u8]; 17] = [
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"PATCH",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"REPORT",
    b"PURGE",
    b"QUERY",
    b"SEARCH",
    b"NOTIFY",
];

/// What the beginning of a stream is.
pub fn first(bytes: &[u8]) -> First {
    let bytes = skip_empty_lines(bytes);
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    match bytes {
        [] => return First::More,
        [0x16, rest @ ..] => {
            return match rest {
                [3, 0..=4, high, low, ..] if u16::from_be_bytes([*high, *low]) as usize <= TLS_RECORD => First::Tls,
                [] | [3] | [3, 0..=4] | [3, 0..=4, _] => First::More,
                _ => First::Other,
            };
        }
        // SOCKS 5 (RFC 1928): version, number of methods, methods. SOCKS 4: version, command 1 or 2, port, address.
        [5, n, methods @ ..] if *n > 0 && methods.len() == *n as usize => return First::Socks,
        [4, 1 | 2, _, _, _, _, _, _, ..] => return First::Socks,
        _ => {}
    }
    if bytes[0] == b'P' && (PREFACE.starts_with(bytes) || bytes.starts_with(PREFACE)) {
        return if bytes.len() > 4 { First::Http2 } else { First::More };
    }
    match is_server_preface(bytes) {
        Start::Yes => return First::Http2,
        Start::More => return First::More,
        Start::No => {}
    }
    match response_start(bytes) {
        Start::Yes => return First::Response,
        Start::More => return First::More,
        Start::No => {}
    }
    let token = bytes.iter().take(METHOD + 1).take_while(|b| is_token(**b)).count();
    match bytes.get(token) {
        None if token <= METHOD => First::More,
        Some(b' ' | b'\t') if METHODS.contains(&&bytes[..token]) => known_method(bytes, token + 1),
        Some(b' ') if token > 0 => match request_start(bytes) {
            Start::Yes => First::Request,
            Start::More => First::More,
            Start::No => First::Other,
        },
        _ => First::Other,
    }
}

/// Behind a well-known method: a request unless its line is whole and names no HTTP/1 version (RTSP, SIP).
fn known_method(bytes: &[u8], target: usize) -> First {
    let rest = &bytes[target..];
    match rest.iter().position(|b| *b == b'\n') {
        Some(end) if !ends_with_version(&rest[..end]) && simple_request(bytes).is_none() => First::Other,
        _ => First::Request,
    }
}

/// The target of a request of HTTP/0.9 (RFC 1945, 5: Simple-Request), if it is all there is, but for empty lines.
pub(super) fn simple_request(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"GET ")?;
    let (target, behind) = rest.split_at(rest.iter().position(|b| matches!(b, b'\r' | b'\n'))?);
    if !behind.ends_with(b"\n") || !skip_empty_lines(behind).is_empty() {
        return None;
    }
    (target.first() == Some(&b'/') && target.iter().all(|b| (b'!'..=b'~').contains(b))).then_some(target)
}

/// Does a line (its LF taken off) end in an HTTP/1 version?
pub(super) fn ends_with_version(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end(), [.., b' ' | b'\t', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'])
}

/// Is this a TLS record in the middle of a connection?
pub fn tls_record(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, 0..=4, high, low, ..]
        if (1..=TLS_RECORD).contains(&(u16::from_be_bytes([*high, *low]) as usize)))
}

/// Does a request begin here? Strict: token, one space, target without spaces, `HTTP/1.x`, end of line.
pub fn request_start(bytes: &[u8]) -> Start {
    let token = bytes.iter().take(METHOD + 1).take_while(|b| is_token(**b)).count();
    if token > METHOD {
        return Start::No;
    }
    let Some(&behind) = bytes.get(token) else { return Start::More };
    // Real methods have letters; `HTTP/1.1` itself fails at its slash.
    if behind != b' ' || !bytes[0].is_ascii_alphabetic() {
        return Start::No;
    }
    let rest = &bytes[token + 1..];
    match rest.first() {
        None => return Start::More,
        Some(b'/' | b'*' | b'[') => {}
        Some(b) if b.is_ascii_alphanumeric() => {}
        Some(_) => return Start::No,
    }
    let target = rest.iter().take(TARGET).take_while(|b| **b > b' ' && **b != 0x7f).count();
    match rest.get(target) {
        None => return if target < TARGET { Start::More } else { Start::No },
        Some(b' ') => {}
        Some(_) => return Start::No,
    }
    version_then(&rest[target + 1..], |rest| match rest {
        [] | [b'\r'] => Start::More,
        [b'\n', ..] | [b'\r', b'\n', ..] => Start::Yes,
        _ => Start::No,
    })
}

/// Does a response begin here? Strict: `HTTP/1.x`, one space, three digits, then a space or the line's end.
pub fn response_start(bytes: &[u8]) -> Start {
    version_then(bytes, |rest| match rest {
        [b' ', b'1'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ' | b'\r' | b'\n', ..] => Start::Yes,
        [] | [b' '] | [b' ', b'1'..=b'9'] => Start::More,
        [b' ', b'1'..=b'9', b'0'..=b'9'] | [b' ', b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => Start::More,
        _ => Start::No,
    })
}

/// `HTTP/1.` and a digit, then what `then` says of the rest.
fn version_then(bytes: &[u8], then: impl FnOnce(&[u8]) -> Start) -> Start {
    const NAME: &[u8] = b"HTTP/1.";
    if bytes.len() <= NAME.len() {
        return if NAME.starts_with(bytes) { Start::More } else { Start::No };
    }
    if bytes.starts_with(NAME) && bytes[NAME.len()].is_ascii_digit() {
        then(&bytes[NAME.len() + 1..])
    } else {
        Start::No
    }
}

/// Without the empty lines that some clients send between messages (RFC 9112, 2.2).
pub fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let n = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    &bytes[n..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_protocol() {
        assert_eq!(first(b"GET / HTTP/1.1\r\n"), First::Request);
        assert_eq!(first(b"\r\nGET / HTTP/1.1\r\n"), First::Request);
        assert_eq!(first(b"HTTP/1.1 200 OK\r\n"), First::Response);
        assert_eq!(first(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"), First::Http2);
        assert_eq!(first(&[0x16, 3, 1, 2, 0, 1]), First::Tls);
        assert_eq!(first(&[5, 1, 0]), First::Socks);
        assert_eq!(first(&[4, 1, 0, 80, 1, 2, 3, 4, 0]), First::Socks);
        assert_eq!(first(b"220 mail.example ESMTP\r\n"), First::Other);
        assert_eq!(first(b"SSH-2.0-OpenSSH_9.7\r\n"), First::Other);
        assert_eq!(first(b"EHLO mail.example\r\n"), First::Other);
        assert_eq!(first(b"ICY 200 OK\r\n"), First::Other);
        assert_eq!(first(b"GET /\r\n"), First::Request, "HTTP/0.9");
        assert_eq!(first(b"GET /a\r\n\r\n"), First::Request, "HTTP/0.9 of a client that knows a newer one");
        assert_eq!(first(b"GET key\r\n"), First::Other);
        assert_eq!(first(b"GET /\r\nGET /\r\n"), First::Other);
        assert_eq!(first(b"OPTIONS rtsp://a/b RTSP/1.0\r\n"), First::Other);
        assert_eq!(first(b"GET /a b c HTTP/1.1\r\n"), First::Request, "a space in the target of a known method");
    }

    #[test]
    fn first_bytes_may_come_one_by_one() {
        for (text, verdict) in [
            (&b"PROPFIND /dav HTTP/1.1\r\n"[..], First::Request),
            (b"get /x HTTP/1.0\r\n", First::Request),
            (b"HTTP/1.0 404 Not Found\r\n", First::Response),
            (b"PRI * HTTP/2.0\r\n", First::Http2),
            (&[0x16, 3, 3, 0, 200][..], First::Tls),
        ] {
            let mut n = 0;
            let found = loop {
                match first(&text[..n]) {
                    First::More => n += 1,
                    found => break found,
                }
            };
            assert_eq!(found, verdict, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_place_to_be_proven_needs_a_whole_line() {
        assert_eq!(request_start(b"GET /x HTTP/1.1\r\n"), Start::Yes);
        assert_eq!(request_start(b"QUERY /x HTTP/1.1\r\n"), Start::Yes);
        assert_eq!(request_start(b"GET http://h/x HTTP/1.1\n"), Start::Yes);
        assert_eq!(request_start(b"CONNECT h:443 HTTP/1.1\r\n"), Start::Yes);
        assert_eq!(request_start(b"GET /x HTTP/1.1"), Start::More);
        assert_eq!(request_start(b"GET /x"), Start::More);
        assert_eq!(request_start(b"G"), Start::More);
        assert_eq!(request_start(b"GET /x HTTP/1.1 and more\r\n"), Start::No);
        assert_eq!(request_start(b"GET /x y HTTP/1.1\r\n"), Start::No);
        assert_eq!(request_start(b"the quick brown fox\r\n"), Start::No);
        assert_eq!(request_start(b"{\"a\":1}"), Start::No);
        assert_eq!(request_start(b"GET /x HTTP/2.0\r\n"), Start::No);
        assert_eq!(response_start(b"HTTP/1.1 200\r\n"), Start::Yes);
        assert_eq!(response_start(b"HTTP/1.1 20"), Start::More);
        assert_eq!(response_start(b"HTTP/1.1 2000 x"), Start::No);
        assert_eq!(response_start(b"HTTP/1.1 is a protocol"), Start::No);
    }
}
