"""The cost of the wall in a browser: with events at a steady rate, and over a long shift."""

import time
from pathlib import Path

from playwright.async_api import Page, expect

from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.wall_load import LoadedWall, loaded_wall

ENTERPRISES, LAPS, LAP_SECONDS = (2_000, 8, 60) if PROVING else (60, 3, 4)
RATE = 20 if PROVING else 5  # calls a second; each makes about one event
CORE_MAXIMUM = 0.5  # of one processor, for the renderer at 5 events a second
GROWTH_MAXIMUM = 1.1  # of the heap after garbage collection, between the first hour and the last
HOUR = 3_600  # seconds
NUMBERS = "{ zones { name portrait { hazardsOpen hazardsOverdue } } }"


async def check_numbers(wall: LoadedWall) -> None:
    """The tiles have the numbers of a fresh query."""
    for zone in (await wall.ask(NUMBERS))["zones"]:
        tile = wall.page.get_by_label("画像").get_by_role("button").filter(has_text=zone["name"].removesuffix("战区"))
        await expect(tile.first).to_contain_text(f"未闭环 {zone['portrait']['hazardsOpen']}")
        await expect(tile.first).to_contain_text(f"超期 {zone['portrait']['hazardsOverdue']}")


async def test_five_events_a_second_cost_little(scratch: Path, record_proof: RecordProof) -> None:
    async with loaded_wall(scratch, ENTERPRISES) as wall:
        before, began = wall.processor_seconds(), time.monotonic()
        await wall.play(5, LAP_SECONDS)
        share = (wall.processor_seconds() - before) / (time.monotonic() - began)
        await check_numbers(wall)
        if PROVING:  # on a machine that does nothing else
            assert share < CORE_MAXIMUM
    row = {"enterprises": ENTERPRISES, "calls a second": 5, "share of a processor": f"{share:.2f}"}
    record_proof("wall_load", "The renderer of the wall while events come", row)


async def hold_the_clock(page: Page) -> None:
    """The page's clock goes on as usual until it is set forward."""
    await page.clock.install()


async def test_a_long_shift_leaks_nothing(scratch: Path, record_proof: RecordProof) -> None:
    """Each lap has the events of hours, and then the page's clock is set forward by the rest of an hour."""
    async with loaded_wall(scratch, ENTERPRISES, before=hold_the_clock) as wall:
        laps = []
        for _ in range(LAPS):
            await wall.play(RATE, LAP_SECONDS)
            # The page takes the time for a silence of the server, and connects and reads anew.
            await wall.page.clock.fast_forward((HOUR - LAP_SECONDS) * 1000)
            await check_numbers(wall)
            await wall.page.get_by_text("实时").wait_for()
            laps.append(await wall.measured())
        heaps, nodes = ([lap[name] for lap in laps] for name in ("JSHeapUsedSize", "Nodes"))
        assert nodes[-1] < GROWTH_MAXIMUM * nodes[0]
        if PROVING:
            assert heaps[-1] < GROWTH_MAXIMUM * heaps[0]
    row = {
        "enterprises": ENTERPRISES,
        "hours": LAPS,
        "calls in an hour": RATE * LAP_SECONDS,
        "heap after each hour (MB)": ", ".join(f"{heap / 1e6:.1f}" for heap in heaps),
        "nodes after each hour": ", ".join(f"{each:.0f}" for each in nodes),
    }
    record_proof("wall_shift", "The wall over a shift of eight hours", row)
