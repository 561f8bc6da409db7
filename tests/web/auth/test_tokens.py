"""Bearer tokens: their claims, invalid tokens, and what needs one."""

import base64
import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey

from models.db.database import Database
from models.visibility import Role, Scope
from resolvers.errors import ErrorCode, RequestError
from tests.conftest import NOW, Databases
from tests.support.actors import change
from tests.support.owner_subset import table
from tests.support.tokens import BADGE, NAMED, OTHER_TOKENS, TOKENS, WALL, issue_at
from tests.web.conftest import SECRET, talking
from web import demo
from web.auth.credentials import Credentials
from web.auth.keys import Purpose, derive
from web.auth.sessions import FRESH, Authenticator
from web.auth.tokens import Claims
from web.settings import Settings

pytestmark = pytest.mark.database_independent

HOUR = dt.timedelta(hours=1)
WHO = "{ viewer { role name scopes expiresAt inspector { badge } enterprise { creditCode } } }"
KEY = derive(SECRET.get_secret_value(), Purpose.TOKENS)


def signed(*, key: bytes = KEY, algorithm: str = "HS256", kid: Any = TOKENS.key_id, **claims: Any) -> str:
    """A token with any claims."""
    own = {"iss": "huhang", "aud": "huhang", "role": "WALL", "sub": "wall", "exp": int((NOW + HOUR).timestamp())}
    kept = {k: v for k, v in (own | claims).items() if v is not ...}
    header = {"alg": algorithm} | ({} if kid is ... else {"kid": kid})
    return jwt.encode(header, kept, OctKey.import_key(key), algorithms=[algorithm])


