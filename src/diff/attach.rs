//! Which document speaks of which service.
//!
//! Takes a view and contracts, gives the services that each contract is held against, and how it came to them. The rule:
//!
//! 1. A contract whose servers (or the configuration's override of them) name the host of a service, and its port where
//!    they state one, is held against that service. The scheme plays no part: a sensor behind a TLS terminator sees
//!    cleartext. A service known by its bare address is the same as the named one when that one answers from this
//!    address and port (health checks ask by address).
//! 2. A contract that names no service of the view (relative servers, none, or hosts that were not seen) is held against
//!    those services whose paths overlap with its own. What counts are *telling* paths: those with a literal that is
//!    not on every API, such as `api`, `v1`, `health` or `login`. Needed is either one telling path and half of the
//!    service's or of the document's telling paths, or three and a fifth; and a quarter of what the best service has.
//! 3. Else it is held against nothing, and says so.
//!
//! Never takes a path that the server did not have (404 and the like alone) as a sign.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::template;
use super::tree::{Certainty, Observed, Tree, best};
use crate::inventory::documented::{Part, Route};
use crate::inventory::{EndpointView, GrpcStatus, ServiceView, View, is_common};
use crate::proto::grpc;
use crate::spec::{Contract, HostRule, ServerRule, structure};

/// How a contract came to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Its servers name the service; the index of the service by whose name, which is another one where this is known
    /// by its address.
    Named(usize),
    /// Telling paths in common, of so many that the document has.
    Overlap(usize, usize),
}

/// A contract held against a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment {
    /// Index of the contract.
    pub contract: usize,
    /// Index of the service in the view.
    pub service: usize,
    /// How.
    pub how: How,
}

impl Attachment {
    /// The servers of an operation that count for this service.
    pub fn servers<'s>(&self, view: &'s View, servers: &'s [ServerRule]) -> impl Iterator<Item = &'s ServerRule> {
        let named = match self.how {
            How::Named(by) => Some(&view.services[by]),
            How::Overlap(..) => None,
        };
        servers.iter().filter(move |s| named.is_none_or(|service| names(s, service)))
    }
}

/// Does a server of a document name the service, or one of those that are this API together?
fn names(server: &ServerRule, service: &ServiceView) -> bool {
    service.places().any(|(host, port)| server.names(host, port))
}

/// Statuses that say: there is nothing here (not found, no such method, gone, not implemented).
const NOTHING: [u16; 4] = [404, 405, 410, 501];

/// Was every answer that there is nothing here? Without any answer nothing is known.
pub(super) fn nothing_there(endpoint: &EndpointView) -> bool {
    let unimplemented = GrpcStatus(grpc::UNIMPLEMENTED);
    !endpoint.statuses.is_empty() && endpoint.statuses.keys().all(|s| NOTHING.contains(s))
        || endpoint.grpc_statuses.get(&unimplemented).is_some_and(|n| *n == endpoint.calls)
}

/// Does the path hold a literal that says which API it is?
fn telling(path: &[Part]) -> bool {
    path.iter().any(|part| match part {
        Part::Literal(text) => !is_common(text),
        Part::Mixed(pieces) => pieces.iter().flat_map(|p| p.as_ref().err()).any(|text| text.len() > 2),
        Part::Parameter(_) | Part::CatchAll(_) => false,
    })
}

/// Holds contracts against services. Sorted by service, then contract.
pub(super) fn attach(view: &View, contracts: &[Contract]) -> Vec<Attachment> {
    let mut out = Vec::new();
    for (contract, document) in contracts.iter().enumerate() {
        let names =
            |service: &ServiceView| document.operations.iter().flat_map(|o| &o.servers).any(|s| names(s, service));
        let named: Vec<usize> = (0..view.services.len()).filter(|&s| names(&view.services[s])).collect();
        if named.is_empty() {
            out.extend(overlapping(view, contract, document));
            continue;
        }
        for (service, seen) in view.services.iter().enumerate() {
            let by = if named.contains(&service) {
                Some(service)
            } else {
                named.iter().copied().find(|&n| same_server(seen, &view.services[n]))
            };
            out.extend(by.map(|by| Attachment { contract, service, how: How::Named(by) }));
        }
    }
    out.sort_by_key(|a| (a.service, a.contract));
    out
}

