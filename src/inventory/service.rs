//! One service: its tree of raw paths and what is known of it as a whole.
//!
//! Takes observations, finds or makes their endpoints, and keeps floods out: failures on paths that never succeeded are
//! few and soon let go into the count of probes. Never lets an unproven path push out a proven one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id;
use super::methods::{self, MethodId};
use super::names::Names;
use super::provenance::Provenance;
use super::relearn::Kept;
use super::sketch::Distinct;
use super::tree::{EndpointId, ROOT, Token, Tree};
use crate::base::{InventoryLimits, Oddities, Oddity, Timestamp};
use crate::observe::{Observation, Scheme, ServiceKey};

/// Endpoints of a service without a single success, one in so many of all it may have. They are needed so that a
/// failure seen before the first success, or beside one, is counted where it belongs.
const UNPROVEN_SHARE: usize = 32;

/// Addresses of a service that are looked through one by one: servers behind a balancer answer in turn.
const FEW_ADDRESSES: usize = 8;

/// What is known of a service beside its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) scheme: Scheme,
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) calls: u64,
    pub(super) first_seen: Timestamp,
    pub(super) last_seen: Timestamp,
    /// Exchanges on paths that were let go, by status; 0 where there was no answer.
    pub(super) probes: BTreeMap<u16, u64>,
    pub(super) probed: Distinct,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) id: u64,
    pub(super) facts: Facts,
    pub(super) tree: Tree,
    pub(super) changed: bool,
    /// What its bodies named, and whether that changed.
    pub(super) provenance: Provenance,
    pub(super) named_changed: bool,
    /// What was learnt of it.
    pub(super) kept: Option<Kept>,
    /// Index of the address that answered last.
    address: usize,
    /// Exchanges from which on the tree may be swept, or folded, again: each costs the whole tree once.
    sweep_at: u64,
    fold_at: u64,
}

/// How many endpoints a service may have right now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room(pub(super) usize);

/// An exchange on its way into a service, and what is needed there.
pub(super) struct Context<'a> {
    pub(super) o: &'a Observation<'a>,
    /// The inventory's number of its method.
    pub(super) method: MethodId,
    pub(super) room: Room,
    pub(super) limits: &'a InventoryLimits,
    pub(super) oddities: &'a mut Oddities,
    pub(super) names: &'a mut Names,
}

impl Context<'_> {
    fn succeeded(&self) -> bool {
        self.o.succeeded()
    }
}

impl Service {
    pub(super) fn new(key: &ServiceKey<'_>) -> Self {
        let facts = Facts {
            scheme: key.scheme,
            host: key.host.into(),
            port: key.port,
            addresses: Vec::new(),
            calls: 0,
            first_seen: Timestamp::default(),
            last_seen: Timestamp::default(),
            probes: BTreeMap::new(),
            probed: Distinct::default(),
        };
        Self::of(facts)
    }

    pub(super) fn of(facts: Facts) -> Self {
        let id = id::service(&facts.key());
        Self {
            id,
            facts,
            tree: Tree::new(),
            changed: false,
            provenance: Provenance::default(),
            named_changed: false,
            kept: None,
            address: 0,
            sweep_at: 0,
            fold_at: 0,
        }
    }

    /// Counts an exchange in.
    #[inline]
    pub(super) fn observe(&mut self, c: &mut Context<'_>) {
        let o = c.o;
        self.facts.seen(o.ts);
        self.changed = true;
        if self.facts.addresses.get(self.address) != Some(&o.server) {
            let known = self.facts.addresses.iter().take(FEW_ADDRESSES).position(|a| *a == o.server);
            self.address = known.unwrap_or_else(|| self.facts.answered(o.server, c.limits.addresses));
        }
        let reach = || self.tree.reach(o.path, c.method, c.limits.path_segments);
        let known =
            if o.path.len() <= c.limits.path_segments { self.tree.lookup(o.path, c.method, o.caller) } else { None };
        debug_assert!(known.is_none() || known == reach(), "the short way leads elsewhere");
        match known.or_else(reach) {
            Some((id, values)) => self.count(id, values, c),
            None => self.learn(c),
        }
    }

    /// Counts what was said since in an exchange with an endpoint that is known.
    pub(super) fn hear(&mut self, c: &mut Context<'_>) {
        if let Some((id, values)) = self.tree.reach(c.o.path, c.method, c.limits.path_segments) {
            self.facts.last_seen = self.facts.last_seen.max(c.o.ts);
            self.changed = true;
            self.count(id, values, c);
        }
    }

    #[inline]
    fn count(&mut self, id: EndpointId, values: u64, c: &mut Context<'_>) {
        let Some(Some(endpoint)) = self.tree.endpoints.get_mut(id as usize) else { return };
        let let_go = endpoint.state.observe(c.o, values, c.limits, c.names);
        if let_go > 0 {
            c.oddities.add(Oddity::FacetLimit, let_go);
        }
        let newly_proven = !endpoint.proven && c.succeeded();
        self.tree.touch(id);
        if newly_proven {
            self.tree.proven(id);
            self.tree.settle(c.limits);
        }
    }

