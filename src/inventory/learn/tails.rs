//! Tails that are one catch-all: file trees, object stores.
//!
//! Takes the templates of a service, gives them with those folded into one that are parameters alone to the end, at several
//! depths below one prefix, where no directory is ever asked for by itself. Never folds what has a literal in it.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::{Groups, Piece};
use crate::inventory::tree::{EndpointId, NodeId, Token};

/// Different depths from which a tail counts as one catch-all.
const DEPTHS: usize = 3;
/// Directories that must be known.
const DIRECTORIES: usize = 3;
/// One in so many of them may have been asked for by itself.
const ASKED: usize = 10;

/// Where the literal beginning of a template ends.
fn head(pieces: &[Piece]) -> usize {
    pieces.iter().rposition(|p| !matches!(p, Piece::Parameter)).map_or(0, |at| at + 1)
}

/// Folds them.
pub(super) fn fold(evidence: &Evidence<'_>, groups: Groups) -> Groups {
    let mut tails = BTreeMap::<&[Piece], BTreeMap<usize, Vec<NodeId>>>::new();
    for ((pieces, documented, _), ids) in &groups {
        let head = head(pieces);
        if !documented && head < pieces.len() {
            let nodes = tails.entry(&pieces[..head]).or_default().entry(pieces.len() - head).or_default();
            nodes.extend(
                ids.iter()
                    .filter_map(|id: &EndpointId| Some(evidence.tree.endpoints.get(*id as usize)?.as_ref()?.node)),
            );
        }
    }
    let cuts: BTreeMap<Vec<Piece>, usize> =
        tails.iter().filter_map(|(head, depths)| Some((head.to_vec(), cut(evidence, head, depths)?))).collect();
    if cuts.is_empty() {
        return groups;
    }
    let mut folded = Groups::new();
    for ((mut pieces, documented, method), ids) in groups {
        let head = head(&pieces);
        if let (false, Some(&from)) = (documented, cuts.get(&pieces[..head]))
            && pieces.len() >= head + from
        {
            pieces.truncate(head + from - 1);
            pieces.push(Piece::CatchAll(None));
        }
        folded.entry((pieces, documented, method)).or_default().extend(ids);
    }
    folded
}

/// The level, from 1, from which on a tail is one catch-all. A level is one of directories where what has something below it
/// is hardly ever asked for by itself.
fn cut(evidence: &Evidence<'_>, head: &[Piece], depths: &BTreeMap<usize, Vec<NodeId>>) -> Option<usize> {
    let deepest = *depths.keys().last()?;
    if depths.len() < DEPTHS && (depths.len() < 2 || deepest <= DEPTHS) {
        return None;
    }
    // What is nothing but a catch-all would be no API; the first segment of a store's paths is a bucket.
    for from in if head.is_empty() { 2 } else { 1 }..deepest {
        let deeper = depths.range(from + 1..).count();
        if deeper + usize::from(depths.contains_key(&from)) < DEPTHS {
            return None;
        }
        let mut directories = BTreeSet::new();
        for (depth, nodes) in depths.range(from + 1..) {
            for &node in nodes {
                let up = (from..*depth).fold(node, |n, _| evidence.tree.nodes[n as usize].parent);
                if matches!(evidence.tree.nodes[up as usize].token, Token::Word(..)) {
                    directories.insert(up);
                }
            }
        }
        let asked = directories.iter().filter(|n| evidence.ends_at(**n).any(|e| e.ok > 0)).count();
        // Of directories that are values by form nothing is known but how deep it goes.
        let unknown = directories.is_empty() && depths.len() > DEPTHS;
        if unknown || (directories.len() >= DIRECTORIES && asked * ASKED <= directories.len()) {
            return Some(from);
        }
    }
    None
}
