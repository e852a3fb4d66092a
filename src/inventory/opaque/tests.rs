//! Rows, their merge and their records.

use proptest::prelude::*;

use super::*;
use crate::base::{Address, Bucket, Ledger, Timestamp};
use crate::exchange::Turns;
use crate::inventory::{Change, Inventory, View};
use crate::observe::{Badge, Blindness, Handshake, Kind, Observation, Scheme, Segment, ServiceKey, Sink};

const DAY: u64 = 86_400_000_000_000;

fn glimpse(name: &str, caller: u64, ts: u64) -> Glimpse {
    Glimpse {
        cover: Cover::Tls,
        name: name.into(),
        server: Address::v4(0x0a00_0002, 443),
        caller,
        begins: true,
        messages: 0,
        opened: Timestamp(ts),
        last: Timestamp(ts + 5),
        bytes: [10, 100],
        decrypted: false,
        answered: true,
        turns: Turns::default(),
        handshake: Some(Box::new(Handshake {
            version: Some("TLS1.3".into()),
            alpn: Some("h2".into()),
            ja4: Some(format!("ja4-{caller}").into()),
            ..Handshake::default()
        })),
        why: None,
    }
}

fn view(inventory: &Inventory) -> View {
    inventory.view(&Ledger::default(), &Oddities::default())
}

fn limits() -> InventoryLimits {
    InventoryLimits { opaque_facets: 3, opaque_certificates: 2, addresses: 2, ..InventoryLimits::default() }
}

fn of(glimpses: &[Glimpse]) -> Inventory {
    let mut inventory = Inventory::new(limits());
    glimpses.iter().for_each(|g| inventory.glimpse(g.clone()));
    inventory
}

fn merged(a: &[Glimpse], b: &[Glimpse]) -> Inventory {
    let mut all = of(a);
    all.merge(of(b));
    all
}

/// Glimpses of a few servers, with more of each fact than the limits allow.
fn any_glimpse() -> impl Strategy<Value = Glimpse> {
    let what = (0_usize..4, 0_u8..4, any::<bool>(), any::<bool>(), 0_u8..3);
    let facts = (0_u8..6, 0_u8..6, proptest::option::of(0_u8..5), proptest::option::of(0_u8..5), any::<[bool; 5]>());
    let figures = (
        0_u64..20,
        0..10 * DAY,
        0_u64..1000,
        0_u32..5,
        proptest::collection::vec((any::<bool>(), 0_u64..1 << 20), 0..4),
    );
    (what, facts, figures).prop_map(|(what, facts, (caller, ts, bytes, address, said))| {
        let (cover, name, begins, decrypted, why) = what;
        let (version, ja4, badge, client, flags) = facts;
        let cover = [Cover::Tls, Cover::H3, Cover::Quic, Cover::Blind][cover];
        let mut turns = Turns::default();
        said.iter().for_each(|(server, size)| turns.add(*server, *size));
        let handshake = Handshake {
            version: Some(format!("v{version}").into()),
            suite: None,
            alpn: Some(format!("p{version}").into()),
            offered: vec![format!("p{version}").into(), format!("p{ja4}").into()],
            ja4: Some(format!("j{ja4}").into()),
            ja3s: Some(format!("s{ja4}").into()),
            certificate: badge.map(|n| Badge {
                fingerprint: n.into(),
                subject: format!("CN={n}").into(),
                ..Badge::default()
            }),
            certificate_requested: flags[0],
            client_certificate: client.map(|n| (n.into(), format!("CA {n}").into())),
            resumed: flags[1],
            retried: flags[2],
            early_data: flags[3],
            ech: flags[4],
        };
        Glimpse {
            cover,
            name: format!("{name}.example").into(),
            server: Address::v4(0x0a00_0000 + address, 443),
            caller,
            begins,
            messages: u64::from(!begins),
            opened: Timestamp(ts),
            last: Timestamp(ts + bytes),
            bytes: [bytes, bytes * 2],
            decrypted,
            answered: decrypted,
            turns,
            handshake: (cover != Cover::Blind && begins).then(|| Box::new(handshake)),
            why: (cover == Cover::Blind).then_some(Blindness::ALL[usize::from(why)]),
        }
    })
}

fn some() -> impl Strategy<Value = Vec<Glimpse>> {
    proptest::collection::vec(any_glimpse(), 0..12)
}

