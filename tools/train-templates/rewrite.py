"""Labelled traffic with other values in the places of its parameters.

The values of generated traffic are spelt as its generator spells them, those of real traffic as people do: bare words that look like
resource names, few of them, one with most of the traffic. A learner trained on the former fails on the latter, so each API's
traffic is rewritten: other styles of names, other shares, and three times over with further values of the same looks.
"""

import gzip
import json
import os
import random
import re
import zlib
from urllib.parse import quote, unquote

NAMES = """emma olivia noah liam mia lucas hannah leon sofia finn clara paul ida max lena felix jonas nora theo alice bob carol
dave erin frank grace heidi ivan judy mallory oscar peggy trent victor walter wendy juan maria pedro ana chen wei li yuki hiro
amir fatima omar priya ravi kofi ama""".split()
BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FORMATS = ("json", "xml", "csv", "html")
STYLES = {"keep": .15, "word": .52, "two": .06, "numbered": .05, "Camel": .06, "base62": .03, "number": .05, "UPPER": .03,
          "dotted": .03, "CODE": .02}
SHARES = {"as it was": .3, "half": .25, "three": .2, "two": .07, "few": .1, "special": .08}
# Words that stand for one of the values (`/calendars/primary`).
SPECIAL = "primary default main master root latest current all self active home base any public".split()
HOLE = re.compile(r"\{([^{}=]*)(?:=[^{}]*)?\}")


class Words:
    """Words for names: plain ones from words.txt beside this file, and literals that public APIs have."""

    def __init__(self, vocabulary, seed):
        self.random = random.Random(seed)
        with open(os.path.join(os.path.dirname(__file__), "words.txt"), encoding="utf-8") as file:
            self.plain = file.read().split()
        self.literals = sorted(w for w, apis in vocabulary.items() if len(apis) > 1 and re.fullmatch(r"[a-z][a-z-]{2,14}", w))

    def word(self):
        share = self.random.random()
        return self.random.choice(self.literals if share < .3 else NAMES if share < .4 else self.plain)

    def value(self, style):
        pick, word = self.random, self.word
        letters = lambda alphabet, sizes: "".join(pick.choice(alphabet) for _ in range(pick.choice(sizes)))
        return {
            "word": word,
            "two": lambda: word() + pick.choice("-_") + word(),
            "numbered": lambda: f"{word()}-{pick.randrange(1, 9999)}",
            "Camel": lambda: "".join(word().replace("-", "").capitalize() for _ in range(pick.choice([1, 2]))),
            "base62": lambda: letters(BASE62, [5, 6, 7, 22]),
            "number": lambda: str(pick.randrange(1, pick.choice([30, 1000, 10**6, 10**9]))),
            "UPPER": lambda: word().upper().replace("-", "_"),
            "dotted": lambda: word() + "." + word(),
            "CODE": lambda: letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", [2, 2, 3, 3, 4]),
        }[style]()


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, requests, templates):
    truth = path.replace(".jsonl", ".truth.jsonl")
    with open(path, "wb") as raw, open(truth, "wb") as raw_truth:
        # No time stamp: the same content gives the same bytes.
        with gzip.GzipFile("", "wb", 1, raw, 0) as one, gzip.GzipFile("", "wb", 1, raw_truth, 0) as other:
            for at, (request, template) in enumerate(zip(requests, templates)):
                one.write((json.dumps(dict(request, i=at)) + "\n").encode())
                other.write((json.dumps({"i": at, "template": template}) + "\n").encode())
    return path


def pattern(template):
    out, names, at = "", [], 0
    for hole in HOLE.finditer(template):
        names.append(hole.group(1))
        whole = template[hole.end():hole.end() + 1] == "/"
        out += re.escape(template[at:hole.start()]) + ("([^/]+?)" if whole else "(.+?)")
        at = hole.end()
    return re.compile("^" + out + re.escape(template[at:]) + "$", re.I), names


def fill(template, values):
    values = iter(values)
    return HOLE.sub(lambda _: next(values), template)


class Traffic:
    """Requests, their true templates, and the values of their parameters."""

    def __init__(self, path):
        self.requests = read(path)
        self.templates = [t["template"] for t in read(path.replace(".jsonl", ".truth.jsonl"))]
        self.patterns, self.values, self.of_request = {}, {}, []
        for request, template in zip(self.requests, self.templates):
            found = None
            if template != "noise" and "{" in template:
                if template not in self.patterns:
                    self.patterns[template] = pattern(template)
                path = re.sub(r";jsessionid=[^/]*", "", re.sub(r"/+", "/", request["path"])).rstrip("/")
                match = self.patterns[template][0].match(path) or self.patterns[template][0].match(unquote(path))
                if match:
                    found = list(zip(self.patterns[template][1], match.groups()))
                    for name, value in found:
                        self.values.setdefault(name, []).append(value)
            self.of_request.append(found)

    def open_names(self):
        """Parameters whose values may be replaced: no paths, dates or formats."""
        for name, values in sorted(self.values.items()):
            dates = sum(bool(re.match(r"\d{4}-\d\d", v)) for v in values)
            formats = all(v.lower() in FORMATS for v in values)
            if not any("/" in v for v in values) and dates * 2 <= len(values) and not formats:
                yield name, values


    def refilled(self, other):
        """The same requests with `other(name, value)` in the place of each value, and their templates."""
        requests, filled = [], []
        for request, template, found in zip(self.requests, self.templates, self.of_request):
            if found:
                values = [other(name, value) for name, value in found]
                filled.append((template, values))
                request = dict(request, path=fill(template, values))
            requests.append(request)
        return requests, marked(self.templates, filled)


