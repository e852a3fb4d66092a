#!/usr/bin/env python3
"""Trains the model that judges path templates: src/inventory/learn/model.bin.

  train.py DATA SHADOWTAP OUT [--work FOLDER] [--ablate]

DATA holds labelled traffic, `traffic/<api>.<part>.jsonl.gz` and `.truth.jsonl.gz`, and may hold `models.jsonl.gz`, one API
a line with its `ops`. With --ablate further models are put beside OUT, of one forest each: with all features, and without one family of them. SHADOWTAP is the built command: it makes the rows, so that the model is asked what it was trained on.
The same data, command and versions (requirements.txt) give the same bytes: one thread, fixed seeds.
"""

import argparse
import collections
import glob
import gzip
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from urllib.parse import unquote

import lightgbm
import numpy

import generate
import rewrite

# Requests in each set of traffic that is drawn, and how many such sets for each API.
VARIANTS = ((5000, 2), (300, 1))
# How much the rows of the given traffic count, of such drawn traffic, and of the given traffic with other names.
GIVEN, DRAWN, REWRITTEN = 4.0, 0.6, 2.0
# How much a literal counts against a value: to fold two resources into one is worse than to split one.
LITERAL = 1.6
# What the second pass's log-odds of a value are lowered by: rewritten traffic holds more wordy values than most traffic does, and
# to fold two resources into one is worse than to split one.
SHIFT = -0.5
# Each pass is the mean of so many forests of so many trees, each fitted to another draw of rows and features: what one of them
# thinks by chance, the others don't.
FORESTS, TREES = 3, 220
FOLD_TREES = 120
PARAMETERS = dict(
    objective="binary", num_leaves=31, learning_rate=0.06, min_data_in_leaf=200, feature_fraction=0.25, bagging_fraction=0.6,
    bagging_freq=1, lambda_l2=20.0, num_threads=1, verbose=-1, seed=7, deterministic=True, force_row_wise=True, max_bin=63)
# Families of features, by the name of the first of each.
FAMILIES = {"text": "kind", "place": "n", "counts": "ln_calls", "overlap": "m_shared", "spread": "j1", "beside values": "v_next1",
            "parent": "p_root", "host": "parents", "vocabulary": "voc", "second pass": "p1"}
MAGIC = b"STAPLRN\x01"


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def fold_of(api):
    """Which half an API is in: the second pass is trained on what a first pass says of APIs it never saw."""
    return zlib.crc32(api.encode()) % 2


def name_parts(word):
    return [p.lower() for p in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]+", word)]


def vocabulary(known, apis):
    """By word: the APIs that have it as a literal, that let a parameter follow it, that let a literal follow it. By two words with
    a slash between them: the APIs that have one below the other; with nothing before the slash: where it is a known value."""
    templates = {api: set() for api in apis}
    for model in known:
        templates.get(model["id"], set()).update(op["p"] for op in model["ops"])
    for api, paths in apis.items():
        for path in paths:
            truth = lines(path.replace(".jsonl", ".truth.jsonl"))
            templates[api].update(t["template"] for t in truth if t["template"] != "noise")
    words = collections.defaultdict(lambda: collections.defaultdict(int))
    for api, own in sorted(templates.items()):
        for template in own:
            segments = [s for s in template.split("/") if s]
            for segment, after in zip(segments, segments[1:] + [None]):
                if "{" in segment:
                    continue
                bits = 1 | (0 if after is None else 2 if after.startswith("{") else 0 if "{" in after else 4)
                words[plain(segment)][api] |= bits
            for before, segment in zip(segments, segments[1:]):
                if "{" not in before and "{" not in segment:
                    words[plain(before) + "/" + plain(segment)][api] |= 1
    for model in known:
        for op in model["ops"]:
            for parameter in op["pp"]:
                for value in parameter.get("e", []) + [parameter.get("x")]:
                    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z_-]{1,30}", value):
                        words["/" + value.lower()][model["id"]] |= 1
    return words


def plain(segment):
    return re.sub(r"\.(json|xml|csv|html)$", "", unquote(segment)).lower()


def forest(models, shift=0.0):
    """The mean of some boosters as bytes: for each tree its nodes (feature, threshold, next two; leaves are negative), then its
    leaves. `shift` is added to the log-odds of all."""
    trees = [tree for model in models for tree in model.dump_model()["tree_info"]]
    out = struct.pack("<I", len(trees))
    for tree in trees:
        nodes, leaves = [], []

        def read(node):
            if "split_feature" not in node:
                leaves.append(node["leaf_value"] / len(models))
                return ~(len(leaves) - 1)
            at = len(nodes)
            nodes.append(None)
            below, above = read(node["left_child"]), read(node["right_child"])
            nodes[at] = struct.pack("<Bfbb", node["split_feature"], node["threshold"], below, above)
            return at

        read(tree["tree_structure"])
        if tree is trees[0]:
            leaves = [struct.unpack("<f", struct.pack("<f", leaf))[0] + shift for leaf in leaves]
        out += struct.pack("<B", len(nodes)) + b"".join(nodes) + b"".join(struct.pack("<f", leaf) for leaf in leaves)
    return out


