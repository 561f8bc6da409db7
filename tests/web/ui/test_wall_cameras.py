"""Cameras on the wall: a stream that is remade when it stalls, a still picture, and why there is none."""

import http.server
import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.async_api import Browser, Route, expect

from tests.support.server_process import serving
from tests.support.wall_browser import until

# Three seconds of a test picture, which the folder's name says: VP9, since not every Chromium plays H.264.
STREAM = Path(__file__).with_name("camera")
# As a camera's server writes it, and then never renews it: it stalls after its only segment.
PLAYLIST = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:3
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI="init.mp4"
#EXTINF:3.0,
segment.m4s
"""
ENTERPRISES = "{ enterprises(first: 1) { nodes { id name } } }"
POSITION = "document.querySelector('video')?.currentTime ?? 0"


@dataclass
class Cameras:
    """A server of cameras, which counts what is asked for."""

    address: str
    asked: Counter[str] = field(default_factory=Counter)


@contextmanager
def camera_server() -> Iterator[Cameras]:
    still = io.BytesIO()
    Image.new("RGB", (160, 90), (0, 160, 0)).save(still, "JPEG")
    files = {
        "/live.m3u8": (PLAYLIST, "application/vnd.apple.mpegurl"),
        "/init.mp4": ((STREAM / "init.mp4").read_bytes(), "video/mp4"),
        "/segment.m4s": ((STREAM / "segment.m4s").read_bytes(), "video/iso.segment"),
        "/still.jpg": (still.getvalue(), "image/jpeg"),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            cameras.asked[path] += 1
            body, kind = files.get(path, (b"", "text/plain"))
            self.send_response(200 if body else 404)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cameras = Cameras(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield cameras
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_cameras(*cameras: dict[str, Any]) -> Any:
    """Gives the opened enterprise these cameras, as a viewer who may see them gets them."""

    async def answer(route: Route) -> None:
        if "query EnterpriseFile" not in (route.request.post_data or ""):
            await route.fallback()
            return
        data = await (response := await route.fetch()).json()
        nodes = [{"id": f"camera {n}", "name": f"摄像机 {n}", "online": True, **each} for n, each in enumerate(cameras)]
        data["data"]["node"]["cameras"] = {"totalCount": len(nodes), "nodes": nodes}
        await route.fulfill(response=response, json=data)

    return answer


async def test_a_stream_is_played_and_remade_and_a_missing_picture_is_explained(
    chromium: Browser, scratch: Path
) -> None:
    with camera_server() as cameras:
        url = f"sqlite:///{scratch / 'wall-cameras'}.db"
        with serving(scratch / "wall-cameras.log", url, HUHANG_CAMERA_ORIGINS=cameras.address) as process:
            async with httpx.AsyncClient(trust_env=False) as client:
                data = (await client.post(f"{process.address}/graphql", json={"query": ENTERPRISES})).json()["data"]
            [enterprise] = data["enterprises"]["nodes"]
            page = await chromium.new_page(locale="zh-CN", viewport={"width": 1920, "height": 1080})
            answer = with_cameras(
                {"streamUrl": f"{cameras.address}/live.m3u8"},
                {"streamUrl": f"{cameras.address}/still.jpg"},
                {"streamUrl": f"{cameras.address}/nothing.m3u8"},
                {"streamUrl": None},
                {"online": False, "streamUrl": f"{cameras.address}/live.m3u8"},
            )
            await page.route("**/graphql", answer)
            await page.goto(f"{process.address}/wall/?enterprise={enterprise['id']}")
            file = page.get_by_role("region", name=enterprise["name"])
            pictures = file.locator("li:has(.picture)")
            await expect(pictures).to_have_count(5)
            await expect(pictures.nth(1)).to_contain_text("静止画面")
            await expect(pictures.nth(1).locator("img")).to_have_js_property("naturalWidth", 160)
            await expect(pictures.nth(2)).to_contain_text("摄像机没有应答")
            await expect(pictures.nth(3)).to_contain_text("指挥员登录后可看")
            await expect(pictures.nth(4)).to_contain_text("摄像机没有应答")
            # It plays to the end of what there is, stands still, and is made anew: it asks for the beginning again.
            await until(lambda: page.evaluate(f"{POSITION} > 1"))
            first = cameras.asked["/init.mp4"]

            async def asked_again() -> bool:
                return cameras.asked["/init.mp4"] > first

            await until(asked_again)
            await until(lambda: page.evaluate(f"{POSITION} > 1"))
            # And a new still picture is fetched meanwhile.
            assert cameras.asked["/still.jpg"] > 1
            await page.close()
