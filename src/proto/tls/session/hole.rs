//! Going on behind a hole.
//!
//! Takes bytes behind a hole, gives the next record that a key opens: the key that was in force, or one that may have come
//! into force within the hole. Which places and numbers are tried is [`super::half`]'s. Never takes a record on its looks.

use super::half::{Found, InForce, Phase};
use super::{Party, Piece, Session, Step, Stop};
use crate::proto::tls::keys::Keys;
use crate::proto::tls::plain::Plain;

impl Session {
    /// Looks for the next record that a key opens.
    pub(super) fn find(&mut self, from: Party, bytes: &[u8], keys: &Keys, plain: &mut Plain) -> Step {
        let blind = |session: &mut Session| Step::Blind(session.half_mut(from).blind());
        let Some(cipher) = self.cipher else { return blind(self) };
        let version = self.version();
        let mut candidates = Vec::new();
        match self.half(from).phase {
            Phase::Plain | Phase::Data if !self.is_tls13() => {
                if let Some(force) = self.half_mut(from).force.take() {
                    candidates.push((Phase::Data, *force));
                } else {
                    match self.tls12_openers(keys) {
                        Ok((client, server)) => {
                            let opener = if from == Party::Client { client } else { server };
                            candidates.push((Phase::Data, InForce::new(opener, None)));
                        }
                        Err(Stop::Wait) => return Step::Wait(0),
                        Err(_) => return blind(self),
                    }
                }
            }
            Phase::Plain | Phase::Early | Phase::Blind => return blind(self),
            phase => {
                self.ask(keys);
                if let Some(force) = self.half_mut(from).force.take() {
                    candidates.push((phase, *force));
                } else if phase == Phase::Handshake
                    && let Some(secret) = self.handshake_secret(from)
                {
                    candidates.extend(InForce::tls13(cipher, version, secret).map(|key| (phase, key)));
                }
                match self.traffic_secret(from) {
                    Some(secret) if phase == Phase::Handshake || candidates.is_empty() => {
                        candidates.extend(InForce::tls13(cipher, version, secret).map(|key| (Phase::Data, key)));
                    }
                    // The key behind a KeyUpdate.
                    Some(_) => {
                        let next = candidates.first().and_then(|(_, key)| key.updated(cipher, version));
                        candidates.extend(next.map(|key| (Phase::Data, key)));
                    }
                    None if candidates.is_empty() => {
                        return match self.missing(keys) {
                            Stop::Wait => Step::Wait(0),
                            _ => blind(self),
                        };
                    }
                    None => {}
                }
            }
        }
        let half = self.half_mut(from);
        match half.search(bytes, &mut candidates, plain) {
            Found::Here(at, hidden, phase) => {
                half.phase = phase;
                half.found(at);
                // Read as any other: out of what is held.
                match self.step(from, &[], keys, plain) {
                    Step::Record(piece) => {
                        Step::Record(Piece { used: bytes.len(), skipped: at, hidden: Some(hidden), ..piece })
                    }
                    step => step,
                }
            }
            found => {
                // The key of before the hole stays the first to be tried.
                if !candidates.is_empty() {
                    half.force = Some(Box::new(candidates.swap_remove(0).1));
                }
                match found {
                    Found::Never => Step::Blind(half.blind() - bytes.len()),
                    Found::GivenUp(skipped) => Step::More(skipped),
                    _ => Step::More(0),
                }
            }
        }
    }
}
