//! Servers that are opaque or blind, as tables, and one of them with all that is kept of it.

use std::collections::BTreeMap;

use super::{Cut, heading, safe};
use crate::base::Timestamp;
use crate::console::{Align, Screen, Table, Tone};
use crate::inventory::{BlindService, Likeness, OpaqueView, View};
use crate::report::figures::{bytes, exact, moment, moment_after, percent, short, things};
use crate::report::words;

/// What was seen but is opaque, what is blind, and how many services are how far in sight. Empty where all was read.
/// `rest` says how to see what is cut.
pub(crate) fn opaque(view: &View, screen: &Screen, cut: Cut, rest: &str) -> String {
    let mut out = String::new();
    let mut covered: Vec<&OpaqueView> = view.opaque.iter().filter(|o| o.is_opaque()).collect();
    covered.sort_by(|a, b| b.connections.cmp(&a.connections).then_with(|| a.origin().cmp(&b.origin())));
    if !covered.is_empty() {
        heading(&mut out, screen.tones, "Seen but opaque");
        sentence(&mut out, words::OPAQUE, Tone::Quiet, screen);
        out.push('\n');
        out.push_str(&covered_table(&covered[..covered.len().min(cut.lines)], screen));
        more(&mut out, covered.len().saturating_sub(cut.lines), "server", screen, rest);
    }
    let blind = &view.blind;
    if !blind.services.is_empty() || blind.known_connections + blind.known_messages > 0 {
        heading(&mut out, screen.tones, "Blind");
        sentence(&mut out, words::BLIND, Tone::Quiet, screen);
        out.push('\n');
        let mut services: Vec<&BlindService> = blind.services.iter().collect();
        services.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
        if !services.is_empty() {
            out.push_str(&blind_table(&services[..services.len().min(cut.lines)], screen));
        }
        more(&mut out, services.len().saturating_sub(cut.lines), "server", screen, rest);
        for line in words::blind_rest(blind) {
            sentence(&mut out, &line, Tone::Quiet, screen);
        }
    }
    if !out.is_empty() {
        out.push('\n');
        sentence(&mut out, &words::sights(&view.sight), Tone::Plain, screen);
    }
    out
}

fn sentence(out: &mut String, text: &str, tone: Tone, screen: &Screen) {
    let mut line = Table::new(&[Align::Left], 0, 2);
    line.row(vec![text.to_owned()]);
    out.push_str(&line.render(screen.width, |_, piece| screen.tones.paint(tone, piece)));
}

fn more(out: &mut String, n: usize, thing: &str, screen: &Screen, rest: &str) {
    if n > 0 {
        let text = format!("    … and {} more {thing}{}: {rest}\n", exact(n as u64), if n == 1 { "" } else { "s" });
        out.push_str(&screen.tones.paint(Tone::Quiet, &text));
    }
}

/// Columns by the width there is: what tells least goes first.
fn covered_table(servers: &[&OpaqueView], screen: &Screen) -> String {
    let tones = screen.tones;
    let (callers, protocol, seen) = (screen.width >= 80, screen.width >= 100, screen.width >= 132);
    let mut columns = vec![Align::Left, Align::Right, Align::Right, Align::Right, Align::Left];
    let mut head = vec!["SERVER", "CONNECTIONS", "SENT", "ANSWERED", "LIKE AN API?"];
    let mut at = |wanted: bool, place: usize, align: Align, title: &'static str| {
        if wanted {
            columns.insert(place, align);
            head.insert(place, title);
        }
    };
    at(callers, 2, Align::Right, "CALLERS");
    at(protocol, 1, Align::Left, "ALPN");
    at(protocol, 1, Align::Left, "VERSION");
    let end = columns.len();
    if seen {
        columns.insert(end, Align::Left);
        head.insert(end, "FIRST AND LAST");
    }
    let mut table = Table::new(&columns, 0, 4);
    let mut titles: Vec<String> = head.iter().map(|t| tones.paint(Tone::Quiet, t)).collect();
    titles[0] = head[0].to_owned();
    table.row(titles);
    for o in servers {
        let mut cells = vec![safe(&o.label())];
        if protocol {
            cells.push(safe(&most(&o.versions)));
            cells.push(safe(&if o.alpn.is_empty() { most(&o.alpn_offered) } else { most(&o.alpn) }));
        }
        cells.push(match o.with_keys {
            0 => exact(o.connections),
            _ => format!("{} of {}", exact(o.connections.saturating_sub(o.with_keys)), exact(o.connections)),
        });
        if callers {
            cells.push(short(o.callers));
        }
        cells.extend(o.bytes_without_keys.map(bytes));
        cells.push(tones.paint(tone(o.hint.likeness), o.hint.likeness.name()));
        if seen {
            cells.push(from_to(o.first_seen, o.last_seen));
        }
        table.row(cells);
    }
    table.render(screen.width, |n, text| tones.paint(if n == 0 { Tone::Quiet } else { Tone::Name }, text))
}

