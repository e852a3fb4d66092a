"""nginx as a reverse proxy in front of the shop's API and of static files: two virtual hosts on one port, gzip,
kept-alive connections to the upstream. Recorded on `any`, so the frames are Linux cooked ones (SLL2)."""

HOSTS = ["api.test", "www.test"]
PORT = 80
SPECS = ["api.yaml"]
COMPRESS = "gz"
INTERFACE = "any"
WIRE_SIZED = False
ROUTES = [
    ("api.test", "/products"), ("api.test", "/products/{product_id}"), ("api.test", "/orders"),
    ("api.test", "/orders/{order_id}"), ("api.test", "/orders/{order_id}/refund"), ("api.test", "/status"),
    ("api.test", "/users/me"), ("api.test", "/users/{user_id}"), ("api.test", "/legacy/products/{product_id}"),
    ("api.test", "/events"), ("api.test", "/slow"), ("api.test", "/moved"),
    ("www.test", "/"), ("www.test", "/app.js"), ("www.test", "/style.css"), ("www.test", "/logo.svg"),
    ("www.test", "/downloads/report.csv"), ("www.test", "/api/products"), ("www.test", "/api/products/{product_id}"),
]
CONFIG = """
daemon off; master_process off; pid WORK/nginx.pid; error_log WORK/error.log;
events { worker_connections 256; }
http {
  access_log WORK/access.log; client_body_temp_path WORK/t1; proxy_temp_path WORK/t2;
  fastcgi_temp_path WORK/t3; uwsgi_temp_path WORK/t4; scgi_temp_path WORK/t5;
  types { text/html html; application/javascript js; text/css css; image/svg+xml svg; text/csv csv; }
  gzip on; gzip_min_length 200; gzip_types application/json application/javascript text/css text/csv image/svg+xml;
  upstream shop { server 127.0.0.1:8000; keepalive 4; }
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {
    listen 80; listen [::]:80; server_name api.test;
    location = /status { default_type application/json; return 200 '{"status":"ok"}'; }
    location = /moved { return 301 /products; }
    location = /slow { proxy_pass http://127.0.0.1:9/; }
    location /legacy/ { proxy_pass http://shop/api/v1/; }
    location / { proxy_pass http://shop/api/v2/; }
  }
  server {
    listen 80 default_server; listen [::]:80 default_server; server_name www.test; root WORK/www;
    location /api/ { proxy_pass http://shop/api/v2/; }
  }
}
"""

def prepare(lab):
    www = lab.work / "www"
    (www / "downloads").mkdir(parents=True)
    (www / "index.html").write_text("<!doctype html><title>Shop</title>" + "<p>Hello</p>" * 200)
    (www / "app.js").write_text("export const n = 1;\n" * 600)
    (www / "style.css").write_text("p { margin: 0 }\n" * 300)
    (www / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg">' + '<path d="M0 0h9"/>' * 50 + "</svg>")
    (www / "downloads/report.csv").write_text("".join(f"{n},{n * n},{n * 7919 % 10007}\n" for n in range(9000)))
    (lab.work / "nginx.conf").write_text(CONFIG.replace("WORK", str(lab.work)))


def serve(lab, here):
    lab.serve(lab.venv / "bin/uvicorn", "--app-dir", here.parent / "shop", "--host", "127.0.0.1", "--port", 8000, "app:app",
              port=8000, log="shop.log")
    lab.serve("nginx", "-c", lab.work / "nginx.conf", "-e", lab.work / "error.log", port=PORT)


def drive(truth):
    import requests

    api, www = "http://api.test", "http://www.test"
    truth.hook_requests()
    none = ["-o", "/dev/null"]

    def curls(*urls, more=()):
        truth.curl(*more, *urls, *none * (len(urls) - 1))

    # Browsers, more or less: a page with what belongs to it, on one connection, and again from the cache.
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    for address in ("192.0.2.10", "192.0.2.11"):
        curls(f"{www}/", f"{www}/style.css", f"{www}/app.js", f"{www}/logo.svg", f"{www}/api/products?page=1",
              *[f"{www}/api/products/{n}" for n in range(1, 9)], more=["-A", agent, "--compressed", "--interface", address])
    curls(f"{www}/app.js", more=["-A", agent, "-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"])
    # A download that breaks off and goes on.
    truth.curl("-r", "0-30000", f"{www}/downloads/report.csv")
    truth.curl("-r", "30001-", f"{www}/downloads/report.csv")

    with requests.Session() as s:
        for page in range(1, 9):
            s.get(f"{api}/products", params={"page": page})
        for n in range(1, 41):
            s.get(f"{api}/products/{n}")
        orders = []
        for n in range(1, 16):
            orders.append(s.post(f"{api}/orders", json={"product_id": n}, headers={"Authorization": "Bearer test-token-not-a-secret"}).json())
        for o in orders:
            s.get(f"{api}/orders/{o}")
        for o in orders[:5]:
            s.post(f"{api}/orders/{o}/refund")
        for n in range(200, 220):
            s.get(f"{api}/users/{n}")
        for n in range(3):
            s.get(f"{api}/users/me", headers={"Authorization": "Bearer test-token-not-a-secret"})
        s.get(f"{api}/events")
        s.get(f"{api}/slow")
        s.get(f"{api}/moved")
    for n in range(12):
        curls(f"{api}/legacy/products/{n + 1}", more=["-A", "ShopApp/1.4 (Android 9)", "--compressed"])
    for _ in range(20):
        curls(f"{api}/status", more=["-A", "lb-health/1"])
    # The proxy as such: absolute form, and a request without a Host that HTTP/1.0 allows.
    truth.curl("--proxy", "http://192.0.2.1:80", f"{api}/products/7")
    # Over IPv6.
    curls(f"{api}/products/8", f"{api}/status", more=["--resolve", "api.test:80:[2001:db8::1]"])

    # Scanners, on both hosts.
    words = [".env", "wp-login.php", "admin.php", ".git/config", "server-status", "phpmyadmin/", "actuator/health", "backup.zip",
             "cgi-bin/test.cgi", "solr/admin", "old/", "test/"]
    for base in (api, www):
        curls(*[f"{base}/{w}" for w in words], more=["-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12"])
