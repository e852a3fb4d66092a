//! Tests of tunnels: each kind alone, each in each other, to the depth and beyond; in fragments; and what only looks like one.

use proptest::prelude::*;

use super::*;
use crate::base::Side;
use crate::wire::{Kind, LinkType};

use crate::wire::wrap::{self, Made, WRAPS, Wrap};

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 50_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);

fn frame(data: &[u8]) -> Frame<'_> {
    Frame { ts: Timestamp(1_000_000_000), link: LinkType::ETHERNET, data, wire_len: data.len() as u32 }
}

fn segment(payload: &[u8]) -> Made {
    Made::Ip(wrap::tcp([CLIENT, SERVER], 1, (1000, 77), 0x18, payload))
}

fn wrapped(wraps: &[Wrap], payload: &[u8]) -> Vec<u8> {
    wraps.iter().fold(segment(payload), |made, wrap| wrap.around(made)).frame()
}

fn decoder(nesting: u32) -> Decoder {
    Decoder::new(&Limits { nesting, ..Limits::default() })
}

fn check(found: Option<Segment<'_>>, payload: &[u8], what: &dyn std::fmt::Debug) {
    let s = found.unwrap_or_else(|| panic!("{what:?}: no segment"));
    assert_eq!(s.key.end(Side::Lo), Address::v4(0x0a00_0001, 50_000), "{what:?}");
    assert_eq!((s.side, s.seq, s.ack, s.payload, s.cut), (Side::Lo, 1000, 77, payload, 0), "{what:?}");
}

#[test]
fn hard_case_27_each_tunnel_is_opened_and_cut_anywhere() {
    for wrap in WRAPS {
        let bytes = wrapped(&[wrap], b"hello");
        let mut d = decoder(8);
        check(d.decode(&frame(&bytes)), b"hello", &wrap);
        assert_eq!(d.ledger.accounted() + 5, d.ledger.captured, "{wrap:?}");
        assert_eq!(d.oddities.seen().count(), 0, "{wrap:?}: {:?}", d.oddities);
        // The fast way goes through VLAN tags without counting them.
        let counted = d.tunnels.seen().any(|(_, opened, closed)| opened > 0 && closed == 0);
        assert!(counted || matches!(wrap, Wrap::Vlan | Wrap::ServiceVlan), "{wrap:?} is counted");
        for n in 0..bytes.len() {
            let mut d = decoder(8);
            let cut = Frame { wire_len: bytes.len() as u32, ..frame(&bytes[..n]) };
            let payload = d.decode(&cut).map_or(0, |s| s.payload.len() as u64);
            assert_eq!(d.ledger.accounted() + payload, d.ledger.captured, "{wrap:?} cut at {n}");
            if n >= bytes.len() - 5 {
                assert_eq!(payload as usize, n + 5 - bytes.len(), "{wrap:?}: payload that is there is given");
            }
        }
    }
}

#[test]
fn hard_case_27_each_tunnel_opens_in_each_other() {
    for outer in WRAPS {
        for inner in WRAPS {
            let bytes = wrapped(&[inner, outer], b"hello");
            let mut d = decoder(8);
            check(d.decode(&frame(&bytes)), b"hello", &(inner, outer));
            assert_eq!(d.oddities.seen().count(), 0, "{inner:?} in {outer:?}: {:?}", d.oddities);
        }
    }
}

#[test]
fn hard_case_27_nesting_ends_at_the_limit() {
    for wrap in [Wrap::Gre, Wrap::Vlan, Wrap::IpInIp, Wrap::Vxlan, Wrap::MplsIp, Wrap::Gtp] {
        let bytes = |n| wrapped(&vec![wrap; n], b"x");
        let mut d = decoder(5);
        // Under MPLS, a frame goes through Ethernet-in-IP, which counts too.
        let deepest = if wrap == Wrap::MplsIp { 3 } else { 5 };
        check(d.decode(&frame(&bytes(deepest))), b"x", &wrap);
        assert!(d.decode(&frame(&bytes(deepest + 1))).is_none(), "{wrap:?}");
        assert_eq!(d.oddities.get(Oddity::NestedTooDeep), 1, "{wrap:?}");
        assert_eq!(d.ledger.get(Bucket::OverLimit), bytes(deepest + 1).len() as u64);
    }
}

