"""Idempotency of mutations: a repeat with the same clientMutationId gets the first success, for seven days."""

import datetime as dt
import hashlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Viewer
from models.db.tables import table_of
from resolvers.actions.context import Outcome, OutcomeRow
from resolvers.actions.errors import InvalidInput

RETENTION = dt.timedelta(days=7)
TABLE = table_of(models.ClientMutation)

Key = tuple[str, str]


def key_of(viewer: Viewer, client_mutation_id: str | None) -> Key | None:
    """The viewer's identity and the client's own id; None where the client gave none."""
    return None if client_mutation_id is None else (viewer.identity, client_mutation_id)


async def find_outcome(session: AsyncSession, key: Key, fingerprint: str, now: dt.datetime) -> Outcome | None:
    """The outcome of the first success, or None. Waits for a transaction that is at work on the same key.

    Raises InvalidInput where the first success had another input.
    """
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256("\0".join(key).encode()).digest()
        lock = int.from_bytes(digest[:8], "big", signed=True)
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
    conditions = (TABLE.c.viewer == key[0], TABLE.c.client_mutation_id == key[1], TABLE.c.at > now - RETENTION)
    saved = (await connection.execute(sa.select(TABLE.c.fingerprint, TABLE.c.outcome).where(*conditions))).first()
    if saved is None:
        return None
    if saved.fingerprint != fingerprint:
        raise InvalidInput("clientMutationId", "You used this clientMutationId before, with another input.")
    rows = {name: _from_json(value) for name, value in saved.outcome["rows"].items()}
    return Outcome(rows, saved.outcome["cursor"])


async def save_outcome(session: AsyncSession, key: Key, fingerprint: str, outcome: Outcome, now: dt.datetime) -> None:
    """Save a success in the transaction that made it, and delete what is older than seven days."""
    await session.execute(sa.delete(TABLE).where(TABLE.c.at <= now - RETENTION))
    saved = {"rows": {name: _to_json(rows) for name, rows in outcome.rows.items()}, "cursor": outcome.cursor}
    values = {"viewer": key[0], "client_mutation_id": key[1], "fingerprint": fingerprint, "outcome": saved, "at": now}
    await session.execute(sa.insert(TABLE).values(values))


def _to_json(rows: Any) -> list[Any]:
    """A row as [model's name, key, written], and a list of rows as a list."""
    return [_to_json(row) for row in rows] if isinstance(rows, list) else [rows.model.__name__, rows.key, rows.written]


def _from_json(value: list[Any]) -> Any:
    if not value or isinstance(value[0], list):
        return [_from_json(row) for row in value]
    # A release that did not store whether the row was written may have saved it.
    return OutcomeRow(getattr(models, value[0]), value[1], written=all(value[2:]))
