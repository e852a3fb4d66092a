//! Findings, worst first.

use super::{Cut, heading, path, safe, statuses};
use crate::console::{Align, Screen, Table, Tone};
use crate::diff::{Diff, Finding, FindingKind};
use crate::report::figures::{exact, moment, moment_after, percent, things};
use crate::report::words::{self, Weight};

/// Documents and findings. `rest` says how to see what is cut.
pub(crate) fn findings(diff: &Diff, screen: &Screen, cut: Cut, rest: &str) -> String {
    let tones = screen.tones;
    let mut out = String::new();
    heading(&mut out, tones, "Held against documents");
    for d in &diff.documents {
        let title = safe(&[d.title.as_str(), d.version.as_str()].join(" "));
        out.push_str(&format!(
            "\n  {}  {}\n",
            tones.paint(Tone::Name, title.trim()),
            tones.paint(Tone::Quiet, &safe(&d.source))
        ));
        let services = match d.services.as_slice() {
            [] => "no service of this traffic".to_owned(),
            some => safe(&some.join(", ")),
        };
        out.push_str(&format!(
            "    {} of {} seen ({}) at {services}\n",
            exact(d.seen),
            things(d.operations, "operation", "operations"),
            percent(d.seen, d.operations)
        ));
        for note in &d.notes {
            out.push_str(&format!("    {}\n", tones.paint(Tone::Quiet, &safe(note))));
        }
    }
    if diff.findings.is_empty() {
        out.push_str("\n  Nothing in this traffic differs from the documents.\n");
    }
    for kind in words::KINDS {
        let of_kind: Vec<_> = diff.findings.iter().filter(|f| f.kind == kind).collect();
        if !of_kind.is_empty() {
            one_kind(&mut out, kind, &of_kind, screen, cut, rest);
        }
    }
    let probes: u64 = diff.probes.values().sum();
    if probes > 0 {
        let text = format!(
            "\n  {} answered as nonsense is answered: kept apart, not counted as shadow endpoints\n",
            things(probes, "probe", "probes")
        );
        out.push_str(&tones.paint(Tone::Quiet, &text));
    }
    out
}

fn one_kind(out: &mut String, kind: FindingKind, findings: &[&Finding], screen: &Screen, cut: Cut, rest: &str) {
    let tones = screen.tones;
    let tone = match words::weight(kind) {
        Weight::High => Tone::Bad,
        Weight::Middle => Tone::Warn,
        Weight::Low => Tone::Plain,
    };
    out.push_str(&format!(
        "\n  {} {}  {}\n",
        tones.paint(tone, &format!("● {}", words::title(kind))),
        tones.paint(Tone::Strong, &exact(findings.len() as u64)),
        tones.paint(Tone::Quiet, words::meaning(kind))
    ));
    let one_service = findings.iter().all(|f| f.service == findings[0].service);
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Right, Align::Left, Align::Left], 1, 4);
    for f in findings.iter().take(cut.lines) {
        let place = match &f.place() {
            Some(template) if one_service => safe(template),
            Some(template) => format!("{}{}", safe(&f.service), safe(template)),
            None => safe(&f.service),
        };
        table.row(vec![
            tones.paint(Tone::Strong, &safe(f.method.as_deref().unwrap_or_default())),
            place,
            f.subject.as_deref().map(|s| tones.paint(tone, &safe(s))).unwrap_or_default(),
            if f.calls > 0 { things(f.calls, "call", "calls") } else { String::new() },
            statuses(tones, &f.statuses, 0, 4),
            seen(f, screen),
        ]);
    }
    out.push_str(&table.render(screen.width, |_, text| path(tones, text)));
    if findings.len() > cut.lines {
        let text = format!("    … and {} more: {rest}\n", exact((findings.len() - cut.lines) as u64));
        out.push_str(&tones.paint(Tone::Quiet, &text));
    }
    if kind == FindingKind::Unseen {
        let looked_at = findings.iter().map(|f| f.service_calls).max().unwrap_or(0);
        let text = format!("    {} to the service looked at\n", things(looked_at, "call", "calls"));
        if one_service {
            out.push_str(&tones.paint(Tone::Quiet, &text));
        }
    }
}

fn seen(f: &Finding, screen: &Screen) -> String {
    if f.calls == 0 || screen.width < 100 {
        return String::new();
    }
    let text = match f.first_seen == f.last_seen {
        true => moment(f.first_seen),
        false => format!("{} to {}", moment(f.first_seen), moment_after(f.first_seen, f.last_seen)),
    };
    screen.tones.paint(Tone::Quiet, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::width;
    use crate::report::sample;

    #[test]
    fn worst_first_with_evidence() {
        let text = findings(&sample::diff(), &Screen::plain(120), Cut::NONE, "--full");
        let at = |s: &str| text.find(s).unwrap_or_else(|| panic!("no {s} in {text}"));
        assert!(at("Shadow endpoints 1") < at("Zombie endpoints 1"));
        assert!(at("Zombie endpoints 1") < at("Documented, not seen 2"));
        assert!(text.contains("4 of 20 operations seen (20.0 %) at http://shop.example:8080"));
        assert!(
            text.contains("GET  /internal/debug/{id}    101 calls  200 ×101  2026-11-24 07:31:06 to 07:44:26"),
            "{text}"
        );
        assert!(text.contains("14,250 calls to the service looked at"));
        assert!(text.lines().all(|l| width(l) <= 120));
    }

    #[test]
    fn no_finding_is_said() {
        let diff = Diff { findings: Vec::new(), ..sample::diff() };
        assert!(findings(&diff, &Screen::plain(80), Cut::NONE, "").contains("Nothing in this traffic differs"));
    }

    #[test]
    fn what_is_cut_is_said() {
        let text = findings(&sample::diff(), &Screen::plain(100), Cut { lines: 1, services: 1 }, "see --full");
        assert!(text.contains("… and 1 more: see --full"), "{text}");
    }
}
