"""A forge whose owners, organisations, repositories and branches are bare words, few of them, and one owner has most of the traffic. In paths
alone they look like resources; what its answers name tells them for what they are."""

HOSTS = ["forge.test"]
PORT = 3000
SPECS = []
COMPRESS = "gz"
BASE = "/api/v1"
REPO = BASE + "/repos/{owner}/{repo}"
ROUTES = [
    *(BASE + r for r in ("/version", "/user", "/user/repos", "/user/orgs", "/users/search", "/users/{username}",
                         "/users/{username}/repos", "/users/{username}/followers", "/orgs", "/orgs/{org}", "/orgs/{org}/repos",
                         "/orgs/{org}/members", "/repos/search")),
    REPO,
    *(REPO + r for r in ("/branches", "/branches/{branch}", "/issues", "/issues/{index}", "/labels", "/topics",
                         "/releases/latest")),
]


def serve(lab, here):
    lab.serve(lab.venv / "bin/python", "-B", here / "server.py", PORT, port=PORT)


def drive(truth):
    import requests

    base = f"http://forge.test:{PORT}{BASE}"
    truth.hook_requests()
    s = requests.Session()
    get = lambda path: s.get(base + path).json()

    # A bot that works for one account: it lists and walks what was listed.
    get("/version")
    get("/user")
    mine = [r["name"] for r in get("/user/repos")]
    for name in ("changelog", "triage"):
        made = s.post(f"{base}/user/repos", json={"name": name, "private": False})
        s.get(f"http://forge.test:{PORT}{made.headers['Location']}")
        mine.append(name)
    for _ in range(4):
        for name in mine:
            get(f"/repos/packit/{name}")
            for issue in get(f"/repos/packit/{name}/issues")[:3]:
                get(f"/repos/packit/{name}/issues/{issue['number']}")
    for name in mine[:5]:
        get(f"/repos/packit/{name}/labels")
        get(f"/repos/packit/{name}/topics")
        for branch in get(f"/repos/packit/{name}/branches"):
            get(f"/repos/packit/{name}/branches/{branch['name']}")
    for name in mine[:3]:
        s.post(f"{base}/repos/packit/{name}/issues", json={"title": "From the bot"})
        get(f"/repos/packit/{name}/releases/latest")

    # Somebody who looks around.
    for user in get("/users/search?q=a")["data"][:4]:
        get(f"/users/{user['login']}")
        get(f"/users/{user['login']}/repos")
    get("/users/ada/followers")
    get("/user/orgs")
    for org in get("/orgs"):
        get(f"/orgs/{org['username']}")
        for repo in get(f"/orgs/{org['username']}/repos"):
            get(f"/repos/{repo['full_name']}")
            get(f"/repos/{repo['full_name']}/issues")
    get("/orgs/mirrors/members")
    made = s.post(f"{base}/orgs", json={"username": "archive"})
    s.get(f"http://forge.test:{PORT}{made.headers['Location']}")
    for repo in get("/repos/search?limit=50")["data"]:
        if repo["owner"]["login"] in ("ada", "grace"):
            get(f"/repos/{repo['full_name']}")
            get(f"/repos/{repo['full_name']}/branches")

    # Nothing there.
    for path in ("/users/nobody", "/orgs/nothing", "/admin/hooks"):
        s.get(base + path)
