"""Mutations: an action's keyword arguments become the input, the rows that it returns the success.

`mutation("hazardAssign", hazards.assign, …)` makes the types `HazardAssignInput`, `HazardAssigned` and
`HazardAssignResult`. models/lifecycle.py says who may call it.
"""

import asyncio
import hashlib
import inspect
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, is_dataclass
from functools import cache, partial
from operator import itemgetter
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import orjson
import strawberry
from graphql import GraphQLList
from strawberry.types.arguments import StrawberryArgument

from models import lifecycle
from models.db.commits import CommitUncertain
from models.db.outages import CommitUnanswered
from models.metrics import MUTATIONS
from models.reason import Language
from resolvers.actions import runner
from resolvers.actions.batch import BatchAction
from resolvers.actions.context import ActionRequest, Outcome, OutcomeRow
from resolvers.actions.errors import ActionError, InputError, InvalidInput
from resolvers.actions.inputs import UNCHANGED
from resolvers.actions.runner import Action
from schema.execution.context import Context
from schema.fields.common_inputs import common_fields, common_problems, given, occurred_at
from schema.fields.directives import Argument, LegalFrom, with_directives
from schema.fields.filters import camel
from schema.fields.input_values import ERRORS_MAXIMUM, plain_value
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
from schema.plan.steps import EitherStep, ListStep, Step, value_step
from schema.types import errors
from schema.types.inputs import INPUTS

COMMON_FAILURES = (errors.NotFound, errors.Forbidden, errors.InvalidInput)
InputFields = Mapping[str, tuple[Any, Any]]  # by name, the annotation and the field


@dataclass(frozen=True)
class RowId:
    """An argument that takes the global id of a row of the type `node`, or a list of ids."""

    node: str
    description: str


@dataclass(frozen=True, slots=True)
class Success:
    """A success: the name of its type, its rows, and the cursor of its last event."""

    name: str
    rows: Mapping[str, OutcomeRow | list[OutcomeRow]]
    cursor: str


@dataclass(eq=False)
class PerformAction(FieldSource):
    """A mutation. `declared` describes the action's arguments; `success` is the name of the success type."""

    name: str
    action: Action
    declared: Mapping[str, str | Argument | RowId]
    input: Any
    success: str

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("input", "The input.", self.input)]

    async def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        if context.performed is not None:
            return await context.performed
        return await self.perform(context, arguments)

    async def perform(self, context: Context, arguments: dict[str, Any]) -> Any:
        """Run the action. Returns a Success, or a Failure for an ActionError."""
        result: Any
        try:
            outcome = await self._run(arguments["input"], context)
            result = self._success(outcome, context.language)
            MUTATIONS.labels(self.name, "ok").inc()
        except ActionError as error:
            result = errors.Failure(error, context.language)
            MUTATIONS.labels(self.name, type(error).__name__).inc()
        except (CommitUncertain, CommitUnanswered):
            context.mutations_finished = None
            MUTATIONS.labels(self.name, "uncertain").inc()
            raise
        except BaseException:
            MUTATIONS.labels(self.name, "failed").inc()
            raise
        # Nothing is awaited before this: a task that was cancelled during the commit ends at its next wait.
        if context.mutations_finished is not None:
            context.mutations_finished += 1
        await context.renew()
        return result

    def _success(self, outcome: Outcome, language: Language) -> Any:
        return Success(self.success, outcome.rows, outcome.cursor)

    async def _run(self, values: Any, context: Context) -> Outcome:
        if context.writing is None:
            raise RuntimeError("a mutation without write access")
        arguments = await self._arguments(values)
        expected = given(values, "expected_version")
        # Dataclasses, enums and times are serialised by their content, so equal inputs have equal fingerprints. The
        # time of the act is not part of them: a client may correct it before a repeat.
        text = orjson.dumps([self.name, expected, arguments], default=str, option=orjson.OPT_SORT_KEYS)
        fingerprint = hashlib.sha256(text).hexdigest()
        writing, reader = context.writing, context.reader
        request = ActionRequest(
            self.name,
            arguments,
            expected,
            given(values, "client_mutation_id"),
            fingerprint,
            announced=writing.announced,
            position_age=writing.position_age,
            occurred_at=occurred_at(values),
            offline=writing.offline,
            device=reader.device,
        )
        return await runner.run_action(
            writing.database, context.viewer, reader.now, reader.zone, request, self.action, writing.notify
        )

    async def _arguments(self, values: Any) -> dict[str, Any]:
        return self.action_arguments(values, common_problems(values))

    def action_arguments(self, values: Any, problems: Sequence[InputError] = ()) -> dict[str, Any]:
        """The action's arguments that the client has given. Raises InvalidInput with the problems of all fields."""
        arguments: dict[str, Any] = {}
        errors = list(problems)
        for name, declared in self.declared.items():
            value = getattr(values, name)
            if value is strawberry.UNSET or (value is None and not null_clears(self.action, name)):
                continue
            try:
                arguments[name] = plain_value(
                    camel(name), value, declared.node if isinstance(declared, RowId) else None
                )
            except InvalidInput as error:
                errors += error.errors
        if errors:
            raise InvalidInput.of(errors[:ERRORS_MAXIMUM])
        return arguments


