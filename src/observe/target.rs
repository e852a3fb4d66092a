//! A request target, taken apart.
//!
//! Takes the target as it was on the wire, gives path segments with their kinds and query parameters with theirs
//! (RFC 3986, 3.3 and 3.4; RFC 9112, 3.2). Empty segments and matrix parameters are left out; percent-escapes are undone
//! inside a segment, so that `%2F` does not split it; malformed escapes stay as they are. Never keeps a value: what
//! may be an identifier leaves as a kind and a keyed hash.

use super::Kind;
use super::glue;
use super::key::Key;
use super::operation;
use super::record::{MAX_PARAMETERS, MAX_SEGMENTS, ParameterSpan, SegmentSpan, Span, append};
use super::shape::{self, Tally};
use crate::proto::Target;

/// Longest parameter name that is kept, in bytes.
const NAME_MAX: usize = 64;

/// Length of a day, `2006-03-01`: some APIs have the date of their version where others have `v1`.
const DAY_LEN: usize = 10;
/// Segments from the root among which such a date may stand and keeps its text.
const BASE_SEGMENTS: usize = 2;

/// A target split into its parts, still as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// The authority of an absolute-form target.
    pub(super) authority: Option<&'a [u8]>,
    /// Path, query and fragment: the target's end.
    pub(super) rest: &'a [u8],
}

/// Splits the authority off an absolute-form target (RFC 9112, 3.2.2); origin form has none, asterisk form no path.
#[inline]
pub(super) fn split(target: &[u8]) -> Split<'_> {
    match target.first() {
        Some(b'/') => Split { authority: None, rest: target },
        Some(b'*') if target.len() == 1 => Split::default(),
        _ => absolute(target),
    }
}

fn absolute(target: &[u8]) -> Split<'_> {
    let Some(colon) = target.iter().position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b))) else {
        return Split { authority: None, rest: target };
    };
    match target[colon..].strip_prefix(b"://") {
        Some(after) if colon > 0 => {
            let end = after.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(after.len());
            let authority = &after[..end];
            let userinfo = authority.iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
            Split { authority: Some(&authority[userinfo..]), rest: &after[end..] }
        }
        _ => Split { authority: None, rest: target },
    }
}

/// Where the parts of a target are put.
pub(super) struct Parts<'a> {
    pub(super) text: &'a mut String,
    pub(super) segments: &'a mut Vec<SegmentSpan>,
    pub(super) parameters: &'a mut Vec<ParameterSpan>,
    pub(super) scratch: &'a mut Vec<u8>,
    /// What in the query may name an operation.
    pub(super) operation: Span,
}

