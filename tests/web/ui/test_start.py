"""The start page."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.support.fake_auth import COMMANDER, FakeAuth, commander_answers
from tests.web.ui.conftest import Open


async def test_every_page_in_the_list_exists(visit: Open) -> None:
    auth = FakeAuth(viewer=dict(COMMANDER), answers=commander_answers())
    async with visit("/", auth) as page:
        await expect(page.get_by_role("link", name="顾长庚，指挥员")).to_be_visible()
        links = await page.locator("main a").evaluate_all("links => links.map(link => link.href)")
        paths = [urlsplit(link).path for link in links]
        assert paths == [
            "/desk/",
            "/wall/",
            "/graphiql/",
            "/docs/",
            "/signin/accounts/",
            "/signin/pair/",
            "/signin/account/",
        ]
        for link in links:
            assert (await page.request.get(link)).ok


async def test_without_a_person_the_first_row_is_signing_in(visit: Open) -> None:
    async with visit("/", FakeAuth()) as page:
        await page.locator("main a").first.wait_for()
        await page.keyboard.press("1")
        await expect(page.get_by_role("heading", name="登录", exact=True)).to_be_visible()


async def test_others_than_commanders_are_not_offered_what_they_may_not_use(visit: Open) -> None:
    auth = FakeAuth(viewer={**COMMANDER, "role": "INSPECTOR"}, answers=commander_answers())
    async with visit("/", auth) as page:
        await expect(page.get_by_role("link", name="顾长庚，检查员")).to_be_visible()
        assert await page.locator("main a[href^='/signin/accounts/'], main a[href^='/signin/pair/']").count() == 0


async def test_signing_out_shows_it(visit: Open) -> None:
    auth = FakeAuth(viewer=dict(COMMANDER), answers={"POST sign-out": [(204, None)]})
    async with visit("/", auth) as page:
        await page.get_by_role("button", name="退出登录").click()
        await expect(page.get_by_role("banner").get_by_role("link", name="登录")).to_be_visible()
    assert auth.requests == [("POST sign-out", {})]


async def test_the_server_says_how_its_parts_are(visit: Open) -> None:
    async with visit("/", FakeAuth()) as page:
        await expect(page.get_by_text("与本版本一致", exact=True)).to_be_visible()
        await expect(page.get_by_text("进程间通知正常")).to_be_visible()
        checks = {"connection": "ok", "migrations": "newer", "write": "failed", "feed": "unknown"}
        answer = {"status": "not ready", "checks": checks, "notifier": "polling"}
        await page.route("**/readyz", lambda route: route.fulfill(status=503, json=answer))
        await page.clock.fast_forward(5_000)
        rows = page.locator("dl > div")
        for name, text in {"数据库": "可读", "数据表": "更新的版本", "写入": "写不进去", "事件": "未知"}.items():
            await expect(rows.filter(has_text=name)).to_contain_text(text)


def counts(**statuses: int) -> list[dict[str, Any]]:
    return [{"status": status, "count": count} for status, count in statuses.items()]


WAITING = {
    "calls": {"totalCount": 2, "nodes": [{"requestedAt": "2026-06-15T00:00:00Z"}]},
    "overdue": {"totalCount": 0},
    "hazards": counts(FOUND=3, UNDER_REVIEW=4, ACCEPTED=1),
    "inspections": counts(SUBMITTED=5, IN_REVIEW=6),
    "cases": {"totalCount": 8},
    "dispatches": {"totalCount": 9},
}


async def test_what_waits_for_a_commander_is_counted(visit: Open) -> None:
    async with visit("/", FakeAuth(viewer=dict(COMMANDER))) as page:
        await expect(page.get_by_role("heading", name="等待处理")).to_be_visible()
        await page.route("**/graphql", lambda route: route.fulfill(json={"data": WAITING}))
        await page.clock.fast_forward(5_000)
        rows = page.locator("section section dl > div")
        await expect(rows.nth(0)).to_contain_text("2 件，最早的已等")
        await expect(rows.filter(has_text="逾期隐患")).to_contain_text("无")
        await expect(rows.filter(has_text="待交办隐患")).to_contain_text("7 件")
        await expect(rows.filter(has_text="待验收整改")).to_contain_text("无")
        await expect(rows.filter(has_text="待审核检查")).to_contain_text("11 件")
        # A refusal keeps the values and says that they are old.
        refusal = {"errors": [{"message": "Later.", "extensions": {"code": "BUSY"}}]}
        await page.route("**/graphql", lambda route: route.fulfill(status=503, json=refusal))
        await page.clock.fast_forward(5_000)
        await expect(page.get_by_text("读不出来（BUSY）")).to_be_visible()
        await expect(rows.filter(has_text="待交办隐患")).to_contain_text("7 件")


@pytest.mark.parametrize("role", ["COMMANDER", "INSPECTOR", "ENTERPRISE"])
async def test_the_server_answers_what_each_role_asks(visit: Open, role: str) -> None:
    """The graph itself answers here; without a token it has no inspector of the viewer's own."""
    async with visit("/", FakeAuth(viewer={**COMMANDER, "role": role})) as page:
        panel = page.locator("section section")
        # The age of what was read.
        await expect(panel.locator("h2 + span")).to_be_visible()
        assert await panel.get_by_text("读不出来").count() == 0


async def test_nobody_is_shown_what_waits(visit: Open) -> None:
    async with visit("/", FakeAuth()) as page:
        await expect(page.get_by_text("进程间通知正常")).to_be_visible()
        assert await page.get_by_text("等待处理").count() == 0
