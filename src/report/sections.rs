//! The sections of the page.
//!
//! Takes parts of view and diff, gives markup. Never sorts findings anew: the diff has them worst first.

use std::collections::{BTreeMap, HashMap};

use maud::{Markup, html};

use super::coverage::{Coverage, Sight};
use super::figures::{self, bytes, exact, moment_after, percent, span};
use super::{Meta, visible, words};
use crate::base::Timestamp;
use crate::diff::{Diff, DocumentSummary, Finding, FindingKind};
use crate::inventory::{EndpointView, PathParameter, Quantiles, SaidView, ServiceView, View};

/// Services and kinds of findings with more lines than this start folded.
const FOLD: usize = 200;
/// Operations that were not seen are no alarm: they start folded from here.
const FOLD_UNSEEN: usize = 20;

/// What was seen and what was not.
pub(super) fn sight(view: &View, meta: &Meta) -> Markup {
    let coverage = Coverage::of(&view.visibility);
    html! {
        section #sight aria-labelledby="sight-title" {
            h2 #sight-title { "What was seen, and what was not" }
            p.lead {
                (figures::things(coverage.packets, "packet", "packets")) ", " (bytes(coverage.captured)) " captured. \
                 Each byte is in one part of this bar."
            }
            @if coverage.captured > 0 { (bar(&coverage)) }
            @if !coverage.shares.is_empty() {
                table.legend {
                    thead { tr { th scope="col" { "Part" } th.n scope="col" { "Bytes" } th.n scope="col" { "Share" } } }
                    tbody {
                        @for share in &coverage.shares {
                            tr {
                                th scope="row" { span class={ "key " (share.name) } {} (capitalised(share.words)) }
                                td.n { (bytes(share.bytes)) }
                                td.n { (percent(share.bytes, coverage.captured)) }
                            }
                        }
                    }
                }
            }
            @if !coverage.missing.is_empty() || !coverage.blind.is_empty() || !meta.notes.is_empty() {
                div.blind {
                    h3 { "Not seen" }
                    ul {
                        @for line in &coverage.missing { li { (line) "." } }
                        @for line in &coverage.blind { li { (line) } }
                        @for line in &meta.notes { li { (visible(line)) } }
                    }
                }
            }
        }
    }
}

fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn bar(coverage: &Coverage) -> Markup {
    // 1000 units wide; a part that is there is never thinner than can be seen.
    const WIDTH: f64 = 1000.0;
    const THIN: f64 = 3.0;
    let wished: Vec<f64> =
        coverage.shares.iter().map(|s| (s.bytes as f64 / coverage.captured as f64 * WIDTH).max(THIN)).collect();
    let scale = WIDTH / wished.iter().sum::<f64>().max(WIDTH);
    let mut x = 0.0;
    let parts: Vec<(f64, f64)> = wished
        .iter()
        .map(|w| {
            let part = (x, w * scale);
            x += part.1;
            part
        })
        .collect();
    let label: Vec<_> =
        coverage.shares.iter().map(|s| format!("{} {}", s.words, percent(s.bytes, coverage.captured))).collect();
    html! {
        svg.bar viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" aria-label=(label.join("; ")) {
            @for (share, (x, width)) in coverage.shares.iter().zip(&parts) {
                rect class=(share.name) x=(format!("{x:.1}")) y="0" width=(format!("{width:.1}")) height="28" {
                    title { (share.words) ": " (bytes(share.bytes)) }
                }
            }
        }
        @let read: u64 = coverage.shares.iter().filter(|s| s.sight == Sight::Read).map(|s| s.bytes).sum();
        p.caption { (percent(read, coverage.captured)) " of the captured bytes were read as HTTP." }
    }
}

/// The findings, worst first, with their evidence.
pub(super) fn findings(view: &View, diff: Option<&Diff>) -> Markup {
    html! {
        section #findings aria-labelledby="findings-title" {
            h2 #findings-title { "Findings" }
            @match diff {
                None => p.lead {
                    "No API document was given, so there is nothing to hold this inventory against. \
                     Name one or more OpenAPI documents with " code { "--spec" } "."
                },
                Some(diff) => {
                    (documents(&diff.documents))
                    @if diff.findings.is_empty() {
                        p.lead { "In what was seen here, nothing differs from the documents." }
                    }
                    @for kind in words::KINDS {
                        @let of_kind: Vec<_> = diff.findings.iter().filter(|f| f.kind == kind).collect();
                        @if !of_kind.is_empty() { (kind_of_finding(view, kind, &of_kind)) }
                    }
                    @if !diff.probes.is_empty() { (probes(&diff.probes)) }
                }
            }
        }
    }
}

