"""The bureau's reference story, played through the pages alone by the people that it happens to.

An enterprise reports two problems from its phone, the duty officer sends the nearest officers, one of them finds a
major hazard, the wall and the desk follow, the enterprise rectifies, and the bureau closes.
"""

import asyncio
import datetime as dt
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.patience import PATIENCE
from tests.support.pictures import photograph
from tests.support.server_process import Process, environment, web
from tests.support.watched_page import watched_page

SECRET = {"HUHANG_SECRET": "a secret of the tests, of no use elsewhere"}
PASSWORD = "correct horse battery"
# Messages of the browser about rendering without a GPU.
EXPECTED = ("Canvas2D",)
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "color_scheme": "light",
}
SCREEN: dict[str, Any] = {"viewport": {"width": 1680, "height": 945}}
PROBLEMS = ("液位计失灵，氨罐液位看不准", "喷淋提升泵跳闸，送不上水")
FOUND = "氨压机房喷淋泵控制柜积水，液位计接线烧毁"
CAST = """{
  district { portrait { hazardsOpen } }
  enterprises(first: 40) { nodes { id name creditCode location { longitude latitude }
    assistanceRequests(first: 0, filter: { statuses: [OPEN, DISPATCHED] }) { totalCount }
    inspections(first: 0, filter: { statuses: [DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount } } }
  inspectors(first: 200, filter: { available: true }) { nodes { badge fullName
    inspections(first: 0, filter: { statuses: [PLANNED, DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount }
  } }
}"""

SAME_TAP = 1_100  # milliseconds; what is tapped sooner after a tap counts as the same

Show = Callable[[str, Page], Awaitable[None]]


async def nothing(name: str, page: Page) -> None:
    """Show a page to nobody."""


@dataclass
class Cast:
    """The pages of all who take part, each signed in as its person."""

    enterprise: str
    wall: Page
    desk: Page
    phone: Page
    officers: list[Page]
    hazards_open: int


def account(url: str, name: str, role: str, *more: str) -> None:
    words = ("account", "add", "--name", name, "--role", role, "--password-stdin", *more)
    command = [sys.executable, "-m", "web", *words]
    subprocess.run(command, env=environment(url, **SECRET), input=PASSWORD, text=True, check=True)


