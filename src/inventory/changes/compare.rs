//! Templates before and after, held against each other.
//!
//! Takes the templates of a service as they were published and as they were learnt now, gives what became of each. What holds the
//! exchange that gave a template its id is what the template has become; which template an exchange was counted under before is
//! told by the text, the same in this run and in the next. Never looks at counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ChangeKind, NAMED, Named, OF_A_KIND, Published, TemplateChange, Was};
use crate::base::Timestamp;
use crate::inventory::learn::{Decision, Reason};
use crate::inventory::render;
use crate::inventory::router::Known;

/// What became of some templates: numbers of those that are, ids of those that were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::inventory) struct Turn {
    pub(in crate::inventory) kind: ChangeKind,
    pub(super) before: Vec<u64>,
    pub(super) after: Vec<usize>,
}

impl Turn {
    /// The id of what it is about.
    pub(super) fn subject(&self, now: &[Known]) -> u64 {
        let is = || now.get(*self.after.first()?).map(|known| known.id);
        let was = || self.before.first().copied();
        let subject = match self.kind {
            ChangeKind::Split | ChangeKind::Gone => was().or_else(is),
            ChangeKind::Appeared | ChangeKind::Folded | ChangeKind::Renamed => is().or_else(was),
        };
        subject.unwrap_or_default()
    }
}

/// Compares. `owner`: by the id that each raw endpoint would have by itself the template that holds it now.
pub(in crate::inventory) fn compare(was: &Published, now: &[Known], owner: &HashMap<u64, usize>) -> Vec<Turn> {
    let old = Texts::new(was.templates.iter().map(|(id, was)| (*id, &*was.method, &*was.template)));
    let new = Texts::new(now.iter().enumerate().map(|(n, k)| (n, &*k.method, &*k.template)));
    let mut came = BTreeMap::<usize, Vec<u64>>::new();
    let mut turns = Vec::new();
    for (id, was) in &was.templates {
        let same_method = |n: &usize| now.get(*n).is_some_and(|k| k.method == was.method);
        let to = owner.get(id).copied().filter(same_method).or_else(|| new.covering(&was.method, &was.template));
        match to {
            Some(to) => came.entry(to).or_default().push(*id),
            None => turns.push(Turn { kind: ChangeKind::Gone, before: vec![*id], after: Vec::new() }),
        }
    }
    let mut parts = BTreeMap::<u64, Vec<usize>>::new();
    for (number, known) in now.iter().enumerate() {
        let Some(before) = came.remove(&number) else {
            let of = || old.covering(&known.method, &known.template).filter(|_| known.first_seen <= was.until);
            match of() {
                Some(of) => parts.entry(of).or_default().push(number),
                None => turns.push(Turn { kind: ChangeKind::Appeared, before: Vec::new(), after: vec![number] }),
            }
            continue;
        };
        let kind = match before.as_slice() {
            [id] => {
                let text = was.templates.get(id).map_or("", |w| &w.template);
                if *id == known.id && *text == *known.template {
                    continue;
                }
                if shape(text) == shape(&known.template) {
                    ChangeKind::Renamed
                } else if covers(text, &known.template) {
                    parts.entry(*id).or_default().push(number);
                    continue;
                } else {
                    ChangeKind::Folded
                }
            }
            _ => ChangeKind::Folded,
        };
        turns.push(Turn { kind, before, after: vec![number] });
    }
    let by_id: HashMap<u64, usize> = now.iter().enumerate().map(|(n, k)| (k.id, n)).collect();
    for (id, mut after) in parts {
        // What stays of it under its id.
        if let Some(same) = by_id.get(&id).filter(|n| !after.contains(n)) {
            after.push(*same);
        }
        after.sort_unstable();
        turns.push(Turn { kind: ChangeKind::Split, before: vec![id], after });
    }
    turns.sort_by(|a, b| (a.kind, &a.after, &a.before).cmp(&(b.kind, &b.after, &b.before)));
    turns
}

/// Templates by method, so that one that covers another is found without looking at all.
struct Texts<'a, N> {
    by_length: HashMap<(&'a str, usize), Vec<(N, &'a str)>>,
    open: HashMap<&'a str, Vec<(N, &'a str)>>,
}

impl<'a, N: Copy> Texts<'a, N> {
    fn new(all: impl Iterator<Item = (N, &'a str, &'a str)>) -> Self {
        let mut it = Self { by_length: HashMap::new(), open: HashMap::new() };
        for (number, method, text) in all {
            if text.ends_with("*}") {
                it.open.entry(method).or_default().push((number, text));
            } else {
                it.by_length.entry((method, text.matches('/').count())).or_default().push((number, text));
            }
        }
        it
    }

    /// The one with the fewest parameters that stands for all that another stands for, itself excepted.
    fn covering(&self, method: &'a str, text: &'a str) -> Option<N> {
        let same_length = self.by_length.get(&(method, text.matches('/').count()));
        let all = same_length.into_iter().chain(self.open.get(method)).flatten();
        let covering = all.filter(|(_, other)| covers(other, text));
        covering.min_by_key(|(_, other)| (other.matches('{').count(), *other)).map(|(number, _)| *number)
    }
}

/// Does a template stand for all that another stands for?
fn covers(wide: &str, narrow: &str) -> bool {
    let (mut wide, mut narrow) = (wide.split('/'), narrow.split('/'));
    loop {
        match (wide.next(), narrow.next()) {
            (None, None) => return true,
            (Some(w), Some(_)) if w.starts_with('{') && w.ends_with("*}") => return true,
            (Some(w), Some(n)) if fits(w, n) => {}
            _ => return false,
        }
    }
}

