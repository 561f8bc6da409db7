"""Usual bands and monthly trends for the tests, by counting all rows in plain Python as they were at the end of a day.

The counting follows docs/decisions/0010-portraits-are-sums.md and the docstring of resolvers/queries/usual_bands.py.
"""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from models import HazardLevel, HazardStatus, InspectionStatus
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER
from tests.support.portrait_reference import (
    DAY,
    DONE,
    KINDS,
    PENALTY,
    Row,
    Window,
    World,
    local,
    of_window,
    rate,
    standing,
)

SETTLED = (*DONE, HazardStatus.DISMISSED)
BAND_DAYS, LEAST, YEARS = 56, 21, 2
FIELDS = [
    "hazardsOpen",
    "hazardsOverdue",
    "majorHazardsOpen",
    "hazardsFound",
    "hazardsRectified",
    "hazardsClosed",
    "inspections",
    "enterprisesInspected",
    "casesFiled",
    "inspectionsPenalised",
    "rectificationRate",
    "onTimeRate",
    "closureRate",
    "coverage",
    "filingRate",
    "penaltyRate",
    "hazardsPerThousandInspections",
    "majorHazardsPerThousandInspections",
]


class Subject:
    """The rows of a district, a zone, a ring, a venue or an enterprise."""

    def __init__(self, world: World, kind: str, key: int, now: dt.datetime, zone: ZoneInfo) -> None:
        scope = world.scope(kind, key)
        keys = {e.id for e in scope}
        self.current = {e.id for e in scope if e.retired_at is None}
        self.hazards = [h for h in world.hazards if h.enterprise_id in keys]
        self.counted = [h for h in self.hazards if h.status is not HazardStatus.DISMISSED]
        self.visits = [i for i in world.inspections if i.enterprise_id in keys]
        self.made = [i for i in self.visits if i.submitted_at and i.status is not InspectionStatus.CANCELLED]
        self.cases = [c for c in world.cases if c.enterprise_id in keys]
        self.now, self.zone, self.today = now, zone, now.astimezone(zone).date()

    def trend(self, years: int) -> list[dict[str, Any]]:
        """The months from the first record on, at most so many years back."""
        months = []
        month = dt.date(self.today.year - years, self.today.month, 1)
        while month <= self.today:
            following = (month + 31 * DAY).replace(day=1)
            if (first := self._first()) is not None and following > first:
                window = Window((month, following - DAY), self.zone, self.now)
                counts = of_window(self.hazards, self.visits, self.cases, self.current, window)
                months.append({"month": month.isoformat(), **self._open(following - DAY), **counts})
            month = following
        return months

    def bands(self) -> dict[str, Any]:
        days = [self.today - (BAND_DAYS - 1 - number) * DAY for number in range(BAND_DAYS)]
        first = self._first()
        values = [self._at(day) for day in days if first is not None and day >= first]
        return {name: _band([value[name] for value in values]) for name in FIELDS}

    def _first(self) -> dt.date | None:
        """The day of the first record."""
        times = [time for h in self.counted for time in (h.found_at, h.deadline)]
        times += [i.submitted_at for i in self.made] + [c.filed_at for c in self.cases]
        return min((local(time, self.zone) for time in times if time is not None), default=None)

    def _open(self, day: dt.date) -> dict[str, int]:
        """The hazards that were open and overdue at the end of a day; now for today and later."""
        if day >= self.today:
            return standing(self.hazards, self.now)

        def by(moment: dt.datetime | None) -> bool:
            return moment is not None and local(moment, self.zone) <= day

        running = [h for h in self.counted if by(h.found_at) and not by(h.closed_at)]
        late = [h for h in self.counted if by(h.found_at) and by(h.deadline)]
        return {
            "hazardsOpen": len(running),
            "hazardsOverdue": sum(h.status not in SETTLED or self._settled_after(h, day) for h in late),
            "majorHazardsOpen": sum(h.level is HazardLevel.MAJOR for h in running),
        }

    def _settled_after(self, hazard: Row, day: dt.date) -> bool:
        settled = hazard.accepted_at or hazard.closed_at
        return settled is not None and local(settled, self.zone) > day

    def _at(self, day: dt.date) -> dict[str, Any]:
        """The values at the end of a day: of the 30 days up to it, what had been done by then."""
        window = Window((day - 29 * DAY, day), self.zone, self.now)

        def by(moment: dt.datetime | None) -> bool:
            return moment is not None and local(moment, self.zone) <= day

        counts = of_window(self.hazards, self.visits, self.cases, self.current, window)
        new = [h for h in self.counted if window.has(h.found_at)]
        rectified = sum(h.status in DONE and by(h.accepted_at) for h in new)
        closed = sum(by(h.closed_at) for h in new)
        made = {i.id for i in self.made if window.has(i.submitted_at)}
        filed = {c.inspection_id for c in self.cases if by(c.filed_at)} & made
        fined = [c for c in self.cases if c.status in PENALTY and c.penalty_kinds]
        penalised = {c.inspection_id for c in fined if c.decided_at is None or by(c.decided_at)} & made
        return {
            **counts,
            **self._open(day),
            "hazardsRectified": rectified,
            "hazardsClosed": closed,
            "inspectionsPenalised": len(penalised),
            "rectificationRate": rate(rectified, len(new)),
            "closureRate": rate(closed, len(new)),
            "filingRate": rate(len(filed), len(made)),
            "penaltyRate": rate(len(penalised), len(made)),
        }


def _band(values: list[Any]) -> dict[str, Any] | None:
    known = sorted(value for value in values if value is not None)
    if len(known) < LEAST:
        return None
    outside = len(known) // 10
    return {"low": known[outside], "high": known[-1 - outside]}


async def check_standings(
    executor: Executor, world: World, keys: dict[Any, list[int]], now: dt.datetime, zone: ZoneInfo
) -> None:
    """The trends and bands of all rows of KINDS, whose keys are given by model, equal counts of all rows."""
    bands = " ".join(f"{name} {{ low high }}" for name in FIELDS)
    selection = f"monthlyTrend(years: {YEARS}) {{ month {' '.join(FIELDS)} }} usualBands {{ {bands} }}"
    parts = []
    for kind, (name, model) in KINDS.items():
        ids = ", ".join(f'"{node_id.encode(name, key)}"' for key in keys[model])
        parts.append(f"{kind}: nodes(ids: [{ids}]) {{ ... on {name} {{ {selection} }} }}")
    answer = await executor.run(Operation(f"{{ {' '.join(parts)} }}"), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    for kind, (_, model) in KINDS.items():
        for key, node in zip(keys[model], answer.data[kind], strict=True):
            subject = Subject(world, kind, key, now, zone)
            assert node == {"monthlyTrend": subject.trend(YEARS), "usualBands": subject.bands()}, (kind, key)
