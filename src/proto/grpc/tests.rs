//! Messages in any cuts, compressed, broken, and beyond the limits.

use super::*;
use crate::base::Limits;

const BINARY: Form = Form { carrier: Carrier::Binary, proto: true };
const TEXT: Form = Form { carrier: Carrier::Text, proto: true };

fn decoding() -> Arc<Decoding> {
    Arc::new(Decoding::new(&Limits::default()))
}

fn message(flags: u8, text: &[u8]) -> Vec<u8> {
    [&[flags][..], &(text.len() as u32).to_be_bytes(), text].concat()
}

#[test]
fn media_types() {
    let told = |text: &str| form(text.as_bytes()).map(|form| (form.carrier, form.proto));
    for (text, carrier, proto) in [
        ("application/grpc", Carrier::Binary, true),
        ("application/grpc+proto", Carrier::Binary, true),
        ("application/grpc-web+json; charset=x", Carrier::Binary, false),
        ("Application/GRPC-Web", Carrier::Binary, true),
        ("application/grpc-web-text", Carrier::Text, true),
        ("application/grpc-Web-Text+proto ; a=b", Carrier::Text, true),
        ("application/connect+proto", Carrier::Connect, true),
        ("application/connect+json", Carrier::Connect, false),
    ] {
        assert_eq!(told(text), Some((carrier, proto)), "{text}");
    }
    for no in [
        "application/grpcx",
        "application/grpc-webx",
        "application/grpc-we",
        "application/json",
        "application/connect",
        "application/connectx+proto",
        "application/cbor",
        "",
    ] {
        assert_eq!(told(no), None, "{no}");
    }
}

#[test]
fn a_call_of_connect_that_is_no_stream_has_a_field_of_its_own() {
    let version = [httparse::Header { name: "connect-protocol-version", value: b"1" }];
    assert!(names_method(b"application/proto", Fields(&version)));
    assert!(names_method(b"application/json; charset=utf-8", Fields(&version)));
    assert!(!names_method(b"application/proto", Fields(&[])) && !names_method(b"text/html", Fields(&version)));
    assert!(names_method(b"application/grpc", Fields(&[])));
}

#[test]
fn messages_are_counted_however_they_are_cut() {
    let body = [
        message(0, b"hello"),
        message(0, b""),
        message(1, &[7; 300]),
        message(0x80, b"Grpc-Status: 5\r\ngrpc-message:x\r\n"),
    ]
    .concat();
    for step in [1, 3, 7, 1000] {
        let mut messages = Messages::default();
        body.chunks(step).for_each(|bytes| messages.push(bytes));
        assert_eq!((messages.count, messages.bytes, messages.compressed), (3, 305, 1));
        assert_eq!((messages.status, messages.unsure), (Some(5), false));
    }
}

#[test]
fn the_text_form_is_base64_in_padded_pieces() {
    let pieces = [message(0, b"hello"), message(1, &[7; 100]), message(0x80, b"grpc-status:7\r\n")];
    // The last two in one piece.
    let text = [base64(&pieces[0]), base64(&pieces[1..].concat())].concat();
    for step in [1, 2, 3, 5, 1000] {
        let mut call = Call::new(TEXT, Fields(&[]), &decoding());
        text.as_bytes().chunks(step).for_each(|bytes| call.push(false, bytes));
        let messages = call.messages[0].as_ref().unwrap();
        assert_eq!((messages.count, messages.bytes, messages.compressed), (2, 105, 1), "steps of {step}");
        assert_eq!((messages.status, messages.unsure), (Some(7), false));
    }
    let mut call = Call::new(TEXT, Fields(&[]), &decoding());
    call.push(false, b"AAAAAAA=AAAAA=A");
    assert!(call.messages[0].as_ref().is_some_and(|m| m.unsure && m.count == 1), "what stands before counts");
    call.skip(false, Some(1));
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for n in 0..4 {
            out.push(if n <= three.len() { DIGITS[(bits >> (18 - 6 * n) & 63) as usize] as char } else { '=' });
        }
    }
    out
}

#[test]
fn names_of_statuses() {
    assert_eq!((status_name(0), status_name(5), status_name(99)), (Some("OK"), Some("NOT_FOUND"), None));
    assert_eq!(status_named("UNIMPLEMENTED"), Some(UNIMPLEMENTED));
    assert_eq!(STATUSES.len(), 17);
}

#[test]
fn a_body_that_is_compressed_as_a_whole_shows_no_messages() {
    let fields = [httparse::Header { name: "content-encoding", value: b"gzip" }];
    let mut call = Call::new(BINARY, Fields(&fields), &decoding());
    call.push(false, &[0x1f, 0x8b, 8, 0, 0, 0, 0]);
    let messages = call.messages[0].as_ref().unwrap();
    assert!(messages.unsure && messages.coded && messages.count == 0);
}

