//! From what was learnt to a [`Router`].
//!
//! Takes the raw tree of a service, its templates and which raw nodes are one place, gives the table. Each raw path is then
//! looked up in it, and those that do not come to their own template get an entry by themselves: so that the table says of
//! what succeeded what the learner says. Never judges anything.

use std::collections::HashMap;

use super::super::methods::{self, MethodId};
use super::{DEPTH, Edge, Known, LONG, PROBE, Router, SHORT, State, Walked};
use crate::inventory::learn::{Learnt, Piece, Places, Step};
use crate::inventory::tree::{EndpointId, NONE, NodeId, ROOT, Token, Tree, hash};
use crate::observe::{Kind, Segment};

/// A place while the table is made.
#[derive(Clone, Debug)]
struct Draft {
    value: u32,
    ending: u32,
    ends: Vec<(MethodId, u32)>,
    rests: Vec<(MethodId, u32)>,
    ignored: bool,
    strict: bool,
}

impl Draft {
    fn new(ignored: bool, strict: bool) -> Self {
        Self { value: NONE, ending: NONE, ends: Vec::new(), rests: Vec::new(), ignored, strict }
    }
}

#[derive(Debug, Default)]
struct Drafts {
    places: Vec<Draft>,
    edges: HashMap<(u32, Box<str>), u32>,
}

/// Compiles what was learnt of a tree. `known`: its templates, in order.
pub(in crate::inventory) fn compile(tree: &Tree, learnt: &Learnt, known: Vec<Known>) -> Router {
    let labels = labels(tree, learnt);
    let mut drafts = Drafts::of_places(tree, &learnt.places);
    drafts.add_ends(tree, &learnt.places, &labels);
    drafts.add_rests(tree, learnt);
    let mut router = drafts.pack(None);
    if let Some(root) = drafts.add_exceptions(tree, &router, &labels) {
        router = drafts.pack(Some(root));
    }
    Router { templates: known.into(), ..router }
}

/// By raw endpoint, the number of its template.
fn labels(tree: &Tree, learnt: &Learnt) -> Vec<u32> {
    let mut labels = vec![PROBE; tree.endpoints.len()];
    for (number, template) in learnt.templates.iter().enumerate() {
        for &id in &template.endpoints {
            if let Some(label) = labels.get_mut(id as usize) {
                *label = number as u32;
            }
        }
    }
    labels
}

/// Raw endpoints with their nodes and methods; what names an operation beside the method leads to no other template.
fn live(tree: &Tree) -> impl Iterator<Item = (EndpointId, NodeId, MethodId)> {
    let live = tree.endpoints.iter().enumerate().filter_map(|(id, e)| Some((id as EndpointId, e.as_ref()?)));
    live.map(|(id, e)| (id, e.node, methods::plain(e.method)))
}

/// Does a node stand for the rest of paths? The root has the same token, and does not.
fn is_rest(tree: &Tree, node: NodeId) -> bool {
    node != ROOT && tree.nodes[node as usize].token == Token::Rest
}

/// Has a node children other than a rest?
fn has_others(tree: &Tree, node: NodeId) -> bool {
    tree.nodes[node as usize].value != NONE || !tree.words_of(node).is_empty()
}

impl Drafts {
    /// Places and what leads from one to another.
    fn of_places(tree: &Tree, places: &Places) -> Self {
        let place = |step: &Step| Draft::new(matches!(step, Step::Literal { ignored: true }), false);
        let mut it = Self { places: places.steps.iter().map(place).collect(), edges: HashMap::new() };
        for (id, node) in tree.nodes.iter().enumerate().skip(1) {
            let of = |id: u32| places.of.get(id as usize).copied().unwrap_or(NONE);
            let (from, to) = (of(node.parent), of(id as NodeId));
            let (Some(step), Some(draft)) = (places.steps.get(to as usize), it.places.get_mut(from as usize)) else {
                continue;
            };
            match (step, &node.token) {
                (Step::Literal { .. }, Token::Word(text, _)) => it.link(from, text, to),
                (Step::Ending, _) if draft.ending == NONE => draft.ending = to,
                (Step::Value, _) if draft.value == NONE => draft.value = to,
                _ => {}
            }
        }
        it
    }

