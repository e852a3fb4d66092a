//! TLS of real peers: `openssl s_server` and `s_client`, recorded on loopback by a relay between them, each suite and
//! version, decrypted with the key log that the client wrote (or with the server's private key). Skipped loudly where
//! there is no openssl.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use shadowtap::base::{Address, Bucket, FlowKey, Limits, Timestamp};
use shadowtap::exchange::{Observer, Outcome, Pairing, Sides, TlsSession, TlsStage};
use shadowtap::proto::tls::RsaKey;
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::{Chunk, Close, Connection, Consumer};

/// What was seen.
#[derive(Default)]
struct Seen {
    exchanges: Vec<(String, Option<u16>, bool)>,
    sessions: Vec<(String, String, bool, Option<String>)>,
}

impl Observer for Seen {
    type Request = (String, Option<u16>, bool);

    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        (String::from_utf8_lossy(head.target.bytes()).into_owned(), None, sides.secure)
    }

    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>) {
        request.1 = Some(head.status);
    }

    fn finish(&mut self, _: &Connection, request: Self::Request, _: &Outcome) {
        self.exchanges.push(request);
    }

    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) -> Self::Request {
        Self::Request::default()
    }

    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) -> Self::Request {
        Self::Request::default()
    }

    fn tls(&mut self, _: &Connection, session: &TlsSession<'_>) {
        if session.stage == TlsStage::Over {
            let server = session.facts.server.as_ref().expect("a ServerHello");
            let certificate = session.facts.certificate.as_ref().map(|c| c.subject.clone());
            self.sessions.push((server.version.to_string(), server.suite.to_string(), session.decrypted, certificate));
        }
    }
}

/// Bytes in the order in which they passed: (from the client?, bytes).
type Tape = Arc<Mutex<Vec<(bool, Vec<u8>)>>>;

/// Ends a program when the test is over, however.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, client: bool, tape: Tape) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // Written down before it is passed on: an answer stands behind its question.
            tape.lock().unwrap().push((client, buffer[..n].to_vec()));
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    })
}

fn openssl(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.args(args).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command
}

fn there() -> bool {
    let there = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        eprintln!("SKIPPED: no openssl on this machine; TLS with real peers was not tested");
    }
    there
}

