//! What bodies say of the words at a place.
//!
//! Takes the words of a place and what the service's bodies named, says which of them are values, which of them are not, and what the
//! parameter is called. A place is judged, never a token: only where a good part of its words stood in one and the same sort of field does
//! that count, so that a name which happens to be that of a resource proves nothing. Where bodies named nothing, nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use super::Piece;
use super::child::Child;
use super::features::Source;
use super::names::singular;
use super::place::{Parent, Place};
use super::verdict::{Reason, Verdict};
use crate::inventory::provenance::Provenance;
use crate::observe::mention::{Strength, value_hash};
use crate::observe::{Key, Origin};

/// What a word's standing in such a field adds to its log-odds of a value.
const IDENTITY: f32 = 9.0;
const CALLED_SO: f32 = 5.0;
const IDENTIFIER: f32 = 3.0;
/// What it takes from a word that it never does, though those beside it do.
const ABSENT: f32 = -3.0;
/// Different sorts of fields from which on a word is called by everybody, and says less.
const MANY: usize = 4;
const FEWER: f32 = 0.5;
/// Public APIs in which a word is a literal from which on it proves nothing that it stands alone, or is something's name.
const USUAL: f32 = 3.0;
/// Likelihoods are kept off certainty, so that evidence can still turn them.
const SURE: f32 = 0.998;

/// What bodies named, and the key of its hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) provenance: &'a Provenance,
    pub(super) key: Key,
}

/// What is known of one word of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    /// It stood in such a field.
    Mentioned(f32),
    /// It never did.
    Absent,
    /// Nobody knows, or it does not matter.
    Unknown,
}

/// What is found at a place.
#[derive(Debug)]
pub(super) struct Found {
    origin: Origin,
    /// The sort of object it stood in most, where that has a name.
    shown: Origin,
    strength: Strength,
    words: Vec<Word>,
    /// The place has one word.
    alone: bool,
}

impl Named<'_> {
    /// What bodies say of the words of a place; `None` where too few of them were named.
    pub(super) fn at(&self, source: &Source<'_>, place: &Place, children: &[Child]) -> Option<Found> {
        let parent = match place.parent {
            Parent::Literal(token) => source.evidence.tokens.get(token as usize).map_or("", String::as_str),
            _ => "",
        };
        let called = (!parent.is_empty()).then(|| Origin::named(&self.key, parent));
        let hashes: Vec<u64> = children.iter().map(|c| value_hash(&self.key, &c.text)).collect();
        let known = hashes.iter().filter(|h| self.provenance.would_know(**h)).count();
        // By sort of field, whatever the object: which words stood there, and what the objects were.
        let mut fields = BTreeMap::<Origin, (BTreeSet<usize>, usize, BTreeMap<Origin, usize>)>::new();
        let mut sorts = vec![0; children.len()];
        for (at, hash) in hashes.iter().enumerate() {
            for stood in self.provenance.of(*hash) {
                if stood.origin.strength() == Strength::Named && Some(stood.origin) != called {
                    continue;
                }
                let field = fields.entry(stood.origin.of_none()).or_default();
                let new = field.0.insert(at);
                sorts[at] += usize::from(new);
                field.1 += usize::from(new && !stood.only_own);
                *field.2.entry(stood.origin).or_default() += 1;
            }
        }
        // The path calls the place as these fields are called: the same thing, whatever the field.
        let strength = |origin: Origin| origin.strength();
        let enough = |origin: Origin, words: usize, elsewhere: usize| {
            let share = |part: usize| words * part >= known * (part - 1);
            match strength(origin) {
                // One word alone: somebody else must have named it, and it must not be what APIs call their resources.
                _ if children.len() == 1 => {
                    strength(origin) != Strength::Identifier && elsewhere > 0 && place.depth > 0
                }
                Strength::Identity => words >= 2 && share(2),
                Strength::Named => words >= 2 && elsewhere > 0 && share(2),
                Strength::Identifier => {
                    words >= 2 && elsewhere > 0 && if words > 2 { share(4) } else { words == known }
                }
            }
        };
        let best = fields
            .iter()
            .filter(|(origin, (words, elsewhere, _))| enough(**origin, words.len(), *elsewhere))
            .max_by_key(|(origin, (words, ..))| {
                (std::cmp::Reverse(rank(strength(**origin))), words.len(), std::cmp::Reverse(**origin))
            })?;
        let (&origin, (found, ..)) = best;
        // What names them best: a field of its own before a part of a whole name, and a thing that has a name.
        let telling = |field: Origin| field.leaf().is_some_and(|leaf| !matches!(leaf, "Location" | "full_name"));
        let shown = fields
            .iter()
            .filter(|(field, (words, ..))| telling(**field) && words.intersection(found).count() * 2 >= found.len())
            .min_by_key(|(field, (words, ..))| (rank(strength(**field)), std::cmp::Reverse(words.len()), **field))
            .map_or(origin, |(field, (words, _, objects))| {
                let most = objects.iter().max_by_key(|(origin, n)| (**n, std::cmp::Reverse(**origin)));
                most.filter(|(_, n)| **n * 2 > words.len()).map_or(*field, |(origin, _)| *origin)
            });
        // Any field that proves as much proves its words as well: owners are logins here and owners there.
        let proves = |at: usize| {
            fields
                .iter()
                .any(|(other, (words, ..))| rank(strength(*other)) <= rank(strength(origin)) && words.contains(&at))
        };
        let add = match strength(origin) {
            Strength::Identity => IDENTITY,
            Strength::Named => CALLED_SO,
            Strength::Identifier => IDENTIFIER,
        };
        let alone = children.len() == 1;
        let word = |(at, child): (usize, &Child)| {
            if proves(at) {
                // A list of an API's own resources has their names, too.
                let weak = alone || strength(origin) == Strength::Identifier;
                let usual = weak && source.model.word(&child.text.to_lowercase())[0] >= USUAL;
                let add = if sorts[at] >= MANY { add * FEWER } else { add };
                return if usual { Word::Unknown } else { Word::Mentioned(add) };
            }
            // A code is a value, whoever names it; and what nobody could have kept is nobody's.
            if child.kind == 0 && self.provenance.would_know(hashes[at]) { Word::Absent } else { Word::Unknown }
        };
        let words = children.iter().enumerate().map(word).collect();
        Some(Found { origin, shown, strength: strength(origin), words, alone })
    }
}

