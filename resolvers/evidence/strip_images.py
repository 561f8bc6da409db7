"""Pictures without their metadata: the bytes that make the picture stay as they are, everything else is left out.

What stays besides is what the picture looks wrong without: its colour profile, and which way up it is. What is left
out is where and when it was taken, with what, thumbnails, other pictures behind it, comments, and whatever a format
allows and nobody needs. No decoder sees any of that.
"""

import re
import struct
import zlib
from collections.abc import Iterator

UPRIGHT = 1
ORIENTATION = 0x0112

# JPEG (ITU-T T.81)
SOI, EOI, SOS, APP0, APP1, APP2, APP14, APP15, COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
JFIF, ICC, ADOBE, EXIF = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe", b"Exif\0\0"
# In the data of a scan 0xFF is followed by 0, by a restart marker or by itself; anything else ends the scan.
SCANS_MAXIMUM = 64  # a progressive picture has ten or so; each costs a decoder a walk through the whole picture
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# PNG (W3C, third edition)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"pHYs"}

# WebP (RFC 9649)
WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
WEBP_MOVING = {b"ANIM", b"ANMF"}
EXIF_FLAG, XMP_FLAG = 0x08, 0x04


class BrokenImage(Exception):
    """The bytes are not what their first ones promise."""


def jpeg(data: bytes) -> bytes:
    """A JPEG without metadata. Raises Broken."""
    kept, turned = [bytes([0xFF, SOI])], UPRIGHT
    for marker, segment, whole in _segments(data):
        if marker == APP0 and segment.startswith(JFIF) and len(segment) >= 14:
            # Without the thumbnail that may follow.
            whole = struct.pack(">BBH", 0xFF, APP0, 16) + segment[:12] + b"\0\0"
        elif marker == APP1 and segment.startswith(EXIF):
            turned = orientation(segment[len(EXIF) :])
            continue
        elif APP0 <= marker <= APP15 or marker == COM:
            profile = marker == APP2 and segment.startswith(ICC)
            if not profile and not (marker == APP14 and segment.startswith(ADOBE)):
                continue
        kept.append(whole)
    if turned != UPRIGHT:
        exif = EXIF + tiff(turned)
        kept.insert(1, struct.pack(">BBH", 0xFF, APP1, len(exif) + 2) + exif)
    return b"".join(kept)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, content, and the bytes of both; of a scan its data too. What follows the end of the picture is left."""
    at, scans = 2, 0
    while True:
        if data[at : at + 1] != b"\xff":
            raise BrokenImage("a marker is missing")
        while data[at : at + 1] == b"\xff":
            at += 1
        if at + 1 > len(data):
            raise BrokenImage("it ends early")
        marker = data[at]
        if marker == EOI:
            yield EOI, b"", bytes([0xFF, EOI])
            return
        (length,) = struct.unpack(">H", _taken(data, at + 1, 2))
        if length < 2:
            raise BrokenImage("a segment is too short")
        segment = _taken(data, at + 3, length - 2)
        end = at + 1 + length
        if marker == SOS:
            scans += 1
            if scans > SCANS_MAXIMUM:
                raise BrokenImage("it has too many scans")
            after = SCAN_END.search(data, end)
            if after is None:
                raise BrokenImage("it ends early")
            end = after.start()
        yield marker, segment, b"\xff" + data[at:end]
        at = end


def png(data: bytes) -> bytes:
    """A PNG without metadata; of an animation its still picture. Raises Broken."""
    kept, turned, at = [PNG_SIGNATURE], UPRIGHT, len(PNG_SIGNATURE)
    name = b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", _taken(data, at, 8))
        if name == b"eXIf":
            turned = orientation(_taken(data, at + 8, length))
        if name in PNG_KEPT:
            kept.append(_taken(data, at, length + 12))
        at += length + 12
    if turned != UPRIGHT:
        kept.insert(2, _png_chunk(b"eXIf", tiff(turned)))
    return b"".join(kept)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def webp(data: bytes) -> bytes:
    """A WebP without metadata. Raises Broken, for an animation too."""
    kept: list[tuple[bytes, bytes]] = []
    turned = UPRIGHT
    for name, content in _webp_chunks(data):
        if name in WEBP_MOVING:
            raise BrokenImage("it is an animation")
        if name == b"EXIF":
            turned = orientation(content.removeprefix(EXIF))
        elif name in WEBP_KEPT:
            kept.append((name, content))
    flags = EXIF_FLAG if turned != UPRIGHT else 0
    kept = [(name, _flagged(content, flags) if name == b"VP8X" else content) for name, content in kept]
    if flags and any(name == b"VP8X" for name, _ in kept):
        kept.append((b"EXIF", tiff(turned)))
    chunks = [name + struct.pack("<I", len(c)) + c + b"\0" * (len(c) % 2) for name, c in kept]
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each. Raises Broken."""
    (size,) = struct.unpack("<I", _taken(data, 4, 4))
    inside, at = _taken(data, 8, size), 4
    while at < len(inside):
        name, length = struct.unpack("<4sI", _taken(inside, at, 8))
        yield name, _taken(inside, at + 8, length)
        at += 8 + length + length % 2


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP; of several that it says the greatest, whichever a decoder believes. Raises Broken."""
    sizes = [(0, 0)]
    for name, content in _webp_chunks(data):
        if name == b"VP8X":
            sides = (_taken(content, at, 3) for at in (4, 7))
            width, height = (int.from_bytes(side, "little") + 1 for side in sides)
        elif name == b"VP8L":
            bits = int.from_bytes(_taken(content, 1, 4), "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif name == b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack("<HH", _taken(content, 6, 4)))
        else:
            continue
        sizes.append((width, height))
    return max(sizes, key=lambda size: size[0] * size[1])


def _flagged(header: bytes, flags: int) -> bytes:
    """A VP8X header that announces this metadata and no other."""
    return bytes([_taken(header, 0, 1)[0] & ~(EXIF_FLAG | XMP_FLAG) | flags]) + header[1:]


def _taken(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise BrokenImage("it ends early")
    return data[at : at + length]


def orientation(exif: bytes) -> int:
    """Which way up the picture is, 1 to 8, by its Exif data; upright where those do not say it, or are damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return UPRIGHT
    (first,) = struct.unpack(f"{order}I", exif[4:8])
    entries = exif[first + 2 :]
    for at in range(0, len(entries) - 11, 12):
        tag, kind, _, value = struct.unpack(f"{order}HHIH", entries[at : at + 10])
        if tag == ORIENTATION:
            return value if kind == 3 and 1 <= value <= 8 else UPRIGHT
        if tag > ORIENTATION:
            break
    return UPRIGHT


def tiff(turned: int) -> bytes:
    """Exif data that say which way up the picture is, and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, turned, 0, 0)
