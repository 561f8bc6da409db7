"""Towns."""

import strawberry

import models
from resolvers.sql.named_rows import TOWN_CODE, ZONE_CODE, HasKey
from resolvers.sql.predicates import Among
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_many
from schema.fields.filters import alternatives, any_code, any_id, opposite, part_of
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.scalars import Point


@strawberry.input(description="Conditions on towns.")
class TownFilter:
    zones: list[strawberry.ID] | None = any_id("Zone", Among(models.Town.zone_id), "In any of these zones.")
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, HasKey(models.Town.zone_id, ZONE_CODE), "In a zone with any of these codes."
    )
    codes: list[str] | None = any_code(TOWN_CODE, Among(models.Town.code), "With any of these codes of 9 digits.")
    text: str | None = part_of("Name or English name contains this text.", models.Town.name, models.Town.name_en)
    or_: list["TownFilter"] | None = alternatives()
    not_: "TownFilter | None" = opposite()


@node(models.Town, filter=TownFilter)
class Town(Node):
    """A town or street (镇街)."""

    code: str = column(models.Town.code, "Statistical code of 9 digits.")
    name: str = column(models.Town.name, "Name.")
    name_en: str | None = column(models.Town.name_en, "English name; null if it has none.")
    location: Point | None = sub_object(
        "A point in it; null if not known.", latitude=models.Town.latitude, longitude=models.Town.longitude
    )
    zone: lazy.Zone | None = to_one(models.Town.zone_id, "Zone; null if it belongs to none.")
    enterprises: Connection[lazy.Enterprise] = to_many(models.Enterprise.town_id, "Enterprises in it.")
