"""PowerDNS authoritative server with its SQLite backend; its own Swagger document (MIT), which it serves at /api/docs."""

import sqlite3

HOSTS = ["dns.test"]
PORT = 8081
SPECS = ["pdns-api.yaml"]
COMPRESS = "zst"
KEY = "test-api-key"
SERVER = "/api/v1/servers/{server_id}"
ROUTES = [
    "/", "/style.css", "/metrics", "/api", "/api/v1", "/api/v1/servers",
    SERVER,
    *(f"{SERVER}/{w}" for w in ("zones", "config", "statistics", "search-data", "tsigkeys", "autoprimaries", "cache/flush")),
    f"{SERVER}/zones/{{zone_id}}",
    *(f"{SERVER}/zones/{{zone_id}}/{w}" for w in ("notify", "export", "rectify", "metadata", "cryptokeys", "axfr-retrieve")),
    f"{SERVER}/zones/{{zone_id}}/metadata/{{kind}}",
    f"{SERVER}/zones/{{zone_id}}/cryptokeys/{{id}}",
    f"{SERVER}/tsigkeys/{{id}}",
    f"{SERVER}/config/{{name}}",
]
SCHEMA = "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql"


def prepare(lab):
    database = sqlite3.connect(lab.work / "pdns.sqlite3")
    database.executescript(open(SCHEMA).read())
    database.close()


def serve(lab, here):
    lab.serve("pdns_server", f"--config-dir={lab.work}", f"--socket-dir={lab.work}", "--launch=gsqlite3",
              f"--gsqlite3-database={lab.work}/pdns.sqlite3", "--local-address=192.0.2.1", "--local-port=53", "--api",
              f"--api-key={KEY}", "--webserver", "--webserver-address=0.0.0.0", f"--webserver-port={PORT}",
              "--webserver-allow-from=192.0.2.0/24,127.0.0.0/8", "--daemon=no", "--guardian=no", "--security-poll-suffix=",
              "--autosecondary=yes", port=PORT)


def spec(lab, here):
    import subprocess
    out = subprocess.run(["ip", "netns", "exec", lab.server_ns, "curl", "-sf", "-H", f"X-API-Key: {KEY}",
                          f"http://127.0.0.1:{PORT}/api/docs"], check=True, capture_output=True).stdout
    (here / "pdns-api.yaml").write_bytes(out)


def drive(truth):
    import powerdns
    import requests

    base = f"http://dns.test:{PORT}"
    head = {"X-API-Key": KEY}
    truth.hook_requests()

    # A client library.
    api = powerdns.PDNSEndpoint(powerdns.PDNSApiClient(api_endpoint=f"{base}/api/v1", api_key=KEY, verify=False))
    server = api.servers[0]
    zones = []
    for n in range(1, 13):
        zones.append(server.create_zone(name=f"zone{n}.example.", kind="Native", nameservers=["ns1.example.", "ns2.example."]))
    for z in zones[:6]:
        z.create_records([powerdns.RRSet("www", "A", [(f"192.0.2.{n}", False) for n in range(1, 4)]),
                          powerdns.RRSet("mail", "AAAA", [("2001:db8::25", False)])])
        z.details
        z.records
    for z in zones[:3]:
        z.notify()
    for z in zones[10:]:
        server.delete_zone(z.name)

    # A script of the operators'.
    s = requests.Session()
    s.headers.update(head)
    v1 = f"{base}/api/v1/servers/localhost"
    for _ in range(4):
        s.get(f"{v1}/statistics")
    s.get(f"{v1}/statistics", params={"statistic": "uptime"})
    s.get(v1)
    s.get(f"{v1}/config")
    for q in ("www", "mail", "*"):
        s.get(f"{v1}/search-data", params={"q": q, "max": 10})
    for n in range(1, 8):
        s.get(f"{v1}/zones/zone{n}.example./export")
    for n in range(1, 5):
        s.get(f"{v1}/zones/zone{n}.example./metadata")
        s.put(f"{v1}/zones/zone{n}.example./rectify")
    s.put(f"{v1}/zones/zone1.example./metadata/ALLOW-AXFR-FROM", json={"kind": "ALLOW-AXFR-FROM", "metadata": ["AUTO-NS"]})
    s.get(f"{v1}/zones/zone1.example./metadata/ALLOW-AXFR-FROM")
    key = s.post(f"{v1}/tsigkeys", json={"name": "test-key", "algorithm": "hmac-sha256",
                                         "key": "dGVzdC1rZXktbm90LWEtc2VjcmV0"}).json()
    s.get(f"{v1}/tsigkeys")
    s.get(f"{v1}/tsigkeys/{key['id']}")
    s.delete(f"{v1}/tsigkeys/{key['id']}")
    s.put(f"{v1}/cache/flush", params={"domain": "www.zone1.example."})
    s.get(f"{v1}/zones/missing.example.")
    s.post(f"{v1}/zones", json={"name": "no-final-dot"})
    s.get(f"{v1}/zones", headers={"X-API-Key": "wrong-test-key"})
    # What the server has beside its document.
    s.get(f"{base}/api")
    s.get(f"{base}/api/v1")

    # Monitoring.
    for _ in range(10):
        truth.curl("--interface", "192.0.2.11", "-A", "Prometheus/2.42.0", "-H", "Accept: text/plain", f"{base}/metrics")
    # A browser on the built-in page.
    truth.curl("-A", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "--compressed", "-u",
               f"admin:{KEY}", f"{base}/", f"{base}/style.css", "-o", "/dev/null")
    # A scanner.
    words = [".env", "wp-login.php", "jsonstat", "admin", "api/v2", "cgi-bin/", "actuator", "api/v1/pods", "console", "index.php"]
    truth.curl("-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12", *[f"{base}/{w}" for w in words],
               *sum([["-o", "/dev/null"] for _ in words[1:]], []))
