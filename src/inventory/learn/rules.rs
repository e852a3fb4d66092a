//! Where the answer is known.
//!
//! Takes the words of a place and what the model thinks of them, sets right what a rule knows better. Each rule has a reason
//! that people are told. Never looks at single requests.

use std::collections::{BTreeMap, BTreeSet};

use super::child::Child;
use super::evidence::Evidence;
use super::features::{is_plural, is_version};
use super::forest::Model;
use super::place::{Parent, Place};
use super::verdict::{Reason, Verdict};
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
/// Exchanges from which on a word that stands alone is taken for what it looks like.
const ALONE: u64 = 3;
/// Dates, and versions, that may stand side by side as literals.
const DATES: usize = 12;
const VERSIONS: usize = 6;
/// Words in a collection that have something below, and resources that they have in common, from which on they are members.
const MEMBERS: usize = 4;
const MEMBERS_BELOW_PARAMETER: usize = 6;
const COMMON: usize = 3;
/// Names of APIs that may stand side by side.
const NAMES: usize = 64;
/// Words side by side, and public APIs in which each is a literal, from which on they are taken for an API's resources.
const RESOURCES: usize = 4;
const RESOURCES_BELOW_PARAMETER: usize = 6;
const USUAL: f32 = 3.0;

/// Is it a word that APIs have for themselves, whatever stands beside it?
pub(in crate::inventory) fn means_itself(word: &str) -> bool {
    SELF_WORDS.contains(&word)
}

/// The words of a place, with the values by form beside them.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) model: &'a Model,
    pub(super) place: &'a Place,
    pub(super) children: &'a [Child],
    pub(super) value: Option<&'a Child>,
}