/// Those that say most have the lowest.
fn rank(strength: Strength) -> u8 {
    match strength {
        Strength::Identity => 0,
        Strength::Named => 1,
        Strength::Identifier => 2,
    }
}

impl Found {
    /// What a thought becomes.
    pub(super) fn weigh(&self, at: usize, thought: f32) -> f32 {
        match self.words.get(at) {
            Some(Word::Mentioned(add)) => add_odds(thought, *add),
            Some(Word::Absent) => add_odds(thought, ABSENT),
            _ => thought,
        }
    }

    /// Sets the verdicts right, behind the model and its rules. `second`: nothing was weighed in before.
    pub(super) fn set_right(&self, verdicts: &mut [Verdict], second: bool) {
        for (at, verdict) in verdicts.iter_mut().enumerate() {
            let Some(word) = self.words.get(at) else { continue };
            // What a rule says of the form of a word holds; what it says of how usual words are, an identity outweighs.
            let open = match verdict.reason {
                Reason::Traffic | Reason::Family => true,
                Reason::Usual => self.strength != Strength::Identifier,
                Reason::Alone => self.alone && self.strength != Strength::Identifier,
                _ => false,
            };
            if !open {
                continue;
            }
            let weigh_again = second || verdict.reason != Reason::Traffic;
            let value = if weigh_again { self.weigh(at, verdict.value) } else { verdict.value };
            match word {
                Word::Mentioned(_) => *verdict = Verdict { value, reason: Reason::Mentioned(self.shown) },
                Word::Absent if value < verdict.value && verdict.reason == Reason::Traffic => {
                    *verdict = Verdict { value, reason: Reason::Unmentioned(self.origin) };
                }
                _ => {}
            }
        }
    }
}

fn add_odds(value: f32, odds: f32) -> f32 {
    let value = value.clamp(1.0 - SURE, SURE);
    let odds = (value / (1.0 - value)).ln() + odds;
    1.0 / (1.0 + (-odds).exp())
}

/// What bodies call the parameter of a place: what most of its values stood in. `parent`: the literal before it, `before`: the one before the
/// parameter before it. `None` where they have no name for it.
pub(super) fn name(verdicts: &[Verdict], children: &[Child], parent: &str, before: &str) -> Option<String> {
    let values = verdicts.iter().zip(children).filter(|(v, _)| !v.is_literal());
    let mut origins = BTreeMap::<Origin, usize>::new();
    let mut all = 0;
    for (verdict, _) in values {
        all += 1;
        if let Reason::Mentioned(origin) = verdict.reason {
            *origins.entry(origin).or_default() += 1;
        }
    }
    let (origin, n) = origins.into_iter().max_by_key(|(origin, n)| (*n, std::cmp::Reverse(*origin)))?;
    if n * 2 < all {
        return None;
    }
    let leaf = origin.leaf()?;
    match (origin.strength(), origin.noun(), leaf) {
        (_, _, "Location" | "full_name") => None,
        // `/repos/{owner}/{repo}`: what the path speaks of stands behind whose it is.
        (_, None, "name" | "slug" | "key" | "path") if parent.is_empty() && !before.is_empty() => {
            Some(singular(before)).filter(|s| s.bytes().all(|b| b.is_ascii_alphanumeric()))
        }
        // `/repos/{owner}`: whose login it is, if that is not what the path says anyway.
        (Strength::Identity, Some(noun), _) if !parent.starts_with(noun) => Some(noun.to_owned()),
        (Strength::Identity, ..) => Some(camel(leaf)),
        // `/projects/{projectKey}`; `{projectId}` is made of the path.
        (Strength::Identifier, _, "id" | "uid" | "uuid" | "identifier") => None,
        (Strength::Identifier, Some(noun), _) if parent.is_empty() => Some(noun.to_owned()),
        (Strength::Identifier, ..) if parent.is_empty() => Some(camel(leaf)),
        _ => None,
    }
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut capital = false;
    for c in name.chars() {
        if c == '_' {
            capital = true;
        } else if std::mem::take(&mut capital) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// The name, with a number where the template has it already.
pub(super) fn unique(name: String, before: &[Piece]) -> String {
    let taken = |wish: &str| before.iter().any(|p| matches!(p, Piece::Named(other) if other == wish));
    let mut out = name.clone();
    let mut n = 2;
    while taken(&out) {
        out = format!("{name}{n}");
        n += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_add_up() {
        assert!(add_odds(0.1, IDENTITY) > 0.9 && add_odds(0.002, IDENTIFIER) < 0.1);
        assert!(add_odds(0.5, ABSENT) < 0.1 && add_odds(1.0, ABSENT) > 0.9);
    }

    #[test]
    fn a_name_is_taken_once() {
        let before = [Piece::Named("login".into()), Piece::Literal("following".into())];
        assert_eq!(unique("login".into(), &before), "login2");
        assert_eq!(unique("owner".into(), &before), "owner");
        assert_eq!(camel("screen_name"), "screenName");
    }
}
