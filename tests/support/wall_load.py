"""A wall with many enterprises in a browser, and what it costs its renderer.

Costs are processor time and memory of the renderer, so that they say the same whatever else the machine does.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa
from playwright.async_api import Browser, CDPSession, Page, Route, expect

import models
from models.db.tables import table_of
from tests.support.browser import open_browser
from tests.support.patience import PATIENCE
from tests.support.server_process import Process, environment, serving, web
from tests.support.source_files import ROOT

NUMBERS = itertools.count()
SEEDED = 2_000  # enterprises, from which larger districts than can be seeded in reasonable time are copied
# Of the browser's trace: what the compositor draws.
CATEGORIES = ["disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame", "devtools.timeline"]

expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class LoadedWall:
    """A wall in a browser, and the server that it shows."""

    process: Process
    url: str
    browser: Browser
    page: Page
    session: CDPSession
    renderers: list[int]

    async def measured(self) -> dict[str, float]:
        """Bytes of the page's heap and number of its nodes, after a collection."""
        await self.session.send("HeapProfiler.collectGarbage")
        metrics = (await self.session.send("Performance.getMetrics"))["metrics"]
        return {each["name"]: each["value"] for each in metrics}

    def processor_seconds(self) -> float:
        """The processor time that the renderer has used so far, with all its threads. A spare one does nothing."""
        used = [psutil.Process(pid).cpu_times() for pid in self.renderers if psutil.pid_exists(pid)]
        return float(sum(each.user + each.system for each in used))

    async def play(self, rate: float, seconds: float) -> None:
        options = ("--url", self.process.address, "--rate", str(rate), "--seconds", str(seconds))
        done = await asyncio.to_thread(web, "simulate", *options, url=self.url)
        assert done.returncode == 0, done.stdout

    async def ask(self, query: str) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.post(f"{self.process.address}/graphql", json={"query": query})).json()["data"]

    async def drag(self, moves: int) -> tuple[int, float, float]:
        """Drag the map to and fro: frames that were drawn by the browser's trace, seconds, and processor seconds."""
        box = await self.page.get_by_role("application").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await self.page.mouse.move(x, y)
        await self.browser.start_tracing(page=self.page, categories=CATEGORIES)
        used, began = self.processor_seconds(), time.monotonic()
        await self.page.mouse.down()
        for step in range(moves):
            await self.page.mouse.move(x + 200 * ((step % 40) / 40 - 0.5), y + step / 4)
        seconds, used = time.monotonic() - began, self.processor_seconds() - used
        await self.page.mouse.up()
        events = json.loads(await self.browser.stop_tracing())["traceEvents"]
        return sum(event["name"] == "DrawFrame" for event in events), seconds, used


@asynccontextmanager
async def loaded_wall(
    folder: Path,
    enterprises: int,
    *,
    copies: int = 0,
    before: Callable[[Page], Awaitable[None]] | None = None,
    query: str = "",
) -> AsyncIterator[LoadedWall]:
    """A wall of so many enterprises and of `copies` of each. `before` is called before the page is opened."""
    name = f"wall-load-{next(NUMBERS)}"
    url = f"sqlite:///{folder}/{name}.db"
    await _run(url, "seed", "demo", "--enterprises", str(enterprises))
    if copies:
        await asyncio.to_thread(_copy, url, copies)
        await _run(url, "portraits", "rebuild")
    with serving(folder / f"{name}.log", url) as process:
        async with open_browser() as browser:
            page = await browser.new_page(locale="zh-CN", viewport={"width": 1920, "height": 1080})
            page.set_default_timeout(PATIENCE * 1000)
            if before:
                await before(page)
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable")
            await page.goto(f"{process.address}/wall/{query}")
            await page.get_by_text("实时").wait_for()
            yield LoadedWall(process, url, browser, page, session, await _renderers(browser))


async def _renderers(browser: Browser) -> list[int]:
    """The processes of the only page, and of one in reserve."""
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    return [int(process["id"]) for process in processes if process["type"] == "renderer"]


async def _run(url: str, *command: str) -> None:
    # As long as it takes: `serving` waits for the start of a server alone.
    line = (sys.executable, "-m", "web", *command)
    await asyncio.to_thread(subprocess.run, line, cwd=ROOT, env=environment(url), check=True, capture_output=True)


def _copy(url: str, copies: int) -> None:
    """Add copies of each enterprise within a kilometre of it."""
    table = table_of(models.Enterprise)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        last = connection.execute(sa.select(sa.func.max(table.c.id))).scalar_one()
        numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
        numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < copies))

        def shifted(column: Any, factor: int, more: int) -> Any:
            return column + ((table.c.id * factor + numbers.c.n * more) % 2001 - 1000) / 100_000.0

        values: dict[str, Any] = {c.name: c for c in table.c}
        values |= {"id": table.c.id + numbers.c.n * last, "credit_code": sa.null(), "external_id": sa.null()}
        values["latitude"] = shifted(table.c.latitude, 7919, 104_729)
        values["longitude"] = shifted(table.c.longitude, 6101, 15_485_863)
        rows = sa.select(*(value.label(name) for name, value in values.items())).join_from(table, numbers, sa.true())
        connection.execute(sa.insert(table).from_select(list(values), rows))
    engine.dispose()


def fewer_points(points: int) -> Callable[[Page], Awaitable[None]]:
    """Lets the page ask for so few points that a small district comes as clusters."""

    async def answer(route: Route) -> None:
        body = route.request.post_data or ""
        await route.continue_(post_data=body.replace("points: 20000", f"points: {points}"))

    async def before(page: Page) -> None:
        await page.route("**/graphql", answer)

    return before
