"""Hazards."""

import datetime as dt
import enum

import strawberry

import models
from models import HAZARD_TERMINAL, PERSONAL_DATA, ExtensionStatus, HazardLevel, HazardStatus, RiskGrade
from resolvers.actions.hazards import is_overdue
from resolvers.sql.named_rows import RING_CODE, VENUE_CODE, ZONE_CODE
from resolvers.sql.pagination import null_times_last
from resolvers.sql.predicates import Among, Not, OneOf, Predicate, Within, before, since, until
from schema.fields.columns import column, compute_now, sub_object
from schema.fields.connections import to_list
from schema.fields.filters import alternatives, any_code, any_id, day, filter_field, flag, opposite, part_of
from schema.fields.nodes import node, row_type
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enterprise import (
    IN_RING_CODES,
    IN_RINGS,
    IN_VENUE_CODES,
    IN_VENUES,
    IN_ZONE_CODES,
    OF_GRADES,
    OVERDUE,
)
from schema.types.enums import Direction, describe
from schema.types.next_step import NextStep, steps_field
from schema.types.scalars import Contact

describe(
    HazardLevel,
    "Level of a hazard (隐患级别).",
    GENERAL="A general hazard (一般隐患).",
    MAJOR="A major hazard (重大隐患); its rectification needs the five fixes.",
)
describe(
    HazardStatus,
    "State of a hazard on its way to being closed (隐患闭环).",
    FOUND="Found by an inspection (已发现).",
    UNDER_REVIEW="Reported by the enterprise itself, to be reviewed (待核实).",
    ASSIGNED="Assigned to an owner, with a deadline (已交办).",
    RECTIFYING="Being rectified (整改中).",
    PENDING_ACCEPTANCE="Rectification submitted, waiting for acceptance (待验收).",
    ACCEPTED="Rectification accepted (已验收).",
    CLOSED="Closed (已销号).",
    DISMISSED="Dismissed: it was no hazard (不予认定).",
)
describe(
    ExtensionStatus,
    "State of a request for a later deadline.",
    REQUESTED="Not decided yet.",
    APPROVED="The new deadline is in force.",
    REFUSED="The old deadline stays in force.",
    LAPSED="The hazard ended before anybody decided.",
)


def at_enterprise(predicate: Predicate) -> Within:
    """Hazards at enterprises that match the predicate."""
    return Within(models.Hazard.enterprise_id, models.Enterprise.id, predicate)


@strawberry.input(description="Conditions on hazards.")
class HazardFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Hazard.enterprise_id), "At any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone", at_enterprise(Among(models.Enterprise.zone_id)), "At enterprises in any of these zones."
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, at_enterprise(IN_ZONE_CODES), "At enterprises in a zone with any of these codes."
    )
    rings: list[strawberry.ID] | None = any_id(
        "ControlRing", at_enterprise(IN_RINGS), "At enterprises inside any of these rings."
    )
    venues: list[strawberry.ID] | None = any_id(
        "Venue", at_enterprise(IN_VENUES), "At enterprises inside any ring of any of these venues."
    )
    ring_codes: list[str] | None = any_code(
        RING_CODE,
        at_enterprise(IN_RING_CODES),
        "At enterprises inside any of these rings, by the code of the venue and the grade: `HOSC-STADIUM/STRICT`.",
    )
    venue_codes: list[str] | None = any_code(
        VENUE_CODE,
        at_enterprise(IN_VENUE_CODES),
        "At enterprises inside any ring of a venue with any of these codes.",
    )
    risk_grades: list[RiskGrade] | None = filter_field(
        at_enterprise(OF_GRADES), "At enterprises of any of these risk grades."
    )
    statuses: list[HazardStatus] | None = filter_field(Among(models.Hazard.status), "In any of these states.")
    levels: list[HazardLevel] | None = filter_field(Among(models.Hazard.level), "Of any of these levels.")
    categories: list[str] | None = filter_field(Among(models.Hazard.category), "Of exactly any of these categories.")
    open: bool | None = flag(
        Not(OneOf(models.Hazard.status, HAZARD_TERMINAL)), "Those neither closed nor dismissed, or the others."
    )
    overdue: bool | None = flag(
        Within(models.Hazard.id, models.Hazard.id, OVERDUE), "Those that are overdue, or the others."
    )
    extension_requested: bool | None = flag(
        Within(
            models.Hazard.id,
            models.DeadlineExtension.hazard_id,
            OneOf(models.DeadlineExtension.status, frozenset({ExtensionStatus.REQUESTED})),
        ),
        "Those with a request for a later deadline that nobody has decided, or the others.",
    )
    found_since: dt.date | None = day(since(models.Hazard.found_at), "Found on this day or later.")
    found_until: dt.date | None = day(until(models.Hazard.found_at), "Found on this day or earlier.")
    deadline_before: dt.date | None = day(before(models.Hazard.deadline), "With a deadline before this day.")
    text: str | None = part_of(
        "Description or category contains this text.", models.Hazard.description, models.Hazard.category
    )
    or_: list["HazardFilter"] | None = alternatives()
    not_: "HazardFilter | None" = opposite()