async def perform_once(context: Context, field: LoadField, arguments: dict[str, Any]) -> Any:
    """Perform a mutation for a plan. The context keeps the outcome, so that graphql-core does not perform it again."""
    assert isinstance(field.source, PerformAction)
    context.performed = asyncio.ensure_future(field.source.perform(context, arguments))
    return await context.performed


def null_clears(action: Action, name: str) -> bool:
    """Whether null clears the argument's column, because the default leaves it unchanged."""
    parameter = parameters_of(action).get(name)
    return parameter is not None and parameter.default is UNCHANGED


@cache
def parameters_of(action: Action) -> Mapping[str, inspect.Parameter]:
    """The action's arguments by name, in their order."""
    if isinstance(action, BatchAction):
        return inspect.signature(action.row).parameters
    return dict(list(inspect.signature(action).parameters.items())[1:])


@dataclass(eq=False)
class WrittenRow(FieldSource):
    """A row, or rows, of a success.

    The viewer may see them, having written them. An `optional` row may be one that the action did not have to write:
    then it is null for a viewer who may not read it.
    """

    name: str
    optional: bool

    def resolve(self, field: LoadField, parent: Success, context: Context, arguments: dict[str, Any]) -> Any:
        rows = parent.rows[self.name]
        if isinstance(rows, list):
            return [context.one(row.model, row.key, written=True) for row in rows]
        return context.one(rows.model, rows.key, written=rows.written or not self.optional)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        inner = selected.type.of_type if selected.required else selected.type
        if isinstance(inner, GraphQLList):
            item = reference_step(itemgetter(0, 1), inner.of_type, selected.nodes, planner, scoped=False)
            return ListStep(self._rows, item, required=True)

        def row_if(written: bool, success: Success) -> tuple[Any, int] | None:
            row: Any = self._rows(success)
            return row[:2] if not self.optional or row.written is written else None

        written = reference_step(partial(row_if, True), selected.type, selected.nodes, planner, scoped=False)
        if not self.optional:
            return written
        return EitherStep(written, reference_step(partial(row_if, False), selected.type, selected.nodes, planner))

    def _rows(self, success: Success) -> Any:
        return success.rows[self.name]


@dataclass(frozen=True, slots=True)
class ReasonedRow:
    """A row of a success, as (model, key), and the reason why it is there."""

    row: tuple[Any, int]
    reason: Any


@dataclass(eq=False)
class ReasonedRows(FieldSource):
    """Rows of a success, each with its reason: a list of the plain type `of`, whose `reason` is an enum."""

    name: str
    of: Any

    def values(self, success: Success) -> list[ReasonedRow]:
        reasons, rows = self.of.__annotations__["reason"], success.rows[self.name]
        assert isinstance(rows, list)
        return [ReasonedRow((row.model, row.key), reasons[row.reason]) for row in rows]

    def resolve(self, field: LoadField, parent: Success, context: Context, arguments: dict[str, Any]) -> Any:
        return self.values(parent)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return value_step(selected.type, self.values, planner.objects(selected.type, selected.nodes, None))


# -- making the types --


@strawberry.interface(description="A success of a mutation.")
class ActionSucceeded:
    cursor: str = strawberry.field(description="Cursor of the last event that it logged.")


