//! What a server answers (RFC 8446, 4.1.3, 4.3; RFC 5246, 7.4.1.3).
//!
//! Takes the bodies of ServerHello and EncryptedExtensions, gives what was chosen. A HelloRetryRequest is told from a
//! true ServerHello. Never keeps the bytes.

use super::bytes::Cursor;
use super::client_hello::extension;
use super::names::{Suite, Version, text};

/// The random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Extensions kept; real servers send fewer than ten.
const MOST: usize = 64;

/// What the server chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version field.
    pub legacy_version: Version,
    /// The version chosen: `supported_versions` where it is there, else the field.
    pub version: Version,
    /// The random.
    pub random: [u8; 32],
    /// The session id: that of the client where a TLS 1.2 session is resumed.
    pub session_id: Vec<u8>,
    /// The suite chosen.
    pub suite: Suite,
    /// Extension numbers, in order.
    pub extensions: Vec<u16>,
    /// The application protocol chosen, where it is visible (TLS 1.2 and older).
    pub alpn: Option<String>,
    /// A HelloRetryRequest: the client will say hello again.
    pub retry: bool,
    /// A TLS 1.3 ticket was taken: the session is resumed.
    pub psk: bool,
    /// RFC 7366
    pub encrypt_then_mac: bool,
    /// RFC 7627
    pub extended_master_secret: bool,
}

impl ServerHello {
    /// Reads the body of the message; `None` when it ends before the suite.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = Version(cursor.u16()?);
        let random = cursor.random()?;
        // Drafts of TLS 1.3 before the 22nd had neither session id nor compression method.
        let early_draft = legacy_version.draft().is_some();
        let session_id =
            if early_draft { Vec::new() } else { cursor.vec8()?.rest().iter().copied().take(32).collect() };
        let suite = Suite(cursor.u16()?);
        if !early_draft {
            cursor.u8()?;
        }
        let mut hello = Self {
            legacy_version,
            version: legacy_version,
            random,
            session_id,
            suite,
            retry: random == RETRY,
            ..Self::default()
        };
        if let Some(mut extensions) = cursor.vec16() {
            while let (Some(number), true) = (extensions.u16(), hello.extensions.len() < MOST) {
                hello.extensions.push(number);
                let Some(body) = extensions.vec16() else { break };
                hello.extension(number, body);
            }
        }
        Some(hello)
    }

    fn extension(&mut self, number: u16, mut body: Cursor<'_>) -> Option<()> {
        match number {
            extension::SUPPORTED_VERSIONS => self.version = Version(body.u16()?),
            extension::ALPN => self.alpn = alpn(body),
            extension::PRE_SHARED_KEY => self.psk = true,
            extension::ENCRYPT_THEN_MAC => self.encrypt_then_mac = true,
            extension::EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
            _ => {}
        }
        Some(())
    }
}

/// What the server says under the handshake keys of TLS 1.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptedExtensions {
    /// The application protocol chosen.
    pub alpn: Option<String>,
    /// The client's 0-RTT data is taken.
    pub early_data: bool,
}

impl EncryptedExtensions {
    /// Reads the body of the message, as far as it makes sense.
    pub fn read(body: &[u8]) -> Self {
        let mut out = Self::default();
        if let Some(mut extensions) = Cursor::new(body).vec16() {
            while let Some(number) = extensions.u16() {
                let Some(body) = extensions.vec16() else { break };
                match number {
                    extension::ALPN => out.alpn = alpn(body),
                    extension::EARLY_DATA => out.early_data = true,
                    _ => {}
                }
            }
        }
        out
    }
}

fn alpn(mut body: Cursor<'_>) -> Option<String> {
    let name = body.vec16()?.vec8()?;
    (!name.short).then(|| text(name.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: [u8; 2], random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
        let mut out = version.to_vec();
        out.extend(random);
        out.extend([2, 5, 6, 0x13, 0x01, 0]);
        out.extend((extensions.len() as u16).to_be_bytes());
        out.extend(extensions);
        out
    }

    #[test]
    fn the_version_chosen_may_stand_in_an_extension() {
        let read = ServerHello::read(&hello([3, 3], [1; 32], &[0, 43, 0, 2, 3, 4, 0, 41, 0, 2, 0, 0])).unwrap();
        assert_eq!((read.version, read.legacy_version, read.suite), (Version::TLS13, Version::TLS12, Suite(0x1301)));
        assert!(read.psk && !read.retry);
        assert_eq!(read.extensions, [43, 41]);
        let read = ServerHello::read(&hello([3, 3], RETRY, &[0, 22, 0, 0, 0, 16, 0, 5, 0, 3, 2, b'h', b'2'])).unwrap();
        assert!(read.retry && read.encrypt_then_mac);
        assert_eq!(read.alpn.as_deref(), Some("h2"));
    }

    #[test]
    fn early_drafts_have_a_shorter_one() {
        let mut bytes = vec![0x7f, 18];
        bytes.extend([1; 32]);
        bytes.extend([0x13, 0x02, 0, 0]);
        let read = ServerHello::read(&bytes).unwrap();
        assert_eq!((read.version.to_string().as_str(), read.suite), ("TLS1.3-draft18", Suite(0x1302)));
    }

    #[test]
    fn one_without_a_suite_is_none() {
        let bytes = hello([3, 3], [1; 32], &[]);
        assert_eq!(ServerHello::read(&bytes[..38]), None);
        assert!(ServerHello::read(&bytes[..40]).is_some(), "SSL 3 has no extensions");
    }

    #[test]
    fn encrypted_extensions() {
        let read = EncryptedExtensions::read(&[0, 13, 0, 16, 0, 5, 0, 3, 2, b'h', b'2', 0, 42, 0, 0]);
        assert_eq!(read, EncryptedExtensions { alpn: Some("h2".into()), early_data: true });
        assert_eq!(EncryptedExtensions::read(&[9, 9, 0]), EncryptedExtensions::default());
    }
}
