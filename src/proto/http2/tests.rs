//! Frames by the wire, in pieces and with holes.

use proptest::prelude::*;

use super::*;
use crate::proto::probe::Start;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// What a direction says, body bytes joined.
fn read(reader: &mut Reader, pieces: &[&[u8]]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (n, event) = reader.step(rest, u32::MAX);
            said.extend(tell(&event));
            rest = &rest[n..];
        }
    }
    join(said)
}

fn tell(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Nothing => None,
        Event::Data { stream, bytes, end_stream } => {
            Some(format!("data {stream} {}{}", String::from_utf8_lossy(bytes), if *end_stream { "." } else { "" }))
        }
        Event::Block { stream, promised, end_stream, block } => {
            Some(format!("block {stream} {promised:?} {end_stream} {:?}", block.map(String::from_utf8_lossy)))
        }
        other => Some(format!("{other:?}")),
    }
}

/// Joins neighbouring pieces of one body.
fn join(said: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in said {
        if let Some(last) = out.last_mut()
            && let (Some(a), Some(b)) = (last.strip_prefix("data "), line.strip_prefix("data "))
            && let (Some((s1, _)), Some((s2, text))) = (a.split_once(' '), b.split_once(' '))
            && s1 == s2
            && !last.ends_with('.')
        {
            last.push_str(text);
            continue;
        }
        out.push(line);
    }
    out.retain(|line| !(line.starts_with("data ") && line.ends_with(' ')));
    out
}

fn conversation() -> (Vec<u8>, Vec<String>) {
    let mut text = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut expected = Vec::new();
    let mut add = |bytes: Vec<u8>, line: &str| {
        text.extend(bytes);
        if !line.is_empty() {
            expected.push(line.to_owned());
        }
    };
    add(frame(4, 0, 0, &[0, 1, 0, 0, 16, 0]), "Settings([0, 1, 0, 0, 16, 0])");
    add(frame(4, 1, 0, b""), "SettingsAck");
    add(frame(8, 0, 0, &[0, 0, 1, 0]), "");
    add(frame(1, 0x5, 1, b"one"), "block 1 None true Some(\"one\")");
    // Padding and priority; then the block goes on.
    add(frame(1, 0x28, 3, b"\x02\0\0\0\x01\x10tw\0\0"), "");
    add(frame(9, 0, 3, b""), "");
    add(frame(9, 0, 3, b"o"), "");
    add(frame(9, 4, 3, b""), "block 3 None false Some(\"two\")");
    add(frame(0, 0, 3, b"body "), "");
    add(frame(6, 0, 0, b"12345678"), "");
    add(frame(0, 8, 3, b"\x03and\0\0\0"), "");
    add(frame(0, 1, 3, b""), "data 3 body and.");
    add(frame(5, 4, 1, b"\0\0\0\x02push"), "block 1 Some(2) false Some(\"push\")");
    add(frame(2, 0, 3, b"\0\0\0\0\0"), "");
    add(frame(0xfe, 0xff, 77, b"of an extension"), "");
    add(frame(3, 0, 5, &[0, 0, 0, 8]), "Reset { stream: 5, code: 8 }");
    add(frame(7, 0, 0, b"\0\0\0\x07\0\0\0\0bye"), "GoAway { last: 7 }");
    add(frame(0, 9, 7, b"\0"), "data 7 .");
    (text, expected)
}

#[test]
fn each_kind_of_frame() {
    let (text, expected) = conversation();
    assert_eq!(read(&mut Reader::new(true, 1 << 16), &[&text]), expected);
}

#[test]
fn what_the_other_end_would_refuse_breaks_it() {
    for bad in [
        frame(0, 0, 0, b"x"),
        frame(0, 8, 1, b"\x05xxx"),
        frame(0, 8, 1, b""),
        frame(1, 0, 0, b"x"),
        frame(1, 0xc, 1, b"\x09x"),
        frame(3, 0, 1, b"x"),
        frame(4, 0, 0, b"xxxxx"),
        frame(4, 0, 1, b""),
        frame(4, 1, 0, b"xxxxxx"),
        frame(6, 0, 0, b"x"),
        frame(9, 4, 1, b"x"),
        [frame(1, 0, 1, b"x"), frame(0, 0, 1, b"x")].concat(),
        [frame(1, 0, 1, b"x"), frame(9, 4, 3, b"x")].concat(),
        [frame(1, 0, 1, b"x"), frame(0xfe, 0, 0, b"x")].concat(),
    ] {
        let mut reader = Reader::new(false, 1 << 16);
        let said = read(&mut reader, &[&bad]);
        assert!(reader.is_broken(), "{said:?}");
    }
    let mut reader = Reader::new(false, 1 << 16);
    assert_eq!(reader.step(&frame(0xfe, 0, 0, &[0; 20]), 19), (9, Event::Broken), "longer than allowed");
    let mut reader = Reader::new(true, 1 << 16);
    read(&mut reader, &[b"PRI * HTTP/2.0\r\n\r\nXX"]);
    assert!(reader.is_broken());
}

