"""The trend over years: the indicators of each calendar month, as its rows are now, and what was open at its end."""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from models.portrait_facts import GRADE_COLUMNS, month_start
from models.portrait_sum import SumPeriod
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import portrait_scopes
from resolvers.queries.indicators import Standing, Tally
from resolvers.queries.portrait_scopes import ParentKind, PassedToday, today
from resolvers.queries.portrait_sums import ALL_TIME, COUNTED, LAST, ByBucket, next_month, sums_of
from resolvers.queries.portraits import visible_keys
from resolvers.sql.readers import Reader

YEARS, YEARS_MAXIMUM = 3, 10
MONTH_COLUMNS = (*COUNTED, "overdue_began", "overdue_ended", "inspected_in_month", *GRADE_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Month(Standing):
    """A calendar month, by its first day."""

    month: dt.date


async def _months(reader: Reader, kind: ParentKind, keys: list[int], years: int) -> dict[int, list[Month]]:
    now = today(reader)
    first = dt.date(now.year - years, now.month, 1).toordinal()
    this = month_start(now.toordinal())
    sums = await sums_of(reader, kind, keys)
    # The days from today to the end of this month, and from today on: their deadlines have not passed.
    segments = [(first, LAST), (now.toordinal(), next_month(this) - 1), (now.toordinal(), LAST)]
    totals = await sums.segments(segments, MONTH_COLUMNS)
    by_month = await sums.each(SumPeriod.MONTH, (first, this), MONTH_COLUMNS)
    passed = await portrait_scopes.passed_today(reader, kind, keys)
    return {
        key: _of_parent(totals.get(key, {}), by_month.get(key, {}), passed.get(key, PassedToday()), (first, this))
        for key in keys
    }


def _of_parent(totals: ByBucket, months: ByBucket, passed: PassedToday, span: tuple[int, int]) -> list[Month]:
    """The months of one parent, from its first record on."""
    nothing: Counter[str] = Counter()
    ever, since, coming, later = (totals.get(number, nothing) for number in (ALL_TIME, 0, 1, 2))
    running = Counter({name: ever[name] - since[name] for name in MONTH_COLUMNS})
    began = any(running[name] for name in ("hazards", "inspections", "cases_filed"))
    result = []
    month, this = span
    while month <= this:
        sums = months.get(month, nothing)
        running.update(sums)
        began = began or any(sums.values())
        due, on_time = sums["due"], sums["on_time"]
        overdue = running["overdue_began"] - running["overdue_ended"]
        if month == this:
            due, on_time = due - coming["due"] + passed.due, on_time - coming["on_time"] + passed.on_time
            overdue = ever["unsettled"] - later["unsettled"] + passed.unsettled
        if began:
            tally = _tally(sums, sum(ever[grade] for grade in GRADE_COLUMNS))._replace(due=due, on_time=on_time)
            result.append(
                Month(
                    **tally.indicators(),
                    month=dt.date.fromordinal(month),
                    hazards_open=running["hazards"] - running["closed"],
                    hazards_overdue=overdue,
                    major_hazards_open=running["hazards_major"] - running["closed_major"],
                )
            )
        month = next_month(month)
    return result


def _tally(sums: Counter[str], enterprises: int) -> Tally:
    return Tally(
        enterprises=enterprises,
        hazards=sums["hazards"],
        rectified=sums["hazards_rectified"],
        closed=sums["hazards_closed"],
        hazards_by_inspection=sums["hazards_by_inspection"],
        hazards_major_by_inspection=sums["hazards_major_by_inspection"],
        due=sums["due"],
        on_time=sums["on_time"],
        inspections=sums["inspections"],
        inspections_filed=sums["inspections_filed"],
        inspections_penalised=sums["inspections_penalised"],
        cases_filed=sums["cases_filed"],
        inspected=sums["inspected_in_month"],
    )


Trends = Callable[..., Awaitable[list[list[Month] | None]]]


def _batch(kind: ParentKind) -> Trends:
    async def trends(reader: Reader, parents: Sequence[tuple[int]], *, years: int = YEARS) -> list[list[Month] | None]:
        """The months of each parent; None where the viewer may not see its portrait. Raises RequestError."""
        if not 1 <= years <= YEARS_MAXIMUM:
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("YEARS_RANGE", "`years` is from 1 to {maximum}.", maximum=YEARS_MAXIMUM)
            )
        keys = visible_keys(reader, kind, parents)
        by_key = await _months(reader, kind, keys, years) if keys else {}
        return [by_key.get(key) for (key,) in parents]

    return trends


of_districts = _batch(portrait_scopes.DISTRICTS)
of_zones = _batch(portrait_scopes.ZONES)
of_rings = _batch(portrait_scopes.RINGS)
of_venues = _batch(portrait_scopes.VENUES)
of_enterprises = _batch(portrait_scopes.ENTERPRISES)
TRENDS = (of_districts, of_zones, of_rings, of_venues, of_enterprises)
