//! Literal or value?
//!
//! Takes the words at one place of a path, with what lies below each, gives how likely each is a value: what the model says,
//! set right by a few [rules](super::rules) where the answer is known. Two passes: what is thought of a word at one place bears on
//! what is thought of it at another, so that what is rare borrows from what is not. Never looks at single requests: counts and
//! structure only.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use super::child::Child;
use super::evidence::Evidence;
use super::features::{self, Row, Source};
use super::forest::Model;
use super::named::Named;
use super::place::{First, Host, Place};
use super::rules::Words;
use super::training::Teacher;
use super::verdict::Verdict;

/// The same each time, so that the same is thought each time.
const SEED: FixedState = FixedState::with_seed(1);

/// The judge of one service.
pub(super) struct Judge<'a> {
    source: Source<'a>,
    /// What the first pass thinks; filled by it, read by the second.
    pub(super) first: First,
    /// The same by the features themselves: most words have in the second pass those that they had in the first.
    thought: HashMap<u64, f32>,
    second: bool,
    /// What bodies named.
    pub(super) named: Option<Named<'a>>,
    /// Only while rows to train on are made.
    pub(super) teacher: Option<Teacher>,
    pub(super) names: Vec<&'static str>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(evidence: &'a Evidence<'a>, host: &'a Host) -> Self {
        Self::with(evidence, host, Model::get())
    }

    pub(super) fn with(evidence: &'a Evidence<'a>, host: &'a Host, model: &'a Model) -> Self {
        let source = Source { evidence, host, model };
        Self {
            source,
            first: First::default(),
            thought: HashMap::new(),
            second: false,
            named: None,
            teacher: None,
            names: Vec::new(),
        }
    }

    /// From here on, what was thought so far is the first pass.
    pub(super) fn begin_second(&mut self) {
        self.second = true;
    }

    /// What is thought of each word of a place. `value`: what stands beside them as values by form.
    pub(super) fn judge(&mut self, place: &Place, children: &[Child], value: Option<&Child>) -> Vec<Verdict> {
        if children.is_empty() {
            return Vec::new();
        }
        let model = self.source.model;
        let mut rows = features::rows(&self.source, place, children, value, self.teacher.is_some());
        let thoughts: Vec<f32> = rows.iter().map(|row| self.think(row)).collect();
        if self.second {
            features::add_first(&mut rows, &self.first, &thoughts, place, children);
        }
        if self.teacher.is_some() {
            return self.learn_from(children, rows).into_iter().map(Verdict::of_traffic).collect();
        }
        let found = self.named.and_then(|named| named.at(&self.source, place, children));
        let thoughts: Vec<f32> = if self.second {
            rows.iter().map(|row| model.second.judge(row.values())).collect()
        } else {
            // What bodies say of a word here bears on it elsewhere, too.
            let weighed = |(at, thought): (usize, f32)| found.as_ref().map_or(thought, |f| f.weigh(at, thought));
            let thoughts: Vec<f32> = thoughts.into_iter().enumerate().map(weighed).collect();
            self.first.note(place, children.iter().map(|c| c.token).zip(thoughts.iter().copied()).collect());
            thoughts
        };
        let mut verdicts: Vec<_> = thoughts.into_iter().map(Verdict::of_traffic).collect();
        Words { evidence: self.source.evidence, model, place, children, value }.set_right(&mut verdicts);
        if let Some(found) = found {
            found.set_right(&mut verdicts, self.second);
        }
        verdicts
    }

    fn think(&mut self, row: &Row) -> f32 {
        let model = self.source.model;
        let mut hasher = SEED.build_hasher();
        row.filled().iter().for_each(|value| hasher.write_u32(value.to_bits()));
        *self.thought.entry(hasher.finish()).or_insert_with(|| model.first.judge(row.values()))
    }

    fn learn_from(&mut self, children: &[Child], rows: Vec<Row>) -> Vec<f32> {
        if let Some(row) = rows.first() {
            self.names = row.names().to_vec();
        }
        let words: Vec<_> = children.iter().zip(rows).map(|(c, row)| (&c.nodes[..], row.filled().to_vec())).collect();
        self.teacher.as_mut().map(|teacher| teacher.teach(&words)).unwrap_or_default()
    }
}
