"""Runs a mutation's action in one transaction: the rows change first, then the events about them are appended.

An action is an async function `(context, *, arguments)` that returns its rows by name. It raises an ActionError to roll
everything back. One on many rows (resolvers/actions/batch.py) returns a list, with the result or failure of each.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, UOWTransaction

import models
from models import Role, Viewer, lifecycle
from models.db import portrait_changes
from models.db.database import Database
from models.db.tables import table_of
from models.notice import is_internal
from models.reason import Reason
from resolvers.actions import idempotency
from resolvers.actions.context import ActionContext, ActionRequest, Outcome, OutcomeRow, PendingEvent, WithReason
from resolvers.actions.errors import ActionError, Forbidden, InvalidInput
from resolvers.actions.event_context import EventContext, enterprise_contexts, venue_contexts
from subscriptions import event_log

Action = Callable[..., Awaitable[Any]]

ATTEMPTS_MAXIMUM = 6
# PostgreSQL: serialization failure, deadlock, and a unique key that another transaction inserted first.
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "23505"})


async def run_action(
    database: Database,
    viewer: Viewer,
    now: dt.datetime,
    zone: ZoneInfo,
    request: ActionRequest,
    action: Action,
    notify: Callable[[], None],
) -> Outcome:
    """Carry out one mutation, and call `notify` after the commit if it appended events.

    Tries again where PostgreSQL rolled the transaction back because of another one. Raises ActionError.
    """
    if not lifecycle.may_call(viewer, request.mutation):
        raise Forbidden(not_permitted(viewer, request.mutation))
    for attempt in range(1, ATTEMPTS_MAXIMUM + 1):
        try:
            outcome, appended = await database.transaction(partial(_run_once, viewer, now, zone, request, action))
        except sa.exc.DBAPIError as error:
            if attempt == ATTEMPTS_MAXIMUM or getattr(error.orig, "sqlstate", None) not in RETRYABLE_SQLSTATES:
                raise
            await asyncio.sleep(0.01 * attempt)
            continue
        if appended:
            notify()
        return outcome
    raise AssertionError("the last attempt returns or raises")


async def _run_once(
    viewer: Viewer, now: dt.datetime, zone: ZoneInfo, request: ActionRequest, action: Action, session: AsyncSession
) -> tuple[Outcome, bool]:
    """The outcome, and whether events were appended for it."""
    session.autoflush = False
    claimed, key = None, idempotency.key_of(viewer, request)
    context = ActionContext(session, viewer, now, zone, request)
    if key is not None:
        oldest = now - request.offline.latest
        claimed = await idempotency.claim(session, key, request.fingerprint, now, oldest)
        saved = await idempotency.shown_to_viewer(context, claimed)
        if saved is not None and not idempotency.is_partial(saved):
            return saved, False
        context.request = replace(request, done=None if saved is None else saved.results)

    @sa.event.listens_for(session.sync_session, "before_flush")
    def before_flush(session: Session, flush_context: UOWTransaction, instances: Any) -> None:
        context.changes.collect(session, now)
        context.counted.collect(session)

    result = await _perform(action, context)
    await session.flush()
    context.changes.require_events({id(event.row) for event in context.pending_events})
    await _update_enterprises(context)
    appended = await _append_events(context)
    outcome = _outcome(context, result, (await event_log.state(session)).cursor)
    if claimed is not None:
        await idempotency.save_outcome(session, viewer, claimed, outcome, now)
    return outcome, appended


def _outcome(context: ActionContext, result: Any, cursor: str) -> Outcome:
    """The outcome of an action. Of a batch action each row has its own, or its failure."""

    def outcome_row(row: models.Row | WithReason) -> OutcomeRow:
        if isinstance(row, WithReason):
            return outcome_row(row.row)._replace(reason=row.reason.name)
        return OutcomeRow(type(row), row.id, context.changes.wrote(row))

    def of_one(result: Any) -> Any:
        if isinstance(result, ActionError | Outcome):
            return result
        rows = {
            name: [outcome_row(row) for row in rows] if isinstance(rows, list) else outcome_row(rows)
            for name, rows in result.items()
        }
        return Outcome(rows, cursor)

    return Outcome({}, cursor, [of_one(each) for each in result]) if isinstance(result, list) else of_one(result)


async def _perform(action: Action, context: ActionContext) -> Any:
    """Run the action and return its result. Raises InvalidInput with all problems of the input that it met."""
    try:
        result = await action(context, **context.request.arguments)
    except InvalidInput as error:
        raise InvalidInput.of([*context.rejected, *error.errors]) from None
    context.raise_rejected()
    return result


def not_permitted(viewer: Viewer, mutation: str) -> Reason:
    """Why the viewer may not call the mutation at all."""
    roles, scope = lifecycle.PERMITTED[mutation]
    if viewer.role is Role.INTEGRATOR and scope is not None:
        return Reason("SCOPE_MISSING", "{mutation} needs the scope `{scope}`.", mutation=mutation, scope=scope.value)
    return Reason(
        "ROLE_FORBIDDEN",
        "{mutation} needs {roles}; you are {role}.",
        mutation=mutation,
        roles=[role.name for role in Role if role in roles],
        role=viewer.role.name,
    )


async def _update_enterprises(context: ActionContext) -> None:
    """Write the enterprises' derived columns, in the order of their keys."""
    enterprise = table_of(models.Enterprise)
    for key in sorted(context.open_hazard_changes.keys() | context.inspected_enterprises):
        values: dict[Any, Any] = {}
        if context.open_hazard_changes[key]:
            values[enterprise.c.open_hazards] = enterprise.c.open_hazards + context.open_hazard_changes[key]
        if key in context.inspected_enterprises:
            # An inspection that arrives late may be older than another.
            last = enterprise.c.last_inspected_at
            act = sa.literal(context.occurred_at, last.type)
            values[last] = sa.case((sa.or_(last.is_(None), last < act), act), else_=last)
        if values:
            await context.session.execute(sa.update(enterprise).where(enterprise.c.id == key).values(values))


