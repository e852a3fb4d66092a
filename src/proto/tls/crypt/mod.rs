//! All cryptography of this program.
//!
//! Takes secrets and records, gives plaintext. The key schedules (HKDF of TLS 1.3, PRF of TLS 1.2) are those of rustls.
//! Records are opened by `ring`, which is what rustls' provider calls as well: rustls' own key type holds keys of 32
//! bytes only, so that AES-128 could not be given to it. What neither has is RustCrypto's: AES-CBC and AES-CCM, for the
//! suites of TLS 1.2 (and two of TLS 1.3) that still need them, and RC4 is forty lines. Nothing here encrypts, draws random numbers or
//! verifies identities; timing does not matter, since nobody gets an answer from a listener. The same holds for `rsa`, whose
//! advisory (RUSTSEC-2023-0071, Marvin) is about an attacker who measures answers.

mod cbc;
mod mac;
mod rc4;
mod rsa;
mod schedule;

pub use rsa::RsaKey;
pub use schedule::{master_secret, next_traffic_secret, tls12_openers, tls13_opener, transcript_hash};

use aes::{Aes128, Aes256};
use ccm::aead::AeadInPlace;
use ccm::consts::{U8, U12, U16};
use ccm::{Ccm, KeyInit};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

use self::cbc::Cbc;
use self::mac::Mac;
use self::rc4::Rc4;
use super::names::Suite;
use super::plain::Plain;
use super::record::{Header, Record, content};
use super::suites;

/// How a suite protects records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    /// Key size and tag size.
    Ccm(usize, usize),
    /// Key size and MAC.
    Cbc(usize, Mac),
    Rc4(Mac),
    /// With a key of 40 bits, stretched (RFC 2246, 6.3.1).
    Rc4Export(Mac),
}

/// The hash of a suite's key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
}

/// What has to be known of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher {
    bulk: Bulk,
    /// The hash of its key schedule.
    pub hash: Hash,
    /// The premaster secret comes encrypted with the server's RSA key.
    pub rsa_key_exchange: bool,
}

impl Cipher {
    /// By a suite's name. `None` for what cannot be decrypted here (DES, Camellia, ARIA, NULL and the like).
    pub fn of(suite: Suite) -> Option<Self> {
        let name = suites::name(suite.0)?;
        let hash = if name.ends_with("_SHA384") { Hash::Sha384 } else { Hash::Sha256 };
        let key = match name {
            _ if name.contains("_AES_128_") => 16,
            _ if name.contains("_AES_256_") => 32,
            _ => 0,
        };
        let bulk = match key {
            _ if name.ends_with("_CHACHA20_POLY1305_SHA256") => Bulk::ChaCha20Poly1305,
            0 if name.ends_with("_WITH_RC4_128_SHA") => Bulk::Rc4(Mac::Sha1),
            0 if name.ends_with("_WITH_RC4_128_MD5") => Bulk::Rc4(Mac::Md5),
            0 if name == "TLS_RSA_EXPORT_WITH_RC4_40_MD5" => Bulk::Rc4Export(Mac::Md5),
            0 => return None,
            16 if name.contains("_GCM_") => Bulk::Aes128Gcm,
            _ if name.contains("_GCM_") => Bulk::Aes256Gcm,
            _ if name.contains("_CCM_8") => Bulk::Ccm(key, 8),
            _ if name.contains("_CCM") => Bulk::Ccm(key, 16),
            _ if name.ends_with("_CBC_SHA") => Bulk::Cbc(key, Mac::Sha1),
            _ if name.ends_with("_CBC_SHA256") => Bulk::Cbc(key, Mac::Sha256),
            _ if name.ends_with("_CBC_SHA384") => Bulk::Cbc(key, Mac::Sha384),
            _ => return None,
        };
        Some(Self { bulk, hash, rsa_key_exchange: name.starts_with("TLS_RSA_WITH_") })
    }

    fn key_size(self) -> usize {
        match self.bulk {
            Bulk::Aes128Gcm | Bulk::Rc4(_) => 16,
            Bulk::Rc4Export(_) => 5,
            Bulk::Aes256Gcm | Bulk::ChaCha20Poly1305 => 32,
            Bulk::Ccm(key, _) | Bulk::Cbc(key, _) => key,
        }
    }

    fn mac_size(self) -> usize {
        match self.bulk {
            Bulk::Cbc(_, mac) | Bulk::Rc4(mac) | Bulk::Rc4Export(mac) => mac.size(),
            _ => 0,
        }
    }

