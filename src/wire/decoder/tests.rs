//! Tests of the way from frame to segment: generated packets against `etherparse`, the ledger's law, and the hard cases by name.

use etherparse::{LaxSlicedPacket, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::base::{Address, FlowKey, Side};
use crate::wire::{LinkType, TcpFlags};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame { ts: Timestamp(1_000_000_000), link, data, wire_len: data.len() as u32 }
}

fn at(seconds: u64, data: &[u8]) -> Frame<'_> {
    Frame { ts: Timestamp::from_parts(seconds, 0), ..frame(LinkType::ETHERNET, data) }
}

/// IPv4 and TCP, without a link layer.
fn ip_tcp(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, 80, 1000, 8192).ack(77).psh();
    builder.write(&mut out, payload).unwrap();
    out
}

fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [&[2; 6][..], &[4; 6], &kind.to_be_bytes(), rest].concat()
}

fn check(segment: Option<Segment<'_>>, payload: &[u8]) {
    let s = segment.expect("a segment");
    let (key, side) = FlowKey::new(Address::v4(0x0a00_0001, 50_000), Address::v4(0x0a00_0002, 80), 0);
    assert_eq!((s.key, s.side, s.seq, s.ack), (key, side, 1000, 77));
    assert_eq!(s.flags, TcpFlags(TcpFlags::ACK | TcpFlags::PSH));
    assert_eq!((s.payload, s.cut), (payload, 0));
}

fn decoder() -> Decoder {
    Decoder::new(&Limits::default())
}

fn sum(d: &Decoder) -> u64 {
    d.ledger.accounted()
}

#[test]
fn each_link_layer_leads_to_the_same_segment() {
    let ip = ip_tcp(b"hello");
    let with = |head: &[u8]| [head, &ip].concat();
    let sll2 = [&[0x08, 0][..], &[0; 18]].concat();
    let frames: Vec<(&str, LinkType, Vec<u8>)> = vec![
        ("ethernet", LinkType::ETHERNET, ethernet(0x0800, &ip)),
        ("vlan", LinkType::ETHERNET, ethernet(0x8100, &with(&[0, 5, 8, 0]))),
        ("qinq", LinkType::ETHERNET, ethernet(0x88a8, &with(&[0, 5, 0x81, 0, 0, 6, 8, 0]))),
        ("three tags", LinkType::ETHERNET, ethernet(0x9100, &with(&[0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7, 8, 0]))),
        ("snap", LinkType::ETHERNET, ethernet(60, &with(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]))),
        ("pppoe", LinkType::ETHERNET, ethernet(0x8864, &with(&[0x11, 0, 0, 9, 0, ip.len() as u8 + 2, 0, 0x21]))),
        ("raw", LinkType::RAW, ip.clone()),
        ("raw 12", LinkType::RAW_12, ip.clone()),
        ("raw 14", LinkType::RAW_14, ip.clone()),
        ("ipv4", LinkType::IPV4, ip.clone()),
        ("null, little-endian", LinkType::NULL, with(&[2, 0, 0, 0])),
        ("null, big-endian", LinkType::NULL, with(&[0, 0, 0, 2])),
        ("loop", LinkType::LOOP, with(&[0, 0, 0, 2])),
        ("sll", LinkType::LINUX_SLL, with(&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0])),
        ("sll with a tag", LinkType::LINUX_SLL, with(&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x81, 0, 0, 9, 8, 0])),
        ("sll2", LinkType::LINUX_SLL2, with(&sll2)),
        ("ppp", LinkType::PPP, with(&[0xff, 3, 0, 0x21])),
        ("ppp without framing", LinkType::PPP, with(&[0, 0x21])),
        ("ppp with a short protocol", LinkType::PPP_HDLC, with(&[0xff, 3, 0x21])),
        (
            "nflog",
            LinkType::NFLOG,
            with(&[2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0, 5, 0, 3, 0, 1, 0, 0, 0, ip.len() as u8 + 4, 0, 9, 0]),
        ),
        (
            "nflog, big-endian",
            LinkType::NFLOG,
            with(&[2, 0, 0, 0, 0, 8, 0, 1, 8, 0, 0, 0, 0, ip.len() as u8 + 4, 0, 9]),
        ),
        ("cisco hdlc", LinkType::C_HDLC, with(&[0x0f, 0, 8, 0])),
        ("ppp over ethernet", LinkType::PPP_ETHER, with(&[0x11, 0, 0, 9, 0, ip.len() as u8 + 2, 0, 0x21])),
    ];
    for (name, link, bytes) in frames {
        let mut d = decoder();
        let got = d.decode(&frame(link, &bytes));
        assert!(got.is_some(), "{name}");
        check(got, b"hello");
        assert_eq!(sum(&d) + 5, d.ledger.captured, "{name}");
        assert_eq!(d.oddities.seen().count(), 0, "{name}");
        // Cut anywhere, nothing panics and every byte is accounted for.
        for n in 0..bytes.len() {
            let mut d = decoder();
            let cut = Frame { wire_len: bytes.len() as u32, ..frame(link, &bytes[..n]) };
            let payload = d.decode(&cut).map_or(0, |s| s.payload.len() as u64);
            assert_eq!(sum(&d) + payload, d.ledger.captured, "{name} cut at {n}");
            assert_eq!(d.ledger.missing(Missing::Truncated), (bytes.len() - n) as u64);
        }
    }
}

