"""Reads the rows of one relation for many parents in one statement: by key, a page of each, all of them, or counts.

Both executors read rows here: the loaders under graphql-core and the steps of compiled plans. The SELECTs themselves
are written by `resolvers.sql.selects`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select

from models.db.tables import table_of
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import NamedRows, require_rows
from resolvers.sql.pagination import Page, Slice, cut_page
from resolvers.sql.predicates import Condition, Predicate
from resolvers.sql.prepared import StatementCache
from resolvers.sql.readers import Reader
from resolvers.sql.selects import Relation


class SelectedColumns(NamedTuple):
    """What is selected of each row.

    Columns of equal `shape` are written with the same text; only the `values` of their parameters differ. `named` are
    the rows that the values name (resolvers/sql/named_rows.py).
    """

    write: Callable[[], Sequence[ColumnElement[Any]]]
    shape: Hashable = ()
    values: dict[str, Any] | None = None
    named: tuple[NamedRows, ...] = ()


class RowSource:
    """The rows of one model that belong to parents by one relation.

    Each method runs one statement for all `keys`, which are distinct: the parents' keys, or [None] for a relation
    without parents. Only rows that the viewer may have are read; `scoped=False` lifts that, for rows that the operation
    has just written. Without `selected` all columns of the table are read. Rows are as the reader's `fetch` gives them;
    where they belong to parents, the last value of each row is its parent's key.

    Prepared statements are cached, so one source must always get the same kind of reader. All methods raise
    RequestError (NOT_FOUND) where a condition names a row that the viewer does not see.
    """

    def __init__(self, model: Any, relation: Relation, *, scoped: bool = True) -> None:
        self.model, self.relation, self._scoped = model, relation, scoped
        self._all_columns = SelectedColumns(lambda: list(table_of(model).c))
        self._statements = StatementCache()

    async def by_key(
        self, reader: Reader, keys: list[Any], *, selected: SelectedColumns | None = None
    ) -> dict[Any, Any]:
        """One row for each key that has any; of a relation without parents, the row with that primary key."""
        if not keys:
            return {}
        selected = selected or self._all_columns
        predicates, values = await self._filter(reader, (), selected)
        shape = "key", predicates, selected.shape
        statement = self._statements.get(shape)
        if statement is None:
            select = selects.by_key(selected.write(), self.relation, predicates, reader.sqlite)
            statement = self._prepare(shape, reader, select)
        values["keys"] = keys
        rows: dict[Any, Any] = {}
        for row in await reader.fetch(statement, values, keyed=True):
            rows.setdefault(row[-1], row)
        return rows

    async def pages(
        self,
        reader: Reader,
        page: Page,
        keys: list[Any],
        conditions: Sequence[Condition] = (),
        *,
        selected: SelectedColumns | None = None,
        ends: bool = True,
    ) -> dict[Any, Slice]:
        """By key, the page of the parent's rows. Without `ends`, whether there are rows beyond it stays unknown."""
        selected = selected or self._all_columns
        predicates, values = await self._filter(reader, conditions, selected)
        values |= page.parameters
        single = self.relation.key is None or len(keys) == 1
        write = selects.one_page if single else selects.pages
        shape = "page", single, predicates, page.shape, ends, selected.shape
        statement = self._statements.get(shape)
        if statement is None:
            select = write(selected.write(), self.relation, page, predicates, reader.sqlite, more=ends)
            statement = self._prepare(shape, reader, select)
        if single:
            values["key"] = keys[0]
            return {keys[0]: cut_page(page, await reader.fetch(statement, values))}
        values["keys"] = keys
        groups = _by_parent(keys, await reader.fetch(statement, values))
        return {key: cut_page(page, rows) for key, rows in groups.items()}

    async def all_rows(
        self,
        reader: Reader,
        keys: list[Any],
        conditions: Sequence[Condition] = (),
        *,
        order: Callable[[Any], Any],
        selected: SelectedColumns | None = None,
    ) -> dict[Any, list[Any]]:
        """By key, all rows of the parent, sorted by `order`. For relations that are short by nature."""
        selected = selected or self._all_columns
        predicates, values = await self._filter(reader, conditions, selected)
        write = selects.all_rows if self.relation.key is None else selects.by_key
        shape = "all", predicates, selected.shape
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._prepare(shape, reader, write(selected.write(), self.relation, predicates, reader.sqlite))
        values["keys"] = keys
        rows = await reader.fetch(statement, values)
        groups = {keys[0]: rows} if self.relation.key is None else _by_parent(keys, rows)
        return {key: sorted(group, key=order) for key, group in groups.items()}

    async def counts(self, reader: Reader, keys: list[Any], conditions: Sequence[Condition] = ()) -> dict[Any, int]:
        """By key, how many rows the parent has."""
        predicates, values = await self._filter(reader, conditions, self._all_columns)
        shape = "count", predicates
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._prepare(shape, reader, selects.counts(self.relation, predicates, reader.sqlite))
        values["keys"] = keys
        rows = await reader.fetch(statement, values)
        if self.relation.key is None:
            return {keys[0]: rows[0][0]}
        return dict.fromkeys(keys, 0) | {row[0]: row[1] for row in rows}

    async def _filter(
        self, reader: Reader, conditions: Sequence[Condition], selected: SelectedColumns
    ) -> tuple[tuple[Predicate, ...], dict[str, Any]]:
        """The predicates of the statement, the viewer's scope included, and the values of its parameters."""
        named = [*selected.named, *(each for condition in conditions for each in condition.named)]
        if named:
            await require_rows(reader, named)
        if self._scoped:
            conditions = [*conditions, *authorization.row_conditions(self.model, reader.viewer.visibility)]
        values = selects.parameters(conditions, reader) if conditions else {"now": reader.now}
        if selected.values:
            values |= selected.values
        return tuple([condition.predicate for condition in conditions]), values

    def _prepare(self, shape: Hashable, reader: Reader, select: Select[Any]) -> Any:
        statement = reader.prepare(select)
        self._statements.put(shape, statement)
        return statement


def _by_parent(keys: list[Any], rows: Sequence[Any]) -> dict[Any, list[Any]]:
    """Rows by their parent's key, which is the last value of each."""
    groups: dict[Any, list[Any]] = {key: [] for key in keys}
    for row in rows:
        groups[row[-1]].append(row)
    return groups
