//! One endpoint held against the operations that it fits.
//!
//! Takes an endpoint and the operations of all documents of its service, gives findings, and marks operations as seen.
//! What it does not say, and why:
//!
//! * `OPTIONS` is never a finding: browsers ask it of any path before a call (CORS, Fetch standard, 3.2), and gateways
//!   answer it for any path. `CONNECT` names no path.
//! * `HEAD` belongs to `GET` (RFC 9110, 9.3.2): it is documented where `GET` is, and no shadow of its own where `GET`
//!   is seen as well.
//! * A path that answers only that there is nothing here (404, 405, 410, 501) is no shadow and no zombie.
//! * Statuses that servers and gateways give for any path ([`GENERIC`]) need no document.
//! * An operation that names no statuses, or no media types, says nothing about them.
//! * A response's media type is reported only where more calls had it than can come from answers whose status has no
//!   documented media type: error pages of gateways are such.
//! * Where several operations fit equally well, or several documents speak, one that names a thing is enough.

use std::collections::{BTreeMap, BTreeSet};

use super::attach::nothing_there;
use super::finding::{Finding, FindingKind};
use super::template;
use super::tree::{Certainty, Observed, Tree, best};
use super::words::{self, About};
use crate::inventory::{EndpointView, ServiceView};
use crate::spec::{Contract, Operation};

/// Given by servers, proxies and gateways for any path, besides 1xx: ranges and conditions (RFC 9110, 14 and 13),
/// canonical paths, limits, overload and upstream failures.
const GENERIC: [u16; 17] = [206, 301, 304, 307, 308, 408, 412, 413, 414, 416, 417, 421, 429, 431, 502, 503, 504];

/// Paths named in a finding about an ambiguous one.
const TWINS: usize = 4;

/// Index of a contract, and of an operation within it.
pub(super) type Id = (usize, usize);

/// What has been seen of the documents.
#[derive(Default)]
pub(super) struct Seen {
    /// Operations that calls fit.
    pub operations: BTreeSet<Id>,
    /// Operations that calls may have been to.
    pub perhaps: BTreeSet<Id>,
}

/// A service and its documents.
pub(super) struct Held<'h> {
    service: &'h ServiceView,
    contracts: &'h [Contract],
    tree: &'h Tree<Id>,
    /// Templates that have a `GET`.
    gets: BTreeSet<&'h str>,
}

impl<'h> Held<'h> {
    /// A service, and the paths that its documents name.
    pub fn new(service: &'h ServiceView, contracts: &'h [Contract], tree: &'h Tree<Id>) -> Self {
        let gets = service.endpoints.iter().filter(|e| e.method == "GET").map(|e| e.template.as_str()).collect();
        Self { service, contracts, tree, gets }
    }

