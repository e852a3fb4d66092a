//! WebSocket streams: messages told together with their handshake or apart from it, and what must hold for any of them
//! however they are cut and whatever of them is lost.

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;
use crate::exchange::properties::config;

pub(in crate::exchange) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    if payload.len() < 126 {
        out.push(flag | payload.len() as u8);
    } else {
        out.push(flag | 126);
        out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    let key = mask.unwrap_or_default();
    out.extend(mask.into_iter().flatten());
    out.extend(payload.iter().enumerate().map(|(n, b)| b ^ key[n % 4]));
    out
}

/// A message to be.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Words {
    pub server: bool,
    text: bool,
    compressed: bool,
    len: usize,
    /// Bytes of a frame.
    piece: usize,
    ping: bool,
}

pub(in crate::exchange) fn words() -> impl Strategy<Value = Vec<Words>> {
    let one =
        (any::<[bool; 4]>(), 0usize..400, 1usize..300).prop_map(|([server, text, compressed, ping], len, piece)| {
            Words { server, text, compressed, len, piece, ping }
        });
    prop::collection::vec(one, 1..8)
}

/// The frames of each message, in order, by side. Payloads are full of what looks like frames and like HTTP.
pub(in crate::exchange) fn frames(words: &[Words]) -> Vec<(bool, Vec<u8>)> {
    let mut windows = [0, 1].map(|_| Compress::new(Compression::fast(), false));
    let evil = b"\x81\x05{\"a\":\x82\x7e\x00\x10HTTP/1.1 200 OK\r\n\r\nGET /evil HTTP/1.1\r\n\r\n\x88\x02\x03\xe8";
    let mut out = Vec::new();
    for word in words {
        let text: Vec<u8> = evil.iter().copied().cycle().take(word.len).collect();
        let payload = if word.compressed {
            let mut coded = Vec::with_capacity(text.len() + 1000);
            windows[usize::from(word.server)].compress_vec(&text, &mut coded, FlushCompress::Sync).unwrap();
            // Where there is nothing to flush, the window gives nothing; an empty block stands for it (RFC 7692, 7.2.3.6).
            coded.truncate(coded.len().saturating_sub(4));
            if coded.is_empty() { vec![0] } else { coded }
        } else {
            text
        };
        let mask = (!word.server).then_some([7, 0, 255, word.len as u8]);
        let mut pieces = payload.chunks(word.piece).peekable();
        let mut first = if word.text { 1 } else { 2 } | if word.compressed { 0x40 } else { 0 };
        if pieces.peek().is_none() {
            out.push((word.server, frame(first | 0x80, mask, b"")));
        }
        while let Some(piece) = pieces.next() {
            let fin = if pieces.peek().is_none() { 0x80 } else { 0 };
            out.push((word.server, frame(first | fin, mask, piece)));
            first = 0;
            if word.ping && fin == 0 {
                out.push((word.server, frame(0x89, mask, b"ping")));
            }
        }
    }
    out
}

pub(in crate::exchange) const ASKS: &str =
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const GRANTS: &str = "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate; a\r\n\r\n";

/// Sends messages in segments of the sizes given, those kept; gives what was seen.
pub(in crate::exchange) fn play(
    messages: &[(Side, Vec<u8>)],
    cuts: &[usize],
    kept: impl Fn(usize) -> bool,
    apart: bool,
) -> Vec<Seen> {
    let mut w = Wire::new();
    (w.pairing.observer.look, w.pairing.observer.apart) = (true, apart);
    let (mut sent, mut cuts, mut number) = ([0u64; 2], cuts.iter().cycle(), 0);
    for (side, message) in messages {
        let mut rest = &message[..];
        while !rest.is_empty() {
            let n = cuts.next().copied().unwrap_or(1000).clamp(1, rest.len());
            let (offset, acked) = (sent[side.index()], sent[side.peer().index()]);
            if kept(number) {
                w.chunk(*side, offset, Some(acked), &rest[..n]);
            } else {
                w.gap(*side, offset, n as u64);
            }
            sent[side.index()] += n as u64;
            number += 1;
            rest = &rest[n..];
        }
    }
    w.close()
}

