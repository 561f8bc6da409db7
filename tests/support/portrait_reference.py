"""Portraits for the tests: the selection, and the expected values by counting all rows in plain Python.

The counting follows the definitions of the indicators (docstring of resolvers/queries/portraits.py), not the SQL.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

import models
from models import CaseStatus, HazardLevel, HazardStatus, InspectionStatus
from models.db.database import Database
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER

DAY = dt.timedelta(days=1)
PORTRAIT = """fragment P on Portrait {
  asOf cursor from to enterprises byRisk { riskGrade count } hazardsOpen hazardsOverdue majorHazardsOpen hazardsFound
  hazardsRectified hazardsClosed inspections enterprisesInspected casesFiled inspectionsPenalised rectificationRate
  onTimeRate closureRate coverage filingRate penaltyRate hazardsPerThousandInspections
  majorHazardsPerThousandInspections
  trend { day hazardsFound hazardsRectified inspections casesFiled hazardsOpenAtEnd }
}"""
GRADES = ["RED", "ORANGE", "YELLOW", "BLUE", None]

Days = tuple[dt.date, dt.date]
Row = Any  # of SQLAlchemy
KINDS: dict[str, tuple[str, Any]] = {
    "district": ("District", models.District),
    "zone": ("Zone", models.Zone),
    "ring": ("ControlRing", models.ControlRing),
    "venue": ("Venue", models.Venue),
    "enterprise": ("Enterprise", models.Enterprise),
}
OVER = (HazardStatus.CLOSED, HazardStatus.DISMISSED)
DONE = (HazardStatus.ACCEPTED, HazardStatus.CLOSED)
PENALTY = (CaseStatus.DECIDED, CaseStatus.EXECUTING, CaseStatus.CLOSED)


@dataclass
class World:
    """Every row that a portrait may count."""

    enterprises: list[Row]
    inside: list[Row]
    rings: list[Row]
    hazards: list[Row]
    inspections: list[Row]
    cases: list[Row]

    @classmethod
    async def read(cls, database: Database) -> "World":
        tables: tuple[Any, ...] = (
            models.Enterprise,
            models.EnterpriseRing,
            models.ControlRing,
            models.Hazard,
            models.Inspection,
            models.Case,
        )
        async with database.read() as connection:
            rows = [(await connection.execute(sa.select(t.__table__))).all() for t in tables]
        return cls(*map(list, rows))

    def scope(self, kind: str, key: int) -> list[Row]:
        """The enterprises of a district, a zone, a ring, a venue or an enterprise."""
        in_rings: dict[int, set[int]] = defaultdict(set)
        for link in self.inside:
            in_rings[link.ring_id].add(link.enterprise_id)
        if kind == "district":
            return self.enterprises
        if kind == "zone":
            return [e for e in self.enterprises if e.zone_id == key]
        if kind == "enterprise":
            return [e for e in self.enterprises if e.id == key]
        rings = [r.id for r in self.rings if (r.id if kind == "ring" else r.venue_id) == key]
        return [e for e in self.enterprises if any(e.id in in_rings[ring] for ring in rings)]

    def portrait(self, kind: str, key: int, days: Days, now: dt.datetime, zone: ZoneInfo) -> dict[str, Any]:
        """The expected portrait, without `cursor`."""
        scope = self.scope(kind, key)
        keys = {e.id for e in scope}
        current = [e for e in scope if e.retired_at is None]
        hazards = [h for h in self.hazards if h.enterprise_id in keys]
        visits = [i for i in self.inspections if i.enterprise_id in keys]
        cases = [c for c in self.cases if c.enterprise_id in keys]
        return {
            "asOf": now.isoformat(),
            "from": days[0].isoformat(),
            "to": days[1].isoformat(),
            "enterprises": len(current),
            "byRisk": [{"riskGrade": g, "count": sum(name(e.risk_grade) == g for e in current)} for g in GRADES],
            **standing(hazards, now),
            **of_window(hazards, visits, cases, {e.id for e in current}, Window(days, zone, now)),
            "trend": [_day(hazards, visits, cases, day, zone) for day in each(days)],
        }


@cache
def local(moment: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The local day of a time in a zone."""
    return moment.astimezone(zone).date()


@dataclass
class Window:
    """A window of whole days in a zone."""

    days: Days
    zone: ZoneInfo
    now: dt.datetime

    def has(self, moment: dt.datetime | None) -> bool:
        return moment is not None and self.days[0] <= local(moment, self.zone) <= self.days[1]


def name(member: Any) -> str | None:
    return None if member is None else str(member.name)


def each(days: Days) -> list[dt.date]:
    return [days[0] + i * DAY for i in range((days[1] - days[0]).days + 1)]


def rate(part: int, whole: int, per: int = 1) -> float | None:
    return None if whole == 0 else per * part / whole