fn tone(likeness: Likeness) -> Tone {
    match likeness {
        Likeness::Likely => Tone::Warn,
        Likeness::Possible => Tone::Plain,
        Likeness::Unlikely | Likeness::Unknown => Tone::Quiet,
    }
}

fn blind_table(servers: &[&BlindService], screen: &Screen) -> String {
    let tones = screen.tones;
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Left], 3, 4);
    let titles = ["SERVER", "CONNECTIONS", "BYTES"].map(|t| tones.paint(Tone::Quiet, t));
    table.row(titles.into_iter().chain(["WHY".to_owned()]).collect());
    for b in servers {
        let reasons: Vec<String> =
            b.reasons.iter().map(|(why, n)| format!("{} ×{}", words::blindness(*why), exact(*n))).collect();
        table.row(vec![
            tones.paint(Tone::Name, &safe(&b.place())),
            exact(b.connections),
            bytes(b.bytes),
            reasons.join(", "),
        ]);
    }
    table.render(screen.width, |n, text| if n == 0 { tones.paint(Tone::Quiet, text) } else { text.to_owned() })
}

/// The most frequent one; `TLS1.3 +1` where there are others.
fn most(counts: &BTreeMap<String, u64>) -> String {
    let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
    match (best, counts.len()) {
        (None, _) => "–".to_owned(),
        (Some((name, _)), 1) => name.clone(),
        (Some((name, _)), n) => format!("{name} +{}", n - 1),
    }
}

fn from_to(first: Timestamp, last: Timestamp) -> String {
    format!("{} to {}", moment(first), moment_after(first, last))
}

