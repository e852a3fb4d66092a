//! The form of a value, told from its text alone.
//!
//! Takes the decoded text of a path segment or of a query value, gives its [`Kind`]. One pass over the bytes adds a
//! tally of character classes; most words and numbers are decided by the tally, and only mixtures of letters and
//! digits are looked at again. Never consults statistics, a dictionary or anything seen before: the same text has
//! the same kind everywhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Kind;

/// Longest text that may be a literal of an API's own. The longest segment in public API documents is about 60 bytes.
const WORD_MAX: usize = 64;
/// Digits in a row from which a joined code is taken for an identifier and its text is not kept: shorter numbers are
/// counters and years, longer ones may be phone, card or account numbers.
const DIGITS_KEPT: usize = 6;
/// Longest text whose tally cannot overflow (each lane counts to 127).
pub(super) const TALLY_MAX: usize = 127;

/// Counts of character classes, one byte lane each. Adding two tallies adds lane by lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(u64);

const DIGIT: u32 = 0;
const LOWER: u32 = 8;
const UPPER: u32 = 16;
/// Letters that are hexadecimal digits; counted among the letters too.
const HEX: u32 = 24;
const DASH: u32 = 32;
const UNDER: u32 = 40;
const DOT: u32 = 48;
/// Everything else.
const OTHER: u32 = 56;

/// Class of each byte as a tally of one. The lane of [`OTHER`] has its top bit set for the bytes at which
/// the reader of a path must stop and think: `/ ? # ; %` and whatever is not printable ASCII.
static CLASSES: [u64; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        table[b] = match byte {
            b'0'..=b'9' => 1 << DIGIT,
            b'a'..=b'f' => 1 << LOWER | 1 << HEX,
            b'g'..=b'z' => 1 << LOWER,
            b'A'..=b'F' => 1 << UPPER | 1 << HEX,
            b'G'..=b'Z' => 1 << UPPER,
            b'-' => 1 << DASH,
            b'_' => 1 << UNDER,
            b'.' => 1 << DOT,
            b'/' | b'?' | b'#' | b';' | b'%' => STOP | 1 << OTHER,
            b'!'..=b'~' => 1 << OTHER,
            _ => STOP | 1 << OTHER,
        };
        b += 1;
    }
    table
};

const STOP: u64 = 1 << 63;

impl Tally {
    /// Counts a byte in; `false`, and nothing counted, when the reader of a path must stop at it.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let class = CLASSES[byte as usize];
        if class & STOP != 0 {
            return false;
        }
        self.0 = self.0.wrapping_add(class);
        true
    }

    /// Counts a byte in; `false`, and nothing counted, when it is neither letter nor digit nor one of `-`, `_` and `.`.
    #[inline(always)]
    pub(super) fn take_simple(&mut self, byte: u8) -> bool {
        let class = CLASSES[byte as usize];
        if class >> OTHER != 0 {
            return false;
        }
        self.0 = self.0.wrapping_add(class);
        true
    }

    fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |sum, b| (sum + (CLASSES[*b as usize] & !STOP)) & !STOP))
    }

    #[inline(always)]
    fn lane(self, lane: u32) -> usize {
        (self.0 >> lane & 0x7f) as usize
    }

    /// Has the text a character that pieces of one segment are joined with?
    #[inline(always)]
    pub(super) fn may_be_glued(self) -> bool {
        const JOINTS: u64 = 0x7f << DOT | 0x7f << OTHER;
        self.0 & JOINTS != 0
    }

    #[inline(always)]
    fn letters(self) -> usize {
        self.lane(LOWER) + self.lane(UPPER)
    }
}

/// The form of a decoded path segment.
pub fn segment(text: &[u8]) -> Kind {
    if text.len() > TALLY_MAX {
        return long(text);
    }
    tallied(text, Tally::of(text))
}

/// The form of a decoded query value. Differs from a segment's in that `true` and nothing have kinds of their own,
/// and that `1.5` is a number, where in a path it is more likely a version.
pub fn value(text: &[u8]) -> Kind {
    if text.len() > TALLY_MAX {
        return long(text);
    }
    tallied_value(text, Tally::of(text))
}

