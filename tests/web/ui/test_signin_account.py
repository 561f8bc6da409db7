"""The pages of one's own account, of all accounts, and of screens."""

from playwright.async_api import expect

from tests.support.fake_auth import ACCOUNTS, COMMANDER, PROPOSED, FakeAuth, commander_answers, failure, screen_answers
from tests.web.ui.conftest import Open


def commander(**answers: list[tuple[int, object]]) -> FakeAuth:
    named = {name.replace("_", " ", 1).replace("__", "/"): each for name, each in answers.items()}
    return FakeAuth(viewer=dict(COMMANDER), answers={**commander_answers(), **named})


def written(auth: FakeAuth) -> list[tuple[str, object]]:
    return [request for request in auth.requests if not request[0].startswith("GET")]


async def test_a_visitor_signs_in_first_and_comes_back(visit: Open) -> None:
    auth = FakeAuth(answers={**commander_answers(), "POST sign-in": [(200, COMMANDER)]})
    async with visit("/signin/pair/?code=7KQ4-M2XW", auth) as page:
        await page.get_by_label("账号或工号").fill("gu.changgeng")
        await page.get_by_label("密码", exact=True).fill("correct horse battery")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("屏幕上的码")).to_have_value("7KQ4-M2XW")


async def test_a_wrong_present_password_is_said_at_its_field(visit: Open) -> None:
    auth = commander(POST_password=[failure(401, "BAD_CREDENTIALS"), failure(400, "WEAK_PASSWORD"), (204, None)])
    async with visit("/signin/account/", auth) as page:
        present, new = page.get_by_label("现在的密码"), page.get_by_label("新密码")
        await present.fill("1234567890")
        await new.fill("1234567890")
        await page.keyboard.press("Enter")
        await expect(new).to_have_accessible_description("和现在的密码一样")
        await new.fill("a longer new password")
        await page.keyboard.press("Enter")
        await expect(present).to_have_accessible_description("密码不对")
        await page.get_by_role("button", name="更改密码").click()
        await expect(new).to_have_accessible_description("太常见、含账号或和旧的一样，请换一个")
        await page.get_by_role("button", name="更改密码").click()
        await expect(page.get_by_text("已更改，其他登录已结束")).to_be_visible()
        await expect(present).to_have_value("")


async def test_a_sign_in_is_ended_after_a_second_word(visit: Open) -> None:
    auth = commander(DELETE_logins__2=[(204, None)])
    async with visit("/signin/account/", auth) as page:
        await expect(page.get_by_text("Edge · Windows")).to_be_visible()
        row = page.get_by_role("listitem").filter(has_text="Chrome · Android")
        await row.get_by_role("button", name="结束").click()
        await row.get_by_role("button", name="取消").click()
        assert written(auth) == []
        await row.get_by_role("button", name="结束").click()
        await row.get_by_role("button", name="确认结束").click()
        await expect(row.get_by_role("button", name="结束", exact=True)).to_be_visible()
    assert written(auth) == [("DELETE logins/2", None)]


async def test_codes_are_turned_on_by_a_right_code_and_not_by_a_wrong_one(visit: Open) -> None:
    auth = commander(POST_totp=[(200, PROPOSED)])
    auth.answers["POST totp/confirm"] = [failure(401, "BAD_CODE"), (204, None)]
    async with visit("/signin/account/", auth) as page:
        await page.get_by_role("button", name="启用动态码").click()
        await page.get_by_label("先输入密码").fill("correct horse battery")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("JBSW Y3DP EHPK 3PXP")).to_be_visible()
        code = page.get_by_label("验证器上的 6 位数字")
        await code.fill("000000")
        await expect(code).to_have_accessible_description("动态码不对")
        await expect(code).to_have_value("")
        await code.fill("123456")
        await expect(page.get_by_text("已启用，登录时要输 6 位数字")).to_be_visible()


