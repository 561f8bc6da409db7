"""What happens while a stream over HTTP opens: its holder goes, or the stream that an operation was for."""

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
class Office:
    """The application in this process, spoken to below its server: a body arrives when the test says."""

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
async def office(databases: Databases, migrated_url: str) -> AsyncIterator[Office]:
    url, _ = await small_district(databases, migrated_url)
    app = create(Settings(database_url=url, secret=SecretStr(SECRET)))
    endpoint = app.graphql
    [reserved] = [route for route in app.routes if isinstance(route, Route) and route.path == "/graphql/stream"]
    reserved_endpoint = reserved.endpoint.__self__  # type: ignore[attr-defined]  # a method
    database = Database(url)
    async with app.router.lifespan_context(app):
        yield Office(endpoint, reserved_endpoint, database)
    await database.close()


async def whole(said: Any) -> AsyncIterator[bytes]:
    yield orjson.dumps(said)


@pytest.mark.parametrize("role", [Role.INSPECTOR, Role.ENTERPRISE])
async def test_who_goes_while_their_stream_opens_gets_none(
    office: Office, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, prepare = office.endpoint, LiveStreams.prepare
    if role is Role.INSPECTOR:
        leave = sa.update(INSPECTOR).where(INSPECTOR.c.badge == "b0").values(badge="another")
    else:
        leave = sa.update(ENTERPRISE).where(ENTERPRISE.c.external_id == "e0").values(external_id="another")

    async def prepared(self: LiveStreams, *given: Any) -> PreparedStream:
        prepared_stream = await prepare(self, *given)
        async with office.database.write() as session:
            await session.execute(leave)
        await endpoint._authenticator.recheck()  # as the feed does before it hands an event out
        return prepared_stream

    monkeypatch.setattr(LiveStreams, "prepare", prepared)
    response = await office.ask("POST", "/graphql", whole({"query": ALL}), role=role)
    assert response.status == 401
    assert endpoint._authenticator.sessions == set()
    assert endpoint._live.feed.memberships == {}


@pytest.mark.parametrize("query", [ALL, "{ viewer { role } }"])
async def test_an_operation_whose_stream_has_gone_while_it_was_sent_does_not_begin(office: Office, query: str) -> None:
    endpoint, half, gone = office.reserved_endpoint, asyncio.Event(), asyncio.Event()
    said = orjson.dumps({"query": query, "extensions": {"operationId": "1"}})

    async def slowly() -> AsyncIterator[bytes]:
        yield said[:10]
        half.set()
        await gone.wait()
        yield said[10:]

    token = bytes((await office.ask("PUT", "/graphql/stream")).body).decode()
    stream = await office.ask("GET", "/graphql/stream", token=token)
    assert isinstance(stream, StreamResponse)
    [reserved] = endpoint._streams.values()
    asking = asyncio.create_task(office.ask("POST", "/graphql/stream", slowly(), token=token))
    await half.wait()
    stream.on_end()
    gone.set()
    assert (await asking).status == 404
    assert reserved.operations == {}
    assert endpoint._live.feed.memberships == {}
