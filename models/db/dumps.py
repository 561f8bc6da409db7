"""Dumps of a whole database at one moment, while others write: SQLite's online backup, and PostgreSQL's pg_dump.

A copy of SQLite's file lacks what still stands in the log beside it. So this copies through SQLite.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

# Where Debian and Red Hat put the programs of each version of PostgreSQL.
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
BESIDE = ("-wal", "-shm")  # the names of SQLite's files beside the database end so
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class DumpError(Exception):
    """A dump that could not be made or restored, with a reason that a person can act on."""


# -- SQLite --


def dump_sqlite(database: Path, target: Path) -> None:
    """Copy a SQLite database to a new file, as it is at one moment. Nobody waits for it."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file
    sync(target)


def check_sqlite(file: Path) -> None:
    """Raises DumpError for a file that is not a whole SQLite database."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            [result] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        result = str(error)
    if result != "ok":
        raise DumpError(f"{file} is damaged: {result}")


def put_in_place(file: Path, database: Path) -> None:
    """Make a SQLite file the database, in place of another one that nobody uses. Raises DumpError."""
    if database.exists():
        try:
            with closing(sqlite3.connect(database, timeout=0)) as connection:
                # Leaving the WAL mode needs the file for itself, and writes the files beside it into the database.
                connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError:
            raise DumpError(f"{database} is in use: stop all servers first.") from None
        except sqlite3.DatabaseError:
            pass  # what is damaged may be replaced
    for suffix in BESIDE:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    os.replace(file, database)
    sync(database.parent)


def remove_sqlite(file: Path) -> None:
    """Remove a SQLite file, if it is there, and those beside it."""
    for suffix in ("", *BESIDE):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file, or the entries of a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- PostgreSQL --


class ServerState(NamedTuple):
    """A server's major version, how many others are connected to the database, and how many tables it has."""

    version: int
    others: int
    tables: int


async def server_state(connection: AsyncConnection) -> ServerState:
    """The state of PostgreSQL that a dump and a restore depend on."""
    number = (await connection.execute(sa.text("SHOW server_version_num"))).scalar_one()
    others = (await connection.execute(sa.text(OTHERS))).scalar_one()
    tables = (await connection.execute(sa.text(TABLES))).scalar_one()
    return ServerState(int(number) // 10_000, others, tables)


def dump_postgresql(url: sa.URL, version: int, target: Path) -> None:
    """Write a dump in pg_dump's own format to a file. Raises DumpError."""
    program = fitting_program("pg_dump", version)
    run(url, program, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    sync(target)


def restore_postgresql(url: sa.URL, version: int, dump: Path, *, clean: bool) -> None:
    """Restore a dump in one transaction, with `clean` in place of what the database has. Raises DumpError."""
    program = fitting_program("pg_restore", version)
    options = ("--single-transaction", "--no-owner", "--no-privileges", f"--dbname={url.database}")
    run(url, program, *options, *(("--clean", "--if-exists") if clean else ()), str(dump))


def fitting_program(name: str, server: int) -> str:
    """The path of a program of PostgreSQL of the server's version, or else of the next later one. Raises DumpError."""
    paths = [shutil.which(name), *(str(path) for folder in FOLDERS for path in Path("/").glob(f"{folder[1:]}/{name}"))]
    versions = {version_of(path): path for path in paths if path is not None}
    fitting = sorted(version for version in versions if version >= server)
    if not fitting:
        known = ", ".join(map(str, sorted(versions))) or "none"
        raise DumpError(
            f"{name} of PostgreSQL {server} or later is needed; there is {known}. Debian's package is"
            f" postgresql-client-{server}."
        )
    return versions[fitting[0]]


def version_of(path: str) -> int:
    """The major version of a program of PostgreSQL; 0 if it does not say."""
    done = subprocess.run((path, "--version"), capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)(?:\.\d+)?", done.stdout)
    return int(match[1]) if match else 0


def run(url: sa.URL, *command: str) -> None:
    """Run a program of PostgreSQL on a database. Raises DumpError."""
    environment = {**os.environ, "PGDATABASE": url.database or "", "PGCONNECT_TIMEOUT": "10"}
    given = {"host": url.host, "port": url.port} | dict(url.query)
    environment |= {variable: str(given[name]) for name, variable in LIBPQ.items() if given.get(name) is not None}
    if url.username:
        environment["PGUSER"] = url.username
    if url.password:
        environment["PGPASSWORD"] = str(url.password)  # others can read the words of a command
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DumpError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
