"""What hangs on a row as text of JSON that PostgreSQL writes in the same statement; at best a whole root field.

Its rows need not cross to Python one by one: a file of a thousand rows costs this process next to nothing, and the
database's own processes use the other cores. What SQL would not write exactly as Python does (functions of columns,
batches, cursors) is not lowered; a field without such things then is a text beside its row's columns. A single row by
its key is not lowered either: those who ask share a statement.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, FromClause

from models.db.column_types import RankedEnum, UtcTime
from resolvers.sql.predicates import table_column
from resolvers.sql.row_source import SelectedColumns
from resolvers.sql.selects import Relation
from schema.fields import columns, references
from schema.fields.connections import ToList, ToMany
from schema.fields.source import LoadField
from schema.plan.row_codec import RowLayout
from schema.plan.row_steps import RowsRequest
from schema.plan.sql_json_scalars import UnsupportedInSql, constant, global_id, in_order, joined, missing, scalar
from schema.plan.sql_json_scopes import QueryScope, ScopeWriter, scope_requests
from schema.plan.steps import ArgumentPlan, ExecutionState

if TYPE_CHECKING:
    from schema.plan.planner import Fields, Planner

ALL = RowsRequest(())
DEPTH_MAXIMUM = 12  # rows within rows; SQLAlchemy writes what is nested by recursion

# What writes a value of a row, given the row's alias: SQL text as an expression, or a constant.
JsonWriter = Callable[[ScopeWriter, FromClause], ColumnElement[Any] | str]


def json_object(entries: Sequence[tuple[str, JsonWriter]], writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
    """An object of a row."""
    pieces: list[ColumnElement[Any] | str] = []
    for i, (key, write) in enumerate(entries):
        pieces += [("," if i else "{") + orjson.dumps(key).decode() + ":", write(writer, row)]
    return joined([*pieces, "}" if entries else "{}"])


# -- rows --


class SqlJsonCompiler:
    """Lowers a root field, or fields of one type's rows. `levels` are all that it came upon."""

    def __init__(self, compiler: "Planner") -> None:
        self._compiler = compiler
        self.levels: list[QueryScope] = []
        self._depth = 0

    def level(self, model: Any, ask: Callable[[ExecutionState], RowsRequest] = lambda state: ALL) -> QueryScope:
        self.levels.append(QueryScope(len(self.levels), model, ask))
        return self.levels[-1]

    def read(self, columns: RowLayout, state: ExecutionState) -> SelectedColumns:
        """The columns of rows some of whose fields are lowered."""
        found = scope_requests(self.levels, state)

        def selected() -> list[ColumnElement[Any]]:
            return [
                one if isinstance(one, sa.Column) else as_text(one(found.writer, columns.table)).label(f"t{i}")
                for i, one in enumerate(columns.all)
            ]

        return SelectedColumns(selected, found.shape, found.values)

    def row(self, of: Any, nodes: Sequence[FieldNode]) -> list[tuple[str, JsonWriter]]:
        named = get_named_type(of)
        if not isinstance(named, GraphQLObjectType) or self._depth == DEPTH_MAXIMUM:
            raise UnsupportedInSql
        self._depth += 1
        try:
            return self.entries(named, self._compiler.inner(named, nodes))
        finally:
            self._depth -= 1

    def entries(self, of: GraphQLObjectType, fields: "Fields") -> list[tuple[str, JsonWriter]]:
        self._compiler.count()
        return [(key, self._entry(of, nodes)) for key, nodes in fields.items()]

    def _entry(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> JsonWriter:
        name = nodes[0].name.value
        if name == "__typename":
            return always(f'"{of.name}"')
        definition = of.fields.get(name)
        declared = None if definition is None else definition.extensions["strawberry-definition"]
        if definition is None or not isinstance(declared, LoadField):
            raise UnsupportedInSql
        if not self._compiler.visibility.allows(declared.sees):
            if isinstance(definition.type, GraphQLNonNull):
                raise UnsupportedInSql
            return always("[]" if isinstance(definition.type, GraphQLList) else "null")
        return self._loaded(declared, of, definition.type, nodes)

    def _loaded(self, declared: LoadField, parent: Any, of: Any, nodes: list[FieldNode]) -> JsonWriter:
        match declared.source:
            case columns.GlobalId(name=name, column=column):
                key = table_column(column).key
                return lambda writer, row: global_id(name, row.c[key])
            case columns.Column(column=column):
                key, write = table_column(column).key, scalar(table_column(column), of)
                return lambda writer, row: write(row.c[key])
            case columns.SubObject(columns=parts) if not isinstance(of, GraphQLNonNull):
                return self._part(parts, of, nodes)
            case references.ToOne(column=column, back=back):
                return self._to_one(table_column(column).key, back, of, nodes)
            case ToMany() as load if type(load) is ToMany:
                return self._connection(load, declared, parent, of, nodes)
            case ToList(last=False) as load if all(map(sorts_alike, load.order(load.node(declared).row))):
                return self._list(load, declared, of, nodes)
        raise UnsupportedInSql

    def _part(self, parts: dict[str, Any], of: Any, nodes: list[FieldNode]) -> JsonWriter:
        named: Any = get_named_type(of)
        inner: list[tuple[str, JsonWriter]] = []
        for key, asked in self._compiler.inner(named, nodes).items():
            name = asked[0].name.value
            if name == "__typename":
                inner.append((key, always(f'"{named.name}"')))
                continue
            asks = named.fields[name]
            column = table_column(parts[asks.extensions["strawberry-definition"].python_name])
            inner.append((key, value_of(column.key, scalar(column, asks.type))))
        keys = [table_column(column).key for column in parts.values()]

        def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            absent = sa.and_(*(row.c[key].is_(None) for key in keys))
            return sa.case((absent, constant("null")), else_=json_object(inner, writer, row))

        return write

    def _to_one(self, key: str, back: Any, of: Any, nodes: list[FieldNode]) -> JsonWriter:
        model = target_model(of)
        level = self.level(model)
        entries = self.row(of, nodes)
        absent = missing(of)
        by = "id" if back is None else table_column(back).key

        def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            inner = model.__table__.alias()
            found = sa.select(json_object(entries, writer, inner)).where(
                inner.c[by] == row.c[key], *writer.where(level, inner)
            )
            return sa.func.coalesce(found.limit(sa.literal_column("1")).correlate(row).scalar_subquery(), absent)

        return write

    def _list(self, load: ToList, declared: LoadField, of: Any, nodes: list[FieldNode]) -> JsonWriter:
        model = load.node(declared).row
        level = self.level(model, lambda state: RowsRequest(load.fixed))
        entries = self.row(of, nodes)
        relation = load.relation(declared)
        keys = [table_column(column).key for column in load.order(model)]

        def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            inner, source, key = related(model, relation)
            order = [inner.c[name] for name in keys]
            each = json_object(entries, writer, inner)
            found = sa.select(sa.func.string_agg(each, in_order(*order))).where(*writer.where(level, inner))
            found = found.select_from(source)
            found = found if key is None else found.where(key == row.c.id)
            return joined(["[", found.correlate(row).scalar_subquery(), "]"])

        def through(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            # Row by row: where the other table is small, PostgreSQL would join the whole of it for each parent anew.
            assert relation.key is not None
            assert relation.through is not None
            inner, link = model.__table__.alias(), relation.key.table.alias()
            other = link.c[relation.through[1].key]
            one = sa.select(json_object(entries, writer, inner)).where(inner.c.id == other, *writer.where(level, inner))
            text = one.correlate(link).scalar_subquery()
            found = sa.select(sa.func.string_agg(text, in_order(other))).where(link.c[relation.key.key] == row.c.id)
            return joined(["[", found.select_from(link).correlate(row).scalar_subquery(), "]"])

        by_key = relation.through is not None and relation.through[0].key == "id" and keys == ["id"]
        return through if by_key else write

    def _connection(
        self, load: ToMany, declared: LoadField, parent: Any, of: Any, nodes: list[FieldNode]
    ) -> JsonWriter:
        model, given = load.node(declared).row, self._compiler.arguments(parent, declared, nodes[0])
        level = self.level(model, rows_request(load, declared, given))
        relation = load.relation(declared)
        named: Any = get_named_type(of)
        entries: list[tuple[str, JsonWriter]] = []
        for key, asked in self._compiler.inner(named, nodes).items():
            name = asked[0].name.value
            if name == "__typename":
                entries.append((key, always(f'"{named.name}"')))
            elif name == "nodes":
                entries.append((key, self._nodes(level, relation, self.row(named.fields[name].type, asked))))
            elif name == "totalCount":
                entries.append((key, self._count(level, relation)))
            else:
                raise UnsupportedInSql
        return lambda writer, row: json_object(entries, writer, row)

    def _count(self, level: QueryScope, relation: Relation) -> JsonWriter:
        def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            inner, source, key = related(level.model, relation)
            found = sa.select(sa.func.count()).select_from(source).where(*writer.where(level, inner, paged=False))
            found = found if key is None else found.where(key == row.c.id).correlate(row)
            return sa.cast(found.scalar_subquery(), sa.Text)

        return write

    def _nodes(self, level: QueryScope, relation: Relation, entries: list[tuple[str, JsonWriter]]) -> JsonWriter:
        def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            inner, source, key = related(level.model, relation)
            page = writer.page(level)
            keys = [writer.told(level, inner, k.sql()) for k in page.order.keys]
            cut = sa.select(
                json_object(entries, writer, inner).label("text"), *(k.label(f"k{i}") for i, k in enumerate(keys))
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
    return not found.nullable and isinstance(found.type, sa.Integer | RankedEnum | UtcTime)


def always(text: str) -> JsonWriter:
    return lambda writer, row: text


def value_of(key: str, write: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> JsonWriter:
    return lambda writer, row: write(row.c[key])


def target_model(of: Any) -> Any:
    return get_named_type(of).extensions["strawberry-definition"].origin.row


def rows_request(load: ToMany, declared: LoadField, given: ArgumentPlan) -> Callable[[ExecutionState], RowsRequest]:
    kept: list[RowsRequest] = []

    def ask(state: ExecutionState) -> RowsRequest:
        if kept:
            return kept[0]
        rows, page = load.asked(declared, state, given(state))
        found = RowsRequest(rows.conditions, page)
        if given.fixed is not None:
            kept.append(found)
        return found

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


def as_text(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    return constant(value) if isinstance(value, str) else value
