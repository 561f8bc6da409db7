"""Where statements that write JSON are used: a whole root field, fields beside a row's columns, what a batch finds."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, GraphQLNonNull, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, Select, bindparam

import models
from resolvers.sql import authorization
from resolvers.sql.predicates import table_column
from resolvers.sql.prepared import Statement
from resolvers.sql.selects import ExtraSelect
from schema import declare
from schema.connection import ToList, ToMany
from schema.declare import LoadField, target
from schema.plans.leaves import Columns, Decoded, Leave
from schema.plans.levels import Level, Writer, told
from schema.plans.lowering import Lowering, as_text, made, target_model
from schema.plans.parts import STATEMENTS_KEPT, Part, State
from schema.plans.texts import MISSING, Unlowered
from schema.query import FindBy, Sole, key_asked

if TYPE_CHECKING:
    from schema.plans.compiler import Compiler

MISSING_BYTE = MISSING.encode()
EVENT: sa.Table = models.Event.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables


@dataclass(eq=False)
class Lowered:
    """A root field's value, by one statement. `key` gives the key of the row that it begins with, if there is one."""

    levels: Sequence[Level]
    write: Callable[[Writer, Any], Select[Any]]
    key: Callable[[State], tuple[Any, Any]] | None
    required: bool
    statements: int = 1
    _statements: dict[Hashable, Statement] = field(default_factory=dict)

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        asked = told(self.levels, state)
        by, key = (None, None) if self.key is None else self.key(state)
        statement = self._statements.get((by, asked.shape))
        if statement is None:
            if len(self._statements) >= STATEMENTS_KEPT:
                self._statements.clear()
            statement = self._statements[by, asked.shape] = Statement(self.write(asked.writer, by), sqlite=False)
        found = await state.reader.fetch(statement, asked.values | {"key": key})
        if not found:
            return [None]
        text: bytes = found[0][0]
        if MISSING_BYTE in text:
            raise Leave("a null where none may be")
        return [orjson.Fragment(text)]


def fragment(text: str) -> orjson.Fragment:
    if MISSING in text:
        raise Leave("a null where none may be")
    return orjson.Fragment(text)


def as_bytes(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    """As the answer has it: a file of 200 KB would be decoded only to be encoded again."""
    return sa.func.convert_to(as_text(value), sa.literal_column("'UTF8'"), type_=sa.LargeBinary)


def lowered(
    compiler: "Compiler", parent: GraphQLObjectType, declared: LoadField, of: Any, nodes: list[FieldNode]
) -> Part | None:
    """A root field's part as one statement, where that can be and is worth it."""
    lowering = Lowering(compiler)
    required = isinstance(of, GraphQLNonNull)
    try:
        match declared.load:
            case ToMany() as load if type(load) is ToMany:
                write = lowering._connection(load, declared, parent, of, nodes)
                nothing: Any = sa.select().subquery()
                return Lowered(
                    lowering.levels, lambda writer, by: sa.select(as_bytes(write(writer, nothing))), None, required
                )
            case FindBy(columns=columns):
                name, given = target(declared.type).__name__, compiler.arguments(parent, declared, nodes[0])
                row = one_row(lowering, of, nodes, {"id": target(declared.type).row.id, **columns})
                if len(lowering.levels) > 1:
                    return Lowered(lowering.levels, row, lambda state: key_asked(given(state), name), required)
            case Sole() if authorization.may_read(compiler.visibility):
                row = one_row(lowering, of, nodes, {"id": target(declared.type).row.id})
                if len(lowering.levels) > 1:
                    return Lowered(lowering.levels, row, lambda state: ("id", 1), required)
    except Unlowered:
        pass
    return None


def inlined(
    compiler: "Compiler",
    columns: Columns | None,
    parent: GraphQLObjectType,
    declared: LoadField,
    of: Any,
    nodes: list[FieldNode],
) -> int | None:
    """The place of a text among the columns that is the field's value; None where it must be read by itself."""
    if compiler.sqlite or columns is None or isinstance(columns, Decoded) or columns.table is EVENT:
        return None
    if not isinstance(declared.load, declare.ToOne | ToMany | ToList):
        return None
    lowering: Lowering = columns.texts or Lowering(compiler)
    before = len(lowering.levels)
    try:
        write = lowering._loaded(declared, parent, of, nodes)
    except Unlowered:
        del lowering.levels[before:]
        return None
    columns.texts = lowering
    return columns.add(write)


def carried(
    compiler: "Compiler", load: declare.Batch, of: Any, nodes: list[FieldNode]
) -> Callable[[State], ExtraSelect] | None:
    """What a batch function can read along: all that is asked of the rows that its results refer to."""
    named: Any = get_named_type(of)
    if compiler.sqlite or not load.carries:
        return None
    references = [asked for asked in compiler.inner(named, nodes).values() if refers(named, asked, load.carries)]
    lowering = Lowering(compiler)
    try:
        [asked] = references
        item = named.fields[asked[0].name.value].type
        writes = {
            target_model(one): lowering.entries(one, compiler.inner(one, asked)) for one in compiler.possible(item)
        }
    except (Unlowered, ValueError):  # ... or it is asked for in several ways, or not at all
        return None

    def carry(state: State) -> ExtraSelect:
        found = told(lowering.levels, state)

        def write(model: Any) -> ColumnElement[Any]:
            return made(writes[model], found.writer, model.__table__)

        return ExtraSelect(lowering, found.shape, write, found.values)

    return carry


def refers(of: GraphQLObjectType, nodes: list[FieldNode], attributes: Collection[str]) -> bool:
    definition = of.fields.get(nodes[0].name.value)
    declared = None if definition is None else definition.extensions["strawberry-definition"]
    load = getattr(declared, "load", None)
    return isinstance(load, declare.Ref) and load.attribute in attributes


def one_row(
    lowering: Lowering, of: Any, nodes: list[FieldNode], columns: dict[str, Any]
) -> Callable[[Writer, Any], Select[Any]]:
    model = target_model(of)
    level = lowering.level(model)
    entries = lowering.row(of, nodes)

    def write(writer: Writer, by: str) -> Select[Any]:
        row = model.__table__.alias()
        column = table_column(columns[by])
        key = row.c[column.key] == bindparam("key", type_=column.type)
        return sa.select(as_bytes(made(entries, writer, row))).where(key, *writer.where(level, row))

    return write