impl Parts<'_> {
    /// Reads path and query, which are the last `rest` bytes of the target. Gives whether the path ended with a slash, other
    /// than the root's.
    #[inline]
    pub(super) fn read(&mut self, key: &Key, target: Target<'_>, rest: usize) -> bool {
        let begin = target.bytes().len().saturating_sub(rest);
        let rest = &target.bytes()[begin..];
        let text = target.text().and_then(|text| text.get(begin..));
        let mut at = 0;
        let mut trailing = false;
        while let Some(&first) = rest.get(at) {
            match first {
                b'/' => {
                    trailing = true;
                    at += 1;
                }
                b'?' => {
                    self.query(rest, text, at + 1);
                    break;
                }
                b'#' => break,
                _ => {
                    trailing = false;
                    at = self.segment(key, rest, text, at);
                }
            }
        }
        trailing && !self.segments.is_empty()
    }

    /// Reads the segment that begins at `start`; gives where it ended.
    #[inline]
    fn segment(&mut self, key: &Key, rest: &[u8], text: Option<&str>, start: usize) -> usize {
        let mut tally = Tally::default();
        let mut end = start;
        while let Some(&byte) = rest.get(end) {
            if !tally.take(byte) {
                break;
            }
            end += 1;
        }
        let plain = &rest[start..end];
        match rest.get(end) {
            None | Some(b'/' | b'?' | b'#') => {
                // Every byte passed the tally, so all are printable ASCII.
                let text = text.and_then(|t| t.get(start..end));
                match text {
                    Some(text) if tally.may_be_glued() => self.keep_glued(key, text, is_last(rest, end)),
                    _ => self.keep(key, plain, text, shape::tallied(plain, tally)),
                }
                end
            }
            Some(_) => self.escaped(key, rest, start, end),
        }
    }

    /// Reads a segment with an escape, a matrix parameter or bytes beyond ASCII at `odd`.
    #[cold]
    fn escaped(&mut self, key: &Key, rest: &[u8], start: usize, odd: usize) -> usize {
        let ends = |b: &u8| matches!(b, b'/' | b'?' | b'#');
        let end = rest[odd..].iter().position(ends).map_or(rest.len(), |n| odd + n);
        let whole = &rest[start..end];
        // A matrix parameter has a value; `synonyms;antonyms` has none.
        let matrix = whole.iter().position(|b| *b == b';').filter(|at| whole[*at..].contains(&b'='));
        let name = matrix.map_or(whole, |at| &whole[..at]);
        let mut decoded = std::mem::take(self.scratch);
        decode(name, false, &mut decoded);
        if !decoded.is_empty() {
            match std::str::from_utf8(&decoded) {
                Ok(text) => self.keep_glued(key, text, is_last(rest, end)),
                Err(_) => self.keep(key, &decoded, None, shape::segment(&decoded)),
            }
        }
        *self.scratch = decoded;
        end
    }

    /// Keeps the pieces of a segment that may be more than one.
    #[cold]
    fn keep_glued(&mut self, key: &Key, text: &str, last: bool) {
        match glue::split(text, last) {
            Some(pieces) => pieces.each(|piece, literal| {
                let kind = if literal { Kind::Word } else { shape::segment(piece.as_bytes()) };
                self.keep(key, piece.as_bytes(), Some(piece), kind);
            }),
            None => self.keep(key, text.as_bytes(), Some(text), shape::segment(text.as_bytes())),
        }
    }

    /// Keeps a segment; `text` is `bytes` where they are text.
    #[inline(always)]
    fn keep(&mut self, key: &Key, bytes: &[u8], text: Option<&str>, kind: Kind) {
        if self.segments.len() >= MAX_SEGMENTS {
            return;
        }
        let kept = kind.keeps_text()
            || (kind == Kind::Integer && bytes.len() <= 2)
            || (kind == Kind::Date && bytes.len() == DAY_LEN && self.segments.len() < BASE_SEGMENTS);
        let segment = match text {
            Some(text) if kept => SegmentSpan { kind, hash: 0, text: append(self.text, text) },
            _ => SegmentSpan { kind, hash: key.hash(bytes), text: Span::default() },
        };
        self.segments.push(segment);
    }

    /// Reads the query that begins at `at`.
    fn query(&mut self, rest: &[u8], text: Option<&str>, mut at: usize) {
        let mut verbs = [None; operation::PARTS];
        while self.parameters.len() < MAX_PARAMETERS {
            let name = Piece::read(rest, at, true);
            let value = match rest.get(name.end) {
                Some(b'=') => Piece::read(rest, name.end + 1, false),
                _ => Piece { start: name.end, ..name },
            };
            if name.start < name.end {
                self.parameter(rest, text, name, value);
                if operation::may_be(&rest[name.start..name.end]) {
                    note(&mut verbs, text, name, value);
                }
            }
            match rest.get(value.end) {
                Some(b'&') => at = value.end + 1,
                _ => break,
            }
        }
        if verbs[0].is_some() {
            self.operation = append_operation(self.text, "?", verbs.into_iter().flatten());
        }
    }

    #[inline]
    fn parameter(&mut self, rest: &[u8], text: Option<&str>, name: Piece, value: Piece) {
        let kind = match value.tally {
            Some(tally) => shape::tallied_value(&rest[value.start..value.end], tally),
            None => shape::value(plain(&rest[value.start..value.end], self.scratch)),
        };
        let bytes = &rest[name.start..name.end];
        let simple = name.tally.filter(|tally| shape::tallied(bytes, *tally) == Kind::Word);
        let span = match text.and_then(|text| text.get(name.start..name.end)) {
            Some(name) if simple.is_some() && name.len() <= NAME_MAX => append(self.text, name),
            _ => name_of(plain(bytes, self.scratch), self.text),
        };
        let known = self.parameters.iter().any(|p| p.name.of(self.text) == span.of(self.text));
        if known {
            self.text.truncate(span.start as usize);
        } else {
            self.parameters.push(ParameterSpan { name: span, kind });
        }
    }
}

