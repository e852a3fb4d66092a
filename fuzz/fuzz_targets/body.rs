//! Content codings. Laws: no more is given than the limits allow, whatever the input claims to hold; what is given does not
//! depend on how the bytes arrive, as far as both were given.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::Limits;
use shadowtap::proto::body::Decoder;
use shadowtap_fuzz::Choices;

const CODINGS: [&[u8]; 8] =
    [b"gzip", b"deflate", b"br", b"zstd", b"identity", b"gzip, br", b"deflate, gzip, zstd", b"x-unheard-of"];

fn decode<'a>(coding: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let limits = Limits { body_bytes: 256 << 10, ..Limits::default() };
    let mut decoder = Decoder::new(std::iter::once(coding), &limits).ok()?;
    let mut out = Vec::new();
    for piece in pieces {
        let _ = decoder.push(piece, &mut |bytes| out.extend_from_slice(bytes));
    }
    assert!(out.len() <= limits.body_bytes, "more than the limit");
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let coding = CODINGS[choices.below(CODINGS.len())];
    let step = 1 + choices.below(64);
    let whole = decode(coding, std::iter::once(choices.0));
    let pieces = decode(coding, choices.0.chunks(step));
    assert_eq!(whole.is_some(), pieces.is_some());
    if let (Some(a), Some(b)) = (whole, pieces) {
        // A decoder that fails may have given more or less of the last piece by then.
        let n = a.len().min(b.len());
        assert!(a[..n] == b[..n], "another content when cut into pieces");
    }
});
