//! The store against kills, damage, power cuts and other processes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::base::{Bucket, Timestamp};

type Known = BTreeMap<Vec<u8>, Vec<u8>>;

const CHILD: &str = "SHADOWTAP_TEST_STORE";

fn change(key: u32, value: &[u8]) -> Change {
    Change { key: key.to_be_bytes().to_vec(), value: Some(value.to_vec()) }
}

fn gone(key: u32) -> Change {
    Change { key: key.to_be_bytes().to_vec(), value: None }
}

fn known(store: &Store) -> Known {
    store.records().collect::<Result<_, _>>().expect("records are readable")
}

fn open_clean(dir: &Path) -> Store {
    let (store, recovery) = Store::open(dir).expect("opens");
    assert!(recovery.is_clean(), "{recovery}");
    store
}

/// A record whose bytes tell round and key, of the size that a small endpoint has.
fn body(round: u64, key: u32) -> Vec<u8> {
    let mut value = format!("round {round} key {key} ").into_bytes();
    value.resize(400, b'.');
    value
}

/// What the store must hold after `rounds` rounds of [`round_changes`].
fn after(rounds: u64) -> Known {
    let mut known = Known::new();
    for round in 1..=rounds {
        for change in round_changes(round) {
            match change.value {
                Some(value) => known.insert(change.key, value),
                None => known.remove(&change.key),
            };
        }
    }
    known
}

fn round_changes(round: u64) -> Vec<Change> {
    let mut changes: Vec<_> =
        (0..40_u32).map(|n| (n * 7 + round as u32 * 13) % 500).map(|key| change(key, &body(round, key))).collect();
    changes.push(gone((round as u32 * 31) % 500));
    changes
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, recovery) = Store::open(dir.path()).unwrap();
    assert!(recovery.created && recovery.is_clean());
    store.commit(&[change(1, b"one"), change(2, b"two"), change(3, b"three")]).unwrap();
    store.commit(&[change(2, b"zwei"), gone(3), gone(9)]).unwrap();
    store.sensor_mut().begin(Timestamp(5));
    store.sensor_mut().ledger.add(Bucket::Http, 77);
    store.commit(&[]).unwrap();
    let key = store.observe_key();
    assert_ne!(key, ObserveKey::default());
    let before = known(&store);
    assert_eq!(before.len(), 2);
    assert_eq!(before[&2_u32.to_be_bytes()[..]], b"zwei");
    drop(store);
    let (store, recovery) = Store::open(dir.path()).unwrap();
    assert_eq!(recovery, Recovery { created: false, records: 2, damage: None });
    assert_eq!(known(&store), before);
    assert_eq!(store.observe_key(), key);
    assert_eq!(store.sensor().ledger.get(Bucket::Http), 77);
}

#[test]
fn of_several_changes_to_one_key_the_last_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    store.commit(&[change(1, b"a"), gone(1), change(1, b"b"), change(2, b"c"), gone(2)]).unwrap();
    drop(store);
    let store = open_clean(dir.path());
    assert_eq!(known(&store).into_values().collect::<Vec<_>>(), [b"b"]);
}

#[test]
fn marks_of_removed_records_go_with_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    for round in 1..50 {
        store.commit(&round_changes(round)).unwrap();
    }
    assert!(!store.removed.is_empty());
    store.snapshot().unwrap();
    assert!(store.removed.is_empty());
    assert_eq!(store.db.iter().count(), known(&store).len() + 2, "records, key and head");
    drop(store);
    assert_eq!(known(&open_clean(dir.path())), after(49));
}

#[test]
fn files_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("a/b");
    let mut store = open_clean(&at);
    store.commit(&[change(1, b"one")]).unwrap();
    store.snapshot().unwrap();
    assert_eq!(fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["head", "snapshot", "lock", "db/db", "db/conf"] {
        assert_eq!(fs::metadata(at.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    for name in ["db", "db/blobs"] {
        assert_eq!(fs::metadata(at.join(name)).unwrap().permissions().mode() & 0o777, 0o700, "{name}");
    }
}

#[test]
fn a_second_writer_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open_clean(dir.path());
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
}

#[test]
fn a_newer_schema_is_an_error_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    store.commit(&[change(1, b"one")]).unwrap();
    let mut sealed = envelope::seal(b"rnew", Kind::Value, 2, b"from the future");
    sealed[0] = SCHEMA + 1;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&4_u32.to_le_bytes());
    crc.update(b"rnew");
    crc.update(&sealed[..10]);
    crc.update(&sealed[envelope::HEADER..]);
    sealed[10..14].copy_from_slice(&crc.finalize().to_le_bytes());
    let mut batch = sled::Batch::default();
    batch.insert(b"rnew", sealed);
    store.db.apply(batch).unwrap();
    drop(store);
    for _ in 0..2 {
        let error = Store::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found, ours: SCHEMA, .. } if found == SCHEMA + 1), "{error}");
    }
    assert!(!has_damaged(dir.path()));
}