@strawberry.enum(description="Fields that hazards can be sorted by.")
class HazardOrderField(enum.Enum):
    FOUND_AT = strawberry.enum_value("found", description="By the time they were found.")
    DEADLINE = strawberry.enum_value("deadline", description="By the deadline in force; none counts as latest.")
    LEVEL = strawberry.enum_value("level", description="By level: general, then major.")


@strawberry.input(description="Order of hazards.")
class HazardOrder:
    field: HazardOrderField = strawberry.field(description="The field to sort by.")
    direction: Direction = strawberry.field(default=Direction.DESCENDING, description="Direction of the order.")


@strawberry.type(description="The five fixes (五落实) that a major hazard needs before it is rectified.")
class FiveFix:
    responsibility: str = strawberry.field(description="Responsible person (责任).")
    measures: str = strawberry.field(description="Measures (措施).")
    funds: str = strawberry.field(description="Funds (资金).")
    deadline: dt.datetime = strawberry.field(description="Deadline (时限).")
    contingency_plan: str = strawberry.field(description="Contingency plan until then (预案).")


@row_type(models.DeadlineExtension)
class DeadlineExtension:
    """A request for a later deadline, and the decision (延期)."""

    from_: dt.datetime = column(models.DeadlineExtension.from_deadline, "The deadline before.", name="from")
    to: dt.datetime = column(models.DeadlineExtension.to_deadline, "The deadline requested.")
    reason: str = column(models.DeadlineExtension.reason, "Reason for the request.", size=TEXT)
    status: ExtensionStatus = column(models.DeadlineExtension.status, "State of the request.")
    requested_at: dt.datetime = column(models.DeadlineExtension.requested_at, "When the enterprise requested it.")
    decided_at: dt.datetime | None = column(
        models.DeadlineExtension.decided_at, "When the commander decided; null until then, and if it lapsed."
    )


@node(
    models.Hazard,
    filter=HazardFilter,
    ordering=HazardOrder,
    sort={
        HazardOrderField.FOUND_AT: models.Hazard.found_at,
        HazardOrderField.DEADLINE: null_times_last(models.Hazard.deadline),
        HazardOrderField.LEVEL: models.Hazard.level,
    },
    default=(HazardOrderField.FOUND_AT, True),
)
class Hazard(Node):
    """A hazard at an enterprise, until it is closed (隐患)."""

    enterprise: lazy.Enterprise = to_one(models.Hazard.enterprise_id, "The enterprise that has it.")
    inspection: lazy.Inspection | None = to_one(
        models.Hazard.inspection_id, "The inspection that found it; null if the enterprise reported it itself."
    )
    level: HazardLevel = column(models.Hazard.level, "Level of the hazard.")
    status: HazardStatus = column(models.Hazard.status, "State in the life cycle.")
    category: str | None = column(models.Hazard.category, "Category; null if not categorised.")
    description: str = column(models.Hazard.description, "Description of what was found.", size=TEXT)
    found_at: dt.datetime = column(models.Hazard.found_at, "When it was found or reported.")
    deadline: dt.datetime | None = column(
        models.Hazard.deadline, "The deadline in force, extensions included; null until one is set."
    )
    overdue: bool = compute_now(
        is_overdue,
        models.Hazard.status,
        models.Hazard.deadline,
        description="The deadline in force has passed, and it is not accepted, closed or dismissed.",
    )
    rectified_at: dt.datetime | None = column(
        models.Hazard.rectified_at, "When the rectification was submitted; null until then, and after a rejection."
    )
    accepted_at: dt.datetime | None = column(
        models.Hazard.accepted_at, "When the rectification was accepted; null until then, and after reopening."
    )
    closed_at: dt.datetime | None = column(models.Hazard.closed_at, "When it was closed; null until then.")
    owner: Contact | None = sub_object(
        "Person in charge of the rectification; null until assigned, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.Hazard.owner_name,
        phone=models.Hazard.owner_phone,
    )
    five_fix: FiveFix | None = sub_object(
        "The five fixes; null until they are given.",
        responsibility=models.Hazard.fix_responsibility,
        measures=models.Hazard.fix_measures,
        funds=models.Hazard.fix_funds,
        deadline=models.Hazard.fix_deadline,
        contingency_plan=models.Hazard.fix_contingency_plan,
    )
    extensions: list[DeadlineExtension] = to_list(
        models.DeadlineExtension.hazard_id, "Requests for a later deadline, oldest first."
    )
    evidence: list[lazy.Evidence] = to_list(
        models.HazardEvidence.hazard_id,
        "Evidence of it; empty for a viewer who may not see personal data.",
        through=(models.Evidence.id, models.HazardEvidence.evidence_id),
    )
    next_steps: list[NextStep] = steps_field("hazard", models.Hazard.status)
    version: int = column(models.Hazard.version, "Version; rises by one with every change.")
