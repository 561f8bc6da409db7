"""The one place that writes SELECTs of rows: by key, by page, by page for each of many parents, and counts.

Parameters have the same names everywhere: `keys` (a list of parents' or rows' keys), `w0` … (values of clauses),
`a0` …, `b0` … (values of cursors), `now`. Rows carry the parent's key as `parent_key`. How many rows a page has stands
in the text: of a parameter PostgreSQL would take the page to be a tenth of all rows, and never keep a plan.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from models.db.tables import table_of
from resolvers.sql.pagination import Page, Range
from resolvers.sql.predicates import Conditions, JsonArray, Predicate, RequestTime, among, table_column

PARENT_KEY = "parent_key"


@dataclass(frozen=True)
class ExtraSelect:
    """What is to be read along of rows that a batch function finds: a text for each, written in the same statement.

    `write` gives it by the row's model. Of one `owner` and `shape` it is the same but for the parameters' `values`.
    """

    owner: Hashable
    shape: Hashable
    write: Callable[[Any], ColumnElement[Any]] = field(compare=False)
    values: dict[str, Any] = field(compare=False)


@dataclass(frozen=True, eq=False)
class Relation:
    """How rows of `table` hang on parents: `key` holds the parent's id, in the table itself or in one that is joined.

    `through` are the two columns that are equal in that join. Without `key` the rows are the root's.
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
    """The values of conditions, by the names that `where` gives them."""
    values = {
        f"w{i}": condition.predicate.convert(condition.value, reader)
        for i, condition in enumerate(conditions)
        if condition.predicate.takes_value
    }
    return {"now": reader.now, **values}


def where(clauses: Sequence[Predicate], sqlite: bool) -> list[ColumnElement[bool]]:
    return [clause.sql(f"w{i}", sqlite) for i, clause in enumerate(clauses)]


def by_key(
    columns: Sequence[ColumnElement[Any]], relation: Relation, clauses: Sequence[Predicate], sqlite: bool
) -> Select[Any]:
    """All rows of the parents in `keys`; of a relation without parents, the rows with these primary keys."""
    key = relation.key if relation.key is not None else relation.table.c.id
    statement = select(columns, relation, key)
    return statement.where(among(key, "keys", sqlite), *where(clauses, sqlite))


def select(columns: Sequence[ColumnElement[Any]], relation: Relation, key: ColumnElement[Any] | None) -> Select[Any]:
    parent = [] if key is None else [key.label(PARENT_KEY)]
    return sa.select(*columns, *parent).select_from(relation.source)


def all_rows(
    columns: Sequence[ColumnElement[Any]], relation: Relation, clauses: Sequence[Predicate], sqlite: bool
) -> Select[Any]:
    """All rows of the root, where they are few by nature."""
    return select(columns, relation, sa.null()).where(*where(clauses, sqlite))


def one_page(
    columns: Sequence[ColumnElement[Any]],
    relation: Relation,
    page: Page,
    clauses: Sequence[Predicate],
    sqlite: bool,
    *,
    more: bool = True,
) -> Select[Any]:
    """The page of the root's rows, or of the one parent in the parameter `key`; `more` asks for one row too many."""
    size = _size(page, more)
    conditions, parent, ranges = where(clauses, sqlite), None, page.ranges(sqlite)
    if relation.key is not None:
        parent = bindparam("key", type_=sa.Integer)
        conditions.append(relation.key == parent)
    if len(ranges) == 1:
        statement = select(columns, relation, relation.key).where(*conditions, ranges[0].condition)
    else:
        chosen = _chosen(relation, ranges, conditions, size)
        statement = select(columns, Relation(relation.table), parent).where(relation.table.c.id.in_(chosen))
    return statement.order_by(*page.order.sql(page.backward)).limit(size)


def _size(page: Page, more: bool) -> ColumnElement[int]:
    return sa.literal_column(str(page.size + more), sa.Integer)


def _chosen(
    relation: Relation,
    ranges: Sequence[Range],
    conditions: Sequence[ColumnElement[bool]],
    size: ColumnElement[int],
    *outer: FromClause,
) -> Select[Any] | sa.CompoundSelect[Any]:
    """On SQLite, the ids of a page's rows: so many of each range, the page's own first among them.

    Each range is read by itself, because for several at once SQLite would sort them. `outer` are tables of the
    enclosing statement that the conditions name.
    """
    each = [
        sa.select(relation.table.c.id)
        .select_from(relation.source)
        .where(*conditions, found.condition)
        .order_by(*found.order)
        .limit(size)
        .correlate(*outer)
        for found in ranges
    ]
    return each[0] if len(each) == 1 else sa.union_all(*(sa.select(one.subquery().c.id) for one in each))


def pages(
    columns: Sequence[ColumnElement[Any]],
    relation: Relation,
    page: Page,
    clauses: Sequence[Predicate],
    sqlite: bool,
    *,
    more: bool = True,
) -> Select[Any]:
    """The page of each of the parents in `keys`, in one statement that reads no more of any than its page.

    PostgreSQL joins laterally. SQLite cannot, but it evaluates a limited subquery anew for each row that it refers to.
    """
    key = relation.key
    if key is None:
        raise TypeError("the root has no parents")
    conditions, order, size = where(clauses, sqlite), page.order.sql(page.backward), _size(page, more)
    if sqlite:
        parents = sa.func.json_each(bindparam("keys", type_=JsonArray(sa.Integer()))).table_valued("key", "value")
        chosen = _chosen(relation, page.ranges(True), [key == parents.c.value, *conditions], size, parents)
        target = relation.table
        return (
            sa.select(*columns, parents.c.value.label(PARENT_KEY))
            .select_from(parents.join(target, target.c.id.in_(chosen)))
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
    read = [each.c[str(c.key)] for c in columns]
    return (
        sa.select(*read, parents.c.key.label(PARENT_KEY))
        .select_from(parents.join(each, sa.true()))
        .order_by(parents.c.key, each.c.place)
    )


def counts(relation: Relation, clauses: Sequence[Predicate], sqlite: bool) -> Select[Any]:
    """How many rows the root has, or each of the parents in `keys` that has any."""
    conditions = where(clauses, sqlite)
    if relation.key is None:
        return sa.select(sa.func.count()).select_from(relation.table).where(*conditions)
    statement = sa.select(relation.key.label(PARENT_KEY), sa.func.count()).select_from(relation.source)
    return statement.where(among(relation.key, "keys", sqlite), *conditions).group_by(relation.key)


def relation(row: Any, key: Any = None, through: tuple[Any, Any] | None = None) -> Relation:
    """A relation from models' attributes."""
    joined = None if through is None else (table_column(through[0]), table_column(through[1]))
    return Relation(table_of(row), None if key is None else table_column(key), joined)
