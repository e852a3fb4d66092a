//! Records, handshake messages, hellos and certificates. Law: the messages are the same however the bytes are cut into
//! pieces, and a hello cut off anywhere says nothing that the whole one does not say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::proto::tls::fingerprint::{self, Carrier};
use shadowtap::proto::tls::handshake::{Joiner, kind};
use shadowtap::proto::tls::record::{Records, Step, client_hello_begins, content, ssl2_client_hello};
use shadowtap::proto::tls::{Certificate, ClientHello, EncryptedExtensions, ServerHello, certificate};
use shadowtap_fuzz::Choices;

/// Type and body of each message, and whether all bytes were records.
fn messages(bytes: &[u8], mut size: impl FnMut() -> usize) -> (Vec<(u8, Vec<u8>)>, bool) {
    let (mut records, mut joiner, mut out) = (Records::default(), Joiner::default(), Vec::new());
    let mut spare = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut piece, more) = rest.split_at(size().clamp(1, rest.len()));
        rest = more;
        while !piece.is_empty() {
            match records.step(piece, &mut spare) {
                Step::Record(record, used, _) => {
                    piece = &piece[used..];
                    if record.kind == content::HANDSHAKE
                        && joiner.push(record.body, |m| out.push((m.kind, m.body.to_vec()))).is_err()
                    {
                        return (out, false);
                    }
                }
                Step::More => break,
                Step::Bad => return (out, false),
            }
        }
    }
    (out, true)
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let seed = choices.u32();
    let bytes = choices.0;
    let whole = messages(bytes, || usize::MAX);
    let mut state = u64::from(seed) | 1;
    let pieces = messages(bytes, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1 + (state >> 59) as usize
    });
    assert_eq!(whole, pieces, "cutting changed the messages");
    let _ = (client_hello_begins(bytes), ssl2_client_hello(bytes).map(|_| ClientHello::read_ssl2(bytes)));
    for (kind, body) in &whole.0 {
        match *kind {
            kind::CLIENT_HELLO => {
                let hello = ClientHello::read(body, true);
                assert_eq!(fingerprint::ja4(&hello, Carrier::Tcp).len(), 36);
                let cut = body.len() * (seed as usize % 256) / 256;
                let part = ClientHello::read(&body[..cut], false);
                assert!(part.truncated && hello.suites.starts_with(&part.suites));
                assert!(hello.extensions.starts_with(&part.extensions) && part.alpn.len() <= hello.alpn.len());
            }
            kind::SERVER_HELLO => {
                if let Some(hello) = ServerHello::read(body) {
                    assert_eq!(fingerprint::ja3s(&hello).len(), 32);
                }
            }
            kind::ENCRYPTED_EXTENSIONS => drop(EncryptedExtensions::read(body)),
            kind::CERTIFICATE => drop((certificate::chain(body, true), certificate::chain(body, false))),
            _ => drop(Certificate::read(body)),
        }
    }
});
