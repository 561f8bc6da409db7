"""Events while a stream over HTTP opens: its token is revoked, or the stream of an operation ends."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.requests import Request
from starlette.routing import Route

import models
from models.clock import now
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role
from schema.live.streams import LiveStreams, PreparedStream
from tests.conftest import Databases
from tests.support.stream_clients import ALL, SECRET, small_district
from web.app import create
from web.auth.tokens import Claims, Tokens
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.sse import StreamResponse
from web.graphql.sse_single import TOKEN, ReservedEndpoint
from web.settings import Settings

pytestmark = pytest.mark.database_independent

INSPECTOR = table_of(models.Inspector)
ENTERPRISE = table_of(models.Enterprise)
TTL = dt.timedelta(hours=1)


@dataclass
class Endpoints:
    """The endpoints of the application in this process. The test decides when a body arrives."""

    endpoint: GraphQLEndpoint
    reserved_endpoint: ReservedEndpoint
    database: Database

    async def ask(
        self,
        method: str,
        path: str,
        body: AsyncIterator[bytes] | None = None,
        *,
        role: Role = Role.COMMANDER,
        token: str = "",
    ) -> Any:
        claims = Claims(role, now() + TTL, subject="s", inspector="b0", enterprise="e0")
        headers = {
            "authorization": f"Bearer {Tokens(SECRET).make(claims)}",
            "content-type": "application/json",
            "accept": "text/event-stream",
            TOKEN: token,
        }

        async def receive() -> dict[str, Any]:
            assert body is not None
            chunk = await anext(body, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}
        if path == "/graphql":
            return await self.endpoint.respond(scope, receive)
        return await self.reserved_endpoint.respond(Request(scope, receive))


@pytest_asyncio.fixture
async def endpoints(databases: Databases, migrated_url: str) -> AsyncIterator[Endpoints]:
    url, _ = await small_district(databases, migrated_url)
    app = create(Settings(database_url=url, demo=True, secret=SecretStr(SECRET)))
    endpoint = app.graphql
    [reserved] = [route for route in app.routes if isinstance(route, Route) and route.path == "/graphql/stream"]
    reserved_endpoint = reserved.endpoint.__self__  # type: ignore[attr-defined]  # a method
    database = Database(url)
    async with app.router.lifespan_context(app):
        yield Endpoints(endpoint, reserved_endpoint, database)
    await database.close()


async def in_one_chunk(body: Any) -> AsyncIterator[bytes]:
    yield orjson.dumps(body)


@pytest.mark.parametrize("role", [Role.INSPECTOR, Role.ENTERPRISE])
async def test_a_token_revoked_while_its_stream_opens_is_refused(
    endpoints: Endpoints, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, prepare = endpoints.endpoint, LiveStreams.prepare
    if role is Role.INSPECTOR:
        leave = sa.update(INSPECTOR).where(INSPECTOR.c.badge == "b0").values(badge="another")
    else:
        leave = sa.update(ENTERPRISE).where(ENTERPRISE.c.external_id == "e0").values(external_id="another")

    async def revoking_prepare(self: LiveStreams, *arguments: Any) -> PreparedStream:
        stream = await prepare(self, *arguments)
        async with endpoints.database.write() as session:
            await session.execute(leave)
        await endpoint._admission.authenticator.recheck()  # as the feed does before it hands an event out
        return stream

    monkeypatch.setattr(LiveStreams, "prepare", revoking_prepare)
    response = await endpoints.ask("POST", "/graphql", in_one_chunk({"query": ALL}), role=role)
    assert response.status == 401
    assert endpoint._admission.authenticator.sessions == set()
    assert endpoint._live.feed.memberships == {}


@pytest.mark.parametrize("query", [ALL, "{ viewer { role } }"])
async def test_an_operation_whose_stream_ended_while_it_arrived_does_not_begin(
    endpoints: Endpoints, query: str
) -> None:
    endpoint, half_sent, ended = endpoints.reserved_endpoint, asyncio.Event(), asyncio.Event()
    body = orjson.dumps({"query": query, "extensions": {"operationId": "1"}})

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:10]
        half_sent.set()
        await ended.wait()
        yield body[10:]

    token = bytes((await endpoints.ask("PUT", "/graphql/stream")).body).decode()
    stream = await endpoints.ask("GET", "/graphql/stream", token=token)
    assert isinstance(stream, StreamResponse)
    [reserved] = endpoint._streams.values()
    request = asyncio.create_task(endpoints.ask("POST", "/graphql/stream", slowly(), token=token))
    await half_sent.wait()
    stream.on_end()
    ended.set()
    assert (await request).status == 404
    assert reserved.operations == {}
    assert endpoint._live.feed.memberships == {}
