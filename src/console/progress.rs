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

impl Progress {
    /// Of so many bytes; `None` where that is not known (standard input, an interface).
    pub fn of_bytes(total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(RATE)),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(RATE)),
        };
        let form = match total {
            Some(_) => {
                "  {bar:28} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {wide_msg:.dim}"
            }
            None => "  {spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}  {wide_msg:.dim}",
        };
        let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        Self { bar }
    }

    /// So many bytes were read by now.
    pub fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// What is being read.
    pub fn names(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Prints a line above the bar (or simply, where there is none).
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
