//! Colours by meaning.
//!
//! Takes text and what it means, gives it with the escape codes of ANSI X3.64 or as it is. Sixteen colours only: they
//! follow the theme of the terminal, light or dark.

use unicode_width::UnicodeWidthStr;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary.
    Plain,
    /// A heading or the main thing.
    Strong,
    /// Less important.
    Quiet,
    /// Wrong.
    Bad,
    /// Deserves a look.
    Warn,
    /// As it should be.
    Good,
    /// A name.
    Name,
    /// A part that varies.
    Variable,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Quiet => "2",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Good => "32",
            Self::Name => "36",
            Self::Variable => "35",
        }
    }
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tones {
    on: bool,
}

impl Tones {
    /// With colours or without.
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    /// The text in a tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self.on && tone != Tone::Plain && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// Columns that a text takes on the terminal, escape codes of [`Tones::paint`] left out.
pub fn width(text: &str) -> usize {
    if !text.contains('\x1b') {
        return text.width();
    }
    let mut columns = 0;
    for (i, part) in text.split('\x1b').enumerate() {
        let shown = if i == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) };
        columns += shown.width();
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_when_on() {
        assert_eq!(Tones::new(false).paint(Tone::Bad, "x"), "x");
        assert_eq!(Tones::new(true).paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Tones::new(true).paint(Tone::Plain, "x"), "x");
    }

    #[test]
    fn width_counts_columns() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("世界"), 4);
        assert_eq!(width(&format!("a{}b", Tones::new(true).paint(Tone::Bad, "世"))), 4);
    }
}