fn documents(documents: &[DocumentSummary]) -> Markup {
    html! {
        div.scroll {
            table.documents {
                thead {
                    tr {
                        th scope="col" { "Document" }
                        th scope="col" { "Held against" }
                        th.n scope="col" { "Operations seen" }
                        th scope="col" { span.away { "Share" } }
                    }
                }
                tbody {
                    @for d in documents {
                        tr {
                            th scope="row" {
                                (visible(&d.title)) " " (visible(&d.version))
                                br; code.quiet { (visible(&d.source)) }
                            }
                            td {
                                @if d.services.is_empty() { span.quiet { "no service in this traffic" } }
                                @for service in &d.services { div { (visible(service)) } }
                                @for note in &d.notes { div.quiet { (visible(note)) } }
                            }
                            td.n { (exact(d.seen)) " of " (exact(d.operations)) }
                            td { meter min="0" max=(d.operations.max(1)) value=(d.seen) title=(percent(d.seen, d.operations)) {} }
                        }
                    }
                }
            }
        }
    }
}

fn kind_of_finding(view: &View, kind: FindingKind, findings: &[&Finding]) -> Markup {
    let fold = if kind == FindingKind::Unseen { FOLD_UNSEEN } else { FOLD };
    let weight = words::weight(kind).name();
    html! {
        details.kind open[findings.len() <= fold] {
            summary {
                h3 { (words::title(kind)) " " span class={ "count " (weight) } { (exact(findings.len() as u64)) } }
                span.meaning { (words::meaning(kind)) }
            }
            ul.findings {
                @for f in findings {
                    @if kind == FindingKind::Unseen { (unseen(f)) } @else { (finding(view, f)) }
                }
            }
        }
    }
}

fn operation(f: &Finding) -> Markup {
    html! {
        span.operation {
            @if let Some(method) = &f.method { (method_mark(method)) " " }
            @match &f.place() {
                Some(template) => code { (path(template)) },
                None => code { (visible(&f.service)) },
            }
            @if let Some(subject) = &f.subject { " " span.subject { (visible(subject)) } }
        }
    }
}

fn finding(view: &View, f: &Finding) -> Markup {
    html! {
        li.finding id=(f.id) {
            p.head { (operation(f)) @if f.template.is_some() { span.service { (visible(&f.service)) } } }
            p.message { (visible(&f.message)) }
            @if f.calls > 0 { p.evidence {
                (figures::things(f.calls, "call", "calls"))
                @if f.service_calls > 0 { " of " (exact(f.service_calls)) " to the service" }
                @if !f.statuses.is_empty() { " · " (statuses(&f.statuses)) }
                " · " (from_to(f.first_seen, f.last_seen, view.first_seen))
            } }
            p.where {
                @if let Some(example) = &f.example { span { "Example " code { (visible(example)) } } }
                @if let Some(document) = &f.document { span { "Document " code { (visible(document)) } } }
                @if let Some(endpoint) = &f.endpoint_id { a href={ "#" (endpoint) } { "In the inventory" } }
                span.id { (f.id) }
            }
        }
    }
}

fn unseen(f: &Finding) -> Markup {
    html! {
        li.finding.brief id=(f.id) {
            (operation(f))
            span.service { (visible(&f.service)) " · " (figures::things(f.service_calls, "call", "calls")) " to the service looked at" }
        }
    }
}

fn probes(probes: &BTreeMap<String, u64>) -> Markup {
    html! {
        details.kind {
            summary {
                h3 { "Probes " span.count.low { (exact(probes.values().sum())) } }
                span.meaning { "requests that the host answered as it answers nonsense; kept apart from endpoints" }
            }
            ul.findings {
                @for (service, calls) in probes {
                    li.finding.brief { code { (visible(service)) } span.service { (figures::things(*calls, "request", "requests")) } }
                }
            }
        }
    }
}

/// Services with their endpoints.
pub(super) fn services(view: &View, diff: Option<&Diff>) -> Markup {
    let mut marks: HashMap<&str, Vec<FindingKind>> = HashMap::new();
    for f in diff.iter().flat_map(|d| &d.findings) {
        if let Some(endpoint) = &f.endpoint_id {
            let kinds = marks.entry(endpoint).or_default();
            if !kinds.contains(&f.kind) {
                kinds.push(f.kind);
            }
        }
    }
    let fold = view.endpoints() > FOLD;
    let mut services: Vec<&ServiceView> = view.services.iter().collect();
    services.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.origin().cmp(&b.origin())));
    html! {
        section #services aria-labelledby="services-title" {
            h2 #services-title { "Services and endpoints" }
            @if view.services.is_empty() { p.lead { "No service was seen." } }
            // The script shows it: without scripts there is nothing that it could do.
            p.search hidden {
                label for="search" { "Find" }
                input #search type="search" placeholder="method, path, host, status…" autocomplete="off";
                output #found for="search" {}
            }
            @for s in services { (service(view, s, &marks, fold)) }
        }
    }
}

