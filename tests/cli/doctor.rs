//! `shadowtap doctor`: each fault of a mirror, made on purpose, is found and nothing else; a mirror without faults gives nothing.

use serde_json::Value;

use crate::sandbox::Sandbox;

#[path = "../common/wrap.rs"]
#[allow(dead_code, reason = "the file serves other tests, too")]
mod wrap;

use wrap::{Made, Wrap};

const SYN: u8 = 2;
const ACK: u8 = 16;
const PUSH: u8 = 24;
const FIN: u8 = 17;
const SEGMENT: usize = 1460;

/// A frame on its way through a mirror.
#[derive(Clone)]
struct Frame {
    /// Nanoseconds.
    at: u64,
    by_server: bool,
    /// Has it payload?
    data: bool,
    bytes: Vec<u8>,
    wire: usize,
}

/// What the servers speak.
#[derive(Clone, Copy, PartialEq)]
enum Speech {
    Http,
    Tls,
    Redis,
}

/// Forty connections, one after the other, each with an exchange of some 30 kB; segments of at most `most` bytes.
fn traffic(speech: Speech, most: usize) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    let mut id = [100_u16, 5000];
    for n in 0..40_u16 {
        let ends = [([10, 0, 0, 1 + (n % 5) as u8], 40_000 + n), ([10, 0, 1, 1], 8080)];
        let mut next = [1000_u32 + u32::from(n), 77_000];
        let mut at = 1_790_000_000_000_000_000 + u64::from(n) * 40_000_000;
        let mut send = |by_server: bool, flags: u8, payload: &[u8]| {
            let s = usize::from(by_server);
            at += 200_000;
            id[s] = id[s].wrapping_add(1);
            let ends = if by_server { [ends[1], ends[0]] } else { ends };
            let ack = if flags == SYN { 0 } else { next[1 - s] };
            let bytes = Made::Ip(wrap::tcp(ends, id[s], (next[s], ack), flags, payload)).frame();
            next[s] = next[s].wrapping_add(payload.len() as u32 + u32::from(flags & 3 != 0));
            let wire = bytes.len();
            out.push(Frame { at, by_server, data: !payload.is_empty(), bytes, wire });
        };
        send(false, SYN, b"");
        send(true, SYN | ACK, b"");
        send(false, ACK, b"");
        let body = "x".repeat(30_000);
        let (request, response) = match speech {
            Speech::Http => (
                format!("GET /orders/{n} HTTP/1.1\r\nHost: shop.example\r\n\r\n").into_bytes(),
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 30000\r\n\r\n{body}")
                    .into_bytes(),
            ),
            Speech::Tls => {
                let record =
                    |kind: u8, body: &[u8]| [&[kind, 3, 3], &(body.len() as u16).to_be_bytes()[..], body].concat();
                // A hello: version, random, no session; one suite, no compression.
                let hello = |kind: u8, rest: &[u8]| {
                    let body = [&[3, 3][..], &[9; 32], &[0], rest].concat();
                    record(22, &[&[kind, 0, 0, body.len() as u8][..], &body].concat())
                };
                let data = record(23, &[9; 14_000]);
                let client = [hello(1, &[0, 2, 0x13, 1, 1, 0]), record(23, &[9; 200])].concat();
                (client, [hello(2, &[0x13, 1, 0]), data.clone(), data].concat())
            }
            Speech::Redis => (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n".to_vec(), format!("$30000\r\n{body}\r\n").into_bytes()),
        };
        send(false, PUSH, &request);
        for part in response.chunks(most) {
            send(true, PUSH, part);
            send(false, ACK, b"");
        }
        send(false, FIN, b"");
        send(true, FIN, b"");
        send(false, ACK, b"");
    }
    out
}

fn pcap(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 262_144, 1] {
        out.extend(word.to_le_bytes());
    }
    for f in frames {
        for word in [(f.at / 1_000_000_000) as u32, (f.at % 1_000_000_000) as u32, f.bytes.len() as u32, f.wire as u32]
        {
            out.extend(word.to_le_bytes());
        }
        out.extend(&f.bytes);
    }
    out
}

