//! All floors at once, from a capture file to the inventory. Laws: every captured byte is in one bucket; the same file gives the
//! same inventory; an inventory written as JSON is read back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{InventoryLimits, Ledger, Limits};
use shadowtap::inventory::{Inventory, View};
use shadowtap::observe::{Key, Watch};
use shadowtap::pipeline::Pipeline;
use shadowtap::wire::file::Reader;

fn scan(data: &[u8]) -> Option<(View, Ledger)> {
    let mut reader = Reader::open("capture", data).ok()?;
    // Small limits, so that each is reached by small files.
    let limits = Limits { flows: 3, flow_buffer_bytes: 2000, total_buffer_bytes: 3000, head_bytes: 600, pipelined: 3, ..Limits::default() };
    let kept = InventoryLimits { services: 3, endpoints_per_service: 5, endpoints: 8, words_per_place: 4, ..InventoryLimits::default() };
    let mut pipeline = Pipeline::new(Watch::new(Inventory::new(kept), Key::FIXED), &limits);
    while let Ok(Some(frame)) = reader.next() {
        pipeline.frame(&frame);
    }
    pipeline.finish();
    let (ledger, oddities) = (pipeline.ledger(), pipeline.oddities());
    Some((pipeline.into_observer().sink.view(&ledger, &oddities), ledger))
}

fuzz_target!(|data: &[u8]| {
    let Some((view, ledger)) = scan(data) else { return };
    assert_eq!(ledger.accounted(), ledger.captured, "a byte in no bucket or in two");
    let (again, _) = scan(data).expect("it was read before");
    assert_eq!(view, again, "another time, another inventory");
    let text = serde_json::to_string(&view).expect("JSON");
    assert_eq!(serde_json::from_str::<View>(&text).expect("its own JSON"), view);
});
