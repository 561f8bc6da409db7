"""The short way answers as the whole way does: the same status, headers and bytes, and the same refusals.

Each request is sent to an application that knows no plans, which goes the whole way, and then again.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from starlette.types import Message, Scope

import models
from models.visibility import Role
from schema.execution.executor import Executor
from schema.types import node_id
from tests.conftest import NOW, Databases
from tests.support.actors import change
from tests.web.auth.test_tokens import BADGE, NAMED, OTHERS, TOKENS, WALL
from tests.web.conftest import SECRET
from web.app import create
from web.auth.sessions import FRESH
from web.auth.tokens import Claims
from web.graphql.negotiation import GRAPHQL, JSON
from web.graphql.short import LONG, ShortWay
from web.settings import Settings

LIMIT = 2048
SECOND = dt.timedelta(seconds=1)
NAME = {"query": "{ district { name } }"}
ZONE = {"query": "query Z($code: String!) { zone(by: { code: $code }) { code name } }", "variables": {"code": "GUALI"}}
PAGE = "query P($n: Int, $at: String) { hazards(first: $n, after: $at) { totalCount nodes { id level } } }"
TWO = 'query A { zone(by: { code: "none" }) { name } } query B($code: String!) { zone(by: { code: $code }) { code } }'
DISMISS = 'mutation { hazardDismiss(input: { hazard: "x", reason: "r" }) { __typename } }'
EVENTS = "text/event-stream"

Headers = tuple[tuple[str, str], ...]
PLAIN: Headers = (("content-type", JSON),)


def typed(content_type: str) -> Headers:
    return (("content-type", content_type),)


def taking(accept: str) -> Headers:
    return (*PLAIN, ("accept", accept))


def as_one(claims: Claims) -> Headers:
    return (*PLAIN, ("authorization", f"Bearer {TOKENS.make(claims)}"))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass
class Spoken:
    """The application on a clock of its own, spoken to as a server speaks; `short` counts answers of the short way."""

    app: Any
    execution: Executor
    now: dt.datetime = NOW
    short: int = 0
    sent: list[Message] = field(default_factory=list)

    def forget(self) -> None:
        """No plan is known any more."""
        assert self.execution.plans is not None
        self.execution.plans._known.clear()

    async def send(self, *messages: Message, headers: Headers) -> Reply:
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
            "client": ("127.0.0.1", 1),
            "server": ("huhang.test", 80),
        }
        waiting, found = list(messages), list[Message]()

        async def receive() -> Message:
            if waiting:
                return waiting.pop(0)
            await asyncio.Event().wait()  # as a client that stays and says nothing more
            raise AssertionError

        async def take(message: Message) -> None:
            found.append(message)

        await self.app(scope, receive, take)
        [start] = [m for m in found if m["type"] == "http.response.start"]
        return Reply(start["status"], list(start["headers"]), b"".join(m.get("body", b"") for m in found))

    async def ask(self, body: bytes | dict[str, Any], headers: Headers = PLAIN) -> Reply:
        return await self.send(*chunks(body if isinstance(body, bytes) else orjson.dumps(body)), headers=headers)


def chunks(*parts: bytes) -> list[Message]:
    last = len(parts) - 1
    return [{"type": "http.request", "body": part, "more_body": i < last} for i, part in enumerate(parts)]


@pytest_asyncio.fixture(params=[True, False], ids=["demo", "guarded"])
async def spoken(
    request: pytest.FixtureRequest, databases: Databases, demo_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Spoken]:
    url = await databases.new(demo_url)
    settings = Settings(database_url=url, demo=request.param, secret=SECRET, body_limit=LIMIT)
    app = create(settings, lambda: made.now)
    short = app.user_middleware[-1]
    execution: Any = short.kwargs["execution"]
    made = Spoken(app, execution)
    data = ShortWay._data

    async def counted(self: ShortWay, body: bytes, authorization: bytes | None) -> bytes | None:
        found = await data(self, body, authorization)
        made.short += found is not None
        return found

    monkeypatch.setattr(ShortWay, "_data", counted)
    async with app.router.lifespan_context(app):
        yield made


COMMANDER = as_one(NAMED)
# What the short way is for.
SHORT: dict[str, tuple[bytes | dict[str, Any], Headers]] = {
    "plain": (NAME, COMMANDER),
    "variables": (ZONE, COMMANDER),
    "variables are null": ({**NAME, "variables": None, "extensions": None, "operationName": None}, COMMANDER),
    "an operation by its name": ({"query": TWO, "operationName": "B", "variables": {"code": "GUALI"}}, COMMANDER),
    "a page": ({"query": PAGE, "variables": {"n": 3}}, COMMANDER),
    "an extension that nobody knows": ({**NAME, "extensions": {"a": [1]}}, COMMANDER),
    "a row that is not there": ({**ZONE, "variables": {"code": "none"}}, COMMANDER),
    "an odd text": ({**ZONE, "variables": {"code": "'; %_\\ 𝕳"}}, COMMANDER),
    "a variable that is not asked for": ({**NAME, "variables": {"huge": 2**63, "nul": "a\0b"}}, COMMANDER),
    "a screen": (NAME, as_one(WALL)),
    "an inspector": ({"query": PAGE}, as_one(replace(WALL, role=Role.INSPECTOR, inspector=BADGE))),
    "who asks": ({"query": "{ viewer { role name } }"}, COMMANDER),
    "a small scheme": (NAME, (*PLAIN, ("authorization", f"bearer  {TOKENS.make(NAMED)} "))),
    "charset": (NAME, (*typed("application/json; charset=utf-8"), COMMANDER[1])),
    "charset in capitals": (NAME, (*typed('APPLICATION/JSON;charset="UTF-8"'), COMMANDER[1])),
    "the newer type": (NAME, (*taking(GRAPHQL), COMMANDER[1])),
    "the newer type before": (NAME, (*taking(f"{JSON};q=0.9, {GRAPHQL}, {EVENTS}"), COMMANDER[1])),
    "anything": (NAME, (*taking("*/*"), COMMANDER[1])),
    "an empty accept": (NAME, (*taking(""), COMMANDER[1])),
    "a header twice that does not matter": (NAME, (*COMMANDER, ("x-a", "1"), ("x-a", "2"))),
}
ZONES = {"query": "query N($n: Int!) { hazards(first: $n) { totalCount } }"}
NODE = {"query": "query N($id: ID!) { node(id: $id) { id } }"}
# What goes the whole way, both times.
WHOLE: dict[str, tuple[bytes | dict[str, Any], Headers]] = {
    "another's token": (NAME, (*PLAIN, ("authorization", f"Bearer {OTHERS.make(WALL)}"))),
    "a token that has ended": (NAME, as_one(replace(WALL, expires_at=NOW))),
    "garbage for a token": (NAME, (*PLAIN, ("authorization", "Bearer \xff"))),
    "no token": (NAME, (*PLAIN, ("authorization", "Bearer "))),
    "an empty authorization": (NAME, (*PLAIN, ("authorization", ""))),
    "another scheme": (NAME, (*PLAIN, ("authorization", f"Basic {TOKENS.make(WALL)}"))),
    "a badge that nobody has": (NAME, as_one(replace(WALL, role=Role.INSPECTOR, inspector="XS0000"))),
    "latin-1": (NAME, (*typed("application/json; charset=latin-1"), COMMANDER[1])),
    "no content-type": (NAME, COMMANDER[1:]),
    "a form": (NAME, (*typed("application/x-www-form-urlencoded"), COMMANDER[1])),
    "two content-types": (NAME, (*COMMANDER, ("content-type", "text/plain"))),
    "two tokens": (NAME, (*COMMANDER, ("authorization", "Bearer x"))),
    "two tokens, the wrong one first": (NAME, (*PLAIN, ("authorization", "Bearer x"), COMMANDER[1])),
    "two content-types, the wrong one first": (NAME, (*typed("text/plain"), *COMMANDER)),
    "two accepts": (NAME, (*taking("text/html"), ("accept", JSON), COMMANDER[1])),
    "packed": (NAME, (*COMMANDER, ("content-encoding", "gzip"))),
    "not packed, and said so": (NAME, (*COMMANDER, ("content-encoding", "identity"))),
    "a stream": (NAME, (*taking(EVENTS), COMMANDER[1])),
    "parts": (NAME, (*taking("multipart/mixed"), COMMANDER[1])),
    "nothing that there is": (NAME, (*taking("text/html"), COMMANDER[1])),
    "not wanted": (NAME, (*taking(f"{JSON};q=0"), COMMANDER[1])),
    "a long accept": (NAME, (*taking(f"{JSON}, a/b{'b' * LONG}"), COMMANDER[1])),
    "too long": ({**NAME, "extensions": {"a": "x" * LIMIT}}, COMMANDER),
    "no JSON": (b"{", COMMANDER),
    "null": (b"null", COMMANDER),
    "a number": (b"1", COMMANDER),
    "a list": (orjson.dumps([NAME]), COMMANDER),
    "nothing": (b"", COMMANDER),
    "bad UTF-8": (b'{"query":"{ __typename }","variables":{"a":"\xff"}}', COMMANDER),
    "half a pair": (b'{"query":"{ __typename }","variables":{"a":"\\ud800"}}', COMMANDER),
    "a number for a query": ({"query": 1}, COMMANDER),
    "a list for variables": ({**NAME, "variables": [1]}, COMMANDER),
    "a number for a name": ({**NAME, "operationName": 1}, COMMANDER),
    "no operation of that name": ({"query": TWO, "operationName": "C"}, COMMANDER),
    "no name where one is needed": ({"query": TWO}, COMMANDER),
    "an empty name": ({**NAME, "operationName": ""}, COMMANDER),
    "a document that is wrong": ({"query": "{ nothing }"}, COMMANDER),
    "a mutation": ({"query": DISMISS}, COMMANDER),
    "a subscription": ({"query": "subscription { events { __typename } }"}, COMMANDER),
    "a subscription by the newer type": (
        {"query": "subscription { events { __typename } }"},
        (*taking(GRAPHQL), COMMANDER[1]),
    ),
    "the schema": ({"query": "{ __schema { queryType { name } } }"}, COMMANDER),
    "a variable left out": (ZONES, COMMANDER),
    "null where none may be": ({**ZONES, "variables": {"n": None}}, COMMANDER),
    "a text for a number": ({**ZONES, "variables": {"n": "1"}}, COMMANDER),
    "a great number": ({**ZONES, "variables": {"n": 2**31}}, COMMANDER),
    "a greater number": ({**ZONES, "variables": {"n": 2**63}}, COMMANDER),
    "the greatest": (b'{"query":"{ __typename }","variables":{"a":' + b"9" * 500 + b"}}", COMMANDER),
    "more than is given at once": ({**ZONES, "variables": {"n": 1_000_000}}, COMMANDER),
    "less than nothing": ({**ZONES, "variables": {"n": -1}}, COMMANDER),
    "the same by the newer type": ({**ZONES, "variables": {"n": -1}}, (*taking(GRAPHQL), COMMANDER[1])),
    "a text with a NUL": ({**ZONE, "variables": {"code": "a\0b"}}, COMMANDER),
    "garbage for an id": ({**NODE, "variables": {"id": "x"}}, COMMANDER),
    "the id of no type": ({**NODE, "variables": {"id": node_id.encode("Viewer", 1)}}, COMMANDER),
    "garbage for a cursor": ({"query": PAGE, "variables": {"at": "x"}}, COMMANDER),
}


async def both(spoken: Spoken, body: bytes | dict[str, Any], headers: Headers, *, short: bool) -> Reply:
    """The answer that both ways give."""
    spoken.forget()
    before = spoken.short
    whole = await spoken.ask(body, headers)
    assert spoken.short == before
    if isinstance(body, dict):
        # Whoever was turned away has taught it nothing: it is how they ask that must be the reason, not what.
        await spoken.ask({**body, "extensions": None}, COMMANDER)
    before = spoken.short
    again = [await spoken.ask(body, headers) for _ in range(2)]
    assert again == [whole, whole]
    assert spoken.short - before == (2 if short else 0)
    return whole


async def test_both_ways_answer_alike(spoken: Spoken) -> None:
    for name, (body, headers) in SHORT.items():
        reply = await both(spoken, body, headers, short=True)
        assert (reply.status, "errors" in orjson.loads(reply.body)) == (200, False), name


async def test_what_is_wrong_is_told_the_whole_way(spoken: Spoken) -> None:
    for body, headers in WHOLE.values():
        await both(spoken, body, headers, short=False)


async def test_who_sends_no_token_goes_the_short_way_in_demo_mode_alone(
    spoken: Spoken, request: pytest.FixtureRequest
) -> None:
    demo = request.node.callspec.params["spoken"]
    reply = await both(spoken, NAME, PLAIN, short=demo)
    assert reply.status == (200 if demo else 401)


async def test_a_body_in_several_pieces_is_read_whole(spoken: Spoken) -> None:
    body = orjson.dumps(ZONE)
    expected = await both(spoken, body, COMMANDER, short=True)
    before = spoken.short
    for cuts in ((0,), (10,), (1, 20, 21), (len(body),)):
        edges = [0, *cuts, len(body)]
        parts = [body[a:b] for a, b in itertools.pairwise(edges)]
        assert await spoken.send(*chunks(*parts), headers=COMMANDER) == expected
    assert spoken.short == before


async def test_a_client_that_goes_in_the_midst_harms_nobody(spoken: Spoken) -> None:
    body = orjson.dumps(ZONE)
    expected = await both(spoken, body, COMMANDER, short=True)
    [first, _] = chunks(body[:20], body[20:])
    gone: Message = {"type": "http.disconnect"}
    for messages in ([gone], [first, gone]):
        reply = await spoken.send(*messages, headers=COMMANDER)
        assert reply.status == 400
        assert b"ended early" in reply.body
    # A server may also end what it has begun.
    for turns in range(6):
        asking = asyncio.create_task(spoken.ask(body, COMMANDER))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await spoken.ask(body, COMMANDER) == expected


async def test_a_token_that_ends_is_refused_both_ways_at_its_second(spoken: Spoken) -> None:
    headers = as_one(replace(WALL, expires_at=NOW + 10 * SECOND))
    await both(spoken, NAME, headers, short=True)
    spoken.now = NOW + 9 * SECOND
    before = spoken.short
    assert (await spoken.ask(NAME, headers)).status == 200
    assert spoken.short == before + 1
    spoken.now = NOW + 10 * SECOND
    reply = await spoken.ask(NAME, headers)
    assert (reply.status, spoken.short) == (401, before + 1)
    assert reply == await both(spoken, NAME, headers, short=False)


async def test_a_holder_who_is_gone_is_refused_both_ways(spoken: Spoken) -> None:
    headers = as_one(replace(WALL, role=Role.INSPECTOR, inspector=BADGE, expires_at=NOW + dt.timedelta(hours=1)))
    await both(spoken, NAME, headers, short=True)
    inspector: Any = models.Inspector
    gone = sa.update(inspector.__table__).where(inspector.badge == BADGE).values(badge="XS0000")
    await change(spoken.execution._database, gone)
    spoken.now = NOW + FRESH - SECOND
    await both(spoken, NAME, headers, short=True)
    spoken.now = NOW + FRESH
    before = spoken.short
    reply = await spoken.ask(NAME, headers)
    assert (reply.status, spoken.short) == (401, before)
    assert reply == await both(spoken, NAME, headers, short=False)


async def test_other_paths_and_methods_are_not_its_own(spoken: Spoken) -> None:
    await both(spoken, NAME, COMMANDER, short=True)
    before = spoken.short
    for path, method in (("/graphql/", "POST"), ("/graphql", "PUT"), ("/readyz", "POST"), ("/graphql", "GET")):
        found = list[Message]()

        async def receive() -> Message:
            return chunks(orjson.dumps(NAME))[0]

        async def take(message: Message, into: list[Message] = found) -> None:
            into.append(message)

        scope = {"type": "http", "method": method, "path": path, "root_path": "", "query_string": b"", "headers": []}
        await spoken.app(scope, receive, take)
        assert found
    assert spoken.short == before
