//! The ClientHello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2).
//!
//! Takes the body of the message, whole or cut off anywhere, from TCP records or from QUIC CRYPTO frames; gives what it
//! says as far as it is there. Never refuses: an extension that makes no sense is listed and not read. Never keeps the
//! bytes.

use super::bytes::Cursor;
use super::names::{Suite, Version, is_grease, text};

/// Numbers kept of one list. A record holds some 8,000; real clients send fewer than 100.
const MOST: usize = 1024;
/// ALPN names kept.
const PROTOCOLS: usize = 32;

/// Extension numbers (IANA).
pub(super) mod extension {
    pub(in super::super) const SERVER_NAME: u16 = 0;
    pub(in super::super) const SUPPORTED_GROUPS: u16 = 10;
    pub(in super::super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(in super::super) const ALPN: u16 = 16;
    pub(in super::super) const ENCRYPT_THEN_MAC: u16 = 22;
    pub(in super::super) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(in super::super) const SESSION_TICKET: u16 = 35;
    pub(in super::super) const PRE_SHARED_KEY: u16 = 41;
    pub(in super::super) const EARLY_DATA: u16 = 42;
    pub(in super::super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(in super::super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
    /// ESNI, the draft before it.
    pub(in super::super) const ENCRYPTED_SERVER_NAME: u16 = 0xffce;
}

/// What a client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The version field: TLS 1.2 at most; what is newer stands in [`ClientHello::versions`].
    pub legacy_version: Version,
    /// The random, by which key logs name a session. `None` when the hello ends before it.
    pub random: Option<[u8; 32]>,
    /// The session id, up to 32 bytes.
    pub session_id: Vec<u8>,
    /// Cipher suites, in order, GREASE included.
    pub suites: Vec<Suite>,
    /// Extension numbers, in order, GREASE included.
    pub extensions: Vec<u16>,
    /// The server's name (RFC 6066, 3), as sent; what no host name can hold is escaped.
    pub sni: Option<String>,
    /// Application protocols (RFC 7301), in order; what is not visible is escaped.
    pub alpn: Vec<String>,
    /// First and last byte of the first one, as sent.
    pub(super) alpn_ends: Option<(u8, u8)>,
    /// `supported_versions`, in order, GREASE included.
    pub versions: Vec<Version>,
    /// `supported_groups`, in order, GREASE included.
    pub groups: Vec<u16>,
    /// `signature_algorithms`, in order.
    pub signature_algorithms: Vec<u16>,
    /// `encrypted_client_hello` (or its forerunner ESNI) is there: the name above may be a front's.
    pub ech: bool,
    /// 0-RTT data follows.
    pub early_data: bool,
    /// A TLS 1.3 ticket is offered.
    pub psk: bool,
    /// A TLS 1.2 ticket is offered (not empty).
    pub ticket: bool,
    /// It ended before its own lengths said.
    pub truncated: bool,
}

impl ClientHello {
    /// Reads the body of the message (without its type and length). `whole` is false when the body is known to have
    /// been cut off.
    pub fn read(body: &[u8], whole: bool) -> Self {
        let mut hello = Self { truncated: !whole, ..Self::default() };
        let mut cursor = Cursor::new(body);
        hello.head(&mut cursor);
        hello.truncated |= cursor.short;
        hello
    }

    /// Bytes of memory that its lists and names take.
    pub(super) fn weight(&self) -> usize {
        let numbers = self.suites.len()
            + self.extensions.len()
            + self.versions.len()
            + self.groups.len()
            + self.signature_algorithms.len();
        let names = self.alpn.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
        self.session_id.len() + 2 * numbers + names + self.sni.as_ref().map_or(0, String::len)
    }

    fn head(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.legacy_version = Version(cursor.u16()?);
        self.random = Some(cursor.random()?);
        self.session_id = cursor.vec8()?.rest().iter().copied().take(32).collect();
        self.suites = cursor.vec16()?.numbers(MOST).into_iter().map(Suite).collect();
        cursor.vec8()?;
        if cursor.is_empty() {
            // SSL 3 and TLS 1.0 clients need not send extensions.
            return Some(());
        }
        let mut extensions = cursor.vec16()?;
        while !extensions.is_empty() && self.extensions.len() < MOST {
            let Some(number) = extensions.u16() else { break };
            self.extensions.push(number);
            let Some(body) = extensions.vec16() else { break };
            self.extension(number, body);
        }
        cursor.short |= extensions.short;
        Some(())
    }

    fn extension(&mut self, number: u16, mut body: Cursor<'_>) -> Option<()> {
        match number {
            extension::SERVER_NAME if self.sni.is_none() => {
                let mut names = body.vec16()?;
                while let Some(kind) = names.u8() {
                    let name = names.vec16()?;
                    // Half a name is no name.
                    if kind == 0 && !name.short && !name.is_empty() {
                        self.sni = Some(text(name.rest()));
                        break;
                    }
                }
            }
            extension::ALPN if self.alpn.is_empty() => {
                let mut names = body.vec16()?;
                while let Some(name) = names.vec8() {
                    if name.short || self.alpn.len() >= PROTOCOLS {
                        break;
                    }
                    if self.alpn.is_empty() {
                        self.alpn_ends = name.rest().first().copied().zip(name.rest().last().copied());
                    }
                    self.alpn.push(text(name.rest()));
                }
            }
            extension::SUPPORTED_VERSIONS => {
                self.versions = body.vec8()?.numbers(MOST).into_iter().map(Version).collect();
            }
            extension::SUPPORTED_GROUPS => self.groups = body.vec16()?.numbers(MOST),
            extension::SIGNATURE_ALGORITHMS => self.signature_algorithms = body.vec16()?.numbers(MOST),
            extension::ENCRYPTED_CLIENT_HELLO | extension::ENCRYPTED_SERVER_NAME => self.ech = true,
            extension::EARLY_DATA => self.early_data = true,
            extension::PRE_SHARED_KEY => self.psk = true,
            extension::SESSION_TICKET => self.ticket = !body.is_empty(),
            _ => {}
        }
        Some(())
    }

    /// Reads a ClientHello in the form of SSL 2 (RFC 5246, E.2), from its header on.
    pub fn read_ssl2(message: &[u8]) -> Self {
        let mut hello = Self::default();
        let mut cursor = Cursor::new(message);
        hello.ssl2(&mut cursor);
        hello.truncated = cursor.short;
        hello
    }

    fn ssl2(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.take(3)?;
        self.legacy_version = Version(cursor.u16()?);
        let (specs, id, challenge) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        let mut specs = Cursor::new(cursor.take(usize::from(specs))?);
        while let Some(spec) = specs.u24() {
            // Those of SSL 2 itself have a first byte.
            if let Ok(suite) = u16::try_from(spec) {
                self.suites.push(Suite(suite));
            }
        }
        self.session_id = cursor.take(usize::from(id))?.iter().copied().take(32).collect();
        let challenge = cursor.take(usize::from(challenge))?;
        // Shorter challenges are padded in front (RFC 5246, E.2).
        let mut random = [0; 32];
        let at = random.len().checked_sub(challenge.len())?;
        random[at..].copy_from_slice(challenge);
        self.random = Some(random);
        Some(())
    }

    /// The newest version offered.
    pub fn newest(&self) -> Version {
        let newest = self.versions.iter().copied().filter(|v| !is_grease(v.0)).max_by_key(|v| v.rank());
        newest.unwrap_or(self.legacy_version)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A ClientHello's body with the given extensions.
    pub(in super::super) fn body(suites: &[u16], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = vec![3, 3];
        out.extend([7; 32]);
        out.push(0);
        out.extend(((suites.len() * 2) as u16).to_be_bytes());
        out.extend(suites.iter().flat_map(|s| s.to_be_bytes()));
        out.extend([1, 0]);
        let list: Vec<u8> = extensions
            .iter()
            .flat_map(|(n, b)| [&n.to_be_bytes()[..], &(b.len() as u16).to_be_bytes(), b].concat())
            .collect();
        out.extend((list.len() as u16).to_be_bytes());
        out.extend(list);
        out
    }

    pub(in super::super) fn sample() -> Vec<u8> {
        body(
            &[0x1a1a, 0x1301, 0xc02f],
            &[
                (0x2a2a, &[]),
                (0, b"\0\x0e\0\0\x0bexample.com"),
                (16, b"\0\x0c\x02h2\x08http/1.1"),
                (43, &[6, 0x3a, 0x3a, 3, 4, 3, 3]),
                (10, &[0, 4, 0x11, 0xec, 0, 29]),
                (13, &[0, 4, 4, 3, 8, 4]),
                (0xfe0d, &[0, 0, 1]),
            ],
        )
    }

    #[test]
    fn what_it_says() {
        let hello = ClientHello::read(&sample(), true);
        assert_eq!(hello.sni.as_deref(), Some("example.com"));
        assert_eq!(hello.alpn, ["h2", "http/1.1"]);
        assert_eq!(hello.newest(), Version(0x0304));
        assert_eq!(hello.suites, [Suite(0x1a1a), Suite(0x1301), Suite(0xc02f)]);
        assert_eq!(hello.groups, [0x11ec, 29]);
        assert_eq!(hello.signature_algorithms, [0x0403, 0x0804]);
        assert_eq!(hello.random, Some([7; 32]));
        assert!(hello.ech && !hello.truncated && !hello.early_data);
    }

    #[test]
    fn one_that_is_cut_off_gives_what_is_there() {
        let bytes = sample();
        let (mut named, mut before) = (false, 0);
        for n in 0..bytes.len() {
            let hello = ClientHello::read(&bytes[..n], false);
            assert!(hello.truncated);
            named |= hello.sni.is_some();
            assert!(!named || hello.sni.as_deref() == Some("example.com"), "half a name is no name");
            assert!(hello.extensions.len() >= before);
            before = hello.extensions.len();
        }
        assert!(named && before == 7);
    }

    #[test]
    fn ssl_2_form_of_a_newer_hello() {
        let mut old = vec![0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16, 0, 0, 5, 7, 0, 0xc0];
        old.extend([9; 16]);
        let hello = ClientHello::read_ssl2(&old);
        assert_eq!((hello.legacy_version, hello.suites), (Version(0x0301), vec![Suite(5)]));
        assert_eq!(hello.random.map(|r| (r[15], r[16])), Some((0, 9)));
        assert!(!hello.truncated);
    }

    #[test]
    fn names_that_are_none_are_escaped() {
        let hello = ClientHello::read(&body(&[0x1301], &[(0, b"\0\x06\0\0\x03a\x1b\xff")]), true);
        assert_eq!(hello.sni.as_deref(), Some("a\\x1b\\xff"));
    }
}