// --- kill -9

/// Not a test of its own: the process that others kill. Says each round only after it was acknowledged.
#[test]
fn child_that_writes() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let (mut store, recovery) = Store::open(Path::new(&dir)).unwrap();
    let out = std::io::stdout();
    writeln!(&out, "\nopen {recovery}").unwrap();
    let mut round = store.sensor().exchanges;
    let rounds = std::env::var("SHADOWTAP_TEST_ROUNDS").map_or(u64::MAX, |n| n.parse().unwrap());
    while round < rounds {
        round += 1;
        store.sensor_mut().exchanges = round;
        store.commit(&round_changes(round)).unwrap();
        writeln!(&out, "ack {round}").unwrap();
        if round % 25 == 0 {
            store.snapshot().unwrap();
        }
    }
}

fn child(dir: &Path, wrap: &[&str]) -> Command {
    let exe = std::env::current_exe().unwrap();
    let args = ["inventory::store::tests::child_that_writes", "--exact", "--nocapture"];
    let mut command = match wrap {
        [] => Command::new(exe),
        [program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest).arg(exe);
            command
        }
    };
    command.args(args).env(CHILD, dir).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn acknowledged(child: &mut Child, until: impl Fn(u64) -> bool) -> u64 {
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(clean) = line.strip_prefix("open ") {
            assert!(clean.starts_with("made a new") || clean.starts_with("the store is whole"), "{clean}");
        }
        if let Some(round) = line.strip_prefix("ack ") {
            last = round.parse().unwrap();
            if until(last) {
                break;
            }
        }
    }
    last
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for kill in 1..=12_u64 {
        let mut writer = child(dir.path(), &[]).spawn().unwrap();
        let target = last + 3 + kill * 5 % 17;
        let seen = acknowledged(&mut writer, |round| round >= target);
        // Into the middle of whatever the next round does.
        std::thread::sleep(Duration::from_micros(kill * 731 % 5000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(seen >= target);
        let store = open_clean(dir.path());
        last = store.sensor().exchanges;
        assert!(last >= seen, "round {seen} was acknowledged, the store ends at {last}");
        assert_eq!(known(&store), after(last), "kill {kill}: the store is exactly at round {last}");
    }
}

// --- power cut

/// What a power cut leaves is what `fsync`/`fdatasync` has returned for. At each acknowledgement no file of the store
/// may have writes, and no folder entries, that were not synced.
#[test]
fn nothing_is_acknowledged_before_it_is_synced() {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if !strace.is_ok_and(|s| s.success()) {
        eprintln!("\n*** skipped: strace is not installed; the order of writes and syncs was not checked ***\n");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let calls = "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,rename,unlink,mkdir";
    let wrap = ["strace", "-f", "-y", "-s", "16", "-e", calls, "-o", trace.to_str().unwrap()];
    let at = dir.path().join("store");
    let status = child(&at, &wrap).env("SHADOWTAP_TEST_ROUNDS", "60").stdout(Stdio::null()).status().unwrap();
    if !status.success() || !trace.exists() {
        eprintln!("\n*** skipped: strace may not trace here; the order of writes and syncs was not checked ***\n");
        return;
    }
    let text = fs::read_to_string(&trace).unwrap();
    let acks = check_syncs(&text, at.to_str().unwrap());
    assert_eq!(acks, 60);
}

fn check_syncs(trace: &str, store: &str) -> usize {
    let mut dirty = std::collections::BTreeSet::new();
    let mut pending: BTreeMap<String, String> = BTreeMap::new();
    let mut acks = 0;
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        // The file of a call on a descriptor: `fdatasync(5</path>)`.
        let file = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        let ours = |p: &str| p.starts_with(store) && !p.ends_with("/lock");
        let name = call.split('(').next().unwrap_or_default();
        match name {
            "pwrite64" | "write" | "ftruncate" => {
                if call.contains("\"ack ") {
                    assert!(dirty.is_empty(), "acknowledged with {dirty:?} not synced: {line}");
                    acks += 1;
                } else if let Some(path) = file.filter(|p| ours(p)) {
                    dirty.insert(path);
                }
            }
            "fsync" | "fdatasync" => {
                if call.contains("<unfinished") {
                    pending.insert(pid.to_owned(), file.unwrap_or_default());
                } else if call.ends_with("= 0") {
                    dirty.remove(&file.unwrap_or_default());
                }
            }
            "rename" | "unlink" | "mkdir" => {
                if let Some(path) = call.split('"').rfind(|p| p.starts_with(store))
                    && path != store
                    && let Some((parent, _)) = path.rsplit_once('/')
                {
                    dirty.insert(parent.to_owned());
                    if name == "rename" {
                        dirty.retain(|d| d != call.split('"').nth(1).unwrap_or_default());
                    }
                }
            }
            "openat" if call.contains("O_CREAT") => {
                if let Some(path) = call.split('"').nth(1).filter(|p| ours(p))
                    && let Some((parent, _)) = path.rsplit_once('/')
                {
                    dirty.insert(parent.to_owned());
                }
            }
            _ if call.starts_with("<... f") && call.contains("sync resumed") && call.ends_with("= 0") => {
                if let Some(path) = pending.remove(pid) {
                    dirty.remove(&path);
                }
            }
            _ => {}
        }
    }
    acks
}

#[test]
fn the_sync_check_can_fail() {
    let trace = "1 pwrite64(5</s/db/db>, \"x\"..., 1, 0) = 1\n1 write(1</dev/null>, \"ack 1\\n\", 6) = 6\n";
    assert!(std::panic::catch_unwind(|| check_syncs(trace, "/s")).is_err());
    let synced = trace.replace("1 write", "1 fdatasync(5</s/db/db>) = 0\n1 write");
    assert_eq!(check_syncs(&synced, "/s"), 1);
}

// --- damage

/// A store of 60 rounds, its snapshot after round 40.
fn worn_store(dir: &Path) -> (Known, Known) {
    let mut store = open_clean(dir);
    for round in 1..=40 {
        store.commit(&round_changes(round)).unwrap();
    }
    store.snapshot().unwrap();
    for round in 41..=60 {
        store.commit(&round_changes(round)).unwrap();
    }
    assert_eq!(known(&store), after(60));
    (after(40), after(60))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), &to).map(drop).unwrap() }
    }
}