#[test]
fn what_is_not_tcp_is_said_to_be_so() {
    let mut udp = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4(CLIENT, SERVER, 64).udp(53, 53).write(&mut udp, b"dns").unwrap();
    let mut d = decoder();
    assert!(d.decode(&frame(LinkType::ETHERNET, &udp)).is_none());
    assert!(d.decode(&frame(LinkType::ETHERNET, &ethernet(0x0806, &[0; 28]))).is_none());
    assert_eq!((d.ledger.get(Bucket::Udp), d.ledger.get(Bucket::Framing)), (3, 42));
    assert_eq!(d.ledger.get(Bucket::NotTcp), 42);
    assert_eq!(d.ledger.packets, 2);
    assert!(d.decode(&frame(LinkType(147), &udp)).is_none());
    assert_eq!(d.ledger.get(Bucket::Undecodable), udp.len() as u64);
    assert_eq!(d.oddities.get(Oddity::LinkUnknown), 1);
}

#[test]
fn padding_is_not_payload() {
    let mut bytes = ethernet(0x0800, &ip_tcp(b""));
    bytes.resize(60, 0);
    let mut d = decoder();
    check(d.decode(&frame(LinkType::ETHERNET, &bytes)), b"");
    assert_eq!(d.ledger.get(Bucket::Framing), 60);
}

#[test]
fn hard_case_27_tags_nest_up_to_the_limit_only() {
    let tags = |n: usize| {
        let rest = [[0, 1, 0x81, 0].repeat(n - 1), vec![0, 1, 8, 0], ip_tcp(b"x")].concat();
        ethernet(0x8100, &rest)
    };
    let limits = Limits { nesting: 4, ..Limits::default() };
    let mut d = Decoder::new(&limits);
    check(d.decode(&frame(LinkType::ETHERNET, &tags(4))), b"x");
    assert!(d.decode(&frame(LinkType::ETHERNET, &tags(5))).is_none());
    assert_eq!(d.oddities.get(Oddity::NestedTooDeep), 1);
    assert_eq!(d.ledger.get(Bucket::OverLimit), tags(5).len() as u64);
}

#[test]
fn hard_case_28_a_tag_in_one_direction_is_still_one_flow() {
    let there = ethernet(0x0800, &ip_tcp(b"a"));
    let mut back = Vec::new();
    PacketBuilder::ipv4(SERVER, CLIENT, 64).tcp(80, 50_000, 77, 10).ack(1001).write(&mut back, b"b").unwrap();
    let back = ethernet(0x8100, &[&[0, 9, 8, 0][..], &back].concat());
    let mut d = decoder();
    let (key, side) = d.decode(&frame(LinkType::ETHERNET, &there)).map(|s| (s.key, s.side)).unwrap();
    let answer = d.decode(&frame(LinkType::ETHERNET, &back)).unwrap();
    assert_eq!((answer.key, answer.side), (key, side.peer()));
}

