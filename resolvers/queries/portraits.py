"""Portraits (画像): the indicators of a district, a zone, a ring, a venue or an enterprise over a window of days.

Found in the window: `found_at` in it, not DISMISSED. Inspections of the window: `submitted_at` in it. A day begins at
midnight in the district's time zone. Formulas marked [V] are those of published bulletins of emergency bureaus
(Shanghai 2025Q1 and others, see tests/resolvers/queries/indicator_checks.csv); the others are Huhang's own, named in
the reference case.

- rectification rate 整改率 [V]: found in the window and now ACCEPTED or CLOSED, of those found
- closure rate 闭环率: found in the window and now CLOSED, of those found
- on-time rate 按期整改率: of hazards whose deadline in force lies in the window and has passed, not DISMISSED: those
  whose rectification was submitted by it, later accepted or not yet judged
- coverage 覆盖率: distinct enterprises inspected in the window, of the enterprises in scope now
- filing rate 立案率: inspections of the window with a case filed, of those inspections
- penalty rate 检查处罚率: inspections of the window with a case DECIDED, EXECUTING or CLOSED with a penalty, of those
- (major) hazards per thousand inspections [V]: 1,000 × those found in the window by inspections ÷ inspections

They are read from sums that every write maintains (docs/decisions/0010-portraits-are-sums.md).
"""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from models import RiskGrade, Role
from models.portrait_facts import SPAN, grade_column
from models.portrait_sum import SumPeriod
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import portrait_scopes
from resolvers.queries.indicators import Standing, Tally
from resolvers.queries.portrait_scopes import Days, ParentKind, PassedToday, each_day, midnight, today
from resolvers.queries.portrait_sums import ALL_TIME, COUNTED, LAST, ByBucket, ScopeSums, Segment, sums_of
from resolvers.sql.readers import Reader
from subscriptions import event_log

WINDOW_DEFAULT = SPAN
WINDOW_MAXIMUM = 3_660
DAYS_MAXIMUM = 100_000  # of all portraits of one list together
GRADES: list[RiskGrade | None] = [*sorted(RiskGrade, key=lambda grade: -grade.value), None]
COLUMNS = (*COUNTED, "inspected_last", *(grade_column(grade) for grade in GRADES))
TREND_COLUMNS = ("hazards", "accepted", "closed", "inspections", "cases_filed")


@dataclass(frozen=True, slots=True)
class RiskCount:
    """How many enterprises have a grade; None counts those without one."""

    risk_grade: RiskGrade | None
    count: int


@dataclass(slots=True)  # frozen would cost four times as much to make, and there may be thousands
class Day:
    """One day of a trend."""

    day: dt.date
    hazards_found: int
    hazards_rectified: int
    inspections: int
    cases_filed: int
    hazards_open_at_end: int


@dataclass(frozen=True, kw_only=True)
class Portrait(Standing):
    """Indicators. Rates are fractions, None where the denominator is 0. `trend` is None if it was not asked for."""

    as_of: dt.datetime
    cursor: str
    from_: dt.date
    to: dt.date
    enterprises: int
    by_risk: list[RiskCount]
    trend: list[Day] | None

    def same_indicators(self, other: "Portrait") -> bool:
        """Whether the two differ in nothing but the moment: `as_of` and `cursor`."""
        return replace(self, as_of=other.as_of, cursor=other.cursor) == other


PortraitBatch = Callable[..., Awaitable[list[Portrait | None]]]


def visible_keys(reader: Reader, kind: ParentKind, parents: Sequence[tuple[int]]) -> list[int]:
    """The keys of the parents whose portraits the viewer may see. An enterprise sees only its own."""
    keys = [key for (key,) in parents]
    if reader.viewer.role is Role.ENTERPRISE:
        return [key for key in keys if kind.is_enterprise and key == reader.viewer.visibility.enterprise]
    return keys


