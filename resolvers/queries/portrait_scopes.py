"""The enterprises that each portrait covers, and the counts that cannot be summed by day, read from the rows.

A parent is a district, a zone, a ring, a venue or an enterprise.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

import models
from models import HAZARD_SETTLED, HazardStatus
from models.db.column_types import UtcTime
from models.db.tables import table_of
from models.portrait_sum import SumScope
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader
from resolvers.sql.selects import without_index

ENTERPRISE = table_of(models.Enterprise)
HAZARD = table_of(models.Hazard)
ENTERPRISE_RING = table_of(models.EnterpriseRing)
RING = table_of(models.ControlRing)
DISTRICT = table_of(models.District)

Days = tuple[dt.date, dt.date]  # both inclusive

# A condition on a column: it is the parameter `key`, or one of `keys`. With one key PostgreSQL knows without looking
# how many rows there are, and reuses its plan.
KeyCondition = Callable[[ColumnElement[Any]], ColumnElement[bool]]
# From such a condition on the parents' keys, the rows (parent, enterprise).
EnterprisesOf = Callable[[KeyCondition], sa.Select[Any]]


@dataclass(frozen=True)
class ParentKind:
    """A kind of parent: its enterprises, and whose sums are its own. An enterprise has no sums."""

    enterprises: EnterprisesOf
    scope: SumScope | None

    @property
    def is_district(self) -> bool:
        return self is DISTRICTS

    @property
    def is_enterprise(self) -> bool:
        return self.scope is None


def _of_district(has_key: KeyCondition) -> sa.Select[Any]:
    # There is one district, and every enterprise is in it.
    rows = sa.select(DISTRICT.c.id.label("parent"), ENTERPRISE.c.id.label("enterprise"))
    return rows.join_from(DISTRICT, ENTERPRISE, sa.true()).where(has_key(DISTRICT.c.id))


def _of_zone(has_key: KeyCondition) -> sa.Select[Any]:
    zone = ENTERPRISE.c.zone_id
    return sa.select(zone.label("parent"), ENTERPRISE.c.id.label("enterprise")).where(has_key(zone))


def _of_ring(has_key: KeyCondition) -> sa.Select[Any]:
    ring = ENTERPRISE_RING.c.ring_id
    return sa.select(ring.label("parent"), ENTERPRISE_RING.c.enterprise_id.label("enterprise")).where(has_key(ring))


def _of_venue(has_key: KeyCondition) -> sa.Select[Any]:
    venue = RING.c.venue_id
    rows = sa.select(venue.label("parent"), ENTERPRISE_RING.c.enterprise_id.label("enterprise")).distinct()
    return rows.join_from(ENTERPRISE_RING, RING, RING.c.id == ENTERPRISE_RING.c.ring_id).where(has_key(venue))


def _of_enterprise(has_key: KeyCondition) -> sa.Select[Any]:
    key = ENTERPRISE.c.id
    return sa.select(key.label("parent"), key.label("enterprise")).where(has_key(key))


DISTRICTS = ParentKind(_of_district, SumScope.ZONE)
ZONES = ParentKind(_of_zone, SumScope.ZONE)
RINGS = ParentKind(_of_ring, SumScope.RING)
VENUES = ParentKind(_of_venue, SumScope.VENUE)
ENTERPRISES = ParentKind(_of_enterprise, None)


def each_day(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]


def today(reader: Reader) -> dt.date:
    """Today in the district."""
    return reader.now.astimezone(reader.zone).date()


def midnight(reader: Reader, day: dt.date) -> dt.datetime:
    """The beginning of a day in the district, in UTC."""
    return dt.datetime.combine(day, dt.time(), reader.zone).astimezone(dt.UTC)


# -- counts from the rows --


class PassedToday(NamedTuple):
    """Hazards whose deadline was today and has passed: all, those rectified by it, and those not settled."""

    due: int = 0
    on_time: int = 0
    unsettled: int = 0


async def passed_today(reader: Reader, kind: ParentKind, keys: list[int]) -> dict[int, PassedToday]:
    """By parent, where there are any."""
    values = {**_keys(keys), "start": midnight(reader, today(reader)), "end": reader.now}
    rows = await reader.rows(_passed_statement(kind, reader.sqlite, len(keys) == 1), values)
    return {row.parent: PassedToday(row.due, row.on_time, row.unsettled) for row in rows}


async def next_deadline(reader: Reader, kind: ParentKind, key: int, before: dt.datetime) -> dt.datetime | None:
    """The next deadline of a parent's hazards before a time, or None.

    Settled hazards have one too: the on-time rate counts a deadline that was met once it has passed.
    """
    values = {**_keys([key]), "start": reader.now, "end": before}
    [row] = await reader.rows(_next_statement(kind, reader.sqlite), values)
    deadline: dt.datetime | None = row[0]
    return deadline


def _keys(keys: list[int]) -> dict[str, Any]:
    return {"keys": keys, "key": keys[0]}


@lru_cache
def _passed_statement(kind: ParentKind, sqlite: bool, one: bool) -> sa.Select[Any]:
    deadline = HAZARD.c.deadline
    unsettled = HAZARD.c.status.not_in(
        [
            sa.literal(s, HAZARD.c.status.type, literal_execute=True)
            for s in sorted(HAZARD_SETTLED, key=lambda s: s.name)
        ]
    )
    counts = (
        sa.func.count().label("due"),
        _sum(HAZARD.c.rectified_at <= deadline, "on_time"),
        _sum(unsettled, "unsettled"),
    )
    return _per_parent(EnterpriseScope.of(kind, sqlite, one), HAZARD, *counts).where(
        *_due(deadline >= _instant("start"))
    )


def _due(begin: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    return [begin, HAZARD.c.deadline < _instant("end"), HAZARD.c.status != HazardStatus.DISMISSED]


@lru_cache
def _next_statement(kind: ParentKind, sqlite: bool) -> sa.Select[Any]:
    scope = EnterpriseScope.of(kind, sqlite, one=True)
    first = sa.select(sa.func.min(HAZARD.c.deadline)).join_from(scope.rows, HAZARD, scope.has(HAZARD.c.enterprise_id))
    return first.where(*_due(HAZARD.c.deadline > _instant("start")))


def _key_condition(sqlite: bool, one: bool) -> KeyCondition:
    return lambda column: column == bindparam("key", type_=sa.Integer) if one else among(column, "keys", sqlite)


def _instant(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=UtcTime)


def _sum(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
    # Literals, because PostgreSQL would have to plan parameters.
    return sa.func.sum(sa.case((condition, sa.literal_column("1")), else_=sa.literal_column("0"))).label(name)


@dataclass(frozen=True)
class EnterpriseScope:
    """The enterprises of each parent, as rows (parent, enterprise).

    A `wide` scope has many enterprises to a parent. The `whole` scope has all enterprises, and rows (parent) alone.
    """

    rows: sa.Subquery
    sqlite: bool
    wide: bool
    whole: bool

    @classmethod
    def of(cls, kind: ParentKind, sqlite: bool, one: bool) -> "EnterpriseScope":
        has_key = _key_condition(sqlite, one)
        # For the district, SQLite would scan whole tables instead of the window of an index.
        whole = kind.is_district and not sqlite
        district = sa.select(DISTRICT.c.id.label("parent")).where(has_key(DISTRICT.c.id))
        rows = district if whole else kind.enterprises(has_key)
        return cls(rows.subquery("scope"), sqlite, wide=not kind.is_enterprise, whole=whole)

    def has(self, enterprise: ColumnElement[Any]) -> ColumnElement[bool]:
        """The enterprise is one of them.

        SQLite does not know how selective a window of time is. Without an index on the enterprise it has to begin with
        the rows of the window, instead of all rows of every enterprise in a zone.
        """
        if self.whole:
            return sa.true()
        if self.sqlite and self.wide:
            enterprise = without_index(enterprise)
        return enterprise == self.rows.c.enterprise

    @property
    def group(self) -> ColumnElement[Any]:
        """The parent, to group by. Without an index, SQLite does not read the window once for each enterprise."""
        return without_index(self.rows.c.parent) if self.sqlite and self.wide else self.rows.c.parent


def _per_parent(scope: EnterpriseScope, table: sa.Table, *columns: ColumnElement[Any]) -> sa.Select[Any]:
    """Aggregates over a table's rows at the enterprises of each parent."""
    joined = sa.select(scope.rows.c.parent, *columns).join_from(scope.rows, table, scope.has(table.c.enterprise_id))
    return joined.group_by(scope.group)
