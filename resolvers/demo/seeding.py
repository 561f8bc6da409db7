"""Makes and writes the demo in batches of bounded size."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import Row
from models.db import portrait_sums
from models.db.database import Database
from models.db.portrait_rows import zone_of
from resolvers.demo import cameras, command, dispatches, enterprises, handovers, resources, supplies, warnings
from resolvers.demo.clock import Clock
from resolvers.demo.dispatches import Target
from resolvers.demo.events import Log
from resolvers.demo.geography import lay
from resolvers.demo.rows import Rows
from resolvers.demo.scene import Scene
from resolvers.demo.writing import Writer
from subscriptions import event_log

BATCH = 2_000  # enterprises, with about forty rows each

Counts = Counter[str]  # number of rows by table
Taken = dict[type[Row], list[dict[str, Any]]]


class DistrictExists(Exception):
    """The database already has a district; it can have only one."""


async def seed(
    database: Database,
    *,
    enterprises: int = 2_000,
    today: dt.date,
    progress: Callable[[int, int], None] | None = None,
) -> Counts:
    """Write the demo as of the midnight at which `today` begins in the district.

    The same day and number of enterprises, at most a million, give the same rows in every database. A batch is one
    transaction, and up to 2,000 enterprises are one batch: an interrupted demo of that size leaves nothing behind.
    `progress` is called after each batch is committed, with the enterprises written so far and in all.
    Raises DistrictExists, without writing anything, where there is a district.
    """
    writer = Writer(database.engine.dialect)
    counts: Counts = Counter()
    done = 0
    for batch in batches(enterprises, today):
        async with database.write() as session:
            connection = await session.connection()
            if not counts:
                await _claim(connection)
            counts += await _write(connection, writer, batch)
        done += len(batch.get(models.Enterprise, ()))
        if progress:
            progress(done, enterprises)
    return counts


def batches(number: int, today: dt.date) -> Iterator[Taken]:
    """The rows of the demo by table, in batches. The first batch also has the district and its resources.

    Each batch has its event of the register. With up to 10,000 enterprises, the last batch also has the events of the
    last month.
    """
    if not 0 <= number <= enterprises.MOST:
        raise ValueError(f"the demo has 0 to {enterprises.MOST} enterprises")
    scene = _set(number, today)
    for first in range(1, max(number, 1) + 1, BATCH):
        for enterprise in range(first, min(first + BATCH, number + 1)):
            enterprises.add_enterprise(scene, enterprise)
        scene.log.register(scene.rows, scene.rows.pending)
        if first + BATCH > number:
            scene.log.tell(scene.rows)
        yield scene.rows.take()


def _set(number: int, today: dt.date) -> Scene:
    """The scene without enterprises: everything that exists once."""
    rows, clock = Rows(), Clock.on(today)
    scene = Scene(clock, lay(rows), rows, number, Log(clock, number))
    _surround(scene)
    command.raise_command(scene)
    resources.gather(scene)
    stock = supplies.store(scene)
    cameras.mount_at_venues(scene)
    warnings.issue(scene)
    handovers.hand_over(scene)
    venues = [venue for venue in scene.geography.venues if venue.zone_id is not None]
    targets = [Target(venue.latitude, venue.longitude, venue_id=venue.id) for venue in venues]
    # Only enterprises of the first batch, so that a row is never written before one that it refers to.
    for enterprise in range(1, min(number, BATCH, 60) + 1):
        _, _, (latitude, longitude) = enterprises.place(scene, enterprise)
        targets.append(Target(latitude, longitude, enterprise_id=enterprise))
    dispatches.send(scene, targets, stock)
    return scene


def _surround(scene: Scene) -> None:
    """Give the log the surroundings of the venues."""
    rings: dict[int, set[int]] = {}
    for ring, venue in scene.geography.ring_venues.items():
        rings.setdefault(venue, set()).add(ring)
    for place in scene.geography.venues:
        scene.log.surround_venue(place.id, place.zone_id, frozenset(rings[place.id]))


async def _claim(connection: AsyncConnection) -> None:
    """Raise DistrictExists if there is a district, also where another process is seeding at the same time."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("LOCK TABLE district IN SHARE ROW EXCLUSIVE MODE"))
    if await connection.scalar(sa.select(sa.func.count()).select_from(models.District)):
        raise DistrictExists("the database already has a district")


async def _write(connection: AsyncConnection, writer: Writer, batch: Taken) -> Counts:
    """Write one batch. On return it is complete, and the transaction is still open."""
    # The demo numbers its own events; later events continue after them.
    await event_log.take_turn(connection)
    counts = await writer.write(connection, batch)
    await writer.follow(connection, counts)
    enterprises = [row["id"] for row in batch.get(models.Enterprise, ())]
    await portrait_sums.add_enterprises(connection, enterprises, await zone_of(connection))
    return counts
