"""Huhang as a process, as `make run` starts it, for tests from outside."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import PATIENCE
from web.settings import ROOT

FEW = 60  # enterprises: enough for every page of GraphiQL's examples, and seeded in a second


@dataclass
class Process:
    """A server that is listening."""

    address: str
    popen: subprocess.Popen[bytes]
    output: Path

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop. Returns its exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self.output.read_text()


def environment(url: str, **more: str) -> dict[str, str]:
    """This process's environment without its own settings of Huhang."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUHANG_")}
    return {**own, "HUHANG_DATABASE_URL": url, "HUHANG_DEMO_ENTERPRISES": str(FEW), **more}


def web(*arguments: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m web …` to its end."""
    return subprocess.run(
        (sys.executable, "-m", "web", *arguments),
        cwd=ROOT,
        env=environment(url, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def serving(output: Path, url: str, *arguments: str, program: str = "web", **more: str) -> Iterator[Process]:
    """A server on a free port, as soon as it listens. Its output goes to the file `output`."""
    with output.open("wb") as file:
        popen = subprocess.Popen(
            (sys.executable, "-m", program, "serve", "--demo", "--port", "0", *arguments),
            cwd=ROOT,
            env=environment(url, **more),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(_address(popen, output), popen, output)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()


def _address(popen: subprocess.Popen[bytes], output: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and popen.poll() is None:
        if match := re.search(r"^The graph +(http://\S+)/graphql\n", output.read_text(), re.MULTILINE):
            return match[1]
        time.sleep(0.02)
    raise AssertionError(f"The server did not start:\n{output.read_text()}")
