"""Compiles selections to SQL that returns JSON, for PostgreSQL; at best a whole root field becomes one statement.

The rows then do not cross to Python one by one: a file of a thousand rows costs this process next to nothing, and the
database's processes use the other cores. Values that SQL would not write exactly as Python does (functions of columns,
batches, cursors) are not compiled; a field without such values becomes a JSON column beside its row's columns. A single
row by its key is not compiled either, since identical lookups share a statement.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type
from sqlalchemy import ColumnElement, FromClause

from models.access import AccessKind
from models.db.column_types import RankedEnum, UtcTime
from models.visibility import Visibility
from resolvers.disclosures import BEGIN_SQL, END_SQL, disclosed_by
from resolvers.sql.predicates import table_column
from resolvers.sql.row_source import SelectedColumns
from resolvers.sql.selects import Relation
from schema.fields.source import LoadField, SelectedField
from schema.plan.row_codec import RowLayout
from schema.plan.row_steps import RowsRequest
from schema.plan.selections import Fields, Selections, row_model
from schema.plan.sql_json_scalars import constant, in_order, joined
from schema.plan.sql_json_scopes import JsonEntries, JsonWriter, QueryScope, RowsOf, ScopeWriter, scope_requests
from schema.plan.steps import ArgumentPlan, ExecutionState

DEPTH_MAXIMUM = 12  # of rows within rows: SQLAlchemy writes nested expressions by recursion


def all_rows(state: ExecutionState) -> RowsRequest:
    return RowsRequest(())


class SqlJsonCompiler:
    """Compiles a root field, or fields of one type's rows. `scopes` are those of the statement so far."""

    def __init__(
        self, selections: Selections, visibility: Visibility, arguments: Callable[[SelectedField], ArgumentPlan]
    ) -> None:
        self.selections, self.visibility, self.arguments = selections, visibility, arguments
        self.scopes: list[QueryScope] = []
        self._depth = 0

    def scope(self, model: Any, rows: RowsOf | None = None) -> QueryScope:
        self.scopes.append(QueryScope(len(self.scopes), model, rows or all_rows))
        return self.scopes[-1]

    def field(self, selected: SelectedField) -> JsonWriter | None:
        """Compiles one field. Its scopes are dropped again if it cannot be compiled."""
        before = len(self.scopes)
        writer = selected.field.source.sql_json(selected, self)
        if writer is None:
            del self.scopes[before:]
        return writer

    def read(self, layout: RowLayout, state: ExecutionState) -> SelectedColumns:
        """The columns of a layout, some of them compiled here."""
        requests = scope_requests(self.scopes, state)

        def columns() -> list[ColumnElement[Any]]:
            return [
                one if isinstance(one, sa.Column) else as_text(one(requests.writer, layout.table)).label(f"t{i}")
                for i, one in enumerate(layout.all)
            ]

        return SelectedColumns(columns, requests.shape, requests.values, requests.named)

    def objects(self, graph_type: Any, nodes: Sequence[FieldNode]) -> JsonEntries | None:
        named = get_named_type(graph_type)
        if not isinstance(named, GraphQLObjectType) or self._depth == DEPTH_MAXIMUM:
            return None
        self._depth += 1
        try:
            return self.entries(named, self.selections.subfields(named, nodes))
        finally:
            self._depth -= 1

    def entries(self, parent: GraphQLObjectType, fields: Fields) -> JsonEntries | None:
        self.selections.count(fields)
        entries: JsonEntries = []
        for key, nodes in fields.items():
            writer = self._entry(parent, nodes)
            if writer is None:
                return None
            entries.append((key, writer))
        return entries

    def _entry(self, parent: GraphQLObjectType, nodes: list[FieldNode]) -> JsonWriter | None:
        name = nodes[0].name.value
        if name == "__typename":
            return constant_json(f'"{parent.name}"')
        definition = parent.fields.get(name)
        field = None if definition is None else definition.extensions["strawberry-definition"]
        if definition is None or not isinstance(field, LoadField):
            return None
        if not field.visible_to(self.visibility):
            if isinstance(definition.type, GraphQLNonNull):
                return None
            return constant_json("[]" if isinstance(definition.type, GraphQLList) else "null")
        write = field.source.sql_json(SelectedField(field, parent, definition.type, nodes), self)
        shown = None if field.sees is None else disclosed_by(row_model(parent).__table__, field.sees, self.visibility)
        return write if write is None or shown is None else marked(write, *shown)


# -- JSON of rows --


