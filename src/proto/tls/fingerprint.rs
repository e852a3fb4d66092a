//! Fingerprints of clients (JA4) and servers (JA3S).
//!
//! Takes hellos, gives the fingerprint that other tools give, so that findings can be looked up. JA4 is the TLS client
//! fingerprint that FoxIO publishes under the BSD licence; the rest of JA4+ has another licence and is not here. JA3S is
//! Salesforce's, BSD as well. MD5 is JA3S's own choice: nothing is trusted for it.

use std::fmt::Write;

use md5::{Digest, Md5};
use ring::digest::{SHA256, digest};

use super::client_hello::{ClientHello, extension};
use super::names::{Version, is_grease};
use super::server_hello::ServerHello;

/// What carries the hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// The JA4 fingerprint of a client: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub fn ja4(hello: &ClientHello, carrier: Carrier) -> String {
    let suites: Vec<u16> = hello.suites.iter().map(|s| s.0).filter(|n| !is_grease(*n)).collect();
    let extensions: Vec<u16> = hello.extensions.iter().copied().filter(|n| !is_grease(*n)).collect();
    let mut out = String::with_capacity(36);
    out.push(match carrier {
        Carrier::Tcp => 't',
        Carrier::Quic => 'q',
    });
    out.push_str(version(hello.newest()));
    out.push(if hello.extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' });
    let counts = (suites.len().min(99), extensions.len().min(99));
    let _ = write!(out, "{:02}{:02}", counts.0, counts.1);
    let (first, last) = ends(hello.alpn_ends);
    out.push(first);
    out.push(last);
    out.push('_');
    out.push_str(&hash(&list(&sorted(suites))));
    out.push('_');
    let named = |n: &u16| !matches!(*n, extension::SERVER_NAME | extension::ALPN);
    let mut rest = list(&sorted(extensions.into_iter().filter(named).collect()));
    let signatures: Vec<u16> = hello.signature_algorithms.iter().copied().filter(|n| !is_grease(*n)).collect();
    if !rest.is_empty() && !signatures.is_empty() {
        rest.push('_');
        rest.push_str(&list(&signatures));
    }
    out.push_str(&hash(&rest));
    out
}

/// The JA3S fingerprint of a server.
pub fn ja3s(hello: &ServerHello) -> String {
    let extensions: Vec<String> = hello.extensions.iter().map(u16::to_string).collect();
    let text = format!("{},{},{}", hello.legacy_version.0, hello.suite.0, extensions.join("-"));
    hex(&Md5::digest(text.as_bytes()))
}

fn version(version: Version) -> &'static str {
    match version.0 {
        _ if version.is_tls13() => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last byte of an ALPN name as characters; in hexadecimal where one of them is no letter or digit.
fn ends(name: Option<(u8, u8)>) -> (char, char) {
    let Some((first, last)) = name else { return ('0', '0') };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(first), char::from(last));
    }
    let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 15))
}

fn sorted(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.sort_unstable();
    numbers
}

fn list(numbers: &[u16]) -> String {
    let mut out = String::with_capacity(numbers.len() * 5);
    for (n, number) in numbers.iter().enumerate() {
        let _ = write!(out, "{}{number:04x}", if n > 0 { "," } else { "" });
    }
    out
}

/// Twelve digits of SHA-256; zeros for an empty list.
fn hash(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    hex(digest(&SHA256, text.as_bytes()).as_ref().get(..6).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::super::client_hello::tests::{body, sample};
    use super::super::names::Suite;
    use super::*;

    /// The example of FoxIO's technical description of JA4.
    #[test]
    fn the_published_example() {
        let suites = [
            0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let signatures = [0, 16, 4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1];
        let mut extensions: Vec<(u16, &[u8])> = vec![
            (0x4a4a, &[]),
            (0, b"\0\x04\0\0\x01a"),
            (16, b"\0\x0c\x02h2\x08http/1.1"),
            (43, &[2, 3, 4]),
            (13, &signatures),
        ];
        for n in [0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0xff01, 0x000b, 0x000a, 0x0015] {
            extensions.push((n, &[]));
        }
        let hello = ClientHello::read(&body(&suites, &extensions), true);
        assert_eq!(ja4(&hello, Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert!(ja4(&hello, Carrier::Quic).starts_with("q13d1516h2_"));
    }

    #[test]
    fn odd_hellos_have_one_too() {
        assert_eq!(ja4(&ClientHello::default(), Carrier::Tcp), "t00i000000_000000000000_000000000000");
        let mut hello = ClientHello::read(&sample(), true);
        hello.alpn_ends = Some((0xab, 0xcd));
        assert!(ja4(&hello, Carrier::Tcp).contains("ad_"));
    }

    #[test]
    fn a_servers_fingerprint() {
        let hello = ServerHello {
            legacy_version: Version(771),
            suite: Suite(49199),
            extensions: vec![65281, 0, 11, 35, 16],
            ..ServerHello::default()
        };
        assert_eq!(ja3s(&hello), hex(&Md5::digest(b"771,49199,65281-0-11-35-16")));
        assert_eq!(ja3s(&hello).len(), 32);
    }
}
