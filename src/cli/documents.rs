//! The documents to hold an inventory against.
//!
//! Takes those named with `--spec`, else those of the configuration; gives contracts. Warns on standard error about what
//! had to be mended in them.

use super::args::Against;
use super::exit::Failure;
use crate::config;
use crate::diff;
use crate::inventory::{Inventory, View};
use crate::report::{figures, visible};
use crate::spec::Contract;

/// Warnings of one document that are printed; the rest is counted.
const WARNINGS: usize = 8;

/// Reads them.
pub(crate) fn load(against: &Against, configured: &[config::Spec]) -> Result<Vec<Contract>, Failure> {
    let specs = if against.spec.is_empty() { configured.to_vec() } else { typed(against) };
    if specs.is_empty() && !against.fail_on.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!(
            "--fail-on needs a document to hold the traffic against: --spec FILE"
        )));
    }
    specs.iter().map(read).collect()
}

fn typed(against: &Against) -> Vec<config::Spec> {
    let spec = |file: &std::path::PathBuf| config::Spec {
        strip_prefix: against.strip_prefix.clone().unwrap_or_default(),
        add_prefix: against.add_prefix.clone().unwrap_or_default(),
        outside_folder: against.refs_outside,
        ..config::Spec::at(file)
    };
    against.spec.iter().map(spec).collect()
}

/// Those of the configuration, for commands that only show what is kept: one that cannot be read is named and left out.
pub(crate) fn configured(specs: &[config::Spec]) -> Vec<Contract> {
    let read = |spec: &config::Spec| match config::load_spec(spec) {
        Ok((contract, _)) => Some(contract),
        Err(why) => {
            eprintln!("shadowtap: {why}; the document is left out");
            None
        }
    };
    specs.iter().filter_map(read).collect()
}

/// The view to hold against documents: the learner is told which service each of them is about, which for a document
/// without a matching server only the traffic shows.
pub(crate) fn settle(inventory: &mut Inventory, contracts: &[Contract], view: impl Fn(&Inventory) -> View) -> View {
    if !contracts.is_empty() {
        // Documented routes win over what was learnt from the traffic.
        inventory.set_documented(contracts.iter().flat_map(Contract::routes).collect());
        let first = view(inventory);
        inventory.set_documented(diff::routes(&first, contracts));
    }
    view(inventory)
}

/// Reads one, as the configuration or the command line describes it.
pub(crate) fn read(spec: &config::Spec) -> Result<Contract, Failure> {
    let (contract, warnings) = config::load_spec(spec).map_err(|why| Failure::usage(anyhow::Error::msg(why)))?;
    for warning in warnings.iter().take(WARNINGS) {
        eprintln!("shadowtap: {}", visible(&warning.to_string()));
    }
    if warnings.len() > WARNINGS {
        let more = figures::things((warnings.len() - WARNINGS) as u64, "more warning", "more warnings");
        eprintln!("shadowtap: {}: {more}", spec.file.display());
    }
    Ok(contract)
}
