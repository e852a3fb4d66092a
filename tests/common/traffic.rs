//! Deterministic HTTP/1 traffic with ground truth, for tests and benches.
//!
//! Takes a [`Plan`], gives a pcap file in memory and what a perfect reader would find in it. Connections overlap
//! in time; each response's status and size follow from its request, so that a wrong pairing shows. Never reads a
//! clock or the network; the same plan gives the same bytes.

use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;

/// What to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of everything drawn.
    pub seed: u64,
    /// TCP connections, each to one host.
    pub connections: u32,
    /// Exchanges on each connection.
    pub exchanges: u32,
    /// Hosts.
    pub hosts: u32,
    /// Resources of each host; each has five endpoints.
    pub resources: u32,
    /// Bytes of a response's body: at least this…
    pub body_min: u32,
    /// …and less than this.
    pub body_max: u32,
    /// Share of data segments that are sent and acknowledged but never captured.
    pub lost: f64,
    /// Share of data segments captured up to 1.5 ms late.
    pub late: f64,
    /// Share of data segments captured twice.
    pub twice: f64,
    /// Share of messages whose head is cut into several segments.
    pub split: f64,
    /// An 802.1Q tag on each frame.
    pub vlan: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            connections: 200,
            exchanges: 20,
            hosts: 4,
            resources: 12,
            body_min: 60,
            body_max: 2400,
            lost: 0.0,
            late: 0.0,
            twice: 0.0,
            split: 0.0,
            vlan: false,
        }
    }
}

impl Plan {
    /// The same traffic over a bad tap.
    #[allow(dead_code, reason = "not each test and bench that includes this file asks for it")]
    pub fn adverse(self) -> Self {
        Self { lost: 0.005, late: 0.03, twice: 0.01, split: 0.3, ..self }
    }
}

/// One exchange as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Method.
    pub method: &'static str,
    /// Host.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Template, parameters as `{}`.
    pub template: String,
    /// Status.
    pub status: u16,
    /// Bytes of the response's body.
    pub body: u64,
    /// Were both heads captured?
    pub heads: bool,
    /// Was everything captured?
    pub whole: bool,
}

/// A made capture.
#[allow(dead_code, reason = "not each test and bench that includes this file asks for all of it")]
pub struct Recording {
    /// The pcap file.
    pub pcap: Vec<u8>,
    /// Frames in it.
    pub frames: u64,
    /// Frame bytes in it.
    pub bytes: u64,
    /// Payload bytes of lost segments.
    pub lost_bytes: u64,
    /// Each exchange, in the order in which they were planned.
    pub sent: Vec<Sent>,
}

impl Recording {
    /// Calls by (method, host, template), of exchanges whose heads were both captured.
    #[allow(dead_code, reason = "not each test and bench that includes this file asks for it")]
    pub fn by_template(&self) -> BTreeMap<(String, String, String), u64> {
        let mut out = BTreeMap::new();
        for s in self.sent.iter().filter(|s| s.heads) {
            *out.entry((s.method.to_owned(), s.host.clone(), s.template.clone())).or_default() += 1;
        }
        out
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, good enough, and the same everywhere.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && ((self.bits() >> 11) as f64) < p * (1u64 << 53) as f64
    }
}

const RESOURCES: [&str; 16] = [
    "accounts",
    "invoices",
    "parcels",
    "vehicles",
    "tickets",
    "drivers",
    "routes",
    "meters",
    "tariffs",
    "contracts",
    "claims",
    "policies",
    "sensors",
    "alarms",
    "visits",
    "letters",
];
const WORDS: [&str; 12] =
    ["amber", "birch", "cedar", "dune", "elm", "fjord", "gorse", "heath", "iris", "juniper", "kelp", "larch"];
/// Ethernet payload less IPv4 and TCP headers.
const SEGMENT: usize = 1460;
const START: u64 = 1_790_000_000_000_000_000;

/// A frame waiting for its turn: time, serial number, bytes. Ordered so that the heap gives the earliest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting(std::cmp::Reverse<(u64, u64)>, Vec<u8>);

struct Maker {
    plan: Plan,
    draw: Draw,
    heap: BinaryHeap<Waiting>,
    serial: u64,
    lost_bytes: u64,
}

struct Connection {
    client: (u32, u16),
    server: (u32, u16),
    /// Next sequence number of client and server.
    next: [u32; 2],
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const PSH: u8 = 8;

impl Maker {
    fn push(&mut self, at: u64, frame: Vec<u8>) {
        self.serial += 1;
        self.heap.push(Waiting(std::cmp::Reverse((at, self.serial)), frame));
    }

