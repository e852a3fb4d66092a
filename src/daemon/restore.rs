//! The inventory out of the store.
//!
//! Takes a store, gives the inventory that it holds; what had to be left out is named in the log. Never starts without
//! the rest because of it.

use tracing::error;

use super::RunError;
use crate::base::InventoryLimits;
use crate::inventory::Inventory;
use crate::inventory::store::{RestoredError, Store, restore};

pub(super) fn inventory(store: &Store, limits: &InventoryLimits) -> Result<Inventory, RunError> {
    let restored = restore(limits.clone(), store.records()).map_err(|e| match e {
        RestoredError::Store(e) => RunError::Store(e),
        e => RunError::Restore { dir: store.dir().to_owned(), why: e.to_string() },
    })?;
    if let Some(note) = restored.note {
        error!("{note}");
    }
    Ok(restored.inventory)
}
