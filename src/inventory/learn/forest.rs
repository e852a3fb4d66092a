//! The model: boosted trees and a vocabulary, static tables in the binary.
//!
//! Takes rows of features, gives how likely each is a value's. The file is made by `tools/train-templates` and checked when
//! it is first used; a file that is damaged gives a model that knows nothing, which a test would notice. Never allocates
//! while it judges.

use std::sync::OnceLock;

/// Bytes at the beginning of the file; the last is the version of its form.
const MAGIC: &[u8; 8] = b"STAPLRN\x01";

static MODEL: OnceLock<Model> = OnceLock::new();

static FILE: &[u8] = include_bytes!("model.bin");

/// Both passes' trees and the vocabulary.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) first: Forest,
    pub(super) second: Forest,
    /// By hash of the word, ascending: APIs that have it as a literal, that let a parameter follow, that let a literal follow.
    words: Vec<(u32, [u8; 3])>,
}

/// Nodes and leaves that a tree may have. A power of two, so that a number within it needs no check.
const TREE: usize = 32;

/// Features that a row may have: as many as a byte can tell apart.
pub(super) const ROW: usize = 256;

/// Marks the number of a leaf.
const LEAF: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    threshold: f32,
    feature: u8,
    /// Next node, or, with [`LEAF`], a leaf.
    below: u8,
    above: u8,
}

#[derive(Debug)]
struct Tree {
    nodes: [Node; TREE],
    leaves: [f32; TREE],
}

/// Trees whose leaves add up to a log-odds.
#[derive(Debug, Default)]
pub(super) struct Forest(Vec<Tree>);

impl Forest {
    /// How likely is it a value?
    pub(super) fn judge(&self, row: &[f32; ROW]) -> f32 {
        let mut odds = 0.0;
        for tree in &self.0 {
            let mut at = 0;
            // No way is longer than there are nodes.
            for _ in 0..TREE {
                let node = tree.nodes[usize::from(at) % TREE];
                at = if row[usize::from(node.feature)] <= node.threshold { node.below } else { node.above };
                if at & LEAF != 0 {
                    break;
                }
            }
            odds += tree.leaves[usize::from(at) % TREE];
        }
        1.0 / (1.0 + (-odds).exp())
    }
}

impl Model {
    /// The one in the binary, or the one that was put in its place.
    pub(super) fn get() -> &'static Self {
        MODEL.get_or_init(|| Self::read(FILE).unwrap_or_default())
    }

    /// Judges with another model from here on, for measuring. `false` where it is damaged, or something was judged already.
    pub(super) fn replace(file: &[u8]) -> bool {
        Self::read(file).is_some_and(|model| MODEL.set(model).is_ok())
    }

    /// Reads one; `None` where it is damaged.
    pub(super) fn read(file: &[u8]) -> Option<Self> {
        let (sum, content) = file.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut reader = Reader(content);
        let (first, second) = (reader.forest()?, reader.forest()?);
        let count = reader.u32()?;
        let words = (0..count).map(|_| Some((reader.u32()?, reader.take()?))).collect::<Option<_>>()?;
        reader.0.is_empty().then_some(Self { first, second, words })
    }

    /// What the vocabulary says of a word, in lower case.
    pub(super) fn word(&self, word: &str) -> [f32; 3] {
        self.counts(crc32fast::hash(word.as_bytes()))
    }

    /// In how many APIs a word stands as a literal below another, both in lower case; with none before it, in how many it is a
    /// known value.
    pub(super) fn pair(&self, before: &str, word: &str) -> f32 {
        let mut hash = crc32fast::Hasher::new();
        [before.as_bytes(), b"/", word.as_bytes()].iter().for_each(|part| hash.update(part));
        self.counts(hash.finalize())[0]
    }

    fn counts(&self, hash: u32) -> [f32; 3] {
        match self.words.binary_search_by_key(&hash, |w| w.0) {
            Ok(at) => self.words[at].1.map(f32::from),
            Err(_) => [0.0; 3],
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.take().map(f32::from_le_bytes)
    }

    fn forest(&mut self) -> Option<Forest> {
        let count = self.u32()?;
        (0..count).map(|_| self.tree()).collect::<Option<_>>().map(Forest)
    }

    fn tree(&mut self) -> Option<Tree> {
        let [count] = self.take()?;
        let count = usize::from(count);
        // In the file a leaf is the complement of its number. A tree of one leaf has no nodes: here, one that always leads to it.
        let mut tree =
            Tree { nodes: [Node { below: LEAF, above: LEAF, ..Node::default() }; TREE], leaves: [0.0; TREE] };
        for node in tree.nodes.get_mut(..count)? {
            let [feature] = self.take()?;
            let threshold = self.f32()?;
            let [below, above] = self.take()?.map(|b: u8| if b & LEAF != 0 { LEAF | !b } else { b });
            *node = Node { threshold, feature, below, above };
        }
        for leaf in tree.leaves.get_mut(..=count)? {
            *leaf = self.f32()?;
        }
        Some(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_whole_and_small() {
        let model = Model::read(FILE).expect("whole");
        assert!(!model.first.0.is_empty() && !model.second.0.is_empty());
        assert!(model.words.is_sorted_by_key(|w| w.0));
        assert!(model.word("users")[0] > 10.0);
        assert_eq!(model.word("no-api-has-this-word"), [0.0; 3]);
        assert!(FILE.len() <= 2 << 20, "{} bytes", FILE.len());
    }

    #[test]
    fn a_damaged_file_is_no_model() {
        for at in [0, 7, 9, 100, FILE.len() - 1] {
            let mut file = FILE.to_vec();
            file[at] ^= 1;
            assert!(Model::read(&file).is_none(), "byte {at}");
        }
        assert!(Model::read(&FILE[..FILE.len() - 1]).is_none());
    }
}
