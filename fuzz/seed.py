#!/usr/bin/env python3
"""Writes the seeds in fuzz/corpus: a few small inputs for each target, in the form that the target reads (see its choices).
Packets are made here or taken from capture-samples. Run it again after a target's form has changed."""

import gzip
import json
import pathlib
import random
import struct
import subprocess
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "capture-samples"))
sys.dont_write_bytecode = True

from recorder import pcap  # noqa: E402


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def classic(packets, link=1, order="<", nanos=False):
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nanos else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for ts, frame in packets:
        out += struct.pack(order + "IIII", ts // 10**9, ts % 10**9 // (1 if nanos else 1000), len(frame), len(frame)) + frame
    return out


def next_generation(packets, link=1):
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", link, 0, 262144))
    for ts, frame in packets:
        micros = ts // 1000
        out += block(6, struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(frame), len(frame)) + frame)
    return out


def frames(sample, count, skip=0):
    packets, link = pcap.packets(pcap.load(HERE.parent / "capture-samples" / sample))
    return [(ts, f) for ts, f in packets if len(f) < 900][skip : skip + count], link


def streams(sample):
    """The bytes of each TCP connection of a recording in capture order: lists of (from the client?, bytes). Nothing is lost or
    late in these recordings; what is sent again is left out."""
    connections, out = {}, []
    for _, frame in pcap.packets(pcap.load(HERE.parent / "capture-samples" / sample))[0]:
        ip = frame[14:]
        if frame[12:14] != b"\x08\0" or ip[9] != 6:
            continue
        tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
        ends = (ip[12:16], tcp[:2]), (ip[16:20], tcp[2:4])
        seq, payload, syn = int.from_bytes(tcp[4:8], "big"), tcp[(tcp[12] >> 4) * 4 :], tcp[13] & 2
        key = frozenset(ends)
        if syn and not tcp[13] & 16:
            connections[key] = (ends[0], {}, [])
            out.append(connections[key][2])
        if key in connections:
            client, expected, chunks = connections[key]
            if syn:
                expected[ends[0]] = (seq + 1) & 0xFFFFFFFF
            elif payload and expected.get(ends[0]) == seq:
                expected[ends[0]] = (seq + len(payload)) & 0xFFFFFFFF
                chunks.append((ends[0] == client, payload))
    return out


def pieces(*parts):
    """http1, any bytes: (from the server?, bytes)."""
    out = b"\0"
    for server, data in parts:
        out += bytes([2 | server]) + struct.pack(">I", len(data)) + data
    return out


