"""A whole root field as one statement that gives JSON, for PostgreSQL.

Its rows need not cross to Python one by one: a file of a thousand rows costs this process next to nothing, and the
database's own processes use the other cores. What SQL would not write exactly as Python does (floats, functions of
columns, batches, cursors) is not lowered, and neither is a single row by its key: those who ask share a statement.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, FromClause, Select, bindparam
from sqlalchemy.sql.visitors import replacement_traverse

from models.types import Ranked, UtcTime
from resolvers import reading, rights
from resolvers.clauses import Clause, table_column
from resolvers.raw import Statement
from resolvers.reading import Relation
from schema import declare
from schema.connection import ToList, ToMany
from schema.declare import LoadField, target
from schema.plans.leaves import Leave
from schema.plans.lists import STATEMENTS_KEPT, Asked
from schema.plans.parts import Given, Part, State
from schema.plans.texts import MISSING, Unlowered, constant, global_id, in_order, joined, leaf, missing
from schema.query import FindBy, Sole, key_asked

if TYPE_CHECKING:
    from schema.plans.compiler import Compiler, Fields

ALL = Asked(())


@dataclass(frozen=True)
class Level:
    """Rows of one model in the statement, with what is asked of them."""

    number: int
    model: Any
    ask: Callable[[State], Asked]


class Writer:
    """Writes one statement. `asked` are the clauses and the page of each level, by its number."""

    def __init__(self, asked: Sequence[tuple[tuple[Clause, ...], Asked]]) -> None:
        self._asked = asked

    def page(self, level: Level) -> Any:
        return self._asked[level.number][1].page

    def where(self, level: Level, row: FromClause) -> list[ColumnElement[bool]]:
        """What holds for the rows of a level, told of its alias; parameters have the level's number before them."""
        clauses, asked = self._asked[level.number]
        if any(level.model.__table__ in clause.tables() for clause in clauses):
            raise Unlowered
        page = asked.page
        found = reading.where(clauses, False)
        if page is not None:
            found.append(page.ranges(False)[0].condition)
        return [self.told(level, row, expression) for expression in found]

    def told(self, level: Level, row: FromClause, expression: Any) -> Any:
        def replace(element: Any, **_: Any) -> Any:
            if isinstance(element, sa.Column) and element.table is level.model.__table__:
                return row.c[element.key]
            if isinstance(element, sa.BindParameter) and element.required and element.key != "now":
                return bindparam(f"l{level.number}{element.key}", type_=element.type)
            return None

        return replacement_traverse(expression, {}, replace)


# What writes a value of a row, given the row's alias: SQL text as an expression, or a constant.
Write = Callable[[Writer, FromClause], ColumnElement[Any] | str]


def made(entries: Sequence[tuple[str, Write]], writer: Writer, row: FromClause) -> ColumnElement[Any]:
    """An object of a row."""
    pieces: list[ColumnElement[Any] | str] = []
    for i, (key, write) in enumerate(entries):
        pieces += [("," if i else "{") + orjson.dumps(key).decode() + ":", write(writer, row)]
    return joined([*pieces, "}" if entries else "{}"])


# -- rows --


