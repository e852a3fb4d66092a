//! The consumer of connections: puts both directions into causal order and keeps the books.
//!
//! Takes chunks, gaps and ends; gives exchanges to an [`Observer`]. A tap may show a response before its request, and
//! the stream floor waits in one direction for a hole to be filled while the other goes on. Each chunk tells how far
//! its sender had received the other direction; a chunk whose cause has not been seen yet is held back (bounded, in
//! bytes and packet time) until it has. So the reader below sees what happened in the order in which it happened.
//! Never holds back anything in a connection that is in order already.

use std::collections::VecDeque;
use std::sync::Arc;

use super::observer::Observer;
use super::table::{Table, UNKNOWN};
use super::talk::{Event, Half, Held, Kind, Straddle, Talk};
use super::tls::Parted;
use crate::base::{Bucket, Ledger, Limits, Oddities, Oddity, Side, Timestamp};
use crate::proto::grpc::Decoding;
use crate::proto::hpack::List;
use crate::proto::probe::{self, Start};
use crate::proto::tls::{Keys, Plain};
use crate::stream::{Chunk, Close, Connection, Consumer, End, Gap, HEADROOM};

/// Straddle buffers kept for the next head in two segments.
const SPARE: usize = 64;

/// How long, in nanoseconds of packet time, the tap may bring a request after its response: 100 ms.
pub(super) const TAP_REORDERS: u64 = 100_000_000;

/// A spare buffer larger than this is given back.
const SPARE_BYTES: usize = 16 << 10;

/// Pairs requests with responses, whatever was lost. See the [module](super) on what it proves and what it leaves.
pub struct Pairing<O: Observer> {
    /// Where exchanges go.
    pub observer: O,
    /// Where each delivered byte went.
    pub ledger: Ledger,
    /// What was odd.
    pub oddities: Oddities,
    pub(super) limits: Limits,
    pub(super) table: Table<O::Request>,
    #[expect(clippy::vec_box, reason = "a connection holds one pointer; the box itself is what is used again")]
    pub(super) spare: Vec<Box<Straddle>>,
    /// Bytes held back and in heads that are not whole, of all connections.
    pub(super) buffered: usize,
    /// Decoders at work.
    pub(super) decoders: usize,
    /// What decoding messages of gRPC may take.
    pub(super) grpc: Arc<Decoding>,
    /// The fields of a header block, HTTP/2.
    pub(super) list: List,
    /// Bytes that all HTTP/2 connections take.
    pub(super) http2_held: usize,
    /// The secrets of TLS sessions.
    pub(super) keys: Keys,
    /// Plaintext of the record that is being read.
    pub(super) plain: Plain,
    /// TLS sessions kept in mind.
    pub(super) tls_sessions: usize,
    /// The number of the next one.
    pub(super) tls_number: u64,
    /// What TLS sessions hold beside that.
    pub(super) tls_bytes: usize,
    /// What waits for keys takes so much.
    pub(super) tls_held: usize,
    /// Connections that are over and wait for keys, in the order of their ends.
    pub(super) parted: VecDeque<Parted>,
    /// When their keys were looked for last, and at which generation of them.
    pub(super) parted_looked: (Timestamp, u64),
}

impl<O: Observer> Pairing<O> {
    /// A pairing that gives exchanges to `observer`.
    pub fn new(observer: O, limits: &Limits) -> Self {
        Self {
            observer,
            ledger: Ledger::default(),
            oddities: Oddities::default(),
            limits: limits.clone(),
            table: Table::new(),
            spare: Vec::new(),
            buffered: 0,
            decoders: 0,
            grpc: Arc::new(Decoding::new(limits)),
            list: List::new(),
            http2_held: 0,
            keys: Keys::new(limits.tls_keys),
            plain: Plain::default(),
            tls_sessions: 0,
            tls_number: 0,
            tls_bytes: 0,
            tls_held: 0,
            parted: VecDeque::new(),
            parted_looked: (Timestamp(0), 0),
        }
    }

    /// Takes secrets from this store from now on; several may share one.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// The store of secrets.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Exchanges that are not over yet.
    pub fn open_exchanges(&self) -> usize {
        self.table.len()
    }