#[test]
fn hard_case_29_super_frames_without_a_length_are_taken_whole() {
    let body = vec![b'x'; 70_000];
    let mut ip = ip_tcp(b"");
    ip[2..4].fill(0); // total length
    let bytes = ethernet(0x0800, &[&ip[..], &body].concat());
    let mut d = decoder();
    check(d.decode(&frame(LinkType::ETHERNET, &bytes)), &body);
    assert_eq!(d.oddities.get(Oddity::IpLengthZero), 1);
    // Cut by the snapshot length, too.
    let cut = Frame { wire_len: bytes.len() as u32, ..frame(LinkType::ETHERNET, &bytes[..100]) };
    let s = d.decode(&cut).map(|s| (s.payload.len(), s.cut)).unwrap();
    assert_eq!(s, (46, 70_000 - 46));
    // A wire length that cannot be is not believed.
    let s = d.decode(&Frame { wire_len: u32::MAX, ..cut }).map(|s| (s.payload.len(), s.cut)).unwrap();
    assert_eq!(s, (46, 0));
    // IPv6: payload length 0, with a jumbo payload option (RFC 2675) or without.
    let mut v6 = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 9).tcp(1, 2, 3, 4).write(&mut v6, &body[..60_000]).unwrap();
    v6[4..6].fill(0);
    let jumbo = [&v6[..6], &[0, 9], &v6[8..40], &[6, 0, 0xc2, 4, 0, 1, 0x11, 0x70], &v6[40..]].concat();
    for bytes in [ethernet(0x86dd, &v6), ethernet(0x86dd, &jumbo)] {
        let s = d.decode(&frame(LinkType::ETHERNET, &bytes)).map(|s| (s.payload.len(), s.cut));
        assert_eq!(s, Some((60_000, 0)));
    }
}

#[test]
fn hard_case_29_snapshot_cuts_are_told() {
    let bytes = ethernet(0x0800, &ip_tcp(&[b'x'; 500]));
    let mut d = decoder();
    let cut = Frame { wire_len: bytes.len() as u32, ..frame(LinkType::ETHERNET, &bytes[..96]) };
    let s = d.decode(&cut).map(|s| (s.payload.len(), s.cut)).unwrap();
    assert_eq!(s, (96 - 54, 500 - 42));
    assert_eq!(d.ledger.missing(Missing::Truncated), bytes.len() as u64 - 96);
}

#[test]
fn hard_case_30_a_clock_that_steps_back_is_counted() {
    let bytes = ethernet(0x0800, &ip_tcp(b"x"));
    let mut d = decoder();
    for second in [5, 6, 4, 4, 7] {
        check(d.decode(&at(second, &bytes)), b"x");
    }
    assert_eq!(d.oddities.get(Oddity::ClockBack), 1);
}

#[test]
fn broken_headers_are_undecodable() {
    let good = ethernet(0x0800, &ip_tcp(b"hello"));
    let broken = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let mut d = decoder();
        assert!(d.decode(&frame(LinkType::ETHERNET, &bytes)).is_none());
        assert_eq!(d.ledger.get(Bucket::Undecodable), bytes.len() as u64);
        d.oddities.get(Oddity::HeaderBad)
    };
    assert_eq!(broken(|b| b[14] = 0x44), 1, "IPv4 header of 16 bytes");
    assert_eq!(broken(|b| b[14] = 0x55), 1, "IP version 5");
    assert_eq!(broken(|b| b[17] = 10), 1, "total length below the header's");
    assert_eq!(broken(|b| b[46] = 0x40), 1, "TCP offset 16");
    assert_eq!(broken(|b| b[46] = 0xf0), 1, "TCP offset behind the packet");
}

/// IPv4 fragments of `ip`, each with `size` bytes (a multiple of 8), as (first byte, Ethernet frame).
fn fragments(ip: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (header, body) = ip.split_at(20);
    let count = body.chunks(size).count();
    body.chunks(size)
        .enumerate()
        .map(|(i, part)| {
            let mut header = header.to_vec();
            header[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
            let more = u16::from(i + 1 < count) << 13;
            header[6..8].copy_from_slice(&((i * size / 8) as u16 | more).to_be_bytes());
            ethernet(0x0800, &[header, part.to_vec()].concat())
        })
        .collect()
}

/// IPv6 fragments of a TCP header with payload.
fn fragments6(tcp: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = tcp.chunks(size).count();
    tcp.chunks(size)
        .enumerate()
        .map(|(i, part)| {
            let mut out = vec![0x60, 0, 0, 0, 0, 0, 44, 64];
            out[4..6].copy_from_slice(&(8 + part.len() as u16).to_be_bytes());
            out.extend([1; 16]);
            out.extend([2; 16]);
            out.extend([6, 0]);
            out.extend(((i * size) as u16 | u16::from(i + 1 < count)).to_be_bytes());
            out.extend([0, 0, 0, 42]);
            out.extend(part);
            ethernet(0x86dd, &out)
        })
        .collect()
}

#[test]
fn hard_case_27_fragments_in_any_order_become_one_segment() {
    let payload: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let ip = ip_tcp(&payload);
    let parts = fragments(&ip, 1000);
    assert_eq!(parts.len(), 4);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut d = decoder();
        for (n, i) in order.into_iter().enumerate() {
            let got = d.decode(&frame(LinkType::ETHERNET, &parts[i]));
            match n {
                3 => check(got, &payload),
                _ => assert!(got.is_none()),
            }
        }
        d.finish();
        assert_eq!(sum(&d) + 3000, d.ledger.captured);
        assert_eq!(d.oddities.seen().count(), 0);
    }
    let mut d = decoder();
    let parts = fragments6(&ip[20..], 1000);
    for i in [2, 0, 3] {
        assert!(d.decode(&frame(LinkType::ETHERNET, &parts[i])).is_none());
    }
    let s = d.decode(&frame(LinkType::ETHERNET, &parts[1])).unwrap();
    assert_eq!((s.payload, s.seq), (&payload[..], 1000));
}

