//! How a command ends.
//!
//! Takes what went wrong, gives the exit code that says whose turn it is: the user's (2) or the world's (1).

use std::fmt;

use crate::capture::CaptureError;

/// Something that ends a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, the configuration, a filter or a document is wrong: exit code 2.
    Usage(anyhow::Error),
    /// A file, an interface or a store failed: exit code 1.
    Runtime(anyhow::Error),
}

/// Findings of a kind named with `--fail-on`.
pub(crate) const FOUND: u8 = 3;

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// A capture that cannot be opened: the filter is the user's, the rest the world's.
    pub(crate) fn of_capture(error: CaptureError) -> Self {
        match error {
            CaptureError::Filter { .. } => Self::Usage(error.into()),
            other => Self::Runtime(other.into()),
        }
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Runtime(_) => 1,
        }
    }

    /// Did the reader of our output go away (`… | head`)? That is no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Usage(error) | Self::Runtime(error)) = self;
        error.chain().any(|cause| {
            let io = cause.downcast_ref::<std::io::Error>();
            io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Runtime(error)) = self;
        write!(f, "{error:#}")
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::io::{Error, ErrorKind};

    #[test]
    fn a_broken_pipe_is_found_below_its_context() {
        let wrapped = Err::<(), _>(Error::from(ErrorKind::BrokenPipe)).context("writing").unwrap_err();
        assert!(Failure::from(wrapped).is_broken_pipe());
        assert!(!Failure::from(anyhow::anyhow!("other")).is_broken_pipe());
    }

    #[test]
    fn codes() {
        assert_eq!(Failure::usage(anyhow::anyhow!("x")).code(), 2);
        assert_eq!(Failure::from(anyhow::anyhow!("x")).code(), 1);
    }
}
