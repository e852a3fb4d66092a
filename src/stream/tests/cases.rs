//! The named hard cases, each as a short conversation.
//!
//! Takes segments as a tap would show them, gives what a consumer must be told. Never more than one idea a test.

use super::*;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

#[test]
fn a_plain_conversation() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, GET).send(Server, ACK, 0, 18, OK);
    b.send(Client, FIN | ACK, 18, 19, "").send(Server, FIN | ACK, 19, 19, "").send(Client, ACK, 19, 20, "");
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.text(Server), OK);
    let heard = b.heard();
    assert_eq!(heard.opener, Some(b.side(Client)));
    assert_eq!(heard.close, Some(Close::Fin));
    assert_eq!(b.told(Client).end, Some(End::Fin));
    assert_eq!(b.told(Server).end, Some(End::Fin));
    assert_eq!(b.told(Client).acked, [(0, Some(0))]);
    assert_eq!(b.told(Server).acked, [(0, Some(18))]);
    assert_eq!(b.table.flows(), 0);
    b.finish();
    assert_eq!(b.table.oddities.seen().count(), 0);
}

#[test]
fn hard_case_20_out_of_order_is_put_in_order() {
    let mut b = Bench::new();
    b.handshake();
    for (at, text) in [(9, "jkl"), (3, "def"), (6, "ghi"), (0, "abc"), (12, "mno")] {
        b.send(Client, ACK, at, 0, text);
    }
    assert_eq!(b.text(Client), "abcdefghijklmno");
    assert_eq!(b.table.buffered(), 0);
    assert!(b.finish().missing(Missing::Gap) == 0);
}

#[test]
fn hard_case_20_first_bytes_win_and_disagreement_is_counted() {
    let mut b = Bench::new();
    b.handshake();
    b.send(Client, ACK, 4, 0, "EFGH").send(Client, ACK, 2, 0, "cdefgh").send(Client, ACK, 0, 0, "abCDEFGHij");
    assert_eq!(b.text(Client), "abcdEFGHij");
    assert_eq!(b.oddity(Oddity::OverlapDisagrees), 2);
    assert_eq!(b.finish().get(Bucket::Duplicate), 4 + 6);
}

#[test]
fn hard_case_20_overlaps_that_agree_are_no_oddity() {
    let mut b = Bench::new();
    b.handshake();
    b.send(Client, ACK, 4, 0, "ef").send(Client, ACK, 8, 0, "ij").send(Client, ACK, 2, 0, "cdefghijkl");
    b.send(Client, ACK, 0, 0, "abc");
    assert_eq!(b.text(Client), "abcdefghijkl");
    assert_eq!(b.oddity(Oddity::OverlapDisagrees), 0);
    assert_eq!(b.finish().get(Bucket::Duplicate), 4 + 1);
}

#[test]
fn hard_case_20_retransmission_brings_more() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abcd").send(Client, ACK, 0, 0, "abcdef").send(Client, ACK, 2, 0, "cd");
    assert_eq!(b.text(Client), "abcdef");
    assert_eq!(b.finish().get(Bucket::Duplicate), 6);
}

#[test]
fn hard_case_20_keep_alive_probes() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abcd");
    b.wait(60 * SECOND).send(Client, ACK, 3, 0, "").send(Server, ACK, 0, 4, "");
    b.wait(60 * SECOND).send(Client, ACK, 3, 0, "\0").send(Server, ACK, 0, 4, "");
    b.send(Client, ACK, 4, 0, "efgh");
    assert_eq!(b.text(Client), "abcdefgh");
    assert_eq!(b.finish().get(Bucket::Duplicate), 1);
    assert_eq!(b.oddity(Oddity::OverlapDisagrees), 0);
}