#[test]
fn hard_case_28_fragments_mirrored_twice_are_one_datagram() {
    let payload = [b'x'; 2000];
    let parts = fragments(&ip_tcp(&payload), 1480);
    let mut d = decoder();
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[0])).is_none());
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[0])).is_none());
    check(d.decode(&frame(LinkType::ETHERNET, &parts[1])), &payload);
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[1])).is_none());
    d.finish();
    assert_eq!(d.oddities.seen().count(), 0);
    assert_eq!(d.ledger.get(Bucket::Duplicate), 2020);
    assert_eq!(sum(&d) + 2000, d.ledger.captured);
    // The same identification later is another datagram.
    assert!(d.decode(&at(3, &parts[1])).is_none());
    check(d.decode(&at(3, &parts[0])), &payload);
}

#[test]
fn the_first_bytes_win_where_fragments_overlap() {
    let payload = [b'x'; 2000];
    let mut parts = fragments(&ip_tcp(&payload), 1000);
    let mut other = parts[1].clone();
    other[34..].fill(b'y');
    other[34 - 20 + 7] = 120; // offset 960: 40 bytes known, 960 new
    let mut d = decoder();
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[0])).is_none());
    assert!(d.decode(&frame(LinkType::ETHERNET, &other)).is_none());
    parts[1][34..].fill(b'z');
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[1])).is_none());
    let s = d.decode(&frame(LinkType::ETHERNET, &parts[2])).unwrap();
    assert_eq!(s.payload.len(), 2000);
    let expected = [[b'x'; 980].as_slice(), &[b'y'; 960], &[b'z'; 40], &[b'x'; 20]].concat();
    assert_eq!(s.payload, expected);
    assert_eq!(d.oddities.get(Oddity::FragmentOverlap), 2);
    assert_eq!(sum(&d) + 2000, d.ledger.captured);
}

#[test]
fn a_fragment_that_was_cut_ends_the_payload_there() {
    let payload = [b'x'; 2000];
    let parts = fragments(&ip_tcp(&payload), 1000);
    let mut d = decoder();
    assert!(d.decode(&frame(LinkType::ETHERNET, &parts[0])).is_none());
    let cut = Frame { wire_len: parts[1].len() as u32, ..frame(LinkType::ETHERNET, &parts[1][..34 + 100]) };
    assert!(d.decode(&cut).is_none());
    let s = d.decode(&frame(LinkType::ETHERNET, &parts[2])).map(|s| (s.payload.len(), s.cut)).unwrap();
    assert_eq!(s, (1080, 920));
    assert_eq!(d.ledger.get(Bucket::Undecodable), 20, "the last fragment's bytes lie behind the cut");
    assert_eq!(sum(&d) + 1080, d.ledger.captured);
}

