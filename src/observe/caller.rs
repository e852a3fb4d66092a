//! Who asked, where a balancer asks for somebody else.
//!
//! Takes the networks of the proxies that are trusted and a request's `Forwarded` (RFC 7239) and `X-Forwarded-For`
//! fields, gives the address of the caller: the right-most one that is not of a trusted proxy. Fields of anybody else are
//! never believed, and neither is a field that can't be read: then it is the connection's own address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::base::Address;
use crate::proto::Fields;

/// A network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

/// Not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; give an address or a prefix, as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.to_owned());
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip: IpAddr = ip.trim().parse().map_err(|_| wrong())?;
        let (most, before) = if ip.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = match prefix {
            Some(prefix) => prefix.trim().parse::<u32>().ok().filter(|n| *n <= most).ok_or_else(wrong)?,
            None => most,
        };
        let mask = u128::MAX.checked_shl(128 - (before + prefix)).unwrap_or(0);
        Ok(Self { bits: bits(ip) & mask, mask })
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => Address::v4(ip.into(), 0).bits(),
        IpAddr::V6(ip) => ip.into(),
    }
}

/// The proxies whose word is taken. By default nobody's is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The field is not there.
    Nothing,
    /// This address.
    Caller(u128),
    /// Something that is no address: malformed, `unknown`, an obfuscated name (RFC 7239, 6.2 and 6.3).
    Unclear,
}

impl TrustedProxies {
    /// Is nobody trusted?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trusts(&self, bits: u128) -> bool {
        self.0.iter().any(|network| bits & network.mask == network.bits)
    }

    /// The caller of a request that came over a connection from `own`.
    pub fn caller(&self, own: Address, fields: Fields<'_>) -> Address {
        if !self.trusts(own.bits()) {
            return own;
        }
        let forwarded =
            self.last_untrusted(fields.all("forwarded").flat_map(|line| pieces(line, b',')).map(forwarded_for));
        let list = fields.all("x-forwarded-for").flat_map(|line| line.split(|b| *b == b','));
        let x_forwarded_for = self.last_untrusted(list.map(node));
        let caller = match (forwarded, x_forwarded_for) {
            (Said::Caller(bits), Said::Nothing) | (Said::Nothing, Said::Caller(bits)) => bits,
            // A proxy that sets one of the two passes the other one on as the client sent it.
            (Said::Caller(a), Said::Caller(b)) if a == b => a,
            _ => return own,
        };
        Address::v6(caller, 0)
    }

    /// Each proxy adds to the end whom it got the request from.
    fn last_untrusted(&self, said: impl Iterator<Item = Said>) -> Said {
        let mut caller = Said::Nothing;
        for said in said {
            caller = match said {
                Said::Nothing => caller,
                Said::Caller(bits) if self.trusts(bits) && caller != Said::Nothing => caller,
                said => said,
            };
        }
        caller
    }
}

/// The parts of a list, separators within quotes left alone.
fn pieces(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |b| {
        let plain = !std::mem::take(&mut escaped);
        match b {
            b'"' if plain => quoted = !quoted,
            b'\\' if plain && quoted => escaped = true,
            b if *b == separator && !quoted => return true,
            _ => {}
        }
        false
    })
}

/// What one element of `Forwarded` says of its client.
fn forwarded_for(element: &[u8]) -> Said {
    if element.trim_ascii().is_empty() {
        return Said::Nothing;
    }
    let pair = pieces(element, b';').find_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|b| *b == b'=')?);
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value[1..].trim_ascii())
    });
    match pair {
        Some([b'"', inside @ .., b'"']) => node(inside),
        Some(value) if !value.is_empty() => node(value),
        _ => Said::Unclear,
    }
}