#[test]
fn hard_case_20_sequence_numbers_wrap() {
    for before in 0..12 {
        let mut b = Bench::new();
        b.first = [0u32.wrapping_sub(before), 0u32.wrapping_sub(12 - before)];
        b.handshake().send(Client, ACK, 0, 0, "abcd").send(Client, ACK, 8, 0, "ijkl").send(Server, ACK, 0, 4, "0123");
        b.send(Client, ACK, 4, 4, "efgh").send(Server, ACK, 4, 12, "45678901").send(Client, ACK, 12, 12, "m");
        assert_eq!(b.text(Client), "abcdefghijklm");
        assert_eq!(b.text(Server), "012345678901");
        assert_eq!(b.told(Client).acked.last(), Some(&(12, Some(12))));
        b.finish();
    }
}

#[test]
fn hard_case_20_acknowledgement_before_data() {
    let mut b = Bench::new();
    b.handshake().send(Server, ACK, 0, 4, "").wait(MS).send(Client, ACK, 0, 0, "abcd");
    b.send(Server, ACK, 0, 8, "").wait(5 * MS).send(Client, ACK, 6, 0, "gh").send(Client, ACK, 4, 0, "ef");
    assert_eq!(b.text(Client), "abcdefgh");
    assert_eq!(b.finish().missing(Missing::Gap), 0);
}

#[test]
fn hard_case_20_reply_before_request() {
    let mut b = Bench::new();
    b.handshake().send(Server, ACK, 0, 18, OK).wait(MS).send(Client, ACK, 0, 0, GET);
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.heard().order, [b.side(Server), b.side(Client)], "at once, as the tap showed it");
    assert_eq!(b.told(Server).acked, [(0, Some(18))], "which tells the true order");
    assert_eq!(b.finish().missing(Missing::Gap), 0);
}

#[test]
fn hard_case_20_reply_before_request_picked_up_mid_stream() {
    let mut b = Bench::new();
    b.send(Server, ACK, 0, 18, OK).send(Client, ACK, 0, 0, GET).send(Client, ACK, 18, 19, GET);
    assert_eq!(b.text(Client), GET.repeat(2));
    assert_eq!(b.text(Server), OK);
    let request = b.told(Client).start.unwrap();
    assert_eq!(b.told(Server).acked[0].1, Some(request + 18));
    // A retransmission of the first segment is one, though it lies before where the stream was picked up.
    b.send(Client, ACK, 0, 0, GET);
    assert_eq!(b.text(Client), GET.repeat(2));
    b.finish();
    assert_eq!(b.oddity(Oddity::MidStream), 1);
}

#[test]
fn hard_case_20_picked_up_with_its_first_two_segments_swapped() {
    let mut b = Bench::new();
    b.send(Client, ACK, 9, 0, &GET[9..]).send(Client, ACK, 0, 0, &GET[..9]).send(Server, ACK, 0, 18, OK);
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.text(Server), OK);
    assert_eq!(b.finish().get(Bucket::Duplicate), 0);
    // With the answer between them nothing is known to be missing, and what comes late is behind the time.
    let mut b = Bench::new();
    b.send(Client, ACK, 9, 0, &GET[9..]).send(Server, ACK, 0, 18, OK).send(Client, ACK, 0, 0, &GET[..9]);
    assert_eq!(b.text(Client), &GET[9..]);
    assert_eq!(b.finish().get(Bucket::Duplicate), 9);
    // Alone, it is delivered when it has waited as long as a hole is waited for, or at the end.
    let mut b = Bench::new();
    b.send(Client, ACK, 0, 0, GET);
    assert_eq!(b.text(Client), "");
    b.finish();
    assert_eq!(b.text(Client), GET);
}

#[test]
fn hard_case_20_a_look_back_happens_once() {
    let mut b = Bench::new();
    // All before where the acknowledgement says the stream is, and then again.
    b.send(Server, ACK, 0, 18, OK).send(Client, ACK, 0, 0, GET).send(Client, ACK, 0, 0, GET);
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.finish().get(Bucket::Duplicate), 18);
}

#[test]
fn hard_case_20_mid_stream_pick_up() {
    let mut b = Bench::new();
    b.send(Client, ACK, 100, 200, GET).send(Server, ACK, 200, 118, OK).send(Client, ACK, 118, 219, GET);
    assert_eq!(b.text(Client), GET.repeat(2));
    let (request, reply) = (b.told(Client).start.unwrap(), b.told(Server).start.unwrap());
    assert_eq!(b.told(Client).acked, [(request, Some(reply)), (request + 18, Some(reply + 19))]);
    assert_eq!(b.told(Server).acked, [(reply, Some(request + 18))]);
    assert_eq!(b.heard().opener, None);
    b.finish();
    assert_eq!(b.oddity(Oddity::MidStream), 1);
}

