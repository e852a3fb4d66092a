//! `shadowtap run`: the daemon.

use std::process::ExitCode;

use super::args::Run;
use super::configured;
use super::exit::Failure;
use crate::daemon;

/// Runs it.
pub(crate) fn run(args: &Run) -> Result<ExitCode, Failure> {
    let config = configured::named(Some(&args.config))?;
    daemon::run(config, &args.config)?;
    Ok(ExitCode::SUCCESS)
}
