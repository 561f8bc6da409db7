"""Actions on hazards, from the report to the close, and whether a hazard is overdue."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

import models
from models import (
    HAZARD_SETTLED,
    HAZARD_TERMINAL,
    DeadlineExtension,
    EventKind,
    ExtensionStatus,
    Hazard,
    HazardLevel,
    HazardStatus,
    Role,
)
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inputs import FiveFixes, Person
from resolvers.evidence.attach import attach_evidence

# The change that the event of a lapse tells beside the hazard's end, which has an event of its own.
LAPSE = [{"field": "extension", "from": "REQUESTED", "to": "LAPSED", "personal": False}]


def is_overdue(now: dt.datetime, status: HazardStatus, deadline: dt.datetime | None) -> bool:
    """Whether the deadline in force has passed and the hazard is not accepted, closed or dismissed."""
    return deadline is not None and deadline < now and status not in HAZARD_SETTLED


async def link_evidence(
    context: ActionContext, link: type[models.Row], key: str, row: int, evidence: Sequence[int]
) -> None:
    """Link evidence to the row `row` by the table `link`, whose column `key` refers to it; each piece once.

    Raises NotFound for evidence that the viewer neither uploaded nor may see.
    """
    table = table_of(link)
    for piece in sorted(set(evidence)):
        await attach_evidence(context, piece)
        if not await context.exists(sa.select(table.c.id).where(table.c[key] == row, table.c.evidence_id == piece)):
            context.session.add(link(**{key: row, "evidence_id": piece}))


async def _get_hazard(context: ActionContext, key: int) -> Hazard:
    """The hazard that the mutation is about. Raises Forbidden for an inspector who is not responsible for it."""
    hazard = await context.get_subject(Hazard, key)
    if context.viewer.role is Role.INSPECTOR and not await _is_responsible(context, hazard):
        raise Forbidden(Reason("HAZARD_OF_OTHERS", "This hazard was not found by an inspection of yours."))
    return hazard


async def _is_responsible(context: ActionContext, hazard: Hazard) -> bool:
    """Whether the viewer is an inspector of the inspection that found the hazard, or of a re-inspection of it."""
    if hazard.inspection_id is None:
        return False
    if await context.is_inspector_of(hazard.inspection_id):
        return True
    inspection = table_of(models.Inspection)
    reinspections = sa.select(inspection.c.id).where(inspection.c.reinspection_of_id == hazard.inspection_id)
    return any([await context.is_inspector_of(row.id) for row in await context.session.execute(reinspections)])


def _transition(context: ActionContext, hazard: Hazard, to: HazardStatus | None = None) -> None:
    context.transition("hazard", hazard, to, major=hazard.level is HazardLevel.MAJOR)
    if hazard.status in HAZARD_TERMINAL:
        context.open_hazard_changes[hazard.enterprise_id] -= 1


async def _lapse_extension(context: ActionContext, hazard: Hazard) -> None:
    """End a request for a later deadline that nobody has decided: the hazard has ended, and needs none."""
    extension = await _open_extension(context, hazard)
    if extension is not None:
        extension.status = ExtensionStatus.LAPSED
        _record(context, EventKind.HAZARD_EXTENSION_LAPSED, hazard, automatic=True, changes=LAPSE)


def _record(context: ActionContext, kind: EventKind, hazard: Hazard, **more: Any) -> None:
    context.record(kind, hazard, hazard.status, hazard.status, major=hazard.level is HazardLevel.MAJOR, **more)


def require_future(context: ActionContext, field: str, deadline: dt.datetime) -> dt.datetime:
    """The deadline. The input is rejected where it has passed."""
    if deadline <= context.occurred_at:
        context.reject(field, Reason("TIME_PAST", "The time must be in the future."))
    return deadline


async def report(
    context: ActionContext,
    *,
    enterprise: int,
    level: HazardLevel,
    description: str,
    category: str | None = None,
    deadline: dt.datetime | None = None,
    evidence: Sequence[int] = (),
) -> ActionResult:
    """Report a hazard outside an inspection. A report by the enterprise itself is reviewed first."""
    await context.get(models.Enterprise, enterprise)
    own_report = context.viewer.role is Role.ENTERPRISE
    hazard = await context.add(
        Hazard(
            enterprise_id=enterprise,
            level=level,
            status=HazardStatus.UNDER_REVIEW if own_report else HazardStatus.FOUND,
            category=category,
            description=description,
            found_at=context.occurred_at,
            deadline=None if deadline is None else require_future(context, "deadline", deadline),
        )
    )
    context.open_hazard_changes[enterprise] += 1
    context.record(EventKind.HAZARD_REPORTED, hazard, None, hazard.status, major=level is HazardLevel.MAJOR)
    await link_evidence(context, models.HazardEvidence, "hazard_id", hazard.id, evidence)
    return {"hazard": hazard}


async def assign(context: ActionContext, *, hazard: int, owner: Person, deadline: dt.datetime) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    row.owner_name, row.owner_phone = owner.name, owner.phone
    row.deadline = require_future(context, "deadline", deadline)
    return {"hazard": row}


async def start_rectifying(context: ActionContext, *, hazard: int, five_fix: FiveFixes | None = None) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    if five_fix is not None:
        row.fix_responsibility, row.fix_measures, row.fix_funds = (
            five_fix.responsibility,
            five_fix.measures,
            five_fix.funds,
        )
        row.fix_deadline, row.fix_contingency_plan = five_fix.deadline, five_fix.contingency_plan
    elif row.level is HazardLevel.MAJOR:
        raise InvalidInput("fiveFix", Reason("FIVE_FIXES_NEEDED", "A major hazard needs all five fixes (五落实)."))
    return {"hazard": row}


async def submit_rectification(
    context: ActionContext, *, hazard: int, statement: str | None = None, evidence: Sequence[int] = ()
) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    if statement is None and not evidence:
        raise InvalidInput(
            "statement", Reason("RECTIFICATION_EMPTY", "Give a statement of what was done, or evidence of it.")
        )
    row.rectification, row.rectified_at = statement, context.occurred_at
    await link_evidence(context, models.HazardEvidence, "hazard_id", row.id, evidence)
    return {"hazard": row}


async def accept(context: ActionContext, *, hazard: int) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    row.accepted_at = context.occurred_at
    await _lapse_extension(context, row)
    return {"hazard": row}


async def send_back(context: ActionContext, *, hazard: int, reason: str) -> ActionResult:
    """Reject a rectification or reopen an accepted hazard. The reason is in the log only."""
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    row.rectified_at = row.accepted_at = None
    context.changes.add_entry(row, "reason", reason)
    return {"hazard": row}


async def close(context: ActionContext, *, hazard: int) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    row.closed_at = context.now
    await _lapse_extension(context, row)
    return {"hazard": row}


async def dismiss(context: ActionContext, *, hazard: int, reason: str) -> ActionResult:
    row = await _get_hazard(context, hazard)
    _transition(context, row)
    await _lapse_extension(context, row)
    context.changes.add_entry(row, "reason", reason)
    return {"hazard": row}


async def request_extension(context: ActionContext, *, hazard: int, to: dt.datetime, reason: str) -> ActionResult:
    row = await _get_hazard(context, hazard)
    context.require_state("hazard", row)
    require_future(context, "to", to)
    if await _open_extension(context, row) is not None:
        context.reject(
            "hazard", Reason("EXTENSION_UNDECIDED", "An extension was requested before and is not decided yet.")
        )
    if row.deadline is None or to <= row.deadline:
        raise InvalidInput("to", Reason("EXTENSION_EARLIER", "The new deadline must be after the deadline in force."))
    context.raise_rejected()
    extension = DeadlineExtension(
        hazard_id=row.id,
        from_deadline=row.deadline,
        to_deadline=to,
        reason=reason,
        status=ExtensionStatus.REQUESTED,
        requested_at=context.occurred_at,
    )
    await context.add(extension)
    _record(context, EventKind.HAZARD_EXTENSION_REQUESTED, row)
    context.changes.touch(row)
    context.changes.add_entry(row, "extension", to, row.deadline)
    return {"hazard": row}


async def decide_extension(context: ActionContext, *, hazard: int, approve: bool) -> ActionResult:
    row = await _get_hazard(context, hazard)
    context.require_state("hazard", row)
    extension = await _open_extension(context, row)
    if extension is None:
        raise InvalidInput("hazard", Reason("EXTENSION_MISSING", "No extension was requested."))
    extension.status = ExtensionStatus.APPROVED if approve else ExtensionStatus.REFUSED
    extension.decided_at = context.now
    if approve:
        row.deadline = extension.to_deadline
    _record(context, EventKind.HAZARD_EXTENSION_DECIDED, row)
    context.changes.touch(row)
    context.changes.add_entry(row, "extension", extension.status, ExtensionStatus.REQUESTED)
    return {"hazard": row}


async def _open_extension(context: ActionContext, hazard: Hazard) -> DeadlineExtension | None:
    """The extension that was requested and is not decided, or None."""
    undecided = sa.select(DeadlineExtension).where(
        col(DeadlineExtension.hazard_id) == hazard.id, col(DeadlineExtension.status) == ExtensionStatus.REQUESTED
    )
    return (await context.session.execute(undecided)).scalar_one_or_none()