#[test]
fn hard_case_27_a_tunnel_in_fragments_with_fragments_inside() {
    let payload: Vec<u8> = (0..=255).cycle().take(4000).collect();
    for wrap in [Wrap::Vxlan, Wrap::Gre, Wrap::Geneve, Wrap::IpInIp, Wrap::Gtp, Wrap::Erspan2] {
        // The outer packet alone.
        let whole = wrap.around(segment(&payload)).packet();
        let mut parts: Vec<_> = wrap::fragments(&whole, 1400).iter().map(|ip| wrap::ethernet(0x0800, ip)).collect();
        parts.reverse();
        let last = parts.pop().unwrap();
        let mut d = decoder(8);
        assert!(parts.iter().all(|p| d.decode(&frame(p)).is_none()), "{wrap:?}");
        check(d.decode(&frame(&last)), &payload, &wrap);
        d.finish();
        assert_eq!(d.ledger.accounted() + 4000, d.ledger.captured, "{wrap:?}");
        // The inner packet in fragments, each of which the outer network cuts again.
        let inner = wrap::fragments(segment(&payload).bytes(), 1480);
        let mut frames = Vec::new();
        for (i, part) in inner.into_iter().enumerate() {
            let mut outer = wrap.around(Made::Ip(part)).packet();
            outer[5] = i as u8; // an identification of its own
            frames.extend(wrap::fragments(&outer, 800).iter().map(|ip| wrap::ethernet(0x0800, ip)));
        }
        let last = frames.pop().unwrap();
        let mut d = decoder(8);
        assert!(frames.iter().all(|p| d.decode(&frame(p)).is_none()), "{wrap:?}");
        check(d.decode(&frame(&last)), &payload, &wrap);
        d.finish();
        assert_eq!(d.ledger.accounted() + 4000, d.ledger.captured, "{wrap:?}");
        assert_eq!(d.oddities.seen().count(), 0, "{wrap:?}: {:?}", d.oddities);
    }
}

#[test]
fn a_port_alone_makes_no_tunnel() {
    let contents: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        &[8, 0, 0, 0, 0, 0, 77, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        &[0; 64],
        &[0xff; 64],
        &[0x45; 64],
    ];
    for port in [4789, 4790, 8472, 6081, 2152, 3544, 5072, 4754, 6635, 1701, 4341, 37_008] {
        for content in contents {
            let bytes = wrap::ethernet(0x0800, &wrap::ipv4(17, [1; 4], [2; 4], 1, &wrap::udp(4000, port, content)));
            let mut d = decoder(8);
            let mut given = None;
            assert!(
                d.decode_with(&frame(&bytes), |u| {
                    given = Some(u.payload.to_vec());
                    Bucket::OtherTcp
                })
                .is_none()
            );
            assert_eq!(given.as_deref(), Some(content), "port {port}: a datagram as any other");
            assert_eq!(d.ledger.get(Bucket::OtherTcp), content.len() as u64);
            assert_eq!(d.ledger.accounted(), d.ledger.captured);
            assert_eq!((d.oddities.seen().count(), d.tunnels.seen().count()), (0, 0), "port {port}");
        }
    }
}

