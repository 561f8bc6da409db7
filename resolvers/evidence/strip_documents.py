"""Removes positions from PDF documents, as far as they are not compressed or encrypted.

Positions are in the metadata of embedded photographs, which a PDF contains as the files that they were, and in the
document's own XMP. A PDF refers to its parts by their offsets, so positions are overwritten and nothing moves.
Compressed and encrypted parts are not searched. A signed document stays as it is, because any change would invalidate
its signature.
"""

import re
import struct

SIGNED = re.compile(rb"/ByteRange\s*\[")
# Segments of a JPEG, after their marker and length: Exif, XMP and its extension, and Photoshop's.
SEGMENT = re.compile(
    rb"\xff(?:\xe1..(?=Exif\0\0|http://ns\.adobe\.com/x(?:ap|mp)/)|\xed..(?=Photoshop 3\.0\0))", re.DOTALL
)
COMMENT = b"\xff\xfe"
# Properties in the document's own XMP, as attributes and as elements.
PROPERTY = re.compile(
    rb"""\b[\w-]{1,30}:GPS\w{1,40}\s{0,9}=\s{0,9}(?:"[^"<]{0,300}"|'[^'<]{0,300}')"""
    rb"""|<([\w-]{1,30}:GPS\w{1,40})(?:\s[^<>]{0,300})?>[^<]{0,300}</\1\s{0,9}>"""
)


def without_positions(data: bytes) -> bytes:
    """The document without positions, of the same length."""
    if SIGNED.search(data):
        return data
    stripped = bytearray(data)
    for segment in SEGMENT.finditer(data):
        (length,) = struct.unpack(">H", data[segment.end() - 2 : segment.end()])
        end = segment.start() + 2 + length
        if segment.end() < end <= len(data):
            stripped[segment.start() : segment.start() + 2] = COMMENT
            stripped[segment.end() : end] = bytes(end - segment.end())
    for property_ in PROPERTY.finditer(data):
        stripped[property_.start() : property_.end()] = b" " * (property_.end() - property_.start())
    return bytes(stripped)
