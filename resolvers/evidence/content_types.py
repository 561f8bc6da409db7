"""Checks uploads: only images and PDF documents are accepted, recognised by their content."""

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import convert_heic, strip_documents, strip_images

JPEG, PNG, WEBP, PDF = MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/pdf")
HEIC = "image/heic"  # is stored as JPEG
UNKNOWN_TYPE = "application/octet-stream"  # from a client that does not know the type
UNDECODABLE = Reason("IMAGE_UNDECODABLE", "The image is damaged: it cannot be decoded.")
# Names by which clients call a type, though nobody has registered them.
ALIASES = {
    "image/jpg": JPEG,
    "image/pjpeg": JPEG,
    "application/x-pdf": PDF,
    "image/heif": HEIC,
    "image/heic-sequence": HEIC,
    "image/heif-sequence": HEIC,
}
# Bytes that may stand around a document: a byte order mark, and the padding of a program that writes whole blocks.
PADDING = b"\0\t\n\x0c\r "
BEFORE_DOCUMENT = re.compile(rb"(?:\xef\xbb\xbf)?[\0\t\n\x0c\r ]{0,1024}%PDF-")
# Larger images are not decoded. Memory per pixel, as measured: four bytes for a PNG, at most eight for a JPEG
# (progressive, of four colours), sixteen for a WebP. So decoding takes at most half a gigabyte.
PIXELS_MAXIMUM = 64_000_000
WEBP_PIXELS_MAXIMUM = 16_000_000
HEIC_PIXELS_MAXIMUM = 50_000_000  # those of a telephone have up to 48.8 million
STRIP = {JPEG: strip_images.jpeg, PNG: strip_images.png, WEBP: strip_images.webp}
# Not by Image.open, which would try other formats and write warnings to standard error.
DECODE: dict[str, Any] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    PNG: PngImagePlugin.PngImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
}


@dataclass(frozen=True)
class Content:
    """The bytes to store, with their media type, and the SHA-256 of the bytes that the client sent."""

    media_type: str
    data: bytes
    sent: str


def check_content(data: bytes, declared: str, *, keep_positions: bool = False) -> Content:
    """Check an upload. Returns images without metadata and documents without positions unless `keep_positions`.

    `declared` is the media type that the client gives. A HEIC becomes a JPEG. Blocks for as long as decoding an image
    takes. Raises RequestError with UNSUPPORTED_TYPE if the content is none of MEDIA_TYPES nor HEIC, or not what is
    declared, with TOO_LARGE for too many pixels, with BAD_INPUT for a damaged file.
    """
    kind, sent = detect_type(data), hashlib.sha256(data).hexdigest()
    if kind is None:
        reason = Reason("CONTENT_TYPE_UNKNOWN", "The content is none of {types}.", types=[*MEDIA_TYPES, HEIC])
        raise RequestError(ErrorCode.UNSUPPORTED_TYPE, reason)
    if ALIASES.get(declared, declared) not in (kind, UNKNOWN_TYPE):
        raise RequestError(
            ErrorCode.UNSUPPORTED_TYPE,
            Reason("CONTENT_TYPE_OTHER", "The content is {type}, but the request declares another type.", type=kind),
        )
    if kind == HEIC:
        kind, data = JPEG, _converted(data)
    if kind == PDF:
        if b"%%EOF" not in data.rstrip(PADDING)[-1024:]:
            raise RequestError(ErrorCode.BAD_INPUT, Reason("DOCUMENT_INCOMPLETE", "The document is incomplete."))
        return Content(kind, data if keep_positions else strip_documents.without_positions(data), sent)
    try:
        stripped = STRIP[kind](data)
    except strip_images.BrokenImage as error:
        raise RequestError(
            ErrorCode.BAD_INPUT, Reason("IMAGE_DAMAGED", "The image is damaged: {detail}.", detail=str(error))
        ) from None
    _decode(kind, stripped)
    return Content(kind, data if keep_positions else stripped, sent)


def detect_type(data: bytes) -> str | None:
    """The media type by the first bytes; None if it is none of MEDIA_TYPES, nor HEIC."""
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(strip_images.PNG_SIGNATURE):
        return PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if convert_heic.is_heic(data):
        return HEIC
    return PDF if BEFORE_DOCUMENT.match(data) else None


def _converted(data: bytes) -> bytes:
    """A HEIC as JPEG. Raises RequestError."""
    try:
        return convert_heic.to_jpeg(data, lambda size: _check_size(size, HEIC_PIXELS_MAXIMUM))
    except RequestError:
        raise
    except Exception:  # as in `_decode`
        raise RequestError(ErrorCode.BAD_INPUT, UNDECODABLE) from None


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
        raise RequestError(ErrorCode.BAD_INPUT, UNDECODABLE) from None


def _check_size(size: tuple[int, int], greatest: int) -> None:
    """Raises RequestError if there are more pixels."""
    width, height = size
    if width * height > greatest:
        raise RequestError(
            ErrorCode.TOO_LARGE,
            Reason(
                "IMAGE_PIXELS",
                "The image has {width:,} by {height:,} pixels; at most {maximum:,} are accepted.",
                width=width,
                height=height,
                maximum=greatest,
            ),
        )
