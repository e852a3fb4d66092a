//! The store's forms on disk, damaged. Laws: what was written comes back exactly; a snapshot that was damaged gives the
//! records that stand before the damage and says that it is not whole; a sealed value that was damaged, or that lies under
//! another key, is refused. Bytes that were never written by a store are refused, or give records that can be written.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use shadowtap::inventory::store::forms::{Kept, open, read_snapshot, seal, write_snapshot};
use shadowtap_fuzz::{Choices, content};

/// Bytes that follow from a number: damage must be found by a checksum, not be made to fit one.
fn bytes(side: shadowtap::base::Side, seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| content(side, seed << 16 | at)).collect()
}

fn record(choices: &mut Choices<'_>) -> Kept {
    let seed = u64::from(choices.u16());
    Kept {
        key: bytes(shadowtap::base::Side::Lo, seed, choices.below(40)),
        value: bytes(shadowtap::base::Side::Hi, seed, choices.below(600)),
        commit: u64::from(choices.u16()),
    }
}

/// One damage at one place: as many bytes as a checksum of 32 bits is sure to notice, or a cut, or a shift.
fn damage(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let at = choices.u32() as usize % (bytes.len() + 1);
    match choices.u8() % 5 {
        0 | 1 => bytes.iter_mut().skip(at).take(4).for_each(|b| *b ^= choices.u8()),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, choices.u8()),
        _ if at < bytes.len() => drop(bytes.remove(at)),
        _ => bytes.push(choices.u8()),
    }
}

fn snapshots(choices: &mut Choices<'_>) {
    let (commit, written) = (u64::from(choices.u32()), UNIX_EPOCH + Duration::from_nanos(u64::from(choices.u32())));
    let records: Vec<_> = (0..choices.below(12)).map(|_| record(choices)).collect();
    let whole = write_snapshot(commit, written, &records).expect("small records");
    let mut damaged = whole.clone();
    damage(choices, &mut damaged);
    let (read, end) = read_snapshot(&whole);
    let stamp = end.expect("a whole snapshot is read");
    assert_eq!((read.as_slice(), stamp.commit, stamp.written), (records.as_slice(), commit, written));
    if damaged != whole {
        let (read, end) = read_snapshot(&damaged);
        assert!(end.is_err(), "damage was not seen");
        assert!(records.starts_with(&read), "a record that was never written");
    }
}

fn envelopes(choices: &mut Choices<'_>) {
    let Kept { key, value, commit } = record(choices);
    let value = (choices.u8() & 3 != 0).then_some(value);
    let whole = seal(&key, commit, value.as_deref());
    assert_eq!(open(&key, &whole), Some((commit, value.as_deref())));
    let (mut damaged, mut other) = (whole.clone(), key.clone());
    damage(choices, &mut damaged);
    damage(choices, &mut other);
    assert!(damaged == whole || open(&key, &damaged).is_none(), "damage was not seen");
    assert!(other == key || open(&other, &whole).is_none(), "a value under another key");
}

fn invented(bytes: &[u8]) {
    let (records, end) = read_snapshot(bytes);
    if let Ok(stamp) = end {
        let again = write_snapshot(stamp.commit, stamp.written, &records).expect("records that were read");
        let (back, end) = read_snapshot(&again);
        assert_eq!((back, end), (records, Ok(stamp)));
    }
    let (key, sealed) = bytes.split_at(bytes.len().min(9));
    if let Some((commit, value)) = open(key, sealed) {
        assert_eq!(open(key, &seal(key, commit, value)), Some((commit, value)));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    match choices.u8() % 8 {
        0 => invented(choices.0),
        1 | 2 => envelopes(&mut choices),
        _ => snapshots(&mut choices),
    }
});
