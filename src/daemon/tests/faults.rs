//! What fails in and around the daemon: a thread that panics, one that is stuck, a disk that is full. Takes a daemon that
//! runs, gives it the fault, never touches anything outside of its own folder.

use super::*;

#[test]
fn a_thread_that_panics_ends_the_daemon_with_all_it_knows_written() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let path = dir.path().join("shadowtap.toml");
    let slow = fs::read_to_string(&path).unwrap().replace("commit_seconds = 1\n", "commit_seconds = 3600\n");
    let slow = slow.replace("snapshot_seconds = 2\n", "snapshot_seconds = 3600\n");
    fs::write(&path, slow).unwrap();
    Recorder::create(&dir.path().join("in/a.pcap")).write(50);
    let mut daemon = Daemon::start_as(dir.path(), None, &[], Some("panic"));
    daemon.wait_for_exchanges("exchanges", 50);
    assert_eq!(daemon.figure("committed_exchanges"), 0, "nothing is on disk yet");
    fs::write(dir.path().join("now"), "").unwrap();
    let status = daemon.child.wait().unwrap();
    assert_eq!(status.code(), Some(3), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("internal error in the thread faulty; please report it"), "{log}");
    assert!(!log.contains("as the test wants"), "a panic's words may hold anything: {log}");
    let (seen, store) = view(dir.path());
    assert_eq!((seen.calls(), store.sensor().exchanges), (50, 50));
    assert!(store.recovery().unwrap().is_clean());
    assert_eq!(seen.visibility.captured, seen.visibility.accounted());
}

#[test]
fn a_stuck_thread_lets_the_watchdog_starve() {
    let dir = tempfile::tempdir().unwrap();
    configure_folder(dir.path());
    let socket = dir.path().join("notify");
    let notify = UnixDatagram::bind(&socket).unwrap();
    let mut daemon = Daemon::start_as(dir.path(), Some(&socket), &[], Some("stuck"));
    // Fed every quarter of a second while all is well.
    let fed = |within: Duration| {
        let end = Instant::now() + within;
        let mut fed = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            notify.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 4096];
            let Ok(n) = notify.recv(&mut bytes) else { break };
            fed += u32::from(String::from_utf8_lossy(&bytes[..n]).contains("WATCHDOG=1"));
        }
        fed
    };
    daemon.wait_until("it runs", |d| d.log().contains("running"));
    assert!(fed(Duration::from_secs(3)) >= 4, "{}", daemon.log());
    fs::write(dir.path().join("now"), "").unwrap();
    daemon.wait_until("it is missed", |d| d.log().contains("no progress; the watchdog is not fed"));
    assert!(daemon.log().contains("faulty"), "{}", daemon.log());
    // What was sent before is still in the socket.
    fed(Duration::from_millis(200));
    assert_eq!(fed(Duration::from_secs(2)), 0, "systemd would end it now");
    daemon.kill();
}

/// A small file system of its own; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at).status();
        mount.is_ok_and(|s| s.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_small) = Small::mount(&dir.path().join("store"), "8m") else {
        eprintln!("\n*** skipped: mounting a small file system needs root and `mount` ***\n");
        return;
    };
    configure_folder(dir.path());
    let mut recorder = Recorder::create(&dir.path().join("in/a.pcap"));
    let mut daemon = Daemon::start(dir.path(), None);
    recorder.write(100);
    daemon.wait_for_exchanges("committed_exchanges", 100);
    // Something else fills the disk to its last byte.
    let ballast = dir.path().join("store/ballast");
    let mut file = File::create(&ballast).unwrap();
    for size in [1 << 16, 1 << 10, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
    let mut total = 100;
    let failing = |d: &Daemon| {
        let Ok(Some(json)) = ask_status(&d.store) else { return false };
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["store_failing"] == true
    };
    while !failing(&daemon) {
        assert!(total < 20_000, "a full disk is not noticed\n{}", daemon.log());
        recorder.write(400);
        total += 400;
        daemon.wait_for_exchanges("exchanges", total);
        std::thread::sleep(Duration::from_millis(1100));
    }
    let acknowledged = daemon.figure("committed_exchanges");
    assert!(daemon.log().contains("the store could not be written"), "{}", daemon.log());
    recorder.write(100);
    total += 100;
    daemon.wait_for_exchanges("exchanges", total);
    assert!(daemon.figure("committed_exchanges") >= acknowledged);
    drop(file);
    fs::remove_file(&ballast).unwrap();
    daemon.wait_for_exchanges("committed_exchanges", total);
    assert!(!failing(&daemon));
    assert!(daemon.log().contains("the store is written again"), "{}", daemon.log());
    assert!(daemon.end().success());
    let (seen, store) = view(dir.path());
    assert_eq!((seen.calls(), store.sensor().exchanges), (total, total));
}
