"""Directives from which a client can make a form of a mutation: whose ids a field takes, its limits and its unit.

They repeat what the server checks anyway; the numbers come from the code that checks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import strawberry
from strawberry import UNSET
from strawberry.schema_directive import Location, schema_directive
from strawberry.types.base import StrawberryContainer, get_object_definition

from resolvers.actions.inputs import TEXT_MAXIMUM

FIELDS = [Location.INPUT_FIELD_DEFINITION]


@schema_directive(locations=FIELDS, name="idOf", description="The id, or each of the ids, is of a row of this type.")
class IdOf:
    type: str = strawberry.directive_field(name="type")


@schema_directive(
    locations=FIELDS,
    name="limits",
    description="What lies outside is refused: least and greatest number, characters of each text, items of a list, and"
    " names of the enum's values of which it is one.",
)
class Limits:
    min: float | None = strawberry.directive_field(name="min", default=UNSET)
    max: float | None = strawberry.directive_field(name="max", default=UNSET)
    max_length: int | None = strawberry.directive_field(name="maxLength", default=UNSET)
    min_items: int | None = strawberry.directive_field(name="minItems", default=UNSET)
    max_items: int | None = strawberry.directive_field(name="maxItems", default=UNSET)
    among: list[str] | None = strawberry.directive_field(name="among", default=UNSET)


@schema_directive(locations=FIELDS, name="unit", description="Unit of the number, as its symbol: mm, CNY, °.")
class Unit:
    symbol: str = strawberry.directive_field(name="symbol")


@schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="legalFrom",
    description="Statuses of its row in which the life cycle allows the mutation; in any other it is refused.",
)
class LegalFrom:
    statuses: list[str] = strawberry.directive_field(name="statuses")


@dataclass(frozen=True)
class Argument:
    """An argument of an action: its description, and directives for its field of the input."""

    description: str
    directives: Sequence[Any] = ()


InputOf = TypeVar("InputOf")


def with_directives(made: type[InputOf]) -> type[InputOf]:
    """Add to the fields of an input what follows from their types: whose ids they take, and the length of a text."""
    for field in get_object_definition(made, strict=True).fields:
        of, has = field.type, {type(each) for each in field.directives}
        while isinstance(of, StrawberryContainer):
            of = of.of_type
        more: list[Any] = []
        if node := field.metadata.get("of"):
            more.append(IdOf(type=node))
        elif of is str and Limits not in has:
            more.append(Limits(max_length=TEXT_MAXIMUM))
        field.directives = [*more, *field.directives]
    return made
