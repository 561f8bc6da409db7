"""Where statements that write JSON are used: a whole root field, fields beside a row's columns, what a batch finds."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, GraphQLNonNull, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, Select, bindparam

import models
from models.db.tables import table_of
from resolvers.sql import authorization
from resolvers.sql.predicates import table_column
from resolvers.sql.prepared import Statement
from resolvers.sql.row_source import STATEMENTS_CACHED
from resolvers.sql.selects import ExtraSelect
from schema.fields import batch, references
from schema.fields.connections import ToList, ToMany
from schema.fields.lookups import RowByKey, Singleton, requested_key
from schema.fields.source import LoadField, graph_type
from schema.plan.fallback import FallbackRequired
from schema.plan.row_codec import DecodedRowLayout, RowLayout
from schema.plan.sql_json import SqlJsonCompiler, as_text, json_object, target_model
from schema.plan.sql_json_scalars import MISSING, UnsupportedInSql
from schema.plan.sql_json_scopes import QueryScope, ScopeWriter, scope_requests
from schema.plan.steps import ExecutionState, Step

if TYPE_CHECKING:
    from schema.plan.planner import Planner

MISSING_BYTE = MISSING.encode()
EVENT = table_of(models.Event)


@dataclass(eq=False)
class SqlJsonStep:
    """A root field's value, by one statement. `key` gives the key of the row that it begins with, if there is one."""

    levels: Sequence[QueryScope]
    write: Callable[[ScopeWriter, Any], Select[Any]]
    key: Callable[[ExecutionState], tuple[Any, Any]] | None
    required: bool
    statements: int = 1
    _statements: dict[Hashable, Statement] = field(default_factory=dict)

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        asked = scope_requests(self.levels, state)
        by, key = (None, None) if self.key is None else self.key(state)
        statement = self._statements.get((by, asked.shape))
        if statement is None:
            if len(self._statements) >= STATEMENTS_CACHED:
                self._statements.clear()
            statement = self._statements[by, asked.shape] = Statement(self.write(asked.writer, by), sqlite=False)
        found = await state.reader.fetch(statement, asked.values | {"key": key})
        if not found:
            return [None]
        text: bytes = found[0][0]
        if MISSING_BYTE in text:
            raise FallbackRequired("a null where none may be")
        return [orjson.Fragment(text)]


def fragment(text: str) -> orjson.Fragment:
    if MISSING in text:
        raise FallbackRequired("a null where none may be")
    return orjson.Fragment(text)


def as_bytes(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    """As the answer has it: a file of 200 KB would be decoded only to be encoded again."""
    return sa.func.convert_to(as_text(value), sa.literal_column("'UTF8'"), type_=sa.LargeBinary)


def sql_json_step(
    compiler: "Planner", parent: GraphQLObjectType, declared: LoadField, of: Any, nodes: list[FieldNode]
) -> Step | None:
    """A root field's part as one statement, where that can be and is worth it."""
    lowering = SqlJsonCompiler(compiler)
    required = isinstance(of, GraphQLNonNull)
    try:
        match declared.source:
            case ToMany() as load if type(load) is ToMany:
                write = lowering._connection(load, declared, parent, of, nodes)
                nothing: Any = sa.select().subquery()
                return SqlJsonStep(
                    lowering.levels, lambda writer, by: sa.select(as_bytes(write(writer, nothing))), None, required
                )
            case RowByKey(columns=columns):
                name, given = graph_type(declared.type).__name__, compiler.arguments(parent, declared, nodes[0])
                row = one_row(lowering, of, nodes, {"id": graph_type(declared.type).row.id, **columns})
                if len(lowering.levels) > 1:
                    return SqlJsonStep(lowering.levels, row, lambda state: requested_key(given(state), name), required)
            case Singleton() if authorization.may_read(compiler.visibility):
                row = one_row(lowering, of, nodes, {"id": graph_type(declared.type).row.id})
                if len(lowering.levels) > 1:
                    return SqlJsonStep(lowering.levels, row, lambda state: ("id", 1), required)
    except UnsupportedInSql:
        pass
    return None


def inline_json(
    compiler: "Planner",
    columns: RowLayout | None,
    parent: GraphQLObjectType,
    declared: LoadField,
    of: Any,
    nodes: list[FieldNode],
) -> int | None:
    """The place of a text among the columns that is the field's value; None where it must be read by itself."""
    if compiler.sqlite or columns is None or isinstance(columns, DecodedRowLayout) or columns.table is EVENT:
        return None
    if not isinstance(declared.source, references.ToOne | ToMany | ToList):
        return None
    lowering: SqlJsonCompiler = columns.texts or SqlJsonCompiler(compiler)
    before = len(lowering.levels)
    try:
        write = lowering._loaded(declared, parent, of, nodes)
    except UnsupportedInSql:
        del lowering.levels[before:]
        return None
    columns.texts = lowering
    return columns.add(write)


def extra_select(
    compiler: "Planner", load: batch.Batch, of: Any, nodes: list[FieldNode]
) -> Callable[[ExecutionState], ExtraSelect] | None:
    """What a batch function can read along: all that is asked of the rows that its results refer to."""
    named: Any = get_named_type(of)
    if compiler.sqlite or not load.carries:
        return None
    references = [asked for asked in compiler.inner(named, nodes).values() if refers(named, asked, load.carries)]
    lowering = SqlJsonCompiler(compiler)
    try:
        [asked] = references
        item = named.fields[asked[0].name.value].type
        writes = {
            target_model(one): lowering.entries(one, compiler.inner(one, asked)) for one in compiler.possible(item)
        }
    except (UnsupportedInSql, ValueError):  # ... or it is asked for in several ways, or not at all
        return None

    def carry(state: ExecutionState) -> ExtraSelect:
        found = scope_requests(lowering.levels, state)

        def write(model: Any) -> ColumnElement[Any]:
            return json_object(writes[model], found.writer, model.__table__)

        return ExtraSelect(lowering, found.shape, write, found.values)

    return carry


def refers(of: GraphQLObjectType, nodes: list[FieldNode], attributes: Collection[str]) -> bool:
    definition = of.fields.get(nodes[0].name.value)
    declared = None if definition is None else definition.extensions["strawberry-definition"]
    load = getattr(declared, "source", None)
    return isinstance(load, references.Ref) and load.attribute in attributes


def one_row(
    lowering: SqlJsonCompiler, of: Any, nodes: list[FieldNode], columns: dict[str, Any]
) -> Callable[[ScopeWriter, Any], Select[Any]]:
    model = target_model(of)
    level = lowering.level(model)
    entries = lowering.row(of, nodes)

    def write(writer: ScopeWriter, by: str) -> Select[Any]:
        row = model.__table__.alias()
        column = table_column(columns[by])
        key = row.c[column.key] == bindparam("key", type_=column.type)
        return sa.select(as_bytes(json_object(entries, writer, row))).where(key, *writer.where(level, row))

    return write
