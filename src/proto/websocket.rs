//! WebSocket frames (RFC 6455), with permessage-deflate (RFC 7692).
//!
//! Takes the bytes of one direction behind the handshake, gives how many messages there were, how large, of which kind,
//! and whether they look like JSON. Payloads are counted down; only the beginning of a text message is looked at. A
//! compressed message is undone as far as the bounds allow, since the next one may refer to it; what is undone is not
//! kept: the text goes to whoever asks, piece by piece. Never searches for a frame behind a hole: nothing there proves where one begins.

use flate2::{Decompress, FlushDecompress, Status};

/// How many times larger than its coded form a message may become before it is left alone, beyond [`SMALL`] bytes.
const RATIO: u64 = 1000;
/// Bytes that no ratio is held against.
const SMALL: u64 = 64 << 10;

/// What was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that are whole.
    pub messages: u64,
    /// Bytes of all messages, compressed ones as they are.
    pub bytes: u64,
    /// Text messages among them.
    pub text: u64,
    /// Text messages that begin as a JSON object or array does.
    pub json: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// Status code of a Close frame (7.4).
    pub close: Option<u16>,
}

impl Tally {
    /// What has come since `before`, an earlier state of the same tally.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            messages: self.messages - before.messages.min(self.messages),
            bytes: self.bytes - before.bytes.min(self.bytes),
            text: self.text - before.text.min(self.text),
            json: self.json - before.json.min(self.json),
            compressed: self.compressed - before.compressed.min(self.compressed),
            close: self.close,
        }
    }
}

/// A piece of a text message, unmasked and decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes of it.
    Text(&'a [u8]),
    /// It is over. Of one that could not be decompressed, bytes are missing.
    End,
}

/// How far one direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Payload,
    /// Not WebSocket, or not any more.
    Over,
}

/// One direction.
#[derive(Debug)]
pub struct Reader {
    /// What was said so far.
    pub tally: Tally,
    state: State,
    header: [u8; 14],
    have: u8,
    left: u64,
    /// Bytes of the payload that have passed.
    at: u64,
    /// Message that is being received: text, compressed.
    message: Option<(bool, bool)>,
    /// The first byte of its text that is no white space.
    begins: Option<u8>,
    close: [u8; 2],
    /// permessage-deflate was agreed on.
    deflate: bool,
    inflate: Option<Box<Decompress>>,
    /// Coded and decoded bytes of the message.
    sizes: [u64; 2],
}

impl Reader {
    /// A reader behind the handshake; `deflate` when permessage-deflate was agreed on. `decode` when compressed messages may
    /// be undone, which takes a window of 32 KB.
    pub fn new(deflate: bool, decode: bool) -> Self {
        Self {
            tally: Tally::default(),
            state: State::Header,
            header: [0; 14],
            have: 0,
            left: 0,
            at: 0,
            message: None,
            begins: None,
            close: [0; 2],
            deflate,
            inflate: (deflate && decode).then(|| Box::new(Decompress::new(false))),
            sizes: [0; 2],
        }
    }

    /// Can nothing more be read?
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// A hole: nothing behind it is read.
    pub fn gap(&mut self) {
        self.state = State::Over;
        self.inflate = None;
    }

