"""A commander manages accounts, and nobody else does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models import AccountEvent, Enterprise, Inspector, Role
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.people import PASSWORD, Bureau, bureau_of, code

LI = {"name": "Li.Na", "fullName": " 李娜 ", "role": "INSPECTOR", "inspector": "b7"}


@pytest_asyncio.fixture
async def bureau(databases: Databases, migrated_url: str) -> AsyncIterator[Bureau]:
    """A bureau with an inspector and an enterprise in its register, whose commander is signed in."""
    async with bureau_of(databases, migrated_url) as bureau:
        async with bureau.database.write() as session:
            session.add(Inspector(badge="b7", full_name="李娜"))
            session.add(Enterprise(external_id="e1", name="化工厂"))
        await bureau.add("zhang.wei")
        await bureau.sign_in("zhang.wei")
        yield bureau


async def listed(bureau: Bureau) -> dict[str, Any]:
    accounts = (await bureau.browser.get("/auth/accounts")).json()["accounts"]
    return {account["name"]: account for account in accounts}


async def audited(bureau: Bureau) -> list[tuple[str, int | None, str | None, str | None]]:
    """Kind, account, actor and detail of each record, without those of the fixture."""
    event = table_of(AccountEvent)
    async with bureau.database.read() as connection:
        rows = await connection.execute(sa.select(event).order_by(event.c.id))
        return [(row.kind.value, row.account_id, row.actor, row.detail) for row in rows][2:]


async def test_a_new_account_gets_a_one_time_password(bureau: Bureau) -> None:
    response = await bureau.browser.post("/auth/accounts", json=LI)
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    one_time = response.json()["password"]
    account = (await listed(bureau))["li.na"]
    assert account == {
        "id": 2,
        "name": "li.na",
        "fullName": "李娜",
        "role": "INSPECTOR",
        "totp": False,
        "mustChange": True,
        "oidc": False,
        "createdAt": bureau.clock().isoformat(),
        "disabledAt": None,
        "inspector": "b7",
        "enterprise": None,
    }
    assert await audited(bureau) == [("created", 2, "account:1", "INSPECTOR")]
    signed_in = await bureau.sign_in("li.na", one_time)
    assert signed_in.json()["viewer"]["mustChange"]
    # Until the password is changed, the graph does not know the person.
    answer = await bureau.browser.post("/graphql", json={"query": "{ viewer { role } }"})
    assert code(answer) == "UNAUTHENTICATED"
    assert (
        await bureau.browser.post("/auth/password", json={"current": one_time, "new": "noch ein gutes"})
    ).status_code == 204
    answer = await bureau.browser.post("/graphql", json={"query": "{ viewer { role name inspector { badge } } }"})
    assert answer.json() == {"data": {"viewer": {"role": "INSPECTOR", "name": "李娜", "inspector": {"badge": "b7"}}}}


async def test_a_password_can_be_given(bureau: Bureau) -> None:
    body = {"name": "wang", "fullName": "王", "role": "ENTERPRISE", "enterprise": "e1", "password": PASSWORD}
    response = await bureau.browser.post("/auth/accounts", json=body)
    assert (response.status_code, response.json()["password"]) == (201, None)
    assert (await listed(bureau))["wang"]["enterprise"] == "e1"
    assert not (await bureau.sign_in("wang")).json()["viewer"]["mustChange"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"role": "INTEGRATOR", "inspector": None}, "BAD_INPUT"),
        ({"role": "KING"}, "BAD_INPUT"),
        ({"role": "commander"}, "BAD_INPUT"),
        ({"role": "COMMANDER"}, "BAD_INPUT"),
        ({"inspector": None}, "BAD_INPUT"),
        ({"inspector": "b8"}, "NOT_FOUND"),
        ({"inspector": ""}, "NOT_FOUND"),
        ({"enterprise": "e1"}, "BAD_INPUT"),
        ({"name": ""}, "BAD_INPUT"),
        ({"name": "a\u0007"}, "BAD_INPUT"),
        ({"name": "a" * 65}, "BAD_INPUT"),
        ({"name": "ﷺ" * 60}, "BAD_INPUT"),
        ({"fullName": " "}, "BAD_INPUT"),
        ({"fullName": "a\nb"}, "BAD_INPUT"),
        ({"password": "short"}, "WEAK_PASSWORD"),
        ({"name": "ＺＨＡＮＧ.wei"}, "NAME_TAKEN"),
    ],
    ids=repr,
)
async def test_an_account_that_cannot_be_is_refused(bureau: Bureau, changed: dict[str, Any], expected: str) -> None:
    response = await bureau.browser.post("/auth/accounts", json={**LI, **changed})
    assert code(response) == expected
    assert list(await listed(bureau)) == ["zhang.wei"]


async def test_of_two_accounts_of_one_name_at_once_one_is_made(bureau: Bureau) -> None:
    answers = await asyncio.gather(*(bureau.browser.post("/auth/accounts", json=LI) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_a_person_with_other_rights_is_signed_out(bureau: Bureau) -> None:
    account = await bureau.add("li.na", Role.INSPECTOR, inspector="b7")
    path = f"/auth/accounts/{account.id}"
    async with bureau.other_browser() as other:
        for change, role, signed_in in (
            ({"fullName": "李 娜"}, "INSPECTOR", True),
            ({"role": "INSPECTOR", "inspector": "b7"}, "INSPECTOR", True),
            ({"role": "WALL"}, "WALL", False),
            ({"role": "ENTERPRISE", "enterprise": "e1"}, "ENTERPRISE", False),
            ({"disabled": True}, "ENTERPRISE", False),
            ({"disabled": False}, "ENTERPRISE", False),
        ):
            await other.post("/auth/sign-in", json={"name": "li.na", "password": PASSWORD})
            response = await bureau.browser.patch(path, json=change)
            assert (response.status_code, response.json()["role"]) == (200, role)
            viewer = (await other.get("/auth/session")).json()["viewer"]
            assert (viewer is not None) is signed_in, change
    kinds = [kind for kind, _, _, _ in await audited(bureau) if kind not in ("created", "signed in", "sign-in failed")]
    assert kinds == ["changed", "changed", "changed", "disabled", "enabled"]


async def test_nobody_takes_their_own_rights_away(bureau: Bureau) -> None:
    for change in ({"disabled": True}, {"role": "WALL"}):
        assert code(await bureau.browser.patch("/auth/accounts/1", json=change)) == "FORBIDDEN"
    assert (await bureau.browser.patch("/auth/accounts/1", json={"fullName": "张 伟"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"inspector": "b7"}, "BAD_INPUT"), ({"disabled": "yes"}, "BAD_INPUT"), ({"name": "a"}, "BAD_INPUT")],
    ids=repr,
)
async def test_a_wrong_change_is_refused(bureau: Bureau, body: dict[str, Any], expected: str) -> None:
    assert code(await bureau.browser.patch("/auth/accounts/1", json=body)) == expected


@pytest.mark.parametrize("key", ["99", "2147483648", "9" * 5_000, "0" * 5_000])
async def test_an_account_that_does_not_exist_is_not_found(bureau: Bureau, key: str) -> None:
    assert code(await bureau.browser.patch(f"/auth/accounts/{key}", json={"disabled": True})) == "NOT_FOUND"
    assert code(await bureau.browser.post(f"/auth/accounts/{key}/reset")) == "NOT_FOUND"
    assert code(await bureau.browser.delete(f"/auth/accounts/{key}/logins")) == "NOT_FOUND"


async def test_a_reset_gives_a_one_time_password_and_removes_totp(bureau: Bureau) -> None:
    await bureau.add("li.na", Role.INSPECTOR, inspector="b7")
    async with bureau.other_browser() as other:
        await other.post("/auth/sign-in", json={"name": "li.na", "password": PASSWORD})
        secret = (await other.post("/auth/totp", json={"password": PASSWORD})).json()["secret"]
        confirmed = await other.post("/auth/totp/confirm", json={"code": pyotp.TOTP(secret).at(bureau.clock())})
        assert confirmed.status_code == 204
        assert (await listed(bureau))["li.na"]["totp"]
        one_time = (await bureau.browser.post("/auth/accounts/2/reset")).json()["password"]
        assert (await other.get("/auth/session")).json()["viewer"] is None
    assert not (await listed(bureau))["li.na"]["totp"]
    assert (await bureau.sign_in("li.na", one_time)).json()["viewer"]["mustChange"]


async def test_a_person_is_signed_out_everywhere_and_can_sign_in_again(bureau: Bureau) -> None:
    await bureau.add("li.na", Role.INSPECTOR, inspector="b7")
    async with bureau.other_browser() as one, bureau.other_browser() as two:
        for browser in (one, two):
            await browser.post("/auth/sign-in", json={"name": "li.na", "password": PASSWORD})
            assert (await browser.get("/auth/session")).json()["viewer"]["name"] == "li.na"
        assert (await bureau.browser.delete("/auth/accounts/2/logins")).status_code == 204
        for browser in (one, two):
            assert (await browser.get("/auth/session")).json()["viewer"] is None
        await one.post("/auth/sign-in", json={"name": "li.na", "password": PASSWORD})
        assert (await one.get("/auth/session")).json()["viewer"]["name"] == "li.na"
    assert (await bureau.browser.get("/auth/session")).json()["viewer"]["name"] == "zhang.wei"
    assert ("login ended", 2, "account:1", "all") in await audited(bureau)


@pytest.mark.parametrize("role", [Role.INSPECTOR, Role.ENTERPRISE, Role.WALL])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/accounts", None),
        ("POST", "/auth/accounts", LI),
        ("PATCH", "/auth/accounts/1", {"disabled": True}),
        ("POST", "/auth/accounts/1/reset", None),
        ("DELETE", "/auth/accounts/1/logins", None),
    ],
)
async def test_only_a_commander_manages_accounts(
    bureau: Bureau, role: Role, method: str, path: str, body: dict[str, Any] | None
) -> None:
    rows = {Role.INSPECTOR: {"inspector": "b7"}, Role.ENTERPRISE: {"enterprise": "e1"}}
    await bureau.add("li.na", role, **rows.get(role, {}))
    await bureau.sign_in("li.na")
    response = await bureau.browser.request(method, path, json=body)
    assert (response.status_code, code(response)) == (403, "FORBIDDEN")
    bureau.browser.cookies.clear()
    response = await bureau.browser.request(method, path, json=body)
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")


async def test_another_site_changes_nothing_with_the_cookie(bureau: Bureau) -> None:
    response = await bureau.browser.post("/auth/accounts", json=LI, headers={"origin": "https://evil.test"})
    assert (response.status_code, code(response)) == (403, "BAD_ORIGIN")
    assert list(await listed(bureau)) == ["zhang.wei"]