/// The form of a query value of at most [`TALLY_MAX`] bytes whose tally is known, all of it counted.
#[inline]
pub(super) fn tallied_value(text: &[u8], tally: Tally) -> Kind {
    match text {
        b"" => Kind::Empty,
        b"true" | b"false" => Kind::Boolean,
        _ if tally.lane(DOT) == 1 && is_decimal(text) => Kind::Decimal,
        _ => tallied(text, tally),
    }
}

/// The form of a segment whose tally is known, all of it counted.
#[inline]
pub(super) fn tallied(text: &[u8], tally: Tally) -> Kind {
    const PLAIN: u64 = !(0x7f << LOWER | 0x7f << HEX | 0x7f << UNDER | 0x7f << DASH);
    if text.len() > TALLY_MAX {
        return long(text);
    }
    // Lower-case words, joined or not: most segments there are.
    if tally.0 & PLAIN == 0 && tally.lane(LOWER) > 0 && text.len() <= 20 {
        return Kind::Word;
    }
    if tally.0 & !(0x7f << DIGIT) == 0 {
        return digits(text);
    }
    if matches!(text, [b'v', b'0'..=b'9']) {
        return Kind::Word; // by far the most usual mixture: a version
    }
    mixed(text, tally)
}

fn digits(text: &[u8]) -> Kind {
    match text.len() {
        0 => Kind::Empty,
        8 if is_date(text) => Kind::Date,
        _ => Kind::Integer,
    }
}

/// Texts beyond any word.
fn long(text: &[u8]) -> Kind {
    if text.iter().any(|b| !b.is_ascii_graphic()) {
        Kind::Text
    } else if is_jwt(text) {
        Kind::Jwt
    } else if is_email(text) {
        Kind::Email
    } else if text.iter().all(u8::is_ascii_digit) {
        Kind::Integer
    } else if text.iter().all(u8::is_ascii_hexdigit) {
        Kind::Hex
    } else if text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/-_=".contains(b)) {
        Kind::Base64
    } else {
        Kind::Text
    }
}

#[inline(never)]
fn mixed(text: &[u8], tally: Tally) -> Kind {
    let (digits, letters) = (tally.lane(DIGIT), tally.letters());
    let joints = tally.lane(DASH) + tally.lane(UNDER) + tally.lane(DOT);
    if tally.lane(OTHER) > 0 {
        return punctuated(text, digits);
    }
    if joints == 0 {
        return solid(text, tally);
    }
    if letters == 0 {
        return numeric(text, tally);
    }
    // 32 hexadecimal digits and four hyphens: only where the hyphens are is left to be seen.
    let hexadecimal = digits + tally.lane(HEX) == 32 && letters == tally.lane(HEX);
    if text.len() == 36 && tally.lane(DASH) == 4 && hexadecimal && [8, 13, 18, 23].iter().all(|i| text[*i] == b'-') {
        return Kind::Uuid;
    }
    if text[0].is_ascii_digit() && is_date(text) {
        return Kind::Date;
    }
    if tally.lane(DOT) == 2 && is_jwt(text) {
        return Kind::Jwt;
    }
    joined(text, digits)
}

/// Digits, dots and dashes only.
fn numeric(text: &[u8], tally: Tally) -> Kind {
    let (digits, dots, dashes) = (tally.lane(DIGIT), tally.lane(DOT), tally.lane(DASH));
    let head = text[0];
    if digits == 0 {
        // Joints alone. Dots are what a confused client sends; `/-/` sets an application's own paths apart (Prometheus,
        // GitLab), `/_/` likewise.
        return if dots == 0 && text.len() <= 2 { Kind::Word } else { Kind::Text };
    }
    if dashes == 1 && dots == 0 && head == b'-' {
        return Kind::Integer;
    }
    if tally.lane(UNDER) == 0 {
        if dots == 3 && dashes == 0 && is_ipv4(text) {
            return Kind::Ip;
        }
        if dashes == 0 && dots <= 2 && head != b'.' && text.split(|b| *b == b'.').all(|p| (1..=2).contains(&p.len())) {
            return Kind::Word; // a version: 2.0, 1.12.3
        }
        if is_decimal(text) {
            return Kind::Decimal;
        }
        if dots == 0 && is_date(text) {
            return Kind::Date;
        }
    }
    joined(text, digits)
}

