//! Versions of one endpoint side by side, and several APIs behind one host.
//!
//! Takes the endpoints of a service as they are shown, notes which succeeds which (`/v1/users/{id}` and `/v2/users/{userId}`), and
//! under which prefix there is an API of its own (`/billing/v1/…` beside `/crm/v1/…`). Never changes a count or an id; an
//! ordinary API's resources (`/users`, `/orders`) are no APIs of their own.

use std::collections::{BTreeMap, BTreeSet};

use super::{EndpointView, PrefixView, VersionView, render};

/// Segments from the root among which a version stands.
const DEPTH: usize = 4;
/// Endpoints below a prefix from which on it may be an API of its own.
const ENDPOINTS: usize = 2;

/// A version in an order: whether it is a date, its numbers, its stage (alpha before beta before none).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    date: bool,
    numbers: Vec<u32>,
    stage: (u8, u32),
}

fn version(text: &str) -> Option<Version> {
    let (day, preview) = text.split_at_checked(10).unwrap_or((text, ""));
    let parts: Vec<&str> = day.split('-').collect();
    let digits = |part: &&str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    if let [year, month, rest @ ..] = parts.as_slice()
        && digits(year, 4)
        && digits(month, 2)
        && rest.len() <= 1
        && rest.iter().all(|d| digits(d, 2))
    {
        let numbers = parts.iter().filter_map(|p| p.parse().ok()).collect();
        let stage = if preview.is_empty() { (2, 0) } else { (1, 0) };
        return Some(Version { date: true, numbers, stage });
    }
    let bare = text.strip_prefix(['v', 'V']);
    let rest = bare.unwrap_or(text);
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let (front, tail) = rest.split_at(end);
    let numbers: Option<Vec<u32>> = front.split('.').map(|n| n.parse().ok()).collect();
    let numbers = numbers.filter(|n| n.len() <= 3 && n.iter().all(|n| *n < 1000))?;
    let tail = tail.trim_start_matches(['-', '_', '.']);
    let stage = match tail.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "" if tail.is_empty() => (2, 0),
        name @ ("alpha" | "beta" | "rc" | "preview") => {
            let number = tail.get(name.len()..).and_then(|n| n.parse().ok()).unwrap_or(0);
            (u8::from(name != "alpha"), number)
        }
        _ => return None,
    };
    // Without a `v` it takes a point to be more than a number.
    (bare.is_some() || front.contains('.') || numbers.iter().all(|n| *n < 10)).then_some(Version {
        date: false,
        numbers,
        stage,
    })
}

/// An endpoint without its version, and the version: of its path or its parameter.
fn split(e: &EndpointView) -> Option<(String, String)> {
    let mut text = None;
    let mut key = e.method.clone();
    for (at, segment) in e.template.split('/').enumerate().skip(1) {
        key.push('/');
        if text.is_none() && at <= DEPTH && version(segment).is_some() {
            text = Some(segment.to_owned());
            key.push('\u{1}');
            continue;
        }
        // Names of parameters are the view's own.
        key.extend(render::nameless(segment));
    }
    for part in e.operation.iter().flat_map(|o| o.trim_start_matches('?').split('&')) {
        match part.split_once('=') {
            Some((name, value)) if name.to_ascii_lowercase().contains("version") && text.is_none() => {
                text = Some(value.to_owned());
                key.push_str(" \u{1}");
            }
            _ => key.extend([" ", part]),
        }
    }
    Some((key, text?))
}

/// Notes for each endpoint which one it succeeds, and which one succeeds it.
pub(super) fn relate(endpoints: &mut [EndpointView]) {
    let mut kin = BTreeMap::<(String, bool), Vec<(Version, String, usize)>>::new();
    for (at, e) in endpoints.iter().enumerate() {
        if let Some((key, text)) = split(e)
            && let Some(version) = version(&text)
        {
            kin.entry((key, version.date)).or_default().push((version, text, at));
        }
    }
    for mut of_one in kin.into_values().filter(|k| k.len() > 1) {
        of_one.sort();
        let ids: Vec<String> = of_one.iter().map(|(.., at)| endpoints[*at].id.clone()).collect();
        for (place, (_, text, at)) in of_one.into_iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| ids.get(before)).cloned();
            let versions = VersionView { version: text, predecessor: before, successor: ids.get(place + 1).cloned() };
            endpoints[at].versions = Some(versions);
        }
    }
}

