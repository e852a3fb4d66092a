//! Compressed certificates (RFC 8879).
//!
//! Takes the body of a CompressedCertificate message, gives that of the Certificate message in it: zlib, brotli or zstd.
//! Never gives more than a handshake message may hold.

use std::io::Read;

use super::bytes::Cursor;
use super::handshake::MESSAGE;

/// The Certificate message's body.
pub(super) fn certificate(body: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    let (algorithm, size) = (cursor.u16()?, cursor.u24()?);
    let packed = cursor.vec24()?.rest();
    if size > MESSAGE {
        return None;
    }
    let mut out = Vec::new();
    let most = size as u64;
    match algorithm {
        1 => flate2::read::ZlibDecoder::new(packed).take(most).read_to_end(&mut out),
        2 => brotli::Decompressor::new(packed, 4096).take(most).read_to_end(&mut out),
        3 => zstd::stream::read::Decoder::new(packed).and_then(|mut decoder| {
            // 8 MB: what RFC 8878 asks every decoder to have.
            decoder.window_log_max(23)?;
            decoder.take(most).read_to_end(&mut out)
        }),
        _ => return None,
    }
    .ok()?;
    (out.len() == size).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn one_of_zlib() {
        let text = b"certificate certificate certificate".repeat(20);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        let packed = encoder.finish().unwrap();
        let u24 = |n: usize| [0, (n >> 8) as u8, n as u8];
        let message = |size| [&[0, 1][..], &u24(size), &u24(packed.len()), &packed].concat();
        assert_eq!(certificate(&message(text.len())), Some(text.clone()));
        assert_eq!(certificate(&message(text.len() + 1)), None, "shorter than it says");
        assert_eq!(certificate(&[0, 2, 0xff, 0xff, 0xff, 0, 0, 0]), None, "over the limit");
        assert_eq!(certificate(&[0, 9, 0, 0, 1, 0, 0, 0]), None);
    }
}