/// Letters and digits only, at least one letter.
fn solid(text: &[u8], tally: Tally) -> Kind {
    let (digits, letters, len) = (tally.lane(DIGIT), tally.letters(), text.len());
    let one_case = tally.lane(LOWER) == 0 || tally.lane(UPPER) == 0;
    if digits == 0 {
        return if is_wordlike(text) { Kind::Word } else { Kind::Token };
    }
    if one_case && tally.lane(HEX) == letters {
        let switches = switches(text);
        match len {
            24 => return Kind::ObjectId,
            32 if is_bare_uuid(text) => return Kind::Uuid,
            8.. => return Kind::Hex,
            6 | 7 if switches >= 3 => return Kind::Hex,
            _ => {}
        }
    }
    if one_case && len == 26 && is_ulid(text) {
        return Kind::Ulid;
    }
    if len > 3 && text[0] == b'0' && text[1] == b'x' && text[2..].iter().all(u8::is_ascii_hexdigit) {
        return Kind::Hex;
    }
    if is_date(text) {
        return Kind::Date;
    }
    if is_coded_word(text) { Kind::Word } else { Kind::Token }
}

/// Parts joined by `-`, `_`, `.` and friends, at least one of them with letters.
fn joined(text: &[u8], digits: usize) -> Kind {
    if digits == 0 {
        let odd = text.len() > WORD_MAX || parts(text).any(|p| !is_wordlike(p));
        return if odd { Kind::Token } else { Kind::Word };
    }
    let mut numbers = false;
    let mut tokens = 0;
    let mut run = 0;
    for b in text {
        run = if b.is_ascii_digit() { run + 1 } else { 0 };
        if run > DIGITS_KEPT {
            return Kind::Token;
        }
    }
    for part in parts(text) {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        if digits == part.len() {
            numbers = true;
        } else if digits == 0 {
            tokens += usize::from(!is_wordlike(part));
        } else if !is_coded_word(part) && !is_ordinal(part) {
            tokens += 1;
        } else if !is_version(part) {
            numbers |= is_ordinal(part);
        }
    }
    if text.len() > WORD_MAX || (tokens > 0 && text.len() >= 8) {
        let url_safe = text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        return if url_safe && text.len() >= 20 && text.len() != 21 && tokens * 2 > parts(text).count() {
            Kind::Base64
        } else {
            Kind::Token
        };
    }
    if is_version(text) || (tokens == 0 && !numbers) { Kind::Word } else { Kind::Slug }
}

/// With other characters than letters, digits, `-`, `_` and `.` in it.
fn punctuated(text: &[u8], digits: usize) -> Kind {
    if text.iter().any(|b| !b.is_ascii_graphic() || matches!(b, b'/' | b'%' | b'?' | b'#' | b'\\' | b'"' | b'<' | b'>'))
    {
        let base64 = text.len() >= 16 && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b));
        return if base64 { Kind::Base64 } else { Kind::Text };
    }
    if is_email(text) {
        return Kind::Email;
    }
    if text[0] == b'+' && (8..=16).contains(&text.len()) && digits == text.len() - 1 {
        return Kind::Phone;
    }
    if is_coordinates(text) {
        return Kind::Coordinates;
    }
    if text.len() == 38 && text[0] == b'{' && text[37] == b'}' && is_uuid(&text[1..37]) {
        return Kind::Uuid;
    }
    if text.contains(&b':') && is_ipv6(text) {
        return Kind::Ip;
    }
    if text[0].is_ascii_digit() && is_date(text) {
        return Kind::Date;
    }
    let padded = text.trim_ascii_end().strip_suffix(b"=").map(|t| t.strip_suffix(b"=").unwrap_or(t));
    if let Some(body) = padded.filter(|b| b.len() >= 6 && text.len().is_multiple_of(4))
        && body.iter().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(b))
    {
        return Kind::Base64;
    }
    if text.len() > WORD_MAX || matches!(text[0], b'@' | b'~') || text.contains(&b'@') {
        return Kind::Text;
    }
    if text[0] == b'+' && digits == text.len() - 1 {
        return Kind::Integer;
    }
    match joined(text, digits) {
        // `name:verb` and `$metadata` are words; lists, function calls and pairs are codes that may hold a literal.
        Kind::Word if text.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:$".contains(b)) => Kind::Word,
        Kind::Word | Kind::Slug => Kind::Slug,
        other => other,
    }
}

