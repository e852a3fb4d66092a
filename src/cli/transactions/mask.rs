//! Values out of request targets.
//!
//! Takes a request target or host as it was sent, gives it with what may be secret or personal as `***`: passwords in
//! URLs, values in the query, matrix parameters' values, and path segments that look like a token, a JSON Web Token, an
//! e-mail address, or a long number of a person. When in doubt it masks: this is what goes into tickets and chats.
//! Never makes a text longer than its own length and three bytes for each part.

/// What stands for a value.
const MASK: &str = "***";
/// Letters and digits mixed: from this length on a token rather than a name.
const TOKEN: usize = 20;
/// What the tokens of well-known issuers begin with; from 12 bytes on.
const PREFIXES: [&str; 20] = [
    "sk_live_",
    "sk_test_",
    "pk_live_",
    "rk_live_",
    "whsec_",
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
];

/// A request target (RFC 9112, 3.2), masked. Text as [`latin1`](super::record::latin1) gives it.
pub(super) fn target(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if let Some((scheme, behind)) = text.split_once("://").filter(|(s, _)| is_scheme(s)) {
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        out.extend([scheme, "://", &authority(&behind[..end])]);
        rest = &behind[end..];
    } else if !text.starts_with('/') && text.contains('@') {
        // Authority form, or something that no server should accept.
        return authority(text);
    }
    let (before, fragment) = split_keep(rest, '#');
    let (path, query) = split_keep(before, '?');
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            out.push('/');
        }
        path_segment(&mut out, segment);
    }
    if let Some(query) = query {
        out.push('?');
        pairs(&mut out, query);
    }
    if fragment.is_some() {
        out.extend(["#", MASK]);
    }
    out
}

/// A Host field or authority, masked: what stands before an `@` goes.
pub(super) fn authority(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("{MASK}@{host}"),
        None => text.to_owned(),
    }
}

/// A method: a token in its place is a mistake of the client, and still a token.
pub(super) fn method(text: &str) -> String {
    if is_secret(text) { MASK.to_owned() } else { text.to_owned() }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn split_keep(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(a, b)| (a, Some(b)))
}

fn path_segment(out: &mut String, segment: &str) {
    // Matrix parameters (RFC 3986, 3.3): `;jsessionid=…`.
    for (n, part) in segment.split(';').enumerate() {
        if n > 0 {
            out.push(';');
        }
        match part.split_once('=') {
            // The padding of base64 is no value.
            Some((name, value)) if is_secret(name) && value.trim_matches('=').is_empty() => out.push_str(MASK),
            Some((name, _)) => out.extend([if is_secret(name) { MASK } else { name }, "=", MASK]),
            None if is_secret(part) => out.push_str(MASK),
            None => out.push_str(part),
        }
    }
}

fn pairs(out: &mut String, query: &str) {
    let mut rest = query;
    loop {
        let end = rest.find(['&', ';']).unwrap_or(rest.len());
        match rest[..end].split_once('=') {
            Some((name, "")) if !is_secret(name) => out.extend([name, "="]),
            Some((name, _)) => out.extend([if is_secret(name) { MASK } else { name }, "=", MASK]),
            None if is_secret(&rest[..end]) => out.push_str(MASK),
            None => out.push_str(&rest[..end]),
        }
        let Some(between) = rest.get(end..end + 1) else { break };
        out.push_str(between);
        rest = &rest[end + 1..];
    }
}

/// Could this be a secret, or name a person? Percent-escapes are undone first.
fn is_secret(text: &str) -> bool {
    if text.len() < 6 {
        return false;
    }
    let decoded = decode(text);
    let text = decoded.as_str();
    is_jwt(text)
        || is_email(text)
        || is_phone(text)
        || is_personal_number(text)
        || (text.len() >= 12 && PREFIXES.iter().any(|p| text.starts_with(p)))
        || text.split(['.', ':', ',', '~', '!', '*', '(', ')', '\'', '"', ' ']).any(is_token)
        || text.to_ascii_lowercase().starts_with("bearer ")
        || text.to_ascii_lowercase().starts_with("basic ")
}

/// A base64url object, a dot, another: the head of a JWT begins with `{"`.
fn is_jwt(text: &str) -> bool {
    text.split_whitespace().any(|t| t.starts_with("eyJ") && (t.len() >= TOKEN || t.contains('.')))
}

/// Something, an `@`, something with a dot.
fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.trim_matches('.').contains('.'))
}

/// E.164 with its plus sign, with the separators that people put in.
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (text.starts_with('+') || text.starts_with("00"))
        && (8..=15).contains(&digits)
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')' | '.'))
}

