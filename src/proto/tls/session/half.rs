//! One direction of a session.
//!
//! Takes records and what is known of keys, keeps which key is in force and which number comes next. Behind a hole it
//! looks for a record that one of its keys opens, over a bounded number of places and sequence numbers. Never believes
//! a record that its key does not open.

use crate::proto::tls::Version;
use crate::proto::tls::crypt::{self, Cipher, Opened, Opener};
use crate::proto::tls::handshake::Joiner;
use crate::proto::tls::keylog::Secret;
use crate::proto::tls::plain::Plain;
use crate::proto::tls::record::{self, HEADER, Header, PAYLOAD, Record, Records, content};

/// Openings tried behind one hole. Small records cost 0.3 µs each, the largest 3 µs.
const TRIES: u32 = 4096;
/// Numbers tried under the key behind a KeyUpdate that may have been in the hole.
const TRIES_UPDATED: u64 = 64;
/// Bytes looked through for the next record: it begins within one record's length, and has to be whole.
const WINDOW: usize = 2 * (HEADER + PAYLOAD);

/// What protects a direction's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing yet.
    Plain,
    /// TLS 1.3: 0-RTT keys (the client only).
    Early,
    /// TLS 1.3: handshake keys.
    Handshake,
    /// Keys for data. In TLS 1.2 the only ones.
    Data,
    /// Its keys will not come, or what protects it is not known here.
    Blind,
}

/// A key in force.
pub(super) struct InForce {
    pub(super) opener: Opener,
    /// The traffic secret that it comes from (TLS 1.3): the next one comes from it.
    pub(super) secret: Option<Secret>,
    /// Of the next record.
    pub(super) sequence: u64,
}

impl InForce {
    pub(super) fn new(opener: Opener, secret: Option<Secret>) -> Self {
        Self { opener, secret, sequence: 0 }
    }

    /// From a traffic secret of TLS 1.3.
    pub(super) fn tls13(cipher: Cipher, version: Version, secret: &Secret) -> Option<Self> {
        Some(Self::new(crypt::tls13_opener(cipher, version, secret)?, Some(secret.clone())))
    }

    /// Behind a KeyUpdate.
    pub(super) fn updated(&self, cipher: Cipher, version: Version) -> Option<Self> {
        Self::tls13(cipher, version, &crypt::next_traffic_secret(cipher, self.secret.as_ref()?)?)
    }

    pub(super) fn open(&mut self, record: Record<'_>, out: &mut Plain) -> Option<Opened> {
        let opened = self.opener.open(self.sequence, record, out)?;
        self.sequence += 1;
        Some(opened)
    }

    /// The record that lies joined in `place`.
    pub(super) fn open_joined(&mut self, header: Header, place: &mut Plain) -> Option<Opened> {
        let opened = self.opener.open_joined(self.sequence, header, place)?;
        self.sequence += 1;
        Some(opened)
    }
}

/// How many bytes of plaintext a hole hid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// So many, if all its records were data without padding.
    Bytes(u64),
    /// Nobody can tell.
    Unknown,
}

/// Behind a hole: looking for a record.
pub(super) struct Lost {
    /// Bytes of the stream between the last record and `held`: missing ones, and captured ones of a broken record.
    passed: u64,
    held: Vec<u8>,
    /// Places in the stream where what looks like a record is none, by as many keys.
    false_ones: Vec<(u64, usize)>,
    tries: u32,
}

/// What looking for a record came to.
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// Nothing, and these bytes are given up.
    GivenUp(usize),
    /// Places, openings and numbers are used up.
    Never,
    /// A record begins at this place of what is held; the key that opens it is in force, at its number.
    Here(usize, Hidden, Phase),
}

impl Lost {
    pub(super) fn new(passed: u64) -> Self {
        Self { passed, held: Vec::new(), false_ones: Vec::new(), tries: 0 }
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}

/// One direction.
pub(super) struct Half {
    pub(super) records: Records,
    pub(super) joiner: Joiner,
    pub(super) phase: Phase,
    pub(super) force: Option<Box<InForce>>,
    pub(super) lost: Option<Box<Lost>>,
}

impl Default for Half {
    fn default() -> Self {
        Self { records: Records::default(), joiner: Joiner::default(), phase: Phase::Plain, force: None, lost: None }
    }
}

impl Half {
    /// Bytes of memory in use for what is not whole.
    pub(super) fn held(&self) -> usize {
        self.joiner.held().len() + self.records.memory() + self.lost.as_ref().map_or(0, |lost| lost.held())
    }