#[test]
fn hard_case_20_syn_ack_before_syn() {
    let mut b = Bench::new();
    b.send(Server, SYN | ACK, -1, 0, "").send(Client, SYN, -1, 0, "").send(Client, ACK, 0, 0, GET);
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.heard().opener, Some(b.side(Client)));
    assert_eq!(b.told(Client).start, Some(0));
    assert_eq!(b.listener.heard.len(), 1);
    b.finish();
    assert_eq!(b.oddity(Oddity::PortReuse), 0);
}

#[test]
fn hard_case_20_data_before_syn() {
    let mut b = Bench::new();
    b.send(Client, ACK, 0, 0, GET).send(Client, SYN, -1, 0, "").send(Server, SYN | ACK, -1, 0, "");
    b.send(Server, ACK, 0, 18, OK);
    assert_eq!((b.text(Client).as_str(), b.text(Server).as_str()), (GET, OK));
    assert_eq!(b.heard().opener, Some(b.side(Client)));
    assert_eq!(b.listener.heard.len(), 1);
    b.finish();
}

#[test]
fn hard_case_20_syn_with_data() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "abc").send(Server, SYN | ACK, -1, 3, "").send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "abcdef");
    // The same with a server that did not take the data: it is sent again.
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "abc").send(Server, SYN | ACK, -1, 0, "").send(Client, ACK, 0, 0, "abcdef");
    assert_eq!(b.text(Client), "abcdef");
    b.finish();
    // And with the SYN-ACK, which acknowledges the data, in front.
    let mut b = Bench::new();
    b.send(Server, SYN | ACK, -1, 3, "").send(Client, SYN, -1, 0, "abc").send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "abcdef");
    assert_eq!(b.listener.heard.len(), 1);
    b.finish();
}

#[test]
fn hard_case_20_syn_again() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "").wait(SECOND).send(Client, SYN, -1, 0, "").send(Server, SYN | ACK, -1, 0, "");
    b.send(Server, SYN | ACK, -1, 0, "").send(Client, ACK, 0, 0, GET).send(Server, SYN | ACK, -1, 0, "");
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.listener.heard.len(), 1);
    b.finish();
}

#[test]
fn hard_case_20_simultaneous_open() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "").send(Server, SYN, -1, 0, "").send(Client, SYN | ACK, -1, 0, "");
    b.send(Server, SYN | ACK, -1, 0, "").send(Client, ACK, 0, 0, "abc").send(Server, ACK, 0, 3, "def");
    assert_eq!((b.text(Client).as_str(), b.text(Server).as_str()), ("abc", "def"));
    assert_eq!(b.listener.heard.len(), 1);
    b.finish();
}

#[test]
fn hard_case_20_an_end_that_talks_to_itself() {
    let mut b = Bench::new();
    b.server = b.client;
    b.first = [1_001, 1_001];
    b.send(Client, SYN, -1, 0, "").send(Client, SYN | ACK, -1, 0, "").send(Client, ACK, 0, 0, "abc");
    b.send(Client, ACK, 3, 3, "def");
    assert_eq!(b.text(Client), "abcdef");
    b.finish();
}

#[test]
fn hard_case_20_fin_with_data() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, GET);
    assert_eq!(b.text(Client), GET);
    assert_eq!(b.told(Client).end, Some(End::Fin));
    b.send(Server, FIN | ACK, 0, 19, OK);
    assert_eq!(b.text(Server), OK);
    assert_eq!(b.told(Server).acked, [(0, Some(18))], "a FIN is no byte of the stream");
    assert_eq!(b.heard().close, Some(Close::Fin));
    b.finish();
}

