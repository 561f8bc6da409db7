"""Actions on warnings, and rainfall readings, which raise and lift rainstorm warnings.

The thresholds of a rainstorm warning are the published ones: BLUE 50 mm in 12 hours, YELLOW 50 mm in 6 hours, ORANGE
50 mm in 3 hours, RED 100 mm in 3 hours. A warning raised by readings is lifted after six hours in which none of the
thresholds was reached.
"""

import asyncio
import bisect
import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import sqlalchemy as sa
from sqlmodel import col

from models import EventKind, RainfallReading, Warning, WarningKind, WarningLevel, Zone
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.batch import RowResult, attempt, batch_action
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import ActionError, InputError, InvalidInput, NotFound
from resolvers.actions.inputs import IN_FUTURE, out_of_range

# Level, hours, millimetres; the gravest first.
THRESHOLDS = (
    (WarningLevel.RED, 3, 100.0),
    (WarningLevel.ORANGE, 3, 50.0),
    (WarningLevel.YELLOW, 6, 50.0),
    (WarningLevel.BLUE, 12, 50.0),
)
CALM = dt.timedelta(hours=6)
PERIOD = dt.timedelta(hours=24)  # before the latest reading, beyond which no reading counts
MILLIONTHS = 1_000_000
MILLIMETRES_MAXIMUM = 2_000.0  # above the record for a day: 1,825 mm, La Réunion 1966 (WMO)


async def issue(
    context: ActionContext, *, kind: WarningKind, level: WarningLevel, headline: str, zone: int | None = None
) -> ActionResult:
    if zone is not None:
        await context.get(Zone, zone)
    warning = await context.add(Warning(zone_id=zone, kind=kind, level=level, headline=headline, issued_at=context.now))
    context.record(EventKind.WARNING_ISSUED, warning, zone=zone)
    return {"warning": warning}


async def lift(context: ActionContext, *, warning: int) -> ActionResult:
    row = await context.get_subject(Warning, warning)
    if row.lifted_at is not None:
        raise InvalidInput("warning", Reason("WARNING_LIFTED", "The warning is already lifted."))
    row.lifted_at = context.now
    context.record(EventKind.WARNING_LIFTED, row, zone=row.zone_id)
    return {"warning": row}


@dataclass(frozen=True)
class ReadingRow:
    """The rain in a zone since its last reading, in mm; `at` a time or now."""

    zone: int
    millimetres: float
    at: dt.datetime | None = None


@batch_action(ReadingRow)
async def report_rainfall(context: ActionContext, rows: Sequence[ReadingRow]) -> list[RowResult]:
    """Store readings. A second report for one time replaces the first. Each may raise or lift its zone's warning."""
    zones = await context.find(Zone, [row.zone for row in rows])
    gauges = {key: await Gauge.read(context, zone) for key, zone in zones.items()}
    stored = await _readings_at(context, zones, {row.at or context.now for row in rows})

    def store(row: ReadingRow) -> ActionResult:
        if row.zone not in zones:
            raise NotFound(Zone, row.zone)
        moment = row.at or context.now
        errors: list[InputError] = []
        if not (math.isfinite(row.millimetres) and 0 <= row.millimetres <= MILLIMETRES_MAXIMUM):
            errors.append(InputError("millimetres", out_of_range(0, int(MILLIMETRES_MAXIMUM))))
        if moment > context.now + dt.timedelta(minutes=1):
            errors.append(InputError("at", IN_FUTURE))
        if errors:
            raise InvalidInput.of(errors)
        reading = stored.get((row.zone, moment))
        if reading is None:
            reading = stored[row.zone, moment] = RainfallReading(zone_id=row.zone, at=moment, millimetres=0)
            context.session.add(reading)
        reading.millimetres = row.millimetres
        return {"zone": zones[row.zone], "warnings": []}

    results: list[RowResult] = []
    for row in rows:
        result = attempt(store, row)
        if not isinstance(result, ActionError):
            gauges[row.zone].put(row.at or context.now, row.millimetres)
            changed = await gauges[row.zone].update_warning(context)
            result = {**result, "warnings": [changed] if changed else []}
        results.append(result)
        await asyncio.sleep(0)  # others are served between two rows
    return results