/// One session between openssl and openssl: what passed.
fn session(dir: &Path, server_args: &[&str], client_args: &[&str]) -> Vec<(bool, Vec<u8>)> {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut args = vec!["s_server", "-quiet", "-www", "-accept", &free, "-cert", "c.pem", "-key", "k.pem"];
    args.extend(server_args);
    let _server = Running(openssl(&args, dir).spawn().unwrap());
    let since = Instant::now();
    let to_server = loop {
        match TcpStream::connect(format!("127.0.0.1:{free}")) {
            Ok(stream) => break stream,
            Err(e) if since.elapsed() > Duration::from_secs(10) => panic!("s_server does not listen: {e}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("127.0.0.1:{port}");
    let mut args =
        vec!["s_client", "-quiet", "-servername", "real.example", "-keylogfile", "keys.log", "-connect", &connect];
    args.extend(client_args);
    let mut client = Running(openssl(&args, dir).stdin(Stdio::piped()).spawn().unwrap());
    let (to_client, _) = listener.accept().unwrap();
    let tape = Tape::default();
    let relays = [
        relay(to_client.try_clone().unwrap(), to_server.try_clone().unwrap(), true, tape.clone()),
        relay(to_server, to_client, false, tape.clone()),
    ];
    client.0.stdin.take().unwrap().write_all(b"GET /status HTTP/1.0\r\nHost: real.example\r\n\r\n").unwrap();
    let [_, answers] = relays;
    answers.join().unwrap();
    std::mem::take(&mut *tape.lock().unwrap())
}

/// Reads what passed, in segments of 1,448 bytes.
fn read(tape: &[(bool, Vec<u8>)], prepare: impl FnOnce(&Pairing<Seen>)) -> Pairing<Seen> {
    let mut pairing = Pairing::new(Seen::default(), &Limits::default());
    prepare(&pairing);
    let (client, server) = (Address::v4(0x7f00_0001, 40_000), Address::v4(0x7f00_0002, 443));
    let (key, side) = FlowKey::new(client, server, 0);
    let connection = Connection { key, id: 1, opener: Some(side), opened: Timestamp(0) };
    let mut state = pairing.open(&connection);
    let mut at = [0_u64; 2];
    for (from_client, bytes) in tape {
        for piece in bytes.chunks(1448) {
            let (this, peer) = (usize::from(!from_client), usize::from(*from_client));
            let side = if *from_client { side } else { side.peer() };
            let chunk = Chunk { ts: Timestamp(at[0] + at[1]), offset: at[this], acked: Some(at[peer]), bytes: piece };
            pairing.data(&connection, &mut state, side, chunk);
            at[this] += piece.len() as u64;
        }
    }
    pairing.close(&connection, state, Close::CaptureEnd, Timestamp(1 << 40));
    assert_eq!(pairing.ledger.accounted(), at[0] + at[1]);
    pairing
}

fn certificate(dir: &Path) {
    let made = openssl(
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=real.example",
            "-keyout",
            "k.pem",
            "-out",
            "c.pem",
        ],
        dir,
    );
    assert!({ made }.status().unwrap().success());
}

#[test]
fn each_suite_of_real_peers_with_a_key_log() {
    if !there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let new = |suite| vec!["-tls1_3", "-ciphersuites", suite];
    let old = |suite| vec!["-tls1_2", "-cipher", suite];
    let psk = |suite| vec!["-tls1_2", "-cipher", suite, "-psk", "0123456789abcdef"];
    let plain_mac = |suite| vec!["-tls1_2", "-no_etm", "-cipher", suite];
    let all = [
        (new("TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256"),
        (new("TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384"),
        (new("TLS_CHACHA20_POLY1305_SHA256"), "TLS_CHACHA20_POLY1305_SHA256"),
        (new("TLS_AES_128_CCM_SHA256"), "TLS_AES_128_CCM_SHA256"),
        (old("ECDHE-RSA-AES128-GCM-SHA256"), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (old("ECDHE-RSA-AES256-GCM-SHA384"), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        (old("ECDHE-RSA-CHACHA20-POLY1305"), "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        (old("DHE-RSA-AES128-GCM-SHA256"), "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
        (old("DHE-RSA-AES256-CCM8"), "TLS_DHE_RSA_WITH_AES_256_CCM_8"),
        (old("AES128-GCM-SHA256"), "TLS_RSA_WITH_AES_128_GCM_SHA256"),
        (old("AES256-CCM"), "TLS_RSA_WITH_AES_256_CCM"),
        (old("ECDHE-RSA-AES128-SHA"), "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
        (old("ECDHE-RSA-AES256-SHA384"), "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
        (plain_mac("ECDHE-RSA-AES256-SHA384"), "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
        (plain_mac("AES128-SHA256"), "TLS_RSA_WITH_AES_128_CBC_SHA256"),
        (plain_mac("DHE-RSA-AES256-SHA"), "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
        (psk("PSK-AES128-GCM-SHA256"), "TLS_PSK_WITH_AES_128_GCM_SHA256"),
        (psk("ECDHE-PSK-CHACHA20-POLY1305"), "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
    ];
    for (args, suite) in all {
        let tape = session(dir.path(), &args, &args);
        let log = std::fs::read(dir.path().join("keys.log")).unwrap_or_default();
        let pairing = read(&tape, |pairing| pairing.keys().text(&log));
        assert_eq!(pairing.observer.exchanges, [("/status".to_owned(), Some(200), true)], "{suite} {args:?}");
        let (version, chosen, decrypted, certificate) = pairing.observer.sessions[0].clone();
        assert_eq!(
            (version.as_str(), chosen.as_str()),
            (if args[0] == "-tls1_3" { "TLS1.3" } else { "TLS1.2" }, suite)
        );
        let anonymous = suite.contains("PSK");
        assert_eq!((decrypted, certificate.as_deref()), (true, (!anonymous).then_some("CN=real.example")));
        assert!(pairing.ledger.get(Bucket::Decrypted) > 500);
    }
}

#[test]
fn the_servers_private_key_opens_its_rsa_key_exchange() {
    if !there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let pem = std::fs::read_to_string(dir.path().join("k.pem")).unwrap();
    for suite in ["AES128-GCM-SHA256", "AES256-SHA256"] {
        let args = ["-tls1_2", "-cipher", suite];
        let tape = session(dir.path(), &args, &args);
        let pairing = read(&tape, |pairing| assert!(pairing.keys().rsa(RsaKey::from_pem(&pem).unwrap())));
        assert_eq!(pairing.observer.exchanges, [("/status".to_owned(), Some(200), true)], "{suite}");
        let blind = read(&tape, |_| ());
        assert!(blind.observer.exchanges.is_empty() && blind.ledger.get(Bucket::Tls) > 0);
    }
}
