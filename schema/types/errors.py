"""Graph types of a mutation's expected failures."""

from typing import Any

import strawberry

from models.reason import Language, Reason
from resolvers.actions import errors
from schema.execution.context import Context
from schema.fields.references import ref, reference_step
from schema.fields.source import (
    OF_ROW,
    FieldPlanner,
    FieldSource,
    LoadField,
    Node,
    ParentRows,
    SelectedField,
    declare_field,
)
from schema.plan.steps import ScalarStep, Step
from schema.types import lazy, node_id


@strawberry.type(description="Parameter of a reason.")
class ReasonParameter:
    name: str = strawberry.field(description="Name, as the list of reasons has it.")
    value: str = strawberry.field(description="Value; a number in decimal digits, a list with commas.")


@strawberry.interface(description="A failure of a mutation; nothing was changed.")
class Problem:
    message: str = strawberry.field(description="A sentence for people, in Chinese or English as the request asks for.")
    reason: str = strawberry.field(
        description="Stable code of the reason, such as ROLE_FORBIDDEN (docs/reference/errors.md)."
    )
    parameters: list[ReasonParameter] = strawberry.field(description="Values that the message names.")


@strawberry.type(description="A problem of one field of an input.")
class InputError:
    field: str = strawberry.field(
        description="Path of the field within the input; items of lists count from 0, as in `findings.1.deadline`."
    )
    message: str = strawberry.field(description="A sentence for people.")
    reason: str = strawberry.field(description="Stable code of the reason, such as TIME_PAST.")
    parameters: list[ReasonParameter] = strawberry.field(description="Values that the message names.")


class Failure:
    """An ActionError as a plain value, because graphql-core treats a returned exception as raised.

    The messages are in this language.
    """

    def __init__(self, error: errors.ActionError, language: Language) -> None:
        self.__dict__.update(vars(error))
        self.error_class = type(error)
        self.message, self.reason = error.reason.text(language), error.reason.code
        self.parameters = parameters_of(error.reason)
        if isinstance(error, errors.InvalidInput):
            self.errors = [
                InputError(
                    field=field, message=reason.text(language), reason=reason.code, parameters=parameters_of(reason)
                )
                for field, reason in error.errors
            ]
            self.field = ".".join(name for name in error.errors[0].field.split(".") if not name.isdigit())


def parameters_of(reason: Reason) -> list[ReasonParameter]:
    return [
        ReasonParameter(name=name, value=", ".join(value) if isinstance(value, list) else str(value))
        for name, value in reason.parameters.items()
    ]


class Missing(FieldSource):
    """The id of the row that does not exist."""

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return missing_id(parent)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return ScalarStep(lambda failures: [missing_id(failure) for failure in failures])


def missing_id(failure: Any) -> str:
    model, key = failure.missing
    return node_id.encode(OF_ROW[model].__name__, key)


class Current(FieldSource):
    """The row that has changed. Nothing was written, so a viewer who may not read it does not see it."""

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return context.one(*parent.current)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return reference_step(lambda row: row.current, selected.type, selected.nodes, planner)


def failure_of(error_class: type[errors.ActionError]) -> Any:
    """Decorate the graph type of an ActionError."""

    def decorate(cls: Any) -> Any:
        cls.is_type_of = classmethod(
            lambda cls, value, info: isinstance(value, Failure) and value.error_class is error_class
        )
        return strawberry.type(cls, description=cls.__doc__)

    return decorate


@failure_of(errors.NotFound)
class NotFound(Problem):
    """A row that the input names does not exist, or the viewer may not see it."""

    missing: strawberry.ID = declare_field(Missing(), "Global id that was not found.")


@failure_of(errors.Forbidden)
class Forbidden(Problem):
    """The viewer may not do this, or not with this row."""


@failure_of(errors.InvalidInput)
class InvalidInput(Problem):
    """Fields of the input are not acceptable."""

    errors: list[InputError] = strawberry.field(
        description="The problems of each field, at most 100; the message and reason above are those of the first."
    )
    field: str = strawberry.field(
        description="Path of the first field within the input, without indexes of lists, such as `findings.deadline`.",
        deprecation_reason="Use `errors`, which has all fields.",
    )


@failure_of(errors.IllegalTransition)
class IllegalTransition(Problem):
    """The life cycle has no such transition."""

    current_status: str = strawberry.field(description="Current status.")
    current: str = strawberry.field(
        description="Current status.",
        deprecation_reason="Use `currentStatus`: one selection cannot hold this text beside the row `Conflict.current`."
        " It goes in 0.3.0.",
    )
    wanted: str = strawberry.field(description="Status that the mutation leads to.")
    legal: list[str] = strawberry.field(description="Statuses that can follow; empty for a final status.")


@failure_of(errors.Conflict)
class Conflict(Problem):
    """Somebody else has changed the row: look at the current one and decide again."""

    current_version: int = strawberry.field(description="Current version.")
    current: Node | None = declare_field(Current(), "The current row; null if you may not read it.")


@failure_of(errors.StockExhausted)
class StockExhausted(Problem):
    """Fewer units are available than were asked for."""

    item: lazy.StockItem = ref("item", "The stock item.")
    available: int = strawberry.field(description="Units that can be reserved now.")
