//! `shadowtap templates learn`: path templates from a log.
//!
//! Takes the requests of a log, gives the templates of what was called, or each request's own. Reads the whole log before it
//! prints, since what comes later may change what is thought of what came before.

mod entry;
mod features;
mod log;

use std::io::Write;
use std::process::ExitCode;

use super::args::{Learn, Templates};
use super::exit::Failure;
use super::output;
use crate::base::{InventoryLimits, Ledger, Oddities};
use crate::inventory::{Inventory, View};
use crate::observe::{Batch, Key, Watch};
use crate::report::visible;

/// Runs it.
pub(crate) fn run(command: &Templates) -> Result<ExitCode, Failure> {
    match command {
        Templates::Learn(args) => learn(args),
        Templates::Features(args) => features::run(args),
    }
}

fn learn(args: &Learn) -> Result<ExitCode, Failure> {
    let mut inventory = Inventory::new(InventoryLimits::default());
    let skipped = if args.assign {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        let mut lines = Vec::new();
        let skipped = log::read(&args.file, |number, entry| {
            let before = watch.sink.len();
            watch.logged(&entry.borrow(&args.host));
            // A request that gives no observation has no template.
            lines.extend((watch.sink.len() > before).then_some(number));
        })?;
        watch.sink.for_each(|o| inventory.observe(o));
        assign(&inventory, &watch.sink, &lines)?;
        skipped
    } else {
        let mut watch = Watch::new(&mut inventory, Key::FIXED);
        let skipped = log::read(&args.file, |_, entry| watch.logged(&entry.borrow(&args.host)))?;
        let view = inventory.view(&Ledger::default(), &Oddities::default());
        if args.json {
            output::print(&(serde_json::to_string_pretty(&view)? + "\n"))?
        } else {
            print(&view)?
        }
        skipped
    };
    if skipped > 0 {
        eprintln!("shadowtap: {}: {skipped} lines could not be read as requests", args.file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn assign(inventory: &Inventory, batch: &Batch, lines: &[u64]) -> Result<(), Failure> {
    let assignment = inventory.assignment();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut at = 0;
    let mut result = Ok(());
    batch.for_each(|o| {
        let line = serde_json::json!({ "i": lines.get(at), "template": assignment.template(o) });
        at += 1;
        if result.is_ok() {
            result = writeln!(out, "{line}");
        }
    });
    result?;
    out.flush()?;
    Ok(())
}

fn print(view: &View) -> Result<(), Failure> {
    let mut text = String::new();
    for service in &view.services {
        if view.services.len() > 1 {
            text.push_str(&format!("{}\n", visible(&service.host)));
        }
        for endpoint in &service.endpoints {
            text.push_str(&format!(
                "{:>8}  {:<7} {}\n",
                endpoint.calls,
                visible(&endpoint.method),
                visible(&endpoint.template)
            ));
        }
    }
    output::print(&text)?;
    Ok(())
}
