//! TLS connections, and what was said in them.
//!
//! Takes chunks and gaps of connections that carry TLS, tells the observer what the handshake says, and where keys are
//! there reads the plaintext as a connection of its own: a [`Talk`] inside of the talk. Its offsets count plaintext;
//! what the sender of a record had received of the other direction is translated from ciphertext, so that the proofs of
//! `rules` hold inside as well. Keys that come late open what was held back, up to a limit. Never keeps a secret, never
//! reads what its key does not open.

mod lane;

mod parted;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(super) use self::parted::Parted;

use self::lane::Lane;
use super::observer::{Observer, Sides, TlsSession, TlsStage};
use super::pairing::Pairing;
use super::talk::{Event, Kind, Talk};
use super::turns::Turns;
use crate::base::{Address, Bucket, Missing, Oddity, Side, Timestamp};
use crate::proto::tls::Plain;
use crate::proto::tls::fingerprint::Carrier;
use crate::proto::tls::record::content;
use crate::proto::tls::session::{Facts, Hidden, Party, Session, Step, What, Why};
use crate::stream::{Chunk, Close, Connection, Consumer, End, Gap};

/// Seconds of packet time between two words to the observer about a session that lasts.
const WORD: u64 = 60;

/// 0-RTT data that is kept until the server has said whether it takes it: what OpenSSL allows, and headroom.
const EARLY: usize = 32 << 10;

/// Plaintext that a hole hid when nobody can tell how much: longer than any body, so that none goes on behind it.
pub(super) const UNTOLD: u64 = 1 << 48;

/// What an event takes that is held back, beside its bytes.
const EVENT: usize = 96;

/// TLS inside of TLS (a proxy asked for by CONNECT over TLS), so deep.
const DEPTH: u8 = 3;

/// How a layer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Record by record.
    Reading,
    /// A key is waited for: both directions are held back, in order.
    Waiting,
    /// Only counted.
    Opaque(Bucket),
}

/// 0-RTT data of which nobody knows yet whether the server takes it.
struct Early {
    ts: Timestamp,
    acked: Option<u64>,
    /// Of the record's end.
    end: u64,
    size: usize,
    body: Vec<u8>,
}

/// What is kept of a TLS connection.
pub(super) struct Layer {
    session: Option<Box<Session>>,
    /// Once the session is not read any more.
    facts: Box<Facts>,
    inner: Option<Box<Talk>>,
    lanes: [Lane; 2],
    held: VecDeque<(Side, Event)>,
    /// What they take.
    held_bytes: usize,
    held_since: Option<Timestamp>,
    early: Vec<Early>,
    mode: Mode,
    client: Option<Side>,
    /// Whom a PROXY protocol header before it names as the client.
    caller: Option<Address>,
    depth: u8,
    counted: bool,
    told: bool,
    number: u64,
    opened: Option<Timestamp>,
    last: Timestamp,
    told_at: Timestamp,
    decrypted: bool,
    /// Bytes of its handshake that were counted as TLS when nobody knew yet that it would be decrypted.
    undecided: u64,
    bytes: [u64; 2],
    settled: bool,
    turns: Turns,
    turn: Turn,
    /// Bytes that it holds, as of the last look.
    weight: usize,
}

/// What one side says before the other one speaks.
#[derive(Default)]
struct Turn {
    of: Option<Side>,
    bytes: u64,
    /// Turns before this one.
    before: u32,
}

impl Layer {
    /// Bytes of memory in use for what is not whole, and for what the handshake told.
    fn weighs(&self) -> usize {
        let early: usize = self.early.iter().map(|early| early.body.len()).sum();
        early + self.session.as_ref().map_or(0, |session| session.held()) + self.facts().weight()
    }

    fn party(&self, side: Side) -> Party {
        if self.client == Some(side) { Party::Client } else { Party::Server }
    }

    fn facts(&self) -> &Facts {
        self.session.as_ref().map_or(&self.facts, |session| session.facts())
    }

    /// Turns that the handshake takes.
    fn handshake_turns(&self) -> u32 {
        let facts = self.facts();
        let full = facts.version().is_some_and(|version| !version.is_tls13()) && !facts.resumed;
        if facts.client.is_none() { 0 } else { 2 + 2 * (u32::from(facts.retried) + u32::from(full)) }
    }

