"""Fields that lead to another row by its key."""

from dataclasses import dataclass
from typing import Any

from schema.execution.context import Context, Record
from schema.fields.source import FieldSource, LoadField, declare_field, graph_type

# -- other rows by their keys --


@dataclass(eq=False)
class ToOne(FieldSource):
    """The row of the target type whose primary key is in `column`, or whose `back` column has this row's key."""

    column: Any
    back: Any = None

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        key = source.get(self.column)
        return None if key is None else context.one(graph_type(field.type).row, key, self.back)


@dataclass(eq=False)
class ToOneOf(FieldSource):
    """The row that whichever of several columns is not null names, each of another model."""

    columns: dict[Any, Any]

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        for model, column in self.columns.items():
            if (key := source.get(column)) is not None:
                return context.one(model, key)
        return None


@dataclass(eq=False)
class Ref(FieldSource):
    """A row named by a plain value: its attribute is (model, key) or None."""

    attribute: str

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        found = getattr(source, self.attribute)
        return None if found is None else context.one(*found)


def to_one(key: Any, description: str) -> Any:
    """The row that a foreign key names."""
    return declare_field(ToOne(key), description)


def to_one_back(key: Any, back: Any, description: str) -> Any:
    """The one row whose column `back` names this row by its column `key`."""
    return declare_field(ToOne(key, back), description)


def to_one_of(columns: dict[Any, Any], description: str) -> Any:
    """The row that one of several foreign keys names; by model, the column."""
    return declare_field(ToOneOf(columns), description)


def ref(attribute: str, description: str) -> Any:
    """On a plain value: the row that its attribute (model, key) names."""
    return declare_field(Ref(attribute), description)
