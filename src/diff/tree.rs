//! Documented paths as a tree.
//!
//! Takes whole documented paths, gives those that an observed template fits, by structure alone. Names of parameters
//! play no part. The rules, segment by segment:
//!
//! | observed | documented | fits |
//! |---|---|---|
//! | literal | the same literal | yes; where only the case of letters differs, yes as well, but worse |
//! | literal | parameter, mixed segment that it can be read as | yes: `/users/me` is a `/users/{id}` |
//! | parameter | parameter | yes |
//! | parameter | literal, mixed | perhaps, where the learner may have folded words that the document names; else no |
//! | mixed | mixed of the same literals, parameter | yes; other mixed segments perhaps |
//! | any, one or more | catch-all | yes; none at all too, but worse |
//! | catch-all | catch-all | yes; anything below perhaps |
//!
//! Trailing and doubled slashes do not count. Never looks at methods.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::PathParameter;
use crate::inventory::documented::Part;

/// How sure it is that a path fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// Some of the calls may have been to it: enough not to say that it was not seen.
    Hint,
    /// All of the calls may have been to it: enough not to say that they were to something else.
    Possible,
    /// It fits.
    Certain,
}

/// How well a segment fits; lower is better.
mod rank {
    pub const LITERAL: u8 = 0;
    pub const LITERAL_BUT_CASE: u8 = 1;
    pub const MIXED: u8 = 2;
    pub const PARAMETER: u8 = 3;
    pub const CATCH_ALL: u8 = 4;
    pub const CATCH_ALL_OF_NOTHING: u8 = 5;
}

/// A documented path that fits an observed one.
#[derive(Clone, Debug)]
pub(super) struct Fit<T> {
    /// What was put into the tree.
    pub entry: T,
    /// How well each segment fits.
    pub ranks: Vec<u8>,
    /// How sure.
    pub certainty: Certainty,
}

impl<T> Fit<T> {
    /// Does the observed segment `n` fit by a literal, rather than by a parameter?
    pub fn by_literal(&self, n: usize) -> bool {
        self.ranks.get(n).is_some_and(|rank| *rank <= rank::MIXED)
    }
}

/// Keeps the fits that none other beats.
pub(super) fn best<T: Clone>(fits: &[Fit<T>]) -> Vec<Fit<T>> {
    // A document may name one path many times over: each way to fit is compared once.
    let ways: BTreeSet<&[u8]> = fits.iter().map(|fit| fit.ranks.as_slice()).collect();
    let unbeaten: BTreeSet<&[u8]> =
        ways.iter().copied().filter(|way| !ways.iter().any(|other| beats(other, way))).collect();
    fits.iter().filter(|fit| unbeaten.contains(fit.ranks.as_slice())).cloned().collect()
}

/// Is a way to fit at least as good in each segment, and better in one?
fn beats(a: &[u8], b: &[u8]) -> bool {
    // Paths of different length fit by a catch-all alone, which is the worse the earlier it comes.
    let at = |ranks: &[u8], n: usize| ranks.get(n).or(ranks.last()).copied().unwrap_or(rank::CATCH_ALL_OF_NOTHING);
    let pairs = || (0..a.len().max(b.len())).map(|n| (at(a, n), at(b, n)));
    pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
}

/// The tree.
pub(super) struct Tree<T> {
    nodes: Vec<Node<T>>,
}

struct Node<T> {
    /// Lower-case literal → as written, and where it leads.
    literals: BTreeMap<String, Vec<(String, usize)>>,
    mixed: Vec<(Vec<Result<String, String>>, usize)>,
    parameter: Option<usize>,
    catch_all: Vec<Entry<T>>,
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    item: T,
    /// Does the learner know the path? Then it has not folded its literals away.
    learnt: bool,
}

impl<T> Node<T> {
    fn new() -> Self {
        Self {
            literals: BTreeMap::new(),
            mixed: Vec::new(),
            parameter: None,
            catch_all: Vec::new(),
            entries: Vec::new(),
        }
    }
}

/// An observed template and the forms of its parameters.
pub(super) struct Observed<'o> {
    parts: &'o [Part],
    /// For each part: its first parameter.
    parameters: Vec<Option<&'o PathParameter>>,
}

