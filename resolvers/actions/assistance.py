"""Actions on duty reports and on enterprises' requests for help."""

import datetime as dt
import enum
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
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult, WithReason
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inputs import out_of_range, too_many
from resolvers.actions.inspections import assign_inspectors, require_on_duty
from resolvers.availability import AVAILABLE, is_stale


class LeftOutReason(enum.Enum):
    """Why an inspector on duty was not chosen from."""

    NO_POSITION = "no position"
    STALE_POSITION = "stale position"


PROBLEMS_MAXIMUM = 50
INSPECTORS_MAXIMUM = 20


async def _request_help(
    context: ActionContext, enterprise: int, problem: str, report: int | None = None
) -> AssistanceRequest:
    request = await context.add(
        AssistanceRequest(
            enterprise_id=enterprise,
            duty_report_id=report,
            problem=problem,
            status=AssistanceStatus.OPEN,
            requested_at=context.occurred_at,
        )
    )
    context.record(EventKind.ASSISTANCE_REQUESTED, request, None, request.status)
    return request


async def report_duty(
    context: ActionContext,
    *,
    enterprise: int,
    measures_in_place: str,
    supplies: str,
    experts_on_standby: int = 0,
    problems: Sequence[str] = (),
) -> ActionResult:
    """Submit a duty report. Each of its problems becomes a request for help."""
    await context.get(Enterprise, enterprise)
    if experts_on_standby < 0:
        context.reject("expertsOnStandby", Reason("NUMBER_NEGATIVE", "Must be 0 or more."))
    if len(problems) > PROBLEMS_MAXIMUM:
        context.reject("problems", too_many(PROBLEMS_MAXIMUM))
    context.raise_rejected()
    report = await context.add(
        DutyReport(
            enterprise_id=enterprise,
            at=context.occurred_at,
            measures_in_place=measures_in_place,
            supplies=supplies,
            experts_on_standby=experts_on_standby,
        )
    )
    context.record(EventKind.DUTY_REPORT_SUBMITTED, report)
    requests = [await _request_help(context, enterprise, problem, report.id) for problem in problems]
    return {"duty_report": report, "assistance_requests": requests}


async def request(context: ActionContext, *, enterprise: int, problem: str) -> ActionResult:
    await context.get(Enterprise, enterprise)
    return {"assistance_request": await _request_help(context, enterprise, problem)}


async def dispatch(
    context: ActionContext, *, assistance_request: int, inspectors: Sequence[int] = (), count: int = 1
) -> ActionResult:
    """Send the named inspectors, or the `count` nearest on duty, by a dispatched inspection of kind ASSISTANCE.

    `left_out` are those on duty of whom nobody knows where they are now, so that they were not chosen from.
    """
    row = await context.get_subject(AssistanceRequest, assistance_request)
    context.transition("assistance", row)
    if not 1 <= count <= INSPECTORS_MAXIMUM:
        context.reject("count", out_of_range(1, INSPECTORS_MAXIMUM))
    left_out: list[WithReason] = []
    if not inspectors:
        inspectors, left_out = await _nearest_on_duty(context, row.enterprise_id, count)
    team = await require_on_duty(context, inspectors)
    context.raise_rejected()
    inspection = await context.add(
        Inspection(
            enterprise_id=row.enterprise_id,
            kind=InspectionKind.ASSISTANCE,
            status=InspectionStatus.DISPATCHED,
            planned_for=context.now,
            dispatched_at=context.now,
            assistance_request_id=row.id,
            announced=True,
        )
    )
    await assign_inspectors(context, inspection, team)
    context.record(EventKind.INSPECTION_DISPATCHED, inspection, None, inspection.status)
    return {"assistance_request": row, "inspection": inspection, "left_out": left_out}


async def _nearest_on_duty(context: ActionContext, enterprise: int, count: int) -> tuple[list[int], list[WithReason]]:
    """Keys of the nearest inspectors on duty with a recent position, ties by key; and those without one.

    Raises InvalidInput where that is nobody, or where the enterprise has no location.
    """
    site = await context.get(Enterprise, enterprise)
    if site.latitude is None or site.longitude is None:
        raise InvalidInput(
            "inspectors",
            Reason("NEAREST_TO_NOWHERE", "The enterprise has no location, so nobody is the nearest: name inspectors."),
        )
    on_duty = (
        sa.select(Inspector).where(AVAILABLE[Inspector].sql("available", context.sqlite)).order_by(col(Inspector.id))
    )
    nearest: list[tuple[float, int]] = []
    left_out: list[WithReason] = []
    for each in (await context.session.execute(on_duty)).scalars():
        if each.latitude is None or each.longitude is None or each.position_at is None:
            left_out.append(WithReason(each, LeftOutReason.NO_POSITION))
        elif is_stale(context, each.position_at):
            left_out.append(WithReason(each, LeftOutReason.STALE_POSITION))
        else:
            metres = great_circle_metres(site.latitude, site.longitude, each.latitude, each.longitude)
            nearest.append((metres, each.id))
    if not nearest:
        raise InvalidInput("inspectors", _nobody_is_near(context, len(left_out)))
    return [key for _, key in sorted(nearest)[: max(count, 0)]], left_out


def _nobody_is_near(context: ActionContext, left_out: int) -> Reason:
    if not left_out:
        return Reason("NOBODY_ON_DUTY", "No inspector is on duty.")
    return Reason(
        "NO_RECENT_POSITION",
        "None of the {inspectors} inspectors on duty has a position of the last {minutes} minutes: name inspectors.",
        inspectors=left_out,
        minutes=context.position_age // dt.timedelta(minutes=1),
    )


async def resolve(context: ActionContext, *, assistance_request: int, resolution: str) -> ActionResult:
    row = await context.get_subject(AssistanceRequest, assistance_request)
    if context.viewer.role is Role.INSPECTOR and not await _is_served_by_viewer(context, row):
        raise Forbidden(Reason("REQUEST_OF_OTHERS", "No inspection of yours serves this request."))
    context.transition("assistance", row)
    row.resolution, row.resolved_at = resolution, context.occurred_at
    return {"assistance_request": row}


async def _is_served_by_viewer(context: ActionContext, request: AssistanceRequest) -> bool:
    visits = sa.select(models.Inspection).where(col(models.Inspection.assistance_request_id) == request.id)
    return any([await context.is_inspector_of(visit.id) for visit in (await context.session.execute(visits)).scalars()])


async def withdraw(context: ActionContext, *, assistance_request: int) -> ActionResult:
    row = await context.get_subject(AssistanceRequest, assistance_request)
    context.transition("assistance", row)
    return {"assistance_request": row}
