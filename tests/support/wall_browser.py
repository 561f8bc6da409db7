"""A wall in a browser, and the server that it shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.async_api import Browser, Page, WebSocketRoute

from tests.support.patience import PATIENCE
from tests.support.server_process import Process
from tests.support.watched_page import watched_page

# Messages of the browser about connections that the test has cut, and about rendering without a GPU.
EXPECTED = (
    "WebSocket connection to",
    "Failed to load resource",
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
    "Canvas2D",
)
# Pixels of the red of alarms (--risk-red) on the map.
RED_PIXELS = """[...document.querySelectorAll('main canvas')].reduce((total, { width, height }, i, all) => {
  const { data } = all[i].getContext('2d').getImageData(0, 0, width, height);
  let count = 0;
  for (let p = 0; p < data.length; p += 4) count += data[p] === 0xf0 && data[p + 1] === 0x52 && data[p + 2] === 0x4f;
  return total + count;
}, 0)"""
WARNING = """
mutation($input: WarningIssueInput!) {
  warningIssue(input: $input) { __typename ... on WarningIssued { cursor } }
}
"""


@dataclass
class Wall:
    """A wall in a browser, and the server that it shows."""

    page: Page
    process: Process
    token: str

    async def graph(self, query: str, **variables: Any) -> Any:
        """Ask the server as a commander."""
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.post(
                f"{self.process.address}/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {self.token}"},
            )
        return response.json()["data"]

    async def warn(self, headline: str, level: str = "YELLOW") -> None:
        zone = (await self.graph("{ zones { id } }"))["zones"][0]["id"]
        answer = await self.graph(WARNING, input={"zone": zone, "kind": "HEAT", "level": level, "headline": headline})
        assert answer["warningIssue"]["__typename"] == "WarningIssued"

    def row(self, text: str) -> Any:
        return self.page.get_by_label("事件").get_by_role("listitem").filter(has_text=text)


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    """Wait until the condition is true. The page's policy forbids `wait_for_function`."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.1)


@asynccontextmanager
async def wall_on(
    browser: Browser,
    process: Process,
    token: str,
    path: str = "/wall/",
    connect: Callable[[WebSocketRoute], None] | None = None,
    **options: Any,
) -> AsyncIterator[Wall]:
    options = {"locale": "zh-CN", "timezone_id": "Europe/London", "color_scheme": "dark", **options}
    async with watched_page(browser, process.address, EXPECTED, **options) as watched:
        if connect:
            await watched.page.route_web_socket("**/graphql", connect)
        await watched.page.goto(f"{process.address}{path}")
        yield Wall(watched.page, process, token)