fn service(view: &View, s: &ServiceView, marks: &HashMap<&str, Vec<FindingKind>>, fold: bool) -> Markup {
    html! {
        details.service id=(s.id) open[!fold] {
            summary {
                h3 { (visible(&s.origin())) }
                span.meaning {
                    (figures::things(s.calls, "call", "calls")) " · "
                    (figures::things(s.endpoints.len() as u64, "endpoint", "endpoints")) " · "
                    (from_to(s.first_seen, s.last_seen, Timestamp(0)))
                }
            }
            p.where {
                span { "Answered by " @for (i, a) in s.addresses.iter().enumerate() { @if i > 0 { ", " } code { (a) } } }
                @if !s.probes.is_empty() {
                    span {
                        "Probes " (statuses(&s.probes)) " on about " (figures::things(s.probed_paths, "path", "paths"))
                    }
                }
                @for o in view.opaque.iter().filter(|o| o.without_keys > 0 && o.services.iter().any(|id| s.has_id(id))) {
                    span {
                        "Read in part: " (exact(o.without_keys)) " of " (exact(o.connections)) " connections had no keys ("
                        a href={ "#" (o.id) } { "more" } ")"
                    }
                }
            }
            @if !s.members.is_empty() {
                details.members {
                    summary { "One API of " (figures::things(s.members.len() as u64, "host", "hosts")) ": " (s.because) }
                    ul { @for m in &s.members { li id=(m.id) {
                        code { (visible(&m.origin())) } " "
                        span.meaning { (figures::things(m.calls, "call", "calls")) " · " (figures::things(m.endpoints, "endpoint", "endpoints")) }
                    } } }
                }
            }
            @for p in &s.prefixes {
                p.where { span {
                    code { (visible(&p.prefix)) } " is an API of its own (" (figures::things(p.endpoints, "endpoint", "endpoints")) ", "
                    (figures::things(p.calls, "call", "calls")) "): " (p.because)
                } }
            }
            @if !s.endpoints.is_empty() {
                div.scroll {
                    table.endpoints {
                        thead {
                            tr {
                                th scope="col" { "Method" }
                                th scope="col" { "Path" }
                                th.n scope="col" { "Calls" }
                                th scope="col" { "Statuses" }
                                th.n scope="col" { "Callers" }
                                th.n scope="col" { abbr title="time to first byte: half of the calls, 95 % of the calls" { "Latency" } }
                                th scope="col" { "First and last seen" }
                            }
                        }
                        tbody { @for e in &s.endpoints { (endpoint(e, marks.get(e.id.as_str()).map_or(&[], Vec::as_slice))) } }
                    }
                }
            }
        }
    }
}

fn endpoint(e: &EndpointView, marks: &[FindingKind]) -> Markup {
    html! {
        tr id=(e.id) {
            td { (method_mark(&e.method)) }
            th scope="row" {
                details.more {
                    summary {
                        code { (path(&e.place())) }
                        @for kind in marks { " " span class={ "mark " (words::weight(*kind).name()) } { (words::mark(*kind)) } }
                    }
                    (endpoint_details(e))
                }
            }
            td.n { (exact(e.calls)) }
            td { (grpc_statuses(e)) (statuses(&e.statuses)) @if e.unanswered > 0 { " " span.status.none { "none ×" (exact(e.unanswered)) } } }
            td.n { (exact(e.callers)) }
            td.n { @if e.latency.count > 0 { (span(e.latency.p50)) " / " (span(e.latency.p95)) } @else { "–" } }
            td { (from_to(e.first_seen, e.last_seen, Timestamp(0))) }
        }
    }
}

fn grpc_statuses(e: &EndpointView) -> Markup {
    html! {
        @if !e.grpc_statuses.is_empty() {
            span.statuses {
                @for (status, n) in &e.grpc_statuses {
                    @let class = match status.0 { 0 => "s2", 2 | 13..=15 => "s5", _ => "s4" };
                    span class={ "status " (class) } { (status.name()) span.times { " ×" (exact(*n)) } } " "
                }
            }
        }
    }
}

/// `12 messages, 3.4 kB, price (number), name (string)`.
fn said(said: &SaidView) -> Markup {
    html! {
        (figures::things(said.messages, "message", "messages")) ", " (bytes(said.bytes))
        @for (i, (field, known)) in said.fields.iter().enumerate() {
            @if i == 0 { ", with " } @else { ", " }
            code { (visible(field)) }
            " (" (known.types.keys().map(|t| words::value_type(*t)).collect::<Vec<_>>().join(", ")) ")"
        }
    }
}

