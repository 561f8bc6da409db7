"""Fields of the root that find a row: by id, by a natural key, or the only one."""

from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.sql import authorization
from schema.execution.context import Context, Record
from schema.fields.source import NODES, FieldSource, LoadField, argument, graph_type
from schema.types import node_id

NODES_MAXIMUM = 1000


@dataclass(eq=False)
class NodeById(FieldSource):
    """Anything by its global id."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("id", "Global id.", strawberry.ID)]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return find_node(arguments["id"], context)


@dataclass(eq=False)
class NodesByIds(FieldSource):
    """Many of them, in the order of the ids."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("ids", f"Global ids, at most {NODES_MAXIMUM:,}.", list[strawberry.ID])]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        wanted = arguments["ids"]
        if len(wanted) > NODES_MAXIMUM:
            raise RequestError(ErrorCode.BAD_INPUT, f"`ids` may have at most {NODES_MAXIMUM:,}.")
        return [find_node(one, context) for one in wanted]


@dataclass(eq=False)
class RowByKey(FieldSource):
    """A row by one of its natural keys: `key` is a @oneOf input, `columns` say what each field of it looks up."""

    key: Any
    columns: dict[str, Any]

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("by", "Which one.", self.key)]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        node = graph_type(field.type)
        by, key = requested_key(arguments, node.__name__)
        return context.one(node.row, key, self.columns.get(by))


@dataclass(eq=False)
class Singleton(FieldSource):
    """The only row of its table."""

    async def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Record:
        if not authorization.may_read(context.viewer.visibility):
            raise RequestError(ErrorCode.FORBIDDEN, "The scope `read` is needed.")
        found = await context.one(graph_type(field.type).row, 1)
        if found is None:
            raise RequestError(
                ErrorCode.NO_DISTRICT, "The database has no district yet: seed the demo, or import a register."
            )
        return found


def requested_key(arguments: dict[str, Any], name: str) -> tuple[str, Any]:
    """By which of its keys a row of the type `name` is asked for, and the key. Raises Refused."""
    [(by, value)] = [(k, v) for k, v in vars(arguments["by"]).items() if v is not strawberry.UNSET]
    return by, node_id.key_of(value, name) if by == "id" else checked_text(value)


async def find_node(text: str, context: Context) -> Record | None:
    """The row that a global id stands for, or None. Raises Refused for a text that is no id."""
    name, key = node_id.decode(text)
    if name not in NODES:
        raise RequestError(ErrorCode.BAD_ID, "That is not an id of this graph.")
    node = NODES[name]
    record = await context.one(node.row, key)
    # Several types tell of events, and an id is good for its own only.
    return record if record is not None and node.is_type_of(record, None) else None
