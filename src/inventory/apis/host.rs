//! How names of hosts are alike.
//!
//! Takes hosts, gives the families in which they may be one API, how they differ, and the template of several
//! (`{tenant}.example.com`). Never decides: a family only says who is held against whom.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::portrait::Portrait;

/// How two hosts differ, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// A rule says that they are one.
    Pinned,
    /// One is the address that answers for the other.
    Alias,
    /// By a number, an identifier (`tenant-17`).
    Numbered,
    /// By a region (`eu-west-1`).
    Region,
    /// By a deployment of the same thing (`blue`, `green`).
    Deployment,
    /// By their addresses.
    Address,
    /// By the port alone.
    Port,
    /// By a word (`acme`, `globex`).
    Word,
    /// By what keeps them apart: environments, or more than one label.
    Other,
}

impl Look {
    /// Do names that differ so mostly belong to one API?
    pub(super) fn is_strong(self) -> bool {
        self <= Self::Address
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Pinned => "a rule says so",
            Self::Alias => "an address is that of a name",
            Self::Numbered => "names differ by a number",
            Self::Region => "names differ by the region",
            Self::Deployment => "names differ by the deployment",
            Self::Address => "they differ by address",
            Self::Port => "they differ by port",
            Self::Word => "names differ by one word",
            Self::Other => "names differ",
        }
    }
}

/// Deployments of the same thing at the same time.
const DEPLOYMENTS: [&str; 8] = ["active", "blue", "canary", "green", "primary", "secondary", "stable", "standby"];
/// Environments: other versions, other data, other people. They are kept apart though they have the same endpoints.
const ENVIRONMENTS: [&str; 18] = [
    "acceptance",
    "demo",
    "dev",
    "develop",
    "development",
    "int",
    "integration",
    "local",
    "preprod",
    "preview",
    "prod",
    "production",
    "qa",
    "sandbox",
    "stage",
    "staging",
    "test",
    "uat",
];
/// Regions that are no word and a number.
const REGIONS: [&str; 14] =
    ["amer", "ap", "apac", "asia", "au", "ca", "eu", "emea", "europe", "global", "jp", "sa", "uk", "us"];
/// Second labels under which anybody may have a name (`example.co.uk`).
const SHARED: [&str; 7] = ["ac", "co", "com", "edu", "gov", "net", "org"];

/// What varies in a template of hosts, in a portrait of several.
pub(super) const ANY: &str = "*";

fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

/// Labels from the right that nobody varies: the domain.
fn fixed(labels: &[&str]) -> usize {
    let second = labels.len().checked_sub(2).and_then(|at| labels.get(at));
    if labels.last().is_some_and(|l| l.len() == 2) && second.is_some_and(|l| SHARED.contains(l)) { 3 } else { 2 }
}

/// The families that a service is in: of each, all members differ in the same place.
pub(super) fn families(p: &Portrait) -> Vec<String> {
    let at = format!("{} {} ", p.scheme.as_str(), p.port);
    let mut out = vec![format!("port {}", p.host)];
    if let Some(ip) = address(&p.host) {
        out.push(format!("{at}address"));
        out.push(format!("{at}at {ip}"));
        return out;
    }
    out.extend(p.addresses.iter().map(|ip| format!("{at}at {ip}")));
    let labels: Vec<&str> = p.host.split('.').collect();
    let vary = labels.len().saturating_sub(fixed(&labels));
    for place in 0..vary {
        let mut pattern = labels.clone();
        pattern[place] = ANY;
        out.push(format!("{at}{}", pattern.join(".")));
    }
    if vary == 0 {
        // `orders-1`, `orders-2`, `orders-blue`: names within one network.
        let mut pattern = labels.clone();
        let stem = deployment(pattern[0]).unwrap_or_else(|| stem(pattern[0])).to_owned() + ANY;
        pattern[0] = &stem;
        out.push(format!("{at}{}", pattern.join(".")));
    }
    out
}