/// Notes a parameter that may name an operation.
#[cold]
fn note<'t>(
    verbs: &mut [Option<(&'t str, &'t str)>; operation::PARTS],
    text: Option<&'t str>,
    name: Piece,
    value: Piece,
) {
    let of = |piece: Piece| text.and_then(|text| text.get(piece.start..piece.end));
    if let (Some(name), Some(value)) = (of(name), of(value))
        && operation::names(name, value)
        && !verbs.iter().flatten().any(|(known, _)| *known == name)
        && let Some(free) = verbs.iter_mut().find(|verb| verb.is_none())
    {
        *free = Some((name, value));
    }
}

/// Appends the key of an operation: `?api=Files&method=list`.
#[cold]
pub(super) fn append_operation<'t>(
    text: &mut String,
    mark: &str,
    parts: impl Iterator<Item = (&'t str, &'t str)>,
) -> Span {
    let start = text.len() as u32;
    for (number, (name, value)) in parts.enumerate() {
        text.push_str(if number == 0 { mark } else { "&" });
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    Span { start, end: text.len() as u32 }
}

/// A name or a value in a query.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: usize,
    end: usize,
    /// Its tally, when it has nothing but letters, digits, `-`, `_` and `.`: most have.
    tally: Option<Tally>,
}

impl Piece {
    /// Reads from `start` to the end of the name, or of the value.
    #[inline]
    fn read(rest: &[u8], start: usize, name: bool) -> Self {
        let mut tally = Tally::default();
        let mut end = start;
        while let Some(&byte) = rest.get(end) {
            if !tally.take_simple(byte) {
                break;
            }
            end += 1;
        }
        let ends = |byte: u8| matches!(byte, b'&' | b'#') || name && byte == b'=';
        match rest.get(end) {
            Some(&byte) if !ends(byte) => {
                let more = rest[end..].iter().position(|byte| ends(*byte));
                Self { start, end: more.map_or(rest.len(), |more| end + more), tally: None }
            }
            // Too long a piece has overflowed its tally.
            _ => Self { start, end, tally: (end - start <= shape::TALLY_MAX).then_some(tally) },
        }
    }
}

/// Does the path end with the segment that ends here?
fn is_last(rest: &[u8], end: usize) -> bool {
    rest.get(end..).unwrap_or_default().iter().find(|b| **b != b'/').is_none_or(|b| matches!(b, b'?' | b'#'))
}

/// The text without escapes; borrowed where it has none.
#[inline]
fn plain<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if text.iter().any(|b| matches!(b, b'%' | b'+')) {
        decode(text, true, scratch);
        scratch
    } else {
        text
    }
}