#[test]
fn fragments_wait_for_a_bounded_time_and_in_bounded_numbers() {
    let parts = fragments(&ip_tcp(&[b'x'; 2000]), 1480);
    let mut d = Decoder::new(&Limits { fragments: 3, ..Limits::default() });
    let with_id = |id: u8| {
        let mut part = parts[0].clone();
        part[19] = id;
        part
    };
    for id in 0..5 {
        assert!(d.decode(&at(1, &with_id(id))).is_none());
    }
    assert_eq!(d.oddities.get(Oddity::FragmentLimit), 2);
    assert_eq!(d.ledger.get(Bucket::OverLimit), 2 * parts[0].len() as u64);
    check_none(d.decode(&at(31, &ethernet(0x0806, &[0; 28]))));
    assert_eq!(d.oddities.get(Oddity::FragmentIncomplete), 3);
    assert_eq!(d.ledger.get(Bucket::Undecodable), 3 * parts[0].len() as u64);
    assert_eq!(sum(&d), d.ledger.captured);

    let mut d = Decoder::new(&Limits { fragment_bytes: 4000, ..Limits::default() });
    for id in 0..5 {
        assert!(d.decode(&at(1, &with_id(id))).is_none());
    }
    assert_eq!(d.oddities.get(Oddity::FragmentLimit), 3, "two of 1480 bytes fit");
    d.finish();
    assert_eq!(sum(&d), d.ledger.captured);
}

fn check_none(segment: Option<Segment<'_>>) {
    assert!(segment.is_none());
}

#[test]
fn fragments_over_the_longest_datagram_are_refused() {
    let mut part = fragments(&ip_tcp(&[b'x'; 2000]), 1480).swap_remove(1);
    part[20..22].copy_from_slice(&0x1fff_u16.to_be_bytes());
    let mut d = decoder();
    assert!(d.decode(&frame(LinkType::ETHERNET, &part)).is_none());
    assert_eq!(d.oddities.get(Oddity::HeaderBad), 1);
    assert_eq!(d.ledger.get(Bucket::Undecodable), part.len() as u64);
}

#[test]
fn hard_case_27_ipv6_extension_headers_are_gone_through() {
    let mut ip = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 9).tcp(1, 2, 3, 4).write(&mut ip, b"hello").unwrap();
    let extensions = [
        &[43, 0, 1, 4, 0, 0, 0, 0][..], // hop by hop, then routing
        &[60, 0, 0, 0, 0, 0, 0, 0],     // then destination options
        &[44, 0, 1, 4, 0, 0, 0, 0],     // then an "atomic" fragment header (RFC 6946)
        &[51, 0, 0, 0, 0, 0, 0, 1],     // then authentication
        &[6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2],
    ]
    .concat();
    let length = (ip.len() - 40 + extensions.len()) as u16;
    ip[4..6].copy_from_slice(&length.to_be_bytes());
    ip[6] = 0;
    let bytes = ethernet(0x86dd, &[&ip[..40], &extensions, &ip[40..]].concat());
    let mut d = decoder();
    let s = d.decode(&frame(LinkType::ETHERNET, &bytes)).unwrap();
    assert_eq!((s.payload, s.seq), (&b"hello"[..], 3));
    assert_eq!(d.oddities.seen().count(), 0);
}

/// What `etherparse` makes of a frame: source port, destination port, sequence number, payload.
fn oracle(bytes: &[u8]) -> Option<(u16, u16, u32, Vec<u8>)> {
    let packet = LaxSlicedPacket::from_ethernet(bytes).ok()?;
    match packet.transport? {
        TransportSlice::Tcp(t) => {
            Some((t.source_port(), t.destination_port(), t.sequence_number(), t.payload().to_vec()))
        }
        _ => None,
    }
}

prop_compose! {
    /// An Ethernet frame with TCP in it: any tags, either IP version, options, padding.
    fn tcp_frame()(
        tags in 0_u8..3,
        v6 in any::<bool>(),
        ends in any::<([u8; 16], [u8; 16], u16, u16)>(),
        seq in any::<u32>(),
        options in 0_usize..11,
        ip_options in prop_oneof![3 => Just(0_usize), 1 => 1_usize..11],
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        padding in prop_oneof![Just(0_usize), 0_usize..20],
    ) -> Vec<u8> {
        use etherparse::{Ipv4Header, Ipv6Header, TcpHeader, IpHeaders, Ipv4Options};
        let mut tcp = TcpHeader::new(ends.2, ends.3, seq, 1000);
        tcp.ack = true;
        tcp.set_options_raw(&vec![1; options * 4]).unwrap();
        let (a, b) = (ends.0, ends.1);
        let ip = if v6 {
            let header = Ipv6Header { source: a, destination: b, hop_limit: 3, ..Ipv6Header::default() };
            IpHeaders::Ipv6(header, Default::default())
        } else {
            let header = Ipv4Header {
                source: [a[0], a[1], a[2], a[3]],
                destination: [b[0], b[1], b[2], b[3]],
                time_to_live: 3,
                options: Ipv4Options::try_from(&vec![1; ip_options * 4][..]).unwrap(),
                ..Ipv4Header::default()
            };
            IpHeaders::Ipv4(header, Default::default())
        };
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let mut out = Vec::new();
        match tags {
            0 => builder.ip(ip).tcp_header(tcp).write(&mut out, &payload),
            1 => builder.single_vlan(5.try_into().unwrap()).ip(ip).tcp_header(tcp).write(&mut out, &payload),
            _ => builder
                .double_vlan(5.try_into().unwrap(), 6.try_into().unwrap())
                .ip(ip)
                .tcp_header(tcp)
                .write(&mut out, &payload),
        }
        .unwrap();
        out.resize(out.len() + padding, 0xee);
        out
    }
}

