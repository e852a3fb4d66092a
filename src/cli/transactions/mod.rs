//! `shadowtap transactions`: a person's look into one capture.
//!
//! Takes exchanges from floor 4, gives a line of JSON for each, in order of request, masked unless asked. Keeps nothing
//! on disk, and in memory only what a late response holds back.

mod mask;
mod record;
mod transcript;
mod window;

use std::io::{self, BufWriter};
use std::process::ExitCode;

use self::transcript::Transcript;
use super::args::Transactions;
use super::exit::Failure;
use super::interrupt::{INTERRUPTED, Interrupt};
use super::lines::Waiting;
use super::{keys, reading};
use crate::base::Limits;
use crate::console::Progress;
use crate::pipeline::Pipeline;
use crate::report::figures::things;

/// Bytes gathered before they are written.
const BUFFER: usize = 64 << 10;

/// Runs it.
pub(crate) fn run(args: &Transactions) -> Result<ExitCode, Failure> {
    let limits = Limits::default();
    let filter = reading::filter_text(&args.filter);
    let mut files = reading::open(std::slice::from_ref(&args.file), filter.as_deref())?;
    let out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let waiting = if args.file.as_os_str() == "-" { Waiting::AT_ONCE } else { Waiting::SORTED };
    let mut pipeline = Pipeline::new(Transcript::new(out, waiting, args.raw, limits.body_bytes as u64), &limits);
    keys::load(&args.keys, pipeline.keys())?;
    let interrupt = Interrupt::new()?;
    // Lines are the progress.
    let progress = Progress::hidden();
    let read = reading::feed(&mut files, &mut pipeline, &progress, &interrupt, Transcript::failed)?;
    let counts = pipeline.into_observer().end()?;
    if counts.late > 0 {
        eprintln!("shadowtap: {} behind later ones", things(counts.late, "line stands", "lines stand"));
    }
    if counts.unfinished > 0 {
        let lines = things(counts.unfinished, "line was", "lines were");
        eprintln!("shadowtap: {lines} written before the exchange ended: memory is bounded (reason `limit`)");
    }
    Ok(match (read.failed, read.interrupted) {
        (true, _) => ExitCode::FAILURE,
        (_, true) => ExitCode::from(INTERRUPTED),
        _ => ExitCode::SUCCESS,
    })
}