#[test]
fn tunnels_that_cannot_be_opened_are_named() {
    let ip = |protocol, rest: &[u8]| wrap::ethernet(0x0800, &wrap::ipv4(protocol, [1; 4], [2; 4], 1, rest));
    let udp = |port, rest: &[u8]| ip(17, &wrap::udp(4000, port, rest));
    let cases: Vec<(Kind, Oddity, Vec<u8>)> = vec![
        (Kind::Ipsec, Oddity::TunnelEncrypted, ip(50, &[7; 40])),
        (Kind::Ipsec, Oddity::TunnelEncrypted, udp(4500, &[7; 40])),
        (Kind::Macsec, Oddity::TunnelEncrypted, wrap::ethernet(0x88e5, &[7; 60])),
        (Kind::Wireguard, Oddity::TunnelEncrypted, udp(51_820, &[&[4, 0, 0, 0][..], &[7; 60]].concat())),
        (
            Kind::EncryptedPpp,
            Oddity::TunnelEncrypted,
            wrap::ethernet(0x8864, &[0x11, 0, 0, 9, 0, 6, 0, 0xfd, 1, 2, 3, 4]),
        ),
        (Kind::Gre, Oddity::TunnelUnknown, ip(47, &[0, 0, 0x12, 0x34, 1, 2, 3, 4])),
        (Kind::Gre, Oddity::TunnelUnknown, ip(47, &[0x40, 0, 8, 0, 1, 2, 3, 4])),
        (Kind::Erspan, Oddity::TunnelUnknown, ip(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x70, 0, 0, 0, 0, 0, 0, 0, 1])),
        (Kind::Vxlan, Oddity::TunnelUnknown, udp(4790, &[&[0x0c, 0, 0, 0x77, 0, 0, 1, 0][..], &[7; 60]].concat())),
        (Kind::Geneve, Oddity::TunnelUnknown, udp(6081, &[&[0, 0, 0x77, 0x77, 0, 0, 1, 0][..], &[7; 60]].concat())),
        (Kind::Mpls, Oddity::TunnelUnknown, wrap::ethernet(0x8847, &[&[0, 1, 1, 9][..], &[0x97; 60]].concat())),
    ];
    for (kind, oddity, bytes) in cases {
        let mut d = decoder(8);
        assert!(d.decode(&frame(&bytes)).is_none());
        assert_eq!(d.ledger.get(Bucket::Tunnel), bytes.len() as u64, "{kind:?}");
        assert_eq!(d.oddities.get(oddity), 1, "{kind:?}");
        assert!(d.tunnels.seen().any(|(k, _, closed)| k == kind && closed == 1), "{kind:?}");
    }
}

#[test]
fn configured_ports_are_tried() {
    // A length that does not meet exactly: no proof alone.
    let inner = [wrapped(&[], b"hello"), vec![0; 30]].concat();
    let vxlan = [&[0x88, 0, 0, 5, 0, 0, 77, 0][..], &inner].concat();
    let geneve = [&[0, 0, 0x65, 0x58, 0, 0, 77, 0][..], &inner].concat();
    for (port, content) in [(5555, vxlan), (5556, geneve)] {
        let bytes = wrap::ethernet(0x0800, &wrap::ipv4(17, [1; 4], [2; 4], 1, &wrap::udp(4000, port, &content)));
        assert!(decoder(8).decode(&frame(&bytes)).is_none());
        let tunnels = TunnelSettings { vxlan_ports: vec![5555], geneve_ports: vec![5556], ..TunnelSettings::default() };
        let mut d = Decoder::new(&Limits { tunnels, ..Limits::default() });
        check(d.decode(&frame(&bytes)), b"hello", &port);
    }
}

#[test]
fn hard_case_28_tags_tell_flows_apart_only_when_asked() {
    let key = |wraps: &[Wrap], tunnels: &TunnelSettings| {
        let mut d = Decoder::new(&Limits { tunnels: tunnels.clone(), ..Limits::default() });
        d.decode(&frame(&wrapped(wraps, b"x"))).map(|s| s.key).expect("a segment")
    };
    let off = TunnelSettings::default();
    let vlan = TunnelSettings { vlan_in_key: true, ..off.clone() };
    let vni = TunnelSettings { vni_in_key: true, ..off.clone() };
    for wraps in [&[Wrap::Vlan][..], &[Wrap::ServiceVlan], &[Wrap::Vxlan], &[Wrap::Geneve], &[Wrap::Vlan, Wrap::Vxlan]]
    {
        assert_eq!(key(wraps, &off), key(&[], &off), "{wraps:?}");
    }
    assert_ne!(key(&[Wrap::Vlan], &vlan), key(&[], &vlan));
    assert_ne!(key(&[Wrap::Vlan], &vlan), key(&[Wrap::ServiceVlan], &vlan));
    assert_ne!(key(&[Wrap::Vlan, Wrap::ServiceVlan], &vlan), key(&[Wrap::ServiceVlan, Wrap::Vlan], &vlan));
    assert_eq!(key(&[Wrap::Vxlan], &vlan), key(&[], &vlan));
    assert_ne!(key(&[Wrap::Vxlan], &vni), key(&[], &vni));
    assert_eq!(key(&[Wrap::Vxlan], &vni), key(&[Wrap::Geneve], &vni), "network 77 both");
    assert_eq!(key(&[Wrap::Vlan], &vni), key(&[], &vni));
    assert_eq!(key(&[], &vni).tag(), 0);
}