def main():
    shop, _ = frames("shop", 12)
    cooked, cooked_link = frames("nginx", 8)
    for target in ("files", "pipeline"):
        seed(target, "classic", classic(shop))
        seed(target, "big-endian-nanos", classic(shop[:5], order=">", nanos=True))
        seed(target, "cooked", classic(cooked, cooked_link))
        seed(target, "next-generation", next_generation(shop[:8]))
        seed(target, "cut", classic(shop)[:-7])

    links = {0: [f for _, f in shop[:4]], 9: [f for _, f in cooked[:3]]}
    ip = shop[3][1][14:]
    ethernet = shop[3][1][:12]
    links[0] += [ethernet + b"\x81\x00\x00\x64\x08\x00" + ip, ethernet + b"\x88\xa8\x00\x01\x81\x00\x00\x64\x08\x00" + ip]
    first = ip[:6] + b"\x20\x00" + ip[8:20] + ip[20:44]
    last = ip[:6] + b"\x00\x03" + ip[8:20] + ip[44:]
    links[6] = [ip, first, last]
    links[2] = [b"\xff\x03\x00\x21" + ip]
    links[5] = [b"\x11\x00\x00\x01" + struct.pack(">H", len(ip) + 2) + b"\x00\x21" + ip]
    for link, packets in links.items():
        seed("link", f"link-{link}", b"".join(bytes([link]) + struct.pack(">I", len(f)) + b"\0\0" + f for f in packets))

    get = b"GET /a?x=1 HTTP/1.1\r\nHost: a.test\r\n\r\n"
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: x\r\n\r\n"
    short, none = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"
    seed("http1", "proxy-line", pieces((0, b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n" + short), (1, none)))
    named = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\2\7\xc6\x33\x64\1\xdc\4\0\x50\4\0\0"
    seed("http1", "proxy-binary", pieces((0, named[:9]), (0, named[9:]), (0, short), (1, none)))
    seed("http1", "two", pieces((0, get), (1, ok), (0, get), (1, chunked)))
    seed("http1", "pipelined", pieces((0, get * 3), (1, ok * 3)))
    seed("http1", "continue", pieces((0, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
                                     (1, b"HTTP/1.1 100 Continue\r\n\r\n"), (0, b"abc"), (1, ok)))
    seed("http1", "upgrade", pieces((0, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
                                    (1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), (1, b"\x81\x02hi")))
    seed("http1", "connect", pieces((0, b"CONNECT a:443 HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n"), (0, b"\x16\x03\x01")))
    seed("http1", "lenient", pieces((0, b"GET /x HTTP/1.1\nHost : a\r\n folded: y\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                                    (1, b"HTTP/1.0 200\r\n\r\nuntil close")))

    # websocket: choices (0 any bytes, with deflate), cuts, then the frames.
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    said = b'{"price": 12, "name": "a name"}' * 3
    coded = raw.compress(said) + raw.flush(zlib.Z_SYNC_FLUSH)
    words = b"\x81\x07{\"a\":1}" + b"\x01\x82\1\2\3\4hi" + b"\x89\0" + b"\x80\x01c"
    words += bytes([0xC1, len(coded) - 4]) + coded[:-4] + b"\x88\2\3\xe8"
    seed("websocket", "frames", b"\0\2\3\x09" + words)
    seed("websocket", "plain", b"\2\0" + words[:20])
    seed("websocket", "made", b"\1\1\5" + b"\0\1\5hello\3abc" + b"\x0f\2\0\0\1\x2c" + b"x" * 300)

    proto = b'syntax = "proto3";\npackage a.b;\nimport "types.proto";\n'
    proto += b"service S { rpc M (A) returns (stream B); rpc N (.a.b.A) returns (A) { option deprecated = true; } }\n"
    proto += b"message A { string id = 1; map<string, B> seen = 2; oneof x { int64 y = 3; bytes z = 4; } }\n"
    types = b'syntax = "proto3"; package a.b; message B { repeated A as = 1; enum E { NONE = 0; } E e = 2; }'
    seed("spec", "proto", proto + b"\n%%\n" + types)
    method = b"\x0a\1M\x12\4.a.A\x1a\4.a.A"
    service = b"\x0a\1S\x12" + bytes([len(method)]) + method
    message = b"\x0a\1A\x12\x0a\x0a\2id\x18\1\x20\1\x28\x09"
    file = b"\x0a\7a.proto\x12\1a\x22" + bytes([len(message)]) + message + b"\x32" + bytes([len(service)]) + service
    seed("spec", "descriptor-set", b"\x0a" + bytes([len(file)]) + file)

    text = json.dumps({"orders": [{"id": n, "total": n * 3} for n in range(20)]}).encode()
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    seed("body", "gzip", b"\0\7" + gzip.compress(text, mtime=0))
    seed("body", "zlib", b"\1\7" + zlib.compress(text))
    seed("body", "deflate", b"\1\7" + raw.compress(text) + raw.flush())
    seed("body", "zstd", b"\3\7" + subprocess.run(["zstd", "-qc"], input=text, capture_output=True, check=True).stdout)
    # A brotli stream of one uncompressed meta-block (RFC 7932, 9.2) and the empty last one.
    seed("body", "brotli", b"\2\7" + bytes.fromhex("0b028068656c6c6f03"))

    seed("spec", "three-zero", b"""openapi: 3.0.3
info: {title: t, version: "1"}
servers: [{url: "https://{env}.a.test/v{n}", variables: {env: {default: p, enum: [p, q]}, n: {default: "1"}}}]
paths:
  /users/{id}:
    parameters: [{$ref: "#/components/parameters/id"}]
    get: &get {deprecated: true, responses: {"200": {description: x, content: {application/json: {}}}, 4XX: {description: y}}}
    put: *get
  /files/{name}.{ext}: {$ref: "other.yaml#/paths/~1x"}
components: {parameters: {id: {name: id, in: path, required: true, schema: {type: integer}}}}
%%
paths: {/x: {get: {parameters: [{name: q, in: query}]}}}
""")
    seed("spec", "two-zero", json.dumps({"swagger": 2.0, "host": "a.test:8080", "basePath": "/api/", "schemes": ["http"],
                                         "consumes": ["application/json"], "paths": {"/a": {"post": {"responses": {"default": {}}}}}}).encode())
    seed("spec", "three-one", b'openapi: 3.1.0\npaths:\n  "/a/{b}":\n    get: {}\n  /self: {$ref: "#/paths/~1self"}\nwebhooks: {}\n')

    # A snapshot of two records as the store writes it, and one that claims more than it has.
    header = b"STSNAP\r\n" + struct.pack("<BBHQQ", 1, 1, 0, 7, 10**18)
    header += struct.pack("<I", zlib.crc32(header))
    body, sums = header, b""
    for key, value in ((b"rs1", b"\1service"), (b"re1", b"\1endpoint")):
        record = struct.pack("<HIQ", len(key), len(value), 7) + key + value
        sums += struct.pack("<I", zlib.crc32(record))
        body += record + sums[-4:]
    seed("store", "snapshot", b"\0" + body + struct.pack("<HQI", 0xFFFF, 2, zlib.crc32(sums)))
    seed("store", "claims", b"\0" + header + struct.pack("<HIQ", 3, 200 << 20, 7) + b"rs1")

    # Long headers of each kind in one datagram; a hello in pieces; frames.
    ids = b"\x08" + b"\1" * 8 + b"\2\5\5"
    initial = b"\xc1\0\0\0\1" + ids + b"\0\x40\x30" + bytes(48)
    handshake = b"\xe1\0\0\0\1" + ids + b"\x20" + bytes(32)
    retry = b"\xf0\0\0\0\1" + ids + b"token" + bytes(16)
    second = b"\xd1\x6b\x33\x43\xcf" + ids + b"\3abc\x40\x30" + bytes(48)
    datagrams = [(0, initial + handshake), (1, handshake), (1, retry), (0, second)]
    seed("quic", "datagrams", b"\2" + b"".join(b"\1\0" + bytes([s]) + struct.pack(">I", len(d)) + d for s, d in datagrams))
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0\0\x0c\0\0\0\x08\0\6\0\0\3a.b"
    seed("quic", "hello", b"\1\1" + struct.pack(">I", len(body))[1:] + body)
    seed("quic", "frames", b"\0\0\1\2\5\0\1\1\1\1\6\0\4abcd\6\4\2ef\x1c\0")

    # TLS of real peers. tls: four bytes of choices, then one direction's bytes.
    sessions = streams("nginx-tls")
    keys = (HERE.parent / "capture-samples/nginx-tls/keys/whole.log").read_text()
    by_random = {}
    for line in keys.splitlines():
        by_random.setdefault(line.split()[1], []).append(line + "\n")

    def random_of(session):
        # Record header, message header, version, then the random.
        return session[0][1][11:43].hex()

    def suite_of(session):
        hello = next(data for client, data in session if not client)
        return int.from_bytes(hello[44 + hello[43] :][:2], "big")

    # The shortest session of each suite, and of the kinds that resume or retry.
    kinds = {}
    for session in sessions:
        retried = sum(data.startswith(b"\x16\3") and data[5] == 1 for client, data in session if client) > 1
        kind = (suite_of(session), retried, sum(len(data) for _, data in session) < 4000)
        if kind not in kinds or sum(len(d) for _, d in session) < sum(len(d) for _, d in kinds[kind]):
            kinds[kind] = session
    chosen = sorted(kinds.items())
    for n, (kind, session) in enumerate(chosen):
        name = f"{kind[0]:04x}{'-retried' if kind[1] else ''}{'-short' if kind[2] else ''}"
        for side, of in ((True, "client"), (False, "server")):
            data = b"".join(d for client, d in session if client == side)[:1500]
            seed("tls", f"{name}-{of}", n.to_bytes(4, "big") + data)
        # tls_session: a byte (side; 0: hole, 1: keys, 2: give up, else bytes), a length, and so on.
        lines = "".join(by_random[random_of(session)]).encode()
        told = b"".join(b"\2" + (len(lines[at : at + 200])).to_bytes(4, "big") + lines[at : at + 200] for at in range(0, len(lines), 200))
        body = b""
        for client, data in session:
            for at in range(0, len(data), 1400):
                piece = data[at : at + 1400]
                body += bytes((6 | (not client),)) + len(piece).to_bytes(4, "big") + piece
        if len(body) < 9000:
            seed("tls_session", f"{name}-keys-first", told + body)
            seed("tls_session", f"{name}-keys-late", body + told)
            # A hole of 64 bytes of the server's, before the last piece.
            last = body.rindex(b"\6\0\0")
            seed("tls_session", f"{name}-hole", told + body[:last] + b"\1\0\x40" + body[last:])
    # keylog: four bytes of choices, then text.
    seed("keylog", "tls13", b"\0\0\0\1" + "".join(next(v for v in by_random.values() if len(v) > 3)).encode())
    seed("keylog", "tls12", b"\0\0\0\7" + "".join(next(v for v in by_random.values() if len(v) == 1)).encode())
    odd = f"# a comment\n\nRSA 0102030405060708 {'11' * 48}\r\nRSA Session-ID:{'22' * 32} Master-Key:{'33' * 48}\n"
    odd += f"PMS_CLIENT_RANDOM {'44' * 32} {'55' * 48}\nCLIENT_RANDOM {'66' * 32} {'7' * 95}\nEXPORTER_SECRET {'88' * 32} {'99' * 32}\nhalf"
    seed("keylog", "odd", b"\0\0\0\3" + odd.encode())

    # tunnels: flags, then (time, length, payload, depth, kinds, fragment size, damages, cut …).
    def tunnelled(flags, *packets):
        out = bytes([flags])
        for payload, kinds, damages, cut in packets:
            out += b"\1" + len(payload).to_bytes(4, "big") + payload + bytes([len(kinds), *kinds]) + b"\7" + bytes([damages])
            out += b"\0" + bytes([cut]) if cut else b"\1"
            out += bytes(range(1, 2 * damages + 1))
        return out
    for n in range(0, 36, 6):
        seed("tunnels", f"kinds-{n}", tunnelled(0, *((b"GET / HTTP/1.1\r\n\r\n", [kind], 0, 0) for kind in range(n, n + 6))))
    seed("tunnels", "nested", tunnelled(3, (b"hello", [24, 18, 28, 11], 0, 0), (b"hello again", [0, 2, 30, 32], 2, 9)))
    seed("tunnels", "fragments", tunnelled(4, (b"x" * 250, [24], 0, 0), (b"y" * 90, [18], 1, 0)))
    # QUIC's own packets, of a real client and server.
    flights = []
    for _, frame in pcap.packets(pcap.load(HERE.parent / "capture-samples/quic"))[0][:6]:
        udp = frame[34:]
        side = int(udp[:2] in (b"\x11\x51", b"\x11\x52"))
        flights.append(b"\1\0" + bytes([side]) + (len(udp) - 8).to_bytes(4, "big") + udp[8:])
    seed("quic", "real", b"\2" + b"".join(flights))

    # http2: step, then (which side, length, bytes); 248 and above is a hole. The client's preface is there already.
    def frame(kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload

    def talk(*parts):
        return b"\x07" + b"".join(bytes((side, len(part))) + part for side, part in parts)
    ask = b"\x82\x86\x44\x02/a\x41\x01h"
    seed("http2", "requests", talk((0, frame(4, 0, 0) + frame(1, 5, 1, ask) + frame(1, 5, 3, b"\x83\x86\xbf\xbe")),
         (1, frame(4, 0, 0, b"\x00\x01\x00\x00\x20\x00") + frame(4, 1, 0)),
         (1, frame(1, 4, 3, b"\x88") + frame(0, 1, 3, b"body") + frame(1, 4, 1, b"\x8d") + frame(0, 9, 1, b"\x01x\x00"))))
    seed("http2", "trailers", talk((0, frame(1, 4, 1, ask) + frame(0, 1, 1, b"\x00\x00\x00\x00\x01x")),
         (1, frame(1, 4, 1, b"\x88\x5f\x10application/grpc") + frame(0, 0, 1, b"\x00\x00\x00\x00\x00")),
         (1, frame(1, 5, 1, b"\x40\x0bgrpc-status\x010"))))
    seed("http2", "pieces", talk((0, frame(1, 1, 1, ask[:3])), (0, frame(9, 0, 1, ask[3:]) + frame(9, 4, 1)),
         (1, frame(5, 4, 1, b"\x00\x00\x00\x02" + ask) + frame(3, 0, 1, b"\x00\x00\x00\x08") + frame(7, 0, 0, bytes(8)))))
    seed("http2", "holes", talk((0, frame(1, 4, 1, ask) + frame(0, 1, 1, b"x" * 20)[:12])) + bytes((248, 10)) +
         talk((0, frame(1, 5, 3, ask)))[1:] + bytes((248, 30)) + talk((0, frame(1, 5, 5, ask)))[1:])
    # hpack: how many blocks the late one misses, its bound, then (length, block).
    blocks = [b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
              b"\x20\x3f\xe1\x1f\x87\x85\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf\xbe", b"\x10\x01a\x01b\x00\x01c\x00"]
    for late in range(3):
        seed("hpack", f"late{late}", bytes((late, 200)) + b"".join(bytes((len(b),)) + b for b in blocks))
    # grpc: media type, coding, size of pieces, then (0, length, bytes); 250 and above is a hole.
    def parts(kind, coding, *pieces):
        return bytes((kind, coding, 6)) + b"".join(b"\0" + (len(p) - 1).to_bytes(4, "big") + p for p in pieces)

    def framed(flags, text):
        return bytes([flags]) + len(text).to_bytes(4, "big") + text
    message = b"\x08\x96\x01\x12\x07testing"
    zipped = framed(1, gzip.compress(message, mtime=0))
    seed("grpc", "gzip", parts(0, 0, zipped + framed(0, message), zipped[:9], zipped[9:]))
    seed("grpc", "deflate", parts(0, 1, framed(1, zlib.compress(message)) + framed(1, zlib.compress(b"\x0a\x0b" + b"x" * 11))))
    seed("grpc", "hole", parts(0, 4, framed(0, message * 3)[:20]) + bytes((250, 0, 19)) + parts(0, 4, framed(0, message))[3:])
    seed("grpc", "connect", parts(2, 4, framed(0, message) + framed(2, b'{"error": {"code": "not_found"}}')))
    seed("grpc", "text", parts(1, 4, b"AAAAAAA=AAAAAAA=gAAAAA1ncnBjLXN0YXR1czow"))
    # For these, any bytes are a script. Each has numbers of its own: one more target changes no other's.
    for target in ("reassembly", "http1", "inventory", "restore", "tunnels"):
        rng = random.Random(target)
        for n, size in enumerate((40, 300, 900)):
            seed(target, f"script-{n}", bytes([1]) + rng.randbytes(size))
    rng = random.Random("store")
    for n, size in enumerate((20, 60, 120)):
        seed("store", f"script-{n}", bytes([n + 1]) + rng.randbytes(size))


main()