proptest! {
    #[test]
    fn merge_is_commutative_and_associative_and_knows_no_order(a in some(), b in some(), c in some()) {
        let whole = view(&of(&[&a[..], &b, &c].concat())).opaque;
        prop_assert_eq!(&view(&merged(&a, &b)).opaque, &view(&merged(&b, &a)).opaque);
        let mut left = merged(&a, &b);
        left.merge(of(&c));
        let mut right = of(&a);
        right.merge(merged(&b, &c));
        prop_assert_eq!(&view(&left).opaque, &view(&right).opaque);
        prop_assert_eq!(&view(&left).blind, &view(&right).blind);
        prop_assert_eq!(&view(&left).opaque, &whole);
        let mut backwards = [&a[..], &b, &c].concat();
        backwards.reverse();
        prop_assert_eq!(&view(&of(&backwards)).opaque, &whole);
    }

    #[test]
    fn what_the_store_gives_back_is_what_was_kept(a in some(), b in some()) {
        let mut inventory = of(&a);
        let mut kept: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut keep = |inventory: &mut Inventory| {
            for Change { key, value } in inventory.take_changes() {
                match value {
                    Some(value) => kept.insert(key, value),
                    None => kept.remove(&key),
                };
            }
            kept.clone()
        };
        keep(&mut inventory);
        b.iter().for_each(|g| inventory.glimpse(g.clone()));
        let records = keep(&mut inventory);
        prop_assert!(inventory.take_changes().is_empty(), "nothing is written twice");
        let mut back = Inventory::restore(limits(), records.into_iter()).unwrap();
        let (was, is) = (view(&inventory), view(&back));
        prop_assert_eq!((is.opaque, is.blind), (was.opaque, was.blind));
        prop_assert!(back.take_changes().is_empty());
    }

    #[test]
    fn damaged_records_are_errors_and_no_more(a in some(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let changes = of(&a).take_changes();
        for Change { key, value } in changes {
            let mut value = value.unwrap();
            let at = at.index(value.len());
            value[at] ^= with;
            let _ = Inventory::restore(limits(), [(key, value)].into_iter());
        }
    }
}

#[test]
fn a_store_from_before_opens_and_an_unknown_version_is_named() {
    let old = Inventory::restore(limits(), std::iter::empty()).unwrap();
    assert!(view(&old).opaque.is_empty());
    let Change { key, value } = of(&[glimpse("a.example", 1, 5)]).take_changes().remove(0);
    let mut value = value.unwrap();
    value[0] = 200;
    let error = Inventory::restore(limits(), [(key, value)].into_iter()).unwrap_err();
    assert!(error.to_string().contains("has schema 200"), "{error}");
}

#[test]
fn a_session_counts_once_however_often_it_is_told() {
    let begun = Glimpse { bytes: [0; 2], handshake: None, ..glimpse("a.example", 1, 5) };
    let goes = Glimpse { begins: false, ..glimpse("a.example", 1, 5) };
    let over = Glimpse { handshake: None, last: Timestamp(DAY), ..goes.clone() };
    let opaque = view(&of(&[begun, goes, over])).opaque.remove(0);
    assert_eq!((opaque.connections, opaque.without_keys, opaque.callers), (1, 1, 1));
    assert_eq!((opaque.bytes, opaque.days_seen), ([20, 200], 2));
    assert_eq!((opaque.first_seen, opaque.last_seen), (Timestamp(5), Timestamp(DAY)));
    assert_eq!(opaque.versions, BTreeMap::from([("TLS1.3".to_owned(), 1)]));
}

#[test]
fn made_up_names_are_let_go_and_counted_and_true_ones_stay() {
    let limits = InventoryLimits { opaque_services: 4, ..limits() };
    let mut inventory = Inventory::new(limits);
    inventory.glimpse(glimpse("true.example", 1, 5));
    for n in 0..50 {
        inventory.glimpse(Glimpse { answered: false, ..glimpse(&format!("made-up-{n}.example"), 1, 5) });
    }
    inventory.glimpse(glimpse("late.example", 1, 5));
    let names: Vec<_> = view(&inventory).opaque.into_iter().map(|o| o.name).collect();
    assert!(names.contains(&"true.example".to_owned()) && names.contains(&"late.example".to_owned()), "{names:?}");
    assert!(names.len() <= 4);
    let let_go = inventory.oddities.get(Oddity::OpaqueLimit);
    assert_eq!(let_go + names.len() as u64, 52);
    // Their records go from the store, too.
    assert!(inventory.take_changes().iter().any(|c| c.value.is_none()));
}

#[test]
fn with_no_room_a_server_counts_with_its_address() {
    let limits = InventoryLimits { opaque_services: 1, ..limits() };
    let mut inventory = Inventory::new(limits);
    inventory.glimpse(glimpse("10.0.0.2", 1, 5));
    inventory.glimpse(glimpse("a.example", 1, 5));
    let opaque = view(&inventory).opaque;
    assert_eq!((opaque.len(), opaque[0].connections), (1, 2));
    assert_eq!(inventory.oddities.get(Oddity::OpaqueLimit), 0);
}

#[test]
fn blind_ones_have_a_bound_of_their_own() {
    let limits = InventoryLimits { blind_services: 3, opaque_services: 1, ..limits() };
    let mut inventory = Inventory::new(limits);
    for port in 1..=10 {
        let server = Address::v4(0x0a00_0009, port);
        let blind = Glimpse {
            cover: Cover::Blind,
            server,
            handshake: None,
            why: Some(Blindness::OneSided),
            ..glimpse("10.0.0.9", 1, 5)
        };
        inventory.glimpse(blind);
    }
    inventory.glimpse(glimpse("a.example", 1, 5));
    let view = view(&inventory);
    assert_eq!((view.blind.services.len(), view.opaque.len()), (3, 1));
    assert_eq!(inventory.oddities.get(Oddity::BlindLimit), 7);
    assert_eq!(view.blind.services[0].place(), "10.0.0.9:1");
    assert_eq!(view.blind.services[0].reasons, BTreeMap::from([(Blindness::OneSided, 1)]));
}

/// An exchange read at a service behind TLS.
fn exchange(inventory: &mut Inventory, host: &str) {
    inventory.observe(&Observation {
        ts: Timestamp(7),
        service: ServiceKey { scheme: Scheme::Https, host, port: 443 },
        server: [10, 0, 0, 2].into(),
        caller: 1,
        method: "GET",
        path: &[Segment { kind: Kind::Word, hash: 0, text: "users" }],
        operation: "",
        trailing_slash: false,
        query: &[],
        status: Some(200),
        grpc_status: None,
        request_type: "",
        response_type: "",
        request_size: 0,
        response_size: 0,
        latency: None,
        partial: false,
        said: None,
    });
}

#[test]
fn sight_is_told_by_connections_with_and_without_keys() {
    let read = Glimpse { decrypted: true, ..glimpse("a.example", 1, 5) };
    let closed = glimpse("a.example", 2, 6);
    let sight = |glimpses: &[Glimpse], host: Option<&str>| {
        let mut inventory = of(glimpses);
        if let Some(host) = host {
            exchange(&mut inventory, host);
        }
        let view = view(&inventory);
        let one = view.opaque[0].clone();
        (one.sight, one.services.len(), one.with_keys, one.without_keys, view.sight)
    };
    let counts = |inventoried, partly, opaque| SightCounts { inventoried, partly, opaque, blind: 0 };
    let (a, b) = (std::slice::from_ref(&closed), std::slice::from_ref(&read));
    assert_eq!(sight(a, None), (Sight::Opaque, 0, 0, 1, counts(0, 0, 1)));
    // Keys were there before connections were counted, or are no more.
    assert_eq!(sight(a, Some("a.example")), (Sight::Partly, 1, 0, 1, counts(1, 1, 0)));
    assert_eq!(sight(a, Some("other.example")), (Sight::Opaque, 0, 0, 1, counts(1, 0, 1)), "nothing says so");
    // One that lasts, of which exchanges are known before its handshake is told.
    let young = Glimpse { handshake: None, ..closed.clone() };
    assert_eq!(sight(&[young], Some("a.example")), (Sight::Inventoried, 1, 0, 0, counts(1, 0, 0)));
    let h3 = Glimpse { cover: Cover::H3, ..closed.clone() };
    assert_eq!(sight(&[h3], Some("a.example")).0, Sight::Opaque, "what was read came over TCP");
    assert_eq!(sight(b, Some("a.example")), (Sight::Inventoried, 1, 1, 0, counts(1, 0, 0)));
    let both = [read.clone(), closed.clone()];
    assert_eq!(sight(&both, Some("a.example")), (Sight::Partly, 1, 1, 1, counts(1, 1, 0)));
    // The Host field may be another one than the name asked for in the handshake: then the address tells.
    assert_eq!(sight(&both, Some("other.example")), (Sight::Partly, 1, 1, 1, counts(1, 1, 0)));
    assert_eq!(sight(b, None), (Sight::NotHttp, 0, 1, 0, counts(0, 0, 0)));
}

#[test]
fn a_name_comes_from_the_certificate_where_clients_give_none() {
    let mut one = glimpse("10.0.0.2", 1, 5);
    let badge = Badge { subject: "CN=cert.example, O=X".into(), ..Badge::default() };
    if let Some(handshake) = &mut one.handshake {
        handshake.certificate = Some(badge.clone());
    }
    let opaque = view(&of(&[one.clone()])).opaque.remove(0);
    assert_eq!((opaque.name.as_str(), opaque.named_by), ("cert.example", NamedBy::Certificate));
    if let Some(handshake) = &mut one.handshake {
        handshake.certificate = Some(Badge { names: vec!["san.example".into()], ..badge });
    }
    let opaque = view(&of(&[one])).opaque.remove(0);
    assert_eq!((opaque.name.as_str(), opaque.origin().as_str()), ("san.example", "tls://san.example"));
}

#[test]
fn what_is_listed_elsewhere_is_not_listed_as_blind() {
    let mut inventory = of(&[]);
    exchange(&mut inventory, "a.example");
    let server = |address| Address::v4(address, 443);
    for address in [0x0a00_0002, 0x0a00_0003] {
        inventory.glimpse(Glimpse {
            cover: Cover::Blind,
            server: server(address),
            handshake: None,
            why: Some(Blindness::OneSided),
            ..glimpse(&server(address).ip().to_string(), 1, 5)
        });
    }
    let mut ledger = Ledger::default();
    ledger.add(Bucket::OneSided, 500);
    let blind = inventory.view(&ledger, &Oddities::default()).blind;
    assert_eq!(blind.services.len(), 1);
    assert_eq!(blind.services[0].address, "10.0.0.3");
    assert_eq!((blind.known_connections, blind.known_bytes, blind.unattributed_bytes), (1, 110, 280));
}
