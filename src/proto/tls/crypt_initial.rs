//! The cryptography of QUIC Initial packets (RFC 9001, 5; RFC 9369, 3.3).
//!
//! Takes the version and connection id that are in the clear, gives the client's keys, which anybody can derive: Initial packets are
//! protected against accidents, not against readers. Removes header protection and opens the payload. Holds no secret of anyone's.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// A sample of ciphertext that masks the header (RFC 9001, 5.4.2).
const SAMPLE: usize = 16;
/// The longest packet number; the sample lies as if it had that length.
const NUMBER: usize = 4;

/// How a version of QUIC protects its Initial packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Drafts 23 to 28.
    Draft23,
    /// Drafts 29 to 32.
    Draft29,
    /// Version 1, and drafts 33 and 34.
    V1,
    /// Version 2.
    V2,
}

impl Protection {
    fn salt(self) -> [u8; 20] {
        match self {
            Self::Draft23 => [
                0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
                0xf9, 0xf5, 0x02,
            ],
            Self::Draft29 => [
                0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
                0x90, 0xa8, 0x99,
            ],
            Self::V1 => [
                0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
                0xbb, 0x7f, 0x0a,
            ],
            Self::V2 => [
                0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
                0xbd, 0x2e, 0xd9,
            ],
        }
    }

    /// Labels of key, initialisation vector and header protection.
    fn labels(self) -> [&'static [u8]; 3] {
        match self {
            Self::V2 => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
            _ => [b"quic key", b"quic iv", b"quic hp"],
        }
    }
}

/// So many bytes of key material.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_length = [u8::try_from(6 + label.len()).ok()?];
    let info = [&length[..], &label_length, b"tls13 ", label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// Key, initialisation vector, header protection.
fn material(protection: Protection, id: &[u8], side: &[u8]) -> Option<([u8; 16], [u8; 12], [u8; 16])> {
    let initial = Salt::new(HKDF_SHA256, &protection.salt()).extract(id);
    let secret = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(&initial, side)?);
    let [key, iv, hp] = protection.labels();
    Some((expand(&secret, key)?, expand(&secret, iv)?, expand(&secret, hp)?))
}

/// What opens the Initial packets of a client.
pub struct Opener {
    key: LessSafeKey,
    iv: [u8; 12],
    mask: HeaderProtectionKey,
}

impl Opener {
    /// From the destination connection id of the client's first packet (after a Retry: of the first one behind it).
    pub fn client(protection: Protection, id: &[u8]) -> Option<Self> {
        let (key, iv, hp) = material(protection, id, b"client in")?;
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv,
            mask: HeaderProtectionKey::new(&AES_128, &hp).ok()?,
        })
    }

    /// Opens `packet`, whose packet number begins at `number`, into `room`. Gives its frames, or `None` when it is not a packet of this
    /// client's.
    pub fn open<'a>(&self, packet: &[u8], number: usize, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let sample = packet.get(number + NUMBER..)?.get(..SAMPLE)?;
        let mask = self.mask.new_mask(sample).ok()?;
        room.clear();
        room.extend_from_slice(packet);
        let first = room.first_mut()?;
        *first ^= mask[0] & 0x0f; // a long header's four low bits
        let length = usize::from(*first & 3) + 1;
        let mut value = 0_u32;
        for (byte, mask) in room.get_mut(number..number + length)?.iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
            value = value << 8 | u32::from(*byte);
        }
        // Initial packets come first in their number space: what is sent of a number is all of it.
        let nonce = self.nonce(value);
        let (header, body) = room.split_at_mut_checked(number + length)?;
        let frames = self.key.open_in_place(nonce, Aad::from(&*header), body).ok()?;
        Some(frames)
    }

    fn nonce(&self, number: u32) -> Nonce {
        let mut nonce = self.iv;
        for (a, b) in nonce[8..].iter_mut().zip(number.to_be_bytes()) {
            *a ^= b;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Closes a packet, for tests: `header` ends with the packet number of two bytes that begins at `number`.
    #[cfg(test)]
    pub fn seal(&self, header: &[u8], number: usize, frames: &[u8]) -> Vec<u8> {
        let value = u32::from(u16::from_be_bytes([header[number], header[number + 1]]));
        let mut body = frames.to_vec();
        self.key.seal_in_place_append_tag(self.nonce(value), Aad::from(header), &mut body).expect("seals");
        let mut packet = [header, &body].concat();
        let mask = self.mask.new_mask(&packet[number + NUMBER..number + NUMBER + SAMPLE]).expect("a sample");
        packet[0] ^= mask[0] & 0x0f;
        packet[number] ^= mask[1];
        packet[number + 1] ^= mask[2];
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn keys_are_those_of_the_rfcs() {
        let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let of = |protection| {
            let (key, iv, hp) = material(protection, &id, b"client in").unwrap();
            (hex(&key), hex(&iv), hex(&hp))
        };
        // RFC 9001, A.1.
        let (key, iv, hp) = of(Protection::V1);
        assert_eq!(key, "1f369613dd76d5467730efcbe3b1a22d");
        assert_eq!(iv, "fa044b2f42a3fd3b46fb255c");
        assert_eq!(hp, "9f50449e04a0e810283a1e9933adedd2");
        // RFC 9369, A.1.
        let (key, iv, hp) = of(Protection::V2);
        assert_eq!(key, "8b1a0bc121284290a29e0971b5cd045d");
        assert_eq!(iv, "91f73e2351d8fa91660e909f");
        assert_eq!(hp, "45b95e15235d6f45a6b19cbcb0294ba9");
    }

    #[test]
    fn what_was_sealed_opens_and_what_was_touched_does_not() {
        let opener = Opener::client(Protection::V1, &[1; 8]).unwrap();
        let header = [&[0xc1, 0, 0, 0, 1, 8][..], &[1; 8], &[0, 0, 0x40, 60, 0, 7]].concat();
        let number = header.len() - 2;
        let packet = opener.seal(&header, number, &[9; 40]);
        let mut room = Vec::new();
        assert_eq!(opener.open(&packet, number, &mut room).unwrap(), [9; 40]);
        for n in 0..packet.len() {
            let mut other = packet.clone();
            other[n] ^= 0x10;
            assert!(opener.open(&other, number, &mut room).is_none() || n == 0, "byte {n}");
            assert!(opener.open(&packet[..n], number, &mut room).is_none());
        }
        assert!(Opener::client(Protection::V2, &[1; 8]).unwrap().open(&packet, number, &mut room).is_none());
    }
}
