"""Values of mutation inputs, as actions take them."""

import datetime as dt
import enum
from typing import Any

import strawberry

from models.reason import Reason
from resolvers.actions.errors import InputError, InvalidInput
from resolvers.actions.inputs import TEXT_MAXIMUM, too_long
from resolvers.errors import RequestError, checked_text
from schema.fields.filters import camel
from schema.types import node_id
from schema.types.inputs import INPUTS

ERRORS_MAXIMUM = 100  # of one input
YEARS = range(1900, 3000)  # far from the ends of the calendar, so that hours can be added and subtracted
DEGREES_MAXIMUM = {"latitude": 90, "longitude": 180}


def plain_value(path: str, value: Any, node: str | None = None) -> Any:
    """The plain value of a field of an input; `node` is the type whose global ids the field takes.

    Global ids become keys, lists tuples, nested inputs the dataclasses of `INPUTS`, and times UTC. Raises InvalidInput
    with all problems of the value, at most ERRORS_MAXIMUM.
    """
    errors: list[InputError] = []
    plain = _plain(path, value, node, errors)
    if errors:
        raise InvalidInput.of(errors[:ERRORS_MAXIMUM])
    return plain


def _plain(path: str, value: Any, node: str | None, errors: list[InputError]) -> Any:
    """The plain value. Adds what is wrong with it to the errors; the value does not matter then."""
    if isinstance(value, list):
        return tuple(_plain(f"{path}.{number}", item, node, errors) for number, item in enumerate(value))
    if hasattr(type(value), "__strawberry_definition__") and not isinstance(value, enum.Enum):
        return _nested(path, value, errors)
    try:
        if node is not None:
            return node_id.key_of(value, node)
        if isinstance(value, str):
            return plain_text(value)
        if isinstance(value, dt.datetime):
            return plain_time(value)
    except (RequestError, Refused) as error:
        errors.append(InputError(path, error.reason))
    return value


class Refused(Exception):
    """A value that no field of its type takes."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def plain_text(value: str) -> str:
    """Raises Refused, and RequestError for a character that cannot be stored."""
    text = checked_text(value)
    if not text.strip():
        raise Refused(Reason("TEXT_BLANK", "It must not be blank; leave it out or give null instead."))
    if len(text) > TEXT_MAXIMUM:
        raise Refused(too_long(TEXT_MAXIMUM))
    return text


def plain_time(value: dt.datetime) -> dt.datetime:
    """Raises Refused."""
    if value.tzinfo is None:
        raise Refused(Reason("TIME_OFFSET", "A time needs an offset, such as Z or +08:00."))
    if value.year not in YEARS:
        reason = Reason("TIME_YEAR", "The year must be from {first} to {last}.", first=YEARS[0], last=YEARS[-1])
        raise Refused(reason)
    return value.astimezone(dt.UTC)


def _nested(path: str, value: Any, errors: list[InputError]) -> Any:
    """The dataclass for an input inside an input; None where something is wrong."""
    values, before = {}, len(errors)
    for field in type(value).__strawberry_definition__.fields:
        inner = getattr(value, field.python_name)
        if inner is not strawberry.UNSET and inner is not None:
            inner_path = f"{path}.{camel(field.python_name)}"
            values[field.python_name] = _plain(inner_path, inner, field.metadata.get("of"), errors)
    for name, limit in DEGREES_MAXIMUM.items():
        if name in values and not -limit <= values[name] <= limit:
            reason = Reason("DEGREES_RANGE", "From -{maximum} to {maximum} degrees.", maximum=limit)
            errors.append(InputError(f"{path}.{name}", reason))
    return INPUTS[type(value)](**values) if len(errors) == before else None
