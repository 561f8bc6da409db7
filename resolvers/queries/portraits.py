"""Portraits (画像): the indicators of a district, a zone, a ring, a venue or an enterprise over a span of days.

Found in the window: `found_at` in it, not DISMISSED. Inspections of the window: `submitted_at` in it. A day begins at
midnight in the district's zone. Formulas marked [V] are those of published bulletins of emergency bureaus (Shanghai
2025Q1 and others, see tests/resolvers/indicator_checks.csv); the rest are Huhang's own, named in the reference case.

- rectification rate 整改率 [V]: found in the window and now ACCEPTED or CLOSED, of those found
- closure rate 闭环率: found in the window and now CLOSED, of those found
- on-time rate 按期整改率: of hazards whose deadline in force lies in the window and has passed, not DISMISSED: those
  whose rectification was submitted by it, later accepted or not yet judged
- coverage 覆盖率: distinct enterprises inspected in the window, of the enterprises in scope now
- filing rate 立案率: inspections of the window with a case filed, of those inspections
- penalty rate 检查处罚率: inspections of the window with a case DECIDED, EXECUTING or CLOSED with a penalty, of those
- (major) hazards per thousand inspections [V]: 1,000 × those found in the window by inspections ÷ inspections

One statement counts all of it, for any number of portraits of one kind; each part of it reads an index that has all of
its columns. Long, so that all of this is in one place.
"""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

import models
from models import HAZARD_SETTLED, HAZARD_TERMINAL, CaseStatus, HazardLevel, HazardStatus, RiskGrade, Role
from models.db.column_types import UtcTime
from models.db.tables import table_of
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader
from subscriptions import event_log

WINDOW_DEFAULT = 30
WINDOW_MAXIMUM = 3_660
DAYS_MAXIMUM = 100_000  # of all portraits that are drawn together
PENALISED = (CaseStatus.DECIDED, CaseStatus.EXECUTING, CaseStatus.CLOSED)
RECTIFIED = (HazardStatus.ACCEPTED, HazardStatus.CLOSED)

ENTERPRISE = table_of(models.Enterprise)
HAZARD = table_of(models.Hazard)
INSPECTION = table_of(models.Inspection)
CASE = table_of(models.Case)
INSIDE = table_of(models.EnterpriseRing)
RING = table_of(models.ControlRing)
DISTRICT = table_of(models.District)

Days = tuple[dt.date, dt.date]  # both inclusive


