//! What it costs to read TLS whose keys are known, against what the cipher alone costs.
//!
//! Takes sessions that rustls holds with itself, gives time for each: the cipher alone over records of the same size (ring,
//! which rustls' provider calls as well; in place, nothing copied), the session's records one by one, the same in segments
//! of a wire's size, and the whole reader with the HTTP in it. First come the ratios that `docs/performance.md` quotes:
//! rounds of all four in turn, by this process's CPU time, medians.

use std::hint::black_box;
use std::sync::{Arc, Mutex};

use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::{cipher_suite as suites, default_provider};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, KeyLog, ServerConfig, ServerConnection, SignatureScheme,
    SupportedCipherSuite,
};
use shadowtap::base::{Address, FlowKey, Limits, Timestamp};
use shadowtap::exchange::{Observer, Outcome, Pairing, Sides};
use shadowtap::proto::tls::session::{Party, Session, Step, What};
use shadowtap::proto::tls::{Keys, Plain};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::{Chunk, Close, Connection, Consumer};

/// Bytes that the server sends in one session.
const BODY: usize = 16 << 20;
/// Payload of a segment.
const SEGMENT: usize = 1448;
/// Rounds of the ratios.
const ROUNDS: usize = 9;

/// Suite, its cipher, plaintext of a record.
type Kind = (&'static str, SupportedCipherSuite, &'static aead::Algorithm, usize);

fn kinds() -> [Kind; 4] {
    [
        ("AES-128-GCM, TLS 1.3, records of 16 KiB", suites::TLS13_AES_128_GCM_SHA256, &aead::AES_128_GCM, 16_384),
        ("AES-128-GCM, TLS 1.3, records of 1.4 KB", suites::TLS13_AES_128_GCM_SHA256, &aead::AES_128_GCM, 1_400),
        (
            "ChaCha20-Poly1305, TLS 1.3, records of 16 KiB",
            suites::TLS13_CHACHA20_POLY1305_SHA256,
            &aead::CHACHA20_POLY1305,
            16_384,
        ),
        (
            "AES-256-GCM, TLS 1.2, records of 16 KiB",
            suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            &aead::AES_256_GCM,
            16_384,
        ),
    ]
}

#[derive(Debug, Default)]
struct Log(Mutex<String>);

impl KeyLog for Log {
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        self.0.lock().unwrap().push_str(&format!("{label} {} {}\n", hex(random), hex(secret)));
    }
}

/// The certificate is of no importance here.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A session: what passed, and its keys.
struct Talk {
    wire: Vec<(Party, Vec<u8>)>,
    keys: String,
}

/// One GET and a large answer, in records of `size` bytes of plaintext.
fn talk(suite: SupportedCipherSuite, size: usize) -> Talk {
    let provider = Arc::new(CryptoProvider { cipher_suites: vec![suite], ..default_provider() });
    let log = Arc::new(Log::default());
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider.clone())))
        .with_no_client_auth();
    client.key_log = log.clone();
    let certificate = CertificateDer::from(include_bytes!("../src/proto/tls/testing/certificate.der").as_slice());
    let key = PrivateKeyDer::Pkcs8(include_bytes!("../src/proto/tls/testing/key.der").as_slice().into());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let name = ServerName::try_from("tls.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    server.set_buffer_limit(None);
    let mut wire = Vec::new();
    let mut settle = |client: &mut ClientConnection, server: &mut ServerConnection| {
        loop {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                server.process_new_packets().unwrap();
            }
            let mut back = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut back).unwrap();
            }
            if client.is_handshaking() {
                let mut rest = &back[..];
                while !rest.is_empty() {
                    client.read_tls(&mut rest).unwrap();
                    client.process_new_packets().unwrap();
                }
            }
            let done = bytes.is_empty() && back.is_empty();
            wire.extend([(Party::Client, bytes), (Party::Server, back)].into_iter().filter(|(_, b)| !b.is_empty()));
            if done {
                return;
            }
        }
    };
    use std::io::Write;
    settle(&mut client, &mut server);
    client.writer().write_all(b"GET /large HTTP/1.1\r\nHost: tls.example\r\n\r\n").unwrap();
    settle(&mut client, &mut server);
    server.writer().write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").as_bytes()).unwrap();
    let piece = vec![b'x'; size];
    let mut left = BODY;
    while left > 0 {
        let n = left.min(size);
        server.writer().write_all(&piece[..n]).unwrap();
        left -= n;
    }
    settle(&mut client, &mut server);
    let keys = log.0.lock().unwrap().clone();
    Talk { wire, keys }
}

/// As many records, sealed with a key of the same cipher.
fn sealed(algorithm: &'static aead::Algorithm, size: usize) -> (LessSafeKey, Vec<Vec<u8>>) {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &vec![7; algorithm.key_len()]).unwrap());
    let seal = |n: usize| {
        let mut text = vec![b'x'; size];
        key.seal_in_place_append_tag(nonce(n), Aad::from([23, 3, 3, 0, 0]), &mut text).unwrap();
        text
    };
    let records = (0..BODY.div_ceil(size)).map(seal).collect();
    (key, records)
}

