"""A reply does not depend on what is cached: the status, headers and bytes are the same, and so are refusals.

Each request is sent to an application that has no operation cached, and then again.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from starlette.types import Message, Scope

import models
from models.db.database import Database
from models.visibility import Role
from schema.execution.executor import Executor
from schema.types import node_id
from tests.conftest import NOW, Databases
from tests.support.actors import change
from tests.support.tokens import BADGE, NAMED, OTHER_TOKENS, TOKENS, WALL
from tests.web.conftest import SECRET
from web.app import create
from web.auth.sessions import FRESH
from web.auth.tokens import Claims
from web.graphql.negotiation import CACHED_LENGTH, GRAPHQL, JSON
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
HOST = (b"host", b"localhost")


def sending(content_type: str) -> Headers:
    return (("content-type", content_type),)


def accepting(accept: str) -> Headers:
    return (*PLAIN, ("accept", accept))


def bearing(claims: Claims) -> Headers:
    return (*PLAIN, ("authorization", f"Bearer {TOKENS.make(claims)}"))


REQUEST_ID = (b"x-request-id", b"same")  # so that equal replies have equal ids


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass
class Application:
    """The application on a clock of its own, called as a server calls it."""

    app: Any
    executor: Executor
    database: Database
    now: dt.datetime = NOW

    @property
    def served(self) -> int:
        """How many operations were answered by plan."""
        assert self.executor.plans is not None
        return self.executor.plans.served

    def forget(self) -> None:
        """Empty the cache of operations."""
        self.executor.documents.cache.clear()

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
            "headers": [HOST, REQUEST_ID, *((name.encode(), value.encode("latin-1")) for name, value in headers)],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        incoming, outgoing = list(messages), list[Message]()

        async def receive() -> Message:
            if incoming:
                return incoming.pop(0)
            await asyncio.Event().wait()  # like a client that stays connected and silent
            raise AssertionError

        async def send(message: Message) -> None:
            outgoing.append(message)

        await self.app(scope, receive, send)
        [start] = [m for m in outgoing if m["type"] == "http.response.start"]
        return Reply(start["status"], list(start["headers"]), b"".join(m.get("body", b"") for m in outgoing))

    async def ask(self, body: bytes | dict[str, Any], headers: Headers = PLAIN) -> Reply:
        return await self.send(*chunks(body if isinstance(body, bytes) else orjson.dumps(body)), headers=headers)


def chunks(*parts: bytes) -> list[Message]:
    last = len(parts) - 1
    return [{"type": "http.request", "body": part, "more_body": i < last} for i, part in enumerate(parts)]


@pytest_asyncio.fixture(params=[True, False], ids=["demo", "guarded"])
async def application(
    request: pytest.FixtureRequest, databases: Databases, demo_url: str
) -> AsyncIterator[Application]:
    url = await databases.new(demo_url)
    settings = Settings(
        database_url=url, demo=request.param, secret=SECRET, body_limit=LIMIT, failed_tokens_per_minute=1_000_000
    )
    subject: Application | None = None
    app = create(settings, lambda: NOW if subject is None else subject.now)
    endpoint = app.graphql
    # The tokens of these tests are signed and not issued, which only a demo accepts otherwise.
    endpoint._admission.authenticator._demo = True
    executor: Executor = endpoint._operations.executor
    subject = Application(app, executor, executor._database)
    async with app.router.lifespan_context(app):
        yield subject


COMMANDER = bearing(NAMED)
PLANNED: dict[str, tuple[bytes | dict[str, Any], Headers]] = {
    "plain": (NAME, COMMANDER),
    "variables": (ZONE, COMMANDER),
    "variables are null": ({**NAME, "variables": None, "extensions": None, "operationName": None}, COMMANDER),
    "an operation by its name": ({"query": TWO, "operationName": "B", "variables": {"code": "GUALI"}}, COMMANDER),
    "a page": ({"query": PAGE, "variables": {"n": 3}}, COMMANDER),
    "an extension that nobody knows": ({**NAME, "extensions": {"a": [1]}}, COMMANDER),
    "a row that is not there": ({**ZONE, "variables": {"code": "none"}}, COMMANDER),
    "an odd text": ({**ZONE, "variables": {"code": "'; %_\\ 𝕳"}}, COMMANDER),
    "a variable that is not asked for": ({**NAME, "variables": {"huge": 2**63, "nul": "a\0b"}}, COMMANDER),
    "a screen": (NAME, bearing(WALL)),
    "an inspector": ({"query": PAGE}, bearing(replace(WALL, role=Role.INSPECTOR, inspector=BADGE))),
    "who asks": ({"query": "{ viewer { role name } }"}, COMMANDER),
    "a small scheme": (NAME, (*PLAIN, ("authorization", f"bearer  {TOKENS.make(NAMED)} "))),
    "charset": (NAME, (*sending("application/json; charset=utf-8"), COMMANDER[1])),
    "charset in capitals": (NAME, (*sending('APPLICATION/JSON;charset="UTF-8"'), COMMANDER[1])),
    "the newer type": (NAME, (*accepting(GRAPHQL), COMMANDER[1])),
    "the newer type before": (NAME, (*accepting(f"{JSON};q=0.9, {GRAPHQL}, {EVENTS}"), COMMANDER[1])),
    "anything": (NAME, (*accepting("*/*"), COMMANDER[1])),
    "an empty accept": (NAME, (*accepting(""), COMMANDER[1])),
    "a header twice that does not matter": (NAME, (*COMMANDER, ("x-a", "1"), ("x-a", "2"))),
    "two content-types": (NAME, (*COMMANDER, ("content-type", "text/plain"))),
    "two tokens": (NAME, (*COMMANDER, ("authorization", "Bearer x"))),
    "not packed, and said so": (NAME, (*COMMANDER, ("content-encoding", "identity"))),
    "a mutation": ({"query": DISMISS}, COMMANDER),
    "a long accept": (NAME, (*accepting(f"{JSON}, a/b{'b' * CACHED_LENGTH}"), COMMANDER[1])),
}
STREAMED: dict[str, tuple[bytes | dict[str, Any], Headers]] = {
    "a stream": (NAME, (*accepting(EVENTS), COMMANDER[1])),
    "parts": (NAME, (*accepting("multipart/mixed"), COMMANDER[1])),
}
ZONES = {"query": "query N($n: Int!) { hazards(first: $n) { totalCount } }"}
NODE = {"query": "query N($id: ID!) { node(id: $id) { id } }"}
UNPLANNED: dict[str, tuple[bytes | dict[str, Any], Headers]] = {
    "another's token": (NAME, (*PLAIN, ("authorization", f"Bearer {OTHER_TOKENS.make(WALL)}"))),
    "a token that has ended": (NAME, bearing(replace(WALL, expires_at=NOW))),
    "garbage for a token": (NAME, (*PLAIN, ("authorization", "Bearer \xff"))),
    "no token": (NAME, (*PLAIN, ("authorization", "Bearer "))),
    "an empty authorization": (NAME, (*PLAIN, ("authorization", ""))),
    "another scheme": (NAME, (*PLAIN, ("authorization", f"Basic {TOKENS.make(WALL)}"))),
    "a badge that nobody has": (NAME, bearing(replace(WALL, role=Role.INSPECTOR, inspector="XS0000"))),
    "latin-1": (NAME, (*sending("application/json; charset=latin-1"), COMMANDER[1])),
    "no content-type": (NAME, COMMANDER[1:]),
    "a form": (NAME, (*sending("application/x-www-form-urlencoded"), COMMANDER[1])),
    "two tokens, the wrong one first": (NAME, (*PLAIN, ("authorization", "Bearer x"), COMMANDER[1])),
    "two content-types, the wrong one first": (NAME, (*sending("text/plain"), *COMMANDER)),
    "two accepts": (NAME, (*accepting("text/html"), ("accept", JSON), COMMANDER[1])),
    "packed": (NAME, (*COMMANDER, ("content-encoding", "gzip"))),
    "nothing that there is": (NAME, (*accepting("text/html"), COMMANDER[1])),
    "not wanted": (NAME, (*accepting(f"{JSON};q=0"), COMMANDER[1])),
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
    "a subscription": ({"query": "subscription { events { __typename } }"}, COMMANDER),
    "a subscription by the newer type": (
        {"query": "subscription { events { __typename } }"},
        (*accepting(GRAPHQL), COMMANDER[1]),
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
    "the same by the newer type": ({**ZONES, "variables": {"n": -1}}, (*accepting(GRAPHQL), COMMANDER[1])),
    "a text with a NUL": ({**ZONE, "variables": {"code": "a\0b"}}, COMMANDER),
    "garbage for an id": ({**NODE, "variables": {"id": "x"}}, COMMANDER),
    "the id of no type": ({**NODE, "variables": {"id": node_id.encode("Viewer", 1)}}, COMMANDER),
    "garbage for a cursor": ({"query": PAGE, "variables": {"at": "x"}}, COMMANDER),
}


async def reply_to(application: Application, body: bytes | dict[str, Any], headers: Headers, *, planned: bool) -> Reply:
    """The reply, which is the same while nothing is cached and later on. `planned` says whether a plan gives it."""
    application.forget()
    before = application.served
    first = await application.ask(body, headers)
    again = [await application.ask(body, headers) for _ in range(2)]
    assert again == [first, first]
    assert application.served - before == (3 if planned else 0)
    if isinstance(body, dict) and not planned:
        # Another request with the same operation, which is valid in itself, may have put it into the cache.
        await application.ask({**body, "extensions": None}, COMMANDER)
        assert await application.ask(body, headers) == first
    return first


async def test_a_plan_gives_the_same_reply_cold_and_cached(application: Application) -> None:
    for name, (body, headers) in PLANNED.items():
        reply = await reply_to(application, body, headers, planned=True)
        assert (reply.status, "errors" in orjson.loads(reply.body)) == (200, False), name


async def test_a_single_response_as_a_stream_is_the_same_cold_and_cached(application: Application) -> None:
    for name, (body, headers) in STREAMED.items():
        reply = await reply_to(application, body, headers, planned=True)
        assert (reply.status, b"errors" in reply.body) == (200, False), name


async def test_a_refusal_is_the_same_cold_and_cached(application: Application) -> None:
    for name, (body, headers) in UNPLANNED.items():
        reply = await reply_to(application, body, headers, planned=False)
        assert (b'"errors"' in reply.body) is (name != "the schema"), name


async def test_without_a_token_only_demo_mode_answers(application: Application, request: pytest.FixtureRequest) -> None:
    demo = request.node.callspec.params["application"]
    reply = await reply_to(application, NAME, PLAIN, planned=demo)
    assert reply.status == (200 if demo else 401)


async def test_a_body_in_several_chunks_is_read_whole(application: Application) -> None:
    body = orjson.dumps(ZONE)
    expected = await reply_to(application, body, COMMANDER, planned=True)
    for cuts in ((0,), (10,), (1, 20, 21), (len(body),)):
        edges = [0, *cuts, len(body)]
        parts = [body[a:b] for a, b in itertools.pairwise(edges)]
        assert await application.send(*chunks(*parts), headers=COMMANDER) == expected


async def test_a_client_that_disconnects_early_affects_nobody_else(application: Application) -> None:
    body = orjson.dumps(ZONE)
    expected = await reply_to(application, body, COMMANDER, planned=True)
    [first, _] = chunks(body[:20], body[20:])
    disconnect: Message = {"type": "http.disconnect"}
    for messages in ([disconnect], [first, disconnect]):
        reply = await application.send(*messages, headers=COMMANDER)
        assert reply.status == 400
        assert b"ended early" in reply.body
    # A server may also cancel a request at any point.
    for turns in range(6):
        request = asyncio.create_task(application.ask(body, COMMANDER))
        for _ in range(turns):
            await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    assert await application.ask(body, COMMANDER) == expected


async def test_a_token_is_refused_from_the_second_when_it_expires(application: Application) -> None:
    headers = bearing(replace(WALL, expires_at=NOW + 10 * SECOND))
    await reply_to(application, NAME, headers, planned=True)
    application.now = NOW + 9 * SECOND
    assert (await application.ask(NAME, headers)).status == 200
    application.now = NOW + 10 * SECOND
    reply = await application.ask(NAME, headers)
    assert reply.status == 401
    assert reply == await reply_to(application, NAME, headers, planned=False)


async def test_a_token_whose_holder_has_gone_is_refused_once_it_is_looked_up_again(application: Application) -> None:
    headers = bearing(replace(WALL, role=Role.INSPECTOR, inspector=BADGE, expires_at=NOW + dt.timedelta(hours=1)))
    await reply_to(application, NAME, headers, planned=True)
    inspector: Any = models.Inspector
    gone = sa.update(inspector.__table__).where(inspector.badge == BADGE).values(badge="XS0000")
    await change(application.database, gone)
    application.now = NOW + FRESH - SECOND
    await reply_to(application, NAME, headers, planned=True)
    application.now = NOW + FRESH
    reply = await application.ask(NAME, headers)
    assert reply.status == 401
    assert reply == await reply_to(application, NAME, headers, planned=False)


async def test_other_paths_and_methods_do_not_execute_a_body(application: Application) -> None:
    await reply_to(application, NAME, COMMANDER, planned=True)
    before = application.served
    for path, method in (("/graphql/", "POST"), ("/graphql", "PUT"), ("/readyz", "POST"), ("/graphql", "GET")):
        outgoing = list[Message]()

        async def receive() -> Message:
            return chunks(orjson.dumps(NAME))[0]

        async def send(message: Message, into: list[Message] = outgoing) -> None:
            into.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": b"",
            "headers": [HOST],
        }
        await application.app(scope, receive, send)
        assert outgoing
    assert application.served == before