def mutation(
    name: str,
    action: Action,
    description: str,
    declared: Mapping[str, str | Argument | RowId],
    rows: Mapping[str, Any],
    *,
    success: str,
    subject: bool = True,
    problems: tuple[Any, ...] = (),
) -> Any:
    """A field of Mutation.

    `declared` describes the action's arguments, in their order. `rows` has the rows of the success by name: their type,
    a list of it, a list of a plain type of rows with reasons, or the type or None where the action may leave the row as
    it is. With `subject`, the mutation changes an existing row, and takes the version that the client expects.
    `problems` are failures besides those that follow from the life cycle. Raises TypeError for a declaration that does
    not fit the action or has no permission.
    """
    parameters = [parameter for parameter in parameters_of(action) if parameter != "expected_version"]
    if parameters != list(declared):
        raise TypeError(f"{name}: describe {parameters}, in that order")
    if name not in lifecycle.PERMITTED:
        raise TypeError(f"{name}: say in models/lifecycle.py who may")
    capital = name[0].upper() + name[1:]
    cycle = any(line.mutation == name and line.sources for lines in lifecycle.LIFECYCLES.values() for line in lines)
    state = any(line.mutation == name and line.states for line in lifecycle.ACTIONS)
    failures = [*COMMON_FAILURES]
    failures += [errors.IllegalTransition] if cycle or state else []
    failures += [errors.Conflict] if subject else []
    source = PerformAction(name, action, declared, input_type(capital, action, declared, subject), success)
    field = declare_field(source, description, name=name)
    if statuses := lifecycle.legal_statuses(name):
        field.directives = [LegalFrom(statuses=statuses)]
    members = (success_type(success, rows), *failures, *problems)
    result = strawberry.union(f"{capital}Result", description=f"Result of {name}.")
    field.type_annotation = strawberry.annotation.StrawberryAnnotation(
        Annotated[Union[members], result]  # noqa: UP007  # `|` cannot join the members of a tuple
    )
    return field


def input_type(capital: str, action: Action, declared: Mapping[str, str | Argument | RowId], subject: bool) -> Any:
    """The input `{capital}Input` of an action."""
    name = capital[0].lower() + capital[1:]
    fields = {**input_fields(action, declared), **common_fields(name, subject=subject)}
    return make_input(f"{capital}Input", fields, f"Input of {name}.")


def input_fields(action: Action, declared: Mapping[str, str | Argument | RowId]) -> dict[str, tuple[Any, Any]]:
    """The fields of an input, for the arguments of an action."""
    hints = get_type_hints(action.row if isinstance(action, BatchAction) else action)
    parameters, fields = parameters_of(action), {}
    for name, described in declared.items():
        annotation = input_annotation(hints[name], isinstance(described, RowId))
        fields[name] = annotation, input_field(parameters[name].default, described)
    return fields


def make_input(name: str, fields: InputFields, description: str) -> Any:
    body = {field: copy(declared) for field, (_, declared) in fields.items()}
    annotations = {field: annotation for field, (annotation, _) in fields.items()}
    made = type(name, (), {"__annotations__": annotations, "__module__": __name__, **body})
    return with_directives(strawberry.input(made, description=description))


def input_field(default: Any, described: str | Argument | RowId) -> Any:
    """A field of an input, for an action's parameter with this default."""
    options: dict[str, Any] = {"description": described if isinstance(described, str) else described.description}
    if isinstance(described, RowId):
        options["metadata"] = {"of": described.node}
    if isinstance(described, Argument):
        options["directives"] = described.directives
    if default is None or default is UNCHANGED:
        options["default"] = strawberry.UNSET
    elif default == ():
        options["default_factory"] = list
    elif default is not inspect.Parameter.empty:
        options["default"] = default
    return strawberry.field(**options)


def input_annotation(hint: Any, takes_id: bool) -> Any:
    """The type of an input's field, for an action's parameter with this type hint."""
    arguments = get_args(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return input_annotation(next(a for a in arguments if a is not type(None)), takes_id) | None
    if arguments:
        return list[input_annotation(arguments[0], takes_id)]  # type: ignore[misc]  # made while running
    if takes_id:
        return strawberry.ID
    inputs = {plain: graph_input for graph_input, plain in INPUTS.items()}
    return inputs.get(hint, hint) if is_dataclass(hint) else hint


def success_type(name: str, rows: Mapping[str, Any]) -> Any:
    """The type of a success with these rows."""
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for field, annotation in rows.items():
        annotations[field] = annotation
        optional = isinstance(annotation, UnionType)
        described = "The rows as they are now." if get_origin(annotation) is list else "The row as it is now."
        if optional:
            described = "The row as it is now; null if it did not change and you may not read it."
        values[field] = declare_field(WrittenRow(field, optional), described)
        [listed] = get_args(annotation) if get_origin(annotation) is list else [None]
        if listed is not None and not hasattr(listed, "row"):
            values[field] = declare_field(ReasonedRows(field, listed), listed.__strawberry_definition__.description)

    def is_type_of(cls: Any, value: Any, info: Any) -> bool:
        return isinstance(value, Success) and value.name == name

    body = {"__annotations__": annotations, "__module__": __name__, **values, "is_type_of": classmethod(is_type_of)}
    return strawberry.type(type(name, (ActionSucceeded,), body), description="Success.")
