//! TLS on the mirror: nginx with TLS 1.3, TLS 1.2, HTTP/2 and HTTP/1.1 in its namespace, clients that log their keys, and a
//! daemon that gets those keys while the traffic runs. The inventory must equal nginx' access log.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::span::{SERVER, Span};
use super::{probes, say};

/// Calls by method, template and status.
type Answers = BTreeMap<String, u64>;

/// The name that clients ask for; only they know it.
const NAME: &str = "api.test";
const PORT: u16 = 8443;

/// Namespaces with an nginx that speaks TLS, or the reason why not.
fn span() -> Option<Span> {
    let made = Span::with(&["openssl", "h2load"], |dir| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(dir).args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]);
        openssl.args(["-days", "2", "-subj", "/CN=api.test", "-keyout", "server.key", "-out", "server.pem"]);
        let made = openssl.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("openssl makes no certificate".to_owned());
        }
        let d = dir.display();
        Ok(format!(
            "server {{
               listen {SERVER}:{PORT} ssl http2; server_name {NAME}; root {d}/www;
               ssl_certificate {d}/server.pem; ssl_certificate_key {d}/server.key; ssl_protocols TLSv1.2 TLSv1.3;
               keepalive_requests 1000000;
               location /api/users/ {{ return 200 '{{\"name\": \"Ada\"}}'; }}
               location /api/items/ {{ return 200 '{{\"items\": [1, 2, 3]}}'; }}
               location /api/orders/ {{ return 200 '{{\"total\": 12}}'; }}
               location = /api/orders {{ return 201 '{{\"total\": 12}}'; }}
               location ~ ^/api/reports/.$ {{ return 503 '{{\"error\": \"later\"}}'; }}
               location /api/reports/ {{ return 200 '{{\"pages\": 2}}'; }}
             }}"
        ))
    });
    match made {
        Ok(span) => Some(span),
        Err(why) => {
            say(&format!("\nSKIPPED: live test of TLS in network namespaces: {why}\n"));
            None
        }
    }
}

/// `curl` with its keys in `log`.
fn ask(span: &Span, log: &Path, path: &str, more: &[&str]) {
    let mut curl = span.client("curl");
    curl.args(["--insecure", "--no-progress-meter", "--max-time", "30", "--output", "/dev/null"]);
    curl.args(["--resolve", &format!("{NAME}:{PORT}:{SERVER}")]).args(more);
    let status = curl.arg(format!("https://{NAME}:{PORT}/{path}")).env("SSLKEYLOGFILE", log).status();
    assert!(status.as_ref().is_ok_and(|s| s.success()), "curl {path}: {status:?}");
}

/// h2load: `count` requests by `clients` connections with `streams` each at a time.
fn load(span: &Span, log: &Path, (count, clients, streams): (u32, u32, u32)) {
    let list = span.dir().join("urls");
    let urls: String = (1..=500).map(|n| format!("https://{NAME}:{PORT}/api/items/{n}\n")).collect();
    fs::write(&list, urls).expect("a file");
    let mut h2load = span.client("h2load");
    h2load.args(["-n", &count.to_string(), "-c", &clients.to_string(), "-m", &streams.to_string(), "-i"]).arg(list);
    h2load.arg(format!("--connect-to={SERVER}:{PORT}")).env("SSLKEYLOGFILE", log);
    let output = h2load.stdin(Stdio::null()).output().expect("h2load starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(&format!("{count} succeeded")), "h2load: {text}");
}

/// A path as a person who knows this server writes its template.
fn template(path: &str) -> String {
    let value = |s: &str| s.len() == 36 || !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    path.split('/').map(|s| if value(s) { "{}" } else { s }).collect::<Vec<_>>().join("/")
}

/// What nginx has answered over TLS by its own account: endpoints, and how often there was nothing.
fn truth(span: &Span) -> (Answers, u64) {
    let log = fs::read_to_string(span.dir().join("access.log")).unwrap_or_default();
    let (mut answers, mut nothing) = (Answers::new(), 0);
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [method, path, status, _, "TLSv1.2" | "TLSv1.3"] = words[..] else { panic!("in the access log: {line}") };
        match status {
            "404" => nothing += 1,
            _ => *answers.entry(format!("{method} {} {status}", template(path))).or_default() += 1,
        }
    }
    (answers, nothing)
}