    /// Captured bytes that were taken and are in no record given out yet.
    pub(super) fn unread(&self) -> usize {
        self.records.held() + self.lost.as_ref().map_or(0, |lost| lost.held())
    }

    /// No record can be read any more. Gives the bytes that were held.
    pub(super) fn blind(&mut self) -> usize {
        let unread = self.unread();
        *self = Self { phase: Phase::Blind, ..Self::default() };
        unread
    }

    /// A hole of so many bytes, or (0) something that is no record. Gives the captured bytes that are given up with it.
    pub(super) fn lose(&mut self, missing: u64) -> usize {
        self.joiner.clear();
        let held = self.records.take().len();
        let (passed, given_up) = match self.lost.take() {
            Some(lost) => (lost.passed + lost.held.len() as u64, lost.held.len()),
            None => (0, 0),
        };
        self.lost = Some(Box::new(Lost::new(passed + held as u64 + missing)));
        held + given_up
    }

    /// Looks for a record in what is held and `bytes`, with the keys given: each with its phase.
    pub(super) fn search(&mut self, bytes: &[u8], keys: &mut Vec<(Phase, InForce)>, plain: &mut Plain) -> Found {
        let Some(lost) = &mut self.lost else { return Found::Nothing };
        lost.held.extend_from_slice(bytes);
        // A key of which no record was seen may come into force anywhere behind the hole's beginning.
        let first = keys.first().map_or(0, |(_, key)| key.sequence);
        let going_on = first > 0;
        for at in 0..lost.held.len() {
            let rest = &lost.held[at..];
            if !(rest[0] == content::APPLICATION_DATA || rest[0] == content::HANDSHAKE || rest[0] == content::ALERT)
                || !record::may_begin(rest)
            {
                continue;
            }
            // One that is not whole yet may still be one; those behind it are looked at all the same.
            let Some((record, _)) = record::split(rest) else { continue };
            let passed = lost.passed + at as u64;
            let place = (passed, keys.len());
            if lost.false_ones.contains(&place) {
                continue;
            }
            for n in 0..keys.len() {
                let (phase, key) = &mut keys[n];
                let overhead = key.opener.overhead().unwrap_or(16);
                let most = passed / (HEADER + overhead) as u64;
                // Numbers go on where the key was in force before the hole; under a new one they begin at 0.
                let (from, to) = if n == 0 && !going_on {
                    (0, most)
                } else if n == 0 {
                    (first + passed.div_ceil((HEADER + PAYLOAD) as u64), first + most)
                } else {
                    (0, most.min(TRIES_UPDATED))
                };
                for sequence in from..=to {
                    lost.tries += 1;
                    if lost.tries > TRIES {
                        return Found::Never;
                    }
                    if key.opener.open(sequence, record, plain).is_none() {
                        continue;
                    }
                    let hidden = match key.opener.overhead() {
                        Some(overhead) if n == 0 && going_on => {
                            let records = (sequence - first) * (HEADER + overhead) as u64;
                            passed.checked_sub(records).map_or(Hidden::Unknown, Hidden::Bytes)
                        }
                        _ => Hidden::Unknown,
                    };
                    let phase = *phase;
                    let (_, mut key) = keys.swap_remove(n);
                    key.sequence = sequence;
                    self.force = Some(Box::new(key));
                    return Found::Here(at, hidden, phase);
                }
            }
            // Each costs an opening at least, so that there are no more of them than of those.
            lost.false_ones.push(place);
        }
        // Other places are looked at again as long as their record may become whole.
        if lost.held.len() > WINDOW {
            let given_up = lost.held.len() - WINDOW / 2;
            lost.held.drain(..given_up);
            lost.passed += given_up as u64;
            return Found::GivenUp(given_up);
        }
        Found::Nothing
    }

    /// The record was found: what is held from `at` on is read as records again.
    pub(super) fn found(&mut self, at: usize) {
        if let Some(lost) = self.lost.take() {
            let mut held = lost.held;
            held.drain(..at.min(held.len()));
            self.records.load(held);
        }
    }
}
