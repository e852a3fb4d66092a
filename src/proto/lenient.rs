//! Reads the heads that strict reading refuses.
//!
//! Takes a whole head with whatever is wrong with it (folded lines, white space before the colon, lines without a
//! colon, control characters, spaces in the target, versions like `HTTP/1.7`), gives its start line and the field lines
//! that make sense, and notes what it left out. Copies the head first, since folded lines are joined by overwriting
//! their line ends with spaces (RFC 9112, 5.2). Never takes what has no HTTP/1 start line.

use httparse::Header;

use super::Version;
use super::http1::{Notes, Read, find_end};
use super::probe::{ends_with_version, is_token};

/// A head's parts, borrowed from its normalised copy.
pub(super) struct Head<'a> {
    /// The start line.
    pub line: &'a [u8],
    /// Its field lines.
    pub fields: Vec<Header<'a>>,
    /// What was odd.
    pub notes: Notes,
}

/// A normalised copy of a head.
pub(super) struct Scratch {
    bytes: Vec<u8>,
    folded: bool,
}

/// Copies the head at the beginning of `bytes` when it is whole and its first line satisfies `begins`.
pub(super) fn whole(bytes: &[u8], begins: impl FnOnce(&[u8]) -> bool) -> Read<Scratch> {
    // A first line that can be no start line ends the matter, however long the wait for an empty line would be.
    let Some(first) = bytes.iter().position(|b| *b == b'\n') else {
        let printable = bytes.iter().take(16).all(|b| (b' '..0x7f).contains(b));
        return if printable { Read::Partial } else { Read::Bad };
    };
    if !begins(&bytes[..first]) {
        return Read::Bad;
    }
    let Some(end) = find_end(bytes, 0) else { return Read::Partial };
    let mut copy = bytes[..end].to_vec();
    let mut folded = false;
    // From the second line on, a line end before white space joins two lines.
    for at in first + 1..end {
        if copy[at] == b'\n' && at + 1 < end && matches!(copy[at + 1], b' ' | b'\t') {
            copy[at] = b' ';
            if copy[at - 1] == b'\r' {
                copy[at - 1] = b' ';
            }
            folded = true;
        }
    }
    Read::Head(end, Scratch { bytes: copy, folded })
}

impl<'a> Head<'a> {
    /// Splits a copied head into its lines, keeping at most `limit` of them.
    pub(super) fn read(scratch: &'a Scratch, limit: usize) -> Option<Self> {
        let mut notes = Notes { lenient: true, folded: scratch.folded, ..Notes::default() };
        let mut lines = scratch.bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = lines.next()?;
        let mut fields = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            match field(line) {
                Some(_) if fields.len() == limit => notes.too_many = true,
                Some(field) => fields.push(field),
                None => notes.dropped += 1,
            }
        }
        Some(Self { line, fields, notes })
    }
}

/// A field line: token, optional white space, colon, value. Leading white space (before the first field) is let pass.
fn field(line: &[u8]) -> Option<Header<'_>> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii();
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return None;
    }
    Some(Header { name: std::str::from_utf8(name).ok()?, value: line[colon + 1..].trim_ascii() })
}

/// Method, target and version of a request line; its target may hold spaces and any other byte.
pub(super) fn request_line(line: &[u8]) -> Option<(&str, &[u8], Version)> {
    let line = line.trim_ascii_end();
    if !ends_with_version(line) {
        return None;
    }
    let version = version(&line[line.len() - 8..]);
    let line = line[..line.len() - 8].trim_ascii_end();
    let method = line.iter().take_while(|b| is_token(**b)).count();
    let target = line.get(method..)?.trim_ascii_start();
    if method == 0 || target.is_empty() || !matches!(line[method], b' ' | b'\t') {
        return None;
    }
    Some((std::str::from_utf8(&line[..method]).ok()?, target, version))
}

/// Status and version of a status line.
pub(super) fn status_line(line: &[u8]) -> Option<(u16, Version)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (digit, rest) = rest.split_first()?;
    if !digit.is_ascii_digit() {
        return None;
    }
    let rest = rest.trim_ascii();
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', behind @ ..] = rest else { return None };
    if behind.first().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let status = [a, b, c].iter().fold(0, |n, d| n * 10 + u16::from(**d - b'0'));
    Some((status, version(&line[..8])))
}

