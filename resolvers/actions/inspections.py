"""Actions on inspections, from the plan to the close."""

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
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.hazards import link_evidence, require_future
from resolvers.actions.inputs import Finding, too_many

FINDINGS_MAXIMUM = 100
KIND_RESERVED = Reason(
    "KIND_RESERVED", "Only {mutation} creates an inspection of this kind.", mutation="assistanceDispatch"
)
REINSPECTION_OF = Reason(
    "REINSPECTION_OF", "A re-inspection must name the inspection that it repeats; other kinds must not."
)
# Only a submitted inspection can be repeated, or have a case proposed on it.
SUBMITTED = frozenset({InspectionStatus.SUBMITTED, InspectionStatus.IN_REVIEW, InspectionStatus.CLOSED})


async def require_own(context: ActionContext, inspection: Inspection) -> None:
    """Raises Forbidden for an inspector who is not one of the inspection's."""
    if context.viewer.role is Role.INSPECTOR and not await context.is_inspector_of(inspection.id):
        raise Forbidden(Reason("INSPECTION_OF_OTHERS", "This inspection is not yours."))


async def _get_inspection(context: ActionContext, key: int) -> Inspection:
    inspection = await context.get_subject(Inspection, key)
    await require_own(context, inspection)
    return inspection


async def _transition(context: ActionContext, inspection: Inspection) -> None:
    context.transition("inspection", inspection, major=await context.has_major_hazard(inspection.id))


async def assign_inspectors(context: ActionContext, inspection: Inspection, inspectors: Sequence[Inspector]) -> None:
    """Replace the inspection's inspectors."""
    link = table_of(InspectionInspector)
    await context.session.execute(sa.delete(link).where(link.c.inspection_id == inspection.id))
    context.session.add_all(InspectionInspector(inspection_id=inspection.id, inspector_id=i.id) for i in inspectors)


async def require_on_duty(context: ActionContext, keys: Sequence[int]) -> list[Inspector]:
    """The inspectors by their keys. The input is rejected where one is off duty."""
    inspectors = await context.get_all(Inspector, keys)
    if not all(inspector.on_duty for inspector in inspectors):
        context.reject("inspectors", Reason("INSPECTOR_OFF_DUTY", "Inspectors who are sent must be on duty."))
    return inspectors


async def plan(
    context: ActionContext,
    *,
    enterprise: int,
    kind: InspectionKind,
    planned_for: dt.datetime,
    inspectors: Sequence[int] = (),
    reinspection_of: int | None = None,
) -> ActionResult:
    await context.get(models.Enterprise, enterprise)
    if kind is InspectionKind.ASSISTANCE:
        context.reject("kind", KIND_RESERVED)
    if (kind is InspectionKind.REINSPECTION) != (reinspection_of is not None):
        context.reject("reinspectionOf", REINSPECTION_OF)
    if reinspection_of is not None:
        original = await context.get(Inspection, reinspection_of)
        if original.enterprise_id != enterprise or original.status not in SUBMITTED:
            context.reject(
                "reinspectionOf",
                Reason("REINSPECTION_ORIGINAL", "It must be a submitted inspection of the same enterprise."),
            )
    if context.viewer.role is Role.INSPECTOR:
        if set(inspectors) - {context.viewer.inspector}:
            raise Forbidden(Reason("PLAN_FOR_OTHERS", "An inspector can plan inspections only for themselves."))
        inspectors = [context.viewer.inspector] if context.viewer.inspector is not None else []
    people = await context.get_all(Inspector, inspectors)
    context.raise_rejected()
    inspection = await context.add(
        Inspection(
            enterprise_id=enterprise,
            kind=kind,
            status=InspectionStatus.PLANNED,
            planned_for=planned_for,
            reinspection_of_id=reinspection_of,
        )
    )
    await assign_inspectors(context, inspection, people)
    context.record(EventKind.INSPECTION_PLANNED, inspection, None, inspection.status)
    return {"inspection": inspection}


async def dispatch(context: ActionContext, *, inspection: int, inspectors: Sequence[int] = ()) -> ActionResult:
    """Send the named inspectors, or else those planned."""
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    if not inspectors:
        planned = sa.select(col(InspectionInspector.inspector_id)).where(
            col(InspectionInspector.inspection_id) == row.id
        )
        inspectors = list((await context.session.execute(planned)).scalars())
    if not inspectors:
        raise InvalidInput("inspectors", Reason("INSPECTORS_NEEDED", "Name at least one inspector: none was planned."))
    await assign_inspectors(context, row, await require_on_duty(context, inspectors))
    row.dispatched_at, row.announced = context.now, row.kind in context.request.announced
    return {"inspection": row}


async def acknowledge(context: ActionContext, *, inspection: int) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    row.acknowledged_at = context.occurred_at
    return {"inspection": row}


async def depart(context: ActionContext, *, inspection: int) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    row.departed_at = context.occurred_at
    return {"inspection": row}


async def arrive(context: ActionContext, *, inspection: int) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    row.arrived_at = context.occurred_at
    return {"inspection": row}


