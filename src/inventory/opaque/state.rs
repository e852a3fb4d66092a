//! What is known of a server that is not, or not wholly, read.
//!
//! Takes glimpses one by one, gives counts, times, sketches and tallies, and one [`State::merge`]: commutative and
//! associative, used when sensors' shares come together and when the store is read again. Never holds a value, and of a
//! client's certificate no more than a count, keyed hashes and issuers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::base::{InventoryLimits, Timestamp};
use crate::exchange::Turns;
use crate::inventory::sketch::{Days, Distinct};
use crate::observe::{Badge, Blindness, Glimpse, Handshake};

/// All that is known of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) addresses: Vec<IpAddr>,
    /// When it was seen first and last.
    pub(super) seen: Option<(Timestamp, Timestamp)>,
    pub(super) days: Days,
    pub(super) callers: Distinct,
    /// Connections that were seen to begin.
    pub(super) connections: u64,
    /// Those whose handshake is over, and of which it is known whether keys open them.
    pub(super) settled: u64,
    pub(super) with_keys: u64,
    /// Messages that do not say what was asked.
    pub(super) messages: u64,
    /// Bytes from clients and from the server.
    pub(super) bytes: [u64; 2],
    /// Those of connections that keys open.
    pub(super) bytes_with_keys: [u64; 2],
    /// Has the server ever said something?
    pub(super) answered: bool,
    pub(super) versions: Tally,
    pub(super) suites: Tally,
    pub(super) alpn: Tally,
    pub(super) offered: Tally,
    pub(super) ja4: Tally,
    pub(super) ja3s: Tally,
    /// By fingerprint.
    pub(super) certificates: BTreeMap<u64, (Badge, u64)>,
    pub(super) certificate_requested: u64,
    pub(super) client_certificates: u64,
    pub(super) clients: Distinct,
    pub(super) client_issuers: Tally,
    pub(super) resumed: u64,
    pub(super) retried: u64,
    pub(super) early_data: u64,
    pub(super) ech: u64,
    pub(super) turns: Turns,
    pub(super) why: BTreeMap<Blindness, u64>,
}

impl State {
    /// Counts a glimpse in; gives how many facts had to go because there were too many.
    pub(super) fn observe(&mut self, g: &Glimpse, limits: &InventoryLimits) -> u64 {
        self.date(g.opened, g.last.max(g.opened));
        self.days.insert(g.opened.day());
        self.days.insert(g.last.max(g.opened).day());
        self.callers.insert(g.caller);
        self.address(g.server.ip(), limits.addresses);
        add(&mut self.connections, u64::from(g.begins));
        add(&mut self.messages, g.messages);
        for side in [0, 1] {
            add(&mut self.bytes[side], g.bytes[side]);
            add(&mut self.bytes_with_keys[side], if g.decrypted { g.bytes[side] } else { 0 });
        }
        self.answered |= g.answered;
        self.turns.merge(&g.turns);
        if let Some(why) = g.why {
            add(self.why.entry(why).or_default(), u64::from(g.begins) + g.messages);
        }
        match &g.handshake {
            Some(handshake) => {
                add(&mut self.settled, 1);
                add(&mut self.with_keys, u64::from(g.decrypted));
                self.handshake(handshake, limits)
            }
            None => 0,
        }
    }

    fn handshake(&mut self, h: &Handshake, limits: &InventoryLimits) -> u64 {
        let most = limits.opaque_facets;
        let mut let_go = 0;
        let facts = [
            (&mut self.versions, &h.version),
            (&mut self.suites, &h.suite),
            (&mut self.alpn, &h.alpn),
            (&mut self.ja4, &h.ja4),
            (&mut self.ja3s, &h.ja3s),
        ];
        for (tally, text) in facts {
            if let Some(text) = text {
                let_go += tally.add(text, 1, most);
            }
        }
        for name in &h.offered {
            let_go += self.offered.add(name, 1, most);
        }
        if let Some(badge) = &h.certificate {
            self.certificate(badge, 1);
            let_go += self.bound_certificates(limits);
        }
        if let Some((hash, issuer)) = &h.client_certificate {
            add(&mut self.client_certificates, 1);
            self.clients.insert(*hash);
            let_go += self.client_issuers.add(issuer, 1, most);
        }
        for (count, is) in [
            (&mut self.certificate_requested, h.certificate_requested),
            (&mut self.resumed, h.resumed),
            (&mut self.retried, h.retried),
            (&mut self.early_data, h.early_data),
            (&mut self.ech, h.ech),
        ] {
            add(count, u64::from(is));
        }
        let_go
    }

