"""What is done in the course of an inspection."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col

import models
from models import (
    HAZARD_TERMINAL,
    AssistanceRequest,
    AssistanceStatus,
    EventKind,
    Hazard,
    HazardLevel,
    HazardStatus,
    Inspection,
    InspectionInspector,
    InspectionKind,
    InspectionResult,
    InspectionStatus,
    Inspector,
    Role,
)
from resolvers.actions.context import ActionContext, Result
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.hazards import ahead, attach
from resolvers.actions.inputs import Finding

FINDINGS_MAXIMUM = 100
# Before a submission there is nothing to look at again, or to build a case on.
SUBMITTED = frozenset({InspectionStatus.SUBMITTED, InspectionStatus.IN_REVIEW, InspectionStatus.CLOSED})


async def own(act: ActionContext, inspection: Inspection) -> None:
    """Raises Forbidden for an inspector who does not carry it out."""
    if act.viewer.role is Role.INSPECTOR and not await act.carries_out(inspection.id):
        raise Forbidden("This inspection is not yours.")


async def _inspection(act: ActionContext, key: int) -> Inspection:
    inspection = await act.subject(Inspection, key)
    await own(act, inspection)
    return inspection


async def _step(act: ActionContext, inspection: Inspection) -> None:
    act.step("inspection", inspection, major=await act.major(inspection.id))


async def put_on(act: ActionContext, inspection: Inspection, inspectors: Sequence[Inspector]) -> None:
    """Make these the ones who carry it out."""
    link = InspectionInspector.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    await act.session.execute(sa.delete(link).where(link.c.inspection_id == inspection.id))
    act.session.add_all(InspectionInspector(inspection_id=inspection.id, inspector_id=i.id) for i in inspectors)


async def on_duty(act: ActionContext, keys: Sequence[int]) -> list[Inspector]:
    """The inspectors. Raises InvalidInput where one is off duty."""
    found = await act.get_all(Inspector, keys)
    if not all(inspector.on_duty for inspector in found):
        raise InvalidInput("inspectors", "Inspectors who are sent must be on duty.")
    return found


async def plan(
    act: ActionContext,
    *,
    enterprise: int,
    kind: InspectionKind,
    planned_for: dt.datetime,
    inspectors: Sequence[int] = (),
    reinspection_of: int | None = None,
) -> Result:
    await act.get(models.Enterprise, enterprise)
    if kind is InspectionKind.ASSISTANCE:
        raise InvalidInput("kind", "An inspection of this kind is made by assistanceDispatch.")
    if (kind is InspectionKind.REINSPECTION) != (reinspection_of is not None):
        raise InvalidInput("reinspectionOf", "A re-inspection, and nothing else, names the inspection it repeats.")
    if reinspection_of is not None:
        before = await act.get(Inspection, reinspection_of)
        if before.enterprise_id != enterprise or before.status not in SUBMITTED:
            raise InvalidInput("reinspectionOf", "It must be a submitted inspection of the same enterprise.")
    if act.viewer.role is Role.INSPECTOR:
        if set(inspectors) - {act.viewer.inspector}:
            raise Forbidden("An inspector plans for themselves only.")
        inspectors = [act.viewer.inspector] if act.viewer.inspector is not None else []
    people = await act.get_all(Inspector, inspectors)
    inspection = await act.add(
        Inspection(
            enterprise_id=enterprise,
            kind=kind,
            status=InspectionStatus.PLANNED,
            planned_for=planned_for,
            reinspection_of_id=reinspection_of,
        )
    )
    await put_on(act, inspection, people)
    act.record(EventKind.INSPECTION_PLANNED, inspection, None, inspection.status)
    return {"inspection": inspection}


async def dispatch(act: ActionContext, *, inspection: int, inspectors: Sequence[int] = ()) -> Result:
    """Send those who are named, or those who were planned."""
    row = await _inspection(act, inspection)
    await _step(act, row)
    if not inspectors:
        planned = sa.select(col(InspectionInspector.inspector_id)).where(
            col(InspectionInspector.inspection_id) == row.id
        )
        inspectors = list((await act.session.execute(planned)).scalars())
    if not inspectors:
        raise InvalidInput("inspectors", "Name one or more inspectors: none were planned.")
    await put_on(act, row, await on_duty(act, inspectors))
    row.dispatched_at = act.now
    return {"inspection": row}


async def acknowledge(act: ActionContext, *, inspection: int) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    row.acknowledged_at = act.now
    return {"inspection": row}


async def depart(act: ActionContext, *, inspection: int) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    row.departed_at = act.now
    return {"inspection": row}


async def arrive(act: ActionContext, *, inspection: int) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    row.arrived_at = act.now
    return {"inspection": row}


async def submit(
    act: ActionContext,
    *,
    inspection: int,
    result: InspectionResult,
    summary: str | None = None,
    findings: Sequence[Finding] = (),
    evidence: Sequence[int] = (),
) -> Result:
    """The result, with the hazards that were found; after a return it amends those that it names."""
    row = await _inspection(act, inspection)
    if len(findings) > FINDINGS_MAXIMUM:
        raise InvalidInput("findings", f"At most {FINDINGS_MAXIMUM} at once.")
    major = await act.major(row.id) or any(f.level is HazardLevel.MAJOR for f in findings)
    act.step("inspection", row, major=major)
    row.result, row.summary, row.submitted_at = result, summary, act.now
    act.inspected.add(row.enterprise_id)
    hazards = [await _found(act, row, finding) for finding in findings]
    if result is InspectionResult.HAZARDS_FOUND and not hazards and not await _has_hazards(act, row):
        raise InvalidInput("findings", "The result says that hazards were found: name them.")
    await attach(act, models.InspectionEvidence, "inspection_id", row.id, evidence)
    return {"inspection": row, "hazards": hazards}


async def _has_hazards(act: ActionContext, inspection: Inspection) -> bool:
    return await act.exists(sa.select(col(Hazard.id)).where(col(Hazard.inspection_id) == inspection.id))


async def _found(act: ActionContext, inspection: Inspection, finding: Finding) -> Hazard:
    deadline = None if finding.deadline is None else ahead(act, "findings.deadline", finding.deadline)
    major = finding.level is HazardLevel.MAJOR
    if finding.hazard is None:
        hazard = await act.add(
            Hazard(
                enterprise_id=inspection.enterprise_id,
                inspection_id=inspection.id,
                level=finding.level,
                status=HazardStatus.FOUND,
                category=finding.category,
                description=finding.description,
                found_at=act.now,
                deadline=deadline,
            )
        )
        act.opened[inspection.enterprise_id] += 1
        act.record(EventKind.HAZARD_FOUND, hazard, None, hazard.status, major=major)
    else:
        hazard = await _amended(act, inspection, finding, deadline)
    if finding.fixed_on_spot:
        if major:
            raise InvalidInput("findings.fixedOnSpot", "A major hazard cannot be fixed on the spot.")
        act.step("hazard", hazard)
        hazard.rectified_at = act.now
    await attach(act, models.HazardEvidence, "hazard_id", hazard.id, finding.evidence)
    return hazard


async def _amended(
    act: ActionContext, inspection: Inspection, finding: Finding, deadline: dt.datetime | None
) -> Hazard:
    """A hazard that this inspection found before, said anew."""
    hazard = await act.get(Hazard, finding.hazard or 0)
    if hazard.inspection_id != inspection.id:
        raise InvalidInput("findings.hazard", "That hazard was not found by this inspection.")
    if hazard.status is not HazardStatus.FOUND:
        raise InvalidInput("findings.hazard", f"That hazard is {hazard.status.name} already, and not amended any more.")
    hazard.level, hazard.description, hazard.category = finding.level, finding.description, finding.category
    if deadline is not None:
        hazard.deadline = deadline
    major = finding.level is HazardLevel.MAJOR
    act.record(EventKind.HAZARD_AMENDED, hazard, hazard.status, hazard.status, major=major)
    return hazard


async def review(act: ActionContext, *, inspection: int) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    return {"inspection": row}


async def send_back(act: ActionContext, *, inspection: int, reason: str) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    act.changes.say(row, "reason", reason)
    return {"inspection": row}


async def close(act: ActionContext, *, inspection: int) -> Result:
    row = await _inspection(act, inspection)
    await _step(act, row)
    open_hazards = sa.select(col(Hazard.id)).where(
        col(Hazard.inspection_id) == row.id, col(Hazard.status).not_in(HAZARD_TERMINAL)
    )
    repeated = sa.select(col(Inspection.id)).where(
        col(Inspection.reinspection_of_id) == row.id, col(Inspection.status) != InspectionStatus.CANCELLED
    )
    if await act.exists(open_hazards) and not await act.exists(repeated):
        raise InvalidInput("inspection", "It has open hazards, and no re-inspection that carries them.")
    row.closed_at = act.now
    return {"inspection": row}


async def cancel(act: ActionContext, *, inspection: int, reason: str) -> Result:
    """Call it off; a request for help that it served is open again."""
    row = await _inspection(act, inspection)
    await _step(act, row)
    act.changes.say(row, "reason", reason)
    if row.assistance_request_id is not None:
        request = await act.get(AssistanceRequest, row.assistance_request_id)
        if request.status is AssistanceStatus.DISPATCHED:
            act.step("assistance", request)
    return {"inspection": row}
