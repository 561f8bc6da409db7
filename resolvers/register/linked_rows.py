"""What belongs to a row and stands in rows of another table: rings of venues and enterprises, and who inspects."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import ControlGrade
from models.db.tables import table_of
from resolvers.register.references import fetch_rows
from resolvers.sql.predicates import among

INSIDE = table_of(models.EnterpriseRing)
CARRIED_OUT = table_of(models.InspectionInspector)
RING = table_of(models.ControlRing)

Links = dict[int, frozenset[int]]
Radii = dict[ControlGrade, int]

# By table: the rows that link its rows to others, and their two columns.
LINKS = {
    "enterprises": (INSIDE, INSIDE.c.enterprise_id, INSIDE.c.ring_id),
    "inspections": (CARRIED_OUT, CARRIED_OUT.c.inspection_id, CARRIED_OUT.c.inspector_id),
}


async def read_links(connection: AsyncConnection, table: str, rows: Sequence[int]) -> Links:
    """By row, the rows that it is linked with; without an entry where there are none."""
    _, own, other = LINKS[table]
    found: defaultdict[int, set[int]] = defaultdict(set)
    for key, linked in await fetch_rows(connection, [own, other], own, rows):
        found[key].add(linked)
    return {key: frozenset(linked) for key, linked in found.items()}


async def write_links(
    connection: AsyncConnection, table: str, before: Links, after: Mapping[int, frozenset[int]]
) -> None:
    """Make the links of these rows what they shall be."""
    rows, own, other = LINKS[table]
    gone = [(key, o) for key, others in after.items() for o in before.get(key, frozenset()) - others]
    come = [(key, o) for key, others in after.items() for o in others - before.get(key, frozenset())]
    if gone:
        statement = sa.delete(rows).where(own == sa.bindparam("own"), other == sa.bindparam("other"))
        await connection.execute(statement, [{"own": key, "other": o} for key, o in gone])
    if come:
        await connection.execute(sa.insert(rows), [{own.name: key, other.name: o} for key, o in sorted(come)])


async def read_radii(connection: AsyncConnection, venues: Sequence[int]) -> dict[int, Radii]:
    """By venue, the radius in metres of each of its rings."""
    found: defaultdict[int, Radii] = defaultdict(dict)
    for row in await fetch_rows(
        connection, [RING.c.venue_id, RING.c.grade, RING.c.radius_metres], RING.c.venue_id, venues
    ):
        found[row.venue_id][row.grade] = row.radius_metres
    return dict(found)


async def write_rings(connection: AsyncConnection, before: dict[int, Radii], after: dict[int, Radii]) -> None:
    """Make the rings of these venues what they shall be. A ring that only grows or shrinks stays the same row."""
    sqlite = connection.dialect.name == "sqlite"
    for venue, radii in after.items():
        old = before.get(venue, {})
        mine = RING.c.venue_id == venue
        gone = [
            row.id
            for row in await fetch_rows(connection, [RING.c.id, RING.c.grade], RING.c.venue_id, [venue])
            if row.grade not in radii
        ]
        if gone:
            for column in (INSIDE.c.ring_id, RING.c.id):
                await connection.execute(sa.delete(column.table).where(among(column, "gone", sqlite)), {"gone": gone})
        for grade, radius in sorted(radii.items(), key=lambda item: -item[0].value):
            if grade not in old:
                values: dict[str, Any] = {"venue_id": venue, "grade": grade, "radius_metres": radius}
                await connection.execute(sa.insert(RING).values(**values))
            elif old[grade] != radius:
                changed = sa.update(RING).where(mine, RING.c.grade == grade)
                await connection.execute(changed.values(radius_metres=radius))
