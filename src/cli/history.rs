//! `shadowtap history`: what became of path templates.
//!
//! Takes the kept change log, gives it oldest first: for people a few lines an entry, for machines JSON.

use std::process::ExitCode;

use serde::Serialize;

use super::args::History;
use super::exit::Failure;
use super::{kept, output};
use crate::inventory::{ChangeKind, Named, TemplateChange};
use crate::report::visible;

/// An entry and its number. Numbers go up without a gap; where the first is not 0, older entries were let go.
#[derive(Serialize)]
struct Entry<'a> {
    number: u64,
    #[serde(flatten)]
    change: &'a TemplateChange,
}

/// Runs it.
pub(crate) fn run(args: &History) -> Result<ExitCode, Failure> {
    let kept = kept::inventory(&args.kept)?;
    let about = |change: &TemplateChange, id: &str| {
        change.subject == id || change.before.iter().chain(&change.after).any(|named| named.id == id)
    };
    let wanted = |entry: &Entry<'_>| {
        args.service.as_deref().is_none_or(|text| entry.change.service.contains(text))
            && args.endpoint.as_deref().is_none_or(|id| about(entry.change, id))
    };
    let mut entries: Vec<_> =
        kept.inventory.history().map(|(number, change)| Entry { number, change }).filter(wanted).collect();
    if let Some(last) = args.last {
        entries.drain(..entries.len().saturating_sub(last));
    }
    if args.json {
        output::json(&entries)?;
    } else {
        output::print(&entries.iter().map(|entry| text(entry.change)).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(change: &TemplateChange) -> String {
    let kind = match change.kind {
        ChangeKind::Appeared => "appeared",
        ChangeKind::Folded => "folded",
        ChangeKind::Split => "split",
        ChangeKind::Renamed => "renamed",
        ChangeKind::Gone => "gone",
    };
    let list = |all: &[Named]| all.iter().map(|named| visible(&named.template).into_owned()).collect::<Vec<_>>();
    let (before, after) = (list(&change.before), list(&change.after));
    let mut line = format!("{}  {kind:<8}  {}  {} ", change.at, visible(&change.service), visible(&change.method));
    match (before.as_slice(), after.as_slice()) {
        ([], after) => line.push_str(&after.join(", ")),
        (before, []) => line.push_str(&before.join(", ")),
        (before, after) => line.push_str(&format!("{} -> {}", before.join(", "), after.join(", "))),
    }
    if change.left_out > 0 {
        line.push_str(&format!(" and {} more", change.left_out));
    }
    line.push('\n');
    if !change.reason.is_empty() {
        let sure = change.confidence.map(|c| format!(" ({:.0} % sure)", c * 100.0)).unwrap_or_default();
        line.push_str(&format!("    because {}{sure}\n", change.reason));
    }
    line
}
