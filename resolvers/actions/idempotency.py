"""Idempotency of mutations: a repeat with the same clientMutationId gets the first success, for seven days.

Of a mutation of many rows, a repeat gets the first success of each row, and tries again those that failed.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Viewer
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.context import Outcome, OutcomeRow
from resolvers.actions.errors import InvalidInput

RETENTION = dt.timedelta(days=7)
TABLE = table_of(models.ClientMutation)

PURGE_EVERY = 100  # keys between two deletions of what is older than RETENTION

OWN = sa.and_(TABLE.c.viewer == sa.bindparam("key_viewer"), TABLE.c.client_mutation_id == sa.bindparam("key_id"))
SAVED = sa.select(TABLE.c.fingerprint, TABLE.c.outcome).where(OWN)
SAVE = sa.update(TABLE).where(OWN).values(outcome=sa.bindparam("outcome"), at=sa.bindparam("at"))
RELEASE = sa.delete(TABLE).where(OWN)
PURGE = sa.delete(TABLE).where(TABLE.c.at <= sa.bindparam("oldest"))

Key = tuple[str, str]


def _claims(insert: Any) -> Any:
    """Inserts a key, or takes over one that is too old to count. Returns its id; nothing for a key that counts."""
    new = insert(TABLE)
    return new.on_conflict_do_update(
        index_elements=[TABLE.c.viewer, TABLE.c.client_mutation_id],
        set_={name: new.excluded[name] for name in ("fingerprint", "outcome", "at")},
        where=TABLE.c.at <= sa.bindparam("oldest", type_=TABLE.c.at.type),
    ).returning(TABLE.c.id)


CLAIMS = {"postgresql": _claims(postgresql.insert), "sqlite": _claims(sqlite.insert)}


def key_of(viewer: Viewer, client_mutation_id: str | None) -> Key | None:
    """The viewer's identity and the client's own id; None where the client gave none."""
    return None if client_mutation_id is None else (viewer.identity, client_mutation_id)


async def claim(session: AsyncSession, key: Key, fingerprint: str, now: dt.datetime) -> Outcome | None:
    """Claim the key for this transaction, or return the outcome of the first success.

    Waits for a transaction that is at work on the same key. Raises InvalidInput where the first success had another
    input.
    """
    viewer, id = key
    values = {"viewer": viewer, "client_mutation_id": id, "fingerprint": fingerprint, "outcome": {}, "at": now}
    claims = CLAIMS[session.get_bind().dialect.name]
    claimed = (await session.execute(claims, values | {"oldest": now - RETENTION})).scalar()
    if claimed is not None:
        if claimed % PURGE_EVERY == 0:
            await session.execute(PURGE, {"oldest": now - RETENTION})
        return None
    saved = (await session.execute(SAVED, {"key_viewer": viewer, "key_id": id})).one()
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


async def save_outcome(session: AsyncSession, key: Key, outcome: Outcome, now: dt.datetime) -> None:
    """Save a success under the key that the transaction has claimed. A mutation of which no row succeeded has none."""
    values = {"key_viewer": key[0], "key_id": key[1]}
    if has_failed(outcome):
        await session.execute(RELEASE, values)
    else:
        await session.execute(SAVE, values | {"outcome": _outcome_to_json(outcome), "at": now})


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
