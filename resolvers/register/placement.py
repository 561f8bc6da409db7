"""Where rows of a register lie: zones by their point, and of enterprises towns and rings too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.tables import table_of
from resolvers.geography import Places
from resolvers.register.references import RowValues
from resolvers.register.report import WARNING, Issue
from resolvers.register.rows import DraftRow, RowConverter

TOWN = table_of(models.Town)


@dataclass(frozen=True)
class Geography:
    """The district's places, and the zone of each town."""

    places: Places
    town_zones: dict[int, int | None]

    @classmethod
    async def read(cls, connection: AsyncConnection) -> "Geography":
        towns = await connection.execute(sa.select(TOWN.c.id, TOWN.c.zone_id))
        return cls(await Places.read(connection), {row.id: row.zone_id for row in towns})

    def zone_of(self, row: RowValues) -> int | None:
        if row["latitude"] is None or row["longitude"] is None:
            return None
        return self.places.zone_of(row["latitude"], row["longitude"])

    def rings_of(self, row: RowValues) -> frozenset[int]:
        if row["latitude"] is None or row["longitude"] is None:
            return frozenset()
        return frozenset(self.places.rings_of(row["latitude"], row["longitude"]))

    def town_of(self, row: RowValues) -> int | None:
        if row["latitude"] is None or row["longitude"] is None:
            return None
        return self.places.town_of(row["latitude"], row["longitude"])

    def fits(self, town: int | None, zone: int | None) -> bool:
        """Whether an enterprise in the zone may be in the town; in no zone, it may be in any."""
        return town is not None and (zone is None or self.town_zones.get(town) == zone)


def place_row(
    form: RowConverter, geography: Geography, draft: DraftRow, row: RowValues | None
) -> frozenset[int] | None:
    """Set zone and town of a draft by its point. For an enterprise with a point in the mapping its rings, else None.

    The town that the register names counts, if it lies in the zone of the point; without one, a row that stays where
    it was keeps its town, and any other gets the nearest.
    """
    table, values = form.table, draft.values
    if "latitude" not in values:
        return None
    if table.name != "enterprises":
        if table.has("zone_id") and "zone" not in form.sheet.fields:
            values["zone_id"] = geography.zone_of(values)
        return None
    zone = values["zone_id"] = geography.zone_of(values)
    town = values.get("town_id")
    if town is not None and not geography.fits(town, zone):
        reason = "lies in another zone than the point, which decides"
        shown = str(draft.references.get("town"))
        draft.issues.append(Issue(draft.line, form.column("town"), shown, reason, WARNING))
        town = None
    if town is None and row is not None and geography.fits(row["town_id"], zone) and _stays(row, values):
        town = row["town_id"]
    values["town_id"] = geography.town_of(values) if town is None else town
    return geography.rings_of(values)


def _stays(row: RowValues, values: RowValues) -> bool:
    return (row["latitude"], row["longitude"]) == (values["latitude"], values["longitude"])


def relocated(
    geography: Geography, rows: Sequence[RowValues], rings: dict[int, frozenset[int]]
) -> list[dict[str, Any]]:
    """Of enterprises that stay where they are those that new geography puts elsewhere: id, zone_id, town_id, rings."""
    found = []
    for row in rows:
        zone, inside = geography.zone_of(row), geography.rings_of(row)
        town = row["town_id"] if geography.fits(row["town_id"], zone) else geography.town_of(row)
        if (zone, town, inside) != (row["zone_id"], row["town_id"], rings.get(row["id"], frozenset())):
            found.append({"id": row["id"], "zone_id": zone, "town_id": town, "rings": inside})
    return found
