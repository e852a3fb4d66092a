//! The key exchange `TLS_RSA` of TLS 1.2 (RFC 5246, 7.4.7.1).
//!
//! Takes a server's private key, gives the premaster secrets that clients encrypted for it. Never signs, never answers.

use std::fmt;

use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use zeroize::Zeroizing;

use crate::proto::tls::keylog::Secret;

/// A private key. It is wiped when dropped and cannot be printed.
pub struct RsaKey(RsaPrivateKey);

impl RsaKey {
    /// Reads a key in PEM (PKCS #8 or PKCS #1).
    pub fn from_pem(pem: &str) -> Option<Self> {
        RsaPrivateKey::from_pkcs8_pem(pem).ok().or_else(|| RsaPrivateKey::from_pkcs1_pem(pem).ok()).map(Self)
    }

    /// The premaster secret in a ClientKeyExchange; `None` when it is for another key.
    pub(in super::super) fn premaster(&self, encrypted: &[u8]) -> Option<Secret> {
        let plain = Zeroizing::new(self.0.decrypt(Pkcs1v15Encrypt, encrypted).ok()?);
        if plain.len() == 48 { Secret::new(&plain) } else { None }
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey")
    }
}
