//! The sections about servers that are opaque or blind.
//!
//! Takes the view, gives markup. Never says what is inside of what was not read: how it looks is called a hint.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::figures::{bytes, exact, percent, things};
use super::sections::from_to;
use super::{visible, words};
use crate::base::Timestamp;
use crate::inventory::{BlindService, CertificateView, Likeness, OpaqueView, View};

/// Lists with more lines than this start folded.
const FOLD: usize = 200;

/// Servers behind TLS or QUIC.
pub(super) fn opaque(view: &View) -> Markup {
    let mut servers: Vec<&OpaqueView> = view.opaque.iter().collect();
    servers.sort_by(|a, b| {
        b.is_opaque().cmp(&a.is_opaque()).then_with(|| b.connections.cmp(&a.connections)).then_with(|| a.id.cmp(&b.id))
    });
    html! {
        @if !servers.is_empty() {
            section #opaque aria-labelledby="opaque-title" {
                h2 #opaque-title { "Behind TLS and QUIC" }
                p.lead { (words::OPAQUE) " " (words::sights(&view.sight)) "." }
                details.kind open[servers.len() <= FOLD] {
                    summary {
                        h3 { "Servers " span.count.low { (exact(servers.len() as u64)) } }
                        span.meaning { "whether one looks like an API is a hint from what can be seen without keys, not a fact" }
                    }
                    div.scroll {
                        table.endpoints.opaque {
                            thead {
                                tr {
                                    th scope="col" { "In sight" }
                                    th scope="col" { "Server" }
                                    th.n scope="col" { "Connections" }
                                    th scope="col" { "Version, protocol" }
                                    th.n scope="col" { "Callers" }
                                    th.n scope="col" { abbr title="bytes from clients / bytes from the server" { "Volume" } }
                                    th scope="col" { "Like an API?" }
                                    th scope="col" { "First and last seen" }
                                }
                            }
                            tbody { @for o in servers { (server(o)) } }
                        }
                    }
                }
            }
        }
    }
}

fn server(o: &OpaqueView) -> Markup {
    let sight = if o.is_opaque() { "mark medium" } else { "mark low" };
    html! {
        tr id=(o.id) {
            td { span class=(sight) { (o.sight.words()) } }
            th scope="row" {
                details.more {
                    summary { code { (visible(&o.label())) } }
                    (facts(o))
                }
            }
            td.n { (exact(o.connections)) @if o.with_keys > 0 && o.without_keys > 0 { br; span.quiet { (exact(o.without_keys)) " without keys" } } }
            td { (most(&o.versions)) br; span.quiet { (most(if o.alpn.is_empty() { &o.alpn_offered } else { &o.alpn })) } }
            td.n { (exact(o.callers)) }
            td.n { (bytes(o.bytes[0])) " / " (bytes(o.bytes[1])) }
            td { span class={ "mark " (weight(o.hint.likeness)) } { (o.hint.likeness.name()) } }
            td { (from_to(o.first_seen, o.last_seen, Timestamp(0))) }
        }
    }
}

fn weight(likeness: Likeness) -> &'static str {
    match likeness {
        Likeness::Likely => "medium",
        Likeness::Possible | Likeness::Unlikely | Likeness::Unknown => "low",
    }
}

