"""Mutations, declared: an action's keyword arguments become the input, the rows that it gives back the success.

`mutation("hazardAssign", hazards.assign, …)` makes `HazardAssignInput`, `HazardAssigned` and `HazardAssignResult`. Who
may call it stands in models/lifecycle.py.
"""

import asyncio
import datetime as dt
import enum
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import orjson
import strawberry
from graphql import GraphQLList
from strawberry.types.arguments import StrawberryArgument

from models import lifecycle
from resolvers.actions import runner
from resolvers.actions.context import ActionRequest, Outcome
from resolvers.actions.errors import ActionError as Failure
from resolvers.actions.errors import InvalidInput as Invalid
from resolvers.actions.inputs import UNCHANGED
from resolvers.actions.runner import Action
from resolvers.errors import RequestError, checked_text
from schema.execution.context import Context
from schema.fields.filters import camel
from schema.fields.references import reference_step
from schema.fields.source import (
    FieldPlanner,
    FieldSource,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    declare_field,
)
from schema.plan.steps import ListStep, Step, identity
from schema.types import errors, node_id
from schema.types.inputs import INPUTS

TEXT_MAXIMUM = 4_000
MUTATION_ID_MAXIMUM = 200
ALWAYS = (errors.NotFound, errors.Forbidden, errors.InvalidInput)


@dataclass(frozen=True)
class RowId:
    """An argument that names a row of this type, or several."""

    node: str
    description: str


@dataclass(frozen=True, slots=True)
class Success:
    """A success: the name of its type, its rows, and the cursor of its last event."""

    name: str
    rows: Mapping[str, Any]
    cursor: str


@dataclass(eq=False)
class PerformAction(FieldSource):
    """A mutation."""

    name: str
    body: Action
    given: Mapping[str, str | RowId]
    input: Any
    success: str

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("input", "The input.", self.input)]

    async def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        if context.performed is not None:
            return await context.performed
        return await self.perform(context, arguments)

    async def perform(self, context: Context, arguments: dict[str, Any]) -> Any:
        """Act; what the answer is made of."""
        given = arguments["input"]
        try:
            outcome = await self._act(given, context)
        except Failure as failure:
            await context.renew()
            return errors.Failure(failure)
        await context.renew()
        return Success(self.success, outcome.rows, outcome.cursor)

    async def _act(self, given: Any, context: Context) -> Outcome:
        if context.writing is None:
            raise RuntimeError("a mutation where nothing is to be written")
        plain = {name: self._plain(name, getattr(given, name)) for name in self.given}
        plain = {name: value for name, value in plain.items() if value is not strawberry.UNSET}
        expected = getattr(given, "expected_version", None)
        expected = None if expected is strawberry.UNSET else expected
        named = self._plain("client_mutation_id", given.client_mutation_id)
        if isinstance(named, str) and len(named) > MUTATION_ID_MAXIMUM:
            raise Invalid("clientMutationId", f"At most {MUTATION_ID_MAXIMUM} characters.")
        # A dataclass, an enum and a time are written as what they hold, so equal inputs have equal fingerprints.
        text = orjson.dumps([self.name, expected, plain], default=str, option=orjson.OPT_SORT_KEYS)
        request = ActionRequest(self.name, plain, expected, named or None, hashlib.sha256(text).hexdigest())
        writing, reader = context.writing, context.reader
        return await runner.run_action(
            writing.database, context.viewer, reader.now, reader.zone, request, self.body, writing.notify
        )

    def _plain(self, name: str, value: Any) -> Any:
        """An argument in the action's terms; UNSET where it is left to the action's default. Raises InvalidInput."""
        keep = keeps(self.body, name)
        if value is strawberry.UNSET or (value is None and not keep):
            return strawberry.UNSET
        given = self.given.get(name)
        try:
            return plain_value(camel(name), value, given.node if isinstance(given, RowId) else None)
        except RequestError as error:
            raise Invalid(camel(name), error.message) from None


async def perform_once(context: Context, field: LoadField, arguments: dict[str, Any]) -> Any:
    """Carry out a mutation for a plan. What comes of it stays with the operation: nobody does it again."""
    assert isinstance(field.source, PerformAction)
    context.performed = asyncio.ensure_future(field.source.perform(context, arguments))
    return await context.performed


def keeps(body: Action, name: str) -> bool:
    """Whether the argument stays as it is unless it is given, so that null means something."""
    parameter = inspect.signature(body).parameters.get(name)
    return parameter is not None and parameter.default is UNCHANGED


def plain_value(path: str, value: Any, of: str | None = None) -> Any:
    """A value of an input as actions take it. Raises InvalidInput with the path of what is wrong, Refused for an id."""
    if isinstance(value, list):
        return tuple(plain_value(path, v, of) for v in value)
    if of is not None:
        return node_id.key_of(value, of)
    if isinstance(value, str):
        return text(path, value)
    if isinstance(value, dt.datetime):
        return moment(path, value)
    if hasattr(type(value), "__strawberry_definition__") and not isinstance(value, enum.Enum):
        return nested(path, value)
    return value


def text(path: str, value: str) -> str:
    found = checked_text(value)
    if not found.strip():
        raise Invalid(path, "It must not be blank; leave it out, or give null, where nothing is meant.")
    if len(found) > TEXT_MAXIMUM:
        raise Invalid(path, f"At most {TEXT_MAXIMUM:,} characters.")
    return found


