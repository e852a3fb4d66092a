//! `shadowtap check-config`: what is in force, and what looks wrong.
//!
//! Takes a configuration file, tries what can be tried without starting anything: are the interfaces there, do the filters
//! compile, can the documents be read. Errors end it, remarks do not.

use std::process::ExitCode;

use super::args::CheckConfig;
use super::exit::Failure;
use super::{configured, documents, output};
use crate::capture::Filter;
use crate::config;

/// Runs it.
pub(crate) fn run(args: &CheckConfig) -> Result<ExitCode, Failure> {
    let path = args.file.as_deref().or(args.config.as_deref()).unwrap_or(configured::USUAL.as_ref());
    let config = configured::named(Some(path))?;
    let remarks = config::check(&config);
    for interface in config.interfaces.iter().filter(|i| !i.filter.trim().is_empty()) {
        let context = || format!("{}: interface {}", path.display(), interface.name);
        Filter::new(&interface.filter).map_err(|e| Failure::usage(anyhow::Error::from(e).context(context())))?;
    }
    for spec in &config.specs {
        documents::read(spec)?;
    }
    if !args.quiet {
        output::print(&config.to_toml())?;
    }
    for remark in &remarks {
        eprintln!("shadowtap: {}: {remark}", path.display());
    }
    if args.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    let verdict = if remarks.is_empty() { "nothing looks wrong" } else { "see the remarks above" };
    eprintln!("shadowtap: {}: can be used; {verdict}", path.display());
    Ok(ExitCode::SUCCESS)
}
