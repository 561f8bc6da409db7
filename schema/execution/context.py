"""What one operation knows, and the loaders under graphql-core: rows are asked for one at a time and read in one go."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from strawberry.dataloader import DataLoader

from models.db.database import Database
from models.visibility import Viewer
from resolvers.sql import authorization, selects
from resolvers.sql.pagination import Page, Slice, cut_page
from resolvers.sql.predicates import Condition
from resolvers.sql.readers import OperationReader
from resolvers.sql.selects import PARENT_KEY, Reader, Relation

Read = Callable[[list[Any]], Awaitable[Sequence[Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A row, with the model that it is of: a graph type knows its own by it."""

    model: Any
    row: Any

    def get(self, column: Any) -> Any:
        return getattr(self.row, column.key)


@dataclass(frozen=True, eq=False)
class RowSet:
    """Which rows of a model a field asks for, but for the parent."""

    model: Any
    relation: Relation
    conditions: tuple[Condition, ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for two fields that can be read together."""
        return self.relation, tuple((c.predicate, repr(c.value)) for c in self.conditions)


@dataclass(frozen=True)
class WriteAccess:
    """Where mutations write, and what is called after a commit that left events."""

    database: Database
    notify: Callable[[], None]


class Requester(Protocol):
    """Who asks, and what is read through for them."""

    @property
    def viewer(self) -> Viewer: ...
    @property
    def reader(self) -> Reader: ...


class Context:
    """One operation's viewer, clock and loaders."""

    def __init__(self, reader: OperationReader, writing: WriteAccess | None = None) -> None:
        self.reader, self.writing = reader, writing
        self.viewer = reader.viewer
        # What came of the operation's only mutation, where a plan has carried it out and could not answer.
        self.acted: asyncio.Future[Any] | None = None
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}

    async def load(self, name: Hashable, read: Read, key: Any) -> Any:
        if name not in self._loaders:
            self._loaders[name] = DataLoader(read)
        found: Any = self._loaders[name].load(key)
        try:
            # graphql-core cancels the siblings of a null; others who wait for the same row must not lose it with them.
            return await asyncio.shield(found)
        except asyncio.CancelledError:
            found.add_done_callback(ignore_outcome)
            raise

    async def renew(self) -> None:
        """Forget everything read so far: the database has changed."""
        self._loaders.clear()
        await self.reader.renew()

    def _scoped(self, rows: RowSet) -> tuple[list[Any], dict[str, Any]]:
        conditions = [*rows.conditions, *authorization.scope(rows.model, self.viewer.visibility)]
        return [c.predicate for c in conditions], selects.parameters(conditions, self.reader)

    async def one(self, model: Any, key: Any, column: Any = None, *, written: bool = False) -> Record | None:
        """The row whose `column` (by default the primary key) is `key`.

        `written` says that this operation has written it: who writes a row may see it, though not what hangs on it.
        """
        rows = RowSet(model, selects.relation(model, column))

        async def read(keys: list[Any]) -> list[Any]:
            return [found[0] if found else None for found in await self._by_key(rows, keys, scoped=not written)]

        record: Record | None = await self.load(("one", model, column and column.key, written), read, key)
        return record

    async def all(self, rows: RowSet, order: Callable[[Record], Any], key: Any) -> list[Record]:
        """All rows of a parent, or of the root, where they are few by nature."""

        async def read(keys: list[Any]) -> list[Any]:
            read = self._by_key(rows, keys) if rows.relation.key is not None else self._everything(rows)
            return [sorted(found, key=order) for found in await read]

        records: list[Record] = await self.load(("all", rows.key), read, key)
        return records

    async def _by_key(self, rows: RowSet, keys: list[Any], *, scoped: bool = True) -> list[list[Record]]:
        clauses, values = self._scoped(rows) if scoped else ([], {})
        columns = list(rows.relation.table.c)
        statement = selects.by_key(columns, rows.relation, clauses, self.reader.sqlite)
        return grouped(rows.model, keys, await self.reader.rows(statement, {**values, "keys": keys}))

    async def _everything(self, rows: RowSet) -> list[list[Record]]:
        clauses, values = self._scoped(rows)
        statement = selects.all_rows(list(rows.relation.table.c), rows.relation, clauses, self.reader.sqlite)
        return [[Record(rows.model, r) for r in await self.reader.rows(statement, values)]]

    async def page(self, rows: RowSet, page: Page, key: Any) -> Slice:
        """A page of a parent's rows, or of the root's."""

        async def read(keys: list[Any]) -> list[Any]:
            clauses, values = self._scoped(rows)
            columns, values = list(rows.relation.table.c), {**values, **page.parameters()}
            if rows.relation.key is None or len(keys) == 1:
                statement = selects.one_page(columns, rows.relation, page, clauses, self.reader.sqlite)
                found = await self.reader.rows(statement, {**values, "key": keys[0]})
                return [cut_page(page, [Record(rows.model, r) for r in found])]
            statement = selects.pages(columns, rows.relation, page, clauses, self.reader.sqlite)
            found = await self.reader.rows(statement, {**values, "keys": keys})
            return [cut_page(page, group) for group in grouped(rows.model, keys, found)]

        slice_: Slice = await self.load(("page", rows.key, repr(page)), read, key)
        return slice_

    async def count(self, rows: RowSet, key: Any) -> int:
        async def read(keys: list[Any]) -> list[Any]:
            clauses, values = self._scoped(rows)
            statement = selects.counts(rows.relation, clauses, self.reader.sqlite)
            found = await self.reader.rows(statement, {**values, "keys": keys})
            if rows.relation.key is None:
                return [found[0][0]]
            counted = {row[0]: row[1] for row in found}
            return [counted.get(k, 0) for k in keys]

        count: int = await self.load(("count", rows.key), read, key)
        return count


def ignore_outcome(future: "asyncio.Future[Any]") -> None:
    """Nobody waits for it any more: an error of it is none to the event loop either."""
    if not future.cancelled():
        future.exception()


def grouped(model: Any, keys: list[Any], rows: Sequence[Any]) -> list[list[Record]]:
    groups: dict[Any, list[Record]] = {k: [] for k in keys}
    for row in rows:
        groups[getattr(row, PARENT_KEY)].append(Record(model, row))
    return [groups[k] for k in keys]