impl Words<'_> {
    /// Sets right what is thought of them.
    pub(super) fn set_right(self, verdicts: &mut [Verdict]) {
        self.formats(verdicts);
        self.versions(verdicts);
        self.names(verdicts);
        self.families(verdicts);
        self.resources(verdicts);
        self.alone(verdicts);
    }

    fn text(&self, token: u32) -> &str {
        self.evidence.tokens.get(token as usize).map_or("", String::as_str)
    }

    fn each<'v>(&self, verdicts: &'v mut [Verdict]) -> impl Iterator<Item = (&Child, &'v mut Verdict)> {
        self.children.iter().zip(verdicts)
    }

    fn formats(&self, verdicts: &mut [Verdict]) {
        let is_format = |c: &Child| FORMATS.iter().any(|f| f.eq_ignore_ascii_case(&c.text));
        if self.children.len() >= 2 && self.children.iter().all(is_format) {
            verdicts.iter_mut().for_each(|v| v.parameter(Reason::Formats));
        }
        // Inside `Name('…')` stands a value.
        if let Parent::Literal(token) = self.place.parent
            && self.text(token).strip_suffix(AFTER).is_some_and(|t| t.ends_with("('"))
        {
            verdicts.iter_mut().for_each(|v| v.parameter(Reason::Inside));
        }
    }

    /// Versions, and the dates that some APIs have for versions, where the name of an API stands; words that are marked.
    fn versions(&self, verdicts: &mut [Verdict]) {
        let dates = self.children.iter().filter(|c| is_day(&c.text)).count();
        let versions = self.children.iter().filter(|c| is_api_version(&c.text)).count();
        // Deeper down a version may be that of something: there only where nothing else stands beside it.
        let base = self.place.parameters == 0 && self.place.depth <= 2 && self.value.is_none();
        let all = versions == self.children.len() && self.value.is_none();
        for (child, verdict) in self.each(verdicts) {
            let day = is_day(&child.text) && self.place.depth <= 1 && dates <= DATES && child.calls >= ALONE;
            let version = is_api_version(&child.text) && versions <= VERSIONS && (base || all);
            if (day || version) && child.height > 0 {
                verdict.literal(Reason::Version);
            }
            // `_search`, `$metadata`: so that no name can be taken for them. `_t8UK` is a name.
            if child.kind == 0 && child.text.starts_with(['_', '$']) && child.text.len() > 1 {
                verdict.literal(Reason::Marked);
            }
        }
    }

    fn names(&self, verdicts: &mut [Verdict]) {
        // `me` and `search` beside identifiers that do not look like words, however rarely they are asked for.
        if self.value.is_some() && self.children.len() <= AMONG {
            let own = self.each(verdicts).filter(|(c, _)| NEVER_VALUES.contains(&&*c.text));
            own.for_each(|(_, verdict)| verdict.literal(Reason::MeansItself));
        }
        // What stands before a version, and nothing else, is the name of an API.
        let names = |c: &Child| !c.next[0].is_empty() && c.next[0].iter().all(|t| is_version(self.text(*t)));
        if self.place.parameters == 0
            && self.place.depth <= 2
            && self.children.iter().filter(|c| names(c)).count() <= NAMES
        {
            let named = self.each(verdicts).filter(|(c, _)| names(c));
            named.for_each(|(_, verdict)| verdict.literal(Reason::Api));
        }
    }

    /// What stands in a collection, each with the same resources below, are its members.
    fn families(&self, verdicts: &mut [Verdict]) {
        // Below a parameter, the name of the collection is further up: it takes more of them.
        let least = match self.place.parent {
            Parent::Literal(parent) if is_plural(self.text(parent)) => MEMBERS,
            Parent::Parameter => MEMBERS_BELOW_PARAMETER,
            _ => return,
        };
        let named = |t: &u32| *t != 0 && !is_version(self.text(*t));
        let resources = |c: &Child| c.next[0].iter().copied().filter(named).collect::<Vec<u32>>();
        let families: Vec<_> = self.children.iter().map(resources).collect();
        let members = families.iter().filter(|f| !f.is_empty()).count();
        if members < least {
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
            verdict.parameter(Reason::Family);
        }
    }

    /// Where the resources of an API stand, at its base or below one of them, nearly all words are what public APIs call theirs.
    /// However alike they are below: they are no members of anything, since nothing before them says of what.
    fn resources(&self, verdicts: &mut [Verdict]) {
        let (least, share) = match self.place.parent {
            Parent::Literal(parent) if is_plural(self.text(parent)) => return,
            Parent::Parameter => (RESOURCES_BELOW_PARAMETER, 9),
            _ if self.place.parameters > 0 => return,
            _ => (RESOURCES, 8),
        };
        let usual = |c: &&Child| c.kind == 0 && self.model.word(&c.text.to_lowercase())[0] >= USUAL;
        let known = self.children.iter().filter(usual).count();
        if known < least || known * 10 < self.children.len() * share {
            return;
        }
        // The rest are the API's own, where they have the same form: words for many of something.
        let own = |c: &Child| is_plural(&c.text) && c.text.bytes().all(|b| b.is_ascii_alphabetic());
        let resources = self.each(verdicts).filter(|(c, _)| usual(c) || own(c));
        resources.for_each(|(_, verdict)| verdict.literal(Reason::Usual));
    }

    /// One value can't be told from a literal.
    fn alone(&self, verdicts: &mut [Verdict]) {
        if let ([child], [verdict], None) = (self.children, verdicts, self.value) {
            let digits = child.text.bytes().filter(u8::is_ascii_digit).count();
            let often = child.calls >= ALONE;
            let word = child.kind == 0 && (often || digits == 0);
            let base = self.place.depth <= 1 && self.place.parameters == 0 && often;
            if word || (base && (is_day(&child.text) || child.kind == 2)) {
                verdict.literal(Reason::Alone);
            } else if child.kind == 2 && !(often && self.place.parameters == 0) {
                verdict.parameter(Reason::Number);
            }
        }
    }
}

/// A version as APIs have it in their paths: `v1`, `2.0`, `v2beta1`; no `v1.12.7` and no `v20240131`, as releases and tags are called.
fn is_api_version(word: &str) -> bool {
    let digits = word.trim_start_matches(['v', 'V']).bytes().take_while(u8::is_ascii_digit).count();
    is_version(word) && digits <= 2 && word.bytes().filter(|b| *b == b'.').count() <= 1
}

/// `2006-03-01`.
fn is_day(word: &str) -> bool {
    let b = word.as_bytes();
    b.len() == 10 && b[4] == b'-' && b[7] == b'-' && b.iter().filter(|b| b.is_ascii_digit()).count() == 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_apis_are_told_from_tags() {
        assert!(["v1", "2.0", "v1.33", "v2beta1"].iter().all(|v| is_api_version(v)));
        assert!(!["v1.12.7", "v20240131", "1", "video"].iter().any(|v| is_api_version(v)));
    }

    #[test]
    fn days_are_told_from_words() {
        assert!(is_day("2006-03-01") && !is_day("2006-03-1x"));
    }
}
