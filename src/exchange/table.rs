//! The exchanges that are not over yet, of all connections.
//!
//! Takes exchanges, gives them back by number; a connection keeps only numbers. Freed places are used again, so that
//! the steady state allocates nothing, and an idle connection costs nothing here. Never looks into an exchange.

use super::observer::Partial;
use crate::base::Timestamp;
use crate::proto::grpc::Call;

/// No exchange.
pub(super) const NOBODY: u32 = u32::MAX;

/// A stream offset that is not known.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// An unknown number of requests.
pub(super) const UNCOUNTED: u32 = u32::MAX;

/// One exchange, or (in a queue) a hole in which requests were lost.
pub(super) struct Exchange<R> {
    /// What the observer keeps of it; `None` in a hole.
    pub request: Option<R>,
    /// The next one in its connection's queue.
    pub next: u32,
    /// Requests lost here: 0 for an exchange, [`UNCOUNTED`] for a hole in the capture.
    pub lost: u32,
    /// Interim responses seen.
    pub interim: u32,
    /// Why it is not whole.
    pub partial: Partial,
    /// No byte of the request is missing any more, or none will come.
    pub request_done: bool,
    /// The same for the response.
    pub response_done: bool,
    /// The method is HEAD.
    pub head: bool,
    /// The method is CONNECT.
    pub connect: bool,
    /// Came when it was already known that the server's direction has a hole: its response lies behind.
    pub behind_hole: bool,
    /// All requests before it had been answered when it was sent: its response begins at [`Exchange::acked`].
    pub alone: bool,
    /// Of a hole: a response to it was seen.
    pub answered: bool,
    /// Offset of the request's first byte.
    pub start: u64,
    /// Offset behind its last byte, [`UNKNOWN`] while it lasts.
    pub end: u64,
    /// How far the client had received the server's direction when it sent the (last bytes of the) request, or
    /// [`UNKNOWN`].
    pub acked: u64,
    /// When the first byte (of whatever was seen first) came.
    pub started: Timestamp,
    /// When the last byte of the request came that came before the response.
    pub asked: Option<Timestamp>,
    /// When the first byte of the response came.
    pub answered_at: Option<Timestamp>,
    /// Body bytes.
    pub request_body: u64,
    /// Body bytes.
    pub response_body: u64,
    /// Its request stands for messages behind a handshake that is over.
    pub apart: bool,
    /// It is a gRPC call: what was found of it.
    pub grpc: Option<Box<Call>>,
}

impl<R> Exchange<R> {
    /// Nothing known yet.
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            request: None,
            next: NOBODY,
            lost: 0,
            interim: 0,
            partial: Partial::default(),
            request_done: false,
            response_done: false,
            head: false,
            connect: false,
            behind_hole: false,
            alone: false,
            answered: false,
            start: UNKNOWN,
            end: UNKNOWN,
            acked: UNKNOWN,
            started,
            asked: None,
            answered_at: None,
            request_body: 0,
            response_body: 0,
            apart: false,
            grpc: None,
        }
    }

    /// Is it a hole?
    pub(super) fn is_hole(&self) -> bool {
        self.lost > 0
    }
}

/// Places for exchanges.
pub(super) struct Table<R> {
    places: Vec<Exchange<R>>,
    /// First free place; free places are linked by `next`.
    free: u32,
    used: usize,
}

impl<R> Table<R> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: NOBODY, used: 0 }
    }

    /// Exchanges in it.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// When the oldest of them began. Looks at all places.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.places.iter().filter(|p| p.request.is_some() && !p.apart).map(|p| p.started).min()
    }

    pub(super) fn insert(&mut self, exchange: Exchange<R>) -> u32 {
        self.used += 1;
        if let Some(place) = self.places.get_mut(self.free as usize) {
            let number = self.free;
            self.free = place.next;
            *place = exchange;
            return number;
        }
        self.places.push(exchange);
        (self.places.len() - 1) as u32
    }

    /// The exchange with a number that [`Table::insert`] gave and [`Table::remove`] has not taken back.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &Exchange<R> {
        &self.places[number as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut Exchange<R> {
        &mut self.places[number as usize]
    }

    /// Frees its place.
    pub(super) fn remove(&mut self, number: u32) {
        let place = &mut self.places[number as usize];
        (place.request, place.grpc) = (None, None);
        place.next = self.free;
        self.free = number;
        self.used -= 1;
    }
}

/// The requests of one connection that wait for their responses, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub first: u32,
    last: u32,
    pub len: u32,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { first: NOBODY, last: NOBODY, len: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The youngest.
    pub(super) fn last(&self) -> Option<u32> {
        (self.len > 0).then_some(self.last)
    }

    /// The oldest.
    #[inline]
    pub(super) fn front(&self) -> Option<u32> {
        (self.len > 0).then_some(self.first)
    }

    pub(super) fn push<R>(&mut self, table: &mut Table<R>, number: u32) {
        if self.len == 0 {
            self.first = number;
        } else {
            table.get_mut(self.last).next = number;
        }
        self.last = number;
        self.len += 1;
    }

    /// Takes the oldest out; it stays in the table.
    pub(super) fn pop<R>(&mut self, table: &mut Table<R>) -> Option<u32> {
        let number = self.front()?;
        self.first = std::mem::replace(&mut table.get_mut(number).next, NOBODY);
        self.len -= 1;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut table = Table::<u8>::new();
        let a = table.insert(Exchange::new(Timestamp(1)));
        let b = table.insert(Exchange::new(Timestamp(2)));
        table.remove(a);
        table.remove(b);
        assert_eq!(table.len(), 0);
        assert_eq!(table.insert(Exchange::new(Timestamp(3))), b);
        assert_eq!(table.insert(Exchange::new(Timestamp(4))), a);
        assert_eq!(table.insert(Exchange::new(Timestamp(5))), 2);
    }

    #[test]
    fn first_in_first_out() {
        let mut table = Table::<u8>::new();
        let mut queue = Queue::new();
        let numbers: Vec<_> = (0..3).map(|n| table.insert(Exchange::new(Timestamp(n)))).collect();
        for &n in &numbers {
            queue.push(&mut table, n);
        }
        assert_eq!(queue.last(), Some(numbers[2]));
        assert_eq!(std::iter::from_fn(|| queue.pop(&mut table)).collect::<Vec<_>>(), numbers);
        assert!(queue.is_empty());
    }
}
