//! The raw paths of one service, as a tree.
//!
//! Takes the segments of observed paths, gives the node and the endpoint they lead to. Words have a child each; all values
//! of a place share one. Nothing is judged here: templates are a view over this tree ([`learn`](super::learn)), so that a
//! judgement can change. Only where a place holds more words than its limit are they folded for good. Never grows without bound.

mod fold;
mod index;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::methods::{self, MethodId};
use super::state::EndpointState;
use crate::base::InventoryLimits;
use crate::observe::{Kind, Segment};
use index::{Index, PathText};

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
/// Share of the words that stay when a place is folded for good.
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

impl Token {
    /// Among which children it is counted that may be too many: words, or codes.
    fn counts_as_word(&self) -> Option<bool> {
        match self {
            Self::Word(_, Kind::Name) | Self::Value | Self::Rest => None,
            Self::Word(_, kind) => Some(*kind == Kind::Word),
        }
    }
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
    /// Proven children of kind [`Kind::Word`], and of other kinds that keep their text; names of a protocol are in neither.
    words: u32,
    codes: u32,
    /// Did any exchange at or below it succeed?
    pub(super) proven: bool,
    pub(super) closed: Closed,
    /// Rank from which on a word is a value, where the place was closed for words.
    bar: u64,
}

/// A method on a raw path.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) node: NodeId,
    pub(super) method: MethodId,
    pub(super) next: EndpointId,
    /// Is it in the list of changes?
    pub(super) changed: bool,
    /// Did any exchange succeed?
    pub(super) proven: bool,
    /// Its place in the index, and the text of its path there.
    tag: u32,
    path: PathText,
    /// Places of its path where any code is a value.
    codes: u64,
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
    index: Index,
    pub(super) endpoints: Vec<Option<Endpoint>>,
    free_endpoints: Vec<EndpointId>,
    /// Endpoints whose record in the store is gone, by path and method.
    pub(super) gone: Vec<(Vec<Token>, MethodId)>,
    /// Endpoints that changed since the changes were last taken.
    pub(super) changed: Vec<EndpointId>,
    pub(super) unproven: usize,
    /// Endpoints that have an operation beside their method.
    pub(super) operations: usize,
    /// Goes up with each change that templates may follow: endpoints that come, go, succeed for the first time, places that close.
    pub(super) version: u64,
    /// Nodes that have a proven child more than when they were last looked at.
    fuller: Vec<NodeId>,
}

/// A hash of a number and a text, for tables in memory.
#[inline]
pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    // FxHash's multiplier; text in steps of eight bytes, folded through 128 bits so that no bit is lost.
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |h: u64, w: u64| {
        let wide = u128::from(h ^ w) * u128::from(K);
        (wide as u64) ^ (wide >> 64) as u64
    };
    let mut h = seed.wrapping_mul(K) ^ text.len() as u64;
    for word in text.as_chunks::<8>().0 {
        h = mix(h, u64::from_le_bytes(*word));
    }
    // What is left is read together with what comes before it: one step, not one for each byte.
    let last = match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*last)) << 32 | u64::from(u32::from_le_bytes(*first))
        }
        _ => text.iter().fold(0, |w, b| w << 8 | u64::from(*b)),
    };
    mix(mix(h, last), K)
}

#[inline]
fn word_hash(parent: NodeId, text: &str) -> u64 {
    hash(u64::from(parent), text.as_bytes())
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
            bar: 0,
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new(NONE, Token::Rest, 0)],
            free_nodes: Vec::new(),
            children: HashTable::new(),
            index: Index::default(),
            endpoints: Vec::new(),
            free_endpoints: Vec::new(),
            gone: Vec::new(),
            changed: Vec::new(),
            unproven: 0,
            operations: 0,
            version: 0,
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
        self.children.find(word_hash(parent, text), same).copied()
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
                None if node.value != NONE && (segment.text.is_empty() || node.folds(segment.text, segment.kind)) => {
                    place.values |= 1 << (place.depth & 63);
                    node.value
                }
                None => return place,
            };
            place.depth += 1;
        }
        place
    }

    /// The endpoint that a path leads to, step by step, with a bit for each segment that is a value.
    #[inline]
    pub(super) fn reach(&self, path: &[Segment<'_>], method: MethodId, limit: usize) -> Option<(EndpointId, u64)> {
        let place = self.follow(path, limit);
        let id = if place.depth == path.len() { self.find(place.node, method)? } else { return None };
        Some((id, place.values))
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
        let (value, rest) = {
            let p = &self.nodes[parent as usize];
            (p.value, p.rest)
        };
        match token {
            Token::Value if value != NONE => value,
            Token::Rest if rest != NONE => rest,
            Token::Word(text, kind) => match self.child(parent, &text) {
                Some(child) => child,
                None if self.nodes[parent as usize].folds(&text, kind) => self.add(parent, Token::Value),
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
            Token::Word(text, _) => Some(word_hash(node.parent, text)),
            _ => None,
        }
    }

    fn link(&mut self, parent: NodeId, id: NodeId) {
        if let Some(at) = self.word_hash(id) {
            let nodes = &self.nodes;
            self.children.insert_unique(at, id, |&id| match &nodes[id as usize].token {
                Token::Word(text, _) => word_hash(nodes[id as usize].parent, text),
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
        let (parent, proven) = (node.parent, node.proven);
        let word = node.token.counts_as_word();
        let (next, previous) = (node.next, node.previous);
        let p = &mut self.nodes[parent as usize];
        if let Some(word) = word {
            *if word { &mut p.words } else { &mut p.codes } -= u32::from(proven);
        }
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
            let word = node.token.counts_as_word();
            id = node.parent;
            if let (Some(word), Some(parent)) = (word, self.nodes.get_mut(id as usize)) {
                *if word { &mut parent.words } else { &mut parent.codes } += 1;
                self.fuller.push(id);
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
        self.leave(id, &endpoint);
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

    /// Forgets an endpoint that was taken out of the list.
    fn leave(&mut self, id: EndpointId, endpoint: &Endpoint) {
        self.free_endpoints.push(id);
        self.version += 1;
        self.unproven -= usize::from(!endpoint.proven);
        self.operations -= usize::from(methods::operation(endpoint.method) != 0);
        self.index.remove(endpoint.tag, id);
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
    pub(super) fn endpoint(&mut self, node: NodeId, method: MethodId) -> (EndpointId, bool) {
        if let Some(id) = self.find(node, method) {
            return (id, false);
        }
        let next = self.nodes[node as usize].endpoints;
        let (tag, path, codes) = self.key(node, method);
        let state = EndpointState::default();
        let endpoint = Endpoint { node, method, next, changed: false, proven: false, tag, path, codes, state };
        self.unproven += 1;
        self.operations += usize::from(methods::operation(method) != 0);
        self.version += 1;
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
        self.index.insert(tag, id, &self.endpoints);
        (id, true)
    }

    #[inline]
    pub(super) fn find(&self, node: NodeId, method: MethodId) -> Option<EndpointId> {
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
            self.version += 1;
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
