//! Servers that are not, or not wholly, read: behind TLS, behind QUIC, or blind.
//!
//! Takes glimpses, gives a row for each server by name and port, mergeable and kept like endpoints are. Bounded: of servers
//! behind TLS and QUIC those go first that never answered, names that a scanner made up; what then has no row is counted
//! with its address where that has one, else as an oddity. Blind ones have a bound of their own, so that they push out no
//! other. Never holds what was said.

mod hint;
mod render;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::state::State;
use crate::base::{InventoryLimits, Oddities, Oddity};
use crate::observe::{Cover, Glimpse, Key as HashKey};

pub use hint::{Hint, Likeness};
pub use view::{
    BlindService, BlindView, CertificateView, ClientCertificates, NamedBy, OpaqueView, Sight, SightCounts, TurnsView,
};

/// Marks a record of such a server in the store.
pub(super) const RECORD: u8 = b'o';
/// Bytes of its key there.
const RECORD_KEY: usize = 17;

/// What makes such a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    cover: Cover,
    name: Box<str>,
    port: u16,
}

impl Key {
    fn is_blind(&self) -> bool {
        self.cover == Cover::Blind
    }

    /// 128 bits, so that no two names share a record.
    fn hash(&self) -> u128 {
        let text = [self.cover.name().as_bytes(), b"/", self.name.as_bytes(), b"/", &self.port.to_be_bytes()].concat();
        let upper = HashKey::new(*b"shadowtap: upper").hash(&text);
        u128::from(upper) << 64 | u128::from(HashKey::FIXED.hash(&text))
    }

    fn record(&self) -> Vec<u8> {
        let mut key = vec![RECORD];
        key.extend_from_slice(&self.hash().to_be_bytes());
        key
    }

    fn id(&self) -> String {
        let kind = if self.is_blind() { "bld" } else { "opq" };
        format!("{kind}-{:016x}", self.hash() as u64)
    }
}

#[derive(Clone, Debug, Default)]
struct Row {
    state: State,
    changed: bool,
}

/// All such servers.
#[derive(Debug, Default)]
pub(super) struct Opaque {
    rows: BTreeMap<Key, Row>,
    /// How many of the rows are blind.
    blind: usize,
    /// Keys of records whose rows were let go.
    gone: Vec<Vec<u8>>,
    /// Glimpses that found no row since rows were last let go: looking for such costs all rows once.
    refused: usize,
}

/// A row as the store has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    key: Key,
    state: State,
}

impl Opaque {
    /// Counts a glimpse in.
    pub(super) fn observe(&mut self, mut glimpse: Glimpse, limits: &InventoryLimits, oddities: &mut Oddities) {
        let name = std::mem::take(&mut glimpse.name);
        let key = Key { cover: glimpse.cover, name, port: glimpse.server.port };
        let Some(row) = self.row(key, limits, oddities, || glimpse.server.ip().to_string().into()) else {
            let limit = if glimpse.cover == Cover::Blind { Oddity::BlindLimit } else { Oddity::OpaqueLimit };
            oddities.bump(limit);
            return;
        };
        let let_go = row.state.observe(&glimpse, limits);
        row.changed = true;
        oddities.add(Oddity::OpaqueFacetLimit, let_go);
    }

    /// The row of a server; with no room for another one, that of its address.
    fn row(
        &mut self,
        mut key: Key,
        limits: &InventoryLimits,
        oddities: &mut Oddities,
        address: impl FnOnce() -> Box<str>,
    ) -> Option<&mut Row> {
        if !self.rows.contains_key(&key) && !self.has_room(&key, limits) && !self.sweep(&key, limits, oddities) {
            key.name = address();
            return self.rows.get_mut(&key);
        }
        let blind = key.is_blind();
        Some(self.rows.entry(key).or_insert_with(|| {
            self.blind += usize::from(blind);
            Row::default()
        }))
    }

    fn has_room(&self, key: &Key, limits: &InventoryLimits) -> bool {
        match key.is_blind() {
            true => self.blind < limits.blind_services,
            false => self.rows.len() - self.blind < limits.opaque_services,
        }
    }

    /// Lets servers go that never answered. `false` where that makes no room, or was tried a short while ago.
    fn sweep(&mut self, key: &Key, limits: &InventoryLimits, oddities: &mut Oddities) -> bool {
        self.refused += 1;
        if key.is_blind() || self.refused < limits.opaque_services / 16 {
            return false;
        }
        self.refused = 0;
        let gone = &mut self.gone;
        self.rows.retain(|key, row| {
            let stays = row.state.answered || key.is_blind();
            if !stays {
                oddities.add(Oddity::OpaqueLimit, row.state.connections);
                gone.push(key.record());
            }
            stays
        });
        self.has_room(key, limits)
    }

    /// Adds what another inventory knows.
    pub(super) fn merge(&mut self, other: Self, limits: &InventoryLimits, oddities: &mut Oddities) {
        for (key, theirs) in other.rows {
            let address = || theirs.state.addresses.first().map_or_else(Box::default, |a| a.to_string().into());
            let blind = key.is_blind();
            match self.row(key, limits, oddities, address) {
                Some(row) => {
                    row.state.merge(&theirs.state, limits);
                    row.changed = true;
                }
                None => {
                    let limit = if blind { Oddity::BlindLimit } else { Oddity::OpaqueLimit };
                    oddities.add(limit, theirs.state.connections);
                }
            }
        }
    }

    /// The records that changed since the last call.
    pub(super) fn take_changes(&mut self) -> impl Iterator<Item = (Vec<u8>, Option<Record>)> + '_ {
        // One that went and came again comes last.
        let gone = std::mem::take(&mut self.gone).into_iter().map(|key| (key, None));
        gone.chain(self.rows.iter_mut().filter_map(|(key, row)| {
            let record = || Record { key: key.clone(), state: row.state.clone() };
            std::mem::take(&mut row.changed).then(|| (key.record(), Some(record())))
        }))
    }

    /// Takes a record back. `Err`: why it cannot be one.
    pub(super) fn restore(&mut self, key: &[u8], record: Record, limits: &InventoryLimits) -> Result<(), &'static str> {
        let Record { key: server, mut state } = record;
        if key.len() != RECORD_KEY || server.record() != *key {
            return Err("the key does not fit the server");
        }
        if state.addresses.windows(2).any(|w| w[0] >= w[1])
            || state.certificates.iter().any(|(fingerprint, (badge, _))| *fingerprint != badge.fingerprint)
        {
            return Err("addresses or certificates out of order");
        }
        state.bound(limits);
        if !self.has_room(&server, limits) {
            // Kept under larger limits than those that hold now.
            self.gone.push(server.record());
            return Ok(());
        }
        self.blind += usize::from(server.is_blind());
        self.rows.insert(server, Row { state, changed: false });
        Ok(())
    }
}