@dataclass(frozen=True, slots=True)
class RiskCount:
    """How many enterprises have a grade; None is those without one."""

    risk_grade: RiskGrade | None
    count: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a trend."""

    day: dt.date
    hazards_found: int
    hazards_rectified: int
    inspections: int
    cases_filed: int
    hazards_open_at_end: int


@dataclass(frozen=True)
class Portrait:
    """Indicators; rates are fractions, None where the denominator is 0."""

    as_of: dt.datetime
    cursor: str
    from_: dt.date
    to: dt.date
    enterprises: int
    by_risk: list[RiskCount]
    hazards_open: int
    hazards_overdue: int
    major_hazards_open: int
    hazards_found: int
    hazards_rectified: int
    hazards_closed: int
    inspections: int
    enterprises_inspected: int
    cases_filed: int
    inspections_penalised: int
    rectification_rate: float | None
    on_time_rate: float | None
    closure_rate: float | None
    coverage: float | None
    filing_rate: float | None
    penalty_rate: float | None
    hazards_per_thousand_inspections: float | None
    major_hazards_per_thousand_inspections: float | None
    counts: "Counts" = field(repr=False, compare=False)

    @property
    def trend(self) -> list[Day]:
        """Made for those who ask: there may be thousands of days."""
        return _trend(self.counts, _days(self.from_, self.to))

    def shows(self, other: "Portrait") -> bool:
        """Whether nothing but its moment is different."""
        return replace(self, as_of=other.as_of, cursor=other.cursor) == other and self.trend == other.trend


# -- whose portrait: (parent, enterprise) for the parents in `keys`, or the one in `key` --

# Of one key PostgreSQL knows how many rows it has without looking at it, and keeps the plan.
Keyed = Callable[[ColumnElement[Any]], ColumnElement[bool]]


def _of_district(keyed: Keyed) -> sa.Select[Any]:
    # There is one district, and every enterprise is in it.
    every = sa.select(DISTRICT.c.id.label("parent"), ENTERPRISE.c.id.label("enterprise"))
    return every.join_from(DISTRICT, ENTERPRISE, sa.true()).where(keyed(DISTRICT.c.id))


def _of_zone(keyed: Keyed) -> sa.Select[Any]:
    zone = ENTERPRISE.c.zone_id
    return sa.select(zone.label("parent"), ENTERPRISE.c.id.label("enterprise")).where(keyed(zone))


def _of_ring(keyed: Keyed) -> sa.Select[Any]:
    ring = INSIDE.c.ring_id
    return sa.select(ring.label("parent"), INSIDE.c.enterprise_id.label("enterprise")).where(keyed(ring))


def _of_venue(keyed: Keyed) -> sa.Select[Any]:
    venue = RING.c.venue_id
    inside = sa.select(venue.label("parent"), INSIDE.c.enterprise_id.label("enterprise")).distinct()
    return inside.join_from(INSIDE, RING, RING.c.id == INSIDE.c.ring_id).where(keyed(venue))


def _of_enterprise(keyed: Keyed) -> sa.Select[Any]:
    key = ENTERPRISE.c.id
    return sa.select(key.label("parent"), key.label("enterprise")).where(keyed(key))


ScopeOf = Callable[[Keyed], sa.Select[Any]]


def _keyed(sqlite: bool, *, one: bool) -> Keyed:
    return lambda column: column == bindparam("key", type_=sa.Integer) if one else among(column, "keys", sqlite)


def _portraits(scope: ScopeOf, *, own: bool = False) -> Callable[..., Awaitable[list[Portrait | None]]]:
    """A batch function for one kind of parent."""

    async def portraits(
        reader: Reader, parents: Sequence[tuple[int]], *, window: Days | None = None
    ) -> list[Portrait | None]:
        """For each parent's key its portrait; None where the viewer may not see it."""
        keys = [key for (key,) in parents]
        if reader.viewer.role is Role.ENTERPRISE:
            keys = [key for key in keys if own and key == reader.viewer.visibility.enterprise]
        if not keys:
            return [None] * len(parents)
        drawn = await draw(reader, scope, keys, span(reader, window))
        return [drawn.get(key) for (key,) in parents]

    return portraits


async def next_turn(reader: Reader, portraits: Callable[..., Awaitable[Any]], key: int) -> dt.datetime:
    """When a parent's portrait may change though nothing happens: a deadline passes, or a day begins in the district.

    `portraits` is the batch function of its kind.
    """
    scope = SCOPES[portraits](_keyed(reader.sqlite, one=True)).subquery("scope")
    # Also of what is settled: a deadline that was kept counts once it has passed.
    counted = HAZARD.c.status != HazardStatus.DISMISSED
    ahead = (
        sa.select(sa.func.min(HAZARD.c.deadline))
        .join_from(scope, HAZARD, HAZARD.c.enterprise_id == scope.c.enterprise)
        .where(counted, HAZARD.c.deadline > _time("now"))
    )
    [row] = await reader.rows(ahead, {"key": key, "now": reader.now})
    midnight = _midnight(reader, reader.now.astimezone(reader.zone).date() + dt.timedelta(days=1))
    return midnight if row[0] is None else min(midnight, row[0])


of_districts = _portraits(_of_district)
of_zones = _portraits(_of_zone)
of_rings = _portraits(_of_ring)
of_venues = _portraits(_of_venue)
of_enterprises = _portraits(_of_enterprise, own=True)


