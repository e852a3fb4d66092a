//! The PROXY protocol (HAProxy, version 1 and 2): who a balancer speaks for.
//!
//! Takes the first bytes of a connection, gives how long its header is and whom it names. The header proves itself: by its
//! line (version 1) or its signature of twelve bytes (version 2). Never looks at the destination, nor into the TLVs, which
//! are only stepped over.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::base::Address;

/// Longest version 1 line with its CR LF (specification, 2.1).
const LINE: usize = 107;
/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// What version 2 begins with (2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a version 2 header before its addresses.
const FIXED: usize = 16;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// No header.
    No,
    /// Nothing speaks against a header, but it is not whole yet.
    More,
    /// A header that its receiver must refuse.
    Bad,
    /// A header of so many bytes.
    Whole {
        /// Its bytes.
        len: usize,
        /// The client it names; `None` where it is the sender's own connection (LOCAL, a health check) or not told (UNKNOWN,
        /// UNSPEC, a UNIX socket).
        source: Option<Address>,
    },
}

/// Reads the header at the beginning of a connection.
pub fn header(bytes: &[u8]) -> Header {
    match bytes.first() {
        Some(b'P') => version1(bytes),
        Some(b'\r') => version2(bytes),
        _ => Header::No,
    }
}

fn begins(bytes: &[u8], with: &[u8]) -> Option<bool> {
    let n = bytes.len().min(with.len());
    if bytes.get(..n) != with.get(..n) { None } else { Some(bytes.len() >= with.len()) }
}

fn version1(bytes: &[u8]) -> Header {
    match begins(bytes, WORD) {
        None => return Header::No,
        Some(false) => return Header::More,
        Some(true) => {}
    }
    let seen = bytes.get(..LINE).unwrap_or(bytes);
    let Some(end) = seen.windows(2).position(|w| w == b"\r\n") else {
        // A request of a method PROXY has a target and a version in its line; ours has a family.
        return match bytes.get(WORD.len()) {
            None | Some(b'T' | b'U') if bytes.len() < LINE => Header::More,
            _ => Header::No,
        };
    };
    let len = end + 2;
    let Some(text) = seen.get(WORD.len()..end).and_then(|line| std::str::from_utf8(line).ok()) else {
        return Header::Bad;
    };
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["UNKNOWN", ..] => Header::Whole { len, source: None },
        ["TCP4", source, to, port, to_port] => {
            match (source.parse::<Ipv4Addr>(), to.parse::<Ipv4Addr>(), port_of(port)) {
                (Ok(ip), Ok(_), Some(port)) if port_of(to_port).is_some() => {
                    Header::Whole { len, source: Some(Address::v4(ip.into(), port)) }
                }
                _ => Header::Bad,
            }
        }
        ["TCP6", source, to, port, to_port] => {
            match (source.parse::<Ipv6Addr>(), to.parse::<Ipv6Addr>(), port_of(port)) {
                (Ok(ip), Ok(_), Some(port)) if port_of(to_port).is_some() => {
                    Header::Whole { len, source: Some(Address::v6(ip.into(), port)) }
                }
                _ => Header::Bad,
            }
        }
        ["TCP4" | "TCP6", ..] => Header::Bad,
        _ => Header::No,
    }
}

