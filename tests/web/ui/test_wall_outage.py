"""The wall while its server is frozen or dead: it says so within six seconds, and has missed nothing afterwards."""

import asyncio
import itertools
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import Process, serving, web
from tests.support.wall_browser import RED_PIXELS, Wall, until, wall_on

NUMBERS = itertools.count()
OUTAGE_SECONDS = 20 if PROVING else 0  # at least
MARK_SECONDS = 6.5  # from the outage; half a second is for the browser to draw
MEANWHILE, AFTERWARDS = 5, 8  # events
TILES = 5  # the district's and those of its zones; their usual bands come last
SCREEN = {"width": 1920, "height": 1080}
# Notes when the page said that the server was silent, in milliseconds.
WATCH = """() => {
  const root = document.documentElement;
  window.marked = new Promise((resolve) => new MutationObserver(() => {
    if (root.hasAttribute('data-stale')) resolve(Date.now());
  }).observe(root, { attributes: true }));
  window.stayed = true;
}"""
BAND = re.compile("服务器没有回答，画面停在")


@asynccontextmanager
async def two_servers(chromium: Browser, folder: Path) -> AsyncIterator[tuple[Wall, Wall, str, str]]:
    """A wall on one of two servers of a database, and the other server, through which events come meanwhile."""
    name = f"wall-outage-{next(NUMBERS)}"
    url = f"sqlite:///{folder / name}.db"
    with serving(folder / f"{name}.log", url) as process, serving(folder / f"{name}-other.log", url) as other:
        token = web("token", "--demo", "--role", "commander", url=url).stdout.strip()
        async with wall_on(chromium, process, token, viewport=SCREEN) as wall:
            await expect(wall.page.get_by_text("实时")).to_be_visible()
            await expect(wall.page.get_by_label("画像").get_by_text("常见")).to_have_count(TILES)
            await wall.warn("之前")
            await expect(wall.row("之前")).to_have_count(1)
            await wall.page.keyboard.press("Enter")  # An alarm would dim the map.
            await expect(wall.page.get_by_role("alert")).to_be_hidden()
            await until(lambda: wall.page.evaluate(RED_PIXELS))
            await wall.page.evaluate(WATCH)
            yield wall, Wall(wall.page, other, token), url, name


async def numbers(wall: Wall) -> str:
    return re.sub(r"近 30 日.*", "", await wall.page.get_by_label("画像").inner_text())


async def pass_the_outage(wall: Wall, other: Wall, began: float, before: str) -> float:
    """Checks the wall until the outage has lasted long enough. Gives when the outage was marked, in seconds."""
    await expect(wall.page.get_by_text(BAND)).to_be_visible()
    marked: float = await wall.page.evaluate("marked") / 1000 - began
    if PROVING:  # on a machine that does nothing else
        assert marked < MARK_SECONDS
    for number in range(MEANWHILE):
        await other.warn(f"期间 {number}")
    await asyncio.sleep(began + OUTAGE_SECONDS - time.time())
    # More than five seconds later: an attempt that a frozen server does not answer is given up for the next one.
    await expect(wall.page.get_by_text(re.compile("自动重连，第 [2-9] 次"))).to_be_visible()
    assert await numbers(wall) == before
    await expect(wall.row("之前")).to_have_count(1)
    await expect(wall.row("期间")).to_have_count(0)
    assert await wall.page.evaluate(RED_PIXELS) == 0
    return marked


async def check_return(wall: Wall) -> None:
    """The same page is live again, and shows each event of the log once."""
    await expect(wall.page.get_by_text(BAND)).to_be_hidden()
    await until(lambda: wall.page.evaluate(RED_PIXELS))
    for number in range(AFTERWARDS):
        await wall.warn(f"之后 {number}")
    await expect(wall.row("之后 7")).to_have_count(1)
    assert await shows_the_log(wall)
    await expect(wall.row("期间")).to_have_count(MEANWHILE)
    assert await wall.page.evaluate("stayed")


async def shows_the_log(wall: Wall) -> bool:
    """True if the feed has the last thirty events of the log, newest first, each once."""
    events = (await wall.graph("{ events(last: 30) { nodes { cursor } } }"))["events"]["nodes"]
    rows = wall.page.get_by_label("事件", exact=True).get_by_role("listitem")
    shown = await rows.evaluate_all("rows => rows.map(({ dataset }) => dataset.cursor)")
    return bool(shown == [event["cursor"] for event in reversed(events)])


def record(record_proof: RecordProof, outage: str, marked: float) -> None:
    row = {
        "server": outage,
        "outage (s)": OUTAGE_SECONDS,
        "marked after (s)": f"{marked:.1f}",
        "events meanwhile, by another server": MEANWHILE,
        "events afterwards": AFTERWARDS,
        # `check_return` has compared the page with the log.
        "missed": 0,
        "shown twice": 0,
    }
    record_proof("wall_outage", "The wall while its server does not answer", row)


async def test_a_frozen_server_is_marked_and_nothing_is_missed(
    chromium: Browser, scratch: Path, record_proof: RecordProof
) -> None:
    async with two_servers(chromium, scratch) as (wall, other, _, _):
        before = await numbers(wall)
        os.kill(wall.process.popen.pid, signal.SIGSTOP)
        began = time.time()
        try:
            marked = await pass_the_outage(wall, other, began, before)
        finally:
            os.kill(wall.process.popen.pid, signal.SIGCONT)
        await check_return(wall)
    record(record_proof, "frozen", marked)


async def test_a_killed_server_comes_back_and_nothing_is_missed(
    chromium: Browser, scratch: Path, record_proof: RecordProof
) -> None:
    async with two_servers(chromium, scratch) as (wall, other, url, name):
        before = await numbers(wall)
        process: Process = wall.process
        process.popen.kill()
        process.popen.wait()
        marked = await pass_the_outage(wall, other, time.time(), before)
        port = process.address.rsplit(":", 1)[1]
        with serving(scratch / f"{name}-again.log", url, "--port", port) as wall.process:
            await check_return(wall)
    record(record_proof, "killed", marked)
