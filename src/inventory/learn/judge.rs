//! Literal or value?
//!
//! Takes the words at one place of a path, with what lies below each, gives how likely each is a value: what the model says,
//! set right by a few rules where the answer is known. Two passes: what is thought of a word at one place bears on what is thought
//! of it at another, so that what is rare borrows from what is not. Never looks at single requests: counts and structure only.

use std::collections::{BTreeMap, BTreeSet};

use super::child::Child;
use super::evidence::Evidence;
use super::features::{self, Row, Source};
use super::forest::Model;
use super::place::{First, Host, Parent, Place};
use super::training::Teacher;
use crate::observe::glue::AFTER;

/// Words that APIs have beside identifiers, meaning themselves.
const SELF_WORDS: [&str; 40] = [
    "me", "self", "search", "settings", "count", "export", "import", "batch", "bulk", "new", "create", "all",
    "current", "status", "health", "list", "default", "latest", "stats", "login", "logout", "config", "profile",
    "info", "query", "validate", "upload", "download", "preview", "summary", "metrics", "version", "token", "refresh",
    "register", "recent", "mine", "filter", "suggest", "_search",
];

/// Those of them that no identifier is.
const NEVER_VALUES: [&str; 4] = ["me", "self", "mine", "search"];
/// Words at a place among which these are still believed.
const AMONG: usize = 16;

/// Forms of an answer: side by side they are values of one parameter.
pub(super) const FORMATS: [&str; 12] =
    ["json", "xml", "csv", "yaml", "yml", "html", "txt", "rss", "atom", "jsonp", "tsv", "geojson"];

/// From which likelihood on a word is a value, and what a word gets that is surely a literal, or surely a value.
pub(super) const VALUE: f32 = 0.5;
const LITERAL: f32 = 0.1;
const SURELY: f32 = 1.0;

/// Exchanges from which on a word that stands alone is taken for what it looks like.
const ALONE: u64 = 3;
/// Dates, and versions, that may stand side by side as literals.
const DATES: usize = 12;
const VERSIONS: usize = 6;
/// Words in a collection that have something below, and resources that they have in common, from which on they are members.
const MEMBERS: usize = 4;
const COMMON: usize = 3;
/// Names of APIs that may stand side by side.
const NAMES: usize = 64;

pub(super) fn is_version(word: &str) -> bool {
    let rest = word.strip_prefix(['v', 'V']).unwrap_or(word);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
        && (rest.len() < word.len() || rest.contains('.'))
        || word.starts_with('v')
            && ["alpha", "beta", "rc"].iter().any(|s| word.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(s))
            && rest.starts_with(|c: char| c.is_ascii_digit())
}

/// Is it a word that APIs have for themselves, whatever stands beside it?
pub(in crate::inventory) fn means_itself(word: &str) -> bool {
    SELF_WORDS.contains(&word)
}

