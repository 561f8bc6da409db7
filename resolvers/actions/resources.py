"""Actions on resources: duty, standby, positions of inspectors, and stock that is received."""

import datetime as dt

from models import EventKind, Expert, Inspector, Role, StockItem, Team, Warehouse
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inputs import Place
from resolvers.sql.pagination import INTEGER_MAXIMUM


async def record_stock(context: ActionContext, kind: EventKind, item: StockItem) -> None:
    """Record an event about stock, in the zone of its warehouse."""
    warehouse = await context.session.get_one(Warehouse, item.warehouse_id)
    context.record(kind, item, zone=warehouse.zone_id)


async def _get_inspector(context: ActionContext, key: int) -> Inspector:
    if context.viewer.role is Role.INSPECTOR and context.viewer.inspector != key:
        raise Forbidden("An inspector can report only for themselves.")
    return await context.get_subject(Inspector, key)


async def set_duty(context: ActionContext, *, inspector: int, on_duty: bool) -> ActionResult:
    row = await _get_inspector(context, inspector)
    row.on_duty = on_duty
    context.record(EventKind.INSPECTOR_DUTY_SET, row, zone=row.zone_id)
    return {"inspector": row}


async def report_position(
    context: ActionContext, *, inspector: int, position: Place, at: dt.datetime | None = None
) -> ActionResult:
    """Overwrite the latest position unless a later one is known. Records no event."""
    row = await _get_inspector(context, inspector)
    moment = at or context.now
    if moment > context.now + dt.timedelta(minutes=1):
        raise InvalidInput("at", "The time must not be in the future.")
    if row.position_at is None or moment >= row.position_at:
        row.latitude, row.longitude, row.position_at = position.latitude, position.longitude, moment
    return {"inspector": row}


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
        raise InvalidInput("quantity", "At least 1, and a total of at most 2,147,483,647.")
    row.quantity += quantity
    await record_stock(context, EventKind.STOCK_RECEIVED, row)
    return {"stock_item": row}