    fn frame(&self, c: &Connection, by_client: bool, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to) = if by_client { (c.client, c.server) } else { (c.server, c.client) };
        let ack = if flags & ACK == 0 { 0 } else { c.next[usize::from(by_client)] };
        let mut f = Vec::with_capacity(58 + payload.len());
        f.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        if self.plan.vlan {
            f.extend_from_slice(&[0x81, 0, 0, 100]);
        }
        f.extend_from_slice(&[8, 0, 0x45, 0]);
        f.extend_from_slice(&((40 + payload.len()) as u16).to_be_bytes());
        f.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
        f.extend_from_slice(&from.0.to_be_bytes());
        f.extend_from_slice(&to.0.to_be_bytes());
        f.extend_from_slice(&from.1.to_be_bytes());
        f.extend_from_slice(&to.1.to_be_bytes());
        f.extend_from_slice(&seq.to_be_bytes());
        f.extend_from_slice(&ack.to_be_bytes());
        f.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        f.extend_from_slice(payload);
        f
    }

    /// Sends a message in segments, with the peer's acknowledgements. Gives the time behind its last segment, whether
    /// its head and whether all of it was captured.
    fn message(
        &mut self,
        c: &mut Connection,
        by_client: bool,
        mut at: u64,
        bytes: &[u8],
        head: usize,
    ) -> (u64, bool, bool) {
        let (mut head_seen, mut all_seen) = (true, true);
        let mut cuts: Vec<usize> = (1..).map(|i| i * SEGMENT).take_while(|c| *c < bytes.len()).collect();
        if self.draw.chance(self.plan.split) {
            for _ in 0..=self.draw.below(3) {
                cuts.push(1 + self.draw.below(head as u64 - 1) as usize);
            }
        }
        cuts.push(bytes.len());
        cuts.sort_unstable();
        cuts.dedup();
        let side = usize::from(!by_client);
        let mut from = 0;
        for to in cuts {
            let flags = if to == bytes.len() { ACK | PSH } else { ACK };
            let seq = c.next[side];
            if self.draw.chance(self.plan.lost) {
                all_seen = false;
                head_seen &= from >= head;
                self.lost_bytes += (to - from) as u64;
            } else {
                let frame = self.frame(c, by_client, seq, flags, &bytes[from..to]);
                let late = if self.draw.chance(self.plan.late) { 30_000 + self.draw.below(1_470_000) } else { 0 };
                if self.draw.chance(self.plan.twice) {
                    let again = at + late + 20_000 + self.draw.below(2_000_000);
                    self.push(again, frame.clone());
                }
                self.push(at + late, frame);
            }
            c.next[side] = seq.wrapping_add((to - from) as u32);
            let ack = self.frame(c, !by_client, c.next[1 - side], ACK, &[]);
            self.push(at + 150_000, ack);
            at += 12_000;
            from = to;
        }
        (at, head_seen, all_seen)
    }
}

/// Makes a capture.
pub fn make(plan: &Plan) -> Recording {
    let mut m = Maker { plan: plan.clone(), draw: Draw(plan.seed), heap: BinaryHeap::new(), serial: 0, lost_bytes: 0 };
    let mut sent = Vec::new();
    for n in 0..plan.connections {
        let host = m.draw.below(u64::from(plan.hosts)) as u32;
        let mut c = Connection {
            client: (0x0a01_0001 + n / 50_000 * 7 + n % 250, (1024 + n / 250 % 60_000) as u16),
            server: (0x0a02_0001 + host, 8080),
            next: [m.draw.bits() as u32, m.draw.bits() as u32],
        };
        let mut at = START + m.draw.below(2_000_000_000);
        let syn = m.frame(&c, true, c.next[0], SYN, &[]);
        m.push(at, syn);
        c.next[0] = c.next[0].wrapping_add(1);
        let syn_ack = m.frame(&c, false, c.next[1], SYN | ACK, &[]);
        m.push(at + 200_000, syn_ack);
        c.next[1] = c.next[1].wrapping_add(1);
        at += 400_000;
        for _ in 0..plan.exchanges {
            let (mut exchange, request, request_head, response, response_head) = one(&mut m.draw, plan, host);
            let (asked, head1, all1) = m.message(&mut c, true, at, &request, request_head);
            let answer_at = asked + 400_000 + m.draw.below(6_000_000);
            let (answered, head2, all2) = m.message(&mut c, false, answer_at, &response, response_head);
            exchange.heads = head1 && head2;
            exchange.whole = all1 && all2;
            sent.push(exchange);
            at = answered + 3_500_000 + m.draw.below(40_000_000);
        }
        let fin = m.frame(&c, true, c.next[0], FIN | ACK, &[]);
        m.push(at, fin);
        c.next[0] = c.next[0].wrapping_add(1);
        let fin = m.frame(&c, false, c.next[1], FIN | ACK, &[]);
        m.push(at + 300_000, fin);
        c.next[1] = c.next[1].wrapping_add(1);
        let last = m.frame(&c, true, c.next[0], ACK, &[]);
        m.push(at + 500_000, last);
    }
    let mut pcap = Vec::new();
    // Magic for nanoseconds, version 2.4, snapshot length 256 KiB, Ethernet.
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
        pcap.extend_from_slice(&word.to_le_bytes());
    }
    let (mut frames, mut bytes) = (0, 0);
    while let Some(Waiting(std::cmp::Reverse((at, _)), frame)) = m.heap.pop() {
        for word in [(at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32, frame.len() as u32, frame.len() as u32] {
            pcap.extend_from_slice(&word.to_le_bytes());
        }
        pcap.extend_from_slice(&frame);
        frames += 1;
        bytes += frame.len() as u64;
    }
    Recording { pcap, frames, bytes, lost_bytes: m.lost_bytes, sent }
}

