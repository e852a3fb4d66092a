//! `shadowtap diff`: a kept inventory against documents.

use std::process::ExitCode;

use super::args::DiffArgs;
use super::exit::Failure;
use super::output::{self, Parts};
use super::{configured, documents, kept};
use crate::console::Screen;
use crate::diff::diff;
use crate::report::Meta;

/// Runs it.
pub(crate) fn run(args: &DiffArgs, screen: &Screen) -> Result<ExitCode, Failure> {
    let config = configured::usual(args.kept.config.as_deref())?;
    let contracts = documents::load(&args.against, &config.specs)?;
    if contracts.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!("name the documents to hold the inventory against: --spec FILE")));
    }
    let mut kept = kept::inventory(&args.kept)?;
    let view = documents::settle(&mut kept.inventory, &contracts, |i| i.view(&kept.ledger, &kept.oddities));
    let found = diff(&view, &contracts);
    let meta = Meta { sources: vec![kept.dir.display().to_string()], filter: None, notes: kept.notes };
    output::show(&view, Some(&found), &meta, Parts::Findings, &args.output, screen)?;
    Ok(output::verdict(&args.against, Some(&found)))
}
