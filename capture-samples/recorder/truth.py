"""The ground truth: what clients asked for and were answered, written by the clients themselves.

A client calls [`Truth.add`] for each request (or lets one of the hooks do it); each becomes a line of `requests.jsonl`.
Which template a request belongs to is decided by the sample's own list of routes, written by a person who knows the
server. shadowtap has no part in any of this.
"""

import json
import pathlib
import re
import subprocess
import urllib.parse


class Truth:
    def __init__(self, file: pathlib.Path):
        self.file = file
        self.lines = []

    def add(self, client, method, url, status, request_type="", response_type="", operation=None):
        """One exchange. `status` is `None` when the client got no answer; `operation` is what a path dispatches by."""
        u = urllib.parse.urlsplit(url)
        port = u.port or {"http": 80, "https": 443}[u.scheme]
        target = (u.path or "/") + (f"?{u.query}" if u.query else "")
        self.lines.append({"client": client, "method": method, "host": u.hostname, "port": port, "target": target,
                           "status": status, "request_type": media(request_type), "response_type": media(response_type)})
        if u.scheme != "http":
            self.lines[-1]["scheme"] = u.scheme
        if operation:
            self.lines[-1]["operation"] = operation

    def save(self):
        with self.file.open("a") as f:
            for line in self.lines:
                f.write(json.dumps(line) + "\n")
        self.lines = []

    def hook_requests(self, client="python-requests"):
        """Notes each request that the `requests` library sends from here on, redirects one by one."""
        import requests.adapters

        send = requests.adapters.HTTPAdapter.send

        def noted(adapter, request, **kw):
            response = send(adapter, request, **kw)
            self.add(client, request.method, request.url, response.status_code,
                     request.headers.get("Content-Type") or "", response.headers.get("Content-Type", ""))
            return response

        requests.adapters.HTTPAdapter.send = noted

    def httpx_hooks(self, client="httpx"):
        """Event hooks for `httpx.Client`."""
        def noted(response):
            r = response.request
            self.add(client, r.method, str(r.url), response.status_code,
                     r.headers.get("content-type", ""), response.headers.get("content-type", ""))

        return {"response": [noted]}

    def curl(self, *args, method=None, request_type="", client="curl"):
        """Runs curl once, for one or more URLs, and notes each transfer by its own account (`--write-out`)."""
        form = "%{stderr}%{method} %{url_effective} %{http_code} %{content_type}\n"
        p = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", form, *args],
                           stderr=subprocess.PIPE, text=True)
        for line in p.stderr.splitlines():
            m = re.match(r"([A-Z]+) (\S+) (\d{3}) ?(.*)$", line)
            if not m:
                raise SystemExit(f"curl {' '.join(args)}: {line}")
            self.add(client, method or m[1], m[2], int(m[3]) or None, request_type, m[4])


def media(value: str) -> str:
    return value.split(";")[0].strip().lower()


class Routes:
    """The templates of a sample, as a person who knows the server writes them: most literal first.

    Each is `(host, template)` or `template`; `{name}` is one segment, or a part of one, `{name*}` one or more.
    """

    def __init__(self, routes):
        self.routes = []
        for r in routes:
            host, template = r if isinstance(r, tuple) else (None, r)
            self.routes.append((host, template, compile_template(template)))

    def template(self, host: str, path: str):
        for h, template, pattern in self.routes:
            if (h is None or h == host) and pattern.fullmatch(path):
                return template
        return None


def compile_template(template: str):
    out = ""
    for piece in re.split(r"(\{[^}]*\})", template):
        if piece.startswith("{"):
            out += ".+" if piece.endswith("*}") else "[^/]+"
        else:
            out += re.escape(piece)
    return re.compile(out)


def shape(template: str) -> str:
    """A template without its parameters' names: `/users/{}`."""
    return re.sub(r"\{[^}]*\}", "{}", template)


def expected(lines, routes: Routes, notes="", probes=(404,)):
    """Folds the truth into the inventory that a perfect observer would have."""
    services = {}
    for line in lines:
        s = services.setdefault((line["host"], line["port"]),
                                {"scheme": line.get("scheme", "http"), "host": line["host"], "port": line["port"], "calls": 0,
                                 "probes": {}, "endpoints": {}})
        s["calls"] += 1
        path = line["target"].split("?")[0]
        template = routes.template(line["host"], path)
        if template is None:
            # UNIMPLEMENTED is gRPC's 404.
            if line["status"] not in probes and line.get("grpc_status") != 12:
                raise SystemExit(f"no template for {line}")
            key = str(line["status"])
            s["probes"][key] = s["probes"].get(key, 0) + 1
            continue
        operation = line.get("operation", "")
        e = s["endpoints"].setdefault((shape(template), line["method"], operation),
                                      {"method": line["method"], "template": shape(template), "calls": 0,
                                       "unanswered": 0, "statuses": {}})
        if operation:
            e["operation"] = operation
        e["calls"] += 1
        if line["status"] is None:
            e["unanswered"] += 1
        else:
            key = str(line["status"])
            e["statuses"][key] = e["statuses"].get(key, 0) + 1
        if line.get("grpc_status") is not None:
            key = str(line["grpc_status"])
            statuses = e.setdefault("grpc_statuses", {})
            statuses[key] = statuses.get(key, 0) + 1
    out = []
    for key in sorted(services):
        s = services[key]
        s["probes"] = dict(sorted(s["probes"].items()))
        s["endpoints"] = [s["endpoints"][k] for k in sorted(s["endpoints"])]
        for e in s["endpoints"]:
            e["statuses"] = dict(sorted(e["statuses"].items()))
        out.append(s)
    return out


def read(file: pathlib.Path):
    return [json.loads(line) for line in file.read_text().splitlines()]
