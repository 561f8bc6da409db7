"""The wall against a real server: what it shows, and what it says when the server is gone."""

import datetime as dt
import gzip
import io
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Route, WebSocketRoute, expect

from tests.support.pmtiles import write_pmtiles
from tests.support.server_process import Process, serving, web
from tests.support.source_files import ROOT
from tests.support.wall_browser import RED_PIXELS, Wall, until, wall_on
from web.pages import PAGES

NUMBERS = itertools.count()
UI = ROOT / "web" / "ui"
AXE = (UI / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
SCRIPT_MAXIMUM = 180_000  # bytes, compressed, of the first view
SCREENS = {
    "1080p": (1920, 1080),
    "video wall": (3840, 1080),
    "tablet": (1024, 1366),
    "phone": (390, 844),
}
# Pixels of a green base map.
GREEN_PIXELS = RED_PIXELS.replace(
    "data[p] === 0xf0 && data[p + 1] === 0x52 && data[p + 2] === 0x4f",
    "data[p] < 60 && data[p + 1] > 90 && data[p + 2] < 60",
)
COUNT_TONES = """() => {
  window.tones = 0;
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function () { tones++; start.call(this); };
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest_asyncio.fixture
async def own(scratch: Path, chromium: Browser) -> AsyncIterator[Wall]:
    """A wall on a server of its own, which the test may stop."""
    name = f"wall-{next(NUMBERS)}"
    url = f"sqlite:///{scratch / name}.db"
    with serving(scratch / f"{name}.log", url) as process:
        token = web("token", "--demo", "--role", "commander", url=url).stdout.strip()
        async with wall_on(chromium, process, token, viewport={"width": 1920, "height": 1080}) as wall:
            await expect(wall.page.get_by_text("实时")).to_be_visible()
            yield wall


async def test_numbers_are_those_of_a_fresh_query_and_events_arrive_once(own: Wall) -> None:
    data = await own.graph("{ zones { name portrait { hazardsOpen hazardsOverdue } } }")
    for zone in data["zones"]:
        tile = (
            own.page.get_by_label("画像").get_by_role("button").filter(has_text=zone["name"].removesuffix("战区")).first
        )
        await expect(tile).to_contain_text(f"未闭环 {zone['portrait']['hazardsOpen']}")
        await expect(tile).to_contain_text(f"超期 {zone['portrait']['hazardsOverdue']}")
    await own.warn("午后高温")
    await expect(own.row("午后高温")).to_have_count(1)
    warnings = (await own.graph("{ warnings(first: 1, filter: { inForce: true }) { totalCount } }"))["warnings"]
    counter = own.page.locator("dl > div").filter(has_text="预警").locator("dd").first
    await expect(counter).to_have_text(str(warnings["totalCount"]))
    # Officers stand where they were last, before any of them moves.
    inspectors = (await own.graph("{ inspectors(first: 1000) { nodes { onDuty position { longitude } } } }"))[
        "inspectors"
    ]
    placed = sum(node["onDuty"] and node["position"] is not None for node in inspectors["nodes"])
    assert placed > 0
    await expect(own.page.locator(".legend")).to_contain_text(f"检查员 {placed}")
    # The clock is the district's, in a browser that is in London.
    clock = await own.page.locator("header time").inner_text()
    london = await own.page.evaluate("new Intl.DateTimeFormat('en', {hour: '2-digit', hourCycle: 'h23'}).format()")
    assert (
        int(clock[:2])
        == (int(london) + await own.page.evaluate("Math.round((8 * 60 + new Date().getTimezoneOffset()) / 60)")) % 24
    )


async def test_times_are_those_of_the_district(own: Wall) -> None:
    await own.warn("时刻")
    event = (await own.graph("{ events(last: 1) { nodes { at } } }"))["events"]["nodes"][0]
    at = dt.datetime.fromisoformat(event["at"]).astimezone(ZoneInfo("Asia/Shanghai"))
    await expect(own.row("时刻").locator("time")).to_have_text(f"{at:%H:%M:%S}")
    await own.warn("石化仓库泄漏", level="RED")
    alarm = own.page.get_by_role("alert").get_by_role("button").filter(has_text="石化仓库泄漏")
    issued = (await own.graph("{ events(last: 1) { nodes { at } } }"))["events"]["nodes"][0]["at"]
    at = dt.datetime.fromisoformat(issued).astimezone(ZoneInfo("Asia/Shanghai"))
    await expect(alarm.locator(".often")).to_have_text(f"{at:%H:%M:%S} 起")


async def test_a_red_warning_takes_the_top_until_it_is_quieted_on_this_screen(own: Wall) -> None:
    await own.page.keyboard.press("Enter")  # Whatever the demo began with.
    await expect(own.page.get_by_role("alert")).to_be_hidden()
    await own.warn("石化仓库泄漏", level="RED")
    alarm = own.page.get_by_role("alert")
    await expect(alarm).to_contain_text("石化仓库泄漏")
    await own.page.reload()
    await expect(alarm).to_contain_text("石化仓库泄漏")
    await own.page.keyboard.press("Enter")
    await expect(alarm).to_be_hidden()
    await own.page.reload()
    await expect(own.page.get_by_text("实时")).to_be_visible()
    await expect(own.row("石化仓库泄漏")).to_have_count(1)
    await expect(alarm).to_be_hidden()


async def test_the_map_loses_no_enterprise(own: Wall) -> None:
    query = "{ district { portrait { byRisk { riskGrade count } } } }"
    groups = (await own.graph(query))["district"]["portrait"]["byRisk"]
    total = sum(group["count"] for group in groups)
    await expect(own.page.get_by_role("application", name=f"地图，{total} 家企业")).to_be_visible()
    [red] = [group["count"] for group in groups if group["riskGrade"] == "RED"]
    await own.page.get_by_role("button", name=re.compile("^重大 ")).click()
    await expect(own.page.get_by_role("application", name=f"地图，{total - red} 家企业")).to_be_visible()


async def test_a_base_map_lies_under_the_district(chromium: Browser, scratch: Path) -> None:
    name = f"wall-{next(NUMBERS)}"
    picture = io.BytesIO()
    Image.new("RGB", (256, 256), (0, 255, 0)).save(picture, "PNG")
    write_pmtiles(scratch / f"{name}.pmtiles", picture.getvalue())
    more = {"HUHANG_BASE_MAP": str(scratch / f"{name}.pmtiles")}
    with serving(scratch / f"{name}.log", f"sqlite:///{scratch / name}.db", **more) as process:
        async with wall_on(chromium, process, "", viewport={"width": 1920, "height": 1080}) as wall:
            await until(lambda: wall.page.evaluate(GREEN_PIXELS))


async def test_sound_is_off_and_then_each_new_alarm_sounds_once(own: Wall) -> None:
    await own.warn("之前")
    await expect(own.row("之前")).to_have_count(1)
    await own.page.evaluate(COUNT_TONES)
    alarm = own.page.get_by_role("alert")
    await own.warn("无声", level="RED")
    await expect(alarm).to_contain_text("无声")
    assert await own.page.evaluate("tones") == 0
    await own.page.keyboard.press("Enter")
    await own.page.get_by_role("button", name="声音关").click()
    assert await own.page.evaluate("tones") == 1  # So that it is heard what it is like.
    await own.warn("有声", level="RED")
    await expect(alarm).to_contain_text("有声")
    await until(lambda: own.page.evaluate("tones > 1"))
    await own.page.keyboard.press("Enter")
    await expect(alarm).to_be_hidden()
    await own.warn("不响")  # Yellow, and the quieted ones are read again with it.
    await expect(own.row("不响")).to_have_count(1)
    counter = own.page.locator("dl > div").filter(has_text="预警").locator("dd").first
    warnings = (await own.graph("{ warnings(first: 1, filter: { inForce: true }) { totalCount } }"))["warnings"]
    await expect(counter).to_have_text(str(warnings["totalCount"]))
    assert await own.page.evaluate("tones") == 2


async def test_a_new_build_is_loaded_once_when_the_connection_has_come_back(chromium: Browser, served: Process) -> None:
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    async def as_newer(route: Route) -> None:
        if route.request.is_navigation_request():
            await route.continue_()
        else:
            answer = await route.fetch()
            await route.fulfill(response=answer, body=(await answer.text()).replace("/assets/", "/assets/newer-"))

    async with wall_on(chromium, served, "", viewport={"width": 1920, "height": 1080}, connect=connect) as wall:
        live = wall.page.get_by_text("实时")
        await expect(live).to_be_visible()
        # The same build is not loaded again.
        async with wall.page.expect_response("**/wall/"):
            await sockets.pop().close()
        await expect(live).to_be_visible()
        await wall.page.route("**/wall/", as_newer)
        async with wall.page.expect_event("framenavigated"):
            await sockets.pop().close()
        await expect(live).to_be_visible()
        await wall.page.evaluate("stayed = true")
        async with wall.page.expect_response("**/wall/") as answered:
            await sockets.pop().close()
        await (await answered.value).finished()
        await expect(live).to_be_visible()
        assert await wall.page.evaluate("stayed")


@pytest.mark.parametrize("screen", SCREENS)
async def test_both_languages_fit_every_screen_and_can_be_read_by_all(
    chromium: Browser, served: Process, screen: str
) -> None:
    width, height = SCREENS[screen]
    async with wall_on(chromium, served, "", viewport={"width": width, "height": height}) as wall:
        await expect(wall.page.get_by_label("画像").get_by_role("button")).to_have_count(5)
        for live in ("实时", "Live"):
            await expect(wall.page.get_by_text(live, exact=True)).to_be_visible()
            assert await wall.page.evaluate(OVERFLOW) == 0
            await wall.page.evaluate(AXE)
            report = await wall.page.evaluate("axe.run({ resultTypes: ['violations'] })")
            serious = [v for v in report["violations"] if v["impact"] in ("serious", "critical")]
            assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in serious] == []
            await wall.page.keyboard.press("l")


async def test_every_view_has_an_address_and_escape_leads_back(chromium: Browser, served: Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        query = "{ venues(first: 1) { nodes { id name } } enterprises(first: 1) { nodes { id name } } }"
        data = (await client.post(f"{served.address}/graphql", json={"query": query})).json()["data"]
    [venue], [enterprise] = data["venues"]["nodes"], data["enterprises"]["nodes"]
    path = f"/wall/?venue={venue['id']}&enterprise={enterprise['id']}"
    async with wall_on(chromium, served, "", path, viewport={"width": 1920, "height": 1080}) as wall:
        await expect(wall.page.get_by_role("heading", name=venue["name"])).to_be_visible()
        await expect(wall.page.get_by_role("heading", name=enterprise["name"])).to_be_visible()
        await expect(wall.page.get_by_text("直线距离，位置过旧的不列")).to_be_visible()
        await wall.page.keyboard.press("Escape")
        await expect(wall.page.get_by_role("heading", name=enterprise["name"])).to_be_hidden()
        await wall.page.keyboard.press("Escape")
        await expect(wall.page.get_by_role("heading", name=venue["name"])).to_be_hidden()
        await wall.page.go_back()
        await expect(wall.page.get_by_role("heading", name=venue["name"])).to_be_visible()


async def test_a_name_leads_to_its_safety_file(chromium: Browser, served: Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        query = "{ enterprises(first: 1) { nodes { name creditCode } } }"
        data = (await client.post(f"{served.address}/graphql", json={"query": query})).json()["data"]
    [enterprise] = data["enterprises"]["nodes"]
    async with wall_on(chromium, served, "", viewport={"width": 1920, "height": 1080}) as wall:
        await expect(wall.page.get_by_text("实时")).to_be_visible()
        for text in (enterprise["name"], enterprise["creditCode"]):
            await wall.page.keyboard.press("/")
            await wall.page.keyboard.type(text)
            await expect(wall.page.get_by_role("dialog").get_by_role("button")).to_have_count(1)
            await wall.page.keyboard.press("Enter")
            await expect(wall.page.get_by_role("heading", name=enterprise["name"])).to_be_visible()
            await wall.page.keyboard.press("Escape")
            await expect(wall.page.get_by_role("heading", name=enterprise["name"])).to_be_hidden()


async def test_a_kiosk_hides_every_control_also_after_a_reload(chromium: Browser, served: Process) -> None:
    async with wall_on(chromium, served, "", "/wall/?kiosk", viewport={"width": 1920, "height": 1080}) as wall:
        for _ in range(2):
            await expect(wall.page.get_by_text("实时")).to_be_visible()
            await expect(wall.page.locator("kbd")).to_have_count(0)
            assert await wall.page.evaluate("getComputedStyle(document.documentElement).cursor") == "none"
            await wall.page.reload()


def test_the_first_view_is_small() -> None:
    page = (PAGES / "pages" / "wall" / "index.html").read_text("utf-8")
    files = re.findall(r'"/(assets/[^"]+\.js)"', page)
    size = sum(len(gzip.compress((PAGES / "pages" / name).read_bytes())) for name in files)
    assert 50_000 < size < SCRIPT_MAXIMUM