/// The same as the inventory has it.
fn found(view: &Value) -> (Answers, u64) {
    let mut answers = Answers::new();
    for service in view["services"].as_array().into_iter().flatten() {
        assert_eq!((&service["scheme"], &service["port"]), (&"https".into(), &PORT.into()), "{service}");
        for e in service["endpoints"].as_array().into_iter().flatten() {
            let path = e["template"].as_str().unwrap_or_default();
            let shape: Vec<_> = path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
            for (status, n) in e["statuses"].as_object().into_iter().flatten() {
                let key = format!("{} {} {status}", e["method"].as_str().unwrap_or_default(), shape.join("/"));
                *answers.entry(key).or_default() += n.as_u64().unwrap_or_default();
            }
        }
    }
    (answers, probes(view))
}

/// Waits until both are equal.
fn settle(span: &Span, what: &str) -> Value {
    let (answers, nothing) = truth(span);
    let view = span.wait_for(what, |view| found(view) == (answers.clone(), nothing));
    assert_eq!(view["visibility"]["dropped_packets"], 0, "the kernel dropped packets");
    view
}

/// Passes on what is written to a key log, as `tail -F | socat` does.
struct Forwarder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    fn start(log: PathBuf, socket: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let mut to = UnixStream::connect(socket).expect("the daemon's socket");
            let mut file = File::open(log).expect("a key log");
            let mut text = Vec::new();
            while !told.load(Ordering::Relaxed) {
                text.clear();
                file.read_to_end(&mut text).expect("it is read");
                to.write_all(&text).expect("the daemon takes keys");
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { stop, thread: Some(thread) }
    }

    fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("it had no trouble");
    }
}

