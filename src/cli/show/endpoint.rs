//! What is known of one endpoint.

use std::collections::BTreeMap;

use super::{heading, path, safe};
use crate::console::{Align, Screen, Table, Tone};
use crate::inventory::{EndpointView, Quantiles, ServiceView};
use crate::observe::Kind;
use crate::report::figures::{bytes, exact, moment, percent, span, things};
use crate::report::words;

/// One endpoint, with everything that is kept of it.
pub(crate) fn endpoint(service: &ServiceView, e: &EndpointView, screen: &Screen) -> String {
    let tones = screen.tones;
    let mut out = format!("{} {}\n", tones.paint(Tone::Strong, &safe(&e.method)), path(tones, &safe(&e.place())));
    let mut facts = Table::new(&[Align::Left, Align::Left], 1, 2);
    let mut fact = |name: &str, value: String| facts.row(vec![tones.paint(Tone::Quiet, name), value]);
    fact("service", safe(&service.origin()));
    fact("id", e.id.clone());
    fact("template from", if e.documented { "a document" } else { "the traffic" }.to_owned());
    if let Some(prefix) = &e.prefix {
        fact("api", safe(prefix));
    }
    if let Some(v) = &e.versions {
        let other = |what: &str, id: &Option<String>| id.iter().map(|id| format!(", {what} {id}")).collect::<String>();
        let (before, after) = (other("succeeds", &v.predecessor), other("succeeded by", &v.successor));
        fact("version", format!("{}{before}{after}", safe(&v.version)));
    }
    fact("calls", format!("{} by {}", things(e.calls, "call", "calls"), things(e.callers, "caller", "callers")));
    fact("first seen", format!("{} UTC", moment(e.first_seen)));
    fact("last seen", format!("{} UTC", moment(e.last_seen)));
    fact("days seen", exact(u64::from(e.days_seen)));
    if e.unanswered > 0 {
        fact("no response", things(e.unanswered, "call", "calls"));
    }
    out.push_str(&facts.render(screen.width, |_, text| text.to_owned()));

    heading(&mut out, tones, "Statuses");
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Right], 0, 2);
    for (code, n) in &e.statuses {
        table.row(vec![code.to_string(), exact(*n), percent(*n, e.calls)]);
    }
    out.push_str(&table.render(screen.width, |_, text| text.to_owned()));

    if !e.grpc_statuses.is_empty() {
        heading(&mut out, tones, "gRPC statuses");
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right], 0, 2);
        for (status, n) in &e.grpc_statuses {
            table.row(vec![status.name().into_owned(), exact(*n), percent(*n, e.calls)]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }

    if let Some(messages) = &e.messages {
        heading(&mut out, tones, "Messages");
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Right], 0, 2);
        for (side, said) in [("client", &messages.client), ("server", &messages.server)] {
            let mean = said.bytes.checked_div(said.messages).map_or_else(String::new, |n| format!("{} each", bytes(n)));
            table.row(vec![side.to_owned(), things(said.messages, "message", "messages"), bytes(said.bytes), mean]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
        let mut table = Table::new(&[Align::Left, Align::Left, Align::Right, Align::Left], 1, 2);
        for (side, said) in [("client", &messages.client), ("server", &messages.server)] {
            for (field, known) in &said.fields {
                let types = known.types.keys().map(|t| words::value_type(*t)).collect::<Vec<_>>().join(", ");
                table.row(vec![side.to_owned(), safe(field), exact(known.messages), types]);
            }
        }
        if messages.client.fields.len() + messages.server.fields.len() > 0 {
            heading(&mut out, tones, "Fields of messages");
            out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
        }
    }

    if !e.path_parameters.is_empty() || !e.query.is_empty() {
        heading(&mut out, tones, "Parameters");
        let mut table = Table::new(&[Align::Left, Align::Left, Align::Right, Align::Left], 0, 2);
        for p in &e.path_parameters {
            table.row(vec![format!("{{{}}}", safe(&p.name)), "path".to_owned(), "100 %".to_owned(), kinds(&p.kinds)]);
        }
        for (name, p) in &e.query {
            table.row(vec![safe(name), "query".to_owned(), percent(p.calls, e.calls), kinds(&p.kinds)]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }

    heading(&mut out, tones, "Half of the calls / 95 % / 99 % / most");
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right], 0, 2);
    let mut quantiles = |name: &str, q: &Quantiles, unit: fn(u64) -> String| {
        if q.count > 0 {
            table.row(vec![name.to_owned(), unit(q.p50), unit(q.p95), unit(q.p99), unit(q.max)]);
        }
    };
    quantiles("time to first byte", &e.latency, span);
    quantiles("request body", &e.request_size, bytes);
    quantiles("response body", &e.response_size, bytes);
    out.push_str(&table.render(screen.width, |_, text| text.to_owned()));

    if !e.request_types.is_empty() || !e.response_types.is_empty() {
        heading(&mut out, tones, "Media types");
        let mut table = Table::new(&[Align::Left, Align::Left, Align::Right], 1, 2);
        for (direction, types) in [("request", &e.request_types), ("response", &e.response_types)] {
            for (name, n) in types {
                table.row(vec![direction.to_owned(), safe(name), exact(*n)]);
            }
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }
    out
}

fn kinds(kinds: &BTreeMap<Kind, u64>) -> String {
    let mut named: Vec<(String, u64)> =
        kinds.iter().filter_map(|(k, n)| Some((serde_json::to_value(k).ok()?.as_str()?.to_owned(), *n))).collect();
    named.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    match named.as_slice() {
        [(only, _)] => only.clone(),
        many => many.iter().map(|(k, n)| format!("{k} ×{}", exact(*n))).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn tells_what_is_kept() {
        let view = sample::view();
        let text = endpoint(&view.services[1], &view.services[1].endpoints[2], &Screen::plain(80));
        for words in [
            "GET /v1/orders/{orderId}",
            "http://shop.example:8080",
            "4,900 calls by 50 callers",
            "{orderId}",
            "page",
            "query",
            "33.3 %",
            "404",
            "application/json",
        ] {
            assert!(text.contains(words), "no {words} in {text}");
        }
    }
}
