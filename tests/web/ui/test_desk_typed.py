"""Text and choices that a person has entered at the desk stay theirs, whatever else happens."""

import asyncio
from typing import Any

from playwright.async_api import Browser, Page, Route, expect

from tests.web.ui.bureau_fixtures import Bureau, bureau, desk, row

__all__ = ["bureau"]

PENDING = "{ hazards(first: 1, filter: {statuses: [PENDING_ACCEPTANCE]}) { nodes { id } } }"
STOCK = (
    """{ dispatches(first: 100, filter: {statuses: [ON_SCENE]}) { nodes { id quantity resource { __typename } } } }"""
)
OFFICERS = """{ inspectors(first: 50, filter: { available: true }) { nodes { id visits: inspections(first: 0, filter: {
  statuses: [DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount } } } }"""
CALLS = """query($text: String!) { search(text: $text, kinds: [ENTERPRISE], first: 1) { item { ... on Enterprise {
  assistanceRequests(first: 5, filter: { statuses: [OPEN] }) { nodes { id problem } } } } } }"""


async def test_a_change_of_language_keeps_what_was_typed(chromium: Browser, bureau: Bureau) -> None:
    hazard = bureau.graph(PENDING)["hazards"]["nodes"][0]["id"]
    async with desk(chromium, bureau, f"/desk/?item={hazard}") as page:
        await page.get_by_role("button", name="退回整改").click()
        await page.get_by_label("理由").fill("阀门关着")
        await page.get_by_role("button", name="English").click()
        await expect(page.get_by_label("Reason")).to_have_value("阀门关着")


async def test_an_answer_that_was_overtaken_does_not_bring_the_old_status_back(
    chromium: Browser, bureau: Bureau
) -> None:
    hazard = bureau.graph(PENDING)["hazards"]["nodes"][0]["id"]
    held: list[Route] = []
    released = asyncio.Event()

    async def hold_the_first(route: Route) -> None:
        if "query Item(" not in (route.request.post_data or "") or held:
            await route.fallback()
            return
        held.append(route)
        answer = await route.fetch()
        await released.wait()
        await route.fulfill(response=answer)

    async with desk(chromium, bureau) as page:
        await page.route("**/graphql", hold_the_first)
        await page.goto(f"{bureau.process.address}/desk/?item={hazard}")
        await page.get_by_role("button", name="验收通过").click()
        done = page.get_by_text("验收通过，现在是已验收")
        await expect(done).to_be_visible()
        async with page.expect_event("requestfinished", lambda request: request == held[0].request):
            released.set()
        await drawn(page)
        await expect(done).to_be_visible()


async def drawn(page: Page) -> None:
    """The page has handled what came, and has drawn it twice."""
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_a_choice_stays_with_its_problem_when_another_problem_is_solved(
    chromium: Browser, bureau: Bureau
) -> None:
    async with desk(chromium, bureau) as page:
        await expect(row(page, "求助").first).to_be_visible()
        name = bureau.call_for_help("围堰渗水", "配电柜进水")
        await row(page, f"求助 {name}").get_by_role("button").click()
        await expect(page.locator("#primary")).to_contain_text("派遣 2 项")
        # From now on the choice is the person's: the team serves the second problem.
        await page.get_by_role("rowgroup").filter(has_text="队伍").get_by_role("button").first.click()
        await page.get_by_role("button", name="用于问题 1").last.click()
        await expect(page.get_by_role("button", name="用于问题 2")).to_have_count(2)
        calls: list[dict[str, Any]] = bureau.graph(CALLS, text=name)["search"][0]["item"]["assistanceRequests"]["nodes"]
        first = next(call["id"] for call in calls if call["problem"] == "围堰渗水")
        free = [
            each["id"] for each in bureau.graph(OFFICERS)["inspectors"]["nodes"] if not each["visits"]["totalCount"]
        ]
        # Not one of the officers who stand beside the enterprise, whom the desk proposes.
        bureau.act("assistanceDispatch", assistanceRequest=first, inspectors=[free[-1]])
        await expect(page.get_by_role("button", name="用于问题 1")).to_have_count(2)
        await expect(page.locator("#primary")).to_contain_text("派遣 2 项")


async def test_full_width_digits_are_a_quantity(chromium: Browser, bureau: Bureau) -> None:
    sent = bureau.graph(STOCK)["dispatches"]["nodes"]
    dispatch = next(each for each in sent if each["resource"]["__typename"] == "StockItem")["id"]
    async with desk(chromium, bureau, f"/desk/?item={dispatch}") as page:
        drawn_stock = page.get_by_label("用掉的数量")
        await drawn_stock.fill("一箱")
        await page.locator("#primary").click()
        await expect(drawn_stock).to_have_attribute("aria-invalid", "true")
        await drawn_stock.fill("１")
        await page.locator("#primary").click()
        await expect(page.get_by_text("完成，现在是")).to_be_visible()
    node = bureau.graph("query($id: ID!) { node(id: $id) { ... on Dispatch { status drawn } } }", id=dispatch)["node"]
    assert node == {"status": "COMPLETED", "drawn": 1}
