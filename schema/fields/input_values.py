"""Values of mutation inputs, as actions take them."""

import datetime as dt
import enum
from typing import Any

import strawberry

from resolvers.actions.errors import InvalidInput
from resolvers.errors import RequestError, checked_text
from schema.fields.filters import camel
from schema.types import node_id
from schema.types.inputs import INPUTS

TEXT_MAXIMUM = 4_000
YEARS = range(1900, 3000)  # far from the ends of the calendar, so that hours can be added and subtracted
DEGREES_MAXIMUM = {"latitude": 90, "longitude": 180}


def plain_value(path: str, value: Any, node: str | None = None) -> Any:
    """The plain value of a field of an input; `node` is the type whose global ids the field takes.

    Global ids become keys, lists tuples, nested inputs the dataclasses of `INPUTS`, and times UTC. Raises InvalidInput
    with the path of the invalid field, and RequestError for a bad id.
    """
    if isinstance(value, list):
        return tuple(plain_value(path, item, node) for item in value)
    if node is not None:
        return node_id.key_of(value, node)
    if isinstance(value, str):
        return plain_text(path, value)
    if isinstance(value, dt.datetime):
        return plain_time(path, value)
    if hasattr(type(value), "__strawberry_definition__") and not isinstance(value, enum.Enum):
        return nested_value(path, value)
    return value


def plain_text(path: str, value: str) -> str:
    text = checked_text(value)
    if not text.strip():
        raise InvalidInput(path, "It must not be blank; leave it out or give null instead.")
    if len(text) > TEXT_MAXIMUM:
        raise InvalidInput(path, f"At most {TEXT_MAXIMUM:,} characters.")
    return text


def plain_time(path: str, value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise InvalidInput(path, "A time needs an offset, such as Z or +08:00.")
    if value.year not in YEARS:
        raise InvalidInput(path, f"The year must be from {YEARS[0]} to {YEARS[-1]}.")
    return value.astimezone(dt.UTC)


def nested_value(path: str, value: Any) -> Any:
    """The dataclass for an input inside an input."""
    values = {}
    for field in type(value).__strawberry_definition__.fields:
        inner = getattr(value, field.python_name)
        if inner is not strawberry.UNSET and inner is not None:
            inner_path = f"{path}.{camel(field.python_name)}"
            try:
                values[field.python_name] = plain_value(inner_path, inner, field.metadata.get("of"))
            except RequestError as error:
                raise InvalidInput(inner_path, error.message) from None
    for name, limit in DEGREES_MAXIMUM.items():
        if name in values and not -limit <= values[name] <= limit:
            raise InvalidInput(f"{path}.{name}", f"From -{limit} to {limit} degrees.")
    return INPUTS[type(value)](**values)
