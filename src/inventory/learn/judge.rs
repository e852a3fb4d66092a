//! Literal or value?
//!
//! Takes the words at one place of a path, with what lies below each, gives a verdict for each. A pure function of its
//! arguments. Never looks at single requests: counts and structure only.
//!
//! What speaks for values: words that look like codes; brothers that share sub-resources by name; many words where the
//! parent is a collection (plural, listed by itself). What speaks for literals: a parent that is a version or the root,
//! a parameter before (`/users/{id}/orders`), words that APIs use for themselves (`me`, `search`), values beside them.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::tree::NodeId;

/// What stands before a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent<'a> {
    /// Nothing.
    Root,
    /// Only words that belong to the address of the API as a whole: `api`, `rest`, `v1`.
    Base,
    /// A literal.
    Word(&'a str),
    /// A parameter.
    Parameter,
}

impl<'a> Parent<'a> {
    /// What stands before the children of a literal at a place with this parent.
    pub(super) fn below(self, word: &'a str) -> Self {
        let at_base = matches!(self, Self::Root | Self::Base);
        if (at_base && (BASE.contains(&word) || is_number(word))) || is_version(word) {
            Self::Base
        } else {
            Self::Word(word)
        }
    }
}

/// A word at a place, and what lies below.
#[derive(Clone, Debug)]
pub(super) struct Child<'a> {
    pub(super) word: &'a str,
    pub(super) nodes: Vec<NodeId>,
    /// Exchanges that ended here.
    pub(super) calls: u64,
    /// Did an exchange that ended here succeed?
    pub(super) leaf: bool,
    /// Methods that ended here, as bits.
    pub(super) methods: u32,
    /// Words below.
    pub(super) words: BTreeSet<&'a str>,
    /// Are there values below?
    pub(super) values: bool,
    /// What a document says: `true` for a literal.
    pub(super) documented: Option<bool>,
}

/// Words that stand for the API as a whole.
const BASE: [&str; 12] =
    ["api", "apis", "rest", "v", "service", "services", "public", "internal", "private", "app", "web", "gateway"];

/// Words that APIs have beside identifiers, meaning themselves.
const SELF_WORDS: [&str; 40] = [
    "me", "self", "search", "settings", "count", "export", "import", "batch", "bulk", "new", "create", "all",
    "current", "status", "health", "list", "default", "latest", "stats", "login", "logout", "config", "profile",
    "info", "query", "validate", "upload", "download", "preview", "summary", "metrics", "version", "token", "refresh",
    "register", "recent", "mine", "filter", "suggest", "_search",
];

/// Forms of an answer: side by side they are values of one parameter.
const FORMATS: [&str; 10] = ["json", "xml", "csv", "yaml", "yml", "html", "txt", "rss", "atom", "jsonp"];

/// Words of one place from which on they are values even where little else says so.
const MANY: usize = 40;

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

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

/// Does a word look like a code that was given, not a name that was chosen? `router_2`, `TK-48213`, `7`.
fn looks_given(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || is_version(word) {
        return false;
    }
    let joined = word.bytes().any(|b| !b.is_ascii_alphanumeric());
    let numbered = word
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    (joined && numbered) || digits >= 3 || digits == word.len()
}

fn is_plural(word: &str) -> bool {
    let w = word.to_ascii_lowercase();
    w.len() > 2 && w.ends_with('s') && !w.ends_with("ss") && !w.ends_with("us") && !w.ends_with("is")
}

/// Judges the words of a place: `true` for a value. `values`: identifiers stand beside them; `listed`: the prefix itself
/// is an endpoint.
pub(super) fn judge(parent: Parent<'_>, children: &[Child<'_>], values: bool, listed: bool) -> Vec<bool> {
    let given = children.iter().filter(|c| looks_given(c.word)).count();
    let family = family(parent, children, values);
    let words = children.iter().filter(|c| is_open(c)).count();
    let crowd = crowd(parent, children, values, listed);
    let is_format = |word: &str| FORMATS.iter().any(|f| f.eq_ignore_ascii_case(word));
    let formats = children.len() >= 2 && children.iter().all(|c| is_format(c.word));
    children
        .iter()
        .map(|child| {
            if let Some(literal) = child.documented {
                return !literal;
            }
            if looks_given(child.word) {
                return given_is_value(parent, child, given, values, children.len());
            }
            if !is_open(child) {
                return false;
            }
            formats || family.contains(child.word) || (crowd && words > 0 && child.words.is_empty())
        })
        .collect()
}

/// May a word be a value at all?
fn is_open(child: &Child<'_>) -> bool {
    !is_version(child.word) && !looks_given(child.word) && !SELF_WORDS.contains(&child.word)
}

/// A code is a value, except where the name or the version of an API stands (`/1/members`, `/api/0/projects`): there a few
/// numbers with sub-resources of their own are literals, whatever else was asked of the root.
fn given_is_value(parent: Parent<'_>, child: &Child<'_>, given: usize, values: bool, all: usize) -> bool {
    if matches!(parent, Parent::Root | Parent::Base) {
        let base = is_number(child.word) && child.words.len() >= 2;
        return !base && (given > 2 || (values && !is_number(child.word)));
    }
    let in_collection = matches!(parent, Parent::Word(word) if is_plural(word));
    values || given > 1 || all > 1 || child.calls < 3 || is_number(child.word) || in_collection
}

