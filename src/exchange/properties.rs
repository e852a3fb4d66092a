//! What must hold for any traffic: random conversations, cut, interleaved and thinned out at random.
//!
//! Each request carries a number in its path and each response the same number in a field, so that a wrong pair shows.
//! Bodies are full of start lines, and cuts prefer to fall before them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::tests::{CLIENT, SERVER, Seen, Wire};
use crate::base::{Limits, Side};
use crate::stream::End;

/// How a message's body is framed.
#[derive(Clone, Copy, Debug)]
enum Body {
    None,
    Length,
    Chunked,
}

#[derive(Clone, Debug)]
struct Turn {
    head: bool,
    request: (Body, usize),
    response: (Body, usize),
    /// The request waits for `100 Continue`.
    expects: bool,
    /// The response has status 204 or 304.
    empty: bool,
}

/// A piece of one direction as one segment carries it.
#[derive(Clone, Debug)]
struct Segment {
    side: Side,
    offset: u64,
    acked: u64,
    bytes: Vec<u8>,
    /// Number of the exchange.
    message: usize,
    /// Parts of whose head it holds: (number, is it the response's).
    heads: Vec<(usize, bool)>,
}

fn body_text(n: usize, len: usize) -> String {
    let evil =
        format!("GET /evil{n} HTTP/1.1\r\nHost: h\r\n\r\nHTTP/1.1 200 OK\r\nX-Tag: evil\r\nContent-Length: 0\r\n\r\n");
    evil.chars().cycle().take(len).collect()
}

fn framed(head: &str, body: (Body, usize), n: usize, shown: bool) -> (String, usize) {
    let text = body_text(n, body.1);
    let (lines, body) = match body.0 {
        Body::None => (String::new(), String::new()),
        Body::Length => (format!("Content-Length: {}\r\n", text.len()), text),
        Body::Chunked => {
            let mut coded = String::new();
            for piece in text.as_bytes().chunks(70) {
                coded += &format!("{:x};x=y\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
            }
            ("Transfer-Encoding: chunked\r\n".to_owned(), coded + "0\r\nT: t\r\n\r\n")
        }
    };
    let head = format!("{head}{lines}\r\n");
    let len = head.len();
    (if shown { head + &body } else { head }, len)
}

/// Cuts a message and adds it to the direction's stream.
#[expect(clippy::too_many_arguments, reason = "the facts of one message")]
fn send(
    out: &mut Vec<Segment>,
    sent: &mut [u64; 2],
    side: Side,
    acked: u64,
    text: &str,
    message: usize,
    head: Option<(usize, bool, usize)>,
    cuts: &mut impl FnMut() -> usize,
) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let mut len = cuts().clamp(1, bytes.len() - at);
        // Half of the cuts fall before a start line in the body.
        if cuts().is_multiple_of(2)
            && let Some(n) = ["GET /evil", "HTTP/1.1 200"].iter().filter_map(|s| text[at + 1..].find(s)).min()
        {
            len = n + 1;
        }
        let heads = head.filter(|(.., head)| at < *head).map(|(n, response, _)| (n, response)).into_iter().collect();
        let offset = sent[side.index()] + at as u64;
        out.push(Segment { side, offset, acked, bytes: bytes[at..at + len].to_vec(), message, heads });
        at += len;
    }
    sent[side.index()] += bytes.len() as u64;
}