def asked(process: Process, url: str) -> Callable[[str], Any]:
    """Asks the graph as a commander."""
    token = web("token", "--demo", "--role", "commander", url=url, **SECRET).stdout.strip()

    def graph(query: str) -> Any:
        answer = httpx.post(
            f"{process.address}/graphql",
            json={"query": query},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        return answer.json()["data"]

    return graph


def people(data: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An enterprise where nothing is under way, and two officers who have nothing to do."""
    enterprise = next(
        each
        for each in data["enterprises"]["nodes"]
        if each["location"] and not each["assistanceRequests"]["totalCount"] and not each["inspections"]["totalCount"]
    )
    officers = [each for each in data["inspectors"]["nodes"] if not each["inspections"]["totalCount"]][:2]
    assert len(officers) == 2
    return enterprise, officers


@asynccontextmanager
async def cast(browser: Browser, process: Process, url: str) -> AsyncIterator[Cast]:
    """Accounts for all, and a page for each. The server on `url` is in demo mode and has the secret."""
    data = asked(process, url)(CAST)
    enterprise, officers = people(data)
    account(url, "gu.changgeng", "commander", "--full-name", "顾长庚")
    account(url, "enterprise", "enterprise", "--enterprise", enterprise["creditCode"], "--full-name", "安全负责人")
    async with AsyncExitStack() as stack:

        async def page(path: str, name: str | None = None, **options: Any) -> Page:
            given = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "color_scheme": "dark", **options}
            watched = await stack.enter_async_context(watched_page(browser, process.address, EXPECTED, **given))
            if name:
                await sign_in(watched.page, process.address, path, name)
            else:
                await watched.page.goto(f"{process.address}{path}")
            return watched.page

        phones = []
        for number, officer in enumerate(officers):
            name = f"officer{number}"
            account(url, name, "inspector", "--inspector", officer["badge"], "--full-name", officer["fullName"])
            phones.append(await page("/field/", name, **PHONE, **beside(enterprise["location"], number)))
        yield Cast(
            enterprise["name"],
            await page("/wall/", **SCREEN),
            await page("/desk/", "gu.changgeng", **SCREEN),
            await page("/field/", "enterprise", **PHONE),
            phones,
            data["district"]["portrait"]["hazardsOpen"],
        )


def beside(place: dict[str, float], number: int) -> dict[str, Any]:
    """The position of a phone, as options of a browser's context."""
    near = {"longitude": place["longitude"] + 0.002 * (number + 1), "latitude": place["latitude"] + 0.001}
    return {"geolocation": near, "permissions": ["geolocation"]}


async def sign_in(page: Page, address: str, path: str, name: str) -> None:
    await page.goto(f"{address}/signin/?next={path}")
    await page.get_by_label("账号或工号").fill(name)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}{path}**")


def waiting(cast: Cast, text: str) -> Locator:
    """The desk's rows of what waits, with a text."""
    return cast.desk.get_by_label("待办").get_by_role("listitem").filter(has_text=text)


def district(cast: Cast) -> Locator:
    """The wall's portrait of the district."""
    return cast.wall.get_by_label("画像").get_by_role("button").filter(has_text="全区")


def event(cast: Cast, text: str) -> Locator:
    """The wall's rows of events with a text."""
    return cast.wall.get_by_label("事件").get_by_role("listitem").filter(has_text=text)


async def begin(cast: Cast) -> None:
    """The wall's old alarms are acknowledged, and each officer lets the phone tell where it is."""
    for phone in cast.officers:
        await phone.get_by_role("link", name="我的").click()
        await phone.get_by_text("不报告位置").locator("xpath=ancestor::div[1]").get_by_role("button", name="改").click()
        await expect(phone.get_by_text(re.compile("已报告，约每分钟一次"))).to_be_visible()
        await phone.get_by_role("link", name="今日检查").click()
    await expect(district(cast)).to_contain_text("未闭环")
    await cast.wall.keyboard.press("Enter")
    await expect(cast.wall.get_by_role("alert")).to_have_count(0)


async def call_for_help(cast: Cast, show: Show = nothing) -> None:
    """The enterprise's duty report names two problems; wall and desk have them."""
    phone = cast.phone
    await phone.get_by_role("link", name="值班报告").click()
    await phone.get_by_label("已落实的措施").fill("三班值守，氨区双人巡检")
    await phone.get_by_label("物资").fill("空气呼吸器 6 套，堵漏工具 2 套")
    for number, problem in enumerate(PROBLEMS):
        await phone.get_by_role("button", name="再加一个问题").click()
        await phone.get_by_label(f"问题 {number + 1}").fill(problem)
    await show("1-duty-report", phone)
    await phone.get_by_role("button", name="提交值班报告").click()
    await expect(phone.get_by_text("指挥中心已收到，还没有派出")).to_have_count(2)
    await expect(cast.wall.get_by_role("alert").filter(has_text=cast.enterprise)).to_be_visible()
    await show("2-alarm", cast.wall)


async def dispatch(cast: Cast, show: Show = nothing) -> float:
    """Two keystrokes send the nearest officer to each problem. Returns the seconds until both phones know it."""
    await waiting(cast, f"求助 {cast.enterprise}").get_by_role("button").click()
    await expect(cast.desk.locator("#primary")).to_contain_text("派遣 2 项")
    await show("3-dispatch", cast.desk)
    await cast.desk.keyboard.press("d")
    began = time.monotonic()
    await cast.desk.keyboard.press("Enter")
    for phone in cast.officers:
        await expect(phone.get_by_role("heading", name="指挥中心派你去协助")).to_be_visible()
    seconds = time.monotonic() - began
    await expect(cast.desk.get_by_text(re.compile("^已派出："))).to_be_visible()
    await show("4-called", cast.officers[0])
    await expect(cast.phone.get_by_text("来协助")).to_have_count(2)
    return seconds


async def visit(cast: Cast, show: Show = nothing) -> None:
    """Both officers arrive."""
    for phone in cast.officers:
        await phone.get_by_role("button", name="我知道了，现在去").click()
        await phone.wait_for_timeout(SAME_TAP)
        await phone.get_by_role("button", name="我已到达").click()
        await phone.get_by_role("link", name="填写检查").click()
    await expect(cast.phone.get_by_text("到场")).to_have_count(2)
    await show("5-coming", cast.phone)


async def inspect(cast: Cast, show: Show = nothing) -> None:
    """The first officer submits a major hazard with a photograph, the second has nothing to add."""
    phone = cast.officers[0]
    await phone.get_by_role("button", name="发现隐患").click()
    await phone.get_by_role("button", name="再加一项隐患").click()
    await phone.get_by_role("button", name="重大隐患").click()
    await phone.get_by_role("button", name="设备").click()
    await phone.get_by_label("看到了什么").fill(FOUND)
    await phone.get_by_role("button", name="7 天").click()
    given: Any = {"name": "cabinet.jpg", "mimeType": "image/jpeg", "buffer": photograph()}
    await phone.locator("input[type=file]").set_input_files(given)
    await expect(phone.get_by_role("img", name="照片 1")).to_be_visible()
    await show("6-finding", phone)
    await phone.get_by_role("button", name="这一项填好了").click()
    await phone.get_by_role("button", name="下一步：核对").click()
    await show("7-check", phone)
    await phone.wait_for_timeout(SAME_TAP)
    await phone.get_by_role("button", name="提交检查").click()


async def follow(cast: Cast, show: Show = nothing) -> dict[str, float]:
    """The wall and the desk have the hazard, and the district's tile counts it. Returns the seconds that each took."""
    began, seconds = time.monotonic(), {}

    async def until(name: str, seen: Awaitable[None]) -> None:
        await seen
        seconds[name] = time.monotonic() - began

    await asyncio.gather(
        until("the wall shows it", expect(event(cast, FOUND)).to_be_visible()),
        until("the desk lists it", expect(waiting(cast, FOUND)).to_be_visible()),
        until("the portrait moves", expect(district(cast)).to_contain_text(f"未闭环 {cast.hazards_open + 1}")),
    )
    await show("8-major-hazard", cast.wall)
    return seconds


async def assign(cast: Cast, show: Show = nothing) -> None:
    """The desk reviews the visit and orders the hazard to be rectified."""
    await waiting(cast, FOUND).get_by_role("button").click()
    await cast.desk.get_by_label("责任人").fill("程明平")
    await cast.desk.get_by_label("整改期限").fill(in_days(7))
    await show("9-assign", cast.desk)
    await cast.desk.locator("#primary").click()
    await expect(cast.phone.get_by_text("隐患 1 项要整改")).to_be_visible()


async def rectify(cast: Cast, show: Show = nothing) -> None:
    """The enterprise names the five fixes, rectifies, and asks for acceptance with a photograph."""
    phone = cast.phone
    await phone.get_by_text(FOUND).click()
    for label in ("责任人", "措施", "资金", "预案"):
        await phone.get_by_label(label, exact=True).fill(f"{label}已落实")
    await phone.get_by_label("时限").fill(in_days(7))
    await phone.get_by_role("button", name="开始整改").click()
    await phone.get_by_label("做了什么").fill("更换控制柜和液位计，机房排水沟已疏通")
    given: Any = {"name": "after.jpg", "mimeType": "image/jpeg", "buffer": photograph()}
    await phone.locator("input[type=file]").set_input_files(given)
    await expect(phone.get_by_role("img", name="照片 1")).to_be_visible()
    await show("10-rectified", phone)
    await phone.wait_for_timeout(SAME_TAP)
    await phone.get_by_role("button", name="提交，请求验收").click()
    await expect(waiting(cast, "验收").filter(has_text=cast.enterprise)).to_be_visible()


async def close(cast: Cast, show: Show = nothing) -> None:
    """The desk accepts and closes; the wall's numbers are as before."""
    await waiting(cast, "验收").filter(has_text=cast.enterprise).get_by_role("button").click()
    await show("11-accept", cast.desk)
    actions = cast.desk.locator("footer.actions")
    await actions.get_by_role("button", name="验收通过").click()
    await actions.get_by_role("button", name="销号").click()
    await expect(event(cast, "隐患销号").filter(has_text=cast.enterprise)).to_be_visible()
    await expect(district(cast)).to_contain_text(f"未闭环 {cast.hazards_open}")
    await show("12-closed", cast.wall)


def in_days(days: int) -> str:
    return (dt.datetime.now(ZoneInfo("Asia/Shanghai")) + dt.timedelta(days=days)).date().isoformat()
