//! `shadowtap templates learn`: path templates from a log.
//!
//! Takes the requests of a log, gives the templates of what was called, or each request's own. Reads the whole log before it
//! prints, since what comes later may change what is thought of what came before.

mod entry;
mod features;
mod log;
mod why;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use super::args::{Learn, Templates};
use super::exit::Failure;
use super::output;
use crate::base::{InventoryLimits, Ledger, Oddities};
use crate::inventory::{Inventory, View};
use crate::observe::{Batch, Key, Kind, Sink, Watch, shape};
use crate::report::visible;

/// Runs it.
pub(crate) fn run(command: &Templates) -> Result<ExitCode, Failure> {
    match command {
        Templates::Learn(args) => learn(args),
        Templates::Explain(args) => why::explain(args),
        Templates::Review(args) => why::review(args),
        Templates::Features(args) => features::run(args),
    }
}

/// Reads a log into a watch; gives how many of its lines are no requests though they should be.
pub(crate) fn feed<S: Sink>(path: &Path, watch: &mut Watch<S>) -> Result<u64, Failure> {
    Ok(log::read(path, |_, entry| watch.logged(&entry.borrow("")))?)
}

fn learn(args: &Learn) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.model
        && !Inventory::replace_model(&std::fs::read(path).with_context(|| path.display().to_string())?)
    {
        return Err(Failure::usage(anyhow!("{}: not a model", path.display())));
    }
    let mut inventory = Inventory::new(InventoryLimits::default());
    let skipped = if let Some(every) = args.changes {
        changes(args, every, &mut inventory)?
    } else if args.assign {
        let mut watch = Watch::new(Batch::new(), Key::FIXED).looking_into_bodies(!args.no_bodies);
        let mut lines = Vec::new();
        let mut bases = Bases::default();
        let skipped = log::read(&args.file, |number, entry| {
            let before = watch.sink.len();
            watch.logged(&entry.borrow(&args.host));
            // A request that gives no observation has no template.
            if watch.sink.len() > before {
                lines.push((number, entry.succeeded().then(|| bases.number(&entry.base()))));
            }
        })?;
        watch.sink.for_each(|o| inventory.observe(o));
        watch.sink.for_each_mentioned(|mentioned| inventory.mentioned(mentioned));
        assign(&inventory, &watch.sink, &lines, &bases)?;
        skipped
    } else {
        let mut watch = Watch::new(&mut inventory, Key::FIXED).looking_into_bodies(!args.no_bodies);
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

/// Prints what becomes of templates. What came between two learnings is told after the second.
fn changes(args: &Learn, every: u64, inventory: &mut Inventory) -> Result<u64, Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut requests, mut result) = (0_u64, Ok(()));
    // As the daemon does: what is judged to and fro is not told.
    let mut tell = |requests: u64, inventory: &mut Inventory| -> Result<(), Failure> {
        for change in inventory.relearn(|| false).changes {
            writeln!(out, "{}", serde_json::json!({ "requests": requests, "change": change }))?;
        }
        Ok(out.flush()?)
    };
    let mut watch = Watch::new(&mut *inventory, Key::FIXED).looking_into_bodies(!args.no_bodies);
    let skipped = log::read(&args.file, |_, entry| {
        watch.logged(&entry.borrow(&args.host));
        requests += 1;
        if requests.is_multiple_of(every) && result.is_ok() {
            result = tell(requests, watch.sink);
        }
    })?;
    result?;
    tell(requests, inventory)?;
    Ok(skipped)
}

fn assign(inventory: &Inventory, batch: &Batch, lines: &[(u64, Option<u32>)], bases: &Bases) -> Result<(), Failure> {
    let assignment = inventory.assignment();
    let (mut at, mut found) = (0, BTreeSet::new());
    let mut everywhere = true;
    batch.for_each(|o| {
        if let (Some(template), Some((_, base))) = (assignment.template(o), lines.get(at)) {
            everywhere &= template.starts_with("/{");
            found.extend(base);
        }
        at += 1;
    });
    let base = if everywhere && found.len() == 1 { found.first().and_then(|base| bases.code(*base)) } else { None };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    at = 0;
    let mut result = Ok(());
    batch.for_each(|o| {
        let mut template = assignment.template(o).map(Cow::Borrowed);
        if let (Some(base), Some(text)) = (base, &mut template) {
            *text = Cow::Owned(format!(
                "/{base}{}",
                text.find("}").and_then(|end| text.get(end + 1..)).unwrap_or_default()
            ));
        }
        let line = serde_json::json!({ "i": lines.get(at).map(|l| l.0), "template": template });
        at += 1;
        if result.is_ok() {
            result = writeln!(out, "{line}");
        }
    });
    result?;
    out.flush()?;
    Ok(())
}

/// First segments of a log's paths. Some APIs are served below a code (`/bot123:XYZ/send`): one code below which all of the API
/// stands is where it is served, and no parameter. Its text is never kept, but a log has it anyway.
#[derive(Debug, Default)]
struct Bases(Vec<String>);

/// First segments that are told apart; of a host with more, none is its base.
const BASES: usize = 256;

impl Bases {
    fn number(&mut self, base: &str) -> u32 {
        let known = self.0.iter().position(|b| b == base);
        let number = known.unwrap_or_else(|| {
            if self.0.len() < BASES {
                self.0.push(base.to_owned());
            }
            self.0.len() - 1
        });
        number as u32
    }

    /// The segment of that number, if it is a code.
    fn code(&self, number: u32) -> Option<&str> {
        let base = self.0.get(number as usize).filter(|_| self.0.len() < BASES)?;
        matches!(shape::segment(base.as_bytes()), Kind::Token | Kind::Base64).then_some(base)
    }
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
                visible(&endpoint.place())
            ));
        }
    }
    output::print(&text)?;
    Ok(())
}