    /// A side speaks; `None`: nobody does any more.
    fn speaks(&mut self, side: Option<Side>, bytes: usize) {
        if self.turn.of != side {
            if let Some(of) = self.turn.of {
                if self.turn.before >= self.handshake_turns() {
                    self.turns.add(self.client != Some(of), self.turn.bytes);
                }
                self.turn.before = self.turn.before.saturating_add(1);
            }
            (self.turn.of, self.turn.bytes) = (side, 0);
        }
        self.turn.bytes += bytes as u64;
    }

    fn lane(&mut self, side: Side) -> &mut Lane {
        &mut self.lanes[side.index()]
    }
}

impl<O: Observer> Pairing<O> {
    /// The connection carries TLS from here on.
    #[cold]
    pub(super) fn begins_tls(&mut self, t: &mut Talk) {
        self.becomes(t, Kind::Tls);
        let counted = self.tls_sessions < self.limits.tls_sessions && t.depth < DEPTH;
        if counted {
            self.tls_sessions += 1;
        } else {
            self.oddities.bump(Oddity::TlsSessionLimit);
        }
        self.tls_number += 1;
        t.tls = Some(Box::new(Layer {
            session: counted.then(Box::default),
            facts: Box::default(),
            inner: None,
            lanes: Default::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            held_since: None,
            early: Vec::new(),
            mode: if counted { Mode::Reading } else { Mode::Opaque(Bucket::Tls) },
            client: None,
            caller: t.caller.as_deref().copied(),
            depth: t.depth,
            counted,
            told: false,
            number: self.tls_number,
            opened: None,
            last: Timestamp(0),
            told_at: Timestamp(0),
            decrypted: false,
            undecided: 0,
            bytes: [0; 2],
            settled: false,
            turns: Turns::default(),
            turn: Turn::default(),
            weight: 0,
        }));
    }

    /// The next bytes.
    pub(super) fn tls(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let Some(mut layer) = t.tls.take() else {
            self.ledger.add(Bucket::Tls, chunk.bytes.len() as u64);
            return;
        };
        self.tls_look_at_parted(chunk.ts);
        let l = &mut *layer;
        if l.client.is_none() {
            self.tls_first(c, t, l, side, &chunk);
        }
        l.last = l.last.max(chunk.ts);
        l.bytes[usize::from(l.client != Some(side))] += chunk.bytes.len() as u64;
        l.speaks(Some(side), chunk.bytes.len());
        match l.mode {
            Mode::Opaque(bucket) => self.ledger.add(bucket, chunk.bytes.len() as u64),
            Mode::Waiting => {
                self.tls_hold(l, side, chunk);
                self.tls_resume(c, l, Some(chunk.ts));
                self.tls_weigh(c, l);
            }
            Mode::Reading => {
                self.tls_read_or_delay(c, l, side, chunk);
                self.tls_weigh(c, l);
            }
        }
        let long = l.last.since(l.told_at) > WORD * 1_000_000_000;
        if !l.told && (long || l.facts().client.is_some()) {
            self.tls_tell(c, l, TlsStage::Begun);
        } else if l.told && long {
            self.tls_tell(c, l, TlsStage::Goes);
        }
        t.tls = Some(layer);
    }

    /// How much is held now?
    fn tls_weigh(&mut self, c: &Connection, l: &mut Layer) {
        let weight = l.weighs();
        self.tls_bytes = self.tls_bytes - l.weight + weight;
        l.weight = weight;
        if self.tls_bytes > self.limits.tls_bytes && weight > 0 {
            self.tls_overweight(c, l);
        }
    }

    /// All sessions together hold too much: this one is only counted from now on.
    #[cold]
    fn tls_overweight(&mut self, c: &Connection, l: &mut Layer) {
        self.oddities.bump(Oddity::TlsBytesLimit);
        if !l.told && l.facts().client.is_some() {
            self.tls_tell(c, l, TlsStage::Begun);
        }
        if l.told {
            // While it is known whose it is.
            self.tls_tell(c, l, TlsStage::Goes);
        }
        let unread = l.session.as_ref().map_or(0, |s| s.unread(Party::Client) + s.unread(Party::Server));
        self.ledger.add(Bucket::OverLimit, unread as u64);
        self.tls_opaque(l, Bucket::OverLimit);
        self.tls_replay(c, l);
        *l.facts = Facts::default();
        self.tls_bytes -= std::mem::take(&mut l.weight);
    }

