"""Warnings."""

import datetime as dt

import strawberry

import models
from models import WarningKind, WarningLevel
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, IsNull
from schema.fields.columns import column
from schema.fields.filters import alternatives, any_code, any_id, filter_field, flag, opposite
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enums import describe

describe(
    WarningKind,
    "Kind of a warning.",
    RAINSTORM="Rainstorm (暴雨).",
    TYPHOON="Typhoon (台风).",
    HEAT="Heat (高温).",
    FIRE="Fire (火险).",
    HAZMAT="Hazardous materials (危化品).",
    OTHER="Anything else.",
)
describe(
    WarningLevel,
    "Level of a warning; for rainstorms by the national thresholds.",
    BLUE="Level IV; rain: 50 mm in 12 hours (蓝色).",
    YELLOW="Level III; rain: 50 mm in 6 hours (黄色).",
    ORANGE="Level II; rain: 50 mm in 3 hours (橙色).",
    RED="Level I; rain: 100 mm in 3 hours (红色).",
)


@strawberry.input(description="Conditions on warnings.")
class WarningFilter:
    zones: list[strawberry.ID] | None = any_id("Zone", Among(models.Warning.zone_id), "For any of these zones.")
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, HasKey(models.Warning.zone_id, ZONE_CODE), "For a zone with any of these codes."
    )
    in_force: bool | None = flag(IsNull(models.Warning.lifted_at), "Those in force, or those lifted.")
    kinds: list[WarningKind] | None = filter_field(Among(models.Warning.kind), "Of any of these kinds.")
    levels: list[WarningLevel] | None = filter_field(Among(models.Warning.level), "Of any of these levels.")
    or_: list["WarningFilter"] | None = alternatives()
    not_: "WarningFilter | None" = opposite()


@node(models.Warning, filter=WarningFilter, default=(models.Warning.issued_at, True))
class Warning(Node):
    """A warning over a zone or the whole district (预警)."""

    zone: lazy.Zone | None = to_one(models.Warning.zone_id, "Zone; null for the whole district.")
    kind: WarningKind = column(models.Warning.kind, "Kind of the warning.")
    level: WarningLevel = column(models.Warning.level, "Level of the warning.")
    headline: str = column(models.Warning.headline, "Headline.", size=TEXT)
    issued_at: dt.datetime = column(models.Warning.issued_at, "When it was issued.")
    lifted_at: dt.datetime | None = column(models.Warning.lifted_at, "When it was lifted; null while in force.")
    automatic: bool = column(models.Warning.automatic, "Whether readings raised it rather than a person.")
    version: int = column(models.Warning.version, "Version; rises by one with every change.")
