"""Inspections."""

import datetime as dt
import enum

import strawberry

import models
from models import InspectionKind, InspectionResult, InspectionStatus, RiskGrade
from models.notice import SHOWN_KINDS
from resolvers.sql.named_rows import BADGE, RING_CODE, VENUE_CODE, ZONE_CODE, HasKey
from resolvers.sql.pagination import null_times_first
from resolvers.sql.predicates import Among, InternalMembers, Predicate, Within, since, until
from schema.fields.columns import column, internal_members
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.filters import alternatives, any_code, any_id, day, filter_field, opposite
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enterprise import IN_RING_CODES, IN_RINGS, IN_VENUE_CODES, IN_VENUES, IN_ZONE_CODES, OF_GRADES
from schema.types.enums import Direction, describe
from schema.types.next_step import NextStep, steps_field

describe(
    InspectionKind,
    "Reason for an inspection.",
    ROUTINE="Routine inspection (日常检查).",
    SPECIAL="Part of a campaign (专项检查).",
    ASSISTANCE="An enterprise requested help (协助).",
    REINSPECTION="Re-inspection of what an earlier inspection found (复查).",
    COMPLAINT="Follows a complaint (举报核查).",
)
describe(
    InspectionStatus,
    "State of an inspection.",
    PLANNED="Planned (已计划).",
    DISPATCHED="Inspectors are dispatched (已派出).",
    ACKNOWLEDGED="The inspectors have acknowledged it (已确认).",
    EN_ROUTE="The inspectors are on their way (途中).",
    ON_SITE="The inspectors have arrived (到场).",
    SUBMITTED="The result is submitted (已提交).",
    IN_REVIEW="The command centre reviews the result (审核中).",
    CLOSED="Closed; every hazard is closed, dismissed, or has a re-inspection (已办结).",
    CANCELLED="Cancelled before arrival (已取消).",
)
describe(
    InspectionResult,
    "Result of an inspection.",
    PASS="No objection (合格).",
    HAZARDS_FOUND="Hazards were found (发现隐患).",
    REFUSED="The inspectors were not let in (拒绝检查).",
    NOT_OPERATING="The enterprise was not operating (停产停业).",
    NOT_APPLICABLE="There was nothing to inspect (不适用).",
)


def at_enterprise(predicate: Predicate) -> Within:
    """Inspections of enterprises that match the predicate."""
    return Within(models.Inspection.enterprise_id, models.Enterprise.id, predicate)


BY_INSPECTORS = Within(
    models.Inspection.id, models.InspectionInspector.inspection_id, Among(models.InspectionInspector.inspector_id)
)


BY_BADGES = Within(
    models.Inspection.id,
    models.InspectionInspector.inspection_id,
    HasKey(models.InspectionInspector.inspector_id, BADGE),
)


@strawberry.input(description="Conditions on inspections.")
class InspectionFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Inspection.enterprise_id), "Of any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone", at_enterprise(Among(models.Enterprise.zone_id)), "Of enterprises in any of these zones."
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, at_enterprise(IN_ZONE_CODES), "Of enterprises in a zone with any of these codes."
    )
    rings: list[strawberry.ID] | None = any_id(
        "ControlRing", at_enterprise(IN_RINGS), "Of enterprises inside any of these rings."
    )
    venues: list[strawberry.ID] | None = any_id(
        "Venue", at_enterprise(IN_VENUES), "Of enterprises inside any ring of any of these venues."
    )
    inspectors: list[strawberry.ID] | None = any_id("Inspector", BY_INSPECTORS, "By any of these inspectors.")
    ring_codes: list[str] | None = any_code(
        RING_CODE,
        at_enterprise(IN_RING_CODES),
        "Of enterprises inside any of these rings, by the code of the venue and the grade: `HOSC-STADIUM/STRICT`.",
    )
    venue_codes: list[str] | None = any_code(
        VENUE_CODE,
        at_enterprise(IN_VENUE_CODES),
        "Of enterprises inside any ring of a venue with any of these codes.",
    )
    risk_grades: list[RiskGrade] | None = filter_field(
        at_enterprise(OF_GRADES), "Of enterprises of any of these risk grades."
    )
    inspector_badges: list[str] | None = any_code(BADGE, BY_BADGES, "By inspectors with any of these badges.")
    statuses: list[InspectionStatus] | None = filter_field(Among(models.Inspection.status), "In any of these states.")
    kinds: list[InspectionKind] | None = filter_field(
        InternalMembers(models.Inspection.kind, SHOWN_KINDS), "Of any of these kinds."
    )
    results: list[InspectionResult] | None = filter_field(Among(models.Inspection.result), "With any of these results.")
    planned_since: dt.date | None = day(since(models.Inspection.planned_for), "Planned for this day or later.")
    planned_until: dt.date | None = day(until(models.Inspection.planned_for), "Planned for this day or earlier.")
    submitted_since: dt.date | None = day(since(models.Inspection.submitted_at), "Submitted on this day or later.")
    submitted_until: dt.date | None = day(until(models.Inspection.submitted_at), "Submitted on this day or earlier.")
    or_: list["InspectionFilter"] | None = alternatives()
    not_: "InspectionFilter | None" = opposite()


