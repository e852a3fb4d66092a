//! One API behind many hosts.
//!
//! Takes portraits of services (host, port, addresses, which endpoints they have), gives groups of those that are one API:
//! tenants (`tenant-17.example.com`), regions, instances behind a balancer, the same host on several ports. A pure view, as path
//! templates are: services stay apart in what is kept. Never merges by names alone: what decides is that they have the same
//! endpoints; how alike the names are only says how much of that is needed.

mod host;
mod portrait;
mod union;

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{Rule, RuleKind};
use host::Look;

pub(super) use portrait::Portrait;
pub use portrait::is_common;
pub(super) use union::{Rows, Union};

/// Members from which on a group is known well enough to take in hosts of which little was seen.
const ESTABLISHED: usize = 3;
/// Rounds in which groups may join: for each label that varies one.
const ROUNDS: usize = 3;
/// Members of a group whose names are looked at: all of them are alike.
const NAMES: usize = 8;
/// Groups of one family that a service is held against.
const CLUSTERS: usize = 64;

/// Services that are one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Their numbers, ascending.
    pub(super) members: Vec<usize>,
    /// `{tenant}.example.com`.
    pub(super) host: String,
    /// Why, for people.
    pub(super) because: String,
}

/// A service, or services that are one so far.
#[derive(Clone)]
struct Item {
    members: Vec<usize>,
    portrait: Portrait,
    looks: BTreeSet<Look>,
    pinned: bool,
}

/// Groups services that are one API; each is in at most one group.
pub(super) fn group(portraits: Vec<Portrait>, rules: &[Rule]) -> Vec<Group> {
    let said = |host: &str, kind: RuleKind| rules.iter().find(|r| r.is(kind) && r.holds_for(host));
    let names: Vec<String> = portraits.iter().map(|p| p.host.clone()).collect();
    let mut items = Vec::new();
    let mut pinned = BTreeMap::<&Rule, Item>::new();
    for (number, portrait) in portraits.into_iter().enumerate() {
        if said(&portrait.host, RuleKind::Apart).is_some() {
            continue;
        }
        let rule = said(&portrait.host, RuleKind::OneApi);
        let item = Item { members: vec![number], portrait, looks: BTreeSet::new(), pinned: rule.is_some() };
        match rule {
            Some(rule) => match pinned.get_mut(rule) {
                Some(known) => known.absorb(item, Look::Pinned),
                None => drop(pinned.insert(rule, item)),
            },
            None => items.push(item),
        }
    }
    // Whichever was seen first: nothing below may depend on it.
    items.sort_by(|a, b| a.portrait.key().cmp(&b.portrait.key()));
    for _ in 0..ROUNDS {
        let before = items.len();
        items = round(items);
        if items.len() == before {
            break;
        }
    }
    let mut groups: Vec<Group> = pinned.into_values().chain(items).filter_map(|item| item.finish(&names)).collect();
    groups.sort_by(|a, b| a.members.cmp(&b.members));
    groups
}

/// Lets those that belong together join, the largest families first.
fn round(items: Vec<Item>) -> Vec<Item> {
    let mut families = BTreeMap::<String, Vec<usize>>::new();
    for (number, item) in items.iter().enumerate().filter(|(_, item)| item.portrait.telling() > 0) {
        for family in host::families(&item.portrait) {
            families.entry(family).or_default().push(number);
        }
    }
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for members in families.into_values().filter(|m| m.len() > 1) {
        clusters.extend(cluster(&items, members));
    }
    clusters.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut taken = BTreeSet::new();
    let mut joined = Vec::new();
    for mut members in clusters {
        members.retain(|m| !taken.contains(m));
        if members.len() < 2 {
            continue;
        }
        taken.extend(members.iter().copied());
        joined.push(members);
    }
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    let mut out = Vec::new();
    for members in joined {
        let mut all = members.into_iter().filter_map(|m| items.get_mut(m)?.take());
        let Some(mut first) = all.next() else { continue };
        let began = first.portrait.clone();
        for other in all {
            let look = host::look(&began, &other.portrait);
            first.absorb(other, look);
        }
        out.push(first);
    }
    out.extend(items.into_iter().flatten());
    out.sort_by(|a, b| a.portrait.key().cmp(&b.portrait.key()));
    out
}

/// The members of a family that have the same endpoints, in groups of two and more.
fn cluster(items: &[Item], mut family: Vec<usize>) -> Vec<Vec<usize>> {
    let rank = |n: &usize| {
        let p = &items[*n].portrait;
        (usize::MAX - p.telling(), u64::MAX - p.calls, p.host.clone(), p.port, p.scheme)
    };
    family.sort_by_key(rank);
    let mut clusters: Vec<(Portrait, Vec<usize>)> = Vec::new();
    let mut alone = Vec::new();
    for number in family {
        let mine = &items[number].portrait;
        let of = |(all, members): &(Portrait, Vec<usize>)| {
            let looks = members.iter().take(NAMES).map(|m| host::look(mine, &items[*m].portrait));
            let look = looks.min().unwrap_or(Look::Other);
            mine.agrees(all, look).then_some(members.len())
        };
        let best =
            clusters.iter().enumerate().take(CLUSTERS).filter_map(|(at, c)| Some((of(c)?, usize::MAX - at))).max();
        match best.and_then(|(_, at)| clusters.get_mut(usize::MAX - at)) {
            Some((all, members)) => {
                all.add(mine);
                members.push(number);
            }
            None if mine.telling() >= portrait::FEW => clusters.push((mine.clone(), vec![number])),
            None => alone.push(number),
        }
    }
    // Those of which little was seen borrow from a group that is well known, if all that they have is in it.
    let weight = |members: &[usize]| members.iter().map(|m| items[*m].members.len()).sum::<usize>();
    let (mut clusters, single): (Vec<_>, Vec<_>) = clusters.into_iter().partition(|(_, m)| weight(m) > 1);
    alone.extend(single.into_iter().flat_map(|(_, members)| members));
    alone.sort_by_key(rank);
    for number in alone {
        let mine = &items[number].portrait;
        let fits = |(all, members): &&mut (Portrait, Vec<usize>)| {
            let alike = members.iter().take(NAMES).any(|m| host::look(mine, &items[*m].portrait).is_strong());
            weight(members) >= ESTABLISHED && (alike || mine.shares_address(all)) && mine.is_part_of(all)
        };
        if let Some((all, members)) = clusters.iter_mut().find(fits) {
            all.add(mine);
            members.push(number);
        }
    }
    clusters.into_iter().map(|(_, members)| members).filter(|m| m.len() > 1).collect()
}

impl Item {
    fn absorb(&mut self, other: Self, look: Look) {
        self.members.extend(other.members);
        self.members.sort_unstable();
        self.portrait.join(&other.portrait, look);
        self.looks.insert(look);
        self.looks.extend(other.looks);
        self.pinned |= other.pinned;
    }

    fn finish(self, names: &[String]) -> Option<Group> {
        if self.members.len() < 2 {
            return None;
        }
        let hosts: BTreeSet<&str> = self.members.iter().filter_map(|m| names.get(*m)).map(String::as_str).collect();
        let host = host::template(&hosts);
        let because = if self.pinned {
            "a rule says so".to_owned()
        } else {
            let looks: Vec<_> = self.looks.iter().map(|l| l.words()).collect();
            let (shared, all) = self.portrait.shared();
            format!("{}; {shared} of their {all} endpoints are on several of them", looks.join(", "))
        };
        Some(Group { members: self.members, host, because })
    }
}

#[cfg(test)]
mod tests;