/// Undoes percent-escapes, and `+` for a space in a query; what is malformed stays.
fn decode(text: &[u8], query: bool, out: &mut Vec<u8>) {
    let hex = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
    out.clear();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, hex(text.get(at + 1)), hex(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) if query => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

/// Appends a parameter's name as it is kept: `page`, `filter[name]`, `ids[]` for `ids[17]`, and `{integer}` for a name
/// that is itself a value.
fn name_of(name: &[u8], text: &mut String) -> Span {
    let start = text.len() as u32;
    for (i, piece) in name.split(|b| *b == b'[').enumerate() {
        let piece = if i > 0 { piece.strip_suffix(b"]").unwrap_or(piece) } else { piece };
        let kind = if piece.iter().all(|b| *b == b'_') { Kind::Word } else { shape::segment(piece) };
        if i > 0 {
            text.push('[');
        }
        match std::str::from_utf8(piece) {
            Ok(piece) if kind.keeps_text() => text.push_str(piece),
            // The index of an array (`ids[0]`) says nothing.
            _ if i > 0 && matches!(kind, Kind::Integer | Kind::Empty) => {}
            _ => {
                text.push('{');
                text.push_str(kind.name());
                text.push('}');
            }
        }
        if i > 0 {
            text.push(']');
        }
        if text.len() - start as usize >= NAME_MAX {
            text.truncate(text.floor_char_boundary(start as usize + NAME_MAX));
            break;
        }
    }
    Span { start, end: text.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments, parameters, and whether a slash is at the end.
    type Told = (Vec<(Kind, String)>, Vec<(String, Kind)>, bool);

    fn read(target: &[u8]) -> Told {
        let (mut text, mut segments, mut parameters, mut scratch) = (String::new(), vec![], vec![], vec![]);
        let mut parts = Parts {
            text: &mut text,
            segments: &mut segments,
            parameters: &mut parameters,
            scratch: &mut scratch,
            operation: Span::default(),
        };
        let trailing = parts.read(&Key::FIXED, target.into(), split(target).rest.len());
        (
            segments.iter().map(|s| (s.kind, s.text.of(&text).to_owned())).collect(),
            parameters.iter().map(|p| (p.name.of(&text).to_owned(), p.kind)).collect(),
            trailing,
        )
    }

    fn path(target: &[u8]) -> String {
        let (segments, ..) = read(target);
        segments
            .iter()
            .map(|(k, t)| if t.is_empty() { format!("/{{{}}}", k.name()) } else { format!("/{t}") })
            .collect()
    }

    #[test]
    fn hard_case_09_paths_as_they_come() {
        assert_eq!(path(b"/users/me"), "/users/me");
        assert_eq!(path(b"//users///me/"), "/users/me");
        assert!(read(b"//users///me/").2);
        assert!(!read(b"/").2);
        assert_eq!(path(b"/users;jsessionid=1F/me;v=1"), "/users/me");
        assert_eq!(path(b"/a%2Fb/c"), "/{text}/c", "an escaped slash does not split");
        assert_eq!(path(b"/%75sers/m%65"), "/users/me", "needless escapes are undone");
        assert_eq!(path(b"/100%/%zz/x%4"), "/{text}/{text}/{text}", "malformed escapes stay");
        assert_eq!(path("/用户/🦀".as_bytes()), "/{text}/{text}");
        assert_eq!(path(b"/%E7%94%A8/\xff\xfe/%ff"), "/{text}/{text}/{text}");
        assert_eq!(path(b"/Users/Me"), "/Users/Me", "case is the API's own");
        assert_eq!(path(b"/users/123456?x=/a/b#/c"), "/users/{integer}");
        assert_eq!(path(b"/1/members"), "/1/members");
        assert_eq!(path(b"*"), "");
        assert_eq!(path(b""), "");
        assert_eq!(path(b"/"), "");
        assert_eq!(path(&[b"/".as_slice(), &b"x/".repeat(1000)].concat()).len(), 2 * MAX_SEGMENTS);
    }

    #[test]
    fn hard_case_12_values_leave_no_text() {
        let (segments, parameters, _) =
            read(b"/reset/alice%40example.com/AKIAIOSFODNN7EXAMPLE?token=sk_live_4eC39HqLyjWDarjtT1zdp7dc");
        assert_eq!(segments[1], (Kind::Email, String::new()));
        assert_eq!(segments[2], (Kind::Token, String::new()));
        assert_eq!(parameters, [("token".to_owned(), Kind::Token)]);
    }

    #[test]
    fn absolute_form_has_an_authority() {
        let t = split(b"http://user:pass@Api.Example:8080/a?b");
        assert_eq!(t.authority, Some(b"Api.Example:8080".as_slice()));
        assert_eq!(t.rest, b"/a?b");
        assert_eq!(split(b"http://api.example?x=1"), Split { authority: Some(b"api.example"), rest: b"?x=1" });
        assert_eq!(split(b"/redirect/http://x/y").authority, None);
        assert_eq!(split(b"foo"), Split { authority: None, rest: b"foo" });
        assert_eq!(split(b"://x"), Split { authority: None, rest: b"://x" });
    }

    #[test]
    fn parameters_have_names_and_kinds() {
        let (_, parameters, _) = read(b"/s?page=2&q=hello+world&page=3&flag&empty=&$top=5&filter%5Bname%5D=x&ids[0]=1&ids[1]=2&=x&&8f14e45fceea167a=1&_=1");
        let expected = [
            ("page", Kind::Integer),
            ("q", Kind::Text),
            ("flag", Kind::Empty),
            ("empty", Kind::Empty),
            ("$top", Kind::Integer),
            ("filter[name]", Kind::Word),
            ("ids[]", Kind::Integer),
            ("{hex}", Kind::Integer),
            ("_", Kind::Integer),
        ];
        assert_eq!(parameters, expected.map(|(n, k)| (n.to_owned(), k)));
        let (_, many, _) = read(
            &[
                b"/?".as_slice(),
                &(0..1000)
                    .flat_map(|i| format!("p{}=1&", "x".repeat(i % 60 + i / 60)).into_bytes())
                    .collect::<Vec<_>>(),
            ]
            .concat(),
        );
        assert!(many.len() <= MAX_PARAMETERS);
        assert!(many.iter().all(|(n, _)| n.len() <= NAME_MAX));
    }
}
