//! The daemon as a process: signals, kills, restarts, reloads, systemd, readers, a live interface.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::base::InventoryLimits;
use crate::inventory::store::{Freshness, ReadOnly, status as ask_status};
use crate::inventory::{Inventory, View};

mod faults;
mod listening;
mod opaque;

const CHILD: &str = "SHADOWTAP_TEST_DAEMON";
/// `panic` or `stuck`: what a thread beside the daemon's own does as soon as there is a file `now`.
const FAULT: &str = "SHADOWTAP_TEST_FAULT";

/// Not a test of its own: the daemon that the others start.
#[test]
fn child_that_runs() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let path = Path::new(&path);
    let run = |config| match std::env::var(FAULT) {
        Ok(fault) => run_with(&fault, config, path),
        Err(_) => run(config, path),
    };
    let code = match Config::load(path).map_err(|e| e.to_string()).and_then(|c| run(c).map_err(|e| e.to_string())) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("ended with: {e}");
            3
        }
    };
    std::process::exit(code);
}

/// The daemon with one thread more, which fails.
fn run_with(fault: &str, config: Config, path: &Path) -> Result<(), RunError> {
    let log = log::start(&config.log);
    log::hook_panics();
    let mut daemon = super::Daemon::start(config, path, log)?;
    daemon.patience = Duration::from_secs(2);
    let (fault, stop, now) = (fault.to_owned(), daemon.stop.clone(), path.with_file_name("now"));
    daemon.spawn("faulty", Role::Source, move |beat| {
        while !stop.load(Ordering::Relaxed) {
            if !now.exists() {
                beat.beat();
            } else if fault == "panic" {
                panic!("as the test wants");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    })?;
    let ended = daemon.supervise();
    if let Err(e) = &ended {
        error!("{e}");
    }
    ended
}

struct Daemon {
    child: Child,
    store: PathBuf,
    log: PathBuf,
}

impl Daemon {
    fn start(dir: &Path, notify: Option<&Path>) -> Self {
        Self::start_as(dir, notify, &[], None)
    }

    /// `wrap` is a command that starts the command behind it, which lies in `dir` as `daemon` then.
    fn start_as(dir: &Path, notify: Option<&Path>, wrap: &[&str], fault: Option<&str>) -> Self {
        let log = dir.join("log");
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = match wrap {
            [] => Command::new(std::env::current_exe().unwrap()),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(dir.join("daemon"));
                command
            }
        };
        command
            .args(["daemon::tests::child_that_runs", "--exact", "--nocapture"])
            .env(CHILD, dir.join("shadowtap.toml"))
            .env_remove("NOTIFY_SOCKET")
            .envs(fault.map(|fault| (FAULT, fault)))
            .stdout(Stdio::null())
            .stderr(stderr);
        if let Some(socket) = notify {
            command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "500000");
        }
        Self { child: command.spawn().unwrap(), store: dir.join("store"), log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn figure(&self, name: &str) -> u64 {
        let Ok(Some(json)) = ask_status(&self.store) else { return 0 };
        serde_json::from_str::<serde_json::Value>(&json).unwrap()[name].as_u64().unwrap()
    }

    fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "waiting until {what}: it ended with {ended:?}\n{}", self.log());
            assert!(start.elapsed() < Duration::from_secs(60), "waited too long until {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_exchanges(&mut self, name: &str, n: u64) {
        self.wait_until(&format!("{name} is {n}"), |d| d.figure(name) >= n);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn configure(dir: &Path, more: &str) {
    let text =
        format!("status_seconds = 1\n{more}\n[store]\nfolder = \"store\"\ncommit_seconds = 1\nsnapshot_seconds = 2\n");
    fs::write(dir.join("shadowtap.toml"), text).unwrap();
}

fn configure_folder(dir: &Path) {
    fs::create_dir_all(dir.join("in")).unwrap();
    configure(dir, "[folder]\npath = \"in\"\npoll_milliseconds = 20\nfinished_seconds = 1\n");
}

fn view(dir: &Path) -> (View, ReadOnly) {
    let store = Store::read_only(&dir.join("store")).unwrap();
    let records = store.records().collect::<Result<Vec<_>, _>>().unwrap();
    let inventory = Inventory::restore(InventoryLimits::default(), records.into_iter()).unwrap();
    let sensor = store.sensor();
    (inventory.view(&sensor.ledger, &sensor.oddities), store)
}

// --- captures

/// Writes connections of one request each, one after the other: `GET /users/<n>`, answered with 200.
struct Recorder {
    file: File,
    now: u64,
    next: u32,
    /// The server's.
    port: u16,
}

impl Recorder {
    fn create(path: &Path) -> Self {
        let mut file = File::create(path).unwrap();
        let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        header.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend_from_slice(&65_535_u32.to_le_bytes());
        header.extend_from_slice(&1_u32.to_le_bytes());
        file.write_all(&header).unwrap();
        Self { file, now: 1_700_000_000_000_000, next: 0, port: 80 }
    }

    /// The same connections from `next` on, in another file.
    fn go_on(path: &Path, next: u32) -> Self {
        let mut recorder = Self::create(path);
        recorder.now += u64::from(next) * 1000;
        recorder.next = next;
        recorder
    }

    fn write(&mut self, connections: u32) {
        for _ in 0..connections {
            self.begin();
            self.end(self.next - 1);
        }
    }

    /// A connection's first part: to the end of its request. It is number `next`.
    fn begin(&mut self) {
        let n = self.next;
        self.next += 1;
        self.parts(n, true);
    }

    /// The rest of it.
    fn end(&mut self, n: u32) {
        self.parts(n, false);
    }

    fn parts(&mut self, n: u32, first: bool) {
        let mut out = Vec::new();
        {
            let request = format!("GET /users/{n}?page=2 HTTP/1.1\r\nHost: api.example\r\n\r\n");
            let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            let (client, server) = (request.len() as u32, response.len() as u32);
            if first {
                self.packet(&mut out, n, true, 0, 0, "s", b"");
                self.packet(&mut out, n, false, 0, 1, "sa", b"");
                self.packet(&mut out, n, true, 1, 1, "a", request.as_bytes());
            } else {
                self.packet(&mut out, n, false, 1, 1 + client, "a", response.as_bytes());
                self.packet(&mut out, n, true, 1 + client, 1 + server, "fa", b"");
                self.packet(&mut out, n, false, 1 + server, 2 + client, "fa", b"");
                self.packet(&mut out, n, true, 2 + client, 2 + server, "a", b"");
            }
        }
        self.file.write_all(&out).unwrap();
    }

    #[expect(clippy::too_many_arguments, reason = "a packet has that many parts")]
    fn packet(&mut self, out: &mut Vec<u8>, n: u32, up: bool, seq: u32, ack: u32, flags: &str, payload: &[u8]) {
        let client = ([10, 1, (n >> 8) as u8, n as u8], 20_000 + (n % 40_000) as u16);
        let server = ([10, 0, 0, 9], self.port);
        let (from, to) = if up { (client, server) } else { (server, client) };
        let mut builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(from.0, to.0, 64).tcp(
            from.1,
            to.1,
            1000 + seq,
            64_000,
        );
        for flag in flags.chars() {
            builder = match flag {
                's' => builder.syn(),
                'a' => builder.ack(1000 + ack),
                _ => builder.fin(),
            };
        }
        let mut frame = Vec::new();
        builder.write(&mut frame, payload).unwrap();
        self.now += 100;
        for part in [self.now / 1_000_000, self.now % 1_000_000, frame.len() as u64, frame.len() as u64] {
            out.extend_from_slice(&(part as u32).to_le_bytes());
        }
        out.extend_from_slice(&frame);
    }
}

// --- tests

#[test]
fn a_folder_is_read_and_the_inventory_kept() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    Recorder::create(&dir.path().join("in/a.pcap")).write(300);
    Recorder::go_on(&dir.path().join("in/b.pcap"), 300).write(200);
    fs::write(dir.path().join("in/notes.txt"), [b'x'; 500]).unwrap();
    fs::write(dir.path().join("in/c.pcap.part"), [b'x'; 500]).unwrap();
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("exchanges", 500);
    // A reader while the daemon runs sees what is not even committed yet.
    let (seen, store) = view(dir.path());
    assert_eq!(store.freshness(), &Freshness::Live);
    assert_eq!(seen.calls(), 500);
    let second = Store::open(&dir.path().join("store")).unwrap_err();
    assert!(matches!(second, StoreError::Locked { pid: Some(pid), .. } if pid == daemon.child.id()), "{second}");
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    assert_eq!(store.freshness(), &Freshness::Complete);
    assert!(store.recovery().unwrap().is_clean());
    assert_eq!(seen.calls(), 500);
    assert_eq!(seen.services.len(), 1);
    assert_eq!(seen.services[0].endpoints[0].calls, 500);
    assert_eq!(seen.visibility.captured, seen.visibility.accounted(), "every byte has its bucket");
    assert!(store.sensor().up.last().unwrap().clean);
    assert!(!dir.path().join("store/control.sock").exists());
    // Each exchange was of a known endpoint or of a new one, and what came of templates is told once, whatever the restarts.
    let routed = store.sensor().routed;
    assert_eq!((routed.known + routed.new, routed.probes), (500, 0), "{routed:?}");
    let history = || {
        let store = Store::read_only(&dir.path().join("store")).unwrap();
        let records = store.records().collect::<Result<Vec<_>, _>>().unwrap();
        let inventory = Inventory::restore(InventoryLimits::default(), records.into_iter()).unwrap();
        inventory.history().map(|(_, change)| change.clone()).collect::<Vec<_>>()
    };
    let first = history();
    assert!(
        first.iter().any(|change| change.after.iter().any(|named| named.template == "/users/{userId}")),
        "{first:?}"
    );
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_until("it is up", |d| d.figure("pid") > 0);
    assert!(daemon.end().success());
    assert_eq!(history(), first);
}

#[test]
fn a_growing_and_rotated_file_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let first = dir.path().join("in/now.pcap");
    let mut recorder = Recorder::create(&first);
    let mut daemon = Daemon::start(dir.path(), None);
    for n in 1..=10 {
        recorder.write(10);
        daemon.wait_for_exchanges("exchanges", n * 10);
    }
    fs::rename(&first, dir.path().join("in/old.pcap.1")).unwrap();
    recorder.write(10);
    Recorder::go_on(&first, 110).write(40);
    daemon.wait_for_exchanges("exchanges", 150);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(daemon.figure("exchanges"), 150, "nothing is read twice");
    assert!(daemon.end().success());
    // After a restart nothing is read again, and what has come in between is.
    Recorder::go_on(&dir.path().join("in/zz.pcap"), 150).write(5);
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("exchanges", 155);
    std::thread::sleep(Duration::from_millis(300));
    assert!(daemon.log().contains("going on where the last run ended"));
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    assert_eq!(seen.calls(), 155);
    assert_eq!(store.sensor().exchanges, 155);
    assert_eq!(store.sensor().up.len(), 2);
}

#[test]
fn kill_9_and_restart_loses_nothing_acknowledged_and_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let mut recorder = Recorder::create(&dir.path().join("in/a.pcap"));
    let mut total = 0;
    for round in 0..3_u64 {
        let mut daemon = Daemon::start(dir.path(), None);
        recorder.write(400);
        total += 400;
        daemon.wait_until("some are on disk", |d| d.figure("committed_exchanges") + 400 > total);
        std::thread::sleep(Duration::from_millis(round * 37));
        let acknowledged = daemon.figure("committed_exchanges");
        daemon.kill();
        let (seen, store) = view(dir.path());
        assert!(seen.calls() >= acknowledged, "{acknowledged} were acknowledged, {} are there", seen.calls());
        assert_eq!(store.sensor().exchanges, seen.calls(), "inventory and figures are of one commit");
        assert!(!store.sensor().up.last().unwrap().clean);
    }
    let mut daemon = Daemon::start(dir.path(), None);
    recorder.write(100);
    total += 100;
    daemon.wait_for_exchanges("exchanges", total);
    assert!(daemon.log().contains("the last run was interrupted"));
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    assert_eq!(seen.calls(), total, "each once");
    assert_eq!(store.sensor().exchanges, total);
    assert_eq!(store.sensor().up.iter().filter(|i| !i.clean).count(), 3);
    assert_eq!(seen.visibility.captured, seen.visibility.accounted(), "every byte has its bucket");
}

