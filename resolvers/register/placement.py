"""Places rows by their points: sets zones, and for enterprises also towns and rings."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.portrait_rows import EnterprisePlace, Place, ring_venues
from models.db.tables import table_of
from models.reason import Reason
from resolvers.places import Places
from resolvers.register.linked_rows import read_links, write_links
from resolvers.register.references import RowValues
from resolvers.register.report import WARNING, Issue
from resolvers.register.rows import DraftRow, RowConverter
from resolvers.register.tables import TABLES
from resolvers.register.write import ENTERPRISE, update

TOWN = table_of(models.Town)


@dataclass(frozen=True)
class Geography:
    """The places of the district, and the zone of each town."""

    places: Places
    town_zones: dict[int, int | None]

    @classmethod
    async def read(cls, connection: AsyncConnection) -> "Geography":
        towns = await connection.execute(sa.select(TOWN.c.id, TOWN.c.zone_id))
        return cls(await Places.read(connection), {row.id: row.zone_id for row in towns})

    def zone_of(self, row: RowValues) -> int | None:
        return self.places.zone_of(*point) if (point := _point(row)) else None

    def rings_of(self, row: RowValues) -> frozenset[int]:
        return frozenset(self.places.rings_of(*point)) if (point := _point(row)) else frozenset()

    def nearest_town(self, row: RowValues) -> int | None:
        return self.places.town_of(*point) if (point := _point(row)) else None

    def town_allowed(self, town: int | None, zone: int | None) -> bool:
        """Whether an enterprise in the zone can be in the town. An enterprise in no zone can be in any town."""
        return town is not None and (zone is None or self.town_zones.get(town) == zone)


def _point(row: RowValues) -> tuple[float, float] | None:
    """Latitude and longitude."""
    if row["latitude"] is None or row["longitude"] is None:
        return None
    return row["latitude"], row["longitude"]


def place_row(
    converter: RowConverter, geography: Geography, draft: DraftRow, row: RowValues | None
) -> frozenset[int] | None:
    """Set the zone and town of a draft by its point.

    Returns the rings of an enterprise, or None if the file has no points or the row is not an enterprise.

    A town in the file counts if it is in the zone of the point. Without one, a row whose point is unchanged keeps its
    town, and any other row gets the nearest.
    """
    table, values = converter.table, draft.values
    if "latitude" not in values:
        return None
    if table.name != "enterprises":
        if table.has_column("zone_id") and "zone" not in converter.mapped | draft.overridden:
            values["zone_id"] = geography.zone_of(values)
        return None
    zone = values["zone_id"] = geography.zone_of(values)
    town = values.get("town_id")
    if town is not None and not geography.town_allowed(town, zone):
        reason = Reason("TOWN_IN_OTHER_ZONE", "is in another zone than the point, and the point decides")
        shown = str(draft.references.get("town"))
        draft.issues.append(Issue(draft.line, converter.label("town"), shown, reason, WARNING))
        town = None
    if town is None and row is not None and _point(row) == _point(values):
        town = row["town_id"] if geography.town_allowed(row["town_id"], zone) else None
    values["town_id"] = geography.nearest_town(values) if town is None else town
    return geography.rings_of(values)


class Relocation(NamedTuple):
    """The id of the last enterprise looked at, None if there are no more, and the places that changed ones had."""

    last: int | None
    places: dict[int, Place]


async def relocate_enterprises(
    connection: AsyncConnection, geography: Geography, after: int, limit: int, now: dt.datetime
) -> Relocation:
    """Update zone, town and rings of the next enterprises, sorted by id, where the geography has changed them."""
    columns = [ENTERPRISE.c[name] for name in ("id", "latitude", "longitude", "zone_id", "town_id", "version")]
    statement = sa.select(*columns).where(ENTERPRISE.c.id > after).order_by(ENTERPRISE.c.id).limit(limit)
    rows: list[RowValues] = [dict(row._mapping) for row in await connection.execute(statement)]
    if not rows:
        return Relocation(None, {})
    links = await read_links(connection, "enterprises", [row["id"] for row in rows])
    changed, rings = _relocated(geography, rows, links)
    versions = {row["id"]: row["version"] for row in rows if row["id"] in rings}
    await update(connection, TABLES["enterprises"], changed, versions, now)
    await write_links(connection, "enterprises", links, rings)
    venues = await ring_venues(connection)
    return Relocation(
        rows[-1]["id"],
        {
            row["id"]: EnterprisePlace(row["zone_id"], links.get(row["id"], frozenset()), venues)
            for row in rows
            if row["id"] in rings
        },
    )


def _relocated(
    geography: Geography, rows: Sequence[RowValues], links: dict[int, frozenset[int]]
) -> tuple[list[dict[str, Any]], dict[int, frozenset[int]]]:
    """The new id, zone_id and town_id of the enterprises whose place changes, and by id their rings."""
    changed, rings = [], {}
    for row in rows:
        zone, inside = geography.zone_of(row), geography.rings_of(row)
        town = row["town_id"] if geography.town_allowed(row["town_id"], zone) else geography.nearest_town(row)
        if (zone, town, inside) != (row["zone_id"], row["town_id"], links.get(row["id"], frozenset())):
            changed.append({"id": row["id"], "zone_id": zone, "town_id": town})
            rings[row["id"]] = inside
    return changed, rings
