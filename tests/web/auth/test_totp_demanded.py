"""The setting that demands TOTP: a person without it is led through setting it up, and has no rights before."""

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from models import Account, Role
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.people import PASSWORD, Bureau, bureau_of, code

WHO = {"query": "{ viewer { role } }"}
# All endpoints but those that a person needs to set TOTP up.
CLOSED = [
    ("GET", "/auth/logins", None),
    ("DELETE", "/auth/logins/1", None),
    ("GET", "/auth/accounts", None),
    ("GET", "/auth/tokens", None),
    ("DELETE", "/auth/totp", {"password": PASSWORD}),
    ("POST", "/graphql", WHO),
]


async def refusals(browser: httpx.AsyncClient) -> set[str]:
    """The codes with which a browser is refused, "" for what is not refused."""
    answers = [await browser.request(method, path, json=body) for method, path, body in CLOSED]
    return {code(each) if each.status_code == 401 else "" for each in answers}


async def set_up_totp(browser: httpx.AsyncClient, bureau: Bureau) -> pyotp.TOTP:
    proposed = await browser.post("/auth/totp", json={"password": PASSWORD})
    app = pyotp.TOTP(proposed.json()["secret"])
    confirmed = await browser.post("/auth/totp/confirm", json={"code": app.at(bureau.clock())})
    assert confirmed.status_code == 204
    return app


async def test_a_sign_in_without_totp_gives_no_rights_until_it_is_set_up(
    databases: Databases, migrated_url: str
) -> None:
    async with bureau_of(databases, migrated_url, totp="everybody") as bureau:
        await bureau.add("zhang.wei")
        signed_in = await bureau.sign_in("zhang.wei")
        assert signed_in.json()["viewer"]["mustSetUpTotp"]
        assert await refusals(bureau.browser) == {"UNAUTHENTICATED"}
        async with bureau.other_browser() as thief:
            await thief.post("/auth/sign-in", json={"name": "zhang.wei", "password": PASSWORD})
            app = await set_up_totp(bureau.browser, bureau)
            # A browser that has shown the password alone gains nothing by it.
            assert (await thief.get("/auth/session")).json()["viewer"] is None
            assert await refusals(thief) == {"UNAUTHENTICATED"}
        viewer = (await bureau.browser.get("/auth/session")).json()["viewer"]
        assert (viewer["totp"], viewer["mustSetUpTotp"]) == (True, False)
        answer = await bureau.browser.post("/graphql", json=WHO)
        assert answer.json() == {"data": {"viewer": {"role": "COMMANDER"}}}
        bureau.clock.pass_time(seconds=30)
        later = await bureau.sign_in("zhang.wei", code=app.at(bureau.clock()))
        assert not later.json()["viewer"]["mustSetUpTotp"]


async def test_a_one_time_password_is_changed_before_totp_is_set_up(databases: Databases, migrated_url: str) -> None:
    async with bureau_of(databases, migrated_url, totp="commanders") as bureau:
        await bureau.add("zhang.wei", must_change=True)
        viewer = (await bureau.sign_in("zhang.wei")).json()["viewer"]
        assert (viewer["mustChange"], viewer["mustSetUpTotp"]) == (True, True)
        assert code(await bureau.browser.post("/auth/totp", json={"password": PASSWORD})) == "UNAUTHENTICATED"
        assert code(await bureau.browser.post("/auth/totp/confirm", json={"code": "123456"})) == "UNAUTHENTICATED"
        body = {"current": PASSWORD, "new": "noch ein gutes"}
        assert (await bureau.browser.post("/auth/password", json=body)).status_code == 204
        assert await refusals(bureau.browser) == {"UNAUTHENTICATED"}
        assert (await bureau.browser.post("/auth/totp", json={"password": "noch ein gutes"})).status_code == 200


@pytest.mark.parametrize(
    ("setting", "role", "demanded"),
    [
        ("nobody", Role.COMMANDER, False),
        ("commanders", Role.COMMANDER, True),
        ("commanders", Role.WALL, False),
        ("everybody", Role.WALL, True),
    ],
)
async def test_the_setting_says_whose_role_needs_it(
    databases: Databases, migrated_url: str, setting: str, role: Role, demanded: bool
) -> None:
    async with bureau_of(databases, migrated_url, totp=setting) as bureau:
        await bureau.add("zhang.wei", role)
        assert (await bureau.sign_in("zhang.wei")).json()["viewer"]["mustSetUpTotp"] is demanded
        assert ((await bureau.browser.post("/graphql", json=WHO)).status_code == 401) is demanded


async def test_without_its_totp_a_sign_in_loses_its_rights(databases: Databases, migrated_url: str) -> None:
    async with bureau_of(databases, migrated_url, totp="everybody") as bureau:
        await bureau.add("zhang.wei")
        await bureau.sign_in("zhang.wei")
        await set_up_totp(bureau.browser, bureau)
        removed = await bureau.browser.request("DELETE", "/auth/totp", json={"password": PASSWORD})
        assert removed.status_code == 204
        assert await refusals(bureau.browser) == {"UNAUTHENTICATED"}
        bureau.clock.pass_time(seconds=30)
        await set_up_totp(bureau.browser, bureau)
        assert (await bureau.browser.post("/graphql", json=WHO)).status_code == 200


async def test_the_factors_of_an_identity_provider_are_its_own(databases: Databases, migrated_url: str) -> None:
    async with bureau_of(databases, migrated_url, totp="everybody") as bureau:
        await bureau.add("zhang.wei")
        await bureau.sign_in("zhang.wei")
        async with bureau.database.write() as session:
            provided = {"password_hash": None, "oidc_issuer": "https://provider.test", "oidc_subject": "0815"}
            await session.execute(sa.update(table_of(Account)).values(**provided))
        assert (await bureau.browser.post("/graphql", json=WHO)).status_code == 200
