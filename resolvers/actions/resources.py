"""Who is on duty and on standby, where inspectors are, and what comes into stock."""

import datetime as dt

from models import EventKind, Expert, Inspector, Role, StockItem, Team, Warehouse
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inputs import Place
from resolvers.sql.pagination import INTEGER_MAXIMUM


async def record_stock(context: ActionContext, kind: EventKind, item: StockItem) -> None:
    """An event about stock, which is in the zone of its warehouse."""
    warehouse = await context.session.get_one(Warehouse, item.warehouse_id)
    context.record(kind, item, zone=warehouse.zone_id)


async def _inspector(context: ActionContext, key: int) -> Inspector:
    if context.viewer.role is Role.INSPECTOR and context.viewer.inspector != key:
        raise Forbidden("An inspector speaks for themselves only.")
    return await context.get_subject(Inspector, key)


async def set_duty(context: ActionContext, *, inspector: int, on_duty: bool) -> ActionResult:
    row = await _inspector(context, inspector)
    row.on_duty = on_duty
    context.record(EventKind.INSPECTOR_DUTY_SET, row, zone=row.zone_id)
    return {"inspector": row}


async def report_position(
    context: ActionContext, *, inspector: int, position: Place, at: dt.datetime | None = None
) -> ActionResult:
    """Overwrite the latest position, unless a later one was reported meanwhile. It leaves no event."""
    row = await _inspector(context, inspector)
    moment = at or context.now
    if moment > context.now + dt.timedelta(minutes=1):
        raise InvalidInput("at", "That time has not come yet.")
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
        raise InvalidInput("quantity", "At least 1, and no more than can be counted.")
    row.quantity += quantity
    await record_stock(context, EventKind.STOCK_RECEIVED, row)
    return {"stock_item": row}
