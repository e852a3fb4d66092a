//! `shadowtap templates features`: what the judgement is trained on.
//!
//! Takes a log, the true template of each of its requests and a model, writes a row for each word at each place: the right
//! verdict, its weight, the features, as little-endian 32-bit floats.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::log;
use crate::base::InventoryLimits;
use crate::cli::args::Features;
use crate::cli::exit::Failure;
use crate::inventory::Inventory;
use crate::observe::{Batch, Key, Watch};

/// Runs it.
pub(super) fn run(args: &Features) -> Result<ExitCode, Failure> {
    let model = std::fs::read(&args.model).with_context(|| args.model.display().to_string())?;
    let mut truths = Vec::new();
    log::read_lines(&args.truth, |line| {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let template = value["template"].as_str().filter(|t| !t.is_empty() && *t != "noise");
        truths.push(template.map(str::to_owned));
    })?;
    let mut watch = Watch::new(Batch::new(), Key::FIXED);
    let mut templates = Vec::new();
    log::read(&args.file, |number, entry| {
        let before = watch.sink.len();
        watch.logged(&entry.borrow("host"));
        if watch.sink.len() > before {
            templates.push(truths.get(number as usize).cloned().flatten());
        }
    })?;
    let mut inventory = Inventory::new(InventoryLimits::default());
    watch.sink.for_each(|o| inventory.observe(o));
    let (rows, names) = inventory
        .training_rows(&watch.sink, &templates, &model, args.second)
        .ok_or_else(|| Failure::usage(anyhow!("{}: not a model", args.model.display())))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.names {
        writeln!(out, "{}", names.join(" "))?;
    } else {
        for row in rows {
            for value in [row.verdict, row.weight].into_iter().chain(row.values) {
                out.write_all(&value.to_le_bytes())?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
