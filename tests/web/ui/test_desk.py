"""The desk against a real server: dispatch in two keystrokes, two desks, a conflict, silence, and the keyboard."""

import os
import re
import signal

from playwright.async_api import Browser, expect

from tests.web.ui.bureau_fixtures import Bureau, bureau, desk, row

__all__ = ["bureau"]


async def test_a_call_is_answered_in_two_keystrokes_and_the_other_desk_sees_it(
    chromium: Browser, bureau: Bureau
) -> None:
    async with desk(chromium, bureau) as first, desk(chromium, bureau) as second:
        await expect(row(first, "求助").first).to_be_visible()
        name = bureau.call_for_help("液位计失灵", "提升泵跳闸")
        await expect(row(second, f"求助 {name}")).to_contain_text("2 个问题")
        await row(first, f"求助 {name}").get_by_role("button").click()
        primary = first.locator("#primary")
        await expect(primary).to_contain_text("派遣 2 项")
        # A number key takes a resource or leaves it.
        await first.keyboard.press("1")
        await expect(primary).to_contain_text("派遣 1 项")
        await first.keyboard.press("1")
        await expect(primary).to_contain_text("派遣 2 项")
        team = first.get_by_role("rowgroup").filter(has_text="队伍").get_by_role("button").first
        await team.click()
        await expect(primary).to_contain_text("派遣 3 项")
        await first.keyboard.press("d")
        await first.keyboard.press("Enter")
        await expect(first.get_by_text(re.compile("^已派出："))).to_be_visible()
        await expect(row(second, f"求助 {name}")).to_have_count(0)
        await expect(row(first, f"求助 {name}")).to_have_count(0)
        out = second.get_by_label("外出", exact=True).get_by_role("listitem").filter(has_text=name)
        await expect(out).to_have_count(3)
    sent = bureau.graph(
        "query($text: String!) { search(text: $text, kinds: [ENTERPRISE], first: 1) { item { ... on Enterprise {"
        " assistanceRequests(first: 2) { nodes { status inspection { inspectors { id } } } }"
        " dispatches(first: 1) { nodes { status resource { __typename } } } } } } }",
        text=name,
    )["search"][0]["item"]
    assert [each["status"] for each in sent["assistanceRequests"]["nodes"]] == ["DISPATCHED"] * 2
    officers = [each["inspection"]["inspectors"][0]["id"] for each in sent["assistanceRequests"]["nodes"]]
    assert len(set(officers)) == 2
    assert sent["dispatches"]["nodes"] == [{"status": "ASSIGNED", "resource": {"__typename": "Team"}}]


async def test_the_counts_of_the_groups_add_up(chromium: Browser, bureau: Bureau) -> None:
    async with desk(chromium, bureau) as page:
        await expect(row(page, "求助").first).to_be_visible()
        head = await page.get_by_role("heading", name=re.compile(r"^待办 \d+$")).inner_text()
        counts = await page.locator("[data-count]").all_inner_texts()
    assert int(head.split()[-1]) == sum(map(int, counts)) > 0
    data = bureau.graph(
        "{ assistanceRequests(first: 0, filter: {statuses: [OPEN]}) { totalCount } warnings(first: 0, filter: {inForce:"
        " true}) { totalCount } cases(first: 0, filter: {statuses: [PROPOSED]}) { totalCount } dispatches(first: 0,"
        " filter: {statuses: [REQUESTED, DECLINED, ASSIGNED]}) { totalCount } inspections(first: 0, filter: {statuses:"
        " [PLANNED, DISPATCHED, SUBMITTED, IN_REVIEW]}) { totalCount } hazards(first: 0, filter: {or: [{statuses:"
        " [FOUND, UNDER_REVIEW, PENDING_ACCEPTANCE, ACCEPTED]}, {overdue: true},"
        " {extensionRequested: true, open: true}]}) { totalCount } }"
    )
    assert sum(each["totalCount"] for each in data.values()) == sum(map(int, counts))