    /// When the oldest of them began. Not for each packet: it looks at all of them.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        let parted = self.parted.iter().map(Parted::began).min();
        self.table.oldest().into_iter().chain(parted).min()
    }

    /// Time passed without anything that came.
    pub fn tick(&mut self, now: Timestamp) {
        self.tls_look_at_parted(now);
    }

    /// Nothing more comes: all connections are closed, and those that are over and wait for keys end as well.
    pub fn finish_waiting(&mut self) {
        self.tls_end_parted();
    }

    /// Bytes held: heads that are not whole, and chunks that came before their cause.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Where the bytes of a connection of this kind go.
    pub(super) fn bucket(kind: Kind) -> Bucket {
        match kind {
            Kind::Http | Kind::Http2 | Kind::WebSocket => Bucket::Http,
            Kind::Tls => Bucket::Tls,
            Kind::Probing | Kind::Other => Bucket::OtherTcp,
        }
    }

    pub(super) fn take_spare(&mut self) -> Box<Straddle> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back a straddle buffer; its bytes must have been accounted for.
    pub(super) fn give_back(&mut self, mut straddle: Box<Straddle>) {
        self.buffered -= straddle.bytes.len();
        if self.spare.len() < SPARE && straddle.bytes.capacity() <= SPARE_BYTES {
            straddle.bytes.clear();
            straddle.scanned = 0;
            self.spare.push(straddle);
        }
    }

    /// A chunk whose cause has not been seen, or one behind such a chunk.
    #[cold]
    #[inline(never)]
    fn hold(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let held = t.held.get_or_insert_with(Default::default);
        if held.assumed[side.index()] == UNKNOWN {
            // It is in the capture after all.
            held.assumed[side.index()] = 0;
        }
        let midway = u64::from(HEADROOM);
        if c.opener.is_none() && chunk.offset >= midway {
            // Nothing of it comes from before the place where it was picked up.
            let own = &mut t.halves[side.index()].pos;
            *own = midway.max(*own);
        }
        if t.halves[side.peer().index()].pos == 0 && chunk.acked == Some(midway) && !Self::answers(c, held, side, chunk)
        {
            // Its SYN was not seen: it begins there, and nothing of it is missing.
            t.halves[side.peer().index()].pos = midway;
        }
        if held.queues[side.index()].is_empty() && t.caught_up(side, chunk.acked) {
            self.process(c, t, side, chunk);
        } else if let Some(held) = &mut t.held {
            held.bytes += chunk.bytes.len();
            self.buffered += chunk.bytes.len();
            let Chunk { ts, offset, acked, bytes } = chunk;
            held.queues[side.index()].push_back(Event::Data { ts, offset, acked, bytes: bytes.to_vec() });
        }
        self.release(c, t, Some(chunk.ts));
    }

    /// Midway: is this a response, or the rest of one, whose request the tap may still bring?
    fn answers(c: &Connection, held: &Held, side: Side, chunk: Chunk<'_>) -> bool {
        if c.opener.is_some() || !held.queues[side.peer().index()].is_empty() {
            return false;
        }
        match held.queues[side.index()].front() {
            Some(Event::Data { ts, .. }) => chunk.ts.since(*ts) < TAP_REORDERS,
            Some(_) => false,
            None => probe::response_start(chunk.bytes) != Start::No,
        }
    }

    /// Processes what was held back, as far as its cause has been seen by now, or as waiting has no point any more:
    /// both sides wait for each other (a retransmission tells a later acknowledgement than its first copy did), a
    /// limit is reached, or (`now` is `None`) the connection is over.
    #[cold]
    #[inline(never)]
    pub(super) fn release(&mut self, c: &Connection, t: &mut Talk, now: Option<Timestamp>) {
        loop {
            let Some(held) = &mut t.held else { return };
            let ready = [Side::Lo, Side::Hi].into_iter().find(|side| Self::has_come(held, &t.halves, *side));
            let side = match ready {
                Some(side) => side,
                None => {
                    if held.queues.iter().all(|q| q.is_empty()) {
                        if [Side::Lo, Side::Hi].iter().all(|s| held.assumed[s.index()] <= t.halves[s.index()].pos) {
                            t.held = None;
                        }
                        return;
                    }
                    match Self::give_up_waiting(held, t.client, &self.limits, self.buffered, now) {
                        Some((side, why)) => {
                            if let Some(why) = why {
                                self.oddities.bump(why);
                            }
                            let peer = side.peer().index();
                            if let Some(Event::Data { acked: Some(acked), .. }) = held.queues[side.index()].front() {
                                // A direction of which nothing was ever seen is not waited for again.
                                let seen = !t.halves[peer].untouched() || !held.queues[peer].is_empty();
                                held.assumed[peer] = if seen { held.assumed[peer].max(*acked) } else { UNKNOWN };
                            }
                            side
                        }
                        None => return,
                    }
                }
            };
            match held.queues[side.index()].pop_front() {
                Some(Event::Data { ts, offset, acked, bytes }) => {
                    held.bytes -= bytes.len();
                    self.buffered -= bytes.len();
                    self.process(c, t, side, Chunk { ts, offset, acked, bytes: &bytes });
                }
                Some(Event::Gap(gap)) => self.process_gap(c, t, side, gap),
                Some(Event::End { how, ts }) => self.process_end(c, t, side, how, ts),
                None => return,
            }
        }
    }

    /// Has the turn of a side's first event come?
    fn has_come(held: &Held, halves: &[Half; 2], side: Side) -> bool {
        let peer = side.peer();
        let reached =
            |side: Side, acked: &u64| *acked <= halves[side.index()].pos || *acked <= held.assumed[side.index()];
        let mut events = held.queues[side.index()].iter();
        match events.next() {
            None => false,
            Some(Event::Data { acked: Some(acked), .. }) => reached(peer, acked),
            Some(Event::Data { acked: None, .. } | Event::End { .. }) => true,
            // What was lost caused nothing before what follows it, unless the other side says that it had it.
            Some(Event::Gap(_)) => {
                let wanted = match held.queues[peer.index()].front() {
                    Some(Event::Data { acked: Some(acked), .. }) => !reached(side, acked),
                    _ => false,
                };
                let followed = match events.next() {
                    Some(Event::Data { acked: Some(acked), .. }) => reached(peer, acked),
                    Some(_) => true,
                    None => false,
                };
                wanted || followed
            }
        }
    }

    /// Whose turn it is when neither side's cause has been seen, if waiting has no point any more.
    fn give_up_waiting(
        held: &Held,
        client: Option<Side>,
        limits: &Limits,
        buffered: usize,
        now: Option<Timestamp>,
    ) -> Option<(Side, Option<Oddity>)> {
        // A gap waits for the data behind it.
        let front = |side: Side| {
            held.queues[side.index()].iter().find_map(|event| match event {
                Event::Data { ts, .. } => Some(*ts),
                _ => None,
            })
        };
        let asks = client.unwrap_or(Side::Lo);
        if now.is_none() {
            let gap = |side: &Side| matches!(held.queues[side.index()].front(), Some(Event::Gap(_)));
            if let Some(side) = [asks, asks.peer()].into_iter().find(gap) {
                return Some((side, None));
            }
        }
        match (front(asks), front(asks.peer())) {
            // Requests come before responses.
            (Some(_), Some(_)) => Some((asks, None)),
            (None, None) => None,
            (first, second) => {
                let side = if first.is_some() { asks } else { asks.peer() };
                let ts = first.or(second)?;
                let Some(now) = now else { return Some((side, None)) };
                // Longer than the stream floor waits for a hole: the other direction is not in the capture.
                let patience = 2 * limits.gap_seconds.saturating_mul(1_000_000_000);
                if now.since(ts) > patience {
                    Some((side, None))
                } else if held.bytes > limits.flow_buffer_bytes {
                    Some((side, Some(Oddity::FlowBufferLimit)))
                } else if buffered > limits.total_buffer_bytes {
                    Some((side, Some(Oddity::TotalBufferLimit)))
                } else if held.queues[side.index()].len() > limits.flow_buffer_segments {
                    Some((side, Some(Oddity::FlowBufferLimit)))
                } else {
                    None
                }
            }
        }
    }
}

