//! The host of a request, in one spelling.
//!
//! Takes a Host field or an authority as it was on the wire, gives the host in lower case without port, brackets and
//! trailing dot (RFC 9110, 4.2.3 and 7.2), or nothing where it cannot be a host. Never gives a text that is not a name
//! or an address.

use std::net::Ipv6Addr;

use super::record::Span;

/// Longest host name (RFC 1035, 2.3.4).
const HOST_MAX: usize = 253;

/// The bytes that host names are made of; 0 for all others. The underscore is no host name's by
/// the letter (RFC 952), yet in daily use.
static NAME: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => 1,
            _ => 0,
        };
        b += 1;
    }
    table
};

/// Hosts seen lately, as they came and as they are kept: most requests are for a host that was asked just before, and
/// a comparison is cheaper than another look at each letter.
#[derive(Debug)]
pub(super) struct Recent {
    entries: Box<[(Vec<u8>, String)]>,
}

/// A power of two. One sensor sees a handful of busy hosts.
const RECENT: usize = 32;

impl Recent {
    pub(super) fn new() -> Self {
        Self { entries: (0..RECENT).map(|_| Default::default()).collect() }
    }

    /// As [`append`].
    #[inline]
    pub(super) fn append(&mut self, host: &[u8], text: &mut String) -> Option<Span> {
        let (raw, kept) = self.entries.get_mut(place(host))?;
        if raw == host {
            return Some(super::record::append(text, kept));
        }
        let span = append(host, text)?;
        // Both buffers stay as small as the longest host: what is longer is none.
        raw.clear();
        kept.clear();
        if host.len() <= HOST_MAX {
            raw.extend_from_slice(host);
            kept.push_str(span.of(text));
        }
        Some(span)
    }
}

/// Where a host is looked for: told by its length, its first and its last bytes, where hosts of one network differ.
#[inline]
fn place(host: &[u8]) -> usize {
    // FxHash's multiplier; the upper bits are the well mixed ones.
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let (first, last) = match (host.first_chunk::<8>(), host.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (host.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)), 0),
    };
    let mixed = (first.wrapping_mul(K).rotate_left(32) ^ last ^ host.len() as u64).wrapping_mul(K);
    (mixed >> (u64::BITS - RECENT.ilog2())) as usize
}

/// Appends the normalised host to `text`; `None`, and nothing appended, where it is not a host.
pub(super) fn append(host: &[u8], text: &mut String) -> Option<Span> {
    if host.first() == Some(&b'[') {
        return append_ipv6(host, text);
    }
    let end = host.iter().position(|b| NAME[*b as usize] == 0).unwrap_or(host.len());
    let port = match host.get(end) {
        None => true,
        Some(b':') => host[end + 1..].iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    // etcd's client takes the URL of its endpoint for the authority.
    if !port && matches!(&host[..end], b"http" | b"https") && host[end..].starts_with(b"://") {
        return append(&host[end + 3..], text);
    }
    let name = host[..end].strip_suffix(b".").unwrap_or(&host[..end]);
    // A name has a letter or a digit, and no empty label.
    let empty_label = name.first() == Some(&b'.') || name.windows(2).any(|w| w == b"..");
    if !port || empty_label || name.len() > HOST_MAX || !name.iter().any(u8::is_ascii_alphanumeric) {
        return None;
    }
    let span = super::record::append(text, std::str::from_utf8(name).ok()?);
    if let Some(kept) = text.get_mut(span.start as usize..) {
        kept.make_ascii_lowercase();
    }
    Some(span)
}

#[cold]
fn append_ipv6(host: &[u8], text: &mut String) -> Option<Span> {
    let close = host.iter().position(|b| *b == b']')?;
    let after = &host[close + 1..];
    let port = after.is_empty() || after[0] == b':' && after[1..].iter().all(u8::is_ascii_digit);
    let inner = std::str::from_utf8(&host[1..close]).ok()?;
    // A zone (RFC 6874) is the client's own affair.
    let address: Ipv6Addr = inner.split('%').next()?.parse().ok()?;
    port.then(|| super::record::append(text, &address.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(raw: &[u8]) -> Option<String> {
        let mut text = "before".to_owned();
        let got = append(raw, &mut text).map(|s| s.of(&text).to_owned());
        if got.is_none() {
            assert_eq!(text, "before", "nothing is left behind");
        }
        got
    }

    #[test]
    fn one_spelling_for_one_host() {
        for raw in ["api.example", "API.Example", "api.example:8080", "api.example.", "api.example.:80", "api.example:"]
        {
            assert_eq!(host(raw.as_bytes()).as_deref(), Some("api.example"), "{raw}");
        }
        assert_eq!(host(b"[2001:DB8::1]:80").as_deref(), Some("2001:db8::1"));
        assert_eq!(host(b"[fe80::1%25eth0]").as_deref(), Some("fe80::1"));
        assert_eq!(host(b"10.0.0.1:80").as_deref(), Some("10.0.0.1"));
        assert_eq!(host(b"my_service").as_deref(), Some("my_service"));
        assert_eq!(host(b"http://etcd.test:2379").as_deref(), Some("etcd.test"));
        assert_eq!(host(b"https://[::1]:2379").as_deref(), Some("::1"));
    }

    #[test]
    fn what_cannot_be_a_host_is_none() {
        let long = "a".repeat(254);
        for raw in [
            "", ".", "..", "a..b", ".a", ":80", "a b", "a/b", "<x>", "a:b", "a:80:80", "[::1", "[zz]", "[::1]x",
            "\u{e9}", "a@b", "ftp://a", "http://", "http:///", &long,
        ] {
            assert_eq!(host(raw.as_bytes()), None, "{raw}");
        }
        assert_eq!(host(b"\xff\xfe"), None);
    }
}
