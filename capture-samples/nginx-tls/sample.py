"""nginx with TLS: HTTP/2 and HTTP/1.1 over TLS 1.3 on one port and over TLS 1.2 on another; curl and nghttp log their keys.
What was asked is what nginx' own access log says."""

import json
import os
import subprocess

HOSTS = ["api.test"]
PORT = 443
SPECS = ["api.yaml"]
COMPRESS = "gz"
KEYS = True
KEYLOGS = ["keys/whole.log"]
ROUTES = ["/orders", "/orders/{id}", "/orders/{id}/refund", "/users/me", "/users/{id}", "/status", "/catalogue"]
CONFIG = """
daemon off; master_process off; pid WORK/nginx.pid; error_log WORK/error.log;
events { worker_connections 256; }
http {
  log_format truth escape=json '{"client":"$http_user_agent","method":"$request_method","scheme":"https","host":"$host",'
    '"port":$server_port,"target":"$request_uri","status":$status,"request_type":"$content_type",'
    '"response_type":"$sent_http_content_type","http":"$server_protocol","tls":"$ssl_protocol $ssl_cipher $ssl_session_reused"}';
  access_log WORK/access.log truth; client_body_temp_path WORK/t1; proxy_temp_path WORK/t2;
  fastcgi_temp_path WORK/t3; uwsgi_temp_path WORK/t4; scgi_temp_path WORK/t5;
  default_type application/json; gzip on; gzip_types application/json; gzip_min_length 200;
  ssl_certificate WORK/server.pem; ssl_certificate_key WORK/server.key; ssl_session_cache shared:s:1m;
  ssl_ecdh_curve X25519:secp384r1;
  server { listen 443 ssl http2; server_name api.test; ssl_protocols TLSv1.3; include WORK/api.conf; }
  server { listen 8443 ssl http2; server_name api.test; ssl_protocols TLSv1.2; include WORK/api.conf; }
}
"""
API = """
root WORK/www;
location = /orders { return 201 '{"id": 7, "total": 12}'; }
location ~ ^/orders/[0-9]+$ { return 200 '{"id": 7, "total": 12}'; }
location ~ ^/orders/[0-9]+/refund$ { return 202 '{"refund": true}'; }
location = /users/me { return 200 '{"name": "Ada"}'; }
location /users/9 { return 403 '{"error": "not yours"}'; }
location /users/ { return 200 '{"name": "Ada"}'; }
location = /status { return 200 '{"status": "ok"}'; }
location = /catalogue { try_files /catalogue.json =500; }
"""


def prepare(lab):
    (lab.work / "www").mkdir()
    goods = [{"id": n, "name": f"thing {n}", "price": n * 7919 % 1000} for n in range(300)]
    (lab.work / "www/catalogue.json").write_text(json.dumps(goods))
    (lab.work / "api.conf").write_text(API.replace("WORK", str(lab.work)))
    (lab.work / "nginx.conf").write_text(CONFIG.replace("WORK", str(lab.work)))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                    "-subj", "/O=Recording/CN=api.test", "-addext", "subjectAltName=DNS:api.test,DNS:www.api.test",
                    "-keyout", lab.work / "server.key", "-out", lab.work / "server.pem"], check=True, capture_output=True)


def serve(lab, here):
    # Debian's nghttp knows nothing of key logs.
    subprocess.run(["cc", "-shared", "-fPIC", "-o", lab.work / "keylog.so", here.parent / "recorder/keylog.c", "-ldl"], check=True)
    lab.serve("nginx", "-c", lab.work / "nginx.conf", "-e", lab.work / "error.log", port=PORT)


def drive(truth):
    def curl(base, *paths, more=()):
        quiet = ["-k", *sum([["-o", "/dev/null"] for _ in paths], [])]
        subprocess.run(["curl", "--no-progress-meter", *quiet, *more, *[f"{base}/{p}" for p in paths]], check=True)

    def nghttp(base, *paths, more=()):
        subprocess.run(["nghttp", "-n", "--no-verify-peer", *more, *[f"{base}/{p}" for p in paths]], check=True,
                       env={**os.environ, "LD_PRELOAD": "./keylog.so"})

    for base in ("https://api.test", "https://api.test:8443"):
        # One connection, one stream after the other; then all at once; then bodies.
        curl(base, "users/me", *[f"users/{n}" for n in range(100, 120)], "status")
        curl(base, *[f"orders/{n}" for n in range(1, 21)], more=["--parallel", "--parallel-max", "20"])
        curl(base, "orders", more=["--json", '{"item": 7}'])
        curl(base, "catalogue", more=["--compressed"])
        curl(base, *[f"orders/{n}/refund" for n in range(1, 6)], more=["-X", "POST", "-d", "reason=broken"])
        curl(base, "users/901", "users/902", "users/me", more=["-H", "Authorization: Bearer test-token-not-a-secret"])
        # HTTP/1.1, on several connections that resume their session.
        curl(base, *[f"users/{n}" for n in range(200, 212)], more=["--http1.1", "--parallel", "--parallel-max", "4"])
        # Padding, weights, a head in CONTINUATION frames, a small header table, a body with trailers.
        nghttp(base, *[f"orders/{n}" for n in range(30, 42)], more=["-b", "100", "-H", "x-trace: " + "0123456789abcdef" * 4])
        nghttp(base, "users/me", "status", more=["--continuation", "--header-table-size=256"])
        nghttp(base, "orders", more=["-d", "/etc/hosts", "--trailer", "x-checksum: 12", "-H", ":method: POST"])
        # A scanner.
        curl(base, *[f"{w}" for w in (".env", "wp-login.php", "admin/", "old/backup.zip")], more=["-A", "Mozilla/5.0 zgrab/0.x"])
    # Other suites; a HelloRetryRequest; CBC.
    for suite in ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"):
        curl("https://api.test", "status", "users/me", more=["--tls13-ciphers", suite])
    curl("https://api.test", "status", "users/me", more=["--curves", "P-256:P-384"])
    for suite in ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"):
        curl("https://api.test:8443", "status", "users/me", more=["--http1.1", "--ciphers", suite])


def server_truth(lab, file):
    """nginx' own account."""
    from recorder.truth import media

    with file.open("a") as f:
        for line in (lab.work / "access.log").read_text().splitlines():
            line = json.loads(line)
            line["request_type"], line["response_type"] = media(line["request_type"]), media(line["response_type"])
            f.write(json.dumps(line) + "\n")


def keep(lab, folder):
    """The key log, whole; in two files, as after a rotation in the midst of a handshake; and that of the TLS 1.2 sessions alone."""
    keys = (lab.work / "keys.log").read_text()
    lines = keys.splitlines(keepends=True)
    old = [line for line in lines if line.startswith("CLIENT_RANDOM ")]
    new = next(n for n in range(len(lines) // 3, len(lines)) if lines[n].startswith("CLIENT_TRAFFIC_SECRET_0"))
    (folder / "keys").mkdir(exist_ok=True)
    for name, text in (("whole", keys), ("rotated.1", "".join(lines[:new])), ("rotated.2", "".join(lines[new:])), ("partial", "".join(old))):
        (folder / f"keys/{name}.log").write_text(text)
