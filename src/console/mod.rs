//! Floor 8: the terminal.
//!
//! Takes what the environment says (is it a terminal, how wide, are colours wanted), gives a [`Screen`] to lay text out
//! for, tones, tables and progress bars. Colours appear on terminals only and obey `NO_COLOR` and `TERM=dumb`; progress is
//! drawn on standard error and only where that is a terminal. Never reads from the terminal.

mod progress;
mod table;
mod tone;

pub use progress::Progress;
pub use table::{Align, Table};
pub use tone::{Tone, Tones, width};

use std::env;
use std::io::{IsTerminal, stdout};

/// What text is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Does a person look at it? Then long lists are cut.
    pub interactive: bool,
    /// How to colour.
    pub tones: Tones,
}

impl Screen {
    /// Columns where there is no terminal to ask.
    pub const WIDTH: usize = 120;
    /// Nothing sensible fits below this.
    const LEAST: usize = 40;
    /// Wider lines are hard to follow.
    const MOST: usize = 200;

    /// Standard output, as it is; `colours` where somebody said whether there should be any.
    pub fn stdout(colours: Option<bool>) -> Self {
        let interactive = stdout().is_terminal();
        let asked = env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let seen = || terminal_size::terminal_size_of(stdout()).map(|(w, _)| usize::from(w.0));
        let width = asked.or_else(seen).filter(|w| *w > 0).unwrap_or(Self::WIDTH).clamp(Self::LEAST, Self::MOST);
        Self { width, interactive, tones: Tones::new(colours.unwrap_or_else(|| interactive && colour_wanted())) }
    }

    /// Plain text of a given width, for files and tests.
    pub fn plain(width: usize) -> Self {
        Self { width, interactive: false, tones: Tones::new(false) }
    }
}

/// <https://no-color.org>: present and not empty means no colours.
fn colour_wanted() -> bool {
    let set = |name| env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && env::var_os("TERM").is_none_or(|t| t != "dumb")
}