fn files_of(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_of(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// After damage either everything is there, or the loss is reported; and nothing older than the snapshot comes back.
fn check_damaged(dir: &Path, at_snapshot: &Known, all: &Known, what: &str) -> bool {
    let (store, recovery) = Store::open(dir).unwrap_or_else(|e| panic!("{what}: {e}"));
    let found = known(&store);
    if recovery.is_clean() {
        assert_eq!(&found, all, "{what}: clean, but not everything is there");
    } else {
        let round =
            |value: &[u8]| -> u64 { std::str::from_utf8(value).unwrap().split(' ').nth(1).unwrap().parse().unwrap() };
        // One that was removed after the snapshot may have come back after that, in a commit that is lost.
        let removed: std::collections::BTreeSet<_> =
            (41..=60).flat_map(round_changes).filter(|c| c.value.is_none()).map(|c| c.key).collect();
        for (key, value) in at_snapshot.iter().filter(|(key, _)| !removed.contains(*key)) {
            let kept = found.get(key).is_some_and(|f| round(f) >= round(value));
            assert!(kept, "{what}: a record of the snapshot is lost or older");
        }
        assert!(!recovery.to_string().is_empty());
    }
    let clean = recovery.is_clean();
    drop(store);
    // Once mended it stays mended.
    assert_eq!(known(&open_clean(dir)), found, "{what}");
    clean
}

#[test]
fn damage_to_any_file_is_mended_or_told() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    let (at_snapshot, all) = worn_store(&good);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below.max(1)
    };
    let mut damaged = 0;
    for file in files_of(&good) {
        let name = file.strip_prefix(&good).unwrap();
        let len = fs::metadata(&file).unwrap().len();
        let tries = if name == Path::new("db/db") { 24 } else { 4 };
        for n in 0..tries {
            let bad = dir.path().join("bad");
            copy(&good, &bad);
            let at = random(len);
            let how = ["flipped", "overwritten", "cut", "removed"][n % 4];
            let file = OpenOptions::new().write(true).read(true).open(bad.join(name)).unwrap();
            match how {
                "flipped" => {
                    let mut byte = [0];
                    let _ = file.read_at(&mut byte, at).unwrap();
                    file.write_all_at(&[byte[0] ^ 1 << random(8)], at).unwrap();
                }
                "overwritten" => file.write_all_at(&vec![0xa5; 4096.min((len - at) as usize)], at).unwrap(),
                "cut" => file.set_len(at).unwrap(),
                _ => fs::remove_file(bad.join(name)).unwrap(),
            }
            let what = format!("{} {how} at {at} of {len}", name.display());
            damaged += u32::from(!check_damaged(&bad, &at_snapshot, &all, &what));
            fs::remove_dir_all(&bad).unwrap();
        }
    }
    assert!(damaged > 10, "the damage was real: {damaged}");
}

