"""A field says how it loads. The declarations are data: what graphql-core runs is made from them here, and whatever
else executes an operation reads the same ones.

Lists of rows, with their filters and pages, are in schema/connection.py.
"""

import dataclasses
import inspect
from functools import cache
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer, StrawberryList
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from models.visibility import Right
from schema.execution.context import Context

# Every graph type over a table's rows, by its name and by its model.
NODES: dict[str, Any] = {}
OF_ROW: dict[Any, Any] = {}


class FieldSource:
    """How a field gets its value."""

    def arguments(self, field: "LoadField") -> list[StrawberryArgument]:
        return []

    def resolve(self, field: "LoadField", source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        raise NotImplementedError


class LoadField(StrawberryField):
    """A field with its declaration; it runs no code of its own."""

    source: FieldSource
    sees: Right | None = None

    @property
    def is_basic_field(self) -> bool:
        return False

    @property
    def arguments(self) -> list[StrawberryArgument]:
        # Late, because the filter of the type that it leads to may stand in a module that is not read yet.
        if self._arguments is None:
            self._arguments = self.source.arguments(self)
        return self._arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        self._arguments = value

    def __copy__(self) -> "LoadField":
        copied = super().__copy__()
        copied.source, copied.sees = self.source, self.sees
        return copied

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        context: Context = info.context
        if not context.viewer.visibility.allows(self.sees):
            return self.hidden
        return self.source.resolve(self, source, context, kwargs)

    @property
    def hidden(self) -> Any:
        """What stands for a value that the viewer may not see."""
        return [] if isinstance(self.type, StrawberryList) else None


def declare_field(source: FieldSource, description: str, sees: Right | None = None, name: str | None = None) -> Any:
    field = LoadField(description=description, graphql_name=name)
    field.source, field.sees = source, sees
    return field


def graph_type(annotation: Any) -> Any:
    """The graph type inside optional and list, and behind a lazy reference."""
    while isinstance(annotation, StrawberryContainer):
        annotation = annotation.of_type
    return _resolve(annotation) if isinstance(annotation, LazyType) else annotation


@cache
def _resolve(reference: LazyType[Any, Any]) -> Any:
    """Cached, because `resolve_type` asks the file system, and fields of many rows ask for one type."""
    return reference.resolve_type()


def argument(
    name: str, description: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> StrawberryArgument:
    return StrawberryArgument(name, None, StrawberryAnnotation(annotation), default=default, description=description)


# -- types --


@strawberry.interface(description="Anything that has a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Global id: opaque, unique among all types, and lasting.")


def fields_of(cls: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a graph type as they were declared."""
    found: list[dataclasses.Field[Any]] = cls.__strawberry_definition__.fields
    return found
