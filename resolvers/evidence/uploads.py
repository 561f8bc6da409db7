"""Stores uploads, with one row and one file for equal bytes, and removes those that nobody attached to anything.

A database marks a store before it uses it. Orphans are not removed from a store with the mark of another database,
because every file of that database would look like an orphan.
"""

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role
from resolvers.evidence.attach import EVIDENCE, SENT, UPLOAD
from resolvers.evidence.content_types import Content
from resolvers.evidence.store import NAME, OWNERS, Store
from subscriptions import event_log

UPLOADERS = frozenset({Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE})
ORPHAN_AGE = dt.timedelta(days=1)  # for so long an upload can take, and at least it can wait to be attached

BATCH = 500
OPEN = table_of(models.OpenUpload)
PIECE = table_of(models.UploadPiece)


@dataclass(frozen=True)
class StoredEvidence:
    """A piece of evidence whose bytes are in the store."""

    id: int
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class RemovedOrphans:
    """How many rows and how many files were removed."""

    rows: int
    files: int


class ForeignStore(Exception):
    """The store has, or may have, evidence of another database. `others` are the epochs of those that marked it."""

    def __init__(self, others: list[str]) -> None:
        super().__init__(", ".join(others))
        self.others = others


@dataclass(frozen=True)
class Sender:
    """The sender of an upload: a viewer's identity, and the device if it names itself."""

    identity: str
    device: str | None = None


async def store_upload(
    database: Database,
    store: Store,
    sender: Sender,
    now: dt.datetime,
    content: Content,
    taken_at: dt.datetime | None = None,
) -> StoredEvidence:
    """Store an upload. If there are equal bytes already, only the sender is added and `taken_at` is ignored."""
    sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content.data).hexdigest())
    await mark_store(database, store)
    # Outside the transaction, because it can take a while. A file without a row is an orphan and will be removed.
    await _put_missing(store, sha256, content.data)
    async with database.write() as session:
        connection = await session.connection()
        await _lock(connection, sha256)
        # Orphans may have been removed in the meantime.
        await _put_missing(store, sha256, content.data)
        same = sa.select(EVIDENCE.c.id, EVIDENCE.c.stored_at).where(EVIDENCE.c.sha256 == sha256).with_for_update()
        existing = (await connection.execute(same)).first()
        if existing is None:
            values = {"media_type": content.media_type, "bytes": len(content.data), "sha256": sha256}
            values |= {"taken_at": taken_at, "stored_at": now, "attached": False}
            inserted = await connection.execute(sa.insert(EVIDENCE).values(values).returning(EVIDENCE.c.id))
            key: int = inserted.scalar_one()
        else:
            key = existing.id
            if existing.stored_at is None:
                await connection.execute(sa.update(EVIDENCE).where(EVIDENCE.c.id == key).values(stored_at=now))
        await _add_sender(connection, key, sender, content.sent, now)
    return StoredEvidence(key, content.media_type, len(content.data), sha256)


async def _mark(database: Database) -> str:
    """The name of this database's mark. It has the epoch of the log, so that a restored database has another mark."""
    async with database.read() as connection:
        return f"{OWNERS}/{(await event_log.state(connection)).epoch}"


async def mark_store(database: Database, store: Store) -> None:
    """Mark the store as this database's, before anything is put there."""
    await _put_missing(store, await _mark(database), b"")


async def _put_missing(store: Store, name: str, data: bytes) -> None:
    if not await store.has(name):
        await store.put(name, data)


async def _add_sender(connection: AsyncConnection, key: int, sender: Sender, sent: str, now: dt.datetime) -> None:
    """Note who has the evidence, and the hash of the file as it was sent."""
    same = (UPLOAD.c.evidence_id == key, UPLOAD.c.uploader == sender.identity)
    repeated = await connection.execute(sa.update(UPLOAD).where(*same).values(at=now))
    if not repeated.rowcount:
        await connection.execute(sa.insert(UPLOAD).values(evidence_id=key, uploader=sender.identity, at=now))
    sent_by = (SENT.c.uploader == sender.identity, SENT.c.device.is_not_distinct_from(sender.device))
    known = sa.update(SENT).where(SENT.c.evidence_id == key, SENT.c.sha256 == sent, *sent_by)
    repeated = await connection.execute(known.values(at=now))
    if not repeated.rowcount:
        values = {"sha256": sent, "evidence_id": key, "uploader": sender.identity, "device": sender.device, "at": now}
        await connection.execute(sa.insert(SENT).values(values))


