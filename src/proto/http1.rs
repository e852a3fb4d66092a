//! Reads the heads of HTTP/1 messages and says how their bodies are framed (RFC 9112).
//!
//! Takes bytes at the beginning of a message, gives the head, borrowed from them, with the [`Facts`] that framing and
//! pairing need, gathered in one pass over the field lines. `httparse` reads strictly; what it refuses goes to the
//! `lenient` reader, and the difference is noted in [`Facts::notes`]. Never reads a body, never keeps
//! anything between two calls: what is not whole yet is the caller's to hold until [`find_end`] says that it is.

use std::mem::MaybeUninit;

use httparse::{Error, Header, ParserConfig, Status};

use super::lenient;
use super::probe;
use super::{Fields, RequestHead, ResponseHead, Target, Version};

/// Field lines that are read on the stack, in place. Nearly every head has fewer.
const FEW: usize = 64;

/// How a head was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Only lenient reading took it.
    pub lenient: bool,
    /// Folded lines (RFC 9112, 5.2).
    pub folded: bool,
    /// Field lines beyond the limit were left out.
    pub too_many: bool,
    /// Field lines that were left out because they could not be read.
    pub dropped: u32,
    /// Content-Length and a transfer coding both present.
    pub both_lengths: bool,
    /// Content-Length fields that disagree.
    pub lengths_disagree: bool,
    /// A Content-Length or a transfer coding that makes no sense.
    pub length_bad: bool,
    /// Host fields.
    pub hosts: u8,
}

/// What a head says about its message's body, before status and method have their say (RFC 9112, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Nothing.
    Absent,
    /// Content-Length.
    Exactly(u64),
    /// Chunked is the final transfer coding.
    Chunked,
    /// A transfer coding whose end only the connection's end marks, or a length that cannot be read.
    Unclear,
}

/// What framing and pairing need of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Declared length.
    pub length: Length,
    /// A content coding is named.
    pub coded: bool,
    /// How the head was read.
    pub notes: Notes,
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length; 0 where there is no body.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What came of reading a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// Read: how many bytes it took, and what the caller made of it.
    Head(usize, T),
    /// Not whole yet.
    Partial,
    /// Not a head.
    Bad,
}

/// Framing of a request's body.
pub fn request_framing(facts: &Facts) -> Framing {
    match facts.length {
        Length::Exactly(n) => Framing::Length(n),
        Length::Chunked => Framing::Chunked,
        // A server must refuse such a request (RFC 9112, 6.1): what follows is no body of it.
        Length::Absent | Length::Unclear => Framing::Length(0),
    }
}

/// Framing of a response's body, without regard to the request (HEAD and CONNECT are the caller's to know).
pub fn response_framing(status: u16, facts: &Facts) -> Framing {
    if matches!(status, 100..=199 | 204 | 304) {
        return Framing::Length(0);
    }
    match facts.length {
        Length::Exactly(n) => Framing::Length(n),
        Length::Chunked => Framing::Chunked,
        Length::Absent | Length::Unclear => Framing::UntilClose,
    }
}

/// Where a head ends: the offset behind its empty line, looking from `from` on (where an earlier look stopped).
pub fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line may begin up to three bytes before.
    let mut at = from.saturating_sub(3);
    while let Some(n) = bytes[at..].iter().position(|b| *b == b'\n') {
        at += n + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a request's head. `read` is called once when it is whole. At most `lines` field lines are kept.
#[inline]
pub fn request<T>(bytes: &[u8], lines: usize, read: impl FnOnce(&RequestHead<'_>, &Facts) -> T) -> Read<T> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; FEW];
    let mut parsed = httparse::Request::new(&mut []);
    match ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, bytes, &mut headers) {
        Ok(Status::Complete(size)) => {
            let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Read::Bad };
            let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
            Read::Head(size, with_request(method, target.into(), version, parsed.headers, size, Notes::default(), read))
        }
        Ok(Status::Partial) => Read::Partial,
        Err(error) => odd_request(bytes, lines, error, &mut Once::new(read)),
    }
}

