//! Tests of the file readers: files written here byte by byte, whole and damaged, and pcap-parser as the second opinion.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

/// (time in ns, link type, bytes, wire length)
type Got = (u64, u16, Vec<u8>, u32);

fn read_all<R: Read>(reader: &mut Reader<R>) -> Result<Vec<Got>, FileError> {
    let mut out = Vec::new();
    while let Some(f) = reader.next()? {
        out.push((f.ts.0, f.link.0, f.data.to_vec(), f.wire_len));
    }
    Ok(out)
}

fn all(bytes: &[u8]) -> (Vec<Got>, Vec<String>) {
    let mut reader = Reader::open("a.pcap", bytes).unwrap();
    let out = read_all(&mut reader).unwrap();
    (out, reader.warnings().iter().map(ToString::to_string).collect())
}

fn put(out: &mut Vec<u8>, big: bool, words: &[u32]) {
    for w in words {
        out.extend(if big { w.to_be_bytes() } else { w.to_le_bytes() });
    }
}

fn put16(out: &mut Vec<u8>, big: bool, halves: &[u16]) {
    for h in halves {
        out.extend(if big { h.to_be_bytes() } else { h.to_le_bytes() });
    }
}

fn pcap(big: bool, magic: u32, link: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, big, &[magic]);
    put16(&mut out, big, &[2, 4]);
    put(&mut out, big, &[0, 0, 65_535, link]);
    for (seconds, fraction, data, wire_len) in records {
        put(&mut out, big, &[*seconds, *fraction, data.len() as u32, *wire_len]);
        if magic == 0xa1b2_cd34 {
            out.extend([0; 8]);
        }
        out.extend(*data);
    }
    out
}

fn block(out: &mut Vec<u8>, big: bool, kind: u32, body: &[u8]) {
    let len = (body.len().next_multiple_of(4) + 12) as u32;
    put(out, big, &[kind, len]);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    put(out, big, &[len]);
}

fn shb(out: &mut Vec<u8>, big: bool) {
    let mut body = Vec::new();
    put(&mut body, big, &[0x1a2b_3c4d]);
    put16(&mut body, big, &[1, 0]);
    body.extend([0xff; 8]);
    block(out, big, 0x0a0d_0d0a, &body);
}

fn idb(out: &mut Vec<u8>, big: bool, link: u16, options: &[(u16, &[u8])]) {
    let mut body = Vec::new();
    put16(&mut body, big, &[link, 0]);
    put(&mut body, big, &[0]);
    for (code, value) in options {
        put16(&mut body, big, &[*code, value.len() as u16]);
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    if !options.is_empty() {
        body.extend([0; 4]);
    }
    block(out, big, 1, &body);
}

fn epb(out: &mut Vec<u8>, big: bool, interface: u32, ts: u64, data: &[u8], wire_len: u32) {
    let mut body = Vec::new();
    put(&mut body, big, &[interface, (ts >> 32) as u32, ts as u32, data.len() as u32, wire_len]);
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    put16(&mut body, big, &[1, 3]); // a comment
    body.extend(b"odd\0\0\0\0\0");
    block(out, big, 6, &body);
}

#[test]
fn pcap_in_all_its_forms() {
    for big in [false, true] {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1000)] {
            // The link type's upper bits hold the length of a frame check sequence.
            let bytes = pcap(big, magic, 0x5000_0001, &[(7, 5, b"abc", 3), (8, 6, b"", 0), (9, 7, b"de", 90)]);
            let (got, warnings) = all(&bytes);
            assert_eq!(
                got,
                [
                    (7_000_000_000 + 5 * unit, 1, b"abc".to_vec(), 3),
                    (8_000_000_000 + 6 * unit, 1, b"".to_vec(), 0),
                    (9_000_000_000 + 7 * unit, 1, b"de".to_vec(), 90)
                ]
            );
            assert!(warnings.is_empty());
        }
    }
}

#[test]
fn pcaps_appended_to_each_other_are_one() {
    let bytes = [
        pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3)]),
        pcap(true, 0xa1b2_3c4d, 113, &[]),
        pcap(true, 0xa1b2_3c4d, 101, &[(8, 6, b"d", 1)]),
    ]
    .concat();
    let (got, warnings) = all(&bytes);
    assert_eq!(got, [(7_000_005_000, 1, b"abc".to_vec(), 3), (8_000_000_006, 101, b"d".to_vec(), 1)]);
    assert!(warnings.is_empty());
}

