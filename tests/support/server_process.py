"""Huhang as a process of its own, as `make run` starts it, for the tests that look at it from outside."""

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

from web.settings import ROOT

START_SECONDS = 60
END_SECONDS = 30  # on a machine that has much else to do; a quiet one takes 3 at the most
FEW = 60  # enterprises: enough for every page of GraphiQL's examples, and there in a second


@dataclass
class Process:
    """A server that listens."""

    address: str
    popen: subprocess.Popen[bytes]
    output: Path

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; its exit status. Raises TimeoutExpired where it does not obey in time."""
        self.popen.send_signal(number)
        return self.popen.wait(END_SECONDS)

    @property
    def said(self) -> str:
        return self.output.read_text()


def environment(url: str, **more: str) -> dict[str, str]:
    """This process's environment, without the settings of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUHANG_")}
    return {**own, "HUHANG_DATABASE_URL": url, "HUHANG_DEMO_ENTERPRISES": str(FEW), **more}


def web(*arguments: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m web …`, to its end."""
    return subprocess.run(
        (sys.executable, "-m", "web", *arguments),
        cwd=ROOT,
        env=environment(url, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@contextmanager
def serving(output: Path, url: str, *arguments: str, program: str = "web", **more: str) -> Iterator[Process]:
    """A server on a free port, from when it says where it listens. What it says is kept in the file `output`."""
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
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and popen.poll() is None:
        if found := re.search(r"^The graph +(http://\S+)/graphql\n", output.read_text(), re.MULTILINE):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"The server did not start:\n{output.read_text()}")
