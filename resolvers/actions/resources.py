"""Actions on resources: duty, standby, positions of inspectors, and stock that is received."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from models import EventKind, Expert, Inspector, Role, StockItem, Team, Warehouse
from models.reason import Reason
from resolvers.actions.batch import RowResult, attempt, batch_action, portions
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import Forbidden, InvalidInput, NotFound
from resolvers.actions.inputs import IN_FUTURE, Place
from resolvers.sql.pagination import INTEGER_MAXIMUM

STOCK_RANGE = Reason("STOCK_RANGE", "At least 1, and a total of at most {maximum:,}.", maximum=INTEGER_MAXIMUM)


async def record_stock(context: ActionContext, kind: EventKind, item: StockItem) -> None:
    """Record an event about stock, in the zone of its warehouse."""
    warehouse = await context.session.get_one(Warehouse, item.warehouse_id)
    context.record(kind, item, zone=warehouse.zone_id)


def _require_own(context: ActionContext, inspector: int) -> None:
    if context.viewer.role is Role.INSPECTOR and context.viewer.inspector != inspector:
        raise Forbidden(Reason("INSPECTOR_OTHER", "An inspector can report only for themselves."))


async def set_duty(context: ActionContext, *, inspector: int, on_duty: bool) -> ActionResult:
    _require_own(context, inspector)
    row = await context.get_subject(Inspector, inspector)
    row.on_duty = on_duty
    context.record(EventKind.INSPECTOR_DUTY_SET, row, zone=row.zone_id)
    return {"inspector": row}


@dataclass(frozen=True)
class PositionRow:
    """A position of an inspector, `at` a time or now."""

    inspector: int
    position: Place
    at: dt.datetime | None = None


@batch_action(PositionRow)
async def report_positions(context: ActionContext, rows: Sequence[PositionRow]) -> list[RowResult]:
    """Overwrite an inspector's latest position unless a later one is known. Records no event."""
    inspectors = await context.find(Inspector, [row.inspector for row in rows])

    def report(row: PositionRow) -> ActionResult:
        _require_own(context, row.inspector)
        inspector = inspectors.get(row.inspector)
        if inspector is None:
            raise NotFound(Inspector, row.inspector)
        moment = row.at or context.now
        if moment > context.now + dt.timedelta(minutes=1):
            raise InvalidInput("at", IN_FUTURE)
        if inspector.position_at is None or moment >= inspector.position_at:
            place = row.position
            inspector.latitude, inspector.longitude, inspector.position_at = place.latitude, place.longitude, moment
        return {"inspector": inspector}

    results: list[RowResult] = []
    async for portion in portions(rows):
        results += [attempt(report, row) for row in portion]
        await context.session.flush()
    return results


async def set_team_standby(context: ActionContext, *, team: int, on_standby: bool) -> ActionResult:
    row = await context.get_subject(Team, team)
    row.on_standby = on_standby
    context.record(EventKind.TEAM_STANDBY_SET, row, zone=row.zone_id)
    return {"team": row}


async def set_expert_standby(context: ActionContext, *, expert: int, on_standby: bool) -> ActionResult:
    row = await context.get_subject(Expert, expert)
    row.on_standby = on_standby
    context.record(EventKind.EXPERT_STANDBY_SET, row, zone=row.zone_id)
    return {"expert": row}


async def receive_stock(context: ActionContext, *, stock_item: int, quantity: int) -> ActionResult:
    row = await context.get_subject(StockItem, stock_item)
    if quantity < 1 or row.quantity + quantity > INTEGER_MAXIMUM:
        raise InvalidInput("quantity", STOCK_RANGE)
    row.quantity += quantity
    await record_stock(context, EventKind.STOCK_RECEIVED, row)
    return {"stock_item": row}
