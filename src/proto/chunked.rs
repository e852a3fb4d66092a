//! Undoes the chunked transfer coding (RFC 9112, 7.1).
//!
//! Takes body bytes however they were cut, gives the data between the size lines as slices of the input, and tells
//! where the body ends (behind its trailers). Chunk extensions and trailer fields are stepped over, whatever their
//! length. Never copies, never buffers.

/// Where in the coding the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the digits of a size line; nothing seen yet.
    Size,
    /// In the digits, at least one seen.
    Digits,
    /// Behind the digits: white space or an extension, up to the line's end.
    Extension,
    /// In chunk data.
    Data,
    /// Behind chunk data: CR LF.
    DataEnd,
    /// At the beginning of a trailer line; an empty one ends the body.
    Trailer,
    /// Inside a trailer line.
    TrailerLine,
    /// Past the end.
    Done,
}

/// The state of one chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    /// Size read so far, or data bytes left.
    left: u64,
    at: At,
}

/// What a step over the input brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Chunk data among them.
    pub data: &'a [u8],
}

/// A size line that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk;

impl Chunked {
    /// At the beginning of a body.
    pub fn new() -> Self {
        Self { left: 0, at: At::Size }
    }

    /// Is the body over?
    #[inline]
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Reads on, up to the end of the next piece of chunk data, of the body, or of the input.
    ///
    /// # Errors
    /// The input is not chunked; no further call makes sense.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, BadChunk> {
        let mut n = 0;
        while n < bytes.len() {
            let byte = bytes[n];
            match self.at {
                At::Data => {
                    let len = self.left.min((bytes.len() - n) as u64) as usize;
                    self.left -= len as u64;
                    if self.left == 0 {
                        self.at = At::DataEnd;
                    }
                    return Ok(Step { consumed: n + len, data: &bytes[n..n + len] });
                }
                At::DataEnd => match byte {
                    b'\r' => {}
                    b'\n' => *self = Self::new(),
                    _ => return Err(BadChunk),
                },
                At::Size | At::Digits => match byte {
                    b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => {
                        if self.left >> 60 != 0 {
                            return Err(BadChunk);
                        }
                        let digit = (byte as char).to_digit(16).unwrap_or(0);
                        self.left = self.left << 4 | u64::from(digit);
                        self.at = At::Digits;
                    }
                    b' ' | b'\t' if self.at == At::Size => {}
                    b';' | b' ' | b'\t' | b'\r' if self.at == At::Digits => self.at = At::Extension,
                    b'\n' if self.at == At::Digits => self.size_known(),
                    _ => return Err(BadChunk),
                },
                At::Extension => {
                    if byte == b'\n' {
                        self.size_known();
                    }
                }
                At::Trailer => match byte {
                    b'\r' => {}
                    b'\n' => {
                        self.at = At::Done;
                        return Ok(Step { consumed: n + 1, data: &[] });
                    }
                    _ => self.at = At::TrailerLine,
                },
                At::TrailerLine => {
                    if byte == b'\n' {
                        self.at = At::Trailer;
                    }
                }
                At::Done => return Ok(Step { consumed: n, data: &[] }),
            }
            n += 1;
        }
        Ok(Step { consumed: n, data: &[] })
    }

    fn size_known(&mut self) {
        self.at = if self.left == 0 { At::Trailer } else { At::Data };
    }

    /// Steps over a hole of `len` bytes. True when it lies within the data of one chunk, so that the place behind it
    /// is known; otherwise the state is unknown and must be given up.
    pub fn skip(&mut self, len: u64) -> bool {
        if self.at != At::Data || len > self.left {
            return false;
        }
        self.left -= len;
        if self.left == 0 {
            self.at = At::DataEnd;
        }
        true
    }
}

impl Default for Chunked {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces of `cut` bytes; the data, and how many bytes were taken.
    fn read(text: &[u8], cut: usize) -> Result<(Vec<u8>, usize, bool), BadChunk> {
        let (mut chunked, mut data, mut taken) = (Chunked::new(), Vec::new(), 0);
        for piece in text.chunks(cut) {
            let mut rest = piece;
            while !rest.is_empty() && !chunked.is_done() {
                let step = chunked.step(rest)?;
                data.extend_from_slice(step.data);
                taken += step.consumed;
                rest = &rest[step.consumed..];
            }
        }
        Ok((data, taken, chunked.is_done()))
    }

    #[test]
    fn hard_case_23_chunk_extensions_and_trailers() {
        let text = b"4;name=\"va;lue\"\r\nWiki\r\n5 ; x\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\nExpires: never\r\nX: y\r\n\r\nGET";
        for cut in 1..=text.len() {
            let (data, taken, done) = read(text, cut).unwrap();
            assert_eq!(data, b"Wikipedia in\r\n\r\nchunks.");
            assert!(done);
            assert_eq!(taken, text.len() - 3, "what follows is not touched");
        }
    }

    #[test]
    fn bare_line_feeds_are_read() {
        assert_eq!(read(b"3\nabc\n0\n\n", 1).unwrap(), (b"abc".to_vec(), 9, true));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [&b"xyz\r\n"[..], b"\r\n", b"-1\r\n", b"11111111111111111\r\n", b"3\r\nabcd\r\n", b";x\r\n"] {
            assert!(read(text, 1).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_hole_inside_one_chunk_is_stepped_over() {
        let mut chunked = Chunked::new();
        let step = chunked.step(b"A\r\n01").unwrap();
        assert_eq!(step.data, b"01");
        let before = chunked;
        assert!(chunked.skip(8));
        assert!(chunked.step(b"\r\n0\r\n\r\n").is_ok());
        assert!(chunked.is_done());
        let mut beyond = before;
        assert!(!beyond.skip(9));
    }
}
