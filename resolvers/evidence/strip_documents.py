"""Papers without positions, as far as they lie open: in the photographs inside, and in what the paper says of itself.

A paper is a web of offsets, so that nothing in it may move: what goes is overwritten, and all else stays where it was.
Photographs lie in a paper as the files that they were, with all that their telephone wrote into them. What is packed or
encrypted besides is not looked into. A signed paper stays as it is, for else its signature would be worth nothing.
"""

import re
import struct

SIGNED = re.compile(rb"/ByteRange\s*\[")
# Segments of a JPEG, after their marker and length: Exif, XMP and its extension, and Photoshop's.
SEGMENT = re.compile(
    rb"\xff(?:\xe1..(?=Exif\0\0|http://ns\.adobe\.com/x(?:ap|mp)/)|\xed..(?=Photoshop 3\.0\0))", re.DOTALL
)
COMMENT = b"\xff\xfe"
# XMP, where a paper has it for itself: properties as attributes, and as elements.
PROPERTY = re.compile(
    rb"""\b[\w-]{1,30}:GPS\w{1,40}\s{0,9}=\s{0,9}(?:"[^"<]{0,300}"|'[^'<]{0,300}')"""
    rb"""|<([\w-]{1,30}:GPS\w{1,40})(?:\s[^<>]{0,300})?>[^<]{0,300}</\1\s{0,9}>"""
)


def without_positions(data: bytes) -> bytes:
    """The paper, equally long."""
    if SIGNED.search(data):
        return data
    kept = bytearray(data)
    for found in SEGMENT.finditer(data):
        (length,) = struct.unpack(">H", data[found.end() - 2 : found.end()])
        end = found.start() + 2 + length
        if found.end() < end <= len(data):
            kept[found.start() : found.start() + 2] = COMMENT
            kept[found.end() : end] = bytes(end - found.end())
    for found in PROPERTY.finditer(data):
        kept[found.start() : found.end()] = b" " * (found.end() - found.start())
    return bytes(kept)
