//! `shadowtap scan`: from captures (or a while on an interface) to an inventory, held against documents.

use std::process::ExitCode;

use super::args::Scan;
use super::exit::Failure;
use super::interrupt::{INTERRUPTED, Interrupt};
use super::kept::Keeper;
use super::output::{self, Parts};
use super::reading::{self, Read};
use super::{configured, documents, keys, listening, templates};
use crate::console::{Progress, Screen};
use crate::diff::diff;
use crate::inventory::Inventory;
use crate::observe::{Key, Watch};
use crate::pipeline::Pipeline;
use crate::report::Meta;

/// Runs it.
pub(crate) fn run(args: &Scan, screen: &Screen) -> Result<ExitCode, Failure> {
    let config = configured::named(args.config.as_deref())?;
    let contracts = documents::load(&args.against, &config.specs)?;
    let (paths, filter) = reading::split(&args.read, &args.filter);
    let keeper = args.out.as_deref().map(Keeper::open).transpose()?;
    let key = keeper.as_ref().map_or(Key::FIXED, Keeper::key);

    let mut inventory = Inventory::new(config.inventory.clone());
    inventory.set_rules(config.rules());
    inventory.set_key(key);
    let trusted =
        if args.trusted_proxy.is_empty() { config.trusted() } else { args.trusted_proxy.iter().copied().collect() };
    let mut pipeline = Pipeline::new(
        Watch::new(inventory, key).trusting(trusted).looking_into_bodies(config.learn.bodies && !args.no_bodies),
        &config.limits,
    );
    keys::load(&args.keys, pipeline.keys())?;
    let interrupt = Interrupt::new()?;
    let (mut sources, read, dropped) = match &args.interface {
        Some(interface) => {
            let (read, dropped) = listening::feed(args, interface, filter.as_deref(), &mut pipeline, &interrupt)?;
            (vec![interface.clone()], read, dropped)
        }
        None if paths.is_empty() => (Vec::new(), Read::default(), 0),
        None => {
            let mut files = reading::open(&paths, filter.as_deref())?;
            let progress = Progress::of_bytes(args.quiet, Some(files.total_bytes()).filter(|n| *n > 0));
            let read = reading::feed(&mut files, &mut pipeline, &progress, &interrupt, |_| false)?;
            (paths.iter().map(|p| p.display().to_string()).collect(), read, 0)
        }
    };

    let Read { mut notes, failed, interrupted, oddities: of_files } = read;
    let mut ledger = pipeline.ledger();
    ledger.dropped_packets += dropped;
    let mut oddities = pipeline.oddities();
    oddities.merge(&of_files);
    let mut watch = pipeline.into_observer();
    for log in &args.log {
        let skipped = templates::feed(log, &mut watch)?;
        let name = log.display().to_string();
        if skipped > 0 {
            notes.push(format!("{name}: {skipped} lines could not be read as requests"));
        }
        sources.push(name);
    }
    let mut inventory = watch.sink;
    let view = documents::settle(&mut inventory, &contracts, |inventory| inventory.view(&ledger, &oddities));
    if let Some(keeper) = keeper {
        keeper.add(inventory, &config.inventory, &ledger, &oddities, view.calls())?;
    }
    let found = (!contracts.is_empty()).then(|| diff(&view, &contracts));
    let meta = Meta { sources, filter, notes };
    output::show(&view, found.as_ref(), &meta, Parts::All, &args.output, screen)?;
    Ok(match (failed, interrupted && args.interface.is_none()) {
        // An inventory with holes is no verdict.
        (true, _) => ExitCode::FAILURE,
        (_, true) => ExitCode::from(INTERRUPTED),
        _ => output::verdict(&args.against, found.as_ref()),
    })
}
