//! A place in a template, and what stands before it.

use std::collections::HashMap;

use super::evidence::Evidence;
use crate::inventory::tree::ROOT;

/// What stands before a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Parent {
    /// Nothing.
    #[default]
    Root,
    /// A literal, by its number.
    Literal(u32),
    /// A parameter.
    Parameter,
}

/// A place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) parent: Parent,
    /// What stands before the parent.
    pub(super) before: Parent,
    /// Segments before it.
    pub(super) depth: u32,
    /// Literals since the last parameter; 0 where there is none.
    pub(super) since: u32,
    /// Parameters before it.
    pub(super) parameters: u32,
    /// Number of the path so far.
    pub(super) key: u64,
    /// Proven raw nodes that are this place.
    pub(super) size: usize,
    /// Methods and exchanges that end here.
    pub(super) methods: u32,
    pub(super) calls: u64,
}

impl Place {
    /// The place below a literal of this one.
    pub(super) fn below_literal(&self, token: u32) -> Self {
        Self {
            parent: Parent::Literal(token),
            before: self.parent,
            depth: self.depth + 1,
            since: if self.parameters > 0 { self.since + 1 } else { 0 },
            parameters: self.parameters,
            key: self.mixed(u64::from(token) + 2),
            ..Self::default()
        }
    }

    /// The place below the parameter of this one.
    pub(super) fn below_parameter(&self) -> Self {
        Self {
            parent: Parent::Parameter,
            before: self.parent,
            depth: self.depth + 1,
            parameters: self.parameters + 1,
            key: self.mixed(1),
            ..Self::default()
        }
    }

    /// A number for this place and one more thing.
    pub(super) fn mixed(&self, with: u64) -> u64 {
        let wide = u128::from(self.key ^ with.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 0x517c_c1b7_2722_0a95_u128;
        (wide as u64) ^ (wide >> 64) as u64 ^ with
    }
}

/// Where else a word stands on this host.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// By word: the words it stands below, in number, and its nodes.
    pub(super) words: HashMap<u32, (u32, u32)>,
    pub(super) calls: u64,
    /// By a word and one that stands below it somewhere: how often, and their exchanges.
    pairs: HashMap<(u32, u32), (u32, u64)>,
    /// By word: what stands below it anywhere.
    families: HashMap<u32, Family>,
    /// By word: the depths at which it stands, as bits.
    depths: HashMap<u32, u64>,
}

/// What stands below a word, wherever it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Family {
    /// Raw nodes of the word.
    pub(super) nodes: f32,
    /// Different words below them, and how many of these were asked for once.
    pub(super) words: f32,
    pub(super) once: f32,
}

impl Host {
    pub(super) fn new(evidence: &Evidence<'_>) -> Self {
        let mut pairs = Vec::new();
        let mut words = HashMap::<u32, (u32, u32)>::new();
        let mut below = HashMap::<(u32, u32), (u32, u64)>::new();
        let mut families = HashMap::<u32, Family>::new();
        let mut depths = HashMap::<u32, u64>::new();
        for id in evidence.tree.below(ROOT) {
            let known = &evidence.nodes[id as usize];
            if known.kind != 3 && known.proven {
                let parent = evidence.tree.nodes[id as usize].parent;
                let parent = evidence.nodes[parent as usize].token;
                pairs.push((known.token, parent));
                words.entry(known.token).or_default().1 += 1;
                families.entry(known.token).or_default().nodes += 1.0;
                *depths.entry(known.token).or_default() |= 1 << evidence.tree.nodes[id as usize].depth.min(63);
                if parent != 0 {
                    let pair = below.entry((parent, known.token)).or_default();
                    *pair = (pair.0 + 1, pair.1 + known.calls);
                }
            }
        }
        for ((parent, _), (_, calls)) in &below {
            let family = families.entry(*parent).or_default();
            family.words += 1.0;
            family.once += f32::from(u8::from(*calls == 1));
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (word, _) in pairs {
            words.entry(word).or_default().0 += 1;
        }
        Self { words, calls: evidence.nodes[ROOT as usize].calls, pairs: below, families, depths }
    }

    /// What stands below a word anywhere, and how often, with how many exchanges, another does.
    pub(super) fn family(&self, parent: u32, token: u32) -> (Family, f32, f32) {
        let (nodes, calls) = self.pairs.get(&(parent, token)).copied().unwrap_or_default();
        (self.families.get(&parent).copied().unwrap_or_default(), nodes as f32, calls as f32)
    }

    /// At how many depths a word stands.
    pub(super) fn depths(&self, token: u32) -> f32 {
        self.depths.get(&token).map_or(0.0, |d| d.count_ones() as f32)
    }

    pub(super) fn parents(&self, token: u32) -> f32 {
        self.words.get(&token).map_or(0.0, |w| w.0 as f32)
    }

    pub(super) fn nodes(&self, token: u32) -> f32 {
        self.words.get(&token).map_or(0.0, |w| w.1 as f32)
    }
}

/// What the first pass thought, for the second.
#[derive(Debug, Default)]
pub(super) struct First {
    /// By word, and by the word before: sum of the odds, and how many.
    pub(super) words: HashMap<u32, (f32, f32)>,
    pub(super) parents: HashMap<u32, (f32, f32)>,
    /// By the word before and the word: the same.
    pub(super) pairs: HashMap<(u32, u32), (f32, f32)>,
    /// By place: its words, ascending, and what was thought of each.
    pub(super) places: HashMap<u64, Vec<(u32, f32)>>,
}

impl First {
    /// Notes what was thought of the words of a place, which come in ascending order.
    pub(super) fn note(&mut self, place: &Place, thoughts: Vec<(u32, f32)>) {
        for &(token, thought) in &thoughts {
            let word = self.words.entry(token).or_default();
            *word = (word.0 + thought, word.1 + 1.0);
            if let Parent::Literal(parent) = place.parent {
                let parent = self.parents.entry(parent).or_default();
                *parent = (parent.0 + thought, parent.1 + 1.0);
            }
            if let Parent::Literal(parent) = place.parent {
                let pair = self.pairs.entry((parent, token)).or_default();
                *pair = (pair.0 + thought, pair.1 + 1.0);
            }
        }
        self.places.insert(place.key, thoughts);
    }

    /// What was thought of a word elsewhere: the mean, and at how many places.
    pub(super) fn elsewhere(&self, place: &Place, token: u32) -> (f32, f32) {
        self.without(place, token, self.words.get(&token).copied().unwrap_or_default())
    }

    /// The same where the same word stands before it.
    pub(super) fn elsewhere_below(&self, place: &Place, token: u32) -> (f32, f32) {
        let Parent::Literal(parent) = place.parent else { return (-1.0, 0.0) };
        self.without(place, token, self.pairs.get(&(parent, token)).copied().unwrap_or_default())
    }

    /// A sum and a count without what was thought of a word at a place itself: the mean, and the count.
    fn without(&self, place: &Place, token: u32, (mut sum, mut count): (f32, f32)) -> (f32, f32) {
        let own = self.places.get(&place.key);
        if let Some((own, at)) = own.and_then(|own| Some((own, own.binary_search_by_key(&token, |o| o.0).ok()?))) {
            sum -= own[at].1;
            count -= 1.0;
        }
        if count > 0.5 { (sum / count, count) } else { (-1.0, count) }
    }
}
