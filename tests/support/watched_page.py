"""A page in a browser that reaches nothing but one server, with everything that it complained about."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Request, Route

# A proxy that does not exist, so nothing outside of this machine can be reached.
NOBODY = "http://127.0.0.1:9"
PATIENCE = 180_000  # milliseconds; it only ends a hang


class WatchedPage:
    """A page, with its requests to elsewhere and its complaints."""

    def __init__(self, page: Page, address: str, expected: Sequence[str]) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._expected = expected
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        # A request that the page aborts when it is left has not failed.
        if request.failure != "net::ERR_ABORTED":
            self._hear("error", f"{request.url}: {request.failure}")

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self._expected):
            self.complaints.append(text)

    async def only_here(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in ("http", "https", "ws", "wss") and f"http://{url.netloc}" != self.address:
            self.foreign.append(route.request.url)
            await route.abort()
        else:
            await route.fallback()


@asynccontextmanager
async def watched_page(
    browser: Browser, address: str, expected: Sequence[str] = (), **options: Any
) -> AsyncIterator[WatchedPage]:
    """An empty page of a fresh context. Afterwards asserts that it had no complaint and no request to elsewhere.

    `expected` has parts of messages that are no complaint. `options` go to the context.
    """
    proxy: Any = {"server": NOBODY, "bypass": "localhost,127.0.0.1"}
    context = await browser.new_context(proxy=proxy, **{"viewport": {"width": 1440, "height": 900}, **options})
    context.set_default_timeout(PATIENCE)
    try:
        watched = WatchedPage(await context.new_page(), address, expected)
        await context.route("**/*", watched.only_here)
        yield watched
    finally:
        await context.close()
    assert watched.foreign == []
    assert watched.complaints == [], watched.complaints
