//! Key log lines (the NSS format, draft-ietf-tls-keylogfile).
//!
//! Takes the bytes of key log files, of pcapng Decryption Secrets Blocks or of a socket as they come, gives the secrets
//! in them. Comments, empty lines and labels that nobody knows are stepped over; so is a line that is too long, without
//! being held. Never shows a secret: what is given cannot be printed.

use std::fmt;

use zeroize::Zeroize;

/// Longest line that is read: label, 64 digits of random, 128 of secret, two spaces; and headroom for `RSA` lines.
const LINE: usize = 512;

/// Largest secret: SHA-512's size, though no suite uses it.
pub(super) const SECRET: usize = 64;

/// A secret. It is wiped when dropped and has no `Debug` that tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    length: u8,
    bytes: [u8; SECRET],
}

impl Secret {
    /// A copy of these bytes; `None` when they are none or too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self { length: u8::try_from(bytes.len()).ok()?, bytes: [0; SECRET] };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(secret)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret of TLS 1.2 and older.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`
    ServerTraffic,
    /// `PMS_CLIENT_RANDOM`: the premaster secret, by client random.
    Premaster,
    /// `RSA`: the premaster secret, by the first eight bytes of its encrypted form.
    RsaPremaster,
    /// `RSA Session-ID:… Master-Key:…`: the master secret, by session id (as `openssl s_client` prints it).
    SessionMaster,
}

const LABELS: &[(&str, Label)] = &[
    ("CLIENT_RANDOM", Label::Master),
    ("CLIENT_EARLY_TRAFFIC_SECRET", Label::ClientEarly),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", Label::ClientHandshake),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", Label::ServerHandshake),
    ("CLIENT_TRAFFIC_SECRET_0", Label::ClientTraffic),
    ("SERVER_TRAFFIC_SECRET_0", Label::ServerTraffic),
    ("PMS_CLIENT_RANDOM", Label::Premaster),
    // QUIC's own names, as some libraries write them.
    ("QUIC_CLIENT_EARLY_TRAFFIC_SECRET", Label::ClientEarly),
    ("QUIC_CLIENT_HANDSHAKE_TRAFFIC_SECRET", Label::ClientHandshake),
    ("QUIC_SERVER_HANDSHAKE_TRAFFIC_SECRET", Label::ServerHandshake),
    ("QUIC_CLIENT_TRAFFIC_SECRET_0", Label::ClientTraffic),
    ("QUIC_SERVER_TRAFFIC_SECRET_0", Label::ServerTraffic),
];

/// A line of a key log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub label: Label,
    /// Whose it is: the client's random, or what [`Label`] says; padded with zeros behind.
    pub of: [u8; 32],
    /// The secret.
    pub secret: Secret,
}

/// What a line was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A secret.
    Entry(Entry),
    /// Nothing to know: a comment, an empty line, a secret that nothing here needs (`EXPORTER_SECRET`).
    Nothing,
    /// Not a line of a key log.
    Bad,
}

/// Reads one line, without its end.
pub fn line(text: &[u8]) -> Line {
    let text = text.trim_ascii();
    if text.is_empty() || text.starts_with(b"#") {
        return Line::Nothing;
    }
    let mut words = text.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let (Some(label), Some(second), Some(third)) = (words.next(), words.next(), words.next()) else { return Line::Bad };
    let entry = if label == b"RSA" {
        match (second.strip_prefix(b"Session-ID:"), third.strip_prefix(b"Master-Key:")) {
            (Some(id), Some(key)) => entry(Label::SessionMaster, id, key, 1..=32),
            _ => entry(Label::RsaPremaster, second, third, 8..=8),
        }
    } else {
        match LABELS.iter().find(|(name, _)| name.as_bytes() == label) {
            Some((_, label)) => entry(*label, second, third, 32..=32),
            None if label.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_') => {
                return Line::Nothing;
            }
            None => None,
        }
    };
    entry.map_or(Line::Bad, Line::Entry)
}

