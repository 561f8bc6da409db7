"""Signing in and out with a browser, the browsers of an account, and its password."""

import datetime as dt
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models import Account, AccountEvent, Login
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.people import PASSWORD, QUICK, Bureau, bureau_of, code


@pytest_asyncio.fixture
async def bureau(databases: Databases, migrated_url: str) -> AsyncIterator[Bureau]:
    async with bureau_of(databases, migrated_url) as bureau:
        yield bureau


async def events(bureau: Bureau) -> list[str]:
    async with bureau.database.read() as connection:
        rows = await connection.execute(sa.select(table_of(AccountEvent)).order_by(table_of(AccountEvent).c.id))
        return [row.kind.value for row in rows]


async def viewer_of(browser: httpx.AsyncClient) -> object:
    return (await browser.get("/auth/session")).json()["viewer"]


# -- signing in --


async def test_a_person_signs_in_and_out(bureau: Bureau) -> None:
    account = await bureau.add("zhang.wei")
    response = await bureau.sign_in("zhang.wei")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "viewer": {
            "account": account.id,
            "name": "zhang.wei",
            "fullName": "张伟",
            "role": "COMMANDER",
            "totp": False,
            "password": True,
            "mustChange": False,
            "mustSetUpTotp": False,
            "expiresAt": (bureau.clock() + dt.timedelta(hours=12)).isoformat(),
        },
        "serverTime": bureau.clock().isoformat(),
        "oidc": None,
        "setup": False,
        "notice": None,
    }
    assert await viewer_of(bureau.browser) == response.json()["viewer"]
    assert (await bureau.browser.post("/auth/sign-out")).status_code == 204
    assert await viewer_of(bureau.browser) is None
    assert await events(bureau) == ["created", "signed in", "signed out"]


