//! The Huffman code of RFC 7541, appendix B.
//!
//! Takes a coded string, appends its bytes to a buffer. The code is canonical: the lengths alone give it, and the tables
//! are made of them when the program is compiled. Codes of up to ten bits, which is nearly all there is in real
//! fields, take one look-up each. Never gives more than 8/5 of what it takes, since no code is shorter than five bits.

/// Symbols: the bytes, and EOS.
const SYMBOLS: usize = 257;

/// The end of a string, which must not be coded (RFC 7541, 5.2).
const EOS: u16 = 256;

/// Bits that one look-up decides.
const FAST_BITS: u32 = 10;

/// The longest code.
const LONGEST: usize = 30;

/// Length of each symbol's code.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The canonical code: for each length the first code and where its symbols begin in `symbols`.
struct Code {
    symbols: [u16; SYMBOLS],
    first: [u32; LONGEST + 1],
    begin: [u16; LONGEST + 2],
    /// For each ten bits: the length of the code they begin with, and its symbol; 0 where it is longer.
    fast: [u16; 1 << FAST_BITS],
}

static CODE: Code = build();

const fn build() -> Code {
    let mut code =
        Code { symbols: [0; SYMBOLS], first: [0; LONGEST + 1], begin: [0; LONGEST + 2], fast: [0; 1 << FAST_BITS] };
    let (mut length, mut next, mut placed) = (1, 0u32, 0);
    while length <= LONGEST {
        next <<= 1;
        code.first[length] = next;
        code.begin[length] = placed as u16;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code.symbols[placed] = symbol as u16;
                placed += 1;
                if length as u32 <= FAST_BITS {
                    let shift = FAST_BITS - length as u32;
                    let mut low = 0;
                    while low < 1 << shift {
                        code.fast[((next << shift) + low) as usize] = (length as u16) << 8 | symbol as u16;
                        low += 1;
                    }
                }
                next += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    code.begin[LONGEST + 1] = placed as u16;
    code
}

/// A string that is not what the code gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad;

/// Decodes a string and appends it.
///
/// # Errors
/// [`Bad`] for a coded EOS and for padding that is longer than seven bits or not all ones (RFC 7541, 5.2). What was
/// decoded before has been appended.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    out.reserve(coded.len() * 8 / 5);
    let mut rest = coded;
    // The bits that are not decoded yet, from the top down, and their number.
    let (mut bits, mut count) = (0u64, 0u32);
    loop {
        while count <= 56
            && let [byte, more @ ..] = rest
        {
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
            rest = more;
        }
        let entry = CODE.fast[(bits >> (64 - FAST_BITS)) as usize];
        let (length, symbol) = if entry != 0 { (u32::from(entry >> 8), entry & 0xff) } else { long(bits)? };
        if length > count {
            break;
        }
        if symbol == EOS {
            return Err(Bad);
        }
        out.push(symbol as u8);
        bits <<= length;
        count -= length;
    }
    // What is left has to be the beginning of EOS, which is all ones.
    if count < 8 && bits.leading_ones() >= count { Ok(()) } else { Err(Bad) }
}

/// A code that is longer than [`FAST_BITS`].
#[cold]
fn long(bits: u64) -> Result<(u32, u16), Bad> {
    for length in FAST_BITS as usize + 1..=LONGEST {
        let code = (bits >> (64 - length)) as u32;
        let at = code.wrapping_sub(CODE.first[length]);
        let (begin, end) = (u32::from(CODE.begin[length]), u32::from(CODE.begin[length + 1]));
        if at < end - begin {
            return CODE.symbols.get((begin + at) as usize).map(|s| (length as u32, *s)).ok_or(Bad);
        }
    }
    Err(Bad)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Codes a string, for tests.
    pub(crate) fn encode(text: &[u8]) -> Vec<u8> {
        let (mut out, mut bits, mut count) = (Vec::new(), 0u64, 0u32);
        for byte in text {
            let length = LENGTHS[*byte as usize] as usize;
            let begin = CODE.begin[length] as usize;
            let at = CODE.symbols[begin..].iter().position(|s| *s == u16::from(*byte)).unwrap();
            bits = bits << length | u64::from(CODE.first[length] + at as u32);
            count += length as u32;
            while count >= 8 {
                count -= 8;
                out.push((bits >> count) as u8);
            }
        }
        if count > 0 {
            out.push((bits << (8 - count) | (0xff >> count)) as u8);
        }
        out
    }

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Bad> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    #[test]
    fn each_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encode(&all)), Ok(all));
        for byte in 0..=255 {
            for n in 0..9 {
                let text = vec![byte; n];
                assert_eq!(decoded(&encode(&text)), Ok(text));
            }
        }
    }

    #[test]
    fn known_strings() {
        // RFC 7541, C.4.1 and C.6.1.
        assert_eq!(decoded(b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), Ok(b"www.example.com".to_vec()));
        assert_eq!(decoded(b"\xae\xc3\x77\x1a\x4b"), Ok(b"private".to_vec()));
        assert_eq!(decoded(b""), Ok(Vec::new()));
    }

    #[test]
    fn padding_is_checked() {
        assert_eq!(decoded(b"\xff"), Err(Bad), "eight bits of padding");
        assert_eq!(decoded(b"\x07"), Ok(b"0".to_vec()), "0 and three ones");
        assert_eq!(decoded(b"\x00"), Err(Bad), "0 and three zeroes");
        assert_eq!(decoded(b"\xff\xff\xff\xff"), Err(Bad), "EOS");
        assert_eq!(decoded(b"\xff\xff\xff\xfc\x07"), Err(Bad), "EOS and more");
    }
}
