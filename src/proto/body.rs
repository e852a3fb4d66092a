//! Undoes content codings (RFC 9110, 8.4): gzip, deflate, br, zstd, and stacks of them.
//!
//! Takes the coded body in pieces, gives decoded bytes as soon as they are known, so that a body cut short still
//! yields its beginning. Bounded: what one decoder gives ends at a limit of bytes, a body that expands more than a
//! given ratio is called a bomb and left alone, and windows are limited. Never holds more than one window and a
//! buffer for each coding.

use std::io::{self, Write};

use crate::base::{Limits, Oddity};

/// Codings that may be stacked on each other. Real bodies have one; two are a mistake, more an attack.
const STACKED: usize = 4;

/// Largest zstd window, as a power of two: 8 MiB, which RFC 9659 makes the most that `zstd` may ask for.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decoded bytes that no ratio is held against: a short body of one letter repeated is no bomb.
const SMALL: u64 = 64 << 10;

/// Decodes one body.
pub struct Decoder {
    /// Outermost coding first; empty where the body is not coded.
    stages: Vec<Stage>,
    coded: u64,
    given: u64,
    limit: u64,
    ratio: u64,
    over: bool,
}

/// Where a stage leaves what it decoded, up to a limit.
struct Room {
    bytes: Vec<u8>,
    left: u64,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.left.min(bytes.len() as u64) as usize;
        self.bytes.extend_from_slice(&bytes[..n]);
        self.left -= n as u64;
        // Taking nothing is an error to every writer: it ends the decoding at the limit.
        if n == 0 && !bytes.is_empty() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stage {
    Gzip(flate2::write::MultiGzDecoder<Room>),
    /// Until the first two bytes tell a zlib wrapper from raw deflate; `deflate` in the wild is either.
    Deflate(Vec<u8>, Option<Room>),
    Zlib(flate2::write::ZlibDecoder<Room>),
    Raw(flate2::write::DeflateDecoder<Room>),
    Brotli(Box<brotli::DecompressorWriter<Room>>),
    Zstd(zstd::stream::write::Decoder<'static, Room>),
}

impl Stage {
    /// A stage for a coding's name; `None` for a coding that is not known.
    fn new(coding: &[u8], limit: u64) -> Option<Self> {
        let room = Room { bytes: Vec::new(), left: limit };
        let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip(flate2::write::MultiGzDecoder::new(room)))
        } else if is("deflate") {
            Some(Self::Deflate(Vec::new(), Some(room)))
        } else if is("br") {
            Some(Self::Brotli(Box::new(brotli::DecompressorWriter::new(room, 4096))))
        } else if is("zstd") {
            let mut decoder = zstd::stream::write::Decoder::new(room).ok()?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).ok()?;
            Some(Self::Zstd(decoder))
        } else {
            None
        }
    }

    fn room(&mut self) -> Option<&mut Room> {
        match self {
            Self::Gzip(d) => Some(d.get_mut()),
            Self::Deflate(_, room) => room.as_mut(),
            Self::Zlib(d) => Some(d.get_mut()),
            Self::Raw(d) => Some(d.get_mut()),
            Self::Brotli(d) => Some(d.get_mut()),
            Self::Zstd(d) => Some(d.get_mut()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Self::Deflate(held, room) = self {
            held.extend_from_slice(bytes);
            let [first, second, ..] = held[..] else { return Ok(()) };
            let (held, Some(room)) = (std::mem::take(held), room.take()) else { return Ok(()) };
            // RFC 1950, 2.2: method 8, and the header is a multiple of 31.
            let zlib = first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
            *self = if zlib {
                Self::Zlib(flate2::write::ZlibDecoder::new(room))
            } else {
                Self::Raw(flate2::write::DeflateDecoder::new(room))
            };
            return self.write(&held);
        }
        let writer: &mut dyn Write = match self {
            Self::Gzip(d) => d,
            Self::Zlib(d) => d,
            Self::Raw(d) => d,
            Self::Brotli(d) => &mut **d,
            Self::Zstd(d) => d,
            Self::Deflate(..) => return Ok(()),
        };
        writer.write_all(bytes)?;
        writer.flush()
    }
}

impl Decoder {
    /// A decoder for the values of the Content-Encoding fields, in order.
    ///
    /// # Errors
    /// [`Oddity::BodyCodingBad`] for a coding that is not known, or too many of them.
    pub fn new<'a>(fields: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Result<Self, Oddity> {
        let limit = limits.body_bytes as u64;
        let mut stages = Vec::new();
        for coding in fields.flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii) {
            if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            if stages.len() == STACKED {
                return Err(Oddity::BodyCodingBad);
            }
            stages.push(Stage::new(coding, limit).ok_or(Oddity::BodyCodingBad)?);
        }
        // The last coding named was applied last, so it comes off first.
        stages.reverse();
        Ok(Self { stages, coded: 0, given: 0, limit, ratio: u64::from(limits.body_ratio), over: false })
    }

    /// Is there nothing more to expect, because the limit was reached or decoding failed?
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Decodes the next piece, giving what it yields to `out`. Quiet once the limit is reached.
    ///
    /// # Errors
    /// [`Oddity::BodyCodingBad`] or [`Oddity::BodyBomb`], once; what was decoded before has been given.
    pub fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), Oddity> {
        if self.over {
            return Ok(());
        }
        self.coded += bytes.len() as u64;
        if self.stages.is_empty() {
            self.give(bytes, out);
            return Ok(());
        }
        let mut piece = bytes.to_vec();
        let mut full = false;
        let mut failed = false;
        for stage in &mut self.stages {
            let outcome = stage.write(&piece);
            let Some(room) = stage.room() else { return Ok(()) };
            piece = std::mem::take(&mut room.bytes);
            full |= room.left == 0;
            failed |= outcome.is_err() && room.left > 0;
            if piece.is_empty() {
                break;
            }
        }
        // Only the innermost stage's bytes are the body's; an outer one that broke off has given what it could.
        let decoded = self.given + piece.len() as u64;
        let bomb = decoded > SMALL && decoded / self.ratio.max(1) > self.coded;
        if self.stages.len() > 1 && full && piece.is_empty() {
            self.over = true;
            return Err(Oddity::BodyBomb);
        }
        self.give(&piece, out);
        self.over |= full || failed || bomb;
        if bomb {
            Err(Oddity::BodyBomb)
        } else if failed {
            Err(Oddity::BodyCodingBad)
        } else {
            Ok(())
        }
    }

    fn give(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        let n = (self.limit - self.given).min(bytes.len() as u64) as usize;
        if n > 0 {
            out(&bytes[..n]);
        }
        self.given += n as u64;
        self.over |= self.given == self.limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn raw(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn br(bytes: &[u8]) -> Vec<u8> {
        let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        writer.write_all(bytes).unwrap();
        writer.into_inner()
    }

    fn zstd_(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }

    /// Decodes in pieces; what came out, and the oddity if there was one.
    fn decode(coding: &str, coded: &[u8], piece: usize, limits: &Limits) -> (Vec<u8>, Option<Oddity>) {
        let mut decoder = Decoder::new([coding.as_bytes()].into_iter(), limits).expect("a known coding");
        let (mut out, mut odd) = (Vec::new(), None);
        for piece in coded.chunks(piece) {
            if let Err(oddity) = decoder.push(piece, &mut |bytes| out.extend_from_slice(bytes)) {
                odd = Some(oddity);
            }
        }
        (out, odd)
    }

    fn text() -> Vec<u8> {
        (0..3000)
            .flat_map(|n: u32| format!("{{\"id\": {n}, \"h\": {}}}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    type Coder = fn(&[u8]) -> Vec<u8>;
    const CODERS: [(&str, Coder); 6] =
        [("gzip", gzip), ("x-gzip", gzip), ("deflate", zlib), ("deflate", raw), ("br", br), ("zstd", zstd_)];

    #[test]
    fn each_coding_comes_off_whatever_the_cuts() {
        let text = text();
        for (name, coder) in CODERS {
            let coded = coder(&text);
            for piece in [1, 13, 1460, coded.len()] {
                assert_eq!(decode(name, &coded, piece, &Limits::default()), (text.clone(), None), "{name} by {piece}");
            }
        }
        assert_eq!(decode("identity", &text, 100, &Limits::default()), (text.clone(), None));
        assert_eq!(decode("gzip, br", &br(&gzip(&text)), 99, &Limits::default()), (text, None));
    }

    #[test]
    fn a_body_cut_short_yields_its_beginning() {
        let text = text();
        for (name, coder) in CODERS {
            let coded = coder(&text);
            let (out, odd) = decode(name, &coded[..coded.len() / 2], 700, &Limits::default());
            assert!(text.starts_with(&out), "{name}");
            // zstd gives whole blocks only; all of this text is one.
            assert!(name == "zstd" || out.len() > text.len() / 4, "{name} gave {}", out.len());
            assert_eq!(odd, None, "{name}");
        }
    }

    #[test]
    fn what_is_not_coded_so_is_told() {
        for (name, coder) in CODERS {
            let mut coded = coder(&text());
            for byte in &mut coded[20..] {
                *byte ^= 0x5a;
            }
            let (_, odd) = decode(name, &coded, 100, &Limits::default());
            assert_eq!(odd, Some(Oddity::BodyCodingBad), "{name}");
        }
        let unknown = Decoder::new([&b"compress"[..]].into_iter(), &Limits::default());
        assert_eq!(unknown.err(), Some(Oddity::BodyCodingBad));
        let stacked = Decoder::new([&b"gzip,gzip,gzip,gzip,gzip"[..]].into_iter(), &Limits::default());
        assert_eq!(stacked.err(), Some(Oddity::BodyCodingBad));
    }

    #[test]
    fn what_is_given_ends_at_the_limit() {
        let text = text();
        let limits = Limits { body_bytes: 1000, ..Limits::default() };
        for (name, coder) in CODERS {
            let (out, odd) = decode(name, &coder(&text), 100, &limits);
            assert_eq!((out.as_slice(), odd), (&text[..1000], None), "{name}");
        }
        assert_eq!(decode("identity", &text, 300, &limits).0, &text[..1000]);
    }

    #[test]
    fn bombs_are_left_alone() {
        let zeros = vec![0; 64 << 20];
        let limits = Limits { body_bytes: 32 << 20, body_ratio: 100, ..Limits::default() };
        for (name, coder) in CODERS {
            let coded = coder(&zeros);
            let (out, odd) = decode(name, &coded, 1000, &limits);
            assert_eq!(odd, Some(Oddity::BodyBomb), "{name}");
            assert!(out.len() <= limits.body_bytes, "{name}");
        }
        let twice = gzip(&gzip(&zeros));
        let (_, odd) = decode("gzip, gzip", &twice, 1000, &limits);
        assert_eq!(odd, Some(Oddity::BodyBomb));
    }
}
