//! Captures made to hurt, fed to the program through a pipe: its memory stays below what its limits name, and its counters
//! say what was refused.
//!
//! Each attack is made as it runs, is larger than what may be held of it, and is measured at the program itself: the peak
//! of its memory, beside that of a run with nothing to read. Bounds follow from `[limits]` and what its documentation
//! says one entry takes. Skipped where there is no `/proc`.

use std::fmt::Write as _;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use shadowtap::base::Limits;

#[path = "common/wrap.rs"]
#[allow(dead_code, reason = "the file serves other tests, too")]
mod wrap;

use wrap::{Made, WRAPS};

/// What one run takes more or less than another without meaning anything: allocator, buffers, the report itself.
const SLACK: u64 = 24 << 20;

/// A capture on its way into the program.
struct Capture {
    to: BufWriter<ChildStdin>,
    frames: u32,
}

impl Capture {
    fn frame(&mut self, frame: &[u8]) {
        let length = (frame.len() as u32).to_le_bytes();
        let (seconds, micros) = (1_800_000_000 + self.frames / 10_000, self.frames % 10_000 * 100);
        self.frames += 1;
        for part in [&seconds.to_le_bytes()[..], &micros.to_le_bytes(), &length, &length, frame] {
            self.to.write_all(part).expect("the program reads on");
        }
    }

    /// A connection from its beginning.
    fn connect(&mut self, number: u32, port: u16) -> Talk {
        let client = ([10, (number >> 16) as u8, (number >> 8) as u8, number as u8], 40_000);
        let talk = Talk { ends: [client, ([192, 0, 2, 1], port)], at: [1, 1] };
        self.frame(&talk.segment(0, 0, 0, 0x02, &[]));
        self.frame(&talk.segment(1, 0, 1, 0x12, &[]));
        talk
    }
}

/// One connection.
struct Talk {
    ends: [([u8; 4], u16); 2],
    at: [u32; 2],
}

impl Talk {
    fn segment(&self, side: usize, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ends = [self.ends[side], self.ends[1 - side]];
        wrap::ethernet(0x0800, &wrap::tcp(ends, 1, (seq, ack), flags, payload))
    }

    /// The client (0) or the server (1) says something.
    fn say(&mut self, to: &mut Capture, side: usize, bytes: &[u8]) {
        for piece in bytes.chunks(60_000) {
            to.frame(&self.segment(side, self.at[side], self.at[1 - side], 0x18, piece));
            self.at[side] = self.at[side].wrapping_add(piece.len() as u32);
        }
    }
}

/// An HTTP/2 frame.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A client's preface and settings.
fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &h2(4, 0, 0, &[])[..]].concat()
}

/// GET of a path.
fn get(path: &str) -> Vec<u8> {
    [&[0x82, 0x86, 0x04, path.len() as u8][..], path.as_bytes(), &[0x01, 1, b'h']].concat()
}

/// Peak of a process's memory so far, in bytes.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Runs the program on what is written to its standard input. Gives its inventory, and the peak of its memory.
fn run(args: &[&str], write: impl FnOnce(ChildStdin)) -> (Value, u64) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
    program.args(["scan", "--json", "--quiet"]).args(args);
    let mut child: Child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("shadowtap starts");
    let (id, to) = (child.id(), child.stdin.take().expect("a pipe"));
    let mut from = child.stdout.take().expect("a pipe");
    let reader = thread::spawn(move || {
        let mut out = Vec::new();
        from.read_to_end(&mut out).map(|_| out)
    });
    // Up to its end: what it makes of all at last counts, too.
    let watcher = thread::spawn(move || {
        let mut most = 0;
        while let Some(now) = peak(id) {
            most = now.max(most);
            thread::sleep(Duration::from_millis(2));
        }
        most
    });
    write(to);
    let out = reader.join().expect("it had no trouble").expect("a report");
    assert!(child.wait().expect("its end").success());
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    (report["inventory"].clone(), watcher.join().expect("it had no trouble"))
}

/// The same with a capture.
fn scan(write: impl FnOnce(&mut Capture)) -> (Value, u64) {
    run(&["-r", "-"], |to| {
        let mut capture = Capture { to: BufWriter::with_capacity(1 << 20, to), frames: 0 };
        let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
        words.iter().for_each(|word| capture.to.write_all(&word.to_le_bytes()).expect("it reads"));
        write(&mut capture);
        capture.to.flush().expect("it reads to the end");
    })
}

