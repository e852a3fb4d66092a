#!/usr/bin/env python3
"""Measures `shadowtap templates learn` on labelled traffic, as it is and rewritten, and with models trained without something.

  measure.py TRAFFIC SCORER SHADOWTAP [--model NAME=FILE ...] [--styles] [--size SIZE ...] [--work FOLDER]

TRAFFIC holds `<api>.<size>.jsonl.gz` and `.truth.jsonl.gz`, SCORER is the benchmark's score.py. Prints a table in Markdown, macro
averages. With --styles also on the same traffic with its identifiers spelt another way, with half of the clients gone, with
noise added, and with the names that real traffic has. Never writes anything but the work folder.
"""

import argparse
import collections
import glob
import json
import os
import re
import subprocess
import sys
import zlib
from urllib.parse import quote

import rewrite

COLUMNS = ("F1", "GA", "recall_1-3", "over_merge", "over_split", "noise_recall", "api_lost")


class Plain:
    """Words for names, without a vocabulary of literals but that of the traffic itself."""

    def __init__(self, literals, seed):
        vocabulary = {word: {1: 1, 2: 1} for word in literals}
        self.words = rewrite.Words(vocabulary, seed)


def respelt(traffic, words, style):
    """Identifiers in another style, each value always the same."""
    given = {}
    open_names = {name for name, _ in traffic.open_names()}

    def other(name, value):
        if name not in open_names or not re.search(r"\d", value):
            return value
        if (name, value) not in given:
            given[name, value] = quote(words.value(style), safe="-._~:@")
        return given[name, value]

    return traffic.refilled(other)


def looks_made(value):
    """Is it an identifier that a machine made, rather than a name?"""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value) and not re.search(r"[-_. ]", value)
    return bool(value.isdigit() or re.fullmatch(r"[0-9a-fA-F-]{12,}", value) or (len(value) >= 8 and mixed))


def reworded(traffic, words, share, is_word, few=None):
    """Single words where `is_word(name, value)`; one value with half of each place's traffic, three in all, or `few[name]`."""
    given = {}
    open_names = {name for name, _ in traffic.open_names()}

    def other(name, value):
        if name not in open_names:
            return value
        bucket = value
        if share == "half" and words.random.random() < .5:
            bucket = "half"
        elif share == "three":
            bucket = zlib.crc32(value.encode()) % 3
        elif share == "few":
            bucket = int(few[name] * (zlib.crc32(value.encode()) % 1000 / 1000) ** 2.5)
        if (name, bucket) not in given:
            given[name, bucket] = quote(words.word(), safe="-._~:@") if is_word(name, value) else value
        return given[name, bucket]

    return traffic.refilled(other)


def shared(traffic, words, share):
    """Everything as single words; where values are shared, all but numbers."""
    return reworded(traffic, words, share, lambda _, value: share == "words" or not value.isdigit())


def named(traffic, words, share):
    """All names as single words, identifiers as they are; shared, or as few as one client's recordings have."""
    names = {name: sum(map(looks_made, values)) * 2 < len(values) for name, values in traffic.open_names()}
    few = {name: words.random.choice([1, 2, 2, 3, 4, 6]) if is_name else 25 for name, is_name in names.items()}
    requests, templates = reworded(traffic, words, share, lambda name, _: names[name], few)
    return [dict(r, client="10.0.0.7") if share == "few" else r for r in requests], templates