    /// Bytes of the key block that make the fixed part of the nonce (TLS 1.2).
    fn salt_size(self) -> usize {
        match self.bulk {
            Bulk::Aes128Gcm | Bulk::Aes256Gcm | Bulk::Ccm(..) => 4,
            Bulk::ChaCha20Poly1305 => 12,
            Bulk::Cbc(..) | Bulk::Rc4(_) | Bulk::Rc4Export(_) => 0,
        }
    }
}

/// A record, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What it carries (the inner type of TLS 1.3).
    pub kind: u8,
    /// Its plaintext begins so many bytes behind the beginning of the payload.
    pub from: usize,
    /// Its plaintext is so many bytes.
    pub length: usize,
}

enum Aead {
    Ring(Box<LessSafeKey>),
    Ccm128(Box<Ccm<Aes128, U16, U12>>),
    Ccm256(Box<Ccm<Aes256, U16, U12>>),
    Ccm128Short(Box<Ccm<Aes128, U8, U12>>),
    Ccm256Short(Box<Ccm<Aes256, U8, U12>>),
}

impl Aead {
    fn new(bulk: Bulk, key: &[u8]) -> Option<Self> {
        let ring =
            |algorithm| UnboundKey::new(algorithm, key).ok().map(|key| Self::Ring(Box::new(LessSafeKey::new(key))));
        match bulk {
            Bulk::Aes128Gcm => ring(&aead::AES_128_GCM),
            Bulk::Aes256Gcm => ring(&aead::AES_256_GCM),
            Bulk::ChaCha20Poly1305 => ring(&aead::CHACHA20_POLY1305),
            Bulk::Ccm(16, 16) => Ccm::new_from_slice(key).ok().map(|key| Self::Ccm128(Box::new(key))),
            Bulk::Ccm(16, _) => Ccm::new_from_slice(key).ok().map(|key| Self::Ccm128Short(Box::new(key))),
            Bulk::Ccm(_, 16) => Ccm::new_from_slice(key).ok().map(|key| Self::Ccm256(Box::new(key))),
            Bulk::Ccm(..) => Ccm::new_from_slice(key).ok().map(|key| Self::Ccm256Short(Box::new(key))),
            Bulk::Cbc(..) | Bulk::Rc4(_) | Bulk::Rc4Export(_) => None,
        }
    }

    fn tag(&self) -> usize {
        if matches!(self, Self::Ccm128Short(_) | Self::Ccm256Short(_)) { 8 } else { 16 }
    }

    /// Opens in place; gives the length of the plaintext.
    fn open(&self, nonce: [u8; 12], aad: &[u8], buffer: &mut [u8]) -> Option<usize> {
        if let Self::Ring(key) = self {
            let nonce = Nonce::assume_unique_for_key(nonce);
            return key.open_in_place(nonce, Aad::from(aad), buffer).ok().map(|plain| plain.len());
        }
        let length = buffer.len().checked_sub(self.tag())?;
        let (text, tag) = buffer.split_at_mut(length);
        let nonce = &nonce.into();
        match self {
            Self::Ring(_) => None,
            Self::Ccm128(key) => key.decrypt_in_place_detached(nonce, aad, text, (&*tag).into()).ok(),
            Self::Ccm256(key) => key.decrypt_in_place_detached(nonce, aad, text, (&*tag).into()).ok(),
            Self::Ccm128Short(key) => key.decrypt_in_place_detached(nonce, aad, text, (&*tag).into()).ok(),
            Self::Ccm256Short(key) => key.decrypt_in_place_detached(nonce, aad, text, (&*tag).into()).ok(),
        }
        .map(|()| length)
    }
}

enum How {
    /// TLS 1.3.
    Tls13 { aead: Aead, iv: [u8; 12], header: bool },
    /// TLS 1.2 with the second part of the nonce in the record.
    Explicit { aead: Aead, salt: [u8; 4] },
    /// TLS 1.2 with the sequence number as the second part (RFC 7905).
    Implicit { aead: Aead, iv: [u8; 12] },
    /// TLS 1.2, block ciphers.
    Cbc(Cbc),
    /// TLS 1.2, RC4: forbidden (RFC 7465), and still met.
    Rc4(Rc4),
}

/// Opens the records of one direction under one key.
pub struct Opener(How);

