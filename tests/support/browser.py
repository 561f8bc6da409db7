"""A Chromium for the tests that look at pages: found on the machine, or else fetched.

`python -m tests.support.browser` sees to it and says which one it took. Each step has an end in time, so that a machine
without a network gets a plain answer and not a wait.
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

# What keeps a test's browser from asking anything of anybody by itself, and lets it run as root in a container.
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
    """No Chromium was found, and none could be fetched."""


@dataclass(frozen=True)
class Chromium:
    """A browser that has answered to its name."""

    path: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"{self.path} ({self.version}; {self.origin})"


@cache
def chromium() -> Chromium:
    """The browser to use; fetches one when the machine has none."""
    if chosen := os.environ.get(SETTING):
        # Named on purpose: another one in its place would be a surprise.
        if found := _answering(Path(chosen), f"named by {SETTING}"):
            return found
        raise BrowserMissing(f"{SETTING} is {chosen}, which does not run as a browser.")
    if found := _on_this_machine("on this machine") or _of_playwright("downloaded before by Playwright"):
        return found

    _say("No Chromium on this machine. Downloading Playwright's.")
    downloaded = _succeeds((sys.executable, "-m", "playwright", "install", "chromium"), DOWNLOAD_SECONDS)
    if downloaded and (found := _of_playwright("just downloaded by Playwright")):
        return found
    if _may_use_apt():
        _say("That did not work. Installing Debian's.")
        if found := _by_apt():
            return found
    raise BrowserMissing(
        f"No Chromium was found or could be fetched. Install Chromium or Chrome, or name one in {SETTING}."
    )


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A running browser with a fresh profile, gone with all it wrote when the block ends."""
    found = await asyncio.to_thread(chromium)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found.path, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


def _on_this_machine(origin: str) -> Chromium | None:
    for path in _usual_places():
        if found := _answering(path, origin):
            return found
    return None


def _usual_places() -> Iterator[Path]:
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path)
    yield from map(Path, PLACES)


def _of_playwright(origin: str) -> Chromium | None:
    # In a process of its own: Playwright's synchronous interface refuses to start within a running event loop.
    where = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    path = _output((sys.executable, "-c", where), ANSWER_SECONDS)
    return _answering(Path(path), origin) if path else None


def _may_use_apt() -> bool:
    return Path("/etc/debian_version").exists() and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _by_apt() -> Chromium | None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    # A list that is a little old may do, so a failed update is no reason to stop.
    _succeeds(("apt-get", "update", "-qq"), UPDATE_SECONDS, quiet)
    _succeeds(("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"), INSTALL_SECONDS, quiet)
    return _on_this_machine("just installed from Debian")


def _answering(path: Path, origin: str) -> Chromium | None:
    """The browser at a path if it runs: some distributions put a stub there that only tells how to get one."""
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
    """Whether a command ends well in time. What it prints goes to standard error, for these steps may take minutes."""
    try:
        # A session of its own, so that what the command has started ends with it.
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
