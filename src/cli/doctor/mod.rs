//! `shadowtap doctor`: what is wrong with a mirror, and how to mend it.
//!
//! Takes a capture or a while on an interface, gives findings in plain words, each with its evidence and its remedy. A mirror without
//! faults gives none. Never keeps what it saw.

mod examine;
mod findings;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::examine::Examiner;
use self::findings::{Evidence, Finding, Weight};
use super::args::Doctor;
use super::exit::Failure;
use super::interrupt::Interrupt;
use super::{configured, output, reading};
use crate::base::Limits;
use crate::capture::live::{Live, Options, Polled};
use crate::console::{Progress, Screen, Tone};
use crate::exchange::{Observer, Outcome, Sides};
use crate::pipeline::Pipeline;
use crate::proto::{RequestHead, ResponseHead};
use crate::report::figures::{bytes, things};
use crate::report::visible;
use crate::stream::Connection;
use crate::wire::Frame;

/// The longest wait for packets.
const WAIT: Duration = Duration::from_millis(100);
/// How long an interface is listened to, when nobody says.
const LISTEN: Duration = Duration::from_secs(30);
/// Frames between two looks at the signals.
const STRIDE: u64 = 1024;

/// Counts exchanges.
#[derive(Default)]
struct Exchanges(u64);

impl Observer for Exchanges {
    type Request = ();
    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}
    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {
        self.0 += 1;
    }
    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
}

/// The examination under way: what the scan would make of the frames, and what they are by themselves.
struct Ward {
    pipeline: Pipeline<Exchanges>,
    examiner: Examiner,
}

impl Ward {
    fn new(limits: &Limits) -> Self {
        Self { pipeline: Pipeline::new(Exchanges::default(), limits), examiner: Examiner::new(limits) }
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.pipeline.frame(frame);
        self.examiner.frame(frame);
    }

    fn evidence(mut self, dropped: u64) -> Evidence {
        self.pipeline.finish();
        let mut ledger = self.pipeline.ledger();
        ledger.dropped_packets += dropped;
        Evidence {
            ledger,
            oddities: self.pipeline.oddities(),
            tunnels: self.pipeline.tunnels().clone(),
            copies: self.pipeline.copies(),
            exchanges: self.pipeline.observer().0,
            seen: self.examiner.finish(),
        }
    }
}

/// Runs it.
pub(crate) fn run(args: &Doctor, screen: &Screen) -> Result<ExitCode, Failure> {
    let config = configured::named(args.config.as_deref())?;
    let (paths, filter) = reading::split(&args.read, &args.filter);
    let mut ward = Ward::new(&config.limits);
    let interrupt = Interrupt::new()?;
    let (dropped, failed) = match &args.interface {
        Some(interface) => listen(interface, filter, args, &mut ward, &interrupt)?,
        None => (0, read(&paths, filter.as_deref(), &mut ward, &interrupt)?),
    };
    let evidence = ward.evidence(dropped);
    let found = findings::of(&evidence);
    if args.json {
        output::json(&found)?;
    } else {
        output::print(&show(&evidence, &found, screen))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads files to their end. Gives whether one could not be.
fn read(
    paths: &[std::path::PathBuf],
    filter: Option<&str>,
    ward: &mut Ward,
    interrupt: &Interrupt,
) -> Result<bool, Failure> {
    let mut files = reading::open(paths, filter)?;
    let (mut failed, mut frames) = (false, 0_u64);
    loop {
        match files.next() {
            Ok(Some(frame)) => ward.frame(&frame),
            Ok(None) => break,
            Err(error @ crate::capture::CaptureError::Filter { .. }) => return Err(Failure::of_capture(error)),
            Err(error) => {
                failed = true;
                eprintln!("shadowtap: {}", visible(&error.to_string()));
            }
        }
        frames += 1;
        if frames.is_multiple_of(STRIDE) && interrupt.came() {
            break;
        }
    }
    Ok(failed)
}

/// Listens for a while. Gives the packets that were dropped before they could be read.
fn listen(
    interface: &str,
    filter: Option<String>,
    args: &Doctor,
    ward: &mut Ward,
    interrupt: &Interrupt,
) -> Result<(u64, bool), Failure> {
    let options = Options { filter: filter.unwrap_or_default(), ..Options::default() };
    let mut live = Live::open(interface, &options).map_err(Failure::of_capture)?;
    let progress = Progress::of_bytes(args.quiet, None);
    progress.names(&format!("{interface}; Ctrl-C shows what was found"));
    let until = Instant::now() + args.listen.unwrap_or(LISTEN);
    let (mut count, mut failed) = (0_u64, false);
    loop {
        let left = until.saturating_duration_since(Instant::now()).min(WAIT);
        if left.is_zero() || interrupt.came() {
            break;
        }
        let polled = live.poll(left, |frame| {
            count += frame.data.len() as u64;
            ward.frame(frame);
        });
        match polled {
            Ok(Polled::Frames(_) | Polled::Idle) => {}
            Ok(Polled::Stopped) => break,
            Err(error) => {
                failed = true;
                eprintln!("shadowtap: {error}");
                break;
            }
        }
        progress.at(count);
    }
    let lost = live.stats().map_or(0, |stats| stats.lost());
    if !failed {
        live.drain(|frame| ward.frame(frame))?;
    }
    progress.done();
    Ok((lost, failed))
}

/// For people.
fn show(evidence: &Evidence, found: &[Finding], screen: &Screen) -> String {
    let tones = screen.tones;
    let mut out = format!(
        "{}, {}, {}, {}\n",
        things(evidence.ledger.packets, "packet", "packets"),
        bytes(evidence.ledger.captured),
        things(evidence.seen.connections, "TCP connection", "TCP connections"),
        things(evidence.exchanges, "HTTP exchange", "HTTP exchanges"),
    );
    if found.is_empty() {
        out.push_str(&format!("\n{} Nothing is wrong with this mirror.\n", tones.paint(Tone::Good, "✓")));
    }
    for finding in found {
        let (tone, mark) = match finding.weight {
            Weight::Fault => (Tone::Bad, "✗"),
            Weight::Doubt => (Tone::Warn, "▸"),
        };
        out.push_str(&format!(
            "\n{} {}\n  Seen:   {}\n  Remedy: {}\n",
            tones.paint(tone, mark),
            tones.paint(Tone::Strong, &finding.words),
            finding.evidence,
            finding.remedy
        ));
    }
    out
}