/// What a run with nothing to read takes; `None` where that cannot be seen.
fn nothing() -> Option<u64> {
    static NOTHING: OnceLock<u64> = OnceLock::new();
    if !Path::new("/proc/self/status").exists() {
        println!("SKIPPED: no /proc here; the memory that hostile captures take was not measured");
        return None;
    }
    Some(*NOTHING.get_or_init(|| scan(|_| ()).1))
}

/// Runs an attack; what it takes beyond nothing must stay below what the limits allow.
fn attack(name: &str, allowed: usize, write: impl FnOnce(&mut Capture)) -> Option<Value> {
    let nothing = nothing()?;
    let (view, peak) = scan(write);
    judge(name, allowed, &view, peak.saturating_sub(nothing));
    Some(view)
}

fn judge(name: &str, allowed: usize, view: &Value, more: u64) {
    let (ledger, oddities) = (&view["visibility"], view["oddities"].as_object().expect("oddities"));
    let told: Vec<_> = oddities.iter().filter(|(_, n)| n.as_u64() > Some(0)).collect();
    let (more, most) = (more >> 20, (allowed as u64 + SLACK) >> 20);
    println!("{name}: {} bytes captured, {more} of at most {most} MiB taken, {told:?}", ledger["captured"]);
    assert!(more <= most, "{name}: {more} MiB taken, {most} allowed");
    let sum: u64 = ledger["buckets"].as_object().expect("buckets").values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(sum), ledger["captured"].as_u64(), "{name}: each byte is in one bucket");
}

fn oddity(view: &Value, name: &str) -> u64 {
    view["oddities"][name].as_u64().unwrap_or(0)
}

/// Exchanges of all endpoints and probes.
fn exchanges(view: &Value) -> u64 {
    view["services"].as_array().into_iter().flatten().filter_map(|s| s["calls"].as_u64()).sum()
}

#[test]
fn hpack_bombs() {
    // A value of 4 KB in the table, named 16,000 times by a block of 16,000 bytes: 64 MB, 2,000 times.
    let limits = Limits::default();
    let connections = 40;
    let allowed = limits.head_bytes + connections as usize * limits.hpack_table_bytes;
    let view = attack("HPACK bombs", allowed, |capture| {
        for n in 0..connections {
            let mut talk = capture.connect(n, 80);
            let big = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'a'; 4000]].concat();
            let first = [get("/"), big].concat();
            talk.say(capture, 0, &[preface(), h2(1, 5, 1, &first)].concat());
            for stream in 1..=50 {
                let bomb = [get("/"), vec![0xbe; 16_000]].concat();
                talk.say(capture, 0, &h2(1, 5, 2 * stream + 1, &bomb));
            }
        }
    });
    let Some(view) = view else { return };
    assert_eq!(oddity(&view, "header_count_limit"), 2000, "each bomb is refused");
    assert_eq!(exchanges(&view), 40 + 2000, "and the request that carries it is known all the same");
}

#[test]
fn continuation_floods() {
    let limits = Limits::default();
    let view = attack("CONTINUATION floods", 4 * limits.head_bytes, |capture| {
        let frame = h2(9, 0, 1, &[0; 16_000]);
        for n in 0..4 {
            let mut talk = capture.connect(n, 80);
            talk.say(capture, 0, &[preface(), h2(1, 1, 1, &get("/flood"))].concat());
            for _ in 0..1000 {
                talk.say(capture, 0, &frame);
            }
        }
    });
    let Some(view) = view else { return };
    assert_eq!(oddity(&view, "http2_block_limit"), 4, "{}", view["oddities"]);
}

#[test]
fn rapid_reset() {
    let (connections, requests) = (4, 50_000);
    let view = attack("rapid reset", 0, |capture| {
        for n in 0..connections {
            let mut talk = capture.connect(n, 80);
            talk.say(capture, 0, &preface());
            let mut text = Vec::new();
            for stream in 0..requests {
                text.extend(h2(1, 5, 2 * stream + 1, &get("/reset")));
                text.extend(h2(3, 0, 2 * stream + 1, &[0, 0, 0, 8]));
                if text.len() > 50_000 {
                    talk.say(capture, 0, &std::mem::take(&mut text));
                }
            }
            talk.say(capture, 0, &text);
        }
    });
    let Some(view) = view else { return };
    assert_eq!(exchanges(&view), u64::from(connections * requests), "{}", view["oddities"]);
}

#[test]
fn ten_thousand_streams_at_a_time() {
    let limits = Limits::default();
    let view = attack("10,000 streams", limits.http2_streams * 4096, |capture| {
        let mut talk = capture.connect(1, 80);
        talk.say(capture, 0, &preface());
        for stream in 0..10_000 {
            let path = format!("/streams/{stream}");
            talk.say(capture, 0, &h2(1, 5, 2 * stream + 1, &get(&path)));
        }
    });
    let Some(view) = view else { return };
    assert_eq!(oddity(&view, "http2_stream_limit"), 10_000 - limits.http2_streams as u64);
    assert_eq!(exchanges(&view), 10_000, "a request that is let go is one without an answer");
}

