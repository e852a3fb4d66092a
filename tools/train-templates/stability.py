#!/usr/bin/env python3
"""How stable learnt templates are: traffic of labelled APIs replayed in time order, templates learnt anew again and again.

    tools/train-templates/stability.py TRAFFIC_FOLDER SHADOWTAP [--every 100] [--which medium] [--examples 3]

Prints, for each API and in all: templates in the end; those that appeared in the second half of the traffic (new endpoints, no fault);
changes of templates that were there (folded, split, renamed, gone), in all and in the second half; and flaps: a template of the
log that came back after it had been folded, split, renamed or gone.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile


def replay(command, log, every):
    """The log in time order through `templates learn --changes`: lines of JSON."""
    with gzip.open(log, "rt") as f:
        lines = [json.loads(line) for line in f]
    lines.sort(key=lambda l: (l.get("ts") or 0, l["i"]))
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
        f.flush()
        out = subprocess.run([command, "templates", "learn", f.name, "--changes", str(every)],
                             check=True, capture_output=True, text=True).stdout
    return len(lines), [json.loads(line) for line in out.splitlines()]


def measure(requests, changes):
    now, ended = set(), set()
    row = dict.fromkeys(["templates", "appeared_late", "changes", "late", "flaps", "late_flaps"], 0)
    late_kinds, flapped = {}, []
    for line in changes:
        change, late = line["change"], line["requests"] > requests / 2
        key = lambda named: (change["service"], change["method"], named["template"])
        before, after = {key(n) for n in change["before"]}, {key(n) for n in change["after"]}
        if change["kind"] == "appeared":
            row["appeared_late"] += late * len(after)
        else:
            row["changes"] += 1
            row["late"] += late
            if late:
                late_kinds[change["kind"]] = late_kinds.get(change["kind"], 0) + 1
        back = (after - before - now) & ended
        row["flaps"] += bool(back)
        row["late_flaps"] += bool(back) and late
        if back:
            flapped.append((change["kind"], sorted(t for _, _, t in back)[0], change["reason"]))
        now = (now - before) | after
        ended = (ended | (before - after)) - after
    row["templates"] = len(now)
    return row, late_kinds, flapped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("command")
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--which", default="medium")
    parser.add_argument("--examples", type=int, default=0)
    args = parser.parse_args()
    logs = sorted(args.folder.glob(f"*.{args.which}.jsonl.gz"))
    if not logs:
        sys.exit(f"no *.{args.which}.jsonl.gz in {args.folder}")
    total, kinds, rows = {}, {}, []
    for log in logs:
        row, late, flapped = measure(*replay(args.command, log, args.every))
        rows.append((log.name.split(".")[0], row, late, flapped))
        for name, value in row.items():
            total[name] = total.get(name, 0) + value
        for kind, n in late.items():
            kinds[kind] = kinds.get(kind, 0) + n
    names = list(total)
    print("| API | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for name, row, late, flapped in sorted(rows, key=lambda r: (-r[1]["late"], r[0])):
        print(f"| {name} | " + " | ".join(str(row[n]) for n in names) + " |")
        for example in flapped[:args.examples]:
            print(f"    flap: {example}")
    print("| all | " + " | ".join(str(total[n]) for n in names) + " |")
    print(f"late changes by kind: {kinds}; APIs without any: {sum(r[1]['late'] == 0 for r in rows)} of {len(rows)}")


if __name__ == "__main__":
    main()
