//! An observation on its way: owned, in buffers that are used again.
//!
//! Takes the parts of a request as they are read, gives them back as an `Observation` that borrows from the buffers.
//! The only copy of an observation's texts between the packet and the inventory. Never grows beyond a message head.

use super::{Kind, Parameter, Segment};

/// Segments of one path that are told apart; what lies below is part of the last one. Above any configured
/// [`path_segments`](crate::base::InventoryLimits::path_segments) that makes sense.
pub(super) const MAX_SEGMENTS: usize = 64;
/// Query parameters of one request that are kept.
pub(super) const MAX_PARAMETERS: usize = 128;

/// A piece of a text buffer, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// The piece itself; empty where the span does not fit the buffer, which none of ours does.
    #[inline(always)]
    pub(super) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A segment without its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentSpan {
    pub(super) hash: u64,
    pub(super) text: Span,
    pub(super) kind: Kind,
}

/// A parameter without its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterSpan {
    pub(super) name: Span,
    pub(super) kind: Kind,
}

/// The beginning of a text, at most so many bytes of it.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Appends to a text buffer and says where.
#[inline(always)]
pub(super) fn append(buffer: &mut String, text: &str) -> Span {
    let start = buffer.len() as u32;
    buffer.push_str(text);
    Span { start, end: buffer.len() as u32 }
}

/// Borrows the segments and parameters of one record for the time of a call. Short ones, nearly all there are, take
/// a small array: setting up the large one would cost more than the rest of the way.
#[inline]
pub(super) fn lend<R>(
    text: &str,
    segments: &[SegmentSpan],
    parameters: &[ParameterSpan],
    then: impl FnOnce(&[Segment<'_>], &[Parameter<'_>]) -> R,
) -> R {
    const FEW: usize = 8;
    if segments.len() <= FEW && parameters.len() <= FEW {
        lend_sized::<FEW, FEW, R>(text, segments, parameters, then)
    } else {
        lend_sized::<MAX_SEGMENTS, MAX_PARAMETERS, R>(text, segments, parameters, then)
    }
}

#[inline]
fn lend_sized<const S: usize, const P: usize, R>(
    text: &str,
    segments: &[SegmentSpan],
    parameters: &[ParameterSpan],
    then: impl FnOnce(&[Segment<'_>], &[Parameter<'_>]) -> R,
) -> R {
    let mut path = [Segment { kind: Kind::Empty, hash: 0, text: "" }; S];
    for (to, from) in path.iter_mut().zip(segments) {
        *to = Segment { kind: from.kind, hash: from.hash, text: from.text.of(text) };
    }
    let path = &path[..segments.len().min(S)];
    if parameters.is_empty() {
        return then(path, &[]);
    }
    let mut query = [Parameter { name: "", kind: Kind::Empty }; P];
    for (to, from) in query.iter_mut().zip(parameters) {
        *to = Parameter { name: from.name.of(text), kind: from.kind };
    }
    then(path, &query[..parameters.len().min(P)])
}
