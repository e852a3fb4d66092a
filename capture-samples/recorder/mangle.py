"""Makes one messy capture of several clean ones, and keeps its truth exact.

What a bad mirror does: all recordings overlap in time; each direction arrives on an interface of its own, one in
microseconds and one in nanoseconds (pcapng); frames towards servers carry a VLAN tag, those from them none; a quarter of
all frames come twice; one in thirty comes a few places too late; and frames are lost:

* one in forty of those that carry a body's bytes only: each exchange keeps its head, so none may go missing;
* twelve request heads: those exchanges cannot be known, and must not be taken for others;
* twelve response heads (with all else in their frame): those requests are seen, but not their status.

The last two are carried over to the truth, line by line. Nothing is lost that TCP would have sent again: the loss is the
mirror's alone, and the peer's acknowledgements go past it.
"""

import collections
import gzip
import json
import pathlib
import random
import re
import struct

from . import pcap, truth

REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
RESPONSE = re.compile(rb"HTTP/1\.[01] (\d{3})")
# 2026-11-24 12:00:00 UTC.
START = 1_795_521_600 * 10**9
VLAN = struct.pack(">HH", 0x8100, 100)


class Frame:
    def __init__(self, ts, data):
        self.ts, self.data = ts, data
        ip = data[14:]
        if data[12:14] == b"\x86\xdd":
            tcp = ip[40:]
            addresses = ip[8:24], ip[24:40]
        else:
            tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
            addresses = ip[12:16], ip[16:20]
        ports = struct.unpack(">HH", tcp[:4])
        self.seq = int.from_bytes(tcp[4:8], "big")
        self.payload = tcp[(tcp[12] >> 4) * 4 :]
        self.source, self.target = (addresses[0], ports[0]), (addresses[1], ports[1])
        self.connection = frozenset((self.source, self.target))
        self.flags = tcp[13]


def exchanges(frames):
    """Pairs heads by connection, in order: no client in these recordings pipelines. Yields (request frame, line's key,
    response frame of the final head)."""
    waiting = {}
    for f in frames:
        if m := REQUEST.match(f.payload):
            waiting[f.connection] = (f, (m[1].decode(), m[2].decode()))
        elif (m := RESPONSE.match(f.payload)) and f.connection in waiting and m[1] != b"100":
            request, key = waiting.pop(f.connection)
            yield request, key, f, int(m[1])


def make(here: pathlib.Path, parts, folder: pathlib.Path):
    rng = random.Random(20261124)
    frames, lines, candidates = [], [], []
    for part in parts:
        packets, link = pcap.packets(pcap.load(here / part))
        assert link == 1, "Ethernet only"
        first = packets[0][0]
        own = [Frame(START + ts - first, data) for ts, data in packets]
        frames += own
        index = collections.defaultdict(list)
        for line in truth.read(here / part / "requests.jsonl"):
            lines.append(line)
            index[line["method"], line["target"], line["status"]].append(line)
        for request, (method, target), response, status in exchanges(own):
            # Only where a head and nothing else of its message is lost, and only what the truth names.
            if method in ("GET", "DELETE") and status != 101 and index[method, target, status]:
                candidates.append((request, response, index[method, target, status].pop()))
    servers = {f.target for f in frames if f.flags & 0x12 == 0x02}

    lost = set()
    chosen = rng.sample([c for c in candidates if c[2]["status"] != 404], 24)
    for request, _, line in chosen[:12]:
        lost.add(id(request))
        lines.remove(line)
    for _, response, line in chosen[12:]:
        lost.add(id(response))
        line["status"] = None
        line["response_type"] = ""

    bodies = [f for f in frames if f.payload and not REQUEST.match(f.payload) and not RESPONSE.match(f.payload) and f.target not in servers]
    lost |= {id(f) for f in rng.sample(bodies, len(bodies) // 40)}

    # A mirror sees frames in the order in which they pass; sorting is stable.
    frames.sort(key=lambda f: f.ts)
    seen = []
    for f in frames:
        if id(f) in lost:
            continue
        seen.append(f)
        if rng.random() < 0.25:
            seen.append(f)
    # Late by one to four places; the time stamp is the mirror's, so it grows.
    times = [f.ts for f in seen]
    for i in range(len(seen)):
        if rng.random() < 1 / 30:
            j = min(i + rng.randint(1, 4), len(seen) - 1)
            seen.insert(j, seen.pop(i))

    out = bytearray()
    out += block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for resolution in (6, 9):
        option = struct.pack("<HHB3x", 9, 1, resolution) + struct.pack("<HH", 0, 0)
        out += block(1, struct.pack("<HHI", 1, 0, 262144) + option)
    for ts, f in zip(times, seen):
        to_server = f.target in servers
        data = f.data[:12] + VLAN + f.data[12:] if to_server else f.data
        interface, ticks = (0, ts // 1000) if to_server else (1, ts)
        body = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data
        out += block(6, body)

    for old in folder.glob("traffic.pcap*"):
        old.unlink()
    (folder / "traffic.pcapng.gz").write_bytes(gzip.compress(bytes(out), 9, mtime=0))
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def block(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
