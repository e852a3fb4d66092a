//! QUIC from outside: long headers, Initial packets, CRYPTO frames, ClientHellos. Laws: connections and held bytes stay within their limits,
//! a hello is told once for each connection, and pieces that lose nothing make the same hello in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{Address, FlowKey, Limits};
use shadowtap::exchange::{Observer, Outcome, Quic, QuicFlow, Sides};
use shadowtap::proto::quic::{Joined, crypto, packets};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::Connection;
use shadowtap::wire::Datagram;
use shadowtap_fuzz::{Choices, time};

#[derive(Default)]
struct Told {
    hellos: u64,
    closed: u64,
}

impl Observer for Told {
    type Request = ();
    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}
    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {}
    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn quic_hello(&mut self, flow: &QuicFlow) {
        assert!(flow.hello.is_some());
        self.hellos += 1;
    }
    fn quic_closed(&mut self, _: &QuicFlow) {
        self.closed += 1;
    }
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    match choices.u8() & 3 {
        0 => {
            let mut given = 0;
            crypto(choices.0, |_, bytes| given += bytes.len());
            assert!(given <= choices.0.len());
        }
        1 => {
            // The same pieces there and back.
            let message = choices.0;
            let (mut there, mut back) = (Joined::default(), Joined::default());
            let pieces: Vec<_> = message.chunks(7).enumerate().map(|(i, p)| (i as u64 * 7, p)).collect();
            let bounded = pieces.len() < 64;
            for (offset, piece) in &pieces {
                there.add(*offset, piece);
            }
            for (offset, piece) in pieces.iter().rev() {
                back.add(*offset, piece);
            }
            if bounded {
                assert_eq!(there.whole(), back.whole());
                assert_eq!(there.part(), back.part());
            }
        }
        _ => {
            let limits = Limits { quic_flows: 4, quic_bytes: 2048, ..Limits::default() };
            let (mut quic, mut told, mut now) = (Quic::new(&limits), Told::default(), 0);
            while !choices.is_empty() {
                now += u64::from(choices.u8()) << 30;
                let port = u16::from(choices.u8() & 7);
                let (client, server) = (Address::v4(1, 40_000 + port), Address::v4(2, 443));
                let by_client = choices.u8() & 1 == 0;
                let (key, side) = if by_client { FlowKey::new(client, server, 0) } else { FlowKey::new(server, client, 0) };
                let size = choices.below(1500);
                let payload = choices.take(size);
                assert!(packets(payload).all(|p| p.packet.len() <= payload.len()));
                quic.datagram(&mut told, &Datagram { ts: time(now), key, side, payload, cut: 0 });
                assert!(quic.flows() <= 4);
            }
            quic.finish(&mut told);
            assert_eq!(quic.flows(), 0);
            assert!(told.hellos <= told.closed);
        }
    }
});
