"""Checks that a database, its log and the reports of the acting processes agree."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

import models
from models import HAZARD_TERMINAL, DispatchStatus, EventKind, Subject
from models.db import portrait_sums
from models.db.database import Database
from models.db.tables import Versioned
from resolvers.actions.change_tracker import OWN_EVENT_MODELS
from subscriptions import event_log

SUBJECTS: dict[Subject, Any] = {s: getattr(models, s.value) for s in Subject if s is not Subject.REGISTER}
STOCK = (Subject.STOCK_ITEM,)
RESERVING_STATES = {
    DispatchStatus.ASSIGNED,
    DispatchStatus.ACKNOWLEDGED,
    DispatchStatus.EN_ROUTE,
    DispatchStatus.ON_SCENE,
    DispatchStatus.COMPLETED,
}

Rows = dict[Any, dict[int, Any]]
Line = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The guarded rows by model and key, and the state of the log, read in one transaction."""

    rows: Rows
    state: event_log.LogState


@dataclass(frozen=True)
class Audit:
    """`unacknowledged` are the actors whose events are in the log though no process reported them."""

    events: Sequence[Any]
    accepted: int
    refused: Counter[str]
    unacknowledged: set[str]


async def snapshot(database: Database) -> Snapshot:
    rows: Rows = {}
    async with database.read() as connection:
        for model in OWN_EVENT_MODELS:
            table = SQLModel.metadata.tables[model.__tablename__]
            rows[model] = {row.id: row for row in await connection.execute(sa.select(table))}
        return Snapshot(rows, await event_log.state(connection))


async def events_after(database: Database, number: int) -> Sequence[Any]:
    async with database.read() as connection:
        return await event_log.after(connection, number, 1_000_000)


async def audit(database: Database, before: Snapshot, lines: Iterable[Line]) -> Audit:
    """Compare the reported lines with the log and the rows since `before`. Fails the test where they differ."""
    lines = list(lines)
    errors = [line for line in lines if "error" in line]
    assert not errors, errors
    now = await snapshot(database)
    events = await events_after(database, before.state.head)
    accepted, unacknowledged = check_acknowledgements(now.state, events, lines)
    creations = check_rows_have_events(before, now, events)
    check_versions(before, now, events, creations)
    check_statuses(now, events)
    check_stock(before, now, events)
    check_open_hazards(now)
    async with database.read() as connection:
        assert await portrait_sums.differences(connection) == 0
    return Audit(events, accepted, Counter(line["refused"] for line in lines if "refused" in line), unacknowledged)


def check_acknowledgements(state: event_log.LogState, events: Sequence[Any], lines: list[Line]) -> tuple[int, set[str]]:
    """An accepted action has its events, in order and adjacent, and the last one's cursor; a refused one has none.

    Returns the number of accepted actions and the actors of unreported ones.
    """
    by_actor: dict[str, list[Any]] = defaultdict(list)
    for index, event in enumerate(events):
        own = by_actor[event.actor_name]
        assert not own or events[index - 1] is own[-1], f"{event.actor_name} is interrupted by another"
        own.append(event)
    # Two answers to one mutation id are one action, logged under the actor whose request was carried out.
    cursors: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if "refused" in line:
            assert line["actor"] not in by_actor, line
        elif "cursor" in line:
            cursors[line["cursor"]].append(line)
    reported = set()
    for cursor, answered in cursors.items():
        actors = [line["actor"] for line in answered if line["actor"] in by_actor]
        assert len(actors) == 1, f"acknowledged but not in the log exactly once: {answered}"
        own = by_actor[actors[0]]
        assert own[-1].id == state.number(cursor), answered
        kinds = answered[0]["kinds"]
        assert len(own) == len(kinds), (answered, own)
        assert all(event.kind.name in kind.split("|") for event, kind in zip(own, kinds, strict=True)), answered
        reported.add(actors[0])
    return len(cursors), by_actor.keys() - reported


def check_rows_have_events(before: Snapshot, now: Snapshot, events: Sequence[Any]) -> set[tuple[Any, int]]:
    """Every new or changed row has an event, and every event is about an existing row. Returns the new rows."""
    about = {(SUBJECTS[event.subject], event.subject_id) for event in events}
    for model, key in about:
        assert key in now.rows[model], (model, key)
    new = {(model, key) for model in now.rows for key in now.rows[model].keys() - before.rows[model].keys()}
    assert new <= about, new - about
    changed = {
        (model, key)
        for model, rows in before.rows.items()
        for key, row in rows.items()
        # Actions on hazards and inspections update the totals of their enterprise without an event of its own.
        if model is not models.Enterprise and row != now.rows[model][key]
    }
    assert changed <= about, changed - about
    return new


def check_versions(before: Snapshot, now: Snapshot, events: Sequence[Any], creations: set[tuple[Any, int]]) -> None:
    """A row's version has risen by one for each action that changed it, so none was lost or written twice."""
    actors: dict[tuple[Any, int], set[str]] = defaultdict(set)
    for event in events:
        names = actors[SUBJECTS[event.subject], event.subject_id]
        # Grading an enterprise as it is graded already appends an event and leaves the row unchanged.
        if event.changes or event.from_status != event.to_status or event.kind is EventKind.ENTERPRISE_REGISTERED:
            names.add(event.actor_name)
    for (model, key), names in actors.items():
        if issubclass(model, Versioned):
            version = 0 if (model, key) in creations else before.rows[model][key].version
            assert now.rows[model][key].version == version + len(names), (model, key, names)


def check_statuses(now: Snapshot, events: Sequence[Any]) -> None:
    """The events of a row lead from each status to the next, and the last one to the row's present status."""
    steps: dict[tuple[Any, int], list[Any]] = defaultdict(list)
    for event in events:
        if event.to_status is not None:
            steps[SUBJECTS[event.subject], event.subject_id].append(event)
    for (model, key), changes in steps.items():
        assert all(first.to_status == second.from_status for first, second in pairwise(changes)), changes
        assert changes[-1].to_status == now.rows[model][key].status.name, changes


def check_stock(before: Snapshot, now: Snapshot, events: Sequence[Any]) -> None:
    """Quantities follow from the logged changes, and what is reserved is what open dispatches hold."""
    values: dict[tuple[int, str], int] = {
        (key, field): getattr(row, field)
        for key, row in before.rows[models.StockItem].items()
        for field in ("quantity", "reserved")
    }
    for event in events:
        if event.subject in STOCK:
            assert event.kind is not EventKind.STOCK_RECEIVED or len(event.changes) == 1
            for change in event.changes:
                field = event.subject_id, change["field"]
                assert values[field] == int(change["from"]), event
                values[field] = int(change["to"])
    reserved = Counter[int]()
    for row in now.rows[models.Dispatch].values():
        if row.stock_item_id is not None and row.status in RESERVING_STATES:
            reserved[row.stock_item_id] += row.quantity - (row.drawn or 0)
    for key, row in now.rows[models.StockItem].items():
        assert (row.quantity, row.reserved) == (values[key, "quantity"], values[key, "reserved"])
        assert row.reserved == reserved[key]
        assert 0 <= row.reserved <= row.quantity


def check_open_hazards(now: Snapshot) -> None:
    """Each enterprise's counter of open hazards is the number of its open hazards."""
    open_by_enterprise = Counter(
        h.enterprise_id for h in now.rows[models.Hazard].values() if h.status not in HAZARD_TERMINAL
    )
    counters = {key: row.open_hazards for key, row in now.rows[models.Enterprise].items()}
    assert counters == {key: open_by_enterprise[key] for key in counters}