#[test]
fn a_cut_record_ends_the_file_with_a_warning() {
    let bytes = pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3), (8, 6, b"defg", 4)]);
    for cut in 1..20 {
        let mut reader = Reader::open("cut.pcap", &bytes[..bytes.len() - cut]).unwrap();
        assert_eq!(read_all(&mut reader).unwrap().len(), 1);
        assert_eq!(reader.oddities.get(Oddity::FileCutShort), 1);
        assert_eq!(
            reader.warnings()[0].to_string(),
            "cut.pcap: at byte 43: the file ends inside a record; all before it was read"
        );
        assert!(reader.next().unwrap().is_none());
    }
    assert_eq!(all(&bytes[..bytes.len() - 20]).0.len(), 1, "a cut between records is none");
}

#[test]
fn reading_goes_on_behind_a_broken_record() {
    let records: Vec<_> = (0..20_u32).map(|i| (1000 + i, i, &b"some bytes of a frame"[..], 21)).collect();
    for big in [false, true] {
        let mut bytes = pcap(big, 0xa1b2_c3d4, 1, &records);
        let fifth = 24 + 4 * 37;
        bytes[fifth + 8..fifth + 12].fill(0xee);
        let mut reader = Reader::open("a.pcap", &bytes[..]).unwrap();
        let got = read_all(&mut reader).unwrap();
        assert_eq!(got.len(), 19);
        assert_eq!(got[4].0 / 1_000_000_000, 1005);
        assert_eq!(reader.oddities.get(Oddity::FileBadBlock), 1);
        assert_eq!(
            reader.warnings()[0].to_string(),
            "a.pcap: at byte 172: a record with an impossible length: 37 bytes skipped, reading goes on behind them"
        );
    }
}

#[test]
fn a_hole_of_zeros_is_no_sequence_of_empty_records() {
    let records: Vec<_> = (0..20_u32).map(|i| (1_700_000_000 + i, i, &b"some bytes of a frame"[..], 21)).collect();
    let mut bytes = pcap(false, 0xa1b2_c3d4, 1, &records);
    let fifth = 24 + 4 * 37;
    bytes[fifth..fifth + 100].fill(0);
    let mut reader = Reader::open("a.pcap", &bytes[..]).unwrap();
    let got = read_all(&mut reader).unwrap();
    let seconds: Vec<_> = got.iter().map(|g| g.0 / 1_000_000_000 - 1_700_000_000).collect();
    assert_eq!(seconds, (0..4).chain(7..20).collect::<Vec<_>>(), "the fifth to seventh are gone");
    assert_eq!(reader.oddities.get(Oddity::FileBadBlock), 1);
    // A wire length that cannot be does no harm where the records line up.
    let odd = pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", u32::MAX), (8, 6, b"", 0), (9, 6, b"de", u32::MAX)]);
    assert_eq!(all(&odd).0.len(), 3);
}

#[test]
fn damage_to_the_end_is_an_error_that_names_the_place() {
    let mut bytes = pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3)]);
    bytes.extend([0xee; 3000]);
    let mut reader = Reader::open("a.pcap", &bytes[..]).unwrap();
    assert!(reader.next().unwrap().is_some());
    let error = reader.next().map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("a.pcap: a record with an impossible length at byte 43"), "{error}");
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn pcapng_with_sections_interfaces_clocks_and_all_packet_blocks() {
    let mut bytes = Vec::new();
    for big in [false, true] {
        shb(&mut bytes, big);
        block(&mut bytes, big, 0xbad, b"a custom block");
        idb(&mut bytes, big, 1, &[]);
        idb(&mut bytes, big, 113, &[(2, b"eth0"), (9, &[9])]);
        idb(&mut bytes, big, 101, &[(9, &[0x8a])]); // 1024 units a second
        let hour = if big { 3600_i64.to_be_bytes() } else { 3600_i64.to_le_bytes() };
        idb(&mut bytes, big, 228, &[(9, &[0]), (14, &hour)]);
        epb(&mut bytes, big, 0, 5_000_001, b"micro", 5);
        block(&mut bytes, big, 5, &[0; 20]); // statistics
        epb(&mut bytes, big, 1, 5 << 32, b"nano", 60);
        epb(&mut bytes, big, 2, 1024 * 9 + 512, b"binary", 6);
        epb(&mut bytes, big, 3, 10, b"shifted", 7);
        let mut simple = Vec::new();
        put(&mut simple, big, &[6]);
        simple.extend(b"simple");
        block(&mut bytes, big, 3, &simple);
        let mut old = Vec::new();
        put16(&mut old, big, &[1, 0]);
        put(&mut old, big, &[0, 77, 3, 8]);
        old.extend(b"old");
        block(&mut bytes, big, 2, &old);
    }
    let (got, warnings) = all(&bytes);
    let one = [
        (5_000_001_000, 1, b"micro".to_vec(), 5),
        (5 << 32, 113, b"nano".to_vec(), 60),
        (9_500_000_000, 101, b"binary".to_vec(), 6),
        (3_610_000_000_000, 228, b"shifted".to_vec(), 7),
        (3_610_000_000_000, 1, b"simple".to_vec(), 6),
        (77, 113, b"old".to_vec(), 8),
    ];
    assert_eq!(got, [one.clone(), one].concat());
    assert!(warnings.is_empty());
}

