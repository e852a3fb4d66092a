//! The `shadowtap` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    shadowtap::cli::main()
}
