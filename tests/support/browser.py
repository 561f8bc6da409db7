"""Finds or fetches a Chromium for the tests of pages.

`python -m tests.support.browser` does so and prints which one it chose. Every step has a time-out, so on a machine
without a network it fails with a clear message instead of waiting.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.async_api import Browser, async_playwright

SETTING = "HUHANG_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/usr/bin/chromium",
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

# They stop the browser from sending requests of its own, and let it run as root in a container.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

STANDARD_ERROR = 2

ANSWER_SECONDS = 30
DOWNLOAD_SECONDS = 300
UPDATE_SECONDS = 120
INSTALL_SECONDS = 600


class BrowserMissing(RuntimeError):
    """No Chromium was found or could be fetched."""


@dataclass(frozen=True)
class Chromium:
    """A browser that has printed its version."""

    path: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"{self.path} ({self.version}; {self.origin})"


@cache
def chromium() -> Chromium:
    """The browser to use, downloaded if the machine has none. Raises BrowserMissing."""
    if chosen := os.environ.get(SETTING):
        # It was named on purpose, so no other may replace it.
        if browser := _answering(Path(chosen), f"named by {SETTING}"):
            return browser
        raise BrowserMissing(f"{SETTING} is {chosen}, which does not run as a browser.")
    if browser := _on_this_machine("on this machine") or _of_playwright("downloaded before by Playwright"):
        return browser

    _say("No Chromium on this machine. Downloading Playwright's.")
    downloaded = _succeeds((sys.executable, "-m", "playwright", "install", "chromium"), DOWNLOAD_SECONDS)
    if downloaded and (browser := _of_playwright("just downloaded by Playwright")):
        return browser
    if _may_use_apt():
        _say("That did not work. Installing Debian's.")
        if browser := _by_apt():
            return browser
    raise BrowserMissing(
        f"No Chromium was found or could be fetched. Install Chromium or Chrome, or name one in {SETTING}."
    )


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A running browser with a fresh profile, deleted at the end of the block."""
    chosen = await asyncio.to_thread(chromium)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chosen.path, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


def _on_this_machine(origin: str) -> Chromium | None:
    for path in _usual_places():
        if browser := _answering(path, origin):
            return browser
    return None


def _usual_places() -> Iterator[Path]:
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path)
    yield from map(Path, PLACES)


def _of_playwright(origin: str) -> Chromium | None:
    # In a process of its own: Playwright's synchronous API refuses to start inside a running event loop.
    script = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    path = _output((sys.executable, "-c", script), ANSWER_SECONDS)
    return _answering(Path(path), origin) if path else None


def _may_use_apt() -> bool:
    return Path("/etc/debian_version").exists() and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _by_apt() -> Chromium | None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    # A stale package list may suffice, so a failed update is no reason to stop.
    _succeeds(("apt-get", "update", "-qq"), UPDATE_SECONDS, quiet)
    _succeeds(("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"), INSTALL_SECONDS, quiet)
    return _on_this_machine("just installed from Debian")


def _answering(path: Path, origin: str) -> Chromium | None:
    """The browser at a path, if it runs. Some distributions put a stub there that only prints how to install one."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return None
    version = _output((str(path), "--version"), ANSWER_SECONDS)
    return Chromium(path, version, origin) if version else None


def _output(command: Sequence[str], seconds: float) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _succeeds(command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a command succeeds in time. Its output goes to standard error, since these steps may take minutes."""
    try:
        # A session of its own, so that processes that the command started can be ended with it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=STANDARD_ERROR,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        _say(f"Gave up after {seconds:.0f} seconds: {' '.join(command)}")
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(f"Browser for the tests: {chromium()}")
    except BrowserMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
