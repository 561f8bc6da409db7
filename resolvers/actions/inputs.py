"""Parts of inputs, as plain values."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from models import HazardLevel, PenaltyKind
from resolvers.actions.errors import InvalidInput

# The default of an argument that stays as it is unless it is given; None clears it.
UNCHANGED: Any = object()


# A name or a number that stands in an index, which takes some 2,700 bytes of a row.
NAME_MAXIMUM = 500


def check_length(field: str, text: str | None) -> str | None:
    """Raises InvalidInput for a text that no index takes."""
    if text is not None and len(text) > NAME_MAXIMUM:
        raise InvalidInput(field, f"At most {NAME_MAXIMUM} characters.")
    return text


@dataclass(frozen=True)
class Person:
    """Somebody to talk to."""

    name: str
    phone: str | None = None


@dataclass(frozen=True)
class Place:
    """A point in WGS-84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Finding:
    """A hazard found by an inspection; with `hazard`, the key of one that it found before."""

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
    """A penalty: its kinds, and with a fine its amount in yuan."""

    kinds: tuple[PenaltyKind, ...]
    fine_yuan: int | None = None
