//! Templates, compiled for looking up while traffic runs.
//!
//! Takes what was learnt of a service, gives a table that never changes: from method and path to the template, and the places of
//! its parameters. Words before values, going back where the way by a word ends nowhere; what a document has was put where it
//! belongs when the table was made. Never allocates, locks or counts, and never knows what came after it was made.

mod compile;

use std::sync::Arc;

use hashbrown::HashTable;

use super::methods::{MethodId, Methods};
use super::tree::NONE;
use super::{hash, tree};
use crate::base::Timestamp;
use crate::observe::glue::BEFORE;
use crate::observe::{Kind, Observation, Scheme, Segment, ServiceKey};

pub(super) use compile::compile;

/// Segments of a path at most, as many as an observation has.
const DEPTH: usize = 64;
/// Ways that are gone back before a path is given up: no real API needs more than two.
const WAYS_BACK: u32 = 64;
/// Bytes of a word that lie in the table itself.
const SHORT: usize = 23;
/// Stands for the length of a word that does not.
const LONG: u8 = u8::MAX;
/// Longest word that is looked for in lower case, too.
const FOLDED: usize = 64;
/// What is known to be none of the templates.
const PROBE: u32 = NONE - 1;

/// A template as capture threads know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Number of its endpoint: that of `ep-…`.
    pub id: u64,
    /// The method.
    pub method: Box<str>,
    /// The template's text.
    pub template: Box<str>,
    /// Is it a document's?
    pub documented: bool,
    /// When the first of its exchanges began.
    pub first_seen: Timestamp,
    /// Exchanges that were counted for it when the table was made: whether it is known well enough.
    pub calls: u64,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed<'a> {
    /// Its endpoint.
    pub known: &'a Known,
    /// Number of the template among those of its service.
    pub number: u32,
    /// A bit for each segment that is a parameter's.
    pub parameters: u64,
    /// The way by its words ended nowhere, so that a word stands for a value here: once it was counted it may well be an
    /// endpoint of its own.
    pub detour: bool,
}

/// A place in the templates.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Where any value leads; where any ending of the segment before does.
    value: u32,
    ending: u32,
    /// First of the templates that end here, and of those that take any rest; how many of each.
    ends: u32,
    ended: u16,
    rests: u16,
    /// Nothing else is looked for once a path has come here.
    ignored: bool,
    /// Only what has the form of a value is one here.
    strict: bool,
}

/// A word that leads from one place to another.
#[derive(Clone, Copy, Debug)]
struct Edge {
    from: u32,
    to: u32,
    len: u8,
    /// The word, or where it lies among the long ones.
    text: [u8; SHORT],
}

/// The templates of one service.
#[derive(Debug)]
pub struct Router {
    states: Box<[State]>,
    /// A power of two of them, at most half in use; a word lies at its hash or, without a gap, behind it.
    edges: Box<[Edge]>,
    /// Words too long for an edge.
    long: Box<str>,
    /// Methods and templates that the states point at.
    ends: Box<[(MethodId, u32)]>,
    /// Where single paths stand that go another way than their neighbours.
    exceptions: Option<u32>,
    templates: Box<[Known]>,
}

/// What a walk ended with.
enum Walked {
    Nowhere,
    At { number: u32, parameters: u64, detour: bool },
}

impl Router {
    /// Its templates, by number.
    pub(super) fn templates(&self) -> &[Known] {
        &self.templates
    }

