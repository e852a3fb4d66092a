//! Templates of services that are one API, learnt from all of them together.
//!
//! Takes services, gives rows (template and operation) of their union, and for each of the services which of its raw endpoints are in
//! which row: a tenant that asked little borrows from the others. Never changes the services.

use super::super::learn::{self, Template, Told};
use super::super::methods::Methods;
use super::super::operations;
use super::super::service::Service;
use super::super::tree::{Closed, EndpointId, Tree};
use crate::base::InventoryLimits;

/// Rows of a view of one tree: raw endpoints by template and operation, and those that are probes.
#[derive(Clone, Debug, Default)]
pub(in crate::inventory) struct Rows {
    pub(in crate::inventory) rows: Vec<(Template, String)>,
    pub(in crate::inventory) probes: Vec<EndpointId>,
}

impl Rows {
    /// The rows of a service by itself.
    pub(in crate::inventory) fn learn(tree: &Tree, told: &Told<'_>, methods: &Methods) -> Self {
        let learnt = learn::learn(tree, told, false);
        let mut rows = Vec::with_capacity(learnt.templates.len());
        for template in learnt.templates {
            for (operation, endpoints) in operations::split(tree, &template, methods) {
                rows.push((Template { endpoints, ..template.clone() }, operation));
            }
        }
        Self { rows, probes: learnt.probes }
    }
}

/// Services laid over each other.
pub(in crate::inventory) struct Union {
    pub(in crate::inventory) service: Service,
    pub(in crate::inventory) rows: Rows,
    /// By raw endpoint of the union: its row.
    row_of: Vec<Option<usize>>,
}

impl Union {
    /// Lays services over each other and learns what they have together.
    pub(in crate::inventory) fn new(
        members: &[&Service],
        told: &Told<'_>,
        methods: &Methods,
        limits: &InventoryLimits,
    ) -> Option<Self> {
        let first = members.first()?;
        let mut service = Service::new(&first.facts.key());
        for member in members {
            service.merge_facts(&member.facts, limits);
            for endpoint in member.tree.endpoints.iter().flatten() {
                service.tree.insert(&member.tree.path(endpoint.node), endpoint.method, &endpoint.state, limits);
            }
        }
        for member in members {
            for (path, codes, words) in member.tree.closed() {
                service.tree.close_path(&path, Closed { codes, words }, limits);
            }
        }
        let rows = Rows::learn(&service.tree, told, methods);
        let mut row_of = vec![None; service.tree.endpoints.len()];
        for (row, (template, _)) in rows.rows.iter().enumerate() {
            for id in &template.endpoints {
                if let Some(place) = row_of.get_mut(*id as usize) {
                    *place = Some(row);
                }
            }
        }
        Some(Self { service, rows, row_of })
    }

    /// The rows of one member, in the order of the union's; a row of which it has nothing is empty.
    pub(in crate::inventory) fn rows_of(&self, member: &Service) -> Rows {
        let empty = |(template, operation): &(Template, String)| {
            (Template { endpoints: Vec::new(), ..template.clone() }, operation.clone())
        };
        let mut out = Rows { rows: self.rows.rows.iter().map(empty).collect(), probes: Vec::new() };
        for (id, endpoint) in member.tree.endpoints.iter().enumerate() {
            let Some(endpoint) = endpoint else { continue };
            let here = self.service.tree.node_at(&member.tree.path(endpoint.node));
            let theirs = here.and_then(|node| self.service.tree.find(node, endpoint.method));
            let row = theirs.and_then(|id| *self.row_of.get(id as usize)?);
            match row.and_then(|row| out.rows.get_mut(row)) {
                Some((template, _)) => template.endpoints.push(id as EndpointId),
                None => out.probes.push(id as EndpointId),
            }
        }
        out
    }
}
