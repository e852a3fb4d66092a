//! Documents and what is held against them: `reading` takes the small documents of `tests/specs` apart, `holding` holds
//! made-up inventories against them.

mod holding;
mod reading;

use shadowtap::inventory::documented::Part;
use shadowtap::sink::SpecFiles;
use shadowtap::spec::{Contract, Operation, Options, SpecError, Warning, load};

/// A document of `tests/specs`.
fn read(name: &str, options: &Options) -> Result<(Contract, Vec<Warning>), SpecError> {
    load(&SpecFiles::default(), &format!("{}/tests/specs/{name}", env!("CARGO_MANIFEST_DIR")), options)
}

fn contract(name: &str) -> Contract {
    read(name, &Options::default()).unwrap_or_else(|error| panic!("{error}")).0
}

fn operation<'c>(contract: &'c Contract, method: &str, path: &str) -> &'c Operation {
    contract
        .operations
        .iter()
        .find(|o| o.method == method && o.path == path)
        .unwrap_or_else(|| panic!("no {method} {path} in {}", contract.source))
}

/// A whole path as people write it.
fn written(segments: &[Part]) -> String {
    let one = |part: &Part| match part {
        Part::Literal(text) => text.clone(),
        Part::Parameter(name) => format!("{{{name}}}"),
        Part::CatchAll(name) => format!("{{{name}*}}"),
        Part::Mixed(pieces) => pieces
            .iter()
            .map(|p| p.as_ref().map_or_else(|literal| literal.clone(), |name| format!("{{{name}}}")))
            .collect(),
    };
    segments.iter().map(|p| format!("/{}", one(p))).collect()
}
