"""Rows of other tables that belong to a row: rings of venues and enterprises, inspectors of inspections."""

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

ENTERPRISE = table_of(models.Enterprise)
ENTERPRISE_RING = table_of(models.EnterpriseRing)
INSPECTION_INSPECTOR = table_of(models.InspectionInspector)
CONTROL_RING = table_of(models.ControlRing)

Links = dict[int, frozenset[int]]  # by the id of a row, the ids of the rows that it is linked with
Radii = dict[ControlGrade, int]  # metres

# By table: the table that links its rows to others, and the two columns of a link.
LINKS = {
    "enterprises": (ENTERPRISE_RING, ENTERPRISE_RING.c.enterprise_id, ENTERPRISE_RING.c.ring_id),
    "inspections": (INSPECTION_INSPECTOR, INSPECTION_INSPECTOR.c.inspection_id, INSPECTION_INSPECTOR.c.inspector_id),
}


async def read_links(connection: AsyncConnection, table: str, ids: Sequence[int]) -> Links:
    """The links of these rows. Rows without links have no entry."""
    _, own, other = LINKS[table]
    links: defaultdict[int, set[int]] = defaultdict(set)
    for row_id, linked in await fetch_rows(connection, [own, other], own, ids):
        links[row_id].add(linked)
    return {row_id: frozenset(linked) for row_id, linked in links.items()}


async def write_links(
    connection: AsyncConnection, table: str, before: Links, after: Mapping[int, frozenset[int]]
) -> None:
    """Delete and insert links so that the rows in `after` have those links."""
    link, own, other = LINKS[table]
    removed = [(key, linked) for key, wanted in after.items() for linked in before.get(key, frozenset()) - wanted]
    added = [(key, linked) for key, wanted in after.items() for linked in wanted - before.get(key, frozenset())]
    if removed:
        statement = sa.delete(link).where(own == sa.bindparam("own"), other == sa.bindparam("other"))
        await connection.execute(statement, [{"own": key, "other": linked} for key, linked in removed])
    if added:
        await connection.execute(
            sa.insert(link), [{own.name: key, other.name: linked} for key, linked in sorted(added)]
        )


async def read_radii(connection: AsyncConnection, venues: Sequence[int]) -> dict[int, Radii]:
    """The radii of the rings of these venues. Venues without rings have no entry."""
    columns = [CONTROL_RING.c.venue_id, CONTROL_RING.c.grade, CONTROL_RING.c.radius_metres]
    radii: defaultdict[int, Radii] = defaultdict(dict)
    for row in await fetch_rows(connection, columns, CONTROL_RING.c.venue_id, venues):
        radii[row.venue_id][row.grade] = row.radius_metres
    return dict(radii)


async def write_rings(
    connection: AsyncConnection, before: dict[int, Radii], after: dict[int, Radii]
) -> dict[int, list[int]]:
    """Change the rings of the venues in `after` to those radii. A ring that grows or shrinks keeps its row.

    Returns the deleted rings by venue.
    """
    deleted = {}
    for venue, radii in after.items():
        if rings := await _delete_rings(connection, venue, radii):
            deleted[venue] = rings
        old = before.get(venue, {})
        for grade, radius in sorted(radii.items(), key=lambda item: -item[0].value):
            if grade not in old:
                values: dict[str, Any] = {"venue_id": venue, "grade": grade, "radius_metres": radius}
                await connection.execute(sa.insert(CONTROL_RING).values(**values))
            elif old[grade] != radius:
                changed = sa.update(CONTROL_RING).where(CONTROL_RING.c.venue_id == venue, CONTROL_RING.c.grade == grade)
                await connection.execute(changed.values(radius_metres=radius))
    return deleted


async def _delete_rings(connection: AsyncConnection, venue: int, keep: Radii) -> list[int]:
    """Delete the rings of a venue whose grade is not in `keep`, with the links of enterprises to them. Returns them."""
    columns = [CONTROL_RING.c.id, CONTROL_RING.c.grade]
    rings = await fetch_rows(connection, columns, CONTROL_RING.c.venue_id, [venue])
    removed = [ring.id for ring in rings if ring.grade not in keep]
    if removed:
        # Whoever moves one of the enterprises has locked it, and must have finished.
        inside = sa.select(ENTERPRISE_RING.c.enterprise_id).where(ENTERPRISE_RING.c.ring_id.in_(removed))
        lock = sa.select(ENTERPRISE.c.id).where(ENTERPRISE.c.id.in_(inside)).order_by(ENTERPRISE.c.id)
        await connection.execute(lock.with_for_update(key_share=True))
        for column in (ENTERPRISE_RING.c.ring_id, CONTROL_RING.c.id):
            condition = among(column, "removed", connection.dialect.name == "sqlite")
            await connection.execute(sa.delete(column.table).where(condition), {"removed": removed})
    return removed
