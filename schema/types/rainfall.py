"""Rainfall."""

import datetime as dt

import strawberry


@strawberry.type(description="Rain on a zone over the last hours.")
class Rainfall:
    millimetres: float | None = strawberry.field(
        description="Sum of the readings in those hours, in millimetres; null without a reading in them."
    )
    at: dt.datetime | None = strawberry.field(description="Time of the zone's latest reading; null if there is none.")
