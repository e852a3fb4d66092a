//! Header blocks in several frames (RFC 9113, 6.2, 6.6, 6.10).
//!
//! Takes the payloads of HEADERS, PUSH_PROMISE and CONTINUATION, gives the block once its last frame is there: borrowed
//! where one frame holds all of it. Padding and priority are taken off. A block that grows beyond the bound, or of which
//! a part is missing, is given as lost; without end it is never given, and takes no memory.

use super::frame::{END_HEADERS, END_STREAM, Header, Kind, PADDED, PRIORITY};

/// A block that has begun.
#[derive(Debug)]
pub(super) struct Block {
    /// The stream whose frames carry it.
    pub stream: u32,
    /// The stream that is promised, where that is known.
    pub promised: Option<u32>,
    /// A PUSH_PROMISE began it.
    pub push: bool,
    /// Its message has no body.
    pub end_stream: bool,
    /// A part of it is missing.
    pub lost: bool,
}

impl Block {
    /// What the header of its first frame tells.
    pub(super) fn new(header: &Header) -> Self {
        let push = header.kind == Kind::PushPromise;
        Self { stream: header.stream, promised: None, push, end_stream: !push && header.has(END_STREAM), lost: false }
    }
}

/// Is a block over with this frame?
pub(super) fn ends(header: &Header) -> bool {
    header.has(END_HEADERS)
}

/// The fragment in a frame's payload, and the promised stream. `None` for a payload that its receiver must refuse.
pub(super) fn fragment<'a>(header: &Header, payload: &'a [u8]) -> Option<(&'a [u8], Option<u32>)> {
    if header.kind == Kind::Continuation {
        return Some((payload, None));
    }
    let mut rest = payload;
    let mut padding = 0;
    if header.has(PADDED) {
        let (pad, more) = rest.split_first()?;
        (padding, rest) = (*pad as usize, more);
    }
    let mut promised = None;
    if header.kind == Kind::PushPromise {
        let (id, more) = rest.split_first_chunk::<4>()?;
        promised = Some(u32::from_be_bytes(*id) & 0x7fff_ffff);
        rest = more;
    } else if header.has(PRIORITY) {
        rest = rest.get(5..)?;
    }
    let end = rest.len().checked_sub(padding)?;
    Some((rest.get(..end)?, promised))
}
