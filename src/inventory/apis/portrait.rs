//! What a service looks like to others: its endpoints, without the names of their parameters.
//!
//! Takes templates that succeeded, gives whether two services have the same ones, by how alike their hosts are. Never counts
//! what every API has (`/health`, `/login`) as a sign.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::host::Look;
use crate::inventory::learn::Piece;
use crate::observe::Scheme;

/// Telling endpoints from which on a service can found a group.
pub(super) const FEW: usize = 2;

/// Literals that say nothing about which API it is.
const COMMON: [&str; 34] = [
    "api",
    "apis",
    "rest",
    "service",
    "services",
    "public",
    "private",
    "internal",
    "external",
    "app",
    "web",
    "www",
    "health",
    "healthz",
    "healthcheck",
    "livez",
    "live",
    "liveness",
    "readyz",
    "ready",
    "readiness",
    "metrics",
    "status",
    "version",
    "ping",
    "info",
    "login",
    "logout",
    "docs",
    "favicon.ico",
    "robots.txt",
    "openapi.json",
    "swagger.json",
    "graphql",
];

/// Does a literal say nothing about which API it is? Every API has `api`, `v1`, `health` or `login`.
pub fn is_common(literal: &str) -> bool {
    let version = literal.strip_prefix(['v', 'V']).unwrap_or(literal);
    version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        || COMMON.iter().any(|word| word.eq_ignore_ascii_case(literal))
}

/// An endpoint: method, operation, and segments; `None` is a parameter.
type Shape = (String, Vec<Option<String>>);

/// What is known of an endpoint by its shape.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Media types of its answers.
    types: BTreeSet<String>,
    /// Services that have it.
    services: usize,
}

/// A service as others see it; of several that are one, their union.
#[derive(Clone, Debug)]
pub(in crate::inventory) struct Portrait {
    pub(in crate::inventory) scheme: Scheme,
    pub(in crate::inventory) host: String,
    pub(in crate::inventory) port: u16,
    pub(in crate::inventory) addresses: BTreeSet<IpAddr>,
    pub(in crate::inventory) calls: u64,
    endpoints: BTreeMap<Shape, Known>,
    telling: usize,
}

fn is_telling(shape: &Shape) -> bool {
    shape.1.iter().flatten().any(|literal| !is_common(literal))
}

impl Portrait {
    pub(in crate::inventory) fn new(scheme: Scheme, host: &str, port: u16, addresses: &[IpAddr], calls: u64) -> Self {
        Self {
            scheme,
            host: host.to_owned(),
            port,
            addresses: addresses.iter().copied().collect(),
            calls,
            endpoints: BTreeMap::new(),
            telling: 0,
        }
    }

    /// Notes an endpoint that succeeded.
    pub(in crate::inventory) fn note(&mut self, method: &str, pieces: &[Piece], types: impl Iterator<Item = String>) {
        let segment = |piece: &Piece| match piece {
            Piece::Literal(text) => Some(text.clone()),
            _ => None,
        };
        let shape = (method.to_owned(), pieces.iter().map(segment).collect());
        let known = self.endpoints.entry(shape).or_default();
        known.types.extend(types);
        known.services = 1;
        self.telling = self.count();
    }

    fn count(&self) -> usize {
        self.endpoints.keys().filter(|s| is_telling(s)).count()
    }

    /// What it is sorted by.
    pub(super) fn key(&self) -> (&str, u16, Scheme) {
        (&self.host, self.port, self.scheme)
    }

    /// Endpoints that say which API it is.
    pub(in crate::inventory) fn telling(&self) -> usize {
        self.telling
    }

    /// Endpoints that several services have, and all.
    pub(super) fn shared(&self) -> (usize, usize) {
        (self.endpoints.values().filter(|k| k.services > 1).count(), self.endpoints.len())
    }

    /// Adds the endpoints of another.
    pub(super) fn add(&mut self, other: &Self) {
        for (shape, theirs) in &other.endpoints {
            let mine = self.endpoints.entry(shape.clone()).or_default();
            mine.types.extend(theirs.types.iter().cloned());
            mine.services += theirs.services;
        }
        self.addresses.extend(&other.addresses);
        self.calls += other.calls;
        self.telling = self.count();
    }

    /// Becomes what both are; where their hosts differ in a label, any may stand there.
    pub(super) fn join(&mut self, other: &Self, look: Look) {
        self.add(other);
        if matches!(look, Look::Numbered | Look::Region | Look::Deployment | Look::Word) {
            let labels = self.host.split('.').zip(other.host.split('.'));
            let labels: Vec<&str> = labels.map(|(a, b)| if a == b { a } else { super::host::ANY }).collect();
            self.host = labels.join(".");
        }
    }

    pub(super) fn shares_address(&self, other: &Self) -> bool {
        !self.addresses.is_disjoint(&other.addresses)
    }

    /// The endpoint of another that this shape is: the same, or one in which a parameter stands for a literal of it.
    fn find<'o>(other: &'o Self, shape: &Shape) -> Option<(bool, &'o Known)> {
        if let Some(known) = other.endpoints.get(shape) {
            return Some((true, known));
        }
        let fits = |(theirs, _): &(&Shape, &Known)| {
            theirs.0 == shape.0
                && theirs.1.len() == shape.1.len()
                && theirs.1.iter().any(Option::is_some)
                && theirs.1.iter().zip(&shape.1).all(|(theirs, mine)| theirs.is_none() || theirs == mine)
        };
        other.endpoints.iter().find(fits).map(|(_, known)| (false, known))
    }

    /// Has it the same endpoints as another, so that both are one API? How much of that is needed depends on how alike the hosts are.
    pub(super) fn agrees(&self, other: &Self, look: Look) -> bool {
        if look == Look::Other {
            return false;
        }
        let (mut same, mut fitting, mut compared, mut strange) = (0, 0, 0, 0);
        for (shape, mine) in self.endpoints.iter().filter(|(shape, _)| is_telling(shape)) {
            let Some((exact, theirs)) = Self::find(other, shape) else { continue };
            same += usize::from(exact);
            fitting += 1;
            if !mine.types.is_empty() && !theirs.types.is_empty() {
                compared += 1;
                strange += usize::from(mine.types.is_disjoint(&theirs.types));
            }
        }
        if strange * 2 > compared {
            return false;
        }
        if look == Look::Alias {
            return self.is_part_of(other) || other.is_part_of(self);
        }
        // Who was asked about as much shows about as much.
        let comparable = self.calls * 5 >= other.calls;
        let (least, mine, theirs) = match look {
            Look::Port => (3, 80, 50),
            Look::Word if self.shares_address(other) => (3, 75, 50),
            Look::Word => (4, 80, 60),
            _ => (2, 70, 35),
        };
        same >= least
            && fitting * 100 >= self.telling() * mine
            && (!comparable || same * 100 >= other.telling().min(self.telling() * 3) * theirs)
    }

    /// Has the other one all that this one has, and is any of it telling?
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        self.telling() > 0 && self.endpoints.keys().all(|shape| Self::find(other, shape).is_some())
    }
}
