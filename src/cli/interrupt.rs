//! Ctrl-C while something is read or listened to.
//!
//! Takes the first one as "enough: show what there is", the second one as "go away".

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// As a shell reports it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Set by the first signal.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn new() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        // In this order, so that the first signal sets the flag and only the second one finds it set.
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&flag))?;
        flag::register(SIGINT, Arc::clone(&flag))?;
        Ok(Self(flag))
    }

    /// Was there one?
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
