//! What is wrapped around each value: schema, commit number, checksum.
//!
//! Takes a key and a payload, gives bytes that prove themselves: a flipped bit, a value under the wrong key and a
//! form that this version does not know are all told apart. Never looks into the payload.
//!
//! ```text
//! schema u8 │ kind u8 │ commit u64 LE │ crc32 u32 LE │ payload
//! ```
//! The checksum covers key, schema, kind, commit and payload.

/// Newest form of the records that this version reads and the one it writes. Raised when the form changes.
pub const SCHEMA: u8 = 1;

/// Bytes before the payload.
pub(super) const HEADER: usize = 1 + 1 + 8 + 4;

/// Is the record there, or is this the mark that it was removed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    /// Kept until the next logical snapshot, so that a rebuild does not bring the record back.
    Removed,
}

/// A value taken out of its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened<'a> {
    pub(super) kind: Kind,
    /// Number of the commit that wrote it.
    pub(super) commit: u64,
    pub(super) payload: &'a [u8],
}

/// Why a value could not be taken out of its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too short, checksum wrong or a kind that does not exist.
    Damaged,
    /// The checksum is right and the schema is newer than [`SCHEMA`].
    Newer(u8),
}

pub(super) fn seal(key: &[u8], kind: Kind, commit: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.push(SCHEMA);
    out.push(match kind {
        Kind::Value => 0,
        Kind::Removed => 1,
    });
    out.extend_from_slice(&commit.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    let crc = checksum(key, &out);
    out[10..14].copy_from_slice(&crc.to_le_bytes());
    out
}

pub(super) fn open<'a>(key: &[u8], sealed: &'a [u8]) -> Result<Opened<'a>, Refused> {
    let (Some(&[schema, kind]), Some(commit), Some(crc)) =
        (sealed.first_chunk::<2>(), chunk::<8>(sealed, 2), chunk::<4>(sealed, 10))
    else {
        return Err(Refused::Damaged);
    };
    if u32::from_le_bytes(crc) != checksum(key, sealed) {
        return Err(Refused::Damaged);
    }
    if schema > SCHEMA {
        return Err(Refused::Newer(schema));
    }
    let kind = match (schema, kind) {
        (SCHEMA, 0) => Kind::Value,
        (SCHEMA, 1) => Kind::Removed,
        _ => return Err(Refused::Damaged),
    };
    Ok(Opened { kind, commit: u64::from_le_bytes(commit), payload: &sealed[HEADER..] })
}

/// The commit number that a sealed value states, unproven.
pub(super) fn stated_commit(sealed: &[u8]) -> Option<u64> {
    chunk::<8>(sealed, 2).map(u64::from_le_bytes)
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Of all but the place of the checksum itself. `sealed` has at least [`HEADER`] bytes.
fn checksum(key: &[u8], sealed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length keeps (key, value) pairs apart whose concatenations are equal.
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(&sealed[..10]);
    hasher.update(&sealed[HEADER..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_was_sealed() {
        let sealed = seal(b"key", Kind::Value, 7, b"payload");
        let opened = Opened { kind: Kind::Value, commit: 7, payload: b"payload" };
        assert_eq!(open(b"key", &sealed), Ok(opened));
        assert_eq!(stated_commit(&sealed), Some(7));
        assert_eq!(open(b"kez", &sealed), Err(Refused::Damaged), "a value belongs to its key");
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let sealed = seal(b"key", Kind::Removed, 1 << 40, b"payload");
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(b"key", &bad), Err(Refused::Damaged), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(open(b"key", &sealed[..len]), Err(Refused::Damaged), "cut at {len}");
        }
    }

    #[test]
    fn a_newer_schema_is_not_damage() {
        let mut sealed = seal(b"key", Kind::Value, 7, b"payload");
        sealed[0] = SCHEMA + 1;
        let crc = checksum(b"key", &sealed);
        sealed[10..14].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(open(b"key", &sealed), Err(Refused::Newer(SCHEMA + 1)));
    }
}
