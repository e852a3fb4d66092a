//! Exchanges in order of request, though they end in another.
//!
//! Takes exchanges as they begin and end, gives each once, in the order in which they began. What is still open holds
//! back what began later, up to [`Bounds`]: beyond `exchanges`, the oldest open one gives up its place and follows when
//! it ends; beyond `bytes`, the oldest open ones are given as they are, since memory is not endless.

use std::collections::{BTreeMap, VecDeque};

/// How much may be held back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Exchanges behind an open one.
    pub(super) exchanges: usize,
    /// Bytes of all that is held.
    pub(super) bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        // An exchange takes some 300 bytes: 65,536 of them are 20 MB, and a quarter of a gigabyte is what a targets-of-64-KB
        // attack may cost.
        Self { exchanges: 65_536, bytes: 256 << 20 }
    }
}

/// One that is held.
#[derive(Debug)]
struct Held<T> {
    value: T,
    weight: usize,
    done: bool,
}

/// How a value leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// In its place.
    InOrder,
    /// After some that began later.
    Late,
    /// Before it ended: memory ran out.
    Unfinished,
}

/// The window.
#[derive(Debug)]
pub(super) struct Window<T> {
    bounds: Bounds,
    /// Number of the first entry of `held`.
    first: u64,
    held: VecDeque<Option<Held<T>>>,
    /// Gave up their places.
    late: BTreeMap<u64, Held<T>>,
    bytes: usize,
}

impl<T> Window<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, first: 0, held: VecDeque::new(), late: BTreeMap::new(), bytes: 0 }
    }

    /// One begins; its number is how to find it again. `out` takes what has to leave for it.
    pub(super) fn begin(&mut self, value: T, weight: usize, out: &mut impl FnMut(T, Leaves)) -> u64 {
        let number = self.first + self.held.len() as u64;
        self.bytes += weight;
        self.held.push_back(Some(Held { value, weight, done: false }));
        while self.held.len() > self.bounds.exchanges {
            // The front one is open, else it would have left.
            if let Some(Some(front)) = self.held.pop_front() {
                self.late.insert(self.first, front);
            }
            self.first += 1;
            self.drain(out);
        }
        while self.bytes > self.bounds.bytes {
            let oldest = match self.late.pop_first() {
                Some((_, held)) => Some(held),
                None => {
                    self.first += u64::from(!self.held.is_empty());
                    self.held.pop_front().flatten()
                }
            };
            let Some(held) = oldest else { break };
            self.bytes -= held.weight;
            out(held.value, Leaves::Unfinished);
            self.drain(out);
        }
        number
    }

    /// One that began and has not left.
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        match number.checked_sub(self.first) {
            Some(at) => self.held.get(usize::try_from(at).ok()?)?.as_ref().map(|h| &h.value),
            None => self.late.get(&number).map(|h| &h.value),
        }
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match number.checked_sub(self.first) {
            Some(at) => self.held.get_mut(usize::try_from(at).ok()?)?.as_mut().map(|h| &mut h.value),
            None => self.late.get_mut(&number).map(|h| &mut h.value),
        }
    }

    /// One has ended. `out` takes it, with those that waited for it, as soon as nothing older is open.
    pub(super) fn end(&mut self, number: u64, out: &mut impl FnMut(T, Leaves)) {
        match number.checked_sub(self.first) {
            None => {
                if let Some(held) = self.late.remove(&number) {
                    self.bytes -= held.weight;
                    out(held.value, Leaves::Late);
                }
            }
            Some(at) => {
                let entry = usize::try_from(at).ok().and_then(|at| self.held.get_mut(at));
                if let Some(Some(held)) = entry {
                    held.done = true;
                }
                self.drain(out);
            }
        }
    }

    fn drain(&mut self, out: &mut impl FnMut(T, Leaves)) {
        while self.held.front().is_some_and(|front| front.as_ref().is_none_or(|h| h.done)) {
            self.first += 1;
            if let Some(Some(held)) = self.held.pop_front() {
                self.bytes -= held.weight;
                out(held.value, Leaves::InOrder);
            }
        }
    }

    /// How many are held.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.held.len() + self.late.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> Bounds {
        Bounds { exchanges: 3, bytes: 1000 }
    }

    #[test]
    fn gives_back_in_order_of_beginning() {
        let mut out = Vec::new();
        let mut window = Window::new(small());
        let mut put = |v, l| out.push((v, l));
        let (a, b, c) =
            (window.begin('a', 1, &mut put), window.begin('b', 1, &mut put), window.begin('c', 1, &mut put));
        window.end(b, &mut put);
        window.end(c, &mut put);
        window.end(a, &mut put);
        assert_eq!(out, [('a', Leaves::InOrder), ('b', Leaves::InOrder), ('c', Leaves::InOrder)]);
        assert_eq!((window.len(), window.bytes), (0, 0));
    }

    #[test]
    fn one_that_stays_open_gives_up_its_place() {
        let mut out = Vec::new();
        let mut window = Window::new(small());
        let mut put = |v, l| out.push((v, l));
        let first = window.begin(0, 1, &mut put);
        for n in 1..=5 {
            let number = window.begin(n, 1, &mut put);
            window.end(number, &mut put);
        }
        *window.get_mut(first).unwrap() = 100;
        assert_eq!(window.get(first), Some(&100));
        window.end(first, &mut put);
        assert_eq!(out.iter().map(|o| o.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 100]);
        assert_eq!(out[5].1, Leaves::Late);
        assert_eq!((window.len(), window.bytes), (0, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut out = Vec::new();
        let mut window = Window::new(Bounds { exchanges: 100, bytes: 10 });
        for n in 0..50 {
            window.begin(n, 4, &mut |v, l| out.push((v, l)));
            assert!(window.bytes <= 10);
        }
        assert_eq!(out.len(), 48);
        assert!(out.iter().all(|o| o.1 == Leaves::Unfinished));
        window.end(3, &mut |v, l| out.push((v, l)));
        assert_eq!(out.len(), 48, "what left does not come again");
    }

    proptest! {
        #[test]
        fn each_leaves_once_and_in_order_where_it_fits(order in proptest::collection::vec(0_usize..8, 1..60)) {
            // Numbers in `order` are how many begin before one of the open ones ends.
            let mut out = Vec::new();
            let mut window = Window::new(Bounds { exchanges: 1000, bytes: 1 << 20 });
            let mut open = Vec::new();
            let mut begun = 0;
            for n in &order {
                for _ in 0..=*n {
                    open.push(window.begin(begun, 1, &mut |v, l| out.push((v, l))));
                    begun += 1;
                }
                let number = open.swap_remove(n % open.len());
                window.end(number, &mut |v, l| out.push((v, l)));
            }
            for number in open {
                window.end(number, &mut |v, l| out.push((v, l)));
            }
            prop_assert_eq!(out.iter().map(|o| o.0).collect::<Vec<_>>(), (0..begun).collect::<Vec<_>>());
            prop_assert_eq!(window.bytes, 0);
        }
    }
}
