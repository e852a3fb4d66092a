//! Tests of following a folder: a writer and a reader in turns.

use std::io::Write;

use super::*;

const HEADER: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0];

/// A record of 20 bytes at a second.
fn record(second: u32) -> Vec<u8> {
    let mut out: Vec<u8> = [second, 0, 20, 20].iter().flat_map(|w| w.to_le_bytes()).collect();
    out.extend([7; 20]);
    out
}

fn pcap(seconds: &[u32]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    out.extend(seconds.iter().flat_map(|s| record(*s)));
    out
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.path(name));
        file.unwrap().write_all(bytes).unwrap();
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn follow(&self, cursor: Cursor) -> Follow {
        Follow::open(self.0.path(), cursor).unwrap()
    }
}

/// The seconds of the frames that are there now.
fn now(follow: &mut Follow) -> Vec<u64> {
    let mut out = Vec::new();
    while let Some(f) = follow.next().unwrap() {
        out.push(f.ts.0 / 1_000_000_000);
    }
    out
}

#[test]
fn the_newest_file_is_read_as_it_grows() {
    let folder = Folder::new();
    let mut follow = folder.follow(Cursor::default());
    assert!(now(&mut follow).is_empty());
    folder.append("a.pcap", &HEADER[..10]);
    assert!(now(&mut follow).is_empty());
    folder.append("a.pcap", &HEADER[10..]);
    assert!(now(&mut follow).is_empty());
    let (head, tail) = (&record(1)[..25], &record(1)[25..]);
    folder.append("a.pcap", head);
    assert!(now(&mut follow).is_empty());
    folder.append("a.pcap", tail);
    assert_eq!(now(&mut follow), [1]);
    folder.append("a.pcap", &[record(2), record(3)[..9].to_vec()].concat());
    assert_eq!(now(&mut follow), [2]);
    folder.append("a.pcap", &record(3)[9..]);
    // The next file begins; what is left of this one comes first.
    folder.append("b.pcap", &pcap(&[4]));
    assert_eq!(now(&mut follow), [3, 4]);
    folder.append("b.pcap", &record(5));
    assert_eq!(now(&mut follow), [5]);
    assert_eq!(follow.oddities().seen().count(), 0);
    assert!(follow.take_warnings().is_empty());
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let folder = Folder::new();
    folder.write("b.pcap", &pcap(&[3, 4]));
    folder.write("a.pcap", &pcap(&[1, 2]));
    let mut follow = folder.follow(Cursor::default());
    for second in 1..=3 {
        assert_eq!(follow.next().unwrap().unwrap().ts.0 / 1_000_000_000, second);
    }
    let kept = serde_json::to_string(&follow.cursor()).unwrap();
    drop(follow);
    folder.append("b.pcap", &record(5));
    folder.write("c.pcap", &pcap(&[6]));
    let cursor: Cursor = serde_json::from_str(&kept).unwrap();
    let mut follow = folder.follow(cursor);
    assert_eq!(now(&mut follow), [4, 5, 6]);
    // And again with nothing new.
    let mut follow = folder.follow(follow.cursor());
    assert!(now(&mut follow).is_empty());
    // A finished file that grows after all is taken up again.
    folder.append("a.pcap", &record(2));
    assert_eq!(now(&mut follow), [2]);
}

#[test]
fn a_ring_of_files_is_read_round_and_round() {
    let folder = Folder::new();
    let mut follow = folder.follow(Cursor::default());
    let mut seen = Vec::new();
    for second in 0..10_u32 {
        folder.write(&format!("ring{}", second % 3), &pcap(&[100 + second, 100 + second]));
        seen.extend(now(&mut follow));
    }
    let expected: Vec<u64> = (0..10).flat_map(|s| [100 + s, 100 + s]).collect();
    assert_eq!(seen, expected);
    assert!(follow.cursor().len() <= 3);
}

#[test]
fn what_was_compressed_after_it_was_read_is_not_read_twice() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let folder = Folder::new();
    folder.write("a.pcap", &pcap(&[1, 2]));
    folder.write("b.pcap", &pcap(&[3]));
    let mut follow = folder.follow(Cursor::default());
    assert_eq!(now(&mut follow), [1, 2, 3]);
    let packed = gzip(&pcap(&[1, 2]));
    folder.write("a.pcap.gz", &packed[..packed.len() / 2]);
    assert!(now(&mut follow).is_empty());
    folder.write("a.pcap.gz", &packed);
    fs::remove_file(folder.path("a.pcap")).unwrap();
    assert!(now(&mut follow).is_empty());
    folder.append("b.pcap", &record(4));
    assert_eq!(now(&mut follow), [4]);
    // One that was never seen uncompressed is read, once it has stayed the same.
    folder.write("c.pcap.gz", &gzip(&pcap(&[5, 6])));
    let mut seen = now(&mut follow);
    seen.extend(now(&mut follow));
    assert_eq!(seen, [5, 6]);
    folder.append("b.pcap", &record(7));
    seen.extend(now(&mut follow));
    assert_eq!(seen, [5, 6, 7]);
    let mut again = folder.follow(follow.cursor());
    assert!(now(&mut again).is_empty() && now(&mut again).is_empty());
    assert!(follow.take_warnings().is_empty());
}

#[test]
fn what_is_no_capture_is_said_once() {
    let folder = Folder::new();
    folder.write("notes.txt", b"these are notes on what is captured here");
    folder.write("a.pcap", &pcap(&[1]));
    let mut follow = folder.follow(Cursor::default());
    assert_eq!(now(&mut follow), [1]);
    assert!(now(&mut follow).is_empty());
    assert_eq!(follow.take_warnings().len(), 1);
}

#[test]
fn a_writer_that_died_inside_a_record_is_told() {
    let folder = Folder::new();
    folder.write("a.pcap", &pcap(&[1, 2])[..70]);
    folder.write("b.pcap", &pcap(&[3]));
    let mut follow = folder.follow(Cursor::default());
    assert_eq!(now(&mut follow), [1, 3]);
    assert_eq!(follow.oddities().get(Oddity::FileCutShort), 1);
    let warnings = follow.take_warnings();
    assert!(warnings[0].contains("a.pcap: at byte 60: the file ends inside a record"), "{warnings:?}");
}

#[test]
fn a_single_file_can_be_followed() {
    let folder = Folder::new();
    folder.write("a.pcap", &pcap(&[1]));
    let mut follow = Follow::open(&folder.path("a.pcap"), Cursor::default()).unwrap();
    assert_eq!(now(&mut follow), [1]);
    folder.append("a.pcap", &record(2));
    assert_eq!(now(&mut follow), [2]);
    assert!(Follow::open(&folder.path("nowhere"), Cursor::default()).is_err());
}