SCOPES: dict[Any, ScopeOf] = {
    of_districts: _of_district,
    of_zones: _of_zone,
    of_rings: _of_ring,
    of_venues: _of_venue,
    of_enterprises: _of_enterprise,
}


def span(reader: Reader, window: Days | None) -> Days:
    """The days of a window; the last 30, today included, without one. Raises Refused."""
    today = reader.now.astimezone(reader.zone).date()
    if window is None:
        return today - dt.timedelta(days=WINDOW_DEFAULT - 1), today
    first, last = window
    if first > last:
        raise RequestError(ErrorCode.BAD_INPUT, "A window's `from` is not after its `to`.")
    if (last - first).days >= WINDOW_MAXIMUM or not 1900 <= first.year <= last.year < 9999:
        raise RequestError(ErrorCode.BAD_INPUT, f"A window has at most {WINDOW_MAXIMUM:,} days, from the year 1900 on.")
    return window


@dataclass
class Counts:
    """What was counted for one parent: totals by name, and by name and day."""

    total: Counter[str] = field(default_factory=Counter)
    daily: dict[str, Counter[dt.date]] = field(default_factory=dict)
    risk: dict[RiskGrade | None, int] = field(default_factory=dict)

    def by_day(self, name: str) -> Counter[dt.date]:
        return self.daily.setdefault(name, Counter())


async def draw(reader: Reader, scope: ScopeOf, keys: list[int], days: Days) -> dict[int, Portrait]:
    """The portraits of these parents."""
    counted = {key: Counts() for key in keys}
    if len(keys) * ((days[1] - days[0]).days + 1) > DAYS_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, f"All portraits of a list have at most {DAYS_MAXIMUM:,} days together.")
    midnights = [_midnight(reader, day) for day in _days(days[0], days[1] + dt.timedelta(days=1))]
    values = {"keys": keys, "key": keys[0], "now": reader.now, "start": midnights[0], "end": midnights[-1]}
    values |= {"zone": str(reader.zone)} if reader.sqlite else {"midnights": midnights}
    statement, parts = _statement(scope, reader.sqlite, len(keys) == 1)
    cursor = ""
    for row in await reader.rows(statement, values):
        if row.part == LOG:
            cursor = event_log.LogState(row.epoch, row.n0).cursor
            continue
        names, counts, numbers = parts[row.part], counted[row.parent], (row.n0, row.n1, row.n2, row.n3, row.n4)
        if row.part == RISK:
            counts.risk[None if row.n0 is None else RiskGrade(row.n0)] = row.n1
        elif row.day is None:
            counts.total.update({name: int(n or 0) for name, n in zip(names, numbers, strict=False)})
        else:
            day = dt.date.fromisoformat(row.day) if reader.sqlite else days[0] + dt.timedelta(days=row.day - 1)
            for name, n in zip(names, numbers, strict=False):
                counts.by_day(name)[day] += int(n or 0)
    return {key: _portrait(counts, reader.now, cursor, days) for key, counts in counted.items()}


LOG, RISK = 0, 1
NUMBERS = 5  # that a part of the statement counts, at the most


@lru_cache
def _statement(scope: ScopeOf, sqlite: bool, one: bool) -> tuple[sa.Select[Any], list[list[str]]]:
    """All that is counted, in one statement; by the number of each part, the names of its numbers."""
    # SQLite would go through whole tables for the district rather than through the window of an index.
    keyed, whole = _keyed(sqlite, one=one), scope is _of_district and not sqlite
    rows = sa.select(DISTRICT.c.id.label("parent")).where(keyed(DISTRICT.c.id)) if whole else scope(keyed)
    mapping = Scope(rows.subquery("scope"), sqlite, wide=scope is not _of_enterprise, whole=whole)
    totals = [_standing(mapping), _due(mapping), _visits(mapping), _cases(mapping)]
    counted = [_by_risk(mapping), *totals, *_daily(mapping)]
    parts = [_state(sqlite), *(_part(RISK + i, select.subquery(), sqlite) for i, select in enumerate(counted))]
    every = sa.union_all(*parts).subquery()
    return sa.select(every), [[], *(_names(select.subquery()) for select in counted)]


