//! From requests to path templates. Laws: the inventory does not depend on the order of what was seen; merging two
//! halves, either way round, gives the whole; what was kept and restored is what it was; documents told before or
//! after make the same; and no call is lost or counted twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{InventoryLimits, Ledger, Oddities};
use shadowtap::inventory::documented::{Part, Route};
use shadowtap::inventory::{Inventory, View};
use shadowtap::observe::Batch;
use shadowtap_fuzz::observed::{WORDS, learn, observations};
use shadowtap_fuzz::{Choices, Kept, keep};

fn routes(choices: &mut Choices<'_>) -> Vec<Route> {
    (0..choices.below(4))
        .map(|_| {
            let segments = (0..choices.below(5))
                .map(|_| match choices.u8() & 3 {
                    0 => Part::Parameter("id".to_owned()),
                    _ => Part::Literal(WORDS[choices.below(16)].to_owned()),
                })
                .collect();
            Route { host: None, port: None, segments }
        })
        .collect()
}

fn inventory<'b>(batches: impl Iterator<Item = &'b Batch>) -> Inventory {
    let mut inventory = Inventory::new(InventoryLimits::default());
    for batch in batches {
        learn(&mut inventory, batch);
    }
    inventory
}

fn view(inventory: &Inventory) -> View {
    inventory.view(&Ledger::default(), &Oddities::default())
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let routes = routes(&mut choices);
    let batches = observations(&mut choices);

    let mut whole = inventory(batches.iter());
    whole.set_documented(routes.clone());
    let expected = view(&whole);
    assert_eq!(expected.calls(), batches.len() as u64, "a call lost or counted twice");
    for service in &expected.services {
        let endpoints: u64 = service.endpoints.iter().map(|e| e.calls).sum();
        assert_eq!(service.calls, endpoints + service.probes.values().sum::<u64>(), "{}", service.host);
    }

    let mut backwards = Inventory::new(InventoryLimits::default());
    backwards.set_documented(routes.clone());
    for batch in batches.iter().rev() {
        learn(&mut backwards, batch);
    }
    assert_eq!(view(&backwards), expected, "depends on the order");

    let halves = || {
        let odd = inventory(batches.iter().skip(1).step_by(2));
        (inventory(batches.iter().step_by(2)), odd)
    };
    let (mut a, b) = halves();
    a.merge(b);
    a.set_documented(routes.clone());
    assert_eq!(view(&a), expected, "merged");
    let (a, mut b) = halves();
    b.merge(a);
    b.set_documented(routes.clone());
    assert_eq!(view(&b), expected, "merged the other way round");

    // Kept by two commits, and read back.
    let (mut a, b) = halves();
    let mut kept = Kept::new();
    keep(&mut kept, a.take_changes());
    a.merge(b);
    keep(&mut kept, a.take_changes());
    let mut back = Inventory::restore(InventoryLimits::default(), kept.into_iter()).expect("what was kept");
    back.set_documented(routes);
    assert_eq!(view(&back), expected, "restored");
});
