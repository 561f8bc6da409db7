"""The keys of an identity provider, read from a real web server by the whole application."""

import datetime as dt
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conftest import Databases
from tests.support.key_server import key_server, stop
from tests.support.people import Bureau, bureau_of
from web.auth.provider_tokens import AGAIN, FRESH

ISSUER, AUDIENCE = "https://login.example.org/realms/bureau", "huhang-api"
FIRST, SECOND = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("first", "second"))
WHO = {"query": "{ viewer { role name } }"}


def settings(url: str) -> dict[str, Any]:
    roles = '{"duty": "COMMANDER"}'
    return {"jwks_url": url, "jwks_issuer": ISSUER, "jwks_audience": AUDIENCE, "oidc_roles": roles}


def token(bureau: Bureau, key: RSAKey) -> str:
    """A token that was never seen before: its expiry differs from that of every other."""
    bureau.clock.pass_time(seconds=1)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u-1",
        "exp": int((bureau.clock() + dt.timedelta(hours=1)).timestamp()),
        "preferred_username": "li.wei",
        "name": "李伟",
        "roles": ["duty"],
    }
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


async def status(bureau: Bureau, key: RSAKey) -> int:
    headers = {"authorization": f"Bearer {token(bureau, key)}"}
    answer = await bureau.browser.post("/graphql", json=WHO, headers=headers)
    assert answer.status_code == 401 or answer.json() == {"data": {"viewer": {"role": "COMMANDER", "name": "李伟"}}}
    return answer.status_code


async def test_keys_are_read_once_and_followed_when_they_rotate(databases: Databases, migrated_url: str) -> None:
    with key_server(FIRST) as provider:
        async with bureau_of(databases, migrated_url, **settings(provider.url)) as bureau:
            assert [await status(bureau, FIRST) for _ in range(5)] == [200] * 5
            assert provider.requests == 1
            # The provider signs with a new key, and still publishes the old one. It is found within a minute.
            provider.keys = [FIRST, SECOND]
            bureau.clock.pass_time(seconds=AGAIN.total_seconds())
            assert (await status(bureau, SECOND), await status(bureau, FIRST)) == (200, 200)
            assert provider.requests == 2
            # It withdraws the old one. That is known within an hour.
            provider.keys = [SECOND]
            bureau.clock.pass_time(seconds=FRESH.total_seconds())
            assert (await status(bureau, SECOND), await status(bureau, FIRST)) == (200, 401)
            assert provider.requests == 3


@pytest.mark.parametrize("failure", ["gone", "status 500", "no JSON"])
async def test_known_keys_go_on_while_the_provider_is_away(
    databases: Databases, migrated_url: str, failure: str
) -> None:
    with key_server(FIRST) as provider:
        async with bureau_of(databases, migrated_url, **settings(provider.url)) as bureau:
            assert await status(bureau, FIRST) == 200
            if failure == "gone":
                stop(provider)
            elif failure == "status 500":
                provider.status = 500
            else:
                provider.page = b"<html>maintenance</html>"
            for _ in range(2):
                bureau.clock.pass_time(seconds=FRESH.total_seconds())
                assert await status(bureau, FIRST) == 200
            assert await status(bureau, SECOND) == 401
            assert provider.requests == (1 if failure == "gone" else 3)