    fn date(&mut self, first: Timestamp, last: Timestamp) {
        let (before, after) = self.seen.unwrap_or((first, last));
        self.seen = Some((before.min(first), after.max(last)));
    }

    /// Of more addresses than the limit the smallest are kept.
    fn address(&mut self, address: IpAddr, limit: usize) {
        if let Err(at) = self.addresses.binary_search(&address) {
            self.addresses.insert(at, address);
            self.addresses.truncate(limit);
        }
    }

    /// Were there two of one fingerprint, the smaller one would be shown wherever they meet.
    fn certificate(&mut self, badge: &Badge, n: u64) {
        match self.certificates.entry(badge.fingerprint) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((badge.clone(), n));
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let (known, count) = place.get_mut();
                add(count, n);
                if badge < known {
                    known.clone_from(badge);
                }
            }
        }
    }

    /// Of more certificates than the limit those with the smallest fingerprints are kept: as good as a draw, and the same
    /// wherever they are counted.
    fn bound_certificates(&mut self, limits: &InventoryLimits) -> u64 {
        let mut let_go = 0;
        while self.certificates.len() > limits.opaque_certificates {
            self.certificates.pop_last();
            let_go += 1;
        }
        let_go
    }

    /// Lets go what is over limits that may be others than those under which it was counted.
    pub(super) fn bound(&mut self, limits: &InventoryLimits) {
        self.addresses.truncate(limits.addresses);
        self.bound_certificates(limits);
        for tally in self.tallies() {
            tally.bound(limits.opaque_facets);
        }
    }

    fn tallies(&mut self) -> [&mut Tally; 7] {
        let Self { versions, suites, alpn, offered, ja4, ja3s, client_issuers, .. } = self;
        [versions, suites, alpn, offered, ja4, ja3s, client_issuers]
    }

    /// Adds what another sensor, or another part of the same one, knows of this server.
    pub(super) fn merge(&mut self, other: &Self, limits: &InventoryLimits) {
        if let Some((first, last)) = other.seen {
            self.date(first, last);
        }
        self.days.merge(&other.days);
        self.callers.merge(&other.callers);
        self.clients.merge(&other.clients);
        self.turns.merge(&other.turns);
        self.answered |= other.answered;
        for address in &other.addresses {
            self.address(*address, limits.addresses);
        }
        let counts = [
            (&mut self.connections, other.connections),
            (&mut self.settled, other.settled),
            (&mut self.with_keys, other.with_keys),
            (&mut self.messages, other.messages),
            (&mut self.certificate_requested, other.certificate_requested),
            (&mut self.client_certificates, other.client_certificates),
            (&mut self.resumed, other.resumed),
            (&mut self.retried, other.retried),
            (&mut self.early_data, other.early_data),
            (&mut self.ech, other.ech),
        ];
        for (mine, theirs) in counts {
            add(mine, theirs);
        }
        for side in [0, 1] {
            add(&mut self.bytes[side], other.bytes[side]);
            add(&mut self.bytes_with_keys[side], other.bytes_with_keys[side]);
        }
        let theirs = [
            &other.versions,
            &other.suites,
            &other.alpn,
            &other.offered,
            &other.ja4,
            &other.ja3s,
            &other.client_issuers,
        ];
        for (mine, theirs) in self.tallies().into_iter().zip(theirs) {
            mine.merge(theirs, limits.opaque_facets);
        }
        for (badge, n) in other.certificates.values() {
            self.certificate(badge, *n);
        }
        self.bound_certificates(limits);
        for (why, n) in &other.why {
            add(self.why.entry(*why).or_default(), *n);
        }
    }
}

fn add(count: &mut u64, n: u64) {
    *count = count.saturating_add(n);
}
