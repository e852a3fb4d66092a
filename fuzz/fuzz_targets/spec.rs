//! Readers of OpenAPI and Swagger documents, `.proto` files (what begins with `syntax`) and descriptor sets. Laws: a document gives the same contract each time, whatever is wrong with it;
//! each warning and error can be shown; routes begin where the document says and hold no empty literal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::diff::diff;
use shadowtap::inventory::View;
use shadowtap::inventory::documented::Part;
use shadowtap::spec::{Loader, Options, load};

/// A main document, and one other that any reference leads to.
struct Two<'a>(&'a [u8], &'a [u8]);

impl Loader for Two<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Ok(if path.starts_with("main.") { self.0 } else { self.1 }.to_vec())
    }
}

fuzz_target!(|data: &[u8]| {
    let at = data.windows(4).position(|w| w == b"\n%%\n");
    let loader = at.map_or(Two(data, b""), |at| Two(&data[..at], &data[at + 4..]));
    let options = Options::default();
    let main = if data.starts_with(b"syntax") { "main.proto" } else { "main.yaml" };
    match (load(&loader, main, &options), load(&loader, main, &options)) {
        (Ok((contract, warnings)), Ok((again, _))) => {
            for warning in &warnings {
                assert!(!warning.to_string().is_empty());
            }
            let routes = contract.routes();
            assert_eq!(routes, again.routes());
            for part in routes.iter().flat_map(|r| &r.segments) {
                assert!(!matches!(part, Part::Literal(text) if text.is_empty()), "an empty segment");
            }
            diff(&View::default(), &[contract]);
        }
        (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
        _ => panic!("another outcome the second time"),
    }
});