def _names(counted: sa.Subquery) -> list[str]:
    return [str(column.key) for column in counted.c if column.key not in ("parent", "day")]


def _part(number: int, counted: sa.Subquery, sqlite: bool) -> sa.Select[Any]:
    """A part of the statement in the form that all have: part, parent, day, numbers, epoch."""
    numbers = [counted.c[name] for name in _names(counted)]
    day = counted.c.day if "day" in counted.c else sa.null()
    return _row(number, counted.c.parent, day, numbers, sa.null(), sqlite)


def _state(sqlite: bool) -> sa.Select[Any]:
    """The log, in the same form."""
    state = event_log.state_statement().subquery()
    return _row(LOG, sa.null(), sa.null(), [state.c.head], state.c.epoch, sqlite)


def _row(number: int, parent: Any, day: Any, numbers: list[Any], epoch: Any, sqlite: bool) -> sa.Select[Any]:
    padded = [*numbers, *[sa.null()] * (NUMBERS - len(numbers))]
    made: list[Any] = [
        sa.literal_column(str(number), sa.Integer).label("part"),
        sa.cast(parent, sa.Integer).label("parent"),
        sa.cast(day, sa.Text() if sqlite else sa.Integer()).label("day"),
        *(sa.cast(n, sa.BigInteger).label(f"n{i}") for i, n in enumerate(padded)),
        sa.cast(epoch, sa.Text).label("epoch"),
    ]
    return sa.select(*made)


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]


def _midnight(reader: Reader, day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), reader.zone).astimezone(dt.UTC)


# -- what is counted --