#[test]
fn an_exchange_open_at_a_kill_is_counted_once_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let mut recorder = Recorder::create(&dir.path().join("in/a.pcap"));
    recorder.write(20);
    recorder.begin();
    recorder.write(30);
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("committed_exchanges", 50);
    let commits = daemon.figure("commits");
    daemon.wait_until("the cursor is on disk", |d| d.figure("commits") > commits + 1);
    daemon.kill();
    // Its end comes in the next file, and more with it.
    let mut next = Recorder::go_on(&dir.path().join("in/b.pcap"), 60);
    next.end(20);
    next.write(5);
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("committed_exchanges", 56);
    assert!(daemon.log().contains("read again what was open"), "{}", daemon.log());
    daemon.kill();
    // Killed again, nothing is open: nothing is counted again.
    let mut daemon = Daemon::start(dir.path(), None);
    next.write(1);
    daemon.wait_for_exchanges("exchanges", 57);
    std::thread::sleep(Duration::from_millis(300));
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    assert_eq!(seen.calls(), 57);
    let endpoint = &seen.services[0].endpoints[0];
    assert_eq!((endpoint.statuses[&200], endpoint.unanswered), (57, 0), "it has its response");
    assert_eq!(store.sensor().exchanges, 57);
    assert_eq!(seen.visibility.captured, seen.visibility.accounted(), "every byte has its bucket");
}

