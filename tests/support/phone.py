"""A phone with the field page: a browser with a folder of its own that dies at any moment, on a network that fails."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from playwright.async_api import BrowserContext, Error, Page, Playwright, Route

from tests.support.browser import FLAGS, chromium
from tests.support.watched_page import NOBODY
from tests.support.watched_page import PATIENCE as MILLISECONDS

# The page's clock is off; the clock of the browser itself is not.
CLOCK = """(() => { const True = Date; const off = %d;
  globalThis.Date = class extends True {
    constructor(...given) { if (given.length) super(...given); else super(True.now() + off); }
    static now() { return True.now() + off; }
  }; })()"""
ROWS = """name => new Promise((resolve, reject) => {
  const opening = indexedDB.open('huhang-field');
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const all = opening.result.transaction(name).objectStore(name).getAll();
    all.onsuccess = () => {
      resolve(all.result.map(({ data, ...row }) => row));
      opening.result.close();
    };
  };
})"""
THIRD_GENERATION = {"offline": False, "latency": 200, "downloadThroughput": 93_750, "uploadThroughput": 31_250}


class Phone:
    """One person's phone. Its clock is `hours` ahead, and `loss` is the part of requests whose answers never come."""

    def __init__(
        self, playwright: Playwright, folder: Path, address: str, name: str, password: str, *, hours: int, loss: float
    ) -> None:
        self._playwright, self._folder, self._address = playwright, folder, address
        self._name, self._password, self._hours, self._loss = name, password, hours, loss
        self._random = Random(name)
        self.lost = self.deaths = 0
        self.context: BrowserContext
        self.page: Page

    async def open(self, *, online: bool) -> None:
        """Start the browser and open the page, without a network from what it has kept."""
        options: Any = {"proxy": {"server": NOBODY, "bypass": "localhost,127.0.0.1"}, "locale": "zh-CN"}
        options |= {"viewport": {"width": 390, "height": 844}, "timezone_id": "Asia/Shanghai"}
        path = (await asyncio.to_thread(chromium)).path
        launch = self._playwright.chromium.launch_persistent_context
        self.context = await launch(self._folder, executable_path=path, headless=True, args=FLAGS, **options)
        self.context.set_default_timeout(MILLISECONDS)
        await self.context.add_init_script(CLOCK % (self._hours * 3_600_000))
        self.page = self.context.pages[0]
        if online:
            await self.sign_in()
        else:
            await self.context.set_offline(True)
        await self.page.goto(f"{self._address}/field/")

    async def sign_in(self) -> None:
        data, origin = {"name": self._name, "password": self._password}, {"origin": self._address}
        answer = await self.context.request.post(f"{self._address}/auth/sign-in", data=data, headers=origin)
        assert answer.ok, await answer.text()

    async def keep_page(self) -> None:
        """Wait until the page opens without a network."""
        await self.page.evaluate("navigator.serviceWorker.ready.then(() => null)")

    async def bad_network(self, *, slow: bool) -> None:
        """From now on there is a network, on which some requests and some answers get lost."""
        await self.context.route("**/*", self._lose)
        if slow:
            session = await self.context.new_cdp_session(self.page)
            await session.send("Network.emulateNetworkConditions", THIRD_GENERATION)
        await self.context.set_offline(False)

    async def _lose(self, route: Route) -> None:
        fate = self._random.random()
        if fate >= self._loss:
            return await route.fallback()
        self.lost += 1
        try:
            if fate < self._loss / 2:
                await route.fetch()
            await route.abort("connectionreset")
        except Error:
            pass  # the phone died, or the server

    async def die(self) -> None:
        """Kill the browser, as an empty battery does."""
        self.deaths += 1
        await asyncio.to_thread(kill_browser, self._folder)
        with contextlib.suppress(Error):
            await self.context.close()

    async def rows(self, store: str) -> list[dict[str, Any]]:
        """The rows that the page keeps in one of its stores, without the bytes."""
        rows: list[dict[str, Any]] = await self.page.evaluate(ROWS, store)
        return rows


def kill_browser(folder: Path) -> None:
    """Kill the browser that keeps its profile in this folder."""
    command = ("ps", "-axww", "-o", "pid=,command=")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for pid, _, words in (line.strip().partition(" ") for line in listed.splitlines()):
        if f"--user-data-dir={folder}" in words.split() and "--type=" not in words:
            os.kill(int(pid), signal.SIGKILL)
