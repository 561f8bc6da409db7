"""Checks of uploads: images keep all pixels and lose their metadata, and damaged files are refused."""

import contextlib
import io
import struct
import time
from random import Random

import pillow_heif
import pytest
from PIL import Image, ImageChops

from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import content_types, strip_images
from resolvers.evidence.content_types import (
    DECODE,
    JPEG,
    PDF,
    PIXELS_MAXIMUM,
    PNG,
    UNKNOWN_TYPE,
    WEBP,
    WEBP_PIXELS_MAXIMUM,
    check_content,
    detect_type,
)
from tests.support.pictures import GPS, ORIENTATION, SECRET, bomb, chunk, exif, opened, paper, photograph, picture
from tests.support.proof_mode import examples

KINDS = {"JPEG": JPEG, "PNG": PNG, "WEBP": WEBP}


def refusal(data: bytes, declared: str = UNKNOWN_TYPE) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        check_content(data, declared)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_loses_its_metadata_and_no_pixel(kind: str) -> None:
    data = photograph(kind)
    assert SECRET in data or kind == "PNG"
    assert opened(data).getexif().get_ifd(GPS)
    content = check_content(data, KINDS[kind])
    assert content.media_type == KINDS[kind]
    assert SECRET not in content.data
    image = opened(content.data)
    assert image.tobytes() == opened(data).tobytes()
    assert dict(image.getexif()) == {ORIENTATION: 6}
    assert set(image.info) <= {"exif", "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"} | (
        {"loop", "background", "timestamp", "duration"} if kind == "WEBP" else set()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_upright_image_has_no_exif_at_all(kind: str) -> None:
    content = check_content(photograph(kind, exif=exif(1)), KINDS[kind])
    assert dict(opened(content.data).getexif()) == {}
    assert b"xif" not in content.data


@pytest.mark.parametrize("kind", KINDS)
def test_stripping_twice_changes_nothing_more(kind: str) -> None:
    once = check_content(photograph(kind), KINDS[kind]).data
    assert check_content(once, KINDS[kind]).data == once


@pytest.mark.parametrize("kind", KINDS)
def test_a_colour_profile_stays(kind: str) -> None:
    profile = bytes(range(128)) * 3
    content = check_content(photograph(kind, icc_profile=profile), KINDS[kind])
    assert opened(content.data).info["icc_profile"] == profile


@pytest.mark.parametrize("kind", KINDS)
def test_keep_positions_keeps_the_whole_file(kind: str) -> None:
    data = photograph(kind)
    assert check_content(data, KINDS[kind], keep_positions=True).data == data


@pytest.mark.parametrize("kind", KINDS)
def test_data_after_the_image_is_removed(kind: str) -> None:
    """Telephones append a video to an image and cameras a second image, each with its own position."""
    data = photograph(kind)
    assert check_content(data + photograph("JPEG"), KINDS[kind]).data == check_content(data, KINDS[kind]).data


@pytest.mark.parametrize("more", [{"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1}])
def test_a_jpeg_of_any_encoding_keeps_its_pixels(more: dict[str, object]) -> None:
    data = photograph("JPEG", **more)
    assert opened(check_content(data, JPEG).data).tobytes() == opened(data).tobytes()


def test_a_jpeg_with_too_many_scans_is_refused() -> None:
    """A small file could occupy a decoder for minutes, because every scan goes through the whole image."""
    plain = photograph(progressive=True, exif=exif(1))
    start = plain.rindex(b"\xff\xda")
    scan = plain[start:-2]
    few, many = (plain[:-2] + scan * n + plain[-2:] for n in (20, strip_images.SCANS_MAXIMUM))
    assert strip_images.jpeg(few)
    with pytest.raises(strip_images.BrokenImage, match="scans"):
        strip_images.jpeg(many)
    assert refusal(many) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_of_other_colours_keeps_its_pixels(mode: str) -> None:
    file = io.BytesIO()
    picture(mode=mode).save(file, "JPEG", comment=SECRET)
    stripped = check_content(file.getvalue(), JPEG).data
    assert opened(stripped).tobytes() == opened(file.getvalue()).tobytes()
    assert SECRET not in stripped


def test_a_thumbnail_in_the_first_segment_is_removed() -> None:
    plain = check_content(photograph("JPEG", exif=exif(1)), JPEG).data
    assert plain[2:4] == b"\xff\xe0"
    small = bytes(3 * 4 * 4)
    segment = b"JFIF\0" + plain[11:18] + bytes([4, 4]) + small
    data = plain[:2] + b"\xff\xe0" + struct.pack(">H", len(segment) + 2) + segment + plain[20:]
    assert check_content(data, JPEG).data == plain


def test_an_animated_png_keeps_only_its_still_image() -> None:
    file = io.BytesIO()
    picture().save(file, "PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    stripped = check_content(file.getvalue(), PNG).data
    assert opened(stripped).tobytes() == picture().tobytes()
    assert b"acTL" not in stripped


def test_an_animated_webp_is_refused() -> None:
    file = io.BytesIO()
    picture().save(file, "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    assert refusal(file.getvalue()) is ErrorCode.BAD_INPUT


XMP = (
    b"""<x:xmpmeta><rdf:Description exif:GPSLatitude="30,14.2N" exif:GPSLongitude='120,15.9E' dc:format="any">"""
    b"""<exif:GPSAltitude xml:lang="x">7/1</exif:GPSAltitude></rdf:Description></x:xmpmeta>"""
)


def illustrated(photo: bytes) -> bytes:
    """A document that contains a photograph with its metadata, and positions of its own."""
    stream = b"1 0 obj\n<< /Type /XObject /Subtype /Image /Filter /DCTDecode >>\nstream\n%b\nendstream\nendobj\n"
    return paper().replace(b"trailer", stream % photo + b"2 0 obj\nstream\n" + XMP + b"\nendstream\nendobj\ntrailer")


def test_a_document_loses_positions_and_nothing_in_it_moves() -> None:
    photo = photograph("JPEG", comment=b"")
    data = illustrated(photo)
    assert SECRET in data
    stripped = check_content(data, PDF).data
    assert len(stripped) == len(data)
    for gone in (SECRET, b"Exif", b"GPS", b"30,14.2N", b"120,15.9E", b"7/1"):
        assert gone not in stripped
    assert b'dc:format="any"' in stripped
    start = data.index(photo)
    inside = opened(stripped[start : start + len(photo)])
    assert (inside.tobytes(), dict(inside.getexif())) == (opened(photo).tobytes(), {})
    assert check_content(stripped, PDF).data == stripped
    assert check_content(data, PDF, keep_positions=True).data == data


def test_a_signed_document_stays_as_it_is() -> None:
    data = illustrated(photograph("JPEG")).replace(b"trailer", b"<< /Type /Sig /ByteRange [0 9 20 9] >> trailer")
    assert check_content(data, PDF).data == data


@pytest.mark.parametrize(
    "part", [b"\xff\xe1\xff\xffExif\0\0", b"\xff\xe1\0\2Exif\0\0", b'a:GPSa="', b"<a:GPSa>1</a:GPSb>"]
)
def test_data_that_only_begin_like_a_position_stay(part: bytes) -> None:
    data = paper().replace(b"trailer", part + b"trailer")
    assert check_content(data, PDF).data == data


def test_searching_a_document_for_positions_takes_linear_time() -> None:
    for part in (b"a", b"a:GPS", b"<a:GPSa>", b'a:GPSa="', b"\xff\xe1\0\x09Exif\0\0", b"\xff\xed", b" "):
        data = paper().replace(b"trailer", part * (1_000_000 // len(part)) + b"trailer")
        started = time.process_time()
        check_content(data, PDF)
        assert time.process_time() - started < 10


def test_a_document_without_positions_stays_as_it_is() -> None:
    assert check_content(paper(), PDF).data == paper()
    assert refusal(paper()[:40]) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    "data",
    [b"", b"This is no photograph.", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8", b"RIFF1234"],
)
def test_other_content_is_refused(data: bytes) -> None:
    assert detect_type(data) is None
    assert refusal(data, JPEG) is ErrorCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize("kind", KINDS)
def test_content_of_another_type_than_declared_is_refused(kind: str) -> None:
    data = photograph(kind)
    assert check_content(data, UNKNOWN_TYPE).media_type == KINDS[kind]
    for other in {JPEG, PNG, WEBP, PDF, "text/plain", "image/gif", "image/*"} - {KINDS[kind]}:
        assert refusal(data, other) is ErrorCode.UNSUPPORTED_TYPE


def test_a_decompression_bomb_is_refused_without_decoding() -> None:
    data = bomb()
    assert len(data) < 1_000_000
    assert refusal(data, PNG) is ErrorCode.TOO_LARGE


def test_the_limit_of_pixels_is_exact() -> None:
    width = PIXELS_MAXIMUM // 100
    for height, code in ((100, ErrorCode.BAD_INPUT), (101, ErrorCode.TOO_LARGE)):
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        # Without image data it is damaged. That error shows that its size was accepted.
        data = strip_images.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        assert refusal(data) is code


def webp_header(form: str, width: int, height: int) -> bytes:
    """A WebP that has only the chunk with its size."""
    if form == "VP8X":
        content = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif form == "VP8L":
        content = b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little") + b"\0"
    else:
        content = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    body = b"WEBP" + form.ljust(4).encode() + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("form", ["VP8X", "VP8L", "VP8"])
def test_the_size_of_a_webp_is_checked_before_decoding(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder allocates the memory for the whole image at once, which would be 975 MB for these 38 bytes."""
    decoded: list[bytes] = []

    def decoder(file: io.BytesIO) -> Image.Image:
        decoded.append(file.getvalue())
        raise ValueError

    monkeypatch.setitem(DECODE, WEBP, decoder)
    for width, height in ((7990, 8000), (16_383, 16_383), (WEBP_PIXELS_MAXIMUM // 4000 + 1, 4000)):
        assert refusal(webp_header(form, width, height)) is ErrorCode.TOO_LARGE
    assert decoded == []
    assert refusal(webp_header(form, WEBP_PIXELS_MAXIMUM // 4000, 4000)) is ErrorCode.BAD_INPUT
    assert decoded


@pytest.mark.parametrize("more", [{"lossless": True}, {"lossless": False}, {"lossless": False, "exif": exif(1)}])
def test_the_size_of_a_webp_is_that_of_the_decoded_image(more: dict[str, object]) -> None:
    data = photograph("WEBP", **{"exif": b"", **more})
    assert strip_images.webp_size(data) == opened(data).size


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_truncated_anywhere_is_refused(kind: str) -> None:
    data = photograph(kind)
    for end in range(16, len(data) - 1, max(len(data) // 150, 1)):
        assert refusal(data[:end]) in (ErrorCode.BAD_INPUT, ErrorCode.UNSUPPORTED_TYPE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_image_is_refused_or_can_be_decoded(kind: str) -> None:
    """Random damage never causes any other error, and what is accepted can be decoded."""
    data = photograph(kind)
    rng = Random(kind)
    for _ in range(examples(300)):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(12, len(data))] = rng.randrange(256)
        with contextlib.suppress(RequestError):
            opened(check_content(bytes(damaged), UNKNOWN_TYPE).data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\0\xff",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06",
        b"XX\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
    ],
)
def test_damaged_exif_means_upright(data: bytes) -> None:
    assert strip_images.read_orientation(data) == strip_images.UPRIGHT


@pytest.mark.parametrize("turned", range(1, 9))
def test_the_orientation_is_read_in_either_byte_order(turned: int) -> None:
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([turned, 0, 0, 0])
    assert strip_images.read_orientation(little) == turned
    assert strip_images.read_orientation(strip_images.orientation_exif(turned)) == turned


def test_the_orientation_is_read_from_unsorted_entries() -> None:
    """Public bug reports tell of cameras that write the orientation after greater tags."""
    entries = [(0x0213, 3, 1, 1), (ORIENTATION, 3, 1, 6), (0x010F, 3, 1, 2)]
    for order, mark in ((">", b"MM\0*"), ("<", b"II*\0")):
        head = mark + struct.pack(f"{order}IH", 8, len(entries))
        unsorted = head + b"".join(struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries)
        assert strip_images.read_orientation(unsorted) == 6
        # Bytes after the last entry are no entry.
        short = unsorted[:8] + struct.pack(f"{order}H", 1) + unsorted[10:]
        assert strip_images.read_orientation(short) == strip_images.UPRIGHT
    stripped = check_content(photograph("JPEG", exif=b"Exif\0\0" + unsorted), JPEG).data
    assert opened(stripped).getexif()[ORIENTATION] == 6


def padded(data: bytes, padding: bytes) -> bytes:
    """A JPEG with bytes between all its segments, except after the data of a scan, whose end they would be."""
    parts = [
        whole if marker == strip_images.SOS else whole + padding for marker, _, whole in strip_images._segments(data)
    ]
    return b"\xff\xd8" + b"".join(parts)


@pytest.mark.parametrize("padding", [b"\0" * 12, b"\xff" * 5, b"\0\xff\xff", b"any \xff\0 bytes", SECRET])
def test_bytes_between_the_segments_of_a_jpeg_are_passed_over(padding: bytes) -> None:
    """As libjpeg, Pillow and browsers do: cameras pad segments (public bug reports of two applications)."""
    data = photograph("JPEG", progressive=True)
    stripped = check_content(padded(data, padding), JPEG).data
    assert stripped == check_content(data, JPEG).data
    # Nothing is searched twice.
    assert refusal(b"\xff\xd8\xff\xe0\0\4ab" + b"\xff\0" * 500_000) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("declared", ["image/jpg", "image/pjpeg"])
def test_other_names_of_jpeg_are_accepted(declared: str) -> None:
    assert check_content(photograph("JPEG"), declared).media_type == JPEG
    assert refusal(photograph("PNG"), declared) is ErrorCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize(
    ("before", "after"), [(b"\xef\xbb\xbf", b""), (b"\r\n\0 ", b"\0" * 5_000), (b"\xef\xbb\xbf\n", b"\r\n" * 3_000)]
)
def test_a_mark_or_padding_around_a_document_is_accepted(before: bytes, after: bytes) -> None:
    data = before + illustrated(photograph("JPEG")) + after
    content = check_content(data, "application/x-pdf")
    assert (content.media_type, len(content.data)) == (PDF, len(data))
    assert b"Exif" not in content.data
    assert detect_type(b" " * 2_000 + paper()) is None
    assert detect_type(b"text " + paper()) is None


def heic(width: int = 64, height: int = 48, **more: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(picture(width, height)).save(file, quality=90, **more)
    return file.getvalue()


def test_a_heic_becomes_an_upright_jpeg_without_metadata() -> None:
    data = heic(exif=exif(6).tobytes(), icc_profile=bytes(range(128)) * 3)
    assert SECRET in data
    for declared in ("image/heic", "image/heif", UNKNOWN_TYPE):
        content = check_content(data, declared)
        assert content.media_type == JPEG
        assert SECRET not in content.data
    image = opened(content.data)
    assert (image.size, dict(image.getexif())) == ((48, 64), {})
    turned = picture().rotate(-90, expand=True)
    differences = ImageChops.difference(image.convert("RGB"), turned).tobytes()
    assert sum(differences) / len(differences) < 20
    kept = opened(check_content(data, "image/heic", keep_positions=True).data)
    assert kept.getexif().get_ifd(GPS)
    assert kept.getexif().get(ORIENTATION, 1) == 1


def test_a_damaged_or_enormous_heic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rng = heic(), Random(1)
    for end in range(12, len(data), max(len(data) // 40, 1)):
        assert refusal(data[:end]) is ErrorCode.BAD_INPUT
    for _ in range(examples(60)):
        damaged = bytearray(data)
        damaged[rng.randrange(12, len(data))] = rng.randrange(256)
        with contextlib.suppress(RequestError):
            opened(check_content(bytes(damaged), UNKNOWN_TYPE).data)
    monkeypatch.setattr(content_types, "HEIC_PIXELS_MAXIMUM", 64 * 48 - 1)
    assert refusal(data) is ErrorCode.TOO_LARGE
    assert refusal(photograph("JPEG"), "image/heic") is ErrorCode.UNSUPPORTED_TYPE
