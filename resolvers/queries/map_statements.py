"""The statements of maps: how many rows are in a box, which ones, and how many are in each cell of the grid."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import NamedFromClause

import models
from models import grid
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import selects
from resolvers.sql.predicates import Predicate, table_column
from resolvers.sql.prepared import cached_select


class Box(NamedTuple):
    """A part of the globe in degrees. Raises RequestError where `checked`."""

    west: float
    south: float
    east: float
    north: float

    def checked(self) -> "Box":
        # A comparison with a number that is not finite is false.
        if not (-180 <= self.west <= self.east <= 180 and -90 <= self.south <= self.north <= 90):
            reason = Reason(
                "BOX",
                "A box needs -180 ≤ west ≤ east ≤ 180 and -90 ≤ south ≤ north ≤ 90. Ask twice for one across ±180°.",
            )
            raise RequestError(ErrorCode.BAD_INPUT, reason)
        return self


PLACE = table_of(models.Enterprise)


@dataclass(eq=False, frozen=True)
class Layer:
    """Rows of one table. They are counted by `group`, a column, or else all belong to the group `name`.

    `at` is the column that names the enterprise at which a row without a place of its own is.
    """

    model: Any
    group: Any = None
    name: Any = None
    at: Any = None


def _placed(layer: Layer) -> tuple[FromClause, NamedFromClause]:
    """The tables of a layer, and the one that has the places."""
    table = table_of(layer.model)
    if layer.at is None:
        return table, table
    place = table_of(models.Enterprise).alias("place")
    return table.join(place, place.c.id == table_column(layer.at)), place


def _group(layer: Layer) -> ColumnElement[Any]:
    return (sa.null() if layer.group is None else table_column(layer.group)).label("group")


def _in_box(place: FromClause, wide: bool) -> list[ColumnElement[bool]]:
    """The row lies in the box.

    Databases assume that few rows do, and would find those of a `wide` box by their places, one by one, even where the
    other conditions leave next to none. So for a wide box they are told nothing that an index could answer.
    """
    west, south, east, north = (bindparam(name, type_=sa.Float) for name in Box._fields)
    inside: list[ColumnElement[bool]] = [
        place.c.latitude.between(south, north),
        place.c.longitude.between(west, east),
    ]
    return _without_index(inside) if wide else inside


def _without_index(conditions: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """The conditions in a form for which databases look into no index, whatever they know of the rows."""
    return [sa.case((sa.and_(*conditions), sa.true()), else_=sa.false())] if conditions else []


@cached_select
def wide_statement(limit: int) -> sa.Select[Any]:
    """How many enterprises are in the box, but at most `limit`. An index has them."""
    size = sa.literal_column(str(limit), sa.Integer)
    inside = _in_box(PLACE, wide=False)
    some = sa.select(sa.literal_column("1")).select_from(PLACE).where(*inside).limit(size).subquery("some")
    return sa.select(sa.func.count().label("n")).select_from(some)


@cached_select
def point_statement(layer: Layer, predicates: tuple[Predicate, ...], wide: bool, sqlite: bool) -> sa.Select[Any]:
    """The rows in the box."""
    source, place = _placed(layer)
    columns = table_of(layer.model).c.id, place.c.longitude, place.c.latitude, _group(layer)
    where = [*_in_box(place, wide), *selects.where(predicates, sqlite)]
    return sa.select(*columns).select_from(source).where(*where)


@cached_select
def count_statement(
    layer: Layer, predicates: tuple[Predicate, ...], limit: int, wide: bool, sqlite: bool
) -> sa.Select[Any]:
    """How many rows are in the box, but at most `limit`."""
    source, place = _placed(layer)
    where = [*_in_box(place, wide), *selects.where(predicates, sqlite)]
    size = sa.literal_column(str(limit), sa.Integer)
    some = sa.select(sa.literal_column("1")).select_from(source).where(*where).limit(size).subquery("some")
    return sa.select(sa.func.count().label("n")).select_from(some)


@cached_select
def tally_statement(
    layer: Layer, predicates: tuple[Predicate, ...], shift: int, wide: bool, sqlite: bool
) -> sa.Select[Any]:
    """The tally of each cell and group in the box; cells are 2 to the power of `shift` of the finest wide."""
    source, place = _placed(layer)
    name = place.name
    column, row = (
        sa.literal_column(f"({text} >> {shift})", sa.BigInteger)
        for text in (grid.column_sql(f"{name}.longitude"), grid.row_sql(f"{name}.latitude"))
    )
    keys = [column, row] if layer.group is None else [column, row, table_column(layer.group)]
    statement = sa.select(column.label("column"), row.label("row"), _group(layer), *_tally(place))
    where = [*_in_box(place, wide), *selects.where(predicates, sqlite)]
    return statement.select_from(source).where(*where).group_by(*keys)


def _tally(place: FromClause) -> list[ColumnElement[Any]]:
    sums = (sa.func.sum(place.c[name]).label(name) for name in ("longitude", "latitude"))
    return [sa.func.count().label("n"), *sums]


KEY = sa.literal_column(models.ENTERPRISE_MAP_KEY, sa.BigInteger)
SPAN = bindparam("span", type_=sa.BigInteger)  # from the first key of a range to its last


@cached_select
def sqlite_ranges(predicates: tuple[Predicate, ...]) -> sa.Select[Any]:
    """The tally of each range as a JSON array. A correlated subquery needs no sorting, as a GROUP BY would."""
    ranges = sa.func.json_each(bindparam("lows", type_=sa.String)).table_valued("key", "value", name="ranges")
    low = ranges.c.value
    tally = sa.func.json_array(*_tally(PLACE))
    where = [KEY.between(low, low + SPAN), *_without_index(selects.where(predicates, sqlite=True))]
    of_range = sa.select(tally).select_from(PLACE).where(*where).correlate(ranges)
    return sa.select(ranges.c.key.label("i"), of_range.scalar_subquery().label("tally"))


@cached_select
def postgres_ranges(predicates: tuple[Predicate, ...]) -> sa.Select[Any]:
    """The tally of each range, the first of which has the number 1."""
    lows = sa.cast(sa.func.string_to_array(bindparam("lows", type_=sa.String), ","), ARRAY(sa.BigInteger))
    low = sa.column("low", sa.BigInteger)
    ranges = sa.func.unnest(lows).table_valued(low, with_ordinality="i", name="ranges").render_derived()
    where = [KEY.between(ranges.c.low, ranges.c.low + SPAN), *_without_index(selects.where(predicates, sqlite=False))]
    of_range = sa.select(*_tally(PLACE)).where(*where).lateral("of_range")
    return sa.select(ranges.c.i, of_range).select_from(ranges.join(of_range, sa.true())).where(of_range.c.n > 0)