/// Is `bare` the address of the named service?
fn same_server(bare: &ServiceView, named: &ServiceView) -> bool {
    bare.port == named.port
        && bare.members.is_empty()
        && bare.host.parse::<IpAddr>().is_ok_and(|address| named.addresses.contains(&address))
}

/// Rule 2.
fn overlapping(view: &View, contract: usize, document: &Contract) -> Vec<Attachment> {
    let mut tree = Tree::new();
    let mut paths: BTreeMap<String, usize> = BTreeMap::new();
    for operation in &document.operations {
        for server in operation.servers.iter().filter(|s| telling(&s.segments)) {
            // By the documented path alone: a document with ten servers has no more paths for it.
            let next = paths.len();
            let index = *paths.entry(structure(&server.segments[server.base..])).or_insert(next);
            tree.insert(&server.segments, index, false);
        }
    }
    if paths.is_empty() {
        return Vec::new();
    }
    let mut scores = Vec::new();
    for (index, service) in view.services.iter().enumerate() {
        let mut all = BTreeSet::new();
        let mut mine = BTreeSet::new();
        let mut documented = BTreeSet::new();
        for endpoint in service.endpoints.iter().filter(|e| !nothing_there(e)) {
            let parts = template::parse(&endpoint.template);
            if !telling(&parts) {
                continue;
            }
            all.insert(&endpoint.template);
            let fits = best(&tree.find(&Observed::new(&parts, &endpoint.path_parameters)));
            for fit in fits.iter().filter(|f| f.certainty == Certainty::Certain) {
                let by_literal = |n: usize| fit.by_literal(n) && telling(&parts[n..=n]);
                if (0..parts.len()).any(by_literal) {
                    documented.insert(fit.entry);
                    mine.insert(&endpoint.template);
                }
            }
        }
        scores.push((index, documented.len(), mine.len(), all.len()));
    }
    let most = scores.iter().map(|s| s.1).max().unwrap_or(0);
    scores
        .into_iter()
        .filter(|&(_, documented, mine, all)| {
            let share = |part: usize| mine * part >= all || documented * part >= paths.len();
            (documented >= 1 && share(2) || documented >= 3 && share(5)) && documented * 4 >= most
        })
        .map(|(service, documented, ..)| Attachment { contract, service, how: How::Overlap(documented, paths.len()) })
        .collect()
}

/// The routes of contracts, pinned to the services that they are held against. Told to the learner of templates, they
/// name path parameters and keep literals apart where a document's own servers do not lead to the service; and a
/// document that states no host does not name the paths of services that it is not about.
pub fn routes(view: &View, contracts: &[Contract]) -> Vec<Route> {
    let mut out: Vec<Route> = contracts.iter().flat_map(Contract::routes).filter(|r| r.host.is_some()).collect();
    for attachment in attach(view, contracts) {
        let service = &view.services[attachment.service];
        for operation in &contracts[attachment.contract].operations {
            out.extend(attachment.servers(view, &operation.servers).map(|server| Route {
                host: Some(service.host.clone()),
                port: Some(service.port),
                segments: server.segments.clone(),
            }));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Does the learner know this server's routes for a service ([`Contract::routes`])?
pub(super) fn learnt(server: &ServerRule, service: &ServiceView) -> bool {
    let host = |seen: &str| match &server.host {
        HostRule::Exact(host) => host == seen,
        HostRule::Any | HostRule::Glob(_) => true,
    };
    service.places().any(|(seen, at)| host(seen) && server.port.is_none_or(|port| port == at))
}
