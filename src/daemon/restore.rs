//! The inventory out of the store.
//!
//! Takes a store, gives the inventory that it holds. A record that does not fit the others (after the store was rebuilt
//! from what was left of a damaged one) is left out and named in the log. Never starts without the rest because of it.

use std::collections::BTreeSet;

use tracing::error;

use super::RunError;
use crate::base::InventoryLimits;
use crate::inventory::store::{Store, StoreError};
use crate::inventory::{Inventory, RestoreError};

/// Records left out before giving up: then it is not a few damaged ones.
const LEFT_OUT_MAX: usize = 100;

pub(super) fn inventory(store: &Store, limits: &InventoryLimits) -> Result<Inventory, RunError> {
    let mut left_out = BTreeSet::new();
    loop {
        let mut failed: Option<StoreError> = None;
        let records = store
            .records()
            .map_while(|record| record.map_err(|e| failed = Some(e)).ok())
            .filter(|(key, _)| !left_out.contains(&hex(key)));
        let restored = Inventory::restore(limits.clone(), records);
        if let Some(e) = failed {
            return Err(e.into());
        }
        let why = match restored {
            Ok(inventory) => return Ok(inventory),
            Err(e) => e,
        };
        let wrong = |why: String| RunError::Restore { dir: store.dir().to_owned(), why };
        let key = match &why {
            RestoreError::Damaged { key, .. } | RestoreError::Orphan { key } => key.clone(),
            RestoreError::Schema { .. } => return Err(wrong(format!("{why}; a newer shadowtap wrote it"))),
        };
        error!("{why}; it is left out");
        if left_out.len() >= LEFT_OUT_MAX || !left_out.insert(key) {
            return Err(wrong(format!("{why}, and more like it")));
        }
    }
}

/// As the inventory names keys in its errors.
fn hex(key: &[u8]) -> String {
    key.iter().take(32).map(|b| format!("{b:02x}")).collect()
}