fn version(name: &[u8]) -> Version {
    if name.ends_with(b"0") { Version::Http10 } else { Version::Http11 }
}

#[cfg(test)]
mod tests {
    use crate::proto::http1::{Facts, Length, Read, request, response};

    /// Method, target, fields and facts.
    type Parts = (String, Vec<u8>, Vec<(String, Vec<u8>)>, Facts);

    fn read(text: &[u8]) -> Option<Parts> {
        match request(text, 512, |h, f| {
            let fields = h.fields.iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect();
            (h.method.to_owned(), h.target.bytes().to_vec(), fields, *f)
        }) {
            Read::Head(n, (method, target, fields, facts)) => {
                assert_eq!(n, text.len());
                Some((method, target, fields, facts))
            }
            _ => None,
        }
    }

    #[test]
    fn hard_case_23_obs_fold_is_joined() {
        let (_, _, fields, facts) =
            read(b"GET / HTTP/1.1\r\nHost: h\r\nX: one\r\n\ttwo\r\n  three\r\nContent-Length: 4\r\n\r\n")
                .expect("a head");
        assert_eq!(fields[1].0, "X");
        let value: Vec<_> = fields[1].1.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty()).collect();
        assert_eq!(value, [&b"one"[..], b"two", b"three"]);
        assert!(fields[1].1.iter().all(|b| !matches!(b, b'\r' | b'\n')));
        assert_eq!(facts.length, Length::Exactly(4));
        assert!(facts.notes.lenient && facts.notes.folded);
    }

    #[test]
    fn hard_case_23_space_before_the_colon() {
        let (_, _, fields, facts) = read(b"GET / HTTP/1.1\r\nHost : h\r\nContent-Length : 3\r\n\r\n").expect("a head");
        assert_eq!(fields[0], ("Host".to_owned(), b"h".to_vec()));
        assert_eq!(facts.length, Length::Exactly(3));
        assert_eq!(facts.notes.hosts, 1);
        assert!(facts.notes.lenient && facts.notes.dropped == 0);
    }

    #[test]
    fn hard_case_23_bare_line_feeds() {
        let (method, target, fields, _) = read(b"GET /x HTTP/1.1\nHost: h\n\n").expect("a head");
        assert_eq!((method.as_str(), &target[..], fields.len()), ("GET", &b"/x"[..], 1));
    }

    #[test]
    fn lines_without_sense_are_left_out_and_counted() {
        let (_, _, fields, facts) =
            read(b"GET / HTTP/1.1\r\nno colon\r\n: empty\r\nHost: h\r\nbad name: x\r\n\r\n").unwrap();
        assert_eq!(fields.len(), 1);
        assert_eq!(facts.notes.dropped, 3);
    }

    #[test]
    fn targets_may_hold_anything() {
        let (_, target, ..) = read(b"GET /a b\x01\xff c HTTP/1.1\r\nHost: h\r\n\r\n").expect("a head");
        assert_eq!(target, b"/a b\x01\xff c");
        let (_, _, fields, _) = read(b"GET / HTTP/1.1\r\nX: a\x00b\x1f\r\n\r\n").expect("a head");
        assert_eq!(fields[0].1, b"a\x00b\x1f");
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for text in [
            &b"POST /\r\n\r\n"[..],
            b"hello world\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"\x00\x01\x02\x03",
            b" / HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(request(text, 512, |_, _| ()), Read::Bad), "{}", String::from_utf8_lossy(text));
        }
        for text in [&b"ICY 200 OK\r\n\r\n"[..], b"HTTP/2 200\r\n\r\n", b"<html>\r\n\r\n"] {
            assert!(matches!(response(text, 512, |_, _| ()), Read::Bad), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn responses_too() {
        let text = b"HTTP/1.1  200 \xfcber\r\nServer : x\r\n\r\n";
        let Read::Head(n, (status, lenient)) = response(text, 512, |h, f| (h.status, f.notes.lenient)) else {
            panic!("a head")
        };
        assert_eq!((n, status, lenient), (text.len(), 200, true));
    }
}
