//! The header of a frame (RFC 9113, 4.1), and what each kind of frame demands of it (section 6).
//!
//! Takes nine bytes, gives length, kind, flags and stream. Two strictnesses: [`Header::is_valid`] is for a place where a
//! frame must begin, [`Header::is_plausible`] for one where it only might. Never looks at a payload.

/// Bytes of a frame's header.
pub(super) const SIZE: usize = 9;

/// END_STREAM of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// ACK of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
/// END_HEADERS of HEADERS, PUSH_PROMISE and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
/// PADDED of DATA, HEADERS and PUSH_PROMISE.
pub(super) const PADDED: u8 = 0x8;
/// PRIORITY of HEADERS.
pub(super) const PRIORITY: u8 = 0x20;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Body bytes (6.1).
    Data,
    /// The beginning of a header block (6.2).
    Headers,
    /// Deprecated (6.3).
    Priority,
    /// The end of a stream (6.4).
    Reset,
    /// What its sender wants of the other end (6.5).
    Settings,
    /// A request that the server makes for the client (6.6).
    PushPromise,
    /// (6.7)
    Ping,
    /// The end of the connection is near (6.8).
    GoAway,
    /// (6.9)
    WindowUpdate,
    /// More of a header block (6.10).
    Continuation,
    /// Of an extension: ignored (4.1).
    Unknown,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload, below 2^24.
    pub length: u32,
    /// What it is for.
    pub kind: Kind,
    /// Flags, those without meaning included.
    pub flags: u8,
    /// Stream identifier, 31 bits; 0 is the connection.
    pub stream: u32,
    /// The bit before the stream identifier, which has to be ignored (4.1) and which nobody sets.
    reserved: bool,
}

impl Header {
    /// Takes it apart.
    #[inline]
    pub fn read(bytes: &[u8; SIZE]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *bytes;
        let stream = u32::from_be_bytes(stream);
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::Reset,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            _ => Kind::Unknown,
        };
        let length = u32::from_be_bytes([0, a, b, c]);
        Self { length, kind, flags, stream: stream & 0x7fff_ffff, reserved: stream >> 31 != 0 }
    }

    /// Is a flag set?
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Is it what RFC 9113, 6 demands of such a frame? Whatever its receiver must take as an error of the connection is not.
    pub fn is_valid(&self) -> bool {
        let on_stream = self.stream != 0;
        match self.kind {
            Kind::Data | Kind::Headers | Kind::Continuation => on_stream,
            Kind::Priority => on_stream && self.length == 5,
            Kind::Reset => on_stream && self.length == 4,
            Kind::Settings => !on_stream && self.length.is_multiple_of(6) && (!self.has(ACK) || self.length == 0),
            Kind::PushPromise => on_stream && self.length >= 4,
            Kind::Ping => !on_stream && self.length == 8,
            Kind::GoAway => !on_stream && self.length >= 8,
            Kind::WindowUpdate => self.length == 4,
            Kind::Unknown => true,
        }
    }

    /// Would a sane sender have sent this? `most` is the longest payload that its receiver takes.
    pub fn is_plausible(&self, most: u32) -> bool {
        let flags = match self.kind {
            Kind::Data => END_STREAM | PADDED,
            Kind::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Kind::PushPromise => END_HEADERS | PADDED,
            Kind::Continuation => END_HEADERS,
            Kind::Settings | Kind::Ping => ACK,
            Kind::Priority | Kind::Reset | Kind::GoAway | Kind::WindowUpdate => 0,
            Kind::Unknown => return false,
        };
        let longest = match self.kind {
            // Twenty settings are more than there are; debug data of GOAWAY is a sentence.
            Kind::Settings => 120,
            Kind::GoAway => 1024,
            _ => most,
        };
        // A header block takes at least a byte, and a stream's first one is an odd number of the client's.
        let empty = self.length == 0 && self.kind == Kind::Headers;
        !self.reserved && self.is_valid() && self.flags & !flags == 0 && self.length <= longest && !empty
    }

    /// May this come behind a frame, by a receiver that takes `most` bytes? As [`Header::is_plausible`], and frames of
    /// extensions too (5.5): some browsers and servers send them.
    pub fn may_follow(&self, most: u32) -> bool {
        self.is_plausible(most) || self.kind == Kind::Unknown && !self.reserved && self.length <= most
    }

    /// May it come now? Until the end of a header block, begun on the stream `block`, no other frame may, on any stream (6.10).
    pub(super) fn keeps_order(&self, block: Option<u32>) -> bool {
        let goes_on = self.kind == Kind::Continuation;
        block.map_or(!goes_on, |stream| goes_on && self.stream == stream)
    }

    /// Is it part of a header block that goes on in the next frame?
    pub fn leaves_block_open(&self) -> bool {
        matches!(self.kind, Kind::Headers | Kind::PushPromise | Kind::Continuation) && !self.has(END_HEADERS)
    }
}
