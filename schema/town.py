"""Towns."""

from typing import TYPE_CHECKING

import models
from schema.connection import Connection, node, to_many
from schema.declare import Node, column, part, to_one
from schema.values import Point

if TYPE_CHECKING:
    from schema.enterprise import Enterprise
    from schema.zone import Zone


@node(models.Town)
class Town(Node):
    """A town or street (镇街)."""

    code: str = column(models.Town.code, "Statistical code of 9 digits.")
    name: str = column(models.Town.name, "Name.")
    name_en: str | None = column(models.Town.name_en, "English name; null if it has none.")
    location: Point | None = part(
        "A point in it; null if not known.", latitude=models.Town.latitude, longitude=models.Town.longitude
    )
    zone: "Zone | None" = to_one(models.Town.zone_id, "Its zone; null if it belongs to none.")
    enterprises: "Connection[Enterprise]" = to_many(models.Enterprise.town_id, "The enterprises in it.")
