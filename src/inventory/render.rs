//! From raw endpoints and templates to the view.
//!
//! Takes a service and the routes of its documents, gives its [`ServiceView`]. Never changes what is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::apis::{Group, Portrait, Rows, Union};
use super::kin;
use super::learn::{self, PathName, Piece, Template};
use super::methods::Methods;
use super::service::Service;
use super::sketch::Distinct;
use super::state::EndpointState;
use super::tree::{Endpoint, EndpointId, Token, Tree};
use super::{EndpointView, GrpcStatus, MemberView, PathParameter, ServiceView, id};
use crate::base::InventoryLimits;
use crate::observe::Kind;

/// The characters of a template without the names of its parameters: `{}` for each.
pub(super) fn nameless(template: &str) -> impl Iterator<Item = char> + '_ {
    let mut inside = false;
    template.chars().filter(move |c| {
        inside &= *c != '}';
        let shown = !inside;
        inside |= *c == '{';
        shown
    })
}

/// A service with these rows. `texts`: the rows' templates where they are told, in the same order.
pub(super) fn service(
    service: &Service,
    rows: &Rows,
    methods: &Methods,
    limits: &InventoryLimits,
    texts: Option<&[Text]>,
) -> ServiceView {
    let mut endpoints = Vec::with_capacity(rows.rows.len());
    for (at, (template, operation)) in rows.rows.iter().enumerate().filter(|(_, (t, _))| !t.endpoints.is_empty()) {
        let text = texts.and_then(|texts| texts.get(at));
        endpoints.push(endpoint(service, template, methods.name(template.method), operation, limits, text));
    }
    endpoints.sort_by(|a, b| {
        (&a.template, &a.method, &a.operation, &a.id).cmp(&(&b.template, &b.method, &b.operation, &b.id))
    });
    kin::relate(&mut endpoints);
    let prefixes = kin::prefixes(&mut endpoints);
    let facts = &service.facts;
    let mut probes = facts.probes.clone();
    let mut probed: Distinct = facts.probed.clone();
    for endpoint in live(&service.tree, &rows.probes) {
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
        api: None,
        members: Vec::new(),
        because: String::new(),
        prefixes,
    }
}

/// Services that are one API: the API, and each of them with the API's templates.
pub(super) fn api(
    group: &Group,
    union: &Union,
    members: &[&Service],
    methods: &Methods,
    limits: &InventoryLimits,
) -> (ServiceView, Vec<ServiceView>) {
    let texts = texts(&union.service, &union.rows);
    let of_members: Vec<Rows> = members.iter().map(|m| union.rows_of(m)).collect();
    let mut api = service(&union.service, &union.rows, methods, limits, Some(&texts));
    // An endpoint keeps the id that it had at the service where it was seen first.
    for (at, (template, operation)) in union.rows.rows.iter().enumerate() {
        let mut first = None;
        for (member, rows) in members.iter().zip(&of_members) {
            let raw = rows.rows.get(at).into_iter().flat_map(|(t, _)| live(&member.tree, &t.endpoints));
            let of_member = raw.filter(|e| e.state.calls > 0).map(|e| (e.state.first_seen, e.state.origin)).min();
            first = first.into_iter().chain(of_member.map(|(seen, origin)| (seen, origin, member.id))).min();
        }
        let (Some((_, origin, owner)), Some((text, _))) = (first, texts.get(at)) else { continue };
        let method = methods.name(template.method);
        let is_it = |e: &&mut EndpointView| {
            e.method == method && e.template == *text && e.operation.as_deref().unwrap_or_default() == operation
        };
        for endpoint in api.endpoints.iter_mut().filter(is_it) {
            endpoint.id = format!("ep-{:016x}", id::endpoint(owner, origin));
        }
    }
    kin::relate(&mut api.endpoints);
    let first = members.iter().min_by_key(|m| (m.facts.first_seen, m.id)).map_or(0, |m| m.id);
    api.id = format!("api-{first:016x}");
    api.host.clone_from(&group.host);
    api.because.clone_from(&group.because);
    let mut views = Vec::with_capacity(members.len());
    for (member, rows) in members.iter().zip(&of_members) {
        let view = ServiceView { api: Some(api.id.clone()), ..service(member, rows, methods, limits, Some(&texts)) };
        api.members.push(MemberView {
            id: view.id.clone(),
            scheme: view.scheme,
            host: view.host.clone(),
            port: view.port,
            addresses: view.addresses.clone(),
            calls: view.calls,
            endpoints: view.endpoints.len() as u64,
            first_seen: view.first_seen,
            last_seen: view.last_seen,
        });
        views.push(view);
    }
    api.members.sort_by(|a, b| (&a.host, a.port, a.scheme).cmp(&(&b.host, b.port, b.scheme)));
    (api, views)
}

impl Service {
    /// What it looks like to others.
    pub(super) fn portrait(&self, rows: &Rows, methods: &Methods) -> Portrait {
        let facts = &self.facts;
        let mut portrait = Portrait::new(facts.scheme, &facts.host, facts.port, &facts.addresses, facts.calls);
        for (template, operation) in &rows.rows {
            let of_row: Vec<_> = live(&self.tree, &template.endpoints).collect();
            if of_row.iter().any(|e| e.state.succeeded() > 0) {
                let types = of_row.iter().flat_map(|e| e.state.media_types()[1].keys().cloned().collect::<Vec<_>>());
                portrait.note(&format!("{} {operation}", methods.name(template.method)), &template.pieces, types);
            }
        }
        portrait
    }
}

pub(super) fn live<'a>(tree: &'a Tree, ids: &'a [EndpointId]) -> impl Iterator<Item = &'a Endpoint> {
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

/// A template in words, and the names of its parameters.
pub(super) type Text = (String, Vec<PathName>);

/// The texts of all rows of a service.
fn texts(service: &Service, rows: &Rows) -> Vec<Text> {
    let text = |(template, _): &(Template, String)| {
        let kinds = kinds(service, template);
        learn::name(&template.pieces, |place| kinds.get(&place).cloned().unwrap_or_default())
    };
    rows.rows.iter().map(text).collect()
}

fn endpoint(
    service: &Service,
    template: &Template,
    method: &str,
    operation: &str,
    limits: &InventoryLimits,
    text: Option<&Text>,
) -> EndpointView {
    let mut state = EndpointState::default();
    for raw in live(&service.tree, &template.endpoints) {
        state.merge(&raw.state, limits);
    }
    let kinds = kinds(service, template);
    let kinds_at = |place: usize| kinds.get(&place).cloned().unwrap_or_default();
    let (text, names) = text.cloned().unwrap_or_else(|| learn::name(&template.pieces, kinds_at));
    let [latency, request_size, response_size] = state.quantiles();
    let [request_types, response_types] = state.media_types();
    EndpointView {
        id: format!("ep-{:016x}", id::endpoint(service.id, state.origin)),
        method: method.to_owned(),
        template: text,
        operation: (!operation.is_empty()).then(|| operation.to_owned()),
        prefix: None,
        versions: None,
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
