//! Tests of copies: what is one, and what only looks like it.

use super::*;
use crate::base::{Limits, Timestamp};
use crate::wire::{Decoder, LinkType};

use crate::wire::wrap::{self, Made, Wrap};

fn decode(d: &mut Decoder, at: u64, data: &[u8]) {
    let frame = Frame { ts: Timestamp(at), link: LinkType::ETHERNET, data, wire_len: data.len() as u32 };
    d.decode(&frame);
}

fn packet(id: u16, seq: u32) -> Made {
    let ends = [([10, 0, 0, 1], 50_000), ([10, 0, 0, 2], 80)];
    Made::Ip(wrap::tcp(ends, id, (seq, 77), 0x18, b"hello"))
}

#[test]
fn hard_case_28_copies_are_told_from_retransmissions() {
    let mut d = Decoder::new(&Limits::default());
    for n in 0..100_u32 {
        let at = u64::from(n) * 300_000_000;
        decode(&mut d, at, &packet(n as u16, n * 5).frame());
        // Sent again: another identification; and without one, later than any mirror.
        decode(&mut d, at + 1_000_000, &packet(n as u16 + 500, n * 5).frame());
        decode(&mut d, at + 201_000_000, &packet(n as u16, n * 5).frame());
    }
    assert_eq!((d.copies().copies, d.copies().condition()), (0, false));
    for n in 0..100_u32 {
        let at = 40_000_000_000 + u64::from(n) * 1_000_000;
        decode(&mut d, at, &packet(n as u16, n * 5).frame());
        decode(&mut d, at + 20_000, &packet(n as u16, n * 5).frame());
    }
    assert_eq!((d.copies().copies, d.copies().reframed, d.copies().condition()), (100, 0, true));
    assert_eq!(d.strange().get(crate::base::Oddity::MirroredTwice), 100);
}

#[test]
fn hard_case_28_a_tunnel_and_what_it_carries_are_copies() {
    let mut d = Decoder::new(&Limits::default());
    for n in 0..20_000_u32 {
        let at = u64::from(n) * 1_000_000;
        decode(&mut d, at, &packet(n as u16, n * 5).frame());
        decode(&mut d, at + 20_000, &Wrap::Vxlan.around(packet(n as u16, n * 5)).frame());
    }
    let copies = d.copies();
    // Of each segment at first, then of a sample: an estimate.
    assert!((15_000..25_000).contains(&copies.copies), "{copies:?}");
    assert_eq!(copies.reframed, copies.copies);
    assert!(copies.condition());
}

#[test]
fn few_copies_are_no_condition() {
    let mut copies = Copies { looked: 1000, copies: 20, reframed: 0 };
    assert!(!copies.condition());
    copies.merge(&Copies { looked: 100, copies: 40, reframed: 2 });
    assert!(copies.condition());
    assert!(!Copies { looked: 10, copies: 5, reframed: 0 }.condition());
}
