"""The sign-in page."""

import datetime as dt

import pytest
from playwright.async_api import Page, expect

from tests.support.fake_auth import COMMANDER, PROPOSED, FakeAuth, failure
from tests.web.ui.conftest import Open

SIGN_IN = "POST sign-in"
NAME, PASSWORD = "guchanggeng", "correct horse battery"


async def fill_in(page: Page, password: str = PASSWORD) -> None:
    await page.get_by_label("账号或工号").fill(NAME)
    await page.get_by_label("密码", exact=True).fill(password)
    await page.keyboard.press("Enter")


async def answered(page: Page) -> None:
    """Wait until the server has answered since the clock was moved, for a minute without an answer closes the form."""
    silent = page.get_by_role("status").filter(has_text="服务器没有回答")
    while await silent.count():
        await page.clock.run_for(1500)
        await page.wait_for_timeout(50)


async def arrived(page: Page) -> None:
    await expect(page.get_by_role("heading", name="页面")).to_be_visible()


async def test_a_password_signs_in_and_leads_to_the_page_that_was_wanted(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [(200, COMMANDER)]})
    async with visit("/signin/?next=/graphiql/%3Fa%3D1", auth) as page:
        await fill_in(page)
        await page.wait_for_url("**/graphiql/?a=1")
    assert auth.requests == [(SIGN_IN, {"name": NAME, "password": PASSWORD})]


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:1"]
)
async def test_nobody_is_sent_to_another_server(visit: Open, wanted: str) -> None:
    async with visit(f"/signin/?next={wanted}", FakeAuth(answers={SIGN_IN: [(200, COMMANDER)]})) as page:
        await fill_in(page)
        await arrived(page)


async def test_six_digits_follow_where_the_account_has_them_and_submit_themselves(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [failure(401, "CODE_NEEDED"), failure(401, "BAD_CODE"), (200, COMMANDER)]})
    async with visit("/signin/", auth) as page:
        await fill_in(page)
        code = page.get_by_label("验证器上的 6 位数字")
        await expect(code).to_be_focused()
        await page.keyboard.type("123456")
        await expect(page.get_by_text("动态码不对或已用过，请等下一个")).to_be_visible()
        await expect(code).to_have_value("")
        # As authenticators show it, and as a Chinese input method may write it.
        await code.fill("１２３ 789")
        await arrived(page)
    assert [body["code"] for _, body in auth.requests if "code" in body] == ["123456", "123789"]


async def test_escape_leads_back_to_the_name(visit: Open) -> None:
    async with visit("/signin/", FakeAuth(answers={SIGN_IN: [failure(401, "CODE_NEEDED")]})) as page:
        await fill_in(page)
        await expect(page.get_by_role("heading", name="输入动态码")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_label("账号或工号")).to_have_value(NAME)
        await expect(page.get_by_label("密码", exact=True)).to_have_value("")


async def test_a_wrong_password_is_said_at_the_field_and_what_was_typed_stays(visit: Open) -> None:
    async with visit("/signin/", FakeAuth(answers={SIGN_IN: [failure(401, "BAD_CREDENTIALS")]})) as page:
        await fill_in(page)
        password = page.get_by_label("密码", exact=True)
        await expect(password).to_have_accessible_description("账号或密码不对")
        await expect(password).to_have_attribute("aria-invalid", "true")
        await expect(password).to_have_value(PASSWORD)
        await expect(password).to_be_focused()
        await expect(page.get_by_label("账号或工号")).to_have_value(NAME)


async def test_empty_fields_are_not_sent(visit: Open) -> None:
    auth = FakeAuth()
    async with visit("/signin/", auth) as page:
        await page.keyboard.press("Enter")
        name = page.get_by_label("账号或工号")
        await expect(name).to_have_accessible_description("请输入账号")
        await expect(name).to_be_focused()
    assert auth.requests == []


async def test_the_seconds_of_a_slow_down_are_counted_and_nothing_is_sent_before(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [failure(429, "TOO_MANY", retryAfter=3), (200, COMMANDER)]})
    async with visit("/signin/", auth) as page:
        await page.clock.pause_at((dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).replace(microsecond=0))
        await answered(page)
        await fill_in(page)
        for seconds in (3, 2, 1):
            button = page.get_by_role("button", name=f"{seconds} 秒后可再试")
            await expect(button).to_have_attribute("aria-disabled", "true")
            await page.keyboard.press("Enter")
            await page.clock.run_for(1000)
        assert len(auth.requests) == 1
        await page.get_by_role("button", name="下一步").click()
        await arrived(page)


async def test_a_password_that_somebody_else_knows_is_changed_first(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [(200, {**COMMANDER, "mustChange": True})], "POST password": [(204, None)]})
    async with visit("/signin/", auth) as page:
        await fill_in(page)
        new, repeat = page.get_by_label("新密码"), page.get_by_label("再输一次")
        await new.fill("short")
        await page.keyboard.press("Enter")
        await expect(new).to_have_accessible_description("太短，至少要 10 个字")
        await new.fill("a longer new password")
        await repeat.fill("another")
        await page.keyboard.press("Enter")
        await expect(repeat).to_have_accessible_description("两次输入不一样")
        await repeat.fill("a longer new password")
        await page.keyboard.press("Enter")
        await arrived(page)
    assert auth.requests[-1] == ("POST password", {"current": PASSWORD, "new": "a longer new password"})


