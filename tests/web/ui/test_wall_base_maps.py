"""Base maps of a bureau's tile server in a real browser: each projection puts a place where the wall has it."""

import functools
import http.server
import io
import itertools
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, expect

from tests.support.server_process import serving
from tests.support.wall_browser import until

NUMBERS = itertools.count()
PROJECTIONS = ("EPSG:3857", "EPSG:4326", "EPSG:4490")
PIXELS = 256  # of a tile's side
# The place where the four colours of the tiles meet, in degrees: within the district.
MEETING = (120.37, 30.12)
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
STEP = 9  # pixels between the rows and columns that are looked at
CLOSE = 2.5  # pixels; one of the wall's marks may hide the border of two colours


def northing(latitude: float) -> float:
    """The share of the world above a latitude, in EPSG:3857."""
    radians = math.radians(latitude)
    return (1 - math.log(math.tan(radians) + 1 / math.cos(radians)) / math.pi) / 2


def crossing(projection: str, z: int, x: int, y: int) -> tuple[float, float]:
    """The place where the colours meet, in pixels of a tile."""
    longitude, latitude = MEETING
    if projection == "EPSG:3857":
        across, down = (longitude + 180) / 360 * 2**z, northing(latitude) * 2**z
    else:
        across, down = (longitude + 180) / 360 * 2**z, (90 - latitude) / 360 * 2**z
    return (across - x) * PIXELS, (down - y) * PIXELS


@functools.cache
def tile(projection: str, z: int, x: int, y: int) -> bytes:
    across, down = (min(max(round(each), 0), PIXELS) for each in crossing(projection, z, x, y))
    picture = Image.new("RGB", (PIXELS, PIXELS), RED)
    draw = ImageDraw.Draw(picture)
    for box, colour in (
        ((across, 0, PIXELS, down), GREEN),
        ((0, down, across, PIXELS), BLUE),
        ((across, down, PIXELS, PIXELS), GREY),
    ):
        if box[2] > box[0] and box[3] > box[1]:
            draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def tile_server(projection: str) -> Iterator[str]:
    """A WMTS as those of the bureau: it knows nothing of the wall. Gives the address for HUHANG_BASE_MAP."""

    class Tiles(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = re.search(r"TILEMATRIX=(\d+)&TILEROW=(\d+)&TILECOL=(\d+)", self.path)
            assert asked
            z, y, x = map(int, asked.groups())
            body = tile(projection, z, x, y)
            self.send_response(200)
            self.send_header("content-type", "image/png")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.server_address[1]
        yield f"http://127.0.0.1:{port}/wmts?LAYER=vec&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def map_picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(await page.get_by_role("application").screenshot())).convert("RGB")


def hue(pixel: tuple[int, ...]) -> str:
    """The tiles' colour that lies under the half transparent land."""
    red, green, blue = pixel
    if max(pixel) - min(pixel) < 12:
        return "grey"
    return max((red, "red"), (green, "green"), (blue, "blue"))[1]


def border(hues: list[str], before: str, after: str) -> int | None:
    """The place where the one colour ends and the other begins, with the fewest pixels on the wrong side."""
    if before not in hues or after not in hues:
        return None
    right, best, least = hues.count(before), None, len(hues)
    left = 0
    for place, each in enumerate([*hues, ""]):
        if left + right < least:
            best, least = place, left + right
        left += each == after
        right -= each == before
    return best


def meeting(picture: Image.Image) -> tuple[float, float] | None:
    """The place in a picture of the map where red, green and blue meet; null before all are drawn."""
    width, height = picture.size
    rows = [[hue(picture.getpixel((x, y))) for x in range(width)] for y in range(0, height, STEP)]  # type: ignore[arg-type]  # RGB
    columns = [[hue(picture.getpixel((x, y))) for y in range(height)] for x in range(0, width, STEP)]  # type: ignore[arg-type]  # RGB
    across = [at for row in rows if row.count("red") > 50 and (at := border(row, "red", "green")) is not None]
    down = [at for column in columns if column.count("red") > 50 and (at := border(column, "red", "blue")) is not None]
    return (median(across), median(down)) if len(across) > 10 and len(down) > 10 else None


async def shown(page: Page, address: str) -> tuple[float, float]:
    await page.goto(f"{address}/wall/")
    await expect(page.get_by_text("实时")).to_be_visible()
    places: list[tuple[float, float] | None] = [None]

    async def rests() -> bool:
        places.append(meeting(await map_picture(page)))
        return places[-1] is not None and places[-1] == places[-2]

    await until(rests)
    assert places[-1]
    return places[-1]


async def test_tiles_of_every_projection_lie_in_the_same_place(chromium: Browser, scratch: Path) -> None:
    places = {projection: await place_of(chromium, scratch, projection) for projection in PROJECTIONS}
    x, y = places["EPSG:3857"]
    for projection, (other_x, other_y) in places.items():
        assert math.hypot(other_x - x, other_y - y) < CLOSE, (projection, places)


async def place_of(chromium: Browser, scratch: Path, projection: str) -> tuple[float, float]:
    """The place where the tiles of a server in this projection are shown. No other server is asked."""
    name = f"wall-base-{next(NUMBERS)}"
    url, size = f"sqlite:///{scratch / name}.db", {"width": 1920, "height": 1080}
    with tile_server(projection) as tiles:
        more = {"HUHANG_BASE_MAP": tiles, "HUHANG_BASE_MAP_PROJECTION": projection}
        with serving(scratch / f"{name}.log", url, **more) as process:
            page = await chromium.new_page(locale="zh-CN", color_scheme="dark", viewport=size)  # type: ignore[arg-type]  # a size
            requests: list[str] = []
            page.on("request", lambda request: requests.append(request.url))
            place = await shown(page, process.address)
            await page.close()
    expected = (process.address, tiles.split("/wmts")[0], "data:", "blob:")
    assert [url for url in requests if not url.startswith(expected)] == []
    return place
