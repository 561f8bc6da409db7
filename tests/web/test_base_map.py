"""The setting of the base map: what it accepts, and what the pages may load because of it."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.pmtiles import write_pmtiles
from web import base_map
from web.settings import Settings

TILES = "https://map.example.org:8443/wmts?LAYER=vec&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}"
SECRET = "0123456789abcdef0123456789abcdef"


def client(setting: str | None, projection: base_map.Projection = "EPSG:3857") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=base_map.routes(setting, projection)))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_tiles_at_an_address_are_described_with_their_projection() -> None:
    async with client(TILES, "EPSG:4490") as http:
        described = (await http.get(base_map.DESCRIPTION)).json()
        assert described == {"kind": "tiles", "address": TILES, "projection": "EPSG:4490"}
        assert (await http.get(base_map.FILE)).status_code == 404


async def test_without_the_setting_there_is_none() -> None:
    async with client(None) as http:
        assert (await http.get(base_map.DESCRIPTION)).json() is None


async def test_a_file_is_served_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "district.pmtiles"
    write_pmtiles(file, b"picture")
    async with client(str(file)) as http:
        assert (await http.get(base_map.DESCRIPTION)).json() == {"kind": "pmtiles", "address": base_map.FILE}
        part = await http.get(base_map.FILE, headers={"range": "bytes=0-6"})
        assert (part.status_code, part.content) == (206, b"PMTiles")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("https://map.example.org/{z}/{x}.png", r"lacks \{y\}"),
        ("https://map.example.org; script-src *" + "/{z}/{x}/{y}", "not a name or an address"),
        ("no/such.pmtiles", "No such file"),
        (__file__, "not a PMTiles file"),
    ],
)
def test_a_wrong_setting_is_told_at_the_start(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Settings(base_map=setting, secret=SECRET)  # type: ignore[arg-type]  # as from the environment


def test_pages_may_load_from_the_servers_of_tiles_and_cameras_alone() -> None:
    policy = base_map.content_policy(TILES, "https://b.example.org,http://10.0.0.7:8080")
    parts = {name: sources for name, *sources in (part.split() for part in policy.split(";"))}
    cameras = ["http://10.0.0.7:8080", "https://b.example.org"]
    assert parts["img-src"] == ["'self'", "data:", "blob:", "https://map.example.org:8443", *cameras]
    assert parts["media-src"] == ["'self'", "blob:", *cameras]
    assert parts["connect-src"] == ["'self'", *cameras]
    assert "http" not in base_map.content_policy(None, None)