fn entry(label: Label, of: &[u8], secret: &[u8], length: std::ops::RangeInclusive<usize>) -> Option<Entry> {
    let mut name = [0; 32];
    if !length.contains(&(of.len() / 2)) {
        return None;
    }
    let n = unhex(of, &mut name)?;
    let mut bytes = [0; SECRET];
    let length = unhex(secret, &mut bytes);
    let secret = length.and_then(|n| Secret::new(bytes.get(..n)?));
    bytes.zeroize();
    // A master secret has 48 bytes, a traffic secret its hash's size (RFC 5246, 8.1; RFC 8446, 7.1).
    let secret = secret?;
    let fits = match label {
        Label::Master | Label::SessionMaster => secret.bytes().len() == 48,
        Label::RsaPremaster => secret.bytes().len() == 48,
        Label::Premaster => true,
        _ => matches!(secret.bytes().len(), 32 | 48 | 64),
    };
    (fits && n > 0).then_some(Entry { label, of: name, secret })
}

/// Hexadecimal digits into `out`: how many bytes they made.
fn unhex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > out.len() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(pairs.len())
}

/// Puts lines together that come in pieces.
#[derive(Default)]
pub struct Lines {
    held: Vec<u8>,
    /// The line is over the limit: stepped over until its end.
    long: bool,
}

impl Lines {
    /// The next bytes; `out` is called for each line that ends in them.
    pub fn push(&mut self, bytes: &[u8], mut out: impl FnMut(Line)) {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let ends = part.ends_with(b"\n");
            if !self.long && self.held.len() + part.len() <= LINE {
                if ends && self.held.is_empty() {
                    out(line(part));
                    continue;
                }
                self.held.extend_from_slice(part);
            } else {
                self.long = true;
            }
            if ends {
                out(if self.long { Line::Bad } else { line(&self.held) });
                self.clear();
            }
        }
    }

    /// The end: a last line without its line end counts too.
    pub fn finish(&mut self, mut out: impl FnMut(Line)) {
        if !self.held.is_empty() || self.long {
            out(if self.long { Line::Bad } else { line(&self.held) });
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.held.zeroize();
        self.long = false;
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<Line> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| out.push(line));
        }
        lines.finish(|line| out.push(line));
        out
    }

    #[test]
    fn lines_of_each_kind() {
        let random = "ab".repeat(32);
        let (long, short) = ("cd".repeat(48), "ef".repeat(32));
        let kind = |text: String| match line(text.as_bytes()) {
            Line::Entry(entry) => Some((entry.label, entry.of[0], entry.secret.bytes().len())),
            _ => None,
        };
        assert_eq!(kind(format!("CLIENT_RANDOM {random} {}", long.to_uppercase())), Some((Label::Master, 0xab, 48)));
        assert_eq!(
            kind(format!("CLIENT_TRAFFIC_SECRET_0 {random} {short}\r\n")),
            Some((Label::ClientTraffic, 0xab, 32))
        );
        assert_eq!(kind(format!("RSA abababababababab {long}")), Some((Label::RsaPremaster, 0xab, 48)));
        assert_eq!(kind(format!("RSA Session-ID:{random} Master-Key:{long}")), Some((Label::SessionMaster, 0xab, 48)));
        assert_eq!(line(format!("EXPORTER_SECRET {random} {short}").as_bytes()), Line::Nothing);
        assert_eq!(line(b"# a comment"), Line::Nothing);
        for bad in ["CLIENT_RANDOM", "CLIENT_RANDOM ab cd", "hello there world", "RSA zz zz"] {
            assert_eq!(line(bad.as_bytes()), Line::Bad, "{bad}");
        }
        assert_eq!(line(format!("CLIENT_RANDOM {random} {short}").as_bytes()), Line::Bad, "too short a master secret");
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let random = "01".repeat(32);
        let text = format!(
            "# log\nCLIENT_RANDOM {random} {0}\n\nSERVER_TRAFFIC_SECRET_0 {random} {1}",
            "2a".repeat(48),
            "2b".repeat(32)
        );
        let whole = all(&[text.as_bytes()]);
        assert_eq!(whole.iter().filter(|line| matches!(line, Line::Entry(_))).count(), 2);
        for size in 1..70 {
            assert_eq!(all(&text.as_bytes().chunks(size).collect::<Vec<_>>()), whole, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'A'; 4096], |_| ());
            assert!(lines.held.len() <= LINE);
        }
        let mut out = Vec::new();
        lines.push(b"\n# next\n", |line| out.push(line));
        assert_eq!(out, [Line::Bad, Line::Nothing]);
    }

    #[test]
    fn a_secret_does_not_tell() {
        let secret = Secret::new(&[0x5a; 48]).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
        assert!(Secret::new(&[]).is_none() && Secret::new(&[0; 65]).is_none());
    }
}
