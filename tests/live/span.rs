//! Three namespaces, the mirror between them, and the processes in them.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The server's address (RFC 5737), within its namespace only.
pub const SERVER: &str = "198.51.100.1";
/// Connections of the load.
pub const CONNECTIONS: u64 = 16;

/// A namespace's name begins with this and the process id of its test.
const PREFIX: &str = "shadowtap";

/// The namespaces, and nginx in one of them.
pub struct Span {
    dir: TempDir,
    nginx: Option<Child>,
    /// The namespaces' names are the process's: one test at a time.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Span {
    /// Makes it all.
    ///
    /// # Errors
    /// With the reason why this machine cannot.
    pub fn new() -> Result<Self, String> {
        Self::with(&["wrk"], |_| Ok(String::new()))
    }

    /// The same, with other tools and with servers of nginx besides the one of [`Span::new`], which `servers` prepares.
    ///
    /// # Errors
    /// With the reason why this machine cannot.
    pub fn with(tools: &[&str], servers: impl FnOnce(&Path) -> Result<String, String>) -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("network namespaces need root".to_owned());
        }
        for tool in ["ip", "tc", "curl", "nginx"].iter().chain(tools) {
            find(tool).ok_or_else(|| format!("`{tool}` is not installed (make deps-live)"))?;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        sweep();
        let dir = TempDir::new().map_err(|e| e.to_string())?;
        // A daemon that becomes another user has to come to its store.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
        let mut span = Self { dir, nginx: None, _turn: turn };
        span.connect().map_err(|e| format!("cannot make namespaces: {e}"))?;
        let servers = servers(span.dir())?;
        span.serve(&servers);
        Ok(span)
    }

    /// A place for files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A command in the clients' namespace.
    pub fn client(&self, program: &str) -> Command {
        inside('c', program)
    }

    /// A command in the sensor's namespace.
    pub fn sensor(&self, program: &str) -> Command {
        inside('m', program)
    }

    fn connect(&self) -> Result<(), String> {
        let (c, s, m) = (name('c'), name('s'), name('m'));
        for ns in [&c, &s, &m] {
            run(&format!("ip netns add {ns}"))?;
            run(&format!("ip -n {ns} link set lo up"))?;
        }
        run(&format!("ip -n {s} link add eth0 type veth peer name eth0 netns {c}"))?;
        run(&format!("ip -n {s} address add {SERVER}/24 dev eth0"))?;
        run(&format!("ip -n {c} address add 198.51.100.2/24 dev eth0"))?;
        for ns in [&s, &c] {
            run(&format!("ip -n {ns} link set eth0 up"))?;
        }
        self.mirror()
    }

    fn mirror(&self) -> Result<(), String> {
        let (s, m) = (name('s'), name('m'));
        run(&format!("ip -n {s} link add span0 type veth peer name span0 netns {m}"))?;
        for ns in [&s, &m] {
            run(&format!("ip -n {ns} link set span0 up"))?;
        }
        // Both directions of the server's link go to span0 as well: what a switch's SPAN session does.
        run(&format!("tc -n {s} qdisc add dev eth0 clsact"))?;
        for direction in ["ingress", "egress"] {
            run(&format!(
                "tc -n {s} filter add dev eth0 {direction} protocol all prio 1 u32 match u32 0 0 \
                 action mirred egress mirror dev span0"
            ))?;
        }
        Ok(())
    }

    /// Removes the mirror's link, and with it the sensor's interface.
    pub fn unplug(&self) {
        let s = name('s');
        run(&format!("tc -n {s} qdisc del dev eth0 clsact")).expect("the mirror goes");
        run(&format!("ip -n {s} link del span0")).expect("the link goes");
    }

    /// Makes it again.
    pub fn plug(&self) {
        self.mirror().expect("the mirror comes back");
    }

    /// Takes the sensor's interface `up` or `down`.
    pub fn set(&self, state: &str) {
        run(&format!("ip -n {} link set span0 {state}", name('m'))).expect("its state changes");
    }

    fn serve(&mut self, servers: &str) {
        let dir = self.dir().to_path_buf();
        fs::create_dir_all(dir.join("www/files")).expect("a folder");
        fs::write(dir.join("www/files/big.bin"), vec![7; 3 << 20]).expect("a file");
        let d = dir.display();
        let config = format!(
            "daemon off; master_process off; pid {d}/nginx.pid; error_log {d}/nginx.log;
            events {{ worker_connections 256; }}
            http {{
              log_format calls '$request_method $uri $status $server_protocol $ssl_protocol';
              access_log {d}/access.log calls;
              client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3;
              uwsgi_temp_path {d}/t4; scgi_temp_path {d}/t5;
              keepalive_requests 1000000; default_type application/json;
              {servers}
              server {{
                listen {SERVER}:8080; root {d}/www;
                location /api/users/ {{ return 200 '{{\"name\": \"Ada\"}}'; }}
                location /api/items/ {{ return 200 '{{\"items\": [1, 2, 3]}}'; }}
                location /api/orders/ {{ return 200 '{{\"total\": 12}}'; }}
                location = /api/orders {{ return 201 '{{\"total\": 12}}'; }}
              }}
            }}"
        );
        fs::write(dir.join("nginx.conf"), config).expect("a file");
        let mut nginx = inside('s', "nginx");
        nginx.arg("-c").arg(dir.join("nginx.conf")).arg("-e").arg(dir.join("nginx.log"));
        self.nginx = Some(nginx.stdin(Stdio::null()).spawn().expect("nginx starts"));
        let end = Instant::now() + Duration::from_secs(20);
        while !listens() {
            assert!(Instant::now() < end, "nginx does not listen\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// wrk for so many seconds, each of its connections with a pause after each answer: a rate, not a flood.
    pub fn load(&self, seconds: u32) {
        self.start_load(seconds).finish();
    }

    /// The same, in the background.
    pub fn start_load(&self, seconds: u32) -> Load {
        let script = self.dir().join("items.lua");
        let lua = "request = function() return wrk.format('GET', '/api/items/' .. math.random(1, 5000)) end\n\
                   delay = function() return 4 end\n";
        fs::write(&script, lua).expect("a file");
        let mut wrk = self.client("wrk");
        wrk.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-s"]).arg(script);
        wrk.arg(format!("http://{SERVER}:8080")).stdout(Stdio::null());
        Load(wrk.spawn().expect("wrk starts"))
    }

    /// How often nginx answered below a path.
    pub fn logged(&self, path: &str) -> u64 {
        let log = fs::read_to_string(self.dir().join("access.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(path)).count() as u64
    }

    /// The ends of the logs, for a test that fails.
    pub fn logs(&self) -> String {
        let mut out = String::new();
        for log in ["daemon.log", "nginx.log"] {
            let text = fs::read_to_string(self.dir().join(log)).unwrap_or_default();
            let from = text.len().saturating_sub(3000);
            out.push_str(&format!("--- {log}\n{}\n", text.get(from..).unwrap_or_default()));
        }
        out
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(nginx) = &mut self.nginx {
            let _ = nginx.kill();
            let _ = nginx.wait();
        }
        for which in ['c', 's', 'm'] {
            let _ = run(&format!("ip netns del {}", name(which)));
        }
    }
}

/// wrk at work.
pub struct Load(Child);

impl Load {
    /// Waits for its end.
    pub fn finish(mut self) {
        let status = self.0.wait().expect("wrk ends");
        assert!(status.success(), "wrk: {status}");
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits until it says (by sd_notify) that it is ready.
    pub fn start(mut command: Command, dir: &Path) -> Self {
        let path = dir.join("notify.sock");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        // As systemd's own is: whoever the daemon has become may write to it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("open to all");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let log = || File::options().create(true).append(true).open(dir.join("daemon.log")).expect("a log");
        command.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(log()).stderr(log());
        let mut child = command.spawn().expect("shadowtap starts");
        let end = Instant::now() + Duration::from_secs(20);
        let mut buffer = [0; 1024];
        loop {
            if let Ok(n) = socket.recv(&mut buffer)
                && String::from_utf8_lossy(&buffer[..n]).lines().any(|line| line == "READY=1")
            {
                break;
            }
            let gone = child.try_wait().expect("its state");
            if gone.is_some() || Instant::now() > end {
                let log = fs::read_to_string(dir.join("daemon.log")).unwrap_or_default();
                let _ = child.kill();
                panic!("the daemon did not get ready ({gone:?})\n{log}");
            }
        }
        // The socket may go: sd_notify does not wait for a reader.
        Self(child)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill().expect("kill");
        self.0.wait().expect("its end");
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).expect("SIGTERM");
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.0.try_wait().expect("its state") {
                return status;
            }
            assert!(Instant::now() < end, "SIGTERM did not end the daemon within 20 seconds");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn name(which: char) -> String {
    format!("{PREFIX}-{}-{which}", std::process::id())
}

/// `ip netns exec` becomes the program: the child's process id is the program's.
fn inside(which: char, program: &str) -> Command {
    let mut command = Command::new(find("ip").unwrap_or_else(|| "ip".to_owned()));
    command.args(["netns", "exec", &name(which), program]).env("PATH", path());
    command
}

/// Does anything listen in the server's namespace? Asks the kernel; makes no connection.
fn listens() -> bool {
    let output = inside('s', "cat").arg("/proc/net/tcp").output().expect("cat");
    // State 0A is LISTEN, port 8080 is 1F90.
    String::from_utf8_lossy(&output.stdout).lines().any(|l| l.contains(":1F90 ") && l.contains(" 0A "))
}

fn run(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = find(words[0]).ok_or_else(|| format!("no `{}`", words[0]))?;
    let output = Command::new(program).args(&words[1..]).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn path() -> String {
    format!("{}:/usr/local/sbin:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn find(tool: &str) -> Option<String> {
    path().split(':').map(|dir| format!("{dir}/{tool}")).find(|file| Path::new(file).is_file())
}

/// Namespaces that a test left which was killed itself.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(ns) = file.to_str() else { continue };
        let mut parts = ns.split('-');
        if parts.next() != Some(PREFIX) {
            continue;
        }
        let Some(pid) = parts.next().filter(|pid| pid.bytes().all(|b| b.is_ascii_digit())) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = run(&format!("ip netns del {ns}"));
        }
    }
}