fn facts(o: &OpaqueView) -> Markup {
    let handshakes = o.with_keys + o.without_keys;
    let listed = [
        ("Versions", &o.versions, "versions"),
        ("Suites", &o.suites, "suites"),
        ("ALPN chosen", &o.alpn, "alpn"),
        ("ALPN offered", &o.alpn_offered, "alpn_offered"),
        ("Clients (JA4)", &o.ja4, "ja4"),
        ("Server (JA3S)", &o.ja3s, "ja3s"),
    ];
    let counted = [
        (o.resumed, "resumed"),
        (o.retried, "with a second hello"),
        (o.early_data, "with 0-RTT data"),
        (o.ech, "with an offer of ECH: the name may be a front's"),
        (o.certificate_requested, "in which a client's certificate was asked for"),
    ];
    let clients = &o.client_certificates;
    html! {
        dl.facts {
            dt { "Hint" } dd { @for reason in &o.hint.reasons { div { (visible(reason)) } } }
            dt { "Addresses" } dd { @for (i, a) in o.addresses.iter().enumerate() { @if i > 0 { ", " } code { (a) } } }
            dt { "Named by" } dd { (words::named_by(o.named_by)) }
            @if !o.services.is_empty() {
                dt { "Read behind it" }
                dd { @for (i, id) in o.services.iter().enumerate() { @if i > 0 { ", " } a href={ "#" (id) } { code { (id) } } } }
            }
            @if o.with_keys > 0 {
                dt { "Without keys" }
                dd { (exact(o.without_keys)) " of " (things(o.connections, "connection", "connections")) ", "
                     (bytes(o.bytes_without_keys[0])) " / " (bytes(o.bytes_without_keys[1])) }
            }
            @for (title, counts, name) in listed {
                @let others = o.others.get(name).copied().unwrap_or(0);
                @if !counts.is_empty() || others > 0 {
                    dt { (title) }
                    dd {
                        @for (text, n) in counts { div { code { (visible(text)) } " ×" (exact(*n)) " (" (percent(*n, handshakes)) ")" } }
                        @if others > 0 { div { "others, not kept by name ×" (exact(others)) } }
                    }
                }
            }
            @for (n, text) in counted { @if n > 0 { dt { "Handshakes" } dd { (exact(n)) " " (text) } } }
            @for c in &o.certificates { (certificate(c, o.last_seen)) }
            @if clients.seen > 0 {
                dt { "Client certificates" }
                dd {
                    (exact(clients.distinct)) " in " (things(clients.seen, "handshake", "handshakes")) ", issued by "
                    @for (i, issuer) in clients.issuers.keys().enumerate() { @if i > 0 { "; " } (visible(issuer)) }
                }
            }
            dt { "Days seen" } dd { (exact(u64::from(o.days_seen))) }
            dt { "Id" } dd { code { (o.id) } }
        }
    }
}

fn certificate(c: &CertificateView, seen: Timestamp) -> Markup {
    html! {
        dt { "Certificate" }
        dd {
            (visible(&c.subject)) " ×" (exact(c.seen))
            @if !c.names.is_empty() {
                div.quiet { "for " (visible(&c.names.join(", "))) @if c.more_names > 0 { " and " (exact(u64::from(c.more_names))) " more" } }
            }
            div.quiet { "by " (visible(&c.issuer)) ", until " (words::expiry(c.not_after, seen)) }
        }
    }
}

/// The most frequent one, and how many others there are.
fn most(counts: &BTreeMap<String, u64>) -> Markup {
    let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
    html! {
        @match best {
            Some((name, _)) => { (visible(name)) @if counts.len() > 1 { " +" (exact(counts.len() as u64 - 1)) } },
            None => "–",
        }
    }
}

/// Servers of which nothing can be read or named.
pub(super) fn blind(view: &View) -> Markup {
    let blind = &view.blind;
    let rest = words::blind_rest(blind);
    let mut services: Vec<&BlindService> = blind.services.iter().collect();
    services.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
    html! {
        @if !services.is_empty() || blind.known_connections + blind.known_messages > 0 {
            section #blind aria-labelledby="blind-title" {
                h2 #blind-title { "Blind" }
                p.lead { (words::BLIND) }
                @if !services.is_empty() {
                    div.scroll {
                        table.legend.places {
                            thead {
                                tr {
                                    th scope="col" { "Server" }
                                    th.n scope="col" { "Connections" }
                                    th.n scope="col" { "Bytes" }
                                    th scope="col" { "Why" }
                                    th scope="col" { "First and last seen" }
                                }
                            }
                            tbody { @for b in services { (place(b)) } }
                        }
                    }
                }
                @for line in rest { p.caption { (line) } }
            }
        }
    }
}

fn place(b: &BlindService) -> Markup {
    html! {
        tr id=(b.id) {
            th scope="row" { code { (visible(&b.place())) } }
            td.n { (exact(b.connections)) }
            td.n { (bytes(b.bytes)) }
            td {
                @for (i, (why, n)) in b.reasons.iter().enumerate() {
                    @if i > 0 { ", " } (words::blindness(*why)) " ×" (exact(*n))
                }
            }
            td { (from_to(b.first_seen, b.last_seen, Timestamp(0))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn names_from_the_wire_are_escaped_and_facts_are_there() {
        let page = opaque(&sample::view()).into_string();
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
        for words in ["tls://pay.example", "inventoried in part", "3 without keys", "CN=Staff CA", "until 2027-11-24"] {
            assert!(page.contains(words), "no {words}");
        }
        let page = blind(&sample::view()).into_string();
        assert!(page.contains("10.0.0.77:9000") && page.contains("one direction was never captured"), "{page}");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(opaque(&View::default()).into_string(), "");
        assert_eq!(blind(&View::default()).into_string(), "");
    }
}
