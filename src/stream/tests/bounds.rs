//! Gaps, timers and limits.
//!
//! Takes loss and floods, gives what is told and what is counted. Never waits for a real clock.

use super::*;

#[test]
fn a_hole_becomes_a_gap_when_acknowledged_and_the_tap_had_time() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Client, ACK, 6, 0, "ghi").send(Server, ACK, 0, 9, "");
    b.wait(9 * MS).send(Client, ACK, 9, 0, "jkl");
    assert_eq!(b.text(Client), "abc");
    b.wait(2 * MS).send(Server, ACK, 0, 12, "xyz");
    assert_eq!(b.text(Client), "abc???ghijkl");
    let (c, s) = (b.side(Client), b.side(Server));
    assert_eq!(b.heard().order, [c, c, c, c, s], "the gap before what was sent after it");
    b.finish();
    assert_eq!(b.oddity(Oddity::StreamGap), 1);
    assert_eq!(b.table.ledger.missing(Missing::Gap), 3);
}

#[test]
fn a_lost_tail_becomes_a_gap_with_what_comes_behind_it() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Server, ACK, 0, 6, "reply");
    b.wait(SECOND).send(Client, ACK, 6, 5, "ghi");
    assert_eq!(b.text(Client), "abc???ghi", "at once");
    b.finish();
}

#[test]
fn a_lost_tail_becomes_a_gap_at_the_close() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Server, ACK, 0, 6, "reply");
    b.finish();
    assert_eq!(b.text(Client), "abc???");
    assert_eq!(b.heard().close, Some(Close::CaptureEnd));
    assert_eq!(b.told(Client).end, None);
}

#[test]
fn an_unacknowledged_hole_waits_for_the_retransmission() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Client, ACK, 6, 0, "ghi").send(Server, ACK, 0, 3, "");
    b.wait(3 * SECOND).send(Server, ACK, 0, 3, "").send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "abcdefghi");
    assert_eq!(b.finish().missing(Missing::Gap), 0);
}

#[test]
fn several_holes_proven_by_one_acknowledgement_go_at_once() {
    let mut b = Bench::new();
    b.handshake();
    for i in 0..5 {
        b.send(Client, ACK, i * 6 + 3, 0, "abc");
    }
    b.send(Server, ACK, 0, 30, "").wait(11 * MS).send(Server, ACK, 0, 30, "");
    assert_eq!(b.text(Client), "???abc".repeat(5));
    b.finish();
}

#[test]
fn ticks_end_the_waiting_on_a_silent_link() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 3, 0, "def");
    let tick = |b: &mut Bench, seconds: u64| {
        let now = Timestamp(b.now.0 + seconds * SECOND);
        b.table.tick(&mut b.listener, now);
    };
    tick(&mut b, 4);
    assert_eq!(b.text(Client), "");
    tick(&mut b, 6);
    assert_eq!(b.text(Client), "???def");
    assert_eq!(b.table.flows(), 1);
    tick(&mut b, 3605);
    assert_eq!(b.table.flows(), 0);
    assert_eq!(b.heard().close, Some(Close::Idle));
    assert_eq!(b.oddity(Oddity::FlowIdle), 1);
    b.finish();
}

#[test]
fn a_flow_that_speaks_again_after_the_idle_limit_is_a_new_one() {
    let mut b = Bench::with(&Limits { flow_idle_seconds: 10, ..Limits::default() });
    b.handshake().send(Client, ACK, 0, 0, "abc");
    b.wait(9 * SECOND).send(Client, ACK, 3, 0, "def");
    assert_eq!(b.listener.heard.len(), 1);
    b.wait(10 * SECOND).send(Client, ACK, 6, 0, "ghi");
    assert_eq!(b.listener.heard.len(), 2);
    assert_eq!(b.listener.heard[&0].close, Some(Close::Idle));
    b.finish();
    assert_eq!(b.text(Client), "ghi");
}

#[test]
fn bytes_over_the_flow_limit_end_the_waiting() {
    let mut b = Bench::with(&Limits { flow_buffer_bytes: 10, ..Limits::default() });
    b.handshake().send(Client, ACK, 1, 0, "bcdef").send(Client, ACK, 7, 0, "hijkl");
    assert_eq!(b.text(Client), "");
    b.send(Client, ACK, 13, 0, "nopqr");
    assert_eq!(b.text(Client), "?bcdef", "the first hole only");
    b.send_cut(Client, ACK, 30, 0, &[b'x'; 100], 0);
    assert_eq!(b.text(Client), "?bcdef?hijkl?nopqr".to_owned() + &"?".repeat(12) + &"x".repeat(100));
    assert_eq!(b.oddity(Oddity::FlowBufferLimit), 1 + 3);
    b.finish();
}

