"""Nested inputs of actions, as plain values."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from models import HazardLevel, PenaltyKind
from models.reason import Reason
from resolvers.actions.errors import InvalidInput

# Default of an argument that leaves the column as it is. None clears the column.
UNCHANGED: Any = object()


TEXT_MAXIMUM = 4_000  # characters of a text without a smaller limit
# A text of an index: PostgreSQL allows some 2,700 bytes in an index entry.
NAME_MAXIMUM = 500


def check_length(field: str, text: str | None) -> str | None:
    """The text. Raises InvalidInput where it is too long for an index."""
    if text is not None and len(text) > NAME_MAXIMUM:
        raise InvalidInput(field, too_long(NAME_MAXIMUM))
    return text


def too_long(maximum: int) -> Reason:
    return Reason("TEXT_LENGTH", "At most {maximum:,} characters.", maximum=maximum)


def too_many(maximum: int) -> Reason:
    return Reason("LIST_LENGTH", "At most {maximum} at once.", maximum=maximum)


def out_of_range(minimum: int, maximum: int) -> Reason:
    return Reason("NUMBER_RANGE", "From {minimum:,} to {maximum:,}.", minimum=minimum, maximum=maximum)


IN_FUTURE = Reason("TIME_IN_FUTURE", "The time must not be in the future.")


@dataclass(frozen=True)
class Person:
    """A person to contact."""

    name: str
    phone: str | None = None


@dataclass(frozen=True)
class Place:
    """A point in WGS-84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Finding:
    """A hazard that an inspection found. `hazard` is the key of one that the finding amends; None makes a new one."""

    level: HazardLevel
    description: str
    hazard: int | None = None
    category: str | None = None
    deadline: dt.datetime | None = None
    fixed_on_spot: bool = False
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True)
class FiveFixes:
    """The five fixes (五落实)."""

    responsibility: str
    measures: str
    funds: str
    deadline: dt.datetime
    contingency_plan: str


@dataclass(frozen=True)
class Sanction:
    """A penalty: its kinds and, for a fine, the amount in yuan."""

    kinds: tuple[PenaltyKind, ...]
    fine_yuan: int | None = None