/// The maximal runs of letters and digits.
fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| !b.is_ascii_alphanumeric()).filter(|p| !p.is_empty())
}

/// How often letters and digits take turns.
fn switches(text: &[u8]) -> usize {
    text.windows(2).filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit()).count()
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Could these letters be words, also in camelCase? Random letters change case often and have long runs of consonants.
fn is_wordlike(letters: &[u8]) -> bool {
    let len = letters.len();
    if len < 5 {
        return true;
    }
    if len > WORD_MAX {
        return false;
    }
    if len < 16 && !letters.iter().any(u8::is_ascii_uppercase) {
        return true;
    }
    let (mut humps, mut bare, mut vowels) = (0, 0, 0);
    let (mut consonants, mut longest) = (0, 0);
    let mut hump_has_vowel = true;
    let mut previous_upper = true;
    let mut uppers = 0;
    for &b in letters {
        let upper = b.is_ascii_uppercase();
        uppers += usize::from(upper);
        if upper && !previous_upper {
            humps += 1;
            bare += usize::from(!hump_has_vowel);
            hump_has_vowel = false;
        }
        previous_upper = upper;
        if is_vowel(b) {
            hump_has_vowel = true;
            vowels += 1;
            consonants = 0;
        } else {
            consonants += 1;
            longest = longest.max(consonants);
        }
    }
    bare += usize::from(!hump_has_vowel);
    if len >= 16 && (longest >= 8 || vowels * 7 < len) {
        return false;
    }
    // aZkPqB: every other letter begins a hump; two of them have no vowel.
    if uppers < len && humps >= 2 && bare >= 2 && humps * 3 >= len {
        return false;
    }
    // iVBORwK: capitals strewn about.
    !(len >= 8 && humps * 3 > len && uppers * 5 > len * 2)
}

/// Is a mixture of letters and digits, no joints, a word? `sha256sum`, `iso27001`, `oauth2`, `v2beta1`, `s3`, `2fa`.
fn is_coded_word(text: &[u8]) -> bool {
    let len = text.len();
    if is_version(text) {
        return true;
    }
    if len >= 20 {
        return false;
    }
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let switches = switches(text);
    let starts_with_digit = text[0].is_ascii_digit();
    let runs = || text.split(u8::is_ascii_digit).filter(|r| !r.is_empty());
    let regular = runs().all(|r| {
        let uppers = r.iter().filter(|b| b.is_ascii_uppercase()).count();
        let capital = r[0].is_ascii_uppercase();
        let camel = r.len() >= 4 && uppers * 2 <= r.len();
        (uppers == 0 || uppers == r.len() || (uppers == 1 && capital) || camel) && is_wordlike(r)
    });
    let spoken = runs().all(|r| r.len() < 3 || r.iter().copied().any(is_vowel));
    // Capitals in one run, small letters in another: xB3k
    let one_case =
        !(runs().any(|r| r.iter().all(u8::is_ascii_uppercase)) && runs().any(|r| r.iter().all(u8::is_ascii_lowercase)));
    if !regular || !one_case {
        return false;
    }
    match (starts_with_digit, switches) {
        (_, 1) if len <= 4 => digits <= 3,
        (_, 2) if len <= 4 => true,
        (false, 1) => digits <= 5 && (spoken || len - digits <= 4),
        (true, 1) => digits <= 2 && spoken || digits == 3 && len >= 7 && spoken,
        (false, 2) => digits <= 4 && spoken && runs().map(<[u8]>::len).max() >= Some(3),
        (false, 3) => digits <= 4 && spoken && runs().all(|r| r.len() >= 2),
        _ => false,
    }
}

