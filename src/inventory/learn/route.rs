//! Documented routes, held against raw paths.
//!
//! Takes the tree and the routes of a service, gives for each node with endpoints the route that fits best, if one does:
//! literal before mixed before parameter before catch-all, from the left (as OpenAPI has it: concrete before templated).
//! Never decides by the order in which documents were read.

use std::collections::HashMap;

use super::Piece;
use crate::inventory::documented::{Part, Route};
use crate::inventory::tree::{NONE, NodeId, ROOT, Token, Tree};
use crate::observe::{Kind, shape};

/// How well a part fits a segment; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Literal,
    Mixed,
    Parameter,
    /// A literal that has the form of a value (`2024-01-31`), of which only the kind is known.
    LiteralByKind,
    CatchAll,
}

/// Which route each node has.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    routes: HashMap<NodeId, usize>,
    /// Nodes on the way of an assigned route: is their segment a literal of it?
    literals: HashMap<NodeId, bool>,
}

impl Assignment {
    pub(super) fn route(&self, node: NodeId) -> Option<usize> {
        self.routes.get(&node).copied()
    }

    pub(super) fn literal(&self, node: NodeId) -> Option<bool> {
        self.literals.get(&node).copied()
    }
}

/// A route that fits so far.
#[derive(Clone)]
struct Candidate {
    route: usize,
    fits: Vec<Fit>,
}

/// Finds the route of each node that has endpoints.
pub(super) fn assign(tree: &Tree, routes: &[&Route]) -> Assignment {
    let mut assignment = Assignment::default();
    if !routes.is_empty() {
        let all = (0..routes.len()).map(|route| Candidate { route, fits: Vec::new() }).collect();
        descend(tree, routes, ROOT, all, &mut Vec::new(), &mut assignment);
    }
    assignment
}

fn descend(
    tree: &Tree,
    routes: &[&Route],
    id: NodeId,
    candidates: Vec<Candidate>,
    way: &mut Vec<NodeId>,
    out: &mut Assignment,
) {
    let node = &tree.nodes[id as usize];
    if node.endpoints != NONE {
        let depth = way.len();
        let fitting = candidates.iter().filter(|c| {
            let parts = &routes[c.route].segments;
            (parts.len() == depth || (depth >= parts.len() && matches!(parts.last(), Some(Part::CatchAll(_)))))
                && kinds_agree(tree, id, parts, &c.fits)
        });
        if let Some(best) = fitting.min_by(|a, b| (&a.fits, routes[a.route]).cmp(&(&b.fits, routes[b.route]))) {
            out.routes.insert(id, best.route);
            for (on_way, fit) in way.iter().zip(&best.fits) {
                // A word that one route has as a literal stays one.
                *out.literals.entry(*on_way).or_default() |= matches!(fit, Fit::Literal);
            }
        }
    }
    if candidates.is_empty() {
        return;
    }
    let children = tree.words_of(id).into_iter().chain([node.value, node.rest].into_iter().filter(|c| *c != NONE));
    for child in children {
        let token = &tree.nodes[child as usize].token;
        let next: Vec<_> = candidates
            .iter()
            .filter_map(|c| {
                let parts = &routes[c.route].segments;
                let part = parts.get(way.len()).or_else(|| parts.last().filter(|p| matches!(p, Part::CatchAll(_))))?;
                let mut fits = c.fits.clone();
                fits.push(fit(part, token)?);
                Some(Candidate { route: c.route, fits })
            })
            .collect();
        if !next.is_empty() {
            way.push(child);
            descend(tree, routes, child, next, way, out);
            way.pop();
        }
    }
}

fn fit(part: &Part, token: &Token) -> Option<Fit> {
    match (part, token) {
        (Part::CatchAll(_), _) => Some(Fit::CatchAll),
        (_, Token::Rest) => None,
        (Part::Literal(literal), Token::Word(word, _)) => (**literal == **word).then_some(Fit::Literal),
        (Part::Literal(literal), Token::Value) => {
            (!shape::segment(literal.as_bytes()).keeps_text()).then_some(Fit::LiteralByKind)
        }
        (Part::Mixed(parts), Token::Word(word, _)) => mixed_fits(parts, word).then_some(Fit::Mixed),
        // The text of a value is not kept, so that its literal parts cannot be checked.
        (Part::Mixed(_), Token::Value) => Some(Fit::Mixed),
        (Part::Parameter(_), _) => Some(Fit::Parameter),
    }
}

/// Do literals and parameters, none of them empty, make up a word? Each literal is taken where it first fits, which finds
/// a way if there is one: what a parameter takes less, the next may take more.
fn mixed_fits(parts: &[Result<String, String>], word: &str) -> bool {
    let mut rest = word;
    // Characters that the parameters since the last literal need at least.
    let mut owed = 0;
    for (i, part) in parts.iter().enumerate() {
        let Err(literal) = part else {
            owed += 1;
            continue;
        };
        let last = i + 1 == parts.len();
        let from = rest.char_indices().nth(owed).map_or(rest.len(), |(at, _)| at);
        if rest.chars().count() < owed {
            return false;
        }
        let found = match (owed, last) {
            (0, _) => rest.starts_with(literal.as_str()).then_some(0),
            (_, true) => {
                rest.len().checked_sub(literal.len()).filter(|at| *at >= from && rest.ends_with(literal.as_str()))
            }
            _ => rest[from..].find(literal.as_str()).map(|at| from + at),
        };
        let Some(at) = found else { return false };
        rest = &rest[at + literal.len()..];
        owed = 0;
    }
    if owed == 0 { rest.is_empty() } else { rest.chars().count() >= owed }
}

/// Where a literal was taken by its kind: was a value of that kind seen at its place?
fn kinds_agree(tree: &Tree, id: NodeId, parts: &[Part], fits: &[Fit]) -> bool {
    parts.iter().zip(fits).enumerate().all(|(place, (part, fit))| match (part, fit) {
        (Part::Literal(literal), Fit::LiteralByKind) => {
            let kind: Kind = shape::segment(literal.as_bytes());
            tree.endpoints_at(id).any(|e| e.state.kinds_at(place).any(|(k, _)| k == kind))
        }
        _ => true,
    })
}

/// A route as a template.
pub(super) fn pieces(route: &Route) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Literal(literal) => Piece::Literal(literal.clone()),
        Part::Parameter(name) => Piece::Named(name.clone()),
        Part::Mixed(parts) => Piece::Mixed(parts.clone()),
        Part::CatchAll(name) => Piece::CatchAll(Some(name.clone())),
    };
    // The same whether the route was matched whole or taken apart.
    route.unglued().segments.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_segments_fit_by_their_literals() {
        let p = |name: &str| Ok(name.to_owned());
        let l = |literal: &str| Err(literal.to_owned());
        assert!(mixed_fits(&[p("service"), l("."), p("ext")], "billing.json"));
        assert!(!mixed_fits(&[p("service"), l("."), p("ext")], "billing"));
        assert!(!mixed_fits(&[p("service"), l("."), p("ext")], ".json"));
        assert!(mixed_fits(&[p("base"), l("..."), p("head")], "main...fix.it"));
        assert!(mixed_fits(&[p("name"), l(":cancel")], "a:cancel"));
        assert!(!mixed_fits(&[p("name"), l(":cancel")], "a:delete"));
        assert!(mixed_fits(&[l("v"), p("n")], "v2"));
    }
}
