"""Duty reports, and the help that enterprises ask for."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col

import models
from models import (
    AssistanceRequest,
    AssistanceStatus,
    DutyReport,
    Enterprise,
    EventKind,
    Inspection,
    InspectionKind,
    InspectionStatus,
    Inspector,
    Role,
)
from models.db.sqlite_functions import great_circle_metres
from resolvers.actions.context import ActionContext, Result
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inspections import on_duty, put_on

PROBLEMS_MAXIMUM = 50
INSPECTORS_MAXIMUM = 20


async def _ask(act: ActionContext, enterprise: int, problem: str, report: int | None = None) -> AssistanceRequest:
    request = await act.add(
        AssistanceRequest(
            enterprise_id=enterprise,
            duty_report_id=report,
            problem=problem,
            status=AssistanceStatus.OPEN,
            requested_at=act.now,
        )
    )
    act.record(EventKind.ASSISTANCE_REQUESTED, request, None, request.status)
    return request


async def report_duty(
    act: ActionContext,
    *,
    enterprise: int,
    measures_in_place: str,
    supplies: str,
    experts_on_standby: int = 0,
    problems: Sequence[str] = (),
) -> Result:
    """A duty report; each of its problems is a request for help."""
    await act.get(Enterprise, enterprise)
    if experts_on_standby < 0:
        raise InvalidInput("expertsOnStandby", "Not less than none.")
    if len(problems) > PROBLEMS_MAXIMUM:
        raise InvalidInput("problems", f"At most {PROBLEMS_MAXIMUM} at once.")
    report = await act.add(
        DutyReport(
            enterprise_id=enterprise,
            at=act.now,
            measures_in_place=measures_in_place,
            supplies=supplies,
            experts_on_standby=experts_on_standby,
        )
    )
    act.record(EventKind.DUTY_REPORT_SUBMITTED, report)
    requests = [await _ask(act, enterprise, problem, report.id) for problem in problems]
    return {"duty_report": report, "assistance_requests": requests}


async def request(act: ActionContext, *, enterprise: int, problem: str) -> Result:
    await act.get(Enterprise, enterprise)
    return {"assistance_request": await _ask(act, enterprise, problem)}


async def dispatch(
    act: ActionContext, *, assistance_request: int, inspectors: Sequence[int] = (), count: int = 1
) -> Result:
    """Send these inspectors, or the `count` nearest on duty: an inspection of kind ASSISTANCE, already dispatched."""
    row = await act.subject(AssistanceRequest, assistance_request)
    act.step("assistance", row)
    if not 1 <= count <= INSPECTORS_MAXIMUM:
        raise InvalidInput("count", f"From 1 to {INSPECTORS_MAXIMUM}.")
    sent = await on_duty(act, inspectors or await _nearest(act, row.enterprise_id, count))
    if not sent:
        raise InvalidInput("inspectors", "No inspector is on duty.")
    inspection = await act.add(
        Inspection(
            enterprise_id=row.enterprise_id,
            kind=InspectionKind.ASSISTANCE,
            status=InspectionStatus.DISPATCHED,
            planned_for=act.now,
            dispatched_at=act.now,
            assistance_request_id=row.id,
        )
    )
    await put_on(act, inspection, sent)
    act.record(EventKind.INSPECTION_DISPATCHED, inspection, None, inspection.status)
    return {"assistance_request": row, "inspection": inspection}


async def _nearest(act: ActionContext, enterprise: int, count: int) -> list[int]:
    """The nearest inspectors on duty; those whose position is not known, or all where the enterprise's is not, last."""
    place = await act.get(Enterprise, enterprise)
    columns = (col(Inspector.id), col(Inspector.latitude), col(Inspector.longitude))
    rows = (await act.session.execute(sa.select(*columns).where(col(Inspector.on_duty)))).all()

    def metres(latitude: float | None, longitude: float | None) -> float:
        if None in (latitude, longitude, place.latitude, place.longitude):
            return float("inf")
        return great_circle_metres(place.latitude or 0, place.longitude or 0, latitude or 0, longitude or 0)

    return [key for _, key in sorted((metres(lat, lon), key) for key, lat, lon in rows)[:count]]


async def resolve(act: ActionContext, *, assistance_request: int, resolution: str) -> Result:
    row = await act.subject(AssistanceRequest, assistance_request)
    if act.viewer.role is Role.INSPECTOR and not await _serves(act, row):
        raise Forbidden("This request is not served by an inspection of yours.")
    act.step("assistance", row)
    row.resolution, row.resolved_at = resolution, act.now
    return {"assistance_request": row}


async def _serves(act: ActionContext, request: AssistanceRequest) -> bool:
    visits = sa.select(models.Inspection).where(col(models.Inspection.assistance_request_id) == request.id)
    return any([await act.carries_out(visit.id) for visit in (await act.session.execute(visits)).scalars()])


async def withdraw(act: ActionContext, *, assistance_request: int) -> Result:
    row = await act.subject(AssistanceRequest, assistance_request)
    act.step("assistance", row)
    return {"assistance_request": row}