/// `1st`, `22nd`, `3rd`, `4th`.
fn is_ordinal(text: &[u8]) -> bool {
    let letters = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    letters > 0 && matches!(text[letters..].to_ascii_lowercase().as_slice(), b"st" | b"nd" | b"rd" | b"th")
}

/// `v1`, `V2`, `v1.2`, `v2beta1`, `v1alpha`, `v2-beta`, `v4beta`, `v2024-01`, `2.0`.
fn is_version(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"v").or_else(|| text.strip_prefix(b"V")) else { return false };
    let numbers = rest.iter().position(|b| !(b.is_ascii_digit() || *b == b'.')).unwrap_or(rest.len());
    if numbers == 0 || !rest[0].is_ascii_digit() || rest[..numbers].iter().filter(|b| b.is_ascii_digit()).count() > 8 {
        return false;
    }
    let stage = rest[numbers..].strip_prefix(b"-").unwrap_or(&rest[numbers..]);
    let name = stage.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(stage.len());
    let numbered =
        stage[name..].iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')) && stage.len() - name <= 6;
    let stages: [&[u8]; 9] = [b"", b"alpha", b"beta", b"rc", b"a", b"b", b"preview", b"dev", b"p"];
    numbered && stages.iter().any(|s| s.eq_ignore_ascii_case(&stage[..name]))
}

fn is_decimal(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let mut halves = text.split(|b| *b == b'.');
    let (Some(whole), Some(fraction), None) = (halves.next(), halves.next(), halves.next()) else { return false };
    let digits = |t: &[u8]| t.iter().all(u8::is_ascii_digit);
    digits(whole) && digits(fraction) && !fraction.is_empty()
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text
            .iter()
            .enumerate()
            .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// 32 hexadecimal digits with the version and variant of a UUID in their places (RFC 9562, 4.1 and 4.2).
fn is_bare_uuid(text: &[u8]) -> bool {
    matches!(text[12], b'1'..=b'8') && matches!(text[16], b'8' | b'9' | b'a' | b'b' | b'A' | b'B')
}

/// Crockford's base32 has no I, L, O and U; 26 characters of 5 bits hold 128 bits only when the first is at most 7.
fn is_ulid(text: &[u8]) -> bool {
    (b'0'..=b'7').contains(&text[0]) && !text.iter().any(|b| matches!(b | 0x20, b'i' | b'l' | b'o' | b'u'))
}

/// Header and payload of a JWT are JSON objects: base64url of `{"` is `eyJ` (RFC 7519, 3).
fn is_jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'.');
    let url_safe = |p: &[u8]| p.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let (Some(head), Some(payload)) = (parts.next(), parts.next()) else { return false };
    head.len() >= 8
        && head.starts_with(b"eyJ")
        && !payload.is_empty()
        && url_safe(head)
        && text.split(|b| *b == b'.').all(url_safe)
}

fn is_email(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|b| *b == b'@') else { return false };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    !local.is_empty()
        && local.iter().all(u8::is_ascii_graphic)
        && domain.contains(&b'.')
        && domain
            .split(|b| *b == b'.')
            .all(|l| !l.is_empty() && l.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-'))
}

fn is_ipv4(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|t| t.parse::<Ipv4Addr>().is_ok())
}

fn is_ipv6(text: &[u8]) -> bool {
    let bare = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
    std::str::from_utf8(bare).is_ok_and(|t| t.parse::<Ipv6Addr>().is_ok())
}

fn is_coordinates(text: &[u8]) -> bool {
    let mut halves = text.split(|b| *b == b',');
    let (Some(a), Some(b), None) = (halves.next(), halves.next(), halves.next()) else { return false };
    let number = |t: &[u8]| is_decimal(t) && t.len() <= 20;
    number(a) && number(b)
}

