//! Floor 9: the command line.
//!
//! Takes what was typed, gives what was asked on standard output, everything else on standard error, and an exit code:
//! 0 done, 1 something failed, 2 something typed or configured is wrong, 3 findings named with `--fail-on`. Never prints
//! a character from the wire that would steer the terminal.

mod args;
mod check;
mod configured;
mod daemon;
mod diff;
mod doctor;
mod documents;
mod exit;
mod history;
mod interfaces;
mod interrupt;
mod inventory;
mod kept;
mod keys;
mod lines;
mod listening;
mod output;
mod reading;
mod scan;
mod show;
mod templates;
mod tls;
mod transactions;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Args, Command};
use self::exit::Failure;
use crate::console::Screen;

/// The command: reads the command line, does it.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(code) => code,
        // `… | head` has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("shadowtap: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let screen = Screen::stdout(args.color.wanted());
    match &args.command {
        Command::Scan(args) => scan::run(args, &screen),
        Command::Run(args) => daemon::run(args),
        Command::Transactions(args) => transactions::run(args),
        Command::Tls(args) => tls::run(args),
        Command::Templates(command) => templates::run(command),
        Command::Inventory(command) => inventory::run(command, &screen),
        Command::History(args) => history::run(args),
        Command::Diff(args) => diff::run(args, &screen),
        Command::Doctor(args) => doctor::run(args, &screen),
        Command::CheckConfig(args) => check::run(args),
        Command::Interfaces(args) => interfaces::run(args, &screen),
    }
}
