"""Real faults around a database: a full disk, a file that may not be written, connections that are all in use."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from models.db.database import driver_url
from tests.conftest import Databases

NOBODY = 65_534


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own, in memory. Skips the test where this user may not mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", folder], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        yield folder
    finally:
        # Lazily, because a connection of the test may not have been closed after a failure.
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Have no room left on a disk."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    try:
        yield
    finally:
        filler.unlink()


@asynccontextmanager
async def on_small_disk(databases: Databases, template: str, scratch: Path, disk: Path) -> AsyncIterator[str]:
    """The URL of a copy of a database on this disk; on PostgreSQL all but its write-ahead log is there."""
    if template.startswith("sqlite"):
        yield f"sqlite:///{shutil.copy(template.removeprefix('sqlite:///'), disk)}"
        return
    folder, name = disk / "postgresql", "on_small_disk"
    folder.mkdir()
    owner = (scratch / "pg").stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    base = driver_url(template).database
    server = await administrator(template)
    try:
        await server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {base} TABLESPACE small STRATEGY FILE_COPY")
        yield template.replace(f"/{base}?", f"/{name}?")
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute("DROP TABLESPACE IF EXISTS small")
        await server.close()


@contextmanager
def read_only_file(file: Path) -> Iterator[Path]:
    """Move a file into a folder of its own, where it may not be written, but others beside it may."""
    folder = file.with_suffix(".folder")
    folder.mkdir()
    folder.chmod(0o777)
    moved = file.rename(folder / file.name)
    moved.chmod(0o444)
    with ExitStack() as stack:
        if os.geteuid() == 0:  # who may write any file
            os.seteuid(NOBODY)
            stack.callback(os.seteuid, 0)
        yield moved


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[str]:
    """Have a database take no writes. Yields the URL for a server that starts now."""
    if url.startswith("sqlite"):
        with read_only_file(Path(url.removeprefix("sqlite:///"))) as file:
            yield f"sqlite:///{file}"
        return
    server, name = await administrator(url), driver_url(url).database
    await server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield url
    await server.close()


@asynccontextmanager
async def few_connections(url: str, limit: int) -> AsyncIterator[str]:
    """The URL of a PostgreSQL database for a role with at most so many connections."""
    name = driver_url(url).database
    role = f"few_{name}"
    owner = await asyncpg.connect(url)
    await owner.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {limit}")
    for objects in ("TABLES", "SEQUENCES"):
        await owner.execute(f"GRANT ALL ON ALL {objects} IN SCHEMA public TO {role}")
    yield url.replace("postgres:@", f"{role}:@")
    await owner.execute(f"DROP OWNED BY {role}")
    await owner.execute(f"DROP ROLE {role}")
    await owner.close()


async def administrator(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(url.replace(f"/{driver_url(url).database}?", "/postgres?"))