/// The names of what is found, and whether each says what shows it and what to do.
fn names(frames: &[Frame]) -> Vec<String> {
    let dir = Sandbox::new();
    dir.file("a.pcap", pcap(frames));
    let ran = dir.run(&["doctor", "-r", "a.pcap", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found: Vec<Value> = serde_json::from_str(&ran.out).expect("JSON");
    for finding in &found {
        for part in ["words", "evidence", "remedy"] {
            assert!(finding[part].as_str().is_some_and(|text| text.len() > 15), "{finding}");
        }
    }
    found.iter().map(|f| f["name"].as_str().expect("a name").to_owned()).collect()
}

fn http() -> Vec<Frame> {
    traffic(Speech::Http, SEGMENT)
}

#[test]
fn a_mirror_without_faults_gives_nothing() {
    assert_eq!(names(&http()), [""; 0]);
    let dir = Sandbox::new();
    dir.file("a.pcap", pcap(&http()));
    let ran = dir.run(&["doctor", "-r", "a.pcap"]);
    assert!(ran.out.contains("Nothing is wrong"), "{}", ran.out);
    assert!(ran.out.contains("40 TCP connections") && ran.out.contains("40 HTTP exchanges"), "{}", ran.out);
    // All in a tunnel, both directions: a mirror as clouds have it.
    let mut wrapped = http();
    for f in &mut wrapped {
        f.bytes = Wrap::Vxlan.around(Made::Ethernet(f.bytes.clone())).frame();
        f.wire = f.bytes.len();
    }
    assert_eq!(names(&wrapped), [""; 0]);
    // All in one VLAN.
    let mut tagged = http();
    for f in &mut tagged {
        f.bytes = Wrap::Vlan.around(Made::Ethernet(f.bytes.clone())).frame();
        f.wire = f.bytes.len();
    }
    assert_eq!(names(&tagged), [""; 0]);
}

#[test]
fn hard_case_28_a_direction_that_is_missing() {
    for missing in [true, false] {
        let frames: Vec<_> = http().into_iter().filter(|f| f.by_server != missing).collect();
        let found = names(&frames);
        assert!(found.contains(&"one-direction".to_owned()), "{found:?}");
        assert!(
            !found.contains(&"oversubscribed".to_owned()),
            "the other direction is not lost, but not mirrored: {found:?}"
        );
    }
}

#[test]
fn hard_case_28_packets_that_come_twice() {
    let twice: Vec<_> = http().into_iter().flat_map(|f| [f.clone(), Frame { at: f.at + 9_000, ..f }]).collect();
    assert_eq!(names(&twice), ["mirrored-twice"]);
    let wrapped: Vec<_> = http()
        .into_iter()
        .flat_map(|f| {
            let bytes = Wrap::Vxlan.around(Made::Ethernet(f.bytes.clone())).frame();
            [f.clone(), Frame { at: f.at + 9_000, wire: bytes.len(), bytes, ..f }]
        })
        .collect();
    assert_eq!(names(&wrapped), ["mirrored-twice"]);
    let dir = Sandbox::new();
    dir.file("a.pcap", pcap(&twice));
    let scan = dir.run(&["scan", "-r", "a.pcap"]);
    assert!(scan.out.contains("mirrored twice"), "{}", scan.out);
    assert!(scan.out.contains("40"), "counted once: {}", scan.out);
}

#[test]
fn hard_case_28_a_tag_one_way_only() {
    let mut frames = http();
    for f in frames.iter_mut().filter(|f| f.by_server) {
        f.bytes = Wrap::Vlan.around(Made::Ethernet(f.bytes.clone())).frame();
        f.wire = f.bytes.len();
    }
    assert_eq!(names(&frames), ["vlan-asymmetry"]);
}

#[test]
fn hard_case_29_packets_that_are_cut() {
    let mut frames = http();
    for f in &mut frames {
        f.bytes.truncate(300);
    }
    assert_eq!(names(&frames), ["snaplen"]);
}

#[test]
fn hard_case_29_frames_that_a_card_has_merged() {
    assert_eq!(names(&traffic(Speech::Http, 20_000)), ["super-frames"]);
}

#[test]
fn a_mirror_port_that_is_too_slow() {
    let mut n = 0;
    let frames: Vec<_> = http()
        .into_iter()
        .filter(|f| {
            n += usize::from(f.data);
            !(f.data && f.by_server && n.is_multiple_of(10))
        })
        .collect();
    assert_eq!(names(&frames), ["oversubscribed"]);
}

#[test]
fn hard_case_30_a_clock_that_steps() {
    let mut frames = http();
    let half = frames.len() / 2;
    for f in &mut frames[half..] {
        f.at -= 700_000_000;
    }
    assert_eq!(names(&frames), ["clock"]);
}

#[test]
fn nothing_but_tls_and_nothing_of_http() {
    assert_eq!(names(&traffic(Speech::Tls, SEGMENT)), ["all-tls"]);
    assert_eq!(names(&traffic(Speech::Redis, SEGMENT)), ["no-http"]);
    assert_eq!(names(&[]), ["nothing"]);
}

#[test]
fn tunnels_that_cannot_be_opened() {
    let mut frames = http();
    for f in &mut frames {
        let secret = wrap::ipv4(50, [1; 4], [2; 4], 1, &vec![7; f.bytes.len()]);
        let bytes = wrap::ethernet(0x0800, &secret);
        *f = Frame { wire: bytes.len(), bytes, ..f.clone() };
    }
    let found = names(&[http(), frames].concat());
    assert!(found.contains(&"tunnel".to_owned()), "{found:?}");
}