proptest! {
    #[test]
    fn both_ways_and_etherparse_agree(bytes in tcp_frame(), cut in prop_oneof![Just(0_usize), 0_usize..300]) {
        let captured = &bytes[..bytes.len().saturating_sub(cut)];
        let f = Frame { wire_len: bytes.len() as u32, ..frame(LinkType::ETHERNET, captured) };
        let mut careful = decoder();
        careful.arrive(&f);
        let slow = careful.decode_carefully(&f, |_| Bucket::Udp);
        if let Some(fast) = fast::decode(&f) {
            let slow = slow.expect("both ways see a segment");
            prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
        }
        if let Some((source, destination, seq, payload)) = oracle(captured) {
            let s = slow.expect("etherparse sees a segment");
            let ports = (s.key.end(s.side).port, s.key.end(s.side.peer()).port);
            // An end that talks to itself counts as the lower one.
            prop_assert!(ports == (source, destination) || s.side == Side::Lo);
            prop_assert_eq!((s.seq, s.payload), (seq, &payload[..]));
            if cut == 0 {
                prop_assert!(s.cut == 0);
            }
        }
    }

    /// Damaged frames of any kind and fragments in any order: each byte is in one bucket.
    #[test]
    fn every_byte_is_accounted_for(
        frames in proptest::collection::vec(
            (tcp_frame(), proptest::collection::vec((0_usize..80, any::<u8>()), 0..3), 0_usize..40, 0_usize..4),
            0..20,
        ),
        payload in 0_usize..3000,
        size in 1_usize..100,
        picks in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..30, any::<bool>()), 0..60),
        links in proptest::collection::vec(prop::sample::select(vec![0_u16, 1, 9, 12, 50, 51, 101, 104, 108, 113, 228, 239, 276]), 4),
        limits in (1_usize..5, 1_usize..4000),
    ) {
        let mut d = Decoder::new(&Limits { fragments: limits.0, fragment_bytes: limits.1, ..Limits::default() });
        let mut delivered = 0;
        for (bytes, changes, cut, link) in &frames {
            let mut bytes = bytes.clone();
            for (at, value) in changes {
                if let Some(b) = bytes.get_mut(*at) {
                    *b = *value;
                }
            }
            let wire_len = bytes.len() as u32;
            bytes.truncate(bytes.len().saturating_sub(*cut));
            let f = Frame { wire_len, ..frame(LinkType(links[*link]), &bytes) };
            delivered += d.decode(&f).map_or(0, |s| s.payload.len() as u64);
        }
        let ip = ip_tcp(&vec![7; payload]);
        let mut parts = fragments(&ip, size * 8);
        parts.extend(fragments6(&ip[20..], size * 8));
        for (n, (index, cut, other)) in picks.iter().enumerate() {
            let mut part = index.get(&parts).clone();
            if *other {
                let last = part.len() - 1;
                part[last] ^= 1;
            }
            let wire_len = part.len() as u32;
            part.truncate(part.len() - (*cut).saturating_sub(25));
            delivered += d.decode(&Frame { wire_len, ..at(n as u64, &part) }).map_or(0, |s| s.payload.len() as u64);
        }
        d.finish();
        prop_assert_eq!(sum(&d) + delivered, d.ledger.captured);
    }

    #[test]
    fn noise_does_not_panic(link in 0_u16..300, bytes in proptest::collection::vec(any::<u8>(), 0..200), wire_len in any::<u32>()) {
        let mut d = decoder();
        let payload = d.decode(&Frame { wire_len, ..frame(LinkType(link), &bytes) }).map_or(0, |s| s.payload.len() as u64);
        d.finish();
        prop_assert_eq!(sum(&d) + payload, d.ledger.captured);
    }
}
