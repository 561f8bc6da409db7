"""Bearer tokens of an identity provider: which are accepted, for whom, and when its keys are read."""

import datetime as dt
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from pydantic import ValidationError

import models
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Scope
from resolvers.errors import ErrorCode, RequestError
from tests.conftest import NOW
from tests.support.actors import change, small_world
from tests.support.tokens import TOKENS, WALL
from tests.web.conftest import SECRET
from web.auth.claim_mapping import ClaimMapping
from web.auth.credentials import Credentials
from web.auth.provider_tokens import AGAIN, FRESH, ProviderTokens, TokenProvider
from web.auth.sessions import Authenticator
from web.settings import Settings

ISSUER, AUDIENCE, URL = "https://login.example.org/realms/bureau", "huhang-api", "https://login.example.org/keys"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
ACCOUNT = table_of(models.Account)
ROLES = {"duty": Role.COMMANDER, "officers": Role.INSPECTOR, "screens": Role.WALL, "programs": Role.INTEGRATOR}
MAPPING = ClaimMapping(ROLES, "realm_access.roles", "badge", "credit_code")
PERSON = {"sub": "u-1", "preferred_username": "li.wei", "name": "李伟", "realm_access": {"roles": ["duty"]}}


class Desk:
    """An authenticator that knows a provider, whose keys are read from memory."""

    def __init__(self, database: Database) -> None:
        self.now, self.reads = NOW, 0
        self.keys: list[Any] = [RSA, EC, ED]
        self.is_up = True
        tokens = ProviderTokens(URL, ISSUER, AUDIENCE, self.clock, self._http)
        provider = TokenProvider(tokens, MAPPING, database, self.clock)
        self.authenticator = Authenticator(TOKENS, database, self.clock, None, provider=provider)

    def clock(self) -> dt.datetime:
        return self.now

    def _http(self) -> httpx.AsyncClient:
        def answer(request: httpx.Request) -> httpx.Response:
            assert str(request.url) == URL
            self.reads += 1
            keys = [key.as_dict(private=False) for key in self.keys]
            return httpx.Response(200, json={"keys": keys}) if self.is_up else httpx.Response(503)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def token(self, key: Any = RSA, algorithm: str = "RS256", header: Any = None, **claims: Any) -> str:
        whole = {"iss": ISSUER, "aud": AUDIENCE, "exp": int((self.now + dt.timedelta(hours=1)).timestamp()), **PERSON}
        kept = {name: value for name, value in (whole | claims).items() if value is not ...}
        return jwt.encode(header or {"alg": algorithm, "kid": key.kid}, kept, key, algorithms=[algorithm])

    async def viewer(self, token: str) -> Any:
        return await self.authenticator.authenticate(Credentials("bearer", token))

    async def refused(self, token: str) -> bool:
        try:
            await self.viewer(token)
        except RequestError as error:
            return error.code is ErrorCode.UNAUTHENTICATED
        return False


# Providers still write the older name, though RFC 9864 has new ones.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")])
async def test_a_person_gets_an_account(database: Database, key: Any, algorithm: str) -> None:
    desk = Desk(database)
    viewer = await desk.viewer(desk.token(key, algorithm))
    assert (viewer.identity, viewer.role, viewer.name) == ("account:1", Role.COMMANDER, "李伟")
    assert viewer.expires_at == NOW + dt.timedelta(hours=1)
    # The same person with another token, and with another role.
    walls = desk.token(key, algorithm, realm_access={"roles": ["unknown", "screens"]})
    again = await desk.viewer(walls)
    assert (again.identity, again.role) == ("account:1", Role.WALL)


async def test_an_inspector_needs_a_badge_of_the_register(database: Database) -> None:
    world, desk = await small_world(database), Desk(database)
    officers: dict[str, Any] = {"realm_access": {"roles": ["officers"]}}
    viewer = await desk.viewer(desk.token(badge="b0", **officers))
    assert (viewer.role, viewer.inspector) == (Role.INSPECTOR, world.inspector)
    for number, badge in enumerate(("b9", "", None, 7, ["b0"])):
        assert await desk.refused(desk.token(badge=badge, sub=f"other {number}", **officers))


