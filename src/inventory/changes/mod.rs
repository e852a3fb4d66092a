//! What became of templates.
//!
//! Takes the templates of a service each time they were learnt, gives what changed since the time before, with the reason; keeps
//! it, the last so many, in the order in which it was learnt. Endpoints keep their ids over all of it: a template has the id of the
//! first exchange it holds, so that what is folded and split again is what it was. Never changes what is counted.

mod compare;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::router::Known;
use crate::base::Timestamp;

pub(super) use compare::{Scene, Turn, compare};
pub(super) use records::is_key;

/// Records of one kind that one learning of one service gives at most; the last says how many more there were.
const OF_A_KIND: usize = 64;
/// Templates that one record names at most on either side.
const NAMED: usize = 16;

/// A change of templates that are published is told when it was found again and again while the exchanges of the service grew by
/// one in so many, or by so many at most; at once where they have doubled. Judgements that could as well be otherwise turn to and fro
/// as counts grow; whoever reads the log should not.
const HELD: u64 = 4;
const HELD_AT_MOST: u64 = 5_000;

/// What happened to a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there before.
    Appeared,
    /// Several became one: words turned out to be values.
    Folded,
    /// One became several: values turned out to be words.
    Split,
    /// Its parameters have other names, or an older exchange has given it another id.
    Renamed,
    /// Nothing counts there any more.
    Gone,
}

/// A template and the endpoint's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// As in the view: `ep-…`.
    pub id: String,
    /// The text.
    pub template: String,
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateChange {
    /// By the packets' clock: the newest exchange that was known then; of what appeared its first one.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// Where: the service's origin, `http://api.example:8080`.
    pub service: String,
    /// The method.
    pub method: String,
    /// To what: an endpoint's id.
    pub subject: String,
    /// What there was before, the last so many of them.
    #[serde(default)]
    pub before: Vec<Named>,
    /// What there is since.
    #[serde(default)]
    pub after: Vec<Named>,
    /// Templates of either side, or changes of the same kind, that are left out.
    #[serde(default)]
    pub left_out: u64,
    /// Why, to be read after "because"; empty where there is nothing to say.
    #[serde(default)]
    pub reason: String,
    /// How sure the judgement is, 0.5 to 1, where it was one.
    #[serde(default)]
    pub confidence: Option<f32>,
}

/// A template as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Was {
    pub(super) method: Box<str>,
    pub(super) template: Box<str>,
}

/// The templates of a service as they were learnt last.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    /// Of the newest exchange that was known then.
    pub(super) until: Timestamp,
    /// Exchanges of the service then.
    pub(super) calls: u64,
    /// What is not told yet, with the exchanges of the service when it was found first.
    pending: BTreeMap<(ChangeKind, u64), u64>,
    /// By id.
    pub(super) templates: BTreeMap<u64, Was>,
}

/// The templates as they were learnt last, and what became of those before.
#[derive(Debug, Default)]
pub(super) struct History {
    published: BTreeMap<u64, Published>,
    entries: BTreeMap<u64, TemplateChange>,
    /// Number of the next entry.
    next: u64,
    /// Services of a store that was written before there was a log: what they have is where it begins.
    adopted: BTreeSet<u64>,
    /// What is to be written.
    dirty: BTreeSet<Dirty>,
}

/// A record that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dirty {
    Service(u64),
    Template(u64, u64),
    Entry(u64),
}

impl History {
    /// The templates of a service as they were learnt last.
    pub(super) fn published(&self, service: u64) -> &Published {
        static NEW: Published =
            Published { until: Timestamp(0), calls: 0, pending: BTreeMap::new(), templates: BTreeMap::new() };
        self.published.get(&service).unwrap_or(&NEW)
    }

    /// Which of some changes are told now; the others are remembered, and forgotten when they are not found the next time.
    pub(super) fn ripe(
        &mut self,
        service: u64,
        turns: Vec<Turn>,
        now: &[Known],
        calls: u64,
        at_once: bool,
    ) -> Vec<Turn> {
        let published = self.published.entry(service).or_default();
        let before = std::mem::take(&mut published.pending);
        let at_once = at_once || calls >= published.calls.saturating_mul(2);
        let mut ripe = Vec::new();
        for turn in turns {
            let key = (turn.kind, turn.subject(now));
            let since = before.get(&key).copied().unwrap_or(calls);
            let held = before.contains_key(&key) && calls >= since + (since / HELD).clamp(1, HELD_AT_MOST);
            if at_once || held || turn.kind == ChangeKind::Appeared {
                ripe.push(turn);
            } else {
                published.pending.insert(key, since);
            }
        }
        ripe
    }

    /// Notes what was learnt of a service when its newest exchange began at `until`, and of how many, and what is told of it.
    /// Gives that back; nothing where the log begins here.
    pub(super) fn publish(
        &mut self,
        service: u64,
        (until, calls): (Timestamp, u64),
        turns: &[Turn],
        now: &[Known],
        entries: Vec<TemplateChange>,
        limit: usize,
    ) -> Vec<TemplateChange> {
        let published = self.published.entry(service).or_default();
        if (published.until, published.calls) != (until, calls) {
            (published.until, published.calls) = (until, calls);
            self.dirty.insert(Dirty::Service(service));
        }
        for turn in turns {
            for id in &turn.before {
                published.templates.remove(id);
                self.dirty.insert(Dirty::Template(service, *id));
            }
            for known in turn.after.iter().filter_map(|n| now.get(*n)) {
                let was = Was { method: known.method.clone(), template: known.template.clone() };
                published.templates.insert(known.id, was);
                self.dirty.insert(Dirty::Template(service, known.id));
            }
        }
        if self.adopted.remove(&service) {
            return Vec::new();
        }
        entries.iter().for_each(|entry| self.push(entry.clone(), limit));
        entries
    }

    fn push(&mut self, change: TemplateChange, limit: usize) {
        self.dirty.insert(Dirty::Entry(self.next));
        self.entries.insert(self.next, change);
        self.next += 1;
        while self.entries.len() > limit.max(1)
            && let Some((oldest, _)) = self.entries.pop_first()
        {
            self.dirty.insert(Dirty::Entry(oldest));
        }
    }

    /// A service was let go.
    pub(super) fn forget(&mut self, service: u64) {
        self.adopted.remove(&service);
        if let Some(gone) = self.published.remove(&service) {
            self.dirty.insert(Dirty::Service(service));
            self.dirty.extend(gone.templates.keys().map(|id| Dirty::Template(service, *id)));
        }
    }

    /// Adds what another inventory knows. Of a service that both know, what was learnt here stays; the logs are laid into each other
    /// by time.
    pub(super) fn merge(&mut self, other: Self, limit: usize) {
        for (service, published) in other.published {
            if !self.published.contains_key(&service) {
                self.dirty.insert(Dirty::Service(service));
                self.dirty.extend(published.templates.keys().map(|id| Dirty::Template(service, *id)));
                self.published.insert(service, published);
            }
        }
        self.adopted.extend(other.adopted);
        if self.entries.is_empty() && self.next == 0 {
            self.dirty.extend(other.entries.keys().map(|number| Dirty::Entry(*number)));
            (self.entries, self.next) = (other.entries, other.next);
        } else {
            let mut theirs: Vec<_> = other.entries.into_values().collect();
            theirs.sort_by_key(|entry| entry.at);
            theirs.into_iter().for_each(|entry| self.push(entry, limit));
        }
    }

    /// The log, with the entries' numbers, oldest first.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = (u64, &TemplateChange)> {
        self.entries.iter().map(|(number, entry)| (*number, entry))
    }
}

#[cfg(test)]
mod tests;
