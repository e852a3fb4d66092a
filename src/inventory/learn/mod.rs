//! From raw paths to templates.
//!
//! Takes the tree of one service's raw paths and the routes that documents name, gives templates with the raw endpoints that
//! each of them holds, and those that are probes. A pure view: it changes nothing, depends on the tree's content alone, and
//! so neither on arrival order nor on the order of any map. Never learns from a path that did not succeed: failures are
//! matched against what succeeded.
//!
//! Top down, the children of a place are judged ([`judge`]); those that are values become one parameter, their subtrees
//! one place, and the judgement goes on below. Documented routes are matched first and win.

mod judge;
mod names;
mod route;

use std::collections::{BTreeMap, BTreeSet};

use super::documented::Route;
use super::state::{hints_at_something, is_success};
use super::tree::{Endpoint, EndpointId, NONE, NodeId, ROOT, Token, Tree};
use judge::{Child, Parent};

/// Unproven words at one place that may still be real; where there are more, the server says the same to nonsense.
const DOUBTFUL_WORDS: usize = 16;
/// Different depths of parameters alone from which a tail counts as one catch-all.
const TAIL_DEPTHS: usize = 3;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Piece {
    /// A literal, decoded.
    Literal(String),
    /// One parameter, with the place in the path that it stands at.
    Parameter,
    /// A parameter named by a document.
    Named(String),
    /// Literals and parameters of a document in one segment: `Ok` is a parameter's name.
    Mixed(Vec<Result<String, String>>),
    /// All that follows.
    CatchAll(Option<String>),
}

/// A template and the raw endpoints it holds.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    pub(super) documented: bool,
    pub(super) method: u16,
    pub(super) endpoints: Vec<EndpointId>,
}

/// What was learnt.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) templates: Vec<Template>,
    /// Raw endpoints answered as nonsense is.
    pub(super) probes: Vec<EndpointId>,
}

/// Learns the templates of a service.
pub(super) fn learn(tree: &Tree, routes: &[&Route]) -> Learnt {
    let documented = route::assign(tree, routes);
    let mut learner =
        Learner { tree, routes, documented, groups: BTreeMap::new(), probes: Vec::new(), folds: Vec::new() };
    learner.walk(&[ROOT], &mut Vec::new(), Parent::Root);
    learner.fold_tails();
    Learnt {
        templates: learner
            .groups
            .into_iter()
            .map(|((pieces, documented, method), endpoints)| Template { pieces, documented, method, endpoints })
            .collect(),
        probes: learner.probes,
    }
}

/// The children, by parent, that are values in the view: what is folded for good when a service holds too much.
pub(super) fn folds(tree: &Tree) -> Vec<(NodeId, Vec<NodeId>)> {
    let documented = route::assign(tree, &[]);
    let mut learner =
        Learner { tree, routes: &[], documented, groups: BTreeMap::new(), probes: Vec::new(), folds: Vec::new() };
    learner.walk(&[ROOT], &mut Vec::new(), Parent::Root);
    learner.folds
}

pub(super) use judge::means_itself;
pub(super) use names::name;

struct Learner<'a> {
    tree: &'a Tree,
    routes: &'a [&'a Route],
    documented: route::Assignment,
    groups: BTreeMap<(Vec<Piece>, bool, u16), Vec<EndpointId>>,
    probes: Vec<EndpointId>,
    folds: Vec<(NodeId, Vec<NodeId>)>,
}

