//! Tests of QUIC connections, with packets sealed here.

use super::*;
use crate::exchange::{Outcome, Sides};
use crate::proto::{RequestHead, ResponseHead};
use crate::stream::Connection;

/// What was told.
#[derive(Default)]
struct Told {
    hellos: Vec<(String, u32, bool)>,
    closed: Vec<QuicFlow>,
    /// Bytes with each word after the hello.
    fresh: Vec<[u64; 2]>,
}

impl Observer for Told {
    type Request = ();
    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}

    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}
    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {}
    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}

    fn quic_hello(&mut self, flow: &QuicFlow) {
        let hello = flow.hello.as_ref().expect("a hello");
        self.hellos.push((hello.sni.clone().unwrap_or_default(), flow.version, hello.truncated));
    }

    fn quic_closed(&mut self, flow: &QuicFlow) {
        self.fresh.push(flow.fresh);
        self.closed.push(flow.clone());
    }

    fn quic_goes(&mut self, flow: &QuicFlow) {
        self.fresh.push(flow.fresh);
    }
}

const CLIENT: (u32, u16) = (0x0a00_0001, 50_000);
const SERVER: (u32, u16) = (0x0a00_0002, 443);
const V2: u32 = 0x6b33_43cf;

/// A ClientHello for `h3` at `api.example`.
fn hello() -> Vec<u8> {
    let name = b"api.example";
    let list = [&[0, 0, 11][..], name].concat();
    let names = [&[0, 0, 0, 16, 0, 14][..], &list].concat();
    let alpn = [0, 16, 0, 5, 0, 3, 2, b'h', b'3'];
    let extensions = [&names[..], &alpn].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    [&[1, 0, 0, body.len() as u8][..], &body].concat()
}

/// A CRYPTO frame.
fn crypto(offset: u16, bytes: &[u8]) -> Vec<u8> {
    let wide = |n: u16| (n | 0x4000).to_be_bytes();
    [&[6][..], &wide(offset), &wide(bytes.len() as u16), bytes].concat()
}

/// An Initial packet, with keys of `origin` under the id `id`.
fn initial(version: u32, origin: &[u8], id: &[u8], number: u16, frames: &[u8]) -> Vec<u8> {
    let first = if version == V2 { 0xd1 } else { 0xc1 };
    let frames = [frames, &[0; 40]].concat();
    let mut header = vec![first];
    header.extend(version.to_be_bytes());
    header.push(id.len() as u8);
    header.extend(id);
    header.extend([2, 5, 5]);
    header.push(0);
    header.extend((0x4000 | (2 + frames.len() as u16 + 16)).to_be_bytes());
    header.extend(number.to_be_bytes());
    let opener = Opener::client(quic::protection(version).unwrap(), origin).unwrap();
    opener.seal(&header, header.len() - 2, &frames)
}

struct Wire {
    quic: Quic,
    told: Told,
    now: u64,
}

impl Wire {
    fn new(limits: &Limits) -> Self {
        Self { quic: Quic::new(limits), told: Told::default(), now: 0 }
    }

    fn send(&mut self, by_client: bool, port: u16, payload: &[u8]) -> Bucket {
        let (client, server) = (Address::v4(CLIENT.0, port), Address::v4(SERVER.0, SERVER.1));
        let (key, side) = if by_client { FlowKey::new(client, server, 0) } else { FlowKey::new(server, client, 0) };
        self.now += 1_000_000;
        let datagram = Datagram { ts: Timestamp(self.now), key, side, payload, cut: 0 };
        self.quic.datagram(&mut self.told, &datagram)
    }

    fn client(&mut self, payload: &[u8]) -> Bucket {
        self.send(true, CLIENT.1, payload)
    }
}

#[test]
fn a_hello_in_several_packets_in_any_order_under_each_version() {
    let message = hello();
    for version in [1, V2, 0xff00_001d, 0xff00_0017] {
        let mut wire = Wire::new(&Limits::default());
        let (a, rest) = message.split_at(20);
        let (b, c) = rest.split_at(30);
        let last = initial(version, &[1; 8], &[1; 8], 1, &crypto(50, c));
        // Coalesced: two Initial packets in one datagram; the second copy of a piece changes nothing.
        let first = [
            initial(version, &[1; 8], &[1; 8], 2, &crypto(0, a)),
            initial(version, &[1; 8], &[1; 8], 3, &crypto(0, a)),
        ];
        assert_eq!(wire.client(&last), Bucket::Quic);
        assert_eq!(wire.client(&first.concat()), Bucket::Quic);
        // A server's packet, which is protected with other keys.
        assert_eq!(wire.send(false, CLIENT.1, &initial(version, &[9; 8], &[5, 5], 0, &[1])), Bucket::Quic);
        assert!(wire.told.hellos.is_empty());
        // The server has named an id of its own; the keys stay.
        wire.client(&initial(version, &[1; 8], &[3; 4], 4, &crypto(20, b)));
        assert_eq!(wire.told.hellos, [("api.example".to_owned(), version, false)]);
        // Short headers belong to the connection.
        assert_eq!(wire.client(&[0x40; 50]), Bucket::Quic);
        wire.quic.finish(&mut wire.told);
        assert_eq!(wire.told.hellos.len(), 1, "told once");
        let flow = &wire.told.closed[0];
        assert_eq!((flow.client.port, flow.server.port, flow.version), (50_000, 443, version));
        assert_eq!(flow.hello.as_ref().unwrap().alpn, ["h3"]);
        assert!(flow.bytes[0] > flow.bytes[1] && flow.bytes[1] > 0);
        assert_eq!(wire.quic.flows(), 0);
        assert_eq!(wire.quic.held, 0);
    }
}

