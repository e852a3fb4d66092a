//! Folding words for good.
//!
//! Takes a place that holds more words than it may, gives one whose further words are a value. What was known below the
//! words is merged, never dropped. Only what is needed to stay within the limits is done: templates are judged elsewhere.
//!
//! Which words stay does not depend on the order in which they came: each word has a rank of its own, and at a place that
//! was closed the words of the lowest ranks stay, whenever they come. Whoever is pushed out can never be let in again, since
//! the bar only sinks; so a word that stays in the end was counted by itself from its first exchange on.

use super::{CODES_PER_PLACE, Closed, KEPT_OF_WORDS, NONE, Node, NodeId, Token, Tree};
use crate::base::InventoryLimits;
use crate::inventory::learn::means_itself;
use crate::observe::{Key, Kind};

/// The rank of a word: those that APIs use for themselves before all others, then by a keyed hash.
fn rank(word: &str) -> u64 {
    u64::from(!means_itself(word)) << 63 | Key::FIXED.hash(word.as_bytes()) >> 1
}

impl Node {
    /// Is a word at this place a value, if it has no child of its own?
    #[inline]
    pub(super) fn folds(&self, word: &str, kind: Kind) -> bool {
        match kind {
            Kind::Name => false,
            Kind::Word => self.closed.words && rank(word) >= self.bar,
            _ => self.closed.codes,
        }
    }
}

impl Tree {
    /// Folds what has become too much since the last time. Called at the end of each change, when no number of a node
    /// is held any more.
    pub(in crate::inventory) fn settle(&mut self, limits: &InventoryLimits) {
        while let Some(id) = self.fuller.pop() {
            let node = &self.nodes[id as usize];
            let (codes, words) = (node.codes > CODES_PER_PLACE, node.words as usize);
            if codes && !node.closed.codes {
                self.close_codes(id, limits);
            }
            let allowed = if self.nodes[id as usize].closed.words { kept(limits) } else { limits.words_per_place };
            if words > allowed {
                self.close_words(id, limits);
            }
        }
    }

    /// Folds the codes of a place for good.
    fn close_codes(&mut self, id: NodeId, limits: &InventoryLimits) {
        self.nodes[id as usize].closed.codes = true;
        let is_code = |c: &NodeId| matches!(self.nodes[*c as usize].token, Token::Word(_, kind) if kind.is_code());
        let codes: Vec<_> = self.words_of(id).into_iter().filter(is_code).collect();
        self.fold(id, &codes, limits);
        let Node { value, depth, .. } = self.nodes[id as usize];
        if value != NONE {
            self.codes_are_values(value, depth);
        }
    }

    /// Folds the words of a place for good, but for those of the lowest ranks. Words that never succeeded take nobody's place.
    fn close_words(&mut self, id: NodeId, limits: &InventoryLimits) {
        let ranked = |child: NodeId| match &self.nodes[child as usize].token {
            Token::Word(text, Kind::Word) => Some((rank(text), child)),
            _ => None,
        };
        let mut words: Vec<_> = self.words_of(id).into_iter().filter_map(ranked).collect();
        words.sort_unstable();
        let proven: Vec<_> =
            words.iter().filter(|(_, child)| self.nodes[*child as usize].proven).map(|(rank, _)| *rank).collect();
        let kept = kept(limits);
        let node = &mut self.nodes[id as usize];
        if proven.len() >= kept || !node.closed.words {
            // Behind the last of those that stay. A place that was closed before it came here, with fewer, takes no more.
            node.bar = proven.iter().take(kept).next_back().map_or(0, |last| last.saturating_add(1));
        }
        node.closed.words = true;
        let bar = node.bar;
        let fold: Vec<_> = words.into_iter().filter(|(rank, _)| *rank >= bar).map(|(_, child)| child).collect();
        self.fold(id, &fold, limits);
    }

    /// Marks a place as folded for good, as it is when read from the store or merged with one that was, after what lay
    /// below it was added.
    pub(in crate::inventory) fn mark_closed(&mut self, id: NodeId, closed: Closed, limits: &InventoryLimits) {
        if closed.codes && !self.nodes[id as usize].closed.codes {
            self.close_codes(id, limits);
        }
        if closed.words {
            self.close_words(id, limits);
        }
    }

    /// Folds some children of a node into its value child.
    pub(in crate::inventory) fn fold(&mut self, id: NodeId, children: &[NodeId], limits: &InventoryLimits) {
        if children.is_empty() {
            return;
        }
        let value = self.add(id, Token::Value);
        for &child in children {
            let place = self.nodes[id as usize].depth as usize;
            if let Token::Word(_, kind) = self.nodes[child as usize].token {
                self.note_place(child, place, kind);
            }
            self.forget_records(child);
            self.merge_nodes(child, value, limits);
        }
    }

    /// Folds those of some nodes that are still children of a node, where the node itself is still there.
    pub(in crate::inventory) fn fold_live(&mut self, id: NodeId, children: &[NodeId], limits: &InventoryLimits) {
        let live: Vec<_> = children.iter().copied().filter(|c| self.nodes[*c as usize].parent == id).collect();
        self.fold(id, &live, limits);
    }

    /// Adds to each endpoint below a node what kind of value stood at a place.
    fn note_place(&mut self, id: NodeId, place: usize, kind: Kind) {
        for node in self.below(id) {
            let mut at = self.nodes[node as usize].endpoints;
            while let Some(Some(endpoint)) = self.endpoints.get_mut(at as usize) {
                endpoint.state.place_holds(place, kind);
                at = endpoint.next;
            }
        }
    }

    /// Notes that the endpoints below a node leave the store under their present paths.
    fn forget_records(&mut self, id: NodeId) {
        for node in self.below(id) {
            let mut at = self.nodes[node as usize].endpoints;
            while let Some(Some(endpoint)) = self.endpoints.get(at as usize) {
                let gone = (self.path(node), endpoint.method);
                at = endpoint.next;
                self.gone.push(gone);
            }
        }
    }

    /// Moves all that is at and below `from` to `to`, and lets `from` go.
    fn merge_nodes(&mut self, from: NodeId, to: NodeId, limits: &InventoryLimits) {
        let mut at = self.nodes[from as usize].endpoints;
        while let Some(endpoint) = self.endpoints.get_mut(at as usize).and_then(Option::take) {
            self.leave(at, &endpoint);
            at = endpoint.next;
            let (target, _) = self.endpoint(to, endpoint.method);
            self.absorb(target, &endpoint.state, limits);
        }
        self.nodes[from as usize].endpoints = NONE;
        let closed = self.nodes[from as usize].closed;
        let (value, rest) = (self.nodes[from as usize].value, self.nodes[from as usize].rest);
        for child in self.words_of(from) {
            let Token::Word(text, kind) = self.nodes[child as usize].token.clone() else { continue };
            let target = self.add(to, Token::Word(text, kind));
            if self.nodes[target as usize].token == Token::Value {
                let place = self.nodes[to as usize].depth as usize;
                self.note_place(child, place, kind);
            }
            self.merge_nodes(child, target, limits);
        }
        for (child, token) in [(value, Token::Value), (rest, Token::Rest)] {
            if child != NONE {
                let target = self.add(to, token);
                self.merge_nodes(child, target, limits);
            }
        }
        self.drop_node(from);
        self.mark_closed(to, closed, limits);
    }
}

/// Words that stay at a place that was closed.
fn kept(limits: &InventoryLimits) -> usize {
    limits.words_per_place / KEPT_OF_WORDS
}
