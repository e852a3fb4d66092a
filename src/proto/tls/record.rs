//! The record layer (RFC 8446, 5.1; RFC 5246, 6.2).
//!
//! Takes the bytes of one direction as they come, gives whole records: borrowed where one lies in one piece, joined
//! where it does not. Knows where a record may begin, for looking for one behind a hole. Never holds more than one
//! record, never looks into it.

/// Bytes of a record's header: type, version, length.
pub const HEADER: usize = 5;

/// Largest payload: 2^14 bytes and what TLS 1.2 lets encryption add (RFC 5246, 6.2.3).
pub const PAYLOAD: usize = (1 << 14) + 2048;

/// A segment of at least so many bytes belongs to a transfer that goes on.
const FULL: usize = 1000;

/// What a record carries (its outer type).
pub mod content {
    /// `change_cipher_spec`
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    /// `alert`
    pub const ALERT: u8 = 21;
    /// `handshake`
    pub const HANDSHAKE: u8 = 22;
    /// `application_data`
    pub const APPLICATION_DATA: u8 = 23;
}

/// A whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its outer type, 20 to 24.
    pub kind: u8,
    /// Its version field, `0x0300` to `0x0304`.
    pub version: u16,
    /// Its payload.
    pub body: &'a [u8],
}

/// What its header says, beside its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its outer type.
    pub kind: u8,
    /// Its version field.
    pub version: u16,
}

impl Record<'_> {
    /// Its header.
    pub fn header(&self) -> Header {
        Header { kind: self.kind, version: self.version }
    }
}

/// Is this the beginning of a record's header, as far as it goes?
pub fn may_begin(bytes: &[u8]) -> bool {
    let kind = bytes.first().is_none_or(|kind| (content::CHANGE_CIPHER_SPEC..=24).contains(kind));
    let major = bytes.get(1).is_none_or(|major| *major == 3);
    let minor = bytes.get(2).is_none_or(|minor| *minor <= 4);
    let length = match (bytes.get(3), bytes.get(4)) {
        (Some(high), Some(low)) => (1..=PAYLOAD).contains(&usize::from(u16::from_be_bytes([*high, *low]))),
        (Some(high), None) => usize::from(*high) << 8 <= PAYLOAD,
        _ => true,
    };
    kind && major && minor && length
}

/// Does a record with a ClientHello begin here? Eleven bytes have to fit together, so that it may be asked anywhere:
/// behind STARTTLS of any protocol, in a tunnel, behind a prelude that nobody knows.
pub fn client_hello_begins(bytes: &[u8]) -> bool {
    match bytes {
        [22, 3, 0..=4, high, low, 1, 0, high_of_hello, low_of_hello, 3, 0..=4, ..] => {
            let record = usize::from(u16::from_be_bytes([*high, *low]));
            let hello = usize::from(u16::from_be_bytes([*high_of_hello, *low_of_hello]));
            // Version, random, session id, one suite, one compression method: 41 bytes.
            record > 6 && record <= PAYLOAD && hello >= 41 && record <= hello + 4
        }
        _ => false,
    }
}

