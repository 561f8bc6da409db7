"""Huhang as a process of its own, for tests from outside."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked_program import ForkedProgram
from tests.support.patience import PATIENCE
from web.settings import ROOT

FEW = 60  # enterprises: enough for every page of GraphiQL's examples, and seeded in a second


SERVE = ("serve", "--demo", "--port", "0")

Program = subprocess.Popen[bytes] | ForkedProgram


@dataclass
class Process:
    """A server that is listening."""

    address: str
    popen: Program
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
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        program = ForkedProgram("web", arguments, environment(url, **more), out, err)
        try:
            status = program.wait(PATIENCE)
        finally:
            program.kill()
        return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())


@contextmanager
def serving(output: Path, url: str, *arguments: str, program: str = "web", **more: str) -> Iterator[Process]:
    """A server on a free port, as soon as it listens. Its output goes to the file `output`.

    Several workers start as new processes, so their supervisor is not forked either.
    """
    if "--workers" in arguments:
        with executed(output, url, *arguments, program=program, **more) as process:
            yield process
    else:
        words = (*SERVE, *arguments)
        with listening(ForkedProgram(program, words, environment(url, **more), output), output) as process:
            yield process


@contextmanager
def serving_without_demo(output: Path, url: str, *arguments: str, **more: str) -> Iterator[Process]:
    """A server as in earnest, on a database that is migrated and filled already. It needs HUHANG_SECRET."""
    words = [word for word in SERVE if word != "--demo"]
    program = ForkedProgram("web", [*words, *arguments], environment(url, **more), output)
    with listening(program, output) as process:
        yield process


@contextmanager
def executed(output: Path, url: str, *arguments: str, program: str = "web", **more: str) -> Iterator[Process]:
    """Like `serving`, but in a new interpreter, as `make run` starts it."""
    with output.open("wb") as file:
        popen = subprocess.Popen(
            (sys.executable, "-m", program, *SERVE, *arguments),
            cwd=ROOT,
            env=environment(url, **more),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    with listening(popen, output) as process:
        yield process


@contextmanager
def listening(popen: Program, output: Path) -> Iterator[Process]:
    try:
        yield Process(_address(popen, output), popen, output)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()


def _address(popen: Program, output: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and popen.poll() is None:
        text = output.read_text() if output.exists() else ""
        if match := re.search(r"^The graph +(http://\S+)/graphql\n", text, re.MULTILINE):
            return match[1]
        time.sleep(0.02)
    raise AssertionError(f"The server did not start:\n{output.read_text()}")
