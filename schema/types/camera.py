"""Cameras."""

import strawberry

import models
from models import PERSONAL_DATA
from resolvers.sql.named_rows import VENUE_CODE, HasKey
from resolvers.sql.predicates import Among, IsTrue
from schema.fields.columns import column, sub_object
from schema.fields.filters import alternatives, any_code, any_id, flag, opposite, part_of
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.scalars import Point


@strawberry.input(description="Conditions on cameras.")
class CameraFilter:
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Camera.enterprise_id), "At any of these enterprises."
    )
    venues: list[strawberry.ID] | None = any_id("Venue", Among(models.Camera.venue_id), "At any of these venues.")
    venue_codes: list[str] | None = any_code(
        VENUE_CODE, HasKey(models.Camera.venue_id, VENUE_CODE), "At a venue with any of these codes."
    )
    online: bool | None = flag(IsTrue(models.Camera.online), "Those that answered the last check, or the others.")
    text: str | None = part_of("Name contains this text.", models.Camera.name)
    or_: list["CameraFilter"] | None = alternatives()
    not_: "CameraFilter | None" = opposite()


@node(models.Camera, filter=CameraFilter)
class Camera(Node):
    """A camera at an enterprise or a venue (摄像头)."""

    name: str = column(models.Camera.name, "Name of what it shows.")
    device_id: str | None = column(models.Camera.device_id, "GB/T 28181 device id, 20 digits; null if it has none.")
    location: Point | None = sub_object(
        "Location; null if not known.", latitude=models.Camera.latitude, longitude=models.Camera.longitude
    )
    enterprise: lazy.Enterprise | None = to_one(
        models.Camera.enterprise_id, "The enterprise that it watches; null at a venue."
    )
    venue: lazy.Venue | None = to_one(models.Camera.venue_id, "The venue that it watches; null at an enterprise.")
    online: bool = column(models.Camera.online, "Whether it answered the last check.")
    stream_url: str | None = column(
        models.Camera.stream_url,
        "Address of its stream (HLS or WebRTC) or of a still picture; null if it has none, or for a viewer who may not"
        " see personal data.",
        sees=PERSONAL_DATA,
    )
