"""The application for tests over HTTP: in this process, and as a process of its own."""

import datetime as dt
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from schema.build import Graph
from tests.conftest import NOW, Databases
from tests.support.server_process import Process, serving
from web import state
from web.app import create
from web.settings import Settings

RAW = b"x-raw-query"
SECRET = SecretStr("a secret of the tests, of no use elsewhere")


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Collect garbage after each file, so that an unclosed connection warns there and not in a later test."""
    yield
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def one_graph(graph: Graph) -> Iterator[None]:
    """All applications of this process share one graph: making it takes half the time of making an application."""
    with patch.object(state, "build", lambda: graph):
        yield


@asynccontextmanager
async def talking(
    settings: Settings, clock: Callable[[], dt.datetime] = lambda: NOW
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with these settings. An uncaught exception becomes a 500."""
    app = create(settings, clock)

    async def with_raw_query(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if RAW in headers:
            scope = {**scope, "query_string": bytes.fromhex(headers[RAW].decode())}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(with_raw_query, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


async def get_raw(client: httpx.AsyncClient, query: bytes, **headers: str) -> httpx.Response:
    """GET with any bytes as query string, also bytes that httpx would not send."""
    return await client.get("/graphql", headers={RAW.decode(): query.hex(), **headers})


# Not for the session: an application that runs on would be cut off and reconnect while other files test the notifier.
@pytest_asyncio.fixture(scope="module")
async def client(databases: Databases, demo_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on a copy of the demo, which tests do not change."""
    settings = Settings(
        database_url=await databases.new(demo_url),
        demo=True,
        secret=SECRET,
        # All tests together send more than one address may.
        anonymous_per_minute=0,
        failed_tokens_per_minute=1_000_000,
    )
    async with talking(settings) as client:
        yield client


@pytest.fixture(scope="session")
def served(scratch: Path) -> Iterator[Process]:
    """A server on a small demo, for tests that only read."""
    with serving(scratch / "served.log", f"sqlite:///{scratch / 'served.db'}") as process:
        yield process
