//! Findings in words.
//!
//! Takes endpoints, services and operations, gives whole findings: id, figures, an example without values, one sentence.
//! Says nothing that the figures do not show.

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind};
use super::template;
use crate::base::Timestamp;
use crate::inventory::documented::Part;
use crate::inventory::{EndpointView, ServiceView};
use crate::observe::Kind;
use crate::spec::{Contract, Operation, structure};

/// Query parameters shown in an example.
const EXAMPLE_PARAMETERS: usize = 4;

/// Up to this many callers the inventory's estimate is taken for exact.
const EXACT_CALLERS: u64 = 16;

/// What a finding about an endpoint is about besides.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    /// A status, a parameter's name, a media type.
    pub subject: Option<&'a str>,
    /// The operation in the document.
    pub operation: Option<&'a Operation>,
    /// Calls that show it; `None`: all of the endpoint.
    pub calls: Option<u64>,
}

/// A finding about an endpoint. `words` says what, and goes into the sentence.
pub(super) fn finding(
    kind: FindingKind,
    service: &ServiceView,
    endpoint: &EndpointView,
    about: About<'_>,
    words: &str,
) -> Finding {
    let origin = service.origin();
    let calls = about.calls.unwrap_or(endpoint.calls);
    let mut structure = structure(&template::parse(&endpoint.template));
    if let Some(operation) = &endpoint.operation {
        structure = format!("{structure} {operation}");
    }
    let place = endpoint.place();
    let id = id(kind, &origin, &endpoint.method, &structure, about.subject.unwrap_or_default());
    // How often and when, and how it was answered, stand in the fields, which are shown beside the sentence.
    let message = match about.subject {
        Some(_) if calls < endpoint.calls => {
            format!("{} {place}: {words}; {calls} of {} calls", endpoint.method, endpoint.calls)
        }
        Some(_) => format!("{} {place}: {words}; all of its calls", endpoint.method),
        None => format!(
            "{} {place}: {words}; asked for by {}{}",
            endpoint.method,
            if endpoint.callers > EXACT_CALLERS { "about " } else { "" },
            counted(endpoint.callers, "caller"),
        ),
    };
    Finding {
        id,
        kind,
        service: origin,
        service_id: Some(service.id.clone()),
        method: Some(endpoint.method.clone()),
        template: Some(endpoint.template.clone()),
        operation: endpoint.operation.clone(),
        endpoint_id: Some(endpoint.id.clone()),
        subject: about.subject.map(str::to_owned),
        message,
        calls,
        first_seen: endpoint.first_seen,
        last_seen: endpoint.last_seen,
        service_calls: service.calls,
        statuses: match (kind, about.subject.and_then(|s| s.parse().ok())) {
            (FindingKind::UndocumentedStatus, Some(status)) => BTreeMap::from([(status, calls)]),
            // Those of the endpoint say nothing about a parameter or a media type.
            _ if about.subject.is_some() => BTreeMap::new(),
            _ => endpoint.statuses.clone(),
        },
        example: Some(example(endpoint)),
        document: about.operation.map(|o| o.pointer.clone()),
    }
}

/// A service that no document covers. `endpoints`: those that count.
pub(super) fn service(service: &ServiceView, endpoints: &[&EndpointView]) -> Finding {
    let origin = service.origin();
    let calls = endpoints.iter().map(|e| e.calls).sum();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, n) in endpoints.iter().flat_map(|e| &e.statuses) {
        *statuses.entry(*status).or_default() += n;
    }
    let busiest = endpoints.iter().max_by_key(|e| e.calls).copied();
    Finding {
        id: id(FindingKind::UndocumentedService, &origin, "", "", ""),
        kind: FindingKind::UndocumentedService,
        message: format!("no document covers {origin}: {}", counted(endpoints.len() as u64, "endpoint"),),
        service: origin,
        service_id: Some(service.id.clone()),
        method: None,
        template: None,
        operation: None,
        endpoint_id: None,
        subject: None,
        calls,
        first_seen: endpoints.iter().map(|e| e.first_seen).min().unwrap_or_default(),
        last_seen: endpoints.iter().map(|e| e.last_seen).max().unwrap_or_default(),
        service_calls: service.calls,
        statuses,
        example: busiest.map(example),
        document: None,
    }
}