    /// The first bytes: who is the client?
    fn tls_first(&mut self, c: &Connection, t: &Talk, l: &mut Layer, side: Side, chunk: &Chunk<'_>) {
        let hello = match chunk.bytes {
            [content::HANDSHAKE, _, _, _, _, kind @ (1 | 2), ..] => Some(*kind),
            _ => None,
        };
        l.client = Some(match hello {
            Some(1) => side,
            Some(_) => side.peer(),
            None => t.client.or(c.opener).unwrap_or(side),
        });
        l.opened = Some(chunk.ts);
        l.told_at = chunk.ts;
        if chunk.bytes[0] != content::HANDSHAKE && chunk.bytes[0] < 0x80 {
            // Picked up midway: no key would help.
            self.tls_opaque(l, Bucket::Tls);
        }
    }

    /// Nothing of it is read any more.
    fn tls_opaque(&mut self, l: &mut Layer, bucket: Bucket) {
        if let Some(session) = l.session.take() {
            l.decrypted |= session.decrypted();
            *l.facts = session.into_facts();
        }
        l.mode = Mode::Opaque(bucket);
        for early in std::mem::take(&mut l.early) {
            self.ledger.add(bucket, early.size as u64);
        }
    }

    fn tls_bucket(why: Why) -> Bucket {
        match why {
            Why::Opaque => Bucket::Tls,
            Why::NoKeys => Bucket::TlsNoKeys,
            Why::Gap => Bucket::TlsAfterGap,
        }
    }

    fn tls_why(&self, session: &Session) -> Bucket {
        match session.why() {
            // Where no keys are given at all, none is missing.
            Why::NoKeys if !self.keys.expected() => Bucket::Tls,
            why => Self::tls_bucket(why),
        }
    }

    /// Reads, unless the chunk answers something that lies behind a hole in the other direction that may close: then its
    /// place among the records there is not known yet.
    fn tls_read_or_delay(&mut self, c: &Connection, l: &mut Layer, side: Side, chunk: Chunk<'_>) {
        let delayed = l.held.front().is_some_and(|(held, _)| *held == side);
        let unknown = chunk.acked.is_some_and(|acked| l.lanes[side.peer().index()].is_lost_at(acked));
        if delayed || unknown && l.held.is_empty() && l.decrypted {
            self.tls_hold(l, side, chunk);
            if l.held_bytes > self.limits.tls_hold_bytes || self.tls_held > self.limits.tls_total_hold_bytes {
                self.tls_replay(c, l);
            }
            return;
        }
        self.tls_read(c, l, side, chunk);
    }

    fn tls_hold(&mut self, l: &mut Layer, side: Side, chunk: Chunk<'_>) {
        let Chunk { ts, offset, acked, bytes } = chunk;
        l.held_since.get_or_insert(ts);
        l.held_bytes += bytes.len() + EVENT;
        self.tls_held += bytes.len() + EVENT;
        l.held.push_back((side, Event::Data { ts, offset, acked, bytes: bytes.to_vec() }));
    }

    /// Has the key come, or has waiting no point any more (`now` is `None`: the connection is over)?
    #[cold]
    fn tls_resume(&mut self, c: &Connection, l: &mut Layer, now: Option<Timestamp>) {
        let Some(session) = &mut l.session else { return };
        let patience = self.limits.tls_hold_seconds.saturating_mul(1_000_000_000);
        let over = match (now, l.held_since) {
            (Some(now), Some(since)) => {
                now.since(since) > patience
                    || l.held_bytes > self.limits.tls_hold_bytes
                    || self.tls_held > self.limits.tls_total_hold_bytes
            }
            _ => true,
        };
        if !session.may_go_on(&self.keys) && !over {
            return;
        }
        if over && !session.may_go_on(&self.keys) {
            self.oddities.bump(Oddity::TlsKeyMissing);
            session.give_up();
        }
        l.mode = Mode::Reading;
        self.tls_replay(c, l);
        if over && l.mode == Mode::Waiting {
            if let Some(session) = &mut l.session {
                session.give_up();
            }
            l.mode = Mode::Reading;
            self.tls_replay(c, l);
        }
    }