async def test_codes_that_the_server_demands_are_set_up_first(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [(200, {**COMMANDER, "mustSetUpTotp": True})], "POST totp": [(200, PROPOSED)]})
    auth.answers["POST totp/confirm"] = [failure(401, "BAD_CODE"), (204, None)]
    async with visit("/signin/", auth) as page:
        await fill_in(page)
        await expect(page.get_by_role("heading", name="设置动态码")).to_be_visible()
        code = page.get_by_label("验证器上的 6 位数字")
        await code.fill("000000")
        await expect(code).to_have_accessible_description("动态码不对")
        await code.fill("123456")
        await arrived(page)
    assert auth.requests[1] == ("POST totp", {"password": PASSWORD})


async def test_a_person_who_must_set_codes_up_gets_no_other_page(visit: Open) -> None:
    async with visit("/signin/account/", FakeAuth(viewer={**COMMANDER, "mustSetUpTotp": True})) as page:
        await page.wait_for_url("**/signin/?next=*")
        await expect(page.get_by_label("账号或工号")).to_be_visible()
        await expect(page.get_by_text("已登录")).to_have_count(0)


async def test_the_one_time_address_makes_the_first_account(visit: Open) -> None:
    auth = FakeAuth(setup=True, answers={"POST setup": [failure(400, "WEAK_PASSWORD"), (200, COMMANDER)]})
    async with visit("/signin/?setup=abc", auth) as page:
        await page.get_by_label("账号", exact=True).fill(NAME)
        await page.get_by_label("密码", exact=True).fill("1234567890")
        await page.get_by_label("再输一次").fill("1234567890")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("密码", exact=True)).to_have_accessible_description(
            "太常见、含账号或和旧的一样，请换一个"
        )
        await page.keyboard.press("Enter")
        await arrived(page)
    body = {"key": "abc", "name": NAME, "fullName": NAME, "password": "1234567890"}
    assert auth.requests[-1] == ("POST setup", body)


async def test_the_identity_provider_is_offered_only_where_there_is_one(visit: Open) -> None:
    async with visit("/signin/", FakeAuth()) as page:
        await expect(page.get_by_text("服务器正常")).to_be_visible()
        await expect(page.get_by_role("link", name="统一身份认证")).to_have_count(0)
    async with visit("/signin/?next=/graphiql/&error=NO_ROLE", FakeAuth(oidc={"label": "市统一身份认证"})) as page:
        button = page.get_by_role("link", name="用市统一身份认证登录")
        await expect(button).to_have_attribute("href", "/auth/oidc/start?next=%2Fgraphiql%2F")
        await expect(page.get_by_text("在护航没有角色")).to_be_visible()


async def test_a_silent_server_is_said_and_nothing_is_sent_until_it_is_back(visit: Open) -> None:
    auth = FakeAuth(answers={SIGN_IN: [(200, COMMANDER)]})
    async with visit("/signin/", auth) as page:
        await expect(page.get_by_text("服务器正常")).to_be_visible()
        auth.silent = True
        await page.clock.fast_forward(7_000)
        await expect(page.get_by_role("status")).to_have_text("服务器没有回答")
        await expect(page.get_by_role("button", name="服务器恢复后可提交")).to_have_attribute("aria-disabled", "true")
        await fill_in(page)
        auth.silent = False
        await page.get_by_role("button", name="下一步").click()
        await arrived(page)
    assert len(auth.requests) == 1


async def test_a_clock_that_is_far_off_is_named(visit: Open) -> None:
    async with visit("/signin/", FakeAuth(clock_difference=dt.timedelta(seconds=95))) as page:
        await expect(page.get_by_text("比服务器慢 1 分")).to_be_visible()
        await expect(page.get_by_text("请先校准本机时钟")).to_be_visible()
    async with visit("/signin/", FakeAuth(clock_difference=dt.timedelta(seconds=-20))) as page:
        await expect(page.get_by_text("比服务器快 20 秒")).to_be_visible()
        await expect(page.get_by_text("请先校准本机时钟")).to_have_count(0)


async def test_caps_lock_is_noted(visit: Open) -> None:
    async with visit("/signin/", FakeAuth()) as page:
        password = page.get_by_label("密码", exact=True)
        pressed = (
            "(input, on) => input.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, modifierCapsLock: on}))"
        )
        await password.evaluate(pressed, True)
        await expect(password).to_have_accessible_description("大写锁定已打开")
        await password.evaluate(pressed, False)
        await expect(password).to_have_accessible_description("")


async def test_a_change_of_language_keeps_what_was_typed(visit: Open) -> None:
    async with visit("/signin/", FakeAuth()) as page:
        await page.get_by_label("账号或工号").fill(NAME)
        await page.get_by_role("button", name="English").click()
        await expect(page.get_by_label("Account name or badge")).to_have_value(NAME)
        assert await page.locator("html").get_attribute("lang") == "en"
        await page.reload()
        await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


@pytest.mark.parametrize(("locale", "title"), [("zh-CN", "登录"), ("en-GB", "Sign in"), ("de-DE", "登录")])
async def test_the_language_is_the_browsers_and_else_chinese(visit: Open, locale: str, title: str) -> None:
    async with visit("/signin/", FakeAuth(), locale=locale) as page:
        await expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
