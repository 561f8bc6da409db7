"""Removes metadata from images without decoding them, so that every pixel stays as it is.

Image data, the colour profile and the orientation stay. Removed are position, time, camera, thumbnails, comments,
further images after the first, and everything else that a format allows.
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
SCANS_MAXIMUM = 64  # a progressive image has about ten; for each, a decoder goes through the whole image
# In the data of a scan 0xFF is followed by 0, by a restart marker or by itself. Anything else ends the scan.
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Any number of 0xFF may precede a marker. ITU-T T.81 allows nothing else between segments, but cameras pad with zeros,
# and decoders pass over them.
MARKER = re.compile(rb"\xff([^\x00\xff])")

# PNG (W3C, third edition)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"pHYs"}

# WebP (RFC 9649)
WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
WEBP_MOVING = {b"ANIM", b"ANMF"}
EXIF_FLAG, XMP_FLAG = 0x08, 0x04


class BrokenImage(Exception):
    """The bytes are not a complete image of the format that their first bytes say."""


def jpeg(data: bytes) -> bytes:
    """A JPEG without metadata. Raises BrokenImage."""
    parts, orientation = [bytes([0xFF, SOI])], UPRIGHT
    for marker, segment, whole in _segments(data):
        if marker == APP0 and segment.startswith(JFIF) and len(segment) >= 14:
            # Cut off the thumbnail that may follow.
            whole = struct.pack(">BBH", 0xFF, APP0, 16) + segment[:12] + b"\0\0"
        elif marker == APP1 and segment.startswith(EXIF):
            orientation = read_orientation(segment[len(EXIF) :])
            continue
        elif APP0 <= marker <= APP15 or marker == COM:
            profile = marker == APP2 and segment.startswith(ICC)
            if not profile and not (marker == APP14 and segment.startswith(ADOBE)):
                continue
        parts.append(whole)
    if orientation != UPRIGHT:
        exif = EXIF + orientation_exif(orientation)
        parts.insert(1, struct.pack(">BBH", 0xFF, APP1, len(exif) + 2) + exif)
    return b"".join(parts)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """For each segment its marker, its content and all its bytes, which for a scan include its data.

    Bytes between segments are left out. Stops at the end of the first image. Raises BrokenImage.
    """
    at, scans = 2, 0
    while True:
        start = MARKER.search(data, at)
        if start is None:
            raise BrokenImage("it ends early")
        at = start.start(1)
        marker = data[at]
        if marker == EOI:
            yield EOI, b"", bytes([0xFF, EOI])
            return
        (length,) = struct.unpack(">H", _bytes_at(data, at + 1, 2))
        if length < 2:
            raise BrokenImage("a segment is too short")
        segment = _bytes_at(data, at + 3, length - 2)
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
    """A PNG without metadata; of an animation only its still image. Raises BrokenImage."""
    parts, orientation, at = [PNG_SIGNATURE], UPRIGHT, len(PNG_SIGNATURE)
    name = b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", _bytes_at(data, at, 8))
        if name == b"eXIf":
            orientation = read_orientation(_bytes_at(data, at + 8, length))
        if name in PNG_KEPT:
            parts.append(_bytes_at(data, at, length + 12))
        at += length + 12
    if orientation != UPRIGHT:
        parts.insert(2, _png_chunk(b"eXIf", orientation_exif(orientation)))
    return b"".join(parts)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def webp(data: bytes) -> bytes:
    """A WebP without metadata. Raises BrokenImage, also for an animation."""
    chunks: list[tuple[bytes, bytes]] = []
    orientation = UPRIGHT
    for name, content in _webp_chunks(data):
        if name in WEBP_MOVING:
            raise BrokenImage("it is an animation")
        if name == b"EXIF":
            orientation = read_orientation(content.removeprefix(EXIF))
        elif name in WEBP_KEPT:
            chunks.append((name, content))
    flags = EXIF_FLAG if orientation != UPRIGHT else 0
    chunks = [(name, _with_flags(content, flags) if name == b"VP8X" else content) for name, content in chunks]
    if flags and any(name == b"VP8X" for name, _ in chunks):
        chunks.append((b"EXIF", orientation_exif(orientation)))
    parts = [name + struct.pack("<I", len(c)) + c + b"\0" * (len(c) % 2) for name, c in chunks]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and content of each chunk. Raises BrokenImage."""
    (size,) = struct.unpack("<I", _bytes_at(data, 4, 4))
    inside, at = _bytes_at(data, 8, size), 4
    while at < len(inside):
        name, length = struct.unpack("<4sI", _bytes_at(inside, at, 8))
        yield name, _bytes_at(inside, at + 8, length)
        at += 8 + length + length % 2


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP in pixels. Raises BrokenImage.

    A file can give several sizes. The greatest is returned, because a decoder may use any of them.
    """
    sizes = [(0, 0)]
    for name, content in _webp_chunks(data):
        if name == b"VP8X":
            sides = (_bytes_at(content, at, 3) for at in (4, 7))
            width, height = (int.from_bytes(side, "little") + 1 for side in sides)
        elif name == b"VP8L":
            bits = int.from_bytes(_bytes_at(content, 1, 4), "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif name == b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack("<HH", _bytes_at(content, 6, 4)))
        else:
            continue
        sizes.append((width, height))
    return max(sizes, key=lambda size: size[0] * size[1])


def _with_flags(header: bytes, flags: int) -> bytes:
    """A VP8X header whose metadata flags are these."""
    return bytes([_bytes_at(header, 0, 1)[0] & ~(EXIF_FLAG | XMP_FLAG) | flags]) + header[1:]


def _bytes_at(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise BrokenImage("it ends early")
    return data[at : at + length]


def read_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in Exif data; upright if it is missing or the data are damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return UPRIGHT
    (first,) = struct.unpack(f"{order}I", exif[4:8])
    if first + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack(f"{order}H", exif[first : first + 2])
    # Entries should be sorted by tag, but some cameras do not sort them.
    for at in range(first + 2, min(first + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, _, value = struct.unpack(f"{order}HHIH", exif[at : at + 10])
        if tag == ORIENTATION:
            return value if kind == 3 and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def orientation_exif(orientation: int) -> bytes:
    """Exif data with this orientation and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
