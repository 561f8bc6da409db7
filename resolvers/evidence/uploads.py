"""Uploads of evidence: one row and one file for equal bytes, and those gone again that nobody attached to anything.

Whatever database keeps its evidence in a store leaves its mark there first, and nothing is collected where there is
another's mark: its files would all be orphans.
"""

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db.database import Database
from models.visibility import Role, Viewer
from resolvers.evidence.attach import EVIDENCE, UPLOAD
from resolvers.evidence.content_types import Content
from resolvers.evidence.store import NAME, OWNERS, Store
from subscriptions import event_log

UPLOADERS = frozenset({Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE})
ORPHAN_AGE = dt.timedelta(days=1)  # so long what was uploaded waits for what it proves

BATCH = 500


@dataclass(frozen=True)
class StoredEvidence:
    """A piece of evidence that is in store."""

    id: int
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class RemovedOrphans:
    """How many rows and how many files were orphans."""

    rows: int
    files: int


class ForeignStore(Exception):
    """The store has, or may have, what another database keeps. `others` are the epochs of those that are known."""

    def __init__(self, others: list[str]) -> None:
        super().__init__(", ".join(others))
        self.others = others


async def store_upload(
    database: Database,
    store: Store,
    viewer: Viewer,
    now: dt.datetime,
    content: Content,
    taken_at: dt.datetime | None = None,
) -> StoredEvidence:
    """Keep an upload. Of equal bytes that are there already only the viewer is noted; the first `taken_at` stays."""
    sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content.data).hexdigest())
    await _put(store, await _mark(database), b"")
    # Outside of the transaction, for it may take a while; a file without a row is collected some day.
    await _put(store, sha256, content.data)
    async with database.write() as session:
        connection = await session.connection()
        await _lock(connection, sha256)
        # A collection may have come between.
        await _put(store, sha256, content.data)
        same = sa.select(EVIDENCE.c.id, EVIDENCE.c.stored_at).where(EVIDENCE.c.sha256 == sha256).with_for_update()
        found = (await connection.execute(same)).first()
        if found is None:
            values = {"media_type": content.media_type, "bytes": len(content.data), "sha256": sha256}
            values |= {"taken_at": taken_at, "stored_at": now, "attached": False}
            inserted = await connection.execute(sa.insert(EVIDENCE).values(values).returning(EVIDENCE.c.id))
            key: int = inserted.scalar_one()
        else:
            key = found.id
            if found.stored_at is None:
                await connection.execute(sa.update(EVIDENCE).where(EVIDENCE.c.id == key).values(stored_at=now))
        await _note(connection, key, viewer.identity, now)
    return StoredEvidence(key, content.media_type, len(content.data), sha256)


async def _mark(database: Database) -> str:
    """The name of this database's mark. Its epoch is the log's, so that it is another after a restore."""
    async with database.read() as connection:
        return f"{OWNERS}/{(await event_log.state(connection)).epoch}"


async def _put(store: Store, name: str, data: bytes) -> None:
    if not await store.has(name):
        await store.put(name, data)


async def _note(connection: AsyncConnection, key: int, uploader: str, now: dt.datetime) -> None:
    mine = (UPLOAD.c.evidence_id == key, UPLOAD.c.uploader == uploader)
    again = await connection.execute(sa.update(UPLOAD).where(*mine).values(at=now))
    if not again.rowcount:
        await connection.execute(sa.insert(UPLOAD).values(evidence_id=key, uploader=uploader, at=now))


async def _lock(connection: AsyncConnection, sha256: str) -> None:
    """Until the end of the transaction nobody else keeps or removes these bytes. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def find_evidence(database: Database, sha256: str) -> StoredEvidence | None:
    """The evidence with this hash that is in store."""
    columns = (EVIDENCE.c.id, EVIDENCE.c.media_type, EVIDENCE.c.bytes, EVIDENCE.c.sha256)
    stored = sa.select(*columns).where(EVIDENCE.c.sha256 == sha256, EVIDENCE.c.stored_at.is_not(None))
    async with database.read() as connection:
        row = (await connection.execute(stored)).first()
    return None if row is None else StoredEvidence(*row)


async def claim_store(database: Database, store: Store) -> None:
    """Let the store be this database's alone, whoever has used it."""
    mine = await _mark(database)
    await _put(store, mine, b"")
    for other in await store.owners() - {mine}:
        await store.remove(other)


async def _assure_ours(database: Database, store: Store) -> None:
    """Raises NotOurs."""
    mine, marks = await _mark(database), await store.owners()
    if others := sorted(mark.removeprefix(f"{OWNERS}/") for mark in marks - {mine}):
        raise ForeignStore(others)
    if not marks:
        async for _ in store.names():
            raise ForeignStore([])


async def collect_orphans(database: Database, store: Store, now: dt.datetime) -> RemovedOrphans:
    """Remove what was uploaded more than a day ago and attached to nothing, and files that no row names.

    Safe at any time, beside uploads and beside itself. A file counts from when it was written, so that one whose row
    is about to come stays. Raises NotOurs, before anything is removed, where another database may have files.
    """
    await _assure_ours(database, store)
    before = now - ORPHAN_AGE
    rows = 0
    while removed := await _remove_rows(database, before):
        rows += removed
    names, files = [], 0
    async for name, written in store.names():
        if written < before:
            names.append(name)
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        known = await _known(database, batch)
        for name in batch:
            if name not in known:
                files += await _remove_file(database, store, name)
    return RemovedOrphans(rows, files)


def _orphan(before: dt.datetime) -> ColumnElement[bool]:
    """Attached to nothing, and uploaded by nobody since."""
    waiting = sa.exists().where(UPLOAD.c.evidence_id == EVIDENCE.c.id, UPLOAD.c.at >= before)
    return sa.and_(EVIDENCE.c.attached.is_(sa.false()), ~waiting.correlate(EVIDENCE))


async def _remove_rows(database: Database, before: dt.datetime) -> int:
    """Some of the orphans; how many."""
    orphans = sa.select(EVIDENCE.c.id).where(_orphan(before))
    async with database.write() as session:
        connection = await session.connection()
        some = orphans.order_by(EVIDENCE.c.id).limit(BATCH).with_for_update(skip_locked=True)
        keys = (await connection.execute(some)).scalars().all()
        # Whoever uploads or attaches one of these waits for its row now; what came just before is seen here.
        still = (await connection.execute(orphans.where(EVIDENCE.c.id.in_(keys)))).scalars().all()
        await connection.execute(sa.delete(UPLOAD).where(UPLOAD.c.evidence_id.in_(still)))
        await connection.execute(sa.delete(EVIDENCE).where(EVIDENCE.c.id.in_(still)))
    return len(still)


async def _known(database: Database, names: list[str]) -> set[str]:
    async with database.read() as connection:
        return set(
            (await connection.execute(sa.select(EVIDENCE.c.sha256).where(EVIDENCE.c.sha256.in_(names)))).scalars()
        )


async def _remove_file(database: Database, store: Store, name: str) -> int:
    """A file, unless a row names it by now; how many."""
    async with database.write() as session:
        connection = await session.connection()
        if NAME.fullmatch(name):
            await _lock(connection, name)
            named = sa.select(EVIDENCE.c.id).where(EVIDENCE.c.sha256 == name)
            if (await connection.execute(named)).first() is not None:
                return 0
        await store.remove(name)
    return 1
