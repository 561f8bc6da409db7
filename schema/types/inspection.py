"""Inspections."""

import datetime as dt
import enum

import strawberry

import models
from models import InspectionKind, InspectionResult, InspectionStatus
from resolvers.sql.pagination import null_times_first
from resolvers.sql.predicates import Among, Within, since, until
from schema.fields.columns import column
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.filters import any_id, day, filter_field
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.enterprise import IN_RINGS, IN_VENUES
from schema.types.enums import Direction, describe

describe(
    InspectionKind,
    "Why an inspection is made.",
    ROUTINE="Part of the daily round (日常检查).",
    SPECIAL="Part of a campaign (专项检查).",
    ASSISTANCE="An enterprise asked for help (协助).",
    REINSPECTION="Looks again at what an earlier one found (复查).",
    COMPLAINT="Somebody complained (举报核查).",
)
describe(
    InspectionStatus,
    "Where an inspection stands.",
    PLANNED="Planned (已计划).",
    DISPATCHED="Inspectors were sent (已派出).",
    ACKNOWLEDGED="They know of it (已确认).",
    EN_ROUTE="They are on their way (途中).",
    ON_SITE="They are there (到场).",
    SUBMITTED="They entered the result (已提交).",
    IN_REVIEW="The command centre looks at the result (审核中).",
    CLOSED="Done, with every hazard dealt with (已办结).",
    CANCELLED="Called off before arrival (已取消).",
)
describe(
    InspectionResult,
    "What an inspection found.",
    PASS="Nothing to object to (合格).",
    HAZARDS_FOUND="Hazards (发现隐患).",
    REFUSED="The inspectors were not let in (拒绝检查).",
    NOT_OPERATING="The enterprise was not at work (停产停业).",
    NOT_APPLICABLE="There was nothing to inspect (不适用).",
)


def at_enterprise(clause: Within | Among) -> Within:
    """Inspections of enterprises for which the clause holds."""
    return Within(models.Inspection.enterprise_id, models.Enterprise.id, clause)


BY_INSPECTORS = Within(
    models.Inspection.id, models.InspectionInspector.inspection_id, Among(models.InspectionInspector.inspector_id)
)


@strawberry.input(description="Which inspections.")
class InspectionFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Inspection.enterprise_id), "Of any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone", at_enterprise(Among(models.Enterprise.zone_id)), "Of enterprises in any of these zones."
    )
    rings: list[strawberry.ID] | None = any_id(
        "ControlRing", at_enterprise(IN_RINGS), "Of enterprises inside any of these rings."
    )
    venues: list[strawberry.ID] | None = any_id(
        "Venue", at_enterprise(IN_VENUES), "Of enterprises inside any ring of any of these venues."
    )
    inspectors: list[strawberry.ID] | None = any_id("Inspector", BY_INSPECTORS, "By any of these inspectors.")
    statuses: list[InspectionStatus] | None = filter_field(Among(models.Inspection.status), "In any of these states.")
    kinds: list[InspectionKind] | None = filter_field(Among(models.Inspection.kind), "Of any of these kinds.")
    results: list[InspectionResult] | None = filter_field(Among(models.Inspection.result), "With any of these results.")
    planned_since: dt.date | None = day(since(models.Inspection.planned_for), "Planned for this day or later.")
    planned_until: dt.date | None = day(until(models.Inspection.planned_for), "Planned for this day or earlier.")
    submitted_since: dt.date | None = day(since(models.Inspection.submitted_at), "Submitted on this day or later.")
    submitted_until: dt.date | None = day(until(models.Inspection.submitted_at), "Submitted on this day or earlier.")


@strawberry.enum(description="What inspections can be sorted by.")
class InspectionOrderField(enum.Enum):
    PLANNED_FOR = strawberry.enum_value("planned", description="By the time planned; none counts as earliest.")
    SUBMITTED_AT = strawberry.enum_value("submitted", description="By submission; not yet counts as earliest.")


@strawberry.input(description="How inspections are sorted.")
class InspectionOrder:
    field: InspectionOrderField = strawberry.field(description="By what.")
    direction: Direction = strawberry.field(default=Direction.DESCENDING, description="In which direction.")


@node(
    models.Inspection,
    filter=InspectionFilter,
    ordering=InspectionOrder,
    sort={
        InspectionOrderField.PLANNED_FOR: null_times_first(models.Inspection.planned_for),
        InspectionOrderField.SUBMITTED_AT: null_times_first(models.Inspection.submitted_at),
    },
    default=(InspectionOrderField.PLANNED_FOR, True),
)
class Inspection(Node):
    """A visit to an enterprise, from plan to close (检查)."""

    enterprise: lazy.Enterprise = to_one(models.Inspection.enterprise_id, "Where.")
    kind: InspectionKind = column(models.Inspection.kind, "Why it is made.")
    status: InspectionStatus = column(models.Inspection.status, "Where it stands.")
    result: InspectionResult | None = column(models.Inspection.result, "What it found; null until submitted.")
    inspectors: list[lazy.Inspector] = to_list(
        models.InspectionInspector.inspection_id,
        "Who carries it out.",
        through=(models.Inspector.id, models.InspectionInspector.inspector_id),
    )
    planned_for: dt.datetime | None = column(
        models.Inspection.planned_for, "When it is planned for; null if it was not planned."
    )
    dispatched_at: dt.datetime | None = column(models.Inspection.dispatched_at, "When inspectors were sent, or null.")
    acknowledged_at: dt.datetime | None = column(models.Inspection.acknowledged_at, "When they knew of it, or null.")
    departed_at: dt.datetime | None = column(models.Inspection.departed_at, "When they set out, or null.")
    arrived_at: dt.datetime | None = column(models.Inspection.arrived_at, "When they arrived, or null.")
    submitted_at: dt.datetime | None = column(models.Inspection.submitted_at, "When the result was entered, or null.")
    closed_at: dt.datetime | None = column(models.Inspection.closed_at, "When it was closed, or null.")
    summary: str | None = column(models.Inspection.summary, "What the inspectors wrote; null if nothing.")
    hazards: Connection[lazy.Hazard] = to_many(models.Hazard.inspection_id, "The hazards that it found.")
    cases: list[lazy.Case] = to_list(models.Case.inspection_id, "The cases that came of it, oldest first.")
    evidence: list[lazy.Evidence] = to_list(
        models.InspectionEvidence.inspection_id,
        "What proves it; empty for a viewer who may not see personal data.",
        through=(models.Evidence.id, models.InspectionEvidence.evidence_id),
    )
    reinspection_of: "Inspection | None" = to_one(
        models.Inspection.reinspection_of_id, "The inspection that it repeats; null if none."
    )
    assistance_request: lazy.AssistanceRequest | None = to_one(
        models.Inspection.assistance_request_id, "The call for help that it serves; null if none."
    )
    version: int = column(models.Inspection.version, "Rises by one with every change.")
