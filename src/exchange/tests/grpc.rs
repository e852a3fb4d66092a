//! gRPC-Web over HTTP/1: messages in bodies, trailers among them.

use super::*;

fn message(flags: u8, text: &[u8]) -> Vec<u8> {
    [&[flags][..], &(text.len() as u32).to_be_bytes(), text].concat()
}

fn ask(media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /pkg.Greeter/Say HTTP/1.1\r\nHost: h\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn answer(media_type: &str, body: &[u8]) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(7) {
        out.extend(format!("{:x}\r\n", piece.len()).bytes());
        out.extend(piece);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

fn body() -> Vec<u8> {
    [message(0, b"hello"), message(1, b"zipped"), message(0x80, b"grpc-status:5\r\ngrpc-message:none\r\n")].concat()
}

#[test]
fn the_status_is_in_the_last_frame_of_the_body() {
    for step in [1, 3, 50, 5000] {
        let mut w = Wire::new();
        let asked = ask("application/grpc-web+proto", &message(0, b"abc"));
        asked.chunks(step).for_each(|piece| {
            w.c(piece);
        });
        answer("application/grpc-web+proto", &body()).chunks(step).for_each(|piece| {
            w.s(piece);
        });
        let call = w.close()[0].grpc.expect("a call");
        assert_eq!((call.status, call.messages, call.bytes, call.compressed), (Some(5), [1, 2], [3, 11], [0, 1]));
        assert!(!call.unsure);
        assert_eq!(w.pairing.oddities.get(Oddity::GrpcBroken), 0);
    }
}

#[test]
fn the_text_form_over_http1() {
    // Base64 of the frame of an empty message, twice: padded each by itself.
    let mut w = Wire::new();
    w.c(ask("application/grpc-web-text", b"AAAAAAA=AAAAAAA="));
    // A trailer frame: `grpc-status:0`.
    w.s(answer("application/grpc-web-text+proto", b"gAAAAA1ncnBjLXN0YXR1czow"));
    let call = w.close()[0].grpc.expect("a call");
    assert_eq!((call.status, call.messages, call.unsure), (Some(0), [2, 0], false));
}

#[test]
fn what_is_no_call_and_what_is_no_answer_to_one() {
    let mut w = Wire::new();
    w.c(ask("application/json", b"{}")).s(answer("application/json", b"{}"));
    assert_eq!(w.close()[0].grpc, None);
    // A proxy's error page is no sequence of messages, and a status in the head is one.
    let mut w = Wire::new();
    w.c(ask("application/grpc-web", &message(0, b"x")));
    w.s("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nGrpc-Status: 14\r\nContent-Length: 4\r\n\r\noops");
    let call = w.close()[0].grpc.expect("a call");
    assert_eq!((call.status, call.messages, call.unsure), (Some(14), [1, 0], false));
    // Nonsense where messages should be.
    let mut w = Wire::new();
    w.c(ask("application/grpc-web", b"{\"a\": 1}")).s(answer("application/grpc-web", &body()));
    assert!(w.close()[0].grpc.expect("a call").unsure);
    assert_eq!(w.pairing.oddities.get(Oddity::GrpcBroken), 1);
}

#[test]
fn a_hole_within_a_message_is_stepped_over_and_one_beyond_is_doubt() {
    let text = [message(0, &[7; 1000]), message(0, b"y")].concat();
    for (from, len, messages, unsure) in [(100, 500, 2, true), (100, 908, 1, true)] {
        let mut w = Wire::new();
        let asked = ask("application/grpc-web", &text);
        let head = asked.len() - text.len();
        w.c(&asked[..head + from]).lost(CLIENT, &asked[head + from..head + from + len]).c(&asked[head + from + len..]);
        w.s(answer("application/grpc-web", &body()));
        let seen = w.close();
        let call = seen[0].grpc.expect("a call");
        assert_eq!((call.messages[0], call.unsure, call.status), (messages, unsure, Some(5)));
        assert_eq!(w.pairing.oddities.get(Oddity::GrpcBroken), 0, "a hole is nobody's fault");
    }
}
