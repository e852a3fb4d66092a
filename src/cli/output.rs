//! What a command has found, on its way out.
//!
//! Takes view, diff and where they came from; gives text for people, one JSON document for machines, a page in a file, and
//! the exit code. Standard output holds the result and nothing else; remarks go to standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::args::{Against, FailOn, Output};
use super::exit::{FOUND, Failure};
use super::show::{self, Cut};
use crate::console::Screen;
use crate::diff::{Diff, FindingKind};
use crate::inventory::View;
use crate::report::{self, Meta, figures, words};
use crate::sink;

/// How to see what is cut.
const REST: &str = "see them with --full, --json or --html FILE";

/// The document that `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    shadowtap: &'static str,
    sources: &'a [String],
    filter: Option<&'a str>,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory: Option<&'a View>,
    diff: Option<&'a Diff>,
}

/// Which parts to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// Inventory, findings, ledger.
    All,
    /// Findings only.
    Findings,
}

/// Shows what was found, the way that was asked for.
pub(crate) fn show(
    view: &View,
    diff: Option<&Diff>,
    meta: &Meta,
    parts: Parts,
    output: &Output,
    screen: &Screen,
) -> Result<(), Failure> {
    // The page first: it must not hang on somebody's pipe.
    if let Some(path) = &output.html {
        let page = report::html(view, diff, meta);
        sink::write_whole(path, page.as_bytes())
            .map_err(|e| anyhow::Error::from(e).context(format!("cannot write {}", path.display())))?;
    }
    if output.json {
        return json(&Document {
            schema: View::SCHEMA,
            shadowtap: env!("CARGO_PKG_VERSION"),
            sources: &meta.sources,
            filter: meta.filter.as_deref(),
            warnings: &meta.notes,
            inventory: (parts == Parts::All).then_some(view),
            diff,
        });
    }
    let cut = Cut::of(screen, output.full);
    let mut text = String::new();
    if parts == Parts::All {
        text.push_str(&show::services(view, diff, screen, cut, REST));
        text.push_str(&show::opaque(view, screen, cut, REST));
    }
    if let Some(diff) = diff {
        text.push_str(&show::findings(diff, screen, cut, REST));
    }
    if parts == Parts::All {
        text.push_str(&show::sight(&view.visibility, &view.oddities, screen));
    }
    print(text.trim_start_matches('\n'))
}

/// The exit code that findings ask for; says on standard error which ones.
pub(crate) fn verdict(against: &Against, diff: Option<&Diff>) -> ExitCode {
    let Some(diff) = diff else { return ExitCode::SUCCESS };
    let wanted = |kind: FindingKind| against.fail_on.iter().any(|f: &FailOn| f.matches(kind));
    let found: Vec<String> = words::KINDS
        .into_iter()
        .filter(|kind| wanted(*kind))
        .map(|kind| (kind, diff.findings.iter().filter(|f| f.kind == kind).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(kind, n)| format!("{} {}", figures::exact(n as u64), words::name(kind)))
        .collect();
    if found.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("shadowtap: --fail-on: {}", found.join(", "));
    ExitCode::from(FOUND)
}

/// Text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A value as indented JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
