"""A forge in one file: users, organisations, repositories, issues, labels, branches, releases, in the manner of Gitea's API. Everything
is addressed by bare names, as forges do; lists give objects, what is made answers with its Location."""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = "/api/v1"
USERS = ["ada", "grace", "packit", "edsger", "barbara"]
ORGS = ["platform", "mirrors", "packages"]
REPOS = {
    "packit": ["ogr", "specfile", "deployment", "dashboard", "validation", "research", "tokens"],
    "ada": ["notes", "engine"],
    "grace": ["compiler"],
    "platform": ["index", "parser", "stats"],
    "mirrors": ["linux", "settings"],
    "packages": ["web"],
}
BRANCHES = ["main", "stable", "next"]
LABELS = ["bug", "feature", "docs"]


def user(name):
    return {"id": len(name) * 7, "login": name, "full_name": "", "type": "user", "html_url": f"http://forge.test/{name}"}


def org(name):
    return {"id": len(name) * 9, "username": name, "full_name": "", "visibility": "public"}


def repo(owner, name):
    return {"id": len(owner + name) * 11, "owner": user(owner), "name": name, "full_name": f"{owner}/{name}",
            "type": "repository", "private": False, "default_branch": "main",
            "url": f"http://forge.test:3000{BASE}/repos/{owner}/{name}"}


def branch(name):
    return {"name": name, "commit": {"id": "9f2c4e7a1b3d5f60718293a4b5c6d7e8f9012345"}, "protected": name == "main"}


def label(name):
    return {"id": len(name), "name": name, "color": "ee0701"}


def issue(owner, name, n):
    return {"id": 100 + n, "number": n, "title": f"Issue {n}", "user": user("ada"), "state": "open",
            "repository": {"owner": owner, "name": name, "full_name": f"{owner}/{name}"}}


def everything():
    return [repo(o, r) for o, names in REPOS.items() for r in names]


ROUTES = [
    ("GET", "/version", lambda m: {"version": "1.22.0"}),
    ("GET", "/user", lambda m: user("packit")),
    ("GET", "/user/repos", lambda m: [repo("packit", r) for r in REPOS["packit"]]),
    ("GET", "/user/orgs", lambda m: [org(o) for o in ORGS]),
    ("GET", "/users/search", lambda m: {"ok": True, "data": [user(u) for u in USERS]}),
    ("GET", "/users/([^/]+)", lambda m: user(m[0]) if m[0] in USERS else None),
    ("GET", "/users/([^/]+)/repos", lambda m: [repo(m[0], r) for r in REPOS.get(m[0], [])] if m[0] in USERS else None),
    ("GET", "/users/([^/]+)/followers", lambda m: [user(u) for u in USERS if u != m[0]]),
    ("GET", "/orgs", lambda m: [org(o) for o in ORGS]),
    ("GET", "/orgs/([^/]+)", lambda m: org(m[0]) if m[0] in ORGS else None),
    ("GET", "/orgs/([^/]+)/repos", lambda m: [repo(m[0], r) for r in REPOS[m[0]]] if m[0] in ORGS else None),
    ("GET", "/orgs/([^/]+)/members", lambda m: [user("packit"), user("ada")]),
    ("GET", "/repos/search", lambda m: {"ok": True, "data": everything()}),
]
REPO_ROUTES = [
    ("GET", "", lambda o, r, m: repo(o, r)),
    ("GET", "/branches", lambda o, r, m: [branch(b) for b in BRANCHES]),
    ("GET", "/branches/([^/]+)", lambda o, r, m: branch(m[0]) if m[0] in BRANCHES else None),
    ("GET", "/issues", lambda o, r, m: [issue(o, r, n) for n in range(1, 6)]),
    ("GET", r"/issues/(\d+)", lambda o, r, m: issue(o, r, int(m[0]))),
    ("GET", "/labels", lambda o, r, m: [label(n) for n in LABELS]),
    ("GET", "/topics", lambda o, r, m: {"topics": ["forge", "testing"]}),
    ("GET", "/releases/latest", lambda o, r, m: {"id": 3, "tag_name": "v1.4.0", "draft": False}),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "forge"
    sys_version = ""

    def answer(self, status, body=None, headers=()):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", "application/json;charset=utf-8")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def not_found(self):
        self.answer(404, {"message": "not found", "path": self.path, "name": self.path.rsplit("/", 1)[-1]})

    def do_GET(self):
        path = self.path.split("?")[0].removeprefix(BASE)
        for method, pattern, make in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == "GET":
                body = make(match.groups())
                return self.not_found() if body is None else self.answer(200, body)
        match = re.match("/repos/([^/]+)/([^/]+)(/.*)?$", path)
        if match and match[2] in REPOS.get(match[1], ()):
            for _, pattern, make in REPO_ROUTES:
                rest = re.fullmatch(pattern, match[3] or "")
                if rest:
                    body = make(match[1], match[2], rest.groups())
                    return self.not_found() if body is None else self.answer(200, body)
        self.not_found()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self.path.removeprefix(BASE)
        if path == "/user/repos":
            REPOS["packit"].append(asked["name"])
            at = f"{BASE}/repos/packit/{asked['name']}"
            return self.answer(201, repo("packit", asked["name"]), [("Location", at)])
        if path == "/orgs":
            ORGS.append(asked["username"])
            REPOS[asked["username"]] = []
            return self.answer(201, org(asked["username"]), [("Location", f"{BASE}/orgs/{asked['username']}")])
        match = re.fullmatch("/repos/([^/]+)/([^/]+)/issues", path)
        if match and match[2] in REPOS.get(match[1], ()):
            n = 6
            return self.answer(201, issue(match[1], match[2], n), [("Location", f"{BASE}/repos/{match[1]}/{match[2]}/issues/{n}")])
        self.not_found()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
