"""The rain on zones over the last hours."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import bindparam

import models
from models.db.column_types import UtcTime
from models.db.tables import table_of
from resolvers.errors import ErrorCode, RequestError, argument_range
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader

READING = table_of(models.RainfallReading)
HOURS_MAXIMUM = 72


@dataclass(frozen=True, slots=True)
class Rainfall:
    """`millimetres` is None without a reading in those hours. `at` is the time of the latest reading of the zone."""

    millimetres: float | None
    at: dt.datetime | None


async def of_zones(reader: Reader, parents: Sequence[tuple[int]], *, hours: int = 6) -> list[Rainfall]:
    """The rain on each zone. Raises RequestError for fewer than 1 or more than 72 hours."""
    if not 1 <= hours <= HOURS_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, argument_range("hours", 1, HOURS_MAXIMUM))
    recent = READING.c.at > bindparam("since", type_=UtcTime)
    counted = sa.and_(recent, READING.c.at <= bindparam("now", type_=UtcTime))
    statement = (
        sa.select(
            READING.c.zone_id,
            sa.func.sum(sa.case((counted, READING.c.millimetres))).label("millimetres"),
            sa.func.max(READING.c.at).label("latest"),
        )
        .where(among(READING.c.zone_id, "keys", reader.sqlite))
        .group_by(READING.c.zone_id)
    )
    values = {"keys": [key for (key,) in parents], "since": reader.now - dt.timedelta(hours=hours), "now": reader.now}
    by_zone = {row.zone_id: Rainfall(row.millimetres, row.latest) for row in await reader.rows(statement, values)}
    return [by_zone.get(key, Rainfall(None, None)) for (key,) in parents]
