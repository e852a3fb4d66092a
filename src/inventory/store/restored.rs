//! The inventory out of a store's records.
//!
//! Takes records, gives the inventory that they make, and in one sentence what had to be left out: records that do not
//! fit the others, after the store was rebuilt from what was left of a damaged one. Daemon and command line read a store
//! through this alone, so that both see the same. Never refuses the rest because of a few.

use super::StoreError;
use crate::base::InventoryLimits;
use crate::inventory::{Inventory, RestoreError};

/// An inventory, and what is missing in it.
#[derive(Debug)]
pub struct Restored {
    /// The inventory.
    pub inventory: Inventory,
    /// What was left out; `None`: nothing.
    pub note: Option<String>,
}

/// Why a store gives no inventory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoredError {
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another version wrote them.
    #[error("{0}; a newer shadowtap wrote it")]
    Schema(RestoreError),
}

/// Makes the inventory of records, as [`Store::records`](super::Store::records) and
/// [`ReadOnly::records`](super::ReadOnly::records) give them.
///
/// # Errors
/// When the records cannot be read, or a newer version wrote them.
pub fn restore(
    limits: InventoryLimits,
    records: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>>,
) -> Result<Restored, RestoredError> {
    let mut failed = None;
    let readable = records.map_while(|record| record.map_err(|e| failed = Some(e)).ok());
    let restored = Inventory::restore_readable(limits, readable);
    if let Some(e) = failed {
        return Err(e.into());
    }
    let (inventory, left_out) = restored.map_err(RestoredError::Schema)?;
    let note = left_out.first().map(|first| match left_out.len() {
        1 => format!("{first}; it is left out"),
        n => format!("{first}; it is left out, and {} more like it", n - 1),
    });
    Ok(Restored { inventory, note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::inventory::Change;
    use crate::observe::{Kind, Observation, Scheme, Segment, ServiceKey};

    fn records() -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut inventory = Inventory::new(InventoryLimits::default());
        for host in ["a.example", "b.example"] {
            for path in ["users", "orders", "items"] {
                inventory.observe(&Observation {
                    ts: Timestamp(1),
                    service: ServiceKey { scheme: Scheme::Http, host, port: 80 },
                    server: [10, 0, 0, 1].into(),
                    caller: 1,
                    method: "GET",
                    path: &[Segment { kind: Kind::Word, hash: 0, text: path }],
                    operation: "",
                    trailing_slash: false,
                    query: &[],
                    status: Some(200),
                    grpc_status: None,
                    request_type: "",
                    response_type: "",
                    request_size: 0,
                    response_size: 0,
                    latency: None,
                    partial: false,
                    said: None,
                });
            }
        }
        inventory.take_changes().into_iter().filter_map(|Change { key, value }| Some((key, value?))).collect()
    }

    #[test]
    fn orphans_are_left_out_and_the_rest_is_there() {
        let mut all = records();
        assert_eq!(all.len(), 2 + 6);
        // One service's record is gone; its three endpoints are orphans.
        let service = all.iter().position(|(key, _)| key[0] == b's').unwrap();
        all.remove(service);
        let restored = restore(InventoryLimits::default(), all.into_iter().map(Ok)).unwrap();
        assert_eq!(restored.inventory.size(), (1, 3));
        let note = restored.note.unwrap();
        assert!(
            note.contains("belongs to a service that has no record") && note.ends_with("and 2 more like it"),
            "{note}"
        );
    }

    #[test]
    fn records_of_the_version_before_are_read() {
        let mut all = records();
        all.iter_mut().for_each(|(_, value)| value[0] = 1);
        let restored = restore(InventoryLimits::default(), all.into_iter().map(Ok)).unwrap();
        assert_eq!((restored.inventory.size(), restored.note), ((2, 6), None));
    }

    #[test]
    fn a_newer_version_and_a_failing_store_are_errors() {
        let mut all = records();
        all[0].1[0] = 9;
        let error = restore(InventoryLimits::default(), all.into_iter().map(Ok)).unwrap_err();
        assert!(error.to_string().contains("a newer shadowtap wrote it"), "{error}");
        let absent = || StoreError::Absent { dir: "nowhere".into() };
        let records = records().into_iter().map(Ok).chain([Err(absent())]);
        assert!(matches!(restore(InventoryLimits::default(), records), Err(RestoredError::Store(_))));
    }
}