async def submit(
    context: ActionContext,
    *,
    inspection: int,
    result: InspectionResult,
    summary: str | None = None,
    findings: Sequence[Finding] = (),
    evidence: Sequence[int] = (),
) -> ActionResult:
    """Submit the result and its findings. After a return, a finding that names a hazard amends it."""
    row = await _get_inspection(context, inspection)
    if len(findings) > FINDINGS_MAXIMUM:
        raise InvalidInput("findings", too_many(FINDINGS_MAXIMUM))
    major = await context.has_major_hazard(row.id) or any(f.level is HazardLevel.MAJOR for f in findings)
    context.transition("inspection", row, major=major)
    row.result, row.summary, row.submitted_at = result, summary, context.occurred_at
    context.inspected_enterprises.add(row.enterprise_id)
    hazards = [
        await _write_finding(context, row, finding, f"findings.{number}") for number, finding in enumerate(findings)
    ]
    if result is InspectionResult.HAZARDS_FOUND and not hazards and not await _has_hazards(context, row):
        context.reject("findings", Reason("FINDINGS_NEEDED", "The result HAZARDS_FOUND needs at least one finding."))
    await link_evidence(context, models.InspectionEvidence, "inspection_id", row.id, evidence)
    return {"inspection": row, "hazards": hazards}


async def _has_hazards(context: ActionContext, inspection: Inspection) -> bool:
    return await context.exists(sa.select(col(Hazard.id)).where(col(Hazard.inspection_id) == inspection.id))


async def _write_finding(context: ActionContext, inspection: Inspection, finding: Finding, path: str) -> Hazard:
    """`path` is that of the finding in the input."""
    deadline = None if finding.deadline is None else require_future(context, f"{path}.deadline", finding.deadline)
    major = finding.level is HazardLevel.MAJOR
    if major and finding.fixed_on_spot:
        context.reject(
            f"{path}.fixedOnSpot", Reason("MAJOR_FIXED_ON_SPOT", "A major hazard cannot be fixed on the spot.")
        )
    if finding.hazard is None:
        hazard = await context.add(
            Hazard(
                enterprise_id=inspection.enterprise_id,
                inspection_id=inspection.id,
                level=finding.level,
                status=HazardStatus.FOUND,
                category=finding.category,
                description=finding.description,
                found_at=context.occurred_at,
                deadline=deadline,
            )
        )
        context.open_hazard_changes[inspection.enterprise_id] += 1
        context.record(EventKind.HAZARD_FOUND, hazard, None, hazard.status, major=major)
    else:
        hazard = await context.get(Hazard, finding.hazard)
        if not is_amendable(context, inspection, hazard, path):
            return hazard
        _amend_hazard(context, hazard, finding, deadline)
    if finding.fixed_on_spot:
        context.transition("hazard", hazard)
        hazard.rectified_at = context.occurred_at
    await link_evidence(context, models.HazardEvidence, "hazard_id", hazard.id, finding.evidence)
    return hazard


def is_amendable(context: ActionContext, inspection: Inspection, hazard: Hazard, path: str) -> bool:
    """Whether this inspection found the hazard and nobody has handled it since. Otherwise the input is rejected."""
    if hazard.inspection_id != inspection.id:
        reason = Reason("FINDING_OF_OTHER_INSPECTION", "This inspection did not find that hazard.")
    elif hazard.status is not HazardStatus.FOUND:
        reason = Reason(
            "FINDING_NOT_AMENDABLE", "That hazard can no longer be amended: it is {status}.", status=hazard.status.name
        )
    else:
        return True
    context.reject(f"{path}.hazard", reason)
    return False


def _amend_hazard(context: ActionContext, hazard: Hazard, finding: Finding, deadline: dt.datetime | None) -> None:
    """Overwrite a hazard that the inspection found before."""
    hazard.level, hazard.description, hazard.category = finding.level, finding.description, finding.category
    if deadline is not None:
        hazard.deadline = deadline
    major = finding.level is HazardLevel.MAJOR
    context.record(EventKind.HAZARD_AMENDED, hazard, hazard.status, hazard.status, major=major)


async def review(context: ActionContext, *, inspection: int) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    return {"inspection": row}


async def send_back(context: ActionContext, *, inspection: int, reason: str) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    context.changes.add_entry(row, "reason", reason)
    return {"inspection": row}


async def close(context: ActionContext, *, inspection: int) -> ActionResult:
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    open_hazards = sa.select(col(Hazard.id)).where(
        col(Hazard.inspection_id) == row.id, col(Hazard.status).not_in(HAZARD_TERMINAL)
    )
    reinspections = sa.select(col(Inspection.id)).where(
        col(Inspection.reinspection_of_id) == row.id, col(Inspection.status) != InspectionStatus.CANCELLED
    )
    if await context.exists(open_hazards) and not await context.exists(reinspections):
        raise InvalidInput("inspection", Reason("OPEN_HAZARDS", "It has open hazards and no re-inspection for them."))
    row.closed_at = context.now
    return {"inspection": row}


async def cancel(context: ActionContext, *, inspection: int, reason: str) -> ActionResult:
    """Cancel the inspection. A request for help that it served is open again."""
    row = await _get_inspection(context, inspection)
    await _transition(context, row)
    context.changes.add_entry(row, "reason", reason)
    if row.assistance_request_id is not None:
        request = await context.get(AssistanceRequest, row.assistance_request_id)
        if request.status is AssistanceStatus.DISPATCHED:
            context.transition("assistance", request)
    return {"inspection": row}