/// Card numbers (Luhn), social security numbers with hyphens, IBANs.
fn is_personal_number(text: &str) -> bool {
    let compact: Vec<u8> = text.bytes().filter(|b| !matches!(b, b' ' | b'-')).collect();
    let digits = compact.iter().all(u8::is_ascii_digit);
    let ssn = || {
        let parts: Vec<_> = text.split('-').map(str::len).collect();
        digits && parts == [3, 2, 4]
    };
    let iban = || {
        (15..=34).contains(&compact.len())
            && compact[..2].iter().all(u8::is_ascii_uppercase)
            && compact[2..4].iter().all(u8::is_ascii_digit)
            && compact.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    (digits && (13..=19).contains(&compact.len()) && luhn(&compact)) || ssn() || iban()
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, d)| {
            let d = u32::from(d - b'0');
            match (n % 2, d * 2) {
                (0, _) => d,
                (_, twice) if twice > 9 => twice - 9,
                (_, twice) => twice,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Long, of the characters of base64, base64url and hex, and not made of words: digits among the letters, or upper and
/// lower case thrown together.
fn is_token(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    if text.len() < TOKEN || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/'))
    {
        return false;
    }
    // Words joined by hyphens have short runs (`rust-in-action-2nd-edition`); a UUID has long ones with digits in them.
    let runs = text.split(['-', '_', '+', '/']);
    let mut mixed = 0;
    let mut longest = 0;
    for run in runs {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let letters = run.len() - digits;
        let flips = run.as_bytes().windows(2).filter(|w| class(w[0]) != class(w[1])).count();
        if run.len() >= 4 && ((digits > 0 && letters > 0 && flips >= 2) || flips * 3 >= run.len()) {
            mixed += run.len();
        }
        if digits == run.len() && digits >= 4 {
            mixed += run.len();
        }
        longest = longest.max(run.len());
    }
    // No word is this long.
    mixed * 3 >= text.len() || longest >= 40
}

fn class(b: u8) -> u8 {
    match b {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    }
}

/// Percent-escapes undone, each byte as the character of its number; bad escapes stay.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let hex = rest.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(byte) => out.push(char::from(byte)),
            None => out.push('%'),
        }
        rest = &rest[at + if hex.is_some() { 3 } else { 1 }..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stay() {
        for plain in [
            "/",
            "*",
            "/v1/users/me",
            "/api/oauth2/token",
            "/users/12345/orders",
            "/rust-in-action-2nd-edition",
            "/static/css/bootstrap.min.css",
            "/sha256sum",
            "/internationalization/settings",
            "/user_profile_settings/edit",
            "/metadata/2021-01-03/instance",
            "example.com:443",
            "/world-war-2-history-documentary-1945",
        ] {
            assert_eq!(target(plain), plain);
        }
    }

    #[test]
    fn values_in_the_query_go() {
        assert_eq!(target("/s?q=my+name&page=2&flag&empty="), "/s?q=***&page=***&flag&empty=");
        assert_eq!(target("/s?a=1;b=2"), "/s?a=***;b=***");
        assert_eq!(target("/s?a=b=c#top"), "/s?a=***#***");
        assert_eq!(target("/cb?eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"), "/cb?***");
        assert_eq!(target("/cart;jsessionid=ABC123/items"), "/cart;jsessionid=***/items");
    }

    #[test]
    fn secrets_in_the_path_go() {
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "anna@example.org",
            "anna%40example.org",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "d41d8cd98f00b204e9800998ecf8427e",
            "dGhpcyBpcyBhIHRva2VuIHdpdGggc3BhY2U=",
            "+4915112345678",
            "4111111111111111",
            "4111-1111-1111-1111",
            "078-05-1120",
            "DE89370400440532013000",
            "Bearer%20abc",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert_eq!(target(&format!("/reset/{secret}/confirm")), "/reset/***/confirm", "{secret}");
        }
    }

    #[test]
    fn passwords_in_urls_go() {
        assert_eq!(target("http://anna:secret@api.example:81/x?y=z"), "http://***@api.example:81/x?y=***");
        assert_eq!(target("http://api.example"), "http://api.example");
        assert_eq!(target("anna:secret@api.example:443"), "***@api.example:443");
        assert_eq!(authority("anna:secret@api.example"), "***@api.example");
        assert_eq!(method("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), "***");
        assert_eq!(method("VERSION-CONTROL"), "VERSION-CONTROL");
    }

    proptest! {
        #[test]
        fn no_query_value_survives(value in "[!-~&&[^&;=#]]{4,40}", path in "[/a-z]{1,20}") {
            let masked = target(&format!("/{path}?name={value}"));
            prop_assert_eq!(masked, format!("/{path}?name=***"));
        }

        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let masked = target(&text);
            prop_assert!(masked.len() <= text.len() * 4 + 3);
        }
    }
}
