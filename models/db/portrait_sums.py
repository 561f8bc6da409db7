"""Writes, rebuilds and compares the sums of portraits, and the sets of enterprises beside them."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db import enterprise_sets
from models.db.enterprise_sets import SetChanges
from models.db.portrait_rows import (
    ENTERPRISE,
    LINK,
    RING,
    Connection,
    Place,
    day_of,
    fold,
    is_sqlite,
    places_of,
    zone_of,
)
from models.db.sqlite_writer import execute_rows
from models.db.tables import table_of
from models.portrait_facts import NO_DAY, DayOf, Facts, enterprises_in, inspected_days, month_start
from models.portrait_sum import SUM_COLUMNS, SUM_KEYS, PortraitSum, SumPeriod, SumScope

SUM = table_of(PortraitSum)
PORTION = 5_000  # enterprises whose rows are read at once
WRITTEN = 5_000  # sums that are written at once
# Plain numbers, because the hash of an enum's member is slow, and there are three for each fact.
ZONE, OF_RING, VENUE = int(SumScope.ZONE), int(SumScope.RING), int(SumScope.VENUE)
EVER, MONTH, DAY = int(SumPeriod.EVER), int(SumPeriod.MONTH), int(SumPeriod.DAY)

Scope = tuple[int, int]  # a number of SumScope, and a key
SumKey = tuple[int, int, int, int]  # scope, key, period and day
Counts = dict[str, int]  # by column
Sums = dict[SumKey, Counts]


def scopes_of(place: Place) -> frozenset[Scope]:
    """The zone, rings and venues whose sums count an enterprise at this place."""
    return frozenset(
        [
            (ZONE, place.zone_id or 0),
            *((OF_RING, ring) for ring in place.rings),
            *((VENUE, venue) for venue in place.venues),
        ]
    )


def add_facts(into: Facts, facts: Facts, sign: int = 1) -> None:
    for key, number in facts.items():
        into[key] = into.get(key, 0) + sign * number  # a new key of a Counter takes ten times as long to look up


@dataclass
class Additions:
    """Facts to add to the sums of their scopes, and changes of sets."""

    facts: defaultdict[frozenset[Scope], Facts] = field(default_factory=lambda: defaultdict(Counter))
    sets: SetChanges = field(default_factory=SetChanges)

    def add(self, scopes: frozenset[Scope], enterprise: int, facts: Facts, sign: int = 1) -> None:
        """Add facts of an enterprise, or take them away, and its membership in the scopes with them."""
        add_facts(self.facts[scopes], facts, sign)
        if enterprises_in(facts):
            for kind, key in scopes:
                self.sets.toggle(kind, key, enterprise)


def sums_of(facts_by_scopes: Mapping[frozenset[Scope], Facts]) -> Sums:
    """The sums of each scope, by the facts of the enterprises that are in the same scopes."""
    by_scope: defaultdict[Scope, Facts] = defaultdict(Counter)
    for scopes, facts in facts_by_scopes.items():
        for scope in scopes:
            add_facts(by_scope[scope], facts)
    return {
        (*scope, *period): counts
        for scope, facts in by_scope.items()
        for period, counts in _sums_by_period(facts).items()
        if any(counts.values())
    }


def _sums_by_period(facts: Facts) -> dict[tuple[int, int], Counts]:
    """The facts of one scope, by period and day. Plain dictionaries: an import has some hundred thousand facts."""
    ever: Counts = {}
    sums = {(EVER, NO_DAY): ever}
    for (day, column), number in facts.items():
        if number:
            ever[column] = ever.get(column, 0) + number
            if day != NO_DAY:
                sums.setdefault((DAY, day), {})[column] = number
                month = sums.setdefault((MONTH, month_start(day)), {})
                month[column] = month.get(column, 0) + number
    return sums


async def write(connection: Connection, additions: Additions) -> None:
    """Add to the stored sums and change the sets. One statement for each portion of their rows."""
    await _write_sums(connection, sums_of(additions.facts))
    await enterprise_sets.write(connection, additions.sets)


async def _write_sums(connection: Connection, sums: Sums) -> None:
    changed = {name for counts in sums.values() for name in counts}
    # An action and a batch of an import each change a few columns, and each column costs time for every row.
    columns = tuple(name for name in SUM_COLUMNS if name in changed)
    places = {name: number for number, name in enumerate(columns, len(SUM_KEYS))}
    rows = [_row(key, counts, places) for key, counts in sorted(sums.items(), key=itemgetter(0))]
    for start in range(0, len(rows), WRITTEN):
        portion = rows[start : start + WRITTEN]
        if is_sqlite(connection):
            await execute_rows(connection, _add_row(columns), portion)
        else:
            values = {f"values_{number}": list(column) for number, column in enumerate(zip(*portion, strict=True))}
            await connection.execute(_add_rows(columns), values)


def _row(key: SumKey, counts: Counts, places: Mapping[str, int]) -> tuple[int, ...]:
    """The keys and numbers of a row. Most of the numbers are 0."""
    row = [*key, *(0,) * len(places)]
    for name, number in counts.items():
        row[places[name]] = number
    return tuple(row)


@lru_cache(maxsize=256)
def _add_row(columns: tuple[str, ...]) -> str:
    """SQLite's statement that adds one row. It takes a sixth of the time that a JSON array of rows takes."""
    values = ", ".join("?" * (len(SUM_KEYS) + len(columns)))
    return _add_statement(columns, f"VALUES ({values})")


