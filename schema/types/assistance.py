"""Duty reports and requests for help."""

import datetime as dt

import strawberry

import models
from models import AssistanceStatus, InspectionStatus
from resolvers.actions.assistance import LeftOutReason
from resolvers.sql.named_rows import ZONE_CODE
from resolvers.sql.predicates import Among, Not, OneOf, Within, since, until
from schema.fields.columns import column
from schema.fields.connections import last_to_one, to_list
from schema.fields.filters import alternatives, any_code, any_id, day, filter_field, opposite
from schema.fields.nodes import node
from schema.fields.references import ref, to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enterprise import IN_ZONE_CODES
from schema.types.enums import describe
from schema.types.next_step import NextStep, steps_field

describe(
    AssistanceStatus,
    "State of a request for help.",
    OPEN="Nobody was sent yet (待处理).",
    DISPATCHED="Inspectors were sent (已派出).",
    RESOLVED="The problem is solved (已解决).",
    WITHDRAWN="The enterprise took it back (已撤回).",
)


@strawberry.input(description="Conditions on duty reports.")
class DutyReportFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.DutyReport.enterprise_id), "Of any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone",
        Within(models.DutyReport.enterprise_id, models.Enterprise.id, Among(models.Enterprise.zone_id)),
        "Of enterprises in any of these zones.",
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE,
        Within(models.DutyReport.enterprise_id, models.Enterprise.id, IN_ZONE_CODES),
        "Of enterprises in a zone with any of these codes.",
    )
    since: dt.date | None = day(since(models.DutyReport.at), "Reported on this day or later.")
    until: dt.date | None = day(until(models.DutyReport.at), "Reported on this day or earlier.")
    or_: list["DutyReportFilter"] | None = alternatives()
    not_: "DutyReportFilter | None" = opposite()


@node(models.DutyReport, filter=DutyReportFilter, default=(models.DutyReport.id, True))
class DutyReport(Node):
    """A report of an enterprise on duty to the command centre (值守报告)."""

    enterprise: lazy.Enterprise = to_one(models.DutyReport.enterprise_id, "The enterprise that reported.")
    at: dt.datetime = column(models.DutyReport.at, "When it was reported.")
    measures_in_place: str = column(models.DutyReport.measures_in_place, "Measures in place.", size=TEXT)
    supplies: str = column(models.DutyReport.supplies, "Supplies in stock.", size=TEXT)
    experts_on_standby: int = column(models.DutyReport.experts_on_standby, "Number of experts on standby.")
    problems: "list[AssistanceRequest]" = to_list(
        models.AssistanceRequest.duty_report_id, "Problems to be helped with, in the order of the report."
    )


describe(
    LeftOutReason,
    "Why an inspector on duty was not chosen from.",
    NO_POSITION="No position was reported.",
    STALE_POSITION="The position is older than HUHANG_POSITION_MINUTES.",
)


@strawberry.type(
    description="An inspector on duty who could not be chosen as nearest, since their place now is unknown."
)
class InspectorLeftOut:
    inspector: lazy.Inspector | None = ref("row", "The inspector; null if you may not read it.")
    reason: LeftOutReason = strawberry.field(description="Why they were left out.")


@strawberry.input(description="Conditions on requests for help.")
class AssistanceFilter:
    statuses: list[AssistanceStatus] | None = filter_field(
        Among(models.AssistanceRequest.status), "In any of these states."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone",
        Within(models.AssistanceRequest.enterprise_id, models.Enterprise.id, Among(models.Enterprise.zone_id)),
        "Of enterprises in any of these zones.",
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE,
        Within(models.AssistanceRequest.enterprise_id, models.Enterprise.id, IN_ZONE_CODES),
        "Of enterprises in a zone with any of these codes.",
    )
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.AssistanceRequest.enterprise_id), "Of any of these enterprises."
    )
    or_: list["AssistanceFilter"] | None = alternatives()
    not_: "AssistanceFilter | None" = opposite()


@node(models.AssistanceRequest, filter=AssistanceFilter, default=(models.AssistanceRequest.id, True))
class AssistanceRequest(Node):
    """A problem that an enterprise needs help with (协助请求)."""

    enterprise: lazy.Enterprise = to_one(models.AssistanceRequest.enterprise_id, "The enterprise that needs help.")
    duty_report: "DutyReport | None" = to_one(
        models.AssistanceRequest.duty_report_id, "The duty report with this problem; null if none."
    )
    problem: str = column(models.AssistanceRequest.problem, "The problem.", size=TEXT)
    status: AssistanceStatus = column(models.AssistanceRequest.status, "State in the life cycle.")
    inspection: lazy.Inspection | None = last_to_one(
        models.Inspection.assistance_request_id,
        "The inspection that serves it; null until inspectors are sent.",
        where=Not(OneOf(models.Inspection.status, frozenset({InspectionStatus.CANCELLED}))),
    )
    resolution: str | None = column(
        models.AssistanceRequest.resolution, "How the problem was solved; null until then.", size=TEXT
    )
    requested_at: dt.datetime = column(models.AssistanceRequest.requested_at, "When help was requested.")
    resolved_at: dt.datetime | None = column(
        models.AssistanceRequest.resolved_at, "When the problem was solved; null until then."
    )
    next_steps: list[NextStep] = steps_field("assistance", models.AssistanceRequest.status)
    version: int = column(models.AssistanceRequest.version, "Version; rises by one with every change.")
