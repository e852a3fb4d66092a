//! The streams of one HTTP/2 connection that are not over.
//!
//! Takes stream identifiers, gives what is known of each. Sorted by identifier, so that whatever goes through all of them
//! does so in the same order each time. Also knows which streams were never seen: those that a hole in the client's
//! direction may have opened. Never larger than the limit that its caller asks it about.

use super::carried::{Carried, Wanted};
use crate::proto::body::Decoder;

/// Holes among the streams that are remembered.
const HOLES: usize = 16;

/// A stream.
pub(in crate::exchange) struct Stream {
    pub id: u32,
    /// Its exchange.
    pub exchange: u32,
    /// A final response's head was seen, or must have been.
    pub headed: bool,
    /// The status of that head is known.
    pub status: bool,
    /// Its request came with HTTP/1 and asked for the upgrade.
    pub upgraded: bool,
    /// Some of its frames may have been lost: perhaps it is over already.
    pub unsure: bool,
    /// What its CONNECT asks for, until that is granted.
    pub wanted: Wanted,
    /// What it carries since.
    pub carried: Option<Carried>,
    /// Decoders of the request's and of the response's body.
    pub decoders: [Option<Box<Decoder>>; 2],
}

impl Stream {
    pub(super) fn new(id: u32, exchange: u32) -> Self {
        let decoders = [None, None];
        Self {
            id,
            exchange,
            headed: false,
            status: false,
            upgraded: false,
            unsure: false,
            wanted: Wanted::Nothing,
            carried: None,
            decoders,
        }
    }
}

/// The table.
#[derive(Default)]
pub(in crate::exchange) struct Streams {
    all: Vec<Stream>,
    /// Highest identifier that the client has used, and the server.
    highest: [u32; 2],
    /// The client may have opened streams beyond the highest one.
    lost: bool,
    /// The server may have promised streams beyond the highest one.
    promises_lost: bool,
    /// Streams that the client may have opened although nobody saw it: first and last.
    holes: Vec<(u32, u32)>,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Where a stream is.
    #[inline]
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        self.all.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Stream> {
        self.all.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Stream> {
        self.all.get_mut(at)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.all.iter_mut()
    }

    /// May a stream of this identifier be opened now? The client's are odd, the server's even, and each is higher than
    /// those before (RFC 9113, 5.1.1).
    pub(super) fn is_new(&self, id: u32) -> bool {
        id > self.highest[usize::from(id.is_multiple_of(2))]
    }

    /// A new stream.
    pub(super) fn open(&mut self, stream: Stream) {
        self.used(stream.id);
        let at = self.all.partition_point(|other| other.id < stream.id);
        self.all.insert(at, stream);
    }

    /// Its identifier is used from now on.
    pub(super) fn used(&mut self, id: u32) {
        let highest = &mut self.highest[usize::from(id.is_multiple_of(2))];
        let before = *highest;
        if id <= before {
            return;
        }
        *highest = id;
        if !id.is_multiple_of(2) && std::mem::take(&mut self.lost) && id > before + 2 {
            if self.holes.len() == HOLES {
                self.holes.remove(0);
            }
            self.holes.push((before + 1, id - 1));
        }
    }

    /// A stream whose request was not seen, but whose response was: known from now on.
    pub(super) fn found(&mut self, stream: Stream) {
        let at = self.all.partition_point(|other| other.id < stream.id);
        self.all.insert(at, stream);
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<Stream> {
        (at < self.all.len()).then(|| self.all.remove(at))
    }

    /// The client's direction (or the server's) has a hole: streams may have been opened in it.
    pub(super) fn hole(&mut self, client: bool) {
        if client {
            self.lost = true;
        } else {
            self.promises_lost = true;
        }
        for stream in &mut self.all {
            stream.unsure = true;
        }
    }

    /// Have all streams that were ever opened been seen?
    pub(super) fn is_whole(&self) -> bool {
        !self.lost
    }

    /// May a request have opened this stream that is not in the capture?
    pub(super) fn may_be_unseen(&self, id: u32) -> bool {
        if id.is_multiple_of(2) {
            return self.promises_lost && self.is_new(id);
        }
        self.lost && self.is_new(id) || self.holes.iter().any(|(first, last)| (first..=last).contains(&&id))
    }

    /// The oldest stream that may be over already.
    pub(super) fn oldest_unsure(&self) -> Option<usize> {
        self.all.iter().position(|stream| stream.unsure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_among_the_streams() {
        let mut streams = Streams::default();
        assert!(streams.is_new(1) && streams.is_new(2) && !streams.may_be_unseen(1));
        streams.open(Stream::new(5, 0));
        assert!(!streams.is_new(3) && streams.is_new(7) && streams.is_new(2));
        assert!(!streams.may_be_unseen(3), "a client may leave numbers out");
        streams.hole(true);
        assert!(!streams.may_be_unseen(3) && streams.may_be_unseen(7) && !streams.is_whole());
        streams.open(Stream::new(11, 1));
        assert!(streams.may_be_unseen(7) && streams.may_be_unseen(9));
        assert!(!streams.may_be_unseen(5) && !streams.may_be_unseen(11) && !streams.may_be_unseen(13));
        streams.open(Stream::new(2, 2));
        assert_eq!(streams.iter_mut().map(|s| s.id).collect::<Vec<_>>(), [2, 5, 11]);
        assert_eq!(streams.oldest_unsure(), streams.find(5));
    }
}