#[test]
fn hard_case_20_fin_before_data() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 6, 0, "").send(Client, ACK, 3, 0, "def");
    assert_eq!(b.told(Client).end, None);
    b.send(Client, ACK, 0, 0, "abc");
    assert_eq!(b.text(Client), "abcdef");
    assert_eq!(b.told(Client).end, Some(End::Fin));
    assert_eq!(b.finish().missing(Missing::Gap), 0);
}

#[test]
fn hard_case_20_half_closed() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, "abc");
    for i in 0..10 {
        b.send(Server, ACK, i * 4, 4, "body").send(Client, ACK, 4, i * 4 + 4, "");
    }
    b.wait(600 * SECOND).send(Server, FIN | ACK, 40, 4, "end");
    assert_eq!(b.text(Server), "body".repeat(10) + "end");
    assert_eq!(b.heard().close, Some(Close::Fin));
    b.finish();
}

#[test]
fn hard_case_20_fin_again_and_lost_fin_give_no_gap() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, "abc").send(Client, FIN | ACK, 0, 0, "abc");
    // The server's FIN is lost; the client acknowledges it.
    b.send(Server, ACK, 0, 4, "xyz").send(Client, ACK, 4, 4, "");
    assert_eq!(b.finish().missing(Missing::Gap), 0);
    assert_eq!(b.text(Server), "xyz");
}

#[test]
fn hard_case_20_data_behind_fin_has_no_place() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 3, 0, "defghi").send(Client, FIN | ACK, 6, 0, "").send(Client, ACK, 0, 0, "abc");
    b.send(Client, ACK, 6, 0, "ghi");
    assert_eq!(b.text(Client), "abcdefghi", "held before the FIN came");
    b.finish();
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 3, 0, "").send(Client, ACK, 0, 0, "abcdef").send(Client, ACK, 4, 0, "zz");
    assert_eq!(b.text(Client), "abc");
    assert_eq!(b.finish().get(Bucket::OtherTcp), 3 - 1 + 2);
}

#[test]
fn hard_case_20_fin_in_front_of_what_is_held_is_none() {
    for fin in [0, 3] {
        let mut b = Bench::new();
        b.handshake().send(Client, ACK, 0, 0, "abc").send(Client, ACK, 6, 0, "ghi").send(Client, FIN | ACK, fin, 0, "");
        b.send(Client, FIN | ACK, 4, 0, "").send(Client, ACK, 3, 0, "def");
        assert_eq!(b.told(Client).end, None);
        b.finish();
        assert_eq!(b.text(Client), "abcdefghi");
    }
}

#[test]
fn hard_case_20_late_syn_with_data_behind_what_is_held() {
    let mut b = Bench::new();
    // The SYN-ACK tells of a first byte behind the data of the SYN, across the wrap of the sequence space.
    b.first[0] = 0u32.wrapping_sub(2);
    b.send(Server, SYN | ACK, -1, 3, "").send(Client, ACK, 6, 0, "ghi").send(Client, SYN, -1, 0, "abc");
    b.send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "defghi");
    b.finish();
}

#[test]
fn hard_case_20_reset_delivers_what_is_held() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Client, ACK, 6, 0, "ghi").send(Server, RST | ACK, 0, 3, "");
    assert_eq!(b.text(Client), "abc???ghi");
    assert_eq!(b.told(Client).end, Some(End::Reset));
    assert_eq!(b.told(Server).end, Some(End::Reset));
    assert_eq!(b.heard().close, Some(Close::Reset));
    assert_eq!(b.finish().missing(Missing::Gap), 3);
}

#[test]
fn hard_case_20_reset_out_of_window_is_not_believed() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Server, RST | ACK, 1 << 29, 3, "");
    b.send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "abcdef");
    assert_eq!(b.oddity(Oddity::OutOfWindow), 1);
    b.finish();
}

#[test]
fn hard_case_20_connection_refused() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "");
    b.first[1] = 0;
    b.send(Server, RST | ACK, 0, 0, "");
    assert_eq!(b.heard().close, Some(Close::Reset));
    // Some systems try again with the same number.
    b.first[1] = 5_001;
    b.wait(SECOND / 2).handshake().send(Client, ACK, 0, 0, GET);
    assert_eq!(b.listener.heard.len(), 2);
    assert_eq!(b.text(Client), GET);
    b.finish();
}

