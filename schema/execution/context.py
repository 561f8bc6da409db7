"""The context of one operation under graphql-core: viewer, reader, and loaders that read for many parents at once."""

import asyncio
import datetime as dt
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from models import InspectionKind
from models.db.database import Database
from models.reason import Language
from models.visibility import Viewer
from resolvers.actions.offline import DEFAULT_RULES, OfflineRules
from resolvers.sql import selects
from resolvers.sql.pagination import Page, Slice
from resolvers.sql.predicates import Condition
from resolvers.sql.readers import POSITION_AGE, OperationReader, Reader
from resolvers.sql.row_source import RowSource
from resolvers.sql.selects import Relation
from schema.execution.loader import Loader, LoadMany, unchanged
from schema.execution.pace import Pace


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A row with its model, by which a graph type recognises its own rows."""

    model: Any
    row: Any

    def get(self, column: Any) -> Any:
        return getattr(self.row, column.key)


@dataclass(frozen=True, eq=False)
class RowSet:
    """The rows of a model that a field reads for each parent."""

    model: Any
    relation: Relation
    conditions: tuple[Condition, ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for two fields that can be read together."""
        return self.relation, tuple((c.predicate, repr(c.value)) for c in self.conditions)

    @property
    def source(self) -> RowSource:
        return RowSource(self.model, self.relation)

    def records(self, rows: Sequence[Any]) -> list[Record]:
        return [Record(self.model, row) for row in rows]


@dataclass(frozen=True)
class WriteAccess:
    """The database that mutations write to, and the callback after a commit that appended events.

    `announced` are the kinds of inspections that enterprises are told of at the dispatch. `position_age` is the
    greatest age of an inspector's position that counts. `offline` says how late an act may arrive.
    """

    database: Database
    notify: Callable[[], None]
    announced: frozenset[InspectionKind] = frozenset()
    position_age: dt.timedelta = POSITION_AGE
    offline: OfflineRules = DEFAULT_RULES


class Requester(Protocol):
    """The viewer of an operation and its reader."""

    @property
    def viewer(self) -> Viewer: ...
    @property
    def reader(self) -> Reader: ...


class Context:
    """One operation's viewer, reader and loaders. Equal loads are made once for all fields that ask for them.

    Operations with the same `pace` take turns.
    """

    def __init__(
        self, reader: OperationReader, writing: WriteAccess | None = None, *, pace: Pace | None = None
    ) -> None:
        self.reader, self.writing, self.pace = reader, writing, pace or Pace()
        self.viewer = reader.viewer
        self.language = Language.ENGLISH  # of the failures of mutations
        # The outcome of the operation's only mutation, where a plan performed it but could not write the response.
        self.performed: asyncio.Future[Any] | None = None
        # How many of the operation's mutations have ended, in their order; None where the last one's end is not known.
        self.mutations_finished: int | None = 0
        self._loaders: dict[Hashable, Loader] = {}

    async def load(
        self, name: Hashable, load_many: LoadMany, key: Any, convert: Callable[[Any], Any] = unchanged
    ) -> Any:
        """The result of `load_many` for one key, converted. Calls with an equal `name` are collected into one."""
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = Loader(load_many, convert, self.pace, self)
        return await loader.load(key)

    async def renew(self) -> None:
        """Forget everything read so far, because the database has changed."""
        self._loaders.clear()
        await self.reader.renew()

    async def close(self) -> None:
        """Return the connection, and forget everything: loaders and this object refer to each other."""
        self._loaders.clear()
        await self.reader.close()

    async def one(self, model: Any, key: Any, column: Any = None, *, written: bool = False) -> Record | None:
        """The row whose `column` (by default the primary key) is `key`.

        `written` says that this operation wrote the row: then its viewer may see it, though not what it refers to.
        """
        source = RowSource(model, selects.relation(model, column), scoped=not written)

        async def load_many(keys: list[Any]) -> list[Any]:
            rows = await source.by_key(self.reader, keys)
            return [Record(model, rows[key]) if key in rows else None for key in keys]

        record: Record | None = await self.load(("one", model, column and column.key, written), load_many, key)
        return record

    async def all(self, row_set: RowSet, order: Callable[[Any], Any], key: Any) -> list[Record]:
        """All rows of the parent `key`, or of the root for None, sorted by a function of the row."""

        async def load_many(keys: list[Any]) -> list[Any]:
            rows = await row_set.source.all_rows(self.reader, keys, row_set.conditions, order=order)
            return [rows[key] for key in keys]

        records: list[Record] = await self.load(("all", row_set.key), load_many, key, row_set.records)
        return records

    async def page(self, row_set: RowSet, page: Page, key: Any) -> Slice:
        """A page of the rows of the parent `key`, or of the root for None."""

        async def load_many(keys: list[Any]) -> list[Any]:
            slices = await row_set.source.pages(self.reader, page, keys, row_set.conditions)
            return [slices[key] for key in keys]

        def records(read: Slice) -> Slice:
            return read._replace(rows=row_set.records(read.rows))

        result: Slice = await self.load(("page", row_set.key, repr(page)), load_many, key, records)
        return result

    async def count(self, row_set: RowSet, key: Any) -> int:
        """How many rows the parent `key` has, or the root for None."""

        async def load_many(keys: list[Any]) -> list[Any]:
            counts = await row_set.source.counts(self.reader, keys, row_set.conditions)
            return [counts[key] for key in keys]

        count: int = await self.load(("count", row_set.key), load_many, key)
        return count
