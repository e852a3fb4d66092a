//! From rows to their views.
//!
//! Takes the rows and the services that were read, gives what is shown of servers that were not, or not wholly. A server
//! that is listed as read or as opaque is not listed as blind. Never changes what is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::state::State;
use super::view::{
    BlindService, BlindView, CertificateView, ClientCertificates, NamedBy, OpaqueView, Sight, SightCounts, TurnsView,
};
use super::{Key, Opaque, hint};
use crate::base::{Bucket, Ledger};
use crate::inventory::ServiceView;
use crate::observe::{Badge, Cover, Scheme};

/// Buckets of what may be an API and could be neither read nor named.
const BLIND: [Bucket; 6] =
    [Bucket::OneSided, Bucket::OtherTcp, Bucket::AfterGap, Bucket::OverLimit, Bucket::Tunnel, Bucket::Undecodable];

/// Services that were read inside of TLS, by where they are.
struct Read<'a> {
    by_name: HashMap<(&'a str, u16), &'a ServiceView>,
    by_address: HashMap<(IpAddr, u16), Vec<&'a ServiceView>>,
}

impl<'a> Read<'a> {
    fn of(services: &'a [ServiceView]) -> Self {
        let mut read = Self { by_name: HashMap::new(), by_address: HashMap::new() };
        for service in services.iter().filter(|s| s.scheme == Scheme::Https) {
            read.by_name.insert((&service.host, service.port), service);
            for address in &service.addresses {
                read.by_address.entry((*address, service.port)).or_default().push(service);
            }
        }
        read
    }

    /// The services behind a server: that of its name, also where keys were there only before connections were counted;
    /// where there is none, those that its addresses answered for.
    fn behind(&self, key: &Key, state: &State) -> Vec<String> {
        if let Some(service) = self.by_name.get(&(&*key.name, key.port)).filter(|_| key.cover == Cover::Tls) {
            return vec![service.id.clone()];
        }
        if state.with_keys == 0 {
            return Vec::new();
        }
        let at = |address: &IpAddr| self.by_address.get(&(*address, key.port)).into_iter().flatten();
        let ids: BTreeSet<_> = state.addresses.iter().flat_map(at).map(|service| service.id.clone()).collect();
        ids.into_iter().collect()
    }
}

impl Opaque {
    /// All rows as they are shown, and how many services are how far in sight.
    pub(in crate::inventory) fn view(
        &self,
        services: &[ServiceView],
        ledger: &Ledger,
    ) -> (Vec<OpaqueView>, BlindView, SightCounts) {
        let read = Read::of(services);
        let (blind, opaque): (Vec<_>, Vec<_>) = self.rows.iter().partition(|(key, _)| key.is_blind());
        let mut opaque: Vec<_> = opaque.into_iter().map(|(key, row)| one(key, &row.state, &read)).collect();
        opaque.sort_by(|a, b| (&a.name, a.port, a.kind, &a.id).cmp(&(&b.name, b.port, b.kind, &b.id)));
        let known: BTreeSet<(IpAddr, u16)> = services
            .iter()
            .flat_map(|s| s.addresses.iter().map(|a| (*a, s.port)))
            .chain(opaque.iter().flat_map(|o| o.addresses.iter().map(|a| (*a, o.port))))
            .collect();
        let mut out = BlindView::default();
        let mut attributed = 0_u64;
        for (key, row) in blind {
            let one = blind_one(key, &row.state);
            attributed = attributed.saturating_add(one.bytes);
            if row.state.addresses.iter().any(|address| known.contains(&(*address, key.port))) {
                out.known_connections = out.known_connections.saturating_add(one.connections);
                out.known_messages = out.known_messages.saturating_add(one.messages);
                out.known_bytes = out.known_bytes.saturating_add(one.bytes);
            } else {
                out.services.push(one);
            }
        }
        let unread: u64 = BLIND.iter().map(|bucket| ledger.get(*bucket)).sum();
        out.unattributed_bytes = unread.saturating_sub(attributed);
        let of = |sight: Sight| opaque.iter().filter(|o| o.sight == sight).count() as u64;
        let counts = SightCounts {
            inventoried: services.len() as u64,
            partly: of(Sight::Partly),
            opaque: of(Sight::Opaque),
            blind: out.services.len() as u64,
        };
        (opaque, out, counts)
    }
}

