"""The rules of availability: the resources that can be sent now, and the positions that count.

Filters, lists by distance and actions share this one meaning.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

import models
from models import DISPATCH_OVER
from models.db.column_types import UtcTime
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.predicates import (
    AllOf,
    Exceeds,
    IsTrue,
    Predicate,
    RequestTime,
    ValuelessPredicate,
    Within,
    table_column,
)
from resolvers.sql.readers import Reader


@dataclass(eq=False)
class NotDispatched(ValuelessPredicate):
    """The resource is on no dispatch that goes on; `key` is the column of a dispatch that names the resource."""

    key: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        dispatch, key = table_of(models.Dispatch), table_column(self.key)
        [reference] = key.foreign_keys
        over = [sa.literal(s, dispatch.c.status.type, literal_execute=True) for s in sorted(DISPATCH_OVER, key=str)]
        # Not correlated, so that a statement which gives the resource's table another name can take it as it is.
        going_on = sa.select(key).where(key.is_not(None), dispatch.c.status.not_in(over)).correlate(None)
        return reference.column.not_in(going_on)

    def tables(self) -> frozenset[sa.Table]:
        # The resource's own: other enterprises' dispatches decide, so that an enterprise may not ask.
        [reference] = table_column(self.key).foreign_keys
        return frozenset({reference.column.table})


class HasRecentPosition(Predicate):
    """The inspector's position is not older than the request allows. One without a position has none."""

    takes_value = False

    def parameters(self, name: str, value: Any, request: RequestTime) -> dict[str, Any]:
        return {name: request.now - request.position_age}

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return table_column(models.Inspector.position_at) >= bindparam(name, type_=UtcTime)


HAS_RECENT_POSITION = HasRecentPosition()


def is_stale(request: RequestTime, position_at: dt.datetime | None) -> bool | None:
    """Whether a position is too old to count, as in HasRecentPosition; None where there is none."""
    return None if position_at is None else position_at < request.now - request.position_age


async def stale_positions(reader: Reader, parents: Sequence[tuple[dt.datetime | None]]) -> list[bool | None]:
    """Whether each position is too old to count, from when it was reported."""
    return [is_stale(reader, at) for (at,) in parents]


async def position_minutes(reader: Reader, parents: Sequence[tuple[int]]) -> list[int]:
    """The greatest age in minutes of a position that counts, for each district."""
    return [int(reader.position_age / dt.timedelta(minutes=1))] * len(parents)


class HasStock(Predicate):
    """The warehouse can give so many units of a supply: the value has the `code` of 7 digits and the `quantity`."""

    takes_value = False

    def parameters(self, name: str, value: Any, request: RequestTime) -> dict[str, Any]:
        if not re.fullmatch(r"[0-9]{7}", value.code):
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("SUPPLY_CODE", "The code of a supply has 7 digits (GB/T 38565).")
            )
        if value.quantity < 1:
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("SUPPLY_QUANTITY", "The quantity of a supply must be 1 or more.")
            )
        return {f"{name}_code": value.code, f"{name}_quantity": value.quantity}

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        item = table_of(models.StockItem)
        code, quantity = bindparam(f"{name}_code", type_=sa.String), bindparam(f"{name}_quantity", type_=sa.Integer)
        enough = sa.and_(item.c.code == code, item.c.quantity - item.c.reserved >= quantity)
        return table_of(models.Warehouse).c.id.in_(sa.select(item.c.warehouse_id).where(enough).correlate(None))

    def tables(self) -> frozenset[sa.Table]:
        return frozenset({table_of(models.StockItem)})


AVAILABLE: dict[Any, Predicate] = {
    models.Team: AllOf(IsTrue(models.Team.on_standby), NotDispatched(models.Dispatch.team_id)),
    models.Expert: AllOf(IsTrue(models.Expert.on_standby), NotDispatched(models.Dispatch.expert_id)),
    # An officer at an inspection is sent on to a call for help nearby.
    models.Inspector: IsTrue(models.Inspector.on_duty),
    models.Warehouse: Within(
        models.Warehouse.id,
        models.StockItem.warehouse_id,
        Exceeds(models.StockItem.quantity, models.StockItem.reserved),
    ),
}