    /// Reads what was held back, until a key is missing again.
    fn tls_replay(&mut self, c: &Connection, l: &mut Layer) {
        let mut events = std::mem::take(&mut l.held);
        l.held_since = None;
        while let Some((side, event)) = events.pop_front() {
            match event {
                Event::Data { ts, offset, acked, bytes } => {
                    l.held_bytes -= bytes.len() + EVENT;
                    self.tls_held -= bytes.len() + EVENT;
                    let chunk = Chunk { ts, offset, acked, bytes: &bytes };
                    match l.mode {
                        Mode::Opaque(bucket) => self.ledger.add(bucket, bytes.len() as u64),
                        Mode::Waiting => self.tls_hold(l, side, chunk),
                        Mode::Reading => self.tls_read(c, l, side, chunk),
                    }
                }
                Event::Gap(gap) if l.mode == Mode::Reading => self.tls_hole(l, side, gap),
                Event::End { how, ts } if l.mode == Mode::Reading => self.tls_ended(c, l, side, how, ts),
                event if l.mode == Mode::Waiting => l.held.push_back((side, event)),
                _ => {}
            }
        }
    }

    /// Reads records.
    fn tls_read(&mut self, c: &Connection, l: &mut Layer, side: Side, chunk: Chunk<'_>) {
        let party = l.party(side);
        let mut rest = chunk.bytes;
        let mut plain = std::mem::take(&mut self.plain);
        while let Some(session) = &mut l.session {
            let before = session.early();
            let step = session.step(party, rest, &self.keys, &mut plain);
            match step {
                Step::More(skipped) => {
                    let bucket = self.tls_why(session);
                    self.ledger.add(bucket, skipped as u64);
                    break;
                }
                Step::Wait(used) => {
                    let rest = &rest[used..];
                    let offset = chunk.offset + (chunk.bytes.len() - rest.len()) as u64;
                    l.mode = Mode::Waiting;
                    self.tls_hold(l, side, Chunk { offset, bytes: rest, ..chunk });
                    break;
                }
                Step::Blind(held) => {
                    self.tls_blind(l, side, held + rest.len());
                    break;
                }
                Step::Record(piece) => {
                    rest = &rest[piece.used..];
                    // Behind the record: what was given and is in no record yet lies after it.
                    let end = chunk.offset + (chunk.bytes.len() - rest.len()) as u64 - session.unread(party) as u64;
                    l.decrypted |= session.decrypted();
                    // Inside of another session the bytes are in its books already.
                    if l.decrypted && l.depth == 0 {
                        self.ledger.shift(Bucket::Tls, Bucket::TlsControl, std::mem::take(&mut l.undecided));
                    }
                    let bucket = if l.decrypted { Bucket::TlsControl } else { Bucket::Tls };
                    let given_up = self.tls_why(session);
                    self.ledger.add(given_up, piece.skipped as u64);
                    match piece.what {
                        What::Control => {
                            l.undecided += if l.decrypted { 0 } else { piece.size as u64 };
                            self.ledger.add(bucket, piece.size as u64);
                        }
                        What::Opaque => {
                            let bucket = self.tls_why(session);
                            self.ledger.add(bucket, piece.size as u64);
                            if session.is_blind(party) {
                                self.tls_blind(l, side, 0);
                            }
                        }
                        What::Data(n) => {
                            self.ledger.add(bucket, (piece.size - n) as u64);
                            if let Some(hidden) = piece.hidden {
                                let data = plain.text(n).to_vec();
                                self.tls_found(c, l, side, end - piece.size as u64, hidden);
                                self.tls_plain(c, l, side, (chunk.ts, chunk.acked), end, &data);
                            } else {
                                let data = plain.text(n);
                                self.tls_plain(c, l, side, (chunk.ts, chunk.acked), end, data);
                            }
                        }
                        What::Early => self.tls_keep_early(l, &chunk, end, piece.size, plain.all()),
                    }
                    if piece.hidden.is_some() && !matches!(piece.what, What::Data(_)) {
                        self.tls_found(c, l, side, end - piece.size as u64, piece.hidden.unwrap_or(Hidden::Unknown));
                    }
                    let now = l.session.as_ref().and_then(|session| session.early());
                    if now.is_some() && before.is_none() {
                        self.tls_early(c, l, &mut plain);
                    }
                }
            }
        }
        self.plain = plain;
        let blind = l
            .session
            .as_ref()
            .is_some_and(|session| session.is_blind(Party::Client) && session.is_blind(Party::Server));
        if blind && let Some(session) = &l.session {
            let bucket = self.tls_why(session);
            self.tls_opaque(l, bucket);
        }
    }

