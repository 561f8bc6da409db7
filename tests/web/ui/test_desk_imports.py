"""The desk imports a register: a file, its mapping, a preview that writes nothing, and the import that it announces."""

import csv
import io
import re
from typing import Any

from playwright.async_api import Page, expect

from tests.support.source_files import ROOT
from tests.web.ui.desk_fixtures import Ask, OpenView, ask, desk

__all__ = ["ask", "desk"]

AXE = (ROOT / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
VIEW = "/desk/?view=import"
HEADER = "编号,企业名称,风险等级,电话\n"
FOUND = (
    "query($text: String!) { enterprises(filter: {text: $text}, first: 10) { totalCount nodes { name riskGrade } } }"
)


def file(name: str, content: str, media_type: str = "text/csv") -> Any:
    return {"name": name, "mimeType": media_type, "buffer": content.encode()}


async def choose(page: Page, *files: Any) -> None:
    await page.get_by_label("选择文件").or_(page.get_by_label("Choose files")).set_input_files(list(files))


async def counts(page: Page) -> list[str]:
    """Read, new, changed, unchanged and bad of the first table."""
    return await page.locator(".counts tbody tr").first.locator("td").all_inner_texts()


async def enterprises_named(ask: Ask, text: str) -> Any:
    return (await ask(FOUND, text=text))["enterprises"]["nodes"]


async def test_a_file_is_previewed_and_then_imported(desk: OpenView, ask: Ask) -> None:
    rows = "IMP1,导入甲化工厂,重大,13800000001\nIMP2,导入乙仓储,特高,=HYPERLINK(1)\n,导入丙食品厂,一般,\n"
    async with desk("/desk/?view=registers") as page:
        await page.get_by_role("button", name="导入…").click()
        await expect(page.get_by_role("button", name="请先选择文件")).to_have_attribute("aria-disabled", "true")
        await choose(page, file("企业.csv", HEADER + rows))
        mapping = page.get_by_role("textbox", name="映射")
        await expect(mapping).to_have_value(re.compile('file = "企业.csv"'))
        await page.get_by_role("button", name="预览", exact=True).click()
        await expect(page.get_by_text("这是预览，还没有写入任何内容。")).to_be_visible()
        assert await counts(page) == ["3", "1", "0", "0", "2"]
        issues = page.get_by_role("region", name="要核对的行").locator("tbody tr")
        await expect(issues.filter(has_text="特高")).to_contain_text("风险等级")
        await expect(issues.filter(has_text="特高").locator("td").nth(2)).to_have_text("3")
        assert await enterprises_named(ask, "导入甲") == []

        async with page.expect_download() as download:
            await page.get_by_role("button", name="下载报告").click()
        content = (await (await download.value).path()).read_text("utf-8-sig")
        header, *lines = csv.reader(io.StringIO(content, newline=""))
        assert header == ["文件", "行", "列", "值", "原因", "程度"]
        assert ["企业.csv", "3", "风险等级", "特高"] in [line[:4] for line in lines]

        await page.get_by_role("button", name="写入：新增 1，更改 0").click()
        await expect(page.get_by_text("已写入 1 行")).to_be_visible()
        assert await enterprises_named(ask, "导入甲") == [{"name": "导入甲化工厂", "riskGrade": "RED"}]

        await choose(page, file("企业.csv", HEADER + rows.replace("重大", "低")))
        await page.get_by_role("button", name="预览", exact=True).click()
        await expect(page.get_by_role("button", name="写入：新增 0，更改 1")).to_be_visible()
        # A changed mapping needs another preview.
        await mapping.fill(f"{await mapping.input_value()}\n# reviewed\n")
        await expect(page.get_by_role("button", name="写入")).to_have_count(0)
        await expect(page.locator(".counts")).to_have_count(0)


async def test_a_mapping_comes_with_the_files_and_its_mistakes_are_named(desk: OpenView) -> None:
    async with desk(VIEW, locale="en-GB") as page:
        await choose(page, file("a.csv", "id,name\nX1,a\n"), file("m.toml", "[enterprises]\nfile = 5\n"))
        mapping = page.get_by_role("textbox", name="Mapping")
        await expect(mapping).to_have_value("[enterprises]\nfile = 5\n")
        await page.get_by_role("button", name="Preview", exact=True).click()
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("line 2: enterprises.file")
        await expect(alert).to_contain_text("district")
        await choose(page, file("b.csv", "x\n1\n"))
        await expect(alert).to_contain_text("no table has columns such as x")


async def test_the_page_can_be_read_and_fits(desk: OpenView) -> None:
    rows = "".join(f"{',' if number % 2 else f'FIT{number},'}合规企业{number},一般,\n" for number in range(40))
    for locale in ("zh-CN", "en-GB"):
        async with desk(VIEW, locale=locale) as page:
            await choose(page, file("企业名册-2026年第四季度-含重大危险源.csv", HEADER + rows))
            await (
                page.get_by_role("button", name="预览", exact=True)
                .or_(page.get_by_role("button", name="Preview", exact=True))
                .click()
            )
            await expect(page.locator(".rows tbody tr").first).to_be_visible()
            await page.evaluate(AXE)
            for width, height in ((1920, 1080), (1280, 720), (390, 844)):
                await page.set_viewport_size({"width": width, "height": height})
                assert await page.evaluate(OVERFLOW) <= 0, width
                result = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
                assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]] == []
