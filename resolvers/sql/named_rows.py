"""Rows that a client names, by id or by code. Each must exist and be visible to the viewer: a filter that names another
is refused, because an empty list would look like an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

import models
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import authorization, selects
from resolvers.sql.predicates import Predicate, among, table_column
from resolvers.sql.prepared import cached_select
from resolvers.sql.readers import Reader

SHOWN = 5  # names that an error lists
KNOWN_MAXIMUM = 8_192


@dataclass(frozen=True, eq=False)
class RowKey:
    """A way to name rows: an expression over `source`, which has the model's table. `noun` is for messages."""

    noun: str
    model: Any
    expression: ColumnElement[Any]
    source: FromClause

    @property
    def coded(self) -> bool:
        """Whether it is another key than the row's id."""
        return self.expression is not table_of(self.model).c.id

    @property
    def keys(self) -> sa.Select[Any]:
        return sa.select(table_of(self.model).c.id, self.expression.label("name")).select_from(self.source)


@dataclass(frozen=True)
class NamedRows:
    """The rows that a client named by their keys."""

    by: RowKey
    names: tuple[Any, ...]


@dataclass(eq=False)
class HasKey(Predicate):
    """The column refers to a row with one of these keys."""

    column: Any
    by: RowKey

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        key = table_of(self.by.model).c.id
        rows = sa.select(key).select_from(self.by.source).where(among(self.by.expression, name, sqlite))
        return table_column(self.column).in_(rows.correlate(None))

    def tables(self) -> frozenset[sa.Table]:
        return frozenset({table_of(self.by.model)})


def column_key(column: Any) -> RowKey:
    """The key in a column of the model's own table."""
    attribute = table_column(column)
    return RowKey(f"{column.class_.__name__}", column.class_, attribute, attribute.table)


def _ring_code() -> RowKey:
    """A ring's code: that of its venue, a slash, and its grade."""
    ring, venue = table_of(models.ControlRing), table_of(models.Venue)
    grades = [
        (ring.c.grade == sa.literal(g, ring.c.grade.type, literal_execute=True), g.name) for g in models.ControlGrade
    ]
    grade = sa.case(*((holds, sa.literal_column(f"'/{name}'", sa.String)) for holds, name in grades))
    source = ring.join(venue, ring.c.venue_id == venue.c.id)
    return RowKey("ControlRing", models.ControlRing, sa.cast(venue.c.code + grade, sa.String), source)


ZONE_CODE = column_key(models.Zone.code)
TOWN_CODE = column_key(models.Town.code)
VENUE_CODE = column_key(models.Venue.code)
RING_CODE = _ring_code()
CREDIT_CODE = column_key(models.Enterprise.credit_code)
BADGE = column_key(models.Inspector.badge)


@lru_cache(maxsize=64)
def id_key(model: Any) -> RowKey:
    return column_key(model.id)


async def find_rows(reader: Reader, named: Iterable[NamedRows]) -> dict[RowKey, dict[Any, int]]:
    """By key, the ids of the rows with these names. One statement for each key. Raises RequestError (NOT_FOUND)."""
    wanted: dict[RowKey, dict[Any, None]] = {}
    for rows in named:
        wanted.setdefault(rows.by, {}).update(dict.fromkeys(rows.names))
    ids: dict[RowKey, dict[Any, int]] = {}
    for by, names in wanted.items():
        conditions = authorization.row_conditions(by.model, reader.viewer.visibility)
        statement = _statement(by, tuple(c.predicate for c in conditions), reader.sqlite)
        values = {"keys": list(names), **selects.parameters(conditions, reader)}
        ids[by] = {row.name: row.id for row in await reader.rows(statement, values)} if names else {}
        if missing := [name for name in names if name not in ids[by]]:
            raise _missing(by, missing)
    return ids


async def require_rows(reader: Reader, named: Sequence[NamedRows]) -> None:
    """Raises RequestError (NOT_FOUND) unless the viewer sees all these rows.

    Rows are never deleted. So a row that was seen once is not looked for again, for viewers who see all of its kind.
    """
    rows = reader.known.rows
    unknown = [each for each in named if not (_sees_all(reader, each) and rows.issuperset(_known_as(each)))]
    if not unknown:
        return
    reader.known.checked = True
    await find_rows(reader, unknown)
    if len(rows) > KNOWN_MAXIMUM:
        rows.clear()
    for each in unknown:
        if _sees_all(reader, each):
            rows.update(_known_as(each))


def _sees_all(reader: Reader, named: NamedRows) -> bool:
    return not authorization.row_conditions(named.by.model, reader.viewer.visibility)


def _known_as(named: NamedRows) -> set[tuple[RowKey, Any]]:
    return {(named.by, name) for name in named.names}


@cached_select
def _statement(by: RowKey, predicates: tuple[Predicate, ...], sqlite: bool) -> sa.Select[Any]:
    return by.keys.where(among(by.expression, "keys", sqlite), *selects.where(predicates, sqlite))


def _missing(by: RowKey, names: Sequence[Any]) -> RequestError:
    shown = [str(name) for name in names[:SHOWN]] + (["…"] if len(names) > SHOWN else [])
    reason = Reason(
        "FILTERED_ROW_UNKNOWN",
        "The filter names a {noun} that does not exist, or that you may not see: {names}.",
        noun=by.noun,
        names=shown,
    )
    return RequestError(ErrorCode.NOT_FOUND, reason)
