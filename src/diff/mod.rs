//! Floor 7: the inventory held against documents.
//!
//! Takes a [`View`] and [`Contract`]s, gives [`Finding`]s, each with its evidence and a stable id. The rules stand where
//! they are kept: which document speaks of which service in `attach`, which path is which in `tree`, what is not worth a
//! word in `compare`. Never guesses: what traffic cannot show is not said.

mod attach;
mod compare;
mod finding;
mod template;
mod tree;
mod words;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

pub use attach::routes;
pub use finding::{Diff, DocumentSummary, Finding, FindingKind};

use crate::inventory::{EndpointView, ServiceView, View};
use crate::spec::{Contract, HostRule};
use attach::{Attachment, How, attach, nothing_there};
use compare::{Held, Id, Seen};
use tree::{Certainty, Observed, Tree};

/// Holds an inventory against documents. Without documents there is nothing to hold it against, and nothing is found.
///
/// A service without any document is one finding, not one for each of its endpoints. An operation is unseen when it was
/// seen on none of the services that its document is held against; a document held against no service is one finding.
///
/// Services that are one API together are held against documents as one, so that each finding is there once and not for each tenant.
pub fn diff(view: &View, contracts: &[Contract]) -> Diff {
    let view = &view.folded();
    let mut out = Diff::default();
    for service in &view.services {
        let probes: u64 = service.probes.values().sum();
        if probes > 0 {
            *out.probes.entry(service.origin()).or_default() += probes;
        }
    }
    if contracts.is_empty() {
        return out;
    }
    let attachments = attach(view, contracts);
    let mut seen = Seen::default();
    let mut notes: Vec<Vec<String>> = vec![Vec::new(); contracts.len()];
    for (index, service) in view.services.iter().enumerate() {
        let mine: Vec<&Attachment> = attachments.iter().filter(|a| a.service == index).collect();
        if mine.is_empty() {
            undocumented(service, &mut out.findings);
            continue;
        }
        let tree = documented_paths(view, service, contracts, &mine);
        let held = Held::new(service, contracts, &tree);
        for endpoint in &service.endpoints {
            held.endpoint(endpoint, &mut seen, &mut out.findings);
        }
        for attachment in mine {
            let contract = &contracts[attachment.contract];
            notes[attachment.contract].extend(remarks(view, attachment, contract, &tree));
        }
    }
    for (index, contract) in contracts.iter().enumerate() {
        let mine: Vec<&Attachment> = attachments.iter().filter(|a| a.contract == index).collect();
        if mine.is_empty() {
            notes[index]
                .push("held against no service: no server of it was seen, and no service has its paths".to_owned());
            out.findings.push(words::unseen_document(contract, &servers(contract), view.calls()));
        } else {
            unseen(view, index, contract, &mine, &seen, &mut out.findings);
        }
        out.documents.push(DocumentSummary {
            title: contract.title.clone(),
            version: contract.version.clone(),
            source: contract.source.clone(),
            services: mine.iter().map(|a| view.services[a.service].origin()).collect(),
            operations: contract.operations.len() as u64,
            seen: seen.operations.range((index, 0)..(index + 1, 0)).count() as u64,
            notes: std::mem::take(&mut notes[index]),
        });
    }
    out.findings.sort_by(order);
    // Twins of one document may give the same finding twice.
    out.findings.dedup_by(|a, b| a.id == b.id);
    out
}

/// The order of findings: the worst first, then by service, path and method.
fn order(a: &Finding, b: &Finding) -> Ordering {
    let place = |f: &Finding| f.kind.rank();
    place(a)
        .cmp(&place(b))
        .then_with(|| a.service.cmp(&b.service))
        .then_with(|| a.template.cmp(&b.template))
        .then_with(|| a.method.cmp(&b.method))
        .then_with(|| a.subject.cmp(&b.subject))
        .then_with(|| a.id.cmp(&b.id))
        .then_with(|| a.document.cmp(&b.document))
}

/// A service without documents: one finding, if it has any endpoint worth one.
fn undocumented(service: &ServiceView, findings: &mut Vec<Finding>) {
    let counts = |e: &&EndpointView| !nothing_there(e) && !matches!(e.method.as_str(), "OPTIONS" | "CONNECT");
    let endpoints: Vec<&EndpointView> = service.endpoints.iter().filter(counts).collect();
    if !endpoints.is_empty() {
        findings.push(words::service(service, &endpoints));
    }
}