class Lowering:
    """Lowers one root field."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler
        self.levels: list[Level] = []

    def level(self, model: Any, ask: Callable[[State], Asked] = lambda state: ALL) -> Level:
        self.levels.append(Level(len(self.levels), model, ask))
        return self.levels[-1]

    def row(self, of: Any, nodes: Sequence[FieldNode]) -> list[tuple[str, Write]]:
        named = get_named_type(of)
        if not isinstance(named, GraphQLObjectType):
            raise Unlowered
        return self.entries(named, self._compiler.inner(named, nodes))

    def entries(self, of: GraphQLObjectType, fields: "Fields") -> list[tuple[str, Write]]:
        return [(key, self._entry(of, nodes)) for key, nodes in fields.items()]

    def _entry(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> Write:
        name = nodes[0].name.value
        if name == "__typename":
            return always(f'"{of.name}"')
        definition = of.fields.get(name)
        declared = None if definition is None else definition.extensions["strawberry-definition"]
        if definition is None or not isinstance(declared, LoadField):
            raise Unlowered
        if not self._compiler.visibility.allows(declared.sees):
            if isinstance(definition.type, GraphQLNonNull):
                raise Unlowered
            return always("[]" if isinstance(definition.type, GraphQLList) else "null")
        return self._loaded(declared, of, definition.type, nodes)

    def _loaded(self, declared: LoadField, parent: Any, of: Any, nodes: list[FieldNode]) -> Write:
        match declared.load:
            case declare.GlobalId(name=name, column=column):
                key = table_column(column).key
                return lambda writer, row: global_id(name, row.c[key])
            case declare.Column(column=column):
                key, write = table_column(column).key, leaf(table_column(column), of)
                return lambda writer, row: write(row.c[key])
            case declare.Part(columns=parts) if not isinstance(of, GraphQLNonNull):
                return self._part(parts, of, nodes)
            case declare.ToOne(column=column, back=back):
                return self._to_one(table_column(column).key, back, of, nodes)
            case ToMany() as load if type(load) is ToMany:
                return self._connection(load, declared, parent, of, nodes)
            case ToList(last=False) as load if all(map(sorts_alike, load.order(load.node(declared).row))):
                return self._list(load, declared, of, nodes)
        raise Unlowered

    def _part(self, parts: dict[str, Any], of: Any, nodes: list[FieldNode]) -> Write:
        named: Any = get_named_type(of)
        inner: list[tuple[str, Write]] = []
        for key, asked in self._compiler.inner(named, nodes).items():
            name = asked[0].name.value
            if name == "__typename":
                inner.append((key, always(f'"{named.name}"')))
                continue
            asks = named.fields[name]
            column = table_column(parts[asks.extensions["strawberry-definition"].python_name])
            inner.append((key, value_of(column.key, leaf(column, asks.type))))
        keys = [table_column(column).key for column in parts.values()]

        def write(writer: Writer, row: FromClause) -> ColumnElement[Any]:
            absent = sa.and_(*(row.c[key].is_(None) for key in keys))
            return sa.case((absent, constant("null")), else_=made(inner, writer, row))

        return write

    def _to_one(self, key: str, back: Any, of: Any, nodes: list[FieldNode]) -> Write:
        model = target_model(of)
        level = self.level(model)
        entries = self.row(of, nodes)
        absent = missing(of)
        by = "id" if back is None else table_column(back).key

        def write(writer: Writer, row: FromClause) -> ColumnElement[Any]:
            inner = model.__table__.alias()
            found = sa.select(made(entries, writer, inner)).where(
                inner.c[by] == row.c[key], *writer.where(level, inner)
            )
            return sa.func.coalesce(found.limit(sa.literal_column("1")).correlate(row).scalar_subquery(), absent)

        return write

    def _list(self, load: ToList, declared: LoadField, of: Any, nodes: list[FieldNode]) -> Write:
        model = load.node(declared).row
        level = self.level(model, lambda state: Asked(load.fixed))
        entries = self.row(of, nodes)
        relation = load.relation(declared)
        keys = [table_column(column).key for column in load.order(model)]

        def write(writer: Writer, row: FromClause) -> ColumnElement[Any]:
            inner, source, key = related(model, relation)
            order = [inner.c[name] for name in keys]
            each = made(entries, writer, inner)
            found = sa.select(sa.func.string_agg(each, in_order(*order))).where(*writer.where(level, inner))
            found = found.select_from(source)
            found = found if key is None else found.where(key == row.c.id)
            return joined(["[", found.correlate(row).scalar_subquery(), "]"])

        def through(writer: Writer, row: FromClause) -> ColumnElement[Any]:
            # Row by row: where the other table is small, PostgreSQL would join the whole of it for each parent anew.
            assert relation.key is not None
            assert relation.through is not None
            inner, link = model.__table__.alias(), relation.key.table.alias()
            other = link.c[relation.through[1].key]
            one = sa.select(made(entries, writer, inner)).where(inner.c.id == other, *writer.where(level, inner))
            text = one.correlate(link).scalar_subquery()
            found = sa.select(sa.func.string_agg(text, in_order(other))).where(link.c[relation.key.key] == row.c.id)
            return joined(["[", found.select_from(link).correlate(row).scalar_subquery(), "]"])

        by_key = relation.through is not None and relation.through[0].key == "id" and keys == ["id"]
        return through if by_key else write

    def _connection(self, load: ToMany, declared: LoadField, parent: Any, of: Any, nodes: list[FieldNode]) -> Write:
        model, given = load.node(declared).row, self._compiler.arguments(parent, declared, nodes[0])
        level = self.level(model, asking(load, declared, given))
        relation = load.relation(declared)
        named: Any = get_named_type(of)
        entries: list[tuple[str, Write]] = []
        for key, asked in self._compiler.inner(named, nodes).items():
            name = asked[0].name.value
            if name == "__typename":
                entries.append((key, always(f'"{named.name}"')))
            elif name == "nodes":
                entries.append((key, self._nodes(level, relation, self.row(named.fields[name].type, asked))))
            else:
                raise Unlowered
        return lambda writer, row: made(entries, writer, row)

    def _nodes(self, level: Level, relation: Relation, entries: list[tuple[str, Write]]) -> Write:
        def write(writer: Writer, row: FromClause) -> ColumnElement[Any]:
            inner, source, key = related(level.model, relation)
            page = writer.page(level)
            keys = [writer.told(level, inner, k.sql()) for k in page.order.keys]
            cut = sa.select(
                made(entries, writer, inner).label("text"), *(k.label(f"k{i}") for i, k in enumerate(keys))
            ).select_from(source)
            if key is not None:
                cut = cut.where(key == row.c.id).correlate(row)
            cut = cut.where(*writer.where(level, inner)).limit(sa.literal_column(str(page.size)))
            down = page.order.descending is not page.backward
            rows = cut.order_by(*(k.desc() if down else k.asc() for k in keys)).subquery()
            order: list[Any] = [rows.c[f"k{i}"] for i in range(len(keys))]
            order = [k.desc() for k in order] if page.order.descending else order
            found = sa.select(sa.func.string_agg(rows.c.text, in_order(*order)))
            return joined(["[", found.scalar_subquery(), "]"])

        return write


def sorts_alike(column: Any) -> bool:
    """Whether SQL sorts the column as Python sorts what it makes of it."""
    found = table_column(column)
    return not found.nullable and isinstance(found.type, sa.Integer | Ranked | UtcTime)


def always(text: str) -> Write:
    return lambda writer, row: text


def value_of(key: str, write: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> Write:
    return lambda writer, row: write(row.c[key])


def target_model(of: Any) -> Any:
    return get_named_type(of).extensions["strawberry-definition"].origin.row


def asking(load: ToMany, declared: LoadField, given: Given) -> Callable[[State], Asked]:
    def ask(state: State) -> Asked:
        rows, page = load.asked(declared, state, given(state))
        return Asked(rows.conditions, page)

    return ask


def related(model: Any, relation: Relation) -> tuple[FromClause, FromClause, ColumnElement[Any] | None]:
    """An alias of the model's table, what it is selected from, and the column that has the parent's key."""
    row = model.__table__.alias()
    if relation.key is None:
        return row, row, None
    if relation.key.table is relation.table:
        return row, row, row.c[relation.key.key]
    assert relation.through is not None
    link = relation.key.table.alias()
    ours, theirs = relation.through
    return row, row.join(link, row.c[ours.key] == link.c[theirs.key]), link.c[relation.key.key]


# -- the root --


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
        asked: list[tuple[tuple[Clause, ...], Asked]] = []
        values: dict[str, Any] = {}
        for level in self.levels:
            one = level.ask(state)
            conditions = [*one.conditions, *rights.scope(level.model, state.viewer.visibility)]
            asked.append((tuple(c.clause for c in conditions), one))
            given = reading.parameters(conditions, state.reader)
            given |= {} if one.page is None else one.page.parameters()
            values |= {f"l{level.number}{name}": value for name, value in given.items()}
        by, values["key"] = (None, None) if self.key is None else self.key(state)
        values["now"] = state.now
        shapes = tuple((clauses, one.page and (one.page.shape, one.page.size)) for clauses, one in asked)
        statement = self._statements.get((by, shapes))
        if statement is None:
            if len(self._statements) >= STATEMENTS_KEPT:
                self._statements.clear()
            statement = self._statements[by, shapes] = Statement(self.write(Writer(asked), by), sqlite=False)
        found = await state.reader.fetch(statement, values)
        if not found:
            return [None]
        text: str = found[0][0]
        if MISSING in text:
            raise Leave("a null where none may be")
        return [orjson.Fragment(text)]


def lowered(
    compiler: "Compiler", parent: GraphQLObjectType, declared: LoadField, of: Any, nodes: list[FieldNode], part: Part
) -> Part:
    """A root field's part as one statement, where that can be and is worth it; else the part as it is."""
    lowering = Lowering(compiler)
    required = isinstance(of, GraphQLNonNull)
    try:
        match declared.load:
            case ToMany() as load if type(load) is ToMany:
                write = lowering._connection(load, declared, parent, of, nodes)
                nothing: Any = sa.select().subquery()
                return Lowered(
                    lowering.levels, lambda writer, by: sa.select(as_text(write(writer, nothing))), None, required
                )
            case FindBy(columns=columns) if part.statements > 1:
                name, given = target(declared.type).__name__, compiler.arguments(parent, declared, nodes[0])
                columns = {"id": target(declared.type).row.id, **columns}
                return Lowered(
                    *one_row(lowering, of, nodes, columns), lambda state: key_asked(given(state), name), required
                )
            case Sole() if part.statements > 1 and rights.reads(compiler.visibility):
                columns = {"id": target(declared.type).row.id}
                return Lowered(*one_row(lowering, of, nodes, columns), lambda state: ("id", 1), required)
    except Unlowered:
        pass
    return part


def one_row(
    lowering: Lowering, of: Any, nodes: list[FieldNode], columns: dict[str, Any]
) -> tuple[Sequence[Level], Callable[[Writer, Any], Select[Any]]]:
    model = target_model(of)
    level = lowering.level(model)
    entries = lowering.row(of, nodes)

    def write(writer: Writer, by: str) -> Select[Any]:
        row = model.__table__.alias()
        column = table_column(columns[by])
        key = row.c[column.key] == bindparam("key", type_=column.type)
        return sa.select(made(entries, writer, row)).where(key, *writer.where(level, row))

    return lowering.levels, write


def as_text(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    return constant(value) if isinstance(value, str) else value