/// How two services' hosts differ.
pub(super) fn look(a: &Portrait, b: &Portrait) -> Look {
    if a.host == b.host {
        return Look::Port;
    }
    match (address(&a.host), address(&b.host)) {
        (Some(_), Some(_)) if a.port == b.port => return Look::Address,
        (Some(ip), None) | (None, Some(ip)) => {
            let named = if address(&a.host).is_some() { b } else { a };
            return if named.addresses.contains(&ip) && a.port == b.port { Look::Alias } else { Look::Other };
        }
        (Some(_), Some(_)) => return Look::Other,
        (None, None) => {}
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (a.host.split('.').collect(), b.host.split('.').collect());
    if a.len() != b.len() {
        return Look::Other;
    }
    let mut different = a.iter().zip(&b).filter(|(a, b)| a != b);
    match (different.next(), different.next()) {
        (Some((a, b)), None) => look_of_labels(a, b),
        _ => Look::Other,
    }
}

fn look_of_labels(a: &str, b: &str) -> Look {
    if is_environment(a) || is_environment(b) {
        return Look::Other;
    }
    if a == ANY || b == ANY {
        return Look::Word;
    }
    if is_region(a) && is_region(b) {
        return Look::Region;
    }
    let (front_a, front_b) = (deployment(a), deployment(b));
    if front_a.is_some() && front_a == front_b || front_a == Some(b) || front_b == Some(a) {
        return Look::Deployment;
    }
    let identifiers = is_identifier(a) && is_identifier(b);
    if identifiers || (stem(a) == stem(b) && (has_digit(a) || has_digit(b))) { Look::Numbered } else { Look::Word }
}

fn has_digit(label: &str) -> bool {
    label.bytes().any(|b| b.is_ascii_digit())
}

/// A number, or digits and letters in a mixture that no word has.
fn is_identifier(label: &str) -> bool {
    !crate::observe::shape::segment(label.as_bytes()).keeps_text()
}

/// `tenant` of `tenant-17`.
fn stem(label: &str) -> &str {
    label.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_')
}

fn is_region(label: &str) -> bool {
    let mut parts = label.split('-');
    let first = parts.next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    REGIONS.contains(&first) && label.len() <= 20
}

/// What stands before `-blue` and the like; empty where it is all there is.
fn deployment(label: &str) -> Option<&str> {
    let (front, last) = label.rsplit_once('-').unwrap_or(("", label));
    DEPLOYMENTS.contains(&last).then_some(front)
}

fn is_environment(label: &str) -> bool {
    label.split('-').any(|part| ENVIRONMENTS.contains(&part.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// The template of several hosts: what all have, and names for what varies.
pub(super) fn template(hosts: &BTreeSet<&str>) -> String {
    let named: Vec<&str> = hosts.iter().copied().filter(|h| address(h).is_none()).collect();
    let Some(first) = named.first() else {
        return match hosts.first() {
            Some(only) if hosts.len() == 1 => (*only).to_owned(),
            _ => "{address}".to_owned(),
        };
    };
    let labels: Vec<Vec<&str>> = named.iter().map(|h| h.split('.').collect()).collect();
    let count = first.split('.').count();
    if labels.iter().any(|l| l.len() != count) {
        return "{host}".to_owned();
    }
    let mut out: Vec<String> = Vec::new();
    for place in 0..count {
        let values: BTreeSet<&str> = labels.iter().filter_map(|l| l.get(place).copied()).collect();
        let wish = match values.first() {
            Some(only) if values.len() == 1 => (*only).to_owned(),
            _ => format!("{{{}}}", variable(&values)),
        };
        let taken = out.contains(&wish) && wish.starts_with('{');
        out.push(if taken { wish.replace('}', &format!("{}}}", place + 1)) } else { wish });
    }
    out.join(".")
}

fn variable(values: &BTreeSet<&str>) -> String {
    let stems: BTreeSet<&str> = values.iter().map(|v| stem(v)).collect();
    match stems.first() {
        _ if values.iter().all(|v| is_region(v)) => "region".to_owned(),
        _ if values.iter().any(|v| deployment(v).is_some()) => "deployment".to_owned(),
        Some(only) if stems.len() == 1 && !only.is_empty() => (*only).to_owned(),
        Some(_) if values.iter().all(|v| v.bytes().all(|b| b.is_ascii_digit())) => "number".to_owned(),
        _ => "tenant".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_alike_in_ways() {
        assert_eq!(look_of_labels("tenant-17", "tenant-4"), Look::Numbered);
        assert_eq!(look_of_labels("eu-west-1", "us-east-2"), Look::Region);
        assert_eq!(look_of_labels("shop-blue", "shop-green"), Look::Deployment);
        assert_eq!(look_of_labels("billing", "users"), Look::Word);
        assert_eq!(look_of_labels("staging", "api"), Look::Other);
        assert_eq!(look_of_labels("prod-1", "prod-2"), Look::Other);
    }

    #[test]
    fn templates_of_hosts() {
        let of = |hosts: &[&'static str]| template(&hosts.iter().copied().collect());
        assert_eq!(of(&["tenant-17.example.com", "tenant-4.example.com"]), "{tenant}.example.com");
        assert_eq!(of(&["acme.example.com", "globex.example.com"]), "{tenant}.example.com");
        assert_eq!(of(&["eu.api.example.com", "us.api.example.com"]), "{region}.api.example.com");
        assert_eq!(of(&["shop-blue.local", "shop-green.local"]), "{deployment}.local");
        assert_eq!(of(&["10.0.0.5", "10.0.0.6"]), "{address}");
        assert_eq!(of(&["10.0.0.5", "api.example.com"]), "api.example.com");
        assert_eq!(of(&["10.0.0.5"]), "10.0.0.5");
        assert_eq!(of(&["a1.x.com", "a2.y.com"]), "{a}.{tenant}.com");
    }
}