impl Opener {
    /// Bytes that a record's payload is longer than its plaintext; `None` where that differs from record to record.
    pub fn overhead(&self) -> Option<usize> {
        match &self.0 {
            How::Tls13 { aead, .. } => Some(aead.tag() + 1),
            How::Explicit { aead, .. } => Some(aead.tag() + 8),
            How::Implicit { aead, .. } => Some(aead.tag()),
            How::Rc4(rc4) => Some(rc4.overhead()),
            How::Cbc(_) => None,
        }
    }

    /// Opens the record with this sequence number into `out`, which is overwritten. `None`: another key, another
    /// number, or damaged.
    pub fn open(&mut self, sequence: u64, record: Record<'_>, out: &mut Plain) -> Option<Opened> {
        let opened = self.open_here(sequence, record.header(), out.copy(record))?;
        out.begins(opened.from, false);
        Some(opened)
    }

    /// Opens the record that lies joined in `place`; where that fails, its payload is spoilt.
    pub fn open_joined(&mut self, sequence: u64, header: Header, place: &mut Plain) -> Option<Opened> {
        let opened = self.open_here(sequence, header, place.joined())?;
        place.begins(opened.from, true);
        Some(opened)
    }

    /// Opens a payload where it lies.
    fn open_here(&mut self, sequence: u64, header: Header, body: &mut [u8]) -> Option<Opened> {
        match &mut self.0 {
            How::Tls13 { aead, iv, header: authenticated } => {
                if header.kind != content::APPLICATION_DATA {
                    return None;
                }
                let [high, low] = u16::try_from(body.len()).ok()?.to_be_bytes();
                // The version of the outer record is part of what is authenticated, as it was sent.
                let [major, minor] = header.version.to_be_bytes();
                let header: &[u8] = if *authenticated { &[header.kind, major, minor, high, low] } else { &[] };
                let length = aead.open(nonce(iv, sequence), header, body)?;
                // RFC 8446, 5.4: zeros behind the type are padding.
                let end = body.get(..length)?.iter().rposition(|byte| *byte != 0)?;
                Some(Opened { kind: *body.get(end)?, from: 0, length: end })
            }
            How::Explicit { aead, salt } => {
                let (explicit, text) = body.split_at_mut_checked(8)?;
                let mut nonce = [0; 12];
                nonce[..4].copy_from_slice(salt);
                nonce[4..].copy_from_slice(explicit);
                let length = text.len().checked_sub(aead.tag())?;
                let length = aead.open(nonce, &additional(sequence, header, length)?, text)?;
                Some(Opened { kind: header.kind, from: 8, length })
            }
            How::Implicit { aead, iv } => {
                let length = body.len().checked_sub(aead.tag())?;
                let length = aead.open(nonce(iv, sequence), &additional(sequence, header, length)?, body)?;
                Some(Opened { kind: header.kind, from: 0, length })
            }
            How::Cbc(cbc) => {
                let text = cbc.open(sequence, header, body)?;
                Some(Opened { kind: header.kind, from: text.start, length: text.len() })
            }
            How::Rc4(rc4) => {
                let length = rc4.open(sequence, header, body)?;
                Some(Opened { kind: header.kind, from: 0, length })
            }
        }
    }
}

impl Drop for How {
    fn drop(&mut self) {
        match self {
            Self::Tls13 { iv, .. } | Self::Implicit { iv, .. } => iv.zeroize(),
            Self::Explicit { salt, .. } => salt.zeroize(),
            // Its keys wipe themselves.
            Self::Cbc(_) | Self::Rc4(_) => {}
        }
    }
}

/// RFC 8446, 5.3: the sequence number, padded in front, over the IV.
fn nonce(iv: &[u8; 12], sequence: u64) -> [u8; 12] {
    let mut nonce = *iv;
    for (byte, s) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= s;
    }
    nonce
}