@lru_cache(maxsize=256)
def _add_rows(columns: tuple[str, ...]) -> sa.TextClause:
    """PostgreSQL's statement that adds many rows: an array for each column, which the driver sends as binary."""
    arrays = ", ".join(f"CAST(:values_{number} AS integer[])" for number in range(len(SUM_KEYS) + len(columns)))
    return sa.text(_add_statement(columns, f"SELECT * FROM unnest({arrays})"))


def _add_statement(columns: tuple[str, ...], source: str) -> str:
    changes = ", ".join(f"{name} = portrait_sum.{name} + excluded.{name}" for name in columns)
    return (
        f"INSERT INTO portrait_sum ({', '.join((*SUM_KEYS, *columns))}) {source}"
        f" ON CONFLICT ({', '.join(SUM_KEYS)}) DO UPDATE SET {changes}"
    )


async def add_enterprises(connection: Connection, enterprises: Collection[int], zone: ZoneInfo) -> None:
    """Add enterprises that the sums do not have yet, with all their rows. To be called with the log's append lock."""
    additions = Additions()
    await _gather(connection, enterprises, day_of(zone), additions)
    await write(connection, additions)


async def _gather(connection: Connection, enterprises: Collection[int], day: DayOf, additions: Additions) -> None:
    """Add all that the rows of these enterprises say."""
    places = await places_of(connection, enterprises)
    for key, facts in (await fold(connection, enterprises, day)).items():
        additions.add(scopes_of(places[key]), key, facts)
        additions.sets.toggle_inspected(key, (), inspected_days(facts))


async def recount(connection: Connection, scope: Scope, day: DayOf) -> None:
    """Replace the sums and the set of a ring or a venue."""
    kind, key = scope
    await connection.execute(sa.delete(SUM).where(SUM.c.scope == kind, SUM.c.key == key))
    await enterprise_sets.remove(connection, kind, key)
    inside = RING.c.id if kind == OF_RING else RING.c.venue_id
    joined = sa.select(LINK.c.enterprise_id).distinct().join(RING, RING.c.id == LINK.c.ring_id).where(inside == key)
    keys = sorted((await connection.execute(joined)).scalars())
    for start in range(0, len(keys), PORTION):
        additions = Additions()
        for enterprise, facts in (await fold(connection, keys[start : start + PORTION], day)).items():
            additions.add(frozenset([scope]), enterprise, facts)
        await write(connection, additions)


async def are_missing(connection: Connection) -> bool:
    """True if there are enterprises, but no sums or no sets at all."""

    async def is_empty(table: sa.Table) -> bool:
        return (await connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1))).first() is None

    return not await is_empty(ENTERPRISE) and (await is_empty(SUM) or await is_empty(enterprise_sets.SET))


async def rebuild(connection: Connection) -> int:
    """Replace all sums and sets by those of the rows; how many sums there are.

    To be called with the log's append lock.
    """
    await connection.execute(sa.delete(SUM))
    await enterprise_sets.remove_all(connection)
    additions = await _of_all_rows(connection)
    await write(connection, additions)
    return len(sums_of(additions.facts))


async def differences(connection: AsyncConnection) -> int:
    """The number of sums and sets that differ from the rows, all read at one moment; 0 if all is well."""
    additions = await _of_all_rows(connection)
    expected = sums_of(additions.facts)
    different = 0
    for row in await connection.execute(sa.select(SUM)):
        sums = expected.pop(tuple(row[: len(SUM_KEYS)]), {})
        different += row[len(SUM_KEYS) :] != tuple(sums.get(name, 0) for name in SUM_COLUMNS)
    return different + len(expected) + await enterprise_sets.differences(connection, additions.sets)


async def _of_all_rows(connection: Connection) -> Additions:
    day = day_of(await zone_of(connection))
    additions = Additions()
    async for enterprises in _portions(connection):
        await _gather(connection, enterprises, day, additions)
    return additions


async def _portions(connection: Connection) -> AsyncIterator[list[int]]:
    key, last = ENTERPRISE.c.id, 0
    while keys := list(
        (await connection.execute(sa.select(key).where(key > last).order_by(key).limit(PORTION))).scalars()
    ):
        yield keys
        last = keys[-1]
