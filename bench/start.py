"""Measures what it costs to start each command, and a server on a migrated database until it is ready.

`python -m bench.start [--rounds 5] [--before COMMIT]`. With `--before`, each round starts that commit's code, too, in
turn with this one's. The CPU time is user and system time of the process, so that other load matters little. A
command's `--help` imports all that the command needs before it works.
"""

import argparse
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from bench import machine
from web.cli import COMMANDS
from web.settings import ROOT

RESULTS = Path(__file__).parent / "results" / "start.md"
SERVER = "the server, until `/readyz` says 200"
PATIENCE = 60
Figures = dict[tuple[str, str], list[tuple[float, float]]]  # by what was started and by the code: CPU and wall seconds


def environment(folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUHANG_")}
    database, secret = f"sqlite:///{folder / 'huhang.db'}", secrets.token_urlsafe(32)
    return {**own, "HUHANG_DATABASE_URL": database, "HUHANG_SECRET": secret, "PYTHONDONTWRITEBYTECODE": ""}


def command(code: Path, variables: dict[str, str], *arguments: str) -> tuple[float, float]:
    """Run a command to its end. Returns the seconds of CPU and those that passed."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "web", *arguments], cwd=code, env=variables, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - begin


def served(code: Path, variables: dict[str, str]) -> tuple[float, float]:
    """Start a server and end it. Returns the seconds of CPU until it was ready, and those that passed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    begin = time.perf_counter()
    arguments = [sys.executable, "-m", "web", "serve", "--port", str(port)]
    with subprocess.Popen(arguments, cwd=code, env=variables, stderr=subprocess.DEVNULL) as process:
        try:
            while not is_ready(port):
                if process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                    raise RuntimeError("the server did not start")
                time.sleep(0.01)
            passed, spent = time.perf_counter() - begin, psutil.Process(process.pid).cpu_times()
            return spent.user + spent.system, passed
        finally:
            process.terminate()


def is_ready(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except (OSError, httpx.HTTPError):
        return False


@contextmanager
def checkout(commit: str | None) -> Iterator[dict[str, Path]]:
    """The folders with the code, by their names in the report."""
    if commit is None:
        yield {"now": ROOT}
        return
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        path = Path(folder) / "code"
        subprocess.run(("git", "worktree", "add", "--quiet", "--detach", path, commit), cwd=ROOT, check=True)
        try:
            yield {"before": path, "now": ROOT}
        finally:
            subprocess.run(("git", "worktree", "remove", "--force", path), cwd=ROOT, check=True)


def measure(codes: dict[str, Path], rounds: int) -> Figures:
    figures: Figures = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        variables = environment(Path(folder))
        command(ROOT, variables, "migrate")
        for number in range(rounds + 1):  # the first compiles
            for name, code in codes.items():
                done = {"--help": command(code, variables, "--help")}
                done |= {each: command(code, variables, each, "--help") for each in COMMANDS}
                done["migrate, with nothing to do"] = command(code, variables, "migrate")
                done[SERVER] = served(code, variables)
                if number:
                    for what, spent in done.items():
                        figures[what, name].append(spent)
            print(f"round {number} of {rounds}", flush=True)
    return figures


def report(figures: Figures, codes: dict[str, Path], commit: str | None, rounds: int) -> list[str]:
    compared = "" if commit is None else f" `before` is commit {commit}, started in turn with the code of now."
    lines = [
        "# Start",
        "",
        f"Written by `python -m bench.start`: the least of {rounds} starts, in seconds. A command's row is its",
        "`--help`, which imports all that the command needs before it works. CPU is user and system time.",
        f"The server has no demo, and an empty migrated SQLite file.{compared}",
        "",
        *machine.described(),
        machine.this_run(),
        "",
        f"| started | {' | '.join(f'CPU {name} | passed {name}' for name in codes)} |",
        "|---" * (1 + 2 * len(codes)) + "|",
    ]
    for what in dict.fromkeys(what for what, _ in figures):
        cells = [f"{min(column):.2f}" for name in codes for column in zip(*figures[what, name], strict=True)]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", metavar="COMMIT")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with checkout(arguments.before) as codes:
        figures = measure(codes, arguments.rounds)
    lines = report(figures, codes, arguments.before, arguments.rounds)
    arguments.results.write_text("\n".join([*lines, ""]), "utf-8")


if __name__ == "__main__":
    main()
