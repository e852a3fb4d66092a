//! What is wrong with a configuration, where, and what to do about it.
//!
//! Takes the findings of the reader, gives one sentence for people. Never quotes a value that is not the user's own.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; `None` where it concerns the whole file.
    pub line: Option<usize>,
    /// The key, with its tables: `limits.flows`, `interface[2].snaplen`; empty where it concerns the whole file.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.key.is_empty() {
            write!(f, ": {}", self.what)?;
        } else {
            write!(f, ": `{}`: {}", self.key, self.what)?;
        }
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for ConfigError {}
