//! The raw paths of one service, as a tree.
//!
//! Takes the segments of observed paths, gives the node and the endpoint they lead to. Words have a child each; all values
//! of a place share one. Nothing is judged here: templates are a view over this tree ([`learn`](super::learn)), so that a
//! judgement can change. Only where a place holds more words than its limit are they folded for good. Never grows without bound.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::state::EndpointState;
use crate::base::InventoryLimits;
use crate::observe::{Kind, Segment};

/// Number of a node; 0 is the root.
pub(super) type NodeId = u32;
/// Number of an endpoint.
pub(super) type EndpointId = u32;

pub(super) const ROOT: NodeId = 0;
/// No node, no endpoint.
pub(super) const NONE: u32 = u32::MAX;

/// Codes (slugs and small numbers) that may stand at one place before they are folded for good: they are likely
/// values, so less patience is spent on them than on words.
const CODES_PER_PLACE: u32 = 24;
/// Share of the words, those with the most exchanges, that stay when a place is folded for good.
const KEPT_OF_WORDS: usize = 4;

/// What leads from a node to its child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Token {
    /// A text that may be a literal.
    Word(Box<str>, Kind),
    /// Any value.
    Value,
    /// The rest of a path that was not followed to its end.
    Rest,
}

/// Which children of a node were folded for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) codes: bool,
    pub(super) words: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: NodeId,
    pub(super) token: Token,
    pub(super) depth: u32,
    pub(super) value: NodeId,
    pub(super) rest: NodeId,
    /// Head of the list of children that are words, and this node's neighbours in its parent's list.
    first_word: NodeId,
    next: NodeId,
    previous: NodeId,
    /// Head of the list of endpoints at this node.
    pub(super) endpoints: EndpointId,
    /// Proven children of kind [`Kind::Word`], and of other kinds that keep their text.
    words: u32,
    codes: u32,
    /// Did any exchange at or below it succeed?
    pub(super) proven: bool,
    pub(super) closed: Closed,
}

/// A method on a raw path.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) node: NodeId,
    pub(super) method: u16,
    pub(super) next: EndpointId,
    /// Is it in the list of changes?
    pub(super) changed: bool,
    /// Did any exchange succeed?
    pub(super) proven: bool,
    pub(super) state: EndpointState,
}

/// Where a path led.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) node: NodeId,
    /// A bit for each segment that is a value.
    pub(super) values: u64,
    /// Segments that were followed.
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    free_nodes: Vec<NodeId>,
    children: HashTable<NodeId>,
    pub(super) endpoints: Vec<Option<Endpoint>>,
    free_endpoints: Vec<EndpointId>,
    /// Endpoints whose record in the store is gone, by path and method.
    pub(super) gone: Vec<(Vec<Token>, u16)>,
    /// Endpoints that changed since the changes were last taken.
    pub(super) changed: Vec<EndpointId>,
    pub(super) unproven: usize,
    /// Nodes that have a proven child more than when they were last looked at.
    fuller: Vec<NodeId>,
}

/// A hash of a number and a text, for tables in memory.
#[inline]
pub(super) fn hash(parent: NodeId, text: &str) -> u64 {
    // FxHash's multiplier; text in steps of eight bytes, folded through 128 bits so that no bit is lost.
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |h: u64, w: u64| {
        let wide = u128::from(h ^ w) * u128::from(K);
        (wide as u64) ^ (wide >> 64) as u64
    };
    let (words, tail) = text.as_bytes().as_chunks::<8>();
    let mut h = u64::from(parent).wrapping_mul(K) ^ text.len() as u64;
    for word in words {
        h = mix(h, u64::from_le_bytes(*word));
    }
    let last = tail.iter().rev().fold(0, |w, b| w << 8 | u64::from(*b));
    mix(mix(h, last), K)
}

