"""What a perfect reader of the truth and of the published document would find. Small and slow on purpose: it shares no
line with shadowtap's own diff.

What it leaves out, as the user guide says of shadowtap: OPTIONS (browsers ask it of any path), HEAD where GET is
documented, endpoints that only ever said "nothing here", statuses that servers give for any path.
"""

import json
import pathlib
import re
import urllib.parse

from .truth import shape

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
NOTHING = {"404", "405", "410", "501"}
GENERIC = {"100", "101", "103", "206", "301", "304", "307", "308", "408", "412", "413", "414", "416", "417", "421", "429", "431",
           "502", "503", "504"}
KINDS = ("undocumented-service", "shadow", "undocumented-method", "zombie", "undocumented-status",
         "undocumented-query-parameter", "unseen", "ambiguous")


def operations(file: pathlib.Path, host: str):
    """The operations of a document; `host` is whose they are where the document does not say."""
    text = file.read_text()
    if file.suffix == ".json":
        document = json.loads(text)
    else:
        import yaml

        document = yaml.safe_load(text)
    if "swagger" in document:
        base = document.get("basePath", "/").rstrip("/")
        host = document.get("host", host).split(":")[0]
    else:
        server = (document.get("servers") or [{"url": "/"}])[0]["url"]
        base = re.sub(r"^[a-z]+://[^/]*", "", server).rstrip("/")
        host = urllib.parse.urlsplit(server).hostname or host

    def resolve(x):
        while isinstance(x, dict) and "$ref" in x:
            at = document
            for key in x["$ref"][2:].split("/"):
                at = at[key.replace("~1", "/").replace("~0", "~")]
            x = at
        return x

    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method not in METHODS:
                continue
            parameters = [resolve(p) for p in [*shared, *operation.get("parameters", [])]]
            yield {
                "method": method.upper(),
                "host": host,
                "template": base + path,
                "deprecated": operation.get("deprecated", False),
                "statuses": set(map(str, operation.get("responses", {}))),
                "query": {p["name"] for p in parameters if p["in"] == "query"},
            }


def findings(services, lines, routes, specs):
    """By kind: a sorted list of words that name each finding. `specs` are (file, host)."""
    documented = {(o["host"], shape(o["template"]), o["method"]): o for spec in specs for o in operations(*spec)}
    paths = {(h, t) for h, t, _ in documented}
    covered = {o["host"] for o in documented.values()}
    out = {k: set() for k in KINDS}
    called = set()
    for s in services:
        host = s["host"]
        if host not in covered:
            out["undocumented-service"].add(f"{host}:{s['port']}")
            continue
        for e in s["endpoints"]:
            key = (host, e["template"], e["method"])
            called.add(key)
            name = f"{e['method']} {e['template']}"
            if e["method"] == "OPTIONS" or (e["method"] == "HEAD" and key not in documented and (host, e["template"], "GET") in documented):
                continue
            if e["statuses"] and set(e["statuses"]) <= NOTHING:
                continue
            if key not in documented:
                out["undocumented-method" if key[:2] in paths else "shadow"].add(name)
                continue
            op = documented[key]
            if op["deprecated"]:
                out["zombie"].add(name)
            for status in set(e["statuses"]) - GENERIC:
                if not {status, status[0] + "XX", "default"} & op["statuses"]:
                    out["undocumented-status"].add(f"{name} {status}")
    for line in lines:
        path, _, query = line["target"].partition("?")
        template = routes.template(line["host"], path)
        op = template and documented.get((line["host"], shape(template), line["method"]))
        if op:
            for pair in filter(None, query.split("&")):
                parameter = urllib.parse.unquote_plus(pair.split("=")[0])
                if parameter not in op["query"]:
                    out["undocumented-query-parameter"].add(f"{line['method']} {shape(template)} {parameter}")
    for key in documented:
        if key not in called:
            out["unseen"].add(f"{key[2]} {key[1]}")
    return {k: sorted(v) for k, v in out.items()}
