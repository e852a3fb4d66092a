//! Header blocks. Laws: memory stays below the bounds; a decoder that missed the first blocks, or that holds less, knows
//! less than one that did not, and nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::proto::hpack::{Bounds, Decoder, List};
use shadowtap_fuzz::Choices;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let late = choices.below(4);
    let bounds = Bounds { fields: 100, bytes: 16 << 10 };
    // Input is short: one without a bound of its own is the truth.
    let mut truth = Decoder::new(usize::MAX);
    let mut whole = Decoder::new(64 << 10);
    let mut some = Decoder::new(16 * choices.below(256));
    some.forget();
    let (mut all, mut bounded, mut few) = (List::new(), List::new(), List::new());
    let mut n = 0;
    while !choices.is_empty() {
        let length = choices.below(256).min(choices.0.len());
        let (block, rest) = choices.0.split_at(length);
        choices.0 = rest;
        let outcome = truth.decode(block, &bounds, &mut all);
        let most = whole.decode(block, &bounds, &mut bounded);
        assert!(bounded.len() <= bounds.fields && bounded.held() <= 96 << 10, "over the bounds");
        assert!(whole.held() <= 512 << 10, "{}", whole.held());
        if outcome.is_ok() {
            // What the one reads, the others can at least step through.
            assert!(most.is_ok());
            knows_no_more(&bounded, &all);
        }
        if n >= late {
            let less = some.decode(block, &bounds, &mut few);
            if outcome.is_ok() {
                assert!(less.is_ok());
                knows_no_more(&few, &all);
            }
        }
        if outcome.is_err() {
            return;
        }
        n += 1;
    }
});

fn knows_no_more(few: &List, all: &List) {
    if all.omitted > 0 || few.omitted > 0 {
        return;
    }
    assert_eq!(all.len(), few.len());
    for (known, seen) in all.iter().zip(few.iter()) {
        assert!(seen.name.is_none() || seen.name == known.name, "a name was guessed");
        assert!(seen.value.is_none() || seen.value == known.value, "a value was guessed");
    }
}
