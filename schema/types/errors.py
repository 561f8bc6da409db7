"""What a mutation can fail with, as clients see it."""

from typing import Any

import strawberry

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


@strawberry.interface(description="Why a mutation did nothing.")
class Problem:
    message: str = strawberry.field(description="What went wrong, for people to read.")


class Failure:
    """A problem as a value: GraphQL takes an exception that is returned for one that is raised."""

    def __init__(self, problem: errors.ActionError) -> None:
        self.__dict__.update(vars(problem))
        self.of = type(problem)


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
    """The row that has changed. A viewer who may write it may see it."""

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return context.one(*parent.current, written=True)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return reference_step(lambda row: row.current, selected.type, selected.nodes, planner, scoped=False)


def problem_type(of: type[errors.ActionError]) -> Any:
    """The type of a problem that actions raise."""

    def decorate(cls: Any) -> Any:
        cls.is_type_of = classmethod(lambda cls, value, info: isinstance(value, Failure) and value.of is of)
        return strawberry.type(cls, description=cls.__doc__)

    return decorate


@problem_type(errors.NotFound)
class NotFound(Problem):
    """A row that is named does not exist, or is not the viewer's to see."""

    missing: strawberry.ID = declare_field(Missing(), "Its id.")


@problem_type(errors.Forbidden)
class Forbidden(Problem):
    """The viewer may not do this, or not with this row."""


@problem_type(errors.InvalidInput)
class InvalidInput(Problem):
    """A field of the input cannot be taken."""

    field: str = strawberry.field(description="Which field, from the input down, such as `findings.deadline`.")


@problem_type(errors.IllegalTransition)
class IllegalTransition(Problem):
    """The life cycle does not lead there."""

    current: str = strawberry.field(description="The status as it is.")
    wanted: str = strawberry.field(description="The status that was asked for.")
    legal: list[str] = strawberry.field(description="The statuses that can follow; empty at the end of the life cycle.")


@problem_type(errors.Conflict)
class Conflict(Problem):
    """Somebody else has changed the row meanwhile: look at it, and decide anew."""

    current_version: int = strawberry.field(description="Its version now.")
    current: Node = declare_field(Current(), "The row as it is now.")


@problem_type(errors.StockExhausted)
class StockExhausted(Problem):
    """There is less stock than was asked for."""

    item: lazy.StockItem = ref("item", "Of what.")
    available: int = strawberry.field(description="How many units can be promised now.")
