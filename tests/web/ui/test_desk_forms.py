"""The forms made from the schema, on the desk: every mutation has one, and it sends what was typed once."""

import asyncio
import json
from typing import Any

from playwright.async_api import Locator, Page, Route, expect

from models.lifecycle import PERMITTED
from models.visibility import Role
from tests.support.source_files import ROOT
from tests.web.ui.desk_fixtures import Ask, OpenView, ask, desk

__all__ = ["ask", "desk"]

AXE = (ROOT / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
# Fields of the form in sight that a screen reader would announce without a name.
NAMELESS = "[...document.querySelectorAll('form :is(input, select, textarea)')].filter(e => !e.labels?.length).length"


async def test_every_mutation_of_a_commander_has_a_form(desk: OpenView) -> None:
    allowed = [name for name, (roles, _) in PERMITTED.items() if Role.COMMANDER in roles]
    async with desk("/desk/?view=actions") as page:
        buttons = page.locator(".list li button")
        await expect(buttons).to_have_count(len(allowed))
        for word in await buttons.all_inner_texts():
            await page.get_by_role("button", name=word, exact=True).first.click()
            form = page.get_by_role("form", name=word, exact=True)
            await expect(form.get_by_role("button", name=word, exact=True)).to_be_visible()
            assert await page.evaluate(NAMELESS) == 0, word
        await page.get_by_label("查找操作").fill("hazardclose")
        await expect(buttons).to_have_text(["销号"])
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("form", name="销号")).to_be_visible()
        await page.evaluate(AXE)
        result = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]] == []


async def begin_report(page: Page, ask: Ask) -> Locator:
    """The form of hazardReport with an enterprise, a level and a deadline in the past; returns the form."""
    name = (await ask("{ enterprises(first: 1) { nodes { name } } }"))["enterprises"]["nodes"][0]["name"]
    form = page.get_by_role("form", name="上报隐患")
    await form.get_by_label("企业").fill(name)
    await form.get_by_role("option", name=name).first.click()
    await form.get_by_label("级别").select_option("MAJOR")
    await form.get_by_label("整改期限").fill("2020-01-01T08:30")
    return form


async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(desk: OpenView, ask: Ask) -> None:
    async with desk("/desk/?view=actions&action=hazardReport") as page:
        form = await begin_report(page, ask)
        press = form.get_by_role("button", name="上报隐患")
        await press.click()
        description = form.get_by_label("描述", exact=True)
        await expect(description).to_be_focused()
        await expect(description).to_have_accessible_description("必须填写")
        await description.fill("反应釜超温")
        await press.click()
        await expect(form.get_by_label("整改期限")).to_have_accessible_description("时间必须在将来。")
        await expect(form.get_by_label("整改期限")).to_be_focused()
        await expect(description).to_have_value("反应釜超温")


async def test_a_press_without_an_answer_is_repeated_as_the_same_one(desk: OpenView, ask: Ask) -> None:
    """The hazard is there once, with the deadline on the district's clock, which is not the browser's."""
    sent: list[dict[str, Any]] = []
    async with desk("/desk/?view=actions&action=hazardReport") as page:
        token = await page.evaluate("fetch('/graphiql/viewers.json').then(r => r.json()).then(v => v.viewers[0].token)")

        async def lose_the_first_answer(route: Route) -> None:
            body = json.loads(route.request.post_data or "{}")
            if "mutation" not in body["query"]:
                return await route.fallback()
            sent.append(body["variables"]["input"])
            if len(sent) > 1:
                return await route.fallback()
            await route.fetch(headers={**route.request.headers, "authorization": f"Bearer {token}"})
            return await route.abort("connectionrefused")

        await page.context.route("**/graphql", lose_the_first_answer)
        form = await begin_report(page, ask)
        text = f"反应釜 {id(sent)} 号超温"
        await form.get_by_label("描述", exact=True).fill(text)
        await form.get_by_label("整改期限").fill("2990-01-01T08:30")
        press = form.get_by_role("button", name="上报隐患")
        await press.dblclick()
        await expect(form.get_by_role("alert")).to_contain_text("再按一次不会重复提交")
        await press.click()
        await expect(page.get_by_role("status").filter(has_text="已完成：上报隐患")).to_be_visible()
        await expect(form.get_by_label("描述", exact=True)).to_have_value("")
    assert len(sent) == 2
    assert sent[0] == sent[1]
    query = "query($text: String!) { hazards(filter: {text: $text}) { nodes { deadline } } }"
    hazards = (await ask(query, text=text))["hazards"]["nodes"]
    assert [hazard["deadline"] for hazard in hazards] == ["2990-01-01T00:30:00+00:00"]


async def test_a_form_waits_for_its_evidence(desk: OpenView, ask: Ask) -> None:
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.fulfill(status=201, json={"id": "RXZpZGVuY2U6MQ"})

    async with desk("/desk/?view=actions&action=hazardReport") as page:
        form = await begin_report(page, ask)
        await form.get_by_label("描述", exact=True).fill("反应釜超温")
        await page.route("**/evidence", hold)
        photograph: Any = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"x"}
        await form.locator("input[type=file]").set_input_files(photograph)
        press = form.get_by_role("button", name="上报隐患")
        await press.click()
        wait = form.get_by_text("照片或文件还在保存，存好再提交。")
        await expect(wait).to_be_visible()
        released.set()
        await expect(form.locator("[aria-busy=true]")).to_have_count(0)
        await press.click()
        # It was sent: the deadline in the past is refused.
        await expect(form.get_by_label("整改期限")).to_have_accessible_description("时间必须在将来。")
        await expect(wait).to_have_count(0)