impl<'o> Observed<'o> {
    /// The parameters stand in the order of the template.
    pub fn new(parts: &'o [Part], parameters: &'o [PathParameter]) -> Self {
        let mut next = 0;
        let parameters = parts
            .iter()
            .map(|part| {
                let first = parameters.get(next);
                next += super::template::parameters(part);
                first
            })
            .collect();
        Self { parts, parameters }
    }

    /// Could the values at this place be words that a document names? All of them, some, or none.
    fn words(&self, at: usize) -> Option<Certainty> {
        let Some(Some(parameter)) = self.parameters.get(at) else { return Some(Certainty::Possible) };
        let words = parameter.kinds.keys().filter(|k| k.keeps_text()).count();
        if words == parameter.kinds.len() {
            Some(Certainty::Possible)
        } else if words > 0 {
            Some(Certainty::Hint)
        } else {
            None
        }
    }
}

impl<T: Copy> Tree<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self { nodes: vec![Node::new()] }
    }

    fn add_node(&mut self) -> usize {
        self.nodes.push(Node::new());
        self.nodes.len() - 1
    }

    /// Puts a path in. `learnt`: the learner of templates was told of it.
    pub fn insert(&mut self, path: &[Part], item: T, learnt: bool) {
        let mut at = 0;
        for part in path {
            let found = match part {
                Part::CatchAll(_) => {
                    self.nodes[at].catch_all.push(Entry { item, learnt });
                    return;
                }
                Part::Literal(text) => self.nodes[at]
                    .literals
                    .get(&text.to_ascii_lowercase())
                    .and_then(|all| all.iter().find(|(written, _)| written == text))
                    .map(|(_, next)| *next),
                Part::Parameter(_) => self.nodes[at].parameter,
                Part::Mixed(pieces) => {
                    self.nodes[at].mixed.iter().find(|(m, _)| same_mixture(m, pieces)).map(|(_, next)| *next)
                }
            };
            at = found.unwrap_or_else(|| {
                let next = self.add_node();
                let node = &mut self.nodes[at];
                match part {
                    Part::Literal(text) => {
                        node.literals.entry(text.to_ascii_lowercase()).or_default().push((text.clone(), next));
                    }
                    Part::Mixed(pieces) => node.mixed.push((pieces.clone(), next)),
                    Part::Parameter(_) | Part::CatchAll(_) => node.parameter = Some(next),
                }
                next
            });
        }
        self.nodes[at].entries.push(Entry { item, learnt });
    }

    /// All documented paths that fit. Visits each node of the tree once at most.
    pub fn find(&self, observed: &Observed<'_>) -> Vec<Fit<T>> {
        let mut search = Search { tree: self, observed, ranks: Vec::new(), found: Vec::new() };
        search.step(0, 0, Certainty::Certain);
        search.found
    }
}

struct Search<'s, T> {
    tree: &'s Tree<T>,
    observed: &'s Observed<'s>,
    ranks: Vec<u8>,
    found: Vec<Fit<T>>,
}

