//! Properties that hold for any stream, any segmentation, any loss.
//!
//! Takes generated conversations, gives counterexamples. Never relies on one particular order of events.

use proptest::prelude::*;

use super::*;

/// A segment of the client: where, how long, and how many places later the tap shows it.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    len: usize,
}

/// The byte at a place of a stream, so that a byte at a wrong offset shows.
fn byte(side: Sender, at: usize) -> u8 {
    let salt = if side == Client { 3 } else { 101 };
    (at.wrapping_mul(2_654_435_761) >> 7) as u8 ^ (at >> 8) as u8 ^ salt
}

fn stream(side: Sender, at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|i| byte(side, i)).collect()
}

/// Cuts `len` bytes into segments.
fn cuts(len: usize) -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec(1..=len.min(900), 1..40).prop_map(move |sizes| {
        let mut at = 0;
        let mut out = Vec::new();
        for size in sizes.into_iter().cycle() {
            if at == len {
                break;
            }
            let n = size.min(len - at);
            out.push(Piece { at, len: n });
            at += n;
        }
        out
    })
}

/// One event at the tap.
#[derive(Clone, Copy, Debug)]
struct Shown {
    from: Sender,
    piece: Piece,
    /// Acknowledgement: bytes of the other stream.
    ack: usize,
}

/// Both directions, each segment shown `delay` places late, some twice, acknowledgements as the other end would send.
fn tap() -> impl Strategy<Value = (usize, usize, Vec<Shown>)> {
    (1usize..6000, 1usize..6000).prop_flat_map(|(c, s)| {
        let lanes = (cuts(c), cuts(s));
        let noise = prop::collection::vec((0u8..4, 0usize..12, 0usize..8, any::<bool>()), 1..200);
        (Just(c), Just(s), lanes, noise).prop_map(|(c, s, (client, server), noise)| {
            let mut noise = noise.into_iter().cycle();
            let (mut sent, mut seen) = ([0, 0], Vec::new());
            let mut lanes = [client.into_iter().peekable(), server.into_iter().peekable()];
            let mut place = 0;
            while lanes.iter_mut().any(|l| l.peek().is_some()) {
                let (twice, late, again, turn) = noise.next().unwrap();
                let side = usize::from(if lanes[0].peek().is_none() {
                    true
                } else if lanes[1].peek().is_none() {
                    false
                } else {
                    turn
                });
                let piece = lanes[side].next().unwrap();
                sent[side] = piece.at + piece.len;
                let from = if side == 0 { Client } else { Server };
                let shown = Shown { from, piece, ack: sent[1 - side] };
                seen.push((place + late, shown));
                if twice == 0 {
                    seen.push((place + late + again, shown));
                }
                place += 1;
            }
            seen.sort_by_key(|&(place, _)| place);
            (c, s, seen.into_iter().map(|(_, s)| s).collect())
        })
    })
}

