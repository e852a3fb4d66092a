//! Names with a colon in them: `/build/home:noah`.
//!
//! Takes the words of a place, says which of them are such names, or only what stands before the colon in them, and no thing of which
//! something is asked (`/operations/42:cancel`). Never for a word whose endings stand behind others as well, as those of methods do.

use std::collections::BTreeSet;

use super::child::Child;
use super::evidence::Evidence;
use crate::observe::glue::BEFORE;

/// Different endings from which on a word is what stands before them in names.
const ENDINGS: usize = 3;

/// For each word whether it is the beginning of values, or one of those whole. `is_value`: which of them are values, as far as is thought; `beside_values`: do
/// others stand here by their form?
pub(super) fn names(
    evidence: &Evidence<'_>,
    children: &[Child],
    is_value: impl Fn(usize) -> bool,
    beside_values: bool,
) -> Vec<bool> {
    let text = |token: &u32| evidence.tokens.get(*token as usize).map_or("", String::as_str);
    let behind_colon = |token: &u32| text(token).strip_prefix(BEFORE).is_some_and(|t| t.starts_with(':'));
    let whole: BTreeSet<&str> = children.iter().map(|c| text(&c.token)).collect();
    let stands_behind = |token: &u32| children.iter().filter(|c| c.next[0].contains(token)).count();
    let among_values = |at: usize| beside_values || (0..children.len()).any(|other| other != at && is_value(other));
    let begins = |(at, child): (usize, &Child)| {
        let endings: Vec<&u32> = child.next[0].iter().filter(|t| behind_colon(t)).collect();
        // Deeper paths, whose segments nobody took apart, have the same names whole.
        let named = |t: &&&u32| {
            whole.contains(format!("{}{}", text(&child.token), text(t).trim_start_matches(BEFORE)).as_str())
        };
        let known = endings.iter().filter(named).count();
        let many = endings.len() >= ENDINGS && endings.iter().all(|t| stands_behind(t) == 1);
        !endings.is_empty()
            && endings.len() == child.next[0].len()
            && among_values(at)
            && (many || known * 2 >= endings.len())
    };
    let mut found: Vec<bool> = children.iter().enumerate().map(begins).collect();
    let stems: BTreeSet<&str> = children.iter().zip(&found).filter(|(_, f)| **f).map(|(c, _)| text(&c.token)).collect();
    for (child, found) in children.iter().zip(&mut found) {
        *found |= text(&child.token).split_once(':').is_some_and(|(stem, _)| stems.contains(stem));
    }
    found
}
