"""shop: a FastAPI app that publishes its own OpenAPI 3.1 document; httpx, requests, curl and a scanner as clients."""

HOSTS = ["shop.test"]
PORT = 8000
SPECS = ["openapi.json"]
ROUTES = [
    "/api/v2/products",
    "/api/v2/products/{product_id}",
    "/api/v2/products/{product_id}/image",
    "/api/v1/products/{product_id}",
    "/api/v1/search",
    "/api/v2/orders",
    "/api/v2/orders/{order_id}",
    "/api/v2/orders/{order_id}/refund",
    "/api/v2/users/me",
    "/api/v2/users/{user_id}",
    "/api/v2/users/{user_id}/orders",
    "/api/v2/events",
    "/internal/debug/config",
]
TOKEN = {"Authorization": "Bearer test-token-not-a-secret"}


def serve(lab, here):
    lab.serve(lab.venv / "bin/uvicorn", "--app-dir", here, "--host", "0.0.0.0", "--port", PORT, "app:app", port=PORT)


def spec(lab, here):
    """FastAPI writes the document from the app itself; asking the module makes no traffic."""
    code = f"import sys, json; sys.path.insert(0, {str(here)!r}); import app; print(json.dumps(app.app.openapi(), indent=1))"
    import subprocess

    text = subprocess.run([lab.venv / "bin/python", "-B", "-c", code], check=True, capture_output=True, text=True).stdout
    (here / "openapi.json").write_text(text)


def drive(truth):
    import httpx
    import requests

    base = f"http://shop.test:{PORT}"

    # The shop's front end: one client, kept-alive connections.
    with httpx.Client(base_url=base, event_hooks=truth.httpx_hooks()) as c:
        for page in range(1, 13):
            c.get("/api/v2/products", params={"page": page, "limit": 50})
        for n in range(1, 61):
            c.get(f"/api/v2/products/{n * 6}")
        c.get("/api/v2/products/4711")
        c.get("/api/v2/products/0815x")
        orders = []
        for n in range(1, 26):
            orders.append(c.post("/api/v2/orders", json={"product_id": n, "amount": 2}, headers=TOKEN).json())
        for o in orders:
            c.get(f"/api/v2/orders/{o}")
        for o in orders[:4]:
            c.delete(f"/api/v2/orders/{o}")
        c.get(f"/api/v2/orders/{orders[0]}")
        c.post("/api/v2/orders", json={"product_id": 1, "amount": 5000}, headers=TOKEN)
        c.post("/api/v2/orders", json={"product_id": 1})
        for _ in range(8):
            c.get("/api/v2/users/me", headers=TOKEN)
        c.get("/api/v2/users/me")
        for n in range(100, 130):
            c.get(f"/api/v2/users/{n}")
        for n in range(100, 112):
            c.get(f"/api/v2/users/{n}/orders")
        for n in range(5):
            c.patch(f"/api/v2/products/{n + 10}", params={"price": 9.5})
        for n in range(3):
            c.post(f"/api/v2/products/{n + 1}/image",
                   files={"image": ("picture.png", bytes((n * 7 + i * i) & 255 for i in range(20000)), "image/png")})
        c.get("/api/v2/events")

    # The support desk's script: a new connection each time.
    truth.hook_requests()
    for o in orders[10:16]:
        requests.post(f"{base}/api/v2/orders/{o}/refund", headers=TOKEN)
    requests.get(f"{base}/internal/debug/config")
    requests.get(f"{base}/internal/debug/config")
    for page in (1, 2, 3):
        requests.get(f"{base}/api/v2/products", params={"page": page, "trace": "on"})
    requests.post(f"{base}/api/v2/products", json={"name": "New", "price": 3})

    # An old mobile app that still speaks version 1.
    agent = "ShopApp/1.4 (Android 9)"
    truth.curl("-A", agent, "--interface", "192.0.2.11", *[f"{base}/api/v1/products/{n}" for n in range(1, 21)],
               *sum([["-o", "/dev/null"] for _ in range(19)], []))
    truth.curl("-A", agent, "--interface", "192.0.2.11", f"{base}/api/v1/search?q=Product%203")
    truth.curl("-A", agent, "-0", f"{base}/api/v2/products?page=2")

    # A scanner.
    words = [".env", "wp-login.php", "admin.php", ".git/config", "server-status", "phpmyadmin/", "actuator/health",
             "api/v3/users", "backup.zip", "console/", "cgi-bin/test.cgi", "solr/admin", "manager/html", "vendor/phpunit"]
    words += [f"{w}{n}" for n in range(4) for w in ("old", "test", "dev/", "tmp", "db.sql.", "a/b/c/")]
    truth.curl("-A", "Mozilla/5.0 zgrab/0.x", "--interface", "192.0.2.12", *[f"{base}/{w}" for w in words],
               *sum([["-o", "/dev/null"] for _ in words[1:]], []))
