"""Cases."""

import datetime as dt
import enum

import strawberry

import models
from models import CaseStatus, PenaltyKind, RiskGrade
from resolvers.sql.named_rows import ZONE_CODE
from resolvers.sql.pagination import null_numbers_first, null_times_first
from resolvers.sql.predicates import Among, Predicate, Within, since, until
from schema.fields.columns import column, sub_object
from schema.fields.filters import alternatives, any_code, any_id, day, filter_field, opposite
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enterprise import IN_ZONE_CODES, OF_GRADES
from schema.types.enums import Direction, describe
from schema.types.next_step import NextStep, steps_field

describe(
    CaseStatus,
    "State of a case (立案处罚).",
    PROPOSED="Proposed after an inspection (拟立案).",
    FILED="Filed (立案).",
    NOT_FILED="Not filed (不予立案).",
    INVESTIGATING="Being investigated (调查取证).",
    NOTIFIED="The enterprise was notified (告知).",
    HEARING="In a hearing (听证).",
    DECIDED="A penalty was decided (处罚决定).",
    NO_PENALTY="No penalty (不予处罚).",
    TRANSFERRED="Handed to another authority (移送).",
    WITHDRAWN="Withdrawn (撤案).",
    EXECUTING="The penalty is being executed (执行).",
    CLOSED="Closed (结案).",
)
describe(
    PenaltyKind,
    "A kind of penalty.",
    WARNING="A warning (警告).",
    FINE="A fine (罚款).",
    CONFISCATION="Confiscation (没收).",
    SUSPENSION="Suspension of business (责令停产停业).",
    REVOCATION="Revocation of a licence (吊销许可证).",
)


def at_enterprise(predicate: Predicate) -> Within:
    """Cases against enterprises that match the predicate."""
    return Within(models.Case.enterprise_id, models.Enterprise.id, predicate)


@strawberry.input(description="Conditions on cases.")
class CaseFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Case.enterprise_id), "Against any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone",
        at_enterprise(Among(models.Enterprise.zone_id)),
        "Against enterprises in any of these zones.",
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, at_enterprise(IN_ZONE_CODES), "Against enterprises in a zone with any of these codes."
    )
    risk_grades: list[RiskGrade] | None = filter_field(
        at_enterprise(OF_GRADES), "Against enterprises of any of these risk grades."
    )
    statuses: list[CaseStatus] | None = filter_field(Among(models.Case.status), "In any of these states.")
    filed_since: dt.date | None = day(since(models.Case.filed_at), "Filed on this day or later.")
    filed_until: dt.date | None = day(until(models.Case.filed_at), "Filed on this day or earlier.")
    or_: list["CaseFilter"] | None = alternatives()
    not_: "CaseFilter | None" = opposite()


@strawberry.enum(description="Fields that cases can be sorted by.")
class CaseOrderField(enum.Enum):
    FILED_AT = strawberry.enum_value("filed", description="By the time of filing; not filed counts as earliest.")
    DECIDED_AT = strawberry.enum_value("decided", description="By the time of the decision; none counts as earliest.")
    FINE = strawberry.enum_value("fine", description="By the fine in yuan; none counts as lowest.")


@strawberry.input(description="Order of cases.")
class CaseOrder:
    field: CaseOrderField = strawberry.field(description="The field to sort by.")
    direction: Direction = strawberry.field(default=Direction.DESCENDING, description="Direction of the order.")


@strawberry.type(description="A penalty against an enterprise (行政处罚).")
class Penalty:
    kinds: list[PenaltyKind] = strawberry.field(description="The kinds of penalty.")
    fine_yuan: int | None = strawberry.field(description="The fine in yuan (CNY); null without one.")


@node(
    models.Case,
    filter=CaseFilter,
    ordering=CaseOrder,
    sort={
        CaseOrderField.FILED_AT: null_times_first(models.Case.filed_at),
        CaseOrderField.DECIDED_AT: null_times_first(models.Case.decided_at),
        CaseOrderField.FINE: null_numbers_first(models.Case.fine_yuan),
    },
    default=(models.Case.id, True),
)
class Case(Node):
    """A case against an enterprise, from the proposal to its close (案件)."""

    number: str | None = column(models.Case.number, "Number of the case file; null until it is filed.")
    inspection: lazy.Inspection = to_one(models.Case.inspection_id, "The inspection on which it was proposed.")
    enterprise: lazy.Enterprise = to_one(models.Case.enterprise_id, "The enterprise that it is against.")
    status: CaseStatus = column(models.Case.status, "State in the life cycle.")
    grounds: str = column(models.Case.grounds, "Grounds for the case.", size=TEXT)
    penalty: Penalty | None = sub_object(
        "The penalty; null until one is decided.", kinds=models.Case.penalty_kinds, fine_yuan=models.Case.fine_yuan
    )
    filed_at: dt.datetime | None = column(models.Case.filed_at, "When it was filed; null until then.")
    decided_at: dt.datetime | None = column(models.Case.decided_at, "When it was decided; null until then.")
    closed_at: dt.datetime | None = column(models.Case.closed_at, "When it was closed; null until then.")
    next_steps: list[NextStep] = steps_field("case", models.Case.status)
    version: int = column(models.Case.version, "Version; rises by one with every change.")
