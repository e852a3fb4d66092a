//! AES-CBC with HMAC (RFC 5246, 6.2.3.2), MAC-then-encrypt and encrypt-then-MAC (RFC 7366).
//!
//! Takes a record of TLS 1.2 (or 1.1, whose records are the same), gives its plaintext when padding and MAC are right.
//! Takes no care to hide which of the two was wrong: nobody asks.

use std::ops::Range;

use aes::{Aes128, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use zeroize::Zeroizing;

use super::mac::{Mac, MacKey};
use crate::proto::tls::record::Header;

/// AES blocks, and so its explicit IVs.
const BLOCK: usize = 16;

/// Keys of one direction.
pub(super) struct Cbc {
    key: Zeroizing<Vec<u8>>,
    mac: MacKey,
    encrypt_then_mac: bool,
}

impl Cbc {
    pub(super) fn new(mac: Mac, mac_key: &[u8], key: &[u8], encrypt_then_mac: bool) -> Self {
        Self { key: Zeroizing::new(key.to_vec()), mac: MacKey::new(mac, mac_key), encrypt_then_mac }
    }

    /// Opens in place: where the plaintext lies.
    pub(super) fn open(&self, sequence: u64, header: Header, body: &mut [u8]) -> Option<Range<usize>> {
        let body = if self.encrypt_then_mac {
            let (body, mac) = body.split_at_mut_checked(body.len().checked_sub(self.mac.size())?)?;
            self.mac.verify(sequence, header, body, mac)?;
            body
        } else {
            body
        };
        let (iv, text) = body.split_at_mut_checked(BLOCK)?;
        if text.is_empty() || text.len() % BLOCK != 0 {
            return None;
        }
        match self.key.len() {
            16 => decrypt::<Decryptor<Aes128>>(&self.key, iv, text),
            _ => decrypt::<Decryptor<Aes256>>(&self.key, iv, text),
        }?;
        // The last byte tells how many bytes of its own value lie before it.
        let padding = usize::from(*text.last()?);
        let end = text.len().checked_sub(padding + 1)?;
        if !text.get(end..)?.iter().all(|byte| usize::from(*byte) == padding) {
            return None;
        }
        if self.encrypt_then_mac {
            return Some(BLOCK..BLOCK + end);
        }
        let length = end.checked_sub(self.mac.size())?;
        let (text, mac) = text.get(..end)?.split_at_checked(length)?;
        self.mac.verify(sequence, header, text, mac)?;
        Some(BLOCK..BLOCK + length)
    }
}

fn decrypt<D: KeyIvInit + BlockDecryptMut>(key: &[u8], iv: &[u8], out: &mut [u8]) -> Option<()> {
    D::new_from_slices(key, iv).ok()?.decrypt_padded_mut::<NoPadding>(out).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::additional;
    use super::*;
    use cbc::Encryptor;
    use cbc::cipher::BlockEncryptMut;

    fn encrypt(key: &[u8], iv: &[u8; 16], mut text: Vec<u8>) -> Vec<u8> {
        let n = text.len();
        let out = match key.len() {
            16 => Encryptor::<Aes128>::new_from_slices(key, iv).unwrap().encrypt_padded_mut::<NoPadding>(&mut text, n),
            _ => Encryptor::<Aes256>::new_from_slices(key, iv).unwrap().encrypt_padded_mut::<NoPadding>(&mut text, n),
        };
        out.unwrap().to_vec()
    }

    fn mac_of(mac: Mac, sequence: u64, text: &[u8]) -> Vec<u8> {
        let head = additional(sequence, Header { kind: 23, version: 0x0303 }, text.len()).unwrap();
        MacKey::new(mac, &[3; 20]).sign(&[&head, text])
    }

    fn padded(mut text: Vec<u8>, extra: usize) -> Vec<u8> {
        let padding = 15 - text.len() % 16 + 16 * extra;
        text.extend(vec![padding as u8; padding + 1]);
        text
    }

    #[test]
    fn both_orders_of_mac_and_encryption() {
        for mac in [Mac::Sha1, Mac::Sha256, Mac::Sha384] {
            for key in [vec![1; 16], vec![2; 32]] {
                for length in [0, 1, 15, 16, 300] {
                    let (plain, iv) = (vec![b'x'; length], [4; 16]);
                    let first = [plain.clone(), mac_of(mac, 9, &plain)].concat();
                    let old = [&iv[..], &encrypt(&key, &iv, padded(first, length % 3))].concat();
                    let new = [&iv[..], &encrypt(&key, &iv, padded(plain.clone(), 1))].concat();
                    let new = [new.clone(), mac_of(mac, 9, &new)].concat();
                    for (body, encrypt_then_mac) in [(old, false), (new, true)] {
                        let cbc = Cbc::new(mac, &[3; 20], &key, encrypt_then_mac);
                        let open = |sequence, body: &[u8]| {
                            let mut out = body.to_vec();
                            let text = cbc.open(sequence, Header { kind: 23, version: 0x0303 }, &mut out)?;
                            Some(out[text].to_vec())
                        };
                        assert_eq!(open(9, &body), Some(plain.clone()));
                        assert_eq!(open(8, &body), None, "another number");
                        for n in 0..body.len() {
                            assert_eq!(open(9, &body[..n]), None, "cut at {n}");
                        }
                    }
                }
            }
        }
    }
}