/// ISO 8601 and its usual short forms: `2024-01-31`, `2024-01`, `20240131`, `2024-W05`, `2024-01-31T10:00:00Z`,
/// `20240131T100000Z`, `10:00:00`.
fn is_date(text: &[u8]) -> bool {
    let two = |at: usize| -> Option<u8> {
        match text.get(at..at + 2)? {
            [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
            _ => None,
        }
    };
    let at = |i: usize| text.get(i).copied();
    if let (Some(h), Some(b':'), Some(m)) = (two(0), at(2), two(3)) {
        return h < 24
            && m < 60
            && text.len() <= 16
            && text[5..].iter().all(|b| b.is_ascii_digit() || b":.Z".contains(b));
    }
    if !matches!(two(0), Some(19 | 20)) || two(2).is_none() {
        return false;
    }
    let month = |m: Option<u8>| matches!(m, Some(1..=12));
    let day = |d: Option<u8>| matches!(d, Some(1..=31));
    let dated = match at(4) {
        Some(b'-') if at(5) == Some(b'W') => {
            return two(6).is_some_and(|w| w <= 53) && (text.len() == 8 || text.len() == 10);
        }
        Some(b'-') => match at(7) {
            None => return month(two(5)),
            Some(b'-') if month(two(5)) && day(two(8)) => 10,
            _ => return false,
        },
        Some(b'0' | b'1') if month(two(4)) && day(two(6)) => 8,
        _ => return false,
    };
    match at(dated) {
        None => true,
        Some(b'T' | b't' | b' ' | b'_') => {
            text.len() > dated + 2 && text[dated + 1..].iter().all(|b| b.is_ascii_digit() || b":.,+-Zz".contains(b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(kind: Kind, texts: &[&str]) {
        for text in texts {
            assert_eq!(segment(text.as_bytes()), kind, "{text}");
        }
    }

    #[test]
    fn hard_case_04_literals_with_digits_are_words() {
        all(Kind::Word, &["sha256sum", "iso27001", "oauth2", "v2beta1", "s3", "Infinity", "OAuth2", "base64", "md5"]);
        all(
            Kind::Word,
            &["i18n", "k8s", "2fa", "3d", "h264", "utf8", "x509", "ipv4", "mp3", "web3", "b2b", "v1", "V2"],
        );
        all(Kind::Word, &["v1.2", "2.0", "1.12.3", "v1alpha1", "v4beta", "v2-beta", "api.xro", "v2024", "rfc2616"]);
        assert!(!matches!(segment(b"1e5"), Kind::Integer | Kind::Decimal), "1e5 is no number");
        assert!(!matches!(value(b"1e5"), Kind::Integer | Kind::Decimal), "1e5 is no number");
        assert!(!matches!(value(b"Infinity"), Kind::Integer | Kind::Decimal), "Infinity is no number");
    }

    #[test]
    fn words_as_apis_write_them() {
        all(
            Kind::Word,
            &["users", "user-profile", "user_profile", "getUserById", "Invoices", "TrialBalance", "$metadata"],
        );
        all(Kind::Word, &["collaboration_whitelist_exempt_targets", "minutesBetweenSummaries", "tag_groups.json"]);
        all(
            Kind::Word,
            &["l3FirewallRules", "defaultObjectAcl", "lockRetentionPolicy", "projects:search", "iPhone", "macOS"],
        );
        all(
            Kind::Word,
            &["hmacKeys", "OAuthApps", "SMSMessages", "getAllURLs", "DPEGIJ", "HTTPSConnections", "b", "o", "t"],
        );
    }

    #[test]
    fn hard_case_05_identifiers() {
        all(
            Kind::Uuid,
            &[
                "6ba7b810-9dad-11d1-80b4-00c04fd430c8", // v1
                "9125a8dc-52ee-365b-a5aa-81b0b3681cf6", // v3
                "f47ac10b-58cc-4372-a567-0e02b2c3d479", // v4
                "886313e1-3b8a-5372-9b90-0c9aee199e5d", // v5
                "1ec9414c-232a-6b00-b3c8-9e6bdeced846", // v6
                "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", // v7
                "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
                "f47ac10b58cc4372a5670e02b2c3d479",
            ],
        );
        all(Kind::Ulid, &["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav"]);
        all(Kind::ObjectId, &["507f1f77bcf86cd799439011"]);
        all(
            Kind::Hex,
            &["d41d8cd98f00b204e9800998ecf8427e", "a1b2c3d", "8c23db70", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
        );
        all(
            Kind::Token,
            &["0ujsszwN8NRY24YaXiTIE2VWDTS", "V1StGXR8Z5jdHi6Bmyk4T", "aZ3kP", "x7Gh2Qa", "4fzyo82", "dQw4w9"],
        );
        all(Kind::Token, &["V1StGXR8_Z5jdHi6B-myT", "cus_4QFOF3xrvBT2nU", "L_171658909813823363", "k3x9q2", "0NU6Y51"]);
        all(Kind::Integer, &["1", "42", "175928847299117063", "1541815603606036480", "-7"]);
    }

    #[test]
    fn hard_case_06_slugs() {
        all(Kind::Slug, &["author-a-0001", "TK-48213", "rust-in-action-2nd-edition", "cobalt-ember-123", "router_2"]);
    }

    #[test]
    fn hard_case_12_secrets_tokens_and_mail_keep_no_text() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        all(Kind::Jwt, &[jwt, &format!("{jwt}{jwt}")[..]]);
        all(Kind::Email, &["alice@example.com", "user-marco.martin@mail.net", "a+b@x.co"]);
        for secret in [
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
            "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "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",
            "4111111111111111",
            "card-4111111111111111",
            "078-05-1120-0000000",
            "+4915123456789",
        ] {
            assert!(!segment(secret.as_bytes()).keeps_text(), "{secret}: {:?}", segment(secret.as_bytes()));
        }
    }

    #[test]
    fn dates_addresses_coordinates_and_the_rest() {
        all(
            Kind::Date,
            &["2024-01-31", "2024-01", "20240131", "2024-01-31T10:00:00Z", "2024-W05", "10:30:00", "20240131T100000Z"],
        );
        all(Kind::Ip, &["192.168.1.1", "2001:db8::1", "[::1]"]);
        all(Kind::Coordinates, &["52.5,13.4", "-33.86,151.20"]);
        all(Kind::Phone, &["+4915123456789"]);
        all(Kind::Decimal, &["3.14159", "-2.5", "100.25"]);
        all(Kind::Text, &["hello world", "caf\u{e9}", "用户", "🦀", "a/b", ".", "..", "---", "100%"]);
        all(Kind::Word, &["-", "_", "--"]);
        all(Kind::Base64, &["aGVsbG8gd29ybGQ=", "dGVzdA=="]);
        assert_eq!(value(b"true"), Kind::Boolean);
        assert_eq!(segment(b"true"), Kind::Word);
        assert_eq!(value(b""), Kind::Empty);
        assert_eq!(value(b"1.5"), Kind::Decimal);
    }

    #[test]
    fn any_length_is_read() {
        for len in 0..600 {
            for byte in [b'a', b'Z', b'0', b'-', b'.', b'/', b'%', 0xc3, b'e', b'='] {
                let _ = segment(&vec![byte; len]);
                let _ = value(&vec![byte; len]);
            }
        }
        assert!(!segment(&[b'a'; 200]).keeps_text());
        assert!(!segment(&[b'a'; 65]).keeps_text());
    }

    #[test]
    fn the_tally_of_a_path_reader_agrees() {
        for text in ["users", "v2", "507f1f77bcf86cd799439011", "a-b_c.d", "TK-48213", "x:y"] {
            let mut tally = Tally::default();
            assert!(text.bytes().all(|b| tally.take(b)));
            assert_eq!(tally, Tally::of(text.as_bytes()));
            assert_eq!(tallied(text.as_bytes(), tally), segment(text.as_bytes()));
        }
        assert!("/?#;%é ".bytes().all(|b| !Tally::default().take(b)));
    }
}
