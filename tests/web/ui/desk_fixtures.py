"""The desk as a commander sees it, in a browser with a server behind it, and the server's own answers beside it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, Route

from tests.support.fake_auth import COMMANDER, FakeAuth, commander_answers
from tests.support.server_process import Process
from tests.support.watched_page import watched_page
from tests.web.ui.conftest import REFUSALS

Ask = Callable[..., Awaitable[Any]]
OpenView = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture
def ask(served: Process) -> Ask:
    """Asks the server as a commander."""

    async def ask(query: str, **variables: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, base_url=served.address) as client:
            [token] = [v["token"] for v in (await client.get("/graphiql/viewers.json")).json()["viewers"][:1]]
            body = {"query": query, "variables": variables}
            response = await client.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})
        return response.json()["data"]

    return ask


@pytest.fixture
def desk(chromium: Browser, served: Process) -> OpenView:
    """Opens a view of the desk; the page's requests are a commander's."""

    @asynccontextmanager
    async def desk(path: str, **options: Any) -> AsyncIterator[Page]:
        async with httpx.AsyncClient(trust_env=False, base_url=served.address) as client:
            token = (await client.get("/graphiql/viewers.json")).json()["viewers"][0]["token"]

        async def as_commander(route: Route) -> None:
            await route.fallback(headers={**route.request.headers, "authorization": f"Bearer {token}"})

        auth = FakeAuth(viewer=dict(COMMANDER), answers=commander_answers())
        options = {"locale": "zh-CN", "timezone_id": "Europe/London", **options}
        async with watched_page(chromium, served.address, REFUSALS, **options) as watched:
            await auth.install(watched.page.context)
            for own in ("graphql", "register/*"):
                await watched.page.context.route(f"**/{own}", as_commander)
            await watched.page.goto(f"{served.address}{path}")
            yield watched.page

    return desk
