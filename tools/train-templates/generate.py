"""Labelled traffic drawn from operation models (`models.jsonl.gz`), each time by other habits.

Every variant of an API draws anew how its identifiers look and are spread, how many values a parameter has, which of its
operations are used at all, how literals are spelt, and what stands before them: so that a learner has nothing to lean on but
structure. The same seed gives the same bytes.
"""

import bisect
import itertools
import json
import random
import re
import uuid
import zlib
from urllib.parse import quote, unquote

import rewrite

HOLE = re.compile(r"\{([^{}]*)\}")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ENDINGS = "png jpg pdf json xml csv txt md rs py js html yaml toml zip docx mp4 svg tar.gz".split()
FEW = re.compile(r"(type|kind|status|state|category|mode|action|field|method|level|scope|period|interval|granularity|provider|"
                 r"channel|service|platform|network|source|section|event|role|resource|entity|model|engine|environment|env|class)$", re.I)
NAMED = re.compile(r"(name|slug|user|username|owner|org|organi[sz]ation|account|project|repo|group|team|key|tag|label|topic|title|"
                   r"symbol|domain|host|handle|login|namespace|workspace|tenant|store|shop|bucket|table|database|index|queue)$", re.I)
CODED = re.compile(r"(lang|language|locale|country|currency|region|zone|code|market|site)$", re.I)
PATHS = re.compile(r"(path|file|filename|dir|directory|object|blob|key|url|uri|resource)$", re.I)
PREFIXES = ["api", "api/v1", "v1", "v2", "rest", "rest/v1", "api/2.0", "1", "services", "public/v1", "gateway", "api/rest_v1"]
SPECIAL = rewrite.SPECIAL + ("allUsers allAuthenticatedUsers everyone none unknown own current-user mine global system root "
                             "index catalog central public-read ALL DEFAULT _default -").split()
PROBES = ["wp-login.php", "xmlrpc.php", ".env", ".git/config", "phpmyadmin/index.php", "admin.php", "actuator/env", "cgi-bin/test.cgi",
          "vendor/phpunit/eval-stdin.php", "owa/auth/logon.aspx", "solr/admin/info", "server-status", "backup.sql", "config.json"]
ASSETS = [("favicon.ico", "image/x-icon"), ("robots.txt", "text/plain"), ("static/app.3f2a.js", "application/javascript"),
          ("assets/main.css", "text/css"), ("images/logo.png", "image/png"), ("fonts/inter.woff2", "font/woff2")]
STYLES = ["number", "bignumber", "uuid", "hex24", "hex32", "base62", "ulid", "prefixed", "word", "two", "numbered"]