fn play(b: &mut Bench, shown: &[Shown], keep: impl Fn(usize) -> bool) {
    for (i, s) in shown.iter().enumerate() {
        if keep(i) {
            let bytes = stream(s.from, s.piece.at, s.piece.len);
            b.send_cut(s.from, ACK, s.piece.at as i64, s.ack as i64, &bytes, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any split, reordering and duplication that loses nothing gives the identical streams, at any place in the
    /// sequence space.
    #[test]
    fn segmentation_invariance((c, s, shown) in tap(), first in any::<[u32; 2]>(), near_wrap in any::<bool>()) {
        let mut b = Bench::new();
        b.first = if near_wrap { first.map(|f| 0u32.wrapping_sub(f % 6000)) } else { first };
        b.handshake();
        play(&mut b, &shown, |_| true);
        b.send(Client, FIN | ACK, c as i64, s as i64, "").send(Server, FIN | ACK, s as i64, c as i64 + 1, "");
        for (from, len) in [(Client, c), (Server, s)] {
            let told = b.told(from);
            let want: Vec<_> = stream(from, 0, len).into_iter().map(Some).collect();
            prop_assert_eq!(&told.bytes, &want);
            prop_assert_eq!(told.start, Some(0));
            prop_assert_eq!(told.gaps.len(), 0);
            prop_assert_eq!(told.end, Some(End::Fin));
        }
        prop_assert_eq!(b.heard().close, Some(Close::Fin));
        prop_assert_eq!(b.oddity(Oddity::OverlapDisagrees), 0);
        prop_assert_eq!(b.listener.heard.len(), 1);
        prop_assert_eq!(b.finish().missing(Missing::Gap), 0);
    }

    /// `acked` never claims what its sender had not received, and never goes back for in-order streams.
    #[test]
    fn acknowledgements_are_offsets((_, _, shown) in tap()) {
        let mut b = Bench::new();
        b.handshake();
        play(&mut b, &shown, |_| true);
        b.finish();
        for s in &shown {
            let told = b.told(s.from);
            // The chunk with the segment's first new byte has one of the acknowledgements sent with that place.
            let at = s.piece.at as u64;
            if let Some((_, acked)) = told.acked.iter().find(|(offset, _)| *offset == at) {
                let sent: Vec<_> = shown.iter().filter(|t| t.from == s.from && t.piece.at as u64 <= at && at < (t.piece.at + t.piece.len) as u64)
                    .map(|t| Some(t.ack as u64)).collect();
                prop_assert!(sent.contains(acked), "{acked:?} not among {sent:?}");
            }
        }
    }

    /// Whatever is lost, each byte told is the right one at its offset, and all that was shown is told.
    #[test]
    fn loss_monotonicity(
        (c, s, shown) in tap(),
        lost in prop::collection::vec(any::<bool>(), 1..50),
        small in any::<bool>(),
        syn in any::<bool>(),
    ) {
        let limits = if small {
            Limits { flow_buffer_bytes: 2000, flow_buffer_segments: 5, ..Limits::default() }
        } else {
            Limits::default()
        };
        let mut b = Bench::with(&limits);
        if syn {
            b.handshake();
        }
        let keep = |i: usize| !lost[i % lost.len()];
        play(&mut b, &shown, keep);
        b.finish();
        let Some(heard) = b.listener.heard.get(&0).cloned() else { return Ok(()) };
        prop_assert_eq!(b.listener.heard.len(), 1);
        for (from, len) in [(Client, c), (Server, s)] {
            let told = &heard.told[b.side(from).index()];
            let mut seen = vec![false; len];
            for (_, s) in shown.iter().enumerate().filter(|&(i, s)| keep(i) && s.from == from) {
                seen[s.piece.at..s.piece.at + s.piece.len].fill(true);
            }
            // Where the stream was picked up: its first byte told has an offset of no meaning.
            let Some(start) = told.start else { continue };
            let first = if syn {
                prop_assert_eq!(start, 0);
                0
            } else {
                // The place of the first byte is found by its content: any that fits all that is told.
                let fits = |first: usize| told.bytes.iter().enumerate().all(|(i, b)| b.is_none_or(|b| first + i < len && b == byte(from, first + i)));
                let Some(first) = (0..len).find(|&f| fits(f)) else {
                    return Err(TestCaseError::fail("bytes at wrong offsets"));
                };
                first
            };
            for (i, told) in told.bytes.iter().enumerate() {
                if let Some(told) = told {
                    prop_assert_eq!(*told, byte(from, first + i));
                }
            }
            if syn && !small {
                for (i, &seen) in seen.iter().enumerate() {
                    let told = told.bytes.get(i).copied().flatten();
                    prop_assert_eq!(told.is_some(), seen, "byte {} of {:?}", i, from);
                }
            }
        }
    }

    /// Hostile segments: nothing panics, memory stays bounded, each byte is in one place, the consumer's contract holds.
    #[test]
    fn hostile_segments(
        segments in prop::collection::vec(
            (any::<bool>(), 0u8..64, prop_oneof![0u32..3000, any::<u32>(), (0u32..64).prop_map(|i| i << 26)],
             prop_oneof![0u32..3000, any::<u32>()], 0usize..1500, prop_oneof![3 => Just(0u32), 1 => 0u32..70_000],
             prop_oneof![4 => 0i64..2_000_000, 1 => -20_000_000_000i64..20_000_000_000], 0u16..4),
            1..300),
        segment_limit in 0usize..20,
        byte_limit in 0usize..5000,
        total in prop_oneof![0usize..20_000, Just(1 << 20)],
        flows in 0usize..4,
    ) {
        let limits = Limits {
            flows, flow_buffer_segments: segment_limit, flow_buffer_bytes: byte_limit, total_buffer_bytes: total,
            flow_idle_seconds: 10, flow_linger_seconds: 1, gap_seconds: 2, ..Limits::default()
        };
        let mut b = Bench::with(&limits);
        b.listener.deaf = true;
        for (side, flags, seq, ack, len, cut, step, port) in segments {
            b.client.port = 50_000 + port;
            b.now.0 = b.now.0.wrapping_add_signed(step);
            let bytes = vec![seq as u8; len];
            b.send_cut(if side { Client } else { Server }, flags, i64::from(seq), i64::from(ack), &bytes, cut);
            prop_assert!(b.table.buffered() <= total);
            prop_assert!(b.table.flows() <= flows.max(1));
        }
        b.finish();
    }
}
