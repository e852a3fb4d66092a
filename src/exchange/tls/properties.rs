//! Laws of what is read in TLS, over any conversation in HTTP/1 or HTTP/2, any cuts, keys at any time, and loss.

use proptest::prelude::*;

use super::tests::{Exchange, SUITES, play_until, session_of};
use super::*;
use crate::exchange::Partial;

/// One exchange to be: bytes of the request's body, status, bytes of the response's body.
type Plan = (usize, u16, usize);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let up = prop_oneof![3 => Just(0), 1 => 1_usize..6000];
    let down = prop_oneof![1 => Just(0), 2 => 1_usize..3000, 1 => 3000_usize..40_000];
    proptest::collection::vec((up, prop::sample::select(vec![200, 201, 404, 500]), down), 1..8)
}

/// Sizes of segments, in turn. One of a wire's size is among them, lest there be as many segments as bytes.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1_usize..40, 500_usize..4000];
    proptest::collection::vec(size, 0..5).prop_map(|mut sizes| {
        sizes.push(1448);
        sizes
    })
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A message: its header block, and a body of so many bytes in DATA frames.
fn message(stream: u32, block: &[u8], body: usize) -> Vec<u8> {
    let mut out = frame(1, if body == 0 { 5 } else { 4 }, stream, block);
    let mut left = body;
    while left > 0 {
        let n = left.min(16_384);
        left -= n;
        out.extend(frame(0, u8::from(left == 0), stream, &vec![b'x'; n]));
    }
    out
}

/// What is said, and what a perfect reader sees.
fn conversation(http2: bool, plans: &[Plan]) -> (Vec<(Party, Vec<u8>)>, Vec<Exchange>) {
    let (mut said, mut whole) = (Vec::new(), Vec::new());
    if http2 {
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat();
        said.extend([(Party::Client, preface), (Party::Server, frame(4, 0, 0, &[]))]);
    }
    for (n, (up, status, down)) in plans.iter().enumerate() {
        let (path, method) = (format!("/{n}"), if *up > 0 { "POST" } else { "GET" });
        let (asked, answered) = if http2 {
            let stream = 2 * n as u32 + 1;
            let method = if *up > 0 { 0x83 } else { 0x82 };
            let block = [&[method, 0x87, 0x04, path.len() as u8], path.as_bytes(), &[0x01, 1, b'h']].concat();
            let status = [&[0x08, 3][..], status.to_string().as_bytes()].concat();
            (message(stream, &block, *up), message(stream, &status, *down))
        } else {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {up}\r\n\r\n");
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {down}\r\n\r\n");
            ([head.as_bytes(), &vec![b'x'; *up]].concat(), [answer.as_bytes(), &vec![b'x'; *down]].concat())
        };
        said.extend([(Party::Client, asked), (Party::Server, answered)]);
        whole.push((path, Some(*status), Partial::default(), *down as u64));
    }
    (said, whole)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Segmentation invariance: however the bytes are cut and whenever the keys come, the exchanges are those of the clear
    /// text, and each byte is in one bucket.
    #[test]
    fn cuts_and_late_keys_change_nothing(
        suite in 0_usize..3,
        http2 in any::<bool>(),
        plans in plans(),
        sizes in sizes(),
        late in proptest::option::of(0_usize..100),
        end in prop::sample::select(vec![Close::CaptureEnd, Close::Fin]),
    ) {
        let (said, whole) = conversation(http2, &plans);
        let (wire, keys) = session_of(SUITES[suite], if http2 { "h2" } else { "http/1.1" }, &said);
        let (pairing, came) = play_until(end, &wire, Some(&keys), &sizes, &[], late);
        prop_assert_eq!(&pairing.observer.exchanges, &whole);
        prop_assert_eq!(pairing.ledger.accounted(), came);
        prop_assert_eq!((pairing.tls_held, pairing.tls_bytes, pairing.buffered()), (0, 0, 0));
    }

    /// Loss monotonicity: what is lost takes exchanges away or makes them partial, and never makes one, pairs wrongly or
    /// tells a size that is not whole for one that is.
    #[test]
    fn loss_invents_nothing(
        suite in 0_usize..3,
        http2 in any::<bool>(),
        plans in plans(),
        sizes in sizes(),
        late in proptest::option::of(0_usize..100),
        lost in proptest::collection::vec(0_usize..300, 1..8),
    ) {
        let (said, whole) = conversation(http2, &plans);
        let (wire, keys) = session_of(SUITES[suite], if http2 { "h2" } else { "http/1.1" }, &said);
        let (mut pairing, came) = play_until(Close::Fin, &wire, Some(&keys), &sizes, &lost, late);
        pairing.finish_waiting();
        prop_assert_eq!(pairing.ledger.accounted(), came);
        let mut targets = Vec::new();
        for (target, status, partial, size) in &pairing.observer.exchanges {
            let truth = whole.iter().find(|w| w.0 == *target);
            prop_assert!(truth.is_some(), "{} was never asked", target);
            let truth = truth.unwrap();
            prop_assert!(status.is_none() || *status == truth.1, "{}: {:?}, not {:?}", target, status, truth.1);
            prop_assert!(*size <= truth.3, "{}: {} bytes of {}", target, size, truth.3);
            prop_assert!(!partial.is_whole() || *size == truth.3, "{}: {} bytes called whole", target, size);
            targets.push(target);
        }
        targets.sort();
        targets.dedup();
        prop_assert_eq!(targets.len(), pairing.observer.exchanges.len(), "each once");
    }
}