/// Nothing that the daemon has written may hold a secret, as it is or in hexadecimal digits.
fn keeps_no_secret(span: &Span, logs: &[&Path]) {
    let mut secrets = HashSet::new();
    for log in logs {
        let text = fs::read_to_string(log).expect("a key log");
        secrets.extend(text.lines().filter_map(|line| line.split(' ').nth(2).map(str::to_owned)));
    }
    assert!(secrets.len() > 20, "{} secrets", secrets.len());
    let raw = |hex: &str| -> Vec<u8> {
        (0..16).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits")).collect()
    };
    let needles: HashSet<Vec<u8>> = secrets.iter().flat_map(|hex| [hex.as_bytes()[..16].to_vec(), raw(hex)]).collect();
    let mut looked = 0;
    let mut folders = vec![span.store()];
    let mut files = vec![span.dir().join("daemon.log")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("the store").map(|e| e.expect("an entry").path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for path in files {
        // Sockets have no bytes.
        let Ok(bytes) = fs::read(&path) else { continue };
        looked += 1;
        assert!(!bytes.windows(16).any(|w| needles.contains(w)), "{} holds a secret", path.display());
    }
    assert!(looked > 2, "log and store");
}

#[test]
fn keys_forwarded_to_the_socket_while_traffic_runs() {
    let Some(span) = span() else { return };
    let (socket, log, late) = (span.dir().join("keys.sock"), span.dir().join("keys.log"), span.dir().join("late.log"));
    let mut daemon = span.daemon_with("", &format!("[tls]\nsocket = \"{}\"\n", socket.display()));
    File::create(&log).expect("a file");
    let forwarder = Forwarder::start(log.clone(), socket.clone());

    // HTTP/2 over TLS 1.3: one connection, one after the other; then all streams at once; bodies both ways.
    ask(&span, &log, "api/users/[1-60]", &[]);
    ask(&span, &log, "api/users/me", &[]);
    ask(&span, &log, "api/orders/0f0e0d0c-0b0a-4908-8706-[100000000000-100000000039]", &["--parallel"]);
    ask(&span, &log, "api/orders", &["--json", "{\"item\": 7}"]);
    ask(&span, &log, "files/big.bin", &[]);
    ask(&span, &log, "api/reports/[1-60]", &[]);
    ask(&span, &log, "nonsense/[1-20]/x", &[]);
    // Each on a connection of its own, which is over before its key has been passed on.
    for n in 100..130 {
        ask(&span, &log, &format!("api/users/{n}"), &[]);
    }
    // HTTP/1.1 over both versions, several connections that resume a session.
    ask(&span, &log, "api/users/[200-240]", &["--http1.1", "--parallel", "--parallel-max", "5"]);
    ask(&span, &log, "api/users/[300-340]", &["--http1.1", "--tls-max", "1.2", "--parallel", "--parallel-max", "5"]);
    ask(&span, &log, "api/orders/[1-9]", &["--tls-max", "1.2", "-X", "DELETE"]);
    let view = settle(&span, "what curl asked for");
    assert_eq!(found(&view).1, 20, "requests for what is not there");

    // Many streams at a time.
    load(&span, &log, (4000, 16, 20));
    let view = settle(&span, "what h2load asked for");
    let buckets = &view["visibility"]["buckets"];
    assert!(buckets["decrypted_http"].as_u64() > Some(3 << 20), "{buckets}");
    assert_eq!(buckets["tls_no_keys"].as_u64().unwrap_or(0), 0, "{buckets}");

    // Keys that come when all has been said.
    ask(&span, &late, "api/users/[400-420]", &[]);
    ask(&span, &late, "api/users/[420-440]", &["--http1.1", "--tls-max", "1.2"]);
    thread::sleep(Duration::from_millis(1500));
    let keys = fs::read(&late).expect("a key log");
    OpenOptions::new().append(true).open(&log).and_then(|mut file| file.write_all(&keys)).expect("a key log");
    settle(&span, "what was asked before its keys were there");

    forwarder.finish();
    assert!(daemon.terminate().success());
    assert!(!socket.exists(), "the socket goes with the daemon");
    let (answers, _) = truth(&span);
    assert_eq!(found(&span.export().expect("the store")).0, answers, "after SIGTERM");
    keeps_no_secret(&span, &[&log, &late]);
    say(&format!("live: {} requests in TLS, none lost", answers.values().sum::<u64>()));
}

#[test]
fn a_key_log_that_grows_and_is_rotated_while_the_daemon_runs() {
    let Some(span) = span() else { return };
    let log = span.dir().join("keys.log");
    let mut daemon = span.daemon_with("", &format!("[tls]\nkeylog = [\"{}\"]\n", log.display()));
    let round = |from: u32, what: &str| {
        for n in from..from + 8 {
            ask(&span, &log, &format!("api/users/{n}"), &[]);
        }
        ask(&span, &log, &format!("api/items/[{from}-{}]", from + 30), &["--http1.1"]);
        settle(&span, what);
    };
    assert!(!log.exists());
    round(100, "a log that was not there at the start");
    round(200, "a log that grew");
    fs::rename(&log, span.dir().join("keys.log.1")).expect("it is renamed");
    round(300, "a log that was renamed");
    fs::copy(&log, span.dir().join("keys.log.2")).expect("it is copied");
    OpenOptions::new().write(true).truncate(true).open(&log).expect("it is cut off");
    round(400, "a log that was cut off");
    fs::remove_file(&log).expect("it is removed");
    round(500, "a log that was removed");
    assert!(daemon.terminate().success());
    keeps_no_secret(&span, &[&log, &span.dir().join("keys.log.1"), &span.dir().join("keys.log.2")]);
}
