"""Counts everything that portraits need in one SQL statement, for any number of parents of one kind.

A parent is a district, a zone, a ring, a venue or an enterprise. Each part of the statement reads an index that has all
of its columns. What the counts mean is in resolvers/queries/portraits.py.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

import models
from models import HAZARD_SETTLED, HAZARD_TERMINAL, CaseStatus, HazardLevel, HazardStatus, RiskGrade
from models.db.column_types import UtcTime
from models.db.tables import table_of
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader
from subscriptions import event_log

PENALISED = (CaseStatus.DECIDED, CaseStatus.EXECUTING, CaseStatus.CLOSED)
RECTIFIED = (HazardStatus.ACCEPTED, HazardStatus.CLOSED)

ENTERPRISE = table_of(models.Enterprise)
HAZARD = table_of(models.Hazard)
INSPECTION = table_of(models.Inspection)
CASE = table_of(models.Case)
ENTERPRISE_RING = table_of(models.EnterpriseRing)
RING = table_of(models.ControlRing)
DISTRICT = table_of(models.District)

Days = tuple[dt.date, dt.date]  # both inclusive

# A condition on a column: it is the parameter `key`, or one of `keys`. With one key PostgreSQL knows without looking
# how many rows there are, and reuses its plan.
KeyCondition = Callable[[ColumnElement[Any]], ColumnElement[bool]]
# From such a condition on the parents' keys, the rows (parent, enterprise).
EnterprisesOf = Callable[[KeyCondition], sa.Select[Any]]


def of_district(has_key: KeyCondition) -> sa.Select[Any]:
    # There is one district, and every enterprise is in it.
    rows = sa.select(DISTRICT.c.id.label("parent"), ENTERPRISE.c.id.label("enterprise"))
    return rows.join_from(DISTRICT, ENTERPRISE, sa.true()).where(has_key(DISTRICT.c.id))


def of_zone(has_key: KeyCondition) -> sa.Select[Any]:
    zone = ENTERPRISE.c.zone_id
    return sa.select(zone.label("parent"), ENTERPRISE.c.id.label("enterprise")).where(has_key(zone))


def of_ring(has_key: KeyCondition) -> sa.Select[Any]:
    ring = ENTERPRISE_RING.c.ring_id
    return sa.select(ring.label("parent"), ENTERPRISE_RING.c.enterprise_id.label("enterprise")).where(has_key(ring))


def of_venue(has_key: KeyCondition) -> sa.Select[Any]:
    venue = RING.c.venue_id
    rows = sa.select(venue.label("parent"), ENTERPRISE_RING.c.enterprise_id.label("enterprise")).distinct()
    return rows.join_from(ENTERPRISE_RING, RING, RING.c.id == ENTERPRISE_RING.c.ring_id).where(has_key(venue))


def of_enterprise(has_key: KeyCondition) -> sa.Select[Any]:
    key = ENTERPRISE.c.id
    return sa.select(key.label("parent"), key.label("enterprise")).where(has_key(key))


def key_condition(sqlite: bool, *, one: bool) -> KeyCondition:
    return lambda column: column == bindparam("key", type_=sa.Integer) if one else among(column, "keys", sqlite)


# -- reading the counts --

PORTION = 200  # rows that are counted at once


@dataclass
class Counts:
    """The counts of one parent: totals by name, by name and day, and enterprises by risk grade."""

    total: Counter[str] = field(default_factory=Counter)
    daily: dict[str, Counter[dt.date]] = field(default_factory=dict)
    risk: dict[RiskGrade | None, int] = field(default_factory=dict)

    def by_day(self, name: str) -> Counter[dt.date]:
        return self.daily.setdefault(name, Counter())


def each_day(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]


def midnight(reader: Reader, day: dt.date) -> dt.datetime:
    """The beginning of a day in the district, in UTC."""
    return dt.datetime.combine(day, dt.time(), reader.zone).astimezone(dt.UTC)


async def count(
    reader: Reader, enterprises: EnterprisesOf, keys: list[int], days: Days
) -> tuple[dict[int, Counts], str]:
    """The counts of each parent, and the log's cursor at that moment."""
    counts_by_key = {key: Counts() for key in keys}
    midnights = [midnight(reader, day) for day in each_day(days[0], days[1] + dt.timedelta(days=1))]
    values = {"keys": keys, "key": keys[0], "now": reader.now, "start": midnights[0], "end": midnights[-1]}
    values |= {"zone": str(reader.zone)} if reader.sqlite else {"midnights": midnights}
    statement, parts = _statement(enterprises, reader.sqlite, len(keys) == 1)
    cursor = ""
    for number, row in enumerate(await reader.rows(statement, values), start=1):
        if number % PORTION == 0:
            await reader.pause()
        if row.part == LOG:
            cursor = event_log.LogState(row.epoch, row.n0).cursor
            continue
        names, counts, numbers = parts[row.part], counts_by_key[row.parent], (row.n0, row.n1, row.n2, row.n3, row.n4)
        if row.part == RISK:
            counts.risk[None if row.n0 is None else RiskGrade(row.n0)] = row.n1
        elif row.day is None:
            counts.total.update({name: int(n or 0) for name, n in zip(names, numbers, strict=False)})
        else:
            day = dt.date.fromisoformat(row.day) if reader.sqlite else days[0] + dt.timedelta(days=row.day - 1)
            for name, n in zip(names, numbers, strict=False):
                counts.by_day(name)[day] += int(n or 0)
    return counts_by_key, cursor