async def test_what_was_typed_outlives_a_colleagues_decision(chromium: Browser, bureau: Bureau) -> None:
    pending = "{ hazards(first: 1, filter: {statuses: [PENDING_ACCEPTANCE]}) { nodes { id version } } }"
    hazard = bureau.graph(pending)["hazards"]["nodes"][0]
    async with desk(chromium, bureau, f"/desk/?item={hazard['id']}") as page:
        await page.get_by_role("button", name="退回整改").click()
        await page.get_by_label("理由").fill("备用泵的阀门关着")
        bureau.act("hazardAccept", hazard=hazard["id"])
        # The desk compares by itself, and proposes the step that takes what was typed.
        await expect(page.get_by_role("alert")).to_contain_text("在您填写时保存了")
        saved = page.get_by_role("row").filter(has_text="状态")
        await expect(saved).to_contain_text("已验收")
        await expect(saved).to_contain_text("待验收")
        await expect(page.get_by_label("理由")).to_have_value("备用泵的阀门关着")
        await expect(page.get_by_role("radio", name="重新打开")).to_be_checked()
    async with desk(chromium, bureau, f"/desk/?item={hazard['id']}") as page:
        await page.get_by_role("button", name="重新打开").click()
        await page.get_by_label("理由").fill("复发")
        await page.locator("#primary").click()
        await expect(page.get_by_text("重新打开，现在是整改中")).to_be_visible()
    status = bureau.graph("query($id: ID!) { node(id: $id) { ... on Hazard { status } } }", id=hazard["id"])
    assert status["node"]["status"] == "RECTIFYING"


async def test_only_legal_steps_are_offered_and_refusals_stand_at_their_field(
    chromium: Browser, bureau: Bureau
) -> None:
    new = bureau.graph("{ hazards(first: 1, filter: {statuses: [FOUND, UNDER_REVIEW]}) { nodes { id } } }")
    async with desk(chromium, bureau, f"/desk/?item={new['hazards']['nodes'][0]['id']}") as page:
        actions = page.locator("footer.actions")
        await expect(actions.get_by_role("button")).to_have_text(["不予认定", re.compile("先填写内容")])
        await page.get_by_label("责任人").fill("骆怀瑾")
        await page.get_by_label("整改期限").fill("2020-01-02")
        await page.locator("#primary").click()
        await expect(page.get_by_label("整改期限")).to_have_attribute("aria-invalid", "true")
        # The typed text stays.
        await expect(page.get_by_label("责任人")).to_have_value("骆怀瑾")


async def test_a_silent_server_stops_sending_and_keeps_what_was_chosen(chromium: Browser, bureau: Bureau) -> None:
    async with desk(chromium, bureau) as page:
        await expect(row(page, "求助").first).to_be_visible()
        name = bureau.call_for_help("雨水倒灌")
        await row(page, f"求助 {name}").get_by_role("button").click()
        primary = page.locator("#primary")
        await expect(primary).to_contain_text("派遣 1 项")
        os.kill(bureau.process.popen.pid, signal.SIGSTOP)
        try:
            await expect(page.get_by_text(re.compile("连接中断"))).to_be_visible()
            await expect(page.locator("html")).to_have_attribute("data-stale", "")
            await expect(primary).to_have_text("恢复后可派遣")
            await expect(page.get_by_text("断线时不发送")).to_be_visible()
            await expect(page.get_by_role("button", pressed=True)).to_have_count(1)
            await expect(row(page, f"求助 {name}")).to_have_count(1)
        finally:
            os.kill(bureau.process.popen.pid, signal.SIGCONT)
        await expect(primary).to_contain_text("派遣 1 项")
        await expect(page.locator("html")).not_to_have_attribute("data-stale", "")


async def test_the_desk_is_used_with_single_keys(chromium: Browser, bureau: Bureau) -> None:
    async with desk(chromium, bureau) as page:
        await expect(row(page, "求助").first).to_be_visible()
        for key in "jjk":
            await page.keyboard.press(key)
        rows = page.get_by_label("待办").get_by_role("listitem").get_by_role("button")
        await expect(rows.first).to_have_attribute("data-chosen", "")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("在手", exact=True).get_by_role("heading", level=1)).to_be_visible()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("f")
        await expect(page).to_have_url(re.compile("enterprise="))
        await page.keyboard.press("Escape")
        await expect(page).not_to_have_url(re.compile("enterprise="))
        await page.keyboard.press("Escape")
        await expect(page).not_to_have_url(re.compile("item="))
        # Letters rest in a text field.
        await page.keyboard.press("/")
        await page.keyboard.type("jd?")
        await expect(page.get_by_role("searchbox")).to_have_value("jd?")