def moment(path: str, value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise Invalid(path, "A time needs its offset, such as Z or +08:00.")
    # Far from the ends of the calendar, so that hours can be added to it and taken from it.
    if not 1900 <= value.year <= 2999:
        raise Invalid(path, "A time between the years 1900 and 2999.")
    return value.astimezone(dt.UTC)


def nested(path: str, value: Any) -> Any:
    """An input inside an input, as the plain value that it stands for."""
    made = {}
    for field in type(value).__strawberry_definition__.fields:
        found = getattr(value, field.python_name)
        if found is not strawberry.UNSET and found is not None:
            inner = f"{path}.{camel(field.python_name)}"
            try:
                made[field.python_name] = plain_value(inner, found, field.metadata.get("of"))
            except RequestError as error:
                raise Invalid(inner, error.message) from None
    for name in ("latitude", "longitude"):
        limit = 90 if name == "latitude" else 180
        if name in made and not -limit <= made[name] <= limit:
            raise Invalid(f"{path}.{name}", f"From -{limit} to {limit} degrees.")
    return INPUTS[type(value)](**made)


# -- making the types --


def mutation(
    name: str,
    body: Action,
    description: str,
    given: Mapping[str, str | RowId],
    gives: Mapping[str, Any],
    *,
    success: str,
    subject: bool = True,
    problems: tuple[Any, ...] = (),
) -> Any:
    """A field of Mutation.

    `given` describes the action's arguments, in their order. `gives` are the rows of the success: by name the type, or
    a list of it. `subject` says that it changes a row, and may be told which version is expected.
    """
    parameters = list(inspect.signature(body).parameters)[1:]
    if parameters != list(given):
        raise TypeError(f"{name}: describe {parameters}, in that order")
    if name not in lifecycle.PERMITTED:
        raise TypeError(f"{name}: say in models/lifecycle.py who may")
    capital = name[0].upper() + name[1:]
    cycle = any(line.mutation == name and line.sources for lines in lifecycle.LIFECYCLES.values() for line in lines)
    state = any(action.mutation == name and action.states for action in lifecycle.ACTIONS)
    failures = [*ALWAYS]
    failures += [errors.IllegalTransition] if cycle or state else []
    failures += [errors.Conflict] if subject else []
    load = PerformAction(name, body, given, _input(capital, body, given, subject), success)
    field = declare_field(load, description, name=name)
    made = _success(success, gives)
    members = (made, *failures, *problems)
    result = strawberry.union(f"{capital}Result", description=f"Result of {name}.")
    field.type_annotation = strawberry.annotation.StrawberryAnnotation(Annotated[Union[members], result])  # noqa: UP007
    return field


def _input(capital: str, body: Action, given: Mapping[str, str | RowId], subject: bool) -> Any:
    hints = get_type_hints(body)
    signature = inspect.signature(body).parameters
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for name, told in given.items():
        default = signature[name].default
        of = isinstance(told, RowId)
        annotations[name] = shown(hints[name], of)
        description = told.description if isinstance(told, RowId) else told
        if default is inspect.Parameter.empty:
            values[name] = strawberry.field(description=description)
        elif default is None or default is UNCHANGED:
            values[name] = strawberry.field(default=strawberry.UNSET, description=description)
        elif default == ():
            values[name] = strawberry.field(default_factory=list, description=description)
        else:
            values[name] = strawberry.field(default=default, description=description)
    annotations["client_mutation_id"] = str | None
    values["client_mutation_id"] = strawberry.field(
        default=strawberry.UNSET,
        description="The client's own id of this call: a repeat with it within seven days gets the first success.",
    )
    if subject:
        annotations["expected_version"] = int | None
        values["expected_version"] = strawberry.field(
            default=strawberry.UNSET, description="The version that the client has seen; any other is a Conflict."
        )
    made = type(f"{capital}Input", (), {"__annotations__": annotations, "__module__": __name__, **values})
    return strawberry.input(made, description=f"Input of {capital[0].lower()}{capital[1:]}.")


def shown(hint: Any, of: bool) -> Any:
    """The type that clients write for an argument of this type."""
    arguments = get_args(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return shown(next(a for a in arguments if a is not type(None)), of) | None
    if arguments:
        return list[shown(arguments[0], of)]  # type: ignore[misc]  # made while running
    if of:
        return strawberry.ID
    shown_as = {plain: graph for graph, plain in INPUTS.items()}
    return shown_as.get(hint, hint) if is_dataclass(hint) else hint


def _success(name: str, gives: Mapping[str, Any]) -> Any:
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for field, of in gives.items():
        annotations[field] = of
        described = "The rows as they are now." if get_origin(of) is list else "The row as it is now."
        values[field] = declare_field(WrittenRow(field), described)
    annotations["cursor"] = str
    values["cursor"] = strawberry.field(description="Cursor of the last event that it logged.")

    def is_type_of(cls: Any, value: Any, info: Any) -> bool:
        return isinstance(value, Success) and value.name == name

    body = {"__annotations__": annotations, "__module__": __name__, **values, "is_type_of": classmethod(is_type_of)}
    return strawberry.type(type(name, (), body), description="Success.")


@dataclass(eq=False)
class WrittenRow(FieldSource):
    """A row, or rows, of a success. The viewer may see them, having written them."""

    name: str

    def resolve(self, field: LoadField, parent: Success, context: Context, arguments: dict[str, Any]) -> Any:
        rows = parent.rows[self.name]
        if isinstance(rows, list):
            return [context.one(*row, written=True) for row in rows]
        return context.one(*rows, written=True)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        inner = selected.type.of_type if selected.required else selected.type
        if not isinstance(inner, GraphQLList):
            return reference_step(self._rows, selected.type, selected.nodes, planner, scoped=False)
        item = reference_step(identity, inner.of_type, selected.nodes, planner, scoped=False)
        return ListStep(self._rows, item, required=True)

    def _rows(self, success: Success) -> Any:
        return success.rows[self.name]
