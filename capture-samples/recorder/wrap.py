"""Puts frames into tunnels, as switches and clouds mirror them; written from the specifications. shadowtap has no part in it
(its own tests have another generator, tests/common/wrap.rs)."""

import struct

OUTER = bytes([192, 0, 2, 201]), bytes([192, 0, 2, 202])
MACS = bytes.fromhex("02000000ff02" "02000000ff01")


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def outer(protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *OUTER)
    return MACS + b"\x08\x00" + head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(port, payload):
    return outer(17, struct.pack(">HHHH", 50123, port, 8 + len(payload), 0) + payload)


def vxlan(frame, n):
    """RFC 7348, VNI 77."""
    return udp(4789, struct.pack(">II", 0x08000000, 77 << 8) + frame)


def geneve(frame, n):
    """RFC 8926, VNI 78, with two options as AWS has them."""
    options = struct.pack(">HBBQ", 0x0108, 1, 2, 1) + struct.pack(">HBBI", 0x0108, 3, 1, 9)
    return udp(6081, struct.pack(">BBHI", len(options) // 4, 0, 0x6558, 78 << 8) + options + frame)


def erspan(frame, n):
    """ERSPAN type II over GRE with a sequence number, session 3."""
    return outer(47, struct.pack(">HHI", 0x1000, 0x88BE, n) + struct.pack(">HHI", 0x1000, 3, 0) + frame)


def erspan3(frame, n):
    """ERSPAN type III, session 4."""
    return outer(47, struct.pack(">HHI", 0x1000, 0x22EB, n) + struct.pack(">HHIHH", 0x2000, 4, n, 0, 0) + frame)