impl<T: Copy> Search<'_, T> {
    fn take(&mut self, entries: &[Entry<T>], rank: Option<u8>, certainty: Certainty) {
        for entry in entries {
            // What the learner knows it has not folded away: either it fits or it does not. A catch-all right at the
            // root is no learnt template, but what a limit made of too many.
            let folded = matches!(self.observed.parts.first(), Some(Part::CatchAll(_)));
            if certainty < Certainty::Certain && entry.learnt && !folded {
                continue;
            }
            let mut ranks = self.ranks.clone();
            ranks.extend(rank);
            self.found.push(Fit { entry: entry.item, ranks, certainty });
        }
    }

    fn go(&mut self, node: usize, at: usize, rank: u8, certainty: Certainty) {
        self.ranks.push(rank);
        self.step(node, at + 1, certainty);
        self.ranks.pop();
    }

    /// From this node on, with the observed segment `at` next. As deep as the documented path, which is short.
    fn step(&mut self, node: usize, at: usize, certainty: Certainty) {
        let tree = self.tree;
        let here = &tree.nodes[node];
        let Some(part) = self.observed.parts.get(at) else {
            self.take(&here.entries, None, certainty);
            self.take(&here.catch_all, Some(rank::CATCH_ALL_OF_NOTHING), certainty);
            return;
        };
        self.take(&here.catch_all, Some(rank::CATCH_ALL), certainty);
        match part {
            Part::Literal(text) => {
                for (written, next) in here.literals.get(&text.to_ascii_lowercase()).into_iter().flatten() {
                    let rank = if written == text { rank::LITERAL } else { rank::LITERAL_BUT_CASE };
                    self.go(*next, at, rank, certainty);
                }
                for (_, next) in here.mixed.iter().filter(|(pieces, _)| reads_as(text, pieces)) {
                    self.go(*next, at, rank::MIXED, certainty);
                }
            }
            Part::Parameter(_) => {
                if let Some(words) = self.observed.words(at) {
                    for (_, next) in here.literals.values().flatten() {
                        self.go(*next, at, rank::LITERAL, certainty.min(words));
                    }
                }
                for (_, next) in &here.mixed {
                    self.go(*next, at, rank::MIXED, certainty.min(Certainty::Possible));
                }
            }
            Part::Mixed(pieces) => {
                for (documented, next) in &here.mixed {
                    let same = same_mixture(documented, pieces);
                    let certainty = if same { certainty } else { certainty.min(Certainty::Possible) };
                    self.go(*next, at, rank::MIXED, certainty);
                }
            }
            Part::CatchAll(_) => {
                self.below(node, certainty.min(Certainty::Possible));
                return;
            }
        }
        if let Some(next) = here.parameter {
            self.go(next, at, rank::PARAMETER, certainty);
        }
    }

    /// Everything below a node.
    fn below(&mut self, node: usize, certainty: Certainty) {
        let here = &self.tree.nodes[node];
        let next: Vec<usize> = here
            .literals
            .values()
            .flatten()
            .map(|(_, next)| *next)
            .chain(here.mixed.iter().map(|(_, next)| *next))
            .chain(here.parameter)
            .collect();
        for next in next {
            self.ranks.push(rank::PARAMETER);
            self.take(&self.tree.nodes[next].entries, None, certainty);
            self.take(&self.tree.nodes[next].catch_all, Some(rank::CATCH_ALL), certainty);
            self.below(next, certainty);
            self.ranks.pop();
        }
    }
}

/// The same literals in the same places.
fn same_mixture(a: &[Result<String, String>], b: &[Result<String, String>]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Ok(_), Ok(_)) => true,
            (Err(a), Err(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        })
}

/// Can the text be read as this mixture, each parameter at least one character long? Each literal is taken at its first
/// place, which leaves the most for those after it; the last one must end the text.
fn reads_as(text: &str, pieces: &[Result<String, String>]) -> bool {
    let text = text.to_ascii_lowercase();
    let mut rest = text.as_str();
    // Characters that parameters before the next literal need.
    let mut open = 0;
    for (n, piece) in pieces.iter().enumerate() {
        let literal = match piece {
            Ok(_) => {
                open += 1;
                continue;
            }
            Err(literal) => literal.to_ascii_lowercase(),
        };
        if open == 0 {
            let Some(after) = rest.strip_prefix(literal.as_str()) else { return false };
            rest = after;
            continue;
        }
        let Some((skip, _)) = rest.char_indices().nth(open) else {
            // Nothing is left for the literal, unless the parameters end exactly where the text does.
            return false;
        };
        if n + 1 == pieces.len() {
            return rest[skip..].ends_with(literal.as_str());
        }
        let Some(found) = rest[skip..].find(literal.as_str()) else { return false };
        rest = &rest[skip + found + literal.len()..];
        open = 0;
    }
    if open == 0 { rest.is_empty() } else { rest.chars().count() >= open }
}

#[cfg(test)]
mod tests {
    use super::super::template::parse;
    use super::*;
    use crate::observe::Kind;

    fn fits(documented: &[&str], observed: &str, kinds: &[Kind], learnt: bool) -> Vec<(usize, Certainty)> {
        let mut tree = Tree::new();
        for (n, path) in documented.iter().enumerate() {
            tree.insert(&parse(path), n, learnt);
        }
        let parts = parse(observed);
        let parameters: Vec<_> = kinds
            .iter()
            .map(|kind| PathParameter { name: "x".to_owned(), kinds: BTreeMap::from([(*kind, 1)]) })
            .collect();
        let mut found: Vec<_> =
            best(&tree.find(&Observed::new(&parts, &parameters))).iter().map(|f| (f.entry, f.certainty)).collect();
        found.sort_unstable();
        found
    }

    fn certain(documented: &[&str], observed: &str) -> Vec<usize> {
        fits(documented, observed, &[], true).into_iter().map(|(n, _)| n).collect()
    }

