//! The documents that the configuration names.
//!
//! Takes their configuration, says in the log what is wrong with one; the others hold. What they document is applied to
//! views of the inventory, which the readers make (`shadowtap inventory`, `shadowtap diff`): the kept records are of raw
//! paths and hold for any document, so a new document or a new service needs nothing of the daemon. Never stops it: a
//! sensor that sees without a document is better than none.

use tracing::{info, warn};

use crate::config;

/// Reads all documents; gives how many could be read.
pub(super) fn check(specs: &[config::Spec]) -> usize {
    let mut read = 0;
    for spec in specs {
        match config::load_spec(spec) {
            Ok((contract, warnings)) => {
                for warning in &warnings {
                    warn!(file = %spec.file.display(), "{warning}");
                }
                info!(file = %spec.file.display(), operations = contract.operations.len(), "read a document");
                read += 1;
            }
            Err(why) => warn!(file = %spec.file.display(), "the document is left out: {why}"),
        }
    }
    read
}
