//! What may name an operation, where one path serves many.
//!
//! Takes parameters of a query or a form and a header's value, gives the *operation key* of a request: text such as
//! `?Action=DescribeInstances`, `Action=AssumeRole` (a form's) or `X-Amz-Target: DynamoDB_20120810.GetItem`. Whether it
//! separates anything is judged later, by all requests of a path. Never gives a personal value: only parameters with one of a few
//! names are looked at, and of these only values spelt as programs spell the names of what they do.

use super::Kind;
use super::shape;
use crate::proto::RequestHead;

/// Parameters of one request that an operation may be made of.
pub(super) const PARTS: usize = 2;
/// Longest value that is kept, in bytes.
const VALUE_MAX: usize = 64;
/// Longest value of the header, dots and all.
const TARGET_MAX: usize = 128;
/// Bytes of a form that are looked at: who dispatches by a field has it in front.
pub(super) const FORM_MAX: usize = 512;

/// Names of parameters that say what to do, in whatever case.
const VERBS: [&str; 16] = [
    "action",
    "api",
    "api_method",
    "act",
    "cmd",
    "command",
    "do",
    "func",
    "function",
    "method",
    "mode",
    "op",
    "operation",
    "request",
    "task",
    "wsfunction",
];
/// Names of parameters that say which version is asked.
const VERSIONS: [&str; 3] = ["api-version", "api_version", "apiversion"];
/// Bit `n`: one of these names has `n` bytes.
const LENGTHS: u32 = {
    let (mut lengths, mut at) = (0, 0);
    while at < VERBS.len() {
        lengths |= 1 << VERBS[at].len();
        at += 1;
    }
    at = 0;
    while at < VERSIONS.len() {
        lengths |= 1 << VERSIONS[at].len();
        at += 1;
    }
    lengths
};

/// May a parameter with this name name an operation? A quick look: who is not let in here is most.
#[inline(always)]
pub(super) fn may_be(name: &[u8]) -> bool {
    name.len() < 32
        && LENGTHS >> name.len() & 1 == 1
        && matches!(name[0] | 0x20, b'a' | b'c'..=b'f' | b'm' | b'o' | b'r' | b't' | b'w')
}

/// Does a parameter name an operation, or a version?
pub(super) fn names(name: &str, value: &str) -> bool {
    let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    (is(&VERBS) && is_word(value)) || (is(&VERSIONS) && is_version(value))
}

/// Is it spelt as the name of an operation is: letters first, words joined by dots, hyphens or underscores, hardly a digit?
fn is_word(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() <= VALUE_MAX
        && bytes.len() >= 2
        && bytes[0].is_ascii_alphabetic()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && bytes.iter().filter(|b| b.is_ascii_digit()).count() <= 2
        && shape::segment(bytes) == Kind::Word
}

/// A day, with or without `-preview`, or a small number with or without points.
fn is_version(value: &str) -> bool {
    let day = |text: &str| text.len() == 10 && shape::segment(text.as_bytes()) == Kind::Date;
    let (front, stage) = value.split_at_checked(10).unwrap_or((value, ""));
    let number = value.strip_prefix('v').unwrap_or(value);
    let plain = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    day(front) && matches!(stage, "" | "-preview" | "-alpha" | "-beta" | "-privatepreview")
        || number.split('.').count() <= 3 && number.split('.').all(plain)
}

/// The operation of AWS's JSON protocols, which is in a header: service and version, a dot, the operation.
#[inline]
pub(super) fn of_head<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    head.content_type.filter(|t| t.starts_with(b"application/x-amz-json")).and_then(|_| target(head))
}

#[cold]
fn target<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    let value = std::str::from_utf8(head.fields.get("x-amz-target")?.trim_ascii()).ok()?;
    let (service, operation) = value.rsplit_once('.')?;
    let part = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && part.len() <= VALUE_MAX
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    // A service may have the day of its version in its name (`DynamoDB_20120810`, `v20131101`), an operation none.
    (value.len() <= TARGET_MAX && service.split('.').all(part) && part(operation) && is_word(operation))
        .then_some(value)
}

/// Is the body a form that may hold the operation?
pub(super) fn in_form(head: &RequestHead<'_>) -> bool {
    head.method == "POST"
        && head
            .content_type
            .is_some_and(|t| t.get(..33).is_some_and(|t| t.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")))
}

/// The fields at the beginning of a form that name an operation: name and value, as they were sent. A field that may go on
/// behind the end is left out.
pub(super) fn of_form(form: &[u8], whole: bool) -> impl Iterator<Item = (&str, &str)> {
    let end = if whole { form.len() } else { form.iter().rposition(|b| *b == b'&').unwrap_or(0) };
    let fields = form.get(..end).unwrap_or_default().split(|b| *b == b'&');
    fields
        .filter_map(|field| {
            let (name, value) = std::str::from_utf8(field).ok()?.split_once('=')?;
            (!name.is_empty() && may_be(name.as_bytes()) && names(name, value)).then_some((name, value))
        })
        .take(PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations_and_nothing_else() {
        for (name, value) in [
            ("Action", "DescribeInstances"),
            ("action", "query"),
            ("method", "flickr.photos.search"),
            ("api", "SYNO.FileStation.List"),
            ("request", "GetMap"),
            ("op", "get-item_list"),
            ("api-version", "2024-01-01"),
            ("api-version", "2024-01-01-preview"),
            ("apiVersion", "7.1"),
        ] {
            assert!(may_be(name.as_bytes()) && names(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("format", "json"),
            ("q", "GetMap"),
            ("action", "alice@example.com"),
            ("action", "4711"),
            ("action", "+49301234567"),
            ("action", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"),
            ("action", "8f14e45fceea167a5a36dedd4bea2543"),
            ("action", "hello world"),
            ("action", "M%C3%BCller"),
            ("method", "a"),
            ("op", ""),
            ("api-version", "alice"),
            ("api-version", "20240101"),
            ("api-version", "49301234567"),
        ] {
            assert!(!(may_be(name.as_bytes()) && names(name, value)), "{name}={value}");
        }
        assert!(!names("action", &"a".repeat(65)));
    }

    #[test]
    fn a_form_is_read_in_front_only() {
        let read = |form: &'static [u8], whole| of_form(form, whole).collect::<Vec<_>>();
        assert_eq!(read(b"Action=DescribeInstances&Version=2016-11-15", true), [("Action", "DescribeInstances")]);
        assert_eq!(read(b"user=a&password=b&Action=Desc", false), []);
        assert_eq!(read(b"Action=Describe&x=1", false), [("Action", "Describe")]);
        assert_eq!(read(b"=&&Action&\xff=\xff&action=", true), []);
        assert_eq!(read(b"api=Foo.Bar&method=list&op=x1", true), [("api", "Foo.Bar"), ("method", "list")]);
    }
}