fn one(key: &Key, state: &State, read: &Read<'_>) -> OpaqueView {
    let services = read.behind(key, state);
    let without_keys = state.settled.saturating_sub(state.with_keys);
    let sight = match (state.with_keys, services.is_empty(), without_keys) {
        (0, true, _) => Sight::Opaque,
        (_, false, 0) => Sight::Inventoried,
        (_, false, _) => Sight::Partly,
        (_, true, 0) => Sight::NotHttp,
        // Whether there is HTTP in the rest nobody knows.
        (_, true, _) => Sight::Opaque,
    };
    let certificates = certificates(state);
    let (name, named_by) = name(key, &certificates);
    let (first_seen, last_seen) = state.seen.unwrap_or_default();
    let bytes = |side: usize| state.bytes[side].saturating_sub(state.bytes_with_keys[side]);
    let others: BTreeMap<_, _> = [
        ("versions", &state.versions),
        ("suites", &state.suites),
        ("alpn", &state.alpn),
        ("alpn_offered", &state.offered),
        ("ja4", &state.ja4),
        ("ja3s", &state.ja3s),
        ("client_issuers", &state.client_issuers),
    ]
    .into_iter()
    .map(|(name, tally)| (name.to_owned(), tally.others()))
    .filter(|(_, n)| *n > 0)
    .collect();
    OpaqueView {
        id: key.id(),
        kind: key.cover,
        sight,
        name,
        named_by,
        port: key.port,
        addresses: state.addresses.clone(),
        services,
        connections: state.connections,
        with_keys: state.with_keys,
        without_keys,
        bytes: state.bytes,
        bytes_without_keys: [bytes(0), bytes(1)],
        first_seen,
        last_seen,
        days_seen: state.days.count(),
        callers: state.callers.count(),
        versions: state.versions.by_text(),
        suites: state.suites.by_text(),
        alpn: state.alpn.by_text(),
        alpn_offered: state.offered.by_text(),
        ja4: state.ja4.by_text(),
        ja3s: state.ja3s.by_text(),
        others,
        certificates,
        certificate_requested: state.certificate_requested,
        client_certificates: ClientCertificates {
            seen: state.client_certificates,
            distinct: state.clients.count(),
            issuers: state.client_issuers.by_text(),
        },
        resumed: state.resumed,
        retried: state.retried,
        early_data: state.early_data,
        ech: state.ech,
        turns: TurnsView::from(&state.turns),
        hint: hint::hint(state),
    }
}

fn certificates(state: &State) -> Vec<CertificateView> {
    let mut all: Vec<_> = state
        .certificates
        .values()
        .map(|(Badge { fingerprint, subject, issuer, names, more_names, not_before, not_after }, seen)| {
            CertificateView {
                fingerprint: format!("{fingerprint:016x}"),
                subject: subject.to_string(),
                issuer: issuer.to_string(),
                names: names.iter().map(|name| name.to_string()).collect(),
                more_names: *more_names,
                not_before: *not_before,
                not_after: *not_after,
                seen: *seen,
            }
        })
        .collect();
    all.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    all
}

/// What clients asked for; else the name in the certificate that was shown most; else the address.
fn name(key: &Key, certificates: &[CertificateView]) -> (String, NamedBy) {
    if key.name.parse::<IpAddr>().is_err() {
        return (key.name.to_string(), NamedBy::Sni);
    }
    let of = |c: &CertificateView| {
        let common = c.subject.split(", ").find_map(|part| part.strip_prefix("CN="));
        c.names.first().map(String::as_str).or(common).map(str::to_owned)
    };
    match certificates.first().and_then(of).filter(|name| !name.is_empty()) {
        Some(name) => (name, NamedBy::Certificate),
        None => (key.name.to_string(), NamedBy::Address),
    }
}

fn blind_one(key: &Key, state: &State) -> BlindService {
    let (first_seen, last_seen) = state.seen.unwrap_or_default();
    BlindService {
        id: key.id(),
        address: key.name.to_string(),
        port: key.port,
        connections: state.connections,
        messages: state.messages,
        bytes: state.bytes[0].saturating_add(state.bytes[1]),
        reasons: state.why.clone(),
        first_seen,
        last_seen,
        days_seen: state.days.count(),
        callers: state.callers.count(),
    }
}
