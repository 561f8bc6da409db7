"""Runs `python -m …` in processes forked from one that has imported the application's libraries already.

The tests start the server and the command line some hundred times, and importing would take most of that time. The
modules of `web` are not kept: each program imports them itself, under its own settings.
"""

import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.source_files import ROOT

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["tests.support.preloaded"])


class ForkedProgram:
    """A running `python -m program arguments`, with the methods of `subprocess.Popen` that the tests need."""

    def __init__(
        self, program: str, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path | None = None
    ) -> None:
        """Its output goes to the file `out`, and its errors to `err` or else to the same file."""
        # Now, and not when the program starts: nobody may take what an earlier program wrote there for its output.
        for file in (out, err):
            if file is not None:
                file.write_bytes(b"")
        words = (program, list(arguments), dict(environment), str(out), None if err is None else str(err))
        self._process = FORK_SERVER.Process(target=_run, args=words)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end. Returns the exit status, and raises TimeoutExpired when it takes longer."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process), seconds or 0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(program: str, arguments: list[str], environment: dict[str, str], out: str, err: str | None) -> None:
    """In the new process: become the program."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    flags = os.O_WRONLY | os.O_APPEND
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(out, flags), 1)
    os.dup2(1 if err is None else os.open(err, flags), 2)
    # As a new interpreter would open them. They stay open to the end of the process.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # open until the end
    sys.stdout = open(1, "w", 1 if environment.get("PYTHONUNBUFFERED") else -1, closefd=False)  # noqa: SIM115  # open until the end
    sys.stderr = open(2, "w", 1, closefd=False)  # noqa: SIM115  # open until the end
    sys.argv = [program, *arguments]
    importlib.invalidate_caches()
    runpy.run_module(program, run_name="__main__", alter_sys=True)