    #[test]
    fn literals_come_first() {
        assert_eq!(certain(&["/users/{id}", "/users/me"], "/users/me"), [1]);
        assert_eq!(certain(&["/users/{id}", "/users/me"], "/users/{userId}"), [0]);
        assert_eq!(certain(&["/users/{id}"], "/users/me"), [0]);
        assert!(certain(&["/users/me"], "/users/{id}").is_empty());
        assert!(certain(&["/pets", "/pets/{id}"], "/pets/{id}/toys").is_empty());
        assert_eq!(certain(&["/"], "/"), [0]);
    }

    #[test]
    fn the_case_of_letters_counts_only_where_both_are_documented() {
        assert_eq!(certain(&["/Users/{id}"], "/users/{id}"), [0]);
        assert_eq!(certain(&["/Users", "/users"], "/users"), [1]);
    }

    #[test]
    fn mixed_segments() {
        assert_eq!(certain(&["/{name}.{ext}", "/{name}"], "/a.png"), [0]);
        assert!(certain(&["/{name}.{ext}"], "/png").is_empty());
        assert_eq!(certain(&["/{a}.json"], "/{x}.json"), [0]);
        assert_eq!(certain(&["/{name}:cancel"], "/job:cancel"), [0]);
        assert!(certain(&["/{name}:cancel"], "/job:start").is_empty());
        assert_eq!(certain(&["/{file}"], "/{a}.{b}"), [0]);
    }

    #[test]
    fn reading_a_mixture() {
        let pieces = |template: &str| match parse(template).remove(0) {
            Part::Mixed(pieces) => pieces,
            _ => panic!("mixed"),
        };
        for (template, text, expected) in [
            ("{a}.{b}", "x.y", true),
            ("{a}.{b}", "x.", false),
            ("{a}.{b}", ".y", false),
            ("{a}.{b}", "x.y.z", true),
            ("{a}...{b}", "main...feature", true),
            ("x{a}{b}", "xyz", true),
            ("x{a}{b}", "xy", false),
            ("{a}ab", "aab", true),
            ("{a}ab", "ab", false),
            ("{a}ab{b}", "abab", false),
            ("{a}ab{b}", "xabab", true),
            ("Set('{key}')", "set('ä')", true),
            ("{a}é", "é", false),
            ("{a}é", "éé", true),
        ] {
            assert_eq!(reads_as(text, &pieces(template)), expected, "{template} {text}");
        }
    }

    #[test]
    fn catch_alls() {
        assert_eq!(certain(&["/files/{path*}"], "/files/a/b/c"), [0]);
        assert_eq!(certain(&["/files/{path*}"], "/files/{x}"), [0]);
        assert_eq!(certain(&["/files/{path*}"], "/files/{x*}"), [0]);
        assert_eq!(certain(&["/files/{path*}"], "/files"), [0]);
        assert_eq!(certain(&["/files/{path*}", "/files"], "/files"), [1]);
        assert_eq!(certain(&["/files/{path*}", "/files/a/{x}"], "/files/a/b"), [1]);
        assert_eq!(certain(&["/{all*}", "/files/{path*}"], "/files/a/b"), [1]);
        assert!(certain(&["/files/{id}"], "/files/{x*}").is_empty());
        assert_eq!(fits(&["/files/{id}"], "/files/{x*}", &[], false), [(0, Certainty::Possible)]);
        assert_eq!(fits(&["/files/{id}"], "/{x*}", &[], true), [(0, Certainty::Possible)], "folded for a limit");
    }

    #[test]
    fn what_the_learner_may_have_folded_is_possible() {
        assert_eq!(fits(&["/state/open"], "/state/{x}", &[Kind::Word], false), [(0, Certainty::Possible)]);
        assert!(fits(&["/state/open"], "/state/{x}", &[Kind::Integer], false).is_empty());
        assert!(fits(&["/state/open"], "/state/{x}", &[Kind::Word], true).is_empty());
        assert_eq!(fits(&["/{a}.json"], "/{x}", &[Kind::Word], false), [(0, Certainty::Possible)]);
    }

    #[test]
    fn neither_beats_the_other() {
        assert_eq!(certain(&["/{a}/pets", "/users/{b}"], "/users/pets"), [0, 1]);
        assert_eq!(certain(&["/pets/{a}", "/pets/{b}"], "/pets/{c}"), [0, 1]);
    }
}
