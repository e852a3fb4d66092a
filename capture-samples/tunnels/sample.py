"""Other recordings, mirrored through tunnels: each frame of nginx-tls in VXLAN, of etcd in ERSPAN II, of grpc in ERSPAN III and
of websocket in Geneve, all at once. Made from those recordings by recorder/wrap.py, the same each time."""

import gzip
import json

PARTS = {"nginx-tls": "vxlan", "etcd": "erspan", "grpc": "erspan3", "websocket": "geneve"}
KEYLOGS = ["../nginx-tls/keys/whole.log"]


def make(here):
    from recorder import pcap, truth, wrap
    import struct

    frames, lines = [], []
    for part, tunnel in PARTS.items():
        packets, link = pcap.packets(pcap.load(here / part))
        assert link == 1, "Ethernet only"
        first = packets[0][0]
        # 2026-11-24 12:00:00 UTC.
        frames += [(1_795_521_600 * 10**9 + ts - first, getattr(wrap, tunnel)(f, n)) for n, (ts, f) in enumerate(packets)]
        lines += truth.read(here / part / "requests.jsonl")
    frames.sort(key=lambda f: f[0])
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    for ts, frame in frames:
        out += struct.pack("<IIII", ts // 10**9, ts % 10**9 // 1000, len(frame), len(frame)) + frame
    (here / "tunnels/traffic.pcap.gz").write_bytes(gzip.compress(out, 9, mtime=0))
    (here / "tunnels/requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def routes(load):
    out = []
    for part in PARTS:
        sample = load(part)
        out += [(host, r) for host in sample.HOSTS for r in sample.ROUTES]
    return out
