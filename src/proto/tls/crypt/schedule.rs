//! From secrets to keys: the key schedules, computed by rustls.
//!
//! Takes secrets as key logs have them, gives what opens records. RFC 8446, 7.1–7.3 (HKDF) and RFC 5246, 5, 6.3, 8.1
//! (PRF); RFC 7627 for the extended master secret. Every secret made on the way is wiped.

use ring::digest;
use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
};
use rustls::crypto::tls12::Prf;
use rustls::crypto::tls13::{Hkdf, OkmBlock};
use rustls::{SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};
use zeroize::Zeroizing;

use super::cbc::Cbc;
use super::rc4::Rc4;
use super::{Aead, Bulk, Cipher, Hash, How, Opener};
use crate::proto::tls::Version;
use crate::proto::tls::keylog::Secret;

/// The longest key block: two MAC keys of 48 bytes, two keys of 32 and two IVs of 16 (RFC 5246, 6.3).
const KEY_BLOCK: usize = 192;

fn hkdf(hash: Hash) -> Option<&'static dyn Hkdf> {
    let suite = match hash {
        Hash::Sha256 => TLS13_AES_128_GCM_SHA256,
        Hash::Sha384 => TLS13_AES_256_GCM_SHA384,
    };
    match suite {
        SupportedCipherSuite::Tls13(Tls13CipherSuite { hkdf_provider, .. }) => Some(*hkdf_provider),
        _ => None,
    }
}

fn prf(hash: Hash) -> Option<&'static dyn Prf> {
    let suite = match hash {
        Hash::Sha256 => TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Hash::Sha384 => TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    };
    match suite {
        SupportedCipherSuite::Tls12(Tls12CipherSuite { prf_provider, .. }) => Some(*prf_provider),
        _ => None,
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
fn expand(hash: Hash, secret: &Secret, label: &[u8], out: &mut [u8]) -> Option<()> {
    let size = match hash {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
    };
    if secret.bytes().len() != size {
        return None;
    }
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = [u8::try_from(label.len() + 6).ok()?];
    let info: [&[u8]; 5] = [&length, &label_length, b"tls13 ", label, &[0]];
    hkdf(hash)?.expander_for_okm(&OkmBlock::new(secret.bytes())).expand_slice(&info, out).ok()
}

/// What opens the records under a traffic secret of TLS 1.3. `None` when the secret does not fit the suite.
pub fn tls13_opener(cipher: Cipher, version: Version, secret: &Secret) -> Option<Opener> {
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..cipher.key_size())?;
    expand(cipher.hash, secret, b"key", key)?;
    let mut iv = [0; 12];
    expand(cipher.hash, secret, b"iv", &mut iv)?;
    // Before draft 25 the header was not authenticated.
    let header = version.draft().is_none_or(|draft| draft >= 25);
    Some(Opener(How::Tls13 { aead: Aead::new(cipher.bulk, key)?, iv, header }))
}

/// The secret behind a KeyUpdate (RFC 8446, 7.2).
pub fn next_traffic_secret(cipher: Cipher, secret: &Secret) -> Option<Secret> {
    let mut next = Zeroizing::new([0; 64]);
    let next = next.get_mut(..secret.bytes().len())?;
    expand(cipher.hash, secret, b"traffic upd", next)?;
    Secret::new(next)
}

/// The master secret from the premaster secret; `session_hash` where the extended one was agreed on (RFC 7627, 4).
pub fn master_secret(
    cipher: Cipher,
    premaster: &Secret,
    randoms: (&[u8; 32], &[u8; 32]),
    session_hash: Option<&[u8]>,
) -> Option<Secret> {
    let mut out = Zeroizing::new([0; 48]);
    let (client, server) = randoms;
    match session_hash {
        Some(hash) => prf(cipher.hash)?.for_secret(&mut *out, premaster.bytes(), b"extended master secret", hash),
        None => {
            let seed = [&client[..], server].concat();
            prf(cipher.hash)?.for_secret(&mut *out, premaster.bytes(), b"master secret", &seed);
        }
    }
    Secret::new(&*out)
}

/// The hash of handshake messages.
pub fn transcript_hash(cipher: Cipher, messages: &[u8]) -> Vec<u8> {
    let algorithm = match cipher.hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
    };
    digest::digest(algorithm, messages).as_ref().to_vec()
}

/// What opens the client's and the server's records in TLS 1.2.
pub fn tls12_openers(
    cipher: Cipher,
    master: &Secret,
    randoms: (&[u8; 32], &[u8; 32]),
    encrypt_then_mac: bool,
) -> Option<(Opener, Opener)> {
    let (client, server) = randoms;
    let (mac, key, salt) = (cipher.mac_size(), cipher.key_size(), cipher.salt_size());
    let mut block = Zeroizing::new([0; KEY_BLOCK]);
    let block = block.get_mut(..2 * (mac + key + salt))?;
    let seed = [&server[..], client].concat();
    prf(cipher.hash)?.for_secret(block, master.bytes(), b"key expansion", &seed);
    let (macs, rest) = block.split_at_checked(2 * mac)?;
    let (keys, salts) = rest.split_at_checked(2 * key)?;
    let export = [&client[..], server].concat();
    let opener = |mac: &[u8], key: &[u8], salt: &[u8], label: &[u8]| {
        Some(Opener(match cipher.bulk {
            Bulk::Cbc(_, kind) => How::Cbc(Cbc::new(kind, mac, key, encrypt_then_mac)),
            Bulk::Rc4(kind) => How::Rc4(Rc4::new(kind, mac, key)),
            Bulk::Rc4Export(kind) => {
                let mut whole = Zeroizing::new([0; 16]);
                prf(cipher.hash)?.for_secret(&mut *whole, key, label, &export);
                How::Rc4(Rc4::new(kind, mac, &*whole))
            }
            Bulk::ChaCha20Poly1305 => How::Implicit { aead: Aead::new(cipher.bulk, key)?, iv: salt.try_into().ok()? },
            _ => How::Explicit { aead: Aead::new(cipher.bulk, key)?, salt: salt.try_into().ok()? },
        }))
    };
    let (client_mac, server_mac) = macs.split_at_checked(mac)?;
    let (client_key, server_key) = keys.split_at_checked(key)?;
    let (client_salt, server_salt) = salts.split_at_checked(salt)?;
    Some((
        opener(client_mac, client_key, client_salt, b"client write key")?,
        opener(server_mac, server_key, server_salt, b"server write key")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tls::Suite;

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 8448, 3: server handshake traffic secret, its key and IV.
    #[test]
    fn the_published_example() {
        let secret = Secret::new(&unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")).unwrap();
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand(Hash::Sha256, &secret, b"key", &mut key).unwrap();
        expand(Hash::Sha256, &secret, b"iv", &mut iv).unwrap();
        assert_eq!(key.to_vec(), unhex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv.to_vec(), unhex("5d313eb2671276ee13000b30"));
        let cipher = Cipher::of(Suite(0x1302)).unwrap();
        assert!(tls13_opener(cipher, Version::TLS13, &secret).is_none(), "SHA-384 needs a longer secret");
        assert!(next_traffic_secret(Cipher::of(Suite(0x1301)).unwrap(), &secret).is_some());
    }
}