/// An address, with or without a port; IPv6 with or without brackets.
fn node(text: &[u8]) -> Said {
    let Ok(text) = std::str::from_utf8(text.trim_ascii()) else { return Said::Unclear };
    if text.is_empty() {
        return Said::Nothing;
    }
    let port = |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let ip = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((ip, ""))) => ip,
        Some(Some((ip, rest))) if rest.strip_prefix(':').is_some_and(port) => ip,
        Some(_) => return Said::Unclear,
        None => match text.split_once(':') {
            Some((ip, rest)) if port(rest) && ip.contains('.') => ip,
            _ => text,
        },
    };
    ip.parse().map_or(Said::Unclear, |ip| Said::Caller(bits(ip)))
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Address::v6(self.bits, 0).ip();
        let before = if ip.is_ipv4() { 96 } else { 0 };
        write!(f, "{ip}/{}", self.mask.leading_ones().saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use httparse::Header;
    use proptest::prelude::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|n| n.parse::<Network>().unwrap()).collect()
    }

    fn address(ip: &str) -> Address {
        Address::v6(bits(ip.parse().unwrap()), 0)
    }

    fn told(own: &str, lines: &[(&str, &str)]) -> String {
        let fields: Vec<_> = lines.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        trusted(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]).caller(address(own), Fields(&fields)).ip().to_string()
    }

    #[test]
    fn networks_are_read_and_written() {
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), written);
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "example", "::/129", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert!(!trusted(&["0.0.0.0/0"]).trusts(bits("2001:db8::1".parse().unwrap())));
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_caller() {
        let x = "X-Forwarded-For";
        assert_eq!(told("10.0.0.1", &[(x, "203.0.113.9")]), "203.0.113.9");
        assert_eq!(told("10.0.0.1", &[(x, "6.6.6.6, 203.0.113.9, 10.2.2.2")]), "203.0.113.9");
        assert_eq!(told("10.0.0.1", &[(x, "6.6.6.6"), (x, "203.0.113.9")]), "203.0.113.9", "lines are one list");
        assert_eq!(told("10.0.0.1", &[(x, "10.9.9.9, 10.2.2.2")]), "10.9.9.9", "all of them inside");
        assert_eq!(told("10.0.0.1", &[(x, "203.0.113.9:4711")]), "203.0.113.9");
        assert_eq!(told("10.0.0.1", &[(x, "[2001:470::1]:80")]), "2001:470::1");
        assert_eq!(told("10.0.0.1", &[(x, "2001:470::1")]), "2001:470::1");
        assert_eq!(told("2001:db8::7", &[(x, "203.0.113.9")]), "203.0.113.9");
        let f = "forwarded";
        assert_eq!(told("10.0.0.1", &[(f, "for=203.0.113.9;proto=http;by=10.0.0.1")]), "203.0.113.9");
        assert_eq!(told("10.0.0.1", &[(f, "For=\"[2001:470::1]:4711\", for=10.0.0.3")]), "2001:470::1");
        assert_eq!(told("10.0.0.1", &[(f, "proto=\"a,b;c\";for=203.0.113.9")]), "203.0.113.9");
    }

    #[test]
    fn what_is_not_trusted_or_not_clear_is_the_connection_s_own_address() {
        let (x, f) = ("x-forwarded-for", "forwarded");
        assert_eq!(told("203.0.113.1", &[(x, "6.6.6.6")]), "203.0.113.1", "nobody trusts this one");
        assert_eq!(told("10.0.0.1", &[]), "10.0.0.1");
        for bad in
            ["unknown", "6.6.6.6, 1.2.3", "6.6.6.6, _hidden, 10.0.0.9", "[::1", "1.2.3.4:x", "fe80::1%eth0", "\u{fe}"]
        {
            assert_eq!(told("10.0.0.1", &[(x, bad)]), "10.0.0.1", "{bad}");
        }
        for bad in ["for=unknown", "for=_x", "proto=http", "for=", "for=\"1.2.3.4", "for"] {
            assert_eq!(told("10.0.0.1", &[(f, bad)]), "10.0.0.1", "{bad}");
        }
        assert_eq!(told("10.0.0.1", &[(x, "203.0.113.9"), (f, "for=6.6.6.6")]), "10.0.0.1", "they disagree");
        assert_eq!(told("10.0.0.1", &[(x, "203.0.113.9"), (f, "for=203.0.113.9")]), "203.0.113.9");
        assert_eq!(told("10.0.0.1", &[(x, " , ,")]), "10.0.0.1");
    }

    proptest! {
        #[test]
        fn any_bytes(x in proptest::collection::vec(any::<u8>(), 0..60), f in "[a-z=\";,\\\\.0-9:\\[\\]]{0,60}") {
            let fields = [
                Header { name: "X-Forwarded-For", value: &x },
                Header { name: "Forwarded", value: f.as_bytes() },
            ];
            trusted(&["10.0.0.0/8"]).caller(address("10.0.0.1"), Fields(&fields));
        }
    }
}
