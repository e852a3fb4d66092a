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
}

impl Host {
    pub(super) fn new(evidence: &Evidence<'_>) -> Self {
        let mut pairs = Vec::new();
        let mut words = HashMap::<u32, (u32, u32)>::new();
        for id in evidence.tree.below(ROOT) {
            let known = &evidence.nodes[id as usize];
            if known.kind < 3 && known.proven {
                let parent = evidence.tree.nodes[id as usize].parent;
                pairs.push((known.token, evidence.nodes[parent as usize].token));
                words.entry(known.token).or_default().1 += 1;
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (word, _) in pairs {
            words.entry(word).or_default().0 += 1;
        }
        Self { words, calls: evidence.nodes[ROOT as usize].calls }
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
        }
        self.places.insert(place.key, thoughts);
    }

    /// What was thought of a word elsewhere: the mean, and at how many places.
    pub(super) fn elsewhere(&self, place: &Place, token: u32) -> (f32, f32) {
        let (mut sum, mut count) = self.words.get(&token).copied().unwrap_or_default();
        let own = self.places.get(&place.key);
        if let Some((own, at)) = own.and_then(|own| Some((own, own.binary_search_by_key(&token, |o| o.0).ok()?))) {
            sum -= own[at].1;
            count -= 1.0;
        }
        if count > 0.5 { (sum / count, count) } else { (-1.0, count) }
    }
}