/// RFC 5246, 6.2.3.3: what is authenticated beside the record.
fn additional(sequence: u64, header: Header, length: usize) -> Option<[u8; 13]> {
    let mut out = [0; 13];
    let (first, rest) = out.split_at_mut(8);
    first.copy_from_slice(&sequence.to_be_bytes());
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let [major, minor] = header.version.to_be_bytes();
    rest.copy_from_slice(&[header.kind, major, minor, high, low]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_known_by_their_names() {
        let of = |n| Cipher::of(Suite(n));
        let cipher = of(0x1301).unwrap();
        assert_eq!((cipher.bulk, cipher.hash), (Bulk::Aes128Gcm, Hash::Sha256));
        assert_eq!(of(0x1305).unwrap().bulk, Bulk::Ccm(16, 8));
        assert_eq!(
            of(0xc030).map(|c| (c.bulk, c.hash, c.rsa_key_exchange)),
            Some((Bulk::Aes256Gcm, Hash::Sha384, false))
        );
        assert_eq!(of(0x003d).map(|c| (c.bulk, c.rsa_key_exchange)), Some((Bulk::Cbc(32, Mac::Sha256), true)));
        assert_eq!(of(0xcca8).unwrap().bulk, Bulk::ChaCha20Poly1305);
        assert_eq!(of(0xc028).map(|c| (c.bulk, c.hash)), Some((Bulk::Cbc(32, Mac::Sha384), Hash::Sha384)));
        assert_eq!(of(0x0005).unwrap().bulk, Bulk::Rc4(Mac::Sha1));
        for none in [0x0006, 0x000a, 0x0041, 0xc050, 0x003b, 0x00ff, 0x0a0a] {
            assert_eq!(of(none), None, "{none:04x}");
        }
    }

    /// Records sealed with ring are opened, with every wrong number refused.
    #[test]
    fn records_of_each_kind_open_with_their_number_only() {
        let plain = b"GET / HTTP/1.1\r\n";
        for (bulk, algorithm, size) in [
            (Bulk::Aes128Gcm, &aead::AES_128_GCM, 16),
            (Bulk::Aes256Gcm, &aead::AES_256_GCM, 32),
            (Bulk::ChaCha20Poly1305, &aead::CHACHA20_POLY1305, 32),
        ] {
            let key = vec![7; size];
            let seal = |nonce, aad: &[u8], text: &[u8]| {
                let mut out = text.to_vec();
                let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap());
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out).unwrap();
                out
            };
            let open = |how: &mut Opener, seq, body: &[u8]| {
                let mut out = Plain::default();
                let record = Record { kind: 23, version: 0x0303, body };
                let copied =
                    how.open(seq, record, &mut out).map(|opened| (opened.kind, out.text(opened.length).to_vec()));
                // Joined: with its header.
                *out.buffer() = [&[23, 3, 3, 0, 0], body].concat();
                let joined = how.open_joined(seq, record.header(), &mut out);
                assert_eq!(copied, joined.map(|opened| (opened.kind, out.text(opened.length).to_vec())));
                copied
            };
            let aead = || Aead::new(bulk, &key).unwrap();
            let mut new = Opener(How::Tls13 { aead: aead(), iv: [9; 12], header: true });
            let text = [&plain[..], &[23, 0, 0, 0]].concat();
            let body = seal(nonce(&[9; 12], 5), &[23, 3, 3, 0, (text.len() + 16) as u8], &text);
            assert_eq!(open(&mut new, 5, &body), Some((23, plain.to_vec())), "padding is taken off");
            assert_eq!(open(&mut new, 6, &body), None);
            assert_eq!(open(&mut new, 5, &body[..body.len() - 1]), None);

            let aad = additional(5, Header { kind: 23, version: 0x0303 }, plain.len()).unwrap();
            let mut old = Opener(How::Explicit { aead: aead(), salt: [9; 4] });
            let body = [&[1; 8][..], &seal([9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1], &aad, plain)].concat();
            assert_eq!(open(&mut old, 5, &body), Some((23, plain.to_vec())));
            assert_eq!(open(&mut old, 4, &body), None);
            assert_eq!(open(&mut old, 4, &body[..7]), None);
            let mut implicit = Opener(How::Implicit { aead: aead(), iv: [9; 12] });
            assert_eq!(open(&mut implicit, 5, &seal(nonce(&[9; 12], 5), &aad, plain)), Some((23, plain.to_vec())));
        }
    }

    /// RFC 3610, packet vector 1 has another nonce size; so against the crate's own sealing.
    #[test]
    fn ccm_opens_what_ccm_seals() {
        let cipher = Ccm::<Aes128, U8, U12>::new_from_slice(&[7; 16]).unwrap();
        let mut out = b"text\x17".to_vec();
        let aad = [23, 3, 3, 0, 13];
        cipher.encrypt_in_place(&nonce(&[9; 12], 0).into(), &aad, &mut out).unwrap();
        let aead = Aead::new(Bulk::Ccm(16, 8), &[7; 16]).unwrap();
        let mut opener = Opener(How::Tls13 { aead, iv: [9; 12], header: true });
        let mut plain = Plain::default();
        let opened = opener.open(0, Record { kind: 23, version: 0x0303, body: &out }, &mut plain).unwrap();
        assert_eq!((opened.kind, plain.text(opened.length)), (23, &b"text"[..]));
    }
}