#[test]
fn hard_case_20_port_reuse_at_once() {
    for close in [false, true] {
        let mut b = Bench::new();
        b.handshake().send(Client, ACK, 0, 0, "old").send(Client, ACK, 6, 0, "held");
        if close {
            b.send(Client, RST, 10, 0, "");
        }
        b.first = [900_000_001, 3_000_000_001];
        b.handshake().send(Client, ACK, 0, 0, GET).send(Server, ACK, 0, 18, OK);
        assert_eq!((b.text(Client).as_str(), b.text(Server).as_str()), (GET, OK));
        let first = &b.listener.heard[&0];
        assert_eq!(first.close, Some(if close { Close::Reset } else { Close::Reused }));
        assert_eq!(first.told[b.side(Client).index()].text(), "old???held");
        assert_eq!(b.oddity(Oddity::PortReuse), 1);
        b.finish();
    }
}

#[test]
fn hard_case_20_port_reuse_whose_syn_was_lost() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, GET).send(Server, ACK, 0, 18, OK);
    // Two billion sequence numbers away: no loss looks like this.
    b.first = [3_000_000_001, 800_000_001];
    b.wait(SECOND).send(Client, ACK, 0, 0, GET).send(Client, ACK, 18, 0, GET).send(Server, ACK, 0, 36, OK);
    assert_eq!(b.listener.heard.len(), 2);
    assert_eq!(b.text(Client), GET, "the segment that was not believed is not told");
    assert_eq!(b.text(Server), OK);
    assert_eq!(b.finish().get(Bucket::OtherTcp), 18);
    assert_eq!(b.oddity(Oddity::OutOfWindow), 1);
}

#[test]
fn hard_case_20_strays_after_the_close() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, GET).send(Server, FIN | ACK, 0, 19, OK).send(Client, ACK, 19, 20, "");
    b.send(Server, FIN | ACK, 0, 19, OK).send(Client, ACK, 19, 20, "").send(Client, ACK, 0, 0, GET);
    b.send(Client, RST, 19, 0, "");
    assert_eq!(b.listener.heard.len(), 1);
    assert_eq!(b.finish().get(Bucket::Duplicate), 18 + 19);
    // Beyond the memory of the table it is a flow of its own.
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, GET).send(Server, FIN | ACK, 0, 19, OK);
    b.wait(16 * SECOND).send(Client, ACK, 19, 20, "").send(Client, ACK, 0, 0, GET);
    assert_eq!(b.listener.heard.len(), 2);
    b.finish();
}

#[test]
fn hard_case_20_a_stray_far_away_does_no_harm() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc");
    for away in [100 << 20, 1 << 30, -(100 << 20), 0x7fff_0000] {
        b.send(Client, ACK, away, 0, "stray").send(Client, FIN | ACK, away, 0, "").send(Client, ACK, away, 1 << 30, "");
    }
    b.send(Client, ACK, 3, 0, "def").send(Server, ACK, 0, 6, OK);
    assert_eq!(b.text(Client), "abcdef");
    assert_eq!(b.oddity(Oddity::OutOfWindow), 12);
    assert_eq!(b.finish().get(Bucket::OtherTcp), 20);
}

#[test]
fn hard_case_20_a_large_loss_resynchronises() {
    // By a second segment that continues the first.
    let mut b = Bench::new();
    b.listener.deaf = true;
    let far = 500 << 20;
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Client, ACK, far, 0, "x").send(Client, ACK, far + 1, 0, "yz");
    assert_eq!(b.told(Client).gaps, [(3, far as u64 - 2)]);
    assert_eq!(b.finish().missing(Missing::Gap), far as u64 - 2);
    // By the peer's acknowledgement.
    let mut b = Bench::new();
    b.listener.deaf = true;
    b.handshake().send(Client, ACK, 0, 0, "abc").send(Server, ACK, 0, far, "").send(Client, ACK, far, 0, "x");
    assert_eq!(b.told(Client).gaps, [(3, far as u64 - 3)]);
    assert_eq!(b.listener.delivered, 4);
    b.finish();
}

