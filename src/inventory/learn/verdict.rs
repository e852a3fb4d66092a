//! What was thought of a word, and why.
//!
//! Gives the words for a judgement that people are told: likelihood, reason, and what else stood at the place. Never decides
//! anything.

use std::borrow::Cow;

use super::Piece;
use crate::inventory::tree::NodeId;
use crate::observe::Origin;

/// From which likelihood on a word is a value, and what a word gets that is surely a literal, or surely a value.
pub(super) const VALUE: f32 = 0.5;
const LITERAL: f32 = 0.1;
const SURELY: f32 = 1.0;

/// Why a word is taken for what it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inventory) enum Reason {
    /// Counts and structure, weighed by the model.
    Traffic,
    /// Forms of an answer side by side.
    Formats,
    /// It stands between `('` and `')`.
    Inside,
    /// A version, or a day that stands where versions do.
    Version,
    /// Words that begin with `_` or `$` are an API's own.
    Marked,
    /// `me`, `self`, `search`.
    MeansItself,
    /// Nothing but versions stand below it.
    Api,
    /// Members of a collection have the same resources below each.
    Family,
    /// Public APIs have it, and nearly all words beside it, as literals.
    Usual,
    /// Nothing else stands beside it.
    Alone,
    /// A number that stands alone, and not where versions do.
    Number,
    /// Names with endings of all sorts are files.
    File,
    /// It is what stands before a colon in names.
    Colon,
    /// Words of this place occur as values of such a field.
    Mentioned(Origin),
    /// Words beside it do, and it never does.
    Unmentioned(Origin),
    /// A document says so.
    Document,
    /// A document has the words beside it as literals.
    Neighbour,
    /// A rule of the configuration says so.
    Rule,
}

impl Reason {
    /// In words, to be read after "because".
    pub(in crate::inventory) fn words(self) -> Cow<'static, str> {
        let field = |origin: Origin| match (origin.noun(), origin.leaf()) {
            (_, None) => "in fields named as this place is".to_owned(),
            (_, Some("Location")) => "in the Location of what was made here".to_owned(),
            (None, Some(leaf)) => format!("as {leaf}"),
            (Some(noun), Some(leaf)) => format!("as {noun}.{leaf}"),
        };
        Cow::Borrowed(match self {
            Self::Mentioned(origin) => return format!("words of this place occur {} in bodies", field(origin)).into(),
            Self::Unmentioned(origin) => {
                return format!("words beside it occur {} in bodies, and it never does", field(origin)).into();
            }
            Self::Traffic => "of how the words at this place are called, and of what stands below each",
            Self::Formats => "only forms of an answer (json, xml ...) stand here",
            Self::Inside => "it stands between (' and ')",
            Self::Version => "it is a version",
            Self::Marked => "words that begin with _ or $ are an API's own",
            Self::MeansItself => "no identifier is called so",
            Self::Api => "nothing but versions stand below it",
            Self::Family => "the words at this place have the same resources below each",
            Self::Usual => "public APIs call their resources so, and those beside it",
            Self::Alone => "nothing else stands beside it; a second one would be judged with it",
            Self::Number => "it is a number, and stands where no version does",
            Self::File => "names with endings of all sorts are files",
            Self::Colon => "names with a colon begin with it, and stand nowhere else",
            Self::Document => "a document says so",
            Self::Neighbour => "a document has the words beside it as literals",
            Self::Rule => "a rule of the configuration says so",
        })
    }
}

/// How likely a word is a value, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) value: f32,
    pub(super) reason: Reason,
}

impl Verdict {
    pub(super) fn of_traffic(value: f32) -> Self {
        Self { value, reason: Reason::Traffic }
    }

    pub(super) fn is_literal(self) -> bool {
        self.value <= VALUE
    }

    /// A rule knows it for a literal.
    pub(super) fn literal(&mut self, reason: Reason) {
        if self.value > LITERAL {
            *self = Self { value: LITERAL, reason };
        }
    }

    /// A rule knows it for a value.
    pub(super) fn parameter(&mut self, reason: Reason) {
        *self = Self { value: SURELY, reason };
    }

    /// What others know for sure.
    pub(super) fn said(literal: bool, reason: Reason) -> Self {
        Self { value: if literal { 0.0 } else { SURELY }, reason }
    }
}

/// A judgement that was made, for those who ask why.
#[derive(Clone, Debug)]
pub(in crate::inventory) struct Decision {
    /// What stands before.
    pub(in crate::inventory) before: Vec<Piece>,
    /// The word, as it is spelt most often.
    pub(in crate::inventory) word: String,
    pub(in crate::inventory) literal: bool,
    /// How likely it is a value, 0 to 1.
    pub(in crate::inventory) value: f32,
    pub(in crate::inventory) reason: Reason,
    /// Exchanges that prove it.
    pub(in crate::inventory) calls: u64,
    /// Words at the place, this one among them, and whether values by form stand beside them.
    pub(in crate::inventory) words: usize,
    pub(in crate::inventory) beside_values: bool,
    pub(in crate::inventory) nodes: Vec<NodeId>,
}