async def next_deadline(reader: Reader, enterprises: EnterprisesOf, key: int) -> dt.datetime | None:
    """The next deadline of a parent's hazards, or None."""
    scope = enterprises(key_condition(reader.sqlite, one=True)).subquery("scope")
    # Settled hazards too: the on-time rate counts a deadline that was met once it has passed.
    counted = HAZARD.c.status != HazardStatus.DISMISSED
    statement = (
        sa.select(sa.func.min(HAZARD.c.deadline))
        .join_from(scope, HAZARD, HAZARD.c.enterprise_id == scope.c.enterprise)
        .where(counted, HAZARD.c.deadline > instant("now"))
    )
    [row] = await reader.rows(statement, {"key": key, "now": reader.now})
    deadline: dt.datetime | None = row[0]
    return deadline


# -- the statement: a union of parts that all have the columns part, parent, day, numbers and epoch --


LOG, RISK = 0, 1
NUMBERS_MAXIMUM = 5  # of one part


@lru_cache
def _statement(enterprises: EnterprisesOf, sqlite: bool, one: bool) -> tuple[sa.Select[Any], list[list[str]]]:
    """The statement and, by the number of each part, the names of its numbers."""
    has_key = key_condition(sqlite, one=one)
    # For the district, SQLite would scan whole tables instead of the window of an index.
    whole = enterprises is of_district and not sqlite
    rows = sa.select(DISTRICT.c.id.label("parent")).where(has_key(DISTRICT.c.id)) if whole else enterprises(has_key)
    scope = EnterpriseScope(rows.subquery("scope"), sqlite, wide=enterprises is not of_enterprise, whole=whole)
    totals = [_open_hazards(scope), _due(scope), _inspected(scope), _cases(scope)]
    counts = [_by_risk(scope), *totals, *_daily(scope)]
    parts = [_log_part(sqlite), *(_count_part(RISK + i, select.subquery(), sqlite) for i, select in enumerate(counts))]
    union = sa.union_all(*parts).subquery()
    return sa.select(union), [[], *(_names(select.subquery()) for select in counts)]


def _names(counts: sa.Subquery) -> list[str]:
    return [str(column.key) for column in counts.c if column.key not in ("parent", "day")]


def _count_part(number: int, counts: sa.Subquery, sqlite: bool) -> sa.Select[Any]:
    numbers = [counts.c[name] for name in _names(counts)]
    day = counts.c.day if "day" in counts.c else sa.null()
    return _part(number, counts.c.parent, day, numbers, sa.null(), sqlite)


def _log_part(sqlite: bool) -> sa.Select[Any]:
    state = event_log.state_statement().subquery()
    return _part(LOG, sa.null(), sa.null(), [state.c.head], state.c.epoch, sqlite)


