//! Services with their endpoints, as tables.

use std::collections::HashMap;

use super::{Cut, answers, heading, path, safe, statuses};
use crate::console::{Align, Screen, Table, Tone, width};
use crate::diff::{Diff, FindingKind};
use crate::inventory::{EndpointView, ServiceView, View};
use crate::report::figures::{exact, moment, moment_after, short, span, things};
use crate::report::words;

/// Hosts of one API that are named.
const MEMBERS: usize = 6;

/// Services, the most called first, each with its endpoints in the order of their paths. `rest` says how to see what is cut.
pub(crate) fn services(view: &View, diff: Option<&Diff>, screen: &Screen, cut: Cut, rest: &str) -> String {
    let mut marks: HashMap<&str, Vec<FindingKind>> = HashMap::new();
    for f in diff.iter().flat_map(|d| &d.findings) {
        if let Some(endpoint) = &f.endpoint_id {
            marks.entry(endpoint).or_default().push(f.kind);
        }
    }
    let mut out = String::new();
    let view = &view.folded();
    heading(&mut out, screen.tones, "Services and endpoints");
    if view.calls() > 0 {
        let between = if screen.width < 104 { "\n  " } else { ", " };
        let text = format!(
            "  {} with {} of {}{between}{} to {} UTC ({})\n",
            things(view.calls(), "exchange", "exchanges"),
            things(view.endpoints() as u64, "endpoint", "endpoints"),
            things(view.services.len() as u64, "service", "services"),
            moment(view.first_seen),
            moment_after(view.first_seen, view.last_seen),
            span(view.last_seen.since(view.first_seen))
        );
        out.push_str(&screen.tones.paint(Tone::Quiet, &text));
    }
    if view.services.is_empty() {
        out.push_str("  No HTTP service was seen.\n");
        return out;
    }
    let mut services: Vec<&ServiceView> = view.services.iter().collect();
    services.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.origin().cmp(&b.origin())));
    for service in services.iter().take(cut.services) {
        one(&mut out, service, &marks, screen, cut, rest);
        for server in
            view.opaque.iter().filter(|o| o.without_keys > 0 && o.services.iter().any(|id| service.has_id(id)))
        {
            let text = format!(
                "    read in part: {} of {} connections had no keys\n",
                exact(server.without_keys),
                exact(server.connections)
            );
            out.push_str(&screen.tones.paint(Tone::Warn, &text));
        }
    }
    let hidden = services.get(cut.services..).unwrap_or_default();
    if !hidden.is_empty() {
        let calls = hidden.iter().map(|s| s.calls).sum();
        let text = format!(
            "\n  … and {} with {}: {rest}\n",
            things(hidden.len() as u64, "more service", "more services"),
            things(calls, "call", "calls")
        );
        out.push_str(&screen.tones.paint(Tone::Quiet, &text));
    }
    out
}

fn one(
    out: &mut String,
    service: &ServiceView,
    marks: &HashMap<&str, Vec<FindingKind>>,
    screen: &Screen,
    cut: Cut,
    rest: &str,
) {
    let tones = screen.tones;
    let (origin, facts) = (safe(&service.origin()), facts(service, screen));
    let between = if width(&origin) + width(&facts) + 4 > screen.width { "\n    " } else { "  " };
    out.push_str(&format!("\n  {}{between}{}\n", tones.paint(Tone::Name, &origin), tones.paint(Tone::Quiet, &facts)));
    out.push_str(&together(service, screen));
    if !service.endpoints.is_empty() {
        out.push_str(&table(service, marks, screen, cut));
    }
    let hidden = service.endpoints.get(cut.lines..).unwrap_or_default();
    if !hidden.is_empty() {
        let calls = hidden.iter().map(|e| e.calls).sum();
        let text = format!(
            "    … and {} with {}: {rest}\n",
            things(hidden.len() as u64, "more endpoint", "more endpoints"),
            things(calls, "call", "calls")
        );
        out.push_str(&tones.paint(Tone::Quiet, &text));
    }
    if !service.probes.is_empty() {
        let text = format!(
            "{} on about {}, kept apart from endpoints",
            things(service.probes.values().sum(), "probe", "probes"),
            things(service.probed_paths, "path", "paths")
        );
        out.push_str(&format!("    {}  {}\n", tones.paint(Tone::Quiet, &text), statuses(tones, &service.probes, 0, 6)));
    }
}

/// Who serves it together, and what is behind it by prefix.
fn together(service: &ServiceView, screen: &Screen) -> String {
    let mut out = String::new();
    let mut line = |text: String| out.push_str(&screen.tones.paint(Tone::Quiet, &format!("    {text}\n")));
    if !service.members.is_empty() {
        line(format!("one API of {}: {}", things(service.members.len() as u64, "host", "hosts"), service.because));
        for member in service.members.iter().take(MEMBERS) {
            let (calls, endpoints) =
                (things(member.calls, "call", "calls"), things(member.endpoints, "endpoint", "endpoints"));
            line(format!("  {}  {calls} · {endpoints}", safe(&member.origin())));
        }
        let more = service.members.len().saturating_sub(MEMBERS);
        if more > 0 {
            line(format!("  … and {}", things(more as u64, "more host", "more hosts")));
        }
    }
    for p in &service.prefixes {
        let (endpoints, calls) = (things(p.endpoints, "endpoint", "endpoints"), things(p.calls, "call", "calls"));
        line(format!("{} is an API of its own ({endpoints}, {calls}): {}", safe(&p.prefix), p.because));
    }
    out
}