/// A documented operation that was not seen. `services`: those that it should have been seen on.
pub(super) fn unseen(operation: &Operation, path: &[Part], services: &[&ServiceView]) -> Finding {
    let calls: u64 = services.iter().map(|s| s.calls).sum();
    let template = written(path);
    let variant = operation.variant.as_ref().map(|v| v.text.as_str());
    let tail = variant.unwrap_or_default();
    let origin = services.first().map(|s| s.origin()).unwrap_or_default();
    let others = match services.len() {
        0 | 1 => String::new(),
        n => format!(" and {}", counted(n as u64 - 1, "other service")),
    };
    let deprecated = if operation.deprecated { " (documented as deprecated)" } else { "" };
    let message = if services.is_empty() {
        format!("{} {template}{tail}{deprecated}: not seen, and neither was any of its servers", operation.method)
    } else {
        format!(
            "{} {template}{tail}{deprecated}: not seen among {} of {origin}{others}",
            operation.method,
            counted(calls, "call")
        )
    };
    Finding {
        id: id(FindingKind::Unseen, &origin, &operation.method, &structure(path), tail),
        kind: FindingKind::Unseen,
        service: origin,
        service_id: services.first().map(|s| s.id.clone()),
        method: Some(operation.method.clone()),
        template: Some(template),
        operation: None,
        endpoint_id: None,
        subject: variant.map(str::to_owned),
        message,
        calls: 0,
        first_seen: Timestamp::default(),
        last_seen: Timestamp::default(),
        service_calls: calls,
        statuses: BTreeMap::new(),
        example: None,
        document: Some(operation.pointer.clone()),
    }
}

/// A document of which nothing was seen, and that was held against no service.
pub(super) fn unseen_document(contract: &Contract, servers: &str, all_calls: u64) -> Finding {
    Finding {
        id: id(FindingKind::Unseen, &contract.source, "", "", &contract.title),
        kind: FindingKind::Unseen,
        service: servers.to_owned(),
        service_id: None,
        method: None,
        template: None,
        operation: None,
        endpoint_id: None,
        subject: Some(contract.title.clone()),
        message: format!(
            "{}: none of its {} was seen among {} in all, and no service seen is one of its own ({servers})",
            contract.title,
            counted(contract.operations.len() as u64, "operation"),
            counted(all_calls, "call"),
        ),
        calls: 0,
        first_seen: Timestamp::default(),
        last_seen: Timestamp::default(),
        service_calls: 0,
        statuses: BTreeMap::new(),
        example: None,
        document: Some(contract.source.clone()),
    }
}

/// Stable id: FNV-1a (64 bit) over all that tells a finding from others. Parameter names are not among it.
fn id(kind: FindingKind, service: &str, method: &str, structure: &str, subject: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in [kind.name(), service, method, structure, subject] {
        // 0xff is in no UTF-8 text: it keeps the parts apart.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("f-{hash:016x}")
}

/// A documented path as people write it.
fn written(path: &[Part]) -> String {
    let mut out = String::new();
    for part in path {
        out.push('/');
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Parameter(name) => out.push_str(&format!("{{{name}}}")),
            Part::CatchAll(name) => out.push_str(&format!("{{{name}*}}")),
            Part::Mixed(pieces) => {
                for piece in pieces {
                    match piece {
                        Ok(name) => out.push_str(&format!("{{{name}}}")),
                        Err(literal) => out.push_str(literal),
                    }
                }
            }
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

/// `GET /users/{integer}?page={integer}`: the commonest form of each parameter; query parameters that at least half of
/// the calls carry.
fn example(endpoint: &EndpointView) -> String {
    let mut forms = endpoint.path_parameters.iter().map(|p| commonest(&p.kinds));
    let mut form = || forms.next().flatten().unwrap_or_else(|| "value".to_owned());
    let path: Vec<Part> = template::parse(&endpoint.template)
        .into_iter()
        .map(|part| match part {
            Part::Literal(text) => Part::Literal(text),
            Part::Parameter(_) => Part::Parameter(form()),
            Part::CatchAll(_) => Part::Parameter(format!("{}…", form())),
            Part::Mixed(pieces) => Part::Mixed(pieces.into_iter().map(|p| p.map(|_| form())).collect()),
        })
        .collect();
    let mut out = format!("{} {}", endpoint.method, written(&path));
    let usual = endpoint.query.iter().filter(|(_, p)| p.calls * 2 >= endpoint.calls).take(EXAMPLE_PARAMETERS);
    for (n, (name, parameter)) in usual.enumerate() {
        let kind = commonest(&parameter.kinds).unwrap_or_else(|| "value".to_owned());
        out.push_str(&format!("{}{name}={{{kind}}}", if n == 0 { '?' } else { '&' }));
    }
    out
}

/// The name of the form that most calls had; of equal ones the first.
fn commonest(kinds: &BTreeMap<Kind, u64>) -> Option<String> {
    let most = kinds.values().max()?;
    let kind = kinds.iter().find(|(_, n)| *n == most).map(|(kind, _)| kind)?;
    serde_json::to_value(kind).ok()?.as_str().map(str::to_owned)
}

fn plural(n: u64, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

fn counted(n: u64, word: &str) -> String {
    format!("{n} {}", plural(n, word))
}

/// The file of a pointer `file#…`.
pub(super) fn file(pointer: &str) -> &str {
    pointer.split('#').next().unwrap_or(pointer)
}
