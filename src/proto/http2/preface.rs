//! How a connection begins (RFC 9113, 3.4), and how one picked up midway is recognised.
//!
//! Takes the first bytes of a direction, or of a chunk of it, says whether HTTP/2 frames are there. Never takes a single
//! frame header in the middle of a connection for a proof.

use super::FRAME_SIZE;
use super::block;
use super::frame::{Header, Kind, SIZE};
use crate::proto::probe::Start;

/// What a client sends before its first frame.
pub(super) const CLIENT: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frames in a row that prove it.
const CHAIN: usize = 3;

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

/// The headers of the frames that begin here, as far as they are such as a sane sender sends; what follows the last one
/// that came whole is left over.
struct Frames<'a> {
    rest: &'a [u8],
    most: u32,
    block: Option<u32>,
    /// A header was none.
    bad: bool,
}

impl<'a> Frames<'a> {
    fn new(bytes: &'a [u8], most: u32) -> Self {
        Self { rest: bytes, most, block: None, bad: false }
    }
}

impl<'a> Iterator for Frames<'a> {
    /// A header, and what is here of its payload.
    type Item = (Header, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, more) = self.rest.split_first_chunk::<SIZE>()?;
        let header = Header::read(header);
        if !header.keeps_order(self.block) || !header.is_plausible(self.most) {
            self.bad = true;
            return None;
        }
        self.block = header.leaves_block_open().then_some(header.stream);
        let (payload, behind) = more.split_at(more.len().min(header.length as usize));
        self.rest = behind;
        Some((header, payload))
    }
}

/// Are these whole frames, a header block among them or more than one, and nothing else? Enough where the other direction
/// has proved the protocol and the bytes are a chunk from its beginning.
pub fn ends_with_frame(bytes: &[u8]) -> bool {
    let (mut frames, mut blocks, mut whole) = (0, 0, true);
    let mut all = Frames::new(bytes, FRAME_SIZE);
    for (header, payload) in all.by_ref() {
        frames += 1;
        blocks += u32::from(header.kind == Kind::Headers);
        whole &= payload.len() == header.length as usize;
    }
    !all.bad && whole && all.rest.is_empty() && (blocks > 0 || frames > 1)
}

/// Do frames begin here, where the sender had paused with everything sent and received? Whoever pauses does so between
/// two frames. (One who is held up within a frame, by a window that is full, ends it next: what follows then neither
/// ends with a frame nor shows two.)
pub fn begins_turn(bytes: &[u8], most: u32) -> bool {
    let (mut frames, mut whole) = (0, true);
    let mut all = Frames::new(bytes, most);
    for (header, payload) in all.by_ref() {
        frames += 1;
        whole = payload.len() == header.length as usize;
    }
    !all.bad && frames > 0 && (frames > 1 || whole && all.rest.is_empty())
}

/// Do frames begin here, in a connection picked up midway? Strict: three in a row, and nothing a sane sender would not
/// send.
pub fn starts_like_frames(bytes: &[u8]) -> Start {
    let mut all = Frames::new(bytes, FRAME_SIZE);
    if all.by_ref().take(CHAIN).count() == CHAIN {
        return Start::Yes;
    }
    // The first byte of a length is 0 below 65,536 bytes.
    if all.bad || all.rest.first().is_some_and(|b| *b != 0) { Start::No } else { Start::More }
}

/// Do these frames bear requests, or responses? By the first field of the first header block, which is a pseudo-field
/// (8.3), where the static table names it (RFC 7541, A).
pub fn bears_requests(bytes: &[u8]) -> Option<bool> {
    let (header, payload) = Frames::new(bytes, FRAME_SIZE).find(|(header, _)| header.kind == Kind::Headers)?;
    let (fragment, _) = block::fragment(&header, payload)?;
    // Behind updates of the table's size (6.3): indexed (6.1), or literal with indexing, never and without (6.2).
    let first = *fragment.iter().find(|byte| **byte >> 5 != 1)?;
    let index = match first {
        0x80.. => first & 0x7f,
        0x40.. => first & 0x3f,
        _ => first & 0x0f,
    };
    match index {
        1..=7 => Some(true),
        8..=14 => Some(false),
        _ => None,
    }
}