/// Does a segment with parameters stand for another?
fn fits(wide: &str, narrow: &str) -> bool {
    let Some((before, rest)) = wide.split_once('{') else { return wide.eq_ignore_ascii_case(narrow) };
    let after = rest.rsplit_once('}').map_or("", |(_, after)| after);
    narrow.len() > before.len() + after.len() && narrow.starts_with(before) && narrow.ends_with(after)
}

/// A template without the names of its parameters, in whatever case.
fn shape(text: &str) -> String {
    render::nameless(text).filter(|c| *c != '*').map(|c| c.to_ascii_lowercase()).collect()
}

/// Where changes are, and when.
pub(in crate::inventory) struct Scene<'a> {
    pub(in crate::inventory) service: String,
    pub(in crate::inventory) at: Timestamp,
    pub(in crate::inventory) was: &'a Published,
    pub(in crate::inventory) now: &'a [Known],
    /// Judgements, where anything was folded or split.
    pub(in crate::inventory) decisions: &'a [Decision],
}

impl Scene<'_> {
    /// The entries of the log.
    pub(in crate::inventory) fn entries(&self, turns: &[Turn]) -> Vec<TemplateChange> {
        let mut entries = Vec::new();
        for of_kind in turns.chunk_by(|a, b| a.kind == b.kind) {
            let told = of_kind.iter().take(OF_A_KIND).filter_map(|turn| self.entry(turn));
            entries.extend(told);
            if let Some(last) = entries.last_mut() {
                last.left_out += of_kind.len().saturating_sub(OF_A_KIND) as u64;
            }
        }
        entries
    }

    fn entry(&self, turn: &Turn) -> Option<TemplateChange> {
        let was = |id: &u64| self.was.templates.get(id).map(|w: &Was| named(*id, &w.template));
        let is = |n: &usize| self.now.get(*n).map(|k| named(k.id, &k.template));
        let sorted = |mut all: Vec<Named>| {
            all.sort_by(|a, b| a.template.cmp(&b.template));
            all
        };
        let before = sorted(turn.before.iter().filter_map(was).collect());
        let after = sorted(turn.after.iter().filter_map(is).collect());
        let first = turn.after.first().and_then(|n| self.now.get(*n));
        let method = match (first, turn.before.first().and_then(|id| self.was.templates.get(id))) {
            (Some(known), _) => known.method.to_string(),
            (None, Some(was)) => was.method.to_string(),
            (None, None) => return None,
        };
        let subject = match turn.kind {
            ChangeKind::Split | ChangeKind::Gone => before.first(),
            _ => after.first(),
        };
        let (reason, confidence) = self.reason(turn.kind, &before, &after, first.is_some_and(|k| k.documented));
        let left_out = before.len().saturating_sub(NAMED) + after.len().saturating_sub(NAMED);
        let few = |all: Vec<Named>| all.into_iter().take(NAMED).collect();
        Some(TemplateChange {
            at: if turn.kind == ChangeKind::Appeared { first.map_or(self.at, |k| k.first_seen) } else { self.at },
            kind: turn.kind,
            service: self.service.clone(),
            method,
            subject: subject?.id.clone(),
            before: few(before),
            after: few(after),
            left_out: left_out as u64,
            reason,
            confidence,
        })
    }

    fn reason(&self, kind: ChangeKind, before: &[Named], after: &[Named], documented: bool) -> (String, Option<f32>) {
        let literal = match kind {
            ChangeKind::Folded => false,
            ChangeKind::Split => true,
            ChangeKind::Renamed => {
                return ("its parameters are named, or its first exchange is known, otherwise".to_owned(), None);
            }
            ChangeKind::Gone => return ("what was counted there counts as probed, or was let go".to_owned(), None),
            ChangeKind::Appeared => return (String::new(), None),
        };
        if documented {
            return (Reason::Document.words().into_owned(), None);
        }
        // The words that are values now, or are none any more.
        let pairs = before.iter().flat_map(|b| after.iter().map(move |a| (&*b.template, &*a.template)));
        let words: BTreeSet<(usize, String)> =
            pairs.flat_map(|(b, a)| if literal { differing(a, b) } else { differing(b, a) }).collect();
        let fits = |d: &&Decision| d.literal == literal && words.iter().any(|(_, w)| w.eq_ignore_ascii_case(&d.word));
        let place = |d: &Decision| words.iter().map(|(at, _)| at.abs_diff(d.before.len())).min().unwrap_or_default();
        let decision = self.decisions.iter().filter(fits).min_by_key(|d| (place(d), std::cmp::Reverse(d.calls)));
        match decision {
            Some(d) => (d.reason.words().into_owned(), Some(d.value.max(1.0 - d.value))),
            None if after.iter().any(|a| a.template.ends_with("*}")) => {
                ("paths go on to any depth here".to_owned(), None)
            }
            None => ("its place was judged otherwise".to_owned(), None),
        }
    }
}

/// Words of one template where another has a parameter, with their places.
fn differing(words: &str, parameters: &str) -> Vec<(usize, String)> {
    let both = words.split('/').skip(1).zip(parameters.split('/').skip(1)).enumerate();
    both.filter(|(_, (w, p))| !w.contains('{') && p.contains('{')).map(|(at, (w, _))| (at, w.to_owned())).collect()
}

fn named(id: u64, template: &str) -> Named {
    Named { id: format!("ep-{id:016x}"), template: template.to_owned() }
}