/// Reads a response's head, likewise.
#[inline]
pub fn response<T>(bytes: &[u8], lines: usize, read: impl FnOnce(&ResponseHead<'_>, &Facts) -> T) -> Read<T> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; FEW];
    let mut parsed = httparse::Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut headers) {
        Ok(Status::Complete(size)) => {
            let Some(status) = parsed.code else { return Read::Bad };
            let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
            Read::Head(size, with_response(status, version, parsed.headers, size, Notes::default(), read))
        }
        Ok(Status::Partial) => Read::Partial,
        Err(error) => odd_response(bytes, lines, error, &mut Once::new(read)),
    }
}

/// A `FnOnce` that the several slow ways can share behind one pointer, so that its body is compiled once for them.
struct Once<F>(Option<F>);

impl<F> Once<F> {
    fn new(f: F) -> Self {
        Self(Some(f))
    }
}

trait ReadRequest<T> {
    fn call(&mut self, head: &RequestHead<'_>, facts: &Facts) -> Option<T>;
}

impl<T, F: FnOnce(&RequestHead<'_>, &Facts) -> T> ReadRequest<T> for Once<F> {
    fn call(&mut self, head: &RequestHead<'_>, facts: &Facts) -> Option<T> {
        self.0.take().map(|f| f(head, facts))
    }
}

trait ReadResponse<T> {
    fn call(&mut self, head: &ResponseHead<'_>, facts: &Facts) -> Option<T>;
}

impl<T, F: FnOnce(&ResponseHead<'_>, &Facts) -> T> ReadResponse<T> for Once<F> {
    fn call(&mut self, head: &ResponseHead<'_>, facts: &Facts) -> Option<T> {
        self.0.take().map(|f| f(head, facts))
    }
}

fn finish<T>(size: usize, made: Option<T>) -> Read<T> {
    made.map_or(Read::Bad, |made| Read::Head(size, made))
}

/// What the fast way refused: more field lines than fit, or a head that strict reading does not take.
#[cold]
#[inline(never)]
fn odd_request<T>(bytes: &[u8], lines: usize, error: Error, read: &mut dyn ReadRequest<T>) -> Read<T> {
    if error == Error::TooManyHeaders {
        let mut headers = vec![httparse::EMPTY_HEADER; lines];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(bytes) {
            Ok(Status::Complete(size)) => {
                let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Read::Bad };
                let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
                let (target, notes) = (target.into(), Notes::default());
                let made = with_request(method, target, version, parsed.headers, size, notes, |h, f| read.call(h, f));
                return finish(size, made);
            }
            Ok(Status::Partial) => return Read::Partial,
            Err(_) => {}
        }
    }
    if let Some(target) = probe::simple_request(bytes) {
        let (version, size, notes) = (Version::Http09, bytes.len(), Notes::default());
        let made = with_request("GET", target.into(), version, &[], size, notes, |h, f| read.call(h, f));
        return finish(size, made);
    }
    match lenient::whole(bytes, |line| lenient::request_line(line).is_some()) {
        Read::Head(size, scratch) => {
            let Some(head) = lenient::Head::read(&scratch, lines) else { return Read::Bad };
            let Some((method, target, version)) = lenient::request_line(head.line) else { return Read::Bad };
            let (target, notes) = (target.into(), head.notes);
            let made = with_request(method, target, version, &head.fields, size, notes, |h, f| read.call(h, f));
            finish(size, made)
        }
        Read::Partial => Read::Partial,
        Read::Bad => Read::Bad,
    }
}

#[cold]
#[inline(never)]
fn odd_response<T>(bytes: &[u8], lines: usize, error: Error, read: &mut dyn ReadResponse<T>) -> Read<T> {
    // What does not even begin like a response is not waited for.
    const NAME: &[u8] = b"HTTP/1.";
    if !bytes.iter().zip(NAME).all(|(a, b)| a == b) {
        return Read::Bad;
    }
    if error == Error::TooManyHeaders {
        let mut headers = vec![httparse::EMPTY_HEADER; lines];
        let mut parsed = httparse::Response::new(&mut headers);
        match parsed.parse(bytes) {
            Ok(Status::Complete(size)) => {
                let Some(status) = parsed.code else { return Read::Bad };
                let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
                let notes = Notes::default();
                return finish(
                    size,
                    with_response(status, version, parsed.headers, size, notes, |h, f| read.call(h, f)),
                );
            }
            Ok(Status::Partial) => return Read::Partial,
            Err(_) => {}
        }
    }
    match lenient::whole(bytes, |line| lenient::status_line(line).is_some()) {
        Read::Head(size, scratch) => {
            let Some(head) = lenient::Head::read(&scratch, lines) else { return Read::Bad };
            let Some((status, version)) = lenient::status_line(head.line) else { return Read::Bad };
            finish(size, with_response(status, version, &head.fields, size, head.notes, |h, f| read.call(h, f)))
        }
        Read::Partial => Read::Partial,
        Read::Bad => Read::Bad,
    }
}

#[inline(always)]
fn with_request<T>(
    method: &str,
    target: Target<'_>,
    version: Version,
    fields: &[Header<'_>],
    size: usize,
    notes: Notes,
    read: impl FnOnce(&RequestHead<'_>, &Facts) -> T,
) -> T {
    let (mut facts, Values { mut host, content_type }) = facts(fields, notes);
    // Content-Length beside chunked makes it evidence; a request's Unclear length is no body at all.
    if let Some(authority) = authority(method, target.bytes(), host) {
        host = Some(authority);
    }
    if facts.length == Length::Unclear {
        facts.notes.length_bad = true;
    }
    let (fields, size) = (Fields(fields), size as u32);
    read(&RequestHead { method, target, host, version, fields, content_type, size }, &facts)
}

#[inline(always)]
fn with_response<T>(
    status: u16,
    version: Version,
    fields: &[Header<'_>],
    size: usize,
    notes: Notes,
    read: impl FnOnce(&ResponseHead<'_>, &Facts) -> T,
) -> T {
    let (facts, Values { content_type, .. }) = facts(fields, notes);
    let (fields, size) = (Fields(fields), size as u32);
    read(&ResponseHead { status, version, fields, content_type, size }, &facts)
}

/// The authority that the target itself names: of an absolute form, or of CONNECT where there is no Host field.
#[inline]
fn authority<'a>(method: &str, target: &'a [u8], host: Option<&[u8]>) -> Option<&'a [u8]> {
    match target.first() {
        Some(b'/' | b'*') => None,
        _ => odd_authority(method, target, host),
    }
}

#[cold]
fn odd_authority<'a>(method: &str, target: &'a [u8], host: Option<&[u8]>) -> Option<&'a [u8]> {
    if method == "CONNECT" {
        return host.is_none().then_some(target);
    }
    let colon = target.iter().position(|b| *b == b':')?;
    let scheme = &target[..colon];
    let rest = target[colon..].strip_prefix(b"://")?;
    if scheme.is_empty() || !scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
        return None;
    }
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    // User information is no part of the host (RFC 9110, 4.2.4).
    let begin = rest[..end].iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
    Some(&rest[begin..end]).filter(|a| !a.is_empty())
}