/// One server, with everything that is kept of it.
pub(crate) fn server(o: &OpaqueView, screen: &Screen) -> String {
    let tones = screen.tones;
    let mut out = format!("{}\n", tones.paint(Tone::Name, &safe(&o.label())));
    let mut facts = Table::new(&[Align::Left, Align::Left], 1, 2);
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.row(vec![tones.paint(Tone::Quiet, name), value]);
        }
    };
    fact("id", o.id.clone());
    fact("in sight", o.sight.words().to_owned());
    fact("named by", words::named_by(o.named_by).to_owned());
    fact("addresses", o.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    fact("services read behind it", o.services.join(", "));
    let keys = match o.with_keys + o.without_keys {
        0 => String::new(),
        _ => format!(" ({} with keys, {} without)", exact(o.with_keys), exact(o.without_keys)),
    };
    let callers = things(o.callers, "caller", "callers");
    fact("connections", format!("{} by {callers}{keys}", things(o.connections, "connection", "connections")));
    fact("sent and answered", format!("{} and {}", bytes(o.bytes[0]), bytes(o.bytes[1])));
    let [sent, answered] = o.bytes_without_keys;
    if o.with_keys > 0 {
        fact("of that without keys", format!("{} and {}", bytes(sent), bytes(answered)));
    }
    fact("first seen", format!("{} UTC", moment(o.first_seen)));
    fact("last seen", format!("{} UTC", moment(o.last_seen)));
    fact("days seen", exact(u64::from(o.days_seen)));
    for (n, words) in [
        (o.resumed, "resumed"),
        (o.retried, "with a second hello"),
        (o.early_data, "with 0-RTT data"),
        (o.ech, "with an offer of ECH (the name may be a front's)"),
        (o.certificate_requested, "in which a client's certificate was asked for"),
    ] {
        if n > 0 {
            fact("handshakes", format!("{} {words}", exact(n)));
        }
    }
    let clients = &o.client_certificates;
    if clients.seen > 0 {
        let issuers: Vec<String> = clients.issuers.keys().map(|issuer| safe(issuer)).collect();
        let seen = format!("{} in {}", exact(clients.distinct), things(clients.seen, "handshake", "handshakes"));
        fact("client certificates", format!("{seen}, issued by {}", issuers.join("; ")));
    }
    out.push_str(&facts.render(screen.width, |_, text| text.to_owned()));

    heading(&mut out, tones, "Does it look like an API? A hint");
    out.push_str(&format!("  {}\n", tones.paint(tone(o.hint.likeness), o.hint.likeness.name())));
    let mut table = Table::new(&[Align::Left, Align::Left], 1, 2);
    for reason in &o.hint.reasons {
        table.row(vec!["▸".to_owned(), safe(reason)]);
    }
    out.push_str(&table.render(screen.width, |_, text| text.to_owned()));

    for (title, counts, name) in [
        ("Versions", &o.versions, "versions"),
        ("Suites", &o.suites, "suites"),
        ("Application protocols chosen (ALPN)", &o.alpn, "alpn"),
        ("Application protocols offered", &o.alpn_offered, "alpn_offered"),
        ("Fingerprints of clients (JA4)", &o.ja4, "ja4"),
        ("Fingerprints of the server (JA3S)", &o.ja3s, "ja3s"),
    ] {
        let others = o.others.get(name).copied().unwrap_or(0);
        if counts.is_empty() && others == 0 {
            continue;
        }
        heading(&mut out, tones, title);
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right], 0, 2);
        let handshakes = o.with_keys + o.without_keys;
        let mut rows: Vec<_> = counts.iter().map(|(text, n)| (safe(text), *n)).collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        if others > 0 {
            rows.push(("others, not kept by name".to_owned(), others));
        }
        for (text, n) in rows {
            table.row(vec![text, exact(n), percent(n, handshakes)]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }

    if !o.certificates.is_empty() {
        heading(&mut out, tones, "Certificates");
        let mut table = Table::new(&[Align::Left, Align::Left, Align::Right], 1, 2);
        for c in &o.certificates {
            let more = if c.more_names > 0 { format!(" and {} more", c.more_names) } else { String::new() };
            table.row(vec!["for".into(), safe(&c.subject), things(c.seen, "handshake", "handshakes")]);
            table.row(vec!["names".into(), format!("{}{more}", safe(&c.names.join(", ")))]);
            table.row(vec!["by".into(), safe(&c.issuer)]);
            table.row(vec!["until".into(), words::expiry(c.not_after, o.last_seen)]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::width;
    use crate::report::sample;

    #[test]
    fn each_kind_has_its_table() {
        let text = opaque(&sample::view(), &Screen::plain(120), Cut::NONE, "--full");
        for words in [
            "Seen but opaque",
            "tls://pay.example",
            "h3://cdn.example",
            "3 of 12",
            "likely",
            "Blind",
            "10.0.0.77:9000",
            "one direction was never captured ×4",
            "2 services inventoried, 1 of them in part; 2 seen but opaque; 1 blind",
        ] {
            assert!(text.contains(words), "no {words} in {text}");
        }
        assert!(!text.contains("tls://shop.example"), "one that is read is not opaque: {text}");
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn fits_the_screen() {
        for columns in [80, 100, 120, 132, 180] {
            let text = opaque(&sample::view(), &Screen::plain(columns), Cut::NONE, "--full");
            assert!(text.lines().all(|l| width(l) <= columns), "{columns}: {text}");
        }
    }

    #[test]
    fn what_is_cut_is_said_and_nothing_is_said_of_nothing() {
        let text = opaque(&sample::view(), &Screen::plain(100), Cut { lines: 1, services: 1 }, "--full");
        assert!(text.contains("… and 2 more servers: --full"), "{text}");
        assert_eq!(opaque(&View::default(), &Screen::plain(100), Cut::NONE, ""), "");
    }

    #[test]
    fn one_server_is_told_whole() {
        let view = sample::view();
        let pay = view.opaque.iter().find(|o| o.name == "pay.example").unwrap();
        let text = server(pay, &Screen::plain(100));
        for words in [
            "tls://pay.example",
            "inventoried in part",
            "9 with keys, 3 without",
            "Does it look like an API? A hint",
            "the server chose the application protocol h2",
            "CN=pay.example",
            "CN=Example CA",
            "2027-11-24",
            "issued by CN=Staff CA",
            "TLS_AES_128_GCM_SHA256",
        ] {
            assert!(text.contains(words), "no {words} in {text}");
        }
    }
}
