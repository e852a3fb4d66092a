//! From a path straight to its endpoint.
//!
//! Takes the segments of a path and a method, gives the endpoint that was seen under just these, without following the tree:
//! among many endpoints each node on the way would have to come from memory. Each endpoint keeps its path as one text,
//! which is compared: a hash alone is never believed.

use hashbrown::HashTable;

use super::{Endpoint, EndpointId, NodeId, ROOT, Token, Tree, hash};
use crate::inventory::methods::MethodId;
use crate::observe::Segment;

/// What stands before a word, for a value and for a rest. No text that is kept has these bytes in it.
const WORD: u8 = b'/';
const VALUE: u8 = 0;
const REST: u8 = 1;

/// Bytes of a path that lie in the endpoint itself.
const SHORT: usize = 46;

/// The text of a path. Most are short and lie in the endpoint itself: one place in memory less to go to.
#[derive(Debug)]
pub(super) enum PathText {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl PathText {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for PathText {
    fn from(text: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text);
                Self::Short(text.len() as u8, bytes)
            }
            None => Self::Long(text.into()),
        }
    }
}

/// Endpoints by path and method. Only their numbers are here, so that the table stays in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct Index(HashTable<EndpointId>);

impl Index {
    pub(super) fn insert(&mut self, tag: u32, id: EndpointId, endpoints: &[Option<Endpoint>]) {
        let tag_of = |id: &EndpointId| endpoints.get(*id as usize).and_then(Option::as_ref).map_or(0, |e| e.tag);
        self.0.insert_unique(spread(tag), id, |id| spread(tag_of(id)));
    }

    pub(super) fn remove(&mut self, tag: u32, id: EndpointId) {
        if let Ok(entry) = self.0.find_entry(spread(tag), |other| *other == id) {
            entry.remove();
        }
    }
}

/// The table takes its place from the lower bits of a hash, and its marks from the upper seven.
#[inline]
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The text of a segment; with `fold` none also where it is a code.
#[inline]
fn text<'a>(segment: &Segment<'a>, fold: bool) -> &'a [u8] {
    if fold && segment.kind.is_code() { &[] } else { segment.text.as_bytes() }
}

#[inline]
fn tag(method: MethodId, texts: impl Iterator<Item = impl AsRef<[u8]>>) -> u32 {
    tag_of(texts.fold(u64::from(method), |h, text| hash(h, text.as_ref())))
}

#[inline]
fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Is `key` the text of a path?
#[inline]
fn is_path(mut key: &[u8], path: &[Segment<'_>], fold: bool) -> bool {
    for segment in path {
        let Some((&mark, rest)) = key.split_first() else { return false };
        let text = text(segment, fold);
        if text.is_empty() {
            if mark != VALUE {
                return false;
            }
            key = rest;
        } else {
            match rest.split_at_checked(text.len()) {
                Some((word, rest)) if mark == WORD && word == text => key = rest,
                _ => return false,
            }
        }
    }
    key.is_empty()
}

impl Tree {
    /// The endpoint of a path and method, with a bit for each segment that is a value. `None` also where the path leads to
    /// an endpoint by another way: a word that was folded, a rest that was not followed.
    #[inline]
    pub(in crate::inventory) fn lookup(
        &self,
        path: &[Segment<'_>],
        method: MethodId,
        caller: u64,
    ) -> Option<(EndpointId, u64)> {
        let places = |of: fn(&Segment<'_>) -> bool| {
            let of_path = path.iter().enumerate().filter(|(_, s)| of(s));
            of_path.fold(0_u64, |bits, (place, _)| bits | 1 << (place & 63))
        };
        let values = places(|s| s.text.is_empty());
        let codes = places(|s| s.kind.is_code() && !s.text.is_empty());
        // Mostly codes are folded soon, and all together.
        if codes != 0
            && path.len() <= 64
            && let Some(id) = self.probe(path, method, caller, codes)
        {
            return Some((id, values | codes));
        }
        Some((self.probe(path, method, caller, 0)?, values))
    }

    /// The endpoint of a path whose codes at some places are values: all codes, or none.
    #[inline]
    fn probe(&self, path: &[Segment<'_>], method: MethodId, caller: u64, codes: u64) -> Option<EndpointId> {
        let fold = codes != 0;
        let tag = tag(method, path.iter().map(|s| text(s, fold)));
        let is_it = |id: &EndpointId| {
            let Some(Some(endpoint)) = self.endpoints.get(*id as usize) else { return false };
            std::hint::black_box(endpoint.state.warm(caller));
            endpoint.tag == tag
                && endpoint.method == method
                && codes & !endpoint.codes == 0
                && is_path(endpoint.path.bytes(), path, fold)
        };
        self.index.0.find(spread(tag), is_it).copied()
    }

    /// Notes, for the endpoints at and below a node, that codes at a place are values.
    pub(super) fn codes_are_values(&mut self, id: NodeId, place: u32) {
        for node in self.below(id) {
            let mut at = self.nodes[node as usize].endpoints;
            while let Some(Some(endpoint)) = self.endpoints.get_mut(at as usize) {
                endpoint.codes |= 1_u64.checked_shl(place).unwrap_or(0);
                at = endpoint.next;
            }
        }
    }

    /// The tag and the text of the path to a node, and the places on it where codes are values.
    pub(super) fn key(&self, node: NodeId, method: MethodId) -> (u32, PathText, u64) {
        let mut way = Vec::with_capacity(self.nodes[node as usize].depth as usize);
        let mut at = node;
        while at != ROOT {
            way.push(at);
            at = self.nodes[at as usize].parent;
        }
        let (mut text, mut all, mut codes) = (Vec::with_capacity(64), u64::from(method), 0);
        for &id in way.iter().rev() {
            let node = &self.nodes[id as usize];
            let word = match &node.token {
                Token::Word(word, _) => word.as_bytes(),
                Token::Value | Token::Rest => &[],
            };
            text.push(match node.token {
                Token::Word(..) => WORD,
                Token::Value => VALUE,
                Token::Rest => REST,
            });
            text.extend_from_slice(word);
            all = hash(all, word);
            let place = &self.nodes[node.parent as usize];
            if place.closed.codes && node.token == Token::Value {
                codes |= 1_u64.checked_shl(place.depth).unwrap_or(0);
            }
        }
        (tag_of(all), text.as_slice().into(), codes)
    }
}