fn endpoint_details(e: &EndpointView) -> Markup {
    let sizes = |q: &Quantiles| format!("{} median, {} at 95 %, {} largest", bytes(q.p50), bytes(q.p95), bytes(q.max));
    html! {
        dl.facts {
            @for p in &e.path_parameters { dt { code { "{" (visible(&p.name)) "}" } } dd { (kinds(p)) } }
            @for (name, p) in &e.query {
                dt { code { "?" (visible(name)) } }
                dd {
                    (kind_names(p.kinds.iter().map(|(k, n)| (serde_name(k), *n)))) ", in " (percent(p.calls, e.calls)) " of the calls"
                }
            }
            @if !e.request_types.is_empty() { dt { "Request types" } dd { (types(&e.request_types)) } }
            @if !e.response_types.is_empty() { dt { "Response types" } dd { (types(&e.response_types)) } }
            @if let Some(messages) = &e.messages {
                dt { "Clients said" } dd { (said(&messages.client)) }
                dt { "Servers said" } dd { (said(&messages.server)) }
            }
            @if e.request_size.max > 0 { dt { "Request body" } dd { (sizes(&e.request_size)) } }
            @if e.response_size.max > 0 { dt { "Response body" } dd { (sizes(&e.response_size)) } }
            dt { "Path known from" } dd { @if e.documented { "a document" } @else { "the traffic" } }
            @if let Some(prefix) = &e.prefix { dt { "API" } dd { code { (visible(prefix)) } } }
            @if let Some(v) = &e.versions {
                dt { "Version" }
                dd {
                    (visible(&v.version))
                    @if let Some(id) = &v.predecessor { ", succeeds " a href={ "#" (id) } { "the one before" } }
                    @if let Some(id) = &v.successor { ", succeeded by " a href={ "#" (id) } { "the one after" } }
                }
            }
            dt { "Days seen" } dd { (exact(u64::from(e.days_seen))) }
            dt { "Id" } dd { code { (e.id) } }
        }
    }
}

fn kinds(p: &PathParameter) -> String {
    kind_names(p.kinds.iter().map(|(k, n)| (serde_name(k), *n)))
}

/// The name of a kind as the JSON form has it: `object-id`.
fn serde_name(kind: &crate::observe::Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn kind_names(kinds: impl Iterator<Item = (String, u64)>) -> String {
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    match kinds.as_slice() {
        [] => "value".to_owned(),
        [(only, _)] => only.clone(),
        many => many.iter().map(|(k, n)| format!("{k} ×{}", exact(*n))).collect::<Vec<_>>().join(", "),
    }
}

fn types(types: &BTreeMap<String, u64>) -> Markup {
    html! { @for (i, (t, n)) in types.iter().enumerate() { @if i > 0 { ", " } code { (visible(t)) } " ×" (exact(*n)) } }
}

fn method_mark(method: &str) -> Markup {
    let class = match method {
        "GET" | "HEAD" | "OPTIONS" | "QUERY" => "safe",
        "POST" | "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "custom",
    };
    html! { span class={ "method " (class) } { (visible(method)) } }
}

/// A template with its parameters set off, and places where a line may break.
fn path(template: &str) -> Markup {
    let text = visible(template);
    html! {
        @for (i, segment) in text.split('/').enumerate() {
            @if i > 0 { wbr; "/" }
            @if segment.starts_with('{') && segment.ends_with('}') { var { (segment) } } @else { (segment) }
        }
    }
}

fn statuses(statuses: &BTreeMap<u16, u64>) -> Markup {
    html! {
        span.statuses {
            @for (code, n) in statuses {
                span class={ "status s" (code / 100) } { (code) span.times { " ×" (exact(*n)) } } " "
            }
        }
    }
}

/// `first … last`, the date left out where it is that of `before`.
pub(super) fn from_to(first: Timestamp, last: Timestamp, before: Timestamp) -> Markup {
    html! {
        span.span {
            time datetime=(first) { (moment_after(before, first)) }
            @if last != first { " to " time datetime=(last) { (moment_after(first, last)) } }
        }
    }
}

/// What was strange.
pub(super) fn oddities(view: &View) -> Markup {
    let seen: Vec<_> = view.oddities.seen().collect();
    html! {
        @if !seen.is_empty() {
            section #oddities aria-labelledby="oddities-title" {
                h2 #oddities-title { "Oddities" }
                p.lead { "What was strange in the traffic but stopped nothing, and limits that were reached." }
                table.legend {
                    thead { tr { th scope="col" { "What" } th.n scope="col" { "Times" } } }
                    tbody { @for (oddity, n) in seen { tr { th scope="row" { (oddity.words()) } td.n { (exact(n)) } } } }
                }
            }
        }
    }
}
