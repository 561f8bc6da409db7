"""Mutations of many rows: each row has a result of its own, of the same type as the mutation of one row.

`bulk_mutation("enterprisesUpsert", UPSERT, …)` makes the types `EnterprisesUpsertInput`, `EnterprisesUpsertRow`,
`EnterprisesUpsertResult`, and those of its success.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any, Union

import strawberry

from models.reason import Language
from resolvers.actions.batch import PORTION, ROWS_MAXIMUM, BatchAction
from resolvers.actions.context import Outcome
from resolvers.actions.errors import ActionError, InputError, InvalidInput
from resolvers.actions.inputs import too_many
from schema.fields.common_inputs import CLIENT_MUTATION_ID, EXPECTED_VERSION, check_mutation_id
from schema.fields.directives import Limits
from schema.fields.mutation import (
    ActionSucceeded,
    PerformAction,
    Success,
    input_fields,
    make_input,
)
from schema.fields.source import FieldCost, LoadField, declare_field
from schema.types import errors

WRITTEN = 20  # values that are read and written for one row, besides those that the client sends


@dataclass(slots=True)
class RowOutcome:
    """The result of one row: a Success or a Failure."""

    index: int
    result: Any


@dataclass(slots=True)
class BulkSuccess:
    """The success of a whole call: the name of its type, and the results of its rows."""

    name: str
    results: Sequence[RowOutcome]
    failures: int
    cursor: str


@dataclass(eq=False)
class PerformBatch(PerformAction):
    """A mutation of many rows; `single` is that of one row."""

    single: PerformAction

    async def _arguments(self, values: Any) -> dict[str, Any]:
        errors = check_mutation_id(values.client_mutation_id)
        if len(values.rows) > ROWS_MAXIMUM:
            errors.append(InputError("rows", too_many(ROWS_MAXIMUM)))
        if errors:
            raise InvalidInput.of(errors)
        rows: list[Any] = []
        for row in values.rows:
            rows.append(self._row(row))
            if len(rows) % PORTION == 0:
                await asyncio.sleep(0)  # others are served meanwhile
        return {"rows": rows}

    def _row(self, values: Any) -> dict[str, Any] | ActionError:
        try:
            arguments = self.single.action_arguments(values)
        except InvalidInput as error:
            return error
        expected = getattr(values, "expected_version", None)
        return arguments if expected in (None, strawberry.UNSET) else {**arguments, "expected_version": expected}

    def _success(self, outcome: Outcome, language: Language) -> BulkSuccess:
        rows, failures = [], 0
        for index, row in enumerate(outcome.results or ()):
            if isinstance(row, Outcome):
                rows.append(RowOutcome(index, Success(self.single.success, row.rows, row.cursor)))
            else:
                assert isinstance(row, ActionError)
                rows.append(RowOutcome(index, errors.Failure(row, language)))
                failures += 1
        return BulkSuccess(self.success, rows, failures, outcome.cursor)


def bulk_mutation(name: str, single: LoadField, description: str, *, success: str) -> Any:
    """A field of Mutation that does for many rows what the mutation `single` does for one."""
    source = single.source
    assert isinstance(source, PerformAction)
    assert isinstance(source.action, BatchAction)
    capital = name[0].upper() + name[1:]
    row_fields = input_fields(source.action, source.declared)
    if "expected_version" in source.input.__annotations__:
        row_fields["expected_version"] = int | None, EXPECTED_VERSION
    row = make_input(f"{capital}Row", row_fields, f"One row of {name}, as in {source.name}.")
    limits = Limits(max_items=ROWS_MAXIMUM)
    rows = strawberry.field(description=f"The rows, at most {ROWS_MAXIMUM:,}.", directives=[limits])
    fields = {"rows": (GenericAlias(list, (row,)), rows), "client_mutation_id": (str | None, CLIENT_MUTATION_ID)}
    made = make_input(f"{capital}Input", fields, f"Input of {name}.")
    batch = PerformBatch(name, source.action.on_rows, {}, made, success, source)
    cost = FieldCost(sizes=("input",), read=WRITTEN, read_for_each=("input",))
    field = declare_field(batch, description, name=name, cost=cost)
    members = (success_type(name, success, single.type_annotation), errors.Forbidden, errors.InvalidInput)
    result = strawberry.union(f"{capital}Result", description=f"Result of {name}.")
    field.type_annotation = strawberry.annotation.StrawberryAnnotation(
        Annotated[Union[members], result]  # noqa: UP007  # `|` cannot join the members of a tuple
    )
    return field


def success_type(mutation: str, name: str, row_result: Any) -> Any:
    """The type of the success of a whole call."""
    row = strawberry.type(
        type(
            f"{name}Row",
            (),
            {
                "__annotations__": {"index": int, "result": row_result.raw_annotation},
                "__module__": __name__,
                "index": strawberry.field(description="Index of the row in the input, from 0."),
                "result": strawberry.field(description="Its success or failure."),
            },
        ),
        description=f"The result of one row of {mutation}.",
    )

    def is_type_of(cls: Any, value: Any, info: Any) -> bool:
        return isinstance(value, BulkSuccess) and value.name == name

    body = {
        "__annotations__": {"results": GenericAlias(list, (row,)), "failures": int},
        "__module__": __name__,
        "results": strawberry.field(description="The result of each row, in the order of the rows."),
        "failures": strawberry.field(description="Number of rows that failed; they have changed nothing."),
        "is_type_of": classmethod(is_type_of),
    }
    return strawberry.type(type(name, (ActionSucceeded,), body), description="The rows that are good are written.")