    /// Nothing more can be read of a direction; so many bytes were held or came.
    fn tls_blind(&mut self, l: &mut Layer, side: Side, bytes: usize) {
        let Some(session) = &l.session else { return };
        let bucket = self.tls_why(session);
        if bucket == Bucket::TlsAfterGap && !l.lane(side).blind {
            self.oddities.bump(Oddity::TlsLost);
        }
        l.lane(side).blind = true;
        self.ledger.add(bucket, bytes as u64);
    }

    // --- 0-RTT

    fn tls_keep_early(&mut self, l: &mut Layer, chunk: &Chunk<'_>, end: u64, size: usize, body: &[u8]) {
        let held: usize = l.early.iter().map(|early| early.body.len()).sum();
        if held + body.len() > EARLY {
            self.ledger.add(Bucket::Tls, size as u64);
            return;
        }
        l.early.push(Early { ts: chunk.ts, acked: chunk.acked, end, size, body: body.to_vec() });
    }

    /// The server has said whether it takes the 0-RTT data.
    fn tls_early(&mut self, c: &Connection, l: &mut Layer, plain: &mut Plain) {
        let Some(client) = l.client else { return };
        for early in std::mem::take(&mut l.early) {
            let Some(session) = &mut l.session else { return };
            match session.open_early(&early.body, &self.keys, plain) {
                What::Data(n) => {
                    l.decrypted = true;
                    self.ledger.add(Bucket::TlsControl, (early.size - n) as u64);
                    let data = plain.text(n);
                    self.tls_plain(c, l, client, (early.ts, early.acked), early.end, data);
                }
                What::Control => self.ledger.add(Bucket::TlsControl, early.size as u64),
                // Refused: the client says it again.
                What::Opaque | What::Early => self.ledger.add(Bucket::Tls, early.size as u64),
            }
        }
    }

    // --- what was said inside

    /// Plaintext of a record that ends at `end`.
    fn tls_plain(
        &mut self,
        c: &Connection,
        l: &mut Layer,
        side: Side,
        (ts, acked): (Timestamp, Option<u64>),
        end: u64,
        bytes: &[u8],
    ) {
        if bytes.is_empty() {
            return;
        }
        let peer = &l.lanes[side.peer().index()];
        let acked = acked.filter(|_| !peer.blind).map(|acked| peer.plain_at(acked));
        let lane = l.lane(side);
        let offset = lane.read(end, bytes.len() as u64);
        self.tls_inside(c, l, |pairing, c, inner| {
            pairing.data(c, inner, side, Chunk { ts, offset, acked, bytes });
        });
    }

    /// A record was found again behind a hole; it begins at `at`.
    fn tls_found(&mut self, c: &Connection, l: &mut Layer, side: Side, at: u64, hidden: Hidden) {
        let len = match hidden {
            Hidden::Bytes(n) => n,
            Hidden::Unknown => UNTOLD,
        };
        let offset = l.lane(side).found(at, len);
        if len > 0 {
            self.tls_inside(c, l, |pairing, c, inner| {
                pairing.gap(c, inner, side, Gap { offset, len, why: Missing::Gap })
            });
        }
        // What the other side said of it can be placed now.
        if l.held.front().is_some_and(|(held, _)| *held == side.peer()) {
            let plain = std::mem::take(&mut self.plain);
            self.tls_replay(c, l);
            self.plain = plain;
        }
    }

    /// Something happens in the connection inside. Its bytes are counted as decrypted ones.
    fn tls_inside(&mut self, c: &Connection, l: &mut Layer, what: impl FnOnce(&mut Self, &Connection, &mut Talk)) {
        let mut inner = l.inner.take().unwrap_or_else(|| {
            let caller = l.caller.map(Box::new);
            Box::new(Talk { caller, ..Talk::inside(l.client, l.depth + 1) })
        });
        let inside = Connection { opener: l.client, ..*c };
        let ledger = std::mem::take(&mut self.ledger);
        what(self, &inside, &mut inner);
        let counted = std::mem::replace(&mut self.ledger, ledger);
        self.ledger.add_decrypted(&counted);
        l.inner = Some(inner);
    }

    // --- holes and ends