def marked(templates, filled):
    """Templates with `{name=value}` where a parameter had one value that looks like a word."""
    single = {}
    for template, values in filled:
        for at, value in enumerate(values):
            single.setdefault((template, at), set()).add(unquote(value))
    out = {}
    for template in {t for t, _ in filled}:
        at = iter(range(len(template)))

        def mark(hole):
            values = single[template, next(at)]
            value = next(iter(values))
            word = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.$-]{0,40}|\d{1,2}|v?\d[\d.]*", value)
            return "{%s=%s}" % (hole.group(1), value) if len(values) == 1 and word else "{%s}" % hole.group(1)

        out[template] = HOLE.sub(mark, template)
    return [out.get(t, t) for t in templates]


def renamed(traffic, words):
    """Other names, other shares."""
    pick = words.random
    plan = {}
    for name, values in traffic.open_names():
        style = pick.choices(list(STYLES), list(STYLES.values()))[0]
        share = pick.choices(list(SHARES), list(SHARES.values()))[0]
        numbers = sum(v.isdigit() for v in values) * 2 > len(values)
        plan[name] = ("keep" if numbers and pick.random() < .5 else style, share, pick.choice([4, 6, 10, 30]))
    given, special = {}, {}

    def other(name, value):
        style, share, few = plan.get(name, ("keep", "as it was", 0))
        if share == "special":
            return special.setdefault(name, pick.choice(SPECIAL)) if pick.random() < .25 else value
        if style == "keep" and share == "as it was":
            return value
        bucket = value
        if share == "half" and pick.random() < .5:
            bucket = ("half", 0)
        elif share == "three":
            bucket = ("three", 0 if pick.random() < .5 else pick.randrange(1, 3))
        elif share == "two":
            bucket = ("two", pick.random() < .4)
        elif share == "few":
            bucket = ("few", zlib.crc32(value.encode()) % few)
        if (name, bucket) not in given:
            new = pick.choice(traffic.values[name]) if style == "keep" else quote(words.value(style), safe="-._~:@")
            given[name, bucket] = value if style == "keep" and bucket == value else new
        return given[name, bucket]

    return traffic.refilled(other)


def alike(value, words, pool):
    """Another value of the same looks."""
    pick = words.random
    if value.isdigit():
        return str(pick.randrange(10 ** (len(value) - 1) if len(value) > 1 else 0, 10 ** len(value)))
    if re.fullmatch(r"[0-9a-f-]{16,}", value):
        return "".join(c if c == "-" else pick.choice("0123456789abcdef") for c in value)
    out = ""
    for part in re.split(r"([-_. ])", value):
        if part.isdigit():
            part = str(pick.randrange(10 ** len(part)))
        elif part.isalpha() and part.islower():
            part = pick.choice(pool)
        elif re.search(r"\d", part):
            part = "".join(pick.choice(BASE62) for _ in part)
        out += part
    return out


def threefold(traffic, words):
    """Three times the traffic, with further values where there were many."""
    pick = words.random
    pools = {name: sorted({p for v in values for p in re.split(r"[-_. ]", v) if p.isalpha() and p.islower()}) or ["a"]
             for name, values in traffic.values.items()}
    many = {n for n, v in traffic.open_names() if len(set(v)) >= 12 and len(set(v)) > len(v) * .08}
    requests, templates = list(traffic.requests), list(traffic.templates)
    for _ in range(2):
        given = {}
        for request, template, found in zip(traffic.requests, traffic.templates, traffic.of_request):
            if found:
                for name, value in found:
                    if (name, value) not in given:
                        change = name in many and "%" not in value and pick.random() < .7
                        given[name, value] = alike(value, words, pools[name]) if change else value
                request = dict(request, path=fill(template, [given[pair] for pair in found]))
            requests.append(request)
            templates.append(template)
    order = list(range(len(requests)))
    pick.shuffle(order)
    return [requests[at] for at in order], [templates[at] for at in order]


def variants(api, paths, vocabulary, work):
    """Writes the rewritten traffic of an API; gives the files."""
    out = []
    for path in paths:
        traffic = Traffic(path)
        part = os.path.basename(path).split(".")[1]
        ways = [("again", renamed)] if part == "small" else [("one", renamed), ("two", renamed), ("threefold", threefold)]
        for way, make in ways:
            words = Words(vocabulary, zlib.crc32(f"{api} {part} {way}".encode()))
            out.append(write(os.path.join(work, f"{api}.{part}-{way}.jsonl.gz"), *make(traffic, words)))
    return out
