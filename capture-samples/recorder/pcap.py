"""Capture files: reading what tcpdump wrote, storing it plain or compressed."""

import gzip
import pathlib
import struct
import subprocess


def store(data: bytes, file: pathlib.Path, compress: str | None):
    if compress == "gz":
        # No time and no name inside: the same capture gives the same file.
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(data, 9, mtime=0))
    elif compress == "zst":
        subprocess.run(["zstd", "-q", "-19", "-f", "-o", f"{file}.zst"], input=data, check=True)
    else:
        file.write_bytes(data)


def load(folder: pathlib.Path) -> bytes:
    """A sample's capture, decompressed."""
    (file,) = folder.glob("traffic.pcap*")
    if file.suffix == ".gz":
        return gzip.decompress(file.read_bytes())
    if file.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", file], check=True, capture_output=True).stdout
    return file.read_bytes()


def packets(data: bytes):
    """(nanoseconds, frame) of a little-endian pcap with whole packets, and its link type."""
    magic, *_, link = struct.unpack("<IHHiIII", data[:24])
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    out, at = [], 24
    while at < len(data):
        seconds, fraction, captured, _ = struct.unpack("<IIII", data[at : at + 16])
        out.append((seconds * 10**9 + fraction * unit, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return out, link
