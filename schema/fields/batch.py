"""Fields whose value a function computes for many parents at once."""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVarTuple, get_type_hints

import strawberry
from strawberry.types.arguments import StrawberryArgument

from models.visibility import Right
from resolvers.sql import authorization
from resolvers.sql.readers import Reader
from schema.execution.context import Context, Requester
from schema.fields.source import FieldSource, LoadField, argument, declare_field

P = ParamSpec("P")
N = TypeVarTuple("N")


# -- functions over many parents --


@dataclass(frozen=True)
class BatchArgument:
    """An argument of a batch that is not in its function's own terms: its type, and what makes a plain value of it."""

    description: str
    annotation: Callable[[], Any]
    convert: Callable[[Any, Requester], Any]


@dataclass(eq=False)
class Batch(FieldSource):
    function: Callable[..., Awaitable[Sequence[Any]]]
    needs: Sequence[Any]
    given: Mapping[str, str | BatchArgument]
    carries: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        hints = get_type_hints(self.function)
        parameters = list(inspect.signature(self.function).parameters.values())[2:]
        if [p.name for p in parameters] != list(self.given):
            raise TypeError(f"{self.function.__name__}: describe {[p.name for p in parameters]}, in that order")
        made = []
        for p in parameters:
            given = self.given[p.name]
            # A client may give null for what has a default, and then gets the default.
            required = p.default is inspect.Parameter.empty
            if isinstance(given, BatchArgument):
                default = p.default if required else strawberry.UNSET
                made.append(argument(p.name, given.description, given.annotation(), default))
            else:
                default = strawberry.UNSET if p.default is None else p.default
                made.append(argument(p.name, given, hints[p.name] if required else hints[p.name] | None, default))
        return made

    def plain(self, arguments: dict[str, Any], asker: Requester) -> dict[str, Any]:
        """The function's own arguments; what the client left out, or gave as null, is left to its defaults."""
        values: dict[str, Any] = {}
        for name, value in arguments.items():
            if value is None or value is strawberry.UNSET:
                continue
            given = self.given[name]
            values[name] = given.convert(value, asker) if isinstance(given, BatchArgument) else value
        return values

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        if self.needs and not authorization.may_read(context.viewer.visibility):
            return field.hidden  # the row is one that the viewer wrote, and this is more than the row
        values = self.plain(arguments, context)
        needs = tuple(source.get(column) for column in self.needs)

        async def read(keys: list[Any]) -> Sequence[Any]:
            return await self.function(context.reader, keys, **values)

        shape = tuple((name, repr(value)) for name, value in sorted(arguments.items()))
        return context.load((self, shape), read, needs)


def batch(
    function: Callable[Concatenate[Reader, Sequence[tuple[*N]], P], Awaitable[Sequence[Any]]],
    *needs: *N,
    description: str,
    arguments: Mapping[str, str | BatchArgument] | None = None,
    sees: Right | None = None,
    carries: Mapping[str, str] | None = None,
) -> Any:
    """One call for all parents: (reader, a tuple of the needed columns for each parent, arguments) → one result each.

    The function's keyword arguments become the field's; `arguments` describes each of them. `carries` names attributes
    of the results: by one that refers to a row, the one that has what the reader's `carry` wrote of it.
    """
    return declare_field(Batch(function, needs, arguments or {}, carries or {}), description, sees)