fn facts(service: &ServiceView, screen: &Screen) -> String {
    let addresses = match service.addresses.as_slice() {
        [] => String::new(),
        _ if screen.width < 100 => String::new(),
        [one] if one.to_string() == service.host => String::new(),
        [one] => format!(" · at {one}"),
        [one, more @ ..] => format!(" · at {one} and {} more", more.len()),
    };
    format!(
        "{} · {}{addresses} · {} to {}",
        things(service.calls, "call", "calls"),
        things(service.endpoints.len() as u64, "endpoint", "endpoints"),
        moment(service.first_seen),
        moment_after(service.first_seen, service.last_seen)
    )
}

/// Columns by the width there is: what tells least goes first.
fn table(service: &ServiceView, marks: &HashMap<&str, Vec<FindingKind>>, screen: &Screen, cut: Cut) -> String {
    let tones = screen.tones;
    let marked = service.endpoints.iter().any(|e| marks.contains_key(e.id.as_str()));
    let (callers, seen, latency) = (screen.width >= 80, screen.width >= 100, screen.width >= 120);
    let mut columns = vec![Align::Left, Align::Left, Align::Right, Align::Left];
    let mut head = vec!["METHOD", "PATH", "CALLS", "STATUSES"];
    let mut with = |wanted: bool, align: Align, title: &'static str| {
        if wanted {
            columns.push(align);
            head.push(title);
        }
    };
    with(callers, Align::Right, "CALLERS");
    with(latency, Align::Right, "MEDIAN");
    with(seen, Align::Left, "FIRST AND LAST");
    with(marked, Align::Left, "");
    let one_day = service.first_seen.day() == service.last_seen.day();
    let most = match screen.width {
        ..110 => 2,
        110..130 => 3,
        _ => 4,
    };
    let mut table = Table::new(&columns, 1, 4);
    let mut titles: Vec<String> = head.iter().map(|t| tones.paint(Tone::Quiet, t)).collect();
    titles[1] = head[1].to_owned();
    table.row(titles);
    for e in service.endpoints.iter().take(cut.lines) {
        let mut cells = vec![
            tones.paint(Tone::Strong, &safe(&e.method)),
            safe(&e.place()),
            exact(e.calls),
            answers(tones, e, most),
        ];
        if callers {
            cells.push(short(e.callers));
        }
        if latency {
            cells.push(if e.latency.count > 0 { span(e.latency.p50) } else { "–".to_owned() });
        }
        if seen {
            cells.push(first_and_last(e, one_day));
        }
        if marked {
            cells.push(mark(e, marks, screen));
        }
        table.row(cells);
    }
    table.render(screen.width, |n, text| if n == 0 { tones.paint(Tone::Quiet, text) } else { path(tones, text) })
}

/// `07:30:57–07:45:12`; with the dates where the service was seen on more than one day: `11-23 07:30–11-24 07:45`.
fn first_and_last(e: &EndpointView, one_day: bool) -> String {
    let of = |t| {
        let text = moment(t);
        text.get(if one_day { 11..19 } else { 5..16 }).unwrap_or_default().to_owned()
    };
    let (first, last) = (of(e.first_seen), of(e.last_seen));
    if first == last { first } else { format!("{first}–{last}") }
}

fn mark(e: &EndpointView, marks: &HashMap<&str, Vec<FindingKind>>, screen: &Screen) -> String {
    let mut kinds = marks.get(e.id.as_str()).cloned().unwrap_or_default();
    kinds.sort_by_key(|k| (words::weight(*k), *k));
    let mut names: Vec<_> = kinds
        .iter()
        .map(|k| {
            let tone = match words::weight(*k) {
                words::Weight::High => Tone::Bad,
                words::Weight::Middle => Tone::Warn,
                words::Weight::Low => Tone::Quiet,
            };
            screen.tones.paint(tone, words::mark(*k))
        })
        .collect();
    names.dedup();
    if names.len() > 2 {
        names.truncate(1);
        names.push(screen.tones.paint(Tone::Quiet, &format!("+{}", kinds.len() - 1)));
    }
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn text(columns: usize) -> String {
        services(&sample::view(), Some(&sample::diff()), &Screen::plain(columns), Cut::NONE, "--full")
    }

    #[test]
    fn fits_the_screen() {
        for columns in [80, 100, 120, 132, 180] {
            let text = text(columns);
            let wide = text.lines().filter(|l| width(l) > columns).collect::<Vec<_>>();
            assert!(wide.is_empty(), "{columns}: {wide:#?}");
        }
    }

    #[test]
    fn at_100_columns() {
        let text = text(100);
        assert!(text.starts_with(
            "\nServices and endpoints\n  14,252 exchanges with 7 endpoints of 2 services\n  \
             2026-11-24 07:30:57 to 07:45:12 UTC (14 min 15 s)\n\n  http://shop.example:8080\n    14,250 calls · 6 endpoints · at 10.0.0.2 and 1"
        ));
        assert!(text.contains("4,100 probes on about 3,900 paths, kept apart from endpoints  404 ×4,100"));
        let shadow = text.lines().find(|l| l.contains("/internal/debug")).unwrap();
        assert!(
            shadow.contains("/internal/debug/{id}    101  200 ×101                   2  07:31:06–07:44:26  shadow +4")
                && shadow.ends_with("shadow +4"),
            "{shadow}"
        );
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert!(!text(100).contains('\x1b'));
        assert!(text(100).contains("\\u{1b}[2J"));
    }

    #[test]
    fn what_is_cut_is_said() {
        let cut = Cut { lines: 2, services: 1 };
        let text = services(&sample::view(), None, &Screen::plain(100), cut, "see them with --full");
        assert!(text.contains("… and 4 more endpoints with 5,030 calls: see them with --full"), "{text}");
        assert!(text.contains("… and 1 more service with 2 calls: see them with --full"), "{text}");
    }
}
