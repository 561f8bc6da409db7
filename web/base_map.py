"""The base map under the wall's own geography: tiles of the bureau's map server, or a PMTiles file served from here."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from web.origins import DEFAULT_PORTS, origins

Projection = Literal["EPSG:3857", "EPSG:4326", "EPSG:4490"]

DESCRIPTION = "/base-map.json"
FILE = "/base-map.pmtiles"
MAGIC = b"PMTiles\x03"
PLACES = ("{z}", "{x}", "{y}")


def is_tiles(base_map: str) -> bool:
    """Whether HUHANG_BASE_MAP is the address of tiles, and not a file."""
    return urlsplit(base_map).scheme in DEFAULT_PORTS


def check(base_map: str) -> None:
    """Raises ValueError for what is neither an address of tiles nor a PMTiles file of version 3."""
    if is_tiles(base_map):
        if missing := [place for place in PLACES if place not in base_map]:
            raise ValueError(f"the address of tiles lacks {', '.join(missing)}")
        if not re.fullmatch(r"https?://[\w.:\[\]-]+", origin(base_map)):
            raise ValueError(f"{base_map}: the server of the tiles is not a name or an address")
        return
    try:
        with Path(base_map).open("rb") as file:
            begin = file.read(len(MAGIC))
    except OSError as error:
        raise ValueError(f"{base_map}: {error.strerror}") from None
    if begin != MAGIC:
        raise ValueError(f"{base_map}: this is not a PMTiles file of version 3")


def origin(base_map: str) -> str:
    """The origin of an address of tiles."""
    parts = urlsplit(base_map)
    return f"{parts.scheme}://{parts.netloc}"


def content_policy(base_map: str | None, camera_origins: str | None) -> str:
    """The Content-Security-Policy of the pages: this server alone, the origin of the tiles, and those of the cameras.

    `blob:` are photographs that wait on a phone, and what the wall reads by requests and hands to the browser: streams
    of HLS and the pictures of a PMTiles file.
    """
    tiles = f" {origin(base_map)}" if base_map is not None and is_tiles(base_map) else ""
    cameras = "".join(f" {each.decode()}" for each in sorted(origins(camera_origins)))
    return (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:;"
        f" img-src 'self' data: blob:{tiles}{cameras}; media-src 'self' blob:{cameras}; worker-src 'self';"
        f" connect-src 'self'{cameras}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def routes(base_map: str | None, projection: Projection) -> list[Route]:
    """The routes of the base map: its description and, if it is a file, that file, also in parts (Range)."""

    async def describe(request: Request) -> Response:
        if base_map is None:
            described = None
        elif is_tiles(base_map):
            described = {"kind": "tiles", "address": base_map, "projection": projection}
        else:
            described = {"kind": "pmtiles", "address": FILE}
        return JSONResponse(described, headers={"cache-control": "no-cache"})

    async def file(request: Request) -> Response:
        return FileResponse(str(base_map), media_type="application/vnd.pmtiles", headers={"cache-control": "no-cache"})

    served = [Route(FILE, file)] if base_map is not None and not is_tiles(base_map) else []
    return [Route(DESCRIPTION, describe), *served]
