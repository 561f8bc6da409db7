"""Takes the pictures of the reference story: `python -m tests.support.story_pictures`, or `make pictures`."""

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, expect

from tests.support import story
from tests.support.browser import open_browser
from tests.support.server_process import serving
from tests.support.watched_page import PATIENCE
from web.settings import ROOT

FOLDER = ROOT / "docs" / "pictures"
SETTLED = 2_500  # milliseconds for the map to come to rest


async def take(name: str, page: Page) -> None:
    await page.wait_for_timeout(SETTLED)
    await page.screenshot(path=FOLDER / f"story-{name}.png")


async def main() -> None:
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        url = f"sqlite:///{folder}/story.db"
        with serving(Path(folder) / "log", url, **story.SECRET) as process:
            async with open_browser() as browser, story.cast(browser, process, url) as cast:
                await story.begin(cast)
                await story.call_for_help(cast, take)
                await story.dispatch(cast, take)
                await story.visit(cast, take)
                await story.inspect(cast, take)
                await story.follow(cast, take)
                await story.assign(cast, take)
                await story.rectify(cast, take)
                await story.close(cast, take)


if __name__ == "__main__":
    asyncio.run(main())