async def test_the_cookie_is_for_this_server_over_https_only(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    [cookie] = (await bureau.sign_in("zhang.wei")).headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-huhang=")
    assert {each.lower() for each in attributes} == {"httponly", "secure", "samesite=lax", "path=/", "max-age=43200"}
    secret = name.partition("=")[2]
    async with bureau.database.read() as connection:
        assert secret not in repr((await connection.execute(sa.select(table_of(Login)))).all())


async def test_each_sign_in_has_a_new_secret(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    secrets = set()
    for _ in range(3):
        await bureau.sign_in("zhang.wei")
        secrets.add(bureau.browser.cookies["__Host-huhang"])
    assert len(secrets) == 3


@pytest.mark.parametrize("typed", ["Zhang.Wei", "  zhang.wei ", "ｚhang．wei", "ZHANG.WEI"])
async def test_it_does_not_matter_how_the_name_is_typed(bureau: Bureau, typed: str) -> None:
    await bureau.add("zhang.wei")
    assert (await bureau.sign_in(typed)).status_code == 200


@pytest.mark.parametrize(
    ("name", "password"), [("zhang.wei", "another password"), ("nobody", PASSWORD), ("\u3000", "x")]
)
async def test_a_wrong_name_and_a_wrong_password_look_the_same(bureau: Bureau, name: str, password: str) -> None:
    await bureau.add("zhang.wei")
    response = await bureau.sign_in(name, password)
    assert response.status_code == 401
    id = response.headers["x-request-id"]
    extensions = {"code": "BAD_CREDENTIALS", "reason": "BAD_CREDENTIALS", "requestId": id}
    assert response.json() == {"errors": [{"message": "Name or password is wrong.", "extensions": extensions}]}
    assert "set-cookie" not in response.headers
    assert (await events(bureau))[1:] == ["sign-in failed"]


async def test_a_wrong_name_takes_the_time_of_a_hash(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []
    verify = QUICK.verify_and_update

    def noting(password: str, password_hash: str) -> tuple[bool, str | None]:
        hashes.append(password_hash)
        return verify(password, password_hash)

    monkeypatch.setattr(QUICK, "verify_and_update", noting)
    await bureau.add("zhang.wei")
    await bureau.add("li.na", disabled=True)
    for name in ("zhang.wei", "nobody", "li.na"):
        await bureau.sign_in(name, "wrong")
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("content", "media", "expected"),
    [
        (b"{}", "application/json", (400, "BAD_INPUT")),
        (b'{"name": 1, "password": "x"}', "application/json", (400, "BAD_INPUT")),
        (b'{"name": "a", "password": "x", "more": 1}', "application/json", (400, "BAD_INPUT")),
        (b'{"name": "a\\u0000", "password": "x"}', "application/json", (400, "BAD_INPUT")),
        (b'{"name": "' + b"a" * 201 + b'", "password": "x"}', "application/json", (400, "BAD_INPUT")),
        (b"[]", "application/json", (400, "BAD_INPUT")),
        (b"[" * 5000, "application/json", (400, "BAD_REQUEST")),
        (b'{"name": "\\ud800", "password": "x"}', "application/json", (400, "BAD_REQUEST")),
        (b"\xff", "application/json", (400, "BAD_REQUEST")),
        (b"", "application/json", (400, "BAD_REQUEST")),
        (b" " * 16_385, "application/json", (413, "TOO_LARGE")),
        (b"name=a&password=x", "application/x-www-form-urlencoded", (415, "UNSUPPORTED_TYPE")),
        (b'{"name": "a", "password": "x"}', "text/plain", (415, "UNSUPPORTED_TYPE")),
    ],
)
async def test_a_wrong_body_is_refused_without_being_repeated(
    bureau: Bureau, content: bytes, media: str, expected: tuple[int, str]
) -> None:
    response = await bureau.browser.post("/auth/sign-in", content=content, headers={"content-type": media})
    assert (response.status_code, code(response)) == expected
    assert "more" not in response.text


async def test_a_disabled_account_cannot_sign_in(bureau: Bureau) -> None:
    await bureau.add("zhang.wei", disabled=True)
    assert code(await bureau.sign_in("zhang.wei")) == "BAD_CREDENTIALS"


async def test_a_browser_that_would_drop_the_cookie_is_told_so(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    response = await bureau.browser.post(
        "http://huhang.test/auth/sign-in",
        json={"name": "zhang.wei", "password": PASSWORD},
        headers={"origin": "http://huhang.test"},
    )
    assert (response.status_code, code(response)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://127.0.0.1:8000"])
async def test_on_the_machine_itself_it_works_without_https(bureau: Bureau, address: str) -> None:
    await bureau.add("zhang.wei")
    body = {"name": "zhang.wei", "password": PASSWORD}
    response = await bureau.browser.post(f"{address}/auth/sign-in", json=body, headers={"origin": address})
    [cookie] = response.headers.get_list("set-cookie")
    assert cookie.startswith("huhang=")
    assert "secure" not in cookie.lower()


# -- how long a login lasts --


async def test_a_login_ends_after_twelve_hours(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    async with bureau.database.write() as session:
        await session.execute(sa.update(table_of(Login)).values(last_seen_at=bureau.clock() + dt.timedelta(hours=11.9)))
    bureau.clock.pass_time(hours=12, seconds=-1)
    assert await viewer_of(bureau.browser) is not None
    bureau.clock.pass_time(seconds=1)
    assert await viewer_of(bureau.browser) is None


async def test_a_login_ends_when_it_is_not_used_for_two_hours(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    bureau.clock.pass_time(hours=2, seconds=-1)
    assert await viewer_of(bureau.browser) is not None
    bureau.clock.pass_time(seconds=1)
    assert await viewer_of(bureau.browser) is None


async def test_browsers_are_listed_and_ended_one_by_one(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    other = bureau.other_browser()
    await other.post("/auth/sign-in", json={"name": "zhang.wei", "password": PASSWORD})
    first, second = (await bureau.browser.get("/auth/logins")).json()["logins"]
    assert (first["current"], second["current"]) == (False, True)
    assert first["agent"] == "another"
    assert (await bureau.browser.delete(f"/auth/logins/{first['id']}")).status_code == 204
    assert await viewer_of(other) is None
    assert await viewer_of(bureau.browser) is not None
    assert code(await bureau.browser.delete(f"/auth/logins/{first['id']}")) == "NOT_FOUND"
    assert code(await bureau.browser.delete(f"/auth/logins/{10**30}")) == "NOT_FOUND"
    await other.aclose()


async def test_nobody_ends_the_login_of_somebody_else(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.add("li.na", full_name="李娜")
    await bureau.sign_in("zhang.wei")
    [login] = (await bureau.browser.get("/auth/logins")).json()["logins"]
    async with bureau.other_browser() as other:
        await other.post("/auth/sign-in", json={"name": "li.na", "password": PASSWORD})
        assert len((await other.get("/auth/logins")).json()["logins"]) == 1
        assert code(await other.delete(f"/auth/logins/{login['id']}")) == "NOT_FOUND"
    assert await viewer_of(bureau.browser) is not None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/logins", None),
        ("DELETE", "/auth/logins/1", None),
        ("POST", "/auth/password", {"current": "a", "new": "b"}),
        ("POST", "/auth/totp", {"password": "a"}),
        ("POST", "/auth/totp/confirm", {"code": "1"}),
        ("DELETE", "/auth/totp", {"password": "a"}),
    ],
)
async def test_these_need_a_sign_in(bureau: Bureau, method: str, path: str, body: object) -> None:
    response = await bureau.browser.request(method, path, json=body, headers={"cookie": "__Host-huhang=invented"})
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")


async def test_signing_out_twice_does_no_harm(bureau: Bureau) -> None:
    assert (await bureau.browser.post("/auth/sign-out")).status_code == 204


# -- the password --


async def test_a_new_password_signs_every_other_browser_out(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    before = bureau.browser.cookies["__Host-huhang"]
    async with bureau.other_browser() as other:
        await other.post("/auth/sign-in", json={"name": "zhang.wei", "password": PASSWORD})
        body = {"current": PASSWORD, "new": "noch ein gutes"}
        assert (await bureau.browser.post("/auth/password", json=body)).status_code == 204
        assert await viewer_of(other) is None
    assert await viewer_of(bureau.browser) is not None
    assert bureau.browser.cookies["__Host-huhang"] != before
    assert code(await bureau.sign_in("zhang.wei")) == "BAD_CREDENTIALS"
    assert (await bureau.sign_in("zhang.wei", "noch ein gutes")).status_code == 200


@pytest.mark.parametrize("new", ["short", "password123", "Zhang.Wei-2026", PASSWORD])
async def test_a_weak_password_changes_nothing(bureau: Bureau, new: str) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    response = await bureau.browser.post("/auth/password", json={"current": PASSWORD, "new": new})
    assert (response.status_code, code(response)) == (400, "WEAK_PASSWORD")
    assert (await bureau.sign_in("zhang.wei")).status_code == 200


async def test_changing_needs_the_current_password(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    response = await bureau.browser.post("/auth/password", json={"current": "guessed", "new": "noch ein gutes"})
    assert code(response) == "BAD_CREDENTIALS"


async def test_a_one_time_password_allows_nothing_but_changing_it(bureau: Bureau) -> None:
    await bureau.add("zhang.wei", must_change=True)
    assert (await bureau.sign_in("zhang.wei")).json()["viewer"]["mustChange"]
    assert code(await bureau.browser.get("/auth/accounts")) == "UNAUTHENTICATED"
    body = {"current": PASSWORD, "new": "noch ein gutes"}
    assert (await bureau.browser.post("/auth/password", json=body)).status_code == 204
    session = (await bureau.browser.get("/auth/session")).json()
    assert not session["viewer"]["mustChange"]


async def test_a_hash_of_less_effort_is_renewed(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    await bureau.add("zhang.wei")
    stronger = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=16, parallelism=1),))
    monkeypatch.setattr("web.auth.passwords.HASHER", stronger)
    assert (await bureau.sign_in("zhang.wei")).status_code == 200
    async with bureau.database.read() as connection:
        kept = (await connection.execute(sa.select(table_of(Account).c.password_hash))).scalar()
    assert kept is not None
    assert "m=16,t=2" in kept
