//! The kept inventory: the folder of `scan --out`, or the daemon's.
//!
//! Takes a folder, gives what is in it, also while a daemon has it open; adds a scan to it. Says on standard error when
//! what it read is not the latest, and when a damaged store had to be mended.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::exit::Failure;
use super::{args, configured, documents};
use crate::base::{InventoryLimits, Ledger, Oddities};
use crate::config;
use crate::inventory::store::{Freshness, ReadOnly, Recovery, Restored, Store, StoreError, restore};
use crate::inventory::{Inventory, View};
use crate::observe::Key;
use crate::spec::Contract;

/// Changes in one commit, so that no batch grows without bound.
const BATCH: usize = 4096;

/// What was read.
pub(crate) struct Kept {
    /// Folder.
    pub(crate) dir: PathBuf,
    /// The inventory.
    pub(crate) inventory: Inventory,
    /// What is to be known about it, in sentences.
    pub(crate) notes: Vec<String>,
    /// What the sensor saw and did not see.
    pub(crate) ledger: Ledger,
    /// What was strange.
    pub(crate) oddities: Oddities,
    /// Documents that the configuration names.
    pub(crate) specs: Vec<config::Spec>,
}

/// Reads what is kept.
pub(crate) fn inventory(args: &args::Kept) -> Result<Kept, Failure> {
    let config = configured::usual(args.config.as_deref())?;
    let rules = config.rules();
    let dir = args.store.clone().unwrap_or(config.store.folder);
    let store: ReadOnly = Store::read_only(&dir)?;
    let mut notes: Vec<String> = store.recovery().and_then(mended).into_iter().collect();
    if let Freshness::Last(why) = store.freshness() {
        notes.push(format!("this is the last snapshot; what came after it is not in it ({why})"));
    }
    let Restored { mut inventory, note } = restored(config.inventory, store.records(), &dir)?;
    inventory.set_rules(rules);
    inventory.set_key(store.observe_key().map_or(Key::FIXED, Key::new));
    notes.extend(note);
    for note in &notes {
        eprintln!("shadowtap: {}: {note}", dir.display());
    }
    let sensor = store.sensor();
    Ok(Kept {
        inventory,
        notes,
        ledger: sensor.ledger.clone(),
        oddities: sensor.oddities.clone(),
        dir,
        specs: config.specs,
    })
}

/// Reads what is kept, as it is shown: the documents of the configuration name its paths, as they do for `diff`.
pub(crate) fn view(args: &args::Kept) -> Result<View, Failure> {
    shown(args).map(|(view, _)| view)
}

/// The same, and those documents.
pub(crate) fn shown(args: &args::Kept) -> Result<(View, Vec<Contract>), Failure> {
    let mut kept = inventory(args)?;
    let contracts = documents::configured(&kept.specs);
    let (ledger, oddities) = (kept.ledger, kept.oddities);
    let view = documents::settle(&mut kept.inventory, &contracts, |i| i.view(&ledger, &oddities));
    Ok((view, contracts))
}

fn restored(
    limits: InventoryLimits,
    records: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>>,
    dir: &Path,
) -> Result<Restored, Failure> {
    Ok(restore(limits, records).with_context(|| format!("the inventory in {} cannot be read", dir.display()))?)
}

fn mended(recovery: &Recovery) -> Option<String> {
    recovery.damage.as_ref().map(ToString::to_string)
}

/// A store that a scan is added to.
pub(crate) struct Keeper {
    store: Store,
    dir: PathBuf,
}

impl Keeper {
    /// Opens the folder, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        let (store, recovery) = Store::open(dir)?;
        if let Some(note) = mended(&recovery) {
            eprintln!("shadowtap: {}: {note}", dir.display());
        }
        Ok(Self { store, dir: dir.to_owned() })
    }

    /// The key of its hashes.
    pub(crate) fn key(&self) -> Key {
        Key::new(self.store.observe_key())
    }

    /// Adds a scan to what is kept; when it returns, it is on disk.
    pub(crate) fn add(
        mut self,
        scanned: Inventory,
        limits: &InventoryLimits,
        ledger: &Ledger,
        oddities: &Oddities,
        exchanges: u64,
    ) -> Result<(), Failure> {
        let Restored { inventory: mut all, note } = restored(limits.clone(), self.store.records(), &self.dir)?;
        if let Some(note) = note {
            eprintln!("shadowtap: {}: {note}", self.dir.display());
        }
        all.set_rules(scanned.rules().to_vec());
        all.merge(scanned);
        // What the scan has changed goes into the change log.
        all.relearn_all();
        let sensor = self.store.sensor_mut();
        sensor.ledger.merge(ledger);
        sensor.oddities.merge(oddities);
        sensor.exchanges += exchanges;
        let changes = all.take_changes();
        for batch in changes.chunks(BATCH) {
            self.store.commit(batch)?;
        }
        // A scan that found no exchange still saw bytes.
        self.store.commit(&[])?;
        self.store.snapshot()?;
        Ok(())
    }
}
