"""The cost of the wall in a browser: with events at a steady rate, over a long time, and with many enterprises.

Costs are CPU time and memory of the renderer, so that the verdict does not depend on what else the machine does.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import CDPSession, Page, expect

from tests.support.browser import open_browser
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import Process, environment, serving, web
from tests.support.source_files import ROOT

ENTERPRISES, LAPS, LAP_SECONDS, MANY = (2_000, 8, 60, 20_000) if PROVING else (60, 3, 4, 400)
RATE = 20 if PROVING else 5  # calls a second; each makes about one event
CORE_MAXIMUM = 0.5  # of one processor, for the renderer at 5 events a second
GROWTH_MAXIMUM = 1.1  # of the heap after garbage collection, between the second lap and the last
FRAME_MAXIMUM = 0.05  # seconds of CPU for one frame while the map is dragged: 20 frames a second
DRAG = """async () => {
  let frames = 0;
  const count = () => { frames++; window.frame = requestAnimationFrame(count); };
  count();
  window.stop = () => { cancelAnimationFrame(window.frame); return frames; };
}"""
NUMBERS = "{ zones { name portrait { hazardsOpen hazardsOverdue } } }"


@asynccontextmanager
async def wall_of(folder: Path, enterprises: int) -> AsyncIterator[tuple[Process, Page, CDPSession]]:
    url = f"sqlite:///{folder}/wall-load-{enterprises}.db"
    command = (sys.executable, "-m", "web", "seed", "demo", "--enterprises", str(enterprises))
    # As long as it takes: `serving` waits for the start of a server alone.
    await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=environment(url), check=True, capture_output=True)
    with serving(folder / f"wall-load-{enterprises}.log", url, HUHANG_DEMO_ENTERPRISES=str(enterprises)) as process:
        async with open_browser() as browser:
            page = await browser.new_page(locale="zh-CN", viewport={"width": 1920, "height": 1080})
            page.set_default_timeout(PATIENCE * 1000)
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable", {"timeDomain": "threadTicks"})
            await page.goto(f"{process.address}/wall/")
            await page.get_by_text("实时").wait_for()
            yield process, page, session


async def measured(session: CDPSession) -> dict[str, float]:
    """Seconds of CPU of the renderer's main thread, bytes of its heap and number of its nodes, after a collection."""
    await session.send("HeapProfiler.collectGarbage")
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return {each["name"]: each["value"] for each in metrics}


async def play(process: Process, url: str, rate: float, seconds: float) -> None:
    options = ("--url", process.address, "--rate", str(rate), "--seconds", str(seconds))
    done = await asyncio.to_thread(web, "simulate", *options, url=url)
    assert done.returncode == 0, done.stdout


async def ask(process: Process, query: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"{process.address}/graphql", json={"query": query})).json()["data"]


async def test_a_long_shift_costs_little_and_leaks_nothing(scratch: Path, record_proof: RecordProof) -> None:
    url = f"sqlite:///{scratch}/wall-load-{ENTERPRISES}.db"
    async with wall_of(scratch, ENTERPRISES) as (process, page, session):
        before, began = await measured(session), time.monotonic()
        await play(process, url, 5, LAP_SECONDS)
        after = await measured(session)
        share = (after["TaskDuration"] - before["TaskDuration"]) / (time.monotonic() - began)
        laps = []
        for _ in range(LAPS):
            await play(process, url, RATE, LAP_SECONDS)
            laps.append(await measured(session))
        heaps, nodes = ([lap[name] for lap in laps] for name in ("JSHeapUsedSize", "Nodes"))
        zones = (await ask(process, NUMBERS))["zones"]
        for zone in zones:
            tile = page.get_by_label("画像").get_by_role("button").filter(has_text=zone["name"].removesuffix("战区"))
            await expect(tile.first).to_contain_text(f"未闭环 {zone['portrait']['hazardsOpen']}")
            await expect(tile.first).to_contain_text(f"超期 {zone['portrait']['hazardsOverdue']}")
        assert nodes[-1] < GROWTH_MAXIMUM * nodes[1]
        if PROVING:  # on a machine that does nothing else
            assert share < CORE_MAXIMUM
            assert heaps[-1] < GROWTH_MAXIMUM * heaps[1]
        row = {
            "enterprises": ENTERPRISES,
            "events at once (calls a second)": RATE,
            "share of a processor at 5 calls a second": f"{share:.2f}",
            "heap after each lap (MB)": ", ".join(f"{heap / 1e6:.1f}" for heap in heaps),
            "nodes after each lap": ", ".join(f"{each:.0f}" for each in nodes),
        }
        record_proof("wall", "The wall over a long shift", row)


async def test_a_map_of_many_enterprises_can_be_dragged(scratch: Path, record_proof: RecordProof) -> None:
    async with wall_of(scratch, MANY) as (_, page, session):
        await expect(page.get_by_role("application", name=f"{MANY:,} 家企业")).to_be_visible()
        await page.keyboard.press("Enter")
        box = await page.get_by_role("application").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = await measured(session)
        await page.evaluate(DRAG)
        await page.mouse.move(x, y)
        await page.mouse.down()
        for step in range(120):
            await page.mouse.move(x + 200 * ((step % 40) / 40 - 0.5), y + step)
        await page.mouse.up()
        frames = await page.evaluate("stop()")
        after = await measured(session)
        cost = (after["TaskDuration"] - before["TaskDuration"]) / frames
        if PROVING:
            assert cost < FRAME_MAXIMUM
        row = {"enterprises": MANY, "frames": frames, "CPU for a frame (ms)": f"{cost * 1000:.1f}"}
        record_proof("wall_drag", "Dragging the map of the wall", row)
