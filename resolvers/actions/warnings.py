"""Actions on warnings, and rainfall readings, which raise and lift rainstorm warnings.

The thresholds of a rainstorm warning are the published ones: BLUE 50 mm in 12 hours, YELLOW 50 mm in 6 hours, ORANGE
50 mm in 3 hours, RED 100 mm in 3 hours. A warning raised by readings is lifted after six hours in which none of the
thresholds was reached.
"""

import datetime as dt
import math
from collections.abc import Iterable

import sqlalchemy as sa
from sqlmodel import col

from models import EventKind, RainfallReading, Warning, WarningKind, WarningLevel, Zone
from models.db.tables import table_of
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import InvalidInput

# Level, hours, millimetres; the gravest first.
THRESHOLDS = (
    (WarningLevel.RED, 3, 100.0),
    (WarningLevel.ORANGE, 3, 50.0),
    (WarningLevel.YELLOW, 6, 50.0),
    (WarningLevel.BLUE, 12, 50.0),
)
CALM = dt.timedelta(hours=6)
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
        raise InvalidInput("warning", "The warning is already lifted.")
    row.lifted_at = context.now
    context.record(EventKind.WARNING_LIFTED, row, zone=row.zone_id)
    return {"warning": row}


async def report_rainfall(
    context: ActionContext, *, zone: int, millimetres: float, at: dt.datetime | None = None
) -> ActionResult:
    """Store the rain since the zone's last reading, in mm. A second report for one time replaces the first."""
    row = await context.get(Zone, zone)
    moment = at or context.now
    if not (math.isfinite(millimetres) and 0 <= millimetres <= MILLIMETRES_MAXIMUM):
        raise InvalidInput("millimetres", f"From 0 to {MILLIMETRES_MAXIMUM:,.0f}.")
    if moment > context.now + dt.timedelta(minutes=1):
        raise InvalidInput("at", "The time must not be in the future.")
    existing = sa.select(RainfallReading).where(col(RainfallReading.zone_id) == zone, col(RainfallReading.at) == moment)
    reading = (await context.session.execute(existing)).scalar_one_or_none()
    if reading is None:
        await context.add(RainfallReading(zone_id=zone, at=moment, millimetres=millimetres))
    else:
        reading.millimetres = millimetres
        await context.session.flush()
    changed = await _update_rainstorm_warning(context, row)
    return {"zone": row, "warnings": [changed] if changed else []}


async def _update_rainstorm_warning(context: ActionContext, zone: Zone) -> Warning | None:
    """Raise, aggravate or lift the zone's automatic rainstorm warning. Returns the warning if it changed."""
    readings = await _readings(context, zone.id)
    latest = readings[-1][0]
    level = level_at(readings, latest)
    in_force = await _in_force(context, zone.id)
    if level is not None and in_force is None:
        warning = await context.add(
            Warning(
                zone_id=zone.id,
                kind=WarningKind.RAINSTORM,
                level=level,
                headline=f"{zone.name}: {level.name} rainstorm warning from readings",
                issued_at=context.now,
                automatic=True,
            )
        )
        context.record(EventKind.WARNING_RAISED, warning, zone=zone.id, automatic=True)
        return warning
    if in_force is None:
        return None
    if level is not None:
        if level.value <= in_force.level.value:
            return None
        in_force.level, in_force.headline = level, f"{zone.name}: {level.name} rainstorm warning from readings"
        context.record(EventKind.WARNING_RAISED, in_force, zone=zone.id, automatic=True)
        return in_force
    if latest - (threshold_reached_until(readings) or in_force.issued_at) < CALM:
        return None
    in_force.lifted_at = context.now
    context.record(EventKind.WARNING_LIFTED, in_force, zone=zone.id, automatic=True)
    return in_force


def level_at(readings: list[tuple[dt.datetime, float]], at: dt.datetime) -> WarningLevel | None:
    """The gravest level whose threshold the readings in the hours up to `at` reach, or None."""
    for level, hours, millimetres in THRESHOLDS:
        start = at - dt.timedelta(hours=hours)
        if total(rain for time, rain in readings if start < time <= at) >= millimetres:
            return level
    return None


def threshold_reached_until(readings: list[tuple[dt.datetime, float]]) -> dt.datetime | None:
    """Until when the lowest threshold counts as reached: 12 hours after the first of the readings that reach it."""
    _, hours, millimetres = THRESHOLDS[-1]
    ends = []
    for first, _ in readings:
        end = first + dt.timedelta(hours=hours)
        if total(rain for time, rain in readings if first <= time < end) >= millimetres:
            ends.append(end)
    return max(ends, default=None)


def total(millimetres: Iterable[float]) -> float:
    """The sum rounded to six decimals, so that ten times 0.1 mm is 1 mm."""
    return round(math.fsum(millimetres), 6)


async def _readings(context: ActionContext, zone: int) -> list[tuple[dt.datetime, float]]:
    """The zone's readings in the 24 hours up to its latest, oldest first."""
    table = table_of(RainfallReading)
    in_zone = table.c.zone_id == zone
    latest = (await context.session.execute(sa.select(sa.func.max(table.c.at)).where(in_zone))).scalar_one()
    rows = sa.select(table.c.at, table.c.millimetres).where(in_zone, table.c.at > latest - dt.timedelta(hours=24))
    return [(row.at, row.millimetres) for row in await context.session.execute(rows.order_by(table.c.at))]


async def _in_force(context: ActionContext, zone: int) -> Warning | None:
    statement = sa.select(Warning).where(
        col(Warning.zone_id) == zone,
        col(Warning.automatic),
        col(Warning.lifted_at).is_(None),
        col(Warning.kind) == WarningKind.RAINSTORM,
    )
    return (await context.session.execute(statement.with_for_update())).scalars().first()
