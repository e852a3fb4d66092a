//! WebSocket frames. Laws: what is read does not depend on how the bytes are cut; nothing is read behind a hole; messages that
//! are well formed are counted and told, each and exactly; memory stays bounded by a window.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::proto::websocket::{Piece, Reader, Tally};
use shadowtap_fuzz::Choices;

/// Texts as they are told; what the last one has so far is at the end.
#[derive(Default)]
struct Told(Vec<Vec<u8>>, Vec<u8>);

impl Told {
    fn hear(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(bytes) => self.1.extend_from_slice(bytes),
            Piece::End => self.0.push(std::mem::take(&mut self.1)),
        }
    }
}

fn read(bytes: &[u8], cuts: &[usize], deflate: bool) -> (usize, Tally, Vec<Vec<u8>>) {
    let mut reader = Reader::new(deflate, true);
    let mut told = Told::default();
    let (mut rest, mut done) = (bytes, 0);
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (piece, next) = rest.split_at(cut.min(rest.len()));
        let n = reader.push(piece, &mut |piece| told.hear(piece));
        assert!(n <= piece.len() && (n == piece.len() || reader.is_over()), "bytes were forgotten");
        done += n;
        rest = next;
    }
    let tally = reader.tally;
    reader.gap();
    assert!(reader.push(b"\x81\x01x", &mut |_| panic!("behind a hole")) == 0 && reader.tally == tally);
    assert_eq!(tally.text, told.0.len() as u64);
    assert!(tally.json <= tally.text && tally.text <= tally.messages && tally.compressed <= tally.messages);
    (done, tally, told.0)
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let how = choices.u8();
    let cuts: Vec<usize> = (0..choices.below(8)).map(|_| choices.below(256)).collect();
    if how & 1 == 0 {
        let bytes = choices.0;
        assert_eq!(read(bytes, &cuts, how & 2 == 0), read(bytes, &[], how & 2 == 0), "another cut, another reading");
        return;
    }
    let (mut bytes, mut truth) = (Vec::new(), Vec::new());
    while !choices.is_empty() {
        let (what, pieces) = (choices.u8(), 1 + choices.below(3));
        let mut whole = Vec::new();
        for n in 0..pieces {
            let len = if what & 8 == 0 { choices.below(120) } else { choices.below(700) };
            let payload = choices.take(len).to_vec();
            let fin = if n + 1 == pieces { 0x80 } else { 0 };
            let opcode = if n == 0 { 1 + (what & 1) } else { 0 };
            frame(&mut bytes, fin | opcode, what & 2 != 0, &payload);
            whole.extend(payload);
            if what & 4 != 0 {
                frame(&mut bytes, 0x8a, what & 2 == 0, b"pong");
            }
        }
        truth.push((what & 1 == 0, whole));
    }
    let (done, tally, told) = read(&bytes, &cuts, false);
    assert_eq!((done, tally.messages), (bytes.len(), truth.len() as u64));
    assert_eq!(tally.bytes, truth.iter().map(|(_, whole)| whole.len() as u64).sum::<u64>());
    let texts: Vec<Vec<u8>> = truth.into_iter().filter(|(text, _)| *text).map(|(_, whole)| whole).collect();
    assert_eq!(told, texts);
});

fn frame(out: &mut Vec<u8>, first: u8, masked: bool, payload: &[u8]) {
    let (flag, key) = if masked { (0x80, [1, 2, 3, 4]) } else { (0, [0; 4]) };
    out.push(first);
    if payload.len() < 126 {
        out.push(flag | payload.len() as u8);
    } else {
        out.push(flag | 126);
        out.extend((payload.len() as u16).to_be_bytes());
    }
    if masked {
        out.extend(key);
    }
    out.extend(payload.iter().enumerate().map(|(n, b)| b ^ key[n % 4]));
}
