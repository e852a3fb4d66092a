//! The ClientHello out of CRYPTO frames.
//!
//! Takes pieces in any order, also twice and overlapping; gives the message once it is whole, and what is there of it at any time. The bytes
//! that came first stay. Never holds more than [`MOST`] bytes or [`HOLES`] pieces.

use crate::proto::tls::{ClientHello, handshake};

/// Bytes of one hello that are held. Those with post-quantum keys have less than 2 KB, with many extensions less than 4 KB.
const MOST: usize = 16 << 10;

/// Pieces that do not touch. A browser that scatters its hello makes some ten.
const HOLES: usize = 64;

/// A ClientHello in the making.
#[derive(Debug, Default)]
pub struct Joined {
    bytes: Vec<u8>,
    /// What is there: sorted, disjoint, not touching.
    pieces: Vec<(usize, usize)>,
}

impl Joined {
    /// Bytes held.
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// A piece. False when it was let go over a limit.
    pub fn add(&mut self, offset: u64, piece: &[u8]) -> bool {
        let Some(start) = usize::try_from(offset).ok().filter(|start| *start <= MOST) else { return false };
        let end = start + piece.len();
        if end > MOST || (self.pieces.len() >= HOLES && !self.touches(start, end)) {
            return false;
        }
        if piece.is_empty() {
            return true;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let first = self.pieces.partition_point(|p| p.1 < start);
        let behind = self.pieces.partition_point(|p| p.0 <= end);
        let mut at = start;
        let mut merged = (start, end);
        for &(from, to) in self.pieces.get(first..behind).unwrap_or_default() {
            if at < from {
                copy(&mut self.bytes, at, from.min(end), piece, start);
            }
            at = at.max(to);
            merged = (merged.0.min(from), merged.1.max(to));
        }
        if at < end {
            copy(&mut self.bytes, at, end, piece, start);
        }
        self.pieces.splice(first..behind, [merged]);
        true
    }

    fn touches(&self, start: usize, end: usize) -> bool {
        self.pieces.iter().any(|p| p.0 <= end && start <= p.1)
    }

    /// What is there from the beginning on without a hole.
    fn front(&self) -> &[u8] {
        match self.pieces.first() {
            Some(&(0, end)) => self.bytes.get(..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The hello: whole, or `None` while something is missing (or when it is none).
    pub fn whole(&self) -> Option<ClientHello> {
        let (head, rest) = self.front().split_first_chunk::<4>()?;
        let body = rest.get(..length(head))?;
        (head[0] == handshake::kind::CLIENT_HELLO).then(|| ClientHello::read(body, true))
    }

    /// What the part says that is there.
    pub fn part(&self) -> Option<ClientHello> {
        let (head, rest) = self.front().split_first_chunk::<4>()?;
        let body = rest.get(..length(head));
        (head[0] == handshake::kind::CLIENT_HELLO).then(|| ClientHello::read(body.unwrap_or(rest), body.is_some()))
    }
}

fn copy(bytes: &mut [u8], from: usize, to: usize, piece: &[u8], start: usize) {
    if let (Some(into), Some(of)) = (bytes.get_mut(from..to), piece.get(from - start..to - start)) {
        into.copy_from_slice(of);
    }
}

/// 24 bits behind the message's type.
fn length(head: &[u8; 4]) -> usize {
    u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hello with a name, as its message.
    fn message() -> Vec<u8> {
        let name = b"api.example";
        let list = [&[0][..], &(name.len() as u16).to_be_bytes(), name].concat();
        let names = [&(list.len() as u16).to_be_bytes()[..], &list].concat();
        let extensions = [&[0, 0][..], &(names.len() as u16).to_be_bytes(), &names].concat();
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        [&[1, 0, 0, body.len() as u8][..], &body].concat()
    }

    proptest! {
        /// Any cut, any order, any piece twice: the same hello, and not before the last piece.
        #[test]
        fn pieces_in_any_order_make_the_hello(
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let message = message();
            let mut places: Vec<usize> = cuts.iter().map(|i| i.index(message.len())).collect();
            places.extend([0, message.len()]);
            places.sort_unstable();
            places.dedup();
            let pieces: Vec<(usize, usize)> = places.windows(2).map(|w| (w[0], w[1])).collect();
            let mut joined = Joined::default();
            let mut seen = vec![false; pieces.len()];
            for i in order.iter().map(|i| i.index(pieces.len())).chain(0..pieces.len()) {
                let (from, to) = pieces[i];
                prop_assert!(joined.add(from as u64, &message[from..to]));
                seen[i] = true;
                prop_assert_eq!(joined.whole().is_some(), seen.iter().all(|s| *s));
            }
            let name = joined.whole().and_then(|h| h.sni);
            prop_assert_eq!(name.as_deref(), Some("api.example"));
        }

        #[test]
        fn any_pieces_stay_bounded(pieces in proptest::collection::vec((0_u64..20_000, 0_usize..300), 0..400)) {
            let mut joined = Joined::default();
            for (offset, n) in pieces {
                joined.add(offset, &vec![1; n]);
                prop_assert!(joined.pieces.len() <= HOLES + 1 && joined.bytes.len() <= MOST);
                prop_assert!(joined.pieces.windows(2).all(|w| w[0].1 < w[1].0));
            }
            joined.part();
        }
    }

    #[test]
    fn a_part_says_what_it_has() {
        let message = message();
        let mut joined = Joined::default();
        assert!(joined.add(0, &message[..message.len() - 1]));
        assert!(joined.whole().is_none());
        assert!(joined.part().unwrap().truncated);
        assert!(!joined.add(u64::MAX, b"x") && !joined.add(MOST as u64, b"x"));
    }
}
