//! The daemon on the loopback interface, as root, as another user, and with one capability alone. Takes a user, gives
//! requests to hear, never sends anything beyond this machine.

use super::*;

/// Starts a daemon on the loopback interface, has 200 requests sent there, and looks at what it has seen.
fn is_heard(dir: &Path, user: &str, wrap: &[&str]) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    configure(dir, &format!("user = \"{user}\"\n[[interface]]\nname = \"lo\"\nfilter = \"tcp port {port}\"\n"));
    let mut daemon = Daemon::start_as(dir, None, wrap, None);
    daemon.wait_until("it runs", |d| d.log().contains("running"));
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 2048];
            while let Ok(n) = stream.read(&mut bytes) {
                if n == 0 || stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                    break;
                }
            }
        }
    });
    for n in 0..20 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for m in 0..10 {
            write!(stream, "GET /orders/{} HTTP/1.1\r\nHost: live.example\r\n\r\n", n * 10 + m).unwrap();
            let mut bytes = [0; 2048];
            let _ = stream.read(&mut bytes).unwrap();
        }
    }
    daemon.wait_for_exchanges("exchanges", 200);
    // The test harness's own main thread was there before: capabilities belong to threads.
    let thread = |name: &str| {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
        let mut all = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap());
        all.find(|status| status.starts_with(&format!("Name:\t{name}\n"))).unwrap()
    };
    let has =
        |status: &str, line: &str| status.lines().any(|l| l.split_whitespace().collect::<Vec<_>>().join(" ") == line);
    if !(user.is_empty() && wrap.is_empty()) {
        // The thread that opens interfaces again may do that one thing, and not at this moment.
        for (name, permitted) in
            [("inventory", "0000000000000000"), ("lo", "0000000000000000"), ("opener", "0000000000002000")]
        {
            let status = thread(name);
            for (set, bits) in [("CapPrm", permitted), ("CapEff", "0000000000000000"), ("CapInh", "0000000000000000")] {
                assert!(has(&status, &format!("{set}: {bits}")), "{set} of {name}: {status}");
            }
            assert!(has(&status, "CapAmb: 0000000000000000"), "{status}");
            assert!(has(&status, "Uid: 65534 65534 65534 65534"), "{status}");
            assert!(has(&status, "Gid: 65534 65534 65534 65534"), "{status}");
        }
    }
    assert!(daemon.end().success());
    let (seen, _) = view(dir);
    assert_eq!(seen.calls(), 200);
    assert_eq!(seen.services[0].host, "live.example");
    assert_eq!(seen.visibility.dropped_packets, 0);
    assert_eq!(seen.visibility.captured, seen.visibility.accounted());
}

/// Only root may capture and become someone else; `nobody` is 65534 on the systems that we know.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("\n*** skipped: capturing on the loopback interface needs root ***\n");
    }
    root
}

#[test]
fn a_live_interface_is_heard() {
    if is_root() {
        is_heard(tempfile::tempdir().unwrap().path(), "", &[]);
    }
}

#[test]
fn root_becomes_the_named_user_and_still_hears() {
    if !is_root() {
        return;
    }
    if nix::unistd::User::from_name("nobody").ok().flatten().is_none_or(|u| u.uid.as_raw() != 65_534) {
        eprintln!("\n*** skipped: there is no user nobody with number 65534 ***\n");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The store is given away, the way to it only needs to be open.
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    is_heard(dir.path(), "nobody", &[]);
}

#[test]
fn cap_net_raw_alone_is_enough() {
    if !is_root() {
        return;
    }
    let wrap = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all,+net_raw",
        "--ambient-caps=-all,+net_raw",
        "--bounding-set=-all,+net_raw",
        "--no-new-privs",
    ];
    if !Command::new(wrap[0]).args(&wrap[1..]).arg("true").status().is_ok_and(|s| s.success()) {
        eprintln!("\n*** skipped: setpriv is not there or may not set capabilities ***\n");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("daemon");
    // The build folder may be closed to others.
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534)).unwrap();
    is_heard(dir.path(), "", &wrap);
}