impl<'a> Learner<'a> {
    /// Reads a place: the nodes that one prefix of a template leads to.
    fn walk(&mut self, place: &[NodeId], pieces: &mut Vec<Piece>, parent: Parent<'a>) {
        self.take_endpoints(place, pieces);
        let (mut words, mut doubtful) =
            (BTreeMap::<&'a str, Vec<NodeId>>::new(), BTreeMap::<&'a str, Vec<NodeId>>::new());
        let (mut values, mut rests) = (Vec::new(), Vec::new());
        for &id in place {
            let node = &self.tree.nodes[id as usize];
            values.extend((node.value != NONE).then_some(node.value));
            rests.extend((node.rest != NONE).then_some(node.rest));
            for child in self.tree.words_of(id) {
                let node = &self.tree.nodes[child as usize];
                if let Token::Word(text, _) = &node.token {
                    let map = if node.proven { &mut words } else { &mut doubtful };
                    map.entry(text).or_default().push(child);
                }
            }
        }
        let children: Vec<_> = words.into_iter().map(|(word, nodes)| self.child(word, nodes)).collect();
        let proven_values = values.iter().any(|v| self.tree.nodes[*v as usize].proven);
        let listed = place.iter().any(|n| self.tree.endpoints_at(*n).any(|e| e.proven));
        let verdicts = judge::judge(parent, &children, proven_values, listed);
        let mut literals = BTreeMap::new();
        let mut parameter = values;
        for (child, is_value) in children.into_iter().zip(verdicts) {
            if is_value {
                self.note_folds(&child.nodes);
                parameter.extend(child.nodes);
            } else {
                literals.insert(child.word, child.nodes);
            }
        }
        let has_parameter = parameter.iter().any(|n| self.tree.nodes[*n as usize].proven);
        self.place_doubtful(doubtful, has_parameter, &mut literals, &mut parameter);
        if !has_parameter && !parameter.iter().any(|n| self.may_be_real(*n)) {
            let nowhere = std::mem::take(&mut parameter);
            self.give_up(&nowhere);
        }
        for (word, nodes) in literals {
            pieces.push(Piece::Literal(word.to_owned()));
            self.walk(&nodes, pieces, parent.below(word));
            pieces.pop();
        }
        if !parameter.is_empty() {
            pieces.push(Piece::Parameter);
            self.walk(&parameter, pieces, Parent::Parameter);
            pieces.pop();
        }
        if !rests.is_empty() {
            pieces.push(Piece::CatchAll(None));
            self.walk(&rests, pieces, Parent::Parameter);
            pieces.pop();
        }
    }

    /// Puts the words that never succeeded where they belong: with the word of another node of the place that did, with the
    /// parameter, by themselves where the server hinted that they are there, or nowhere.
    fn place_doubtful(
        &mut self,
        doubtful: BTreeMap<&'a str, Vec<NodeId>>,
        has_parameter: bool,
        literals: &mut BTreeMap<&'a str, Vec<NodeId>>,
        parameter: &mut Vec<NodeId>,
    ) {
        let alone = doubtful.keys().filter(|w| !literals.contains_key(*w)).count();
        for (word, nodes) in doubtful {
            if let Some(known) = literals.get_mut(word) {
                known.extend(nodes);
            } else if has_parameter {
                self.note_folds(&nodes);
                parameter.extend(nodes);
            } else if alone <= DOUBTFUL_WORDS && nodes.iter().any(|n| self.may_be_real(*n)) {
                literals.insert(word, nodes);
            } else {
                self.give_up(&nodes);
            }
        }
    }