fn nonce(n: usize) -> Nonce {
    let mut nonce = [9; 12];
    nonce[4..].copy_from_slice(&(n as u64).to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// The cipher alone, in place.
fn cipher(key: &LessSafeKey, records: &mut [Vec<u8>]) -> usize {
    let mut bytes = 0;
    for (n, record) in records.iter_mut().enumerate() {
        bytes += key.open_in_place(nonce(n), Aad::from([23, 3, 3, 0, 0]), record).unwrap().len();
    }
    bytes
}

/// The session, its bytes given in pieces of at most `step`.
fn session(talk: &Talk, step: usize) -> usize {
    let keys = Keys::new(10);
    keys.text(talk.keys.as_bytes());
    let (mut session, mut plain, mut bytes) = (Session::default(), Plain::default(), 0);
    for (from, text) in &talk.wire {
        for piece in text.chunks(step) {
            let mut rest = piece;
            while let Step::Record(piece) = session.step(*from, rest, &keys, &mut plain) {
                rest = &rest[piece.used..];
                if let What::Data(n) = piece.what {
                    bytes += black_box(plain.text(n)).len();
                }
            }
        }
    }
    assert!(bytes > BODY);
    bytes
}

#[derive(Default)]
struct Count(u64);

impl Observer for Count {
    type Request = ();
    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}
    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}
    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
    fn finish(&mut self, _: &Connection, (): (), outcome: &Outcome) {
        assert!(outcome.partial.is_whole() && outcome.response_body == BODY as u64);
        self.0 += 1;
    }
}

/// The whole reader: segments in, an exchange out.
fn reader(talk: &Talk) -> u64 {
    let mut pairing = Pairing::new(Count::default(), &Limits::default());
    pairing.keys().text(talk.keys.as_bytes());
    let (key, client) = FlowKey::new(Address::v4(2, 50_000), Address::v4(1, 443), 0);
    let connection = Connection { key, id: 0, opener: Some(client), opened: Timestamp(0) };
    let (mut state, mut sent, mut now) = (pairing.open(&connection), [0u64; 2], 0);
    for (from, text) in &talk.wire {
        let side = if *from == Party::Client { client } else { client.peer() };
        for bytes in text.chunks(SEGMENT) {
            now += 1000;
            let (offset, acked) = (sent[side.index()], Some(sent[side.peer().index()]));
            pairing.data(&connection, &mut state, side, Chunk { ts: Timestamp(now), offset, acked, bytes });
            sent[side.index()] += bytes.len() as u64;
        }
    }
    pairing.close(&connection, state, Close::CaptureEnd, Timestamp(now));
    assert_eq!(pairing.observer.0, 1);
    pairing.observer.0
}

/// Nanoseconds that this process was on a processor.
fn cpu() -> u64 {
    // The kernel brings the account up to date where it looks for another thread to run.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn timed(what: impl FnOnce()) -> f64 {
    let before = cpu();
    what();
    (cpu() - before) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ratios() {
    println!("CPU time, the cipher alone = 1 (medians of {ROUNDS} interleaved rounds):");
    for (name, suite, algorithm, size) in kinds() {
        let talk = talk(suite, size);
        let (key, records) = sealed(algorithm, size);
        let mut times: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let mut fresh = records.clone();
            let alone = timed(|| assert!(cipher(&key, &mut fresh) >= BODY));
            times[0].push(timed(|| assert!(session(&talk, usize::MAX) > BODY)) / alone);
            times[1].push(timed(|| assert!(session(&talk, SEGMENT) > BODY)) / alone);
            times[2].push(timed(|| assert_eq!(reader(&talk), 1)) / alone);
        }
        let [whole, pieces, all] = times.map(median);
        println!("  {name}: records {whole:.2}, in segments {pieces:.2}, with its HTTP {all:.2}");
    }
}

fn decryption(c: &mut Criterion) {
    let mut group = c.benchmark_group("tls");
    group.sample_size(10);
    for (name, suite, algorithm, size) in kinds() {
        let talk = talk(suite, size);
        let (key, records) = sealed(algorithm, size);
        group.throughput(Throughput::Bytes(BODY as u64));
        group.bench_function(format!("{name}: cipher alone"), |b| {
            b.iter_batched_ref(|| records.clone(), |records| cipher(&key, records), BatchSize::PerIteration);
        });
        group.bench_function(format!("{name}: records"), |b| b.iter(|| session(&talk, usize::MAX)));
        group.bench_function(format!("{name}: in segments"), |b| b.iter(|| session(&talk, SEGMENT)));
        group.bench_function(format!("{name}: with its HTTP"), |b| b.iter(|| reader(&talk)));
    }
    group.finish();
}

criterion_group!(benches, decryption);

fn main() {
    // `cargo test` only wants to see it run.
    if std::env::args().any(|a| a == "--bench") {
        ratios();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
