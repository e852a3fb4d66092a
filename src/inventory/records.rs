//! Records for the store.
//!
//! Takes what changed, gives one record for each raw endpoint, one or two for each service and one for each server that is not
//! read, under keys that sort by service; takes such records back. A tick writes only what changed in it. Each record begins with the version of its form and holds
//! all that its part of the inventory is made of. Never trusts what it reads: a damaged record is an error, not a panic.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::methods::{MethodId, Methods};
use super::provenance::Provenance;
use super::service::{Facts, Service};
use super::state::EndpointState;
use super::tree::{Closed, NONE, NodeId, ROOT, Token, Tree};
use super::{Change, Inventory, changes, id, opaque};
use crate::base::{InventoryLimits, Oddities, Oddity};

/// Version of the records' form. Since 2, facets may be fields of messages and segments names of a protocol; a record of 1
/// holds none and is read as it is.
const SCHEMA: u8 = 2;
/// The oldest form that is read.
const OLDEST: u8 = 1;
const SERVICE: u8 = b's';
const ENDPOINT: u8 = b'e';
/// What a service's bodies named; its key is as that of the service.
const NAMED: u8 = b'n';
/// Bytes of a service's key: its mark and its id. An endpoint's has another 16 of its own.
const SERVICE_KEY: usize = 9;

/// Why records could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Written by another version.
    #[error("record {key} has schema {found}, this version reads {OLDEST} to {SCHEMA}")]
    Schema {
        /// The record's key, in hexadecimal.
        key: String,
        /// The version it was written with.
        found: u8,
    },
    /// Not a record of ours, or damaged.
    #[error("record {key} cannot be read: {reason}")]
    Damaged {
        /// The record's key, in hexadecimal.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An endpoint whose service has no record.
    #[error("record {key} belongs to a service that has no record")]
    Orphan {
        /// The record's key, in hexadecimal.
        key: String,
    },
}

/// Paths below which places were folded for good.
type ClosedPaths = Vec<(Vec<Token>, Closed)>;

#[derive(Serialize, Deserialize)]
struct ServiceRecord<'a> {
    facts: Cow<'a, Facts>,
    /// Places that were folded for good: of codes, of words.
    closed: Vec<(Vec<Token>, bool, bool)>,
}

#[derive(Serialize, Deserialize)]
struct EndpointRecord<'a> {
    /// With its operation, where it has one ([`Methods::text`]).
    method: Cow<'a, str>,
    path: Vec<Token>,
    state: Cow<'a, EndpointState>,
}

fn service_key(service: u64) -> Vec<u8> {
    of_service(SERVICE, service)
}

fn of_service(mark: u8, service: u64) -> Vec<u8> {
    let mut key = vec![mark];
    key.extend_from_slice(&service.to_be_bytes());
    key
}

fn endpoint_key(service: u64, method: &str, path: &[Token]) -> Vec<u8> {
    let mut key = vec![ENDPOINT];
    key.extend_from_slice(&service.to_be_bytes());
    key.extend_from_slice(&id::record(method, path).to_be_bytes());
    key
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    // Writing to a vector fails for no record: all lengths are known. An empty value would be refused when read.
    postcard::to_extend(record, vec![SCHEMA]).unwrap_or_default()
}

/// The keys of all records of a service.
pub(super) fn keys(service: &Service, methods: &Methods) -> Vec<Vec<u8>> {
    let endpoints = service.tree.endpoints.iter().flatten();
    let mut keys: Vec<_> =
        endpoints.map(|e| endpoint_key(service.id, &methods.text(e.method), &service.tree.path(e.node))).collect();
    keys.push(service_key(service.id));
    if !service.provenance.is_empty() {
        keys.push(of_service(NAMED, service.id));
    }
    keys
}