/// A ClientHello in the form of SSL 2 that offers something newer (RFC 5246, E.2): bytes of its header and message.
pub fn ssl2_client_hello(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [high @ 0x80..=0xff, low, 1, 3, 0..=3, specs, specs_low, _, id, challenge, challenge_low, ..] => {
            let length = usize::from(high & 0x7f) << 8 | usize::from(*low);
            let specs = usize::from(u16::from_be_bytes([*specs, *specs_low]));
            let challenge = usize::from(u16::from_be_bytes([*challenge, *challenge_low]));
            let whole = 9 + specs + usize::from(*id) + challenge;
            (specs > 0 && specs % 3 == 0 && (16..=32).contains(&challenge) && whole == length).then_some(length + 2)
        }
        _ => None,
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A record, how many of the bytes given were used, and whether it was joined and nothing lies behind it.
    Record(Record<'a>, usize, bool),
    /// All bytes were used; the record is not whole yet.
    More,
    /// No record begins here. Nothing was used of the bytes given.
    Bad,
}

/// Joins the records of one direction.
#[derive(Debug, Default)]
pub struct Records {
    held: Vec<u8>,
    /// So much of `held` was given out.
    given: usize,
    /// Bytes of the record given out last, when it came out of `held`.
    last: usize,
    /// A record was just joined: what begins now is of a transfer that goes on.
    goes_on: bool,
}

impl Records {
    /// Bytes that were taken and not given out as records.
    pub fn held(&self) -> usize {
        self.held.len() - self.given
    }

    /// The same, to take them over.
    pub fn take(&mut self) -> Vec<u8> {
        let mut held = std::mem::take(&mut self.held);
        held.drain(..std::mem::take(&mut self.given));
        held
    }

    /// Bytes of memory in use for what is held.
    pub(super) fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Gives bytes back that were taken over.
    pub(super) fn load(&mut self, bytes: Vec<u8>) {
        (self.held, self.given, self.last, self.goes_on) = (bytes, 0, 0, false);
    }

    /// The record given out last will be asked for again. Only for one that used up no bytes beyond what was held;
    /// tells whether it was one of those.
    pub(super) fn put_back(&mut self) -> bool {
        self.given -= self.last;
        std::mem::take(&mut self.last) > 0
    }

    /// The record given out last, header and all, where it was joined and nothing lies behind it.
    pub(super) fn hand_over(&mut self) -> Vec<u8> {
        (self.given, self.last) = (0, 0);
        std::mem::take(&mut self.held)
    }

    /// The next record of what is held and `bytes`, which must be what follows. A buffer that is needed is made out of
    /// `spare`, and goes back there.
    pub fn step<'a>(&'a mut self, bytes: &'a [u8], spare: &mut Vec<u8>) -> Step<'a> {
        if self.given > 0 {
            self.held.drain(..self.given);
            self.given = 0;
        }
        let goes_on = std::mem::take(&mut self.goes_on) || bytes.len() >= FULL;
        self.last = 0;
        if self.held.is_empty() {
            // What was needed once is not needed always.
            let buffer = std::mem::take(&mut self.held);
            if buffer.capacity() > spare.capacity() {
                *spare = buffer;
            }
            if bytes.is_empty() {
                return Step::More;
            }
            if !may_begin(bytes) {
                return Step::Bad;
            }
            return match split(bytes) {
                Some((record, n)) => Step::Record(record, n, false),
                None => {
                    // What is followed by more, to all appearances, gets room for all of the record at once.
                    if goes_on {
                        self.held = std::mem::take(spare);
                        self.held.clear();
                        self.held.reserve_exact(whole_length(bytes).unwrap_or(0));
                    }
                    self.held.extend_from_slice(bytes);
                    Step::More
                }
            };
        }
        let before = self.held.len();
        let header = HEADER.saturating_sub(before).min(bytes.len());
        self.held.extend_from_slice(&bytes[..header]);
        if !may_begin(&self.held) {
            self.held.truncate(before);
            return Step::Bad;
        }
        let Some(whole) = whole_length(&self.held) else { return Step::More };
        let rest = whole.saturating_sub(self.held.len()).min(bytes.len() - header);
        self.held.extend_from_slice(&bytes[header..header + rest]);
        match split(&self.held) {
            Some((record, size)) => {
                (self.given, self.last, self.goes_on) = (size, size, true);
                Step::Record(record, header + rest, size == self.held.len())
            }
            None => Step::More,
        }
    }
}

fn whole_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, _, _, high, low, ..] => Some(HEADER + usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// The record at the front of bytes that begin one, and its length with its header.
pub(super) fn split(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let whole = whole_length(bytes)?;
    let record = bytes.get(..whole)?;
    match record {
        [kind, major, minor, _, _, body @ ..] => {
            Some((Record { kind: *kind, version: u16::from_be_bytes([*major, *minor]), body }, whole))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = &[22, 3, 1, 0, 3, 1, 2, 3, 23, 3, 3, 0, 2, 8, 9];

    fn read(pieces: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
        let (mut records, mut out, mut spare) = (Records::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                match records.step(rest, &mut spare) {
                    Step::Record(record, n, _) => {
                        out.push((record.kind, record.body.to_vec()));
                        rest = &rest[n..];
                    }
                    Step::More => break,
                    Step::Bad => panic!("bad at {rest:?}"),
                }
            }
        }
        assert_eq!(records.held(), 0);
        out
    }

    #[test]
    fn records_are_joined_however_they_come() {
        let expected = vec![(22, vec![1, 2, 3]), (23, vec![8, 9])];
        assert_eq!(read(&[TWO]), expected);
        let bytes: Vec<_> = TWO.chunks(1).collect();
        assert_eq!(read(&bytes), expected);
        for at in 0..TWO.len() {
            assert_eq!(read(&[&TWO[..at], &TWO[at..]]), expected, "split at {at}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_at_its_first_wrong_byte() {
        assert_eq!(Records::default().step(b"GET / HTTP/1.1\r\n", &mut Vec::new()), Step::Bad);
        let mut records = Records::default();
        assert_eq!(records.step(&[23, 3], &mut Vec::new()), Step::More);
        assert_eq!(records.step(&[3, 0xff, 0xff, 1], &mut Vec::new()), Step::Bad, "too long");
        assert_eq!(records.take(), [23, 3]);
    }

    #[test]
    fn a_client_hello_is_known_anywhere() {
        assert!(client_hello_begins(&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 0]));
        assert!(client_hello_begins(&[22, 3, 1, 0, 50, 1, 0, 6, 196, 3, 3, 0]), "fragmented over records");
        assert!(!client_hello_begins(&[22, 3, 1, 0, 200, 2, 0, 0, 196, 3, 3, 0]), "ServerHello");
        assert!(!client_hello_begins(b"\x16\x03\x01 hello world"));
        let mut old = vec![0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5];
        old.extend([7; 16]);
        assert_eq!(ssl2_client_hello(&old), Some(30));
        old[1] = 29;
        assert_eq!(ssl2_client_hello(&old), None);
    }
}
