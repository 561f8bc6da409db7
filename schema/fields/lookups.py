"""Fields of the root that find a row: by id, by a natural key, or as the only one of its table."""

from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

from models.reason import Reason
from resolvers.errors import READ_NEEDED, ErrorCode, RequestError, checked_text
from resolvers.sql import authorization
from schema.execution.context import Context, Record
from schema.fields.source import (
    NODES,
    FieldCost,
    FieldPlanner,
    FieldSource,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    graph_type,
)
from schema.plan.root_steps import NodesStep, NodeStep, SingletonStep
from schema.plan.sql_json_step import row_step
from schema.plan.steps import KeyStep, RowLookup, Step
from schema.types import node_id

NODES_MAXIMUM = 1000


@dataclass(eq=False)
class NodeById(FieldSource):
    """Any row by its global id."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("id", "Global id.", strawberry.ID)]

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return find_node(arguments["id"], context)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return NodeStep(planner.arguments(selected), node_lookups(selected, planner))


@dataclass(eq=False)
class NodesByIds(FieldSource):
    """Many rows by their global ids, in the order of the ids."""

    cost = FieldCost(sizes=("ids",))

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("ids", f"Global ids, at most {NODES_MAXIMUM:,}.", list[strawberry.ID])]

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        ids = arguments["ids"]
        if len(ids) > NODES_MAXIMUM:
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("IDS_LENGTH", "`ids` may have at most {maximum:,}.", maximum=NODES_MAXIMUM)
            )
        return [find_node(one, context) for one in ids]

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return NodesStep(planner.arguments(selected), node_lookups(selected, planner), NODES_MAXIMUM)


@dataclass(eq=False)
class RowByKey(FieldSource):
    """A row by one of its keys: `key` is a @oneOf input, `columns` has the column for each natural key in it."""

    key: Any
    columns: dict[str, Any]

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("by", "The key.", self.key)]

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        node = graph_type(field.type)
        name, key = requested_key(arguments, node.__name__)
        return context.one(node.row, key, self.columns.get(name))

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        node, arguments = graph_type(selected.field.type), planner.arguments(selected)

        @arguments.once_if_fixed
        def key(values: dict[str, Any]) -> tuple[str, Any]:
            return requested_key(values, node.__name__)

        if not planner.sqlite:
            columns = {"id": node.row.id, **self.columns}
            if (step := row_step(planner.json_compiler(), selected, columns, key)) is not None:
                return step
        table = planner.table(selected.type, selected.nodes)
        return KeyStep(key, {"id": table.lookup(), **{n: table.lookup(column) for n, column in self.columns.items()}})


@dataclass(eq=False)
class Singleton(FieldSource):
    """The only row of its table."""

    async def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Record:
        if not authorization.may_read(context.viewer.visibility):
            raise RequestError(ErrorCode.FORBIDDEN, READ_NEEDED)
        record = await context.one(graph_type(field.type).row, 1)
        if record is None:
            raise RequestError(
                ErrorCode.NO_DISTRICT,
                Reason("NO_DISTRICT", "The database has no district yet: seed the demo, or import a register."),
            )
        return record

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if not planner.sqlite and authorization.may_read(planner.visibility):
            columns = {"id": graph_type(selected.field.type).row.id}
            if (step := row_step(planner.json_compiler(), selected, columns, lambda state: ("id", 1))) is not None:
                return step
        return SingletonStep(planner.table(selected.type, selected.nodes).lookup())


def requested_key(arguments: dict[str, Any], type_name: str) -> tuple[str, Any]:
    """The name and the value of the key in the argument `by` for a row of a type. Raises RequestError."""
    [(name, value)] = [(k, v) for k, v in vars(arguments["by"]).items() if v is not strawberry.UNSET]
    return name, node_id.key_of(value, type_name) if name == "id" else checked_text(value)


def node_lookups(selected: SelectedField, planner: FieldPlanner) -> dict[str, RowLookup]:
    """Rows by primary key, by the names of the types that a node can be."""
    types = planner.selections.possible_types(selected.type)
    return {t.name: planner.table(t, selected.nodes).lookup() for t in types}


async def find_node(text: str, context: Context) -> Record | None:
    """The row with a global id; None if there is none that the viewer may see. Raises RequestError for a bad id."""
    name, key = node_id.decode(text)
    if name not in NODES:
        raise node_id.malformed(text)
    node = NODES[name]
    record = await context.one(node.row, key)
    # Events are of several types, and an id is valid for its own type only.
    return record if record is not None and node.is_type_of(record, None) else None