async def _readings_at(
    context: ActionContext, zones: Iterable[int], moments: set[dt.datetime]
) -> dict[tuple[int, dt.datetime], RainfallReading]:
    """The readings of these moments that are stored already."""
    reading = sa.select(RainfallReading).where(col(RainfallReading.zone_id).in_(zones))
    rows = await context.session.execute(reading.where(col(RainfallReading.at).in_(sorted(moments))))
    return {(row.zone_id, row.at): row for row in rows.scalars()}


@dataclass(eq=False)
class Gauge:
    """A zone's rain in the 24 hours up to its latest reading, and its automatic rainstorm warning in force.

    `rain` is by time in millionths of a millimetre: sums of whole numbers are exact, so that ten times 0.1 mm is 1 mm.
    """

    zone: Zone
    rain: dict[dt.datetime, int]
    in_force: Warning | None

    @classmethod
    async def read(cls, context: ActionContext, zone: Zone) -> "Gauge":
        gauge = cls(zone, {}, await _in_force(context, zone.id))
        table = table_of(RainfallReading)
        own = table.c.zone_id == zone.id
        latest = sa.select(sa.func.max(table.c.at)).where(own)
        if (last := (await context.session.execute(latest)).scalar_one()) is not None:
            recent = sa.select(table.c.at, table.c.millimetres).where(own, table.c.at > last - PERIOD)
            for row in await context.session.execute(recent):
                gauge.put(row.at, row.millimetres)
        return gauge

    def put(self, at: dt.datetime, millimetres: float) -> None:
        self.rain[at] = round(millimetres * MILLIONTHS)

    def curve(self) -> tuple[list[dt.datetime], list[int]]:
        """The times of the readings, oldest first, and the sums of all rain before each and at the end."""
        latest = max(self.rain)
        times = sorted(time for time in self.rain if time > latest - PERIOD)
        return times, [*accumulate((self.rain[time] for time in times), initial=0)]

    async def update_warning(self, context: ActionContext) -> Warning | None:
        """Raise, aggravate or lift the zone's warning. Returns the warning if it changed."""
        times, sums = self.curve()
        level, warning, zone = level_of(times, sums), self.in_force, self.zone
        if level is not None:
            if warning is not None and level.value <= warning.level.value:
                return None
            if warning is None:
                kind = WarningKind.RAINSTORM
                warning = Warning(zone_id=zone.id, kind=kind, level=level, headline="", issued_at=context.now)
                warning.automatic = True
            warning.level, warning.headline = level, f"{zone.name}: {level.name} rainstorm warning from readings"
            event, self.in_force = EventKind.WARNING_RAISED, warning
        elif warning is not None and times[-1] - (threshold_reached_until(times, sums) or warning.issued_at) >= CALM:
            warning.lifted_at = context.now
            event, self.in_force = EventKind.WARNING_LIFTED, None
        else:
            return None
        context.session.add(warning)
        await context.session.flush()
        context.record(event, warning, zone=zone.id, automatic=True)
        await context.settle()
        return warning


def level_of(times: list[dt.datetime], sums: list[int]) -> WarningLevel | None:
    """The gravest level whose threshold the readings in the hours up to the last one reach, or None."""
    for level, hours, millimetres in THRESHOLDS:
        start = bisect.bisect_right(times, times[-1] - dt.timedelta(hours=hours))
        if sums[-1] - sums[start] >= millimetres * MILLIONTHS:
            return level
    return None


def threshold_reached_until(times: list[dt.datetime], sums: list[int]) -> dt.datetime | None:
    """Until when the lowest threshold counts as reached: 12 hours after the last of the readings that begin it."""
    _, hours, millimetres = THRESHOLDS[-1]
    for start in reversed(range(len(times))):
        end = times[start] + dt.timedelta(hours=hours)
        if sums[bisect.bisect_left(times, end)] - sums[start] >= millimetres * MILLIONTHS:
            return end
    return None


async def _in_force(context: ActionContext, zone: int) -> Warning | None:
    statement = sa.select(Warning).where(
        col(Warning.zone_id) == zone,
        col(Warning.automatic),
        col(Warning.lifted_at).is_(None),
        col(Warning.kind) == WarningKind.RAINSTORM,
    )
    return (await context.session.execute(statement.with_for_update())).scalars().first()