#[test]
fn a_lost_database_is_rebuilt_from_the_snapshot_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let (at_snapshot, _) = worn_store(dir.path());
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    let (store, recovery) = Store::open(dir.path()).unwrap();
    let damage = recovery.damage.unwrap();
    assert_eq!(known(&store), at_snapshot);
    assert!(damage.lost_commits >= 20, "{damage}");
    assert!(damage.set_aside.is_none() && damage.snapshot.is_some());
}

#[test]
fn without_database_and_snapshot_the_loss_is_said() {
    let dir = tempfile::tempdir().unwrap();
    worn_store(dir.path());
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    fs::remove_file(dir.path().join("snapshot")).unwrap();
    let (store, recovery) = Store::open(dir.path()).unwrap();
    let damage = recovery.damage.unwrap();
    assert!(known(&store).is_empty());
    assert!(damage.key_lost && damage.lost_commits > 60 && damage.snapshot.is_none(), "{damage}");
}

#[test]
fn newer_records_of_a_damaged_database_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (_, all) = worn_store(dir.path());
    let key = b"r\0\0\0\x07";
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut sealed = store.db.get(key).unwrap().unwrap().to_vec();
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    let mut batch = sled::Batch::default();
    batch.insert(key, sealed);
    store.db.apply(batch).unwrap();
    drop(store);
    let (store, recovery) = Store::open(dir.path()).unwrap();
    let damage = recovery.damage.unwrap();
    assert_eq!(damage.unreadable, 1);
    assert!(damage.newer > 0 && damage.set_aside.as_ref().is_some_and(|p| p.is_dir()), "{damage}");
    let found = known(&store);
    for (k, v) in &all {
        assert!(&found[k] == v || k == &key[1..], "all but the damaged record is as it was");
    }
    assert!(found.contains_key(&key[1..]) || !after(40).contains_key(&key[1..]));
}

#[test]
fn only_the_last_few_damaged_databases_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    worn_store(dir.path());
    for _ in 0..5 {
        fs::write(dir.path().join("db/conf"), [0xff; 64]).unwrap();
        fs::write(dir.path().join("db/db"), [0xff; 4096]).unwrap();
        let (_, recovery) = Store::open(dir.path()).unwrap();
        assert!(!recovery.is_clean());
    }
    let aside = fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("db.damaged-"))
        .count();
    assert_eq!(aside, 3);
    assert!(dir.path().join("db.damaged-5").exists());
}

#[test]
fn a_store_goes_on_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    store.commit(&[change(1, b"one")]).unwrap();
    store.broken = true;
    assert!(store.commit(&[change(2, b"two")]).is_err());
    store.sensor_mut().exchanges = 9;
    let (mut store, recovery) = store.reopen().unwrap();
    assert!(recovery.is_clean());
    store.commit(&[change(2, b"two")]).unwrap();
    drop(store);
    let store = open_clean(dir.path());
    assert_eq!(known(&store).len(), 2);
    assert_eq!(store.sensor().exchanges, 9);
}

// --- readers

#[test]
fn a_reader_of_an_unattended_store_sees_all_commits() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Store::read_only(dir.path()), Err(StoreError::Absent { .. })));
    assert!(matches!(Store::read_only(&dir.path().join("no")), Err(StoreError::Absent { .. })));
    let (_, all) = worn_store(dir.path());
    let reader = Store::read_only(dir.path()).unwrap();
    assert_eq!(reader.freshness(), &Freshness::Complete);
    for _ in 0..2 {
        assert_eq!(reader.records().collect::<Result<Known, _>>().unwrap(), all);
    }
    assert!(reader.observe_key().is_some());
}

