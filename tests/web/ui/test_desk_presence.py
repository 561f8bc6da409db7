"""Two commanders at two desks see which item the other has open, and when they no longer have it open."""

from playwright.async_api import Browser, expect

from tests.web.ui.bureau_fixtures import COLLEAGUE, Bureau, bureau, desk, row

__all__ = ["bureau"]


async def test_what_a_colleague_has_open_is_named_in_the_row_and_in_the_head(chromium: Browser, bureau: Bureau) -> None:
    async with desk(chromium, bureau) as mine:
        await expect(row(mine, "求助").first).to_be_visible()
        call = f"求助 {bureau.call_for_help('液位计失灵')}"
        head = mine.get_by_label("在手", exact=True).locator("header").first
        async with desk(chromium, bureau, name=COLLEAGUE) as theirs:
            await row(theirs, call).get_by_role("button").click()
            await expect(row(mine, call)).to_contain_text("周砚 打开中")
            # The call that this desk has open itself is no news to it.
            await expect(row(theirs, call)).not_to_contain_text("打开中")
            await row(mine, call).get_by_role("button").click()
            await expect(head).to_contain_text("周砚 打开中")
            await expect(theirs.get_by_label("在手", exact=True)).to_contain_text("顾长庚 打开中")
            await theirs.keyboard.press("Escape")
            await expect(row(mine, call)).not_to_contain_text("打开中")
            await expect(head).not_to_contain_text("打开中")
            await row(theirs, call).get_by_role("button").click()
            await expect(head).to_contain_text("周砚 打开中")
        # The desk was closed.
        await expect(head).not_to_contain_text("打开中")
        await expect(row(mine, call)).not_to_contain_text("打开中")
