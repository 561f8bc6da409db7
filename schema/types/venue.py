"""Venues."""

import strawberry

import models
from models import VenueKind
from resolvers.queries import monthly_trends, nearby, portraits, usual_bands
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, Equal
from schema.fields.batch import batch
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.filters import any_code, filter_field, one_id
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.nearby import NEARBY_ARGUMENTS, NEARBY_COST, Nearby
from schema.types.portrait import Portrait, PortraitMonth, UsualBands, monthly_trend_of, portrait_of, usual_bands_of
from schema.types.scalars import Point

describe(
    VenueKind,
    "Kind of a venue.",
    COMPETITION="A venue of competitions (竞赛场馆).",
    VILLAGE="Residence of athletes, officials or the press (亚运村).",
    TRANSPORT="A transport hub (交通枢纽).",
    OTHER="Anything else that is guarded.",
)


@strawberry.input
class VenueArguments:
    zone: strawberry.ID | None = one_id("Zone", Equal(models.Venue.zone_id), "Only those in this zone.")
    zone_codes: list[str] | None = any_code(
        ZONE_CODE, HasKey(models.Venue.zone_id, ZONE_CODE), "Only those in a zone with any of these codes."
    )
    kinds: list[VenueKind] | None = filter_field(Among(models.Venue.kind), "Only those of any of these kinds.")


@node(models.Venue, filter=VenueArguments, inline=True)
class Venue(Node):
    """A venue of the event, with rings of control around it (场馆)."""

    code: str = column(models.Venue.code, "Short code, unique in the district.")
    name: str = column(models.Venue.name, "Name.")
    name_en: str | None = column(models.Venue.name_en, "English name; null if it has none.")
    kind: VenueKind = column(models.Venue.kind, "Kind of the venue.")
    use: str | None = column(models.Venue.use, "Use; null if not known.")
    location: Point | None = sub_object(
        "Location; null if not known.", latitude=models.Venue.latitude, longitude=models.Venue.longitude
    )
    zone: lazy.Zone | None = to_one(models.Venue.zone_id, "Zone; null outside all zones.")
    rings: list[lazy.ControlRing] = to_list(
        models.ControlRing.venue_id, "Rings of control around it, the strictest last.", by=models.ControlRing.grade
    )
    cameras: Connection[lazy.Camera] = to_many(models.Camera.venue_id, "Cameras at it.")
    nearby: list[Nearby] = batch(
        nearby.around,
        models.Venue.latitude,
        models.Venue.longitude,
        description="Rows around it, nearest first; empty where the venue has no location.",
        json_attributes=nearby.JSON_ATTRIBUTES,
        arguments=NEARBY_ARGUMENTS,
        cost=NEARBY_COST,
    )
    portrait: Portrait | None = portrait_of(portraits.of_venues, models.Venue.id)
    monthly_trend: list[PortraitMonth] | None = monthly_trend_of(monthly_trends.of_venues, models.Venue.id)
    usual_bands: UsualBands | None = usual_bands_of(usual_bands.of_venues, models.Venue.id)
