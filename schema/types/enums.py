"""Descriptions of enums, and the enum that several nouns share."""

import enum

import strawberry
from strawberry.types.enum import has_enum_definition


def describe(of: type[enum.Enum], description: str, **values: str) -> None:
    """Describe an enum of the models, and each of its members, for clients. Raises TypeError where a member is missing.

    The order of imports does not matter: Strawberry may have met the enum in another module's field before.
    """
    if not has_enum_definition(of):
        strawberry.enum(of)
    definition = of.__strawberry_definition__  # type: ignore[attr-defined]  # Strawberry adds it
    if missing := {member.name for member in of} ^ set(values):
        raise TypeError(f"{of.__name__}: describe {missing}")
    definition.description = description
    for value in definition.values:
        value.description = values[value.name]


@strawberry.enum(description="The direction of an order.")
class Direction(enum.Enum):
    ASCENDING = strawberry.enum_value("ascending", description="Smallest, earliest or lowest first.")
    DESCENDING = strawberry.enum_value("descending", description="Greatest, latest or highest first.")
