//! A word at a place, and all that lies below it.
//!
//! Takes the raw nodes of one word at one place of a template, gives them as one: counts, names, what stands on the next
//! three levels. Never looks further down, and at no more than [`CAP`] things a level.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use crate::inventory::tree::{NONE, NodeId};

/// Most things of one sort that are looked at.
const CAP: usize = 256;

/// Stands in [`Child::calls_below`] for what ends at the word itself.
pub(super) const HERE: u32 = u32::MAX;

/// A word and its nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Child {
    pub(super) token: u32,
    /// The most frequent spelling.
    pub(super) text: String,
    pub(super) nodes: Vec<NodeId>,
    /// As in [`Known`](super::evidence::Known).
    pub(super) kind: u8,
    /// Proving exchanges at or below it, and at it.
    pub(super) calls: u64,
    pub(super) here: u64,
    /// Methods at it, and one level below it.
    pub(super) methods: u32,
    pub(super) below: u32,
    pub(super) height: u32,
    /// Media types of responses and requests, query parameters.
    pub(super) responses: BTreeSet<u32>,
    pub(super) requests: BTreeSet<u32>,
    pub(super) query: BTreeSet<u32>,
    /// What stands one, two and three levels below; 0 for values.
    pub(super) next: [BTreeSet<u32>; 3],
    /// How its exchanges are spread over what stands one and two levels below; 0 for values, [`HERE`] for none.
    pub(super) calls_below: [BTreeMap<u32, u64>; 2],
    /// How those at it are spread over methods, by bit.
    pub(super) calls_by_method: BTreeMap<u32, u64>,
    /// Nodes with values below.
    pub(super) values_below: usize,
}

impl Child {
    pub(super) fn new(evidence: &Evidence<'_>, token: u32, nodes: Vec<NodeId>) -> Self {
        let mut child = Self { token, nodes: Vec::new(), ..Self::default() };
        let mut most = None;
        for &id in &nodes {
            let known = &evidence.nodes[id as usize];
            let text = evidence.text(id);
            if most.is_none_or(|most| (known.calls, text) > most) {
                most = Some((known.calls, text));
                child.kind = known.kind;
            }
            child.calls += known.calls;
            child.height = child.height.max(known.height);
            for end in evidence.ends_at(id).filter(|e| e.ok > 0) {
                child.here += end.ok;
                child.methods |= 1 << end.bit;
                *child.calls_by_method.entry(u32::from(end.bit)).or_default() += end.ok;
                if child.responses.len() < CAP {
                    child.responses.extend(&end.responses);
                }
                child.requests.extend(&end.requests);
                if child.query.len() < CAP {
                    child.query.extend(&end.query);
                }
            }
            child.look_down(evidence, id);
        }
        if child.here > 0 {
            child.calls_below[0].insert(HERE, child.here);
        }
        child.text = most.map(|(_, text)| text.to_owned()).unwrap_or_default();
        child.nodes = nodes;
        child
    }

    fn look_down(&mut self, evidence: &Evidence<'_>, id: NodeId) {
        let mut level = vec![id];
        for depth in 0..self.next.len() {
            let mut lower = Vec::new();
            for &at in &level {
                let value = evidence.tree.nodes[at as usize].value;
                let words = evidence.tree.words_of(at);
                for below in words.into_iter().chain((value != NONE).then_some(value)) {
                    let known = &evidence.nodes[below as usize];
                    if !known.proven {
                        continue;
                    }
                    if depth == 0 {
                        self.below |= known.methods;
                        self.values_below += usize::from(below == value);
                    }
                    if known.token == 0 || self.next[depth].len() < CAP {
                        self.next[depth].insert(known.token);
                        if let Some(calls) = self.calls_below.get_mut(depth) {
                            *calls.entry(known.token).or_default() += known.calls;
                        }
                    }
                    lower.push(below);
                }
            }
            lower.truncate(CAP);
            level = lower;
        }
    }
}
