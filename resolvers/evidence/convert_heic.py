"""Converts HEIC, in which telephones take photographs and which browsers do not show, to JPEG."""

import io
from collections.abc import Callable

from PIL import Image
from pillow_heif import HeifImageFile

# The brands of still images and sequences that are coded by HEVC (ISO/IEC 23008-12).
BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
# The package does not annotate its class.
read_heif: Callable[[io.BytesIO], Image.Image] = HeifImageFile
QUALITY = 92  # about as many bytes as the photograph had


def is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def to_jpeg(data: bytes, check_size: Callable[[tuple[int, int]], None]) -> bytes:
    """The main image as an upright JPEG with its metadata and its colour profile.

    `check_size` gets width and height before anything is decoded. Raises whatever it and the decoder raise.
    """
    image = read_heif(io.BytesIO(data))
    check_size(image.size)
    metadata = {name: image.info[name] for name in ("exif", "icc_profile") if image.info.get(name)}
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=QUALITY, **metadata)
    return file.getvalue()
