"""Actions on cases, from the proposal to the close."""

import sqlalchemy as sa
from sqlmodel import col

from models import Case, CaseStatus, EventKind, Inspection, PenaltyKind
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import InvalidInput
from resolvers.actions.inputs import Sanction, check_length
from resolvers.actions.inspections import SUBMITTED, require_own


async def _transition(context: ActionContext, case: Case, to: CaseStatus | None = None) -> None:
    context.transition("case", case, to, major=await context.has_major_hazard(case.inspection_id))


async def propose(context: ActionContext, *, inspection: int, grounds: str) -> ActionResult:
    visit = await context.get(Inspection, inspection)
    await require_own(context, visit)
    if visit.status not in SUBMITTED:
        raise InvalidInput("inspection", Reason("CASE_INSPECTION", "A case needs a submitted inspection."))
    context.occurred_after(visit.submitted_at)
    case = await context.add(
        Case(inspection_id=inspection, enterprise_id=visit.enterprise_id, status=CaseStatus.PROPOSED, grounds=grounds)
    )
    context.record(EventKind.CASE_PROPOSED, case, None, case.status, major=await context.has_major_hazard(inspection))
    return {"case": case}


async def file(context: ActionContext, *, case: int, number: str | None = None) -> ActionResult:
    """File the case under `number`, or else under the year and its key."""
    row = await context.get_subject(Case, case)
    await _transition(context, row)
    row.number = check_length("number", number) or f"{context.day.year}-{row.id:06d}"
    if await context.exists(sa.select(col(Case.id)).where(col(Case.number) == row.number, col(Case.id) != row.id)):
        raise InvalidInput("number", Reason("CASE_NUMBER", "Another case has that number."))
    row.filed_at = context.now
    return {"case": row}


async def advance(context: ActionContext, *, case: int) -> ActionResult:
    """Take the transition of this mutation, which needs no other argument."""
    row = await context.get_subject(Case, case)
    await _transition(context, row)
    return {"case": row}


async def decline(context: ActionContext, *, case: int, reason: str | None = None) -> ActionResult:
    row = await context.get_subject(Case, case)
    await _transition(context, row)
    if reason is not None:
        context.changes.add_entry(row, "reason", reason)
    return {"case": row}


async def decide(
    context: ActionContext, *, case: int, outcome: CaseStatus, penalty: Sanction | None = None
) -> ActionResult:
    """Decide the case. The outcome DECIDED has a penalty, and no other has one."""
    row = await context.get_subject(Case, case)
    await _transition(context, row, outcome)
    kinds = list(dict.fromkeys(penalty.kinds)) if penalty else []
    fine_yuan = penalty.fine_yuan if penalty else None
    if (outcome is CaseStatus.DECIDED) != bool(kinds):
        context.reject(
            "penalty", Reason("PENALTY_NEEDED", "The outcome DECIDED needs a penalty; other outcomes have none.")
        )
    if (PenaltyKind.FINE in kinds) != (fine_yuan is not None) or (fine_yuan or 0) < 0:
        context.reject(
            "penalty.fineYuan",
            Reason("FINE_AMOUNT", "A penalty of kind FINE needs an amount of 0 or more; others have none."),
        )
    row.penalty_kinds, row.fine_yuan, row.decided_at = kinds or None, fine_yuan, context.now
    return {"case": row}


async def close(context: ActionContext, *, case: int) -> ActionResult:
    row = await context.get_subject(Case, case)
    await _transition(context, row)
    row.closed_at = context.now
    return {"case": row}