def _batch(kind: ParentKind) -> PortraitBatch:
    """A batch function for one kind of parent."""

    async def portraits(
        reader: Reader,
        parents: Sequence[tuple[int]],
        *,
        window: Days | None = None,
        trend: bool = True,
        inspected: bool = True,
    ) -> list[Portrait | None]:
        """The portrait for each parent's key; None where the viewer may not see it.

        `trend` and `inspected` say whether the trend and the number of enterprises inspected are asked for.
        """
        keys = visible_keys(reader, kind, parents)
        if not keys:
            return [None] * len(parents)
        days = window_days(reader, window)
        require_days(reader, (kind, days), len(keys) * ((days[1] - days[0]).days + 1))
        sums = await sums_of(reader, kind, keys)
        window_sums = await WindowSums.read(reader, kind, keys, days, sums)
        by_day = await sums.each(SumPeriod.DAY, window_sums.window, TREND_COLUMNS) if trend else {}
        counted = await window_sums.inspected() if inspected else {}
        [log] = await reader.rows(event_log.state_statement(), {})
        cursor = event_log.LogState(log.epoch, log.head).cursor
        by_key = {}
        for key in keys:
            each_trend = window_sums.of(key).trend(days, by_day.get(key, {})) if trend else None
            by_key[key] = window_sums.of(key).portrait(
                reader.now, cursor, days, counted.get(key, 0) if inspected else None, each_trend
            )
            await reader.pause()
        return [by_key.get(key) for (key,) in parents]

    return portraits


of_districts = _batch(portrait_scopes.DISTRICTS)
of_zones = _batch(portrait_scopes.ZONES)
of_rings = _batch(portrait_scopes.RINGS)
of_venues = _batch(portrait_scopes.VENUES)
of_enterprises = _batch(portrait_scopes.ENTERPRISES)


KINDS: dict[PortraitBatch, ParentKind] = {
    of_districts: portrait_scopes.DISTRICTS,
    of_zones: portrait_scopes.ZONES,
    of_rings: portrait_scopes.RINGS,
    of_venues: portrait_scopes.VENUES,
    of_enterprises: portrait_scopes.ENTERPRISES,
}


def window_days(reader: Reader, window: Days | None) -> Days:
    """The window's days, or else the last 30, today included. Raises RequestError for an impossible window."""
    if window is None:
        return today(reader) - dt.timedelta(days=WINDOW_DEFAULT - 1), today(reader)
    first, last = window
    if first > last:
        raise RequestError(ErrorCode.BAD_INPUT, Reason("WINDOW_ORDER", "A window's `from` must not be after its `to`."))
    if (last - first).days >= WINDOW_MAXIMUM or not 1900 <= first.year <= last.year < 9999:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "WINDOW_DAYS", "A window has at most {maximum:,} days, from the year 1900 on.", maximum=WINDOW_MAXIMUM
            ),
        )
    return window


def require_days(reader: Reader, portraits: tuple[ParentKind, Days], days: int) -> None:
    """Raises RequestError where all portraits of a list have too many days together, however many calls read them."""
    reader.counted[portraits] = reader.counted.get(portraits, 0) + days
    if reader.counted[portraits] > DAYS_MAXIMUM:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "PORTRAIT_DAYS", "All portraits of a list have at most {maximum:,} days together.", maximum=DAYS_MAXIMUM
            ),
        )


async def next_change(reader: Reader, batch: PortraitBatch, key: int) -> dt.datetime:
    """When a portrait may change without an event: a deadline passes, or a day begins in the district."""
    day_begins = midnight(reader, today(reader) + dt.timedelta(days=1))
    return await portrait_scopes.next_deadline(reader, KINDS[batch], key, day_begins) or day_begins


# The segments of a window: today and later, before the window; the window until yesterday, and from today on; and the
# days after the window until yesterday, and from today on.
EARLIER, PAST, COMING, AFTER_PAST, AFTER_COMING = range(5)


def _segments(first: int, last: int, now: int) -> list[Segment]:
    return [
        (now, first - 1),
        (first, min(last, now - 1)),
        (max(first, now), last),
        (last + 1, now - 1),
        (max(last + 1, now), LAST),
    ]


