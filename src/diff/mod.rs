//! Floor 7: the inventory held against documents.
//!
//! Takes a [`View`](crate::inventory::View) and contracts, gives [`Finding`]s, each with its evidence and a stable id.
//! Never guesses: what traffic cannot show is not said.

mod finding;

pub use finding::{Diff, DocumentSummary, Finding, FindingKind};
