//! Connections that are over and whose keys may still come.
//!
//! Takes a connection that closes while its bytes wait for a key, gives it back to its end when the key has come, or as
//! waiting has no point any more. A key log is passed on some milliseconds after the handshake, and short connections are
//! over by then. Bounded by what all that waits for keys may take, and by the patience with each. Never waits for a key
//! where none may come, or once the capture has ended.

use super::super::observer::Observer;
use super::super::pairing::Pairing;
use super::super::talk::Talk;
use super::Mode;
use crate::base::Timestamp;
use crate::stream::{Close, Connection};

/// Nanoseconds of packet time between two looks for keys that came.
const LOOK: u64 = 20_000_000;

/// A connection that is over.
pub(in super::super) struct Parted {
    connection: Connection,
    talk: Box<Talk>,
    /// When it was over.
    last: Timestamp,
}

impl Parted {
    /// When its TLS began.
    pub(in super::super) fn began(&self) -> Timestamp {
        self.talk.tls.as_ref().and_then(|layer| layer.opened).unwrap_or(self.connection.opened)
    }
}

impl<O: Observer> Pairing<O> {
    /// Ends a connection, unless a key may still come that opens what was held back of it. (What closes inside of
    /// another TLS session ends with that.)
    pub(in super::super) fn tls_part(&mut self, c: &Connection, mut talk: Talk, why: Close, last: Timestamp) {
        let waits = talk.tls.as_ref().is_some_and(|layer| layer.mode == Mode::Waiting);
        let room = self.tls_held <= self.limits.tls_total_hold_bytes;
        if waits && room && talk.depth == 0 && why != Close::CaptureEnd {
            self.parted.push_back(Parted { connection: *c, talk: Box::new(talk), last });
        } else {
            self.process_close(c, &mut talk, last);
        }
    }

    /// Time has come to `now`.
    #[inline]
    pub(in super::super) fn tls_look_at_parted(&mut self, now: Timestamp) {
        if !self.parted.is_empty() {
            self.tls_parted(now);
        }
    }

    /// Looks for keys that came, and ends those that have waited long enough.
    #[cold]
    fn tls_parted(&mut self, now: Timestamp) {
        let patience = self.limits.tls_hold_seconds.saturating_mul(1_000_000_000);
        let (looked, asked) = self.parted_looked;
        let generation = self.keys.generation();
        // A clock that stepped back must not make anybody wait for ever.
        let due = now.since(looked) >= LOOK || looked.since(now) >= LOOK;
        if generation != asked && due {
            self.parted_looked = (now, generation);
            for mut parted in std::mem::take(&mut self.parted) {
                if self.tls_key_came(&mut parted, now) {
                    self.process_close(&parted.connection, &mut parted.talk, parted.last);
                } else {
                    self.parted.push_back(parted);
                }
            }
        }
        // In order of their ends.
        while let Some(first) = self.parted.front()
            && (now.since(first.last) > patience || self.tls_held > self.limits.tls_total_hold_bytes)
        {
            self.tls_end_first_parted();
        }
    }

    /// Has the key come? Then all that it opens has been read.
    fn tls_key_came(&mut self, parted: &mut Parted, now: Timestamp) -> bool {
        let Some(mut layer) = parted.talk.tls.take() else { return true };
        let named = layer.session.as_ref().and_then(|session| session.client_random());
        if named.is_some_and(|random| self.keys.may_open(random)) {
            self.tls_resume(&parted.connection, &mut layer, Some(now));
        }
        let waits = layer.mode == Mode::Waiting;
        parted.talk.tls = Some(layer);
        !waits
    }

    /// The one that has waited for longest is given up, unless what came since opens it after all.
    fn tls_end_first_parted(&mut self) {
        if let Some(mut parted) = self.parted.pop_front() {
            self.process_close(&parted.connection, &mut parted.talk, parted.last);
        }
    }

    /// No more keys will come.
    pub(in super::super) fn tls_end_parted(&mut self) {
        while !self.parted.is_empty() {
            self.tls_end_first_parted();
        }
    }
}
