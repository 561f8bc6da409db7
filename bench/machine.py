"""Describes the machine and the packages of a measurement."""

import datetime as dt
import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("graphql-core", "SQLAlchemy", "asyncpg", "aiosqlite")


def described(**versions: str) -> list[str]:
    """The description as lines of a Markdown list. `versions` are of other programs, by name."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"- {os.cpu_count()} cores ({processor()}), {memory()} of memory, {platform.system()} {platform.machine()}",
        f"- Python {platform.python_version()}, {packages}",
        f"- SQLite {sqlite3.sqlite_version}" + "".join(f", {name} {value}" for name, value in versions.items()),
    ]


def this_run() -> str:
    """When it was measured and how busy the machine was, as an item of a Markdown list."""
    busy = os.getloadavg()[2]
    return f"- run on {dt.datetime.now(dt.UTC).date()}; the load of the machine over the last minutes was {busy:.1f}"


def processor() -> str:
    return _first("/proc/cpuinfo", "model name") or platform.processor() or "unknown"


def memory() -> str:
    kibibytes = _first("/proc/meminfo", "MemTotal")
    return f"{int(kibibytes.split()[0]) / 2**20:.0f} GiB" if kibibytes else "an unknown amount"


def _first(file: str, key: str) -> str | None:
    """The value of the first line `key: value` in a file of /proc; None if there is none."""
    path = Path(file)
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None
