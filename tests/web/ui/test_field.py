"""The field page in a browser: double taps, phones that people share, and a new version of the page."""

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.support.fake_field import FakeField, inspection, inspector, officer_on_site, round_of
from tests.web.ui.conftest import Open

# All rows of one of the page's own stores.
STORED = """(name) => new Promise((done, failed) => {
  const asked = indexedDB.open('huhang-field');
  asked.onerror = () => failed(asked.error);
  asked.onsuccess = () => {
    const all = asked.result.transaction(name).objectStore(name);
    const [keys, values] = [all.getAllKeys(), all.getAll()];
    all.transaction.oncomplete = () => {
      asked.result.close();
      done(keys.result.map((key, place) => [key, values.result[place]]));
    };
  };
})"""


def on_the_way() -> FakeField:
    task = inspection(1, "东港机械一厂", "RED", "ACKNOWLEDGED")
    return FakeField(viewer=inspector(), answers_by_name={"FieldRound": round_of(task)})


async def stored(page: Page, name: str) -> list[list[Any]]:
    rows: list[list[Any]] = await page.evaluate(STORED, name)
    return rows


async def test_two_taps_within_a_second_are_one_act(visit: Open) -> None:
    async with visit("/field/", on_the_way()) as page:
        # The second tap meets the button of the next step.
        await page.locator("button.next").dblclick()
        await expect(page.get_by_text("东港机械一厂").first).to_be_visible()
        await expect(page.locator("nav b.count")).to_have_text("1")
        await page.clock.fast_forward(1_500)
        await page.locator("button.next").click()
        await expect(page.locator("nav b.count")).to_have_text("2")
        acts = [action["kind"] for _, action in await stored(page, "actions")]
        assert acts == ["depart", "arrive"]


async def test_who_signs_in_next_finds_nothing_of_the_one_before(visit: Open) -> None:
    auth = on_the_way()
    async with visit("/field/", auth) as page:
        await expect(page.get_by_text("东港机械一厂").first).to_be_visible()
        await page.goto(f"{page.url}#/me")
        position = page.locator(".row", has_text="报告位置")
        await position.get_by_role("button").click()
        await expect(position).to_contain_text("检查途中报告位置")
        assert [key for key, _ in await stored(page, "copies")] == ["7:round"]
        auth.viewer = {**inspector(), "account": 9, "fullName": "沈晓岚"}
        auth.answers_by_name = {}
        await page.reload()
        await expect(page.get_by_role("heading", name="沈晓岚")).to_be_visible()
        assert await stored(page, "copies") == []
        # Each officer decides for themselves to report where they are.
        await expect(position).to_contain_text("不报告位置")
        auth.viewer = inspector()
        await page.reload()
        await expect(position).to_contain_text("检查途中报告位置")
        auth.answers["POST sign-out"] = [(204, None)]
        await page.get_by_role("button", name="退出登录").click()
        await expect(page).to_have_url(re.compile("/signin/"))
        assert [each for each in await stored(page, "settings") if each[0] == "who"] == [["who", None]]


async def test_a_new_version_waits_while_a_photograph_may_be_taken(visit: Open) -> None:
    async with visit("/field/", officer_on_site()) as page:
        await expect(page.get_by_text("东港机械一厂").first).to_be_visible()
        await page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        await page.reload()
        await page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        await page.goto(f"{page.url.split('#')[0]}#/visit/SW5zcGVjdGlvbjo1")
        await page.get_by_role("button", name="发现隐患").click()
        await page.get_by_role("button", name="再加一项隐患").click()
        await expect(page.locator("input[type=file]")).to_be_attached()
        await page.evaluate(
            "() => { window.before = true; navigator.serviceWorker.dispatchEvent(new Event('controllerchange')); }"
        )
        await expect(page.locator("input[type=file]")).to_be_attached()
        assert await page.evaluate("() => window.before") is True
        await page.get_by_role("button", name="返回").click()
        await page.wait_for_function("() => window.before === undefined")
