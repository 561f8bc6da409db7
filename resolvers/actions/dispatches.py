"""Actions on dispatches, from the request to the release, and the stock that they reserve and draw."""

import sqlalchemy as sa
from sqlmodel import col

import models
from models import Dispatch, DispatchStatus, EventKind, StockItem
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import InvalidInput, StockExhausted
from resolvers.actions.inputs import Place
from resolvers.actions.resources import record_stock
from resolvers.availability import AVAILABLE


async def _destination(context: ActionContext, to: Place | None, enterprise: int | None, venue: int | None) -> Place:
    """The point, or else the location of the enterprise, or else of the venue. Raises InvalidInput without any."""
    destinations: list[models.Enterprise | models.Venue] = []
    if enterprise is not None:
        destinations.append(await context.get(models.Enterprise, enterprise))
    if venue is not None:
        destinations.append(await context.get(models.Venue, venue))
    points = [] if to is None else [to]
    points += [
        Place(row.latitude, row.longitude)
        for row in destinations
        if row.latitude is not None and row.longitude is not None
    ]
    if not points:
        raise InvalidInput(
            "to", Reason("DISPATCH_PLACE", "Give a point, or name an enterprise or a venue with a location.")
        )
    return points[0]


async def request(
    context: ActionContext,
    *,
    purpose: str,
    to: Place | None = None,
    enterprise: int | None = None,
    venue: int | None = None,
    team: int | None = None,
    expert: int | None = None,
    stock_item: int | None = None,
    quantity: int | None = None,
) -> ActionResult:
    """Request a dispatch to a point, or else to the location of the enterprise, or else of the venue.

    With a resource it is assigned at once, so that a dispatch whose resource is gone is never left behind.
    """
    place = await _destination(context, to, enterprise, venue)
    dispatch = await context.add(
        Dispatch(
            status=DispatchStatus.REQUESTED,
            purpose=purpose,
            latitude=place.latitude,
            longitude=place.longitude,
            enterprise_id=enterprise,
            venue_id=venue,
            requested_at=context.now,
        )
    )
    context.record(EventKind.DISPATCH_REQUESTED, dispatch, None, dispatch.status)
    if (team, expert, stock_item, quantity) != (None, None, None, None):
        await context.settle()
        await _assign(context, dispatch, team, expert, stock_item, quantity)
    return {"dispatch": dispatch}


async def assign(
    context: ActionContext,
    *,
    dispatch: int,
    team: int | None = None,
    expert: int | None = None,
    stock_item: int | None = None,
    quantity: int | None = None,
) -> ActionResult:
    """Assign a team, an expert, or `quantity` units of a stock item, which are reserved."""
    row = await context.get_subject(Dispatch, dispatch)
    await _assign(context, row, team, expert, stock_item, quantity)
    return {"dispatch": row}


async def _assign(
    context: ActionContext,
    row: Dispatch,
    team: int | None,
    expert: int | None,
    stock_item: int | None,
    quantity: int | None,
) -> None:
    context.transition("dispatch", row)
    if [team, expert, stock_item].count(None) != 2:
        context.reject("team", Reason("DISPATCH_RESOURCE", "Name exactly one of team, expert and stockItem."))
    elif team is not None:
        await _require_available(context, models.Team, team, "team")
    elif expert is not None:
        await _require_available(context, models.Expert, expert, "expert")
    if (stock_item is None) != (quantity is None) or (quantity is not None and quantity < 1):
        context.reject(
            "quantity",
            Reason("DISPATCH_QUANTITY", "A stock item needs a quantity of 1 or more; a team or an expert has none."),
        )
    context.raise_rejected()
    row.team_id, row.expert_id, row.stock_item_id, row.quantity = team, expert, stock_item, quantity
    if stock_item is not None and quantity is not None:
        await _reserve(context, stock_item, quantity)


async def _require_available(
    context: ActionContext, model: type[models.Team | models.Expert], key: int, field: str
) -> None:
    """Reject a team or an expert that is not available; no other action can take it meanwhile."""
    await context.get(model, key)
    # The dispatch at hand is not written yet, so that it does not count.
    available = AVAILABLE[model].sql("available", context.sqlite)
    if not await context.exists(sa.select(col(model.id)).where(col(model.id) == key, available)):
        context.reject(field, Reason("RESOURCE_UNAVAILABLE", "It is not on standby, or is on another dispatch."))


async def _reserve(context: ActionContext, key: int, quantity: int) -> None:
    item = await context.get(StockItem, key)
    available = item.quantity - item.reserved
    if available < quantity:
        raise StockExhausted((StockItem, key), available)
    item.reserved += quantity
    await record_stock(context, EventKind.STOCK_RESERVED, item)


async def _stock_item(context: ActionContext, dispatch: Dispatch) -> StockItem | None:
    return None if dispatch.stock_item_id is None else await context.get(StockItem, dispatch.stock_item_id)


async def advance(context: ActionContext, *, dispatch: int) -> ActionResult:
    """Take the transition of this mutation, which needs no other argument."""
    row = await context.get_subject(Dispatch, dispatch)
    context.transition("dispatch", row)
    return {"dispatch": row}


async def arrive(context: ActionContext, *, dispatch: int) -> ActionResult:
    row = await context.get_subject(Dispatch, dispatch)
    context.transition("dispatch", row)
    row.arrived_at = context.occurred_at
    return {"dispatch": row}


async def complete(context: ActionContext, *, dispatch: int, drawn: int | None = None) -> ActionResult:
    """Complete the work. The units used are drawn from the stock."""
    row = await context.get_subject(Dispatch, dispatch)
    context.transition("dispatch", row)
    item = await _stock_item(context, row)
    if (item is None) != (drawn is None):
        raise InvalidInput(
            "drawn", Reason("DRAWN_QUANTITY", "A dispatch of stock needs the quantity used; others have none.")
        )
    if item is not None and drawn is not None:
        if not 0 <= drawn <= (row.quantity or 0):
            raise InvalidInput(
                "drawn", Reason("DRAWN_RANGE", "From 0 to {maximum}, the quantity sent.", maximum=row.quantity)
            )
        item.quantity -= drawn
        item.reserved -= drawn
        if drawn:
            await record_stock(context, EventKind.STOCK_DRAWN, item)
    row.drawn, row.completed_at = drawn, context.occurred_at
    return {"dispatch": row}


async def release(context: ActionContext, *, dispatch: int) -> ActionResult:
    """Release what was sent. The units not used are no longer reserved."""
    row = await context.get_subject(Dispatch, dispatch)
    context.transition("dispatch", row)
    await _free_stock(context, row, (row.quantity or 0) - (row.drawn or 0))
    return {"dispatch": row}


async def call_off(context: ActionContext, *, dispatch: int, reason: str | None = None) -> ActionResult:
    """Decline or cancel. Stock is no longer reserved."""
    row = await context.get_subject(Dispatch, dispatch)
    reserved = row.quantity or 0 if row.status not in (DispatchStatus.REQUESTED, DispatchStatus.DECLINED) else 0
    context.transition("dispatch", row)
    await _free_stock(context, row, reserved)
    if reason is not None:
        context.changes.add_entry(row, "reason", reason)
    return {"dispatch": row}


async def _free_stock(context: ActionContext, dispatch: Dispatch, quantity: int) -> None:
    item = await _stock_item(context, dispatch)
    if item is not None and quantity:
        item.reserved -= quantity
        await record_stock(context, EventKind.STOCK_FREED, item)
