//! Floor 7: the inventory and its findings as pages and words for people.
//!
//! Takes a [`View`](crate::inventory::View), a [`Diff`](crate::diff::Diff) where there were documents, and a [`Meta`]
//! that says where the traffic came from; gives one self-contained HTML page ([`html`]) and the words and figures that
//! the command line shares with it. The same input gives the same page, byte for byte. Never opens a file, never loads
//! anything from elsewhere, and never claims that what was seen is everything there is.

mod coverage;
pub mod figures;
mod opaque;
mod page;
mod sections;
mod visible;
pub mod words;

pub use coverage::{Coverage, Share, Sight};
pub use page::{Meta, html};
pub use visible::visible;

#[cfg(test)]
pub(crate) mod sample;
