"""Uploads in pieces, which go on after an interruption from the last byte that is safe.

The database says how far an upload is, and the store has its pieces, so any server can go on with it. A piece is in the
store before the database counts it, and has a name of its own: of two that begin at one place only one counts, and one
that a dead server left is removed as a file without a row. The last piece counts together with the evidence.
"""

import datetime as dt
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence.store import PIECES, Store
from resolvers.evidence.uploads import Sender, mark_store

UPLOAD = table_of(models.OpenUpload)
PIECE = table_of(models.UploadPiece)

UPLOAD_AGE = dt.timedelta(days=7)  # for so long an upload waits for its next piece
OPEN_MAXIMUM = 100  # uploads of one viewer
OPEN_BYTES_MAXIMUM = 512 << 20  # that all uploads of one viewer will have
ALL_BYTES_MAXIMUM = 32 << 30  # and those of everybody
PIECES_MAXIMUM = 2_000  # of one upload

GONE = Reason("UPLOAD_GONE", "There is no such upload, or it has expired: begin a new one.")


@dataclass(frozen=True)
class Upload:
    """An upload in pieces, and who began it. `received` is how many bytes are safe; all where there is `evidence`."""

    id: int
    key: str
    uploader: str
    device: str | None
    length: int
    received: int
    described: str
    expires_at: dt.datetime
    evidence: int | None


COLUMNS = (
    UPLOAD.c.id,
    UPLOAD.c.key,
    UPLOAD.c.uploader,
    UPLOAD.c.device,
    UPLOAD.c.length,
    UPLOAD.c.received,
    UPLOAD.c.described,
    UPLOAD.c.expires_at,
    UPLOAD.c.evidence_id,
)


async def begin(database: Database, sender: Sender, now: dt.datetime, length: int, described: str) -> Upload:
    """Begin an upload of so many bytes. Raises RequestError where too much is open already."""
    key, expires_at = secrets.token_hex(16), now + UPLOAD_AGE
    values: dict[str, Any] = {"key": key, "uploader": sender.identity, "device": sender.device}
    values |= {"length": length, "received": 0, "described": described, "expires_at": expires_at}
    async with database.write() as session:
        connection = await session.connection()
        await _check_shares(connection, sender, now, length)
        id = (await connection.execute(sa.insert(UPLOAD).values(values).returning(UPLOAD.c.id))).scalar_one()
    return Upload(id, key, sender.identity, sender.device, length, 0, described, expires_at, None)


async def _check_shares(connection: AsyncConnection, sender: Sender, now: dt.datetime, length: int) -> None:
    total = sa.func.coalesce(sa.func.sum(UPLOAD.c.length), 0)
    under_way = (UPLOAD.c.evidence_id.is_(None), UPLOAD.c.expires_at > now)
    everybody = sa.select(total).where(*under_way).scalar_subquery()
    own = sa.select(sa.func.count(), total, everybody).where(*under_way, UPLOAD.c.uploader == sender.identity)
    number, own_bytes, all_bytes = (await connection.execute(own)).one()
    if number >= OPEN_MAXIMUM or own_bytes + length > OPEN_BYTES_MAXIMUM:
        reason = Reason(
            "UPLOADS_OPEN",
            "You have {count} open uploads of {bytes:,} bytes: finish or delete some.",
            count=number,
            bytes=int(own_bytes),
        )
        raise RequestError(ErrorCode.TOO_MANY, reason)
    if all_bytes + length > ALL_BYTES_MAXIMUM:
        raise RequestError(
            ErrorCode.UNAVAILABLE, Reason("UPLOADS_FULL", "Too many uploads are open at this server: try again later.")
        )


