//! Tests of reading many files as one.

use std::io::Write;
use std::path::Path;

use super::*;
use crate::base::Oddity;

/// A pcap file with an Ethernet frame of 20 bytes, `mark` in its last, at each of these seconds.
fn pcap(mark: u8, seconds: &[u32]) -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0];
    for s in seconds {
        for word in [*s, 0, 20, 20] {
            out.extend(word.to_le_bytes());
        }
        out.extend([0; 19]);
        out.push(mark);
    }
    out
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// (second, mark) of each frame.
fn all(files: &mut Files) -> Vec<(u64, u8)> {
    let mut out = Vec::new();
    while let Some(f) = files.next().unwrap() {
        out.push((f.ts.0 / 1_000_000_000, f.data[19]));
    }
    out
}

#[test]
fn files_are_read_in_the_order_of_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let late = write(dir.path(), "a-late.pcap", &pcap(1, &[50, 60]));
    let early = write(dir.path(), "z-early.pcap", &pcap(2, &[10, 20]));
    let across = write(dir.path(), "m-across.pcap", &pcap(3, &[15, 20, 55, 70]));
    let mut files = Files::open(&[late.clone(), early.clone(), across.clone()]).unwrap();
    assert_eq!(files.files(), 3);
    let total: u64 = [&late, &early, &across].iter().map(|p| p.metadata().unwrap().len()).sum();
    assert_eq!((files.total_bytes(), files.bytes_read()), (total, 0));
    assert_eq!(all(&mut files), [(10, 2), (15, 3), (20, 2), (20, 3), (50, 1), (55, 3), (60, 1), (70, 3)]);
    assert_eq!(files.bytes_read(), total);
    assert!(files.next().unwrap().is_none());
    assert!(files.warnings().is_empty());
}

#[test]
fn a_file_keeps_its_own_order_when_its_clock_steps_back() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(dir.path(), "one", &pcap(1, &[10, 40, 20, 50]));
    let two = write(dir.path(), "two", &pcap(2, &[30, 45]));
    let mut files = Files::open(&[one, two]).unwrap();
    assert_eq!(all(&mut files), [(10, 1), (30, 2), (40, 1), (20, 1), (45, 2), (50, 1)]);
}

#[test]
fn folders_are_searched_and_what_is_no_capture_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "2026/01/a.pcap", &pcap(1, &[1]));
    write(dir.path(), "2026/b.pcap", &pcap(2, &[2]));
    write(dir.path(), "2026/README.txt", b"notes on these captures");
    write(dir.path(), "2026/empty.pcap", b"");
    let mut files = Files::open(&[dir.path().to_owned()]).unwrap();
    assert_eq!(all(&mut files), [(1, 1), (2, 2)]);
    let [warning] = files.warnings() else { panic!("{:?}", files.warnings()) };
    assert!(warning.starts_with("2 files that are no captures were left out ("), "{warning}");
    assert!(warning.contains("README.txt: text") && warning.contains("empty.pcap: empty"), "{warning}");

    let error = Files::open(&[dir.path().join("2026/README.txt")]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("this is text"));
    let error = Files::open(&[dir.path().join("nowhere.pcap")]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("is the name right"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Files::open(&[empty.path().to_owned()]).map(|_| ()).unwrap_err();
    assert!(matches!(error, CaptureError::Nothing { .. }));
}

#[test]
fn compressed_files_are_told_by_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let whole = pcap(1, &[1, 2, 3]);
    let (head, tail) = whole.split_at(30);
    // Two members, and a name that says nothing.
    let a = write(dir.path(), "a", &[gzip(head), gzip(tail)].concat());
    let b = write(dir.path(), "b.pcap.zst", &zstd::encode_all(&pcap(2, &[4, 5])[..], 1).unwrap());
    let skippable =
        [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd::encode_all(&pcap(3, &[6])[..], 1).unwrap()];
    let c = write(dir.path(), "c", &skippable.concat());
    let mut files = Files::open(&[c, b, a.clone()]).unwrap();
    assert_eq!(all(&mut files), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)]);
    assert_eq!(files.bytes_read(), files.total_bytes());

    // Cut: all that can be had is had, and said.
    let many: Vec<u32> = (0..50_000).map(|i| i * 7919 % 100_000).collect();
    let bytes = gzip(&pcap(1, &many));
    std::fs::write(&a, &bytes[..bytes.len() / 2]).unwrap();
    let mut files = Files::open(&[a]).unwrap();
    let got = all(&mut files).len();
    assert!(got > 10_000 && got < 50_000, "{got}");
    assert_eq!(files.oddities().get(Oddity::FileCutShort), 1);
    assert_eq!(files.warnings().len(), 1);
}

#[test]
fn an_unreadable_rest_is_an_error_and_the_other_files_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = pcap(1, &[1, 2]);
    broken.extend([0xee; 100]);
    let broken = write(dir.path(), "broken.pcap", &broken);
    let good = write(dir.path(), "good.pcap", &pcap(2, &[3, 4]));
    let mut files = Files::open(&[broken, good]).unwrap();
    let (mut frames, mut errors) = (0, Vec::new());
    loop {
        match files.next() {
            Ok(Some(_)) => frames += 1,
            Ok(None) => break,
            Err(e) => errors.push(e.to_string()),
        }
    }
    assert_eq!(frames, 4);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("broken.pcap: a record with an impossible length at byte 96"), "{errors:?}");
}

#[test]
fn more_overlapping_files_than_may_be_open_are_all_read() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..OPEN_MAX as u32 + 20 {
        write(dir.path(), &format!("{i:03}.pcap"), &pcap(i as u8, &[i, 500 + i]));
    }
    let mut files = Files::open(&[dir.path().to_owned()]).unwrap();
    let got = all(&mut files);
    assert_eq!(got.len(), 2 * (OPEN_MAX + 20));
    assert!(got[..OPEN_MAX].is_sorted());
}

#[test]
fn a_filter_lets_only_some_through() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.pcap", &pcap(7, &[1, 2]));
    let mut files = Files::open(std::slice::from_ref(&path)).unwrap();
    files.set_filter(Filter::new("ether[19] == 7").unwrap());
    assert_eq!(all(&mut files).len(), 2);
    let mut files = Files::open(&[path]).unwrap();
    files.set_filter(Filter::new("ether[19] == 8").unwrap());
    assert_eq!(all(&mut files).len(), 0);
}
