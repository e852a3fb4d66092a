//! The whole way from frame to exchange, on one thread.
//!
//! Takes frames in capture order, gives exchanges to an [`Observer`] in place: one call tree, nothing allocated for a
//! packet in the steady state, no lock and no clock. Its ledger is the sum of those of its floors. Never blocks, never
//! fails: what cannot be read is counted.

use crate::base::{Bucket, Ledger, Limits, Oddities, Side, Timestamp};
use crate::exchange::{Observer, Pairing, Quic};
use crate::proto::recognise;
use crate::proto::tls::Keys;
use crate::stream::Table;
use crate::wire::{Copies, Datagram, Decoder, Frame, Tunnels};

/// Decoder, connection table and pairing, joined.
pub struct Pipeline<O: Observer> {
    decoder: Decoder,
    table: Table<Pairing<O>>,
    pairing: Pairing<O>,
    quic: Quic,
}

impl<O: Observer> Pipeline<O> {
    /// A way that ends at this observer.
    pub fn new(observer: O, limits: &Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            table: Table::new(limits),
            pairing: Pairing::new(observer, limits),
            quic: Quic::new(limits),
        }
    }

    /// Takes the secrets of TLS sessions from this store; several may share one.
    pub fn set_keys(&mut self, keys: Keys) {
        self.pairing.set_keys(keys);
    }

    /// The store of secrets.
    pub fn keys(&self) -> &Keys {
        self.pairing.keys()
    }

    /// The next frame.
    #[inline]
    pub fn frame(&mut self, frame: &Frame<'_>) {
        let Self { decoder, table, pairing, quic } = self;
        let udp = |datagram: &Datagram<'_>| match quic.datagram(&mut pairing.observer, datagram) {
            Bucket::Udp => {
                let ports = [Side::Lo, Side::Hi].map(|side| datagram.key.end(side).port);
                recognise::udp(ports, datagram.payload).unwrap_or(Bucket::Udp)
            }
            bucket => bucket,
        };
        if let Some(segment) = decoder.decode_with(frame, udp) {
            table.segment(pairing, &segment);
        }
    }

    /// Time passed without a frame (live capture): timers run up to `now`, which is capture time.
    pub fn tick(&mut self, now: Timestamp) {
        self.table.tick(&mut self.pairing, now);
        self.pairing.tick(now);
        self.quic.tick(&mut self.pairing.observer, now);
    }

    /// QUIC connections that have been idle for long by `now` are closed, also while only TCP comes.
    pub fn tick_quic(&mut self, now: Timestamp) {
        self.quic.tick(&mut self.pairing.observer, now);
    }

    /// The capture ended: what is open is closed, as it is. Afterwards each captured byte is in a bucket of the ledger.
    pub fn finish(&mut self) {
        self.decoder.finish();
        self.table.finish(&mut self.pairing);
        self.pairing.finish_waiting();
        self.quic.finish(&mut self.pairing.observer);
    }

    /// Where the bytes went so far.
    pub fn ledger(&self) -> Ledger {
        let mut sum = self.decoder.ledger.clone();
        sum.merge(&self.table.ledger);
        sum.merge(&self.pairing.ledger);
        sum
    }

    /// What was strange so far.
    pub fn oddities(&self) -> Oddities {
        let mut sum = self.decoder.strange();
        sum.merge(&self.quic.oddities);
        sum.merge(&self.table.oddities);
        sum.merge(&self.pairing.oddities);
        sum
    }

    /// The tags and tunnels that were met so far.
    pub fn tunnels(&self) -> &Tunnels {
        &self.decoder.tunnels
    }

    /// What is known so far of packets that are mirrored twice.
    pub fn copies(&self) -> Copies {
        self.decoder.copies()
    }

    /// TCP connections that are followed at the moment.
    pub fn flows(&self) -> usize {
        self.table.flows()
    }

    /// When the oldest exchange that is not over began. Not for each packet: it looks at all of them.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        self.pairing.oldest_open()
    }

    /// Out-of-order bytes that are held at the moment.
    pub fn buffered(&self) -> usize {
        self.table.buffered()
    }

    /// Who sees the exchanges.
    pub fn observer(&self) -> &O {
        &self.pairing.observer
    }

    /// The same, to take from it.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.pairing.observer
    }

    /// The observer, with what it has seen.
    pub fn into_observer(self) -> O {
        self.pairing.observer
    }
}
