"""Builds the SELECTs of rows: by key, one page, a page for each of many parents, all rows, and counts.

Parameters have the same names in all statements: `keys` (a list of parents' or rows' keys), `key` (one parent's key),
`w0`, `w1` … (values of predicates), `a0` … and `b0` … (values of the cursors `after` and `before`), and `now`. The rows
of parents end with the parent's key, named `parent_key`. A page's size is a literal in the text: for a parameter
PostgreSQL would expect a tenth of all rows, and would never reuse a plan.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from models.db.tables import table_of
from resolvers.sql.pagination import Page, Range
from resolvers.sql.predicates import Conditions, JsonArray, Predicate, RequestTime, among, table_column

PARENT_KEY = "parent_key"


@dataclass(frozen=True)
class ExtraSelect:
    """A JSON text that a batch function selects for each row it finds, in the same statement.

    `write` gives the expression for a model's rows. Expressions of equal `owner` and `shape` have equal texts; only the
    `values` of their parameters differ. `named` are the rows that they name (resolvers/sql/named_rows.py).
    """

    owner: Hashable
    shape: Hashable
    write: Callable[[Any], ColumnElement[Any]] = field(compare=False)
    values: dict[str, Any] = field(compare=False)
    named: tuple[Any, ...] = field(default=(), compare=False)


@dataclass(frozen=True, eq=False)
class Relation:
    """How rows of `table` belong to parents: `key` is the column that holds the parent's id.

    It is a column of the table itself, or of another table that is joined where the two columns in `through` are equal.
    Without `key` the rows belong to the root.
    """

    table: sa.Table
    key: sa.Column[Any] | None = None
    through: tuple[sa.Column[Any], sa.Column[Any]] | None = None

    @property
    def source(self) -> FromClause:
        if self.key is None or self.key.table is self.table:
            return self.table
        if self.through is None:
            raise TypeError(f"{self.key} is not in {self.table}: say what joins them")
        return self.table.join(self.key.table, self.through[0] == self.through[1])


def parameters(conditions: Conditions, reader: RequestTime) -> dict[str, Any]:
    """The values of the conditions and the time, by the names that `where` gives the parameters."""
    values = {"now": reader.now}
    for i, condition in enumerate(conditions):
        values |= condition.predicate.parameters(f"w{i}", condition.value, reader)
    return values


def where(predicates: Sequence[Predicate], sqlite: bool) -> list[ColumnElement[bool]]:
    return [predicate.sql(f"w{i}", sqlite) for i, predicate in enumerate(predicates)]


def by_key(
    columns: Sequence[ColumnElement[Any]], relation: Relation, predicates: Sequence[Predicate], sqlite: bool
) -> Select[Any]:
    """All rows of the parents in `keys`; for a relation without parents, the rows with these primary keys."""
    key = relation.key if relation.key is not None else relation.table.c.id
    statement = select(columns, relation, key)
    return statement.where(among(key, "keys", sqlite), *where(predicates, sqlite))


def select(columns: Sequence[ColumnElement[Any]], relation: Relation, key: ColumnElement[Any] | None) -> Select[Any]:
    parent = [] if key is None else [key.label(PARENT_KEY)]
    return sa.select(*columns, *parent).select_from(relation.source)


def all_rows(
    columns: Sequence[ColumnElement[Any]], relation: Relation, predicates: Sequence[Predicate], sqlite: bool
) -> Select[Any]:
    """All rows of the root. For tables that are short by nature."""
    return select(columns, relation, sa.null()).where(*where(predicates, sqlite))


def one_page(
    columns: Sequence[ColumnElement[Any]],
    relation: Relation,
    page: Page,
    predicates: Sequence[Predicate],
    sqlite: bool,
    *,
    more: bool = True,
) -> Select[Any]:
    """The page of the root's rows, or of the parent in the parameter `key`; with `more`, one row beyond it."""
    size = _size(page, more)
    conditions, parent, ranges = where(predicates, sqlite), None, page.ranges(sqlite)
    if relation.key is not None:
        parent = bindparam("key", type_=sa.Integer)
        conditions.append(relation.key == parent)
    if len(ranges) == 1:
        statement = select(columns, relation, relation.key).where(*conditions, ranges[0].condition)
    else:
        ids = _ids_in_ranges(relation, ranges, conditions, size)
        statement = select(columns, Relation(relation.table), parent).where(relation.table.c.id.in_(ids))
    return statement.order_by(*page.order.sql(page.backward)).limit(size)


