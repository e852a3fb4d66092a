"""Namespaces, servers and the capture.

Two network namespaces joined by a veth pair: servers live in one (192.0.2.1, 2001:db8::1), clients in the other
(192.0.2.10 to .12, 2001:db8::10); tcpdump listens on the clients' end. Nothing leaves the two namespaces, and all that
was started is ended by its process id.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

SERVER = "192.0.2.1"
SERVER6 = "2001:db8::1"
CLIENTS = ["192.0.2.10", "192.0.2.11", "192.0.2.12"]
CLIENT6 = "2001:db8::10"


def run(*argv, check=True, **kw):
    return subprocess.run([str(a) for a in argv], check=check, **kw)


class Lab:
    """One recording's surroundings. `work` is an empty folder with a neutral name: it may show in what servers say."""

    def __init__(self, name: str, work: pathlib.Path, venv: pathlib.Path):
        tag = f"{os.getpid()}"
        self.name = name
        self.server_ns = f"rec-s-{tag}"
        self.client_ns = f"rec-c-{tag}"
        self.work = work
        self.venv = venv
        self.processes: list[subprocess.Popen] = []
        self.hosts: dict[str, str] = {}

    def __enter__(self):
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        run("ip", "netns", "add", self.server_ns)
        run("ip", "netns", "add", self.client_ns)
        run("ip", "-n", self.server_ns, "link", "add", "eth0", "address", "02:00:00:00:00:01", "type", "veth",
            "peer", "name", "eth0", "address", "02:00:00:00:00:0a", "netns", self.client_ns)
        for ns, addresses in ((self.server_ns, [f"{SERVER}/24", f"{SERVER6}/64"]),
                              (self.client_ns, [f"{c}/24" for c in CLIENTS] + [f"{CLIENT6}/64"])):
            # No background chatter: no IPv6 autoconfiguration, no waiting for duplicate addresses.
            run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0",
                "net.ipv6.conf.eth0.accept_dad=0", "net.ipv6.conf.eth0.router_solicitations=0")
            for address in addresses:
                run("ip", "-n", ns, "address", "add", address, "dev", "eth0")
            run("ip", "-n", ns, "link", "set", "lo", "up")
            run("ip", "-n", ns, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            stop(p)
        for ns in (self.client_ns, self.server_ns):
            run("ip", "netns", "del", ns, check=False)
            shutil.rmtree(f"/etc/netns/{ns}", ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def host(self, *names: str, address: str = SERVER):
        """Makes names resolve to an address, in both namespaces (by /etc/netns)."""
        for name in names:
            self.hosts[name] = address
        text = "127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in self.hosts.items())
        for ns in (self.client_ns, self.server_ns):
            folder = pathlib.Path("/etc/netns", ns)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "hosts").write_text(text)

    def _inside(self, ns: str, hostname: str, argv):
        shell = 'hostname "$1"; shift; exec "$@"'
        return ["ip", "netns", "exec", ns, "unshare", "--uts", "sh", "-c", shell, "sh", hostname, *map(str, argv)]

    def serve(self, *argv, port=None, log="server.log", env=None):
        """Starts a server and waits for its port."""
        out = open(self.work / log, "ab")
        p = subprocess.Popen(self._inside(self.server_ns, "api", argv), stdout=out, stderr=out, cwd=self.work,
                             env={**os.environ, **(env or {})}, start_new_session=True)
        self.processes.append(p)
        if port:
            self.wait_port(port, p)
        return p

    def wait_port(self, port: int, p=None, seconds=20):
        """Looks for a listening socket in the server's namespace; makes no traffic."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if p and p.poll() is not None:
                break
            out = run("ip", "netns", "exec", self.server_ns, "ss", "-Hltn", f"sport = :{port}", capture_output=True)
            if out.stdout.strip():
                return
            time.sleep(0.05)
        for log in sorted(self.work.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise SystemExit(f"{self.name}: nothing listens on port {port}")

    def client(self, *argv, env=None, **kw):
        """Runs a client to its end."""
        return run(*self._inside(self.client_ns, "laptop", argv), cwd=self.work, env={**os.environ, **(env or {})}, **kw)

    def client_server(self, *argv, log="client.log"):
        """Starts something in the clients' namespace that goes on."""
        out = open(self.work / log, "ab")
        p = subprocess.Popen(self._inside(self.client_ns, "laptop", argv), stdout=out, stderr=out, cwd=self.work,
                             start_new_session=True)
        self.processes.append(p)
        return p

    @contextlib.contextmanager
    def capture(self, file: pathlib.Path, interface="eth0", options=(), expression="tcp"):
        """tcpdump on the clients' end, from before the first packet to after the last."""
        p = subprocess.Popen(["ip", "netns", "exec", self.client_ns, "tcpdump", "-i", interface, "-n", "-U", "-Z", "root",
                              "-w", str(file), *options, expression], stderr=subprocess.PIPE)
        self.processes.append(p)
        line = p.stderr.readline()
        while b"listening on" not in line:
            if not line:
                raise SystemExit("tcpdump did not start")
            line = p.stderr.readline()
        yield
        time.sleep(1.0)
        p.send_signal(signal.SIGINT)
        _, rest = p.communicate(timeout=10)
        self.processes.remove(p)
        if b"0 packets dropped by kernel" not in rest:
            raise SystemExit(f"tcpdump lost packets: {rest.decode()}")

    def no_offload(self):
        """Packets of a wire's size instead of the 64 KB that a veth pair passes along."""
        for ns in (self.client_ns, self.server_ns):
            run("ip", "-n", ns, "link", "set", "eth0", "gso_max_segs", "1")
            run("ip", "-n", ns, "link", "set", "eth0", "gso_max_size", "1500", check=False, stderr=subprocess.DEVNULL)


def stop(p: subprocess.Popen):
    """Ends one process group of ours."""
    if p.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM) if os.getpgid(p.pid) == p.pid else p.terminate()
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL) if os.getpgid(p.pid) == p.pid else p.kill()
            p.wait()


def free_text_guard(data: bytes, *forbidden: str):
    """Refuses a recording that names the machine it was made on."""
    for word in (*forbidden, socket.gethostname()):
        if word and len(word) > 3 and word.encode() in data:
            raise SystemExit(f"the recording names {word!r}")
