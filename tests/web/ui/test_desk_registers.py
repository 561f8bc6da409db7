"""The tables of the desk: they filter, sort and page as the graph says, and what they show can be exported."""

import csv
import datetime as dt
import io
from typing import Any
from urllib.parse import parse_qs, urlsplit

import openpyxl
from playwright.async_api import Page, expect

from tests.conftest import SHANGHAI
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


async def test_a_workbook_has_all_rows_with_times_of_the_district(desk: OpenView, ask: Ask) -> None:
    """The browser's zone is London; a time of the workbook is the district's, and a cell of the kind time."""
    asked = """{ inspections(first: 1000, orderBy: {field: SUBMITTED_AT, direction: DESCENDING}) {
        totalCount nodes { submittedAt } } }"""
    listed = (await ask(asked))["inspections"]
    view = "/desk/?view=registers&register=inspections&column=enterprise&column=submittedAt&column=found"
    async with desk(view) as page:
        await expect(page.locator("tbody tr").first).to_be_visible()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="导出 XLSX").click()
        content = (await (await download.value).path()).read_bytes()
        assert (await download.value).suggested_filename.startswith("检查-")
        await expect(page.get_by_role("status").get_by_text(f"已导出 {listed['totalCount']} 行")).to_be_visible()
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert sheet.title == "检查"
    header, *rows = sheet.iter_rows(values_only=True)
    assert header == ("企业", "提交时间", "发现的隐患")
    assert len(rows) == listed["totalCount"] > 50
    shanghai = [
        None
        if each["submittedAt"] is None
        else dt.datetime.fromisoformat(each["submittedAt"])
        .astimezone(SHANGHAI)
        .replace(second=0, microsecond=0, tzinfo=None)
        for each in listed["nodes"]
    ]
    assert sorted(filter(None, shanghai)) == sorted(row[1] for row in rows if isinstance(row[1], dt.datetime))
    assert {type(row[2]) for row in rows} == {int}


# As if more rows matched than a file takes: every page is the first one again.
ENDLESS = """
() => {
  const real = fetch;
  let answer;
  globalThis.fetch = async (address, ...more) => {
    if (address !== '/graphql') return real(address, ...more);
    if (!answer) {
      answer = await (await real(address, ...more)).json();
      answer.data.page.totalCount = 250000;
      answer.data.page.pageInfo.hasNextPage = true;
    }
    return Response.json(answer);
  };
}
"""


async def test_a_file_that_is_cut_says_so(desk: OpenView) -> None:
    async with desk("/desk/?view=registers&order=NAME.ASCENDING&column=name") as page:
        await expect(page.locator("tbody tr")).to_have_count(50)
        await page.evaluate(ENDLESS)
        async with page.expect_download() as download:
            await page.get_by_role("button", name="导出 CSV").click()
        lines = (await (await download.value).path()).read_bytes().count(b"\r\n")
        assert lines == 100_001
        await expect(page.get_by_text("共 250000 行，只导出了前 100000 行")).to_be_visible()


async def test_every_filter_order_and_column_works(desk: OpenView) -> None:
    """A refusal of the graph shows as an alert; an order shows in its column's head."""
    async with desk("/desk/?view=registers") as page:
        tabs = page.get_by_role("navigation", name="选择名册").get_by_role("button")
        for name in await tabs.all_inner_texts():
            await tabs.get_by_text(name, exact=True).click()
            await expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
            filters = page.locator(".filter")
            for number in range(await filters.count()):
                field = filters.nth(number).locator("input, select")
                async with page.expect_response("**/graphql") as response:
                    if await field.evaluate("each => each.tagName") == "SELECT":
                        await field.select_option(index=1)
                    else:
                        date = await field.get_attribute("type") == "date"
                        await field.fill("2026-01-01" if date else "公司")
                assert "errors" not in await (await response.value).json(), (name, number)
                async with page.expect_response("**/graphql"):
                    await page.get_by_role("button", name="清除条件").click()
            await page.get_by_text("列", exact=True).click()
            for box in await page.locator(".columns input").all():
                await box.check()
            await page.get_by_text("列", exact=True).click()
            await expect(page.locator("thead th")).to_have_count(await page.locator(".columns input").count())
            for head in await page.locator("thead th button").all():
                for direction in ("descending", "ascending"):
                    async with page.expect_response("**/graphql") as response:
                        await head.click()
                    assert "errors" not in await (await response.value).json(), name
                    await expect(page.locator(f"thead th[aria-sort={direction}]")).to_have_count(1)
            await expect(page.get_by_role("alert").first).to_be_empty()


async def test_a_view_is_saved_under_a_name_and_opens_again(desk: OpenView) -> None:
    async with desk("/desk/?view=registers&register=cases") as page:
        await page.get_by_role("combobox", name="状态").select_option("FILED")
        await page.get_by_text("已存视图", exact=True).click()
        await page.get_by_role("textbox", name="视图名称").fill("已立案")
        await page.get_by_role("button", name="保存视图").click()
        await page.goto(page.url.split("?")[0] + "?view=registers")
        await page.get_by_text("已存视图", exact=True).click()
        await page.get_by_role("link", name="已立案").click()
        await expect(page.get_by_role("combobox", name="状态")).to_have_value("FILED")
        await page.get_by_text("已存视图", exact=True).click()
        await page.get_by_role("button", name="删除视图 已立案").click()
        await expect(page.get_by_role("link", name="已立案")).to_have_count(0)


async def test_every_register_shows_its_rows_in_english_too(desk: OpenView) -> None:
    async with desk("/desk/?view=registers", locale="en-GB") as page:
        tabs = page.get_by_role("navigation", name="Registers").get_by_role("button")
        for name in await tabs.all_inner_texts():
            await page.get_by_role("navigation", name="Registers").get_by_role("button", name=name, exact=True).click()
            region = page.get_by_role("region", name=name, exact=True)
            await expect(region.locator("tbody tr").first.or_(region.get_by_text("No rows match"))).to_be_visible()
            await expect(page.get_by_role("alert").first).to_be_empty()
