//! Values that hold slashes, in the middle of a path: `/branches/feature/login/protection`.
//!
//! Takes the words of a place and those that stand below its values, says which words are only the first part of a value: what
//! stands below the others stands a level, or two, deeper below them. Never for one or two such words: `/users/by-name/{name}/orders`
//! stands beside `/users/{id}/orders` as a resource.

use std::collections::{BTreeMap, BTreeSet};

use super::child::Child;

/// Words that are first parts, at one place, from which on they are believed.
const FIRST_PARTS: usize = 3;
/// Share of the values, one in so many, below which a resource stands at least.
const SPREAD: usize = 2;
/// Resources that must be found again deeper down.
const FOUND: usize = 2;

/// For each word how many levels down its values end; 0 where it is one itself. `is_value`: which of them are values, as far as is
/// thought; `value`: what stands beside them as values by form.
pub(super) fn levels(children: &[Child], is_value: impl Fn(usize) -> bool, value: Option<&Child>) -> Vec<usize> {
    let mut below = BTreeMap::<u32, usize>::new();
    let values = children.iter().enumerate().filter(|(at, _)| is_value(*at)).map(|(_, c)| c);
    for token in values.chain(value).flat_map(|c| &c.next[0]).filter(|t| **t != 0) {
        *below.entry(*token).or_default() += 1;
    }
    // What stands below a good part of the values, or below those by form, are resources.
    let holding =
        children.iter().enumerate().filter(|(at, c)| is_value(*at) && c.next[0].iter().any(|t| *t != 0)).count();
    let by_form = |token: &u32| value.is_some_and(|v| v.next[0].contains(token));
    let resources: BTreeSet<u32> = below
        .iter()
        .filter(|(token, n)| by_form(token) || (**n > 1 && **n * SPREAD >= holding))
        .map(|(token, _)| *token)
        .collect();
    let words = |c: &Child, level: usize| -> (usize, usize) {
        let all = c.next.get(level).into_iter().flatten().filter(|t| **t != 0);
        all.fold((0, 0), |(found, all), t| (found + usize::from(resources.contains(t)), all + 1))
    };
    let level = |c: &Child| {
        let deeper = |level: &usize| {
            let (found, all) = words(c, *level);
            found >= FOUND.min(resources.len()) && found > 0 && found * 4 >= all * 3
        };
        let (own, all) = words(c, 0);
        if c.here > 0 || own * 4 > all { 0 } else { (1..3).find(deeper).unwrap_or(0) }
    };
    let levels: Vec<usize> = children.iter().map(level).collect();
    if levels.iter().filter(|l| **l > 0).count() < FIRST_PARTS { vec![0; children.len()] } else { levels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(here: u64, next: [&[u32]; 3]) -> Child {
        Child { here, next: next.map(|level| level.iter().copied().collect()), ..Child::default() }
    }

    #[test]
    fn a_branch_may_have_a_slash_in_it() {
        let (main, develop) = (child(9, [&[1, 2, 3], &[0], &[]]), child(5, [&[1, 2], &[0], &[]]));
        let feature = child(0, [&[7, 8], &[1, 2], &[0]]);
        let bot = child(0, [&[9], &[10, 11], &[1, 2]]);
        let words = [main, develop, feature.clone(), feature.clone(), bot];
        assert_eq!(levels(&words, |at| at < 2, None), [0, 0, 1, 1, 2]);
        // Two such words may be resources.
        assert_eq!(levels(&words[..4], |at| at < 2, None), [0; 4]);
        assert_eq!(levels(&[], |_| true, None), [0; 0]);
    }
}
