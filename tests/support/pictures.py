"""Pictures: photographs with metadata, and bytes that only look like a picture."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

GPS = 0x8825
ORIENTATION = 0x0112
SECRET = b"taken by somebody somewhere"


def exif(orientation: int = 6) -> Image.Exif:
    """Metadata as a telephone writes it: orientation, position, time and maker."""
    metadata = Image.Exif()
    metadata[ORIENTATION] = orientation
    metadata[0x010F] = SECRET.decode()  # the maker
    metadata[0x0132] = "2026:06:14 09:30:00"
    metadata.get_ifd(GPS).update({1: "N", 2: (30.0, 14.0, 1.25), 3: "E", 4: (120.0, 16.0, 2.5), 29: "2026:06:14"})
    return metadata


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """A picture in which neighbouring pixels differ."""
    image = Image.new(mode, (width, height))
    bands = range(len(image.getbands()))
    image.putdata([_pixel(x, y, bands) for y in range(height) for x in range(width)])
    return image


def _pixel(x: int, y: int, bands: range) -> Any:
    values = tuple((x * 5 + y * 3 + c * 40) % 256 for c in bands)
    return values if len(bands) > 1 else values[0]


def photograph(kind: str = "JPEG", **more: Any) -> bytes:
    """A picture with every kind of metadata that Pillow writes."""
    file = io.BytesIO()
    options: dict[str, Any] = {"exif": exif()}
    if kind == "JPEG":
        options |= {"comment": SECRET, "xmp": b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", "quality": 90}
    if kind == "PNG":
        info = PngInfo()
        info.add_text("Author", SECRET.decode())
        info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        options["pnginfo"] = info
    if kind == "WEBP":
        options |= {"xmp": SECRET, "lossless": True}
    picture().save(file, kind, **(options | more))
    return file.getvalue()


def paper() -> bytes:
    """Bytes that begin and end like a PDF."""
    return b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(side: int = 50_000) -> bytes:
    """A PNG of a few hundred kilobytes that decompresses to 2.5 billion pixels."""
    row = b"\0" * (1 + side // 8)  # one bit a pixel
    # A hundred rows are compressed, and the result is repeated: compressing all of them takes seconds.
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    part = packer.compress(row * 100) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">HH", len(row) * side % 65_521, 1)  # of zeros
    rows = b"\x78\xda" + part * (side // 100) + packer.flush() + checksum
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