fn over_http1(words: &[Words]) -> Vec<(Side, Vec<u8>)> {
    let mut out = vec![(CLIENT, ASKS.as_bytes().to_vec()), (SERVER, GRANTS.as_bytes().to_vec())];
    out.extend(frames(words).into_iter().map(|(server, bytes)| (if server { SERVER } else { CLIENT }, bytes)));
    out
}

/// What was told of messages: the tally and the texts, where there is any.
pub(in crate::exchange) fn told(seen: &[Seen]) -> Option<([Tally; 2], [Vec<u8>; 2])> {
    seen.iter().find_map(|s| Some((s.websocket?, s.shown.clone())))
}

/// Is all that was told with loss told without it?
pub(in crate::exchange) fn no_more_than(thin: &[Seen], whole: &[Seen]) -> Result<(), TestCaseError> {
    let Some((tally, texts)) = told(thin) else { return Ok(()) };
    let (all, all_texts) = told(whole).expect("a whole conversation");
    for side in 0..2 {
        prop_assert!(tally[side].messages <= all[side].messages && tally[side].text <= all[side].text);
        prop_assert!(tally[side].bytes <= all[side].bytes && tally[side].json <= all[side].json);
        prop_assert!(all_texts[side].starts_with(&texts[side]), "no byte that was not said, and none behind a hole");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn segmentation_invariance(words in words(), cuts in prop::collection::vec(1usize..200, 1..20), apart: bool) {
        let messages = over_http1(&words);
        let whole = play(&messages, &[usize::MAX], |_| true, apart);
        let pieces = play(&messages, &cuts, |_| true, apart);
        prop_assert_eq!(told(&pieces), told(&whole));
        prop_assert_eq!(pieces.iter().map(short).collect::<Vec<_>>(), whole.iter().map(short).collect::<Vec<_>>());
        let (tally, _) = told(&whole).expect("told");
        for (side, server) in [(0, false), (1, true)] {
            prop_assert_eq!(tally[side].messages, words.iter().filter(|w| w.server == server).count() as u64);
            prop_assert_eq!(tally[side].text, words.iter().filter(|w| w.server == server && w.text).count() as u64);
        }
    }

    #[test]
    fn loss_monotonicity(words in words(), cuts in prop::collection::vec(1usize..200, 1..20), lost in prop::collection::vec(0usize..60, 1..6), apart: bool) {
        let messages = over_http1(&words);
        let whole = play(&messages, &cuts, |_| true, apart);
        let thin = play(&messages, &cuts, |n| !lost.contains(&n), apart);
        no_more_than(&thin, &whole)?;
    }
}

#[test]
fn hard_case_22_messages_apart_from_their_handshake() {
    let mut w = Wire::new();
    (w.pairing.observer.look, w.pairing.observer.apart) = (true, true);
    w.c(ASKS).s(GRANTS);
    assert_eq!(short(&w.pairing.observer.seen[0]), "GET /ws 101", "told at once");
    w.s(frame(0x81, None, b"{\"a\": 1}")).c(frame(0x81, Some([1, 2, 3, 4]), b"hello"));
    // Told while it lasts, now and then.
    w.now += 60_000_000_000;
    w.s(frame(0x82, None, b"binary"));
    assert_eq!(w.pairing.oldest_open(), None, "nothing to go back to");
    w.s(frame(0x81, None, b"[]"));
    let seen = w.close();
    assert_eq!(seen.iter().map(short).collect::<Vec<_>>(), ["GET /ws 101", "said on GET /ws -"]);
    let (tally, texts) = told(&seen).expect("told");
    assert_eq!((tally[0].messages, tally[1].messages, tally[1].json), (1, 3, 2));
    assert_eq!(texts, [b"hello|".to_vec(), b"{\"a\": 1}|[]|".to_vec()]);
}
