"""Cases."""

import datetime as dt

import strawberry

import models
from models import CaseStatus, PenaltyKind
from resolvers.sql.predicates import Among, Within, since, until
from schema.fields.columns import column, sub_object
from schema.fields.filters import any_id, day, filter_field
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enums import describe

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


@strawberry.input(description="Conditions on cases.")
class CaseFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Case.enterprise_id), "Against any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone",
        Within(models.Case.enterprise_id, models.Enterprise.id, Among(models.Enterprise.zone_id)),
        "Against enterprises in any of these zones.",
    )
    statuses: list[CaseStatus] | None = filter_field(Among(models.Case.status), "In any of these states.")
    filed_since: dt.date | None = day(since(models.Case.filed_at), "Filed on this day or later.")
    filed_until: dt.date | None = day(until(models.Case.filed_at), "Filed on this day or earlier.")


@strawberry.type(description="A penalty against an enterprise (行政处罚).")
class Penalty:
    kinds: list[PenaltyKind] = strawberry.field(description="The kinds of penalty.")
    fine_yuan: int | None = strawberry.field(description="The fine in yuan (CNY); null without one.")


@node(models.Case, filter=CaseFilter, default=(models.Case.id, True))
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
    version: int = column(models.Case.version, "Version; rises by one with every change.")