#[test]
fn a_compressed_file_is_taken_as_soon_as_it_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let path = dir.path().join("shadowtap.toml");
    let patient = fs::read_to_string(&path).unwrap().replace("finished_seconds = 1\n", "finished_seconds = 600\n");
    fs::write(&path, patient).unwrap();
    let plain = dir.path().join("a");
    Recorder::create(&plain).write(40);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&fs::read(&plain).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_until("it runs", |d| d.log().contains("running"));
    Recorder::go_on(&dir.path().join("in/b.pcap"), 40).write(10);
    daemon.wait_for_exchanges("exchanges", 10);
    // Still being written, with another file behind it.
    let mut file = File::create(dir.path().join("in/a.pcap.gz")).unwrap();
    let (first, rest) = packed.split_at(packed.len() / 2);
    file.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    file.write_all(rest).unwrap();
    let begun = Instant::now();
    daemon.wait_for_exchanges("exchanges", 50);
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    assert!(!daemon.log().contains("was not read"), "{}", daemon.log());
    assert!(daemon.end().success());
    assert_eq!(view(dir.path()).0.calls(), 50);
}

#[test]
fn a_reload_takes_up_what_can_change_and_says_what_cannot() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_until("it runs", |d| d.log().contains("running"));
    let good = fs::read_to_string(dir.path().join("shadowtap.toml")).unwrap();
    fs::write(dir.path().join("shadowtap.toml"), format!("{good}\n[limits]\nflow = 3\n")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_until("the error is told", |d| d.log().contains("did you mean `flows`?"));
    let spec = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /users/{userId}:\n    get:\n      responses: {'200': {description: ok}}\n";
    fs::write(dir.path().join("api.yaml"), spec).unwrap();
    let more = "[[spec]]\nfile = \"api.yaml\"\n[limits]\nflows = 77\n[log]\nlevel = \"debug\"\n";
    fs::write(dir.path().join("shadowtap.toml"), format!("{good}\n{more}")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_until("the document is read", |d| d.figure("documents") == 1);
    Recorder::create(&dir.path().join("in/a.pcap")).write(5);
    daemon.wait_for_exchanges("committed_exchanges", 5);
    daemon.wait_until("the level has changed", |d| d.log().contains("committed"));
    let log = daemon.log();
    assert!(log.contains("limits.flows") && log.contains("needs a restart"), "{log}");
    assert!(daemon.end().success());
}

#[test]
fn systemd_is_told_each_turn() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let socket = dir.path().join("notify");
    let notify = UnixDatagram::bind(&socket).unwrap();
    notify.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let daemon = Daemon::start(dir.path(), Some(&socket));
    let wait_for = |what: &str| {
        let mut all = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let n = notify.recv(&mut bytes).unwrap_or_else(|e| panic!("no {what} but {all:?}: {e}"));
            let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
            if text.contains(what) {
                return;
            }
            all.push(text);
        }
    };
    wait_for("READY=1");
    wait_for("STATUS=0 packets");
    wait_for("WATCHDOG=1");
    daemon.signal(Signal::SIGHUP);
    wait_for("RELOADING=1\nMONOTONIC_USEC=");
    wait_for("READY=1");
    daemon.signal(Signal::SIGTERM);
    wait_for("STOPPING=1");
    let mut child = daemon.child;
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_folder_that_is_not_there_ends_with_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "[folder]\npath = \"nowhere\"\n");
    let mut daemon = Daemon::start(dir.path(), None);
    let status = daemon.child.wait().unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(daemon.log().contains("nowhere"), "{}", daemon.log());
}

#[test]
fn a_damaged_store_is_told_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    Recorder::create(&dir.path().join("in/a.pcap")).write(50);
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_for_exchanges("committed_exchanges", 50);
    assert!(daemon.end().success());
    OpenOptions::new().write(true).open(dir.path().join("store/db/db")).unwrap().set_len(4096).unwrap();
    let mut daemon = Daemon::start(dir.path(), None);
    daemon.wait_until("it runs", |d| d.log().matches("running").count() == 2);
    assert!(daemon.log().contains("the store was damaged"), "{}", daemon.log());
    assert_eq!(daemon.figure("exchanges"), 50, "the snapshot had it all");
    assert!(daemon.end().success());
    assert_eq!(view(dir.path()).0.calls(), 50);
}
