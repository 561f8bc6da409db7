"""What is done in the course of a case."""

import sqlalchemy as sa
from sqlmodel import col

from models import Case, CaseStatus, EventKind, Inspection, PenaltyKind
from resolvers.acting import Act, Result
from resolvers.inputs import Sanction, short
from resolvers.inspections import SUBMITTED, own
from resolvers.problems import InvalidInput


async def _step(act: Act, case: Case, to: CaseStatus | None = None) -> None:
    act.step("case", case, to, major=await act.major(case.inspection_id))


async def propose(act: Act, *, inspection: int, grounds: str) -> Result:
    visit = await act.get(Inspection, inspection)
    await own(act, visit)
    if visit.status not in SUBMITTED:
        raise InvalidInput("inspection", "A case is proposed on a submitted inspection.")
    case = await act.add(
        Case(inspection_id=inspection, enterprise_id=visit.enterprise_id, status=CaseStatus.PROPOSED, grounds=grounds)
    )
    act.record(EventKind.CASE_PROPOSED, case, None, case.status, major=await act.major(inspection))
    return {"case": case}


async def file(act: Act, *, case: int, number: str | None = None) -> Result:
    """File it, under this number or one of its own."""
    row = await act.subject(Case, case)
    await _step(act, row)
    row.number = short("number", number) or f"{act.day.year}-{row.id:06d}"
    if await act.exists(sa.select(col(Case.id)).where(col(Case.number) == row.number, col(Case.id) != row.id)):
        raise InvalidInput("number", "Another case has that number.")
    row.filed_at = act.now
    return {"case": row}


async def go_on(act: Act, *, case: int) -> Result:
    """A step that needs nothing else."""
    row = await act.subject(Case, case)
    await _step(act, row)
    return {"case": row}


async def decline(act: Act, *, case: int, reason: str | None = None) -> Result:
    row = await act.subject(Case, case)
    await _step(act, row)
    if reason is not None:
        act.changes.say(row, "reason", reason)
    return {"case": row}


async def decide(act: Act, *, case: int, outcome: CaseStatus, penalty: Sanction | None = None) -> Result:
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


async def close(act: Act, *, case: int) -> Result:
    row = await act.subject(Case, case)
    await _step(act, row)
    row.closed_at = act.now
    return {"case": row}
