//! The documents that the configuration names.
//!
//! Takes their configuration, gives the routes that they document; what is wrong with one is logged and the others hold.
//! Never stops the daemon: a sensor that sees without a document is better than none.

use tracing::{info, warn};

use crate::config;
use crate::inventory::documented::Route;

/// The routes of all documents, and how many documents could be read.
pub(super) fn routes(specs: &[config::Spec]) -> (Vec<Route>, usize) {
    let mut routes = Vec::new();
    let mut read = 0;
    for spec in specs {
        match config::load_spec(spec) {
            Ok((contract, warnings)) => {
                for warning in &warnings {
                    warn!(file = %spec.file.display(), "{warning}");
                }
                let found = contract.routes();
                info!(file = %spec.file.display(), routes = found.len(), "read a document");
                routes.extend(found);
                read += 1;
            }
            Err(why) => warn!(file = %spec.file.display(), "the document is left out: {why}"),
        }
    }
    (routes, read)
}
