//! The daemon on a mirror port, in network namespaces that the test makes itself.
//!
//! A client, a server (nginx) and a sensor, each in a namespace of its own; `tc` mirrors both directions of the server's link
//! to the sensor's. Clients are curl, whose requests are counted, and wrk, whose requests nginx counts. What the daemon
//! keeps must equal that, with no packet dropped; after `kill -9` nothing acknowledged may be missing, and after SIGTERM
//! nothing at all. Where namespaces, nginx or wrk are missing, the test says SKIPPED and why. All traffic stays in the
//! namespaces, is bounded in time and count, and everything is ended by its process id.

#[path = "live/proxied.rs"]
mod proxied;
#[path = "live/span.rs"]
mod span;
#[path = "live/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use span::{Daemon, SERVER, Span};

/// Calls by method and template.
type Calls = BTreeMap<String, u64>;

/// To the terminal even when the test runner captures what tests print.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

#[test]
fn the_daemon_sees_what_clients_ask_for_and_loses_nothing_acknowledged() {
    let span = match Span::new() {
        Ok(span) => span,
        Err(why) => return say(&format!("\nSKIPPED: live test in network namespaces: {why}\n")),
    };
    let mut daemon = span.daemon();

    // Clients that are counted, one kept-alive connection each.
    ask(&span, "api/users/[1-150]", &[]);
    ask(&span, "api/users/me", &[]);
    ask(&span, "api/orders/0f0e0d0c-0b0a-4908-8706-[100000000000-100000000039]", &[]);
    ask(&span, "api/orders", &["-d", "{}", "-H", "Content-Type: application/json"]);
    ask(&span, "files/big.bin", &[]);
    ask(&span, "nonsense/[1-20]/x", &[]);
    let mut truth = Calls::from([
        ("GET /api/users/{}".to_owned(), 150),
        ("GET /api/users/me".to_owned(), 1),
        ("GET /api/orders/{}".to_owned(), 40),
        ("POST /api/orders".to_owned(), 1),
        ("GET /files/big.bin".to_owned(), 1),
    ]);
    let view = span.wait_for("what curl asked for", |view| calls(view) == truth && probes(view) == 20);
    assert_eq!(probes(&view), 20, "requests for what is not there");

    // A steady load for some seconds. nginx counts; what is under way when wrk stops may be on either side of the line.
    span.load(4);
    let asked = span.logged("/api/items/");
    assert!(asked > 2000, "wrk asked only {asked} times");
    let items = "GET /api/items/{}";
    let near = |n: u64| n.abs_diff(asked) <= span::CONNECTIONS;
    let view = span.wait_for("what wrk asked for", |view| calls(view).get(items).is_some_and(|&n| near(n)));
    assert_eq!(view["visibility"]["dropped_packets"], 0, "the kernel dropped packets");
    say(&format!("live: {asked} requests in 4 seconds, none lost"));

    // kill -9 under load: what was acknowledged before is there afterwards.
    let load = span.start_load(4);
    std::thread::sleep(Duration::from_secs(2));
    let acknowledged = calls(&span.export().expect("the daemon has committed"));
    daemon.kill();
    load.finish();
    let kept = calls(&span.export().expect("a store that can be read without its daemon"));
    contains(&kept, &acknowledged, "in the store after kill -9");

    let mut daemon = span.daemon();
    let again = calls(&span.wait_for("the store, opened again", |_| true));
    contains(&again, &acknowledged, "after the restart");
    ask(&span, "api/users/[1-100]", &[]);
    *truth.entry("GET /api/users/{}".to_owned()).or_default() += 100;
    span.wait_for("what curl asked for after the restart", |view| without(calls(view), items) == truth);

    // SIGTERM right behind the last byte: nothing is left out, though no commit was due.
    ask(&span, "api/users/[1-77]", &[]);
    *truth.entry("GET /api/users/{}".to_owned()).or_default() += 77;
    // The frames are in the ring by now; the daemon has not looked at all of them.
    let status = daemon.terminate();
    assert!(status.success(), "SIGTERM ended with {status}");
    let view = span.export().expect("the store");
    assert_eq!(without(calls(&view), items), truth, "after SIGTERM");
    assert_eq!(view["visibility"]["dropped_packets"], 0, "the kernel dropped packets");
}