    fn route(&self, method: MethodId, path: &[Segment<'_>]) -> Option<Routed<'_>> {
        let exception = self.exceptions.map(|root| self.walk(root, method, path));
        let walked = match exception {
            Some(found @ Walked::At { .. }) => found,
            _ => self.walk(0, method, path),
        };
        let Walked::At { number, parameters, detour } = walked else { return None };
        Some(Routed { known: self.templates.get(number as usize)?, number, parameters, detour })
    }

    /// Follows a path from a root to where it ends.
    #[inline]
    fn walk(&self, root: u32, method: MethodId, path: &[Segment<'_>]) -> Walked {
        if path.len() > DEPTH {
            return Walked::Nowhere;
        }
        let mut way = [NONE; DEPTH + 1];
        // By depth: where a value may be tried yet, where the rest of the path, where a value was taken.
        let (mut values, mut rests, mut taken) = (0_u64, 0_u64, 0_u64);
        let (mut at, mut depth, mut back) = (root, 0, 0);
        loop {
            let Some(state) = self.states.get(at as usize) else { return Walked::Nowhere };
            if state.ignored {
                return Walked::At { number: PROBE, parameters: 0, detour: back > 0 };
            }
            let next = match path.get(depth) {
                None => {
                    if let Some(number) = self.end(state, method) {
                        return Walked::At { number, parameters: taken, detour: back > 0 };
                    }
                    NONE
                }
                Some(segment) => {
                    way[depth] = at;
                    let bit = 1 << depth;
                    if state.rests > 0 {
                        rests |= bit;
                    }
                    let (next, by_value) = self.step(at, state, segment);
                    taken = if by_value { taken | bit } else { taken & !bit };
                    if !by_value && next != NONE && state.value != NONE && may_be_value(state, segment) {
                        values |= bit;
                    }
                    next
                }
            };
            if next != NONE {
                (at, depth) = (next, depth + 1);
                continue;
            }
            // The deepest place with another way, a value before a rest.
            let open = values | rests;
            if open == 0 || back >= WAYS_BACK {
                return Walked::Nowhere;
            }
            back += 1;
            depth = open.ilog2() as usize;
            let bit = 1_u64 << depth;
            taken &= bit - 1;
            let Some(state) = way.get(depth).and_then(|at| self.states.get(*at as usize)) else {
                return Walked::Nowhere;
            };
            if values & bit != 0 {
                values &= !bit;
                taken |= bit;
                (at, depth) = (state.value, depth + 1);
                continue;
            }
            rests &= !bit;
            if let Some(number) = self.rest(state, method) {
                let all = 1_u64.checked_shl(path.len() as u32).map_or(u64::MAX, |end| end - 1);
                // That the rest is taken where nothing is known below is no detour: it is what such a template is for.
                return Walked::At { number, parameters: taken | (all & !(bit - 1)), detour: false };
            }
        }
    }

    /// Where a segment leads, and whether as a value.
    #[inline]
    fn step(&self, at: u32, state: &State, segment: &Segment<'_>) -> (u32, bool) {
        if segment.text.is_empty() {
            return (state.value, true);
        }
        let text = segment.text.as_bytes();
        let next = self.edge(at, text);
        if next != NONE {
            return (next, false);
        }
        let next = self.edge_in_lower_case(at, state, text);
        if next != NONE {
            return (next, false);
        }
        if segment.text.starts_with(BEFORE) {
            return (state.ending, true);
        }
        (if may_be_value(state, segment) { state.value } else { NONE }, true)
    }

    #[inline]
    fn edge(&self, from: u32, text: &[u8]) -> u32 {
        let mask = self.edges.len().wrapping_sub(1);
        let mut slot = tree::hash(u64::from(from), text) as usize & mask;
        while let Some(edge) = self.edges.get(slot)
            && edge.from != NONE
        {
            if edge.from == from && self.is_text(edge, text) {
                return edge.to;
            }
            slot = (slot + 1) & mask;
        }
        NONE
    }

    #[inline]
    fn is_text(&self, edge: &Edge, text: &[u8]) -> bool {
        if edge.len != LONG {
            return edge.text.get(..usize::from(edge.len)) == Some(text);
        }
        let [a, b, c, d, e, f, g, h, ..] = edge.text;
        let (start, end) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
        self.long.as_bytes().get(start..end) == Some(text)
    }

    /// Spellings of a word are one place.
    #[inline]
    fn edge_in_lower_case(&self, from: u32, state: &State, text: &[u8]) -> u32 {
        if state.strict || !text.iter().any(u8::is_ascii_uppercase) {
            return NONE;
        }
        let mut lower = [0; FOLDED];
        let Some(lower) = lower.get_mut(..text.len()) else { return NONE };
        lower.copy_from_slice(text);
        lower.make_ascii_lowercase();
        self.edge(from, lower)
    }

    #[inline]
    fn end(&self, state: &State, method: MethodId) -> Option<u32> {
        let from = state.ends as usize;
        of_method(self.ends.get(from..from + usize::from(state.ended))?, method)
    }

    #[inline]
    fn rest(&self, state: &State, method: MethodId) -> Option<u32> {
        let from = state.ends as usize + usize::from(state.ended);
        of_method(self.ends.get(from..from + usize::from(state.rests))?, method)
    }
}

#[inline]
fn of_method(ends: &[(MethodId, u32)], method: MethodId) -> Option<u32> {
    ends.iter().find(|(of, _)| *of == method).map(|(_, number)| *number)
}

/// May a word that leads nowhere be a value? A name of the protocol's never is one.
#[inline]
fn may_be_value(state: &State, segment: &Segment<'_>) -> bool {
    !state.strict && segment.kind != Kind::Name && !segment.text.starts_with(BEFORE)
}

/// A service, and its templates.
#[derive(Debug)]
struct Served {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    router: Arc<Router>,
}

impl Served {
    fn key(&self) -> ServiceKey<'_> {
        ServiceKey { scheme: self.scheme, host: &self.host, port: self.port }
    }
}

/// The templates of all services, as they were at one moment.
#[derive(Debug)]
pub struct Routers {
    services: Vec<Served>,
    index: HashTable<u32>,
    methods: Methods,
    generation: u64,
}

impl Default for Routers {
    fn default() -> Self {
        Self { services: Vec::new(), index: HashTable::new(), methods: Methods::new(), generation: 0 }
    }
}

impl Routers {
    pub(super) fn new(methods: &Methods, generation: u64) -> Self {
        Self { methods: methods.clone(), generation, ..Self::default() }
    }

    pub(super) fn add(&mut self, key: &ServiceKey<'_>, router: Arc<Router>) {
        let served = Served { scheme: key.scheme, host: key.host.into(), port: key.port, router };
        let number = self.services.len() as u32;
        self.services.push(served);
        let services = &self.services;
        self.index.insert_unique(hash(key), number, |n| hash(&services[*n as usize].key()));
    }

    /// Which of those that were made of one inventory it is; later ones have higher numbers.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Templates in all.
    pub fn templates(&self) -> usize {
        self.services.iter().map(|s| s.router.templates.len()).sum()
    }

    /// Where a request goes; `None` for a probe and for what was not known when this was made.
    #[inline]
    pub fn route(&self, o: &Observation<'_>) -> Option<Routed<'_>> {
        self.route_path(&o.service, o.method, o.path)
    }

    /// The same of a service, a method and a path.
    #[inline]
    pub fn route_path(&self, key: &ServiceKey<'_>, method: &str, path: &[Segment<'_>]) -> Option<Routed<'_>> {
        let same = |n: &u32| self.services.get(*n as usize).is_some_and(|s| s.key() == *key);
        let number = *self.index.find(hash(key), same)?;
        let method = self.methods.known(method, "")?;
        self.services.get(number as usize)?.router.route(method, path)
    }
}

#[cfg(test)]
mod tests;
