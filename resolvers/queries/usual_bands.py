"""The band in which each indicator usually lies, and the history of the rectification rate.

Both follow from the values at the end of each of the last 56 days, as they were then: of the 30 days up to it, with
what was accepted, closed, filed and penalised by its end. Two sums by day give that (models/portrait_facts.py).
Corrections since then, such as a dismissal, count for the past too. A day before the first record of a parent is
unknown, not 0.
"""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate

from models.portrait_facts import GRADE_COLUMNS, SPAN
from models.portrait_sum import SumPeriod
from resolvers.queries import portrait_scopes
from resolvers.queries.indicators import Standing, Tally
from resolvers.queries.portrait_scopes import ParentKind, PassedToday, today
from resolvers.queries.portrait_sums import ALL_TIME, LAST, ByBucket, sums_of
from resolvers.queries.portraits import visible_keys
from resolvers.sql.readers import Reader

DAYS = 30  # of the history of the rate
BAND_DAYS = 56  # eight weeks, from which the band is taken
BAND_DAYS_LEAST = 21
BAND_OUTSIDE = 0.1  # the share of those days that lies below the band, and above it


@dataclass(frozen=True, slots=True)
class Band:
    """The middle 80 % of the last eight weeks' values."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class UsualBands:
    """The band of each field of Standing; None where fewer than 21 days have a value."""

    hazards_open: Band | None
    hazards_overdue: Band | None
    major_hazards_open: Band | None
    hazards_found: Band | None
    hazards_rectified: Band | None
    hazards_closed: Band | None
    inspections: Band | None
    enterprises_inspected: Band | None
    cases_filed: Band | None
    inspections_penalised: Band | None
    rectification_rate: Band | None
    on_time_rate: Band | None
    closure_rate: Band | None
    coverage: Band | None
    filing_rate: Band | None
    penalty_rate: Band | None
    hazards_per_thousand_inspections: Band | None
    major_hazards_per_thousand_inspections: Band | None


@dataclass(frozen=True, slots=True)
class RateOfDay:
    """The rate at the end of a day, or now for today; None if no hazard was found in the 30 days up to it."""

    day: dt.date
    rate: float | None


@dataclass(frozen=True, slots=True)
class RateHistory:
    """The last 30 days in order, and the band that holds the middle 80 % of the last eight weeks."""

    days: list[RateOfDay]
    usual_low: float | None
    usual_high: float | None


# Columns that are summed over the 30 days up to a day, by field of Tally.
ROLLING = {
    "hazards": "hazards",
    "hazards_by_inspection": "hazards_by_inspection",
    "hazards_major_by_inspection": "hazards_major_by_inspection",
    "due": "due",
    "on_time": "on_time",
    "inspections": "inspections",
    "cases_filed": "cases_filed",
}
# Counts that begin on a day of the first column and end 30 days after one of the second.
SHARES = {
    "rectified": ("accepted_30", "hazards_rectified_30"),
    "closed": ("closed_30", "hazards_closed_30"),
    "inspections_filed": ("filed_30", "inspections_filed_30"),
    "inspections_penalised": ("penalised_30", "inspections_penalised_30"),
    "inspected": ("inspected_anew", "inspected_lapsing"),
}
# Counts of rows that open on a day of the first column and close on one of the second.
OPEN = {
    "hazards_open": ("hazards", "closed"),
    "hazards_overdue": ("overdue_began", "overdue_ended"),
    "major_hazards_open": ("hazards_major", "closed_major"),
}
SUMMED = tuple(
    dict.fromkeys([*ROLLING.values(), *(each for pairs in (SHARES, OPEN) for pair in pairs.values() for each in pair)])
)


async def _standings(reader: Reader, kind: ParentKind, keys: list[int]) -> dict[int, list[Standing | None]]:
    """By parent, the standing at the end of each of the last 56 days, now for today; None where it is unknown."""
    if not keys:
        return {}
    now = today(reader).toordinal()
    first = now - BAND_DAYS - SPAN + 1
    sums = await sums_of(reader, kind, keys)
    totals = await sums.segments([(first, LAST), (now, LAST)], (*SUMMED, "unsettled", *GRADE_COLUMNS))
    by_day = await sums.each(SumPeriod.DAY, (first, now), SUMMED)
    passed = await portrait_scopes.passed_today(reader, kind, keys)
    result = {}
    for key in keys:
        result[key] = _standings_of(totals.get(key, {}), by_day.get(key, {}), passed.get(key, PassedToday()), now)
        await reader.pause()
    return result


def _standings_of(totals: ByBucket, by_day: ByBucket, passed: PassedToday, now: int) -> list[Standing | None]:
    nothing: Counter[str] = Counter()
    ever, since, later = (totals.get(number, nothing) for number in (ALL_TIME, 0, 1))
    days = range(now - BAND_DAYS - SPAN + 1, now + 1)
    # The totals of each column at the end of the days, the first of them at the end of the day before.
    running: dict[str, list[int]] = {}
    for name in SUMMED:
        daily = [by_day.get(day, nothing)[name] for day in days]
        if name in ("due", "on_time"):
            daily[-1] = getattr(passed, name)
        running[name] = list(accumulate(daily, initial=ever[name] - since[name]))
    began = min((day for day, sums in by_day.items() if any(sums.values())), default=LAST)
    if any(running[name][0] for name in SUMMED):
        began = days[0]
    overdue_now = ever["unsettled"] - later["unsettled"] + passed.unsettled
    enterprises = sum(ever[grade] for grade in GRADE_COLUMNS)
    result: list[Standing | None] = []
    for index in range(len(days) - BAND_DAYS + 1, len(days) + 1):
        before = index - SPAN
        counts = {name: running[column][index] - running[column][before] for name, column in ROLLING.items()}
        counts |= {name: running[done][index] - running[begun][before] for name, (done, begun) in SHARES.items()}
        opened = {name: running[begin][index] - running[end][index] for name, (begin, end) in OPEN.items()}
        if index == len(days):
            opened["hazards_overdue"] = overdue_now
        known = days[index - 1] >= began
        result.append(Standing(**Tally(enterprises, **counts).indicators(), **opened) if known else None)
    return result


def _band(values: Sequence[float | None]) -> Band | None:
    known = sorted(value for value in values if value is not None)
    if len(known) < BAND_DAYS_LEAST:
        return None
    outside = int(len(known) * BAND_OUTSIDE)
    return Band(known[outside], known[-1 - outside])


Standings = list[Standing | None]
Bands = Callable[..., Awaitable[list[UsualBands | None]]]
Histories = Callable[..., Awaitable[list[RateHistory | None]]]


def _bands(kind: ParentKind) -> Bands:
    async def bands(reader: Reader, parents: Sequence[tuple[int]]) -> list[UsualBands | None]:
        """The bands of each parent; None where the viewer may not see its portrait."""
        by_key = await _standings(reader, kind, visible_keys(reader, kind, parents))
        return [_usual(by_key[key]) if key in by_key else None for (key,) in parents]

    return bands


def _usual(standings: Standings) -> UsualBands:
    known = [each for each in standings if each is not None]
    return UsualBands(**{each.name: _band([getattr(s, each.name) for s in known]) for each in fields(UsualBands)})


def _histories(kind: ParentKind) -> Histories:
    async def histories(reader: Reader, parents: Sequence[tuple[int]]) -> list[RateHistory | None]:
        """The history of each parent; None where the viewer may not see its portrait."""
        by_key = await _standings(reader, kind, visible_keys(reader, kind, parents))
        return [_history(by_key[key], today(reader)) if key in by_key else None for (key,) in parents]

    return histories


def _history(standings: Standings, now: dt.date) -> RateHistory:
    rates = [None if each is None else each.rectification_rate for each in standings]
    days = [RateOfDay(now - dt.timedelta(days=DAYS - 1 - i), rate) for i, rate in enumerate(rates[-DAYS:])]
    band = _band(rates)
    return RateHistory(days, *(None, None) if band is None else (band.low, band.high))


of_districts = _bands(portrait_scopes.DISTRICTS)
of_zones = _bands(portrait_scopes.ZONES)
of_rings = _bands(portrait_scopes.RINGS)
of_venues = _bands(portrait_scopes.VENUES)
of_enterprises = _bands(portrait_scopes.ENTERPRISES)
rates_of_districts = _histories(portrait_scopes.DISTRICTS)
rates_of_zones = _histories(portrait_scopes.ZONES)
# Who sees the portrait sees these.
HISTORIES = (of_districts, of_zones, of_rings, of_venues, of_enterprises, rates_of_districts, rates_of_zones)
