//! Messages of gRPC and Connect, compressed or not, with holes. Laws: what is found is the same however the bytes are cut; limits hold;
//! no decoder is left at work.
#![no_main]

use std::sync::Arc;

use httparse::Header;
use libfuzzer_sys::fuzz_target;
use shadowtap::base::Limits;
use shadowtap::proto::Fields;
use shadowtap::proto::grpc::{Call, Decoding, Form, form};
use shadowtap_fuzz::Choices;

const TYPES: [&[u8]; 4] =
    [b"application/grpc", b"application/grpc-web-text", b"application/connect+proto", b"application/grpc+json"];
const CODINGS: [&[u8]; 5] = [b"gzip", b"deflate", b"zstd", b"snappy", b"identity"];

/// All that is told of a call.
fn told(call: &Call) -> String {
    let of = |m: &shadowtap::proto::grpc::Messages| {
        format!("{:?}", (m.count, m.bytes, m.compressed, m.undecoded, m.unsure, m.status, &m.fields))
    };
    call.messages.iter().flatten().map(of).collect()
}

fn new(form: Form, coding: &[u8], decoding: &Arc<Decoding>) -> Call {
    let fields = [
        Header { name: "grpc-encoding", value: coding },
        Header { name: "connect-content-encoding", value: coding },
    ];
    Call::new(form, Fields(&fields), decoding)
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let limits = Limits { body_bytes: 20_000, grpc_bytes: 50_000, body_ratio: 200, ..Limits::default() };
    let decoding = Arc::new(Decoding::new(&limits));
    let form = form(TYPES[choices.below(TYPES.len())]).expect("one of them");
    let coding = CODINGS[choices.below(CODINGS.len())];
    let step = 1 + choices.below(200);
    let (mut whole, mut cut) = (new(form, coding, &decoding), new(form, coding, &decoding));
    while !choices.is_empty() {
        let what = choices.u8();
        if what >= 250 {
            let len = u64::from(choices.u16() % 500);
            whole.skip(false, Some(len));
            cut.skip(false, Some(len));
            continue;
        }
        let n = 1 + choices.below(2000);
        let bytes = choices.take(n);
        whole.push(false, bytes);
        bytes.chunks(step).for_each(|piece| cut.push(false, piece));
        assert!(decoding.at_work() <= 2);
        for messages in whole.messages.iter().chain(&cut.messages).flatten() {
            assert!(messages.fields.len() <= 64 && messages.undecoded <= messages.compressed);
            assert!(messages.compressed <= messages.count);
        }
    }
    // Where a message is too large or a bomb depends on how much of it came at once; not what is in the others.
    let limited = |call: &Call| call.messages.iter().flatten().any(|m| m.undecoded > 0 || m.odd.is_some());
    if !limited(&whole) && !limited(&cut) {
        assert_eq!(told(&whole), told(&cut));
    }
    drop((whole, cut));
    assert_eq!(decoding.at_work(), 0, "a decoder is left at work");
});
