"""Evidence: uploads that are not what they say, too large, cut off or explosive, and addresses that nobody signed."""

import zlib
from collections.abc import Iterator

from tests.hostile.case import COMMANDER, ENTERPRISE, NOBODY, WALL, Case, http, request_case

GROUP = "uploads"
LIMIT = 10_485_760
MIB = 1 << 20
PATH = b"/evidence"
BAD = "400|413|415"
MAY = "201|400|413|415"
FORBIDDEN = "401 UNAUTHENTICATED|403 FORBIDDEN"


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    """A PNG of these dimensions in its head, whatever its data are."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb(size: int) -> bytes:
    """So many MiB of zeros, deflated to about a thousandth. One block is compressed, and repeated."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    # An empty last block, and the Adler-32 checksum of zeros.
    return b"\x78\xda" + block * size + b"\x03\x00" + (size * MIB % 65_521 << 16 | 1).to_bytes(4, "big")


SMALL = png(1, 1, zlib.compress(b"\0\0\0\0"))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
BODIES: dict[str, tuple[bytes, bytes, str]] = {
    "an empty picture": (b"image/png", b"", BAD),
    "a picture of one pixel": (b"image/png", SMALL, MAY),
    "a PNG that says JPEG": (b"image/jpeg", SMALL, BAD),
    "a page that says PNG": (b"image/png", b"<script>alert(1)</script>", BAD),
    "a drawing with a script": (b"image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", BAD),
    "a program": (b"application/x-msdownload", b"MZ" + bytes(1_000), BAD),
    "a page": (b"text/html", b"<html></html>", BAD),
    "half a PNG": (b"image/png", SMALL[:40], BAD),
    "a PNG with a wrong checksum": (b"image/png", SMALL[:-20] + b"\0" * 20, MAY),
    "a PNG of 60,000 by 60,000": (b"image/png", png(60_000, 60_000, bomb(64)), BAD),
    "a PNG of 2^31 by 2^31": (b"image/png", png(2**31 - 1, 2**31 - 1, b""), BAD),
    "a PNG of no size": (b"image/png", png(0, 0, b""), BAD),
    "a PNG of 3,000 by 3,000 with too much data": (b"image/png", png(3_000, 3_000, bomb(512)), MAY),
    "a PNG with an explosive text": (
        b"image/png",
        png(1, 1, zlib.compress(b"\0\0\0\0"), chunk(b"zTXt", b"a\0\0" + bomb(256)), chunk(b"iCCP", b"a\0\0" + bomb(256))),
        MAY,
    ),
    "a PNG with 100,000 chunks": (b"image/png", png(1, 1, b"", *[chunk(b"tEXt", b"a\0b")] * 100_000), MAY),
    "a PNG whose chunk promises 2 GiB": (b"image/png", SMALL[:33] + b"\x7f\xff\xff\xffIDAT" + b"a" * 100, BAD),
    "half a JPEG": (b"image/jpeg", JPEG, BAD),
    "a JPEG of 65,535 by 65,535": (b"image/jpeg", JPEG + b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(9), BAD),
    "a JPEG of 100,000 segments": (b"image/jpeg", JPEG + b"\xff\xe1\x00\x02" * 100_000, BAD),
    "a JPEG with endless EXIF": (b"image/jpeg", JPEG + b"\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0" + b"\xff" * 65_000, BAD),
    "an animation": (b"image/gif", b"GIF89a\x01\0\x01\0\x80\0\0", BAD),
    "a picture in WebP": (b"image/webp", b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(100), BAD),
    "a PDF of nothing": (b"application/pdf", b"%PDF-1.7\n", MAY),
    "a PDF with a script": (b"application/pdf", b"%PDF-1.7\n1 0 obj<</S/JavaScript/JS(app.alert(1))>>endobj\n%%EOF", MAY),
    "a PDF of 100,000 objects": (b"application/pdf", b"%PDF-1.7\n" + b"1 0 obj<<>>endobj\n" * 100_000 + b"%%EOF", MAY),
    "a film": (b"video/mp4", b"\0\0\0\x18ftypmp42" + bytes(1_000), MAY),
    "a film that promises 2^63 bytes": (b"video/mp4", b"\0\0\0\x01ftyp\x7f" + b"\xff" * 7 + bytes(100), MAY),
    "a type of 5,000 letters": (b"image/" + b"a" * 5_000, SMALL, BAD),
    "a type of bytes": (b"\xff\xfe", SMALL, BAD),
    "a byte more than the limit": (b"image/png", SMALL + bytes(LIMIT + 1 - len(SMALL)), "413 TOO_LARGE"),
    "40 MiB": (b"image/png", bytes(40 << 20), "413 TOO_LARGE"),
}  # fmt: skip
PARAMETERS = (
    b"takenAt=yesterday", b"takenAt=9999-12-31T23:59:59Z", b"takenAt=0001-01-01T00:00:00Z", b"takenAt=%00", b"takenAt=%ff",
    b"takenAt=" + b"1" * 50_000, b"positions=all", b"name=../../etc/passwd", b"&".join(b"a%d=1" % n for n in range(5_000)),
)  # fmt: skip
NAMES = (
    b"x", b"../../etc/passwd", b"..%2f..%2fetc%2fpasswd", b"%00", b"0" * 64, b"g" * 64, b"A" * 64, b"0" * 5_000, b"%ff", b"0" * 64 + b"%0a",
    b"0" * 64 + b"?expires=1&signature=x", b"0" * 64 + b"?expires=99999999999999999999&signature=" + b"a" * 5_000,
    b"0" * 64 + b"?expires=-1&signature=", b"0" * 64 + "?expires=１&signature=é".encode(), b"0" * 64 + b"?expires=1e9&signature=%00",
    b"0" * 64 + b"?expires=nan&signature=%ff", b"0" * 64 + b"?expires=1&expires=2&signature=a&signature=b",
)  # fmt: skip