impl Service {
    fn take_changes(&mut self, methods: &Methods, out: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>) {
        for (path, method) in std::mem::take(&mut self.tree.gone) {
            out.insert(endpoint_key(self.id, &methods.text(method), &path), None);
        }
        for id in std::mem::take(&mut self.tree.changed) {
            let Some(Some(endpoint)) = self.tree.endpoints.get_mut(id as usize) else { continue };
            if !std::mem::take(&mut endpoint.changed) {
                continue;
            }
            let Some(Some(endpoint)) = self.tree.endpoints.get(id as usize) else { continue };
            let method = methods.text(endpoint.method);
            let path = self.tree.path(endpoint.node);
            let key = endpoint_key(self.id, &method, &path);
            let record = EndpointRecord { method: method.into(), path, state: Cow::Borrowed(&endpoint.state) };
            out.insert(key, Some(encode(&record)));
        }
        if std::mem::take(&mut self.changed) {
            let record = ServiceRecord { facts: Cow::Borrowed(&self.facts), closed: self.tree.closed() };
            out.insert(service_key(self.id), Some(encode(&record)));
        }
        if std::mem::take(&mut self.named_changed) && !self.provenance.is_empty() {
            out.insert(of_service(NAMED, self.id), Some(encode(&self.provenance)));
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.tree.nodes[ROOT as usize].proven
    }

    /// Adds what another inventory knows of this service.
    pub(super) fn merge(
        &mut self,
        other: &Self,
        theirs: &Methods,
        mine: &mut Methods,
        limits: &InventoryLimits,
        oddities: &mut Oddities,
    ) {
        self.merge_facts(&other.facts, limits);
        for endpoint in other.tree.endpoints.iter().flatten() {
            let method = mine.of_text(&theirs.text(endpoint.method));
            let let_go = self.tree.insert(&other.tree.path(endpoint.node), method, &endpoint.state, limits);
            oddities.add(Oddity::FacetLimit, let_go);
        }
        // Last, since which words stay at a closed place shows only when all are there.
        for (path, codes, words) in other.tree.closed() {
            self.tree.close_path(&path, Closed { codes, words }, limits);
        }
    }
}

impl Tree {
    /// The places that were folded for good.
    pub(super) fn closed(&self) -> Vec<(Vec<Token>, bool, bool)> {
        let closed = |id: NodeId| self.nodes[id as usize].closed;
        let all = self.below(ROOT).into_iter().filter(|id| closed(*id) != Closed::default());
        let mut all: Vec<_> = all.map(|id| (self.path(id), closed(id).codes, closed(id).words)).collect();
        all.sort_unstable();
        all
    }

    /// The node at the end of a path, where it is known.
    pub(super) fn node_at(&self, path: &[Token]) -> Option<NodeId> {
        path.iter().try_fold(ROOT, |id, token| {
            let node = &self.nodes[id as usize];
            let there = |id: NodeId| (id != NONE).then_some(id);
            match token {
                Token::Word(text, _) => self.child(id, text).or_else(|| there(node.value)),
                Token::Value => there(node.value),
                Token::Rest => there(node.rest),
            }
        })
    }

    fn way(&mut self, path: &[Token]) -> (NodeId, u64) {
        let (mut id, mut values) = (ROOT, 0);
        for (place, token) in path.iter().enumerate() {
            id = self.add(id, token.clone());
            let folded = *token != Token::Value && self.nodes[id as usize].token == Token::Value;
            values |= u64::from(folded) << (place & 63);
        }
        (id, values)
    }

    /// Folds a place for good.
    pub(super) fn close_path(&mut self, path: &[Token], closed: Closed, limits: &InventoryLimits) {
        let (id, _) = self.way(path);
        self.mark_closed(id, closed, limits);
        self.settle(limits);
    }

    /// Adds an endpoint's state under its raw path. Gives the facets let go.
    pub(super) fn insert(
        &mut self,
        path: &[Token],
        method: MethodId,
        state: &EndpointState,
        limits: &InventoryLimits,
    ) -> u64 {
        let (node, folded) = self.way(path);
        let mut state = Cow::Borrowed(state);
        for (place, token) in path.iter().enumerate() {
            if let (Token::Word(_, kind), true) = (token, folded >> (place & 63) & 1 == 1) {
                state.to_mut().place_holds(place, *kind);
            }
        }
        let (id, _) = self.endpoint(node, method);
        let let_go = self.absorb(id, &state, limits);
        self.settle(limits);
        let_go
    }
}

impl Inventory {
    /// The records that changed since the last call, each key once, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut out: BTreeMap<_, _> = std::mem::take(&mut self.gone).into_iter().map(|key| (key, None)).collect();
        for service in &mut self.services {
            service.take_changes(&self.methods, &mut out);
        }
        out.extend(self.history.take_changes());
        out.extend(self.opaque.take_changes().map(|(key, record)| (key, record.map(|r| encode(&r)))));
        out.into_iter().map(|(key, value)| Change { key, value }).collect()
    }