/// One exchange: what it is, and the bytes of both messages with the lengths of their heads.
fn one(draw: &mut Draw, plan: &Plan, host: u32) -> (Sent, Vec<u8>, usize, Vec<u8>, usize) {
    // The lower of two draws: some resources are far more popular than others.
    let n = draw.below(u64::from(plan.resources)).min(draw.below(u64::from(plan.resources))) as usize;
    let resource = RESOURCES[n % RESOURCES.len()];
    let prefix = format!("/api/v{}/{resource}", 1 + n / RESOURCES.len());
    let number = draw.bits() % 2_000_000;
    let id = match n % 3 {
        0 => number.to_string(),
        1 => format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            draw.bits() as u32,
            draw.bits() as u16,
            draw.below(4096),
            draw.below(4096),
            draw.bits() >> 16
        ),
        _ => format!("{}-{}-{}", WORDS[draw.below(12) as usize], WORDS[draw.below(12) as usize], draw.below(900)),
    };
    let (method, target, template) = match draw.below(10) {
        0..=3 => ("GET", format!("{prefix}?page={}&limit=50", draw.below(40)), prefix.clone()),
        4..=6 => ("GET", format!("{prefix}/{id}"), format!("{prefix}/{{}}")),
        7 => ("POST", prefix.clone(), prefix.clone()),
        8 => ("PUT", format!("{prefix}/{id}"), format!("{prefix}/{{}}")),
        _ => ("GET", format!("{prefix}/{id}/history"), format!("{prefix}/{{}}/history")),
    };
    let status = match (method, number % 40) {
        ("GET", 0) => 404,
        ("POST", _) => 201,
        ("PUT", n) if n % 2 == 0 => 204,
        _ => 200,
    };
    let body =
        if status == 204 { 0 } else { u64::from(plan.body_min) + draw.below(u64::from(plan.body_max - plan.body_min)) };
    let host = format!("h{host}.api.example");
    let mut request = String::new();
    let _ = write!(
        request,
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: traffic/1.0 (bench; made by rule)\r\nAccept: application/json\r\n\
         Accept-Encoding: gzip, deflate\r\nAuthorization: Bearer {:016x}{:016x}{:016x}\r\nX-Request-Id: {:016x}\r\nConnection: keep-alive\r\n",
        draw.bits(),
        draw.bits(),
        draw.bits(),
        draw.bits()
    );
    let sends = matches!(method, "POST" | "PUT");
    let document = "{\"name\":\"example\",\"amount\":12.50,\"tags\":[\"a\",\"b\"]}";
    if sends {
        let _ = write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", document.len());
    }
    request.push_str("\r\n");
    let request_head = request.len();
    if sends {
        request.push_str(document);
    }
    let mut response = format!(
        "HTTP/1.1 {status} X\r\nServer: traffic\r\nDate: Tue, 24 Nov 2026 07:30:57 GMT\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    )
    .into_bytes();
    let chunked = status == 200 && number.is_multiple_of(5);
    if chunked {
        response.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    } else if status != 204 {
        response.extend_from_slice(format!("Content-Length: {body}\r\n\r\n").as_bytes());
    } else {
        response.extend_from_slice(b"\r\n");
    }
    let response_head = response.len();
    let filler = |i: u64| b"{\"k\":\"value\"},"[(i % 14) as usize];
    if chunked {
        let mut left = body;
        while left > 0 {
            let n = left.min(700);
            response.extend_from_slice(format!("{n:x}\r\n").as_bytes());
            response.extend((0..n).map(filler));
            response.extend_from_slice(b"\r\n");
            left -= n;
        }
        response.extend_from_slice(b"0\r\n\r\n");
    } else {
        response.extend((0..body).map(filler));
    }
    let sent = Sent { method, host, target, template, status, body, heads: true, whole: true };
    (sent, request.into_bytes(), request_head, response, response_head)
}
