"""Control rings."""

import models
from models import ControlGrade
from resolvers import geography
from resolvers.queries import monthly_trends, portraits, usual_bands
from schema.fields.batch import batch
from schema.fields.columns import column
from schema.fields.connections import Connection, to_many
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import FieldCost, Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.portrait import Portrait, PortraitMonth, UsualBands, monthly_trend_of, portrait_of, usual_bands_of
from schema.types.scalars import GeoJSON

describe(
    ControlGrade,
    "Grade of control of a ring around a venue (圈层管控).",
    ALERT="The outer ring: watched (警戒圈).",
    CONTROL="The middle ring: controlled (管控圈).",
    STRICT="The inner ring: strictly controlled; every enterprise has a safety file (严控圈).",
)


@node(models.ControlRing)
class ControlRing(Node):
    """A ring of control: everything within a radius of a venue, smaller rings included (圈)."""

    grade: ControlGrade = column(models.ControlRing.grade, "Grade of control.")
    radius_metres: int = column(models.ControlRing.radius_metres, "Radius in metres along the ground.")
    boundary: GeoJSON = batch(
        geography.boundaries,
        models.ControlRing.venue_id,
        models.ControlRing.radius_metres,
        description="Outline, a polygon of 64 corners; one without any where the venue has no location.",
        cost=FieldCost(size=1_700),
    )
    venue: lazy.Venue = to_one(models.ControlRing.venue_id, "The venue at its centre.")
    enterprises: Connection[lazy.Enterprise] = to_many(
        models.EnterpriseRing.ring_id,
        "Enterprises inside.",
        through=(models.Enterprise.id, models.EnterpriseRing.enterprise_id),
    )
    portrait: Portrait | None = portrait_of(portraits.of_rings, models.ControlRing.id)
    monthly_trend: list[PortraitMonth] | None = monthly_trend_of(monthly_trends.of_rings, models.ControlRing.id)
    usual_bands: UsualBands | None = usual_bands_of(usual_bands.of_rings, models.ControlRing.id)
