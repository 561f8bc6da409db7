"""Backups: a folder with the database at one moment, and the evidence that it refers to.

The database is dumped first and the evidence copied after it: a file of evidence is there before a row refers to it,
and never changes. The manifest is written last, so a folder without one is no backup.
"""

import asyncio
import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import sqlalchemy as sa

import models
from models.db import dumps
from models.db.database import Database
from models.db.dumps import DumpError
from models.db.migrate import migrate
from models.db.revisions import known_revisions, revision_of
from models.db.tables import table_of
from models.private_files import private_folder
from resolvers.evidence.store import NAME, DirectoryStore, Store
from subscriptions import event_log

MANIFEST, EVIDENCE = "manifest.json", "evidence"
FILES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
FORMAT = 1
ROWS = table_of(models.Evidence)
REFERRED = sa.select(ROWS.c.sha256).where(ROWS.c.stored_at.is_not(None), ROWS.c.attached)


@dataclass(frozen=True)
class Manifest:
    """The contents of a backup. Everything up to the event at `cursor` is in it; later events may be.

    `sha256` is that of the file of the database, and `evidence` how many files of evidence there are.
    """

    format: int
    at: dt.datetime
    database: str
    revision: str | None
    cursor: str
    sha256: str
    evidence: int


@dataclass(frozen=True)
class Backup:
    """A backup that was made, and the hashes of evidence that its rows refer to and the store does not have."""

    manifest: Manifest
    missing: Sequence[str]


async def back_up(database: Database, url: sa.URL, store: Store, folder: Path, now: dt.datetime) -> Backup:
    """Make a backup in a new or empty folder. Raises DumpError."""
    if await asyncio.to_thread(lambda: folder.exists() and any(folder.iterdir())):
        raise DumpError(f"{folder} is not empty: name a new folder for each backup.")
    await asyncio.to_thread(private_folder, folder)
    kind = "sqlite" if database.sqlite else "postgresql"
    file = folder / FILES[kind]
    async with database.read() as connection:
        cursor = (await event_log.state(connection)).cursor
        referred = set((await connection.execute(REFERRED)).scalars())
        server = None if database.sqlite else await dumps.server_state(connection)
        revision = await revision_of(connection)
    if server is None:
        await asyncio.to_thread(dumps.dump_sqlite, Path(url.database or ""), file)
    else:
        await asyncio.to_thread(dumps.dump_postgresql, url, server.version, file)
    copied = await copy_evidence(store, DirectoryStore(folder / EVIDENCE))
    digest = await asyncio.to_thread(sha256_of, file)
    manifest = Manifest(FORMAT, now, kind, revision, cursor, digest, len(copied))
    await asyncio.to_thread(write_manifest, folder, manifest)
    return Backup(manifest, sorted(referred - copied))


async def copy_evidence(source: Store, target: Store) -> set[str]:
    """Copy what the target does not have. Returns the names of all that the source has. Raises DumpError."""
    names = set()
    async for name, _ in source.names():
        if not NAME.fullmatch(name) or (not await target.has(name) and not await copy(name, source, target)):
            continue  # an upload that was interrupted, or one that was removed in the meantime
        names.add(name)
    return names


async def copy(name: str, source: Store, target: Store) -> bool:
    """Copy one file. False where it is gone. Raises DumpError for one whose bytes have changed."""
    chunks = await source.read(name)
    if chunks is None:
        return False
    data = b"".join([chunk async for chunk in chunks])
    if hashlib.sha256(data).hexdigest() != name:
        raise DumpError(f"The evidence {name} is damaged: its bytes have another hash.")
    await target.put(name, data)
    return True


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    unfinished = folder / f"{MANIFEST}.unfinished"
    unfinished.write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2) + b"\n")
    dumps.sync(unfinished)
    unfinished.rename(folder / MANIFEST)
    dumps.sync(folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup whose database is undamaged. Raises DumpError."""
    try:
        content = orjson.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**{**content, "at": dt.datetime.fromisoformat(content["at"])})
    except (OSError, orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        raise DumpError(f"{folder} has no complete backup: {MANIFEST} is missing or wrong.") from None
    if manifest.format != FORMAT or manifest.database not in FILES:
        raise DumpError(f"{folder} has a backup of a form that this version does not know.")
    if manifest.revision is not None and manifest.revision not in known_revisions():
        raise DumpError(f"{folder} has a backup of a later version of Huhang: restore it with that one.")
    file = folder / FILES[manifest.database]
    if not file.is_file() or sha256_of(file) != manifest.sha256:
        raise DumpError(f"{file} is missing or damaged.")
    return manifest


async def restore(url: str, store: Store, folder: Path, *, replace: bool) -> Manifest:
    """Restore a backup, and bring it to this version's schema with a new epoch. No server may run.

    SQLite's database is complete before it takes its place. PostgreSQL restores in one transaction; the schema and the
    epoch follow. Raises DumpError.
    """
    parsed = sa.make_url(url)
    manifest = await asyncio.to_thread(read_manifest, folder)
    if manifest.database != parsed.get_backend_name():
        raise DumpError(f"The backup is of {manifest.database}, and HUHANG_DATABASE_URL names another kind.")
    file, evidence = folder / FILES[manifest.database], DirectoryStore(folder / EVIDENCE)
    if manifest.database == "sqlite":
        path = Path(parsed.database or "")
        if not replace and await asyncio.to_thread(lambda: path.exists() and path.stat().st_size > 0):
            raise DumpError(f"{path} exists: --replace deletes it.")
        await copy_evidence(evidence, store)
        await _restore_sqlite(path, file)
    else:
        server = await _usable_server(url, replace=replace)
        await copy_evidence(evidence, store)
        await _restore_postgresql(url, server, file)
    return manifest


async def _restore_sqlite(path: Path, file: Path) -> None:
    await asyncio.to_thread(private_folder, path.parent)
    copy = path.with_name(f"{path.name}.restoring")
    try:
        await asyncio.to_thread(shutil.copyfile, file, copy)
        await asyncio.to_thread(dumps.check_sqlite, copy)
        database = Database(f"sqlite:///{copy}")
        try:
            await renew(database)
        finally:
            await database.close()
        await asyncio.to_thread(dumps.put_in_place, copy, path)
    finally:
        await asyncio.to_thread(dumps.remove_sqlite, copy)


async def _usable_server(url: str, *, replace: bool) -> dumps.ServerState:
    """The state of a server whose database may be restored. Raises DumpError."""
    database = Database(url)
    try:
        async with database.read() as connection:
            server = await dumps.server_state(connection)
    finally:
        await database.close()
    if server.others:
        raise DumpError(f"{server.others} others are connected to the database: stop all servers first.")
    if server.tables and not replace:
        raise DumpError("The database is not empty: --replace deletes what it has.")
    return server


async def _restore_postgresql(url: str, server: dumps.ServerState, file: Path) -> None:
    restoring = dumps.restore_postgresql
    await asyncio.to_thread(restoring, sa.make_url(url), server.version, file, clean=server.tables > 0)
    database = Database(url)
    try:
        await renew(database)
    finally:
        await database.close()


async def renew(database: Database) -> None:
    """Bring a restored database to this version's schema, and refuse all cursors from before."""
    await migrate(database)
    async with database.write() as session:
        await event_log.renew_epoch(session, secrets.token_hex(8))
