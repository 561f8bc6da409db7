"""Lists of plain values whose length has a bound, such as the columns of a map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schema.execution.context import Context
from schema.fields.source import (
    FieldCost,
    FieldPlanner,
    FieldSource,
    LoadField,
    ParentRows,
    SelectedField,
    declare_field,
)
from schema.plan.row_codec import json_expression


@dataclass(eq=False)
class PlainList(FieldSource):
    """A list that `values` makes of the parent, which is a plain value."""

    values: Callable[[Any], list[Any]]

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return self.values(parent)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        return json_expression(rows.code, f"{rows.code.name(self.values)}(r)", selected.type, nullable=False)


def plain_list(values: Callable[[Any], list[Any]], description: str, *, maximum: int, size: int | None = None) -> Any:
    """A list made of a plain value, with at most `maximum` items, each of `size` bytes if its type does not tell."""
    return declare_field(PlainList(values), description, cost=FieldCost(size, length=maximum))
