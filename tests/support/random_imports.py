"""Random imports into the tests' district: a few new and changed rows of some tables, in small batches."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from models.db.database import Database
from resolvers.register import Progress
from tests.support.actors import World
from tests.support.register_runs import run_import
from tests.support.small_register import write_files

BATCH = 2  # rows: a run of a few rows has several batches
TOP = """dates = ["iso"]
[district]
name = "萧山区"
"""
VENUES = """[venues]
file = "venues.csv"
[venues.fields]
code = "code"
name = "name"
kind = { constant = "COMPETITION" }
point = { latitude = "lat", longitude = "lon" }
strict_metres = "strict"
control_metres = "control"
alert_metres = "alert"
"""
INSPECTORS = """[inspectors]
file = "inspectors.csv"
fields = { badge = "badge", full_name = "name" }
"""
ENTERPRISES = """[enterprises]
file = "enterprises.csv"
[enterprises.fields]
external_id = "id"
name = "name"
legal_phone = "phone"
risk_grade = "grade"
point = { latitude = "lat", longitude = "lon" }
"""
CAMERAS = """[cameras]
file = "cameras.csv"
fields = { device_id = "id", name = "name", enterprise = "enterprise", online = "online" }
"""
INSPECTIONS = """[inspections]
file = "inspections.csv"
[inspections.fields]
external_id = "id"
enterprise = "enterprise"
kind = { constant = "ROUTINE" }
status = { constant = "SUBMITTED" }
submitted_at = "at"
inspectors = "by"
summary = "summary"
"""
HAZARDS = """[hazards]
file = "hazards.csv"
[hazards.fields]
external_id = "id"
enterprise = "enterprise"
inspection = "inspection"
level = "level"
status = "status"
description = "description"
found_at = "at"
closed_at = { column = "at", when = { status = "CLOSED" } }
"""
FILES = {
    "venues": VENUES,
    "inspectors": INSPECTORS,
    "enterprises": ENTERPRISES,
    "cameras": CAMERAS,
    "inspections": INSPECTIONS,
    "hazards": HAZARDS,
}
KEYS = 12  # of each table, so that the same rows are imported again and again


class ImportStopped(Exception):
    """The import was stopped or made to fail on purpose."""


class RandomImports:
    """Imports random registers into one district."""

    def __init__(self, world: World, folder: Path, random: Random) -> None:
        self._world, self._folder, self._random = world, folder, random
        folder.mkdir(parents=True, exist_ok=True)

    async def import_some(
        self,
        database: Database,
        now: Any,
        notify: Callable[[], Awaitable[None]],
        *,
        stop: int | None = None,
        fail: int | None = None,
    ) -> int:
        """Import some random files. Returns how many rows were written.

        Raises ImportStopped after `stop` batches, or within one when the run reads the clock for the `fail`th time. The
        last time that a batch reads the clock is for its event.
        """
        names = [name for name in FILES if self._random.random() < 0.5] or ["enterprises", "hazards"]
        write_files(
            self._folder, **{name: [self._row(name) for _ in range(self._random.randint(2, 5))] for name in names}
        )
        readings = 0

        def check_stop(progress: Progress) -> None:
            if stop is not None and progress.done >= stop * BATCH:
                raise ImportStopped

        def clock() -> Any:
            nonlocal readings
            readings += 1
            if readings == fail:
                raise ImportStopped
            return now

        mapping = TOP + "".join(FILES[name] for name in names)
        options: dict[str, Any] = {"batch": BATCH, "progress": check_stop, "notify": notify, "now": clock}
        outcome, _ = await run_import(database, mapping, self._folder, **options)
        return outcome.total.new + outcome.total.changed + outcome.moved

    def _row(self, name: str) -> dict[str, Any]:
        random, world = self._random, self._world
        key, word = f"{name[0]}{random.randrange(KEYS)}{world.mark}", f"名{random.randrange(100)}"
        enterprise = random.choice([f"e0{world.mark}", f"e1{world.mark}", f"e{random.randrange(KEYS)}{world.mark}"])
        place = {"lat": random.uniform(30.08, 30.12), "lon": random.uniform(120.08, 120.12)}
        time = f"2026-0{random.randint(1, 5)}-{random.randint(10, 28)}T08:00:00Z"
        match name:
            case "venues":
                radii = {n: random.choice(["", 500, 1000, 2000]) for n in ("strict", "control", "alert")}
                code = f"v{world.mark}" if random.random() < 0.7 else key
                return {"code": code, "name": word, "lat": 30.1, "lon": 120.1, **radii}
            case "inspectors":
                return {"badge": f"b{random.randrange(5)}{world.mark}", "name": word}
            case "enterprises":
                grade = random.choice(["", "RED", "BLUE"])
                return {"id": enterprise, "name": word, "phone": "1", "grade": grade, **place}
            case "cameras":
                return {"id": key, "name": word, "enterprise": enterprise, "online": random.choice(["true", "false"])}
            case "inspections":
                by = f"b{random.randrange(3)}{world.mark}"
                return {"id": key, "enterprise": enterprise, "at": time, "by": by, "summary": word}
        status = random.choice(["FOUND", "ASSIGNED", "CLOSED"])
        about = {"id": key, "enterprise": enterprise, "inspection": "", "level": random.choice(["GENERAL", "MAJOR"])}
        return {**about, "status": status, "description": word, "at": time}
