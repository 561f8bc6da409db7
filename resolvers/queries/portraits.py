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
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from models import RiskGrade, Role
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import portrait_counts
from resolvers.queries.portrait_counts import Counts, Days, EnterprisesOf, each_day, midnight
from resolvers.sql.readers import Reader

WINDOW_DEFAULT = 30
WINDOW_MAXIMUM = 3_660
DAYS_MAXIMUM = 100_000  # of all portraits of one list together


@dataclass(frozen=True, slots=True)
class RiskCount:
    """How many enterprises have a grade; None counts those without one."""

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
    """Indicators. Rates are fractions, None where the denominator is 0."""

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
    counts: Counts = field(repr=False, compare=False)

    @property
    def trend(self) -> list[Day]:
        """The window day by day. Computed on demand, because there may be thousands of days."""
        return _trend(self.counts, each_day(self.from_, self.to))

    def same_indicators(self, other: "Portrait") -> bool:
        """Whether the two differ in nothing but the moment: `as_of` and `cursor`."""
        return replace(self, as_of=other.as_of, cursor=other.cursor) == other and self.trend == other.trend


PortraitBatch = Callable[..., Awaitable[list[Portrait | None]]]


def _batch(enterprises: EnterprisesOf, *, own: bool = False) -> PortraitBatch:
    """A batch function for one kind of parent. `own` lets an enterprise see its own."""

    async def portraits(
        reader: Reader, parents: Sequence[tuple[int]], *, window: Days | None = None
    ) -> list[Portrait | None]:
        """The portrait for each parent's key; None where the viewer may not see it. One statement for all."""
        keys = [key for (key,) in parents]
        if reader.viewer.role is Role.ENTERPRISE:
            keys = [key for key in keys if own and key == reader.viewer.visibility.enterprise]
        if not keys:
            return [None] * len(parents)
        days = window_days(reader, window)
        if len(keys) * ((days[1] - days[0]).days + 1) > DAYS_MAXIMUM:
            raise RequestError(
                ErrorCode.BAD_INPUT,
                Reason(
                    "PORTRAIT_DAYS",
                    "All portraits of a list have at most {maximum:,} days together.",
                    maximum=DAYS_MAXIMUM,
                ),
            )
        counts, cursor = await portrait_counts.count(reader, enterprises, keys, days)
        by_key = {}
        for key in counts:
            by_key[key] = _portrait(counts[key], reader.now, cursor, days)
            await reader.pause()
        return [by_key.get(key) for (key,) in parents]

    return portraits


of_districts = _batch(portrait_counts.of_district)
of_zones = _batch(portrait_counts.of_zone)
of_rings = _batch(portrait_counts.of_ring)
of_venues = _batch(portrait_counts.of_venue)
of_enterprises = _batch(portrait_counts.of_enterprise, own=True)


ENTERPRISES: dict[PortraitBatch, EnterprisesOf] = {
    of_districts: portrait_counts.of_district,
    of_zones: portrait_counts.of_zone,
    of_rings: portrait_counts.of_ring,
    of_venues: portrait_counts.of_venue,
    of_enterprises: portrait_counts.of_enterprise,
}


def window_days(reader: Reader, window: Days | None) -> Days:
    """The window's days, or else the last 30, today included. Raises RequestError for an impossible window."""
    today = reader.now.astimezone(reader.zone).date()
    if window is None:
        return today - dt.timedelta(days=WINDOW_DEFAULT - 1), today
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


async def next_change(reader: Reader, batch: PortraitBatch, key: int) -> dt.datetime:
    """When a portrait may change without an event: a deadline passes, or a day begins in the district."""
    deadline = await portrait_counts.next_deadline(reader, ENTERPRISES[batch], key)
    day_begins = midnight(reader, reader.now.astimezone(reader.zone).date() + dt.timedelta(days=1))
    return day_begins if deadline is None else min(day_begins, deadline)


def _rate(part: int, whole: int, per: int = 1) -> float | None:
    return per * part / whole if whole else None


def _portrait(counts: Counts, now: dt.datetime, cursor: str, days: Days) -> Portrait:
    first, last = days
    window = each_day(first, last)

    def within(name: str) -> int:
        by_day = counts.by_day(name)
        return sum(by_day[day] for day in window)

    total = counts.total
    enterprises = sum(counts.risk.values())
    hazards_found, inspections = within("found"), within("inspections")
    rectified, closed = within("rectified"), within("closed_of_found")
    grades: list[RiskGrade | None] = [*sorted(RiskGrade, key=lambda grade: -grade.value), None]
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
        hazards_found=hazards_found,
        hazards_rectified=rectified,
        hazards_closed=closed,
        inspections=inspections,
        enterprises_inspected=total["enterprises_inspected"],
        cases_filed=within("filed"),
        inspections_penalised=total["penalised"],
        rectification_rate=_rate(rectified, hazards_found),
        on_time_rate=_rate(total["on_time"], total["due"]),
        closure_rate=_rate(closed, hazards_found),
        coverage=_rate(total["enterprises_inspected"], enterprises),
        filing_rate=_rate(total["with_case"], inspections),
        penalty_rate=_rate(total["penalised"], inspections),
        hazards_per_thousand_inspections=_rate(within("found_by_inspection"), inspections, 1_000),
        major_hazards_per_thousand_inspections=_rate(within("major_by_inspection"), inspections, 1_000),
        counts=counts,
    )


def _trend(counts: Counts, window: list[dt.date]) -> list[Day]:
    found_by_day, closed_by_day = counts.by_day("found"), counts.by_day("closed")
    # Open at the end of a day: open now, less those found after that day, plus those closed after it.
    open_at_end = counts.total["open"]
    open_at_end += sum(n for day, n in closed_by_day.items() if day > window[-1])
    open_at_end -= sum(n for day, n in found_by_day.items() if day > window[-1])
    days = []
    for day in reversed(window):
        days.append(
            Day(
                day,
                found_by_day[day],
                counts.by_day("accepted")[day],
                counts.by_day("inspections")[day],
                counts.by_day("filed")[day],
                open_at_end,
            )
        )
        open_at_end += closed_by_day[day] - found_by_day[day]
    return days[::-1]