/// All that the documents of a service say of its paths.
fn documented_paths(
    view: &View,
    service: &ServiceView,
    contracts: &[Contract],
    attachments: &[&Attachment],
) -> Tree<Id> {
    let mut tree = Tree::new();
    // A template of a document shows that the learner was told of them, whichever way.
    let told = service.endpoints.iter().any(|e| e.documented);
    for attachment in attachments {
        for (index, operation) in contracts[attachment.contract].operations.iter().enumerate() {
            for server in attachment.servers(view, &operation.servers) {
                let learnt = told || attach::learnt(server, service);
                tree.insert(&server.segments, (attachment.contract, index), learnt);
            }
        }
    }
    tree
}

/// Operations of a document that were seen nowhere.
fn unseen(
    view: &View,
    index: usize,
    contract: &Contract,
    attachments: &[&Attachment],
    seen: &Seen,
    findings: &mut Vec<Finding>,
) {
    for (n, operation) in contract.operations.iter().enumerate() {
        let id = (index, n);
        if seen.operations.contains(&id) || seen.perhaps.contains(&id) {
            continue;
        }
        let mut services: Vec<&ServiceView> = Vec::new();
        let mut path = operation.servers.first().map(|s| &s.segments);
        for attachment in attachments {
            if let Some(server) = attachment.servers(view, &operation.servers).next() {
                if services.is_empty() {
                    path = Some(&server.segments);
                }
                services.push(&view.services[attachment.service]);
            }
        }
        if let Some(path) = path {
            findings.push(words::unseen(operation, path, &services));
        }
    }
}

/// What is worth knowing about a document and one of its services.
fn remarks(view: &View, attachment: &Attachment, contract: &Contract, tree: &Tree<Id>) -> Vec<String> {
    let service = &view.services[attachment.service];
    let origin = service.origin();
    let mut out = Vec::new();
    match attachment.how {
        How::Overlap(documented, of) => out.push(format!(
            "held against {origin} because {documented} of its {of} telling paths were seen there, not because a server \
             of it names the service"
        )),
        How::Named(by) if by != attachment.service => {
            out.push(format!("held against {origin} because {} answers from there", view.services[by].origin()));
        }
        How::Named(_) => {}
    }
    let real: Vec<&EndpointView> = service.endpoints.iter().filter(|e| !nothing_there(e)).collect();
    if real.is_empty() || real.iter().any(|e| fits(tree, e, attachment.contract)) {
        return out;
    }
    // Nothing fits: perhaps a gateway takes the base path off.
    let mut bare = Tree::new();
    let mut bases = BTreeSet::new();
    for (n, operation) in contract.operations.iter().enumerate() {
        for server in attachment.servers(view, &operation.servers).filter(|s| s.base > 0) {
            bases.insert(crate::spec::structure(&server.segments[..server.base]));
            bare.insert(&server.segments[server.base..], (attachment.contract, n), true);
        }
    }
    let without = real.iter().filter(|e| fits(&bare, e, attachment.contract)).count();
    if let (Some(base), true) = (bases.first(), without > 0) {
        out.push(format!(
            "no path of {origin} fits, but {without} of {} would without the base path {base}: where a gateway takes it \
             off, set strip_prefix for this document",
            real.len()
        ));
    }
    out
}

fn fits(tree: &Tree<Id>, endpoint: &EndpointView, contract: usize) -> bool {
    let parts = template::parse(&endpoint.template);
    let found = tree.find(&Observed::new(&parts, &endpoint.path_parameters));
    found.iter().any(|f| f.certainty == Certainty::Certain && f.entry.0 == contract)
}

/// A document's servers in words.
fn servers(contract: &Contract) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for server in contract.operations.iter().flat_map(|o| &o.servers) {
        let host = match &server.host {
            HostRule::Any => continue,
            HostRule::Exact(host) | HostRule::Glob(host) => host,
        };
        let port = server.port.map(|p| format!(":{p}")).unwrap_or_default();
        *counts.entry(format!("{host}{port}")).or_default() += 1;
    }
    let most: Vec<String> = counts.into_keys().take(3).collect();
    if most.is_empty() { "no server stated".to_owned() } else { most.join(", ") }
}