#[test]
fn hard_case_27_wireless_frames() {
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], segment(b"hello").bytes()].concat();
    let radiotap = [0, 0, 10, 0, 0, 0, 0, 0, 9, 9];
    let header = |control: [u8; 2], more: &[u8]| [&control[..], &[7; 22], more].concat();
    let cases = [
        ("data", header([0x08, 1], &[])),
        ("between access points", header([0x08, 3], &[5; 6])),
        ("quality of service", header([0x88, 1], &[0, 0])),
        ("with high throughput control", header([0x88, 0x81], &[0, 0, 1, 1, 1, 1])),
        ("padded", header([0x88, 1], &[0, 0, 0, 0])),
    ];
    for (name, head) in cases {
        let bytes = [&head[..], &snap].concat();
        for (link, bytes) in [
            (LinkType::IEEE802_11, bytes.clone()),
            (LinkType::IEEE802_11_RADIOTAP, [&radiotap[..], &bytes].concat()),
            (LinkType::IEEE802_11_PRISM, [&[1; 144][..], &bytes].concat()),
            (LinkType::IEEE802_11_AVS, [&[0, 0, 0, 1, 0, 0, 0, 64][..], &[2; 56], &bytes].concat()),
            (LinkType::PPI, [&[0, 0, 8, 0, 105, 0, 0, 0][..], &bytes].concat()),
        ] {
            let mut d = decoder(8);
            check(d.decode(&Frame { link, ..frame(&bytes) }), b"hello", &(name, link));
            assert_eq!(d.ledger.accounted() + 5, d.ledger.captured);
        }
    }
    let mut d = decoder(8);
    let secret = [&header([0x08, 0x41], &[])[..], &snap].concat();
    assert!(d.decode(&Frame { link: LinkType::IEEE802_11, ..frame(&secret) }).is_none());
    assert_eq!(d.oddities.get(Oddity::TunnelEncrypted), 1);
    let beacon = header([0x80, 0], &[0; 40]);
    assert!(d.decode(&Frame { link: LinkType::IEEE802_11, ..frame(&beacon) }).is_none());
    assert_eq!(d.ledger.get(Bucket::NotTcp), beacon.len() as u64);
}