    fn operation(&self, id: Id) -> &'h Operation {
        &self.contracts[id.0].operations[id.1]
    }

    /// All findings about one endpoint.
    pub fn endpoint(&self, endpoint: &EndpointView, seen: &mut Seen, findings: &mut Vec<Finding>) {
        if endpoint.method == "CONNECT" {
            return;
        }
        let parts = template::parse(&endpoint.template);
        let fits = self.tree.find(&Observed::new(&parts, &endpoint.path_parameters));
        let method_fits = |id: Id, method: &str| self.operation(id).method == method;
        let mut method = endpoint.method.as_str();
        if method == "HEAD" && !fits.iter().any(|f| method_fits(f.entry, "HEAD")) {
            method = "GET";
        }
        let certain: Vec<_> = fits
            .iter()
            .filter(|f| f.certainty == Certainty::Certain && method_fits(f.entry, method))
            .cloned()
            .collect();
        let mut ids: Vec<Id> = best(&certain).iter().map(|f| f.entry).collect();
        // One operation may be served under several base paths that all fit.
        ids.sort_unstable();
        ids.dedup();
        let path_fits = !ids.is_empty();
        ids.retain(|id| self.names(*id, endpoint) != Some(false));
        // A HEAD does not show that GET was called.
        if method == endpoint.method {
            let unsure = fits.iter().filter(|f| f.certainty < Certainty::Certain && method_fits(f.entry, method));
            seen.perhaps.extend(unsure.map(|f| f.entry));
            self.mark(endpoint, &ids, seen);
        }
        if endpoint.method == "OPTIONS" {
            return;
        }
        if !ids.is_empty() {
            self.ambiguous(endpoint, &ids, findings);
            if !nothing_there(endpoint) {
                self.documented(endpoint, &ids, findings);
            }
            return;
        }
        if path_fits && !nothing_there(endpoint) {
            let words = "an operation in no document, though its path is in one";
            findings.push(words::finding(FindingKind::Shadow, self.service, endpoint, About::default(), words));
            return;
        }
        if nothing_there(endpoint)
            || fits.iter().any(|f| f.certainty >= Certainty::Possible && method_fits(f.entry, method))
            || (endpoint.method == "HEAD" && self.gets.contains(endpoint.template.as_str()))
        {
            return;
        }
        let others: Vec<_> = fits.iter().filter(|f| f.certainty == Certainty::Certain).cloned().collect();
        if let Some(other) = best(&others).iter().map(|f| f.entry).min() {
            let documented: BTreeSet<&str> = others.iter().map(|f| self.operation(f.entry).method.as_str()).collect();
            let documented: Vec<&str> = documented.into_iter().collect();
            let operation = self.operation(other);
            let words = format!("{} documents {} here", words::file(&operation.pointer), documented.join(", "));
            let about = About { operation: Some(operation), ..About::default() };
            findings.push(words::finding(FindingKind::UndocumentedMethod, self.service, endpoint, about, &words));
        } else if !fits.iter().any(|f| f.certainty >= Certainty::Possible) {
            let words = "in no document";
            findings.push(words::finding(FindingKind::Shadow, self.service, endpoint, About::default(), words));
        }
    }

    /// Operations that the endpoint shows were called. Those told apart by the query alone need its parameters.
    fn mark(&self, endpoint: &EndpointView, ids: &[Id], seen: &mut Seen) {
        let fits = |id: &&Id| {
            let variant = self.operation(**id).variant.as_ref();
            self.names(**id, endpoint) == Some(true)
                || variant.is_none_or(|v| v.query.iter().all(|name| endpoint.query.contains_key(name)))
        };
        let told: Vec<Id> = ids.iter().filter(fits).copied().collect();
        // `/?Action=List` and `/?Action=Get`: where the value is not known, either may have been called.
        let alone = told.len() == 1;
        let sure = |id: &Id| alone || self.plain(*id) || self.names(*id, endpoint) == Some(true);
        let (sure, unsure): (Vec<Id>, Vec<Id>) = told.into_iter().partition(sure);
        seen.operations.extend(sure);
        seen.perhaps.extend(unsure);
    }

    /// Is an endpoint's operation (`?Action=List`) the one that a document tells apart so (`/#Action=List`)? `None` where either
    /// says nothing of it.
    fn names(&self, id: Id, endpoint: &EndpointView) -> Option<bool> {
        let variant = self.operation(id).variant.as_ref()?;
        let seen = endpoint.operation.as_deref()?.replacen(": ", "=", 1);
        let pairs = |text: &str| -> BTreeMap<String, String> {
            let parts = text.trim_start_matches(['?', '#']).split('&').filter_map(|p| p.split_once('='));
            parts.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
        };
        let (documented, seen) = (pairs(&variant.text), pairs(&seen));
        let mut both = seen.iter().filter_map(|(name, value)| Some(documented.get(name)? == value)).peekable();
        both.peek()?;
        Some(both.all(|same| same))
    }

    fn plain(&self, id: Id) -> bool {
        self.operation(id).variant.is_none()
    }

    fn ambiguous(&self, endpoint: &EndpointView, ids: &[Id], findings: &mut Vec<Finding>) {
        // Documents that overlap are no riddle; a document that says two things of one call is.
        for of_one in ids.chunk_by(|a, b| a.0 == b.0) {
            let same: Vec<&Operation> =
                of_one.iter().filter(|id| self.plain(**id)).map(|id| self.operation(*id)).collect();
            let [first, _, ..] = same.as_slice() else { continue };
            let words = format!("fits {} operations of {} equally", same.len(), words::file(&first.pointer));
            let mut subject = same.iter().take(TWINS).map(|o| o.path.as_str()).collect::<Vec<_>>().join(", ");
            if same.len() > TWINS {
                subject.push_str(", …");
            }
            let about = About { subject: Some(&subject), operation: Some(first), calls: None };
            findings.push(words::finding(FindingKind::Ambiguous, self.service, endpoint, about, &words));
        }
    }

    /// A documented endpoint: what its documents do not name.
    fn documented(&self, endpoint: &EndpointView, ids: &[Id], findings: &mut Vec<Finding>) {
        let operations: Vec<&Operation> = ids.iter().map(|id| self.operation(*id)).collect();
        let first = operations[0];
        let mut add = |kind, subject: Option<&str>, calls, words: &str| {
            let about = About { subject, operation: Some(first), calls };
            findings.push(words::finding(kind, self.service, endpoint, about, words));
        };
        let zombie = operations.iter().all(|o| o.deprecated);
        if zombie {
            add(FindingKind::Zombie, None, None, "documented as deprecated and still called");
        }
        for (&status, &calls) in &endpoint.statuses {
            let silent = |o: &&Operation| o.responses.is_empty() || o.response(status).is_some();
            if status >= 200 && !GENERIC.contains(&status) && !operations.iter().any(silent) {
                let words = format!("answered {status}, which its document does not name");
                let subject = status.to_string();
                add(FindingKind::UndocumentedStatus, Some(&subject), Some(calls), &words);
            }
        }
        for (name, parameter) in &endpoint.query {
            let known: Vec<_> = operations.iter().filter_map(|o| o.query_parameter(name)).collect();
            // `{kind}` stands for names that look like values: what they were is not known.
            if known.is_empty() && !name.starts_with('{') && !operations.iter().any(|o| o.any_query) {
                let words = format!("carried the query parameter `{name}`, which its document does not name");
                add(FindingKind::UndocumentedQueryParameter, Some(name), Some(parameter.calls), &words);
            } else if !zombie && !known.is_empty() && known.iter().all(|q| q.deprecated) {
                let words = format!("carried the query parameter `{name}`, which is documented as deprecated");
                add(FindingKind::Zombie, Some(name), Some(parameter.calls), &words);
            }
        }
        for (media, &calls) in &endpoint.request_types {
            let silent = |o: &&Operation| o.request_types.is_empty() || names(&o.request_types, media);
            if !operations.iter().any(silent) {
                let words = format!("took a request of type {media}, which its document does not name");
                let subject = format!("request {media}");
                add(FindingKind::UndocumentedContentType, Some(&subject), Some(calls), &words);
            }
        }
        let mut types: Vec<String> = Vec::new();
        // Calls whose answer may have any type: no response seen, or one without a documented type.
        let mut free = endpoint.unanswered;
        for (&status, &calls) in &endpoint.statuses {
            let named: Vec<&String> =
                operations.iter().filter_map(|o| o.response(status)).flat_map(|r| &r.types).collect();
            if named.is_empty() {
                free += calls;
            }
            types.extend(named.into_iter().cloned());
        }
        for (media, &calls) in &endpoint.response_types {
            if calls > free && !types.is_empty() && !names(&types, media) {
                let words = format!("answered with the type {media}, which its document does not name");
                let subject = format!("response {media}");
                add(FindingKind::UndocumentedContentType, Some(&subject), Some(calls), &words);
            }
        }
    }
}

/// Is the media type among the documented ones? These may be ranges (`image/*`; RFC 9110, 12.5.1).
fn names(documented: &[String], media: &str) -> bool {
    documented.iter().any(|d| {
        d == media || d == "*/*" || d.strip_suffix("/*").is_some_and(|kind| media.split('/').next() == Some(kind))
    })
}