async def find(database: Database, key: str, sender: Sender, now: dt.datetime) -> Upload:
    """The upload, for the viewer or the device that began it. Raises RequestError for all others, as if it was none."""
    own: ColumnElement[bool] = UPLOAD.c.uploader == sender.identity
    if sender.device is not None:
        own = sa.or_(own, UPLOAD.c.device == sender.device)
    async with database.read() as connection:
        upload = sa.select(*COLUMNS).where(UPLOAD.c.key == key, own, UPLOAD.c.expires_at > now)
        row = (await connection.execute(upload)).first()
    if row is None:
        raise RequestError(ErrorCode.NOT_FOUND, GONE)
    return Upload(*row)


async def add_piece(database: Database, store: Store, upload: Upload, data: bytes, now: dt.datetime) -> Upload | None:
    """Store the piece that follows. Returns the upload as it is then; None where another piece came first."""
    name = f"{PIECES}/{secrets.token_hex(16)}"
    await mark_store(database, store)
    await store.put(name, data)
    after = replace(upload, received=upload.received + len(data), expires_at=now + UPLOAD_AGE)
    async with database.write() as session:
        connection = await session.connection()
        counted = await _count(connection, upload, after)
        if counted:
            values = {"upload_id": upload.id, "start": upload.received, "bytes": len(data), "name": name}
            await connection.execute(sa.insert(PIECE).values(values))
    if not counted:
        await store.remove(name)
        return None
    return after


async def check_pieces(database: Database, upload: Upload) -> None:
    """Raises RequestError for an upload of too many pieces."""
    async with database.read() as connection:
        counted = sa.select(sa.func.count()).where(PIECE.c.upload_id == upload.id)
        if ((await connection.execute(counted)).scalar() or 0) >= PIECES_MAXIMUM:
            reason = Reason(
                "UPLOAD_PIECES",
                "An upload has at most {maximum:,} pieces: begin a new one, and send larger pieces.",
                maximum=PIECES_MAXIMUM,
            )
            raise RequestError(ErrorCode.BAD_REQUEST, reason)


async def read_pieces(database: Database, store: Store, upload: Upload) -> AsyncIterator[bytes]:
    """The bytes that are safe. Raises RequestError where the store has lost some."""
    for name in await _names(database, upload):
        chunks = await store.read(name)
        if chunks is None:
            raise RequestError(ErrorCode.NOT_FOUND, GONE)
        async for chunk in chunks:
            yield chunk


async def finish(database: Database, store: Store, upload: Upload, evidence: int, now: dt.datetime) -> Upload | None:
    """Note the evidence that the whole became, and remove the pieces. Returns None where another piece came first."""
    after = replace(upload, received=upload.length, evidence=evidence, expires_at=now + UPLOAD_AGE)
    names = await _names(database, upload)
    async with database.write() as session:
        connection = await session.connection()
        if not await _count(connection, upload, after):
            return None
        await connection.execute(sa.delete(PIECE).where(PIECE.c.upload_id == upload.id))
    await _remove_files(store, names)
    return after


async def end(database: Database, store: Store, upload: Upload) -> None:
    """Forget an upload, with its pieces. Evidence that it became stays."""
    names = await _names(database, upload)
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.delete(PIECE).where(PIECE.c.upload_id == upload.id))
        await connection.execute(sa.delete(UPLOAD).where(UPLOAD.c.id == upload.id))
    await _remove_files(store, names)


async def _count(connection: AsyncConnection, before: Upload, after: Upload) -> bool:
    """Updates the upload to `after`. False if something else has changed it since `before`."""
    same = (UPLOAD.c.id == before.id, UPLOAD.c.received == before.received, UPLOAD.c.evidence_id.is_(None))
    values = {"received": after.received, "evidence_id": after.evidence, "expires_at": after.expires_at}
    return bool((await connection.execute(sa.update(UPLOAD).where(*same).values(values))).rowcount)


async def _names(database: Database, upload: Upload) -> Sequence[str]:
    async with database.read() as connection:
        named = sa.select(PIECE.c.name).where(PIECE.c.upload_id == upload.id).order_by(PIECE.c.start)
        return (await connection.execute(named)).scalars().all()


async def _remove_files(store: Store, names: Sequence[str]) -> None:
    for name in names:
        await store.remove(name)
