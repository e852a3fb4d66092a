//! Rows to train on.
//!
//! Takes a service's tree and the true templates of its requests, gives the rows that a judgement would have rested on, each with
//! the right verdict: what the trees are trained on is what they will be asked. Never used while traffic is watched.

use std::collections::HashMap;

use super::evidence::Evidence;
use super::forest::Model;
use super::judge::Judge;
use super::place::{Host, Place};
use super::{Learner, Told, route};
use crate::inventory::tree::{NONE, NodeId, ROOT, Tree};
use crate::observe::glue::{self, BEFORE};
use crate::observe::{Kind, Segment};

/// A row, the right verdict, and how much it counts.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// 1 for a value.
    pub verdict: f32,
    /// Less where one place has many words.
    pub weight: f32,
    /// The features.
    pub values: Vec<f32>,
}

/// Words at one place from which on each counts less.
const FULL_WEIGHT: f32 = 20.0;
/// Words of one place that are noted at most, spread over all of them.
const ROWS: usize = 32;

/// What is true of nodes: how many requests had them as a literal, as a value, as either.
pub(in crate::inventory) type Truths = HashMap<NodeId, [u32; 3]>;

/// Knows the right verdicts, and notes what they rest on.
#[derive(Debug, Default)]
pub(super) struct Teacher {
    pub(super) truths: Truths,
    pub(super) rows: Vec<Labelled>,
}

impl Teacher {
    /// Notes the rows of a place; gives the right verdicts.
    pub(super) fn teach(&mut self, words: &[(&[NodeId], Vec<f32>)]) -> Vec<f32> {
        let mut verdicts = Vec::with_capacity(words.len());
        let step = words.len().div_ceil(ROWS).max(1);
        for (at, (nodes, values)) in words.iter().enumerate() {
            let mut sum = [0u32; 3];
            for truth in nodes.iter().filter_map(|n| self.truths.get(n)) {
                sum.iter_mut().zip(truth).for_each(|(s, t)| *s += t);
            }
            let [literal, value, either] = sum;
            let verdict = f32::from(u8::from(value > literal));
            verdicts.push(verdict);
            // Literals are rare where there are many words: each counts.
            if literal + value >= either && literal + value > 0 && (at % step == 0 || verdict < 0.5) {
                let all = (FULL_WEIGHT / words.len() as f32).min(1.0).sqrt();
                let weight = if verdict < 0.5 { all } else { all * step as f32 };
                self.rows.push(Labelled { verdict, weight, values: values.clone() });
            }
        }
        verdicts
    }
}

/// Judges with another model from here on.
pub(in crate::inventory) fn replace_model(file: &[u8]) -> bool {
    Model::replace(file)
}

/// The rows of a tree, and the names of the features. `second`: those of the second pass.
pub(in crate::inventory) fn rows(
    tree: &Tree,
    truths: Truths,
    model: &[u8],
    second: bool,
) -> Option<(Vec<Labelled>, Vec<&'static str>)> {
    let model = Model::read(model)?;
    let (documented, told) = (route::Assignment::default(), Told::default());
    let evidence = Evidence::new(tree);
    let host = Host::new(&evidence);
    let mut judge = Judge::with(&evidence, &host, &model);
    if second {
        Learner::new(&evidence, &told, &documented).walk(&mut judge, &[ROOT], &mut Vec::new(), Place::default());
        judge.begin_second();
    }
    judge.teacher = Some(Teacher { truths, rows: Vec::new() });
    Learner::new(&evidence, &told, &documented).walk(&mut judge, &[ROOT], &mut Vec::new(), Place::default());
    let rows = judge.teacher.take()?.rows;
    Some((rows, judge.names))
}

/// A piece of a true template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum True {
    Literal(String),
    /// `true` where the parameter had one value only, which a learner can't tell from a literal.
    Parameter(bool),
}

/// Stands for a parameter while a segment is taken apart.
const HOLE: &str = "\u{3}";

fn pieces(template: &str) -> Vec<True> {
    let segments: Vec<&str> = template.split('/').filter(|s| !s.is_empty()).collect();
    let mut out = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let (mut flat, mut single, mut rest) = (String::new(), Vec::new(), *segment);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            flat.push_str(before);
            flat.push_str(HOLE);
            single.push(name.contains('='));
            rest = after;
        }
        flat.push_str(rest);
        let mut parts = Vec::new();
        let last = at + 1 == segments.len();
        match (glue::split(&flat, last), flat.strip_suffix(".\u{3}")) {
            (Some(pieces), _) => pieces.each(|piece, _| parts.push(piece.to_owned())),
            (None, Some(stem)) if last && !stem.is_empty() => {
                parts = vec![stem.to_owned(), format!("{BEFORE}.{HOLE}")];
            }
            _ => parts.push(flat),
        }
        let mut single = single.into_iter();
        for part in parts {
            let holes: Vec<bool> = single.by_ref().take(part.matches(HOLE).count()).collect();
            out.push(match holes.first() {
                Some(single) => True::Parameter(*single),
                None => True::Literal(part),
            });
        }
    }
    out
}

/// Lays a template over a path: for each segment 0 for a literal, 1 for a value, 2 for either. A parameter may span segments.
fn lay(path: &[Segment<'_>], pieces: &[True]) -> Option<Vec<usize>> {
    match (path.split_first(), pieces.split_first()) {
        (None, None) => Some(Vec::new()),
        (Some((segment, path)), Some((True::Literal(literal), pieces))) => {
            let same =
                segment.text.is_empty() && segment.kind != Kind::Word || segment.text.eq_ignore_ascii_case(literal);
            let mut laid = if same { lay(path, pieces)? } else { return None };
            laid.insert(0, 0);
            Some(laid)
        }
        (Some(_), Some((True::Parameter(single), rest))) => (1..=path.len()).find_map(|n| {
            let laid = lay(&path[n..], rest)?;
            Some(std::iter::repeat_n(1 + usize::from(*single), n).chain(laid).collect())
        }),
        _ => None,
    }
}

/// Notes what a request's true template says of the nodes on its path.
pub(in crate::inventory) fn note(truths: &mut Truths, tree: &Tree, node: NodeId, path: &[Segment<'_>], template: &str) {
    let Some(laid) = lay(path, &pieces(template)) else { return };
    let mut at = node;
    for truth in laid.into_iter().rev() {
        if at == NONE || at == ROOT {
            return;
        }
        truths.entry(at).or_default()[truth] += 1;
        at = tree.nodes[at as usize].parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str) -> Segment<'_> {
        Segment { kind: if text.is_empty() { Kind::Uuid } else { Kind::Word }, hash: 0, text }
    }

    #[test]
    fn templates_are_laid_over_paths() {
        let lay = |path: &[&str], template: &str| {
            lay(&path.iter().map(|t| segment(t)).collect::<Vec<_>>(), &pieces(template))
        };
        assert_eq!(lay(&["users", ""], "/users/{id}"), Some(vec![0, 1]));
        assert_eq!(lay(&["Users", "acme", "x"], "/users/{id=acme}/x"), Some(vec![0, 2, 0]));
        assert_eq!(lay(&["a", "b", "c", "d"], "/a/{path}/d"), Some(vec![0, 1, 1, 0]));
        assert_eq!(lay(&["report", "\u{1}.json"], "/report.{format}"), Some(vec![0, 1]));
        assert_eq!(lay(&["7", "\u{1}:cancel"], "/{id}:cancel"), Some(vec![1, 0]));
        assert_eq!(lay(&["a"], "/b"), None);
    }
}
