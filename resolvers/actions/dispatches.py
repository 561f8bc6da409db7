"""What is done in the course of a dispatch, and what becomes of the stock for it."""

import sqlalchemy as sa
from sqlmodel import col

import models
from models import DISPATCH_OVER, Dispatch, DispatchStatus, EventKind, StockItem
from resolvers.actions.context import ActionContext, Result
from resolvers.actions.errors import InvalidInput, StockExhausted
from resolvers.actions.inputs import Place
from resolvers.actions.resources import record_stock


async def request(
    act: ActionContext,
    *,
    purpose: str,
    to: Place | None = None,
    enterprise: int | None = None,
    venue: int | None = None,
) -> Result:
    """Ask for something at a point; without one, where the enterprise or else the venue is."""
    places: list[models.Enterprise | models.Venue] = []
    if enterprise is not None:
        places.append(await act.get(models.Enterprise, enterprise))
    if venue is not None:
        places.append(await act.get(models.Venue, venue))
    known = [Place(p.latitude, p.longitude) for p in places if p.latitude is not None and p.longitude is not None]
    points = [to, *known]
    point = next((p for p in points if p is not None), None)
    if point is None:
        raise InvalidInput("to", "Say where to: neither an enterprise nor a venue with a location is named.")
    dispatch = await act.add(
        Dispatch(
            status=DispatchStatus.REQUESTED,
            purpose=purpose,
            latitude=point.latitude,
            longitude=point.longitude,
            enterprise_id=enterprise,
            venue_id=venue,
            requested_at=act.now,
        )
    )
    act.record(EventKind.DISPATCH_REQUESTED, dispatch, None, dispatch.status)
    return {"dispatch": dispatch}


async def assign(
    act: ActionContext,
    *,
    dispatch: int,
    team: int | None = None,
    expert: int | None = None,
    stock_item: int | None = None,
    quantity: int | None = None,
) -> Result:
    """Choose a team, an expert, or so many units of a stock item, which are reserved."""
    row = await act.subject(Dispatch, dispatch)
    act.step("dispatch", row)
    if [team, expert, stock_item].count(None) != 2:
        raise InvalidInput("team", "Name exactly one of team, expert and stockItem.")
    if (stock_item is None) != (quantity is None) or (quantity is not None and quantity < 1):
        raise InvalidInput("quantity", "A stock item, and nothing else, has a quantity of 1 or more.")
    row.team_id, row.expert_id, row.stock_item_id, row.quantity = team, expert, stock_item, quantity
    if stock_item is not None and quantity is not None:
        await _reserve(act, stock_item, quantity)
    elif team is not None:
        await _free(act, row, models.Team, team, "team")
    elif expert is not None:
        await _free(act, row, models.Expert, expert, "expert")
    return {"dispatch": row}


async def _free(
    act: ActionContext, dispatch: Dispatch, model: type[models.Team | models.Expert], key: int, field: str
) -> None:
    """Raises InvalidInput where it is not on standby, or sent elsewhere."""
    resource = await act.get(model, key)
    column = col(Dispatch.team_id) if model is models.Team else col(Dispatch.expert_id)
    elsewhere = sa.select(col(Dispatch.id)).where(
        column == key, col(Dispatch.status).not_in(DISPATCH_OVER), col(Dispatch.id) != dispatch.id
    )
    if not resource.on_standby or await act.exists(elsewhere):
        raise InvalidInput(field, "It is not on standby, or is sent elsewhere already.")


async def _reserve(act: ActionContext, key: int, quantity: int) -> None:
    item = await act.get(StockItem, key)
    available = item.quantity - item.reserved
    if available < quantity:
        raise StockExhausted((StockItem, key), available)
    item.reserved += quantity
    await record_stock(act, EventKind.STOCK_RESERVED, item)


async def _stock(act: ActionContext, dispatch: Dispatch) -> StockItem | None:
    return None if dispatch.stock_item_id is None else await act.get(StockItem, dispatch.stock_item_id)


async def go_on(act: ActionContext, *, dispatch: int) -> Result:
    """A step that needs nothing else."""
    row = await act.subject(Dispatch, dispatch)
    act.step("dispatch", row)
    return {"dispatch": row}


async def arrive(act: ActionContext, *, dispatch: int) -> Result:
    row = await act.subject(Dispatch, dispatch)
    act.step("dispatch", row)
    row.arrived_at = act.now
    return {"dispatch": row}


async def complete(act: ActionContext, *, dispatch: int, drawn: int | None = None) -> Result:
    """The work is done; what was used of the stock is drawn from it."""
    row = await act.subject(Dispatch, dispatch)
    act.step("dispatch", row)
    item = await _stock(act, row)
    if (item is None) != (drawn is None):
        raise InvalidInput("drawn", "Say how much was used where stock was sent, and only there.")
    if item is not None and drawn is not None:
        if not 0 <= drawn <= (row.quantity or 0):
            raise InvalidInput("drawn", f"From 0 to the {row.quantity} that were sent.")
        item.quantity -= drawn
        item.reserved -= drawn
        if drawn:
            await record_stock(act, EventKind.STOCK_DRAWN, item)
    row.drawn, row.completed_at = drawn, act.now
    return {"dispatch": row}


async def release(act: ActionContext, *, dispatch: int) -> Result:
    """Free again, the stock that was not used as well."""
    row = await act.subject(Dispatch, dispatch)
    act.step("dispatch", row)
    await _free_stock(act, row, (row.quantity or 0) - (row.drawn or 0))
    return {"dispatch": row}


async def call_off(act: ActionContext, *, dispatch: int, reason: str | None = None) -> Result:
    """Decline or cancel: what was reserved is free again."""
    row = await act.subject(Dispatch, dispatch)
    reserved = row.quantity or 0 if row.status not in (DispatchStatus.REQUESTED, DispatchStatus.DECLINED) else 0
    act.step("dispatch", row)
    await _free_stock(act, row, reserved)
    if reason is not None:
        act.changes.say(row, "reason", reason)
    return {"dispatch": row}


async def _free_stock(act: ActionContext, dispatch: Dispatch, quantity: int) -> None:
    item = await _stock(act, dispatch)
    if item is not None and quantity:
        item.reserved -= quantity
        await record_stock(act, EventKind.STOCK_FREED, item)
