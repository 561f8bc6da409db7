"""Acting: one transaction that changes rows and, last, appends the events that tell of it.

An action is a function `(context, *, arguments) → {name: row or rows}`. It raises a Problem to be rolled back and told.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, UOWTransaction

import models
from models import Viewer, lifecycle
from models.db.database import Database
from models.db.tables import table_of
from resolvers.actions import idempotency
from resolvers.actions.context import ActionContext, ActionRequest, ActionResult, PendingEvent
from resolvers.actions.errors import Forbidden
from resolvers.actions.event_context import EventContext, enterprise_contexts, venue_contexts
from subscriptions import event_log

Action = Callable[..., Awaitable[ActionResult]]

ATTEMPTS_MAXIMUM = 6
# PostgreSQL: serialization failure, deadlock, and a unique key that another transaction took first.
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "23505"})


@dataclass(frozen=True)
class Outcome:
    """A success: its rows by name as (model, key) or lists of them, and the cursor of its last event."""

    rows: dict[str, Any]
    cursor: str


async def run_action(
    database: Database,
    viewer: Viewer,
    now: dt.datetime,
    zone: ZoneInfo,
    request: ActionRequest,
    body: Action,
    notify: Callable[[], None],
) -> Outcome:
    """Carry out one mutation. Raises Problem. `notify` is called after the commit of an action that left events."""
    if not lifecycle.may_call(viewer, request.mutation):
        raise Forbidden("Your role does not allow that.")
    for attempt in range(1, ATTEMPTS_MAXIMUM + 1):
        try:
            outcome, wrote = await _once(database, viewer, now, zone, request, body)
        except sa.exc.DBAPIError as error:
            if attempt == ATTEMPTS_MAXIMUM or getattr(error.orig, "sqlstate", None) not in RETRYABLE_SQLSTATES:
                raise
            await asyncio.sleep(0.01 * attempt)
            continue
        if wrote:
            notify()
        return outcome
    raise AssertionError("the last try returns or raises")


async def _once(
    database: Database, viewer: Viewer, now: dt.datetime, zone: ZoneInfo, request: ActionRequest, body: Action
) -> tuple[Outcome, bool]:
    async with database.write() as session:
        session.autoflush = False
        acting = ActionContext(session, viewer, now, zone, request)
        key = idempotency.key(viewer, request.client_mutation_id)
        if key is not None and (kept := await idempotency.first(session, key, request.fingerprint, now)) is not None:
            return Outcome(idempotency.rows(kept["rows"]), kept["cursor"]), False

        @sa.event.listens_for(session.sync_session, "before_flush")
        def before_flush(session: Session, context: UOWTransaction, instances: Any) -> None:
            acting.changes.collect(session, now)

        found = await body(acting, **request.arguments)
        numbers = await _finish(acting)
        state = await event_log.state(await session.connection())
        outcome = Outcome(
            {
                name: [(type(r), r.id) for r in rows] if isinstance(rows, list) else (type(rows), rows.id)
                for name, rows in found.items()
            },
            state.cursor_of(numbers[-1]) if numbers else state.cursor,
        )
        if key is not None:
            await idempotency.keep(session, key, request.fingerprint, outcome.rows, outcome.cursor, now)
        return outcome, bool(numbers)


async def _finish(acting: ActionContext) -> list[int]:
    """Write what is left to write, and append the events; their numbers."""
    session = acting.session
    await session.flush()
    acting.changes.check({id(draft.row) for draft in acting.pending_events})
    enterprise = table_of(models.Enterprise)
    for key in sorted(acting.open_hazard_changes.keys() | acting.inspected_enterprises):
        values: dict[Any, Any] = {}
        if acting.open_hazard_changes[key]:
            values[enterprise.c.open_hazards] = enterprise.c.open_hazards + acting.open_hazard_changes[key]
        if key in acting.inspected_enterprises:
            values[enterprise.c.last_inspected_at] = acting.now
        if values:
            await session.execute(sa.update(enterprise).where(enterprise.c.id == key).values(values))
    if not acting.pending_events:
        return []
    concerned = sorted({d.enterprise_id for d in acting.pending_events if d.enterprise_id is not None})
    after = await enterprise_contexts(session, concerned)
    at_venues = await venue_contexts(
        session, sorted({d.venue_id for d in acting.pending_events if d.venue_id is not None})
    )
    return await event_log.append(session, [_event(acting, draft, after, at_venues) for draft in acting.pending_events])


def _event(
    acting: ActionContext, draft: PendingEvent, after: dict[int, EventContext], at_venues: dict[int, EventContext]
) -> dict[str, Any]:
    """The row of the log."""
    venue = at_venues.get(draft.venue_id or 0, EventContext())
    now = after.get(draft.enterprise_id or 0, EventContext(zone_id=draft.zone_id or venue.zone_id))
    then = acting.contexts_before.get(draft.enterprise_id or 0, now)
    both = [now, then, venue]
    risks = [f.risk for f in both if f.risk is not None]
    viewer = acting.viewer
    return {
        "at": acting.now,
        "kind": draft.kind,
        "subject": draft.kind.subject,
        "subject_id": draft.row.id,
        "actor_role": None if draft.automatic else viewer.role,
        "actor_name": None if draft.automatic else viewer.name,
        "from_status": draft.from_status,
        "to_status": draft.to_status,
        "changes": acting.changes.entries(draft.row),
        "enterprise_id": draft.enterprise_id,
        "zone_id": now.zone_id,
        "zones": frozenset(f.zone_id for f in both if f.zone_id is not None),
        "rings": now.rings | then.rings | venue.rings,
        "venues": now.venues | then.venues | venue.venues,
        "risk": max(risks, key=lambda r: r.value) if risks else None,
        "major": draft.major,
    }
