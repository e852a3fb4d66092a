"""What a perfect reader of the truth and of the published document would find. Small and slow on purpose: it shares no
idea and no line with shadowtap's own diff."""

import json
import pathlib
import re
import urllib.parse

from .truth import shape

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def operations(file: pathlib.Path):
    text = file.read_text()
    if file.suffix == ".json":
        document = json.loads(text)
    else:
        import yaml

        document = yaml.safe_load(text)
    if "swagger" in document:
        base = document.get("basePath", "/").rstrip("/")
        host = document.get("host", "").split(":")[0]
    else:
        server = (document.get("servers") or [{"url": "/"}])[0]["url"]
        base = re.sub(r"^[a-z]+://[^/]*", "", server).rstrip("/")
        host = urllib.parse.urlsplit(server).hostname or ""

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
    """By kind: a sorted list of words that name each finding."""
    documented = [op for spec in specs for op in operations(spec)]
    hosts = {o["host"] for o in documented}
    by_key = {(shape(o["template"]), o["method"]): o for o in documented}
    paths = {shape(o["template"]) for o in documented}
    out = {k: set() for k in ("undocumented-service", "shadow", "undocumented-method", "zombie", "undocumented-status",
                              "undocumented-query-parameter", "unseen")}
    called = set()
    covered = {s["host"] for s in services if "" in hosts or s["host"] in hosts}
    for s in services:
        if s["host"] not in covered:
            out["undocumented-service"].add(f"{s['host']}:{s['port']}")
            continue
        for e in s["endpoints"]:
            key = (e["template"], e["method"])
            called.add(key)
            name = f"{e['method']} {e['template']}"
            if key not in by_key:
                out["undocumented-method" if e["template"] in paths else "shadow"].add(name)
                continue
            op = by_key[key]
            if op["deprecated"]:
                out["zombie"].add(name)
            for status in e["statuses"]:
                if not {status, status[0] + "XX", "default"} & op["statuses"]:
                    out["undocumented-status"].add(f"{name} {status}")
    for line in (line for line in lines if line["host"] in covered):
        path, _, query = line["target"].partition("?")
        template = routes.template(line["host"], path)
        op = template and by_key.get((shape(template), line["method"]))
        if op:
            for pair in filter(None, query.split("&")):
                parameter = urllib.parse.unquote_plus(pair.split("=")[0])
                if parameter not in op["query"]:
                    out["undocumented-query-parameter"].add(f"{line['method']} {shape(template)} {parameter}")
    for key, op in by_key.items():
        if key not in called:
            out["unseen"].add(f"{op['method']} {shape(op['template'])}")
    return {k: sorted(v) for k, v in out.items()}


