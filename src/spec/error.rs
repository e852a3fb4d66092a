//! Why a document was refused, and what was mended in one that was read.
//!
//! Takes a file and a place in it, gives sentences with a remedy. Never holds more of the document than the place.

use std::fmt;

use thiserror::Error;

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The file could not be read.
    #[error("{}: {}", Plain(.file), Plain(.reason))]
    Unreadable {
        /// The file.
        file: String,
        /// As the loader says.
        reason: String,
    },
    /// The text is neither JSON nor YAML.
    #[error("{}{}: not {format}: {}", Plain(.file), At(*.line, *.column), Plain(.reason))]
    Syntax {
        /// The file.
        file: String,
        /// Line, from 1; 0 when unknown.
        line: u64,
        /// Column, from 1; 0 when unknown.
        column: u64,
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A limit was reached.
    #[error("{}: over the limit `{limit}` ({value}); if the document is sound, raise it", Plain(.file))]
    Limit {
        /// The file.
        file: String,
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        value: usize,
    },
    /// A document of another kind.
    #[error("{}: this is {}; {remedy}", Plain(.file), Plain(.what))]
    Foreign {
        /// The file.
        file: String,
        /// What it seems to be.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// `:line:column`, or nothing where they are not known.
struct At(u64, u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (0, _) => Ok(()),
            (line, 0) => write!(f, ":{line}"),
            (line, column) => write!(f, ":{line}:{column}"),
        }
    }
}

/// Text of a document on a terminal: control characters are shown, not sent.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

/// Something in a document that had to be guessed, mended or left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The file.
    pub file: String,
    /// Line, from 1, where it was cheap to find; else `None`.
    pub line: Option<u64>,
    /// JSON pointer (RFC 6901) into the file; empty: the file as a whole.
    pub pointer: String,
    /// What was found and how it was read.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Plain(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "#{}", Plain(&self.pointer))?;
        }
        write!(f, ": {}", Plain(&self.message))
    }
}
