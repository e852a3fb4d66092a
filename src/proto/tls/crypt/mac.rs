//! The MACs of TLS 1.2's older suites (RFC 5246, 6.2.3.1).
//!
//! Takes a key and what is authenticated, tells whether the MAC is right. SHA by `ring`; MD5, which only RC4 suites
//! have, by HMAC's own definition (RFC 2104).

use md5::{Digest, Md5};
use ring::hmac;
use zeroize::Zeroizing;

use super::additional;
use crate::proto::tls::record::Header;

/// The hash of the MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

impl Mac {
    pub(super) fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

enum Key {
    Ring(hmac::Key),
    /// Of 16 bytes: shorter than MD5's block.
    Md5(Zeroizing<Vec<u8>>),
}

/// A key.
pub(super) struct MacKey {
    key: Key,
    size: usize,
}

impl MacKey {
    pub(super) fn new(mac: Mac, key: &[u8]) -> Self {
        let ring = |algorithm| Key::Ring(hmac::Key::new(algorithm, key));
        let size = mac.size();
        let key = match mac {
            Mac::Md5 => Key::Md5(Zeroizing::new(key.to_vec())),
            Mac::Sha1 => ring(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Mac::Sha256 => ring(hmac::HMAC_SHA256),
            Mac::Sha384 => ring(hmac::HMAC_SHA384),
        };
        Self { key, size }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        match &self.key {
            Key::Ring(key) => {
                let mut context = hmac::Context::with_key(key);
                parts.iter().for_each(|part| context.update(part));
                context.sign().as_ref().to_vec()
            }
            Key::Md5(key) => {
                let pad = |byte: u8| {
                    let mut block = Zeroizing::new([byte; 64]);
                    block.iter_mut().zip(key.iter()).for_each(|(b, k)| *b ^= k);
                    block
                };
                let mut inner = Md5::new_with_prefix(*pad(0x36));
                parts.iter().for_each(|part| inner.update(part));
                Md5::new_with_prefix(*pad(0x5c)).chain_update(inner.finalize()).finalize().to_vec()
            }
        }
    }

    /// Is this the MAC of a record's text?
    pub(super) fn verify(&self, sequence: u64, header: Header, text: &[u8], mac: &[u8]) -> Option<()> {
        (self.sign(&[&additional(sequence, header, text.len())?, text]) == mac).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 1.
    #[test]
    fn the_published_examples() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let sign = |mac, key: &[u8]| hex(MacKey::new(mac, key).sign(&[b"Hi ", b"There"]));
        assert_eq!(sign(Mac::Md5, &[0x0b; 16]), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(sign(Mac::Sha1, &[0x0b; 20]), "b617318655057264e28bc0b6fb378c8ef146be00");
    }
}
