"""Reads the sums of portraits (models/portrait_sum.py): of segments of days, or of each day or month.

Enterprises that were inspected in a segment are counted from sets (models/enterprise_set.py).
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import ARRAY

import models
from models.db.portrait_rows import HAZARDS, VISITS, day_of, fold_rows, visits_of
from models.db.tables import table_of
from models.enterprise_set import EnterpriseSet, SetKind
from models.portrait_facts import NO_DAY, Facts, HazardFields, enterprises_in, inspected_days, month_start
from models.portrait_sum import PortraitSum, SumPeriod, SumScope
from resolvers.queries.portrait_scopes import ENTERPRISE, HAZARD, ParentKind
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader

SUMS = table_of(PortraitSum)
LAST = dt.date.max.toordinal()
SHORT = 62  # days; a shorter segment is read by days
PORTION = 200  # rows that are counted at once
# Columns that every indicator of a portrait is made from, of whatever window.
COUNTED = (
    "hazards",
    "hazards_major",
    "hazards_by_inspection",
    "hazards_major_by_inspection",
    "hazards_rectified",
    "hazards_closed",
    "closed",
    "closed_major",
    "due",
    "on_time",
    "unsettled",
    "inspections",
    "inspections_filed",
    "inspections_penalised",
    "cases_filed",
)

Segment = tuple[int, int]  # numbers of the first and last day; empty where the last is before the first
ByBucket = dict[int, Counter[str]]  # sums by column, by number of a segment or of a day
ALL_TIME = -1  # the number of the segment of all time


class Range(NamedTuple):
    """Rows of one period with a day from `first` to `last`, which are added up under the number of their segment."""

    segment: int
    period: SumPeriod
    first: int
    last: int


class ScopeSums(Protocol):
    """The sums of some parents of one kind."""

    async def segments(self, segments: Sequence[Segment], columns: tuple[str, ...]) -> dict[int, ByBucket]:
        """By parent, the sums of each segment by its number in the list, and of all time under ALL_TIME."""

    async def each(self, period: SumPeriod, segment: Segment, columns: tuple[str, ...]) -> dict[int, ByBucket]:
        """By parent, the sums of each day, or of each month by its first day. Days without any may be missing."""

    async def inspected(self, segment: Segment) -> dict[int, int]:
        """By parent, how many of its enterprises were inspected in the segment. Parents without any may be missing."""


async def sums_of(reader: Reader, kind: ParentKind, keys: list[int]) -> ScopeSums:
    if kind.scope is None:
        return EnterpriseSums(await _enterprise_facts(reader, keys))
    if not kind.is_district:
        return StoredSums(reader, kind.scope, keys, None)
    zones = await reader.rows(sa.select(table_of(models.Zone).c.id), {})
    return StoredSums(reader, kind.scope, [0, *(row.id for row in zones)], keys[0])


@dataclass(frozen=True)
class StoredSums:
    """Sums from the table. `whole` is the one parent that all keys belong to; None if each key is a parent."""

    reader: Reader
    scope: SumScope
    keys: list[int]
    whole: int | None

    async def segments(self, segments: Sequence[Segment], columns: tuple[str, ...]) -> dict[int, ByBucket]:
        ranges = [each for number, segment in enumerate(segments) for each in covering(number, segment)]
        return await self._read([Range(ALL_TIME, SumPeriod.EVER, NO_DAY, NO_DAY), *ranges], columns, by_day=False)

    async def each(self, period: SumPeriod, segment: Segment, columns: tuple[str, ...]) -> dict[int, ByBucket]:
        return await self._read([Range(0, period, *segment)], columns, by_day=True)

    async def inspected(self, segment: Segment) -> dict[int, int]:
        values = {"kind": self.scope, "keys": self.keys, **self._ranges(list(covering(0, segment)))}
        rows = await self.reader.rows(_inspected_statement(self.reader.sqlite), values)
        if self.whole is not None:
            return {self.whole: sum(row.enterprises for row in rows)}
        return {row.parent: row.enterprises for row in rows}

    def _ranges(self, ranges: Sequence[Range]) -> dict[str, Any]:
        if self.reader.sqlite:
            return {"ranges": orjson.dumps([list(each) for each in ranges]).decode()}
        return {name: [getattr(each, name) for each in ranges] for name in Range._fields}

    async def _read(self, ranges: Sequence[Range], columns: tuple[str, ...], *, by_day: bool) -> dict[int, ByBucket]:
        statement = _statement(columns, self.reader.sqlite, by_day, self.whole is not None)
        values = {"scope": self.scope, "keys": self.keys, **self._ranges(ranges)}
        result: dict[int, ByBucket] = {}
        for number, row in enumerate(await self.reader.rows(statement, values), start=1):
            if number % PORTION == 0:
                await self.reader.pause()
            parent = row.parent if self.whole is None else self.whole
            result.setdefault(parent, {})[row.bucket] = Counter(dict(zip(columns, row[2:], strict=True)))
        return result


@dataclass(frozen=True)
class EnterpriseSums:
    """Sums of enterprises, by their facts."""

    facts: dict[int, Facts]

    async def segments(self, segments: Sequence[Segment], columns: tuple[str, ...]) -> dict[int, ByBucket]:
        result: dict[int, ByBucket] = {}
        for key, facts in self.facts.items():
            sums = result[key] = {ALL_TIME: Counter(), **{number: Counter() for number in range(len(segments))}}
            for (day, column), count in facts.items():
                sums[ALL_TIME][column] += count
                for number, (first, last) in enumerate(segments):
                    if first <= day <= last:
                        sums[number][column] += count
        return result

    async def each(self, period: SumPeriod, segment: Segment, columns: tuple[str, ...]) -> dict[int, ByBucket]:
        first, last = segment
        result: dict[int, ByBucket] = {}
        for key, facts in self.facts.items():
            sums = result[key] = {}
            for (day, column), count in facts.items():
                bucket = month_start(day) if period is SumPeriod.MONTH and day != NO_DAY else day
                if first <= bucket <= last:
                    sums.setdefault(bucket, Counter())[column] += count
        return result

    async def inspected(self, segment: Segment) -> dict[int, int]:
        first, last = segment
        return {
            key: int(enterprises_in(facts) > 0 and any(first <= day <= last for day in inspected_days(facts)))
            for key, facts in self.facts.items()
        }


def covering(number: int, segment: Segment) -> Iterable[Range]:
    """The rows that make up a segment: months, and days at its ends."""
    first, last = segment
    if last - first < SHORT:
        yield Range(number, SumPeriod.DAY, first, last)
        return
    begin = first if month_start(first) == first else next_month(first)
    end = LAST + 1 if last == LAST else month_start(last + 1)
    yield Range(number, SumPeriod.DAY, first, begin - 1)
    yield Range(number, SumPeriod.MONTH, begin, end - 1)
    yield Range(number, SumPeriod.DAY, end, last)


def next_month(day: int) -> int:
    """The number of the first day of the next month."""
    return month_start(month_start(day) + 31)


@lru_cache
def _statement(columns: tuple[str, ...], sqlite: bool, by_day: bool, whole: bool) -> sa.Select[Any]:
    """Selects the parent (0 for the whole), the bucket and the sums of the columns."""
    segment, period, first, last = _sqlite_ranges() if sqlite else _postgresql_ranges()
    parent = sa.literal_column("0", sa.Integer).label("parent") if whole else SUMS.c.key.label("parent")
    bucket = (SUMS.c.day if by_day else segment).label("bucket")
    group = [bucket] if whole else [SUMS.c.key, bucket]
    return (
        sa.select(parent, bucket, *(sa.func.sum(SUMS.c[name]).label(name) for name in columns))
        .where(
            SUMS.c.scope == bindparam("scope", type_=sa.Integer),
            among(SUMS.c.key, "keys", sqlite),
            SUMS.c.period == period,
            SUMS.c.day.between(first, last),
        )
        .group_by(*group)
    )


@lru_cache
def _inspected_statement(sqlite: bool) -> sa.Select[Any]:
    """Selects the parent and how many of its enterprises are in the sets of the days and months."""
    _, period, first, last = _sqlite_ranges() if sqlite else _postgresql_ranges()
    times, places = table_of(EnterpriseSet).alias("times"), table_of(EnterpriseSet).alias("places")
    of_period = sa.case((period == SumPeriod.MONTH, int(SetKind.MONTH)), else_=int(SetKind.DAY))
    union = (
        sa.func.bits_union(sa.func.group_concat(sa.func.hex(times.c.members)))
        if sqlite
        else (sa.func.bit_or(times.c.members))
    )
    inspected = (
        sa.select(times.c.portion, union.label("members"))
        .where(times.c.kind == of_period, times.c.key.between(first, last))
        .group_by(times.c.portion)
        .cte("inspected")
    )
    here, there = places.c.members, inspected.c.members
    shared: Any = sa.func.bits_shared(here, there) if sqlite else sa.func.bit_count(here.op("&")(there))
    enterprises = sa.cast(sa.func.sum(shared), sa.Integer)
    return (
        sa.select(places.c.key.label("parent"), enterprises.label("enterprises"))
        .join_from(places, inspected, inspected.c.portion == places.c.portion)
        .where(places.c.kind == bindparam("kind", type_=sa.Integer), among(places.c.key, "keys", sqlite))
        .group_by(places.c.key)
    )


def _postgresql_ranges() -> Sequence[Any]:
    arrays = [bindparam(name, type_=ARRAY(sa.Integer)) for name in Range._fields]
    columns = [sa.column(name, sa.Integer) for name in Range._fields]
    ranges = sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="ranges")
    return [ranges.c[name] for name in Range._fields]


def _sqlite_ranges() -> Sequence[Any]:
    value = sa.func.json_each(bindparam("ranges", type_=sa.String)).table_valued("value").c.value
    return [sa.func.json_extract(value, f"$[{number}]", type_=sa.Integer) for number in range(len(Range._fields))]


async def _enterprise_facts(reader: Reader, keys: list[int]) -> dict[int, Facts]:
    visits, hazards = _enterprise_statements(reader.sqlite)
    by_enterprise = visits_of(await reader.rows(visits, {"keys": keys}))
    rows = [HazardFields(*row) for row in await reader.rows(hazards, {"keys": keys})]
    return fold_rows(by_enterprise, rows, day_of(reader.zone))


@lru_cache
def _enterprise_statements(sqlite: bool) -> tuple[sa.Select[Any], sa.Select[Any]]:
    visits = VISITS.where(among(ENTERPRISE.c.id, "keys", sqlite))
    return visits, HAZARDS.where(among(HAZARD.c.enterprise_id, "keys", sqlite))
