"""A commander at the wall: personal data comes with the sign-in, and goes by itself without a trace."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import Databases
from tests.support.server_process import Process, serving_without_demo
from tests.support.wall_browser import EXPECTED
from tests.support.watched_page import watched_page

NAME, FULL_NAME, PASSWORD = "gu.changgeng", "顾长庚", "correct horse battery"
MINUTES = 10
QUESTION = """{
  venues(first: 100) {
    nodes { id name zone { id } nearby(kinds: [TEAM], first: 1) { item { ... on Team { leader { phone } } } } }
  }
  enterprises(first: 1) { nodes { id name legalRepresentative { name phone } } }
}"""
# All that a page can keep: its document, and each store of the browser.
KEPT = """async () => JSON.stringify([
  document.documentElement.outerHTML, {...localStorage}, {...sessionStorage}, document.cookie,
  await caches.keys(), (await indexedDB.databases()).map(({ name }) => name),
])"""


class Bureau:
    """A server with one commander and the token of a screen."""

    def __init__(self, process: Process, screen: dict[str, Any], client: httpx.AsyncClient) -> None:
        self.process, self.screen, self.client = process, screen, client

    async def ask(self, query: str) -> Any:
        return (await self.client.post("/graphql", json={"query": query})).json()["data"]

    async def tokens(self) -> list[str]:
        """The tokens of persons that count."""
        listed = (await self.client.get("/auth/tokens")).json()["tokens"]
        return [token["name"] for token in listed if token["kind"] == "PERSON"]

    async def logins(self) -> int:
        return len((await self.client.get("/auth/logins")).json()["logins"])


@pytest_asyncio.fixture
async def bureau(databases: Databases, demo_url: str, tmp_path: Path) -> AsyncIterator[Bureau]:
    secret = {"HUHANG_SECRET": "a secret of the tests, of no use elsewhere"}
    with serving_without_demo(tmp_path / "log", await databases.new(demo_url), **secret) as process:
        key = re.search(r"http://\S+/signin/\?setup=(\S+)", process.log)
        assert key
        async with httpx.AsyncClient(
            trust_env=False, base_url=process.address, headers={"origin": process.address}
        ) as client:
            person = {"key": key[1], "name": NAME, "fullName": FULL_NAME, "password": PASSWORD}
            (await client.post("/auth/setup", json=person)).raise_for_status()
            issued = await client.post("/auth/tokens", json={"role": "WALL", "name": "指挥厅左侧"})
            issued.raise_for_status()
            yield Bureau(process, issued.json(), client)


async def sign_in(page: Page) -> None:
    await page.keyboard.press("c")
    await page.get_by_label("账号或工号").fill(NAME)
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text(f"{FULL_NAME} 登录，本屏可见电话，剩 {MINUTES} 分")).to_be_visible()


async def test_a_commander_sees_phones_for_ten_minutes_and_nothing_stays(chromium: Browser, bureau: Bureau) -> None:
    data = await bureau.ask(QUESTION)
    venue = next(each for each in data["venues"]["nodes"] if each["zone"] and each["nearby"])
    phone = venue["nearby"][0]["item"]["leader"]["phone"]
    [enterprise] = data["enterprises"]["nodes"]
    personal = [phone, FULL_NAME, *enterprise["legalRepresentative"].values()]
    assert all(personal)
    options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": {"width": 1920, "height": 1080}}
    async with watched_page(chromium, bureau.process.address, EXPECTED, **options) as watched:
        page = watched.page
        stored = {name: bureau.screen[name] for name in ("token", "name", "expiresAt")}
        await page.add_init_script(f"localStorage.setItem('huhang:screen', '{json.dumps(stored)}')")
        await page.clock.install()
        await page.goto(f"{bureau.process.address}/wall/?venue={venue['id']}&enterprise={enterprise['id']}")
        file = page.get_by_role("region", name=enterprise["name"])
        await expect(page.get_by_role("heading", name=venue["name"])).to_be_visible()
        await expect(file.get_by_role("heading", name=enterprise["name"])).to_be_visible()
        kept = await page.evaluate(KEPT)
        assert [each for each in personal if each in kept] == []

        for early in (False, True):
            await sign_in(page)
            await expect(page.get_by_text(phone).first).to_be_visible()
            await expect(file).to_contain_text(enterprise["legalRepresentative"]["phone"])
            # The login has ended: what is left is a token, in the memory of the page alone.
            assert await bureau.logins() == 1
            assert await page.context.cookies() == []
            assert len(await bureau.tokens()) == 1 + early
            if early:
                async with page.expect_response("**/auth/tokens/*"):
                    await page.keyboard.press("c")
            else:
                await page.clock.fast_forward(MINUTES * 60_000)
            await expect(page.get_by_text(phone)).to_have_count(0)
            await expect(file.get_by_role("heading", name=enterprise["name"])).to_be_visible()
            kept = await page.evaluate(KEPT)
            assert [each for each in personal if each in kept] == []
        assert len(await bureau.tokens()) == 1  # The first, whose time the browser's clock alone has seen pass.


async def test_only_the_right_password_opens(chromium: Browser, bureau: Bureau) -> None:
    options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
    async with watched_page(chromium, bureau.process.address, EXPECTED, **options) as watched:
        page = watched.page
        stored = {name: bureau.screen[name] for name in ("token", "name", "expiresAt")}
        await page.add_init_script(f"localStorage.setItem('huhang:screen', '{json.dumps(stored)}')")
        await page.goto(f"{bureau.process.address}/wall/?kiosk")
        await expect(page.get_by_label("画像").get_by_role("button")).to_have_count(5)
        await page.keyboard.press("c")
        await page.get_by_label("账号或工号").fill(NAME)
        await page.get_by_label("密码", exact=True).fill("wrong horse battery")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("不对")
        await expect(page.get_by_text("本屏可见电话")).to_have_count(0)
        assert await bureau.tokens() == []


async def test_a_login_that_could_not_be_ended_is_ended_as_soon_as_the_server_answers(
    chromium: Browser, bureau: Bureau
) -> None:
    options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
    async with watched_page(chromium, bureau.process.address, EXPECTED, **options) as watched:
        page = watched.page
        stored = {name: bureau.screen[name] for name in ("token", "name", "expiresAt")}
        await page.add_init_script(f"localStorage.setItem('huhang:screen', '{json.dumps(stored)}')")
        await page.goto(f"{bureau.process.address}/wall/?kiosk")
        await expect(page.get_by_label("画像").get_by_role("button")).to_have_count(5)
        await page.route("**/auth/sign-out", lambda route: route.fulfill(status=503), times=1)
        await page.keyboard.press("c")
        await page.get_by_label("账号或工号").fill(NAME)
        await page.get_by_label("密码", exact=True).fill(PASSWORD)
        async with (
            page.expect_response("**/auth/tokens/*"),
            page.expect_response(lambda answer: answer.url.endswith("/auth/sign-out") and answer.ok),
        ):
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        assert await page.context.cookies() == []
        assert (await bureau.logins(), await bureau.tokens()) == (1, [])
        await expect(page.get_by_text("本屏可见电话")).to_have_count(0)


async def test_a_browser_with_a_login_of_its_own_is_offered_no_visit(chromium: Browser, bureau: Bureau) -> None:
    address = bureau.process.address
    async with watched_page(chromium, address, EXPECTED, locale="zh-CN", timezone_id="Asia/Shanghai") as watched:
        page = watched.page
        person = {"name": NAME, "password": PASSWORD}
        assert (await page.request.post(f"{address}/auth/sign-in", data=person, headers={"origin": address})).ok
        await page.goto(f"{address}/wall/")
        await expect(page.get_by_label("画像").get_by_role("button")).to_have_count(5)
        await page.keyboard.press("c")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_have_count(1)
        await expect(page.get_by_label("密码", exact=True)).to_have_count(0)
        assert await bureau.logins() == 2