/// A conversation as its endpoints saw it. Requests of one burst are sent at once.
fn conversation(bursts: &[Vec<Turn>], cuts: &mut impl FnMut() -> usize) -> Vec<Segment> {
    let (mut out, mut sent, mut number) = (Vec::new(), [0u64; 2], 0);
    for burst in bursts {
        let first = number;
        let mut ends = Vec::new();
        for turn in burst {
            let acked = sent[SERVER.index()];
            let method = if turn.head { "HEAD" } else { "QUERY" };
            let expects =
                turn.expects && burst.len() == 1 && turn.request.1 > 0 && !matches!(turn.request.0, Body::None);
            let expect = if expects { "Expect: 100-continue\r\n" } else { "" };
            let head = format!("{method} /{number} HTTP/1.1\r\nHost: h\r\n{expect}");
            let (text, len) = framed(&head, turn.request, number, true);
            if expects {
                send(&mut out, &mut sent, CLIENT, acked, &text[..len], number, Some((number, false, len)), cuts);
                let acked = sent[CLIENT.index()];
                send(&mut out, &mut sent, SERVER, acked, "HTTP/1.1 100 Continue\r\n\r\n", number, None, cuts);
                let acked = sent[SERVER.index()];
                send(&mut out, &mut sent, CLIENT, acked, &text[len..], number, None, cuts);
            } else {
                send(&mut out, &mut sent, CLIENT, acked, &text, number, Some((number, false, len)), cuts);
            }
            ends.push(sent[CLIENT.index()]);
            number += 1;
        }
        for (n, turn) in burst.iter().enumerate() {
            // A server may answer as soon as it has the request.
            let all = sent[CLIENT.index()];
            let acked = ends[n] + (cuts() as u64 % 3) * (all - ends[n]) / 2;
            let status = if turn.empty { 204 } else { 200 };
            let response = match turn.response {
                (Body::None, _) => (Body::Length, 0),
                other => other,
            };
            let head = format!("HTTP/1.1 {status} OK\r\nX-Tag: {}\r\n", first + n);
            let (text, len) = framed(&head, response, first + n, !turn.head && !turn.empty);
            send(&mut out, &mut sent, SERVER, acked, &text, first + n, Some((first + n, true, len)), cuts);
        }
    }
    out
}

/// Plays segments: `kept` tells which were captured, `next` from which direction the tap shows the next one.
fn play(
    segments: &[Segment],
    kept: impl Fn(usize) -> bool,
    mut next: impl FnMut() -> Option<Side>,
) -> (Vec<Seen>, Wire) {
    let mut w = Wire::with(Limits { flow_buffer_segments: usize::MAX, ..Limits::default() }, Some(CLIENT));
    let mut queues = [SERVER, CLIENT].map(|side| {
        let mut queue: Vec<_> = segments.iter().enumerate().filter(|(_, s)| s.side == side).collect();
        queue.reverse();
        queue
    });
    let mut order = segments.iter().map(|s| s.side);
    let mut at = [0u64; 2];
    loop {
        let wanted = next().or_else(|| order.next()).unwrap_or(CLIENT);
        let side = match (queues[wanted.index()].is_empty(), queues[wanted.peer().index()].is_empty()) {
            (false, _) => wanted,
            (true, false) => wanted.peer(),
            (true, true) => break,
        };
        let Some((n, segment)) = queues[side.index()].pop() else { break };
        if !kept(n) {
            continue;
        }
        let pos = &mut at[side.index()];
        if segment.offset > *pos {
            w.gap(side, *pos, segment.offset - *pos);
        }
        *pos = segment.offset + segment.bytes.len() as u64;
        w.chunk(side, segment.offset, Some(segment.acked), &segment.bytes);
    }
    for side in [CLIENT, SERVER] {
        let end =
            segments.iter().filter(|s| s.side == side).map(|s| s.offset + s.bytes.len() as u64).max().unwrap_or(0);
        if end > at[side.index()] {
            w.gap(side, at[side.index()], end - at[side.index()]);
        }
    }
    w.end(CLIENT, End::Fin).end(SERVER, End::Fin);
    (w.close(), w)
}

/// What a cut or an interleaving must not change.
fn timeless(seen: Vec<Seen>) -> Vec<Seen> {
    seen.into_iter().map(|s| Seen { latency: None, started: 0, ..s }).collect()
}

fn turn() -> impl Strategy<Value = Turn> {
    let body = || {
        prop_oneof![
            3 => Just((Body::None, 0)),
            3 => (0usize..400).prop_map(|n| (Body::Length, n)),
            2 => (0usize..400).prop_map(|n| (Body::Chunked, n)),
        ]
    };
    (prop::bool::weighted(0.15), body(), body(), prop::bool::weighted(0.2), prop::bool::weighted(0.15))
        .prop_map(|(head, request, response, expects, empty)| Turn { head, request, response, expects, empty })
}

