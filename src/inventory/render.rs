//! From raw endpoints and templates to the view.
//!
//! Takes a service and the routes of its documents, gives its [`ServiceView`]. Never changes what is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::learn::{self, Piece, Template};
use super::methods::Methods;
use super::service::Service;
use super::sketch::Distinct;
use super::state::EndpointState;
use super::tree::{Endpoint, EndpointId, Token, Tree};
use super::{EndpointView, GrpcStatus, PathParameter, ServiceView, id};
use crate::base::InventoryLimits;
use crate::observe::Kind;

pub(super) fn service(
    service: &Service,
    told: &learn::Told<'_>,
    methods: &Methods,
    limits: &InventoryLimits,
) -> ServiceView {
    let learnt = learn::learn(&service.tree, told, false);
    let mut endpoints: Vec<_> =
        learnt.templates.iter().map(|t| endpoint(service, t, methods.name(t.method), limits)).collect();
    endpoints.sort_by(|a, b| (&a.template, &a.method, &a.id).cmp(&(&b.template, &b.method, &b.id)));
    let facts = &service.facts;
    let mut probes = facts.probes.clone();
    let mut probed: Distinct = facts.probed.clone();
    for endpoint in live(&service.tree, &learnt.probes) {
        probed.insert(endpoint.state.origin);
        for (status, n) in endpoint.state.statuses_or_none() {
            *probes.entry(status).or_default() += n;
        }
    }
    ServiceView {
        id: format!("svc-{:016x}", service.id),
        scheme: facts.scheme,
        host: facts.host.to_string(),
        port: facts.port,
        addresses: facts.addresses.clone(),
        calls: facts.calls,
        first_seen: facts.first_seen,
        last_seen: facts.last_seen,
        endpoints,
        probes,
        probed_paths: probed.count(),
    }
}

fn live<'a>(tree: &'a Tree, ids: &'a [EndpointId]) -> impl Iterator<Item = &'a Endpoint> {
    ids.iter().filter_map(|id| tree.endpoints.get(*id as usize)?.as_ref())
}

/// A template as text, without what is known of it.
pub(super) fn text(service: &Service, template: &Template) -> String {
    let kinds = kinds(service, template);
    learn::name(&template.pieces, |place| kinds.get(&place).cloned().unwrap_or_default()).0
}

/// Kinds of the values at the places of a template's parameters.
fn kinds(service: &Service, template: &Template) -> BTreeMap<usize, BTreeMap<Kind, u64>> {
    let parameters: BTreeSet<usize> =
        template.pieces.iter().enumerate().filter(|(_, p)| !matches!(p, Piece::Literal(_))).map(|(at, _)| at).collect();
    let mut kinds = BTreeMap::<usize, BTreeMap<Kind, u64>>::new();
    for raw in live(&service.tree, &template.endpoints) {
        let path = service.tree.path(raw.node);
        for &place in &parameters {
            let of_place = kinds.entry(place).or_default();
            match path.get(place) {
                Some(Token::Word(_, kind)) => *of_place.entry(*kind).or_default() += raw.state.calls,
                _ => raw.state.kinds_at(place).for_each(|(kind, n)| *of_place.entry(kind).or_default() += n),
            }
        }
    }
    kinds
}

fn endpoint(service: &Service, template: &Template, method: &str, limits: &InventoryLimits) -> EndpointView {
    let mut state = EndpointState::default();
    for raw in live(&service.tree, &template.endpoints) {
        state.merge(&raw.state, limits);
    }
    let kinds = kinds(service, template);
    let kinds_at = |place: usize| kinds.get(&place).cloned().unwrap_or_default();
    let (text, names) = learn::name(&template.pieces, kinds_at);
    let [latency, request_size, response_size] = state.quantiles();
    let [request_types, response_types] = state.media_types();
    EndpointView {
        id: format!("ep-{:016x}", id::endpoint(service.id, state.origin)),
        method: method.to_owned(),
        template: text,
        path_parameters: names.into_iter().map(|n| PathParameter { kinds: kinds_at(n.place), name: n.name }).collect(),
        documented: template.documented,
        calls: state.calls,
        unanswered: state.unanswered,
        first_seen: state.first_seen,
        last_seen: state.last_seen,
        days_seen: state.days_seen(),
        statuses: state.statuses().collect(),
        grpc_statuses: state.grpc_statuses().map(|(status, n)| (GrpcStatus(status), n)).collect(),
        messages: state.messages(),
        callers: state.callers(),
        latency,
        request_size,
        response_size,
        request_types,
        response_types,
        query: state.query(),
    }
}
