"""Takes the README's pictures of the wall: `python -m tests.support.wall_pictures`, or `make pictures`.

They show the demo with 2,000 enterprises while the simulation plays, and are never drawn by hand.
"""

import asyncio
import datetime as dt
import itertools
import os
import signal
import tempfile
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page

from tests.support.browser import open_browser
from tests.support.server_process import Process, executed, web
from web.settings import ROOT

FOLDER = ROOT / "docs" / "pictures"
ENTERPRISES = 2_000
BEGIN = 90  # seconds that the simulation plays first
SETTLED = 4_000  # milliseconds for the map to come to rest
STALE = "[data-stale]"
# Millimetres an hour on each zone, so that the rain is of today: the simulation's rain is a month old.
RAIN = {"世纪城战区": 9, "主城区战区": 5.2, "瓜沥战区": 3.7, "临浦战区": 3}
HOURS = 6
REPORT = "mutation($input: RainfallReportInput!) { rainfallReport(input: $input) { __typename } }"
QUESTION = """
{
  zones { id name }
  venues(first: 100) { nodes { id code } }
  enterprises(first: 1, filter: { riskGrades: [RED], hasOverdueHazards: true }) { nodes { id } }
}
"""


async def take(page: Page, name: str) -> None:
    await page.wait_for_timeout(SETTLED)
    # An alarm that the simulation has just raised would cover the picture's subject.
    await page.keyboard.press("Enter")
    await page.wait_for_timeout(SETTLED)
    await page.screenshot(path=FOLDER / f"{name}.png")


async def open_wall(browser: Browser, address: str, size: tuple[int, int], language: str, scale: float = 1) -> Page:
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        locale=language,
        timezone_id="Asia/Shanghai",
        color_scheme="dark",
    )
    page = await context.new_page()
    await page.goto(address)
    await page.get_by_text("实时" if language == "zh-CN" else "Live", exact=True).wait_for()
    await page.locator("main li").nth(5).wait_for()
    await page.wait_for_timeout(SETTLED)
    # Alarms of the time before the pictures are for the shift before.
    await page.keyboard.press("Enter")
    return page


async def take_all(browser: Browser, process: Process, token: str) -> None:
    wall = f"{process.address}/wall/"
    async with httpx.AsyncClient(trust_env=False, base_url=process.address) as client:
        data = (await client.post("/graphql", json={"query": QUESTION})).json()["data"]
        for zone, back in itertools.product(data["zones"], range(HOURS)):
            at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=back, minutes=3)
            reading = {"zone": zone["id"], "millimetres": RAIN[zone["name"]], "at": at.isoformat()}
            body = {"query": REPORT, "variables": {"input": reading}}
            (await client.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})).raise_for_status()
    venue = next(node["id"] for node in data["venues"]["nodes"] if node["code"].endswith("-GUALI"))
    [enterprise] = data["enterprises"]["nodes"]
    page = await open_wall(browser, wall, (1920, 1080), "zh-CN")
    await take(page, "wall-1080p")
    await page.goto(f"{wall}?venue={venue}&enterprise={enterprise['id']}")
    await take(page, "wall-safety-file")
    await take(await open_wall(browser, wall, (3840, 2160), "en-GB"), "wall-4k")
    await take(await open_wall(browser, wall, (390, 844), "zh-CN", 2), "wall-phone")
    page = await open_wall(browser, wall, (1920, 1080), "zh-CN")
    os.kill(process.popen.pid, signal.SIGSTOP)
    try:
        await page.wait_for_selector(STALE)
        await page.wait_for_timeout(10_000)
        await take(page, "wall-stale")
    finally:
        os.kill(process.popen.pid, signal.SIGCONT)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        url, log = f"sqlite:///{folder}/pictures.db", Path(folder) / "log"
        more = {"HUHANG_DEMO_ENTERPRISES": str(ENTERPRISES)}
        with executed(log, url, "--simulate", **more) as process:
            token = web("token", "--demo", "--role", "commander", url=url).stdout.strip()
            await asyncio.sleep(BEGIN)
            async with open_browser() as browser:
                await take_all(browser, process, token)


if __name__ == "__main__":
    asyncio.run(main())
