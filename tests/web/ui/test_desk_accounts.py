"""Accounts, screens and tokens at the desk: what is grave is asked twice, and a password is shown once."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.fake_auth import ACCOUNTS, COMMANDER, Answer, FakeAuth, commander_answers
from tests.support.source_files import ROOT
from tests.web.ui.conftest import Open

AXE = (ROOT / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
VIEW = "/desk/?view=accounts"


@pytest.fixture
def commander() -> Callable[..., FakeAuth]:
    def commander(answers: dict[str, list[Answer]]) -> FakeAuth:
        return FakeAuth(viewer=dict(COMMANDER), answers={**commander_answers(), **answers})

    return commander


def written(auth: FakeAuth) -> list[tuple[str, Any]]:
    return [(name, body) for name, body in auth.requests if not name.startswith("GET")]


async def test_an_account_is_made_reset_signed_out_and_disabled(
    visit: Open, commander: Callable[..., FakeAuth]
) -> None:
    auth = commander(
        {
            "POST accounts": [(201, {**ACCOUNTS[2], "password": "kt7q-m2xv-9dhw"})],
            "POST accounts/3/reset": [(200, {"password": "another-once"})],
            "DELETE accounts/3/logins": [(204, None)],
            "PATCH accounts/3": [(200, ACCOUNTS[2])],
        }
    )
    async with visit("/desk/", auth) as page:
        await page.get_by_role("navigation", name="值班台各页").get_by_role("link", name="账号").click()
        await page.get_by_label("检查员工号").fill("XS-0021")
        await page.get_by_label("姓名").fill("何若谷")
        await page.get_by_label("账号", exact=True).last.fill("he.ruogu")
        await page.get_by_role("button", name="建立", exact=True).click()
        await expect(page.get_by_text("kt7q-m2xv-9dhw")).to_be_visible()
        await page.get_by_role("button", name="已交给本人").click()
        await expect(page.get_by_text("kt7q-m2xv-9dhw")).to_have_count(0)

        row = page.get_by_role("row").filter(has_text="何若谷")
        for first, second in (("重置", "确认重置"), ("全部退出", "确认全部退出"), ("停用", "确认停用")):
            # The first press asks; only the second does it.
            await row.get_by_role("button", name=first, exact=True).click()
            await row.get_by_role("button", name="取消").click()
            await row.get_by_role("button", name=first, exact=True).click()
            await row.get_by_role("button", name=second).click()
            await expect(row.get_by_role("button", name=first, exact=True)).to_be_visible()
        await expect(page.get_by_text("another-once")).to_be_visible()
    body = {"name": "he.ruogu", "fullName": "何若谷", "role": "INSPECTOR", "inspector": "XS-0021"}
    assert written(auth) == [
        ("POST accounts", body),
        ("POST accounts/3/reset", {}),
        ("DELETE accounts/3/logins", None),
        ("PATCH accounts/3", {"disabled": True}),
    ]


async def test_ones_own_account_is_changed_on_its_own_page(visit: Open, commander: Callable[..., FakeAuth]) -> None:
    async with visit(VIEW, commander({})) as page:
        own = page.get_by_role("row").filter(has_text="顾长庚")
        await expect(own.get_by_role("button")).to_have_count(0)
        await expect(own.get_by_role("link", name="我的账号")).to_be_visible()
        await page.get_by_role("searchbox", name="文字").fill("ZHOU")
        await expect(page.locator("tbody tr")).to_have_count(1)


async def test_screens_are_paired_and_removed_and_tokens_revoked(
    visit: Open, commander: Callable[..., FakeAuth]
) -> None:
    auth = commander(
        {
            "POST pairings/7KQ4-M2XW": [(200, {"id": 5, "name": "门厅"})],
            "DELETE pairings/7KQ4-M2XW": [(204, None)],
            "DELETE tokens/1": [(204, None)],
        }
    )
    async with visit(VIEW, auth) as page:
        lists = page.get_by_role("navigation", name="选择列表")
        await lists.get_by_role("button", name="屏幕").click()
        waiting = page.get_by_role("region", name="等待配对").get_by_role("row").last
        await waiting.get_by_role("button", name="填入").click()
        await expect(page.get_by_label("屏幕上的码")).to_have_value("7KQ4-M2XW")
        await page.get_by_label("屏幕名称").fill("门厅")
        await page.get_by_role("button", name="确认", exact=True).click()
        await expect(page.get_by_text("已确认「门厅」")).to_be_visible()
        await waiting.get_by_role("button", name="拒绝").click()
        await waiting.get_by_role("button", name="确认拒绝").click()
        await expect(waiting.get_by_role("button", name="拒绝", exact=True)).to_be_visible()
        paired = page.get_by_role("row").filter(has_text="指挥厅左侧")
        await paired.get_by_role("button", name="移除").click()
        await paired.get_by_role("button", name="确认移除").click()
        await expect(paired.get_by_role("button", name="移除", exact=True)).to_be_visible()
    assert written(auth) == [
        ("POST pairings/7KQ4-M2XW", {"name": "门厅"}),
        ("DELETE pairings/7KQ4-M2XW", None),
        ("DELETE tokens/1", None),
    ]


async def test_a_disabled_account_is_enabled(visit: Open, commander: Callable[..., FakeAuth]) -> None:
    auth = commander({"PATCH accounts/4": [(200, ACCOUNTS[3])]})
    async with visit(VIEW, auth) as page:
        disabled = page.get_by_role("row").filter(has_text="骆怀瑾")
        await expect(disabled).to_contain_text("已停用")
        await disabled.get_by_role("button", name="启用").click()
        await disabled.get_by_role("button", name="确认启用").click()
        await expect(disabled.get_by_role("button", name="启用", exact=True)).to_be_visible()
    assert written(auth) == [("PATCH accounts/4", {"disabled": False})]


async def test_a_token_is_revoked(visit: Open, commander: Callable[..., FakeAuth]) -> None:
    auth = commander({"DELETE tokens/2": [(204, None)]})
    async with visit(VIEW, auth) as page:
        await page.get_by_role("navigation", name="选择列表").get_by_role("button", name="令牌").click()
        token = page.get_by_role("row").filter(has_text="水利雨量")
        await expect(token).to_contain_text("readings warnings")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await token.get_by_role("button", name="收回").click()
        await token.get_by_role("button", name="确认收回").click()
        await expect(token.get_by_role("button", name="收回", exact=True)).to_be_visible()
        assert "list=tokens" in page.url
    assert written(auth) == [("DELETE tokens/2", None)]


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_the_lists_can_be_read_and_fit(visit: Open, commander: Callable[..., FakeAuth], locale: str) -> None:
    async with visit(VIEW, commander({}), locale=locale) as page:
        for number in range(3):
            await page.locator(".view > nav button").nth(number).click()
            await expect(page.locator("tbody tr").first).to_be_visible()
            await page.evaluate(AXE)
            for width, height in ((1920, 1080), (1280, 720), (390, 844)):
                await page.set_viewport_size({"width": width, "height": height})
                assert await page.evaluate(OVERFLOW) <= 0, width
                result = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
                assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]] == []