    /// The next bytes. Gives how many of them were read; less than all means that they are no frames.
    pub fn push(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Piece<'_>)) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match self.state {
                State::Over => return done,
                State::Header => {
                    let Some(byte) = bytes.get(done) else { break };
                    if let Some(place) = self.header.get_mut(self.have as usize) {
                        *place = *byte;
                    }
                    self.have += 1;
                    done += 1;
                    if self.have as usize >= 2 && self.have as usize == self.header_size() {
                        self.begins_frame(tell);
                    }
                }
                State::Payload => {
                    let n = self.left.min((bytes.len() - done) as u64) as usize;
                    self.payload(&bytes[done..done + n], tell);
                    self.left -= n as u64;
                    self.at += n as u64;
                    done += n;
                    if self.left == 0 {
                        self.frame_ends(tell);
                    }
                }
            }
        }
        done
    }

    fn is_masked(&self) -> bool {
        self.header[1] & 0x80 != 0
    }

    fn header_size(&self) -> usize {
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if self.is_masked() { 4 } else { 0 }
    }

    fn begins_frame(&mut self, tell: &mut dyn FnMut(Piece<'_>)) {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.header;
        (self.have, self.at) = (0, 0);
        self.left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            n => u64::from(n),
        };
        let (fin, rsv1, opcode) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x0f);
        let control = opcode >= 8;
        let good = first & 0x30 == 0
            && self.left < 1 << 63
            && match opcode {
                // A message goes on (5.4).
                0 => self.message.is_some() && !rsv1,
                1 | 2 => self.message.is_none() && (!rsv1 || self.deflate),
                8..=10 => fin && self.left <= 125 && !rsv1,
                _ => false,
            };
        if !good {
            return self.gap();
        }
        if !control {
            self.tally.bytes += self.left;
            if opcode != 0 {
                self.message = Some((opcode == 1, rsv1));
                (self.begins, self.sizes) = (None, [0; 2]);
            }
        }
        self.state = State::Payload;
        if self.left == 0 {
            self.frame_ends(tell);
        }
    }

    fn payload(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Piece<'_>)) {
        let opcode = self.header[0] & 0x0f;
        let mask: [u8; 4] = if self.is_masked() {
            let at = self.header_size() - 4;
            self.header.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
        } else {
            [0; 4]
        };
        let at = self.at;
        let clear = |n: usize, byte: u8| byte ^ mask[((at + n as u64) % 4) as usize];
        if opcode == 8 {
            for (n, byte) in bytes.iter().enumerate().take(2) {
                if let Some(place) = self.close.get_mut(at as usize + n) {
                    *place = clear(n, *byte);
                }
            }
            return;
        }
        if opcode > 8 {
            return;
        }
        match self.message {
            Some((text, compressed)) if text && !compressed || compressed && self.inflate.is_some() => {
                let mut piece = [0; 1024];
                for (n, chunk) in bytes.chunks(piece.len()).enumerate() {
                    let begin = n * piece.len();
                    for (m, byte) in chunk.iter().enumerate() {
                        piece[m] = clear(begin + m, *byte);
                    }
                    let piece = &piece[..chunk.len()];
                    if compressed {
                        self.undo(piece, text, tell);
                    } else {
                        self.text(piece, tell);
                    }
                }
            }
            _ => {}
        }
    }

    /// Some text of a message.
    fn text(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Piece<'_>)) {
        if self.begins.is_none() {
            self.begins = bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        }
        if !bytes.is_empty() {
            tell(Piece::Text(bytes));
        }
    }

    /// Undoes the compression of some bytes, keeping only what the message begins with.
    fn undo(&mut self, coded: &[u8], text: bool, tell: &mut dyn FnMut(Piece<'_>)) {
        let mut rest = coded;
        self.sizes[0] += coded.len() as u64;
        let mut out = [0; 4096];
        while let Some(inflate) = &mut self.inflate {
            let (taken, given) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(rest, &mut out, FlushDecompress::Sync);
            let (taken, given) = ((inflate.total_in() - taken) as usize, (inflate.total_out() - given) as usize);
            rest = rest.get(taken..).unwrap_or_default();
            self.sizes[1] += given as u64;
            if text {
                self.text(out.get(..given).unwrap_or_default(), tell);
            }
            let bomb = self.sizes[1] > SMALL && self.sizes[1] / RATIO > self.sizes[0];
            if bomb || !matches!(status, Ok(Status::Ok | Status::BufError)) {
                // The next message may refer to what is not known now.
                self.inflate = None;
            }
            if (rest.is_empty() || taken == 0) && given < out.len() {
                return;
            }
        }
    }

    fn frame_ends(&mut self, tell: &mut dyn FnMut(Piece<'_>)) {
        self.state = State::Header;
        let (fin, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        if opcode == 8 && self.at >= 2 {
            self.tally.close = Some(u16::from_be_bytes(self.close));
        }
        if opcode >= 8 || !fin {
            return;
        }
        let Some((text, compressed)) = self.message.take() else { return };
        if compressed {
            // What the sender took off (RFC 7692, 7.2.1).
            self.undo(&[0, 0, 0xff, 0xff], text, tell);
        }
        if text {
            tell(Piece::End);
        }
        self.tally.messages += 1;
        self.tally.text += u64::from(text);
        self.tally.compressed += u64::from(compressed);
        self.tally.json += u64::from(text && matches!(self.begins, Some(b'{' | b'[')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let flag = if mask.is_some() { 0x80 } else { 0 };
        let mut out = vec![first];
        match payload.len() {
            n @ 0..126 => out.push(flag | n as u8),
            n @ 126..65_536 => {
                out.push(flag | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(flag | 127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        let key = mask.unwrap_or_default();
        out.extend(mask.into_iter().flatten());
        out.extend(payload.iter().enumerate().map(|(n, b)| b ^ key[n % 4]));
        out
    }

    /// Compresses messages with one window for all.
    fn deflated(compress: &mut Compress, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 1000);
        compress.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
        out
    }

    /// Text messages as they are told; the last one is not over yet.
    fn note(told: &mut Vec<Vec<u8>>, piece: Piece<'_>) {
        if told.is_empty() {
            told.push(Vec::new());
        }
        match (piece, told.last_mut()) {
            (Piece::Text(bytes), Some(last)) => last.extend_from_slice(bytes),
            _ => told.push(Vec::new()),
        }
    }

    fn conversation() -> Vec<u8> {
        let mut compress = Compress::new(Compression::fast(), false);
        let json = br#"  {"price": 12345, "name": "a name that is long enough"}"#;
        [
            frame(0x81, Some([1, 2, 3, 4]), json),
            frame(0x01, None, b"in "),
            frame(0x89, None, b"ping"),
            frame(0x80, None, b"pieces"),
            frame(0x82, None, &[9; 70_000]),
            frame(0xc1, Some([9, 8, 7, 6]), &deflated(&mut compress, json)),
            frame(0xc1, None, &deflated(&mut compress, json)),
            frame(0xc1, None, &deflated(&mut compress, b"no json")),
            frame(0x88, None, b"\x03\xe8bye"),
        ]
        .concat()
    }

    #[test]
    fn messages_are_counted_and_sized() {
        let text = conversation();
        let mut reader = Reader::new(true, true);
        assert_eq!(reader.push(&text, &mut |_| {}), text.len());
        let Tally { messages, text, json, compressed, close, bytes } = reader.tally;
        assert_eq!((messages, text, json, compressed, close), (6, 5, 3, 3, Some(1000)));
        assert!(bytes > 70_000);
        // Without decoding only what is in clear is JSON.
        let mut reader = Reader::new(true, false);
        reader.push(&conversation(), &mut |_| {});
        assert_eq!((reader.tally.messages, reader.tally.json), (6, 1));
    }

    #[test]
    fn nonsense_ends_it() {
        for bad in [&b"\x83\x00"[..], b"\x80\x00", b"\xc1\x00", b"\x91\x00", b"\x09\x00", b"\x89\x7e\x01\x00"] {
            let mut reader = Reader::new(false, false);
            reader.push(bad, &mut |_| {});
            assert!(reader.is_over(), "{bad:?}");
            assert_eq!(reader.push(b"more", &mut |_| {}), 0);
        }
    }

    #[test]
    fn a_bomb_is_left_alone() {
        let mut compress = Compress::new(Compression::best(), false);
        let bomb = deflated(&mut compress, &vec![b' '; 200 << 20]);
        let mut reader = Reader::new(true, true);
        reader.push(&frame(0xc1, None, &bomb), &mut |_| {});
        assert!(reader.inflate.is_none() || reader.sizes[1] / RATIO <= reader.sizes[0]);
        assert_eq!(reader.tally.messages, 1);
    }

    proptest! {
        #[test]
        fn segmentation_invariance(mut cuts in proptest::collection::vec(0usize..75_000, 0..40)) {
            let text = conversation();
            let mut whole = Reader::new(true, true);
            let mut told = [Vec::new(), Vec::new()];
            whole.push(&text, &mut |piece| note(&mut told[0], piece));
            cuts.retain(|c| *c <= text.len());
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut pieces = Reader::new(true, true);
            for w in cuts.windows(2) {
                pieces.push(&text[w[0]..w[1]], &mut |piece| note(&mut told[1], piece));
            }
            prop_assert_eq!(pieces.tally, whole.tally);
            prop_assert_eq!(&told[0], &told[1]);
            prop_assert_eq!(told[0].len(), 6);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), deflate: bool) {
            let mut reader = Reader::new(deflate, true);
            let read = reader.push(&bytes, &mut |_| {});
            prop_assert!(read <= bytes.len());
        }
    }
}
