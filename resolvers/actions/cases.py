"""What is done in the course of a case."""

import sqlalchemy as sa
from sqlmodel import col

from models import Case, CaseStatus, EventKind, Inspection, PenaltyKind
from resolvers.actions.context import ActionContext, Result
from resolvers.actions.errors import InvalidInput
from resolvers.actions.inputs import Sanction, short
from resolvers.actions.inspections import SUBMITTED, own


async def _step(act: ActionContext, case: Case, to: CaseStatus | None = None) -> None:
    act.step("case", case, to, major=await act.major(case.inspection_id))


async def propose(act: ActionContext, *, inspection: int, grounds: str) -> Result:
    visit = await act.get(Inspection, inspection)
    await own(act, visit)
    if visit.status not in SUBMITTED:
        raise InvalidInput("inspection", "A case is proposed on a submitted inspection.")
    case = await act.add(
        Case(inspection_id=inspection, enterprise_id=visit.enterprise_id, status=CaseStatus.PROPOSED, grounds=grounds)
    )
    act.record(EventKind.CASE_PROPOSED, case, None, case.status, major=await act.major(inspection))
    return {"case": case}


async def file(act: ActionContext, *, case: int, number: str | None = None) -> Result:
    """File it, under this number or one of its own."""
    row = await act.subject(Case, case)
    await _step(act, row)
    row.number = short("number", number) or f"{act.day.year}-{row.id:06d}"
    if await act.exists(sa.select(col(Case.id)).where(col(Case.number) == row.number, col(Case.id) != row.id)):
        raise InvalidInput("number", "Another case has that number.")
    row.filed_at = act.now
    return {"case": row}


async def go_on(act: ActionContext, *, case: int) -> Result:
    """A step that needs nothing else."""
    row = await act.subject(Case, case)
    await _step(act, row)
    return {"case": row}


async def decline(act: ActionContext, *, case: int, reason: str | None = None) -> Result:
    row = await act.subject(Case, case)
    await _step(act, row)
    if reason is not None:
        act.changes.say(row, "reason", reason)
    return {"case": row}


async def decide(act: ActionContext, *, case: int, outcome: CaseStatus, penalty: Sanction | None = None) -> Result:
    """An outcome; DECIDED, and nothing else, has a penalty."""
    row = await act.subject(Case, case)
    await _step(act, row, outcome)
    kinds = list(dict.fromkeys(penalty.kinds)) if penalty else []
    fine_yuan = penalty.fine_yuan if penalty else None
    if (outcome is CaseStatus.DECIDED) != bool(kinds):
        raise InvalidInput("penalty", "The outcome DECIDED, and nothing else, has a penalty.")
    if (PenaltyKind.FINE in kinds) != (fine_yuan is not None) or (fine_yuan or 0) < 0:
        raise InvalidInput("penalty.fineYuan", "A fine, and nothing else, has an amount, which is not negative.")
    row.penalty_kinds, row.fine_yuan, row.decided_at = kinds or None, fine_yuan, act.now
    return {"case": row}


async def close(act: ActionContext, *, case: int) -> Result:
    row = await act.subject(Case, case)
    await _step(act, row)
    row.closed_at = act.now
    return {"case": row}