async def _lock(connection: AsyncConnection, sha256: str) -> None:
    """Lock these bytes until the transaction ends. On SQLite the transaction is the only writer anyway."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def find_evidence(database: Database, sha256: str) -> StoredEvidence | None:
    """The evidence with this hash; None if its bytes are not in the store."""
    columns = (EVIDENCE.c.id, EVIDENCE.c.media_type, EVIDENCE.c.bytes, EVIDENCE.c.sha256)
    stored = sa.select(*columns).where(EVIDENCE.c.sha256 == sha256, EVIDENCE.c.stored_at.is_not(None))
    async with database.read() as connection:
        row = (await connection.execute(stored)).first()
    return None if row is None else StoredEvidence(*row)


async def claim_store(database: Database, store: Store) -> None:
    """Mark the store as this database's and remove the marks of all others."""
    own_mark = await _mark(database)
    await _put_missing(store, own_mark, b"")
    for other in await store.owners() - {own_mark}:
        await store.remove(other)


async def check_owner(database: Database, store: Store) -> None:
    """Raises ForeignStore."""
    own_mark, marks = await _mark(database), await store.owners()
    if others := sorted(mark.removeprefix(f"{OWNERS}/") for mark in marks - {own_mark}):
        raise ForeignStore(others)
    if not marks:
        async for _ in store.names():
            raise ForeignStore([])


async def collect_orphans(
    database: Database, store: Store, now: dt.datetime, waiting: dt.timedelta = ORPHAN_AGE
) -> RemovedOrphans:
    """Remove evidence that has waited longer than `waiting` to be attached, uploads in pieces that have expired, and
    files of a day that have no row.

    Safe at any time, also during uploads and other removals. The age of a file is that of its last modification, so
    that a file whose row is about to be inserted stays. Raises ForeignStore, before anything is removed, if another
    database may have files in the store.
    """
    await check_owner(database, store)
    rows = await _remove_expired(database, now)
    while removed := await _remove_rows(database, now - waiting):
        rows += removed
    names, files, before = [], 0, now - ORPHAN_AGE
    async for name, modified in store.names():
        if modified < before:
            names.append(name)
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        known = await _known(database, batch)
        for name in batch:
            if name not in known:
                files += await _remove_file(database, store, name)
    return RemovedOrphans(rows, files)


def _orphan(before: dt.datetime) -> ColumnElement[bool]:
    """Neither attached nor uploaded by anybody since."""
    waiting = sa.exists().where(UPLOAD.c.evidence_id == EVIDENCE.c.id, UPLOAD.c.at >= before)
    return sa.and_(EVIDENCE.c.attached.is_(sa.false()), ~waiting.correlate(EVIDENCE))


async def _remove_rows(database: Database, before: dt.datetime) -> int:
    """Remove up to BATCH orphans. Returns how many."""
    orphans = sa.select(EVIDENCE.c.id).where(_orphan(before))
    async with database.write() as session:
        connection = await session.connection()
        locked = orphans.order_by(EVIDENCE.c.id).limit(BATCH).with_for_update(skip_locked=True)
        keys = (await connection.execute(locked)).scalars().all()
        # Uploads and attachments of these wait for the locks from here on. Look again for any that came just before.
        still = (await connection.execute(orphans.where(EVIDENCE.c.id.in_(keys)))).scalars().all()
        for table in (UPLOAD, SENT):
            await connection.execute(sa.delete(table).where(table.c.evidence_id.in_(still)))
        await connection.execute(sa.delete(EVIDENCE).where(EVIDENCE.c.id.in_(still)))
    return len(still)


async def _remove_expired(database: Database, now: dt.datetime) -> int:
    """Remove expired uploads in pieces. Returns how many. Their files have no row then."""
    expired = sa.select(OPEN.c.id).where(OPEN.c.expires_at <= now)
    async with database.write() as session:
        connection = await session.connection()
        keys = (await connection.execute(expired.order_by(OPEN.c.id).with_for_update())).scalars().all()
        for first in range(0, len(keys), BATCH):
            batch = keys[first : first + BATCH]
            await connection.execute(sa.delete(PIECE).where(PIECE.c.upload_id.in_(batch)))
            await connection.execute(sa.delete(OPEN).where(OPEN.c.id.in_(batch)))
    return len(keys)


async def _known(database: Database, names: list[str]) -> set[str]:
    rows = sa.select(EVIDENCE.c.sha256).where(EVIDENCE.c.sha256.in_(names))
    pieces = sa.select(PIECE.c.name).where(PIECE.c.name.in_(names))
    async with database.read() as connection:
        return set((await connection.execute(sa.union_all(rows, pieces))).scalars())


async def _remove_file(database: Database, store: Store, name: str) -> int:
    """Remove a file unless it has a row by now. Returns how many files were removed."""
    async with database.write() as session:
        connection = await session.connection()
        if NAME.fullmatch(name):
            await _lock(connection, name)
            rows = sa.select(EVIDENCE.c.id).where(EVIDENCE.c.sha256 == name)
            if (await connection.execute(rows)).first() is not None:
                return 0
        await store.remove(name)
    return 1
