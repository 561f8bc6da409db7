"""What holds for every page: it can be read, reached by keyboard and used on a phone, in both languages and themes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.fake_auth import (
    COMMANDER,
    PROPOSED,
    FakeAuth,
    commander_answers,
    failure,
    screen_answers,
)
from tests.support.fake_field import (
    enterprise_at_work,
    officer_called,
    officer_on_round,
    officer_on_site,
)
from tests.support.page_messages import messages
from tests.support.proof_mode import PROVING
from tests.support.source_files import ROOT
from tests.web.ui.conftest import Open
from web import demo

UI = ROOT / "web" / "ui"
AXE = (UI / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
SIZES = {"wall": (1920, 1080), "desk": (1280, 720), "phone": (390, 844), "small phone": (320, 568)}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
STYLES = [("zh", "dark"), ("en", "light")]
if PROVING:
    STYLES += [("zh", "light"), ("en", "dark")]
MESSAGES = {name: messages(name) for name in LANGUAGES}
# Text under 14 px is for Latin references and key caps.
SMALL_TEXT = """
() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const small = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('kbd, noscript')) continue;
    if (parseFloat(getComputedStyle(element).fontSize) < 14) small.push(walker.currentNode.data);
  }
  return small;
}
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Everything that can have the focus, in the order of the document.
FOCUSABLE = "a[href], button, input:not([hidden]), select, summary, textarea"
FOCUS = "document.activeElement"
# The ring of a code is around the next digit's cell.
CELLS = f"{FOCUS}.nextElementSibling?.querySelector('[data-next]')"


@dataclass(frozen=True)
class View:
    """A page in one state: how to get there, and the message in its heading."""

    path: str
    heading: str
    auth: Callable[[], FakeAuth]
    then: str = ""


def signed_in() -> FakeAuth:
    return FakeAuth(viewer=dict(COMMANDER), answers=commander_answers())


def without_totp() -> FakeAuth:
    due = {**COMMANDER, "mustSetUpTotp": True}
    return FakeAuth(answers={"POST sign-in": [(200, due)], "POST totp": [(200, PROPOSED)]})


def with_code() -> FakeAuth:
    return FakeAuth(answers={"POST sign-in": [failure(401, "CODE_NEEDED"), failure(401, "BAD_CODE")]})


VIEWS = {
    "start": View("/", "start_title", signed_in),
    "start, signed out": View("/", "start_title", FakeAuth),
    "sign-in": View("/signin/", "signin_title", lambda: FakeAuth(oidc={"label": "市政务统一身份认证"})),
    "sign-in to a demo": View("/signin/", "signin_title", lambda: FakeAuth(notice=demo.LOCAL)),
    "sign-in, refused": View("/signin/?error=NO_ROLE", "signin_title", with_code, then="empty"),
    "code": View("/signin/", "code_title", with_code, then="code"),
    "TOTP": View("/signin/", "totp_due_title", without_totp, then="signed in"),
    "set-up": View("/signin/?setup=key", "setup_title", lambda: FakeAuth(setup=True)),
    "account": View("/signin/account/", "account_title", signed_in),
    "accounts": View("/signin/accounts/", "account_add_title", signed_in),
    "screens": View("/signin/pair/", "pair_confirm_title", signed_in),
    "desk": View("/desk/", "desk_queue", signed_in),
    "desk, not a commander": View(
        "/desk/", "commander_only", lambda: FakeAuth(viewer={**COMMANDER, "role": "INSPECTOR"})
    ),
    "documents": View("/docs/", "docs_title", FakeAuth),
    "document": View("/docs/reference/log/", "docs_contents", FakeAuth),
    "field, signed out": View("/field/", "phone_sign_in_first", FakeAuth),
    "field, a commander": View("/field/", "phone_not_yours", signed_in),
    "round": View("/field/", "phone_round_title", officer_on_round),
    "called": View("/field/", "phone_called", officer_called),
    "visit": View("/field/#/visit/SW5zcGVjdGlvbjo1", "phone_result", officer_on_site),
    "find": View("/field/#/find", "phone_tab_find", officer_on_round),
    "field, me": View("/field/#/me", "phone_this_browser", officer_on_round),
    "outbox": View("/field/#/outbox", "phone_queue_empty", officer_on_round),
    "enterprise": View("/field/", "phone_help", enterprise_at_work),
    "hazard": View("/field/#/hazard/SGF6YXJkOj2", "phone_done_what", enterprise_at_work),
    "duty report": View("/field/#/duty", "phone_duty_measures", enterprise_at_work),
    "unpaired screen": View("/signin/screen/", "screen_unpaired", lambda: FakeAuth(answers=screen_answers())),
}


