//! Where the flows lie, and the lists that keep them in order of activity.
//!
//! Takes flows, gives them by slot number; unlinks and links in constant time. Never iterates over more than it is
//! asked for and never moves a flow, so that a slot number stays good until the flow is removed.

use std::ops::{Index, IndexMut};

use super::flow::{Flow, List, NONE};
use crate::base::Timestamp;

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// All flows, in slots.
pub(super) struct Flows<S> {
    slots: Vec<Flow<S>>,
    free: Vec<u32>,
    ends: [Ends; 3],
    counts: [usize; 3],
}

impl<S> Index<u32> for Flows<S> {
    type Output = Flow<S>;

    #[inline(always)]
    fn index(&self, slot: u32) -> &Flow<S> {
        &self.slots[slot as usize]
    }
}

impl<S> IndexMut<u32> for Flows<S> {
    #[inline(always)]
    fn index_mut(&mut self, slot: u32) -> &mut Flow<S> {
        &mut self.slots[slot as usize]
    }
}

impl<S> Flows<S> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), ends: [Ends { first: NONE, last: NONE }; 3], counts: [0; 3] }
    }

    /// How many are on a list.
    pub(super) fn count(&self, list: List) -> usize {
        self.counts[list as usize]
    }

    /// The one of a list that has been silent for longest.
    pub(super) fn first(&self, list: List) -> Option<u32> {
        let slot = self.ends[list as usize].first;
        (slot != NONE).then_some(slot)
    }

    /// Adds a flow at the end of the list that it names.
    pub(super) fn insert(&mut self, flow: Flow<S>) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = flow;
                slot
            }
            None => {
                self.slots.push(flow);
                self.slots.len() as u32 - 1
            }
        };
        self.link(slot);
        slot
    }

    /// Takes a flow off its list and frees its slot. It must have been closed.
    pub(super) fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        self.free.push(slot);
    }

    /// Puts a flow at the end of a list.
    pub(super) fn renew(&mut self, slot: u32, list: List, now: Timestamp) {
        self.unlink(slot);
        let flow = &mut self[slot];
        flow.list = list;
        flow.touched = now;
        self.link(slot);
    }

    /// The slots of all flows, in order of appearance.
    pub(super) fn all(&self) -> Vec<u32> {
        let mut slots = Vec::with_capacity(self.counts.iter().sum());
        for ends in self.ends {
            let mut at = ends.first;
            while at != NONE {
                slots.push(at);
                at = self[at].behind;
            }
        }
        slots.sort_unstable_by_key(|&slot| self[slot].connection.id);
        slots
    }

    fn link(&mut self, slot: u32) {
        let list = self[slot].list as usize;
        let last = self.ends[list].last;
        let flow = &mut self[slot];
        flow.before = last;
        flow.behind = NONE;
        match last {
            NONE => self.ends[list].first = slot,
            _ => self[last].behind = slot,
        }
        self.ends[list].last = slot;
        self.counts[list] += 1;
    }

    fn unlink(&mut self, slot: u32) {
        let Flow { before, behind, list, .. } = self[slot];
        let list = list as usize;
        match before {
            NONE => self.ends[list].first = behind,
            _ => self[before].behind = behind,
        }
        match behind {
            NONE => self.ends[list].last = before,
            _ => self[behind].before = before,
        }
        self.counts[list] -= 1;
    }
}