async def _append_events(context: ActionContext) -> bool:
    """Append the pending events to the log, and add what was changed to the sums. Returns whether there were any."""
    events = context.pending_events
    if not events:
        return False
    changes = context.counted.changes()
    changes.moved.update(context.contexts_before)
    counted = changes.enterprises()
    enterprises = sorted(counted | {event.enterprise_id for event in events if event.enterprise_id is not None})
    venues = sorted({event.venue_id for event in events if event.venue_id is not None})
    at_venues = await venue_contexts(context.session, venues)
    # Enterprises whose sums change must not move between this and the commit.
    if counted:
        await event_log.take_turn(context.session)
    at_enterprises = await enterprise_contexts(context.session, enterprises)
    if counted:
        await portrait_changes.apply(context.session, changes, at_enterprises, context.zone)
    rows = [
        _event_row(
            context,
            event,
            at_enterprises.get(event.enterprise_id or 0),
            at_venues.get(event.venue_id or 0, EventContext()),
        )
        for event in events
    ]
    if counted:
        await event_log.append_in_turn(context.session, rows)
    else:
        await event_log.append(context.session, rows)
    return True


def _event_row(
    context: ActionContext, event: PendingEvent, enterprise: EventContext | None, venue: EventContext
) -> dict[str, Any]:
    """The event as a row of the log. Filters match where it is now, where it was before, and its venue."""
    after = enterprise or EventContext(zone_id=event.zone_id or venue.zone_id)
    before = context.contexts_before.get(event.enterprise_id or 0, after)
    contexts = (after, before, venue)
    risks = [c.risk for c in contexts if c.risk is not None]
    viewer = context.viewer
    given = context.request.occurred_at is not None and not event.automatic
    return {
        "at": context.now,
        "occurred_at": context.occurred_at if given else None,
        "kind": event.kind,
        "subject": event.kind.subject,
        "subject_id": event.row.id,
        "actor": None if event.automatic else viewer.identity,
        "actor_role": None if event.automatic else viewer.role,
        "actor_name": None if event.automatic else viewer.name,
        "from_status": event.from_status,
        "to_status": event.to_status,
        "changes": context.changes.entries(event.row) if event.changes is None else event.changes,
        "enterprise_id": event.enterprise_id,
        "zone_id": after.zone_id,
        "zones": frozenset(c.zone_id for c in contexts if c.zone_id is not None),
        "rings": after.rings | before.rings | venue.rings,
        "venues": after.venues | before.venues | venue.venues,
        "risk": max(risks, key=lambda risk: risk.value) if risks else None,
        "major": event.major,
        "internal": is_internal(getattr(event.row, "status", None), announced=getattr(event.row, "announced", False)),
    }
