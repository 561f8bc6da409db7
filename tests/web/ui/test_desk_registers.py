"""The tables of the desk: they filter, sort and page as the graph says, and what they show can be exported."""

import csv
import io
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, expect

from tests.web.ui.desk_fixtures import Ask, OpenView, ask, desk

__all__ = ["ask", "desk"]

REPORT = """
mutation($input: HazardReportInput!) { hazardReport(input: $input) { ... on HazardReported { hazard { id } } } }
"""


async def texts(page: Page, column: int) -> list[str]:
    return await page.locator(f"tbody td:nth-child({column})").all_inner_texts()


async def test_a_table_shows_what_the_graph_says_and_its_address_holds_the_view(desk: OpenView, ask: Ask) -> None:
    asked = """{ enterprises(filter: {riskGrades: [RED]}, orderBy: {field: OPEN_HAZARDS, direction: DESCENDING},
        first: 50) { totalCount nodes { name } } }"""
    expected = (await ask(asked))["enterprises"]
    names = [each["name"] for each in expected["nodes"]]
    async with desk("/desk/?view=registers") as page:
        await page.get_by_role("combobox", name="风险等级", exact=True).select_option("RED")
        await page.get_by_role("button", name="未销号隐患").click()
        await expect(page.locator("tbody tr").first).to_contain_text(names[0])
        await expect(page.get_by_role("status").get_by_text(f"{expected['totalCount']} 行")).to_be_visible()
        assert await texts(page, 1) == names
        await page.get_by_text("列", exact=True).click()
        await page.get_by_role("checkbox", name="行业").uncheck()
        query = parse_qs(urlsplit(page.url).query)
        assert (query["f.riskGrades"], query["order"]) == (["RED"], ["OPEN_HAZARDS.DESCENDING"])
        await page.reload()
        await expect(page.locator("tbody tr").first).to_contain_text(names[0])
        assert await texts(page, 1) == names
        headers = await page.locator("thead th").all_inner_texts()
        assert "行业" not in "".join(headers)


async def test_pages_follow_each_other_and_come_back(desk: OpenView, ask: Ask) -> None:
    async with desk("/desk/?view=registers&register=enterprises&order=NAME.ASCENDING") as page:
        await expect(page.locator("tbody tr")).to_have_count(50)
        first = await texts(page, 1)
        await page.get_by_role("button", name="下一页").click()
        await expect(page.locator("tbody tr").first).not_to_contain_text(first[0])
        asked = "{ enterprises(first: 100, orderBy: {field: NAME, direction: ASCENDING}) { nodes { name } } }"
        names = [each["name"] for each in (await ask(asked))["enterprises"]["nodes"]]
        assert first + await texts(page, 1) == names
        await page.get_by_role("button", name="上一页").click()
        await expect(page.locator("tbody tr").first).to_contain_text(first[0])
        assert await texts(page, 1) == first


async def exported(page: Page) -> tuple[bytes, list[list[str]]]:
    async with page.expect_download() as download:
        await page.get_by_role("button", name="导出 CSV").click()
    content = (await (await download.value).path()).read_bytes()
    return content, list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_a_change_is_marked_and_the_export_is_what_is_shown(desk: OpenView, ask: Ask) -> None:
    """A text that a spreadsheet program would take for a formula is a text in the file."""
    formula = '=HYPERLINK("http://example.org","热")'
    enterprise = (await ask("{ enterprises(first: 1) { nodes { id } } }"))["enterprises"]["nodes"][0]["id"]
    given: dict[str, Any] = {"enterprise": enterprise, "level": "MAJOR", "description": formula}
    async with desk("/desk/?view=registers&register=hazards&f.levels=MAJOR&column=description&column=level") as page:
        await expect(page.get_by_text("实时", exact=True)).to_be_visible()
        await expect(page.locator("tbody tr").first).to_be_visible()
        rows = await page.locator("tbody tr").count()
        await ask(REPORT, input=given)
        again = page.get_by_role("button", name="有变化，重新读取")
        await expect(again).to_be_visible()
        await again.click()
        await expect(page.locator("tbody tr").filter(has_text=formula)).to_have_count(1)
        total = (await ask("{ hazards(filter: {levels: [MAJOR]}, first: 0) { totalCount } }"))["hazards"]["totalCount"]
        content, [header, *lines] = await exported(page)
        assert content.startswith(b"\xef\xbb\xbf")
        assert header == ["描述", "级别"]
        assert (len(lines), total > 0, rows > 0) == (total, True, True)
        assert [f"'{formula}", "重大"] in lines
        await expect(page.get_by_role("status").get_by_text(f"已导出 {total} 行")).to_be_visible()


async def test_every_register_shows_its_rows_in_english_too(desk: OpenView) -> None:
    async with desk("/desk/?view=registers", locale="en-GB") as page:
        tabs = page.get_by_role("navigation", name="Registers").get_by_role("button")
        for name in await tabs.all_inner_texts():
            await page.get_by_role("navigation", name="Registers").get_by_role("button", name=name, exact=True).click()
            region = page.get_by_role("region", name=name, exact=True)
            await expect(region.locator("tbody tr").first.or_(region.get_by_text("No rows match"))).to_be_visible()
            await expect(page.get_by_role("alert").first).to_be_empty()
