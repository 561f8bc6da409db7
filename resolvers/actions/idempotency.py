"""Idempotency of mutations: a repeat with the same clientMutationId gets the first success, for seven days.

Of a mutation of many rows, a repeat gets the first success of each row, and tries again those that failed.
"""

import datetime as dt
import hashlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Viewer
from models.db.tables import table_of
from models.reason import Reason
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
        raise InvalidInput(
            "clientMutationId", Reason("MUTATION_ID_USED", "You used this clientMutationId before, with another input.")
        )
    return _outcome_from_json(saved.outcome)


def is_partial(outcome: Outcome) -> bool:
    """Whether some rows of a mutation of many failed. A repeat tries these again."""
    return outcome.results is not None and None in outcome.results


def has_failed(outcome: Outcome) -> bool:
    """Whether no row of a mutation of many succeeded."""
    return outcome.results is not None and not any(isinstance(row, Outcome) for row in outcome.results)


async def save_outcome(session: AsyncSession, key: Key, fingerprint: str, outcome: Outcome, now: dt.datetime) -> None:
    """Save a success in the transaction that made it, and delete what is older than seven days."""
    own = sa.and_(TABLE.c.viewer == key[0], TABLE.c.client_mutation_id == key[1])
    await session.execute(sa.delete(TABLE).where(sa.or_(TABLE.c.at <= now - RETENTION, own)))
    saved = _outcome_to_json(outcome)
    values = {"viewer": key[0], "client_mutation_id": key[1], "fingerprint": fingerprint, "outcome": saved, "at": now}
    await session.execute(sa.insert(TABLE).values(values))


def _outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Of a mutation of many rows, with null for each that failed."""
    saved: dict[str, Any] = {"rows": {name: _to_json(rows) for name, rows in outcome.rows.items()}}
    if outcome.results is not None:
        saved["results"] = [_outcome_to_json(row) if isinstance(row, Outcome) else None for row in outcome.results]
    return {**saved, "cursor": outcome.cursor}


def _outcome_from_json(saved: dict[str, Any]) -> Outcome:
    rows = {name: _from_json(value) for name, value in saved["rows"].items()}
    results = saved.get("results")
    if results is not None:
        results = [row and _outcome_from_json(row) for row in results]
    return Outcome(rows, saved["cursor"], results)


def _to_json(rows: Any) -> list[Any]:
    """A row as [model's name, key, written] and its reason, if it has one, and a list of rows as a list."""
    if isinstance(rows, list):
        return [_to_json(row) for row in rows]
    reason = [] if rows.reason is None else [rows.reason]
    return [rows.model.__name__, rows.key, rows.written, *reason]


def _from_json(value: list[Any]) -> Any:
    if not value or isinstance(value[0], list):
        return [_from_json(row) for row in value]
    # A release that did not store whether the row was written may have saved it.
    return OutcomeRow(getattr(models, value[0]), value[1], all(value[2:3]), *value[3:])
