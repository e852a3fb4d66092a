//! `shadowtap templates explain` and `review`: why templates are what they are, and what people may settle.
//!
//! Takes what is kept, gives reasons; appends the rule that is chosen to the configuration file. Never changes what is kept: a
//! rule holds for all that was seen, so it can be taken back.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use serde::Serialize;

use crate::base::Address;
use crate::cli::args::{Explain, Review, Settled};
use crate::cli::configured::USUAL;
use crate::cli::exit::Failure;
use crate::cli::{kept, output};
use crate::config::Config;
use crate::inventory::{Doubt, Explained};
use crate::observe::{Batch, Key, Logged, Watch};
use crate::report::visible;

/// One service's answer.
#[derive(Serialize)]
struct Answer {
    service: String,
    #[serde(flatten)]
    explained: Explained,
}

/// Says why a request has its template.
pub(super) fn explain(args: &Explain) -> Result<ExitCode, Failure> {
    let kept = kept::inventory(&args.kept)?;
    let mut answers = Vec::new();
    let view = kept.inventory.view(&kept.ledger, &kept.oddities);
    let (host, path) = split(&args.url);
    for service in &view.services {
        let origin = service.origin();
        if !host.is_empty() && !origin.contains(host) {
            continue;
        }
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        watch.logged(&Logged {
            server: Address::v4(0, service.port),
            host: &format!("{}:{}", bracketed(&service.host), service.port),
            method: &args.method,
            target: path,
            ..Logged::default()
        });
        watch.sink.for_each(|o| {
            let mut o = *o;
            o.service.scheme = service.scheme;
            answers.extend(kept.inventory.explain(&o).map(|explained| Answer { service: origin.clone(), explained }));
        });
    }
    // A service that never saw anything like it says nothing, unless all do.
    if answers.iter().any(|a| a.explained.seen) {
        answers.retain(|a| a.explained.seen);
    }
    if answers.is_empty() {
        return Err(Failure::Runtime(anyhow!("no service in the inventory is called {:?}", visible(host))));
    }
    if args.json {
        output::json(&answers)?;
    } else {
        output::print(&answers.iter().map(told).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Host and path of a URL, or of a path alone.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if url.starts_with('/') { ("", url) } else { rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)) }
}

fn told(answer: &Answer) -> String {
    let Explained { template, seen, segments } = &answer.explained;
    let mut text = match template {
        Some(template) => format!("{}  {}\n", visible(&answer.service), visible(template)),
        None if *seen => format!("{}  counted as probed: nothing like it succeeded\n", visible(&answer.service)),
        None => format!("{}  never seen; its beginning is read so:\n", visible(&answer.service)),
    };
    for s in segments {
        let word = s.word.as_deref().map_or("(a value)".into(), visible);
        let what = if s.literal { "literal" } else { "parameter" };
        let _ = write!(text, "  {word:<28} {what:<9} {:>4.0} %  because {}", s.confidence * 100.0, s.reason);
        if s.calls > 0 {
            let _ = write!(text, " ({} calls, {} words here)", s.calls, s.words);
        }
        text.push('\n');
    }
    text
}

/// Lists what is least certain, or writes the rule that is chosen.
pub(super) fn review(args: &Review) -> Result<ExitCode, Failure> {
    let mut kept = kept::inventory(&args.kept)?;
    let doubts = kept.inventory.doubts();
    if let (Some(path), Some(settled)) = (&args.path, args.is) {
        return settle(args, &doubts, path, settled, &mut kept);
    }
    let shown = &doubts[..doubts.len().min(args.limit)];
    if args.json {
        output::json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for d in shown {
        let what = if d.literal { "literal" } else { "parameter" };
        let beside = if d.beside_values { ", beside identifiers" } else { "" };
        let _ = writeln!(
            text,
            "{:>3.0} %  {what:<9}  {} {}  ({} calls, {} words here{beside}), because {}",
            d.confidence * 100.0,
            visible(&d.host),
            visible(&d.path),
            d.calls,
            d.words,
            d.reason,
        );
    }
    if shown.is_empty() {
        text.push_str("nothing to settle: no word that the model had to judge\n");
    } else {
        text.push_str("\nsettle one with: shadowtap templates review --path PATH --is literal|parameter|ignored|one\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn settle(
    args: &Review,
    doubts: &[Doubt],
    path: &str,
    settled: Settled,
    kept: &mut kept::Kept,
) -> Result<ExitCode, Failure> {
    let file = args.kept.config.clone().unwrap_or_else(|| USUAL.into());
    let mut config = Config::load(&file).map_err(Failure::usage)?;
    let rule =
        crate::config::Rule { host: args.host.clone().unwrap_or_default(), path: path.to_owned(), is: settled.into() };
    rule.to_inventory().map_err(|why| Failure::usage(anyhow!("--path: {why}")))?;
    let templates = |inventory: &crate::inventory::Inventory, kept: &kept::Kept| -> usize {
        inventory.view(&kept.ledger, &kept.oddities).services.iter().map(|s| s.endpoints.len()).sum()
    };
    let before = templates(&kept.inventory, kept);
    let text = Table { rule: [&rule] };
    let table = toml::to_string(&text).context("the rule as TOML")?;
    config.rules.push(rule);
    kept.inventory.set_rules(config.rules());
    let after = templates(&kept.inventory, kept);
    // A table at the end of a file begins wherever the one before it ended.
    let mut to = OpenOptions::new().append(true).open(&file).with_context(|| file.display().to_string())?;
    to.write_all(format!("\n{table}").as_bytes()).with_context(|| file.display().to_string())?;
    let known = doubts.iter().any(|d| d.path == path);
    let remark = if known { "" } else { " (no such word was in doubt)" };
    let text = format!("{}: rule added{remark}; endpoints: {before} before, {after} now\n", file.display());
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The rule as it stands in the file.
#[derive(Serialize)]
struct Table<'a> {
    rule: [&'a crate::config::Rule; 1],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(split("https://a:80/x/y?q"), ("a:80", "/x/y?q"));
        assert_eq!(split("a/x"), ("a", "/x"));
        assert_eq!(split("/x"), ("", "/x"));
        assert_eq!(split("a"), ("a", "/"));
    }
}
