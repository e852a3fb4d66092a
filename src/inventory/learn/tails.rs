//! Tails that are one catch-all: file trees, object stores.
//!
//! Says of a place whether what is below it are paths of files: they end at several depths, the same folders stand at several
//! depths, and hardly any is asked for by itself. And takes the templates of a service, gives them with those folded into one
//! that are parameters alone to the end, at several depths below one prefix. Never folds what has a literal in it.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::{Groups, Piece};
use crate::inventory::tree::{EndpointId, NONE, NodeId, Token};
use crate::observe::glue::BEFORE;

/// Different depths from which a tail counts as one catch-all.
const DEPTHS: usize = 3;
/// Directories that must be known.
const DIRECTORIES: usize = 3;
/// One in so many of them may have been asked for by itself.
const ASKED: usize = 10;

/// Names of folders that stand at several depths from which on they are those of files: where all below is parameters anyway,
/// and where it is not known yet; and the share of all folders, and of the names right at the place, that such must be: one in
/// so many. Resources that hold resources of the same names (`/b/{id}/acl`, `/b/{id}/o/{id}/acl`) are fewer.
const FOLDERS: usize = 3;
const NAMES: usize = 6;
const RECURRING: usize = 2;

/// Are these nodes roots of file trees?
pub(super) fn are_files(evidence: &Evidence<'_>, roots: &[NodeId]) -> bool {
    if roots.iter().all(|n| evidence.nodes[*n as usize].height < DEPTHS as u32) {
        return false;
    }
    let mut depths = 0u64;
    let mut folders = BTreeMap::<u32, (u64, usize)>::new();
    let (mut all, mut asked) = (0, 0);
    let mut rest: Vec<(NodeId, u32)> = roots.iter().map(|n| (*n, 0)).collect();
    while let Some((id, depth)) = rest.pop() {
        let known = &evidence.nodes[id as usize];
        if !known.proven {
            continue;
        }
        let ends = evidence.ends_at(id).any(|e| e.ok > 0);
        let value = evidence.tree.nodes[id as usize].value;
        let mut folder = value != NONE;
        rest.extend((value != NONE).then_some((value, depth + 1)));
        let mut file = ends;
        for word in evidence.tree.words_of(id) {
            if evidence.text(word).starts_with(BEFORE) {
                file |= evidence.nodes[word as usize].proven;
            } else {
                folder = true;
                rest.push((word, depth + 1));
            }
        }
        if depth == 0 {
            continue;
        }
        depths |= if file { 1 << depth.min(63) } else { 0 };
        if folder {
            (all, asked) = (all + 1, asked + usize::from(ends));
            if known.kind < 3 {
                let seen = folders.entry(known.token).or_default();
                *seen = (seen.0 | 1 << depth.min(63), seen.1 + 1);
            }
        }
    }
    let recurring = || folders.values().filter(|(depths, _)| depths.count_ones() > 1);
    let first: Vec<bool> = folders.values().filter(|(d, _)| d & 2 != 0).map(|(d, _)| d.count_ones() > 1).collect();
    let again = first.iter().filter(|r| **r).count();
    depths.count_ones() as usize >= DEPTHS
        && again >= NAMES
        && again * RECURRING >= first.len()
        && asked * ASKED <= all
        && recurring().count() >= NAMES
        && recurring().map(|(_, n)| n).sum::<usize>() * RECURRING >= all
}

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
        let mut levels = BTreeMap::<u32, u64>::new();
        for (depth, nodes) in depths.range(from + 1..) {
            for &node in nodes {
                let up = (from..*depth).fold(node, |n, _| evidence.tree.nodes[n as usize].parent);
                if matches!(evidence.tree.nodes[up as usize].token, Token::Word(..)) {
                    directories.insert(up);
                }
                let mut at = node;
                for level in (from..*depth).rev() {
                    at = evidence.tree.nodes[at as usize].parent;
                    *levels.entry(evidence.nodes[at as usize].token).or_default() |= 1 << level.min(63);
                }
            }
        }
        let asked = directories.iter().filter(|n| evidence.ends_at(**n).any(|e| e.ok > 0)).count();
        // Of directories that are values by form nothing is known but how deep it goes.
        let unknown = directories.is_empty() && depths.len() > DEPTHS;
        // Folders stand at any depth; owners, and what they own, each at their own.
        let recurring =
            levels.iter().filter(|(token, levels)| **token != 0 && levels.count_ones() > 1).count() >= FOLDERS;
        if unknown || (recurring && directories.len() >= DIRECTORIES && asked * ASKED <= directories.len()) {
            return Some(from);
        }
    }
    None
}