impl<O: Observer> Consumer for Pairing<O> {
    type State = Talk;

    fn open(&mut self, connection: &Connection) -> Talk {
        self.tls_look_at_parted(connection.opened);
        Talk::new(connection.opener)
    }

    #[inline]
    fn data(&mut self, connection: &Connection, talk: &mut Talk, side: Side, chunk: Chunk<'_>) {
        if talk.held.is_none() && talk.caught_up(side, chunk.acked) {
            self.process(connection, talk, side, chunk);
        } else {
            self.hold(connection, talk, side, chunk);
        }
    }

    fn gap(&mut self, connection: &Connection, talk: &mut Talk, side: Side, gap: Gap) {
        let held = talk.held.get_or_insert_with(Default::default);
        held.queues[side.index()].push_back(Event::Gap(gap));
        self.release(connection, talk, Some(connection.opened));
    }

    fn end(&mut self, connection: &Connection, talk: &mut Talk, side: Side, how: End, ts: Timestamp) {
        match &mut talk.held {
            Some(held) if !held.queues[side.index()].is_empty() => {
                held.queues[side.index()].push_back(Event::End { how, ts });
            }
            _ => self.process_end(connection, talk, side, how, ts),
        }
        self.release(connection, talk, Some(ts));
    }

    fn close(&mut self, connection: &Connection, mut talk: Talk, why: Close, last: Timestamp) {
        self.release(connection, &mut talk, None);
        if talk.tls.is_some() {
            self.tls_part(connection, talk, why, last);
        } else {
            self.process_close(connection, &mut talk, last);
        }
    }
}