#[test]
fn segments_over_the_flow_limit_end_the_waiting() {
    let mut b = Bench::with(&Limits { flow_buffer_segments: 8, ..Limits::default() });
    b.handshake();
    for i in 0..100 {
        b.send(Client, ACK, i * 2 + 1, 0, "x");
    }
    assert_eq!(b.oddity(Oddity::FlowBufferLimit), 92);
    b.finish();
    assert_eq!(b.text(Client), "?x".repeat(100));
}

#[test]
fn all_flows_together_stay_within_the_limit() {
    let limit = 100_000;
    let mut b = Bench::with(&Limits { total_buffer_bytes: limit, ..Limits::default() });
    for port in 0..1000 {
        b.client.port = 10_000 + port;
        b.handshake();
        for i in 0..10 {
            b.send_cut(Client, ACK, i * 200 + 100, 0, &[b'x'; 100], 0);
            assert!(b.table.buffered() <= limit, "{}", b.table.buffered());
        }
    }
    assert!(b.oddity(Oddity::TotalBufferLimit) > 0);
    assert!(b.table.buffered() > limit / 2);
    b.finish();
}

#[test]
fn too_many_flows_let_the_silent_ones_go() {
    let mut b = Bench::with(&Limits { flows: 10, ..Limits::default() });
    let keep = b.client.port;
    b.handshake().send(Client, ACK, 0, 0, "abc");
    let mut seq = 3;
    for port in 0..50 {
        b.wait(2 * SECOND);
        b.client.port = 10_000 + port;
        b.handshake().send(Client, ACK, 0, 0, "x");
        b.client.port = keep;
        b.send(Client, ACK, seq, 0, "def");
        seq += 3;
        assert!(b.table.flows() <= 10);
    }
    assert_eq!(b.listener.heard[&0].close, None);
    assert_eq!(b.listener.heard[&1].close, Some(Close::Evicted));
    assert_eq!(b.oddity(Oddity::FlowLimit), 41);
    b.finish();
}

#[test]
fn a_syn_flood_does_not_push_out_connections_that_talk() {
    let mut b = Bench::with(&Limits { flows: 100, ..Limits::default() });
    for port in 0..50 {
        b.client.port = 10_000 + port;
        b.handshake().send(Client, ACK, 0, 0, "abc");
    }
    for port in 0..5_000 {
        b.client.port = 20_000 + port;
        b.wait(MS).send(Client, SYN, -1, 0, "");
    }
    let closed: Vec<_> = b.listener.heard.values().take(50).filter_map(|h| h.close).collect();
    assert_eq!(closed, []);
    assert_eq!(b.table.flows(), 100);
    b.finish();
}

#[test]
fn closed_flows_are_forgotten() {
    let mut b = Bench::with(&Limits { flows: 1_000, ..Limits::default() });
    for port in 0..20_000 {
        b.client.port = 10_000 + port;
        b.handshake().send(Client, FIN | ACK, 0, 0, "abc").send(Server, FIN | ACK, 0, 4, "def");
        b.wait(MS);
    }
    assert_eq!(b.oddity(Oddity::FlowLimit), 0, "a closed flow is not let go, it is forgotten");
    assert_eq!(b.listener.heard.len(), 20_000);
    b.finish();
}

#[test]
fn finish_closes_in_order_of_appearance() {
    #[derive(Default)]
    struct Order(Vec<u64>);
    impl Consumer for Order {
        type State = ();
        fn open(&mut self, _: &Connection) {}
        fn data(&mut self, _: &Connection, _: &mut (), _: Side, _: Chunk<'_>) {}
        fn gap(&mut self, _: &Connection, _: &mut (), _: Side, _: Gap) {}
        fn end(&mut self, _: &Connection, _: &mut (), _: Side, _: End, _: Timestamp) {}
        fn close(&mut self, connection: &Connection, _: (), _: Close, _: Timestamp) {
            self.0.push(connection.id);
        }
    }
    let mut table = Table::<Order>::new(&Limits::default());
    let mut order = Order::default();
    for port in [5, 3, 9, 1, 7] {
        let (key, side) = FlowKey::new(Address::v4(1, port), Address::v4(2, 80), 0);
        let flags = TcpFlags(if port == 3 { SYN } else { ACK });
        let ts = Timestamp(u64::from(port) * MS);
        let segment = Segment { ts, key, side, seq: 1, ack: 1, flags, payload: b"x", cut: 0 };
        table.segment(&mut order, &segment);
    }
    table.finish(&mut order);
    assert_eq!(order.0, [0, 1, 2, 3, 4]);
    assert_eq!(table.flows(), 0);
}
