//! Small captures, made packet by packet.
//!
//! Takes what two ends say to each other, gives the bytes of a pcap file. Sequence numbers, acknowledgements and times
//! are those of a real connection.

use etherparse::PacketBuilder;

/// 2026-11-24 07:30:57 UTC.
const START: u64 = 1_795_505_457_000_000;

/// Frames with their times in microseconds.
#[derive(Clone, Default)]
pub struct Traffic {
    frames: Vec<(u64, Vec<u8>)>,
    clock: u64,
    port: u16,
}

/// One connection of a [`Traffic`].
pub struct Talk<'a> {
    traffic: &'a mut Traffic,
    client: ([u8; 4], u16),
    server: ([u8; 4], u16),
    sent: [u32; 2],
}

impl Traffic {
    pub fn new() -> Self {
        Self { frames: Vec::new(), clock: START, port: 40_000 }
    }

    /// A connection from 10.0.0.`client` to 10.0.1.1:`port`, with its handshake.
    pub fn connect(&mut self, client: u8, port: u16) -> Talk<'_> {
        self.port += 1;
        let from = ([10, 0, 0, client], self.port);
        let mut talk = Talk { traffic: self, client: from, server: ([10, 0, 1, 1], port), sent: [1000, 9000] };
        talk.segment(0, "S", b"");
        talk.segment(1, "SA", b"");
        talk.segment(0, "A", b"");
        talk
    }

    /// One request and its response on a connection of its own.
    pub fn exchange(&mut self, client: u8, port: u16, request: &str, response: &str) {
        let mut talk = self.connect(client, port);
        talk.ask(request);
        talk.answer(response);
        talk.close();
    }

    /// The file: pcap, little-endian, microseconds, Ethernet.
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 262_144, 1] {
            out.extend(word.to_le_bytes());
        }
        for (at, frame) in &self.frames {
            let len = frame.len() as u32;
            for word in [(at / 1_000_000) as u32, (at % 1_000_000) as u32, len, len] {
                out.extend(word.to_le_bytes());
            }
            out.extend(frame);
        }
        out
    }
}

impl Talk<'_> {
    /// The client sends bytes.
    pub fn ask_bytes(&mut self, bytes: &[u8]) {
        self.segment(0, "PA", bytes);
    }

    /// The client sends.
    pub fn ask(&mut self, text: &str) {
        self.segment(0, "PA", text.as_bytes());
    }

    /// The server sends.
    pub fn answer(&mut self, text: &str) {
        self.segment(1, "PA", text.as_bytes());
    }

    /// The server sends bytes.
    pub fn answer_bytes(&mut self, bytes: &[u8]) {
        self.segment(1, "PA", bytes);
    }

    /// The server sends something that the capture misses.
    pub fn lose_answer(&mut self, bytes: u32) {
        self.sent[1] += bytes;
    }

    /// Both ends finish.
    pub fn close(mut self) {
        self.segment(0, "FA", b"");
        self.segment(1, "FA", b"");
        self.segment(0, "A", b"");
    }

    fn segment(&mut self, side: usize, flags: &str, payload: &[u8]) {
        let ends = [self.client, self.server];
        let ((from, from_port), (to, to_port)) = (ends[side], ends[1 - side]);
        let mut builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from, to, 64).tcp(
            from_port,
            to_port,
            self.sent[side],
            64_000,
        );
        for flag in flags.chars() {
            builder = match flag {
                'S' => builder.syn(),
                'F' => builder.fin(),
                'P' => builder.psh(),
                _ => builder.ack(self.sent[1 - side]),
            };
        }
        let mut frame = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut frame, payload).expect("a vector takes it");
        self.traffic.clock += 500;
        self.traffic.frames.push((self.traffic.clock, frame));
        let opens = u32::from(flags.contains(['S', 'F']));
        self.sent[side] = self.sent[side].wrapping_add(payload.len() as u32 + opens);
    }
}

/// A request for the shop.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n")
}

/// A response with a JSON body.
pub fn json(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A day in the shop: 12 orders read by number, a list, a debug page, an old basket, some nonsense.
pub fn shop() -> Traffic {
    let mut t = Traffic::new();
    for n in 0..12_u32 {
        t.exchange(1 + (n % 3) as u8, 8080, &get(&format!("/v1/orders/{}", 1000 + n * 37)), &json(200, "{\"id\":1}"));
    }
    t.exchange(1, 8080, &get("/v1/orders?page=2&q=jane.doe"), &json(200, "[]"));
    t.exchange(2, 8080, &get("/internal/debug"), &json(200, "{}"));
    t.exchange(2, 8080, &get("/v0/basket"), &json(200, "{}"));
    t
}

/// The document of the shop: orders, a deprecated basket, customers that nobody asked for.
pub const SHOP: &str = "\
openapi: 3.0.3
info: {title: Shop, version: 1.4.0}
servers: [{url: 'http://shop.example:8080'}]
paths:
  /v1/orders:
    get:
      parameters: [{name: page, in: query, schema: {type: integer}}, {name: q, in: query, schema: {type: string}}]
      responses: {'200': {description: ok, content: {application/json: {}}}}
  /v1/orders/{orderId}:
    get:
      parameters: [{name: orderId, in: path, required: true, schema: {type: integer}}]
      responses: {'200': {description: ok, content: {application/json: {}}}}
  /v0/basket:
    get:
      deprecated: true
      responses: {'200': {description: ok, content: {application/json: {}}}}
  /v1/customers:
    get:
      responses: {'200': {description: ok}}
";
