"""Venues."""

from typing import TYPE_CHECKING

import strawberry

import models
from models import VenueKind
from resolvers.queries import nearby, portraits
from resolvers.sql.predicates import Equal
from schema.connection import Connection, filtered, node, one_id, to_list, to_many
from schema.declare import Node, batch, column, part, to_one
from schema.nearby import Nearby
from schema.portrait import WINDOW, Portrait
from schema.values import Point

if TYPE_CHECKING:
    from schema.camera import Camera
    from schema.ring import ControlRing
    from schema.zone import Zone


@strawberry.input
class VenueArguments:
    zone: strawberry.ID | None = one_id("Zone", Equal(models.Venue.zone_id), "Only those in this zone.")


@node(models.Venue, filter=VenueArguments, inline=True)
class Venue(Node):
    """A place of the event, with rings of control around it (场馆)."""

    code: str = column(models.Venue.code, "Short code, unique in the district.")
    name: str = column(models.Venue.name, "Name.")
    name_en: str | None = column(models.Venue.name_en, "English name; null if it has none.")
    kind: VenueKind = column(models.Venue.kind, "What it is.")
    use: str | None = column(models.Venue.use, "What happens there; null if not known.")
    location: Point | None = part(
        "Where it is; null if not known.", latitude=models.Venue.latitude, longitude=models.Venue.longitude
    )
    zone: "Zone | None" = to_one(models.Venue.zone_id, "The zone it lies in; null outside all of them.")
    rings: "list[ControlRing]" = to_list(
        models.ControlRing.venue_id, "Its rings, the strictest last.", by=models.ControlRing.grade
    )
    cameras: "Connection[Camera]" = to_many(models.Camera.venue_id, "Its cameras.")
    nearby: list[Nearby] = batch(
        nearby.around,
        models.Venue.latitude,
        models.Venue.longitude,
        description="What is around it, nearest first; empty where the venue has no location.",
        carries=nearby.CARRIES,
        arguments={
            "kinds": "What to look for.",
            "within_metres": "No farther than this, in metres along the ground; without it, however far.",
            "first": "So many of each kind, 1 to 1,000.",
            "filter": filtered("Enterprise", "Of enterprises only those."),
        },
    )
    portrait: Portrait | None = batch(
        portraits.of_venues,
        models.Venue.id,
        description="Its indicators; null for a viewer who may not see them.",
        arguments=WINDOW,
    )