/// Values that the heads carry along, so that nobody looks for them again.
#[derive(Clone, Copy, Default)]
struct Values<'a> {
    host: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
}

/// One pass over the field lines. A name's length rules out nearly all of them.
#[inline]
fn facts<'a>(fields: &[Header<'a>], notes: Notes) -> (Facts, Values<'a>) {
    let mut facts = Facts { length: Length::Absent, coded: false, notes };
    let mut values = Values::default();
    for field in fields {
        let name = field.name.as_bytes();
        match name.len() {
            4 if is(name, b"Host") => {
                facts.notes.hosts = facts.notes.hosts.saturating_add(1);
                values.host = values.host.or(Some(field.value));
            }
            12 if is(name, b"Content-Type") => values.content_type = values.content_type.or(Some(field.value)),
            14 if is(name, b"Content-Length") => content_length(field.value, &mut facts),
            16 if is(name, b"Content-Encoding") => facts.coded = true,
            17 if is(name, b"Transfer-Encoding") => transfer_encoding(fields, &mut facts),
            _ => {}
        }
    }
    (facts, values)
}

/// Is this the name? Most write it the usual way, and to compare so takes a few instructions, not some for each letter;
/// and most names of the same length already differ in their first and last letters.
#[inline(always)]
fn is<const N: usize>(name: &[u8], usual: &[u8; N]) -> bool {
    let ends = |name: &[u8]| [name.first().map(|b| b | 0x20), name.last().map(|b| b | 0x20)];
    name == usual || ends(name) == ends(usual) && name.eq_ignore_ascii_case(usual)
}