/// The words that share sub-resources by name: `/orgs/{acme, initech}/members`.
fn family<'a>(parent: Parent<'_>, children: &[Child<'a>], values: bool) -> BTreeSet<&'a str> {
    let open: Vec<_> = children.iter().filter(|c| is_open(c)).collect();
    let inner: Vec<_> = open.iter().filter(|c| !c.words.is_empty()).collect();
    let mut under = BTreeMap::<&str, usize>::new();
    for child in &inner {
        for word in child.words.iter().filter(|w| !SELF_WORDS.contains(w) && !is_version(w)) {
            *under.entry(word).or_default() += 1;
        }
    }
    let shared: BTreeSet<&str> = under.iter().filter(|(_, n)| **n >= 2).map(|(w, _)| *w).collect();
    let members: Vec<_> = inner.iter().filter(|c| c.words.iter().any(|w| shared.contains(w))).collect();
    // How much of what lies below the members is shared: values have the same below each, resources have their own.
    let (mut common, mut own) = (0, 0);
    for child in &members {
        let n = child.words.iter().filter(|w| shared.contains(*w)).count();
        common += n;
        own += child.words.len() - n;
    }
    let enough = match parent {
        Parent::Root | Parent::Base => shared.len() >= 4 && members.len() * 10 >= open.len() * 9 && members.len() >= 3,
        Parent::Parameter => members.len() >= 5 && shared.len() >= 3 && members.len() * 4 >= inner.len() * 3,
        Parent::Word(_) => members.len() >= 2 && members.len() * 2 >= inner.len(),
    };
    if members.is_empty() || !enough || common < own * 2 || (values && members.len() < 3) {
        return BTreeSet::new();
    }
    let whole = members.len() * 2 >= open.len();
    // Leaves beside a family are its members too, unless they are few and busy.
    open.iter()
        .filter(|c| c.words.iter().any(|w| shared.contains(w)) || (whole && c.words.is_empty()))
        .map(|c| c.word)
        .collect()
}

/// Are the words without anything named below them so many, and so alike, that they are values?
fn crowd(parent: Parent<'_>, children: &[Child<'_>], values: bool, listed: bool) -> bool {
    let leaves: Vec<_> = children.iter().filter(|c| is_open(c) && c.words.is_empty()).collect();
    let n = leaves.len();
    let methods = leaves.iter().fold(0, |m, c| m | c.methods).count_ones() as usize;
    // Words that mean themselves differ in what is asked of them; values do not.
    let alike = {
        let mut by_methods = BTreeMap::<u32, usize>::new();
        leaves.iter().for_each(|c| *by_methods.entry(c.methods & 0b11).or_default() += 1);
        by_methods.values().max().copied().unwrap_or(0) * 10 >= n * 8
    };
    let rare = leaves.iter().filter(|c| c.calls <= 2).count();
    match parent {
        Parent::Root | Parent::Base => n >= MANY * 4 && rare * 2 >= n,
        Parent::Parameter => n >= MANY && alike,
        Parent::Word(word) => {
            let need = match (is_plural(word), listed) {
                (true, true) => 3,
                (true, false) => 4,
                (false, true) => 8,
                (false, false) => 10,
            };
            let need = if values { need + 3 } else { need };
            n >= need && (alike || n >= MANY) && methods > 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(word: &str) -> Child<'_> {
        Child {
            word,
            nodes: vec![],
            calls: 10,
            leaf: true,
            methods: 1,
            words: BTreeSet::new(),
            values: false,
            documented: None,
        }
    }

    fn inner<'a>(word: &'a str, words: &[&'a str]) -> Child<'a> {
        Child { words: words.iter().copied().collect(), ..leaf(word) }
    }

    #[test]
    fn special_words_beside_values_stay() {
        let children = [leaf("me"), leaf("settings")];
        assert_eq!(judge(Parent::Word("users"), &children, true, true), [false, false]);
    }

    #[test]
    fn resources_below_a_version_stay_however_many() {
        let names: Vec<String> =
            (0..40).map(|i| format!("resource{}s", (b'a' + i % 26) as char).repeat(1 + i as usize / 26)).collect();
        let children: Vec<_> = names.iter().map(|n| Child { values: true, ..inner(n, &["search", "count"]) }).collect();
        assert!(judge(Parent::Base, &children, false, false).iter().all(|v| !v));
    }

    #[test]
    fn owners_that_share_sub_resources_are_values() {
        let children = [
            inner("acme", &["members", "repos"]),
            inner("initech", &["members"]),
            inner("hooli", &["repos", "members"]),
        ];
        assert_eq!(judge(Parent::Word("orgs"), &children, false, true), [true, true, true]);
    }

    #[test]
    fn what_a_document_says_wins() {
        let children =
            [Child { documented: Some(false), ..leaf("me") }, Child { documented: Some(true), ..leaf("TK-48213") }];
        assert_eq!(judge(Parent::Word("users"), &children, true, true), [true, false]);
    }

    #[test]
    fn versions_are_literals_and_make_a_base() {
        assert!(is_version("v1") && is_version("2.0") && is_version("v2beta1") && is_version("v1alpha"));
        assert!(!is_version("1") && !is_version("video") && !is_version("vpn"));
        assert_eq!(Parent::Root.below("api").below("v2"), Parent::Base);
        assert_eq!(Parent::Base.below("users"), Parent::Word("users"));
    }
}