    /// An exchange with an endpoint that is not known yet.
    #[cold]
    fn learn(&mut self, c: &mut Context<'_>) {
        if methods::operation(c.method) != 0 && self.tree.operations >= c.limits.operations {
            c.oddities.bump(Oddity::OperationLimit);
            c.method = methods::plain(c.method);
            if let Some((id, values)) = self.tree.reach(c.o.path, c.method, c.limits.path_segments) {
                return self.count(id, values, c);
            }
        }
        let success = c.succeeded();
        if !success && self.tree.unproven >= unproven_limit(c.limits) && !self.sweep(c.limits) {
            return self.probed(c);
        }
        if self.tree.len() >= c.room.0 && !self.make_room(c.room, c.limits) {
            c.oddities.bump(Oddity::EndpointLimit);
            return if success { self.count_rest(c) } else { self.probed(c) };
        }
        let place = self.tree.grow(c.o.path, c.limits.path_segments);
        let (id, _) = self.tree.endpoint(place.node, c.method);
        self.count(id, place.values, c);
    }

    /// Counts an exchange among those with paths that are not kept.
    fn probed(&mut self, c: &Context<'_>) {
        self.facts.probed(c.o.status, 1, id::origin(c.o.method, c.o.operation, c.o.path));
    }

    /// Counts an exchange into the catch-all nearest to where its path leaves the tree; into the service's own when
    /// there are too many of these as well.
    fn count_rest(&mut self, c: &mut Context<'_>) {
        let place = self.tree.follow(c.o.path, c.limits.path_segments);
        let crowded = self.tree.len() >= c.room.0 + c.room.0 / 8 + 16;
        let (node, values) = if crowded { (ROOT, 0) } else { (place.node, place.values) };
        let node = if place.depth == c.o.path.len() && !crowded { node } else { self.tree.add(node, Token::Rest) };
        let (id, _) = self.tree.endpoint(node, c.method);
        self.count(id, values, c);
    }

    /// Lets unproven endpoints go: first those that were answered as nonsense is, then the rest, until half of the room is free.
    /// `false` when it was done so recently that it would cost too much.
    fn sweep(&mut self, limits: &InventoryLimits) -> bool {
        if self.facts.calls < self.sweep_at {
            return false;
        }
        let limit = unproven_limit(limits);
        self.sweep_at = self.facts.calls + limit as u64;
        let mut unproven: Vec<_> = self
            .tree
            .endpoints
            .iter()
            .enumerate()
            .filter_map(|(id, e)| Some((id, e.as_ref()?)))
            .filter(|(_, e)| !e.proven)
            .map(|(id, e)| {
                ((e.state.may_be_real(), e.state.calls, e.state.first_seen, e.state.origin), id as EndpointId)
            })
            .collect();
        unproven.sort_unstable();
        let weak = unproven.iter().filter(|((real, ..), _)| !real).count();
        let gone = weak.max(unproven.len().saturating_sub(limit / 2));
        for (_, id) in unproven.into_iter().take(gone) {
            let Some(endpoint) = self.tree.remove(id) else { continue };
            self.facts.probed.insert(endpoint.state.origin);
            for (status, n) in endpoint.state.statuses_or_none() {
                *self.facts.probes.entry(status).or_default() += n;
            }
        }
        self.tree.unproven < limit
    }

    /// Folds for good what folds in the view anyway. `false` when that frees nothing.
    fn make_room(&mut self, room: Room, limits: &InventoryLimits) -> bool {
        if self.facts.calls >= self.fold_at {
            self.fold_at = self.facts.calls + (self.tree.len() as u64).max(1024);
            let folds = super::learn::folds(&self.tree);
            // Deepest first: folding a place keeps the numbers of the nodes above it.
            for (node, children) in folds.into_iter().rev() {
                self.tree.fold_live(node, &children, limits);
            }
            self.tree.settle(limits);
        }
        self.tree.len() < room.0
    }

    /// Adds what another sensor, or another part of the same one, knows of this service.
    pub(super) fn merge_facts(&mut self, other: &Facts, limits: &InventoryLimits) {
        self.changed = true;
        self.facts.merge(other, limits);
    }
}

pub(super) fn unproven_limit(limits: &InventoryLimits) -> usize {
    (limits.endpoints_per_service / UNPROVEN_SHARE).max(16)
}

impl Facts {
    pub(super) fn key(&self) -> ServiceKey<'_> {
        ServiceKey { scheme: self.scheme, host: &self.host, port: self.port }
    }

    #[inline]
    fn seen(&mut self, ts: Timestamp) {
        self.first_seen = if self.calls == 0 { ts } else { self.first_seen.min(ts) };
        self.last_seen = self.last_seen.max(ts);
        self.calls += 1;
    }

    /// Notes an address; gives its index. Of more than the limit the smallest are kept.
    #[cold]
    fn answered(&mut self, address: IpAddr, limit: usize) -> usize {
        match self.addresses.binary_search(&address) {
            Ok(at) => at,
            Err(at) => {
                self.addresses.insert(at, address);
                self.addresses.truncate(limit);
                at
            }
        }
    }

    fn probed(&mut self, status: Option<u16>, n: u64, path: u64) {
        *self.probes.entry(status.unwrap_or(0)).or_default() += n;
        self.probed.insert(path);
    }

    fn merge(&mut self, other: &Self, limits: &InventoryLimits) {
        if other.calls == 0 {
            return;
        }
        self.first_seen = if self.calls == 0 { other.first_seen } else { self.first_seen.min(other.first_seen) };
        self.last_seen = self.last_seen.max(other.last_seen);
        self.calls += other.calls;
        for address in &other.addresses {
            self.answered(*address, limits.addresses);
        }
        for (status, n) in &other.probes {
            *self.probes.entry(*status).or_default() += n;
        }
        self.probed.merge(&other.probed);
    }
}
