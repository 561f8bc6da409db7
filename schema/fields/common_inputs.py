"""The fields that the inputs of mutations share, beside the arguments of their actions."""

import datetime as dt
from typing import Any

import strawberry

from models import lifecycle
from resolvers.actions.errors import InputError, InvalidInput
from resolvers.actions.inputs import too_long
from schema.fields.directives import Limits
from schema.fields.input_values import plain_value

MUTATION_ID_MAXIMUM = 200
CLIENT_MUTATION_ID = strawberry.field(
    default=strawberry.UNSET,
    description="The client's own id of this call: a repeat with it, within the days that an act may"
    " wait, gets the first success. It is the viewer's, and the device's if that names itself.",
    directives=[Limits(max_length=MUTATION_ID_MAXIMUM)],
)
EXPECTED_VERSION = strawberry.field(
    default=strawberry.UNSET, description="The version that the client has seen; any other is a Conflict."
)
OCCURRED_AT = strawberry.field(
    default=strawberry.UNSET,
    description="When it was done, if it could not be sent at once; by default now. Deadlines and indicators count by"
    " it. In the server's time: add the measured difference of the clocks.",
)


def common_fields(mutation: str, *, subject: bool) -> dict[str, tuple[Any, Any]]:
    """Annotations and fields by name; with `subject`, the mutation changes a row that exists."""
    fields: dict[str, tuple[Any, Any]] = {"client_mutation_id": (str | None, CLIENT_MUTATION_ID)}
    if subject:
        fields["expected_version"] = int | None, EXPECTED_VERSION
    if mutation in lifecycle.FIELD_MUTATIONS:
        fields["occurred_at"] = dt.datetime | None, OCCURRED_AT
    return fields


def given(values: Any, name: str) -> Any:
    """A field of an input; None where the client left it out, or where the input has no such field."""
    value = getattr(values, name, None)
    return None if value is strawberry.UNSET else value


def common_problems(values: Any) -> list[InputError]:
    """The problems of the common fields of an input; empty if they are good."""
    problems = check_mutation_id(values.client_mutation_id)
    try:
        occurred_at(values)
    except InvalidInput as error:
        problems += error.errors
    return problems


def occurred_at(values: Any) -> dt.datetime | None:
    """The time of the act in UTC, if the client gave one. Raises InvalidInput."""
    moment = given(values, "occurred_at")
    plain: dt.datetime | None = None if moment is None else plain_value("occurredAt", moment)
    return plain


def check_mutation_id(value: Any) -> list[InputError]:
    """The problems of a `clientMutationId`; empty if it is good."""
    if value is strawberry.UNSET or value is None:
        return []
    try:
        plain_value("clientMutationId", value)
    except InvalidInput as error:
        return list(error.errors)
    if len(value) > MUTATION_ID_MAXIMUM:
        return [InputError("clientMutationId", too_long(MUTATION_ID_MAXIMUM))]
    return []
