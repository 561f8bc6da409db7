"""How the rectification rate came to be what it is: its last days, and the band in which it usually lies."""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models import HazardStatus, Role
from resolvers.queries.portrait_counts import (
    HAZARD,
    RECTIFIED,
    EnterprisesOf,
    each_day,
    instant,
    key_condition,
    local_day,
    midnight,
    of_district,
    of_zone,
)
from resolvers.queries.portraits import WINDOW_DEFAULT
from resolvers.sql.readers import Reader

DAYS = 30  # of the history
BAND_DAYS = 56  # eight weeks, from which the band is taken
BAND_DAYS_LEAST = 21
BAND_OUTSIDE = 0.1  # the share of those days that lies below the band, and above it

Pairs = Counter[tuple[dt.date, dt.date | None]]  # hazards by the day found and the day accepted


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


RateHistories = Callable[[Reader, Sequence[tuple[int]]], Awaitable[list[RateHistory | None]]]


def _batch(enterprises: EnterprisesOf) -> RateHistories:
    async def histories(reader: Reader, parents: Sequence[tuple[int]]) -> list[RateHistory | None]:
        """The history for each parent's key; None for an enterprise, which sees no portraits but its own."""
        if reader.viewer.role is Role.ENTERPRISE or not parents:
            return [None] * len(parents)
        keys = [key for (key,) in parents]
        today = reader.now.astimezone(reader.zone).date()
        first = today - dt.timedelta(days=BAND_DAYS + WINDOW_DEFAULT - 2)
        pairs = await _pairs(reader, enterprises, keys, first, today)
        return [_history(pairs[key], today) for key in keys]

    return histories


of_districts = _batch(of_district)
of_zones = _batch(of_zone)
HISTORIES = (of_districts, of_zones)


async def _pairs(
    reader: Reader, enterprises: EnterprisesOf, keys: list[int], first: dt.date, today: dt.date
) -> dict[int, Pairs]:
    """The hazards of each parent by the days on which they were found and accepted, found from `first` on."""
    midnights = [midnight(reader, day) for day in each_day(first, today + dt.timedelta(days=1))]
    values = {"keys": keys, "start": midnights[0], "end": midnights[-1]}
    values |= {"zone": str(reader.zone)} if reader.sqlite else {"midnights": midnights}

    def day(value: Any) -> dt.date | None:
        if value is None:
            return None
        return dt.date.fromisoformat(value) if reader.sqlite else first + dt.timedelta(days=value - 1)

    pairs: dict[int, Pairs] = {key: Counter() for key in keys}
    for row in await reader.rows(_statement(enterprises, reader.sqlite), values):
        found_on = day(row.found_on)
        if found_on is not None:
            pairs[row.parent][found_on, day(row.accepted_on)] += row.hazards
    return pairs


@lru_cache
def _statement(enterprises: EnterprisesOf, sqlite: bool) -> sa.Select[Any]:
    scope = enterprises(key_condition(sqlite, one=False)).subquery("scope")
    found_on = local_day(HAZARD.c.found_at, sqlite).label("found_on")
    is_rectified = HAZARD.c.status.in_([sa.literal(each, HAZARD.c.status.type) for each in RECTIFIED])
    accepted_on = sa.case((is_rectified, local_day(HAZARD.c.accepted_at, sqlite))).label("accepted_on")
    return (
        sa.select(scope.c.parent, found_on, accepted_on, sa.func.count().label("hazards"))
        .join_from(scope, HAZARD, HAZARD.c.enterprise_id == scope.c.enterprise)
        .where(
            HAZARD.c.found_at >= instant("start"),
            HAZARD.c.found_at < instant("end"),
            HAZARD.c.status != HazardStatus.DISMISSED,
        )
        .group_by(scope.c.parent, found_on, accepted_on)
    )


def _history(pairs: Pairs, today: dt.date) -> RateHistory:
    days = each_day(today - dt.timedelta(days=BAND_DAYS - 1), today)
    rates = [_rate(pairs, day) for day in days]
    known = sorted(rate for rate in rates if rate is not None)
    low = high = None
    if len(known) >= BAND_DAYS_LEAST:
        outside = int(len(known) * BAND_OUTSIDE)
        low, high = known[outside], known[-1 - outside]
    shown = [RateOfDay(day, rate) for day, rate in zip(days, rates, strict=True)]
    return RateHistory(shown[-DAYS:], low, high)


def _rate(pairs: Pairs, day: dt.date) -> float | None:
    """Of the hazards found in the 30 days up to `day`, the share accepted by its end."""
    first = day - dt.timedelta(days=WINDOW_DEFAULT - 1)
    of_window = rectified = 0
    for (found_on, accepted_on), hazards in pairs.items():
        if first <= found_on <= day:
            of_window += hazards
            if accepted_on is not None and accepted_on <= day:
                rectified += hazards
    return rectified / of_window if of_window else None