#[test]
fn after_a_retry_and_a_change_of_version_the_keys_are_new() {
    let message = hello();
    let mut wire = Wire::new(&Limits::default());
    wire.client(&initial(1, &[1; 8], &[1; 8], 0, &crypto(0, &message[..40])));
    let retry = [&[0xf0, 0, 0, 0, 1, 2, 5, 5, 4, 8, 8, 8, 8][..], b"token and tag"].concat();
    wire.send(false, CLIENT.1, &retry);
    wire.client(&initial(1, &[8; 4], &[8; 4], 1, &crypto(40, &message[40..])));
    assert!(wire.told.hellos.is_empty(), "what came before the retry is gone");
    wire.client(&initial(V2, &[8; 4], &[8; 4], 2, &crypto(0, &message)));
    assert_eq!(wire.told.hellos, [("api.example".to_owned(), V2, false)]);
    wire.quic.finish(&mut wire.told);
    assert!(wire.told.closed[0].retried);
}

#[test]
fn the_server_may_come_first_and_the_hello_may_not_be_whole() {
    let message = hello();
    let mut wire = Wire::new(&Limits::default());
    wire.send(false, CLIENT.1, &initial(1, &[9; 8], &[5, 5], 0, &[1]));
    wire.client(&initial(1, &[1; 8], &[1; 8], 0, &crypto(0, &message[..message.len() - 1])));
    wire.quic.finish(&mut wire.told);
    assert_eq!(wire.told.hellos.len(), 1);
    assert!(wire.told.hellos[0].2, "said to be cut off");
    assert_eq!(wire.told.closed[0].client.port, 50_000, "whose packet opened");
    assert!(wire.told.closed[0].bytes[0] > 0);
}

#[test]
fn what_is_not_quic_is_udp() {
    let mut wire = Wire::new(&Limits::default());
    for payload in [&b""[..], b"\x12\x34\x01\x00\x00\x01 dns", &[0xc0; 100], &[0x40; 100]] {
        assert_eq!(wire.client(payload), Bucket::Udp);
    }
    assert_eq!(wire.quic.flows(), 0);
}

#[test]
fn the_table_and_the_hellos_are_bounded() {
    let limits = Limits { quic_flows: 10, quic_bytes: 4000, ..Limits::default() };
    let mut wire = Wire::new(&limits);
    for port in 0..100 {
        wire.send(true, 1000 + port, &initial(1, &[1; 8], &[1; 8], 0, &crypto(0, &[1; 300])));
        assert!(wire.quic.flows() <= 10 && wire.quic.held <= 4000);
    }
    assert_eq!(wire.quic.oddities.get(Oddity::QuicLimit), 90);
    wire.send(true, 7, &initial(1, &[1; 8], &[1; 8], 0, &crypto(16_000, &[1; 300])));
    wire.send(true, 7, &initial(1, &[1; 8], &[1; 8], 1, &crypto(3_500, &[1; 700])));
    assert!(wire.quic.oddities.get(Oddity::QuicHelloLimit) > 0);
    // Idle ones go by packet time.
    wire.now += IDLE;
    wire.send(true, 8, &initial(1, &[1; 8], &[1; 8], 0, &[1]));
    assert_eq!(wire.quic.flows(), 1);
}

#[test]
fn a_connection_that_lasts_is_told_now_and_then_and_each_byte_once() {
    let mut wire = Wire::new(&Limits::default());
    wire.client(&initial(1, &[1; 8], &[1; 8], 0, &crypto(0, &hello())));
    for _ in 0..5 {
        wire.now += 40_000_000_000;
        wire.client(&[0x40; 50]);
        wire.send(false, CLIENT.1, &[0x40; 70]);
    }
    assert_eq!(wire.told.fresh.len(), 2, "about once a minute of 200 s with a packet every 40 s");
    // While nothing comes any more it is closed by the time that passes.
    wire.quic.tick(&mut wire.told, Timestamp(wire.now + IDLE / 2));
    assert!(wire.told.closed.is_empty());
    wire.quic.tick(&mut wire.told, Timestamp(wire.now + IDLE));
    let told = |side: usize| wire.told.fresh.iter().map(|fresh| fresh[side]).sum::<u64>();
    assert_eq!([told(0), told(1)], wire.told.closed[0].bytes);
    assert_eq!((told(1), wire.told.fresh.len()), (5 * 70, 3));
}
