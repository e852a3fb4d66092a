"""aria2 with its RPC interface: JSON-RPC (aria2p, curl), XML-RPC (Python's xmlrpc.client) and WebSocket. aria2 is a
client too: what it is told to download it fetches from a file server on the clients' side. The document is
our own short one: JSON-RPC has no OpenAPI document of its own."""

import json
import time

HOSTS = ["aria2.test"]
PORT = 6800
SPECS = ["aria2.yaml"]
COMPRESS = None
ROUTES = [("aria2.test", "/jsonrpc"), ("aria2.test", "/rpc"), ("files.test", "/images/{n}")]
SECRET = "test-secret"


def prepare(lab):
    lab.host("files.test", address="192.0.2.10")
    www = lab.work / "files"
    (www / "images").mkdir(parents=True)
    for n in range(1, 7):
        (www / f"images/{n}").write_bytes(bytes((i * n) & 255 for i in range(40_000)))
    (lab.work / "files.conf").write_text(f"""
daemon off; master_process off; pid {lab.work}/nginx.pid; error_log {lab.work}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format truth '$request_method\\t$host\\t$request_uri\\t$status\\t$sent_http_content_type';
  access_log {lab.work}/files.log truth;
  client_body_temp_path {lab.work}/t1; proxy_temp_path {lab.work}/t2; fastcgi_temp_path {lab.work}/t3;
  uwsgi_temp_path {lab.work}/t4; scgi_temp_path {lab.work}/t5;
  server {{ listen 192.0.2.10:8088; root {www}; }}
}}
""")
    (lab.work / "downloads").mkdir()


def serve(lab, here):
    lab.client_server("nginx", "-c", lab.work / "files.conf", "-e", lab.work / "error.log")
    lab.serve("aria2c", "--enable-rpc", "--rpc-listen-all", f"--rpc-listen-port={PORT}", f"--rpc-secret={SECRET}",
              f"--dir={lab.work}/downloads", "--no-conf", "--disable-ipv6", "--split=3", "--min-split-size=1M",
              "--enable-dht=false", "--bt-enable-lpd=false", port=PORT)


def drive(truth):
    import asyncio
    import xmlrpc.client

    import aria2p
    import websockets

    base = f"http://aria2.test:{PORT}"
    truth.hook_requests("aria2p")

    api = aria2p.API(aria2p.Client(host="http://aria2.test", port=PORT, secret=SECRET))
    downloads = [api.add_uris([f"http://files.test:8088/images/{n}"]) for n in range(1, 6)]
    for _ in range(20):
        if all(d.is_complete for d in api.get_downloads()):
            break
        time.sleep(0.2)
    api.get_stats()
    api.get_global_options()
    for d in downloads:
        d.update()
    api.purge()

    def rpc(method, *params, token=SECRET):
        body = json.dumps({"jsonrpc": "2.0", "id": "q", "method": method, "params": [f"token:{token}", *params]})
        truth.curl("-H", "Content-Type: application/json", "-d", body, f"{base}/jsonrpc", request_type="application/json")

    for method in ("aria2.getVersion", "aria2.tellActive", "aria2.getGlobalStat", "aria2.getSessionInfo", "system.listMethods",
                   "aria2.noSuchMethod"):
        rpc(method)
    rpc("aria2.getVersion", token="wrong")
    # JSON-RPC by GET, as aria2 allows.
    truth.curl("-G", "--data-urlencode", "method=aria2.getVersion", "--data-urlencode", "id=1", "--data-urlencode",
               "params=WyJ0b2tlbjp0ZXN0LXNlY3JldCJd", f"{base}/jsonrpc")

    # XML-RPC; each call is one POST.
    proxy = xmlrpc.client.ServerProxy(f"{base}/rpc")
    for _ in range(4):
        proxy.aria2.getVersion(f"token:{SECRET}")
        truth.add("xmlrpc.client", "POST", f"{base}/rpc", 200, "text/xml", "text/xml")

    # A web front end: the same calls over a WebSocket.
    async def front_end():
        async with websockets.connect(f"ws://aria2.test:{PORT}/jsonrpc", proxy=None) as ws:
            for n in range(5):
                await ws.send(json.dumps({"jsonrpc": "2.0", "id": str(n), "method": "aria2.getGlobalStat", "params": [f"token:{SECRET}"]}))
                await ws.recv()

    asyncio.run(front_end())
    truth.add("websockets", "GET", f"{base}/jsonrpc", 101, "", "")

    # A scanner; this server says 404 without a word.
    words = [".env", "wp-login.php", "admin", "index.html", "jsonrpc2", "RPC2", "api", "login"]
    truth.curl("-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12", *[f"{base}/{w}" for w in words],
               *sum([["-o", "/dev/null"] for _ in words[1:]], []))
    time.sleep(0.5)


def server_truth(lab, file):
    """What aria2 fetched, by the file server's own log."""
    with file.open("a") as f:
        for line in (lab.work / "files.log").read_text().splitlines():
            method, host, target, status, kind = line.split("\t")
            f.write(json.dumps({"client": "aria2", "method": method, "host": host, "port": 8088, "target": target,
                                "status": int(status), "request_type": "", "response_type": kind}) + "\n")
