//! Shedding by flow.
//!
//! Takes exchanges on the way to an observer, lets through those of the flows that the present pressure leaves room for,
//! and counts the others. A flow is shed by the hash of its two ends, so that what is let through of a connection is
//! whole, and the same connections are let through on every sensor. Never queues.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::base::{FlowKey, Timestamp};
use crate::exchange::{BodyWish, Grpc, Messages, Observer, Outcome, QuicFlow, Sides, TlsSession, Unread};
use crate::proto::grpc::Seen;
use crate::proto::websocket::{Piece, Tally};
use crate::proto::{Fields, RequestHead, ResponseHead};
use crate::stream::Connection;

/// Parts that the flows are divided into.
pub(super) const PARTS: u64 = 16;

/// An observer behind a valve.
pub(super) struct Valve<O> {
    /// Who sees what is let through.
    pub(super) inner: O,
    /// How many of the [`PARTS`] are shed.
    closed: u64,
    /// Exchanges that were let through to their end.
    pub(super) passed: u64,
    /// Exchanges that were shed.
    pub(super) shed: u64,
    /// News of connections that could not be read, likewise.
    pub(super) unseen: u64,
}

impl<O> Valve<O> {
    pub(super) fn new(inner: O) -> Self {
        Self { inner, closed: 0, passed: 0, shed: 0, unseen: 0 }
    }

    /// Sheds one part more.
    pub(super) fn tighten(&mut self) {
        self.closed = (self.closed + 1).min(PARTS);
    }

    /// Sheds everything.
    pub(super) fn shut(&mut self) {
        self.closed = PARTS;
    }

    /// Sheds one part less.
    pub(super) fn loosen(&mut self) {
        self.closed = self.closed.saturating_sub(1);
    }

    /// Is anything shed at the moment?
    pub(super) fn sheds(&self) -> bool {
        self.closed > 0
    }

    #[inline]
    fn lets_through(&self, connection: &Connection) -> bool {
        self.lets_through_flow(connection.key)
    }

    #[inline]
    fn lets_through_flow(&self, key: FlowKey) -> bool {
        // The seed only needs to be the same everywhere.
        self.closed == 0 || FixedState::with_seed(0).hash_one(key) % PARTS >= self.closed
    }

    /// The observer, if it may hear of this flow; else counts what it misses.
    fn told(&mut self, key: FlowKey) -> Option<&mut O> {
        if self.lets_through_flow(key) {
            return Some(&mut self.inner);
        }
        self.unseen += 1;
        None
    }

    fn told_quic(&mut self, flow: &QuicFlow) -> Option<&mut O> {
        self.told(FlowKey::new(flow.client, flow.server, 0).0)
    }
}

impl<O: Observer> Observer for Valve<O> {
    type Request = Option<O::Request>;

