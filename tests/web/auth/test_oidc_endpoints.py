"""Signing in at an identity provider: a real one end to end, and one that lies."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from joserfc.jwk import RSAKey

from models import Account, Inspector, Role
from models.db.database import Database
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.oidc_bureau import Lying, answer, come_back, viewer
from tests.support.oidc_provider import (
    CLIENT_ID,
    signed_with_public_key,
)
from tests.support.people import ORIGIN, Bureau, bureau_of


async def accounts(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(sa.select(table_of(Account)).order_by(table_of(Account).c.id)))


# -- a real provider --


async def test_a_person_signs_in_at_a_real_provider(at_real: Bureau, issuer: str) -> None:
    session = (await at_real.browser.get("/auth/session")).json()
    assert session["oidc"] == {"label": "Bureau account"}
    assert await answer(at_real, {"sub": "0815"}) == "/wall/"
    signed_in = await viewer(at_real)
    assert (signed_in["name"], signed_in["fullName"], signed_in["role"]) == ("zhang.wei", "张伟", "COMMANDER")
    assert (signed_in["password"], signed_in["totp"]) == (False, False)
    [account] = await accounts(at_real.database)
    assert (account.oidc_issuer, account.oidc_subject, account.password_hash) == (issuer, "0815", None)
    assert await answer(at_real, {"sub": "0815"}) == "/wall/"
    assert len(await accounts(at_real.database)) == 1


async def test_an_inspector_needs_a_badge_of_the_register(at_real: Bureau) -> None:
    assert await answer(at_real, {"sub": "4711"}) == "/signin/?error=NO_ROLE"
    async with at_real.database.write() as session:
        session.add(Inspector(badge="b7", full_name="李娜"))
    assert await answer(at_real, {"sub": "4711"}) == "/wall/"
    [account] = await accounts(at_real.database)
    assert (account.role, account.inspector_id) == (Role.INSPECTOR, 1)


async def test_somebody_without_a_role_does_not_come_in(at_real: Bureau) -> None:
    assert await answer(at_real, {"sub": "1"}) == "/signin/?error=NO_ROLE"
    assert await answer(at_real, {"sub": "unknown"}) == "/signin/?error=NO_ROLE"
    assert (await viewer(at_real), await accounts(at_real.database)) == (None, [])


async def test_somebody_who_refuses_at_the_provider_does_not_come_in(at_real: Bureau) -> None:
    # This provider leaves the state out when somebody refuses.
    assert await answer(at_real, {"action": "deny"}) in ("/signin/?error=OIDC_DENIED", "/signin/?error=OIDC_EXPIRED")
    assert await viewer(at_real) is None


# -- a provider that lies --


async def test_the_request_to_the_provider_is_complete(lying: Lying) -> None:
    asked = dict(parse_qsl(urlsplit(await lying.start()).query))
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == f"{ORIGIN}/auth/oidc/callback"
    assert asked["scope"] == "openid profile"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert len({asked[name] for name in ("state", "nonce", "code_challenge")}) == 3
    [cookie] = [c for c in lying.bureau.browser.cookies.jar if c.name.endswith("-oidc")]
    assert (cookie.name, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == ("__Host-huhang-oidc", True, True)
    assert not any(asked[name] in (cookie.value or "") for name in ("state", "nonce"))


async def test_an_honest_response_signs_in(lying: Lying) -> None:
    assert await lying.sign_in() == "/"
    assert (await viewer(lying.bureau))["role"] == "COMMANDER"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.test"},
        {"aud": "another client"},
        {"aud": ["another client", "a third"]},
        {"aud": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"sub": None},
        {"azp": "another client"},
        {"at_hash": "bm90IHRoaXMgb25l"},
    ],
    ids=repr,
)
async def test_a_token_with_wrong_claims_is_refused(lying: Lying, claims: dict[str, Any]) -> None:
    lying.provider.claims |= claims
    assert await lying.sign_in() == "/signin/?error=OIDC_FAILED"
    assert (await viewer(lying.bureau), await accounts(lying.bureau.database)) == (None, [])


async def test_a_token_of_another_key_is_refused(lying: Lying) -> None:
    lying.provider.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, auto_kid=False)
    assert await lying.sign_in() == "/signin/?error=OIDC_FAILED"


async def test_the_public_key_is_no_secret_to_sign_with(lying: Lying) -> None:
    lying.provider.sign = signed_with_public_key(lying.provider)
    assert await lying.sign_in() == "/signin/?error=OIDC_FAILED"


@pytest.mark.parametrize(
    "token",
    [
        {"id_token": None},
        {"id_token": 1},
        {"id_token": ""},
        {"id_token": "a.b.c"},
        # {"alg": "none"}, {"sub": "0815"} and no signature.
        {"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwODE1In0."},
        {"id_token": "x" * 100_000},
    ],
    ids=lambda token: repr(token)[:40],
)
async def test_what_is_no_signed_token_is_refused(lying: Lying, token: dict[str, Any]) -> None:
    lying.provider.token = token
    assert await lying.sign_in() == "/signin/?error=OIDC_FAILED"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "another"}, "OIDC_EXPIRED"),
        ({"state": ""}, "OIDC_EXPIRED"),
        ({"code": ""}, "OIDC_FAILED"),
        ({"iss": "https://another.test"}, "OIDC_FAILED"),
        ({"error": "access_denied"}, "OIDC_DENIED"),
    ],
    ids=repr,
)
async def test_a_changed_response_is_refused(lying: Lying, changed: dict[str, str], code: str) -> None:
    assert await lying.sign_in(**changed) == f"/signin/?error={code}"
    assert await viewer(lying.bureau) is None


async def test_a_response_is_for_the_browser_that_began(lying: Lying) -> None:
    parameters = lying.provider.authorize(await lying.start())
    lying.bureau.browser.cookies.clear()
    assert await come_back(lying.bureau, parameters) == "/signin/?error=OIDC_EXPIRED"


async def test_a_response_is_accepted_once(lying: Lying) -> None:
    parameters = lying.provider.authorize(await lying.start())
    assert await come_back(lying.bureau, parameters) == "/"
    await lying.bureau.browser.post("/auth/sign-out")
    assert await come_back(lying.bureau, parameters) == "/signin/?error=OIDC_EXPIRED"


async def test_a_person_has_ten_minutes_at_the_provider(lying: Lying) -> None:
    for seconds, location in ((600, "/"), (601, "/signin/?error=OIDC_EXPIRED")):
        parameters = lying.provider.authorize(await lying.start())
        lying.bureau.clock.pass_time(seconds=seconds)
        assert await come_back(lying.bureau, parameters) == location


@pytest.mark.parametrize(
    ("following", "location"),
    [
        ("/desk/?a=b#c", "/desk/?a=b#c"),
        (None, "/"),
        ("https://evil.test/", "/"),
        ("//evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("/\t/evil.test", "/"),
        ("desk", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "a" * 500, "/"),
    ],
)
async def test_the_next_page_is_one_of_this_server(lying: Lying, following: str | None, location: str) -> None:
    parameters = lying.provider.authorize(await lying.start(following))
    assert await come_back(lying.bureau, parameters) == location


@pytest.mark.parametrize(
    ("failing", "code"),
    [({"openid-configuration": 500}, "OIDC_SILENT"), ({"openid-configuration": 404}, "OIDC_FAILED")],
    ids=repr,
)
async def test_without_the_provider_nothing_begins(lying: Lying, failing: dict[str, int], code: str) -> None:
    lying.provider.failing = failing
    assert await lying.start() == f"/signin/?error={code}"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.test"},
        {"token_endpoint": "http://provider.test/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=repr,
)
async def test_a_provider_that_describes_itself_wrongly_is_not_used(lying: Lying, metadata: dict[str, Any]) -> None:
    lying.provider.metadata |= metadata
    assert await lying.start() == "/signin/?error=OIDC_FAILED"


@pytest.mark.parametrize(("failing", "status"), [("token", 400), ("token", 503), ("keys", 500)])
async def test_a_provider_that_fails_later_is_reported(lying: Lying, failing: str, status: int) -> None:
    lying.provider.failing = {failing: status}
    assert await lying.sign_in() == f"/signin/?error=OIDC_{'FAILED' if status == 400 else 'SILENT'}"


async def test_new_keys_of_the_provider_are_read_once_a_minute_at_most(lying: Lying) -> None:
    provider = lying.provider
    assert await lying.sign_in() == "/"
    assert await lying.sign_in() == "/"
    assert (provider.requests.count("keys"), provider.requests.count("openid-configuration")) == (1, 1)
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"}, auto_kid=False)
    provider.header["kid"] = "second"
    provider.published.append(provider.key)
    assert await lying.sign_in() == "/signin/?error=OIDC_FAILED"
    lying.bureau.clock.pass_time(minutes=1)
    assert await lying.sign_in() == "/"
    assert provider.requests.count("keys") == 2


# -- accounts of the provider's people --


async def test_the_role_follows_the_provider(lying: Lying) -> None:
    await lying.sign_in()
    cookie = lying.bureau.browser.cookies["__Host-huhang"]
    lying.provider.claims["roles"] = ["screens"]
    await lying.sign_in()
    assert (await viewer(lying.bureau))["role"] == "WALL"
    lying.bureau.browser.cookies.clear()
    session = await lying.bureau.browser.get("/auth/session", headers={"cookie": f"__Host-huhang={cookie}"})
    assert session.json()["viewer"] is None  # the earlier login had other rights


async def test_the_first_role_of_the_settings_counts(lying: Lying) -> None:
    lying.provider.claims["roles"] = ["screens", "duty"]
    await lying.sign_in()
    assert (await viewer(lying.bureau))["role"] == "COMMANDER"


@pytest.mark.parametrize("roles", [None, [], "staff", {"duty": True}, [["duty"]], 1, "Duty"], ids=repr)
async def test_another_claim_gives_no_role(lying: Lying, roles: Any) -> None:
    lying.provider.claims["roles"] = roles
    assert await lying.sign_in() == "/signin/?error=NO_ROLE"


async def test_a_name_of_the_provider_takes_over_no_account(lying: Lying) -> None:
    await lying.bureau.add("zhang.wei", full_name="Someone else")
    lying.provider.claims["preferred_username"] = "zhang.wei"
    await lying.sign_in()
    assert (await viewer(lying.bureau))["name"] == "0815@provider.test/realms/bureau"
    first, _ = await accounts(lying.bureau.database)
    assert (first.full_name, first.oidc_subject) == ("Someone else", None)


async def test_a_disabled_account_does_not_come_in(lying: Lying) -> None:
    await lying.sign_in()
    account = table_of(Account)
    async with lying.bureau.database.write() as session:
        await session.execute(sa.update(account).values(disabled_at=lying.bureau.clock()))
    assert await lying.sign_in() == "/signin/?error=DISABLED"


async def test_without_a_provider_there_are_no_such_addresses(databases: Databases, migrated_url: str) -> None:
    async with bureau_of(databases, migrated_url) as bureau:
        assert (await bureau.browser.get("/auth/oidc/start")).status_code == 404
