"""Deadlines of streams: the initialisation of a socket, and the expiry of a token.

The server runs in this process. Its clock stands still, so a token is valid until the timer of its stream ends it,
however slow the machine is.
"""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from websockets.asyncio.client import connect

from models.visibility import Role
from tests.conftest import NOW, Databases
from tests.support.in_process_server import serve
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, PROTOCOL, SECRET, Socket, small_district
from web.app import create
from web.auth.tokens import Claims, Tokens
from web.graphql import close_codes, websocket
from web.settings import Settings

MOMENT = 0.5  # seconds


@pytest_asyncio.fixture
async def address(databases: Databases, migrated_url: str) -> AsyncIterator[str]:
    """Host and port of a server whose clock stands at NOW."""
    url, _ = await small_district(databases, migrated_url)
    app = create(Settings(database_url=url, demo=True, secret=SecretStr(SECRET)), lambda: NOW)
    async with serve(app, lifespan="on", timeout_graceful_shutdown=1) as port:
        yield f"127.0.0.1:{port}"


def expiring_token() -> str:
    claims = Claims(Role.COMMANDER, NOW + dt.timedelta(seconds=1), subject="commander")
    return Tokens(SECRET).make(claims)


async def closed(address: str, token: str | None) -> tuple[int, str]:
    """How the server closes a socket, which initialises itself only with a token."""
    options: dict[str, Any] = {"subprotocols": [PROTOCOL], "compression": None, "open_timeout": PATIENCE}
    async with connect(f"ws://{address}/graphql", ping_interval=None, **options) as connection:
        socket = Socket(connection)
        if token is not None:
            await socket.init(Authorization=f"Bearer {token}")
        close = await socket.closed()
        return close.code, close.reason


async def test_a_socket_without_init_is_closed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_SECONDS", MOMENT)
    expected = close_codes.INIT_TIMEOUT
    assert await closed(address, None) == (expected.code, expected.reason)


async def test_a_socket_is_closed_when_its_token_expires(address: str) -> None:
    expected = close_codes.EXPIRED
    assert await closed(address, expiring_token()) == (expected.code, expected.reason)


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed"])
async def test_a_stream_ends_without_complete_when_its_token_expires(address: str, accept: str) -> None:
    headers = {"authorization": f"Bearer {expiring_token()}", "accept": accept}
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=PATIENCE) as client:
        response = await client.post("/graphql", json={"query": ALL})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(accept)
    assert "complete" not in response.text
    assert "--graphql--" not in response.text