def upload(kind: bytes, body: bytes, *headers: bytes, query: bytes = b"") -> bytes:
    return http(b"POST", PATH + query, b"Content-Type: " + kind, *headers, body=body)


def cases() -> Iterator[Case]:
    for name, (kind, body, expected) in BODIES.items():
        yield request_case(
            GROUP, name, upload(kind, body), expected, nobody=FORBIDDEN, viewers=[NOBODY, COMMANDER, ENTERPRISE]
        )
    yield request_case(GROUP, "a picture of the wall", upload(b"image/png", SMALL), "403 FORBIDDEN", viewers=[WALL])
    for coding in (b"gzip", b"deflate", b"br", b"x"):
        request = upload(b"image/png", SMALL, b"Content-Encoding: " + coding)
        name = f"a picture in {coding.decode()}"
        yield request_case(GROUP, name, request, BAD, nobody=FORBIDDEN, viewers=[NOBODY, COMMANDER])
    for parameters in PARAMETERS:
        request = upload(b"image/png", SMALL, query=b"?" + parameters)
        yield request_case(
            GROUP,
            f"with {parameters[:25]!r}",
            request,
            "400|431",
            nobody=FORBIDDEN + "|400|431",
            viewers=[NOBODY, COMMANDER],
        )
    for number, name_ in enumerate(NAMES):
        request = http(b"GET", PATH + b"/" + name_)
        yield request_case(GROUP, f"reading {number}: {name_[:20]!r}", request, "403 FORBIDDEN|404|400|403")
    yield request_case(
        GROUP, "no type", http(b"POST", PATH, body=SMALL), BAD, nobody=FORBIDDEN, viewers=[NOBODY, COMMANDER]
    )
    yield request_case(GROUP, "PUT", http(b"PUT", PATH, body=SMALL), "405")
    yield request_case(GROUP, "DELETE", http(b"DELETE", PATH + b"/" + b"0" * 64), "405")
