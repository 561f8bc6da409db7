"""The built pages in a browser, with an /auth that the test decides about."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.browser import open_browser
from tests.support.fake_auth import FakeAuth
from tests.support.server_process import Process
from tests.support.watched_page import PATIENCE, watched_page
from web.pages import PAGES

# The browser reports every answer of 400 and more, and every request without an answer. Those are the tests' own.
REFUSALS = ("Failed to load resource", "ERR_CONNECTION_REFUSED")

expect.set_options(timeout=PATIENCE)

Open = Callable[..., AbstractAsyncContextManager[Page]]


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser, served: Process) -> Open:
    """Opens a page of the server, for example `async with visit("/signin/", FakeAuth()) as page`.

    Asserts at the end that the page had no error and no request to elsewhere. `options` go to the browser's context.
    """
    assert (PAGES / "pages").is_dir(), "The pages are not built: make setup"

    @asynccontextmanager
    async def visit(path: str, auth: FakeAuth, **options: Any) -> AsyncIterator[Page]:
        options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "color_scheme": "dark", **options}
        async with watched_page(chromium, served.address, REFUSALS, **options) as watched:
            await auth.install(watched.page.context)
            # Time goes on as usual, until a test holds it or lets it jump.
            await watched.page.clock.install()
            await watched.page.goto(f"{served.address}{path}")
            yield watched.page

    return visit