async def reach(page: Page, view: View, language: str) -> None:
    """Bring the page to the view's state, and wait until the server has answered all that it asks."""
    text = MESSAGES[language]
    if view.then == "empty":
        await page.get_by_role("button", name=text["signin_submit"]).click()
    elif view.then:
        await page.get_by_label(text["name_label"]).fill("gu.changgeng")
        await page.get_by_label(text["password_label"], exact=True).fill("correct horse battery")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label(text["code_label"])).to_be_visible()
        if view.then == "code":
            await page.get_by_label(text["code_label"]).fill("000000")
            await expect(page.locator("[aria-invalid]")).to_be_visible()
    await expect(page.get_by_text(text[view.heading], exact=True).first).to_be_visible()
    await page.wait_for_load_state("networkidle")
    notice = view.auth().notice
    await expect(page.get_by_role("note")).to_have_text([] if notice is None else [notice[language]])


@pytest.mark.parametrize(("language", "theme"), STYLES)
@pytest.mark.parametrize("name", VIEWS)
async def test_a_page_meets_wcag_2_2_aa_and_fits_every_screen(
    visit: Open, name: str, language: str, theme: str
) -> None:
    view = VIEWS[name]
    options: dict[str, Any] = {"locale": LANGUAGES[language], "color_scheme": theme}
    async with visit(view.path, view.auth(), **options) as page:
        await reach(page, view, language)
        await page.evaluate(AXE)
        for size, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate(OVERFLOW) <= 0, size
            assert await page.evaluate(SMALL_TEXT) == [], size
            if size not in ("desk", "phone"):
                continue
            tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            result = await page.evaluate("tags => axe.run({runOnly: tags})", tags)
            broken = [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]]
            assert broken == [], size


@pytest.mark.parametrize("name", VIEWS)
async def test_a_page_can_be_used_with_the_keyboard_alone(visit: Open, name: str) -> None:
    """Tab reaches everything in the order of reading, and what has the focus shows it."""
    view = VIEWS[name]
    async with visit(view.path, view.auth()) as page:
        await reach(page, view, "zh")
        count = await page.locator(FOCUSABLE).count()
        await page.locator(FOCUSABLE).first.focus()
        for number in range(1, count):
            await page.keyboard.press("Tab")
            place = f"[...document.querySelectorAll('{FOCUSABLE}')].indexOf({FOCUS})"
            assert await page.evaluate(place) == number
            ring = f"[{FOCUS}, {CELLS}].some(each => each && getComputedStyle(each).outlineStyle !== 'none')"
            assert await page.evaluate(ring), await page.evaluate(f"{FOCUS}.outerHTML")


@pytest.mark.parametrize("name", [name for name, view in VIEWS.items() if not view.then])
async def test_nothing_moves_while_a_page_loads(visit: Open, name: str) -> None:
    view = VIEWS[name]
    async with visit(view.path, view.auth()) as page:
        await reach(page, view, "zh")
        shifted = """() => new Promise(resolve => {
          const sum = list => list.getEntries().reduce((total, entry) => total + entry.value, 0);
          new PerformanceObserver(list => resolve(sum(list))).observe({type: 'layout-shift', buffered: true});
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(0)));
        })"""
        assert await page.evaluate(shifted) < 0.02


async def test_the_theme_can_be_chosen_and_else_follows_the_system(visit: Open) -> None:
    async with visit("/signin/", FakeAuth(), color_scheme="light") as page:
        html = page.locator("html")
        await expect(html).to_have_attribute("data-theme", "light")
        await page.emulate_media(color_scheme="dark")
        await expect(html).to_have_attribute("data-theme", "dark")
        await page.get_by_role("button", name="浅色").click()
        await page.reload()
        await expect(html).to_have_attribute("data-theme", "light")
