"""Which resources are available: those that can be sent now. Filters and actions share this one meaning."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

import models
from models import DISPATCH_OVER
from models.db.tables import table_of
from resolvers.sql.predicates import AllOf, Exceeds, IsTrue, Predicate, ValuelessPredicate, Within, table_column


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