#[test]
fn hard_case_20_far_data_behind_the_end_is_a_new_connection() {
    let mut b = Bench::new();
    b.handshake().send(Client, FIN | ACK, 0, 0, "abc").send(Server, ACK, 0, 1 << 29, "");
    let far = 1 << 28;
    b.send(Client, ACK, far, 0, "x").send(Client, ACK, far + 1, 0, "yz");
    assert_eq!(b.listener.heard[&0].close, Some(Close::Reused));
    b.finish();
    assert_eq!(b.text(Client), "yz");
    // The same with an end that is reached on the way there.
    let mut b = Bench::new();
    b.listener.deaf = true;
    b.handshake().send(Client, FIN | ACK, 3, 0, "abc").send(Client, ACK, far, 0, "x").send(
        Client,
        ACK,
        far + 1,
        0,
        "yz",
    );
    assert_eq!(b.told(Client).end, Some(End::Fin));
    assert_eq!(b.told(Client).gaps, [(0, 3)]);
    b.finish();
}

#[test]
fn hard_case_28_one_direction() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "").send(Client, ACK, 0, 0, GET);
    for i in 1..100 {
        b.wait(MS).send(Client, ACK, i * 18, i * 19, GET);
    }
    assert_eq!(b.text(Client), GET.repeat(100));
    let acked = b.told(Client).acked.clone();
    assert_eq!(acked.last().unwrap().1.unwrap() - acked[0].1.unwrap(), 99 * 19, "acknowledgements still count");
    assert_eq!(b.finish().missing(Missing::Gap), 99 * 19, "sent, never captured");
    assert_eq!(b.told(Server).gaps.len(), 1);
}

#[test]
fn hard_case_28_one_direction_waits_for_its_holes() {
    let mut b = Bench::new();
    b.send(Client, SYN, -1, 0, "").send(Client, ACK, 0, 0, "abc").send(Client, ACK, 6, 0, "ghi");
    b.wait(4 * SECOND).send(Client, ACK, 9, 0, "jkl");
    assert_eq!(b.text(Client), "abc", "the network may have lost it: it would be sent again");
    b.wait(2 * SECOND).send(Client, ACK, 12, 0, "mno");
    assert_eq!(b.text(Client), "abc???ghijklmno");
    b.finish();
}

#[test]
fn hard_case_28_each_packet_twice() {
    let mut b = Bench::new();
    for _ in 0..2 {
        b.send(Client, SYN, -1, 0, "");
    }
    for _ in 0..2 {
        b.send(Server, SYN | ACK, -1, 0, "");
    }
    for i in 0..20 {
        for _ in 0..2 {
            b.send(Client, ACK, i * 18, i * 19, GET);
        }
        for _ in 0..2 {
            b.send(Server, ACK, i * 19, i * 18 + 18, OK);
        }
    }
    for _ in 0..2 {
        b.send(Client, FIN | ACK, 360, 380, "");
    }
    for _ in 0..2 {
        b.send(Server, FIN | ACK, 380, 361, "");
    }
    assert_eq!((b.text(Client), b.text(Server)), (GET.repeat(20), OK.repeat(20)));
    assert_eq!(b.listener.heard.len(), 1);
    assert_eq!(b.finish().get(Bucket::Duplicate), 20 * (18 + 19));
    assert_eq!(b.table.oddities.seen().count(), 0);
}

#[test]
fn hard_case_29_streams_past_four_gibibytes() {
    let mut b = Bench::new();
    b.listener.deaf = true;
    b.handshake();
    let block = vec![b'x'; 60_000];
    let mut sent = 0i64;
    // Snapshot length 60,000, each super-frame a large one: 6 GB in 12,000 segments.
    for i in 0..12_000 {
        b.send_cut(Client, ACK, sent, 0, &block, 440_000);
        sent += 500_000;
        if i % 2 == 0 {
            b.send(Server, ACK, 0, sent, "");
        }
    }
    b.send(Server, ACK, 0, sent, OK).send(Client, ACK, sent, 19, "end");
    let told = b.told(Client);
    assert_eq!(told.acked.last(), Some(&(6_000_000_000, Some(19))));
    assert_eq!(b.told(Server).acked, [(0, Some(6_000_000_000))]);
    assert_eq!(b.finish().missing(Missing::Gap), 0, "the decoder has counted what was cut off");
}