    /// A hole.
    pub(super) fn tls_gap(&mut self, _: &Connection, t: &mut Talk, side: Side, gap: Gap) {
        let Some(l) = &mut t.tls else { return };
        if matches!(l.mode, Mode::Waiting) || l.held.front().is_some_and(|(held, _)| *held == side) {
            l.held.push_back((side, Event::Gap(gap)));
        } else if l.mode == Mode::Reading {
            self.tls_hole(l, side, gap);
        }
    }

    fn tls_hole(&mut self, l: &mut Layer, side: Side, gap: Gap) {
        let party = l.party(side);
        let Some(session) = &mut l.session else { return };
        let given_up = session.gap(party, gap.len);
        self.ledger.add(Bucket::TlsAfterGap, given_up as u64);
        l.lane(side).lost(gap.offset);
    }

    /// The end of a direction.
    pub(super) fn tls_end(&mut self, c: &Connection, t: &mut Talk, side: Side, how: End, ts: Timestamp) {
        let Some(mut layer) = t.tls.take() else { return };
        let l = &mut *layer;
        match l.mode {
            Mode::Waiting => l.held.push_back((side, Event::End { how, ts })),
            Mode::Reading if l.held.front().is_some_and(|(held, _)| *held == side) => {
                l.held.push_back((side, Event::End { how, ts }));
            }
            Mode::Reading => self.tls_ended(c, l, side, how, ts),
            Mode::Opaque(_) => {}
        }
        t.tls = Some(layer);
    }

    fn tls_ended(&mut self, c: &Connection, l: &mut Layer, side: Side, how: End, ts: Timestamp) {
        if l.inner.is_some() {
            self.tls_inside(c, l, |pairing, c, inner| pairing.end(c, inner, side, how, ts));
        }
    }

    /// The connection is gone.
    pub(super) fn tls_close(&mut self, c: &Connection, t: &mut Talk, last: Timestamp) {
        let Some(mut layer) = t.tls.take() else { return };
        let l = &mut *layer;
        if !l.held.is_empty() {
            if l.mode == Mode::Waiting {
                self.tls_resume(c, l, None);
            } else {
                self.tls_replay(c, l);
            }
        }
        if let Some(session) = &mut l.session {
            session.cut_off();
            l.decrypted |= session.decrypted();
            let bucket = self.tls_why(session);
            let unread = session.unread(Party::Client) + session.unread(Party::Server);
            self.ledger.add(bucket, unread as u64);
            if l.decrypted
                && let Some(random) = session.client_random()
            {
                self.keys.used(random);
            }
            self.tls_opaque(l, bucket);
        }
        if let Some(inner) = l.inner.take() {
            let inside = Connection { opener: l.client, ..*c };
            let ledger = std::mem::take(&mut self.ledger);
            self.close(&inside, *inner, Close::CaptureEnd, last);
            let counted = std::mem::replace(&mut self.ledger, ledger);
            self.ledger.add_decrypted(&counted);
        }
        l.speaks(None, 0);
        if !l.told {
            self.tls_tell(c, l, TlsStage::Begun);
        }
        self.tls_tell(c, l, TlsStage::Over);
        if l.counted {
            self.tls_sessions -= 1;
        }
        self.tls_bytes -= l.weight;
    }

    fn tls_tell(&mut self, c: &Connection, l: &mut Layer, stage: TlsStage) {
        let Some(client) = l.client else { return };
        l.told_at = l.last;
        l.told = true;
        let begun = stage == TlsStage::Begun;
        let [client_bytes, server_bytes] = if begun { [0; 2] } else { std::mem::take(&mut l.bytes) };
        let settled = !begun && !std::mem::replace(&mut l.settled, true);
        let session = TlsSession {
            number: l.number,
            stage,
            sides: Sides {
                client: l.caller.unwrap_or_else(|| c.end(client)),
                server: c.end(client.peer()),
                secure: true,
            },
            carrier: Carrier::Tcp,
            opened: l.opened.unwrap_or(c.opened),
            last: l.last,
            facts: l.session.as_ref().map_or(&l.facts, |session| session.facts()),
            decrypted: l.decrypted,
            settled,
            client_bytes,
            server_bytes,
            turns: if begun { Turns::default() } else { std::mem::take(&mut l.turns) },
        };
        self.observer.tls(c, &session);
    }
}