#[test]
fn an_interface_that_goes_and_comes_back_is_heard_again_and_the_time_is_counted() {
    let span = match Span::new() {
        Ok(span) => span,
        Err(why) => return say(&format!("\nSKIPPED: live test in network namespaces: {why}\n")),
    };
    // As another user the daemon has let go of root, and can open the interface again all the same.
    let nobody = nix::unistd::User::from_name("nobody").ok().flatten().is_some();
    let mut daemon = span.daemon_as(if nobody { "nobody" } else { "" });
    let users = |n: u64| move |view: &Value| calls(view).get("GET /api/users/{}") == Some(&n);
    ask(&span, "api/users/[1-10]", &[]);
    span.wait_for("what was asked before", users(10));

    // The link is removed with all its settings, and made again.
    span.unplug();
    span.wait_for_status("the interface is missed", |s| s["blind"]["span0"].is_string());
    ask(&span, "api/users/[1-100]", &[]);
    span.plug();
    let status = span.wait_for_status("it is heard again", |s| s["blind"].as_object().is_some_and(|b| b.is_empty()));
    let away = status["ledger"]["blind_nanos"].as_u64().unwrap_or_default();
    assert!(away > 0, "{status}");
    ask(&span, "api/users/[1-20]", &[]);
    span.wait_for("what was asked afterwards", users(30));

    // It is only taken down, and comes up again.
    span.set("down");
    let status = span.wait_for_status("it is missed while down", |s| s["blind"]["span0"].is_string());
    assert!(status["blind"]["span0"].as_str().is_some_and(|why| why.contains("down")), "{status}");
    std::thread::sleep(Duration::from_millis(1200));
    span.set("up");
    let status = span.wait_for_status("it is heard again", |s| s["blind"].as_object().is_some_and(|b| b.is_empty()));
    let blind = status["ledger"]["blind_nanos"].as_u64().unwrap_or_default();
    assert!(blind >= away + 1_000_000_000, "{away} before, {blind} now");
    ask(&span, "api/users/[1-7]", &[]);
    span.wait_for("what was asked at last", users(37));

    let logs = span.logs();
    for words in ["not heard any more", "is heard again", "nothing can be heard on the interface: it is down"] {
        assert!(logs.contains(words), "no {words:?} in {logs}");
    }
    // It ends as told while the interface is away, too.
    span.unplug();
    span.wait_for_status("the interface is missed", |s| s["blind"]["span0"].is_string());
    let begun = Instant::now();
    assert!(daemon.terminate().success());
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    let view = span.export().expect("the store");
    assert!(view["visibility"]["blind_nanos"].as_u64().is_some_and(|n| n >= blind), "{}", view["visibility"]);
}

/// Runs curl once, for one or (by its globbing) more URLs on one connection.
fn ask(span: &Span, path: &str, more: &[&str]) {
    let url = format!("http://{SERVER}:8080/{path}");
    let mut curl = span.client("curl");
    curl.args(["--silent", "--show-error", "--max-time", "30", "--output", "/dev/null"]).args(more).arg(url);
    let status = curl.status().expect("curl starts");
    assert!(status.success(), "curl {path}: {status}");
}

/// Calls by method and template of the one service.
fn calls(view: &Value) -> Calls {
    let mut out = Calls::new();
    for service in view["services"].as_array().into_iter().flatten() {
        for e in service["endpoints"].as_array().into_iter().flatten() {
            let template = e["template"].as_str().unwrap_or_default();
            let shape: Vec<_> = template.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
            let key = format!("{} {}", e["method"].as_str().unwrap_or_default(), shape.join("/"));
            *out.entry(key).or_default() += e["calls"].as_u64().unwrap_or_default();
        }
    }
    out
}

fn without(mut calls: Calls, key: &str) -> Calls {
    calls.remove(key);
    calls
}

fn probes(view: &Value) -> u64 {
    let services = view["services"].as_array().into_iter().flatten();
    services.filter_map(|s| s["probes"].as_object()).flat_map(|p| p.values()).filter_map(Value::as_u64).sum()
}

/// Nothing in `part` may be more than in `whole`.
fn contains(whole: &Calls, part: &Calls, when: &str) {
    for (key, n) in part {
        let kept = whole.get(key).copied().unwrap_or(0);
        assert!(kept >= *n, "{key}: {n} acknowledged, {kept} {when}");
    }
}

impl Span {
    /// The inventory as another process reads it from the store, beside the daemon; `None` when there is none yet.
    fn export(&self) -> Option<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
        command.args(["inventory", "export", "--compact", "--store"]).arg(self.store());
        let output = command.output().expect("shadowtap starts");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// Waits until the kept inventory is as wanted.
    fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(20);
        let mut last = None;
        while Instant::now() < end {
            if let Some(view) = self.export() {
                if wanted(&view) {
                    return view;
                }
                last = Some(calls(&view));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{what}: not within 20 seconds; last seen {last:#?}\n{}", self.logs());
    }

    /// Waits until the daemon's status is as wanted.
    fn wait_for_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(20);
        let mut last = Value::Null;
        while Instant::now() < end {
            if let Ok(Some(text)) = shadowtap::inventory::store::status(&self.store()) {
                last = serde_json::from_str(&text).expect("JSON");
                if wanted(&last) {
                    return last;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}: not within 20 seconds; {last}\n{}", self.logs());
    }

    /// The daemon, started and ready.
    fn daemon(&self) -> Daemon {
        self.daemon_as("")
    }

    /// The same; it becomes `user`.
    fn daemon_as(&self, user: &str) -> Daemon {
        self.daemon_with(user, "")
    }

    /// The same, with more of a configuration.
    fn daemon_with(&self, user: &str, more: &str) -> Daemon {
        let config = self.dir().join("shadowtap.toml");
        let text = format!(
            "user = \"{user}\"\nstatus_seconds = 1\n[[interface]]\nname = \"span0\"\n[store]\nfolder = \"{}\"\ncommit_seconds = 1\n{more}",
            self.store().display()
        );
        std::fs::write(&config, text).expect("the configuration");
        let mut command = self.sensor(env!("CARGO_BIN_EXE_shadowtap"));
        command.arg("run").arg("--config").arg(&config);
        Daemon::start(command, self.dir())
    }

    fn store(&self) -> PathBuf {
        Path::join(self.dir(), "store")
    }
}