#[test]
fn pcapng_reading_goes_on_behind_a_broken_block() {
    let mut bytes = Vec::new();
    shb(&mut bytes, false);
    idb(&mut bytes, false, 1, &[]);
    epb(&mut bytes, false, 0, 1, b"one", 3);
    let two = bytes.len();
    epb(&mut bytes, false, 0, 2, b"two", 3);
    let three = bytes.len();
    epb(&mut bytes, false, 0, 3, b"three", 5);
    for (at, value) in [(4, 0xff), (0, 0x0a), (8, 7), (20, 0xff), (three - two - 4, 1)] {
        let mut bytes = bytes.clone();
        bytes[two + at] = value;
        let mut reader = Reader::open("a", &bytes[..]).unwrap();
        let got = read_all(&mut reader).unwrap();
        let names: Vec<_> = got.iter().map(|g| String::from_utf8_lossy(&g.2)).collect();
        if at == 0 {
            // An unknown kind is skipped, as it must be.
            assert_eq!(names, ["one", "three"]);
        } else {
            assert_eq!(names, ["one", "three"], "byte {at}");
            assert_eq!(reader.oddities.get(Oddity::FileBadBlock), 1, "byte {at}");
            assert_eq!(reader.warnings()[0].offset, two as u64);
        }
    }
}

#[test]
fn frames_larger_than_the_buffer_and_long_foreign_blocks() {
    let big = vec![7_u8; FRAME_MAX];
    let bytes = pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3), (8, 6, &big, FRAME_MAX as u32), (9, 7, b"d", 1)]);
    let (got, _) = all(&bytes);
    assert_eq!(got.iter().map(|g| g.2.len()).collect::<Vec<_>>(), [3, FRAME_MAX, 1]);
    let mut bytes = Vec::new();
    shb(&mut bytes, false);
    idb(&mut bytes, false, 1, &[]);
    epb(&mut bytes, false, 0, 1, &big, FRAME_MAX as u32);
    block(&mut bytes, false, 10, &vec![0; 9 << 20]);
    epb(&mut bytes, false, 0, 2, b"behind", 6);
    let (got, warnings) = all(&bytes);
    assert_eq!(got.iter().map(|g| g.2.len()).collect::<Vec<_>>(), [FRAME_MAX, 6]);
    assert!(warnings.is_empty());
}

#[test]
fn errors_say_what_the_file_is() {
    let error = |bytes: &[u8]| Reader::open("x", bytes).map(|_| ()).unwrap_err().to_string();
    assert!(error(b"").contains("empty"));
    assert!(error(b"\x1f\x8b\x08").contains("gzip"));
    assert!(error(b"snoop\0\0\0\0\0\0\x02").contains("snoop file"));
    assert!(error(b"{\"log\": {\"version\": \"1.2\"}}").contains("HAR"));
    assert!(error(b"12:00:01 IP 10.0.0.1 > 10.0.0.2: flags [S]").contains("text"));
    assert!(error(&[0xd4, 0xc3, 0xb2, 0xa1, 2]).contains("5 bytes"));
    assert!(error(&[0; 40]).contains("starts with 00000000"));
}

/// Gives what has been written so far, a few bytes at a time.
struct Growing<'a> {
    written: &'a std::cell::RefCell<Vec<u8>>,
    at: usize,
}

