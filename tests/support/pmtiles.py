"""Writes the smallest PMTiles file: one picture for the whole world."""

import struct
from pathlib import Path

HEADER = struct.Struct("<7sB11Q6B4iB2i")
NONE, PNG = 1, 2


def write_pmtiles(path: Path, picture: bytes) -> None:
    """A file of version 3 (https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md) with a PNG at zoom 0."""
    # One entry: tile 0, a run of one, its length, and its offset plus one.
    directory = b"\x01\x00\x01" + _varint(len(picture)) + b"\x01"
    metadata = b"{}"
    root = HEADER.size
    about = root + len(directory)
    tiles = about + len(metadata)
    places = (root, len(directory), about, len(metadata), tiles, 0, tiles, len(picture), 1, 1, 1)
    world = (-180 * 10**7, -85 * 10**7, 180 * 10**7, 85 * 10**7)
    header = HEADER.pack(b"PMTiles", 3, *places, 1, NONE, NONE, PNG, 0, 0, *world, 0, 0, 0)
    path.write_bytes(header + directory + metadata + picture)


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])
