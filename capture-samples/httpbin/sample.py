"""httpbin (PyPI) under gunicorn, with the Swagger 2.0 document that it publishes at /spec.json."""

import json
import subprocess

HOSTS = ["httpbin.org"]
PORT = 80
SPECS = ["spec.json"]
COMPRESS = "gz"
ROUTES = [
    "/get", "/post", "/put", "/patch", "/delete", "/headers", "/ip", "/user-agent", "/uuid", "/gzip", "/deflate", "/brotli",
    "/json", "/xml", "/html", "/robots.txt", "/deny", "/encoding/utf8", "/anything", "/cache", "/cookies", "/cookies/set",
    "/cookies/delete", "/image", "/image/png", "/image/jpeg", "/image/svg", "/image/webp", "/bearer", "/legacy",
    "/forms/post", "/response-headers", "/redirect-to", "/drip",
    "/anything/{anything}", "/status/{codes}", "/bytes/{n}", "/stream/{n}", "/stream-bytes/{n}", "/range/{numbytes}",
    "/redirect/{n}", "/relative-redirect/{n}", "/delay/{delay}", "/base64/{value}", "/cache/{value}", "/etag/{etag}",
    "/basic-auth/{user}/{passwd}", "/hidden-basic-auth/{user}/{passwd}", "/digest-auth/{qop}/{user}/{passwd}",
    "/cookies/set/{name}/{value}", "/links/{n}/{offset}", "/links/{n}",
]


def serve(lab, here):
    lab.serve(lab.venv / "bin/gunicorn", "-b", "[::]:80", "-k", "gthread", "--threads", "8", "--keep-alive", "5",
              "httpbin:app", port=80)


def spec(lab, here):
    code = "from httpbin import app; print(app.test_client().get('/spec.json').get_data(as_text=True))"
    text = subprocess.run([lab.venv / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout
    (here / "spec.json").write_text(json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n")


def drive(truth):
    import httpx
    import requests

    base = "http://httpbin.org"
    truth.hook_requests()

    with requests.Session() as s:
        for n in range(6):
            s.get(f"{base}/get", params={"page": n, "q": "red shoes"})
        s.post(f"{base}/post", json={"name": "Ada"})
        s.post(f"{base}/post", data={"name": "Ada", "age": "36"})
        s.post(f"{base}/post", files={"file": ("notes.txt", b"hello\n" * 400, "text/plain")})
        s.put(f"{base}/put", data=b"x" * 5000)
        s.patch(f"{base}/patch", json={"a": 1})
        s.delete(f"{base}/delete")
        for path in ("headers", "ip", "user-agent", "gzip", "deflate", "brotli", "json", "xml", "html", "robots.txt",
                     "deny", "encoding/utf8", "image/png", "image/jpeg", "image/svg", "image/webp"):
            s.get(f"{base}/{path}")
        for _ in range(10):
            s.get(f"{base}/uuid")
        for code in (200, 201, 204, 304, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503):
            s.get(f"{base}/status/{code}")
        s.post(f"{base}/status/201")
        s.delete(f"{base}/status/204")
        for n in (0, 1, 10, 1024, 40000):
            s.get(f"{base}/bytes/{n}?seed=7")
        for n in (1, 5, 20):
            s.get(f"{base}/stream/{n}")
            s.get(f"{base}/stream-bytes/{n * 1000}?seed=7&chunk_size=500")
        s.get(f"{base}/range/2000", headers={"Range": "bytes=100-299"})
        s.get(f"{base}/redirect/3")
        s.get(f"{base}/redirect-to", params={"url": "/ip", "status_code": 307})
        s.get(f"{base}/base64/SFRUUEJJTiBpcyBhd2Vzb21l")
        s.get(f"{base}/cache")
        s.get(f"{base}/cache", headers={"If-None-Match": "x"})
        s.get(f"{base}/cache/60")
        s.get(f"{base}/etag/abc", headers={"If-None-Match": "abc"})
        s.get(f"{base}/cookies/set", params={"theme": "dark"})
        s.get(f"{base}/cookies/delete", params={"theme": ""})
        s.get(f"{base}/basic-auth/ada/test-password", auth=("ada", "test-password"))
        s.get(f"{base}/basic-auth/ada/test-password")
        s.get(f"{base}/digest-auth/auth/ada/test-password", auth=requests.auth.HTTPDigestAuth("ada", "test-password"))
        s.get(f"{base}/bearer", headers={"Authorization": "Bearer test-token-not-a-secret"})
        s.get(f"{base}/delay/1")
        # Not in the published document, though the server answers.
        s.get(f"{base}/legacy")
        s.get(f"{base}/forms/post")
        for n in (3, 5, 10, 12, 20, 33):
            s.get(f"{base}/links/{n}")

    with httpx.Client(base_url=base, event_hooks=truth.httpx_hooks()) as c:
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            c.request(verb, "/anything")
        c.get("/anything/42", params={"email": "jane.doe@example.com", "api_key": "TEST-0000"})
        c.get("/anything/a%20b")
        c.post("/anything/17", content=(b"x" * 700 for _ in range(5)))
        c.get("/drip", params={"numbytes": 5, "duration": 0.2})

    # HEAD has no body although it states a length; OPTIONS is answered by the framework.
    truth.curl("-I", f"{base}/get", f"{base}/html", "-o", "/dev/null")
    truth.curl("-X", "OPTIONS", f"{base}/get")
    # 100 Continue; HTTP/1.0.
    truth.curl("-H", "Expect: 100-continue", "-H", "Content-Type: application/octet-stream", "--data-binary", "@body.bin",
               f"{base}/post", request_type="application/octet-stream")
    truth.curl("-0", f"{base}/get")
    # The same over IPv6.
    truth.curl("--resolve", "httpbin.org:80:[2001:db8::1]", f"{base}/ip", f"{base}/uuid", "-o", "/dev/null")

    # A scanner.
    words = [".env", "wp-login.php", "admin", ".git/HEAD", "server-status", "phpinfo.php", "actuator/env", "api/users",
             "backup.tar.gz", "old/index.html", "xmlrpc.php", "login.action", "jenkins/", "config.json"]
    truth.curl("-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12", *[f"{base}/{w}" for w in words],
               *sum([["-o", "/dev/null"] for _ in words[1:]], []))


def prepare(lab):
    (lab.work / "body.bin").write_bytes(bytes(i * 31 & 255 for i in range(9000)))
