"""etcd, asked by etcdctl: gRPC by HTTP/2 with prior knowledge, unary calls and streams. What was asked is what etcd's own
metrics count: its gRPC server's calls by method and code, and messages each way."""

import json
import re
import subprocess
import time
import urllib.request

HOSTS = ["etcd.test"]
PORT = 2379
SPECS = []
COMPRESS = "gz"
CODES = ["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
         "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
         "DataLoss", "Unauthenticated"]
# Servers have more methods; these are the ones that etcdctl asks for here.
ROUTES = [f"/etcdserverpb.{m}" for m in (
    "KV/Range", "KV/Put", "KV/DeleteRange", "KV/Txn", "KV/Compact", "Watch/Watch", "Lease/LeaseGrant", "Lease/LeaseRevoke",
    "Lease/LeaseTimeToLive", "Lease/LeaseKeepAlive", "Lease/LeaseLeases", "Cluster/MemberList", "Maintenance/Status",
    "Maintenance/Alarm", "Maintenance/HashKV", "Auth/UserAdd", "Auth/UserList", "Auth/UserGet", "Auth/RoleAdd", "Auth/RoleGet",
    "Auth/RoleList", "Auth/UserDelete", "Auth/AuthEnable")]


def prepare(lab):
    pass


def serve(lab, here):
    lab.serve("etcd", "--data-dir", lab.work / "data", "--listen-client-urls", f"http://0.0.0.0:{PORT}", "--advertise-client-urls",
              f"http://etcd.test:{PORT}", "--listen-peer-urls", "http://127.0.0.1:2380", "--listen-metrics-urls",
              "http://127.0.0.1:2381", port=PORT)
    time.sleep(2)


def drive(truth):
    def ctl(*args, status=0):
        p = subprocess.run(["etcdctl", f"--endpoints=http://etcd.test:{PORT}", *args], env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
                           capture_output=True, text=True)
        assert (p.returncode != 0) == bool(status), (args, p)
        return p.stdout

    for n in range(12):
        ctl("put", f"/config/service-{n}", f"value {n}" * 20)
    for n in range(8):
        ctl("get", f"/config/service-{n}")
    ctl("get", "--prefix", "/config/")
    ctl("get", "--prefix", "--keys-only", "/config/")
    ctl("del", "/config/service-11")
    subprocess.run(["etcdctl", f"--endpoints=http://etcd.test:{PORT}", "txn"], input='mod("/config/service-1") > "0"\n\nput a b\n\nput a c\n\n',
                   env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    lease = ctl("lease", "grant", "300").split()[1]
    ctl("put", "/locks/a", "held", f"--lease={lease}")
    ctl("lease", "keep-alive", "--once", lease)
    ctl("lease", "timetolive", lease)
    ctl("lease", "list")
    ctl("lease", "revoke", lease)
    ctl("lease", "revoke", "1234", status=1)
    ctl("put", "/x", "y", "--lease=4d2", status=1)
    ctl("member", "list")
    ctl("endpoint", "status")
    ctl("alarm", "list")
    ctl("user", "add", "ada:not-a-secret")
    ctl("user", "list")
    ctl("user", "get", "nobody", status=1)
    ctl("role", "add", "reader")
    ctl("role", "get", "nothing", status=1)
    ctl("compaction", "999999", status=1)
    # A stream that brings several messages; it ends because the program that it starts ends it.
    watch = subprocess.Popen(["etcdctl", f"--endpoints=http://etcd.test:{PORT}", "watch", "--prefix", "/feed/"],
                             env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    for n in range(5):
        ctl("put", f"/feed/{n}", "x" * 300)
    time.sleep(0.3)
    watch.terminate()
    watch.wait()


def settle(lab):
    """Its own figures, by a port that is not in the capture."""
    import subprocess
    text = subprocess.run(["ip", "netns", "exec", lab.server_ns, "curl", "-s", "http://127.0.0.1:2381/metrics"], check=True,
                          capture_output=True, text=True).stdout
    (lab.work / "metrics").write_text(text)


def server_truth(lab, file):
    counts = {}
    for line in (lab.work / "metrics").read_text().splitlines():
        m = re.match(r'grpc_server_(handled|started|msg_received|msg_sent)_total\{(.*)\} (\d+)', line)
        if m and int(m[3]):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', m[2]))
            path = f"/{labels['grpc_service']}/{labels['grpc_method']}"
            e = counts.setdefault(path, {"type": labels["grpc_type"], "codes": {}, "started": 0, "msg_received": 0, "msg_sent": 0})
            if m[1] == "handled":
                e["codes"][labels["grpc_code"]] = int(m[3])
            else:
                e[m[1]] = int(m[3])
    with file.open("a") as f:
        for path, e in sorted(counts.items()):
            left = e["started"]
            for code, n in sorted(e["codes"].items()):
                # A stream that its client gives up has no status on the wire.
                status = None if code == "Canceled" or e["type"] != "unary" else CODES.index(code)
                for _ in range(n):
                    left -= 1
                    f.write(json.dumps(call(path, status)) + "\n")
            for _ in range(left):
                f.write(json.dumps(call(path, None)) + "\n")
            f.write("")
    totals = {path: [e["msg_received"], e["msg_sent"]] for path, e in sorted(counts.items())}
    (lab.work / "messages.json").write_text(json.dumps(totals, indent=1) + "\n")


def call(path, status):
    return {"client": "etcdctl", "method": "POST", "host": "etcd.test", "port": PORT, "target": path, "status": 200,
            "request_type": "application/grpc", "response_type": "application/grpc", "grpc_status": status}


def keep(lab, folder):
    (folder / "messages.json").write_text((lab.work / "messages.json").read_text())
