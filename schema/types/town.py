"""Towns."""

import models
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_many
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.scalars import Point


@node(models.Town)
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
