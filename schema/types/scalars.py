"""Values that several types share: contacts, points and geometry."""

import datetime as dt
from dataclasses import replace
from typing import Any, NewType

import strawberry
from strawberry.schema.types.base_scalars import DateDefinition, DateTimeDefinition

from schema.fields.directives import Limits, Unit

GeoJSON = NewType("GeoJSON", dict[str, Any])
"""An RFC 7946 geometry: longitude first, WGS-84."""

SCALARS: dict[object, Any] = {
    GeoJSON: strawberry.scalar(
        name="GeoJSON",
        description="An RFC 7946 geometry: longitude first, WGS-84.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc7946",
    ),
    dt.date: replace(
        DateDefinition,
        description="A day in the district's time zone, as a full-date of RFC 3339: `2026-06-15`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
    dt.datetime: replace(
        DateTimeDefinition,
        description="A moment, as a date-time of RFC 3339 with its offset: `2026-06-15T12:00:00+08:00`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
}


@strawberry.type(description="A point in WGS-84.")
class Point:
    latitude: float = strawberry.field(description="Degrees north of the equator, -90 to 90.")
    longitude: float = strawberry.field(description="Degrees east of Greenwich, -180 to 180.")


@strawberry.input(description="A point in WGS-84.")
class PointInput:
    latitude: float = strawberry.field(
        description="Degrees north of the equator, -90 to 90.", directives=[Limits(min=-90, max=90), Unit(symbol="°")]
    )
    longitude: float = strawberry.field(
        description="Degrees east of Greenwich, -180 to 180.", directives=[Limits(min=-180, max=180), Unit(symbol="°")]
    )


@strawberry.type(
    description="A person to contact. The object or its fields are null for a viewer who may not see personal data."
)
class Contact:
    name: str | None = strawberry.field(description="Full name; null if not known.")
    phone: str | None = strawberry.field(description="Telephone number; null if not known.")


def contacts(members: list[dict[str, str]]) -> list[Contact]:
    """A column of {name, phone} as contacts."""
    return [Contact(name=m.get("name"), phone=m.get("phone")) for m in members]


def geometry(boundary: dict[str, Any] | None) -> GeoJSON | None:
    return None if boundary is None else GeoJSON(boundary)
