//! The claims of a bearer token.
//!
//! Takes an `Authorization` field, gives the JSON in the middle of its JSON Web Token (RFC 7519, 3), decoded into a buffer of the
//! caller's, who wipes it. Never asks whether the token is valid, and never keeps it.

/// Longest part of a token that is decoded.
const CODED: usize = 4096;

/// Decodes the claims into `out`; `false` where there are none.
pub(super) fn decode(authorization: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let token = match authorization.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return false,
    };
    let mut parts = token.split(|b| *b == b'.');
    let (Some(head), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    head.starts_with(b"eyJ") && claims.len() <= CODED && base64url(claims, out)
}

/// RFC 4648, 5, without padding.
fn base64url(coded: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut n) = (0u32, 0);
    for byte in coded {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(six);
        n += 6;
        if n >= 8 {
            n -= 8;
            out.push((bits >> n) as u8);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_the_middle_of_a_token() {
        let mut out = Vec::new();
        assert!(decode(b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIiwib3JnIjoiYWNtZSJ9.x", &mut out));
        assert_eq!(out, br#"{"sub":"jane","org":"acme"}"#);
        for no in ["Basic eyJ.eyJ.x", "Bearer opaque", "Bearer eyJ.e!J.x", "Bearer eyJ.a", "", "Bearer a.b.c.d"] {
            assert!(!decode(no.as_bytes(), &mut out), "{no}");
        }
    }
}