def without_index(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value with a unary plus, which keeps SQLite from using an index on it."""
    return UnaryExpression(expression, operator=custom_op("+"), type_=expression.type)


def _size(page: Page, more: bool) -> ColumnElement[int]:
    return sa.literal_column(str(page.size + more), sa.Integer)


def _ids_in_ranges(
    relation: Relation,
    ranges: Sequence[Range],
    conditions: Sequence[ColumnElement[bool]],
    size: ColumnElement[int],
    *outer: FromClause,
) -> Select[Any] | sa.CompoundSelect[Any]:
    """For SQLite, the ids of the first rows of each range, the page's own among them.

    Each range has its own subquery, because SQLite would sort the rows of several. `outer` are tables of the enclosing
    statement that the conditions refer to.
    """
    subqueries = [
        sa.select(relation.table.c.id)
        .select_from(relation.source)
        .where(*conditions, range_.condition)
        .order_by(*range_.order)
        .limit(size)
        .correlate(*outer)
        for range_ in ranges
    ]
    if len(subqueries) == 1:
        return subqueries[0]
    return sa.union_all(*(sa.select(subquery.subquery().c.id) for subquery in subqueries))


def pages(
    columns: Sequence[ColumnElement[Any]],
    relation: Relation,
    page: Page,
    predicates: Sequence[Predicate],
    sqlite: bool,
    *,
    more: bool = True,
) -> Select[Any]:
    """The page of each parent in `keys`, in one statement that reads of each parent no more than its page.

    PostgreSQL uses a lateral join. SQLite has none, but it evaluates a limited, correlated subquery for each parent.
    """
    key = relation.key
    if key is None:
        raise TypeError("the root has no parents")
    conditions, order, size = where(predicates, sqlite), page.order.sql(page.backward), _size(page, more)
    if sqlite:
        parents = sa.func.json_each(bindparam("keys", type_=JsonArray(sa.Integer()))).table_valued("key", "value")
        ids = _ids_in_ranges(relation, page.ranges(True), [key == parents.c.value, *conditions], size, parents)
        target = relation.table
        return (
            sa.select(*columns, parents.c.value.label(PARENT_KEY))
            .select_from(parents.join(target, target.c.id.in_(ids)))
            .order_by(parents.c.key, *order)
        )
    keys = sa.func.unnest(bindparam("keys", type_=ARRAY(sa.Integer))).table_valued("key", name="parents")
    parents = keys.render_derived()
    place = sa.func.row_number().over(order_by=order).label("place")
    each = (
        sa.select(*columns, place)
        .select_from(relation.source)
        .where(key == parents.c.key, *conditions, page.ranges(False)[0].condition)
        .order_by(*order)
        .limit(size)
        .lateral("each")
    )
    selected = [each.c[str(column.key)] for column in columns]
    return (
        sa.select(*selected, parents.c.key.label(PARENT_KEY))
        .select_from(parents.join(each, sa.true()))
        .order_by(parents.c.key, each.c.place)
    )


def counts(relation: Relation, predicates: Sequence[Predicate], sqlite: bool) -> Select[Any]:
    """The number of the root's rows; or, by parent's key, of the rows of each parent in `keys` that has any."""
    conditions = where(predicates, sqlite)
    if relation.key is None:
        return sa.select(sa.func.count()).select_from(relation.table).where(*conditions)
    statement = sa.select(relation.key.label(PARENT_KEY), sa.func.count()).select_from(relation.source)
    return statement.where(among(relation.key, "keys", sqlite), *conditions).group_by(relation.key)


def relation(model: Any, key: Any = None, through: tuple[Any, Any] | None = None) -> Relation:
    """A relation given by models' attributes instead of columns."""
    joined = None if through is None else (table_column(through[0]), table_column(through[1]))
    return Relation(table_of(model), None if key is None else table_column(key), joined)