/// A port in decimal, without sign or leading zeros (2.1).
fn port_of(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn version2(bytes: &[u8]) -> Header {
    match begins(bytes, SIGNATURE) {
        None => return Header::No,
        Some(false) => return Header::More,
        Some(true) => {}
    }
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Header::More };
    let [.., version_command, family, high, low] = *fixed;
    let command = version_command & 0x0f;
    if version_command >> 4 != 2 || command > 1 {
        return Header::Bad;
    }
    let size = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + size;
    // Of LOCAL the receiver must take the connection's own ends, whatever else is there.
    let needed = match (command, family >> 4) {
        (1, 1) => 12,
        (1, 2) => 36,
        (1, 3) => 216,
        _ => 0,
    };
    if size < needed {
        return Header::Bad;
    }
    let Some(addresses) = bytes.get(FIXED..len) else { return Header::More };
    let port = |at: usize| Some(u16::from_be_bytes(*addresses.get(at..)?.first_chunk()?));
    let source = match (command, family) {
        (1, 0x11 | 0x12) => {
            addresses.first_chunk::<4>().zip(port(8)).map(|(ip, port)| Address::v4(u32::from_be_bytes(*ip), port))
        }
        (1, 0x21 | 0x22) => {
            addresses.first_chunk::<16>().zip(port(32)).map(|(ip, port)| Address::v6(u128::from_be_bytes(*ip), port))
        }
        _ => None,
    };
    Header::Whole { len, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        [SIGNATURE, &[version_command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
    }

    fn whole(bytes: &[u8]) -> (usize, String) {
        match header(bytes) {
            Header::Whole { len, source } => (len, source.map_or(String::new(), |s| s.to_string())),
            other => (0, format!("{other:?}")),
        }
    }

    #[test]
    fn version_1() {
        let told = |text: &str| whole(text.as_bytes()).1;
        assert_eq!(told("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET"), "192.0.2.7:56324");
        assert_eq!(told("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), "[2001:db8::1]:1");
        assert_eq!(told("PROXY UNKNOWN\r\n"), "");
        assert_eq!(whole(b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\nGET").0, 43);
        for bad in [
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        ] {
            assert_eq!(header(bad.as_bytes()), Header::Bad, "{bad}");
        }
        for no in ["PROXY /x HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PROXYING", "PROXY SCTP\r\n", "", "GET"] {
            assert_eq!(header(no.as_bytes()), Header::No, "{no}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        assert_eq!(header(long.as_bytes()), Header::No, "longer than any line");
    }

    #[test]
    fn version_2_with_and_without_tlvs() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb];
        assert_eq!(whole(&v2(0x21, 0x11, &v4)), (28, "192.0.2.7:56324".into()));
        let tlvs = [&v4[..], &[1, 0, 2, b'h', b'2', 4, 0, 0]].concat();
        assert_eq!(whole(&[v2(0x21, 0x11, &tlvs), b"GET".to_vec()].concat()), (36, "192.0.2.7:56324".into()));
        let mut v6 = [0; 36];
        (v6[0], v6[15], v6[33]) = (0x20, 1, 80);
        assert_eq!(whole(&v2(0x21, 0x21, &v6)), (52, "[2000::1]:80".into()));
        assert_eq!(whole(&v2(0x20, 0, b"")), (16, String::new()), "LOCAL");
        assert_eq!(whole(&v2(0x20, 0x11, &v4)), (28, String::new()), "LOCAL with addresses that do not count");
        assert_eq!(whole(&v2(0x21, 0, b"whatever")), (24, String::new()), "UNSPEC");
        assert_eq!(whole(&v2(0x21, 0x31, &[0; 216])), (232, String::new()), "UNIX");
        for bad in [v2(0x11, 0x11, &v4), v2(0x22, 0x11, &v4), v2(0x21, 0x11, &v4[..11]), v2(0x21, 0x21, &v4)] {
            assert_eq!(header(&bad), Header::Bad);
        }
        assert_eq!(header(b"\r\n\r\nGET / HTTP/1.1\r\n"), Header::No);
    }

    #[test]
    fn headers_come_in_any_pieces() {
        let v4 = [10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 80, 4, 0, 1, 0];
        let all = [b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(), v2(0x21, 0x11, &v4), v2(0x20, 0, b"")];
        for text in all {
            for n in 1..text.len() {
                assert_eq!(header(&text[..n]), Header::More, "{n} of {}", text.escape_ascii());
            }
            assert_eq!(whole(&text).0, text.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..3) {
            let start: &[u8] = match kind { 0 => WORD, 1 => SIGNATURE, _ => b"" };
            bytes.splice(0..0, start.iter().copied());
            if let Header::Whole { len, .. } = header(&bytes) {
                prop_assert!(len <= bytes.len() && len >= 15);
            }
        }
    }
}
