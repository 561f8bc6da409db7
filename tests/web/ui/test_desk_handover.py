"""The handover of the duty on the desk: the briefing, the signature, and the page that is printed."""

import re

from playwright.async_api import Page, expect

from tests.support.source_files import ROOT
from tests.web.ui.desk_fixtures import Ask, OpenView, ask, desk

__all__ = ["ask", "desk"]

AXE = (ROOT / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
VIEW = "/desk/?view=handover"
QUERY = "{ briefing { takenOver arrived { count } done { count } lapsed { count } waiting { count } } }"


async def balance(page: Page) -> list[int]:
    """Taken over, arrived, done, lapsed, and waiting, as the page shows them."""
    texts = await page.locator("article dl dd").all_inner_texts()
    return [int(re.sub(r"\D", "", text)) for text in texts[:5]]


async def test_the_briefing_adds_up_and_a_signature_begins_another(desk: OpenView, ask: Ask) -> None:
    async with desk(VIEW) as page:
        await expect(page.get_by_role("heading", name="交接班简报")).to_be_visible()
        taken_over, arrived, done, lapsed, waiting = await balance(page)
        assert taken_over + arrived - done - lapsed == waiting > 0
        briefing = (await ask(QUERY))["briefing"]
        assert [taken_over, arrived] == [briefing["takenOver"], briefing["arrived"]["count"]]
        form = page.get_by_role("form", name="交班")
        await form.get_by_label("交班说明").fill("一队留守至雨停")
        await form.get_by_role("button", name="交班").click()
        await expect(page.locator("article .note")).to_have_text("一队留守至雨停")
        await expect(page.locator("article dl dd").nth(1)).to_have_text("+0")
        assert await balance(page) == [waiting, 0, 0, 0, waiting]


async def test_the_printed_page_has_the_briefing_alone_in_black_on_white(desk: OpenView) -> None:
    async with desk(VIEW) as page:
        await expect(page.get_by_role("heading", name="交接班简报")).to_be_visible()
        await page.evaluate(AXE)
        result = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]] == []
        await page.emulate_media(media="print")
        await expect(page.locator("aside")).to_be_hidden()
        await expect(page.locator(".shell > header")).to_be_hidden()
        assert await page.evaluate("getComputedStyle(document.querySelector('article')).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert await page.evaluate("getComputedStyle(document.querySelector('article h1')).color") == "rgb(0, 0, 0)"