impl Read for Growing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let written = self.written.borrow();
        let n = out.len().min(7).min(written.len() - self.at);
        out[..n].copy_from_slice(&written[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[test]
fn a_growing_file_is_read_as_it_grows() {
    let mut ng = Vec::new();
    shb(&mut ng, false);
    idb(&mut ng, false, 1, &[]);
    epb(&mut ng, false, 0, 1, b"one", 3);
    block(&mut ng, false, 10, &vec![0; 4 << 20]);
    epb(&mut ng, false, 0, 2, b"two", 3);
    let classic = pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, b"abc", 3), (8, 6, b"defg", 4)]);
    for (bytes, step) in [(ng, 501), (classic, 1)] {
        let written = std::cell::RefCell::new(bytes[..24].to_vec());
        let mut reader = Reader::open("live", Growing { written: &written, at: 0 }).unwrap();
        reader.set_growing(true);
        let mut got = Vec::new();
        for part in bytes[24..].chunks(step) {
            written.borrow_mut().extend(part);
            got.extend(read_all(&mut reader).unwrap());
        }
        assert_eq!(got.len(), 2);
        assert_eq!(reader.offset(), bytes.len() as u64);
        assert_eq!(reader.oddities.seen().count(), 0);
        reader.set_growing(false);
        assert!(reader.next().unwrap().is_none());
    }
}

/// What pcap-parser reads of a pcapng file.
fn oracle(bytes: &[u8]) -> Vec<Vec<u8>> {
    use pcap_parser::traits::PcapReaderIterator;
    use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};
    let mut out = Vec::new();
    let mut reader = PcapNGReader::new(1 << 16, bytes).unwrap();
    loop {
        match reader.next() {
            Ok((n, block)) => {
                match block {
                    PcapBlockOwned::NG(Block::EnhancedPacket(p)) => out.push(p.data[..p.caplen as usize].to_vec()),
                    PcapBlockOwned::NG(Block::SimplePacket(p)) => out.push(p.data[..p.origlen as usize].to_vec()),
                    _ => {}
                }
                reader.consume(n);
            }
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(_) => return out,
        }
    }
}

proptest! {
    #[test]
    fn pcapng_agrees_with_pcap_parser(
        frames in proptest::collection::vec((0_u8..4, proptest::collection::vec(any::<u8>(), 0..60), any::<u64>()), 0..20),
        big in any::<bool>(),
    ) {
        let mut bytes = Vec::new();
        shb(&mut bytes, big);
        idb(&mut bytes, big, 1, &[]);
        for (kind, data, ts) in &frames {
            match kind {
                0 => block(&mut bytes, big, 0x7777, data),
                1 => {
                    let mut body = Vec::new();
                    put(&mut body, big, &[data.len() as u32]);
                    body.extend(data);
                    block(&mut bytes, big, 3, &body);
                }
                _ => epb(&mut bytes, big, 0, *ts, data, data.len() as u32),
            }
        }
        let got: Vec<_> = all(&bytes).0.into_iter().map(|g| g.2).collect();
        prop_assert_eq!(got, oracle(&bytes));
    }

    /// However damaged, it ends, and without a panic.
    #[test]
    fn noise_ends(
        mut bytes in prop_oneof![
            Just(pcap(false, 0xa1b2_c3d4, 1, &[(7, 5, &b"abcdef"[..], 6); 30])),
            Just({
                let mut out = Vec::new();
                shb(&mut out, true);
                idb(&mut out, true, 1, &[(9, &[9])]);
                for i in 0..30 {
                    epb(&mut out, true, 0, i, b"abcdef", 6);
                }
                out
            }),
        ],
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()));
        if let Ok(mut reader) = Reader::open("x", &bytes[..]) {
            // However the bytes arrive, the frames are the same.
            let written = std::cell::RefCell::new(bytes.clone());
            let mut trickled = Reader::open("x", Growing { written: &written, at: 0 }).unwrap();
            while let Ok(Some(frame)) = reader.next() {
                prop_assert_eq!(frame.data, trickled.next().unwrap().unwrap().data);
            }
            prop_assert!(!matches!(trickled.next(), Ok(Some(_))));
            prop_assert!(reader.offset() <= bytes.len() as u64);
            prop_assert!(reader.next().unwrap().is_none());
        }
    }
}