def json_object(entries: JsonEntries, writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
    """An object of a row."""
    pieces: list[ColumnElement[Any] | str] = []
    for i, (key, write) in enumerate(entries):
        pieces += [("," if i else "{") + orjson.dumps(key).decode() + ":", write(writer, row)]
    return joined([*pieces, "}" if entries else "{}"])


def json_row(
    scope: QueryScope, entries: JsonEntries, key: str, parent_key: str, absent: ColumnElement[Any]
) -> JsonWriter:
    """An object of the row whose column `key` equals the parent's column `parent_key`; without a row, `absent`."""
    table = scope.model.__table__

    def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
        inner = table.alias()
        select = sa.select(json_object(entries, writer, inner)).where(
            inner.c[key] == row.c[parent_key], *writer.where(scope, inner)
        )
        return sa.func.coalesce(select.limit(sa.literal_column("1")).correlate(row).scalar_subquery(), absent)

    return write


def json_list(scope: QueryScope, relation: Relation, entries: JsonEntries, keys: Sequence[str]) -> JsonWriter:
    """An array of all rows of a relation, sorted by the columns `keys`."""

    def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
        inner, source, key = related(scope.model, relation)
        order = [inner.c[name] for name in keys]
        each = json_object(entries, writer, inner)
        select = sa.select(sa.func.string_agg(each, in_order(*order))).where(*writer.where(scope, inner))
        select = select.select_from(source)
        select = select if key is None else select.where(key == row.c.id)
        return joined(["[", select.correlate(row).scalar_subquery(), "]"])

    def write_through(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
        # Row by row: where the other table is small, PostgreSQL would join the whole of it anew for each parent.
        assert relation.key is not None
        assert relation.through is not None
        inner, link = scope.model.__table__.alias(), relation.key.table.alias()
        other = link.c[relation.through[1].key]
        one = sa.select(json_object(entries, writer, inner)).where(inner.c.id == other, *writer.where(scope, inner))
        text = one.correlate(link).scalar_subquery()
        select = sa.select(sa.func.string_agg(text, in_order(other))).where(link.c[relation.key.key] == row.c.id)
        return joined(["[", select.select_from(link).correlate(row).scalar_subquery(), "]"])

    by_key = relation.through is not None and relation.through[0].key == "id" and list(keys) == ["id"]
    return write_through if by_key else write


def json_page(scope: QueryScope, relation: Relation, entries: JsonEntries) -> JsonWriter:
    """An array of the rows of the scope's page."""

    def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
        inner, source, key = related(scope.model, relation)
        page = writer.page(scope)
        keys = [writer.aliased(scope, inner, k.sql()) for k in page.order.keys]
        select = sa.select(
            json_object(entries, writer, inner).label("text"), *(k.label(f"k{i}") for i, k in enumerate(keys))
        ).select_from(source)
        if key is not None:
            select = select.where(key == row.c.id).correlate(row)
        select = select.where(*writer.where(scope, inner)).limit(sa.literal_column(str(page.size)))
        down = page.order.descending is not page.backward
        rows = select.order_by(*(k.desc() if down else k.asc() for k in keys)).subquery()
        order: list[Any] = [rows.c[f"k{i}"] for i in range(len(keys))]
        order = [k.desc() for k in order] if page.order.descending else order
        items = sa.select(sa.func.string_agg(rows.c.text, in_order(*order)))
        return joined(["[", items.scalar_subquery(), "]"])

    return write


def json_count(scope: QueryScope, relation: Relation) -> JsonWriter:
    """The number of the scope's rows, whatever their page."""

    def write(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
        inner, source, key = related(scope.model, relation)
        select = sa.select(sa.func.count()).select_from(source).where(*writer.where(scope, inner, paged=False))
        select = select if key is None else select.where(key == row.c.id).correlate(row)
        return sa.cast(select.scalar_subquery(), sa.Text)

    return write


def related(model: Any, relation: Relation) -> tuple[FromClause, FromClause, ColumnElement[Any] | None]:
    """An alias of the model's table, what to select from, and the column with the parent's key."""
    row = model.__table__.alias()
    if relation.key is None:
        return row, row, None
    if relation.key.table is relation.table:
        return row, row, row.c[relation.key.key]
    assert relation.through is not None
    link = relation.key.table.alias()
    ours, theirs = relation.through
    return row, row.join(link, row.c[ours.key] == link.c[theirs.key]), link.c[relation.key.key]


def sorts_as_in_python(column: Any) -> bool:
    """Whether SQL sorts by the column as Python sorts by its decoded values."""
    read = table_column(column)
    return not read.nullable and isinstance(read.type, sa.Integer | RankedEnum | UtcTime)


def constant_json(text: str) -> JsonWriter:
    return lambda writer, row: text


def column_json(key: str, write: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> JsonWriter:
    """The value of a column of the row."""
    return lambda writer, row: write(row.c[key])


def marked(write: JsonWriter, kind: AccessKind, key: str) -> JsonWriter:
    """The same value after a mark that says whose personal data it is."""
    begin, end = sa.literal_column(BEGIN_SQL, sa.Text), sa.literal_column(END_SQL, sa.Text)
    return lambda writer, row: joined([begin, kind.value, sa.cast(row.c[key], sa.Text), end, write(writer, row)])


def as_text(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    return constant(value) if isinstance(value, str) else value
