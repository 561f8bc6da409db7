"""What is kept of a picture: all of its pixels, and nothing of what else its file says."""

import contextlib
import io
import struct
import time
from random import Random

import pytest
from PIL import Image

from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import strip_images
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
def test_a_picture_loses_what_it_says_and_no_pixel(kind: str) -> None:
    data = photograph(kind)
    assert SECRET in data or kind == "PNG"
    assert opened(data).getexif().get_ifd(GPS)
    kept = check_content(data, KINDS[kind])
    assert kept.media_type == KINDS[kind]
    assert SECRET not in kept.data
    found = opened(kept.data)
    assert found.tobytes() == opened(data).tobytes()
    assert dict(found.getexif()) == {ORIENTATION: 6}
    assert set(found.info) <= {"exif", "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"} | (
        {"loop", "background", "timestamp", "duration"} if kind == "WEBP" else set()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_stands_upright_has_no_exif_at_all(kind: str) -> None:
    kept = check_content(photograph(kind, exif=exif(1)), KINDS[kind])
    assert dict(opened(kept.data).getexif()) == {}
    assert b"xif" not in kept.data


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stripped_is_stripped_once(kind: str) -> None:
    once = check_content(photograph(kind), KINDS[kind]).data
    assert check_content(once, KINDS[kind]).data == once


@pytest.mark.parametrize("kind", KINDS)
def test_a_colour_profile_stays(kind: str) -> None:
    profile = bytes(range(128)) * 3
    kept = check_content(photograph(kind, icc_profile=profile), KINDS[kind])
    assert opened(kept.data).info["icc_profile"] == profile


@pytest.mark.parametrize("kind", KINDS)
def test_positions_stay_where_that_is_asked_for(kind: str) -> None:
    data = photograph(kind)
    assert check_content(data, KINDS[kind], keep_positions=True).data == data


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_a_picture_goes(kind: str) -> None:
    """Telephones put a film behind a picture, and cameras a second picture, each with its own position."""
    data = photograph(kind)
    assert check_content(data + photograph("JPEG"), KINDS[kind]).data == check_content(data, KINDS[kind]).data


@pytest.mark.parametrize("more", [{"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1}])
def test_a_jpeg_of_any_build_stays_what_it_is(more: dict[str, object]) -> None:
    data = photograph("JPEG", **more)
    assert opened(check_content(data, JPEG).data).tobytes() == opened(data).tobytes()


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """A small file could keep a decoder at work for minutes: every scan is a walk through all of the picture."""
    plain = photograph(progressive=True, exif=exif(1))
    start = plain.rindex(b"\xff\xda")
    scan = plain[start:-2]
    few, many = (plain[:-2] + scan * n + plain[-2:] for n in (20, strip_images.SCANS_MAXIMUM))
    assert strip_images.jpeg(few)
    with pytest.raises(strip_images.BrokenImage, match="scans"):
        strip_images.jpeg(many)
    assert refusal(many) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_of_other_colours_stays_what_it_is(mode: str) -> None:
    file = io.BytesIO()
    picture(mode=mode).save(file, "JPEG", comment=SECRET)
    kept = check_content(file.getvalue(), JPEG).data
    assert opened(kept).tobytes() == opened(file.getvalue()).tobytes()
    assert SECRET not in kept


def test_a_thumbnail_in_the_first_segment_goes() -> None:
    plain = check_content(photograph("JPEG", exif=exif(1)), JPEG).data
    assert plain[2:4] == b"\xff\xe0"
    small = bytes(3 * 4 * 4)
    segment = b"JFIF\0" + plain[11:18] + bytes([4, 4]) + small
    data = plain[:2] + b"\xff\xe0" + struct.pack(">H", len(segment) + 2) + segment + plain[20:]
    assert check_content(data, JPEG).data == plain


def test_the_still_picture_of_an_animated_png_stays() -> None:
    file = io.BytesIO()
    picture().save(file, "PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    kept = check_content(file.getvalue(), PNG).data
    assert opened(kept).tobytes() == picture().tobytes()
    assert b"acTL" not in kept


def test_an_animated_webp_is_refused() -> None:
    file = io.BytesIO()
    picture().save(file, "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    assert refusal(file.getvalue()) is ErrorCode.BAD_INPUT


XMP = (
    b"""<x:xmpmeta><rdf:Description exif:GPSLatitude="30,14.2N" exif:GPSLongitude='120,15.9E' dc:format="any">"""
    b"""<exif:GPSAltitude xml:lang="x">7/1</exif:GPSAltitude></rdf:Description></x:xmpmeta>"""
)


def illustrated(photo: bytes) -> bytes:
    """A paper with a photograph in it, as it was taken, and with positions of its own."""
    stream = b"1 0 obj\n<< /Type /XObject /Subtype /Image /Filter /DCTDecode >>\nstream\n%b\nendstream\nendobj\n"
    return paper().replace(b"trailer", stream % photo + b"2 0 obj\nstream\n" + XMP + b"\nendstream\nendobj\ntrailer")


def test_a_paper_loses_positions_and_nothing_moves_in_it() -> None:
    photo = photograph("JPEG", comment=b"")
    data = illustrated(photo)
    assert SECRET in data
    kept = check_content(data, PDF).data
    assert len(kept) == len(data)
    for gone in (SECRET, b"Exif", b"GPS", b"30,14.2N", b"120,15.9E", b"7/1"):
        assert gone not in kept
    assert b'dc:format="any"' in kept
    start = data.index(photo)
    inside = opened(kept[start : start + len(photo)])
    assert (inside.tobytes(), dict(inside.getexif())) == (opened(photo).tobytes(), {})
    assert check_content(kept, PDF).data == kept
    assert check_content(data, PDF, keep_positions=True).data == data


def test_a_signed_paper_stays_as_it_is() -> None:
    data = illustrated(photograph("JPEG")).replace(b"trailer", b"<< /Type /Sig /ByteRange [0 9 20 9] >> trailer")
    assert check_content(data, PDF).data == data


@pytest.mark.parametrize(
    "part", [b"\xff\xe1\xff\xffExif\0\0", b"\xff\xe1\0\2Exif\0\0", b'a:GPSa="', b"<a:GPSa>1</a:GPSb>"]
)
def test_what_only_begins_like_a_position_stays(part: bytes) -> None:
    data = paper().replace(b"trailer", part + b"trailer")
    assert check_content(data, PDF).data == data


def test_a_paper_full_of_what_looks_like_positions_is_looked_through_in_no_time() -> None:
    for part in (b"a", b"a:GPS", b"<a:GPSa>", b'a:GPSa="', b"\xff\xe1\0\x09Exif\0\0", b"\xff\xed", b" "):
        data = paper().replace(b"trailer", part * (1_000_000 // len(part)) + b"trailer")
        started = time.process_time()
        check_content(data, PDF)
        assert time.process_time() - started < 10


def test_a_paper_without_positions_stays_as_it_is() -> None:
    assert check_content(paper(), PDF).data == paper()
    assert refusal(paper()[:40]) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    "data",
    [b"", b"This is no photograph.", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8", b"RIFF1234"],
)
def test_anything_else_is_of_no_kind_that_is_taken(data: bytes) -> None:
    assert detect_type(data) is None
    assert refusal(data, JPEG) is ErrorCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_must_be_the_one_that_is_declared(kind: str) -> None:
    data = photograph(kind)
    assert check_content(data, UNKNOWN_TYPE).media_type == KINDS[kind]
    for other in {JPEG, PNG, WEBP, PDF, "text/plain", "image/gif", "image/*"} - {KINDS[kind]}:
        assert refusal(data, other) is ErrorCode.UNSUPPORTED_TYPE


def test_a_bomb_is_refused_without_being_unfolded() -> None:
    data = bomb()
    assert len(data) < 1_000_000
    assert refusal(data, PNG) is ErrorCode.TOO_LARGE


def test_the_greatest_picture_is_not_one_pixel_greater() -> None:
    width = PIXELS_MAXIMUM // 100
    for height, code in ((100, ErrorCode.BAD_INPUT), (101, ErrorCode.TOO_LARGE)):
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        # Without data it cannot be decoded; that it was tried shows that it was not too large.
        data = strip_images.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        assert refusal(data) is code


def webp_header(form: str, width: int, height: int) -> bytes:
    """A WebP that says how large it is, and has nothing else."""
    if form == "VP8X":
        content = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif form == "VP8L":
        content = b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little") + b"\0"
    else:
        content = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    body = b"WEBP" + form.ljust(4).encode() + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("form", ["VP8X", "VP8L", "VP8"])
def test_a_webp_is_measured_before_a_decoder_sees_it(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder takes the memory for the whole picture at once: 975 MB for 38 bytes, if it is let."""
    seen: list[bytes] = []

    def decoder(file: io.BytesIO) -> Image.Image:
        seen.append(file.getvalue())
        raise ValueError

    monkeypatch.setitem(DECODE, WEBP, decoder)
    for width, height in ((7990, 8000), (16_383, 16_383), (WEBP_PIXELS_MAXIMUM // 4000 + 1, 4000)):
        assert refusal(webp_header(form, width, height)) is ErrorCode.TOO_LARGE
    assert seen == []
    assert refusal(webp_header(form, WEBP_PIXELS_MAXIMUM // 4000, 4000)) is ErrorCode.BAD_INPUT
    assert seen


@pytest.mark.parametrize("more", [{"lossless": True}, {"lossless": False}, {"lossless": False, "exif": exif(1)}])
def test_the_size_of_a_webp_is_the_one_that_its_decoder_finds(more: dict[str, object]) -> None:
    data = photograph("WEBP", **{"exif": b"", **more})
    assert strip_images.webp_size(data) == opened(data).size


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_ends_early_is_refused_wherever_it_ends(kind: str) -> None:
    data = photograph(kind)
    for end in range(16, len(data) - 1, max(len(data) // 150, 1)):
        assert refusal(data[:end]) in (ErrorCode.BAD_INPUT, ErrorCode.UNSUPPORTED_TYPE)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_or_leaves_a_picture(kind: str) -> None:
    """Whatever the bytes, there is no other error, and what is kept can be looked at."""
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
def test_damaged_exif_leaves_the_picture_upright(data: bytes) -> None:
    assert strip_images.read_orientation(data) == strip_images.UPRIGHT


@pytest.mark.parametrize("turned", range(1, 9))
def test_which_way_up_is_read_in_either_byte_order(turned: int) -> None:
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([turned, 0, 0, 0])
    assert strip_images.read_orientation(little) == turned
    assert strip_images.read_orientation(strip_images.orientation_exif(turned)) == turned
