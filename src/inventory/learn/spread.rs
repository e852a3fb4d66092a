//! How exchanges are spread over what stands below.
//!
//! Takes the spreads of the words of a place, says of each how far it is apart from the others. Never looks at what the things are,
//! but for values and for what ends at the word itself.

use std::collections::BTreeMap;

use super::child::HERE;

/// How the exchanges of some words are spread over something.
pub(super) type Spread = BTreeMap<u32, u64>;

/// The spreads of the words of a place, laid over each other: how many have a thing, and its exchanges.
#[derive(Default)]
pub(super) struct Spreads {
    sum: BTreeMap<u32, (u32, u64)>,
    total: u64,
}

impl Spreads {
    pub(super) fn of<'s>(spreads: impl Iterator<Item = &'s Spread>) -> Self {
        let mut all = Self::default();
        for (thing, calls) in spreads.flatten() {
            let sum = all.sum.entry(*thing).or_default();
            *sum = (sum.0 + 1, sum.1 + calls);
            all.total += calls;
        }
        all
    }

    /// Of one of them against the others: how far apart they are (Jensen-Shannon, 0 to 1), and how surely (the logarithm of a
    /// likelihood ratio). What nobody else has counts as one thing, since values below values are always others. A parameter
    /// is asked for the same things whatever its value, resources each for their own.
    pub(super) fn apart(&self, own: &Spread, within: bool) -> [f32; 2] {
        let taken = u32::from(within);
        let mine: u64 = own.values().sum();
        let all = if within { self.total - mine } else { self.total };
        let mut rows = Vec::with_capacity(own.len() + 3);
        let mut other = [mine as f32, all as f32];
        let always = [0, HERE].into_iter().filter(|thing| !own.contains_key(thing));
        for thing in own.keys().copied().chain(always) {
            let mine = own.get(&thing).copied().unwrap_or_default();
            let (count, all) = self.sum.get(&thing).copied().unwrap_or_default();
            if matches!(thing, 0 | HERE) || count > taken {
                let row = [mine as f32, if within { all - mine } else { all } as f32];
                other = [(other[0] - row[0]).max(0.0), (other[1] - row[1]).max(0.0)];
                rows.push(row);
            }
        }
        rows.push(other);
        let total = rows.iter().fold([0.0, 0.0], |t, r| [t[0] + r[0], t[1] + r[1]]);
        if total[0] <= 0.0 || total[1] <= 0.0 {
            return [-1.0, -1.0];
        }
        let (mut divergence, mut ratio) = (0.0, 0.0);
        for [mine, theirs] in rows {
            let (p, q) = (mine / total[0], theirs / total[1]);
            let (middle, pooled) = ((p + q) / 2.0, (mine + theirs) / (total[0] + total[1]));
            for (share, count) in [(p, mine), (q, theirs)] {
                if share > 0.0 {
                    divergence += share * (share / middle).log2() / 2.0;
                    ratio += 2.0 * count * (share / pooled).ln();
                }
            }
        }
        [divergence, ratio.max(0.0).ln_1p()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_tell_parameters_from_resources() {
        let spread = |list: &[(u32, u64)]| list.iter().copied().collect::<Spread>();
        // The same resources below, in the same shares.
        let (a, b) = (spread(&[(1, 60), (2, 30), (0, 10)]), spread(&[(1, 600), (2, 300), (0, 100)]));
        let [near, unsure] = Spreads::of([&a, &b].into_iter()).apart(&a, true);
        assert!(near < 0.01 && unsure < 0.5, "{near} {unsure}");
        // The same resources, in others.
        let c = spread(&[(1, 5), (2, 5), (0, 190)]);
        let [far, sure] = Spreads::of([&a, &c].into_iter()).apart(&c, true);
        assert!(far > 0.3 && sure > 4.0, "{far} {sure}");
        // What nobody else has is one thing: values below values.
        let (d, e) = (spread(&[(7, 10), (8, 10)]), spread(&[(9, 50), (10, 50)]));
        assert!(Spreads::of([&d, &e].into_iter()).apart(&d, true)[0] < 0.01);
        assert_eq!(Spreads::of([&a].into_iter()).apart(&a, true), [-1.0, -1.0]);
    }
}
