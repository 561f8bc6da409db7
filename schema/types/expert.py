"""Experts."""

import models
from models import PERSONAL_DATA
from resolvers.availability import AVAILABLE
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, Contains, Flag
from schema.fields.columns import column, sub_object
from schema.fields.filters import FilterField
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.resource import ResourceFilter
from schema.types.scalars import Point


@node(
    models.Expert,
    filter=ResourceFilter,
    predicates={
        "zones": FilterField(Among(models.Expert.zone_id), "Zone"),
        "zone_codes": FilterField(HasKey(models.Expert.zone_id, ZONE_CODE), by=ZONE_CODE),
        "available": FilterField(Flag(AVAILABLE[models.Expert])),
        "text": FilterField(Contains(models.Expert.specialties, personal=[models.Expert.full_name])),
        "specialty": FilterField(Contains(models.Expert.specialties)),
    },
)
class Expert(Node):
    """An expert (专家)."""

    full_name: str | None = column(
        models.Expert.full_name, "Name; null for a viewer who may not see personal data.", sees=PERSONAL_DATA
    )
    phone: str | None = column(
        models.Expert.phone,
        "Telephone; null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
    )
    specialties: list[str] = column(models.Expert.specialties, "Specialties.")
    location: Point | None = sub_object(
        "Place of work; null if not known.",
        latitude=models.Expert.latitude,
        longitude=models.Expert.longitude,
    )
    zone: lazy.Zone | None = to_one(models.Expert.zone_id, "Zone; null outside all zones.")
    on_standby: bool = column(models.Expert.on_standby, "Whether on standby.")
    version: int = column(models.Expert.version, "Version; rises by one with every change.")