async def test_a_program_has_the_scopes_that_this_server_knows(database: Database) -> None:
    desk = Desk(database)
    programs: dict[str, Any] = {"realm_access": {"roles": ["programs"]}, "client_id": "gauge"}
    programs["scope"] = "openid read readings all"
    viewer = await desk.viewer(desk.token(sub="gauge-1", **programs))
    assert (viewer.role, viewer.name, viewer.account) == (Role.INTEGRATOR, "gauge", None)
    assert viewer.visibility.scopes == {Scope.READ, Scope.READINGS}
    other = await desk.viewer(desk.token(sub="gauge-2", **programs))
    assert viewer.identity != other.identity


async def test_a_disabled_account_is_refused_and_its_streams_end(database: Database) -> None:
    desk = Desk(database)
    credentials = Credentials("bearer", desk.token())
    session, ended = await desk.authenticator.open_session(credentials), list[bool]()
    session.on_revoked = lambda: ended.append(True)
    await desk.authenticator.poll()
    assert ended == []
    await change(database, sa.update(ACCOUNT).values(disabled_at=NOW))
    await desk.authenticator.poll()
    assert ended == [True]
    assert await desk.refused(credentials.secret)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.com"},
        {"iss": ...},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ...},
        {"exp": int(NOW.timestamp())},
        {"exp": "soon"},
        {"exp": True},
        {"exp": ...},
        {"exp": 1e300},
        {"nbf": int(NOW.timestamp()) + 3600},
        {"sub": ...},
        {"sub": 7},
        {"sub": ""},
        {"realm_access": ...},
        {"realm_access": {"roles": "none"}},
        {"realm_access": ["duty"]},
        {"key": STRANGER},
        {"algorithm": "PS256"},
        {"algorithm": "RS384"},
        # With the provider's public values as a secret: any client could make that.
        {"key": OctKey.import_key(str(RSA.as_dict(private=False)).encode(), {"kid": "rsa"}), "algorithm": "HS256"},
        {"header": {"alg": "RS256"}},
        {"header": {"alg": "RS256", "kid": "unknown"}},
        {"header": {"alg": "RS256", "kid": "ec"}},
    ],
    ids=lambda wrong: " ".join(f"{name} {str(value)[:30]}" for name, value in wrong.items()),
)
async def test_any_other_token_is_refused(database: Database, wrong: dict[str, Any]) -> None:
    desk = Desk(database)
    assert await desk.refused(desk.token(**wrong))
    async with database.read() as connection:
        assert (await connection.execute(sa.select(ACCOUNT))).all() == []


async def test_the_keys_are_not_read_for_each_token(database: Database) -> None:
    desk = Desk(database)
    for number in range(20):
        await desk.viewer(desk.token(jti=str(number)))
    assert desk.reads == 1
    # A token with an unknown key makes the keys be read again once a minute, whatever is sent.
    unknown = RSAKey.generate_key(2048, {"kid": "new"})
    for _ in range(5):
        assert await desk.refused(desk.token(unknown))
    assert desk.reads == 1
    desk.now += AGAIN
    assert await desk.refused(desk.token(unknown))
    assert await desk.refused(desk.token(unknown))
    assert desk.reads == 2
    desk.keys.append(unknown)
    desk.now += AGAIN
    assert not await desk.refused(desk.token(unknown))
    assert desk.reads == 3
    # A provider that is away does not throw anybody out.
    desk.is_up = False
    desk.now += FRESH
    assert not await desk.refused(desk.token(unknown))
    assert desk.reads == 4


async def test_own_tokens_need_no_provider(database: Database) -> None:
    desk = Desk(database)
    desk.is_up = False
    assert await desk.refused("garbage")
    assert await desk.refused(TOKENS.make(replace(WALL, id="unknown")))
    assert desk.reads == 0


@pytest.mark.parametrize(
    "given",
    [
        {"jwks_issuer": None},
        {"jwks_audience": None},
        {"jwks_audience": ""},
        {"oidc_roles": "{}"},
        {"jwks_url": "http://login.example.org/keys"},
    ],
    ids=str,
)
def test_incomplete_settings_are_refused(given: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "jwks_url": URL,
        "jwks_issuer": ISSUER,
        "jwks_audience": AUDIENCE,
        "oidc_roles": '{"duty": "COMMANDER"}',
    }
    assert Settings(secret=SECRET, **whole).claim_mapping.roles == {"duty": Role.COMMANDER}
    with pytest.raises(ValidationError):
        Settings(secret=SECRET, **{**whole, **given})