#[test]
fn holes_within_a_message_are_stepped_over() {
    let mut messages = Messages::default();
    let body = message(0, &[1; 100]);
    messages.push(&body[..50]);
    messages.skip(55);
    messages.push(&message(0, b"x"));
    assert_eq!((messages.count, messages.bytes, messages.unsure), (2, 101, false));
    messages.skip(1);
    assert!(messages.unsure);
    let mut nonsense = Messages::default();
    nonsense.push(b"{\"a\": 1}");
    assert_eq!((nonsense.count, nonsense.unsure), (0, true));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// Messages of one call, in pieces of `step` bytes, coded as `coding` says.
fn read(coding: &str, body: &[u8], step: usize, decoding: &Arc<Decoding>) -> Messages {
    let fields = [httparse::Header { name: "grpc-encoding", value: coding.as_bytes() }];
    let mut call = Call::new(BINARY, Fields(&fields), decoding);
    body.chunks(step).for_each(|bytes| call.push(false, bytes));
    call.messages[0].take().unwrap()
}

fn told(messages: &Messages) -> Vec<(u32, Wire, u64)> {
    messages.fields.iter().map(|f| (f.number, f.wire, f.messages)).collect()
}

/// `1: 150, 2: "testing"`
const MESSAGE: &[u8] = b"\x08\x96\x01\x12\x07testing";

#[test]
fn compressed_messages_are_decoded_and_have_their_fields() {
    let zlib = {
        use std::io::Write;
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(MESSAGE).unwrap();
        writer.finish().unwrap()
    };
    let zstd = zstd::stream::encode_all(MESSAGE, 3).unwrap();
    for (name, coded) in [("gzip", gzip(MESSAGE)), ("deflate", zlib), ("zstd", zstd)] {
        let body = [message(1, &coded), message(0, MESSAGE), message(0, b""), message(1, &coded)].concat();
        for step in [1, 7, 1000] {
            let decoding = decoding();
            let messages = read(name, &body, step, &decoding);
            assert_eq!((messages.count, messages.compressed, messages.undecoded), (4, 2, 0), "{name}");
            assert_eq!(told(&messages), [(1, Wire::Varint, 3), (2, Wire::Delimited, 3)], "{name} by {step}");
            assert_eq!((messages.odd, messages.unsure, decoding.at_work()), (None, false, 0));
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_counted_and_what_follows_is_read() {
    let body = [message(1, b"\xff\x06\0\0sNaPpY"), message(0, MESSAGE)].concat();
    for coding in ["snappy", "identity", "", "gzip, gzip", "a name that is too long for one"] {
        let messages = read(coding, &body, 3, &decoding());
        assert_eq!((messages.compressed, messages.undecoded, messages.odd), (1, 1, None), "{coding}");
        assert_eq!(told(&messages).len(), 2);
    }
    let broken = read("gzip", &body, 3, &decoding());
    assert_eq!((broken.undecoded, broken.odd, told(&broken).len()), (1, Some(Oddity::BodyCodingBad), 2));
}

#[test]
fn decoding_has_limits() {
    let large = [&[0x0a, 0xc0, 0x84, 0x3d][..], &vec![0; 1_000_000]].concat();
    let body = [message(1, &gzip(&large)), message(1, &gzip(&large)), message(0, MESSAGE)].concat();
    let with = |limits: Limits| read("gzip", &body, 1400, &Arc::new(Decoding::new(&limits)));
    let messages = with(Limits::default());
    assert_eq!((messages.undecoded, told(&messages)[0]), (0, (1, Wire::Delimited, 2)));
    // One message, all of a call, a bomb, decoders at work.
    assert_eq!(with(Limits { body_bytes: 999_999, ..Limits::default() }).undecoded, 2);
    assert_eq!(with(Limits { grpc_bytes: 1_500_000, ..Limits::default() }).undecoded, 1);
    let bomb = with(Limits { body_ratio: 100, ..Limits::default() });
    assert_eq!((bomb.undecoded, bomb.odd), (2, Some(Oddity::BodyBomb)));
    assert_eq!(with(Limits { body_decoders: 0, ..Limits::default() }).undecoded, 2);
    let decoding = Arc::new(Decoding::new(&Limits { body_decoders: 1, ..Limits::default() }));
    let first = read("gzip", &body[..100], 100, &decoding);
    assert_eq!((decoding.at_work(), read("gzip", &body[..100], 100, &decoding).undecoded), (1, 1));
    drop(first);
    assert_eq!(decoding.at_work(), 0);
}

#[test]
fn a_hole_in_a_compressed_message_leaves_it_undecoded() {
    let body = [message(1, &gzip(MESSAGE)), message(0, MESSAGE)].concat();
    let fields = [httparse::Header { name: "grpc-encoding", value: b"gzip" }];
    let mut call = Call::new(BINARY, Fields(&fields), &decoding());
    call.push(false, &body[..10]);
    call.skip(false, Some(8));
    call.push(false, &body[18..]);
    let messages = call.messages[0].take().unwrap();
    assert_eq!((messages.count, messages.undecoded, messages.unsure), (2, 1, false));
    assert_eq!(told(&messages), [(1, Wire::Varint, 1), (2, Wire::Delimited, 1)]);
}

#[test]
fn a_stream_of_connect_ends_with_a_frame_of_json() {
    let form = form(b"application/connect+proto").unwrap();
    for (last, status) in [
        (&b"{}"[..], Some(0)),
        (b"{\"metadata\": {}}", Some(0)),
        (b"{\"error\": {\"code\": \"not_found\", \"message\": \"x\"}}", Some(5)),
        (b"{\"error\": {\"code\": \"canceled\"}}", Some(1)),
        (b"{\"error\": {}}", None),
        (b"oops", None),
    ] {
        let body = [message(0, MESSAGE), message(2, last)].concat();
        let mut call = Call::new(form, Fields(&[]), &decoding());
        body.chunks(4).for_each(|bytes| call.push(false, bytes));
        let messages = call.messages[0].as_ref().unwrap();
        assert_eq!((messages.count, messages.status, messages.unsure), (1, status, false));
    }
}