/// The judge of one service.
pub(super) struct Judge<'a> {
    source: Source<'a>,
    /// What the first pass thinks; filled by it, read by the second.
    pub(super) first: First,
    second: bool,
    /// Only while rows to train on are made.
    pub(super) teacher: Option<Teacher>,
    pub(super) names: Vec<&'static str>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(evidence: &'a Evidence<'a>, host: &'a Host) -> Self {
        Self::with(evidence, host, Model::get())
    }

    pub(super) fn with(evidence: &'a Evidence<'a>, host: &'a Host, model: &'a Model) -> Self {
        let source = Source { evidence, host, model };
        Self { source, first: First::default(), second: false, teacher: None, names: Vec::new() }
    }

    /// From here on, what was thought so far is the first pass.
    pub(super) fn begin_second(&mut self) {
        self.second = true;
    }

    /// How likely each word of a place is a value. `value`: what stands beside them as values by form.
    pub(super) fn judge(&mut self, place: &Place, children: &[Child], value: Option<&Child>) -> Vec<f32> {
        if children.is_empty() {
            return Vec::new();
        }
        let model = self.source.model;
        let mut rows = features::rows(&self.source, place, children, value, self.teacher.is_some());
        let thoughts: Vec<f32> = rows.iter().map(|row| model.first.judge(row.values())).collect();
        if self.second {
            features::add_first(&mut rows, &self.first, &thoughts, place, children);
        }
        if self.teacher.is_some() {
            return self.learn_from(children, rows);
        }
        let mut verdicts = if self.second {
            rows.iter().map(|row| model.second.judge(row.values())).collect()
        } else {
            self.first.note(place, children.iter().map(|c| c.token).zip(thoughts.iter().copied()).collect());
            thoughts
        };
        self.set_right(place, children, value, &mut verdicts);
        verdicts
    }

    fn learn_from(&mut self, children: &[Child], rows: Vec<Row>) -> Vec<f32> {
        if let Some(row) = rows.first() {
            self.names = row.names().to_vec();
        }
        let words: Vec<_> = children.iter().zip(rows).map(|(c, row)| (&c.nodes[..], row.filled().to_vec())).collect();
        self.teacher.as_mut().map(|teacher| teacher.teach(&words)).unwrap_or_default()
    }

    fn set_right(&self, place: &Place, children: &[Child], value: Option<&Child>, verdicts: &mut [f32]) {
        let is_format = |c: &Child| FORMATS.iter().any(|f| f.eq_ignore_ascii_case(&c.text));
        if children.len() >= 2 && children.iter().all(is_format) {
            verdicts.fill(SURELY);
        }
        // Inside `Name('…')` stands a value.
        if let Parent::Literal(token) = place.parent
            && self
                .source
                .evidence
                .tokens
                .get(token as usize)
                .is_some_and(|t| t.strip_suffix(AFTER).is_some_and(|t| t.ends_with("('")))
        {
            verdicts.fill(SURELY);
        }
        // Versions, and the dates that some APIs have for versions, where the name of an API stands.
        let dates = children.iter().filter(|c| is_day(&c.text)).count();
        let versions = children.iter().filter(|c| is_v(&c.text)).count();
        for (child, verdict) in children.iter().zip(verdicts.iter_mut()) {
            let day = is_day(&child.text) && place.depth <= 1 && dates <= DATES && child.calls >= ALONE;
            let version = is_v(&child.text) && versions <= VERSIONS;
            // `_search`, `$metadata`: so that no name can be taken for them.
            let marked = child.text.starts_with(['_', '$']) && child.text.len() > 1;
            if marked || ((day || version) && child.height > 0) {
                *verdict = verdict.min(LITERAL);
            }
        }
        // `me` and `search` beside identifiers that do not look like words, however rarely they are asked for.
        if value.is_some() && children.len() <= AMONG {
            let own = children.iter().zip(verdicts.iter_mut()).filter(|(c, _)| NEVER_VALUES.contains(&&*c.text));
            own.for_each(|(_, verdict)| *verdict = verdict.min(LITERAL));
        }
        // What stands before a version, and nothing else, is the name of an API.
        if place.parameters == 0 && place.depth <= 2 {
            let text = |token: &u32| self.source.evidence.tokens.get(*token as usize).map_or("", String::as_str);
            let names = |c: &Child| !c.next[0].is_empty() && c.next[0].iter().all(|t| is_v(text(t)));
            if children.iter().filter(|c| names(c)).count() <= NAMES {
                let named = children.iter().zip(verdicts.iter_mut()).filter(|(c, _)| names(c));
                named.for_each(|(_, verdict)| *verdict = verdict.min(LITERAL));
            }
        }
        self.fold_families(place, children, verdicts);
        if let ([child], [verdict], None) = (children, verdicts, value) {
            let digits = child.text.bytes().filter(u8::is_ascii_digit).count();
            let often = child.calls >= ALONE;
            let word = child.kind == 0 && (often || digits == 0);
            let base = place.depth <= 1 && place.parameters == 0 && often;
            if word || (base && (is_day(&child.text) || child.kind == 2)) {
                *verdict = verdict.min(LITERAL);
            }
        }
    }
}

impl Judge<'_> {
    /// What stands in a collection, each with the same resources below, are its members.
    fn fold_families(&self, place: &Place, children: &[Child], verdicts: &mut [f32]) {
        let text = |token: &u32| self.source.evidence.tokens.get(*token as usize).map_or("", String::as_str);
        let Parent::Literal(parent) = place.parent else { return };
        let named = |t: &u32| *t != 0 && !is_version(text(t));
        let resources = |c: &Child| c.next[0].iter().copied().filter(named).collect::<Vec<u32>>();
        let families: Vec<_> = children.iter().map(resources).collect();
        let members = families.iter().filter(|f| !f.is_empty()).count();
        if !features::is_plural(text(&parent)) || members < MEMBERS {
            return;
        }
        let mut held = BTreeMap::<u32, usize>::new();
        families.iter().flatten().for_each(|t| *held.entry(*t).or_default() += 1);
        let common: BTreeSet<u32> = held.iter().filter(|(_, n)| **n * 2 >= members).map(|(t, _)| *t).collect();
        let own: usize = held.iter().filter(|(_, n)| **n == 1).count();
        let has = |f: &[u32]| f.iter().filter(|t| common.contains(t)).count();
        let alike = |f: &[u32]| has(f) * 2 >= common.len();
        let whole = families.iter().filter(|f| !f.is_empty() && alike(f)).count();
        if common.len() < COMMON || own > common.len() || whole * 10 < members * 9 {
            return;
        }
        for (_, verdict) in families.iter().zip(verdicts).filter(|(f, _)| !f.is_empty() && alike(f)) {
            *verdict = SURELY;
        }
    }
}

/// `2006-03-01`.
fn is_day(word: &str) -> bool {
    let b = word.as_bytes();
    b.len() == 10 && b[4] == b'-' && b[7] == b'-' && b.iter().filter(|b| b.is_ascii_digit()).count() == 8
}

/// `v1`, `v1.2`, `v2beta1`.
fn is_v(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('v') else { return false };
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.len() < 10
        && (rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') || rest.contains("alpha") || rest.contains("beta"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_words() {
        assert!(is_version("v1") && is_version("2.0") && is_version("v2beta1") && is_version("v1alpha"));
        assert!(!is_version("1") && !is_version("video") && !is_version("vpn"));
        assert!(is_v("v1") && is_v("v2beta1") && !is_v("video") && !is_v("v"));
        assert!(is_day("2006-03-01") && !is_day("2006-03-1x"));
    }
}