#[test]
fn a_continuation_flood_takes_no_memory() {
    let mut reader = Reader::new(false, 10_000);
    read(&mut reader, &[&frame(1, 0, 1, &[b'x'; 5000])]);
    for _ in 0..1000 {
        assert_eq!(read(&mut reader, &[&frame(9, 0, 1, &[b'x'; 5000])]), Vec::<String>::new());
        assert!(reader.held() < 20_000, "{}", reader.held());
    }
    assert_eq!(read(&mut reader, &[&frame(9, 4, 1, b"end")]), ["block 1 None false None"]);
    assert_eq!(reader.take_over(), 1);
    // A frame of 16 MB of settings, too.
    let huge = [&[0xff, 0xff, 0xfc, 4, 0, 0, 0, 0, 0][..], &[0; 1 << 20]].concat();
    read(&mut reader, &[&huge]);
    assert!(reader.held() < 20_000 && reader.take_over() == 1);
}

#[test]
fn hard_case_26_holes_within_frames_are_stepped_over() {
    let mut reader = Reader::new(false, 1 << 16);
    let mut skip = |before: &[u8], len| {
        let said = read(&mut reader, &[before]);
        assert!(said.is_empty() || said[0].starts_with("data"), "{said:?}");
        reader.gap(len)
    };
    // DATA: exact, and the end of the stream is known.
    let data = frame(0, 1, 1, b"abcdef");
    let within = |data, event| Skipped::Within { data, event };
    assert_eq!(skip(&data[..11], 2), within(Some((1, 2)), Event::Nothing));
    let end = Event::Data { stream: 1, bytes: &[], end_stream: true };
    assert_eq!(skip(&data[13..14], 1), within(Some((1, 1)), end));
    // Padding.
    let padded = frame(0, 8, 1, b"\x02ab\0\0");
    let end = Event::Data { stream: 1, bytes: &[], end_stream: false };
    assert_eq!(skip(&padded[..11], 3), within(Some((1, 1)), end));
    // A header block: lost, but its stream and its end are known.
    let head = frame(1, 5, 3, b"abcdef");
    let lost = Event::Block { stream: 3, promised: None, end_stream: true, block: None };
    assert_eq!(skip(&head[..10], 5), within(None, lost));
    // One that goes on.
    let (first, last) = (frame(1, 1, 5, b"abc"), frame(9, 4, 5, b"def"));
    assert_eq!(skip(&first[..10], 2), within(None, Event::Nothing));
    assert_eq!(read(&mut reader, &[&last]), ["block 5 None true None"]);
    // A header, or more than the rest of the frame.
    let ping = frame(6, 0, 0, b"12345678");
    assert_eq!(
        {
            read(&mut reader, &[&ping[..5]]);
            reader.gap(1)
        },
        Skipped::Lost
    );
    let mut reader = Reader::new(false, 1 << 16);
    assert_eq!(
        {
            read(&mut reader, &[&ping[..12]]);
            reader.gap(6)
        },
        Skipped::Lost
    );
    assert_eq!(Reader::new(true, 10).gap(1), Skipped::Lost);
}

#[test]
fn beginnings() {
    let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0]);
    assert_eq!(is_server_preface(&settings), Start::Yes);
    for n in 0..9 {
        assert_eq!(is_server_preface(&settings[..n]), Start::More, "{n}");
    }
    assert_eq!(is_server_preface(&frame(4, 1, 0, b"")), Start::No, "an acknowledgement is none");
    assert_eq!(is_server_preface(b"\0\0\x01\x04\0\0\0\0\0"), Start::No);
    let head = frame(1, 5, 7, b"\x82\x86");
    let three = [head.clone(), frame(8, 0, 0, &[0, 0, 0, 9]), head.clone()].concat();
    assert_eq!(starts_like_frames(&three), Start::Yes);
    for n in 0..three.len() - 2 {
        assert_eq!(starts_like_frames(&three[..n]), Start::More, "{n}");
    }
    assert_eq!(starts_like_frames(&[head, b"GET / HTTP/1.1\r\n".to_vec()].concat()), Start::No);
    assert_eq!(starts_like_frames(&[0; 100]), Start::No, "DATA on stream 0");
}

proptest! {
    /// Cut anywhere, it says the same.
    #[test]
    fn segmentation_invariance(mut cuts in proptest::collection::vec(0usize..300, 0..40)) {
        let (text, expected) = conversation();
        cuts.retain(|c| *c <= text.len());
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&mut Reader::new(true, 1 << 16), &pieces), expected);
    }

    /// Any bytes and any holes: no harm, memory below the bound.
    #[test]
    fn any_bytes(pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..60), 0u64..40), 0..20)) {
        let mut reader = Reader::new(false, 200);
        for (bytes, gap) in pieces {
            read(&mut reader, &[&bytes]);
            if gap > 0 && reader.gap(gap) == Skipped::Lost {
                break;
            }
            prop_assert!(reader.held() < 2000);
        }
    }
}
