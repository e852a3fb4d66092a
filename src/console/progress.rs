//! Progress of reading.
//!
//! Takes how many bytes there are and how many were read, gives a bar with rate and time left on standard error, where
//! that is a terminal; else nothing. Redrawn a few times a second at most, whatever is reported.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, or nothing.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

/// Redraws a second.
const RATE: u8 = 8;

const KNOWN: &str = "  {bar:28} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  \
                     {eta} left  {wide_msg}";
const UNKNOWN: &str = "  {spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}  {wide_msg}";

impl Progress {
    /// Of so many bytes; `None` where that is not known (standard input, an interface). Nothing is drawn when `quiet`.
    pub fn of_bytes(quiet: bool, total: Option<u64>) -> Self {
        if quiet {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(RATE));
        let form = if total.is_some() { KNOWN } else { UNKNOWN };
        let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        Self { bar }
    }

    /// Draws nothing.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// So many bytes were read by now.
    pub fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// What is being read. Whoever asks often pays little: nothing is done while nothing is drawn.
    pub fn names(&self, what: &str) {
        if !self.bar.is_hidden() && self.bar.message() != what {
            self.bar.set_message(what.to_owned());
        }
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
