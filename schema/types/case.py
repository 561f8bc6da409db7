"""Cases."""

import datetime as dt
from typing import TYPE_CHECKING

import strawberry

import models
from models import CaseStatus, PenaltyKind
from resolvers.sql.predicates import Among, Within, since, until
from schema.fields.columns import column, sub_object
from schema.fields.filters import any_id, day, filter_field
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node

if TYPE_CHECKING:
    from schema.types.enterprise import Enterprise
    from schema.types.inspection import Inspection


@strawberry.input(description="Which cases.")
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


@strawberry.type(description="What was decided against an enterprise (行政处罚).")
class Penalty:
    kinds: list[PenaltyKind] = strawberry.field(description="The kinds of penalty.")
    fine_yuan: int | None = strawberry.field(description="The fine in yuan (CNY); null without one.")


@node(models.Case, filter=CaseFilter, default=(models.Case.id, True))
class Case(Node):
    """A case against an enterprise, from the proposal to its close (案件)."""

    number: str | None = column(models.Case.number, "Its number in the files; null until it is filed.")
    inspection: "Inspection" = to_one(models.Case.inspection_id, "The inspection that it came of.")
    enterprise: "Enterprise" = to_one(models.Case.enterprise_id, "Against whom.")
    status: CaseStatus = column(models.Case.status, "Where it stands.")
    grounds: str = column(models.Case.grounds, "Why.")
    penalty: Penalty | None = sub_object(
        "The penalty; null until one is decided.", kinds=models.Case.penalty_kinds, fine_yuan=models.Case.fine_yuan
    )
    filed_at: dt.datetime | None = column(models.Case.filed_at, "When it was filed, or null.")
    decided_at: dt.datetime | None = column(models.Case.decided_at, "When it was decided, or null.")
    closed_at: dt.datetime | None = column(models.Case.closed_at, "When it was closed, or null.")
    version: int = column(models.Case.version, "Rises by one with every change.")