def unsigned(**claims: Any) -> str:
    own = {"iss": "huhang", "aud": "huhang", "role": "COMMANDER", "exp": int((NOW + HOUR).timestamp())}
    parts = ({"alg": "none", "typ": "JWT", "kid": TOKENS.key_id}, own | claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


@pytest_asyncio.fixture(scope="module")
async def guarded_url(databases: Databases, demo_url: str) -> str:
    return await databases.new(demo_url)


@pytest_asyncio.fixture(scope="module")
async def guarded(guarded_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application outside of demo mode."""
    settings = Settings(database_url=guarded_url, secret=SECRET, failed_tokens_per_minute=1_000_000)
    async with talking(settings) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, query: str, token: str | None = None, scheme: str = "Bearer"
) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"{scheme} {token}"}
    return await client.post("/graphql", json={"query": query}, headers=headers)


def is_unauthorised(response: httpx.Response) -> bool:
    """Whether the response is a 401 with the code UNAUTHENTICATED and nothing else."""
    [error] = response.json()["errors"]
    assert "data" not in response.json()
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert response.headers["www-authenticate"] == "Bearer"
    return response.status_code == 401


# -- tokens --


@pytest.mark.parametrize(
    "claims",
    [
        NAMED,
        WALL,
        replace(WALL, role=Role.INSPECTOR, inspector=BADGE, name="检查员"),
        replace(WALL, role=Role.ENTERPRISE, enterprise="91330109AA00000001"),
        replace(WALL, role=Role.INTEGRATOR, scopes=frozenset(Scope)),
        replace(WALL, subject=""),
    ],
    ids=lambda claims: claims.role.name,
)
def test_a_token_has_its_claims(claims: Claims) -> None:
    assert TOKENS.read(TOKENS.make(claims), NOW) == claims


def test_a_token_is_valid_from_nbf_until_exp() -> None:
    token = TOKENS.make(WALL)
    assert TOKENS.read(token, NOW + HOUR - dt.timedelta(seconds=1)) == WALL
    for now in (NOW + HOUR, NOW + 2 * HOUR):
        with pytest.raises(RequestError):
            TOKENS.read(token, now)
    begins = signed(nbf=int(NOW.timestamp()))
    assert TOKENS.read(begins, NOW) == WALL
    with pytest.raises(RequestError):
        TOKENS.read(begins, NOW - dt.timedelta(seconds=1))


# Values that a claim cannot have.
WRONG: dict[str, tuple[Any, ...]] = {
    "role": (None, 1, ["WALL"], {}),
    "exp": ("soon", None, True, [], 1e300, -1e300, 10**30),
    "nbf": ("soon", None, True, 1e300),
    "name": (1, [], True),
    "sub": (1, [], True, None),
    "iss": (1, [], None),
    "jti": (1, [], True),
    "iat": ("soon", [], 1e300),
    "inspector": (1, [], True),
    "scopes": ("read", {"read": 1}, ["all"], [[]], 1, None),
}
BAD: dict[str, str] = {
    "another secret's": OTHER_TOKENS.make(WALL),
    "changed": (good := TOKENS.make(WALL)).replace(good.split(".")[1], OTHER_TOKENS.make(NAMED).split(".")[1]),
    "without its signature": good.rpartition(".")[0] + ".",
    "unsigned": unsigned(),
    "of another algorithm": signed(algorithm="HS384", key=KEY * 2),
    "the same key, another algorithm": signed(algorithm="HS512", key=KEY * 2),
    "signed with the secret itself": signed(key=SECRET.get_secret_value().encode()),
    "signed with another purpose's key": signed(key=derive(SECRET.get_secret_value(), Purpose.EVIDENCE_ADDRESSES)),
    "of no key": signed(kid=...),
    "of an unknown key": signed(kid="0123456789abcdef"),
    "of another key": signed(kid=OTHER_TOKENS.key_id),
    "of nobody": signed(iss=...),
    "of another issuer": signed(iss="https://login.example.org"),
    "for nobody": signed(aud=...),
    "for others": signed(aud="another"),
    "for us and others": signed(aud=["huhang", "another"]),
    "ended": signed(exp=int(NOW.timestamp())),
    "not begun": signed(nbf=int((NOW + HOUR).timestamp())),
    "without an end": signed(exp=...),
    "garbage": "garbage",
    "dots": "..",
    "more dots": "a.b.c.d",
    "huge": "a" * 60_000,
    "huge and signed": signed(name="长" * 20_000, role="NOBODY"),
    "without a role": signed(role=...),
    "no role of ours": signed(role="ADMIN"),
    "in small letters": signed(role="wall"),
    **{f"{name} {value!r}": signed(**{name: value}) for name, values in WRONG.items() for value in values},
    "an inspector of no badge": signed(role="INSPECTOR"),
    "an inspector of an empty badge": signed(role="INSPECTOR", inspector=""),
    "a badge that nobody has": signed(role="INSPECTOR", inspector="XS0000"),
    "an enterprise of no code": signed(role="ENTERPRISE"),
    "an enterprise of an empty code": signed(role="ENTERPRISE", enterprise=""),
    "a code that nobody has": signed(role="ENTERPRISE", enterprise="91350100M000100Y43"),
    "a badge for a code": signed(role="ENTERPRISE", enterprise=BADGE),
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
async def test_an_invalid_token_is_refused(client: httpx.AsyncClient, guarded: httpx.AsyncClient, token: str) -> None:
    # Also in demo mode, which answers requests without a token, and for a query of the schema.
    for served, query in ((guarded, WHO), (guarded, "{ __typename }"), (client, WHO)):
        assert is_unauthorised(await ask(served, query, token))


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", TOKENS.make(WALL), f"Token {TOKENS.make(WALL)}", "Bearer é"],
)
async def test_a_malformed_header_is_refused(client: httpx.AsyncClient, header: str) -> None:
    sent = {"authorization": header.encode("latin-1")}
    assert is_unauthorised(await client.post("/graphql", json={"query": WHO}, headers=sent))  # type: ignore[arg-type]  # bytes are fine


async def test_the_viewer_is_the_tokens_holder(client: httpx.AsyncClient) -> None:
    code = (await ask(client, "{ enterprises(first: 1) { nodes { creditCode } } }", TOKENS.make(NAMED))).json()
    credit_code = code["data"]["enterprises"]["nodes"][0]["creditCode"]
    ends = (NOW + HOUR).isoformat()
    nobody: dict[str, Any] = {"name": None, "scopes": [], "expiresAt": ends, "inspector": None, "enterprise": None}
    program = frozenset({Scope.READ, Scope.POSITIONS})
    for claims, expected in (
        (NAMED, {"role": "COMMANDER", "name": "值班长"}),
        (WALL, {"role": "WALL"}),
        # Scopes are for programs only.
        (replace(WALL, scopes=program), {"role": "WALL"}),
        (replace(WALL, role=Role.INTEGRATOR, scopes=program), {"role": "INTEGRATOR", "scopes": ["positions", "read"]}),
        (replace(WALL, role=Role.INSPECTOR, inspector=BADGE, name="甲"), {"inspector": {"badge": BADGE}, "name": "甲"}),
        (replace(WALL, role=Role.ENTERPRISE, enterprise=credit_code), {"enterprise": {"creditCode": credit_code}}),
    ):
        for scheme in ("Bearer", "bearer"):
            response = await ask(client, WHO, TOKENS.make(claims), scheme)
            assert response.status_code == 200
            viewer = response.json()["data"]["viewer"]
            assert viewer == {**nobody, "role": claims.role.name, **expected}


async def test_outside_demo_mode_a_token_must_have_been_issued(
    client: httpx.AsyncClient, guarded: httpx.AsyncClient, guarded_url: str
) -> None:
    for claims in (NAMED, WALL, replace(NAMED, id="never-issued")):
        assert is_unauthorised(await ask(guarded, WHO, TOKENS.make(claims)))
    assert is_unauthorised(await ask(client, WHO, TOKENS.make(replace(NAMED, id="never-issued"))))
    issued = await issue_at(guarded_url, role=Role.COMMANDER, name="值班长")
    response = await ask(guarded, "{ viewer { role name } }", issued)
    assert response.json()["data"]["viewer"] == {"role": "COMMANDER", "name": "值班长"}


# -- without a token --

INTROSPECTION = ["{ __typename }", "{ __schema { queryType { name } } }", 'query A { __type(name: "Query") { name } }']
HIDDEN = [
    WHO,
    "{ __schema { queryType { name } } zones { name } }",
    "{ __typename: cursor }",
    "{ __schema: zones { name } }",
    "{ __typename ...F } fragment F on Query { zones { name } }",
    "{ __typename ...F } fragment F on Query { __typename ...G } fragment G on Query { cursor }",
    "{ __typename ... on Query { cursor } }",
    "{ __typename ... @include(if: false) { ... { cursor } } }",
    "{ __typename cursor @skip(if: true) }",
    'mutation { hazardClose(input: {hazard: "x"}) { __typename } }',
]


@pytest.mark.parametrize("query", INTROSPECTION)
async def test_the_schema_needs_no_token(guarded: httpx.AsyncClient, query: str) -> None:
    response = await ask(guarded, query)
    assert (response.status_code, "errors" in response.json()) == (200, False)


@pytest.mark.parametrize("query", HIDDEN)
async def test_everything_else_needs_a_token(guarded: httpx.AsyncClient, query: str) -> None:
    response = await ask(guarded, query)
    assert is_unauthorised(response)


async def test_the_named_operation_decides(guarded: httpx.AsyncClient) -> None:
    query = "query A { __typename } query B { cursor }"
    for name, status in (("A", 200), ("B", 401)):
        response = await guarded.post("/graphql", json={"query": query, "operationName": name})
        assert response.status_code == status


async def test_where_the_schema_is_no_secret_shared_a_token_is_needed_for_it_too(
    databases: Databases, demo_url: str
) -> None:
    url = await databases.new(demo_url)
    issued = await issue_at(url, role=Role.COMMANDER, name="值班长")
    async with talking(Settings(database_url=url, secret=SECRET, introspection=False)) as closed:
        for query in INTROSPECTION[1:]:
            for token in (None, issued):
                response = await ask(closed, query, token)
                assert response.json().get("data") is None
        assert is_unauthorised(await ask(closed, "{ cursor }"))


async def test_in_demo_mode_a_request_without_a_token_is_a_wall(client: httpx.AsyncClient) -> None:
    query = "{ viewer { role } inspectors(first: 1) { nodes { badge fullName } } }"
    data = (await ask(client, query)).json()["data"]
    assert data["viewer"] == {"role": "WALL"}
    assert data["inspectors"]["nodes"] == [{"badge": BADGE, "fullName": None}]


# -- tokens for GraphiQL --


async def test_only_the_demo_offers_a_token_for_each_role(
    client: httpx.AsyncClient, guarded: httpx.AsyncClient
) -> None:
    response = await client.get("/graphiql/viewers.json")
    assert response.headers["cache-control"] == "no-store"
    offered = response.json()["viewers"]
    assert [o["label"] for o in offered] == ["Commander", "Inspector", "Enterprise", "Wall", "Integrator"]
    assert response.json()["notice"] == (await client.get("/auth/session")).json()["notice"] == demo.LOCAL
    roles = [(await ask(client, WHO, o["token"])).json()["data"]["viewer"]["role"] for o in offered]
    assert roles == [o["label"].upper() for o in offered]
    assert (await guarded.get("/graphiql/viewers.json")).json() == {"viewers": [], "notice": None}


async def test_an_empty_demo_offers_the_roles_without_a_row(databases: Databases, migrated_url: str) -> None:
    async with talking(Settings(database_url=await databases.new(migrated_url), demo=True, secret=SECRET)) as empty:
        offered = (await empty.get("/graphiql/viewers.json")).json()["viewers"]
        assert [o["label"] for o in offered] == ["Commander", "Wall", "Integrator"]


# -- holders in the register --


async def test_a_holder_removed_from_the_register_is_refused_after_thirty_seconds(own_demo: Database) -> None:
    now = NOW
    authenticator = Authenticator(TOKENS, own_demo, lambda: now, None, demo=True)
    token = TOKENS.make(replace(WALL, role=Role.INSPECTOR, inspector=BADGE))
    known = await authenticator.authenticate(Credentials("bearer", token))
    assert known is not None
    inspector = table("inspector")
    await change(own_demo, inspector.update().where(inspector.c.badge == BADGE).values(badge="gone"))
    now += FRESH - dt.timedelta(seconds=1)
    assert await authenticator.authenticate(Credentials("bearer", token)) == known
    now += dt.timedelta(seconds=1)
    assert dt.timedelta(seconds=30) == FRESH
    for _ in range(2):
        with pytest.raises(RequestError) as refused:
            await authenticator.authenticate(Credentials("bearer", token))
        assert refused.value.code is ErrorCode.UNAUTHENTICATED


async def test_an_expired_token_is_refused_though_its_holder_is_cached(demo: Database) -> None:
    now = NOW + HOUR - dt.timedelta(seconds=1)
    authenticator = Authenticator(TOKENS, demo, lambda: now, None, demo=True)
    token = TOKENS.make(WALL)
    await authenticator.authenticate(Credentials("bearer", token))
    now += dt.timedelta(seconds=1)
    with pytest.raises(RequestError):
        await authenticator.authenticate(Credentials("bearer", token))


async def test_a_credit_code_takes_precedence_over_an_external_id(own_demo: Database) -> None:
    authenticator = Authenticator(TOKENS, own_demo, lambda: NOW, None, demo=True)
    enterprise = table("enterprise")
    code = "91350100M000100Y43"
    await change(own_demo, enterprise.update().where(enterprise.c.id == 1).values(external_id=code))
    await change(own_demo, enterprise.update().where(enterprise.c.id == 2).values(credit_code=code))
    token = TOKENS.make(replace(WALL, role=Role.ENTERPRISE, enterprise=code))
    viewer = await authenticator.authenticate(Credentials("bearer", token))
    assert viewer is not None
    assert viewer.visibility.enterprise == 2


async def test_tokens_of_this_server_are_known_before_they_are_used(demo: Database) -> None:
    """They pass where an address is slowed down because somebody else there sends invalid ones."""
    authenticator = Authenticator(TOKENS, demo, lambda: NOW, None, demo=True)
    assert authenticator.knows(Credentials("bearer", TOKENS.make(WALL)))
    for token in (OTHER_TOKENS.make(WALL), "nonsense", TOKENS.make(replace(WALL, expires_at=NOW))):
        assert not authenticator.knows(Credentials("bearer", token))
    assert not authenticator.knows(Credentials("cookie", "guessed"))