#[inline]
fn content_length(value: &[u8], facts: &mut Facts) {
    let mut length = Some(0u64);
    for &byte in value {
        length = match (length, byte) {
            (Some(n), b'0'..=b'9') => n.checked_mul(10).and_then(|n| n.checked_add(u64::from(byte - b'0'))),
            _ => None,
        };
        if length.is_none() {
            break;
        }
    }
    match (length.filter(|_| !value.is_empty()), facts.length) {
        (Some(n), Length::Absent) => facts.length = Length::Exactly(n),
        (Some(n), Length::Exactly(before)) => facts.notes.lengths_disagree |= n != before,
        (_, Length::Chunked) => facts.notes.both_lengths = true,
        _ => odd_length(value, facts),
    }
}

/// A Content-Length that is not one number: a list of equal ones is one (RFC 9110, 8.6), all else is unclear.
#[cold]
fn odd_length(value: &[u8], facts: &mut Facts) {
    let mut all = value.split(|b| *b == b',').map(|part| {
        let part = part.trim_ascii();
        if part.is_empty() || !part.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(part).ok().and_then(|part| part.parse::<u64>().ok())
    });
    let Some(Some(first)) = all.next() else {
        facts.notes.length_bad = true;
        if facts.length == Length::Absent {
            facts.length = Length::Unclear;
        }
        return;
    };
    facts.notes.lengths_disagree |= !all.all(|n| n == Some(first));
    if matches!(facts.length, Length::Absent | Length::Unclear) {
        facts.length = Length::Exactly(first);
    }
}