class Habits:
    """How one variant of an API spells its values."""

    def __init__(self, pick, words):
        self.pick, self.words = pick, words
        self.ids = pick.choices(STYLES, [24, 8, 12, 8, 6, 10, 4, 6, 10, 6, 6])[0]
        self.names = pick.choices(["word", "two", "numbered", "Camel", "dotted", "UPPER", "handle"], [42, 20, 12, 8, 4, 4, 10])[0]
        self.few = pick.choices(["word", "two", "Camel", "UPPER", "snake"], [50, 15, 15, 10, 10])[0]
        self.joint = pick.choice("-_-.")
        self.size = pick.choice([5, 6, 8, 10, 12, 17, 20, 22])
        self.prefix = self.word()[:4]
        self.range = pick.choice([60, 500, 9000, 10**5, 10**7])

    def word(self):
        return self.words.word()

    def letters(self, alphabet, size):
        return "".join(self.pick.choices(alphabet, k=size))

    def value(self, style):
        pick, word = self.pick, self.word
        if style == "number":
            return str(pick.randrange(1, self.range))
        if style == "bignumber":
            return str(pick.randrange(10**9, 10**18 if self.size > 10 else 10**10))
        if style == "uuid":
            return str(uuid.UUID(int=pick.getrandbits(128), version=4))
        if style.startswith("hex"):
            return self.letters("0123456789abcdef", int(style[3:]))
        if style == "base62":
            return self.letters(rewrite.BASE62, self.size)
        if style == "ulid":
            return "01" + self.letters(CROCKFORD, 24)
        if style == "prefixed":
            return self.prefix + "_" + self.letters(rewrite.BASE62, max(8, self.size))
        if style == "two":
            return word() + self.joint + word()
        if style == "snake":
            return word().replace("-", "_") + "_" + word().replace("-", "_")
        if style == "numbered":
            return f"{word()}{self.joint if pick.random() < .7 else ''}{pick.randrange(1, 9999)}"
        if style == "handle":
            return pick.choice(rewrite.NAMES) + pick.choice(["", str(pick.randrange(99)), "." + word(), "_" + word(), "@" + word() + ".com"])
        if style == "date":
            return f"20{pick.randrange(10, 27)}-{pick.randrange(1, 13):02}-{pick.randrange(1, 29):02}"
        if style == "year":
            return str(pick.randrange(1990, 2027))
        if style == "small":
            return str(pick.randrange(1, 32))
        if style == "code":
            return self.letters("abcdefghijklmnopqrstuvwxyz", 2) + pick.choice(["", "", "-" + self.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2)])
        if style == "file":
            return pick.choice([word(), word() + self.joint + word(), word().capitalize()]) + "." + pick.choice(ENDINGS)
        if style == "version":
            return f"{pick.randrange(12)}.{pick.randrange(20)}" + pick.choice(["", f".{pick.randrange(30)}"])
        return self.words.value(style)


class Values:
    """The values of one parameter, and how often each is asked for."""

    def __init__(self, habits, name, spec, last):
        pick = self.pick = habits.pick
        self.habits, self.name = habits, name
        self.deep = None
        kind, fixed = spec.get("t"), [str(v) for v in spec.get("e", []) if v is not None and str(v) and "/" not in str(v)]
        style, most = self.style(kind, spec, last)
        if fixed:
            pool = fixed
        else:
            if most:
                size = pick.randrange(2, most)
            else:
                size = 1 if pick.random() < .04 else pick.randrange(2, 5) if pick.random() < .07 else int(min(4000, pick.lognormvariate(4.0, 1.5))) + 2
            pool = list(dict.fromkeys(habits.value(style) for _ in range(size)))
            if "x" in spec and isinstance(spec["x"], (str, int)) and re.fullmatch(r"[\w.:@-]{1,40}", str(spec["x"])):
                pool[0] = str(spec["x"])
        weights = [1 / (at + 1) ** pick.uniform(.3, 1.3) for at in range(len(pool))]
        share = pick.choices(["as it is", "half", "three", "two", "special"], [66, 14, 7, 2, 11])[0]
        if share == "half":
            weights[0] = max(weights[0], sum(weights[1:]) or 1)
        elif share in ("three", "two"):
            pool, weights = pool[:3 if share == "three" else 2], weights[:3 if share == "three" else 2]
        elif share == "special" and not fixed:
            for _ in range(pick.choice([1, 1, 1, 2, 3])):
                special = pick.choice(SPECIAL) if pick.random() < .5 else habits.value(pick.choice(["word", "Camel", habits.few]))
                pool.append(special)
                weights.append(sum(weights) * pick.choice([.01, .03, .1, .3, .6, 1]))
        self.pool = [quote(v, safe="-._~:@!$,") for v in pool]
        self.sums = list(itertools.accumulate(weights))
        self.width = pick.choice([1, 2, 3, 6, 12])

    def style(self, kind, spec, last):
        """How values look, and, where they are few, how many there are at most."""
        pick, habits, form = self.pick, self.habits, (spec.get("f") or "").lower()
        if kind == "boolean":
            self.pool = ["true", "false"]
        if last and PATHS.search(self.name) and kind != "integer" and pick.random() < .25 or last and kind != "integer" and pick.random() < .005:
            self.deep = pick.choice([.5, .6, .7])
            return "file", 0
        if form in ("uuid", "guid"):
            return "uuid", 0
        if "date" in form or re.search(r"date|day$|^from$|^to$|start|end$", self.name, re.I) and kind == "string":
            return pick.choice(["date", "date", "number"]), 0
        if re.search("year$", self.name, re.I):
            return "year", 0
        if re.search("(month|page|week|quarter)$", self.name, re.I):
            return "small", 0
        if kind in ("integer", "number"):
            return pick.choices(["number", "bignumber", habits.ids], [70, 10, 20])[0], 0
        if re.search("version$", self.name, re.I):
            return pick.choice(["version", "number", "small"]), 0
        if FEW.search(self.name):
            return habits.few, pick.choice([4, 6, 9, 14, 30])
        if CODED.search(self.name):
            return pick.choice(["code", "CODE", "word"]), pick.choice([6, 20, 60])
        if NAMED.search(self.name):
            return habits.names if pick.random() < .7 else pick.choice(["word", "two", "numbered", "Camel", "handle"]), 0
        chance = pick.random()
        return habits.ids if chance < .78 else habits.names if chance < .88 else pick.choice(STYLES + ["word", "code", "UPPER"]), 0

    def draw(self, before):
        """A value; `before`: the one before it in the path, which has few values below it."""
        pick = self.pick
        at = bisect.bisect(self.sums, pick.random() * self.sums[-1])
        at = min(at, len(self.pool) - 1)
        if before is not None and len(self.pool) > 12:
            at = zlib.crc32(f"{before} {at % self.width}".encode()) % len(self.pool)
        value = self.pool[at]
        if self.deep is not None:
            # The folders of a file are always the same.
            own = random.Random(zlib.crc32(value.encode()))
            while own.random() < self.deep and value.count("/") < 6:
                folder = self.habits.words.plain[zlib.crc32(f"{value.count('/')} {own.randrange(14)} {self.name}".encode()) % 400]
                value = folder + "/" + value
        return value


