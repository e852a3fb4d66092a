//! Records of a kept inventory, damaged. Laws: intact records give an inventory that can be merged, kept again and restored
//! as it was; damaged ones are refused, or give one that can be shown, merged, kept and restored at all. (A damaged record
//! may contradict itself, so that there is no "as it was" for it; checksums in the store are there to refuse it before.)
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{InventoryLimits, Ledger, Oddities};
use shadowtap::inventory::{Inventory, View};
use shadowtap_fuzz::observed::{learn, observations};
use shadowtap_fuzz::{Choices, Kept, keep};

fn restore(kept: Kept) -> Option<Inventory> {
    Inventory::restore(InventoryLimits::default(), kept.into_iter()).ok()
}

fn view(inventory: &Inventory) -> View {
    inventory.view(&Ledger::default(), &Oddities::default())
}

/// Records of an inventory, with up to eight changes; and whether there was none.
fn damaged(choices: &mut Choices<'_>) -> (Kept, bool) {
    let changes: Vec<[usize; 4]> =
        (0..choices.below(9)).map(|_| [0; 4].map(|_: usize| usize::from(choices.u16()))).collect();
    let mut inventory = Inventory::new(InventoryLimits::default());
    for batch in observations(choices) {
        learn(&mut inventory, &batch);
    }
    let mut kept = Kept::new();
    keep(&mut kept, inventory.take_changes());
    if changes.is_empty() {
        return (kept, true);
    }
    let mut records: Vec<_> = kept.into_iter().collect();
    for [which, how, at, to] in changes {
        let n = records.len().max(1);
        let Some((key, value)) = records.get_mut(which % n) else { break };
        let bytes = if how & 8 == 0 { value } else { key };
        match (how & 3, bytes.len()) {
            (_, 0) => {}
            (0, n) => bytes[at % n] = to as u8,
            (1, n) => bytes.truncate(at % n),
            (2, _) => bytes.push(to as u8),
            (_, n) => drop(bytes.remove(at % n)),
        }
    }
    (records.into_iter().collect(), false)
}

/// Records out of nothing.
fn invented(choices: &mut Choices<'_>) -> Kept {
    let mut kept = Kept::new();
    while !choices.is_empty() {
        let (key, value) = (choices.below(40), choices.below(600));
        kept.insert(choices.take(key).to_vec(), choices.take(value).to_vec());
    }
    kept
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (kept, intact) = if choices.u8() & 7 == 0 { (invented(&mut choices), false) } else { damaged(&mut choices) };
    let Some(inventory) = restore(kept) else {
        assert!(!intact, "intact records refused");
        return;
    };
    let shown = view(&inventory);
    // What was restored counts as kept; an inventory that takes it over keeps all of it.
    let mut fresh = Inventory::new(InventoryLimits::default());
    fresh.merge(inventory);
    let merged = view(&fresh);
    let mut kept = Kept::new();
    keep(&mut kept, fresh.take_changes());
    let back = restore(kept).map(|inventory| view(&inventory));
    if intact {
        assert_eq!(merged, shown, "merged into an empty one");
        assert_eq!(back, Some(shown), "kept and restored");
    }
});