class _Sums(NamedTuple):
    """The sums of one parent, and what passed today."""

    sums: ByBucket
    passed: PassedToday
    has_today: bool  # in its window

    def total(self, column: str, *segments: int) -> int:
        return sum(self.sums[segment][column] for segment in segments if segment in self.sums)

    @property
    def hazards_open(self) -> int:
        return self.total("hazards", ALL_TIME) - self.total("closed", ALL_TIME)

    @property
    def hazards_overdue(self) -> int:
        """Those with a deadline before today, and those of today that have passed."""
        later = self.total("unsettled", EARLIER, COMING, AFTER_COMING)
        return self.total("unsettled", ALL_TIME) - later + self.passed.unsettled

    def tally(self, inspected: int | None) -> Tally:
        def within(column: str) -> int:
            return self.total(column, PAST, COMING)

        passed = self.passed if self.has_today else PassedToday()
        return Tally(
            enterprises=sum(self.total(grade_column(grade), ALL_TIME) for grade in GRADES),
            hazards=within("hazards"),
            rectified=within("hazards_rectified"),
            closed=within("hazards_closed"),
            hazards_by_inspection=within("hazards_by_inspection"),
            hazards_major_by_inspection=within("hazards_major_by_inspection"),
            due=self.total("due", PAST) + passed.due,
            on_time=self.total("on_time", PAST) + passed.on_time,
            inspections=within("inspections"),
            inspections_filed=within("inspections_filed"),
            inspections_penalised=within("inspections_penalised"),
            cases_filed=within("cases_filed"),
            inspected=inspected,
        )

    def portrait(
        self, now: dt.datetime, cursor: str, days: Days, inspected: int | None, trend: list[Day] | None
    ) -> Portrait:
        tally = self.tally(inspected)
        by_risk = [RiskCount(grade, self.total(grade_column(grade), ALL_TIME)) for grade in GRADES]
        return Portrait(
            **tally.indicators(),
            as_of=now,
            cursor=cursor,
            from_=days[0],
            to=days[1],
            enterprises=tally.enterprises,
            by_risk=by_risk,
            hazards_open=self.hazards_open,
            hazards_overdue=self.hazards_overdue,
            major_hazards_open=self.total("hazards_major", ALL_TIME) - self.total("closed_major", ALL_TIME),
            trend=trend,
        )

    def trend(self, days: Days, by_day: ByBucket) -> list[Day]:
        # Open at the end of a day: open now, less those found after that day, plus those closed after it.
        after = AFTER_PAST, AFTER_COMING
        open_at_end = self.hazards_open - self.total("hazards", *after) + self.total("closed", *after)
        trend = []
        for day in reversed(each_day(*days)):
            sums = by_day.get(day.toordinal(), NOTHING)
            hazards = sums["hazards"]
            trend.append(Day(day, hazards, sums["accepted"], sums["inspections"], sums["cases_filed"], open_at_end))
            open_at_end += sums["closed"] - hazards
        return trend[::-1]


NOTHING: Counter[str] = Counter()


@dataclass(frozen=True)
class WindowSums:
    """The sums of some parents that the indicators of a window follow from."""

    sums: ScopeSums
    days: Days
    by_key: dict[int, _Sums]

    @classmethod
    async def read(cls, reader: Reader, kind: ParentKind, keys: list[int], days: Days, sums: ScopeSums) -> "WindowSums":
        first, last, now = days[0].toordinal(), days[1].toordinal(), today(reader).toordinal()
        by_key = await sums.segments(_segments(first, last, now), COLUMNS)
        passed = await portrait_scopes.passed_today(reader, kind, keys)
        has_today = first <= now <= last
        return cls(
            sums,
            days,
            {key: _Sums(by_key.get(key, {}), passed.get(key, PassedToday()), has_today) for key in keys},
        )

    @property
    def window(self) -> Segment:
        return self.days[0].toordinal(), self.days[1].toordinal()

    def of(self, key: int) -> _Sums:
        return self.by_key[key]

    async def inspected(self) -> dict[int, int]:
        """By parent, the enterprises inspected in the window. Parents without any may be missing.

        Where none was inspected after the window, as in one that ends today, that is the number of those last inspected
        in it.
        """
        if any(each.total("inspections", AFTER_PAST, AFTER_COMING) for each in self.by_key.values()):
            return await self.sums.inspected(self.window)
        return {key: each.total("inspected_last", PAST, COMING) for key, each in self.by_key.items()}
