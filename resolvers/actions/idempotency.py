"""Idempotency of mutations: a repeat with the same clientMutationId gets the first success, while acts may wait.

A repeat comes from the same viewer, or from the same device: there a colleague may have signed in before the device
knew of the success. Of a mutation of many rows, a repeat gets the first success of each row, and tries again those that
failed.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Viewer
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionRequest, Outcome, OutcomeRow
from resolvers.actions.errors import Forbidden, InvalidInput

TABLE = table_of(models.ClientMutation)

PURGE_EVERY = 100  # keys between two deletions of what is too old to count
ATTEMPTS_MAXIMUM = 5  # to claim a key of which others delete what is too old

OWN = TABLE.c.viewer == sa.bindparam("key_viewer")
SAVED = (
    sa.select(TABLE.c.id, TABLE.c.viewer, TABLE.c.fingerprint, TABLE.c.outcome, TABLE.c.at)
    .where(
        TABLE.c.client_mutation_id == sa.bindparam("key_id"),
        sa.or_(OWN, TABLE.c.device == sa.bindparam("key_device", type_=TABLE.c.device.type)),
    )
    .order_by(sa.case((OWN, 0), else_=1))
    .limit(1)
    .with_for_update()
)
CLAIMED = TABLE.c.id == sa.bindparam("claimed")
SAVE = sa.update(TABLE).where(CLAIMED).values(outcome=sa.bindparam("outcome"), at=sa.bindparam("at"))
RELEASE = sa.delete(TABLE).where(CLAIMED)
PURGE = sa.delete(TABLE).where(TABLE.c.at <= sa.bindparam("oldest"))
DONE_BY_OTHER = Reason(
    "MUTATION_DONE_BY_OTHER", "This was done before on your device, by somebody whose rows you may not see."
)


class Key(NamedTuple):
    """The viewer's identity, the device if it names itself, and the client's own id of the call."""

    viewer: str
    device: str | None
    id: str


@dataclass(frozen=True)
class Claim:
    """A key that a transaction holds. `outcome` is the first success, if there was one; `viewer` had it."""

    id: int
    viewer: str
    outcome: Outcome | None = None


def _claims(insert: Any) -> Any:
    """Inserts a key. Returns its id; nothing where the viewer or the device has used it before."""
    return insert(TABLE).on_conflict_do_nothing().returning(TABLE.c.id)


CLAIMS = {"postgresql": _claims(postgresql.insert), "sqlite": _claims(sqlite.insert)}


def key_of(viewer: Viewer, request: ActionRequest) -> Key | None:
    """The key of a call; None where the client gave no id."""
    id = request.client_mutation_id
    return None if id is None else Key(viewer.identity, request.device, id)


async def claim(session: AsyncSession, key: Key, fingerprint: str, now: dt.datetime, oldest: dt.datetime) -> Claim:
    """Claim the key for this transaction, or take it over with the outcome of the first success.

    A key of `oldest` or before does not count. Waits for a transaction that is at work on the same key. Raises
    InvalidInput where the first success had another input.
    """
    values = {"viewer": key.viewer, "device": key.device, "client_mutation_id": key.id, "fingerprint": fingerprint}
    claims = CLAIMS[session.get_bind().dialect.name]
    for _ in range(ATTEMPTS_MAXIMUM):
        claimed = (await session.execute(claims, values | {"outcome": {}, "at": now})).scalar()
        if claimed is not None:
            if claimed % PURGE_EVERY == 0:
                await purge(session, oldest)
            return Claim(claimed, key.viewer)
        names = {"key_viewer": key.viewer, "key_device": key.device, "key_id": key.id}
        saved = (await session.execute(SAVED, names)).first()
        if saved is not None and saved.at > oldest:
            if saved.fingerprint != fingerprint:
                reason = Reason("MUTATION_ID_USED", "This clientMutationId was used before, with another input.")
                raise InvalidInput("clientMutationId", reason)
            return Claim(saved.id, saved.viewer, _outcome_from_json(saved.outcome))
        if saved is not None:
            await session.execute(RELEASE, {"claimed": saved.id})
    raise RuntimeError("a key of a mutation could not be claimed")


async def purge(session: AsyncSession, oldest: dt.datetime) -> int:
    """Delete the keys that are too old to count. Returns how many."""
    deleted: Any = await session.execute(PURGE, {"oldest": oldest})
    return int(deleted.rowcount)


async def shown_to_viewer(context: ActionContext, claimed: Claim) -> Outcome | None:
    """The first success, if there was one. What others did has rows that the viewer did not write.

    Raises Forbidden where there are such rows that they may not see; of a mutation of many, each of these has failed.
    """
    outcome, viewer = claimed.outcome, context.viewer.identity
    if outcome is None:
        return None
    parts = [outcome] if outcome.results is None else [part for part in outcome.results if isinstance(part, Outcome)]
    of_others = [part for part in parts if (part.by or claimed.viewer) != viewer]
    hidden = await _hidden(context, of_others)

    def shown(part: Outcome) -> Outcome | Forbidden:
        if not any(part is each for each in of_others):
            return part
        return Forbidden(DONE_BY_OTHER) if hidden.intersection(_keys(part)) else _unwritten(part)

    if outcome.results is not None:
        return replace(outcome, results=[shown(r) if isinstance(r, Outcome) else r for r in outcome.results])
    alone = shown(outcome)
    if isinstance(alone, Forbidden):
        raise alone
    return alone


async def _hidden(context: ActionContext, outcomes: Sequence[Outcome]) -> set[tuple[Any, int]]:
    """The rows of these outcomes that the viewer may not see."""
    keys: dict[Any, set[int]] = {}
    for model, key in itertools.chain.from_iterable(map(_keys, outcomes)):
        keys.setdefault(model, set()).add(key)
    return {(model, key) for model, wanted in keys.items() for key in wanted - await context.seen(model, wanted)}


def _keys(outcome: Outcome) -> Iterator[tuple[Any, int]]:
    for rows in outcome.rows.values():
        for row in rows if isinstance(rows, list) else [rows]:
            yield row.model, row.key


def _unwritten(outcome: Outcome) -> Outcome:
    """The same, of rows that the viewer did not write."""
    rows: dict[str, OutcomeRow | list[OutcomeRow]] = {
        name: [row._replace(written=False) for row in rows] if isinstance(rows, list) else rows._replace(written=False)
        for name, rows in outcome.rows.items()
    }
    return replace(outcome, rows=rows)


def is_partial(outcome: Outcome) -> bool:
    """Whether some rows of a mutation of many failed. A repeat tries these again."""
    return outcome.results is not None and None in outcome.results


def has_failed(outcome: Outcome) -> bool:
    """Whether no row of a mutation of many succeeded."""
    return outcome.results is not None and not any(isinstance(row, Outcome) for row in outcome.results)


async def save_outcome(
    session: AsyncSession, viewer: Viewer, claimed: Claim, outcome: Outcome, now: dt.datetime
) -> None:
    """Save a success under the key that the transaction has claimed. A mutation of which no row succeeded has none.

    What somebody did before stays theirs: of a mutation of many rows only those are new that were not done yet.
    """
    values = {"claimed": claimed.id}
    if outcome.results is not None:
        by = None if viewer.identity == claimed.viewer else viewer.identity
        new = [replace(row, by=by) if isinstance(row, Outcome) else row for row in outcome.results]
        before = (claimed.outcome and claimed.outcome.results) or [None] * len(new)
        outcome = replace(outcome, results=[old or row for old, row in zip(before, new, strict=True)])
    if has_failed(outcome):
        await session.execute(RELEASE, values)
    else:
        await session.execute(SAVE, values | {"outcome": _outcome_to_json(outcome), "at": now})


def _outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Of a mutation of many rows, with null for each that failed."""
    saved: dict[str, Any] = {"rows": {name: _to_json(rows) for name, rows in outcome.rows.items()}}
    if outcome.results is not None:
        saved["results"] = [_outcome_to_json(row) if isinstance(row, Outcome) else None for row in outcome.results]
    if outcome.by is not None:
        saved["by"] = outcome.by
    return {**saved, "cursor": outcome.cursor}


def _outcome_from_json(saved: dict[str, Any]) -> Outcome:
    rows = {name: _from_json(value) for name, value in saved["rows"].items()}
    results = saved.get("results")
    if results is not None:
        results = [row and _outcome_from_json(row) for row in results]
    return Outcome(rows, saved["cursor"], results, saved.get("by"))


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
