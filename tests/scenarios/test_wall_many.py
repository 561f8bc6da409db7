"""The map of the wall with very many enterprises: it shows all of them, and can be dragged without a graphics card."""

import re
from pathlib import Path

from playwright.async_api import Page, Response, expect

from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.wall_load import SEEDED, LoadedWall, fewer_points, loaded_wall

MANY, COPIES = (20_000, 99) if PROVING else (400, 0)
MOVES = 150 if PROVING else 20
FRAMES_MINIMUM = 20  # a second
TURN = 60  # pixels of the mouse's wheel
SETTLED = 500  # milliseconds for the map to come to rest


async def quiet(page: Page) -> None:
    """An alarm would move the map."""
    await expect(page.get_by_role("application", name=re.compile("地图，[1-9]"))).to_be_visible()
    await page.keyboard.press("Enter")


async def check_drag(wall: LoadedWall, shown: str, enterprises: int, record_proof: RecordProof) -> None:
    frames, seconds, used = await wall.drag(MOVES)
    assert frames > MOVES / 4
    assert used > 0
    row = {
        "enterprises": f"{enterprises:,}, {shown}",
        "frames by the trace": frames,
        "frames a second": f"{frames / seconds:.0f}",
        "processor time of the renderer for a frame (ms)": f"{used / frames * 1000:.1f}",
    }
    if PROVING:
        assert frames / seconds >= FRAMES_MINIMUM, row
        assert used / frames < 1 / FRAMES_MINIMUM, row
    record_proof("wall_many", "Dragging the map of the wall, rendered in software", row)


async def test_twenty_thousand_enterprises_can_be_dragged(scratch: Path, record_proof: RecordProof) -> None:
    async with loaded_wall(scratch, MANY) as wall:
        await expect(wall.page.get_by_role("application", name=f"{MANY:,} 家企业")).to_be_visible()
        await quiet(wall.page)
        await check_drag(wall, "together", MANY, record_proof)
        disc = wall.page.locator(".legend .disc")  # while marks stand together
        while await disc.count():
            await wall.page.mouse.wheel(0, -TURN)
            await wall.page.wait_for_timeout(SETTLED)
        await expect(wall.page.get_by_role("application", name=f"{MANY:,} 家企业")).to_be_visible()
        await check_drag(wall, "each at its place", MANY, record_proof)


async def test_more_are_shown_as_clusters_and_nearer_as_points(scratch: Path, record_proof: RecordProof) -> None:
    seeded = SEEDED if PROVING else MANY
    total = seeded * (COPIES + 1)
    before = None if PROVING else fewer_points(100)
    async with loaded_wall(scratch, seeded, copies=COPIES, before=before) as wall:
        assert (await wall.ask("{ enterprises(first: 1) { totalCount } }"))["enterprises"]["totalCount"] == total
        await quiet(wall.page)
        placed = wall.page.get_by_role("application", name=f"{total:,} 家企业")
        await expect(placed).to_be_visible()
        await check_drag(wall, "clusters", total, record_proof)
        # The enterprises in view become points once there are few enough.
        while not await gives_points(wall.page):
            pass


async def gives_points(page: Page) -> bool:
    """True if the answer after the next movement of the map has points."""
    async with page.expect_response(is_map) as answered:
        await page.mouse.wheel(0, -TURN)
    data = (await (await answered.value).json())["data"]
    return data["enterpriseMap"]["points"] is not None


def is_map(response: Response) -> bool:
    return "enterpriseMap(" in (response.request.post_data or "")
