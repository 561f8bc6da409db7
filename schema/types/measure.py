"""Control measures."""

import datetime as dt
from typing import TYPE_CHECKING

import strawberry

import models
from models import PERSONAL_DATA, MeasureKind
from resolvers.sql.predicates import Among, IsNull
from schema.fields.columns import column, sub_object
from schema.fields.filters import filter_field, flag
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types.scalars import Contact

if TYPE_CHECKING:
    from schema.types.enterprise import Enterprise


@strawberry.input(description="Which measures.")
class MeasureFilter:
    kinds: list[MeasureKind] | None = filter_field(Among(models.ControlMeasure.kind), "Of any of these kinds.")
    in_force: bool | None = flag(IsNull(models.ControlMeasure.lifted_at), "Those in force, or those lifted.")


@node(models.ControlMeasure, filter=MeasureFilter)
class ControlMeasure(Node):
    """What keeps a danger in hand (管控措施)."""

    enterprise: "Enterprise" = to_one(models.ControlMeasure.enterprise_id, "Where.")
    kind: MeasureKind = column(models.ControlMeasure.kind, "What kind of measure.")
    description: str = column(models.ControlMeasure.description, "What is done.")
    responsible: Contact | None = sub_object(
        "Who answers for it; null if nobody, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.ControlMeasure.responsible_name,
        phone=models.ControlMeasure.responsible_phone,
    )
    since: dt.date = column(models.ControlMeasure.since, "First day in force.")
    lifted_at: dt.datetime | None = column(models.ControlMeasure.lifted_at, "When it was lifted; null while in force.")
    version: int = column(models.ControlMeasure.version, "Rises by one with every change.")