fn bursts(longest: usize) -> impl Strategy<Value = Vec<Vec<Turn>>> {
    prop::collection::vec(prop::collection::vec(turn(), 1..=longest), 1..8)
}

/// Small deterministic numbers from a seed (xorshift).
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut x = seed | 1;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x >> 11
    }
}

fn cutter(seed: u64, longest: usize) -> impl FnMut() -> usize {
    let mut next = numbers(seed);
    move || 1 + (next() % longest as u64) as usize
}

/// All exchanges are of real requests, each once, each with its own response; whole ones are as in `truth`.
fn nothing_invented(seen: &[Seen], truth: &BTreeMap<String, Seen>) -> Result<(), TestCaseError> {
    let mut requests = BTreeMap::new();
    let mut tags = BTreeMap::new();
    for s in seen {
        if !s.request.is_empty() {
            prop_assert!(truth.contains_key(&s.request), "invented {s:?}");
            prop_assert!(requests.insert(&s.request, ()).is_none(), "twice {s:?}");
        }
        if s.status.is_some() {
            // What stands directly behind a hole may look like a response; nothing then says that it is none. It is
            // never paired.
            let doubtful = s.request.is_empty() && s.reasons.contains(&"response_gap");
            prop_assert!(doubtful || tags.insert(&s.tag, ()).is_none(), "answered twice {s:?}");
        }
        if !s.request.is_empty() && s.status.is_some() {
            prop_assert!(s.request.ends_with(&format!("/{}", s.tag)), "wrong pair {s:?}");
            if s.reasons.is_empty() {
                let t = &truth[&s.request];
                prop_assert_eq!((s.status, s.bodies), (t.status, t.bodies));
            }
        }
    }
    Ok(())
}

fn truth(segments: &[Segment]) -> BTreeMap<String, Seen> {
    play(segments, |_| true, || None).0.into_iter().map(|s| (s.request.clone(), s)).collect()
}

/// The cases of all properties of this floor.
pub(super) fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config.failure_persistence = None;
    config
}