def model_file(first, second, words, without=None):
    table = {}
    for word, apis in sorted(words.items()):
        seen = [bits for api, bits in apis.items() if api != without]
        if seen:
            counts = [min(255, sum(bits >> k & 1 for bits in seen)) for k in range(3)]
            table.setdefault(zlib.crc32(word.encode()), counts)
    body = forest(first) + forest(second, SHIFT) + struct.pack("<I", len(table))
    body += b"".join(struct.pack("<IBBB", key, *table[key]) for key in sorted(table))
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def variants(api, paths, model, words, work):
    """The traffic of an API: as it is given, and drawn anew from its model."""
    for size, count in VARIANTS:
        for number in range(count):
            name = f"{api}.{size}-{number}"
            requests = generate.traffic(model, size, words, zlib.crc32(name.encode()))
            yield rewrite.write(os.path.join(work, name + ".jsonl.gz"), *requests), DRAWN
    for path in paths:
        yield path, GIVEN
    for path in rewrite.variants(api, paths, words, work):
        yield path, GIVEN if "-threefold" in path else REWRITTEN


def rows(command, work, words, traffic, first, second):
    """Rows of all traffic; `first` gives the model of a fold's first pass."""
    out, owners = [], []
    width, names = None, []
    for api, paths in sorted(traffic.items()):
        model = os.path.join(work, "model.bin")
        with open(model, "wb") as file:
            file.write(model_file(first(fold_of(api)), [], words, without=api))
        for path, weight in paths:
            truth = path.replace(".jsonl", ".truth.jsonl")
            call = [command, "templates", "features", path, truth, "--model", model] + (["--second"] if second else [])
            if width is None:
                names = subprocess.run(call + ["--names"], check=True, capture_output=True, text=True).stdout.split()
                width = len(names) + 2
            block = numpy.frombuffer(subprocess.run(call, check=True, capture_output=True).stdout, dtype="<f4")
            out.append(block.reshape(-1, width).copy())
            out[-1][:, 1] *= numpy.where(out[-1][:, 0] < 0.5, LITERAL * weight, weight)
            owners += [fold_of(api)] * len(out[-1])
    return numpy.concatenate(out), numpy.array(owners), names


def fit(table, trees, forests=1, without=()):
    features = numpy.ascontiguousarray(table[:, 2:])
    for column in without:
        features[:, column] = 0
    data = lightgbm.Dataset(features, table[:, 0], weight=table[:, 1], free_raw_data=False)
    return [lightgbm.train(dict(PARAMETERS, seed=PARAMETERS["seed"] + at), data, trees) for at in range(forests)]


def columns(names, family):
    """The columns of a family of features."""
    starts = sorted(names.index(first) for first in FAMILIES.values() if first in names) + [len(names)]
    if FAMILIES[family] not in names:
        return range(0)
    begin = names.index(FAMILIES[family])
    return range(begin, starts[starts.index(begin) + 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("shadowtap")
    parser.add_argument("out")
    parser.add_argument("--work", default="train-work")
    parser.add_argument("--ablate", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    apis = collections.defaultdict(list)
    for path in sorted(glob.glob(os.path.join(args.data, "traffic", "*.jsonl.gz"))):
        if ".truth." not in path:
            apis[os.path.basename(path).split(".")[0]].append(path)
    known = lines(os.path.join(args.data, "models.jsonl.gz"))
    models = {model["id"]: model for model in known}
    words = vocabulary(known, apis)
    traffic = {api: list(variants(api, paths, models[api], words, args.work)) for api, paths in apis.items()}
    print("traffic is drawn", file=sys.stderr)
    table, owners, names = rows(args.shadowtap, args.work, words, traffic, lambda _: [], False)
    print("first pass:", table.shape, file=sys.stderr)
    halves = [fit(table[owners != half], FOLD_TREES) for half in (0, 1)]
    first = fit(table, TREES, FORESTS)
    second_table, _, second_names = rows(args.shadowtap, args.work, words, traffic, lambda half: halves[half], True)
    print("second pass:", second_table.shape, file=sys.stderr)
    second = fit(second_table, TREES, FORESTS)

    def write(path, *model):
        with open(path, "wb") as file:
            file.write(model_file(*model))

    write(args.out, first, second, words)
    if args.ablate:
        # What the others are to be held against: one forest each.
        write(f"{args.out}.with-all", fit(table, TREES), fit(second_table, TREES), words)
    for family in FAMILIES if args.ablate else []:
        name = f"{args.out}.without-{family.replace(' ', '-')}"
        if family == "second pass":
            write(name, first, first, words)
        elif family == "vocabulary":
            write(name, fit(table, TREES, 1, columns(names, family)), fit(second_table, TREES, 1, columns(second_names, family)), {})
        else:
            write(name, fit(table, TREES, 1, columns(names, family)), fit(second_table, TREES, 1, columns(second_names, family)), words)
        print("without", family, file=sys.stderr)


if __name__ == "__main__":
    main()
