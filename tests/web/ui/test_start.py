"""The start page."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.support.fake_auth import COMMANDER, FakeAuth, commander_answers
from tests.web.ui.conftest import Open


async def test_every_page_in_the_list_exists(visit: Open) -> None:
    auth = FakeAuth(viewer=dict(COMMANDER), answers=commander_answers())
    async with visit("/", auth) as page:
        await expect(page.get_by_role("link", name="顾长庚，指挥员")).to_be_visible()
        links = await page.locator("main a").evaluate_all("links => links.map(link => link.href)")
        paths = [urlsplit(link).path for link in links]
        assert paths == ["/wall/", "/graphiql/", "/signin/accounts/", "/signin/pair/", "/signin/account/"]
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
        await expect(page.get_by_text("可读，表已就绪")).to_be_visible()
        await page.route("**/readyz", lambda route: route.fulfill(status=503, json={"status": "…"}))
        await page.clock.fast_forward(5_000)
        await expect(page.get_by_text("不可读，或表没有就绪")).to_be_visible()
