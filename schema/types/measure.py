"""Control measures."""

import datetime as dt

import strawberry

import models
from models import PERSONAL_DATA, MeasureKind
from resolvers.sql.named_rows import ZONE_CODE
from resolvers.sql.predicates import Among, IsNull, Within
from schema.fields.columns import column, sub_object
from schema.fields.filters import alternatives, any_code, any_id, filter_field, flag, opposite
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enterprise import IN_ZONE_CODES
from schema.types.enums import describe
from schema.types.scalars import Contact

describe(
    MeasureKind,
    "Kind of a control measure (管控措施).",
    ELIMINATION="Removal of the danger.",
    ENGINEERING="A technical measure (工程技术措施).",
    ADMINISTRATIVE="An administrative measure (管理措施).",
    TRAINING="Training (培训教育).",
    PPE="Personal protective equipment (个体防护).",
    EMERGENCY="An emergency measure (应急处置).",
)


@strawberry.input(description="Conditions on control measures.")
class MeasureFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.ControlMeasure.enterprise_id), "At any of these enterprises."
    )
    zones: list[strawberry.ID] | None = any_id(
        "Zone",
        Within(models.ControlMeasure.enterprise_id, models.Enterprise.id, Among(models.Enterprise.zone_id)),
        "At enterprises in any of these zones.",
    )
    zone_codes: list[str] | None = any_code(
        ZONE_CODE,
        Within(models.ControlMeasure.enterprise_id, models.Enterprise.id, IN_ZONE_CODES),
        "At enterprises in a zone with any of these codes.",
    )
    kinds: list[MeasureKind] | None = filter_field(Among(models.ControlMeasure.kind), "Of any of these kinds.")
    in_force: bool | None = flag(IsNull(models.ControlMeasure.lifted_at), "Those in force, or those lifted.")
    or_: list["MeasureFilter"] | None = alternatives()
    not_: "MeasureFilter | None" = opposite()


@node(models.ControlMeasure, filter=MeasureFilter)
class ControlMeasure(Node):
    """A measure that controls a danger (管控措施)."""

    enterprise: lazy.Enterprise = to_one(models.ControlMeasure.enterprise_id, "The enterprise that has it.")
    kind: MeasureKind = column(models.ControlMeasure.kind, "Kind of the measure.")
    description: str = column(models.ControlMeasure.description, "Description of the measure.", size=TEXT)
    responsible: Contact | None = sub_object(
        "Responsible person; null if none, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.ControlMeasure.responsible_name,
        phone=models.ControlMeasure.responsible_phone,
    )
    since: dt.date = column(models.ControlMeasure.since, "First day in force.")
    lifted_at: dt.datetime | None = column(models.ControlMeasure.lifted_at, "When it was lifted; null while in force.")
    version: int = column(models.ControlMeasure.version, "Version; rises by one with every change.")