    #[inline]
    fn request(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        self.lets_through(connection).then(|| self.inner.request(connection, sides, head))
    }

    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        self.lets_through(connection).then(|| self.inner.hidden(connection, sides, head))
    }

    fn trailers(&mut self, request: &mut Self::Request, response: bool, fields: Fields<'_>) {
        if let Some(request) = request {
            self.inner.trailers(request, response, fields);
        }
    }

    fn grpc_fields(&mut self, request: &mut Self::Request, server: bool, fields: &[Seen]) {
        if let Some(request) = request {
            self.inner.grpc_fields(request, server, fields);
        }
    }

    fn grpc(&mut self, request: &mut Self::Request, call: &Grpc) {
        if let Some(request) = request {
            self.inner.grpc(request, call);
        }
    }

    fn messages(&mut self, request: &mut Self::Request) -> Messages<Self::Request> {
        match request.as_mut().map(|request| self.inner.messages(request)) {
            Some(Messages::Apart(request)) => Messages::Apart(Some(request)),
            Some(Messages::Together) => Messages::Together,
            Some(Messages::Untold) | None => Messages::Untold,
        }
    }

    fn message(&mut self, request: &mut Self::Request, server: bool, piece: Piece<'_>) {
        if let Some(request) = request {
            self.inner.message(request, server, piece);
        }
    }

    fn websocket(&mut self, request: &mut Self::Request, tally: &[Tally; 2], ts: Timestamp) {
        if let Some(request) = request {
            self.inner.websocket(request, tally, ts);
        }
    }

    fn parted(&mut self, request: Self::Request) {
        if let Some(request) = request {
            self.inner.parted(request);
        }
    }

    #[inline]
    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>) {
        if let Some(request) = request {
            self.inner.response(request, head);
        }
    }

    #[inline]
    fn wants(&self, request: &Self::Request, response: bool) -> BodyWish {
        request.as_ref().map_or(BodyWish::None, |r| self.inner.wants(r, response))
    }

    #[inline]
    fn body(&mut self, request: &mut Self::Request, response: bool, bytes: &[u8]) {
        if let Some(request) = request {
            self.inner.body(request, response, bytes);
        }
    }

    #[inline]
    fn finish(&mut self, connection: &Connection, request: Self::Request, outcome: &Outcome) {
        match request {
            Some(request) => {
                self.passed += 1;
                self.inner.finish(connection, request, outcome);
            }
            None => self.shed += 1,
        }
    }

    fn quic_hello(&mut self, flow: &QuicFlow) {
        if let Some(inner) = self.told_quic(flow) {
            inner.quic_hello(flow);
        }
    }

    fn quic_goes(&mut self, flow: &QuicFlow) {
        if let Some(inner) = self.told_quic(flow) {
            inner.quic_goes(flow);
        }
    }

    fn quic_closed(&mut self, flow: &QuicFlow) {
        if let Some(inner) = self.told_quic(flow) {
            inner.quic_closed(flow);
        }
    }

    fn tls(&mut self, connection: &Connection, session: &TlsSession<'_>) {
        if let Some(inner) = self.told(connection.key) {
            inner.tls(connection, session);
        }
    }

    fn unread(&mut self, connection: &Connection, unread: &Unread) {
        if let Some(inner) = self.told(connection.key) {
            inner.unread(connection, unread);
        }
    }

    #[inline]
    fn orphan(&mut self, connection: &Connection, sides: Sides, head: &ResponseHead<'_>) -> Self::Request {
        self.lets_through(connection).then(|| self.inner.orphan(connection, sides, head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Address, Timestamp};

    #[test]
    fn sheds_the_same_flows_and_about_its_part() {
        let mut valve = Valve::new(());
        let flows: Vec<_> = (0..4000_u16)
            .map(|port| {
                let ends = (Address::v4(0x0a00_0001, port), Address::v4(0x0a00_0002, 80));
                let key = FlowKey::new(ends.0, ends.1, 0).0;
                Connection { key, id: 0, opener: None, opened: Timestamp(0) }
            })
            .collect();
        let through = |valve: &Valve<()>| flows.iter().filter(|f| valve.lets_through(f)).count();
        assert_eq!(through(&valve), 4000);
        valve.tighten();
        let before: Vec<_> = flows.iter().filter(|f| valve.lets_through(f)).map(|f| f.key).collect();
        assert!((3600..3900).contains(&before.len()), "{}", before.len());
        valve.tighten();
        let now = flows.iter().filter(|f| valve.lets_through(f));
        assert!(now.into_iter().all(|f| before.contains(&f.key)), "a flow that is shed stays shed");
        valve.shut();
        assert_eq!(through(&valve), 0);
        assert!(valve.told(flows[0].key).is_none());
        assert_eq!(valve.unseen, 1, "what is not told is counted");
        for _ in 0..PARTS {
            valve.loosen();
        }
        assert!(!valve.sheds());
        assert_eq!(through(&valve), 4000);
    }
}