def _part(number: int, parent: Any, day: Any, numbers: list[Any], epoch: Any, sqlite: bool) -> sa.Select[Any]:
    padded = [*numbers, *[sa.null()] * (NUMBERS_MAXIMUM - len(numbers))]
    columns: list[Any] = [
        sa.literal_column(str(number), sa.Integer).label("part"),
        sa.cast(parent, sa.Integer).label("parent"),
        sa.cast(day, sa.Text() if sqlite else sa.Integer()).label("day"),
        *(sa.cast(n, sa.BigInteger).label(f"n{i}") for i, n in enumerate(padded)),
        sa.cast(epoch, sa.Text).label("epoch"),
    ]
    return sa.select(*columns)


# -- the counts --


def _sum(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
    # Literals, because PostgreSQL would have to plan parameters.
    return sa.func.sum(sa.case((condition, sa.literal_column("1")), else_=sa.literal_column("0"))).label(name)


def instant(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=UtcTime)


@dataclass(frozen=True)
class EnterpriseScope:
    """The enterprises of each parent, as rows (parent, enterprise).

    A `wide` scope has many enterprises to a parent. The `whole` scope has all enterprises, and rows (parent) alone.
    """

    rows: sa.Subquery
    sqlite: bool
    wide: bool
    whole: bool

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


def without_index(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value with a unary plus, which keeps SQLite from using an index on it."""
    return UnaryExpression(expression, operator=custom_op("+"), type_=expression.type)


def _by_risk(scope: EnterpriseScope) -> sa.Select[Any]:
    parent = scope.rows.c.parent
    grade = sa.type_coerce(ENTERPRISE.c.risk_grade, sa.SmallInteger).label("grade")
    count = sa.select(parent, grade, sa.func.count().label("count"))
    in_scope = sa.true() if scope.whole else ENTERPRISE.c.id == scope.rows.c.enterprise
    joined = count.join_from(scope.rows, ENTERPRISE, in_scope).where(_is_current(ENTERPRISE.c.id))
    return joined.group_by(parent, ENTERPRISE.c.risk_grade)


def _is_current(enterprise: ColumnElement[Any]) -> ColumnElement[bool]:
    """The enterprise is not retired. Few are, and an index has them, so the other indexes still have all columns."""
    retired = ENTERPRISE.alias("retired")
    return enterprise.not_in(sa.select(retired.c.id).where(retired.c.retired_at.is_not(None)))


def _per_parent(scope: EnterpriseScope, table: sa.Table, *columns: ColumnElement[Any]) -> sa.Select[Any]:
    """Aggregates over a table's rows at the enterprises of each parent."""
    joined = sa.select(scope.rows.c.parent, *columns).join_from(scope.rows, table, scope.has(table.c.enterprise_id))
    return joined.group_by(scope.group)


def _one_of(column: ColumnElement[Any], members: Sequence[Any]) -> ColumnElement[bool]:
    ordered = sorted(members, key=lambda member: member.name)
    return column.in_([sa.literal(member, column.type, literal_execute=True) for member in ordered])


def _open_hazards(scope: EnterpriseScope) -> sa.Select[Any]:
    """Open hazards as of now, whatever the window."""
    status = HAZARD.c.status
    overdue = sa.and_(~_one_of(status, list(HAZARD_SETTLED)), HAZARD.c.deadline < instant("now"))
    # The open states by name: there are few such rows, and the index on status finds them.
    is_open = _one_of(status, [s for s in HazardStatus if s not in HAZARD_TERMINAL])
    return _per_parent(
        scope,
        HAZARD,
        sa.func.count().label("open"),
        _sum(overdue, "overdue"),
        _sum(HAZARD.c.level == HazardLevel.MAJOR, "major_open"),
    ).where(is_open)


def _due(scope: EnterpriseScope) -> sa.Select[Any]:
    """Hazards whose deadline lies in the window and has passed."""
    deadline = HAZARD.c.deadline
    counts = sa.func.count().label("due"), _sum(HAZARD.c.rectified_at <= deadline, "on_time")
    return _per_parent(scope, HAZARD, *counts).where(
        deadline >= instant("start"),
        deadline < instant("end"),
        deadline < instant("now"),
        HAZARD.c.status != HazardStatus.DISMISSED,
    )


def _inspected(scope: EnterpriseScope) -> sa.Select[Any]:
    """The enterprises inspected in the window that are in scope now."""
    inspected = sa.func.count(INSPECTION.c.enterprise_id.distinct()).label("enterprises_inspected")
    current = _is_current(INSPECTION.c.enterprise_id)
    return _per_parent(scope, INSPECTION, inspected).where(*_submitted_in_window(), current)


def _cases(scope: EnterpriseScope) -> sa.Select[Any]:
    """Inspections of the window that led to a case; an inspection with two cases counts once."""

    def inspections(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
        return sa.func.count(sa.case((condition, CASE.c.inspection_id)).distinct()).label(name)

    penalised = sa.and_(_one_of(CASE.c.status, PENALISED), sa.cast(CASE.c.penalty_kinds, sa.Text).is_not(None))
    counts = _per_parent(
        scope, INSPECTION, inspections(CASE.c.filed_at.is_not(None), "with_case"), inspections(penalised, "penalised")
    )
    return counts.join(CASE, CASE.c.inspection_id == INSPECTION.c.id).where(*_submitted_in_window())


def _submitted_in_window() -> list[ColumnElement[bool]]:
    submitted = INSPECTION.c.submitted_at
    cancelled = models.InspectionStatus.CANCELLED
    return [submitted >= instant("start"), submitted < instant("end"), INSPECTION.c.status != cancelled]


def _daily(scope: EnterpriseScope) -> list[sa.Select[Any]]:
    """Counts by day. Hazards found and closed are counted up to now, so that open ones can be counted back from now."""

    def per_day(table: sa.Table, time: ColumnElement[Any], *columns: ColumnElement[Any]) -> sa.Select[Any]:
        day = local_day(time, scope.sqlite).label("day")
        return _per_parent(scope, table, day, *columns).where(time >= instant("start")).group_by(day)

    by_inspection = HAZARD.c.inspection_id.is_not(None)
    found_hazards = per_day(
        HAZARD,
        HAZARD.c.found_at,
        sa.func.count().label("found"),
        _sum(_one_of(HAZARD.c.status, RECTIFIED), "rectified"),
        _sum(HAZARD.c.status == HazardStatus.CLOSED, "closed_of_found"),
        _sum(by_inspection, "found_by_inspection"),
        _sum(sa.and_(by_inspection, HAZARD.c.level == HazardLevel.MAJOR), "major_by_inspection"),
    ).where(HAZARD.c.status != HazardStatus.DISMISSED)
    # A constraint of the table says that a hazard with closed_at is CLOSED.
    closed = per_day(HAZARD, HAZARD.c.closed_at, sa.func.count().label("closed"))
    accepted = per_day(HAZARD, HAZARD.c.accepted_at, sa.func.count().label("accepted")).where(
        HAZARD.c.accepted_at < instant("end"), _one_of(HAZARD.c.status, RECTIFIED)
    )
    inspections = per_day(INSPECTION, INSPECTION.c.submitted_at, sa.func.count().label("inspections")).where(
        *_submitted_in_window()
    )
    filed = per_day(CASE, CASE.c.filed_at, sa.func.count().label("filed")).where(CASE.c.filed_at < instant("end"))
    return [found_hazards, closed, accepted, inspections, filed]


def local_day(time: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """The day in the district's time zone.

    SQLite has it as text from a function of models/db/sqlite_functions.py. PostgreSQL counts the window's midnights up
    to the time: 1 is the first day, and the last number is everything after the window. That takes a third of the time
    of its conversion from an instant to a local day.
    """
    if sqlite:
        return sa.func.local_day(sa.type_coerce(time, sa.String), bindparam("zone", type_=sa.String), type_=sa.String)
    return sa.func.width_bucket(time, bindparam("midnights", type_=ARRAY(UtcTime())), type_=sa.Integer)