    fn note_folds(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            self.folds.push((self.tree.nodes[node as usize].parent, vec![node]));
        }
    }

    /// Did a server hint that something below this node is there, or does a document say so?
    fn may_be_real(&self, id: NodeId) -> bool {
        self.tree.below(id).into_iter().any(|n| {
            self.documented.route(n).is_some()
                || self.tree.endpoints_at(n).any(|e| e.state.statuses().any(|(s, _)| hints_at_something(s)))
        })
    }

    fn give_up(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            for below in self.tree.below(node) {
                match self.documented.route(below) {
                    Some(route) => self.take_documented(below, route),
                    None => self.probes.extend(self.tree.ids_at(below)),
                }
            }
        }
    }

    fn child(&self, word: &'a str, nodes: Vec<NodeId>) -> Child<'a> {
        let mut child = Child {
            word,
            nodes,
            calls: 0,
            leaf: false,
            methods: 0,
            words: BTreeSet::new(),
            values: false,
            documented: None,
        };
        for &id in &child.nodes {
            let node = &self.tree.nodes[id as usize];
            for endpoint in self.tree.endpoints_at(id).filter(|e| e.proven) {
                child.leaf = true;
                child.calls += endpoint.state.calls;
                child.methods |= 1 << (endpoint.method & 31);
            }
            child.values |= node.value != NONE && self.tree.nodes[node.value as usize].proven;
            for sub in self.tree.words_of(id) {
                let sub = &self.tree.nodes[sub as usize];
                if let (Token::Word(text, _), true) = (&sub.token, sub.proven) {
                    child.words.insert(text);
                }
            }
            if child.documented != Some(true) {
                child.documented = self.documented.literal(id).or(child.documented);
            }
        }
        child
    }

    /// Takes the endpoints at a place, those of documented routes under their own templates.
    fn take_endpoints(&mut self, place: &[NodeId], pieces: &[Piece]) {
        let mut by_method = BTreeMap::<u16, Vec<EndpointId>>::new();
        for &id in place {
            match self.documented.route(id) {
                Some(route) => self.take_documented(id, route),
                None => {
                    for endpoint in self.tree.ids_at(id) {
                        let method = self.tree.endpoints[endpoint as usize].as_ref().map_or(0, |e| e.method);
                        by_method.entry(method).or_default().push(endpoint);
                    }
                }
            }
        }
        let endpoint = |id: &EndpointId| self.tree.endpoints[*id as usize].as_ref();
        let path_is_real = by_method.values().flatten().filter_map(endpoint).any(|e| e.proven);
        let is_real = |e: &Endpoint| e.state.statuses().any(|(status, _)| is_evidence(status, path_is_real));
        let real: Vec<_> = by_method.values().map(|ids| ids.iter().filter_map(endpoint).any(is_real)).collect();
        for ((method, ids), real) in by_method.into_iter().zip(real) {
            if real {
                self.groups.entry((pieces.to_vec(), false, method)).or_default().extend(ids);
            } else {
                self.probes.extend(ids);
            }
        }
    }

    fn take_documented(&mut self, id: NodeId, route: usize) {
        let pieces = route::pieces(self.routes[route]);
        for endpoint in self.tree.ids_at(id) {
            let method = self.tree.endpoints[endpoint as usize].as_ref().map_or(0, |e| e.method);
            self.groups.entry((pieces.clone(), true, method)).or_default().push(endpoint);
        }
    }

    /// Parameters alone to the end, at several depths below one prefix, are one catch-all: a file tree, an object store.
    fn fold_tails(&mut self) {
        let mut tails = BTreeMap::<(Vec<Piece>, u16), BTreeSet<usize>>::new();
        for (pieces, documented, method) in self.groups.keys() {
            let head =
                pieces.iter().rposition(|p| matches!(p, Piece::Literal(_) | Piece::Mixed(_))).map_or(0, |at| at + 1);
            if !documented && head > 0 && head < pieces.len() {
                tails.entry((pieces[..head].to_vec(), *method)).or_default().insert(pieces.len() - head);
            }
        }
        let tails: BTreeSet<Vec<Piece>> =
            tails.into_iter().filter(|(_, depths)| depths.len() >= TAIL_DEPTHS).map(|((head, _), _)| head).collect();
        if tails.is_empty() {
            return;
        }
        for ((pieces, documented, method), ids) in std::mem::take(&mut self.groups) {
            let head =
                pieces.iter().rposition(|p| matches!(p, Piece::Literal(_) | Piece::Mixed(_))).map_or(0, |at| at + 1);
            let folded = if !documented && head < pieces.len() && tails.contains(&pieces[..head]) {
                let mut folded = pieces[..head].to_vec();
                folded.push(Piece::CatchAll(None));
                folded
            } else {
                pieces
            };
            self.groups.entry((folded, documented, method)).or_default().extend(ids);
        }
    }
}

/// Does a status show that a method is served on a path? On a path where something else succeeded, bad input shows it too,
/// and 405 shows the contrary.
fn is_evidence(status: u16, path_is_real: bool) -> bool {
    is_success(status)
        || if path_is_real {
            status == 400 || (hints_at_something(status) && status != 405)
        } else {
            hints_at_something(status)
        }
}
