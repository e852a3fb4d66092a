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
    let mut whole = Decoder::new(64 << 10);
    let mut some = Decoder::new(16 * choices.below(256));
    some.forget();
    let (mut all, mut few) = (List::new(), List::new());
    let mut n = 0;
    while !choices.is_empty() {
        let length = choices.below(256).min(choices.0.len());
        let (block, rest) = choices.0.split_at(length);
        choices.0 = rest;
        let outcome = whole.decode(block, &bounds, &mut all);
        assert!(all.len() <= bounds.fields && all.held() <= 96 << 10, "over the bounds");
        assert!(whole.held() <= 512 << 10, "{}", whole.held());
        if n >= late {
            let less = some.decode(block, &bounds, &mut few);
            if outcome.is_ok() {
                // What the whole one reads, the other can at least step through.
                assert!(less.is_ok());
                for (known, seen) in all.iter().zip(few.iter()) {
                    if all.omitted == 0 && few.omitted == 0 {
                        assert!(seen.name.is_none() || seen.name == known.name, "a name was guessed");
                        assert!(seen.value.is_none() || seen.value == known.value, "a value was guessed");
                    }
                }
            }
        }
        if outcome.is_err() {
            return;
        }
        n += 1;
    }
});