#[test]
fn a_reader_beside_a_silent_writer_gets_the_last_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let (at_snapshot, _) = worn_store(dir.path());
    let mut store = open_clean(dir.path());
    store.commit(&[change(1, b"round 99")]).unwrap();
    let reader = Store::read_only(dir.path()).unwrap();
    assert!(matches!(reader.freshness(), Freshness::Last(why) if why.contains("it is open")));
    assert_eq!(reader.records().collect::<Result<Known, _>>().unwrap(), at_snapshot);
    // A snapshot written meanwhile does not get in between.
    store.snapshot().unwrap();
    assert_eq!(reader.records().count(), at_snapshot.len());
}

#[test]
fn a_reader_asks_the_daemon_for_a_fresh_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    let listener = std::os::unix::net::UnixListener::bind(dir.path().join(CONTROL_SOCKET)).unwrap();
    let daemon = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(Request::read(&stream).unwrap(), Some(Request::Snapshot));
        store.commit(&[change(1, b"pending")]).unwrap();
        let stamp = store.snapshot().unwrap();
        Reply::Ok(stamp.commit.to_string()).write(&stream).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(Request::read(&stream).unwrap(), Some(Request::Status));
        Reply::Error("not\nnow".into()).write(&stream).unwrap();
    });
    let reader = Store::read_only(dir.path()).unwrap();
    assert_eq!(reader.freshness(), &Freshness::Live);
    assert_eq!(reader.records().count(), 1);
    assert!(status(dir.path()).unwrap_err().to_string().contains("not now"));
    daemon.join().unwrap();
}

// --- size

/// Fills a store with `records` of 2 kB, then updates `part` of them a round; gives the data's bytes, the folder's
/// largest size, and the median and slowest round.
fn wear(records: u32, part: u32, rounds: u32) -> (u64, u64, Duration, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_clean(dir.path());
    let value = |round: u32, key: u32| -> Vec<u8> {
        // As incompressible as sketches are.
        let mut x = u64::from(round) << 32 | u64::from(key) | 1;
        (0..250)
            .flat_map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                x.to_le_bytes()
            })
            .collect()
    };
    for keys in (0..records).collect::<Vec<_>>().chunks(5000) {
        store.commit(&keys.iter().map(|k| change(*k, &value(0, *k))).collect::<Vec<_>>()).unwrap();
    }
    let size =
        || -> u64 { files_of(&dir.path().join("db")).iter().map(|f| fs::metadata(f).map_or(0, |m| m.len())).sum() };
    let (mut most, mut took) = (size(), Vec::new());
    for round in 1..=rounds {
        let changes: Vec<_> = (0..part)
            .map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(round.wrapping_mul(40_503))) % records)
            .map(|key| change(key, &value(round, key)))
            .collect();
        let start = std::time::Instant::now();
        store.commit(&changes).unwrap();
        took.push(start.elapsed());
        most = most.max(size());
        if round == rounds {
            let start = std::time::Instant::now();
            store.snapshot().unwrap();
            let snapshot = fs::metadata(dir.path().join("snapshot")).unwrap().len();
            eprintln!("snapshot: {} MB in {:?}", snapshot / 1_000_000, start.elapsed());
        }
    }
    drop(store);
    let start = std::time::Instant::now();
    let store = open_clean(dir.path());
    eprintln!("open: {:?}, {} records", start.elapsed(), store.records().count());
    took.sort();
    (u64::from(records) * 2000, most, took[took.len() / 2], took[took.len() - 1])
}

#[test]
fn the_size_stays_bounded() {
    let (data, most, ..) = wear(4000, 1000, 60);
    // sled rewrites segments of half a MiB; a small store has more air in it than a large one.
    assert!(most < 8 * data + (16 << 20), "{most} bytes on disk for {data} bytes of data");
}

/// `cargo test --lib a_hundred_thousand -- --ignored --nocapture`
#[test]
#[ignore = "a minute or more of disk writes: to be run when the store changes"]
fn a_hundred_thousand_endpoints() {
    let (data, most, median, slowest) = wear(100_000, 5000, 120);
    let rss = fs::read_to_string("/proc/self/status").unwrap();
    let rss = rss.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ");
    eprintln!(
        "data {} MB, most on disk {} MB, round {median:?} median, {slowest:?} slowest; {rss}",
        data / 1_000_000,
        most / 1_000_000
    );
    assert!(most < 5 * data, "{most} bytes on disk for {data} bytes of data");
}