/// Finds prefixes that are APIs of their own, and notes them with their endpoints.
pub(super) fn prefixes(endpoints: &mut [EndpointView]) -> Vec<PrefixView> {
    let mut by_level = BTreeMap::<String, Vec<usize>>::new();
    let mut tops = BTreeMap::<String, Vec<usize>>::new();
    for (at, e) in endpoints.iter().enumerate() {
        let segments: Vec<&str> = e.template.split('/').skip(1).collect();
        let literal = |s: &&&str| !s.contains('{') && !s.is_empty();
        let level = segments.iter().take(DEPTH).position(|s| version(s).is_some() && s.starts_with(['v', 'V', '2']));
        if let Some(level) = level.filter(|l| *l > 0)
            && segments.iter().take(level).filter(literal).count() == level
            && segments.len() > level + 1
        {
            by_level.entry(format!("/{}", segments[..level].join("/"))).or_default().push(at);
        }
        if let Some(top) = segments.first().filter(|s| literal(s)) {
            tops.entry(format!("/{top}")).or_default().push(at);
        }
    }
    let many =
        |of: &Vec<usize>| of.iter().map(|at| &endpoints[*at].template).collect::<BTreeSet<_>>().len() >= ENDPOINTS;
    let mut found = BTreeMap::<String, (&str, Vec<usize>)>::new();
    by_level.retain(|_, of| many(of));
    if by_level.len() > 1 {
        found.extend(by_level.into_iter().map(|(prefix, of)| (prefix, ("it has versions of its own", of))));
    }
    // Media types that a vendor made, and nobody beside.
    let types = |of: &[usize]| -> BTreeSet<&str> {
        let all = of.iter().flat_map(|at| endpoints[*at].response_types.keys());
        all.map(String::as_str).filter(|t| t.starts_with("application/vnd.")).collect()
    };
    let made: Vec<_> = tops.iter().map(|(prefix, of)| (prefix, of, types(of))).collect();
    for (prefix, of, mine) in made.iter().filter(|(_, of, mine)| !mine.is_empty() && many(of)) {
        let alone = made.iter().all(|(other, _, theirs)| other == prefix || theirs.is_disjoint(mine));
        let taken = found.keys().any(|known| known == *prefix || known.starts_with(&format!("{prefix}/")));
        if alone && !taken && made.len() > 1 {
            found.insert((*prefix).clone(), ("it has media types of its own", (*of).clone()));
        }
    }
    let mut out = Vec::with_capacity(found.len());
    for (prefix, (because, of)) in found {
        let calls = of.iter().map(|at| endpoints[*at].calls).sum();
        out.push(PrefixView { prefix: prefix.clone(), endpoints: of.len() as u64, calls, because: because.to_owned() });
        for at in of {
            endpoints[at].prefix = Some(prefix.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn endpoints(templates: &[&str]) -> Vec<EndpointView> {
        let one = |(n, t): (usize, &&str)| sample::endpoint(n as u32, "GET", t, 10, &[(200, 10)]);
        templates.iter().enumerate().map(one).collect()
    }

    #[test]
    fn versions_are_in_an_order() {
        let order = ["v1", "v1.2", "v2alpha1", "v2beta1", "v2beta2", "v2", "v10"];
        let versions: Vec<_> = order.iter().map(|v| version(v).unwrap()).collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert!(version("2024-01-01") < version("2024-06-01") && version("2024-06-01-preview") < version("2024-06-01"));
        for none in ["users", "v", "volumes", "12345", "42", "oauth2", "s3", "vip"] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    #[test]
    fn successors_are_found_by_the_rest_of_the_path() {
        let mut all =
            endpoints(&["/v1/users/{id}", "/v2/users/{userId}", "/v4beta/users/{u}", "/v2/orders", "/users/{id}"]);
        relate(&mut all);
        let of = |n: usize| all[n].versions.as_ref().map(|v| (v.predecessor.as_deref(), v.successor.as_deref()));
        let id = |n: usize| Some(all[n].id.as_str());
        assert_eq!(of(0), Some((None, id(1))));
        assert_eq!(of(1), Some((id(0), id(2))));
        assert_eq!(of(2), Some((id(1), None)));
        assert_eq!((of(3), of(4)), (None, None));
        let mut all = endpoints(&["/things", "/things"]);
        all[0].operation = Some("?api-version=2024-01-01".to_owned());
        all[1].operation = Some("?api-version=2023-01-01".to_owned());
        relate(&mut all);
        assert_eq!(all[0].versions.as_ref().unwrap().predecessor, Some(all[1].id.clone()));
    }

    #[test]
    fn apis_behind_one_host_are_told_by_their_own_versions() {
        let mut all = endpoints(&[
            "/billing/v1/invoices",
            "/billing/v1/invoices/{id}",
            "/crm/v1/leads",
            "/crm/v2/leads/{id}",
            "/health",
        ]);
        let found = prefixes(&mut all);
        assert_eq!(
            found.iter().map(|p| (p.prefix.as_str(), p.endpoints)).collect::<Vec<_>>(),
            [("/billing", 2), ("/crm", 2)]
        );
        assert_eq!((all[0].prefix.as_deref(), all[4].prefix.as_deref()), (Some("/billing"), None));
        let resources = &[
            "/users",
            "/users/{id}",
            "/orders",
            "/orders/{id}",
            "/v1/users",
            "/v1/orders",
            "/api/v1/users",
            "/api/v1/a",
        ];
        assert!(prefixes(&mut endpoints(resources)).is_empty());
    }
}