    /// The inventory that gave these records, in any order. Oddities are not among them: they are of a run.
    ///
    /// # Errors
    /// When a record is damaged, of another version, or of a service that has none.
    pub fn restore(
        limits: InventoryLimits,
        records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Self, RestoreError> {
        let (inventory, left_out) = Self::restore_readable(limits, records)?;
        left_out.into_iter().next().map_or(Ok(inventory), Err)
    }

    /// The same, without the records that are damaged or belong to a service that has none (after a store was rebuilt
    /// from what was left of it). They come as errors beside the inventory, in order of their keys.
    ///
    /// # Errors
    /// When a record is of another version: then it is not a few that are wrong.
    pub fn restore_readable(
        limits: InventoryLimits,
        records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(Self, Vec<RestoreError>), RestoreError> {
        let mut inventory = Self::new(limits);
        let mut left_out = Vec::new();
        let (opaque, others): (Vec<_>, Vec<_>) = records.partition(|(key, _)| key.first() == Some(&opaque::RECORD));
        let (history, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(key, _)| changes::is_key(key));
        for (key, value) in &history {
            if let Err(why) = inventory.history.restore(key, value) {
                left_out.push(damaged(key, &why));
            }
        }
        for (key, value) in &opaque {
            if let Err(e) = inventory.restore_opaque(key, value) {
                left_out.push(e.tolerable()?);
            }
        }
        let (named, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(key, _)| key.first() == Some(&NAMED));
        let (services, endpoints): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(key, _)| key.first() == Some(&SERVICE));
        let mut numbers = BTreeMap::new();
        let mut closed = Vec::new();
        for (key, value) in &services {
            match inventory.restore_service(key, value) {
                Ok((id, paths)) => {
                    let number = inventory.services.len() - 1;
                    numbers.insert(id.to_be_bytes(), number);
                    closed.extend(paths.into_iter().map(|(path, closed)| (number, path, closed)));
                }
                Err(e) => left_out.push(e.tolerable()?),
            }
        }
        for (key, value) in &named {
            if let Err(e) = inventory.restore_named(key, value, &numbers) {
                left_out.push(e.tolerable()?);
            }
        }
        for (key, value) in &endpoints {
            if let Err(e) = inventory.restore_endpoint(key, value, &numbers) {
                left_out.push(e.tolerable()?);
            }
        }
        for (number, path, closed) in closed {
            inventory.services[number].tree.close_path(&path, closed, &inventory.limits);
        }
        for service in &mut inventory.services {
            // Under other limits than before more may have been folded: then all of it goes to the store again.
            service.changed = !service.tree.gone.is_empty();
            if !service.changed {
                service.tree.forget_changes();
            }
            inventory.endpoints += service.tree.len();
            inventory.observed += service.facts.calls;
        }
        let services: Vec<_> = inventory.services.iter().map(|s| s.id).collect();
        inventory.history.restored(&services);
        Ok((inventory, left_out))
    }

    fn restore_opaque(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let record: opaque::Record = body(key, value)?;
        self.opaque.restore(key, record, &self.limits).map_err(|why| damaged(key, why))
    }

    /// Adds the service of a record; gives its id and the paths that were folded for good.
    fn restore_service(&mut self, key: &[u8], value: &[u8]) -> Result<(u64, ClosedPaths), RestoreError> {
        let record: ServiceRecord<'_> = decode(key, value, SERVICE_KEY)?;
        let service = Service::of(record.facts.into_owned());
        for (path, ..) in &record.closed {
            check_path(key, path)?;
        }
        if self.find(&service.facts.key()).is_some() || service_key(service.id) != *key {
            return Err(damaged(key, "the key does not fit the service"));
        }
        let id = service.id;
        self.services.push(service);
        self.insert_index((self.services.len() - 1) as u32);
        let closed = record.closed.into_iter().map(|(path, codes, words)| (path, Closed { codes, words }));
        Ok((id, closed.collect()))
    }

    /// Adds what a service's bodies named.
    fn restore_named(
        &mut self,
        key: &[u8],
        value: &[u8],
        numbers: &BTreeMap<[u8; 8], usize>,
    ) -> Result<(), RestoreError> {
        let record: Provenance = body(key, value)?;
        let id = key
            .get(1..)
            .and_then(|id| <[u8; 8]>::try_from(id).ok())
            .ok_or_else(|| damaged(key, "not a key of ours"))?;
        let Some(&number) = numbers.get(&id) else { return Err(RestoreError::Orphan { key: hex(key) }) };
        self.take_named(number as u32, |provenance, room| {
            provenance.merge(&record, room);
            // Under another limit than before it is another record.
            *provenance != record
        });
        Ok(())
    }

    fn restore_endpoint(
        &mut self,
        key: &[u8],
        value: &[u8],
        numbers: &BTreeMap<[u8; 8], usize>,
    ) -> Result<(), RestoreError> {
        let mut record: EndpointRecord<'_> = decode(key, value, SERVICE_KEY + 16)?;
        check_path(key, &record.path)?;
        let id = key.get(1..SERVICE_KEY).and_then(|id| <[u8; 8]>::try_from(id).ok());
        let Some(&number) = id.and_then(|id| numbers.get(&id)) else {
            return Err(RestoreError::Orphan { key: hex(key) });
        };
        let method = self.methods.of_text(&record.method);
        record.state.to_mut().share_names(&mut self.names);
        let tree = &mut self.services[number].tree;
        tree.insert(&record.path, method, &record.state, &self.limits);
        if tree.way(&record.path).1 != 0 {
            // It went into a value, under limits other than those it was written under.
            tree.gone.push((record.path, method));
        }
        Ok(())
    }
}

impl RestoreError {
    /// Passes on what concerns one record alone.
    fn tolerable(self) -> Result<Self, Self> {
        match self {
            Self::Schema { .. } => Err(self),
            Self::Damaged { .. } | Self::Orphan { .. } => Ok(self),
        }
    }
}

fn decode<'a, T: Deserialize<'a>>(key: &[u8], value: &'a [u8], len: usize) -> Result<T, RestoreError> {
    let wanted = if len == SERVICE_KEY { SERVICE } else { ENDPOINT };
    if key.len() != len || key.first() != Some(&wanted) {
        return Err(damaged(key, "not a key of ours"));
    }
    body(key, value)
}

/// What stands behind the version of the form.
fn body<'a, T: Deserialize<'a>>(key: &[u8], value: &'a [u8]) -> Result<T, RestoreError> {
    match value.split_first() {
        Some((OLDEST..=SCHEMA, body)) => postcard::from_bytes(body).map_err(|e| damaged(key, &e.to_string())),
        Some((&found, _)) => Err(RestoreError::Schema { key: hex(key), found }),
        None => Err(damaged(key, "empty")),
    }
}

/// Paths come from a tree: bounded, and nothing follows a rest.
fn check_path(key: &[u8], path: &[Token]) -> Result<(), RestoreError> {
    let rest = path.iter().position(|t| *t == Token::Rest);
    let bad_word = |t: &Token| matches!(t, Token::Word(text, _) if text.is_empty());
    if path.len() > 65 || rest.is_some_and(|at| at + 1 != path.len()) || path.iter().any(bad_word) {
        return Err(damaged(key, "not a path"));
    }
    Ok(())
}

fn damaged(key: &[u8], reason: &str) -> RestoreError {
    RestoreError::Damaged { key: hex(key), reason: reason.to_owned() }
}

fn hex(key: &[u8]) -> String {
    key.iter().take(32).map(|b| format!("{b:02x}")).collect()
}