#[test]
fn hard_case_29_super_frames() {
    let mut b = Bench::new();
    b.handshake();
    let block = vec![b'x'; 65_000];
    for i in 0..20 {
        b.send_cut(Client, ACK, i * 65_000, 0, &block, 0);
    }
    // The same bytes again as the network card cut them.
    for i in 0..100 {
        b.send_cut(Client, ACK, 1_235_000 + i * 650, 0, &block[..650], 0);
    }
    assert_eq!(b.text(Client).len(), 1_300_000);
    assert_eq!(b.finish().get(Bucket::Duplicate), 65_000);
}

#[test]
fn hard_case_29_snapshot_length_cuts() {
    let mut b = Bench::new();
    b.handshake().send_cut(Client, ACK, 0, 0, b"abc", 4).send_cut(Client, ACK, 14, 0, b"opq", 0);
    b.send_cut(Client, ACK, 7, 0, b"hij", 4);
    assert_eq!(b.text(Client), "abc????hij????opq");
    b.send_cut(Client, ACK, 24, 0, b"yz", 4).send_cut(Client, FIN | ACK, 17, 0, b"", 7);
    assert_eq!(b.text(Client), "abc????hij????opq???????yz????");
    let fin = b.told(Client).end;
    assert_eq!(fin, None, "a FIN inside of the stream is none");
    assert_eq!(b.finish().missing(Missing::Gap), 0);
    assert_eq!((b.listener.gap_bytes, b.listener.cut_bytes), (19, 19), "each gap tells why");
}

#[test]
fn hard_case_30_clock_steps_back() {
    let mut b = Bench::new();
    b.handshake().send(Client, ACK, 0, 0, "abc");
    b.now.0 -= 3600 * SECOND;
    b.send(Client, ACK, 6, 0, "ghi").send(Server, ACK, 0, 9, "").send(Client, ACK, 3, 0, "def");
    assert_eq!(b.text(Client), "abcdefghi");
    // Holes still time out, by acknowledgement and by waiting.
    b.send(Client, ACK, 12, 0, "mno").send(Server, ACK, 0, 15, "").wait(20 * MS).send(Client, ACK, 15, 0, "pqr");
    assert_eq!(b.text(Client), "abcdefghi???mnopqr");
    b.send(Client, ACK, 21, 0, "vwx");
    b.now.0 -= 3600 * SECOND;
    b.send(Server, ACK, 0, 18, "").wait(6 * SECOND).send(Server, ACK, 0, 18, "");
    b.wait(6 * SECOND).send(Server, ACK, 0, 18, "");
    assert_eq!(b.text(Client), "abcdefghi???mnopqr???vwx");
    assert_eq!(b.table.flows(), 1);
    // And so do flows.
    b.client.port += 1;
    b.handshake().wait(1800 * SECOND).send(Client, ACK, 0, 0, "x");
    b.wait(1900 * SECOND).send(Client, ACK, 1, 0, "x");
    assert_eq!(b.listener.heard[&0].close, Some(Close::Idle));
    assert_eq!(b.table.flows(), 1);
    b.finish();
}

#[test]
fn hard_case_30_one_wrong_time_stamp_does_little_harm() {
    let mut b = Bench::new();
    for port in 0..200 {
        b.client.port = 40_000 + port;
        b.handshake().send(Client, ACK, 0, 0, "abc");
    }
    let now = b.now;
    b.now.0 += 20 * 365 * 86_400 * SECOND;
    b.client.port = 39_999;
    b.handshake();
    b.now = now;
    for port in 0..200 {
        b.client.port = 40_000 + port;
        b.send(Client, ACK, 3, 0, "def");
    }
    let whole = b.listener.heard.values().filter(|h| h.told[b.side(Client).index()].text() == "abcdef").count();
    assert!(whole >= 100, "{whole}");
    b.finish();
}