#[test]
fn tunnels_nested_beyond_the_depth() {
    let limits = Limits::default();
    let mut frames = 0;
    let view = attack("nested tunnels", 0, |capture| {
        for round in 0..2000 {
            let ends = [([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 80)];
            let mut made = Made::Ip(wrap::tcp(ends, 1, (1, 1), 0x18, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
            for n in 0..40 {
                let next = WRAPS[(round + n * 7) % WRAPS.len()].around(made.clone());
                if next.bytes().len() > 3000 {
                    break;
                }
                made = next;
            }
            capture.frame(&made.frame());
            frames += 1;
        }
    });
    let Some(view) = view else { return };
    assert_eq!(oddity(&view, "nested_too_deep"), frames, "{} and {}", limits.nesting, view["oddities"]);
    assert_eq!(exchanges(&view), 0);
    assert_eq!(view["visibility"]["buckets"]["over_limit"], view["visibility"]["captured"]);
}

#[test]
fn a_flood_of_handshakes() {
    let limits = Limits::default();
    // A ClientHello as clients send it: 32 suites, a name, some lists.
    let name = b"a-name-of-usual-length.example";
    let sni = [&[0, 0, 0, name.len() as u8 + 5, 0, name.len() as u8 + 3, 0, 0, name.len() as u8][..], name].concat();
    let padding = [&[0, 21, 0, 150][..], &[0; 150]].concat();
    let extensions = [sni, padding].concat();
    let mut body = [&[3, 3][..], &[9; 32], &[0], &[0, 64], &[0x13, 1].repeat(32), &[1, 0]].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    let hello = [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat();
    let flows = 150_000;
    // Flows take 300 bytes and what the reader keeps of each; sessions 1 to 2 KB.
    let allowed = flows as usize * 700 + limits.tls_sessions * 2048;
    let view = attack("a flood of handshakes", allowed, |capture| {
        for n in 0..flows {
            capture.connect(n, 443).say(capture, 0, &hello);
        }
    });
    let Some(view) = view else { return };
    assert_eq!(oddity(&view, "tls_session_limit"), u64::from(flows) - limits.tls_sessions as u64);
}

#[test]
fn handshakes_that_never_become_whole() {
    let limits = Limits::default();
    let flows = 30_000;
    let piece = [&[22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff, 3, 3][..], &[7; 15_000]].concat();
    let allowed = limits.tls_bytes + flows as usize * (700 + 2048);
    let view = attack("handshakes that never become whole", allowed, |capture| {
        for n in 0..flows {
            capture.connect(n, 443).say(capture, 0, &piece);
        }
    });
    let Some(view) = view else { return };
    let let_go = oddity(&view, "tls_bytes_limit");
    assert!(let_go > 10_000 && let_go < u64::from(flows), "{let_go}");
}

#[test]
fn a_key_log_of_one_gigabyte() {
    let Some(nothing) = nothing() else { return };
    let limits = Limits::default();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples/nginx-tls");
    let capture = sample.join("traffic.pcap.gz");
    let keys = std::fs::read(sample.join("keys/whole.log")).expect("a key log");
    let args = ["--keylog", "/dev/stdin", "-r", capture.to_str().expect("a path")];
    let (view, peak) = run(&args, |mut to| {
        // A line without an end, then lines of 176 bytes, each of another session; at last the keys that are needed.
        let noise = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            to.write_all(&noise).expect("it reads on");
        }
        to.write_all(b"\n").expect("it reads on");
        let mut written = 0_u64;
        let mut block = String::with_capacity(1 << 20);
        let (zeros, secret) = ("0".repeat(48), "5a".repeat(48));
        let mut number = 0_u64;
        while written < 1 << 30 {
            block.clear();
            while block.len() < (1 << 20) - 200 {
                number += 1;
                writeln!(block, "CLIENT_RANDOM {number:016x}{zeros} {secret}").expect("text");
            }
            to.write_all(block.as_bytes()).expect("it reads on");
            written += block.len() as u64;
        }
        to.write_all(&keys).expect("it reads to the end");
    });
    // Some 600 bytes each.
    judge("a key log of 1 GB", limits.tls_keys * 900, &view, peak.saturating_sub(nothing));
    assert_eq!(exchanges(&view), 178, "the newest keys are kept");
}