def standing(hazards: list[Row], now: dt.datetime) -> dict[str, int]:
    running = [h for h in hazards if h.status not in OVER]
    overdue = [h for h in running if h.status is not HazardStatus.ACCEPTED and h.deadline and h.deadline < now]
    return {
        "hazardsOpen": len(running),
        "hazardsOverdue": len(overdue),
        "majorHazardsOpen": sum(h.level is HazardLevel.MAJOR for h in running),
    }


def of_window(
    hazards: list[Row], visits: list[Row], cases: list[Row], current: set[int], window: Window
) -> dict[str, Any]:
    found_hazards = [h for h in hazards if window.has(h.found_at) and h.status is not HazardStatus.DISMISSED]
    rectified = [h for h in found_hazards if h.status in DONE]
    closed = [h for h in found_hazards if h.status is HazardStatus.CLOSED]
    due = [h for h in hazards if window.has(h.deadline) and h.deadline < window.now]
    due = [h for h in due if h.status is not HazardStatus.DISMISSED]
    on_time = [h for h in due if h.rectified_at is not None and h.rectified_at <= h.deadline]
    made = [i for i in visits if window.has(i.submitted_at) and i.status is not InspectionStatus.CANCELLED]
    inspected = {i.enterprise_id for i in made} & current
    filed = {c.inspection_id for c in cases if c.filed_at is not None}
    fined = {c.inspection_id for c in cases if c.status in PENALTY and c.penalty_kinds}
    by_inspections = [h for h in found_hazards if h.inspection_id is not None]
    penalised = sum(i.id in fined for i in made)
    return {
        "hazardsFound": len(found_hazards),
        "hazardsRectified": len(rectified),
        "hazardsClosed": len(closed),
        "inspections": len(made),
        "enterprisesInspected": len(inspected),
        "casesFiled": sum(window.has(c.filed_at) for c in cases),
        "inspectionsPenalised": penalised,
        "rectificationRate": rate(len(rectified), len(found_hazards)),
        "onTimeRate": rate(len(on_time), len(due)),
        "closureRate": rate(len(closed), len(found_hazards)),
        "coverage": rate(len(inspected), len(current)),
        "filingRate": rate(sum(i.id in filed for i in made), len(made)),
        "penaltyRate": rate(penalised, len(made)),
        "hazardsPerThousandInspections": rate(len(by_inspections), len(made), 1_000),
        "majorHazardsPerThousandInspections": rate(
            sum(h.level is HazardLevel.MAJOR for h in by_inspections), len(made), 1_000
        ),
    }


def _day(hazards: list[Row], visits: list[Row], cases: list[Row], day: dt.date, zone: ZoneInfo) -> dict[str, Any]:
    def on(moment: dt.datetime | None) -> bool:
        return moment is not None and local(moment, zone) == day

    def by(moment: dt.datetime | None) -> bool:
        return moment is not None and local(moment, zone) <= day

    counted = [h for h in hazards if h.status is not HazardStatus.DISMISSED]
    return {
        "day": day.isoformat(),
        "hazardsFound": sum(on(h.found_at) for h in counted),
        "hazardsRectified": sum(on(h.accepted_at) and h.status in DONE for h in counted),
        "inspections": sum(on(i.submitted_at) and i.status is not InspectionStatus.CANCELLED for i in visits),
        "casesFiled": sum(on(c.filed_at) for c in cases),
        "hazardsOpenAtEnd": sum(by(h.found_at) and not by(h.closed_at) for h in counted),
    }


async def check_portraits(
    executor: Executor, world: World, keys: dict[Any, list[int]], windows: list[Days], now: dt.datetime, zone: ZoneInfo
) -> None:
    """The portraits of all rows of KINDS, whose keys are given by model, equal counts of all rows, in each window."""
    parts = []
    for kind, (name, model) in KINDS.items():
        ids = ", ".join(f'"{node_id.encode(name, key)}"' for key in keys[model])
        for number, (first, last) in enumerate(windows):
            window = f'{{ from: "{first}", to: "{last}" }}'
            selection = f"... on {name} {{ portrait(window: {window}) {{ ...P }} }}"
            parts.append(f"{kind}_{number}: nodes(ids: [{ids}]) {{ {selection} }}")
    answer = await executor.run(Operation(f"{{ {' '.join(parts)} }} {PORTRAIT}"), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    for kind, (_, model) in KINDS.items():
        for number, days in enumerate(windows):
            for key, node in zip(keys[model], answer.data[f"{kind}_{number}"], strict=True):
                portrait = node["portrait"]
                del portrait["cursor"]
                portrait["asOf"] = dt.datetime.fromisoformat(portrait["asOf"]).isoformat()
                assert portrait == world.portrait(kind, key, days, now, zone), (kind, key, days)
