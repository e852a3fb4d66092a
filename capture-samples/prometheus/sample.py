"""Prometheus: promtool, a dashboard in Python and curl ask it, while it scrapes an exporter on the clients' side.
The document is our own short one, after the HTTP API's documentation."""

import subprocess
import time

HOSTS = ["prometheus.test"]
PORT = 9090
SPECS = ["prometheus.yaml"]
COMPRESS = "gz"
WIRE_SIZED = False
TCPDUMP = ["--time-stamp-precision=nano"]
ROUTES = [
    "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/federate", "/graph", "/", "/classic/graph",
    *(f"/api/v1/{w}" for w in ("query", "query_range", "series", "labels", "targets", "rules", "alerts", "metadata",
                               "query_exemplars", "format_query", "alertmanagers", "targets/metadata")),
    *(f"/api/v1/status/{w}" for w in ("config", "flags", "runtimeinfo", "buildinfo", "tsdb")),
    "/api/v1/label/{name}/values",
]
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: batch
    static_configs: [{targets: ["exporter.test:9101"]}]
"""

def prepare(lab):
    lab.host("exporter.test", address="192.0.2.10")
    (lab.work / "prometheus.yml").write_text(CONFIG)


def serve(lab, here):
    lab.client_server(lab.venv / "bin/python", "-B", here / "exporter.py", lab.work / "scrapes.jsonl")
    lab.serve("prometheus", f"--config.file={lab.work}/prometheus.yml", f"--storage.tsdb.path={lab.work}/data", "--web.enable-lifecycle",
              f"--web.listen-address=0.0.0.0:{PORT}", port=PORT)


def drive(truth):
    import requests

    base = f"http://prometheus.test:{PORT}"
    truth.hook_requests()
    # Prometheus takes up to five seconds to look at its targets.
    time.sleep(8)

    s = requests.Session()
    s.headers["User-Agent"] = "Dashboard/9.3"
    now = int(time.time())
    for q in ("up", "jobs_done_total", "rate(jobs_done_total[10s])", "queue_length > 3", "sum(queue_length)", "topk(3, queue_length)"):
        s.get(f"{base}/api/v1/query", params={"query": q, "time": now})
        s.post(f"{base}/api/v1/query_range", data={"query": q, "start": now - 60, "end": now, "step": 5})
    s.get(f"{base}/api/v1/query", params={"query": "sum("})
    for label in ("job", "instance", "queue", "__name__"):
        s.get(f"{base}/api/v1/label/{label}/values")
    s.get(f"{base}/api/v1/labels")
    s.post(f"{base}/api/v1/labels", data={"match[]": "up"})
    s.get(f"{base}/api/v1/series", params={"match[]": "up"})
    s.get(f"{base}/api/v1/metadata", params={"limit": 5})
    for _ in range(3):
        s.get(f"{base}/api/v1/targets", params={"state": "active"})
    s.get(f"{base}/api/v1/rules")
    s.get(f"{base}/api/v1/alerts")
    for w in ("buildinfo", "tsdb", "flags", "runtimeinfo"):
        s.get(f"{base}/api/v1/status/{w}")
    s.get(f"{base}/federate", params={"match[]": "queue_length"})
    # Not in the document: somebody's script makes it read its configuration again.
    s.post(f"{base}/-/reload")

    # An orchestrator's probes.
    for _ in range(10):
        requests.get(f"{base}/-/healthy", headers={"User-Agent": "kube-probe/1.29"})
        requests.get(f"{base}/-/ready", headers={"User-Agent": "kube-probe/1.29"})
    # Its own metrics, gzip-coded.
    for _ in range(3):
        truth.curl("--compressed", "--interface", "192.0.2.11", f"{base}/metrics")

    # promtool keeps no log: each of these commands is one request, whose times differ with each run.
    form = "application/x-www-form-urlencoded"
    for args, method, path, kind in (
        (["query", "instant", base, "up"], "POST", "/api/v1/query", form),
        (["query", "range", base, "up", f"--start={now - 60}", f"--end={now}"], "POST", "/api/v1/query_range", form),
        (["query", "labels", base, "job"], "GET", "/api/v1/label/job/values?start=1&end=2", ""),
        (["query", "series", base, "--match=up"], "GET", "/api/v1/series?match[]=up&start=1&end=2", ""),
    ):
        subprocess.run(["promtool", *args], check=True, stdout=subprocess.DEVNULL)
        truth.add("promtool", method, base + path, 200, kind, "application/json")

    # A scanner.
    words = [".env", "wp-login.php", "admin", "api/v2/query", "actuator/prometheus", "login", "config.yml", "debug/vars2"]
    truth.curl("-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12", *[f"{base}/{w}" for w in words],
               *sum([["-o", "/dev/null"] for _ in words[1:]], []))


def settle(lab):
    """Ends Prometheus inside the capture, so that no scrape is cut off."""
    from recorder import lab as labs
    labs.stop(lab.processes[-2])


def server_truth(lab, file):
    """The exporter's own account of the scrapes."""
    with file.open("a") as f:
        f.write((lab.work / "scrapes.jsonl").read_text())
