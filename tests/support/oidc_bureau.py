"""A bureau with an identity provider: a real one, and one that lies. A folder's conftest.py imports the fixtures."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio

from tests.conftest import Databases
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, LyingProvider, real_provider
from tests.support.people import ORIGIN, Bureau, Clock, bureau_of
from web.auth import endpoints
from web.auth.oidc import Provider

ROLES = '{"duty": "COMMANDER", "field": "INSPECTOR", "firm": "ENTERPRISE", "screens": "WALL"}'
ZHANG = {
    "sub": "0815",
    "preferred_username": "Zhang.Wei",
    "name": "张伟",
    "roles": ["staff", "duty"],
}
LI = {"sub": "4711", "preferred_username": "li.na", "name": "李娜", "roles": "field", "badge": "b7"}
NOBODY = {"sub": "1", "preferred_username": "nobody", "roles": ["staff"]}


def settings_of(issuer: str) -> dict[str, Any]:
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_label": "Bureau account",
        "oidc_roles": ROLES,
    }


async def come_back(bureau: Bureau, parameters: dict[str, str]) -> str:
    """Where the browser ends up after the provider's response."""
    response = await bureau.browser.get("/auth/oidc/callback", params=parameters)
    assert response.status_code == 302
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in bureau.browser.cookies if name.endswith("-oidc")]
    return response.headers["location"]


async def viewer(bureau: Bureau) -> Any:
    return (await bureau.browser.get("/auth/session")).json()["viewer"]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with real_provider(ZHANG, LI, NOBODY) as issuer:
        yield issuer


@pytest_asyncio.fixture
async def at_real(databases: Databases, migrated_url: str, issuer: str) -> AsyncIterator[Bureau]:
    async with bureau_of(databases, migrated_url, **settings_of(issuer)) as bureau:
        bureau.clock.time = dt.datetime.now(dt.UTC)  # the provider's clock
        yield bureau


async def answer(bureau: Bureau, form: dict[str, str], following: str = "/wall/") -> str:
    """Go to the provider, fill in its form, and come back; where the browser ends up."""
    start = await bureau.browser.get("/auth/oidc/start", params={"next": following})
    assert start.status_code == 302
    url = start.headers["location"]
    async with httpx.AsyncClient() as client:
        assert "Authorize" in (await client.get(url)).text
        back = (await client.post(url, data=form)).headers["location"]
    assert back.startswith(f"{ORIGIN}/auth/oidc/callback?")
    return await come_back(bureau, dict(parse_qsl(urlsplit(back).query)))


class Lying:
    """The bureau with a lying provider."""

    def __init__(self, bureau: Bureau, provider: LyingProvider) -> None:
        self.bureau, self.provider = bureau, provider

    async def start(self, following: str | None = None) -> str:
        parameters = {} if following is None else {"next": following}
        response = await self.bureau.browser.get("/auth/oidc/start", params=parameters)
        assert response.status_code == 302
        return response.headers["location"]

    async def sign_in(self, **changed: str) -> str:
        parameters = self.provider.authorize(await self.start())
        return await come_back(self.bureau, {**parameters, **changed})


@pytest_asyncio.fixture
async def lying(databases: Databases, migrated_url: str) -> AsyncIterator[Lying]:
    moment = [0.0]
    provider = LyingProvider(lambda: moment[0])

    def make(issuer: str, client_id: str, secret: str, scope: str, clock: Clock) -> Provider:
        return Provider(issuer, client_id, secret, scope, clock, provider.http)

    with patch.object(endpoints, "Provider", make):
        async with bureau_of(databases, migrated_url, **settings_of(provider.issuer)) as bureau:
            provider._now = lambda: bureau.clock().timestamp()
            yield Lying(bureau, provider)
