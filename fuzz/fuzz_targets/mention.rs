//! Bodies that are walked for values. Laws: what is found is the same however the bytes are cut, and bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::observe::mention::Harvest;
use shadowtap::observe::{Key, Mention};
use shadowtap_fuzz::Choices;

fn walk(bytes: &[u8], mut size: impl FnMut() -> usize) -> Vec<Mention> {
    let (mut harvest, mut out, mut rest, mut scratch) = (Harvest::new(), Vec::new(), bytes, Vec::new());
    harvest.asks(&Key::FIXED, b"/things");
    harvest.claims(&Key::FIXED, bytes, &mut scratch);
    assert!(scratch.is_empty(), "claims are not kept");
    harvest.answer();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(size().clamp(1, rest.len()));
        harvest.push(&Key::FIXED, piece);
        rest = more;
    }
    harvest.location(&Key::FIXED, bytes);
    harvest.take(&[], &mut out);
    out
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let mut state = u64::from(choices.u32()) | 1;
    let bytes = choices.0;
    let whole = walk(bytes, || usize::MAX);
    let pieces = walk(bytes, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1 + (state >> 57) as usize
    });
    assert_eq!(whole, pieces, "cutting changed what was found");
    assert!(whole.len() <= 256);
});
