//! How a connection begins (RFC 9113, 3.4), and how one picked up midway is recognised.
//!
//! Takes the first bytes of a direction, or of a chunk of it, says whether HTTP/2 frames are there. Never takes a single
//! frame header in the middle of a connection for a proof.

use super::FRAME_SIZE;
use super::frame::{Header, Kind, SIZE};
use crate::proto::probe::Start;

/// What a client sends before its first frame.
pub(super) const CLIENT: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frames in a row that prove it.
const CHAIN: u32 = 3;

/// Does the server's direction begin here? Its preface is a SETTINGS frame, and it may come before the client's.
pub fn is_server_preface(bytes: &[u8]) -> Start {
    const BEGIN: [&[u8]; 2] = [&[0, 0], &[4, 0, 0, 0, 0, 0]];
    let length = bytes.get(2).copied().unwrap_or(0);
    let matches = |part: &[u8], from: usize| bytes.iter().skip(from).zip(part).all(|(a, b)| a == b);
    if !matches(BEGIN[0], 0) || !matches(BEGIN[1], 3) || !length.is_multiple_of(6) || length > 120 {
        return Start::No;
    }
    if bytes.len() < SIZE { Start::More } else { Start::Yes }
}

/// Are these whole frames, a header block among them or more than one, and nothing else? Enough where the other direction
/// has proved the protocol and the bytes are a chunk from its beginning.
pub fn ends_with_frame(bytes: &[u8]) -> bool {
    let (mut rest, mut frames, mut blocks) = (bytes, 0, 0);
    while let Some((header, more)) = rest.split_first_chunk::<SIZE>() {
        let header = Header::read(header);
        let Some(behind) = more.get(header.length as usize..).filter(|_| header.is_plausible(FRAME_SIZE)) else {
            return false;
        };
        frames += 1;
        blocks += u32::from(header.kind == Kind::Headers);
        rest = behind;
    }
    rest.is_empty() && (blocks > 0 || frames > 1)
}

/// Do frames begin here, in a connection picked up midway? Strict: three in a row, and nothing a sane sender would not
/// send.
pub fn starts_like_frames(bytes: &[u8]) -> Start {
    let (mut at, mut frames, mut block) = (0usize, 0, None);
    loop {
        let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<SIZE>()).map(Header::read) else {
            let begun = bytes.get(at..).unwrap_or_default();
            // The first byte of a length is 0 below 65,536 bytes.
            return if begun.first().is_none_or(|b| *b == 0) { Start::More } else { Start::No };
        };
        let goes_on = header.kind == Kind::Continuation;
        let expected = match block {
            Some(stream) => goes_on && header.stream == stream,
            None => !goes_on,
        };
        if !header.is_plausible(FRAME_SIZE) || !expected {
            return Start::No;
        }
        block = match header.kind {
            Kind::Headers | Kind::PushPromise | Kind::Continuation if !header.has(super::frame::END_HEADERS) => {
                Some(header.stream)
            }
            _ => None,
        };
        frames += 1;
        if frames == CHAIN {
            return Start::Yes;
        }
        at += SIZE + header.length as usize;
    }
}
