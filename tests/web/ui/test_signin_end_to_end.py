"""The pages under /signin with the real server behind them, in the order of a bureau's first day."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import Databases
from tests.support.server_process import Process, serving_without_demo
from tests.support.watched_page import watched_page
from tests.web.ui.conftest import REFUSALS

PASSWORD, OTHER_PASSWORD = "correct horse battery", "quite another staple"
OPTIONS = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}


@pytest_asyncio.fixture
async def bureau(databases: Databases, demo_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    """A server outside demo mode that demands TOTP of commanders, on a database without accounts."""
    secret = {"HUHANG_SECRET": "a secret of the tests, of no use elsewhere", "HUHANG_TOTP": "commanders"}
    with serving_without_demo(tmp_path / "log", await databases.new(demo_url), **secret) as process:
        yield process


async def sign_in(page: Page, name: str, password: str) -> None:
    await page.get_by_label("账号或工号").fill(name)
    await page.get_by_label("密码", exact=True).fill(password)
    await page.keyboard.press("Enter")


async def set_codes_up(page: Page) -> pyotp.TOTP:
    """TOTP, which the server demands before it shows any page."""
    await expect(page.get_by_role("heading", name="设置动态码")).to_be_visible()
    await expect(page.get_by_role("img", name="验证器用的二维码")).to_be_visible()
    body, headers = '{"query": "{ viewer { role } }"}', "{'content-type': 'application/json'}"
    asked = f"fetch('/graphql', {{method: 'POST', body: '{body}', headers: {headers}}}).then(answer => answer.status)"
    assert await page.evaluate(asked) == 401
    codes = pyotp.TOTP((await page.locator(".secret").inner_text()).replace(" ", ""))
    await page.get_by_label("验证器上的 6 位数字").fill(codes.now())
    return codes


async def set_up(page: Page, bureau: Process) -> None:
    """The first account, by the address on the console."""
    link = re.search(r"http://\S+/signin/\?setup=\S+", bureau.output.read_text())
    assert link
    await page.goto(link[0])
    await page.get_by_label("账号", exact=True).fill("gu.changgeng")
    await page.get_by_label("姓名").fill("顾长庚")
    await page.get_by_label("密码", exact=True).fill(PASSWORD)
    await page.get_by_label("再输一次").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await set_codes_up(page)
    await expect(page.get_by_role("link", name="顾长庚，指挥员")).to_be_visible()


async def pair_a_screen(page: Page, screen: Page, address: str) -> None:
    await screen.goto(f"{address}/wall/")
    code = await screen.get_by_role("heading").filter(has_text=re.compile(r"^\w{4}-\w{4}$")).inner_text()
    await page.goto(f"{address}/signin/pair/?code={code}")
    await page.get_by_label("屏幕名称").fill("指挥厅左侧")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").get_by_text("已确认「指挥厅左侧」")).to_be_visible()
    await screen.wait_for_url("**/wall/")
    await expect(screen.get_by_label("画像").get_by_role("button")).to_have_count(5)
    token = await screen.evaluate("JSON.parse(localStorage.getItem('huhang:screen')).token")
    asked = await screen.request.post(
        f"{address}/graphql", data={"query": "{ viewer { role } }"}, headers={"authorization": f"Bearer {token}"}
    )
    assert await asked.json() == {"data": {"viewer": {"role": "WALL"}}}


async def create_an_account(page: Page, address: str) -> str:
    """The one-time password of a second commander."""
    await page.goto(f"{address}/signin/accounts/")
    await page.get_by_label("角色").select_option("COMMANDER")
    await page.get_by_label("姓名").fill("周砚")
    await page.get_by_label("账号", exact=True).fill("zhou.yan")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="一次性密码")).to_be_visible()
    return await page.locator(".password").inner_text()


async def test_a_bureaus_first_day(bureau: Process, chromium: Browser) -> None:
    address = bureau.address
    async with (
        watched_page(chromium, address, REFUSALS, **OPTIONS) as first,
        watched_page(chromium, address, REFUSALS, **OPTIONS) as second,
    ):
        gu, zhou = first.page, second.page
        await set_up(gu, bureau)
        await pair_a_screen(gu, zhou, address)
        one_time = await create_an_account(gu, address)

        # The second commander has to change the password and set codes up before anything else.
        await zhou.goto(f"{address}/signin/?next=/signin/account/")
        await sign_in(zhou, "Zhou.Yan", one_time)
        await zhou.get_by_label("新密码").fill(OTHER_PASSWORD)
        await zhou.get_by_label("再输一次").fill(OTHER_PASSWORD)
        await zhou.keyboard.press("Enter")
        codes = await set_codes_up(zhou)
        await expect(zhou.get_by_role("heading", name="我的账号")).to_be_visible()
        await expect(zhou.get_by_text("已启用，登录时要输 6 位数字")).to_be_visible()

        await zhou.get_by_role("button", name="退出登录").first.click()
        await sign_in(zhou, "zhou.yan", OTHER_PASSWORD)
        await expect(zhou.get_by_role("heading", name="输入动态码")).to_be_visible()
        # The present code was used to set codes up; the server takes the next one, too.
        await zhou.keyboard.type(codes.at(dt.datetime.now(), counter_offset=1))
        await expect(zhou.get_by_role("heading", name="我的账号")).to_be_visible()

        # The first commander disables the account, and its browser is sent to sign in.
        await gu.get_by_role("button", name="已交给本人").click()
        await gu.get_by_role("button", name="停用").click()
        await gu.get_by_role("button", name="确认停用").click()
        await expect(gu.get_by_text("已停用")).to_be_visible()
        await expect(zhou.get_by_role("heading", name="登录", exact=True)).to_be_visible()
