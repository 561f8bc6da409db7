"""Inspectors."""

import datetime as dt

import models
from models import PERSONAL_DATA
from models.visibility import INTERNALS
from resolvers.availability import AVAILABLE, stale_positions
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, Contains, Flag
from schema.fields.batch import batch
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_many
from schema.fields.filters import FilterField
from schema.fields.nodes import node
from schema.fields.source import Node
from schema.types import lazy
from schema.types.resource import ResourceFilter
from schema.types.scalars import Point


@node(
    models.Inspector,
    filter=ResourceFilter,
    predicates={
        "zones": FilterField(Among(models.Inspector.zone_id), "Zone"),
        "zone_codes": FilterField(HasKey(models.Inspector.zone_id, ZONE_CODE), by=ZONE_CODE),
        "available": FilterField(Flag(AVAILABLE[models.Inspector])),
        "text": FilterField(Contains(models.Inspector.badge, personal=[models.Inspector.full_name])),
    },
)
class Inspector(Node):
    """An officer in the field (检查员)."""

    badge: str = column(models.Inspector.badge, "Badge number, unique in the district.")
    full_name: str | None = column(
        models.Inspector.full_name, "Name; null for a viewer who may not see personal data.", sees=PERSONAL_DATA
    )
    phone: str | None = column(
        models.Inspector.phone,
        "Telephone; null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
    )
    on_duty: bool = column(models.Inspector.on_duty, "Whether on duty.")
    position: Point | None = sub_object(
        "Latest position; null if none was reported, or for an enterprise.",
        sees=INTERNALS,
        latitude=models.Inspector.latitude,
        longitude=models.Inspector.longitude,
    )
    position_at: dt.datetime | None = column(
        models.Inspector.position_at,
        "When the position was reported; null if none was, or for an enterprise.",
        sees=INTERNALS,
    )
    position_stale: bool | None = batch(
        stale_positions,
        models.Inspector.position_at,
        description="Whether the position is too old to count for choosing who is nearest (HUHANG_POSITION_MINUTES);"
        " null where there is none, or for an enterprise.",
        sees=INTERNALS,
    )
    inspections: Connection[lazy.Inspection] = to_many(
        models.InspectionInspector.inspector_id,
        "Inspections of this inspector.",
        through=(models.Inspection.id, models.InspectionInspector.inspection_id),
    )
