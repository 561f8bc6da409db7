"""Checks uploads: only images and PDF documents are accepted, recognised by their content."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import strip_documents, strip_images

JPEG, PNG, WEBP, PDF = MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/pdf")
UNKNOWN_TYPE = "application/octet-stream"  # from a client that does not know the type
# Larger images are not decoded. Memory per pixel, as measured: four bytes for a PNG, at most eight for a JPEG
# (progressive, of four colours), sixteen for a WebP. So decoding takes at most half a gigabyte.
PIXELS_MAXIMUM = 64_000_000
WEBP_PIXELS_MAXIMUM = 16_000_000
STRIP = {JPEG: strip_images.jpeg, PNG: strip_images.png, WEBP: strip_images.webp}
# Not by Image.open, which would try other formats and write warnings to standard error.
DECODE: dict[str, Any] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    PNG: PngImagePlugin.PngImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
}


@dataclass(frozen=True)
class Content:
    """The bytes to store, with their media type."""

    media_type: str
    data: bytes


def check_content(data: bytes, declared: str, *, keep_positions: bool = False) -> Content:
    """Check an upload. Returns images without metadata and documents without positions unless `keep_positions`.

    `declared` is the media type that the client gives. Blocks for as long as decoding an image takes. Raises
    RequestError with UNSUPPORTED_TYPE if the content is none of MEDIA_TYPES or not what is declared, with TOO_LARGE for
    too many pixels, with BAD_INPUT for a damaged file.
    """
    kind = detect_type(data)
    if kind is None:
        raise RequestError(ErrorCode.UNSUPPORTED_TYPE, f"The content is none of {', '.join(MEDIA_TYPES)}.")
    if declared not in (kind, UNKNOWN_TYPE):
        raise RequestError(ErrorCode.UNSUPPORTED_TYPE, f"The content is {kind}, but the request declares another type.")
    if kind == PDF:
        if b"%%EOF" not in data[-1024:]:
            raise RequestError(ErrorCode.BAD_INPUT, "The document is incomplete.")
        return Content(kind, data if keep_positions else strip_documents.without_positions(data))
    try:
        stripped = STRIP[kind](data)
    except strip_images.BrokenImage as error:
        raise RequestError(ErrorCode.BAD_INPUT, f"The image is damaged: {error}.") from None
    _decode(kind, stripped)
    return Content(kind, data if keep_positions else stripped)


def detect_type(data: bytes) -> str | None:
    """The media type by the first bytes; None if it is none of MEDIA_TYPES."""
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(strip_images.PNG_SIGNATURE):
        return PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    return PDF if data.startswith(b"%PDF-") else None


def _decode(kind: str, data: bytes) -> None:
    """Make sure that the data can be decoded. Raises RequestError."""
    try:
        if kind == WEBP:
            # Pillow's decoder allocates all its memory before it tells the size.
            _check_size(strip_images.webp_size(data), WEBP_PIXELS_MAXIMUM)
        image = DECODE[kind](io.BytesIO(data))
        width, height = image.size
        _check_size((width, height), PIXELS_MAXIMUM)
        # A JPEG is decoded at an eighth of its size, which reads all of its data and takes little memory.
        image.draft(image.mode, (max(width // 8, 1), max(height // 8, 1)))
        image.load()
    except RequestError:
        raise
    except Exception:  # decoders raise all kinds of errors for damaged data
        raise RequestError(ErrorCode.BAD_INPUT, "The image is damaged: it cannot be decoded.") from None


def _check_size(size: tuple[int, int], greatest: int) -> None:
    """Raises RequestError if there are more pixels."""
    width, height = size
    if width * height > greatest:
        raise RequestError(
            ErrorCode.TOO_LARGE, f"The image has {width:,} by {height:,} pixels; at most {greatest:,} are accepted."
        )