impl Node {
    fn new(parent: NodeId, token: Token, depth: u32) -> Self {
        Self {
            parent,
            token,
            depth,
            value: NONE,
            rest: NONE,
            first_word: NONE,
            next: NONE,
            previous: NONE,
            endpoints: NONE,
            words: 0,
            codes: 0,
            proven: false,
            closed: Closed::default(),
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new(NONE, Token::Rest, 0)],
            free_nodes: Vec::new(),
            children: HashTable::new(),
            endpoints: Vec::new(),
            free_endpoints: Vec::new(),
            gone: Vec::new(),
            changed: Vec::new(),
            unproven: 0,
            fuller: Vec::new(),
        }
    }

    /// Endpoints in all.
    pub(super) fn len(&self) -> usize {
        self.endpoints.len() - self.free_endpoints.len()
    }

    #[inline]
    pub(super) fn child(&self, parent: NodeId, text: &str) -> Option<NodeId> {
        let same = |id: &NodeId| {
            let node = &self.nodes[*id as usize];
            node.parent == parent && matches!(&node.token, Token::Word(word, _) if **word == *text)
        };
        self.children.find(hash(parent, text), same).copied()
    }

    /// Follows a path as far as it is known.
    #[inline]
    pub(super) fn follow(&self, path: &[Segment<'_>], limit: usize) -> Place {
        let mut place = Place { node: ROOT, values: 0, depth: 0 };
        for segment in path {
            let node = &self.nodes[place.node as usize];
            if place.depth >= limit {
                if node.rest != NONE {
                    place.node = node.rest;
                    place.depth = path.len();
                }
                return place;
            }
            let word = if segment.text.is_empty() { None } else { self.child(place.node, segment.text) };
            place.node = match word {
                Some(child) => child,
                None if node.value != NONE && (segment.text.is_empty() || node.closed.to(segment.kind)) => {
                    place.values |= 1 << (place.depth & 63);
                    node.value
                }
                None => return place,
            };
            place.depth += 1;
        }
        place
    }

    /// Follows a path to its end, growing the tree where it must.
    pub(super) fn grow(&mut self, path: &[Segment<'_>], limit: usize) -> Place {
        let mut place = self.follow(path, limit);
        while let Some(segment) = path.get(place.depth) {
            if place.depth >= limit {
                place.node = self.add(place.node, Token::Rest);
                place.depth = path.len();
                break;
            }
            let token =
                if segment.text.is_empty() { Token::Value } else { Token::Word(segment.text.into(), segment.kind) };
            place.node = self.add(place.node, token);
            if self.nodes[place.node as usize].token == Token::Value {
                place.values |= 1 << (place.depth & 63);
            }
            place.depth += 1;
        }
        place
    }

    /// The child of a node by a token, made where it is not there. A word at a place that was folded for good is a value.
    pub(super) fn add(&mut self, parent: NodeId, token: Token) -> NodeId {
        let (value, rest, closed) = {
            let p = &self.nodes[parent as usize];
            (p.value, p.rest, p.closed)
        };
        match token {
            Token::Value if value != NONE => value,
            Token::Rest if rest != NONE => rest,
            Token::Word(text, kind) => match self.child(parent, &text) {
                Some(child) => child,
                None if closed.to(kind) => self.add(parent, Token::Value),
                None => self.add_word(parent, text, kind),
            },
            Token::Value => {
                let id = self.new_node(parent, Token::Value);
                self.nodes[parent as usize].value = id;
                id
            }
            Token::Rest => {
                let id = self.new_node(parent, Token::Rest);
                self.nodes[parent as usize].rest = id;
                id
            }
        }
    }

    fn add_word(&mut self, parent: NodeId, text: Box<str>, kind: Kind) -> NodeId {
        let id = self.new_node(parent, Token::Word(text, kind));
        self.link(parent, id);
        id
    }

    fn new_node(&mut self, parent: NodeId, token: Token) -> NodeId {
        let node = Node::new(parent, token, self.nodes[parent as usize].depth + 1);
        match self.free_nodes.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as NodeId
            }
        }
    }

    fn word_hash(&self, id: NodeId) -> Option<u64> {
        let node = &self.nodes[id as usize];
        match &node.token {
            Token::Word(text, _) => Some(hash(node.parent, text)),
            _ => None,
        }
    }

    fn link(&mut self, parent: NodeId, id: NodeId) {
        if let Some(at) = self.word_hash(id) {
            let nodes = &self.nodes;
            self.children.insert_unique(at, id, |&id| match &nodes[id as usize].token {
                Token::Word(text, _) => hash(nodes[id as usize].parent, text),
                _ => 0,
            });
        }
        let p = &mut self.nodes[parent as usize];
        let next = std::mem::replace(&mut p.first_word, id);
        self.nodes[id as usize].next = next;
        if let Some(neighbour) = self.nodes.get_mut(next as usize) {
            neighbour.previous = id;
        }
    }

    fn unlink(&mut self, id: NodeId) {
        let Some(at) = self.word_hash(id) else { return };
        if let Ok(entry) = self.children.find_entry(at, |other| *other == id) {
            entry.remove();
        }
        let node = &self.nodes[id as usize];
        let (parent, word, proven) = (node.parent, matches!(node.token, Token::Word(_, Kind::Word)), node.proven);
        let (next, previous) = (node.next, node.previous);
        let p = &mut self.nodes[parent as usize];
        *if word { &mut p.words } else { &mut p.codes } -= u32::from(proven);
        if previous == NONE {
            p.first_word = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if let Some(neighbour) = self.nodes.get_mut(next as usize) {
            neighbour.previous = previous;
        }
    }

    /// Notes that an exchange at a node succeeded.
    fn prove(&mut self, mut id: NodeId) {
        while id != NONE && !self.nodes[id as usize].proven {
            let node = &mut self.nodes[id as usize];
            node.proven = true;
            let word = match node.token {
                Token::Word(_, kind) => Some(kind == Kind::Word),
                _ => None,
            };
            id = node.parent;
            if let (Some(word), Some(parent)) = (word, self.nodes.get_mut(id as usize)) {
                *if word { &mut parent.words } else { &mut parent.codes } += 1;
                self.fuller.push(id);
            }
        }
    }

    /// Folds what has become too much since the last time. Called at the end of each change, when no number of a node
    /// is held any more.
    pub(super) fn settle(&mut self, limits: &InventoryLimits) {
        while let Some(id) = self.fuller.pop() {
            let node = &self.nodes[id as usize];
            let codes = node.codes > CODES_PER_PLACE && !node.closed.codes;
            let words = node.words as usize > limits.words_per_place && !node.closed.words;
            if codes || words {
                self.close(id, codes, words, limits);
            }
        }
    }

    /// The children of a node that have a word of their own, by word.
    pub(super) fn words_of(&self, parent: NodeId) -> Vec<NodeId> {
        let mut words = Vec::new();
        let mut id = self.nodes[parent as usize].first_word;
        while id != NONE {
            words.push(id);
            id = self.nodes[id as usize].next;
        }
        words.sort_unstable_by(|a, b| self.nodes[*a as usize].token.cmp(&self.nodes[*b as usize].token));
        words
    }

    /// Folds codes, or words, or both for good. Of the words those with the most exchanges stay.
    fn close(&mut self, id: NodeId, codes: bool, words: bool, limits: &InventoryLimits) {
        let mut fold: Vec<NodeId> = Vec::new();
        let mut ranked: Vec<(u64, NodeId)> = Vec::new();
        for child in self.words_of(id) {
            match self.nodes[child as usize].token {
                Token::Word(_, Kind::Word) if words => ranked.push((u64::MAX - self.calls_below(child), child)),
                Token::Word(_, kind) if kind != Kind::Word && codes => fold.push(child),
                _ => {}
            }
        }
        // By exchanges, and of equals by text: `words_of` is in that order, and the sort is stable.
        ranked.sort_by_key(|(calls, _)| *calls);
        fold.extend(ranked.iter().skip(limits.words_per_place / KEPT_OF_WORDS).map(|(_, child)| *child));
        let closed = &mut self.nodes[id as usize].closed;
        closed.codes |= codes;
        closed.words |= words;
        self.fold(id, &fold, limits);
    }

    /// Marks a place as folded for good, as it is when read from the store or merged with one that was. Its codes are
    /// folded at once; of its words those stay that are there, as at a place that was closed for its words.
    pub(super) fn mark_closed(&mut self, id: NodeId, closed: Closed, limits: &InventoryLimits) {
        let node = &mut self.nodes[id as usize];
        node.closed.words |= closed.words;
        if closed.codes && !node.closed.codes {
            node.closed.codes = true;
            let is_code =
                |c: &NodeId| matches!(self.nodes[*c as usize].token, Token::Word(_, kind) if kind != Kind::Word);
            let codes: Vec<_> = self.words_of(id).into_iter().filter(is_code).collect();
            self.fold(id, &codes, limits);
        }
    }

    /// Folds some children of a node into its value child.
    pub(super) fn fold(&mut self, id: NodeId, children: &[NodeId], limits: &InventoryLimits) {
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
    pub(super) fn fold_live(&mut self, id: NodeId, children: &[NodeId], limits: &InventoryLimits) {
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
            self.free_endpoints.push(at);
            self.unproven -= usize::from(!endpoint.proven);
            at = endpoint.next;
            let (target, _) = self.endpoint(to, endpoint.method);
            self.absorb(target, &endpoint.state, limits);
        }
        self.nodes[from as usize].endpoints = NONE;
        let closed = self.nodes[from as usize].closed;
        self.mark_closed(to, closed, limits);
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
    }

    fn drop_node(&mut self, id: NodeId) {
        self.unlink(id);
        let (parent, token) =
            (self.nodes[id as usize].parent, std::mem::replace(&mut self.nodes[id as usize].token, Token::Rest));
        let p = &mut self.nodes[parent as usize];
        match token {
            Token::Value if p.value == id => p.value = NONE,
            Token::Rest if p.rest == id => p.rest = NONE,
            _ => {}
        }
        self.nodes[id as usize].parent = NONE;
        self.free_nodes.push(id);
    }

    /// Lets an endpoint go, and each node that then leads nowhere.
    pub(super) fn remove(&mut self, id: EndpointId) -> Option<Endpoint> {
        let endpoint = self.endpoints.get_mut(id as usize)?.take()?;
        self.free_endpoints.push(id);
        self.unproven -= usize::from(!endpoint.proven);
        let path = self.path(endpoint.node);
        self.gone.push((path, endpoint.method));
        let mut link = self.nodes[endpoint.node as usize].endpoints;
        if link == id {
            self.nodes[endpoint.node as usize].endpoints = endpoint.next;
        }
        while let Some(Some(other)) = self.endpoints.get_mut(link as usize) {
            if other.next == id {
                other.next = endpoint.next;
            }
            link = other.next;
        }
        let mut node = endpoint.node;
        while node != ROOT && self.is_bare(node) {
            let parent = self.nodes[node as usize].parent;
            self.drop_node(node);
            node = parent;
        }
        Some(endpoint)
    }

    fn is_bare(&self, id: NodeId) -> bool {
        let node = &self.nodes[id as usize];
        node.endpoints == NONE
            && node.value == NONE
            && node.rest == NONE
            && node.first_word == NONE
            && node.closed == Closed::default()
    }

    /// The endpoint of a method at a node, made where it is not there; says whether it was made.
    pub(super) fn endpoint(&mut self, node: NodeId, method: u16) -> (EndpointId, bool) {
        if let Some(id) = self.find(node, method) {
            return (id, false);
        }
        let next = self.nodes[node as usize].endpoints;
        let endpoint = Endpoint { node, method, next, changed: false, proven: false, state: EndpointState::default() };
        self.unproven += 1;
        let id = match self.free_endpoints.pop() {
            Some(id) => {
                self.endpoints[id as usize] = Some(endpoint);
                id
            }
            None => {
                self.endpoints.push(Some(endpoint));
                (self.endpoints.len() - 1) as EndpointId
            }
        };
        self.nodes[node as usize].endpoints = id;
        (id, true)
    }

    #[inline]
    pub(super) fn find(&self, node: NodeId, method: u16) -> Option<EndpointId> {
        let mut id = self.nodes[node as usize].endpoints;
        while let Some(Some(endpoint)) = self.endpoints.get(id as usize) {
            if endpoint.method == method {
                return Some(id);
            }
            id = endpoint.next;
        }
        None
    }

    /// Merges a state into an endpoint. Gives the facets let go.
    pub(super) fn absorb(&mut self, id: EndpointId, state: &EndpointState, limits: &InventoryLimits) -> u64 {
        let Some(Some(endpoint)) = self.endpoints.get_mut(id as usize) else { return 0 };
        let let_go = endpoint.state.merge(state, limits);
        if !endpoint.proven && endpoint.state.succeeded() > 0 {
            self.proven(id);
        }
        self.touch(id);
        let_go
    }

    /// Notes that an exchange of an endpoint succeeded.
    #[cold]
    pub(super) fn proven(&mut self, id: EndpointId) {
        if let Some(Some(endpoint)) = self.endpoints.get_mut(id as usize)
            && !endpoint.proven
        {
            endpoint.proven = true;
            self.unproven -= 1;
            let node = endpoint.node;
            self.prove(node);
        }
    }

    /// Puts an endpoint on the list of changes.
    #[inline]
    pub(super) fn touch(&mut self, id: EndpointId) {
        if let Some(Some(endpoint)) = self.endpoints.get_mut(id as usize)
            && !endpoint.changed
        {
            endpoint.changed = true;
            self.changed.push(id);
        }
    }

    /// Forgets what changed: it is in the store already.
    pub(super) fn forget_changes(&mut self) {
        self.gone.clear();
        for id in std::mem::take(&mut self.changed) {
            if let Some(Some(endpoint)) = self.endpoints.get_mut(id as usize) {
                endpoint.changed = false;
            }
        }
    }

    /// The tokens from the root to a node.
    pub(super) fn path(&self, mut id: NodeId) -> Vec<Token> {
        let mut path = Vec::with_capacity(self.nodes[id as usize].depth as usize);
        while id != ROOT {
            let node = &self.nodes[id as usize];
            path.push(node.token.clone());
            id = node.parent;
        }
        path.reverse();
        path
    }

    /// A node and all below it.
    pub(super) fn below(&self, id: NodeId) -> Vec<NodeId> {
        let mut all = vec![id];
        let mut at = 0;
        while let Some(&node) = all.get(at) {
            let n = &self.nodes[node as usize];
            all.extend([n.value, n.rest].into_iter().filter(|c| *c != NONE));
            all.extend(self.words_of(node));
            at += 1;
        }
        all
    }

    fn calls_below(&self, id: NodeId) -> u64 {
        self.below(id).into_iter().map(|n| self.endpoints_at(n).map(|e| e.state.calls).sum::<u64>()).sum()
    }

    /// The numbers of the endpoints at a node.
    pub(super) fn ids_at(&self, id: NodeId) -> Vec<EndpointId> {
        let mut ids = Vec::new();
        let mut at = self.nodes[id as usize].endpoints;
        while let Some(Some(endpoint)) = self.endpoints.get(at as usize) {
            ids.push(at);
            at = endpoint.next;
        }
        ids
    }

    /// The endpoints at a node.
    pub(super) fn endpoints_at(&self, id: NodeId) -> impl Iterator<Item = &Endpoint> {
        let mut at = self.nodes[id as usize].endpoints;
        std::iter::from_fn(move || {
            let endpoint = self.endpoints.get(at as usize)?.as_ref()?;
            at = endpoint.next;
            Some(endpoint)
        })
    }
}

impl Closed {
    /// Is a word of this kind at such a place a value?
    #[inline]
    pub(super) fn to(self, kind: Kind) -> bool {
        if kind == Kind::Word { self.words } else { self.codes }
    }
}
