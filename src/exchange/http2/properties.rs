//! What must hold for any HTTP/2 traffic: random conversations, cut and thinned out at random.
//!
//! Each request carries a number in its path, each response the same number in a field, so that a wrong pair shows.
//! Bodies are full of frames that look like requests and responses of new streams of the same connection, and of those that
//! are; but not where a connection is picked up midway, since three frames in a row at the beginning of a chunk are taken for what they are then.

use proptest::prelude::*;

use super::super::properties::config;
use super::super::tests::{CLIENT, SERVER, Seen, Wire};
use super::tests::{Peers, data, frame};
use crate::base::Side;
use crate::stream::HEADROOM;

#[derive(Clone, Debug)]
struct Turn {
    /// Bytes of the request's body and of the response's, in frames of so many.
    bodies: [(usize, usize); 2],
    /// Requests that are sent before this one's response.
    depth: usize,
    padded: bool,
    reset: bool,
}

/// A body of frames: requests, responses, data of streams that exist or that come next.
fn evil(n: usize, len: usize) -> Vec<u8> {
    let mut stream = 2 * n as u32 + 1;
    let mut out = Vec::new();
    while out.len() < len {
        let mut p = Peers::default();
        stream += if n.is_multiple_of(3) { 0 } else { 2 };
        out.extend(p.request(stream, "GET", "/evil", true));
        out.extend(p.response(stream, "500", "evil", false));
        out.extend(data(stream, "evil", true));
        out.extend(frame(8, 0, 0, &[0, 0, 0, 9]));
    }
    out.truncate(len);
    out
}

fn body(out: &mut Vec<(Side, Vec<u8>)>, side: Side, n: usize, (len, piece): (usize, usize), how: (bool, bool)) {
    let (padded, hostile) = how;
    let text = if hostile { evil(n, len) } else { vec![b'x'; len] };
    let stream = 2 * n as u32 + 1;
    let mut pieces = text.chunks(piece.max(1)).peekable();
    while let Some(piece) = pieces.next() {
        let end = u8::from(pieces.peek().is_none());
        out.push((
            side,
            match padded {
                true => frame(0, 8 | end, stream, &[&[3], piece, &[0, 0, 0]].concat()),
                false => frame(0, end, stream, piece),
            },
        ));
    }
}

/// What was said, message by message, in order.
fn conversation(turns: &[Turn], hostile: bool) -> Vec<(Side, Vec<u8>)> {
    let mut p = Peers::default();
    let mut out = vec![(CLIENT, p.hello()), (SERVER, frame(4, 0, 0, &[])), (CLIENT, frame(4, 1, 0, &[]))];
    let mut waiting: Vec<usize> = Vec::new();
    let answer = |out: &mut Vec<(Side, Vec<u8>)>, p: &mut Peers, n: usize| {
        let turn = &turns[n];
        let (stream, tag) = (2 * n as u32 + 1, n.to_string());
        if turn.reset {
            out.push((SERVER, frame(3, 0, stream, &[0, 0, 0, 2])));
            return;
        }
        out.push((SERVER, p.response(stream, "200", &tag, turn.bodies[1].0 == 0)));
        body(out, SERVER, n, turn.bodies[1], (turn.padded, hostile));
    };
    for (n, turn) in turns.iter().enumerate() {
        let method = if turn.bodies[0].0 == 0 { "GET" } else { "POST" };
        out.push((CLIENT, p.request(2 * n as u32 + 1, method, &format!("/{n}"), turn.bodies[0].0 == 0)));
        body(&mut out, CLIENT, n, turn.bodies[0], (turn.padded, hostile));
        waiting.push(n);
        while waiting.len() > turn.depth {
            // Not always the oldest one first.
            let at = if n.is_multiple_of(3) { waiting.len() - 1 } else { 0 };
            let which = waiting.remove(at);
            answer(&mut out, &mut p, which);
        }
    }
    for n in waiting {
        answer(&mut out, &mut p, n);
    }
    out
}

/// Some bytes of one side.
struct Segment {
    side: Side,
    offset: u64,
    /// What its sender had received.
    acked: u64,
    bytes: Vec<u8>,
}

/// Cuts messages into segments.
fn cut(messages: &[(Side, Vec<u8>)], cuts: &[usize]) -> Vec<Segment> {
    let (mut out, mut sent, mut cuts) = (Vec::new(), [0u64; 2], cuts.iter().cycle());
    for (side, message) in messages {
        let mut rest = &message[..];
        while !rest.is_empty() {
            let n = cuts.next().copied().unwrap_or(1000).clamp(1, rest.len());
            let (offset, acked) = (sent[side.index()], sent[side.peer().index()]);
            out.push(Segment { side: *side, offset, acked, bytes: rest[..n].to_vec() });
            sent[side.index()] += n as u64;
            rest = &rest[n..];
        }
    }
    out
}

