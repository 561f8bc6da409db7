"""What may be kept as evidence: photographs and papers, known by their content and not by what they are called."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import strip_documents, strip_images

JPEG, PNG, WEBP, PDF = MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/pdf")
UNKNOWN_TYPE = "application/octet-stream"  # what a client says that does not know
# A picture that unfolds to more than this is not decoded. What decoding takes was measured: a PNG four bytes a pixel, a
# JPEG eight at the most (progressive, of four colours), a WebP sixteen. So it is half a gigabyte at the worst.
PIXELS_MAXIMUM = 64_000_000
WEBP_PIXELS_MAXIMUM = 16_000_000
STRIP = {JPEG: strip_images.jpeg, PNG: strip_images.png, WEBP: strip_images.webp}
# Called by their names: Pillow's own choice would try other formats, and warn on standard error.
DECODE: dict[str, Any] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    PNG: PngImagePlugin.PngImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
}


@dataclass(frozen=True)
class Content:
    """Bytes to keep."""

    media_type: str
    data: bytes


def check_content(data: bytes, declared: str, *, keep_positions: bool = False) -> Content:
    """What is to be kept of an upload: a picture without its metadata, a paper without positions, unless
    they are asked for.

    `declared` is the media type that the client gives it. Takes as long as decoding a picture does. Raises Refused:
    UNSUPPORTED_TYPE for anything else than the four kinds, and for one that is declared as another; TOO_LARGE for too
    many pixels; BAD_INPUT for what is broken.
    """
    kind = detect_type(data)
    if kind is None:
        raise RequestError(ErrorCode.UNSUPPORTED_TYPE, f"By its content this is none of {', '.join(MEDIA_TYPES)}.")
    if declared not in (kind, UNKNOWN_TYPE):
        raise RequestError(
            ErrorCode.UNSUPPORTED_TYPE, f"By its content this is {kind}; the request says something else."
        )
    if kind == PDF:
        if b"%%EOF" not in data[-1024:]:
            raise RequestError(ErrorCode.BAD_INPUT, "The paper ends early.")
        return Content(kind, data if keep_positions else strip_documents.without_positions(data))
    try:
        stripped = STRIP[kind](data)
    except strip_images.BrokenImage as error:
        raise RequestError(ErrorCode.BAD_INPUT, f"The picture is broken: {error}.") from None
    _decode(kind, stripped)
    return Content(kind, data if keep_positions else stripped)


def detect_type(data: bytes) -> str | None:
    """The media type by the first bytes; None for all that is not taken."""
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(strip_images.PNG_SIGNATURE):
        return PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    return PDF if data.startswith(b"%PDF-") else None


def _decode(kind: str, data: bytes) -> None:
    """Make sure that there is a picture. Raises Refused."""
    try:
        if kind == WEBP:
            # Pillow's decoder takes all its memory before it says how large the picture is.
            _small_enough(strip_images.webp_size(data), WEBP_PIXELS_MAXIMUM)
        picture = DECODE[kind](io.BytesIO(data))
        width, height = picture.size
        _small_enough((width, height), PIXELS_MAXIMUM)
        # A JPEG is decoded at an eighth of its size: all of its data are read, and little memory is taken.
        picture.draft(picture.mode, (max(width // 8, 1), max(height // 8, 1)))
        picture.load()
    except RequestError:
        raise
    except Exception:  # whatever a decoder says of such bytes
        raise RequestError(ErrorCode.BAD_INPUT, "The picture is broken: it cannot be decoded.") from None


def _small_enough(size: tuple[int, int], greatest: int) -> None:
    """Raises Refused."""
    width, height = size
    if width * height > greatest:
        raise RequestError(
            ErrorCode.TOO_LARGE, f"The picture has {width:,} by {height:,} pixels; {greatest:,} are taken."
        )