def respelt(pick, words):
    """A way to spell literals."""
    way = pick.choices(["keep", "kebab", "snake", "camel", "Pascal", "other"], [66, 6, 6, 6, 4, 12])[0]
    given = {}

    def spell(literal):
        if way == "keep" or not re.fullmatch(r"[A-Za-z][A-Za-z_-]*", literal):
            return literal
        if way == "other":
            if literal not in given:
                plural = literal.endswith("s") and not literal.endswith("ss")
                word = words.word().replace(".", "")
                given[literal] = word + ("s" if plural and not word.endswith("s") else "")
            return given[literal]
        parts = [p.lower() for p in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", literal)]
        if way in ("kebab", "snake"):
            return ("-" if way == "kebab" else "_").join(parts)
        capital = "".join(p.capitalize() for p in parts)
        return capital if way == "Pascal" else capital[:1].lower() + capital[1:]

    return spell


def operations(model, pick, words):
    """Some of a model's operations, under another prefix, with literals spelt another way."""
    ops = [op for op in model["ops"] if op["m"] not in ("OPTIONS", "TRACE")]
    if len(ops) > 30 and pick.random() < .5:
        ops = pick.sample(ops, int(len(ops) * pick.uniform(.3, .9)))
    if len(ops) > 20 and pick.random() < .25:
        # One part of a large API, as its own.
        tops = sorted({op["p"].split("/")[1] for op in ops if op["p"].count("/") > 1})
        part = set(pick.sample(tops, max(1, len(tops) // 3))) if len(tops) > 2 else set(tops)
        ops = [op for op in ops if op["p"].split("/")[1] in part] or ops
    spell = respelt(pick, words)
    prefix = "/" + pick.choice(PREFIXES) if pick.random() < .25 else ""
    out = []
    seen = {}
    for op in ops:
        # A literal may not take another's place.
        segments = [s if "{" in s else spell(s) for s in op["p"].split("/")]
        path = prefix + "/".join(segments)
        if seen.setdefault(HOLE.sub("{}", path).lower(), op["p"]) != op["p"]:
            path = prefix + op["p"]
        out.append((op, path))
    return out


def traffic(model, size, vocabulary, seed):
    """Requests, and the true template of each."""
    words = rewrite.Words(vocabulary, seed)
    pick = words.random
    habits = Habits(pick, words)
    ops = operations(model, pick, words)
    pick.shuffle(ops)
    slope = pick.uniform(.7, 1.3)
    sums = list(itertools.accumulate(1 / (at + 1) ** slope for at in range(len(ops))))
    values, clients = {}, [f"10.0.{pick.randrange(4)}.{pick.randrange(250)}" for _ in range(pick.choice([1, 5, 40, 120]))]
    soft, related = pick.random() < .03, pick.random() < .5
    host, probes = model["host"], pick.choice([.01, .03, .06])
    requests, templates, filled = [], [], []
    for at in range(size):
        request = {"i": at, "ts": at, "client": pick.choice(clients), "method": "GET", "host": host, "path": "/", "query": "",
                   "status": 404, "req_content_type": None, "resp_content_type": None}
        requests.append(request)
        if pick.random() < probes:
            noise(request, pick, words, ops, soft)
            templates.append("noise")
            continue
        op, template = ops[bisect.bisect(sums, pick.random() * sums[-1])]
        holes, own, before = HOLE.findall(template), [], None
        for number, name in enumerate(holes):
            if name not in values:
                spec = next((p for p in op["pp"] if p["n"] == name), {"t": "string"})
                values[name] = Values(habits, name, spec, number + 1 == len(holes) and template.endswith("{%s}" % name))
            value = values[name].draw(before if related and number else None)
            if "/" in value and not template.endswith("{%s}" % name):
                value = value.rsplit("/", 1)[1]
            own.append(value)
            before = value
        status = next((int(s) for s in op["st"] if s.isdigit() and s.startswith("2")), 200)
        chance = pick.random()
        if own and chance < .02:
            status = 404
            own[-1] = quote(habits.value(habits.ids), safe="-._~:@")
        elif chance < .05:
            status = pick.choice([401, 403, 403, 422, 429, 500, 400])
        elif op["m"] == "GET" and chance < .06:
            status = 304
        request["method"] = "HEAD" if op["m"] == "GET" and pick.random() < .004 else op["m"]
        request["path"] = rewrite.fill(template, own)
        request["status"] = status
        request["req_content_type"] = pick.choice(op["rct"]) if op["rct"] and status < 400 else None
        kinds = op["sct"] or ["application/json"]
        request["resp_content_type"] = (kinds[0] if pick.random() < .9 else pick.choice(kinds)) if status < 400 and status not in (204, 304) else \
            "application/json" if status >= 400 else None
        asked = [q["n"] for q in op["q"] if q.get("r") or pick.random() < .25]
        request["query"] = "&".join(f"{quote(n)}=1" for n in asked[:8])
        templates.append(template)
        if own:
            filled.append((template, own))
    return requests, rewrite.marked(templates, filled)


def noise(request, pick, words, ops, soft):
    chance = pick.random()
    if chance < .35:
        request["path"] = "/" + pick.choice(PROBES)
    elif chance < .6:
        path, kind = pick.choice(ASSETS)
        request.update(path="/" + path, status=200, resp_content_type=kind)
        return
    else:
        path = pick.choice(ops)[1].split("{")[0].rstrip("/") if pick.random() < .5 else ""
        request["path"] = path + "/" + words.word()
    if soft:
        request.update(status=200, resp_content_type="text/html")
    else:
        request.update(status=pick.choice([404, 404, 404, 403]), resp_content_type=pick.choice(["application/json", "text/html"]))
