"""Portraits of random districts against a plain count of all rows: every indicator, every parent, unusual windows.

So are the monthly trends and the usual bands.
"""

import datetime as dt
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

import models
from models import CaseStatus, HazardLevel, HazardStatus, InspectionStatus, PenaltyKind, RiskGrade
from models.db import portrait_sums
from models.db.database import Database
from models.db.sqlite_functions import local_day
from models.enterprise_set import PORTION
from schema.build import Graph
from schema.execution.executor import Executor
from tests.conftest import NOW, SHANGHAI
from tests.support.portrait_reference import DAY, Days, World, check_portraits
from tests.support.proof_mode import examples
from tests.support.standing_reference import check_standings

# Havana's clocks go back from 1:00 to 0:00, so one day has two midnights, and forward at midnight.
ZONES = [SHANGHAI, ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana")]
SECOND = dt.timedelta(seconds=1)
CLEARED: tuple[Any, ...] = (
    models.Case,
    models.Hazard,
    models.Inspection,
    models.EnterpriseRing,
    models.ControlRing,
    models.Enterprise,
    models.Venue,
    models.Zone,
    models.District,
)
H, C = HazardStatus, CaseStatus


class Draw:
    """A random district, as rows by model. Times lie near the beginnings of days, in the zone or in UTC."""

    def __init__(self, rng: Random, zone: ZoneInfo, now: dt.datetime) -> None:
        self.rng, self.zone, self.now = rng, zone, now
        today = now.astimezone(zone).date()
        year = today.year
        # The rows lie close to three days: today, the end of the year, or days when clocks change.
        turns = [dt.date(year, 1, 1), dt.date(year, 3, 29), dt.date(year - 1, 10, 26), dt.date(year, 3, 8)]
        turns += [dt.date(year - 1, 11, 2), today - 3 * DAY]
        self.days = [today, *rng.sample(turns, 2)]
        self.rows: dict[Any, list[dict[str, Any]]] = {model: [] for model in CLEARED}

    def moment(self, *, past: bool = True) -> dt.datetime:
        """A time near a midnight of the zone or of UTC, or any time of the day; if `past`, not later than now."""
        day = self.rng.choice(self.days) + self.rng.randrange(-1, 2) * DAY
        zone = self.rng.choice([self.zone, self.zone, dt.UTC])
        midnight = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
        shift = self.rng.choice([-SECOND, 0 * SECOND, SECOND, self.rng.randrange(86_400) * SECOND])
        moment = midnight + shift
        return min(moment, self.now) if past else moment

    def add(self, model: Any, **values: Any) -> int:
        self.rows[model].append({"id": len(self.rows[model]) + 1, **values})
        return len(self.rows[model])

    def run(self) -> dict[Any, list[dict[str, Any]]]:
        rng = self.rng
        self.add(models.District, name="D", time_zone=str(self.zone))
        for zone in range(1, 4):
            self.add(models.Zone, district_id=1, code=f"Z{zone}", name="z", focus=[], plan="p", boundary={})
        for venue in range(1, 4):
            self.add(models.Venue, code=f"V{venue}", name="v", kind=models.VenueKind.OTHER)
            for grade in rng.sample(list(models.ControlGrade), rng.randrange(0, 4)):
                self.add(models.ControlRing, venue_id=venue, grade=grade, radius_metres=500)
        for number in range(1, rng.randrange(2, 12)):
            grade = rng.choice([None, *RiskGrade])
            retired = rng.choice([None, None, None, self.now])
            values = {"name": "e", "zone_id": rng.choice([None, 1, 2]), "risk_grade": grade, "retired_at": retired}
            self.add(models.Enterprise, **values)
            # The ids are in several portions of the sets of enterprises; every third is the first of its portion.
            enterprise = self.rows[models.Enterprise][-1]["id"] = number * PORTION // 3
            for ring in range(1, len(self.rows[models.ControlRing]) + 1):
                if rng.random() < 0.3:
                    self.add(models.EnterpriseRing, ring_id=ring, enterprise_id=enterprise)
            for _ in range(rng.randrange(0, 10)):
                self.inspection(enterprise)
            for _ in range(rng.randrange(0, 12)):
                self.hazard(enterprise)
        return self.rows

    def inspection(self, enterprise: int) -> None:
        status = self.rng.choice(list(InspectionStatus))
        submitted = self.moment() if self.rng.random() < 0.8 else None
        key = self.add(models.Inspection, enterprise_id=enterprise, kind="ROUTINE", status=status)
        self.rows[models.Inspection][-1] |= {"kind": models.InspectionKind.ROUTINE, "submitted_at": submitted}
        for _ in range(self.rng.choice([0, 1, 2])):
            case = self.rng.choice([*CaseStatus, C.DECIDED, C.EXECUTING, C.CLOSED])
            penal = case in (C.DECIDED, C.EXECUTING) or (case is C.CLOSED and self.rng.random() < 0.5)
            self.add(
                models.Case,
                inspection_id=key,
                enterprise_id=enterprise,
                status=case,
                grounds="g",
                filed_at=None if case in (C.PROPOSED, C.NOT_FILED) else self.moment(),
                penalty_kinds=[PenaltyKind.WARNING] if penal else None,
                decided_at=self.moment() if penal and self.rng.random() < 0.8 else None,
            )

    def hazard(self, enterprise: int) -> None:
        rng, status = self.rng, self.rng.choice(list(HazardStatus))
        seen = [i["id"] for i in self.rows[models.Inspection] if i["enterprise_id"] == enterprise]
        found_at, rectified, accepted, closed = sorted(self.moment() for _ in range(4))
        handed_in = status in (H.PENDING_ACCEPTANCE, H.ACCEPTED, H.CLOSED)
        # Deadlines equal to the rectification time or to now test the comparisons.
        deadline = rng.choice([None, rectified, self.now, self.moment(past=False), self.moment(past=False)])
        self.add(
            models.Hazard,
            enterprise_id=enterprise,
            inspection_id=rng.choice([None, *seen]),
            level=rng.choice(list(HazardLevel)),
            status=status,
            description="d",
            found_at=found_at,
            deadline=deadline,
            rectified_at=rectified if handed_in else None,
            accepted_at=accepted if status in (H.ACCEPTED, H.CLOSED) else None,
            closed_at=closed if status is H.CLOSED else None,
        )

    def window(self) -> Days:
        """A window of one day, a few or many; in the past, the future or the far past."""
        rng = self.rng
        far = rng.choice([dt.date(2001, 2, 28), dt.date(2099, 12, 30)])
        first = rng.choice([*self.days, *self.days, far]) + rng.randrange(-1, 2) * DAY
        return first, first + rng.choice([0, 0, 1, 2, 7, 30]) * DAY


async def fill(database: Database, rows: dict[Any, list[dict[str, Any]]]) -> None:
    """Replace all rows by these."""
    async with database.write() as session:
        connection = await session.connection()
        for model in CLEARED:
            await connection.execute(sa.delete(model.__table__))
        for model in reversed(CLEARED):
            if rows[model]:
                await connection.execute(sa.insert(model.__table__), rows[model])
        await portrait_sums.rebuild(connection)


def at(graph: Graph, database: Database, zone: ZoneInfo, now: dt.datetime) -> Executor:
    return Executor(graph, database, zone, lambda: now)


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "Africa/Monrovia", "Asia/Kathmandu"])
def test_local_days_on_sqlite_are_right_in_every_zone(name: str) -> None:
    """Also for offsets that are not whole hours or minutes, such as Monrovia's until 1972."""
    rng, zone = Random(name), ZoneInfo(name)
    for _ in range(examples(200)):
        day = dt.date(rng.choice([1900, 1901, 1971, 1972, 1973, 2026]), 1, rng.randrange(1, 29))
        midnight = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
        for shift in (-SECOND, 0 * SECOND, SECOND, rng.randrange(86_400) * SECOND):
            time = midnight + shift
            text = time.isoformat(timespec="microseconds")
            assert local_day(text, name) == time.astimezone(zone).date().isoformat()


@pytest.mark.exhaustive
@pytest.mark.parametrize("zone", ZONES, ids=str)
async def test_every_indicator_equals_counting_all_rows(graph: Graph, database: Database, zone: ZoneInfo) -> None:
    for seed in range(examples(3)):
        rng = Random(f"{zone} {seed}")
        # Now is close to a midnight too, and all past rows are before it.
        now = NOW + rng.randrange(0, 200) * DAY + rng.choice([0, 8, 12, 16]) * 3_600 * SECOND
        draw = Draw(rng, zone, now)
        rows = draw.run()
        await fill(database, rows)
        world = await World.read(database)
        windows = [draw.window() for _ in range(3)]
        if seed == 0:
            windows = [(now.date() - 80 * DAY, now.date() + 20 * DAY)]
        later = now + rng.choice([0 * DAY, 40 * DAY])
        execution = at(graph, database, zone, later)
        keys = {model: [row["id"] for row in rows[model]] for model in rows}
        await check_portraits(execution, world, keys, windows, later, zone)
        await check_standings(execution, world, keys, later, zone)