#[test]
fn hard_case_27_rarer_link_layers() {
    let ip = segment(b"hello").bytes().to_vec();
    let with = |head: &[u8]| [head, &ip].concat();
    let cases = [
        (LinkType::ATM_RFC1483, with(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
        (
            LinkType::ATM_RFC1483,
            [&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0][..], &wrap::ethernet(0x0800, &ip)].concat(),
        ),
        (LinkType::FDDI, with(&[&[7; 13][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat())),
        (LinkType::PFLOG, with(&[&[61, 2, 0, 0][..], &[0; 60]].concat())),
        (LinkType::PPP_PPPD, with(&[1, 0xff, 3, 0, 0x21])),
        (LinkType::PPP_WITH_DIR, with(&[0, 0xff, 3, 0, 0x21])),
        (LinkType::C_HDLC_WITH_DIR, with(&[0, 0x0f, 0, 8, 0])),
        (LinkType::PKTAP, [&[20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..], &[0; 8], &wrap::ethernet(0x0800, &ip)].concat()),
        // Multilink in one piece, bridged Ethernet, MPLS.
        (LinkType::PPP, with(&[0xff, 3, 0, 0x3d, 0xc0, 0, 0, 1, 0, 0x21])),
        (LinkType::PPP, [&[0xff, 3, 0, 0x31, 0, 1][..], &wrap::ethernet(0x0800, &ip)].concat()),
        (LinkType::PPP, with(&[0xff, 3, 2, 0x81, 0, 1, 1, 9])),
        // Cooked captures of a tunnel's outside.
        (LinkType::LINUX_SLL, [&[0; 14][..], &[8, 0], &Wrap::Vxlan.around(Made::Ip(ip.clone())).packet()].concat()),
        (LinkType::LINUX_SLL2, [&[8, 0][..], &[0; 18], &Wrap::Geneve.around(Made::Ip(ip.clone())).packet()].concat()),
        // Tags of other kinds.
        (LinkType::ETHERNET, wrap::ethernet(0x8926, &with(&[0, 0, 0, 0, 8, 0]))),
        (LinkType::ETHERNET, wrap::ethernet(0x8909, &with(&[1, 1, 0, 1, 0, 9, 8, 0]))),
        (LinkType::ETHERNET, wrap::ethernet(0x893f, &with(&[0, 0, 0, 0, 0, 0, 8, 0]))),
        (LinkType::ETHERNET, wrap::ethernet(0x88e7, &[&[0, 0, 0, 9][..], &wrap::ethernet(0x0800, &ip)].concat())),
        (LinkType::ETHERNET, wrap::ethernet(3 + ip.len() as u16, &with(&[6, 6, 3]))),
    ];
    for (link, bytes) in cases {
        let mut d = decoder(8);
        check(d.decode(&Frame { link, ..frame(&bytes) }), b"hello", &(link, &bytes[..20]));
        assert_eq!(d.ledger.accounted() + 5, d.ledger.captured);
        for n in 0..bytes.len() {
            let mut d = decoder(8);
            let payload = d.decode(&Frame { link, ..frame(&bytes[..n]) }).map_or(0, |s| s.payload.len() as u64);
            assert_eq!(d.ledger.accounted() + payload, d.ledger.captured, "{link:?} cut at {n}");
        }
    }
}

proptest! {
    /// Any tunnels in any order within the depth, the outermost in fragments or not.
    #[test]
    fn any_nest_within_the_depth_is_opened(
        wraps in proptest::collection::vec(prop::sample::select(WRAPS.to_vec()), 0..5),
        payload in proptest::collection::vec(any::<u8>(), 0..600),
        size in 3_usize..100,
        split in any::<bool>(),
    ) {
        let made = wraps.iter().fold(segment(&payload), |made, wrap| wrap.around(made));
        let mut d = decoder(16);
        match made {
            Made::Ip(ip) if split && ip[0] == 0x45 => {
                let mut parts: Vec<_> = wrap::fragments(&ip, size * 8).iter().map(|p| wrap::ethernet(0x0800, p)).collect();
                let last = parts.pop().expect("a fragment");
                for part in &parts {
                    prop_assert!(d.decode(&frame(part)).is_none());
                }
                check(d.decode(&frame(&last)), &payload, &wraps);
            }
            made => check(d.decode(&frame(&made.frame())), &payload, &wraps),
        }
        d.finish();
        prop_assert_eq!(d.ledger.accounted() + payload.len() as u64, d.ledger.captured);
    }

    /// Damaged anywhere, and cut: every byte is in one bucket, and nothing panics.
    #[test]
    fn damaged_tunnels_are_accounted_for(
        wraps in proptest::collection::vec(prop::sample::select(WRAPS.to_vec()), 1..6),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop_oneof![Just(0_usize), 0_usize..200],
        nesting in 1_u32..12,
    ) {
        let mut bytes = wrapped(&wraps, b"hello there");
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let wire_len = bytes.len() as u32;
        bytes.truncate(bytes.len().saturating_sub(cut));
        let mut d = decoder(nesting);
        let payload = d.decode(&Frame { wire_len, ..frame(&bytes) }).map_or(0, |s| s.payload.len() as u64);
        d.finish();
        prop_assert_eq!(d.ledger.accounted() + payload, d.ledger.captured);
    }
}
