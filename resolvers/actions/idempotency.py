"""A mutation that a client repeats is answered from its first success, which is kept for seven days."""

import datetime as dt
import hashlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Viewer
from models.db.tables import table_of
from resolvers.actions.errors import InvalidInput

RETENTION = dt.timedelta(days=7)
TABLE = table_of(models.ClientMutation)

Key = tuple[str, str]


def key(viewer: Viewer, client_mutation_id: str | None) -> Key | None:
    """Whose mutation it is, and what the client calls it."""
    return None if client_mutation_id is None else (viewer.identity, client_mutation_id)


async def first(session: AsyncSession, key: Key, fingerprint: str, now: dt.datetime) -> dict[str, Any] | None:
    """The outcome of the first success, if there is one. A second caller waits here until the first is done.

    Raises InvalidInput where the first had another input.
    """
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256("\0".join(key).encode()).digest()
        lock = int.from_bytes(digest[:8], "big", signed=True)
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
    mine = (TABLE.c.viewer == key[0], TABLE.c.client_mutation_id == key[1], TABLE.c.at > now - RETENTION)
    kept = (await connection.execute(sa.select(TABLE.c.fingerprint, TABLE.c.outcome).where(*mine))).first()
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise InvalidInput("clientMutationId", "You used this clientMutationId before, with another input.")
    outcome: dict[str, Any] = kept.outcome
    return outcome


async def keep(
    session: AsyncSession, key: Key, fingerprint: str, rows: dict[str, Any], cursor: str, now: dt.datetime
) -> None:
    """Keep a success, in its own transaction; what is older than seven days goes."""
    await session.execute(sa.delete(TABLE).where(TABLE.c.at <= now - RETENTION))
    outcome = {
        "rows": {
            n: [_plain(r) for r in found] if isinstance(found, list) else _plain(found) for n, found in rows.items()
        },
        "cursor": cursor,
    }
    values = {"viewer": key[0], "client_mutation_id": key[1], "fingerprint": fingerprint, "outcome": outcome, "at": now}
    await session.execute(sa.insert(TABLE).values(values))


def rows(kept: dict[str, Any]) -> dict[str, Any]:
    """The rows of a kept outcome as (model, key)."""
    return {
        name: [_row(r) for r in found] if found and isinstance(found[0], list) else _row(found) if found else []
        for name, found in kept.items()
    }


def _plain(row: tuple[Any, int]) -> list[Any]:
    return [row[0].__name__, row[1]]


def _row(plain: list[Any]) -> tuple[Any, int]:
    return getattr(models, plain[0]), plain[1]
