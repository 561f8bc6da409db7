"""Signing out at the identity provider (OpenID Connect RP-Initiated Logout 1.0)."""

import json
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from joserfc import jws

from models import Login
from models.db.tables import table_of
from tests.support.oidc_bureau import Lying, answer, viewer
from tests.support.oidc_provider import CLIENT_ID
from tests.support.people import ORIGIN, Bureau


async def test_signing_out_ends_the_sign_in_at_the_provider_too(at_real: Bureau, issuer: str) -> None:
    assert await answer(at_real, {"sub": "0815"}) == "/wall/"
    async with at_real.database.read() as connection:
        kept = (await connection.execute(sa.select(table_of(Login).c.id_token))).scalar_one()
    url = urlsplit((await at_real.browser.post("/auth/sign-out")).json()["next"])
    assert await viewer(at_real) is None
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{issuer}/oauth2/end_session"
    sent = dict(parse_qsl(url.query))
    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == (CLIENT_ID, f"{ORIGIN}/signin/")
    hint = jws.extract_compact(sent["id_token_hint"].encode())
    assert hint.payload
    assert json.loads(hint.payload)["sub"] == "0815"
    # The database keeps the person's token encrypted.
    assert sent["id_token_hint"] not in kept
    async with httpx.AsyncClient() as client:
        assert f"{ORIGIN}/signin/" in (await client.get(url.geturl())).text
    # Without a sign-in, or after one with a password, nobody is sent there.
    assert (await at_real.browser.post("/auth/sign-out")).status_code == 204
    await at_real.add("li.na")
    await at_real.sign_in("li.na")
    assert (await at_real.browser.post("/auth/sign-out")).status_code == 204


@pytest.mark.parametrize(
    "endpoint",
    [None, 7, "http://elsewhere.example/end", "javascript:alert(1)"],
    ids=["none", "number", "plain", "script"],
)
async def test_a_provider_without_a_safe_address_to_sign_out_at_is_left_alone(lying: Lying, endpoint: object) -> None:
    lying.provider.metadata["end_session_endpoint"] = endpoint
    assert await lying.sign_in() == "/"
    assert (await lying.bureau.browser.post("/auth/sign-out")).status_code == 204
    assert await viewer(lying.bureau) is None


async def test_an_address_to_sign_out_at_keeps_its_own_query(lying: Lying) -> None:
    lying.provider.metadata["end_session_endpoint"] = "https://provider.test/end?tenant=1"
    assert await lying.sign_in() == "/"
    url = (await lying.bureau.browser.post("/auth/sign-out")).json()["next"]
    assert url.startswith("https://provider.test/end?tenant=1&id_token_hint=")


async def test_signing_out_works_while_the_provider_does_not_answer(lying: Lying) -> None:
    lying.provider.metadata["end_session_endpoint"] = "https://provider.test/end"
    assert await lying.sign_in() == "/"
    lying.bureau.clock.pass_time(hours=1.5)  # what the provider said of itself is too old by then
    lying.provider.failing["openid-configuration"] = 503
    assert (await lying.bureau.browser.post("/auth/sign-out")).status_code == 204
    assert await viewer(lying.bureau) is None