fn play(segments: &[Segment], kept: impl Fn(usize) -> bool, midway: bool) -> Vec<Seen> {
    let mut w = if midway { Wire::mid_stream() } else { Wire::new() };
    let kept = || segments.iter().enumerate().filter(|(n, _)| kept(*n)).map(|(_, segment)| segment);
    // Picked up midway, a direction counts from its first segment.
    let first = [CLIENT, SERVER].map(|side| kept().find(|s| s.side == side).map_or(0, |s| s.offset));
    let place = |side: Side, offset: u64| match midway {
        true => (offset + u64::from(HEADROOM)).saturating_sub(first[usize::from(side == SERVER)]),
        false => offset,
    };
    let mut pos = [CLIENT, SERVER].map(|_| if midway { u64::from(HEADROOM) } else { 0 });
    for Segment { side, offset, acked, bytes } in kept() {
        let (at, offset) = (pos[side.index()], place(*side, *offset));
        if offset > at {
            w.gap(*side, at, offset - at);
        }
        w.chunk(*side, offset, Some(place(side.peer(), *acked)), bytes);
        pos[side.index()] = offset + bytes.len() as u64;
    }
    w.close()
}

fn number(path: &str) -> Option<usize> {
    path.rsplit_once('/').and_then(|(_, n)| n.parse().ok())
}

/// What was said of each exchange, without times.
fn told(seen: &Seen) -> (String, Option<u16>, String, (u64, u64), Vec<&'static str>) {
    (seen.request.clone(), seen.status, seen.tag.clone(), seen.bodies, seen.reasons.clone())
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let body = || prop_oneof![3 => Just((0usize, 1usize)), 3 => (1usize..600, 1usize..400), 1 => (1usize..20_000, 300usize..16_000)];
    (body(), body(), 0usize..4, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(a, b, depth, padded, reset)| Turn { bodies: [a, b], depth, padded, reset })
}

proptest! {
    // The same cases on each run: a check of a change, not a search. To search, set PROPTEST_CASES and PROPTEST_RNG_SEED.
    #![proptest_config(config())]

    #[test]
    fn segmentation_invariance(
        turns in proptest::collection::vec(any_turn(), 1..12),
        cuts in proptest::collection::vec(1usize..1500, 1..20),
    ) {
        let messages = conversation(&turns, true);
        let whole = play(&cut(&messages, &[1 << 20]), |_| true, false);
        prop_assert_eq!(whole.len(), turns.len());
        for seen in &whole {
            let n = number(&seen.request).unwrap();
            let turn = &turns[n];
            if !turn.reset {
                prop_assert_eq!((seen.status, &seen.tag), (Some(200), &n.to_string()));
                prop_assert_eq!(seen.bodies, (turn.bodies[0].0 as u64, turn.bodies[1].0 as u64));
                prop_assert!(seen.reasons.is_empty());
            }
        }
        let pieces = play(&cut(&messages, &cuts), |_| true, false);
        prop_assert_eq!(pieces.iter().map(told).collect::<Vec<_>>(), whole.iter().map(told).collect::<Vec<_>>());
    }

    #[test]
    fn loss_monotonicity(
        turns in proptest::collection::vec(any_turn(), 1..40),
        cuts in proptest::collection::vec(1usize..1500, 1..20),
        lost in proptest::collection::vec(0usize..400, 1..12),
        first in prop_oneof![3 => Just(0usize), 1 => 1usize..40],
    ) {
        let begins = first == 0 && lost.iter().all(|n| *n >= cut(&conversation(&[], false), &cuts).len());
        let segments = cut(&conversation(&turns, begins), &cuts);
        let whole = play(&segments, |_| true, false);
        let seen = play(&segments, |n| n >= first && !lost.contains(&n), first > 0);
        prop_assert!(seen.len() <= whole.len(), "{} of {}", seen.len(), whole.len());
        let mut paths = Vec::new();
        for s in &seen {
            prop_assert!(!s.request.contains("evil") && s.tag != "evil", "{:?}", s);
            let Some(n) = number(&s.request) else {
                // An orphan, or a request whose path is hidden.
                prop_assert!(s.reasons.contains(&"no_request") || s.reasons.contains(&"hidden"), "{:?}", s);
                continue;
            };
            prop_assert!(!paths.contains(&n), "twice: {:?}", s);
            paths.push(n);
            let truth = whole.iter().find(|w| number(&w.request) == Some(n)).unwrap();
            prop_assert!(s.status.is_none() || s.status == truth.status, "{:?} {:?}", s, truth);
            prop_assert!(s.tag.is_empty() || s.tag == truth.tag, "{:?} {:?}", s, truth);
            if s.reasons.is_empty() {
                prop_assert_eq!(told(s), told(truth));
            }
        }
    }
}