def half_of_clients(traffic, words):
    clients = sorted({request["client"] for request in traffic.requests})
    kept = set(words.random.sample(clients, (len(clients) + 1) // 2))
    both = [(r, t) for r, t in zip(traffic.requests, traffic.templates) if r["client"] in kept]
    return [r for r, _ in both], [t for _, t in both]


def more_noise(traffic, words):
    """Up to a fifth of all requests for what is not there."""
    pick, host = words.random, traffic.requests[0]["host"]
    both = list(zip(traffic.requests, traffic.templates))
    for _ in range(len(both) // 4 - sum(t == "noise" for t in traffic.templates)):
        base = pick.choice(both)[0]["path"].rsplit("/", 1)[0] if pick.random() < .4 else ""
        request = {"ts": 0, "client": "10.9.9.9", "method": "GET", "host": host, "query": "", "status": 404,
                   "path": f"{base}/{words.word()}{pick.choice(['', '.php', '-' + str(pick.randrange(10**6))])}",
                   "req_content_type": None, "resp_content_type": pick.choice(["text/html", "application/json"])}
        # What a true template would fit is no noise.
        if not any(p.match(request["path"]) for p, _ in traffic.patterns.values()):
            both.insert(pick.randrange(len(both)), (request, "noise"))
    return [r for r, _ in both], [t for _, t in both]


STYLES = {
    "identifiers as names": lambda t, w: respelt(t, w, "two"),
    "identifiers as base62": lambda t, w: respelt(t, w, "base62"),
    "identifiers as words": lambda t, w: respelt(t, w, "word"),
    "names as single words": lambda t, w: named(t, w, "words"),
    "the same, and one value takes half": lambda t, w: named(t, w, "half"),
    "the same, and three values in all": lambda t, w: named(t, w, "three"),
    "the same, few of them and one client": lambda t, w: named(t, w, "few"),
    "names and identifiers as single words": lambda t, w: shared(t, w, "words"),
    "all but numbers as single words, one value takes half": lambda t, w: shared(t, w, "half"),
    "all but numbers as single words, three values in all": lambda t, w: shared(t, w, "three"),
    "half of the clients gone": half_of_clients,
    "20 % noise": more_noise,
}


def files(folder, size):
    return [f for f in sorted(glob.glob(os.path.join(folder, f"*.{size}.jsonl.gz"))) if ".truth." not in f]


def score(folder, size, scorer, command, model, work):
    out = os.path.join(work, "assigned")
    os.makedirs(out, exist_ok=True)
    for path in files(folder, size):
        call = [command, "templates", "learn", path, "--assign"] + (["--model", model] if model else [])
        with open(os.path.join(out, os.path.basename(path).replace(".jsonl.gz", ".pred.jsonl")), "wb") as file:
            subprocess.run(call, check=True, stdout=file)
    result = os.path.join(work, "score.json")
    subprocess.run([sys.executable, scorer, folder, out, "--size", size, "--json", result], check=True, stdout=subprocess.DEVNULL)
    with open(result, encoding="utf-8") as file:
        return json.load(file)["macro"]


def row(name, macro):
    cells = [f"{macro[c]:.4f}" if c == "api_lost" else f"{macro[c]:.2f}" if c.startswith("over") else f"{macro[c]:.3f}" for c in COLUMNS]
    print("| " + " | ".join([name] + cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traffic")
    parser.add_argument("scorer")
    parser.add_argument("shadowtap")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--styles", action="store_true")
    parser.add_argument("--size", action="append", default=[])
    parser.add_argument("--work", default="measure-work")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    print("| traffic | F1 | GA | recall 1-3 | over-merge | over-split | noise recall | lost |\n|---|---|---|---|---|---|---|---|")
    for size in args.size or ["medium", "small"]:
        run = lambda name, folder, model=None: row(f"{size}, {name}", score(folder, size, args.scorer, args.shadowtap, model, args.work))
        run("as it is", args.traffic)
        for name, _, path in (m.partition("=") for m in args.model):
            run(name, args.traffic, path)
        for style, change in STYLES.items() if args.styles else ():
            folder = os.path.join(args.work, f"{size} {style}")
            os.makedirs(folder, exist_ok=True)
            for path in files(args.traffic, size):
                traffic = rewrite.Traffic(path)
                literals = collections.Counter(s for t in set(traffic.templates) for s in t.split("/") if re.fullmatch("[a-z]{3,14}", s))
                words = Plain(sorted(literals), zlib.crc32(f"{style} {path.rsplit('/', 1)[-1]}".encode())).words
                requests, templates = change(traffic, words)
                rewrite.write(os.path.join(folder, os.path.basename(path)), requests, templates)
            run(style, folder)


if __name__ == "__main__":
    main()
