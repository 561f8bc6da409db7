"""The layouts of the wall: a column for one zone on a video wall, tabs on a tablet, the map on demand on a phone."""

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from playwright.async_api import Browser, Locator, expect

from tests.support.server_process import Process
from tests.support.wall_browser import wall_on

WORK = """query($zones: [ID!], $today: Date!) {
  hazards(first: 1, filter: { zones: $zones, open: true }) { totalCount }
  due: hazards(
    first: 1
    filter: { zones: $zones, open: true, not: { statuses: [ACCEPTED] } }
    orderBy: { field: DEADLINE, direction: ASCENDING }
  ) { nodes { description deadline enterprise { name } } }
  inspections(first: 1, filter: { zones: $zones, submittedSince: $today }) { totalCount }
}"""


async def ask(address: str, query: str, **variables: Any) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        body = {"query": query, "variables": variables}
        return (await client.post(f"{address}/graphql", json=body)).json()["data"]


async def width(locator: Locator) -> int:
    box = await locator.bounding_box()
    assert box
    return round(box["width"])


async def number(column: Locator, title: str) -> int:
    return int(await column.locator("dl > div").filter(has_text=title).locator("dd").first.inner_text())


async def test_a_video_wall_has_a_column_for_the_zone_that_is_chosen(chromium: Browser, served: Process) -> None:
    [zone, *_] = (await ask(served.address, "{ zones { id name portrait { hazardsOpen } } }"))["zones"]
    name = zone["name"].removesuffix("战区")
    async with wall_on(chromium, served, "", viewport={"width": 3840, "height": 1080}) as wall:
        column = wall.page.get_by_role("region", name="数字、期限、检查员")
        await expect(column.get_by_role("heading", name="全区，隐患整改率")).to_be_visible()
        await expect(wall.page.get_by_role("region", name="重大")).to_be_hidden()
        assert await width(wall.page.get_by_label("画像")) == 480
        assert (await width(column), await width(wall.page.locator(".right"))) == (760, 520)
        await wall.page.keyboard.press("1")
        await expect(column.get_by_role("heading", name=f"{name}，隐患整改率")).to_be_visible()
        await expect(wall.page.get_by_role("region", name="全区，重大")).to_be_visible()
        today = dt.datetime.now(ZoneInfo("Asia/Shanghai")).date()
        data = await ask(served.address, WORK, zones=[zone["id"]], today=today.isoformat())
        [hazard] = data["due"]["nodes"]
        first = column.get_by_role("listitem").first
        await expect(first).to_contain_text(hazard["enterprise"]["name"])
        await expect(first).to_contain_text(
            "超期" if dt.datetime.fromisoformat(hazard["deadline"]) < dt.datetime.now(dt.UTC) else "剩"
        )
        assert await number(column, "未闭环隐患") == zone["portrait"]["hazardsOpen"] == data["hazards"]["totalCount"]
        assert await number(column, "今日检查") == data["inspections"]["totalCount"]


async def test_the_rotation_takes_the_column_along(chromium: Browser, served: Process) -> None:
    zones = (await ask(served.address, "{ zones { name } }"))["zones"]
    first, second = (zone["name"].removesuffix("战区") for zone in zones[:2])
    async with wall_on(chromium, served, "", viewport={"width": 3840, "height": 1080}) as wall:
        column = wall.page.get_by_role("region", name="数字、期限、检查员")
        await expect(column).to_be_visible()
        await wall.page.keyboard.press("Enter")  # Whatever the demo began with: an alarm stops the rotation.
        await wall.page.keyboard.press("r")
        await expect(column.get_by_role("heading", name=f"{first}，隐患整改率")).to_be_visible()
        await expect(wall.page.get_by_text(re.compile("下一个"))).to_contain_text(
            f"第 1 / {len(zones)} 个，下一个{second}"
        )
        # Any input stops it.
        await wall.page.mouse.click(1900, 10)
        await expect(column.get_by_role("heading", name="全区，隐患整改率")).to_be_visible()


async def test_a_tablet_has_the_events_behind_a_tab(chromium: Browser, served: Process) -> None:
    async with wall_on(chromium, served, "", viewport={"width": 1024, "height": 1366}) as wall:
        numbers = wall.page.get_by_label("画像").get_by_role("button")
        await expect(numbers).to_have_count(5)
        map_, events = wall.page.get_by_role("application"), wall.page.get_by_label("事件", exact=True)
        await expect(map_).to_be_visible()
        await expect(events).to_be_hidden()
        top = "element => element.getBoundingClientRect().top"
        tops = [await each.evaluate(top) for each in (map_, numbers.first, numbers.last)]
        assert tops[0] < tops[1] == tops[2]
        await wall.page.get_by_role("button", name="事件", exact=True).click()
        await expect(events).to_be_visible()
        await expect(map_).to_be_hidden()
        await expect(numbers).to_have_count(5)
        assert await wall.page.evaluate("document.documentElement.scrollHeight") == 1366


async def test_a_phone_has_no_map_until_it_is_asked_for(chromium: Browser, served: Process) -> None:
    async with wall_on(chromium, served, "", viewport={"width": 390, "height": 844}) as wall:
        await expect(wall.page.get_by_label("画像").get_by_role("button")).to_have_count(5)
        await expect(wall.page.get_by_label("事件", exact=True)).to_be_visible()
        await expect(wall.page.locator("canvas")).to_have_count(0)
        await wall.page.get_by_role("button", name="打开地图").click()
        await expect(wall.page.get_by_role("application")).to_be_visible()
        await wall.page.get_by_role("button", name="收起地图").click()
        await expect(wall.page.locator("canvas")).to_have_count(0)