def _sum(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
    # Numbers are written into the text: as parameters they would have to be planned with.
    return sa.func.sum(sa.case((condition, sa.literal_column("1")), else_=sa.literal_column("0"))).label(name)


def _time(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=UtcTime)


@dataclass(frozen=True)
class Scope:
    """Which enterprises are whose: rows of (parent, enterprise). A `wide` one has many enterprises to a parent.

    The `whole` one has all of them, and rows of the parent alone.
    """

    rows: sa.Subquery
    sqlite: bool
    wide: bool
    whole: bool

    def at(self, enterprise: ColumnElement[Any]) -> ColumnElement[bool]:
        """The enterprise is one of them.

        SQLite knows nothing of how far a window reaches. With the plus it cannot go through all rows of every
        enterprise in a zone, one by one, and takes the rows of the window first.
        """
        if self.whole:
            return sa.true()
        if self.sqlite and self.wide:
            enterprise = plus(enterprise)
        return enterprise == self.rows.c.enterprise

    @property
    def each(self) -> ColumnElement[Any]:
        """What rows are grouped by. Nor can SQLite go through the window once for each enterprise, parent by parent."""
        return plus(self.rows.c.parent) if self.sqlite and self.wide else self.rows.c.parent


def plus(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value, for which SQLite knows no index."""
    return UnaryExpression(expression, operator=custom_op("+"), type_=expression.type)


def _by_risk(scope: Scope) -> sa.Select[Any]:
    parent = scope.rows.c.parent
    grade = sa.type_coerce(ENTERPRISE.c.risk_grade, sa.SmallInteger).label("grade")
    count = sa.select(parent, grade, sa.func.count().label("count"))
    same = sa.true() if scope.whole else ENTERPRISE.c.id == scope.rows.c.enterprise
    joined = count.join_from(scope.rows, ENTERPRISE, same)
    return joined.group_by(parent, ENTERPRISE.c.risk_grade)


def _of(scope: Scope, table: sa.Table, *columns: ColumnElement[Any]) -> sa.Select[Any]:
    """Columns of a table's rows at the enterprises of each parent."""
    joined = sa.select(scope.rows.c.parent, *columns).join_from(scope.rows, table, scope.at(table.c.enterprise_id))
    return joined.group_by(scope.each)


def _members(column: ColumnElement[Any], members: Sequence[Any]) -> ColumnElement[bool]:
    ordered = sorted(members, key=lambda member: member.name)
    return column.in_([sa.literal(member, column.type, literal_execute=True) for member in ordered])


def _standing(scope: Scope) -> sa.Select[Any]:
    """As of now, whatever the window."""
    status = HAZARD.c.status
    overdue = sa.and_(~_members(status, list(HAZARD_SETTLED)), HAZARD.c.deadline < _time("now"))
    # The open ones by name: the index on status finds them, and they are few.
    running = _members(status, [s for s in HazardStatus if s not in HAZARD_TERMINAL])
    return _of(
        scope,
        HAZARD,
        sa.func.count().label("open"),
        _sum(overdue, "overdue"),
        _sum(HAZARD.c.level == HazardLevel.MAJOR, "major_open"),
    ).where(running)


def _due(scope: Scope) -> sa.Select[Any]:
    """Hazards whose deadline lies in the window and has passed."""
    deadline = HAZARD.c.deadline
    return _of(scope, HAZARD, sa.func.count().label("due"), _sum(HAZARD.c.rectified_at <= deadline, "on_time")).where(
        deadline >= _time("start"),
        deadline < _time("end"),
        deadline < _time("now"),
        HAZARD.c.status != HazardStatus.DISMISSED,
    )


def _visits(scope: Scope) -> sa.Select[Any]:
    """The enterprises that were inspected in the window."""
    inspected = sa.func.count(INSPECTION.c.enterprise_id.distinct()).label("enterprises_inspected")
    return _of(scope, INSPECTION, inspected).where(*_submitted())


def _cases(scope: Scope) -> sa.Select[Any]:
    """Inspections of the window that led to a case; an inspection with two of them counts once."""

    def inspections(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
        return sa.func.count(sa.case((condition, CASE.c.inspection_id)).distinct()).label(name)

    penalised = sa.and_(_members(CASE.c.status, PENALISED), sa.cast(CASE.c.penalty_kinds, sa.Text).is_not(None))
    counted = _of(
        scope, INSPECTION, inspections(CASE.c.filed_at.is_not(None), "with_case"), inspections(penalised, "penalised")
    )
    return counted.join(CASE, CASE.c.inspection_id == INSPECTION.c.id).where(*_submitted())


def _submitted() -> list[ColumnElement[bool]]:
    submitted = INSPECTION.c.submitted_at
    cancelled = models.InspectionStatus.CANCELLED
    return [submitted >= _time("start"), submitted < _time("end"), INSPECTION.c.status != cancelled]


def _daily(scope: Scope) -> list[sa.Select[Any]]:
    """By day. What was found and closed is counted on to now, so that what was open can be counted back from now."""

    def per_day(table: sa.Table, time: ColumnElement[Any], *columns: ColumnElement[Any]) -> sa.Select[Any]:
        day = _local_day(time, scope.sqlite).label("day")
        return _of(scope, table, day, *columns).where(time >= _time("start")).group_by(day)

    seen = HAZARD.c.inspection_id.is_not(None)
    found = per_day(
        HAZARD,
        HAZARD.c.found_at,
        sa.func.count().label("found"),
        _sum(_members(HAZARD.c.status, RECTIFIED), "rectified"),
        _sum(HAZARD.c.status == HazardStatus.CLOSED, "closed_of_found"),
        _sum(seen, "found_by_inspection"),
        _sum(sa.and_(seen, HAZARD.c.level == HazardLevel.MAJOR), "major_by_inspection"),
    ).where(HAZARD.c.status != HazardStatus.DISMISSED)
    # What has the time of its closing is CLOSED: the table itself sees to that.
    closed = per_day(HAZARD, HAZARD.c.closed_at, sa.func.count().label("closed"))
    accepted = per_day(HAZARD, HAZARD.c.accepted_at, sa.func.count().label("accepted")).where(
        HAZARD.c.accepted_at < _time("end"), _members(HAZARD.c.status, RECTIFIED)
    )
    inspections = per_day(INSPECTION, INSPECTION.c.submitted_at, sa.func.count().label("inspections")).where(
        *_submitted()
    )
    filed = per_day(CASE, CASE.c.filed_at, sa.func.count().label("filed")).where(CASE.c.filed_at < _time("end"))
    return [found, closed, accepted, inspections, filed]


def _local_day(time: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """The day in the district's zone. SQLite has a function of models.db.sqlite_functions that gives it as text.

    PostgreSQL counts the window's midnights up to the time: 1 is the first day, and the last number all that follows.
    That takes a third of the time of its own way from an instant to a day.
    """
    if sqlite:
        return sa.func.local_day(sa.type_coerce(time, sa.String), bindparam("zone", type_=sa.String), type_=sa.String)
    return sa.func.width_bucket(time, bindparam("midnights", type_=ARRAY(UtcTime())), type_=sa.Integer)


# -- what is made of it --


def _rate(part: int, whole: int, per: int = 1) -> float | None:
    return per * part / whole if whole else None


def _portrait(counts: Counts, now: dt.datetime, cursor: str, days: Days) -> Portrait:
    first, last = days
    window = _days(first, last)

    def within(name: str) -> int:
        by_day = counts.by_day(name)
        return sum(by_day[day] for day in window)

    total = counts.total
    enterprises = sum(counts.risk.values())
    found, inspections = within("found"), within("inspections")
    rectified, closed = within("rectified"), within("closed_of_found")
    grades: list[RiskGrade | None] = [*sorted(RiskGrade, key=lambda g: -g.value), None]
    return Portrait(
        as_of=now,
        cursor=cursor,
        from_=first,
        to=last,
        enterprises=enterprises,
        by_risk=[RiskCount(grade, counts.risk.get(grade, 0)) for grade in grades],
        hazards_open=total["open"],
        hazards_overdue=total["overdue"],
        major_hazards_open=total["major_open"],
        hazards_found=found,
        hazards_rectified=rectified,
        hazards_closed=closed,
        inspections=inspections,
        enterprises_inspected=total["enterprises_inspected"],
        cases_filed=within("filed"),
        inspections_penalised=total["penalised"],
        rectification_rate=_rate(rectified, found),
        on_time_rate=_rate(total["on_time"], total["due"]),
        closure_rate=_rate(closed, found),
        coverage=_rate(total["enterprises_inspected"], enterprises),
        filing_rate=_rate(total["with_case"], inspections),
        penalty_rate=_rate(total["penalised"], inspections),
        hazards_per_thousand_inspections=_rate(within("found_by_inspection"), inspections, 1_000),
        major_hazards_per_thousand_inspections=_rate(within("major_by_inspection"), inspections, 1_000),
        counts=counts,
    )


def _trend(counts: Counts, window: list[dt.date]) -> list[Day]:
    found, closed = counts.by_day("found"), counts.by_day("closed")
    # Open at the end of a day: open now, less what was found after that day, and what was closed after it again.
    open_at_end = counts.total["open"]
    open_at_end += sum(n for day, n in closed.items() if day > window[-1])
    open_at_end -= sum(n for day, n in found.items() if day > window[-1])
    days = []
    for day in reversed(window):
        days.append(
            Day(
                day,
                found[day],
                counts.by_day("accepted")[day],
                counts.by_day("inspections")[day],
                counts.by_day("filed")[day],
                open_at_end,
            )
        )
        open_at_end += closed[day] - found[day]
    return days[::-1]