    fn link(&mut self, from: u32, text: &str, to: u32) {
        self.edges.entry((from, text.into())).or_insert(to);
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            self.edges.entry((from, text.to_ascii_lowercase().into())).or_insert(to);
        }
    }

    /// The template of each method at each place: where raw paths differ, that of most.
    fn add_ends(&mut self, tree: &Tree, places: &Places, labels: &[u32]) {
        let mut all: Vec<(u32, MethodId, u32)> = Vec::new();
        for (id, node, method) in live(tree) {
            let (Some(&place), Some(&label)) = (places.of.get(node as usize), labels.get(id as usize)) else {
                continue;
            };
            if place != NONE && label != PROBE && !is_rest(tree, node) {
                all.push((place, method, label));
            }
        }
        all.sort_unstable();
        let mut best: Option<((u32, MethodId, u32), usize)> = None;
        let put = |places: &mut Vec<Draft>, (place, method, label): (u32, MethodId, u32)| {
            if let Some(draft) = places.get_mut(place as usize) {
                draft.ends.push((method, label));
            }
        };
        for run in all.chunk_by(|a, b| a == b) {
            let Some(&this) = run.first() else { continue };
            match best {
                Some((before, n)) if (before.0, before.1) == (this.0, this.1) => {
                    if run.len() > n {
                        best = Some((this, run.len()));
                    }
                }
                _ => {
                    if let Some((before, _)) = best.replace((this, run.len())) {
                        put(&mut self.places, before);
                    }
                }
            }
        }
        if let Some((last, _)) = best {
            put(&mut self.places, last);
        }
    }

    /// Templates that take any rest of a path, at the places from which on they do.
    fn add_rests(&mut self, tree: &Tree, learnt: &Learnt) {
        let of = |id: NodeId| learnt.places.of.get(id as usize).copied().filter(|place| *place != NONE);
        let mut all = Vec::new();
        for (number, template) in learnt.templates.iter().enumerate() {
            if !matches!(template.pieces.last(), Some(Piece::CatchAll(_))) {
                continue;
            }
            let depth = template.pieces.len() as u32 - 1;
            for id in &template.endpoints {
                let Some(Some(endpoint)) = tree.endpoints.get(*id as usize) else { continue };
                let mut at = endpoint.node;
                if is_rest(tree, at) {
                    at = tree.nodes[at as usize].parent;
                } else if of(at).is_some() {
                    while tree.nodes[at as usize].depth > depth {
                        at = tree.nodes[at as usize].parent;
                    }
                } else {
                    while at != ROOT && of(at).is_none() {
                        at = tree.nodes[at as usize].parent;
                    }
                }
                all.extend(of(at).map(|place| (place, template.method, number as u32)));
            }
        }
        all.sort_unstable();
        all.dedup();
        for (place, method, number) in all {
            if let Some(draft) = self.places.get_mut(place as usize)
                && draft.rests.last().is_none_or(|last| last.0 != method)
            {
                draft.rests.push((method, number));
            }
        }
    }

    /// Paths that the table does not lead to their own template. Gives their root, if there are any.
    fn add_exceptions(&mut self, tree: &Tree, router: &Router, labels: &[u32]) -> Option<u32> {
        let mut root = None;
        let mut way = Vec::new();
        for (id, node, method) in live(tree) {
            let label = labels.get(id as usize).copied().unwrap_or(PROBE);
            way.clear();
            let mut at = node;
            while at != ROOT {
                way.push(at);
                at = tree.nodes[at as usize].parent;
            }
            way.reverse();
            let mut path = [Segment { kind: Kind::Token, hash: 0, text: "" }; DEPTH];
            let Some(path) = path.get_mut(..way.len()) else { continue };
            for (segment, node) in path.iter_mut().zip(&way) {
                if let Token::Word(text, kind) = &tree.nodes[*node as usize].token {
                    *segment = Segment { kind: *kind, hash: 0, text };
                }
            }
            let found = match router.walk(0, method, path) {
                Walked::At { number, .. } => number,
                Walked::Nowhere => PROBE,
            };
            // A rest beside other children is where a full inventory counts: what it holds can't be told by its path.
            let rest = is_rest(tree, node);
            if found != label && !(rest && has_others(tree, tree.nodes[node as usize].parent)) {
                let root = *root.get_or_insert_with(|| self.add(Draft::new(false, true)));
                self.except(root, path, rest, method, label);
            }
        }
        root
    }

    fn add(&mut self, draft: Draft) -> u32 {
        self.places.push(draft);
        (self.places.len() - 1) as u32
    }

    fn except(&mut self, root: u32, path: &[Segment<'_>], rest: bool, method: MethodId, label: u32) {
        let mut at = root;
        let path = path.get(..path.len() - usize::from(rest)).unwrap_or_default();
        for segment in path {
            let known = match segment.text {
                "" => self.places[at as usize].value,
                text => self.edges.get(&(at, text.into())).copied().unwrap_or(NONE),
            };
            let next = if known == NONE { self.add(Draft::new(false, true)) } else { known };
            match segment.text {
                "" => self.places[at as usize].value = next,
                text => drop(self.edges.insert((at, text.into()), next)),
            }
            at = next;
        }
        let place = &mut self.places[at as usize];
        if rest { &mut place.rests } else { &mut place.ends }.push((method, label));
    }

    /// The table.
    fn pack(&self, exceptions: Option<u32>) -> Router {
        let mut ends = Vec::new();
        let state = |draft: &Draft| {
            let from = ends.len() as u32;
            ends.extend(draft.ends.iter().chain(&draft.rests));
            State {
                value: draft.value,
                ending: draft.ending,
                ends: from,
                ended: draft.ends.len() as u16,
                rests: draft.rests.len() as u16,
                ignored: draft.ignored,
                strict: draft.strict,
            }
        };
        let states = self.places.iter().map(state).collect();
        let empty = Edge { from: NONE, to: NONE, len: 0, text: [0; SHORT] };
        let mut edges = vec![empty; (self.edges.len() * 2).next_power_of_two()];
        let mut long = String::new();
        let mask = edges.len() - 1;
        for ((from, text), to) in &self.edges {
            let mut edge = Edge { from: *from, to: *to, len: text.len() as u8, text: [0; SHORT] };
            if let Some(place) = edge.text.get_mut(..text.len()) {
                place.copy_from_slice(text.as_bytes());
            } else {
                edge.len = LONG;
                let ends = [long.len() as u32, (long.len() + text.len()) as u32].map(u32::to_le_bytes);
                edge.text[..8].copy_from_slice(ends.as_flattened());
                long.push_str(text);
            }
            let mut slot = hash(u64::from(*from), text.as_bytes()) as usize & mask;
            while edges[slot].from != NONE {
                slot = (slot + 1) & mask;
            }
            edges[slot] = edge;
        }
        Router {
            states,
            edges: edges.into(),
            long: long.into(),
            ends: ends.into(),
            exceptions,
            templates: Box::default(),
        }
    }
}
