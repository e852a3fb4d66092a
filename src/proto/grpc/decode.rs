//! Decoding of compressed messages (gRPC over HTTP/2, "Message-Encoding").
//!
//! Takes the bytes of one message at a time, gives what they decode to, piece by piece. Bounded: messages being decoded at a time,
//! what one gives, how much larger than its coded form it may become, what all of one side of a call give. Counts itself among
//! the decoders at work for as long as it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::{Limits, Oddity};
use crate::proto::body::Decoder;

/// Longest name of a coding that is looked at.
const NAME: usize = 16;

/// What decoding may take, shared by all calls of a reader.
#[derive(Debug)]
pub struct Decoding {
    at_work: AtomicUsize,
    limits: Limits,
}

impl Decoding {
    /// Under these limits: `body_decoders` messages at a time, `body_bytes`, `body_ratio` for each, `grpc_bytes` for
    /// each side of a call.
    pub fn new(limits: &Limits) -> Self {
        Self { at_work: AtomicUsize::new(0), limits: limits.clone() }
    }

    /// Messages being decoded.
    pub fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }
}

/// How a side of a call codes its messages.
#[derive(Debug)]
pub(super) struct Coding {
    name: Box<[u8]>,
    shared: Arc<Decoding>,
    /// Decoded bytes so far.
    given: u64,
}

impl Coding {
    /// By the name in the head; `None` where it names none.
    pub(super) fn new(name: Option<&[u8]>, shared: &Arc<Decoding>) -> Option<Self> {
        let name = name?.trim_ascii();
        let coded = !name.is_empty() && name.len() <= NAME && !name.eq_ignore_ascii_case(b"identity");
        coded.then(|| Self { name: name.into(), shared: shared.clone(), given: 0 })
    }

    /// What holds decoders, for the calls that follow.
    pub(super) fn begin(&self) -> Option<Work> {
        let Decoding { at_work, limits } = &*self.shared;
        if self.given >= limits.grpc_bytes as u64 || self.shared.at_work() >= limits.body_decoders {
            return None;
        }
        // A list of codings is none of gRPC's.
        let decoder = Decoder::new(std::iter::once(&*self.name), limits).ok().filter(|_| !self.name.contains(&b','))?;
        at_work.fetch_add(1, Ordering::Relaxed);
        Some(Work { decoder: Box::new(decoder), shared: self.shared.clone() })
    }

    /// The next bytes of a message. Gives whether it can go on.
    pub(super) fn push(&mut self, work: &mut Work, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Oddity> {
        let given = &mut self.given;
        work.decoder.push(bytes, &mut |plain| {
            *given += plain.len() as u64;
            out(plain);
        })?;
        Ok(!work.decoder.is_over() && self.given < self.shared.limits.grpc_bytes as u64)
    }
}

/// A message being decoded.
pub(super) struct Work {
    decoder: Box<Decoder>,
    shared: Arc<Decoding>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.shared.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}
