//! Key logs. Law: the secrets are the same however the bytes are cut into pieces, and the store never holds more
//! sessions than it may.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::proto::tls::Keys;
use shadowtap::proto::tls::keylog::{Line, Lines};
use shadowtap_fuzz::Choices;

fn lines(bytes: &[u8], mut size: impl FnMut() -> usize) -> Vec<Line> {
    let (mut lines, mut out, mut rest) = (Lines::default(), Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(size().clamp(1, rest.len()));
        lines.push(piece, |line| out.push(line));
        rest = more;
    }
    lines.finish(|line| out.push(line));
    out
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let mut state = u64::from(choices.u32()) | 1;
    let bytes = choices.0;
    let whole = lines(bytes, || usize::MAX);
    let pieces = lines(bytes, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1 + (state >> 57) as usize
    });
    assert_eq!(whole, pieces, "cutting changed the lines");
    let keys = Keys::new(4);
    keys.text(bytes);
    assert!(keys.figures().sessions <= 4);
    for line in whole {
        if let Line::Entry(entry) = line {
            let _ = (keys.find(&entry.of), keys.by_session_id(&entry.of[..8]), keys.by_encrypted_premaster(&entry.of));
            keys.forget(&entry.of);
        }
    }
});
