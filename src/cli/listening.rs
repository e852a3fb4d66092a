//! An interface into the pipeline, for a while.
//!
//! Takes `-i` and its options, gives frames to a pipeline until the time is over or Ctrl-C comes. The counters of the
//! kernel go into what was seen and not seen.

use std::time::{Duration, Instant};

use super::args::Scan;
use super::exit::Failure;
use super::interrupt::Interrupt;
use super::reading::Read;
use crate::base::Timestamp;
use crate::capture::live::{Live, Options, Polled};
use crate::console::Progress;
use crate::exchange::Observer;
use crate::pipeline::Pipeline;

/// The longest wait for packets; then signals, timers and the clock have their turn.
const WAIT: Duration = Duration::from_millis(100);

/// Listens. `dropped` takes the number of packets that were lost before they could be read.
pub(crate) fn feed<O: Observer>(
    args: &Scan,
    interface: &str,
    filter: Option<&str>,
    pipeline: &mut Pipeline<O>,
    interrupt: &Interrupt,
) -> Result<(Read, u64), Failure> {
    let options = Options { filter: filter.unwrap_or_default().to_owned(), ..Options::default() };
    let mut live = Live::open(interface, &options).map_err(Failure::of_capture)?;
    let progress = Progress::of_bytes(args.quiet, None);
    progress.names(&format!("{interface}; Ctrl-C shows what was found"));
    let until = args.listen.and_then(|time| Instant::now().checked_add(time));
    let mut read = Read::default();
    let (mut bytes, mut last, mut heard) = (0_u64, Timestamp::default(), Instant::now());
    loop {
        let left = until.map_or(WAIT, |until| until.saturating_duration_since(Instant::now()).min(WAIT));
        if left.is_zero() || interrupt.came() {
            break;
        }
        let polled = live.poll(left, |frame| {
            bytes += frame.data.len() as u64;
            last = frame.ts;
            pipeline.frame(frame);
        });
        match polled {
            Ok(Polled::Frames(_)) => heard = Instant::now(),
            Ok(Polled::Idle) if last.0 > 0 => {
                // Packet time goes on although no packet comes: connections time out on a quiet link, too.
                let silent = u64::try_from(heard.elapsed().as_nanos()).unwrap_or(u64::MAX);
                pipeline.tick(Timestamp(last.0.saturating_add(silent)));
            }
            Ok(Polled::Idle) => {}
            Ok(Polled::Stopped) => break,
            Err(error) => {
                read.failed = true;
                read.notes.push(error.to_string());
                eprintln!("shadowtap: {error}");
                break;
            }
        }
        progress.at(bytes);
    }
    let lost = live.stats().map_or(0, |stats| stats.lost());
    // What came before the end and lies in the ring still counts.
    if !read.failed {
        live.drain(|frame| pipeline.frame(frame))?;
    }
    pipeline.finish();
    progress.done();
    read.interrupted = interrupt.came();
    Ok((read, lost))
}