proptest! {
    // The same cases on each run: a check of a change, not a search. To search, set PROPTEST_CASES and PROPTEST_RNG_SEED.
    #![proptest_config(config())]

    /// Any cuts and any interleaving of the two directions give the same exchanges.
    #[test]
    fn cuts_and_interleaving_change_nothing(bursts in bursts(4), a in any::<u64>(), b in any::<u64>(), order in any::<u64>()) {
        let count: usize = bursts.iter().map(Vec::len).sum();
        let plain = timeless(play(&conversation(&bursts, &mut cutter(a, 2000)), |_| true, || None).0);
        prop_assert_eq!(plain.len(), count);
        prop_assert!(plain.iter().all(|s| s.reasons.is_empty()), "{:?}", plain);
        for longest in [1, 7, 300] {
            let cut = conversation(&bursts, &mut cutter(b, longest));
            prop_assert_eq!(&timeless(play(&cut, |_| true, || None).0), &plain);
            let mut next = numbers(order);
            let mixed = play(&cut, |_| true, || Some(if next().is_multiple_of(2) { CLIENT } else { SERVER })).0;
            prop_assert_eq!(&timeless(mixed), &plain);
        }
    }

    /// Losing segments takes exchanges away or makes them partial; it creates none and pairs none wrongly.
    #[test]
    fn loss_never_invents(
        bursts in bursts(3),
        cuts in any::<u64>(),
        loss in any::<u64>(),
        rate in 1u64..60,
        order in any::<u64>(),
        mixed in any::<bool>(),
    ) {
        let segments = conversation(&bursts, &mut cutter(cuts, 250));
        let truth = truth(&segments);
        let mut roll = numbers(loss);
        let kept: Vec<bool> = segments.iter().map(|_| roll() % 100 >= rate).collect();
        let mut next = numbers(order);
        let (seen, _) = play(&segments, |n| kept[n], || mixed.then(|| if next().is_multiple_of(2) { CLIENT } else { SERVER }));
        nothing_invented(&seen, &truth)?;
    }

    /// A client that does not pipeline loses no exchange whose two heads were captured.
    #[test]
    fn loss_takes_only_what_it_hit(
        turns in prop::collection::vec(turn(), 2..20),
        cuts in any::<u64>(),
        loss in any::<u64>(),
        rate in 1u64..20,
        order in any::<u64>(),
    ) {
        // Without interim responses: a lost one hides where the final one begins.
        let bursts: Vec<_> = turns.into_iter().map(|t| vec![Turn { expects: false, ..t }]).collect();
        let segments = conversation(&bursts, &mut cutter(cuts, 250));
        let truth = truth(&segments);
        let mut roll = numbers(loss);
        let kept: Vec<bool> = segments.iter().map(|_| roll() % 100 >= rate).collect();
        let mut whole: BTreeMap<usize, bool> = (0..bursts.len()).map(|n| (n, true)).collect();
        for (segment, kept) in segments.iter().zip(&kept) {
            for (n, _) in &segment.heads {
                *whole.entry(*n).or_default() &= kept;
            }
        }
        let mut next = numbers(order);
        let (seen, _) = play(&segments, |n| kept[n], || Some(if next().is_multiple_of(2) { CLIENT } else { SERVER }));
        nothing_invented(&seen, &truth)?;
        let is_found = |n: usize| seen.iter().any(|s| s.request.ends_with(&format!("/{n}")) && s.tag == n.to_string());
        let mut excused = None;
        for (&n, _) in whole.iter().filter(|(_, whole)| **whole) {
            // One loss too many: the exchange before was hit too and is not there, so that nothing need prove that a
            // request begins here and not the rest of the one before. Nor behind one that is not there for that reason:
            // the answer to a lost HEAD may seem to have a body that hides several.
            let holed = segments.iter().zip(&kept).any(|(s, kept)| s.message + 1 == n && !kept);
            if n > 0 && (holed || excused == Some(n - 1)) && !is_found(n - 1) {
                excused = Some(n);
                continue;
            }
            // Nor is it proven where the status line before was cut off before its code: it may have been `100`.
            if segments.iter().any(|s| s.side == SERVER && s.message + 1 == n && b"HTTP/1.1 ".starts_with(&s.bytes)) {
                continue;
            }
            prop_assert!(is_found(n), "exchange {} was captured but not found: {:?}", n, seen.iter().map(super::tests::short).collect::<Vec<_>>());
        }
    }

    /// Anything at all: no panic, the books agree, nothing is left behind.
    #[test]
    fn anything_goes(
        events in prop::collection::vec((any::<bool>(), 0u8..10, prop::collection::vec(any::<u8>(), 1..60), any::<u16>(), any::<u32>()), 0..60),
        mid in any::<bool>(),
    ) {
        const PIECES: [&str; 14] = [
            "GET /1 HTTP/1.1\r\n", "Host: h\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: 12\r\n", "HTTP/1.1 101 X\r\n\r\n",
            "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n", "0\r\n\r\n", "CONNECT h:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n",
            "HEAD / HTTP/1.0\r\n", "\x05\x01\x00", "\x16\x03\x01\x00\x05",
        ];
        let mut w = Wire::with(Limits { head_bytes: 200, pipelined: 3, ..Limits::default() }, (!mid).then_some(CLIENT));
        let mut at = [0u64; 2];
        for (client, kind, noise, n, acked) in events {
            let side = if client { CLIENT } else { SERVER };
            let pos = &mut at[side.index()];
            let acked = match kind % 3 { 0 => None, 1 => Some(u64::from(acked % 600)), _ => Some(u64::MAX - u64::from(acked)) };
            match kind {
                0 => { w.gap(side, *pos, u64::from(n) + 1); *pos += u64::from(n) + 1 }
                1 if n % 8 == 0 => { w.end(side, if n % 16 == 0 { End::Fin } else { End::Reset }); }
                2 | 3 => { w.chunk(side, *pos, acked, &noise); *pos += noise.len() as u64 }
                _ => {
                    let text: String = noise.iter().map(|b| PIECES[*b as usize % PIECES.len()]).take(usize::from(n) % 6 + 1).collect();
                    w.chunk(side, *pos, acked, text.as_bytes());
                    *pos += text.len() as u64;
                }
            }
        }
        w.close();
    }
}