@strawberry.enum(description="Fields that inspections can be sorted by.")
class InspectionOrderField(enum.Enum):
    PLANNED_FOR = strawberry.enum_value("planned", description="By the time planned; none counts as earliest.")
    SUBMITTED_AT = strawberry.enum_value("submitted", description="By submission; not yet counts as earliest.")


@strawberry.input(description="Order of inspections.")
class InspectionOrder:
    field: InspectionOrderField = strawberry.field(description="The field to sort by.")
    direction: Direction = strawberry.field(default=Direction.DESCENDING, description="Direction of the order.")


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
    """An inspection of an enterprise, from the plan to the close (检查)."""

    enterprise: lazy.Enterprise = to_one(models.Inspection.enterprise_id, "The enterprise inspected.")
    kind: InspectionKind = internal_members(
        models.Inspection.kind, SHOWN_KINDS, "Reason for it; to an enterprise COMPLAINT looks like ROUTINE."
    )
    status: InspectionStatus = column(models.Inspection.status, "State in the life cycle.")
    result: InspectionResult | None = column(models.Inspection.result, "Result; null until submitted.")
    inspectors: list[lazy.Inspector] = to_list(
        models.InspectionInspector.inspection_id,
        "Its inspectors.",
        through=(models.Inspector.id, models.InspectionInspector.inspector_id),
    )
    planned_for: dt.datetime | None = column(models.Inspection.planned_for, "Time planned; null if it was not planned.")
    dispatched_at: dt.datetime | None = column(
        models.Inspection.dispatched_at, "When inspectors were dispatched; null until then."
    )
    acknowledged_at: dt.datetime | None = column(
        models.Inspection.acknowledged_at, "When the inspectors acknowledged it; null until then."
    )
    departed_at: dt.datetime | None = column(
        models.Inspection.departed_at, "When the inspectors set out; null until then."
    )
    arrived_at: dt.datetime | None = column(
        models.Inspection.arrived_at, "When the inspectors arrived; null until then."
    )
    submitted_at: dt.datetime | None = column(
        models.Inspection.submitted_at, "When the result was submitted; null until then."
    )
    closed_at: dt.datetime | None = column(models.Inspection.closed_at, "When it was closed; null until then.")
    summary: str | None = column(models.Inspection.summary, "Summary by the inspectors; null if none.", size=TEXT)
    hazards: Connection[lazy.Hazard] = to_many(models.Hazard.inspection_id, "Hazards that it found.")
    cases: list[lazy.Case] = to_list(models.Case.inspection_id, "Cases proposed on it, oldest first.")
    evidence: list[lazy.Evidence] = to_list(
        models.InspectionEvidence.inspection_id,
        "Evidence of it; empty for a viewer who may not see personal data.",
        through=(models.Evidence.id, models.InspectionEvidence.evidence_id),
    )
    reinspection_of: "Inspection | None" = to_one(
        models.Inspection.reinspection_of_id, "The inspection that it repeats; null if none."
    )
    assistance_request: lazy.AssistanceRequest | None = to_one(
        models.Inspection.assistance_request_id, "The request for help that it serves; null if none."
    )
    next_steps: list[NextStep] = steps_field("inspection", models.Inspection.status)
    version: int = column(models.Inspection.version, "Version; rises by one with every change.")
