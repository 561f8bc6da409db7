"""Who is on duty and on standby, where inspectors are, and what comes into stock."""

import datetime as dt

from models import EventKind, Expert, Inspector, Role, StockItem, Team, Warehouse
from resolvers.actions.context import ActionContext, Result
from resolvers.actions.errors import Forbidden, InvalidInput
from resolvers.actions.inputs import Place
from resolvers.sql.pagination import INTEGER_MAXIMUM


async def record_stock(act: ActionContext, kind: EventKind, item: StockItem) -> None:
    """An event about stock, which is in the zone of its warehouse."""
    warehouse = await act.session.get_one(Warehouse, item.warehouse_id)
    act.record(kind, item, zone=warehouse.zone_id)


async def _inspector(act: ActionContext, key: int) -> Inspector:
    if act.viewer.role is Role.INSPECTOR and act.viewer.inspector != key:
        raise Forbidden("An inspector speaks for themselves only.")
    return await act.subject(Inspector, key)


async def set_duty(act: ActionContext, *, inspector: int, on_duty: bool) -> Result:
    row = await _inspector(act, inspector)
    row.on_duty = on_duty
    act.record(EventKind.INSPECTOR_DUTY_SET, row, zone=row.zone_id)
    return {"inspector": row}


async def report_position(
    act: ActionContext, *, inspector: int, position: Place, at: dt.datetime | None = None
) -> Result:
    """Overwrite the latest position, unless a later one was reported meanwhile. It leaves no event."""
    row = await _inspector(act, inspector)
    moment = at or act.now
    if moment > act.now + dt.timedelta(minutes=1):
        raise InvalidInput("at", "That time has not come yet.")
    if row.position_at is None or moment >= row.position_at:
        row.latitude, row.longitude, row.position_at = position.latitude, position.longitude, moment
    return {"inspector": row}


async def set_team_standby(act: ActionContext, *, team: int, on_standby: bool) -> Result:
    row = await act.subject(Team, team)
    row.on_standby = on_standby
    act.record(EventKind.TEAM_STANDBY_SET, row, zone=row.zone_id)
    return {"team": row}


async def set_expert_standby(act: ActionContext, *, expert: int, on_standby: bool) -> Result:
    row = await act.subject(Expert, expert)
    row.on_standby = on_standby
    act.record(EventKind.EXPERT_STANDBY_SET, row, zone=row.zone_id)
    return {"expert": row}


async def receive_stock(act: ActionContext, *, stock_item: int, quantity: int) -> Result:
    row = await act.subject(StockItem, stock_item)
    if quantity < 1 or row.quantity + quantity > INTEGER_MAXIMUM:
        raise InvalidInput("quantity", "At least 1, and no more than can be counted.")
    row.quantity += quantity
    await record_stock(act, EventKind.STOCK_RECEIVED, row)
    return {"stock_item": row}