/// The final transfer coding of all such fields decides; Content-Length yields to it (RFC 9112, 6.3).
#[inline(never)]
fn transfer_encoding(fields: &[Header<'_>], facts: &mut Facts) {
    let codings = || {
        fields
            .iter()
            .filter(|f| f.name.eq_ignore_ascii_case("transfer-encoding"))
            .flat_map(|f| f.value.split(|b| *b == b','))
            .map(|coding| coding.split(|b| *b == b';').next().unwrap_or_default().trim_ascii())
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
    };
    let Some(last) = codings().next_back() else { return };
    facts.notes.both_lengths |= matches!(facts.length, Length::Exactly(_));
    if last.eq_ignore_ascii_case(b"chunked") {
        facts.length = Length::Chunked;
    } else if !matches!(facts.length, Length::Exactly(_)) || codings().any(|c| c.eq_ignore_ascii_case(b"chunked")) {
        facts.length = Length::Unclear;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, target, host and facts of a request, and its size.
    type Parts = (String, Vec<u8>, Option<Vec<u8>>, Facts, usize);

    fn read(text: &[u8]) -> Option<Parts> {
        match request(text, 512, |head, facts| {
            assert!(head.size > 0);
            (head.method.to_owned(), head.target.bytes().to_vec(), head.host.map(<[u8]>::to_vec), *facts)
        }) {
            Read::Head(n, (method, target, host, facts)) => Some((method, target, host, facts, n)),
            _ => None,
        }
    }

    fn length_of(lines: &str) -> (Length, Notes) {
        let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let (.., facts, n) = read(text.as_bytes()).expect("a head");
        assert_eq!(n, text.len());
        (facts.length, facts.notes)
    }

    #[test]
    fn hard_case_23_lengths() {
        assert_eq!(length_of("").0, Length::Absent);
        assert_eq!(length_of("Content-Length: 5\r\n").0, Length::Exactly(5));
        assert_eq!(length_of("Content-Length: 5, 5\r\n").0, Length::Exactly(5));
        let (length, notes) = length_of("Content-Length: 5\r\nContent-Length: 6\r\n");
        assert_eq!((length, notes.lengths_disagree), (Length::Exactly(5), true));
        for bad in ["-1", "five", "", "99999999999999999999999"] {
            let (length, notes) = length_of(&format!("Content-Length: {bad}\r\n"));
            assert_eq!((length, notes.length_bad), (Length::Unclear, true), "{bad}");
        }
        assert_eq!(length_of("transfer-encoding: gzip, Chunked\r\n").0, Length::Chunked);
        assert_eq!(length_of("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n").0, Length::Chunked);
        assert_eq!(length_of("Transfer-Encoding: chunked, gzip\r\n").0, Length::Unclear);
        assert_eq!(length_of("Transfer-Encoding: identity\r\nContent-Length: 3\r\n").0, Length::Exactly(3));
        for both in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ] {
            let (length, notes) = length_of(both);
            assert_eq!((length, notes.both_lengths), (Length::Chunked, true), "smuggling evidence");
        }
    }

    #[test]
    fn hard_case_23_absolute_form_names_the_host() {
        let host = |text: &[u8]| read(text).expect("a head").2;
        assert_eq!(
            host(b"GET http://u@h.example:8080/x HTTP/1.1\r\nHost: other\r\n\r\n"),
            Some(b"h.example:8080".to_vec())
        );
        assert_eq!(host(b"GET http://h.example?q HTTP/1.1\r\n\r\n"), Some(b"h.example".to_vec()));
        assert_eq!(host(b"CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"), Some(b"b:443".to_vec()));
        assert_eq!(host(b"CONNECT a:443 HTTP/1.1\r\n\r\n"), Some(b"a:443".to_vec()));
        assert_eq!(host(b"GET /http://x/ HTTP/1.1\r\nHost: h\r\n\r\n"), Some(b"h".to_vec()));
        assert_eq!(host(b"GET / HTTP/1.0\r\n\r\n"), None);
    }

    #[test]
    fn hard_case_24_custom_methods() {
        for method in ["PROPFIND", "PURGE", "QUERY", "M-SEARCH", "get", "X_1"] {
            let text = format!("{method} /x HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(read(text.as_bytes()).expect("a head").0, method);
        }
    }

    #[test]
    fn hard_case_23_two_hundred_headers_and_64_kb_of_them() {
        let mut text = b"GET / HTTP/1.1\r\n".to_vec();
        for n in 0..200 {
            text.extend_from_slice(format!("X-{n}: {}\r\n", "v".repeat(320)).as_bytes());
        }
        text.extend_from_slice(b"Content-Length: 7\r\n\r\n");
        assert!(text.len() > 64 << 10);
        let Read::Head(n, (lines, facts)) = request(&text, 512, |h, f| (h.fields.iter().count(), *f)) else {
            panic!("a head")
        };
        assert_eq!((n, lines, facts.length), (text.len(), 201, Length::Exactly(7)));
        assert!(!facts.notes.lenient);
        let Read::Head(n, (lines, facts)) = request(&text, 100, |h, f| (h.fields.iter().count(), *f)) else {
            panic!("a head")
        };
        assert_eq!((n, lines, facts.notes.too_many), (text.len(), 100, true));
    }

    #[test]
    fn framing_of_responses() {
        let facts = |length| Facts { length, coded: false, notes: Notes::default() };
        assert_eq!(response_framing(204, &facts(Length::Exactly(9))), Framing::Length(0));
        assert_eq!(response_framing(304, &facts(Length::Chunked)), Framing::Length(0));
        assert_eq!(response_framing(200, &facts(Length::Absent)), Framing::UntilClose);
        assert_eq!(response_framing(200, &facts(Length::Unclear)), Framing::UntilClose);
        assert_eq!(response_framing(200, &facts(Length::Exactly(9))), Framing::Length(9));
    }

    #[test]
    fn ends_are_found_across_cuts() {
        let text = b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
        let end = text.len() - 4;
        assert_eq!(find_end(text, 0), Some(end));
        for from in 0..end {
            assert_eq!(find_end(text, from), Some(end));
        }
        assert_eq!(find_end(b"a\n\nb", 0), Some(3));
        assert_eq!(find_end(b"a\r\nb\r\n", 0), None);
    }
}
