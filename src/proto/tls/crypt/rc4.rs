//! RC4 with HMAC (RFC 5246, 6.2.3.1): a stream cipher whose state goes on from record to record.
//!
//! Takes records in order, gives their plaintext when the MAC is right; a record that is refused changes nothing. Behind
//! a hole nothing can be read: the key stream's place is lost.

use zeroize::Zeroize;

use super::mac::{Mac, MacKey};
use crate::proto::tls::record::Header;

#[derive(Clone)]
struct State {
    table: [u8; 256],
    i: u8,
    j: u8,
}

impl State {
    fn new(key: &[u8]) -> Self {
        let mut table = [0; 256];
        (0..=255).zip(&mut table).for_each(|(n, place)| *place = n);
        let mut j = 0_u8;
        for (n, byte) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(table[n]).wrapping_add(*byte);
            table.swap(n, usize::from(j));
        }
        Self { table, i: 0, j: 0 }
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            let a = self.table[usize::from(self.i)];
            self.j = self.j.wrapping_add(a);
            let b = self.table[usize::from(self.j)];
            self.table.swap(usize::from(self.i), usize::from(self.j));
            *byte ^= self.table[usize::from(a.wrapping_add(b))];
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.table.zeroize();
    }
}

/// Keys of one direction.
pub(super) struct Rc4 {
    state: Box<State>,
    mac: MacKey,
}

impl Rc4 {
    pub(super) fn new(mac: Mac, mac_key: &[u8], key: &[u8]) -> Self {
        Self { state: Box::new(State::new(key)), mac: MacKey::new(mac, mac_key) }
    }

    pub(super) fn overhead(&self) -> usize {
        self.mac.size()
    }

    /// Opens in place: length of the plaintext, at the front.
    pub(super) fn open(&mut self, sequence: u64, header: Header, body: &mut [u8]) -> Option<usize> {
        let length = body.len().checked_sub(self.mac.size())?;
        let mut state = self.state.clone();
        state.apply(body);
        let (text, mac) = body.split_at_checked(length)?;
        self.mac.verify(sequence, header, text, mac)?;
        self.state = state;
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6229: key 0x0102030405060708090a0b0c0d0e0f10.
    #[test]
    fn the_published_example() {
        let key: Vec<u8> = (1..=16).collect();
        let mut stream = [0; 16];
        State::new(&key).apply(&mut stream);
        assert_eq!(stream, 0x9ac7_cc9a_609d_1ef7_b293_2899_cde4_1b97_u128.to_be_bytes());
    }
}