async def test_an_account_is_created_reset_and_disabled(visit: Open) -> None:
    created = {**ACCOUNTS[2], "password": "kt7q-m2xv-9dhw"}
    auth = commander(
        POST_accounts=[failure(404, "NOT_FOUND"), failure(409, "NAME_TAKEN"), (201, created)],
        POST_accounts__3__reset=[(200, {"password": "another-once"})],
        PATCH_accounts__3=[(200, ACCOUNTS[2])],
    )
    async with visit("/signin/accounts/", auth) as page:
        badge = page.get_by_label("检查员工号")
        await badge.fill("XS-0021")
        await page.get_by_label("姓名").fill("何若谷")
        await page.get_by_label("账号", exact=True).fill("he.ruogu")
        create = page.get_by_role("button", name="建立")
        await create.click()
        await expect(badge).to_have_accessible_description("登记表里没有")
        await create.click()
        await expect(page.get_by_label("账号", exact=True)).to_have_accessible_description("已有这个账号")
        await create.click()
        await expect(page.get_by_text("kt7q-m2xv-9dhw")).to_be_visible()
        await page.get_by_role("button", name="已交给本人").click()

        row = page.get_by_role("listitem").filter(has_text="何若谷")
        await row.get_by_role("button", name="重置").click()
        await row.get_by_role("button", name="确认重置").click()
        await expect(page.get_by_text("another-once")).to_be_visible()
        await row.get_by_role("button", name="停用").click()
        await row.get_by_role("button", name="确认停用").click()
        await expect(row.get_by_role("button", name="停用", exact=True)).to_be_visible()
    body = {"name": "he.ruogu", "fullName": "何若谷", "role": "INSPECTOR", "inspector": "XS-0021"}
    assert written(auth)[2:] == [
        ("POST accounts", body),
        ("POST accounts/3/reset", {}),
        ("PATCH accounts/3", {"disabled": True}),
    ]


async def test_a_commanders_pages_are_refused_to_others(visit: Open) -> None:
    auth = FakeAuth(viewer={**COMMANDER, "role": "INSPECTOR"})
    for path in ("/signin/accounts/", "/signin/pair/"):
        async with visit(path, auth) as page:
            await expect(page.get_by_text("这一页只给指挥员用。")).to_be_visible()
    assert auth.requests == []


async def test_a_waiting_screen_is_refused_and_a_paired_one_removed(visit: Open) -> None:
    auth = commander(DELETE_tokens__1=[(204, None)])
    auth.answers["DELETE pairings/7KQ4-M2XW"] = [(204, None)]
    async with visit("/signin/pair/", auth) as page:
        waiting = page.get_by_role("listitem").filter(has_text="7KQ4-M2XW")
        await waiting.get_by_role("button", name="填入").click()
        await expect(page.get_by_label("屏幕上的码")).to_have_value("7KQ4-M2XW")
        await waiting.get_by_role("button", name="拒绝").click()
        await waiting.get_by_role("button", name="确认拒绝").click()
        await expect(waiting.get_by_role("button", name="拒绝", exact=True)).to_be_visible()
        paired = page.get_by_role("listitem").filter(has_text="指挥厅左侧")
        await paired.get_by_role("button", name="移除").click()
        await paired.get_by_role("button", name="确认移除").click()
        await expect(paired.get_by_role("button", name="移除", exact=True)).to_be_visible()
    assert written(auth) == [("DELETE pairings/7KQ4-M2XW", None), ("DELETE tokens/1", None)]


async def test_a_screen_gets_a_new_code_when_one_expires_or_is_refused(visit: Open) -> None:
    auth = FakeAuth(answers=screen_answers())
    started = auth.answers["POST pairings"][0][1]
    auth.answers["POST pairings"] = [(201, {**started, "userCode": f"AAAA-BBB{n}"}) for n in (1, 2, 3)]
    auth.answers["POST pairings/token"] = [failure(400, "AUTHORIZATION_PENDING")]
    async with visit("/signin/screen/", auth) as page:
        await expect(page.get_by_text("AAAA-BBB1")).to_be_visible()
        await page.clock.fast_forward(601_000)
        await expect(page.get_by_text("AAAA-BBB2")).to_be_visible()
        auth.answers["POST pairings/token"] = [failure(400, "ACCESS_DENIED"), failure(400, "AUTHORIZATION_PENDING")]
        await page.clock.run_for(5_000)
        await expect(page.get_by_text("指挥员拒绝了配对，这是新的码")).to_be_visible()
        await page.clock.run_for(5_000)
        await expect(page.get_by_text("AAAA-BBB3")).to_be_visible()


async def test_a_paired_screen_keeps_its_token(visit: Open) -> None:
    token = {"token": "t", "name": "门厅", "expiresAt": "2030-01-01T00:00:00+08:00"}
    auth = FakeAuth(answers={**screen_answers(), "POST pairings/token": [(200, token)]})
    async with visit("/signin/screen/", auth) as page:
        await expect(page.get_by_role("heading", name="门厅")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="门厅")).to_be_visible()
        assert [name for name, _ in auth.requests] == ["POST pairings", "POST pairings/token"]
        await page.get_by_role("button", name="忘记配对，重新开始").click()
        await expect(page.get_by_text("这块屏幕还没有配对")).to_be_visible()
